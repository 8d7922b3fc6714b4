"""PostgreSQL's word on who leads: an advisory lock, held by a session that ends when its daemon falls silent."""

import asyncio
import zlib
from collections.abc import Callable, Iterable
from typing import Final

from callrouter.core.leading import BEAT_S, SILENCE_S, Sign
from callrouter.store.leased_session import ANSWER_S, TROUBLE, LeasedSession

CLASS: Final = 0x43524C44
"""Of the lock's two numbers the first: "CRLD", so that other programs' locks are others."""


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
        remedy = "who leads goes on leading; see to PostgreSQL"
        self._session = LeasedSession(url, lease_s, event="leader_lock.unknown", remedy=remedy) if url else None
        self._key = lock_key(names)
        self._beat_s = beat_s
        self._on_sign = on_sign
        self._has_lock = False

    async def claim(self) -> Sign:
        """Ask for the lock now: ours, another's, or unknown because the server does not answer. Never raises."""
        self._has_lock = False
        if self._session is None:
            return Sign.LOCK_UNKNOWN
        try:
            async with asyncio.timeout(2 * ANSWER_S):
                connection = await self._session.connection()
                is_ours = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", CLASS, self._key)
        except TROUBLE as error:
            self._session.lose(error)
            return Sign.LOCK_UNKNOWN
        self._session.is_well()
        if not is_ours:
            self._session.drop()
            return Sign.LOCK_ELSEWHERE
        self._has_lock = True
        return Sign.LOCK_OURS

    async def keep(self) -> None:
        """Say that we are alive, again and again, and claim the lock anew when its session was lost; until cancelled.

        That it is lost costs nobody the lead: the server was away, and calls go on.
        """
        while True:
            await asyncio.sleep(self._beat_s)
            if self._session is None or not self._has_lock:
                self._on_sign(await self.claim())
            elif not await self._beat(self._session):
                self._has_lock = False
                self._on_sign(Sign.LOCK_UNKNOWN)

    async def release(self) -> None:
        """Let another have it."""
        self._has_lock = False
        if self._session is not None:
            await self._session.release()

    async def _beat(self, session: LeasedSession) -> bool:
        if not session.is_open:  # another one would not have the lock
            return False
        try:
            async with asyncio.timeout(ANSWER_S):
                await (await session.connection()).execute("SELECT 1")
        except TROUBLE as error:
            session.lose(error)
            return False
        return True


def lock_key(names: Iterable[str]) -> int:
    """The lock's second number, by what is served."""
    return _signed(zlib.crc32("\0".join(sorted(names)).encode()))


def _signed(number: int) -> int:
    """The same 32 bits as PostgreSQL's integer has them."""
    return number - (1 << 32) if number >= 1 << 31 else number
