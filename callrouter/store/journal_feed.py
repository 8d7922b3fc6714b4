"""What is committed to the journal, as it happens, for another machine that keeps a copy.

Commits have numbers. Who begins to copy asks for the whole journal, learns after which commit that was read, and goes
on with the next: nothing is missing and nothing is there twice.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Final

from callrouter.errors import StoreError
from callrouter.store.audit_journal import AuditRow
from callrouter.store.copied import Copied, FactRow, encode
from callrouter.store.journal_writer import FinishedRow, OutboxRow
from callrouter.store.rules_journal import RulesRow

MOST_WAITING_BYTES: Final = 64 * 1024 * 1024
"""What waits for one who copies, at most: who is slower than that begins anew with the whole."""


class FeedReader:
    """One who copies: what was committed since it began to listen."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._came = asyncio.Event()
        self._is_too_slow = False

    def give(self, commit: int, body: bytes) -> None:
        """Something was committed."""
        self._bytes += len(body)
        if self._bytes > MOST_WAITING_BYTES:
            self._is_too_slow = True
            self._waiting.clear()
        else:
            self._waiting.append((commit, body))
        self._came.set()

    async def next(self, after: int) -> bytes:
        """What was committed next, but for commits up to the number ``after``.

        Raises:
            StoreError: it was not taken soon enough; the whole is to be copied anew.
        """
        while True:
            if self._is_too_slow:
                raise StoreError(f"more than {MOST_WAITING_BYTES >> 20} MB of the journal wait to be copied")
            while self._waiting:
                commit, body = self._waiting.popleft()
                self._bytes -= len(body)
                if commit > after:
                    return body
            self._came.clear()
            await self._came.wait()


class JournalFeed:
    """Made in the event loop; :meth:`committed` and :meth:`note` are for the journal's thread."""

    def __init__(self) -> None:
        self.commits = 0
        """How many there were; for the journal's thread."""
        self._readers: set[FeedReader] = set()
        self._loop = asyncio.get_running_loop()

    def listen(self) -> FeedReader:
        """From now on; until :meth:`leave`."""
        reader = FeedReader()
        self._readers.add(reader)
        return reader

    def leave(self, reader: FeedReader) -> None:
        """It copies no more."""
        self._readers.discard(reader)

    def committed(self, facts: Sequence[FactRow], outbox: Sequence[OutboxRow]) -> None:
        """These are on disk, in this order."""
        copied = Copied(facts=list(facts))
        for row in outbox:
            if isinstance(row, FinishedRow):
                copied.finished.append((row.at, row.call_id, row.body, False))
            elif isinstance(row, RulesRow):
                copied.rules.append((row.at, row.id, row.digest, row.body))
            elif isinstance(row, AuditRow):
                copied.audit.append((row.at, row.id, row.kind, row.name, row.body))
        self.note(copied)

    def note(self, copied: Copied) -> None:
        """Something else is, or soon will be, which may be told twice."""
        self.commits += 1
        if not self._readers:  # who begins now asks for the whole after this
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended before the journal
            self._loop.call_soon_threadsafe(self._give, self.commits, encode(copied))

    def _give(self, commit: int, body: bytes) -> None:
        for reader in self._readers:
            reader.give(commit, body)
