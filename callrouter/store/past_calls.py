"""Calls of the past as far as a decision needs them, read one by one: a year of them need not fit in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from callrouter.store.stream import rows_of_calls


@dataclass(frozen=True, slots=True)
class PastCall:
    """What its CDR says of a call; ``rule`` took it, by the version ``config_hash``."""

    call_id: str
    site: str
    started_at: datetime
    caller: str
    dialed: str
    region: str
    region_source: str
    topic: str | None
    rule: str
    config_hash: str
    switches: tuple[str, ...] = ()


async def past_calls(url: str, since: datetime, until: datetime) -> AsyncIterator[PastCall]:
    """The calls that began in ``[since, until)``, oldest first.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    async with rows_of_calls(url, "calls_to_replay", since, until) as rows:
        async for row in rows:
            yield PastCall(**{**row, "call_id": str(row["call_id"]), "switches": tuple(row["switches"])})
