"""What a report needs of the records. Times are aware UTC, durations seconds."""

from dataclasses import dataclass
from datetime import datetime

from callrouter.core.cdr import OfferResult


@dataclass(frozen=True, slots=True)
class AgentOffer:
    """One offer of a call to a counselor, whatever way the caller had come."""

    agent: str
    started_at: datetime
    """When the call began, not the offer: so a call and its offers are of one day."""
    answered_at: datetime | None
    ended_at: datetime
    result: OfferResult
