"""The records that a report counts, read one by one: a year of them need not fit in memory."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from callrouter.core.cdr import OfferResult, Outcome
from callrouter.report.rows import AgentOffer, QueuedCall
from callrouter.store.postgres import connect, reading
from callrouter.store.queries import query

_AT_ONCE: Final = 1000


async def queued_calls(url: str, since: datetime, until: datetime) -> AsyncIterator[QueuedCall]:
    """The calls with a queue that began in ``[since, until)``, oldest first.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    connection = await connect(url, statement_timeout_s=60.0)
    try:
        async with reading("CDRs"), connection.transaction(readonly=True):
            async for row in connection.cursor(query("queued_calls"), since, until, prefetch=_AT_ONCE):
                changed = {"outcome": Outcome(row["outcome"]), "talk_s": float(row["talk_s"])}
                yield QueuedCall(**{**row, **changed})
    finally:
        await connection.close(timeout=5.0)


async def agent_offers(url: str, since: datetime, until: datetime) -> AsyncIterator[AgentOffer]:
    """The offers to counselors of the calls that began in ``[since, until)``, with or without a queue.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    connection = await connect(url, statement_timeout_s=60.0)
    try:
        async with reading("CDRs"), connection.transaction(readonly=True):
            async for row in connection.cursor(query("agent_offers"), since, until, prefetch=_AT_ONCE):
                yield AgentOffer(**{**row, "result": OfferResult(row["result"])})
    finally:
        await connection.close(timeout=5.0)
