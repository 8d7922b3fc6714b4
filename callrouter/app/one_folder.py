"""Daemons on one machine with one state folder: nothing need be copied, and who died or hangs is seen by the kernel."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import structlog

from callrouter.app.tie import LeadersLine
from callrouter.config.settings import DaemonSettings
from callrouter.core.leading import CopyNow, Sign
from callrouter.runtime.leader_line import FILE_NAME, LeaderLine, WaitingLine
from callrouter.store.journal import Journal
from callrouter.store.leader_lock import LeaderLock

log = structlog.get_logger(__name__)


class OneFolder:
    """Implements :class:`callrouter.app.tie.Tie`. ``on_sign`` is told what becomes of PostgreSQL's lock."""

    has_copies = False
    look_every_s = 0.1
    copy: CopyNow | None = None

    def __init__(
        self,
        settings: DaemonSettings,
        *,
        silence_s: float,
        beat_s: float,
        lease_s: float,
        reaches: Callable[[], bool],
        on_sign: Callable[[Sign], None],
    ) -> None:
        self._socket = settings.state_dir / FILE_NAME
        self._beat_s = beat_s
        self._is_dialled = any(site.dials_in for site in settings.sites.values())
        """Whether an Asterisk dials the leader: of one that hangs it does not let go by itself."""
        self._says: LeaderLine | None = None
        self._hears = WaitingLine(self._socket, silence_s=silence_s, beat_s=beat_s, reaches=reaches)
        self._lock = LeaderLock(
            settings.database_url, names_of(settings), lease_s=lease_s, beat_s=beat_s, on_sign=on_sign
        )

    async def watch(self) -> AsyncGenerator[Sign, None]:
        """See the Protocol, as for all below."""
        if self._says is not None and self._says.is_found:  # our own
            yield Sign.GONE
            return
        async with contextlib.aclosing(self._hears.watch()) as signs:
            async for sign in signs:
                yield sign

    def order(self) -> None:
        """Nobody need: who leads, or does not, is seen."""

    async def claim(self, hangs: bool) -> Sign:
        """By PostgreSQL's lock, while it can be asked."""
        return await self._lock.claim()

    def journal(self, path: Path, hangs: bool) -> Journal:
        """Taken from one that hangs, unless it has woken since it was heard."""
        return Journal(path, steal=True, heard=self._hears.heard) if hangs else Journal(path)

    async def opened(self, journal: Journal, hangs: bool) -> None:
        """Where one that hangs keeps the journal from being read, or an Asterisk from us, that one is ended."""
        hung = self._hears.leader if hangs and (journal.term is None or self._is_dialled) else None
        if hung is not None and hung.end():
            what = "the journal's file" if journal.term is None else "the connection that Asterisk has dialled"
            log.error("standby.leader_ended", pid=hung.pid, why=f"it hangs, and holds {what}")

    def line(self, journal: Journal) -> AbstractAsyncContextManager[LeadersLine]:
        """A socket in the folder."""
        self._says = LeaderLine(self._socket, lambda: (journal.term or 0, journal.proofs), beat_s=self._beat_s)
        return self._says

    async def keep(self) -> None:
        """The lock."""
        await self._lock.keep()

    async def prove(self, journal: Journal, within_s: float) -> bool:
        """By the journal, which a successor would have taken."""
        return await journal.prove(within_s)

    def may_connect(self, line: LeadersLine | None) -> bool:
        """Who may act may: the journal would have said if not."""
        return True

    async def settle(self, line: LeadersLine, timeout_s: float) -> None:
        """It is the same journal."""

    async def release(self) -> None:
        """The lock."""
        await self._lock.release()


def names_of(settings: DaemonSettings) -> list[str]:
    """What is served: the Asterisks' applications."""
    return [f"{site.name}:{site.application}" for site in settings.sites.values()]
