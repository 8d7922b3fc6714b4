"""Rows read one by one, for what need not fit in memory."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from callrouter.store.postgres import connect, reading
from callrouter.store.queries import query

_AT_ONCE: Final = 1000


@asynccontextmanager
async def rows_of_calls(url: str, name: str, *values: object) -> AsyncIterator[AsyncIterable[asyncpg.Record]]:
    """What the statement of that name finds among the CDRs, over a connection of its own that ends with the block.

    Raises:
        UnreachableError: PostgreSQL cannot be reached, or went away.
        DatabaseError: it said no.
    """
    connection = await connect(url, statement_timeout_s=60.0)
    try:
        async with reading("CDRs"), connection.transaction(readonly=True):
            yield connection.cursor(query(name), *values, prefetch=_AT_ONCE)
    finally:
        await connection.close(timeout=5.0)
