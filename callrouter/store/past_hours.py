"""How many calls of each topic past hours had."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from callrouter.store.postgres import connect, reading
from callrouter.store.queries import query


@dataclass(frozen=True, slots=True)
class PastCalls:
    """Calls of each topic in all hours together, and how many of the hours there are records of."""

    hours: int
    calls: dict[str, int]


async def calls_of_hours(url: str, begins: Sequence[datetime]) -> PastCalls:
    """Of the hours that began at ``begins`` (aware). An hour before the first record of all tells nothing.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    connection = await connect(url, statement_timeout_s=10.0)
    try:
        async with reading("CDRs"):
            first = await connection.fetchval(query("first_call"))
            known = [begin for begin in begins if first is not None and begin >= first]
            rows = await connection.fetch(query("calls_of_hours"), known)
    finally:
        await connection.close(timeout=5.0)
    return PastCalls(len(known), {row["topic"]: row["calls"] for row in rows})
