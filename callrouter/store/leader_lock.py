"""PostgreSQL's word on who leads: an advisory lock, held by a session that ends when its daemon falls silent.

The server itself ends a session that has been idle for the time of a lease (``idle_session_timeout``, PostgreSQL 14 and
newer), so a daemon that hangs, or whose network is cut, loses the lock without anybody's help.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog

from callrouter.core.leading import BEAT_S, SILENCE_S, Sign
from callrouter.errors import UnreachableError
from callrouter.store.postgres import FOREIGN_ERRORS, connect, describe

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

CLASS: Final = 0x43524C44
"""Of the lock's two numbers the first: "CRLD", so that other programs' locks are others."""
ANSWER_S: Final = 1.0
"""How long the server may take; after that it counts as away."""


class LeaderLock:
    """The lock of the daemons that serve ``names`` (their Asterisks' applications), on the server at ``url``.

    ``url`` None: there is no server, and nothing is ever known. ``on_sign`` is told what becomes of the lock while
    :meth:`keep` runs.
    """

    def __init__(
        self,
        url: str | None,
        names: Iterable[str],
        *,
        lease_s: float = SILENCE_S,
        beat_s: float = BEAT_S,
        on_sign: Callable[[Sign], None] = lambda _: None,
    ) -> None:
        self._url = url
        self._key = lock_key(names)
        self._lease_s = lease_s
        self._beat_s = beat_s
        self._on_sign = on_sign
        self._connection: Connection | None = None
        self._trouble = ""

    async def claim(self) -> Sign:
        """Ask for the lock now: ours, another's, or unknown because the server does not answer. Never raises."""
        if self._url is None:
            return Sign.LOCK_UNKNOWN
        try:
            async with asyncio.timeout(2 * ANSWER_S):
                connection = await self._session(self._url)
                is_ours = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", CLASS, self._key)
        except (*FOREIGN_ERRORS, UnreachableError) as error:
            self._lose(error)
            return Sign.LOCK_UNKNOWN
        self._trouble = ""
        if not is_ours:
            self._drop()
            return Sign.LOCK_ELSEWHERE
        return Sign.LOCK_OURS

    async def keep(self) -> None:
        """Say that we are alive, again and again, and claim the lock anew when its session was lost; until cancelled.

        That it is lost costs nobody the lead: the server was away, and calls go on.
        """
        while True:
            await asyncio.sleep(self._beat_s)
            if self._connection is None:
                self._on_sign(await self.claim())
            elif not await self._beat(self._connection):
                self._on_sign(Sign.LOCK_UNKNOWN)

    async def release(self) -> None:
        """Let another have it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(*FOREIGN_ERRORS):
            async with asyncio.timeout(ANSWER_S):
                await connection.execute("SELECT pg_advisory_unlock_all()")
        connection.terminate()

    async def _session(self, url: str) -> "Connection":
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(url, timeout_s=ANSWER_S, statement_timeout_s=ANSWER_S)
            await self._connection.execute(f"SET idle_session_timeout = {int(self._lease_s * 1000)}")
        return self._connection

    async def _beat(self, connection: "Connection") -> bool:
        try:
            async with asyncio.timeout(ANSWER_S):
                await connection.execute("SELECT 1")
        except FOREIGN_ERRORS as error:
            self._lose(error)
            return False
        return True

    def _lose(self, error: Exception) -> None:
        why = describe(error)
        if why != self._trouble:
            self._trouble = why
            log.warning("leader_lock.unknown", why=why, remedy="who leads goes on leading; see to PostgreSQL")
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def lock_key(names: Iterable[str]) -> int:
    """The lock's second number, by what is served."""
    return _signed(zlib.crc32("\0".join(sorted(names)).encode()))


def _signed(number: int) -> int:
    """The same 32 bits as PostgreSQL's integer has them."""
    return number - (1 << 32) if number >= 1 << 31 else number
