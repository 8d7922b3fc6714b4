"""Calls of the past as far as a decision needs them, read one by one: a year of them need not fit in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from callrouter.store.postgres import connect, reading
from callrouter.store.queries import query

_AT_ONCE: Final = 1000


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
    connection = await connect(url, statement_timeout_s=60.0)
    try:
        async with reading("CDRs"), connection.transaction(readonly=True):
            async for row in connection.cursor(query("calls_to_replay"), since, until, prefetch=_AT_ONCE):
                yield PastCall(**{**row, "call_id": str(row["call_id"]), "switches": tuple(row["switches"])})
    finally:
        await connection.close(timeout=5.0)
