"""A session of PostgreSQL that the server ends when its daemon falls silent, and with it the locks that it holds.

The server itself ends a session that has been idle for the time of a lease (``idle_session_timeout``, PostgreSQL 14 and
newer), so a daemon that hangs, or whose network is cut, loses its locks without anybody's help.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog

from callrouter.errors import UnreachableError
from callrouter.store.postgres import FOREIGN_ERRORS, connect, describe

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

ANSWER_S: Final = 1.0
"""How long the server may take; after that it counts as away."""
TROUBLE: Final = (*FOREIGN_ERRORS, UnreachableError)
"""What is raised where it is away."""


class LeasedSession:
    """Opened when it is asked for. A trouble is told once, as the log's ``event`` with its ``remedy``."""

    def __init__(self, url: str, lease_s: float, *, event: str, remedy: str) -> None:
        self.url = url
        self._lease_s = lease_s
        self._event = event
        self._remedy = remedy
        self._connection: Connection | None = None
        self._trouble = ""

    @property
    def is_open(self) -> bool:
        """Whether there is one, as far as we know."""
        return self._connection is not None and not self._connection.is_closed()

    async def connection(self) -> "Connection":
        """The session's. Raises :data:`TROUBLE`."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self.url, timeout_s=ANSWER_S, statement_timeout_s=ANSWER_S)
            await self._connection.execute(f"SET idle_session_timeout = {int(self._lease_s * 1000)}")
        return self._connection

    def is_well(self) -> None:
        """The server has answered: the next trouble is news."""
        self._trouble = ""

    def lose(self, error: Exception) -> None:
        """The server has not."""
        why = describe(error)
        if why != self._trouble:
            self._trouble = why
            log.warning(self._event, why=why, remedy=self._remedy)
        self.drop()

    def drop(self) -> None:
        """End it, and whatever it holds, without waiting for anybody."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def release(self) -> None:
        """Give back what it holds, and end it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(*FOREIGN_ERRORS):
            async with asyncio.timeout(ANSWER_S):
                await connection.execute("SELECT pg_advisory_unlock_all()")
        connection.terminate()
