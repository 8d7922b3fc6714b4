"""Delivery as a task, for as long as a test looks at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from callrouter.store.delivery import CdrWriter


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
