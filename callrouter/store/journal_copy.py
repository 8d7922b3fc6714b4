"""The journal of a daemon that waits on another machine: a copy of the leader's, in its own file.

First comes the whole of what a leader must know, in one transaction, so that a copy is never half of one and half of
another; then what the leader commits. When this daemon is to lead, the file is opened as any journal is.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import structlog

from callrouter.errors import JournalError
from callrouter.store import copied, journal_file
from callrouter.store.journal import prune_calls
from callrouter.store.journal_file import JournalDamagedError

log = structlog.get_logger(__name__)
_Answer = TypeVar("_Answer")

PRUNE_EVERY_S: Final = 3600.0
CLOCKS_DIFFER_S: Final = 300.0
"""By so much at most the clocks of two machines differ; what is known of the newest record is asked for again."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something of the leader's journal. ``is_whole``: of all of it, and ``is_last`` the last of that."""

    body: bytes
    is_whole: bool = False
    is_last: bool = False


class JournalCopy:
    """The copy at ``path``, this daemon's alone while entered; what is older than ``keep_s`` seconds is forgotten."""

    def __init__(self, path: Path, keep_s: float) -> None:
        self.path = path
        self._keep_s = keep_s
        self._thread = ThreadPoolExecutor(1, "journal-copy")
        self._open = contextlib.ExitStack()
        self._connection: sqlite3.Connection
        self._seen: set[str] | None = None
        """Calls of the whole that is coming just now."""
        self._pruned_s = time.monotonic()

    async def __aenter__(self) -> Self:
        """Open it.

        Raises:
            JournalError: another daemon uses it, or it cannot be opened.
        """
        try:
            await self._do(self._begin)
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; a whole that has not come to its end is as if none had begun."""
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._end))
        self._thread.shutdown(wait=False)

    async def since(self) -> float:
        """From when on records are needed (seconds since 1970), those before being here.

        Raises:
            JournalError: it cannot be read (so for all below).
        """
        return await self._do(lambda: copied.newest(self._connection)) - CLOCKS_DIFFER_S

    async def leftovers(self) -> list[bytes]:
        """What may be in this journal and in no other; the leader is to take it in before the whole comes."""
        return await self._do(lambda: [copied.encode(part) for part in copied.leftovers(self._connection)])

    async def take(self, parts: Sequence[Part]) -> None:
        """Write these, in their order; on disk when this returns, but for a whole whose end has not come.

        Raises:
            JournalError: they cannot be written; what to do is to begin anew.
            StoreError: they cannot be read.
        """
        await self._do(lambda: self._take(parts))

    async def _do(self, work: Callable[[], _Answer]) -> _Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as exc:
            raise JournalError(f"{self.path}: {exc}") from exc

    # In the thread.

    def _begin(self) -> None:
        self._open.enter_context(journal_file.lock(self.path))
        try:
            connection = journal_file.open_file(self.path)
        except JournalDamagedError as exc:
            kept = journal_file.set_file_aside(self.path)
            what = f"the file was damaged ({exc}); it is kept as {kept.name}"
            log.error("journal.lost", path=str(self.path), what=what)  # noqa: TRY400 - its message says all
            connection = journal_file.open_file(self.path)
        self._connection = connection
        self._open.callback(connection.close)

    def _end(self) -> None:
        self._open.close()

    def _take(self, parts: Sequence[Part]) -> None:
        connection = self._connection
        for part in parts:
            rows = copied.decode(part.body)
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            if part.is_whole and self._seen is None:
                self._seen = set()
                copied.make_way(connection)
            if self._seen is None:
                copied.add(connection, rows)
            else:
                copied.add_whole(connection, rows, self._seen)
            if part.is_last:
                self._seen = None
        if self._seen is None and connection.in_transaction:
            connection.execute("COMMIT")
            self._prune(connection)

    def _prune(self, connection: sqlite3.Connection) -> None:
        if time.monotonic() - self._pruned_s >= PRUNE_EVERY_S:
            self._pruned_s = time.monotonic()
            while prune_calls(connection, time.time() - self._keep_s):
                pass
