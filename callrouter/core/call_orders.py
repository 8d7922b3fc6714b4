"""What people order during a conversation: hold, transfer, conference."""

from dataclasses import dataclass
from enum import StrEnum


class CallVerb(StrEnum):
    """What can be ordered of a call that talks."""

    HOLD = "hold"
    """Let the caller hear music."""
    RESUME = "resume"
    """Take the caller back; whoever was called in and answered stays: all three talk."""
    TRANSFER = "transfer"
    """Pass the call on: to a counselor or a destination as soon as they answer, or to a queue at once."""
    CONSULT = "consult"
    """Put the caller on hold, and call somebody; then ``COMPLETE``, ``RESUME`` or ``CANCEL``."""
    CONFERENCE = "conference"
    """Call somebody in, with the caller listening all the time."""
    COMPLETE = "complete"
    """Leave the caller to who was called in."""
    DISMISS = "dismiss"
    """End the call of an abusive caller, with an announcement, and mark its record."""
    EXTEND = "extend"
    """Put the end by the recommended length off."""
    CANCEL = "cancel"
    """Let go of who was called in, and take the caller back."""
    PAUSE_RECORDING = "pause-recording"
    """Let the recording hear nothing of what is said now."""
    RESUME_RECORDING = "resume-recording"
    """Let it hear again."""


class CallVia(StrEnum):
    """By what way it was ordered."""

    COMMAND = "command"
    API = "api"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class CallOrder:
    """What somebody wants of a call; ``subject`` is the call's id, or the counselor who talks."""

    subject: str
    verb: CallVerb
    who: str
    via: CallVia
    target: str = ""
    """Whom to call: a counselor, a queue, a destination, a short number of theirs, or a number outside."""


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What became of an order: ``message`` says it to people. When ``ok`` is false nothing has changed."""

    ok: bool
    message: str
    limited: bool = False
    """A limit of calls that go out forbids it for now."""


TARGETED = frozenset({CallVerb.TRANSFER, CallVerb.CONSULT, CallVerb.CONFERENCE})
"""Those that call somebody."""

OF_RECORDING = frozenset({CallVerb.PAUSE_RECORDING, CallVerb.RESUME_RECORDING})
