"""When channels of trunk groups were held, as records tell it, one by one."""

from collections.abc import AsyncIterator
from datetime import datetime

from callrouter.report.trunk_plan import Holding
from callrouter.store.stream import rows_of_calls


async def holdings(url: str, since: datetime, until: datetime, incoming: str | None) -> AsyncIterator[Holding]:
    """What was held of trunk groups in ``[since, until)`` (aware), a part of it at least.

    Old records do not say by which group a call came in: ``incoming`` names the one by which they all did.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    async with rows_of_calls(url, "trunk_holdings", since, until, incoming) as rows:
        async for row in rows:
            yield Holding(row["trunk"], max(since, row["since"]), min(until, row["until"]))
