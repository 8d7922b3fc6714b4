"""What people order of a resident who waits to be called back."""

from dataclasses import dataclass
from enum import StrEnum


class CallbackVerb(StrEnum):
    """What can be ordered."""

    CALL_NOW = "call-now"
    """Call as soon as somebody is free, whatever the hours are and however lately it was tried."""
    CANCEL = "cancel"
    """Call no more."""


class CallbackVia(StrEnum):
    """By what way it was ordered."""

    COMMAND = "command"
    API = "api"
    LIST = "list"
    """Somebody closed the request in the list."""


@dataclass(frozen=True, slots=True)
class CallbackOrder:
    """What somebody wants; ``call`` is the id of the call that is to be made, or of that in which it was asked for."""

    call: str
    verb: CallbackVerb
    who: str
    via: CallbackVia


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What became of an order: ``message`` says it to people. When ``ok`` is false nothing has changed."""

    ok: bool
    message: str
