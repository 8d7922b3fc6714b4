"""A counselor as the exchange sees one."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from callrouter.core.cdr import OfferResult
from callrouter.core.duty import Duty
from callrouter.core.ids import CallId, ChannelId, QueueName
from callrouter.core.rulebook import AgentSpec, Limits


class AgentState(StrEnum):
    """What a counselor is doing."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    """Picked for a caller; the phone is being called."""
    RINGING = "ringing"
    ON_CALL = "on-call"
    WRAP_UP = "wrap-up"
    RESTING = "resting"
    """Left alone for a while after an offer that failed."""
    PAUSED = "paused"
    """At work, and not to be rung until somebody says so."""
    LOGGED_OUT = "logged-out"
    UNREACHABLE = "unreachable"
    """The phone is not registered: nothing is offered until it is."""
    OWN_CALL = "own-call"
    """The phone has a call that did not come from here."""


@dataclass(slots=True)
class LastCall:
    """The call that a counselor is in the wrap-up of, and what he has said it was about."""

    call: CallId
    queue: QueueName | None
    about: str = ""


@dataclass(slots=True)
class Agent:
    """A counselor's state; times are aware UTC.

    ``idle_since`` orders the counselors who are available: the one who has been idle longest is rung first. An offer
    that came to nothing through no fault of the counselor leaves it as it was.
    """

    spec: AgentSpec
    state: AgentState
    since: datetime
    idle_since: datetime
    leg: ChannelId | None = None
    misses: int = 0
    """Offers missed in a row."""
    calls: int = 0
    """Calls taken today; who logs in begins with as many as have those who took the fewest."""
    offered_at: datetime | None = None
    """When the phone was called last."""
    duty: Duty = Duty.ON
    """What was said of the counselor; it holds from the end of a call and its wrap-up on."""
    reason: str = ""
    """Why, if he is paused or logged out."""
    retired: bool = False
    """No longer in the rules; leaves when the present call is over."""
    untold: bool = False
    """Paused for calls that he missed, and nobody has told him so."""
    refuses: bool = False
    """His phone refused a call without having rung: do-not-disturb, of which it tells nobody before."""
    changed: list["Agent"] = field(default_factory=list, repr=False, compare=False)
    """Where whoever changes is put down, for those who show it."""
    last: LastCall | None = None
    """The call that ended last."""

    def change(self, state: AgentState, at: datetime) -> None:
        """Enter ``state``."""
        self.state = state
        self.since = at
        self.changed.append(self)


_BLAMED = frozenset(
    {OfferResult.NO_ANSWER, OfferResult.BUSY, OfferResult.REJECTED, OfferResult.UNREACHABLE, OfferResult.LOOP}
)


def is_blamed(result: OfferResult) -> bool:
    """Whether an offer that ended so counts as one that the counselor missed."""
    return result in _BLAMED


def is_missed(result: OfferResult) -> bool:
    """Whether the phone rang, or could have, and nobody took the call: not so at a phone that is busy or unplugged."""
    return result in (OfferResult.NO_ANSWER, OfferResult.REJECTED)


_REFUSALS = frozenset({OfferResult.NO_ANSWER, OfferResult.BUSY, OfferResult.REJECTED})


def is_refusal(result: OfferResult) -> bool:
    """Whether a phone that ends an offer so without having rung has nobody to decide that: do-not-disturb is set."""
    return result in _REFUSALS


def rest_after(result: OfferResult, limits: Limits) -> float:
    """How many seconds a counselor is left alone after an offer ended with ``result`` (not ``ANSWERED``)."""
    match result:
        case OfferResult.NO_ANSWER:
            return limits.rest_after_no_answer_s
        case OfferResult.BUSY:
            return limits.rest_after_busy_s
        case OfferResult.REJECTED | OfferResult.NOT_CONFIRMED:
            return limits.rest_after_rejected_s
        case OfferResult.UNREACHABLE | OfferResult.LOOP:
            return limits.rest_after_unreachable_s
        case OfferResult.CONGESTION | OfferResult.FAILED | OfferResult.LOST | OfferResult.LIMITED:
            return limits.retry_after_congestion_s
        case _:
            return 0.0
