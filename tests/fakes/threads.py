"""Servers for commands that have an event loop of their own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

PATIENCE_S = 10.0

Server = TypeVar("Server")


@contextmanager
def in_thread(server: AbstractAsyncContextManager[Server]) -> Iterator[Server]:
    """Enter ``server`` in a thread with a loop of its own, and leave it there at the end."""
    ready, ended, entered = threading.Event(), asyncio.Event(), list[Server]()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with server as value:
            entered.append(value)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(PATIENCE_S), "the server did not start"
        yield entered[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE_S)
        loop.close()
