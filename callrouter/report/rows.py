"""What a report needs of the records. Times are aware UTC, durations seconds."""

from dataclasses import dataclass
from datetime import datetime

from callrouter.core.cdr import OfferResult, Outcome


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A call that entered a queue; if it went through several, the one that its record names."""

    started_at: datetime
    queued_at: datetime
    """When the caller entered the queue."""
    answered_at: datetime | None
    """When a counselor, or a destination, answered."""
    ended_at: datetime
    queue: str
    tenant: str
    topic: str | None
    agent: str | None
    destination: str | None
    outcome: Outcome
    talk_s: float
    """With what was on hold."""
    wrap_up: str | None = None
    """What the counselor said afterwards that it was about."""


@dataclass(frozen=True, slots=True)
class AgentOffer:
    """One offer of a call to a counselor, whatever way the caller had come."""

    agent: str
    started_at: datetime
    """When the call began, not the offer: so a call and its offers are of one day."""
    answered_at: datetime | None
    ended_at: datetime
    result: OfferResult
