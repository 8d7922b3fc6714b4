"""Supervisors: who may hear what, in which way, what is ordered of them, and how one that goes on stands."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callrouter.core.far_end import FarEnd
from callrouter.core.ids import AgentId, CallId, ChannelId, QueueName, SiteName, SupervisorName, TenantName


class HearingMode(StrEnum):
    """Who hears a supervisor, who himself hears both sides in each of them."""

    LISTEN = "listen"
    """Nobody does."""
    WHISPER = "whisper"
    """The counselor does, and the caller does not."""
    BARGE = "barge"
    """Both do."""


class HearingVia(StrEnum):
    """By what way it was ordered."""

    COMMAND = "command"
    API = "api"
    PHONE = "phone"


USUAL_KEYS = {"4": HearingMode.LISTEN, "5": HearingMode.WHISPER, "6": HearingMode.BARGE}
"""What a supervisor presses for each mode, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class SupervisorSpec:
    """A supervisor as configured. A call may be heard that is of one of the queues, if there are any, and of one of the
    tenants, if there are any."""

    name: SupervisorName
    title: str
    site: SiteName
    endpoint: str
    """What Asterisk dials, such as ``PJSIP/299``."""
    queues: tuple[QueueName, ...] = ()
    tenants: tuple[TenantName, ...] = ()


@dataclass(frozen=True, slots=True)
class HearingOrder:
    """What somebody wants: ``supervisor`` (by name, or by endpoint) is to hear a call in ``mode``; None: no longer."""

    call: CallId
    supervisor: str
    mode: HearingMode | None
    who: str
    via: HearingVia


@dataclass(frozen=True, slots=True)
class HearingAnswer:
    """What became of an order: ``message`` says it to people. When ``ok`` is false nothing has changed."""

    ok: bool
    changed: bool
    message: str


@dataclass(slots=True)
class Hearing:
    """A supervisor's share in a call, while it lasts.

    Each mode is a *turn*: an ear at the counselor's leg and a bridge of its own, because Asterisk cannot change what an
    ear does. ``turn`` is the one that he is in, 0 before the first.
    """

    number: int
    supervisor: SupervisorName
    agent: AgentId
    channel: ChannelId
    """Of the supervisor's phone."""
    at: datetime
    wanted: HearingMode
    who: str
    via: HearingVia
    mode: HearingMode | None = None
    """None: he hears nothing yet."""
    since: datetime | None = None
    """When he heard the first."""
    turn: int = 0
    far: FarEnd | None = None
    """Where the phone is, if that is another site."""
    # What the exchange notes for itself and may forget over a restart:
    turns: int = 0
    """The turn that was begun last."""
    entered: bool = False
    """The phone was answered."""
    recalled: bool = False
    """An earlier daemon began it, and it has not been looked for at Asterisk since."""
    in_doubt: bool = False
    """And that one may not have come to call the phone."""
