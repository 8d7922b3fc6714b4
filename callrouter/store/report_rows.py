"""The records that a report counts, read one by one: a year of them need not fit in memory."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from callrouter.core.cdr import CdrVisit, OfferResult, Outcome, VisitEnd
from callrouter.core.duty import Duty
from callrouter.core.queued import QueuedCall, visited
from callrouter.report.rows import AgentDuty, AgentOffer, AgentTalk
from callrouter.store.stream import rows_of_calls

LONGEST_WRAP_UP: Final = timedelta(hours=1)
"""Work after a call of before a report is not seen if it is longer."""


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


async def talks(url: str, since: datetime, until: datetime) -> AsyncIterator[AgentTalk]:
    """Counselors' conversations of which a part, or the work after them, may lie in ``[since, until)``, in their order.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    async with rows_of_calls(url, "talks", since - LONGEST_WRAP_UP, until) as rows:
        async for row in rows:
            yield AgentTalk(**row)


async def duties(url: str, since: datetime, until: datetime) -> AsyncIterator[AgentDuty]:
    """What was said of counselors in ``[since, until)``, and the last before it of each, in their order.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    async with rows_of_calls(url, "duty_changes", since, until) as rows:
        async for row in rows:
            duty = next((duty for duty in Duty if duty == row["to_value"]), Duty.ON)  # as the daemon takes it
            yield AgentDuty(row["name"], row["at"], duty, row["note"] if duty is not Duty.ON else "")
