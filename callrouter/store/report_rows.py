"""The records that a report counts, read one by one: a year of them need not fit in memory."""

from collections.abc import AsyncIterator
from datetime import datetime

from callrouter.core.cdr import CdrVisit, OfferResult, Outcome, VisitEnd
from callrouter.core.queued import QueuedCall, visited
from callrouter.report.rows import AgentOffer
from callrouter.store.stream import rows_of_calls


async def queued_calls(url: str, since: datetime, until: datetime) -> AsyncIterator[QueuedCall]:
    """The calls with a queue that began in ``[since, until)``, oldest first.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    async with rows_of_calls(url, "queued_calls", since, until) as rows:
        async for row in rows:
            changed = {"outcome": Outcome(row["outcome"]), "talk_s": float(row["talk_s"])}
            yield QueuedCall(**{**row, **changed})


async def queue_visits(url: str, since: datetime, until: datetime) -> AsyncIterator[QueuedCall]:
    """The waits, one for each queue, of the calls that began in ``[since, until)``, oldest call first.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    async with rows_of_calls(url, "queue_visits", since, until) as rows:
        async for row in rows:
            found = dict(row)
            visit = CdrVisit(found["queue"], found["queued_at"], found.pop("left_at"), VisitEnd(found.pop("how")))
            is_last = found.pop("is_last")
            changed = {"outcome": Outcome(row["outcome"]), "talk_s": float(row["talk_s"])}
            yield visited(QueuedCall(**{**found, **changed}), visit, is_last=is_last)


async def agent_offers(url: str, since: datetime, until: datetime) -> AsyncIterator[AgentOffer]:
    """The offers to counselors of the calls that began in ``[since, until)``, with or without a queue.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    async with rows_of_calls(url, "agent_offers", since, until) as rows:
        async for row in rows:
            yield AgentOffer(**{**row, "result": OfferResult(row["result"])})
