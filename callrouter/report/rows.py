"""What a report needs of the records. Times are aware UTC, durations seconds."""

from dataclasses import dataclass
from datetime import datetime

from callrouter.core.cdr import OfferResult
from callrouter.core.duty import Duty


@dataclass(frozen=True, slots=True)
class AgentOffer:
    """One offer of a call to a counselor, whatever way the caller had come."""

    agent: str
    started_at: datetime
    """When the call began, not the offer: so a call and its offers are of one day."""
    answered_at: datetime | None
    ended_at: datetime
    result: OfferResult


@dataclass(frozen=True, slots=True)
class AgentTalk:
    """A conversation of a counselor; ``queue`` is where the caller had waited, None if nowhere."""

    agent: str
    offered_at: datetime
    answered_at: datetime
    ended_at: datetime
    queue: str | None


@dataclass(frozen=True, slots=True)
class AgentDuty:
    """What was said of a counselor, and why, from ``at`` on."""

    agent: str
    at: datetime
    duty: Duty
    reason: str
