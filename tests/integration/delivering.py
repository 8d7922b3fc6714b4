"""Delivery as a task, for as long as a test looks at it, and what has come of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from callrouter.core.ids import CallId
from callrouter.store.delivery import CdrWriter
from callrouter.store.postgres import connect


@asynccontextmanager
async def running(writer: CdrWriter) -> AsyncIterator[CdrWriter]:
    """The writer at work; it must not end by itself."""
    task = asyncio.create_task(writer.run())
    try:
        yield writer
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait for what a server makes true, and nobody tells."""
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def stored(url: str) -> list[CallId]:
    """The calls that the database has records of, as they came."""
    connection = await connect(url)
    try:
        rows = await connection.fetch("SELECT call_id FROM callrouter.cdr ORDER BY number")
        return [CallId(str(row["call_id"])) for row in rows]
    finally:
        await connection.close()
