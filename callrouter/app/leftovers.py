"""The leader's journal for one who copies it, and what the journal of one that led before had left.

A machine that dies takes with it what had not been copied in its last moments. When it is back, that is handed to
whoever leads by then: records are delivered, and of a call that nobody else ever knew one is made that says so.
"""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Final

import structlog

from callrouter.app.memory import close_history, decoded
from callrouter.core import facts
from callrouter.core.ids import CallId, ChannelId
from callrouter.store import copied
from callrouter.store.journal import Fact, Journal
from callrouter.store.journal_feed import JournalFeed

log = structlog.get_logger(__name__)

_CLOCKS_DIFFER: Final = timedelta(minutes=5)


class JournalSource:
    """Implements :class:`callrouter.runtime.peer_line.Source`."""

    def __init__(self, journal: Journal, feed: JournalFeed) -> None:
        self._journal = journal
        self._feed = feed

    async def take_in(self, left: bytes) -> None:
        """See the Protocol."""
        rows = copied.decode(left)
        unknown = await self._journal.take_in(rows)
        if rows.finished or unknown:
            log.info("standby.leftovers", records=len(rows.finished), calls_unknown=len(unknown))
        if unknown:
            await self._close(unknown)

    async def _close(self, unknown: Mapping[CallId, list[Fact]]) -> None:
        """A caller whom the successor met as a stranger has a record there; of all others one is made."""
        first = min(records[0].at for records in unknown.values())
        known = await self._channels(await self._journal.opened_since(first - _CLOCKS_DIFFER))
        for call_id, records in unknown.items():
            history = decoded(records)
            opened = history[0] if history else None
            if not isinstance(opened, facts.Opened):
                log.warning("standby.leftover_unreadable", call=call_id)
            elif opened.channel in known:
                log.info("standby.leftover_known", call=call_id, why="its caller has another record since")
            else:
                await close_history(self._journal, call_id, history, "it was known to a machine alone that died")

    async def _channels(self, calls: Mapping[CallId, list[Fact]]) -> set[ChannelId]:
        firsts = (decoded(records[:1]) for records in calls.values())
        return {fact.channel for first in firsts for fact in first if isinstance(fact, facts.Opened)}

    async def stream(self, since: float) -> AsyncGenerator[tuple[bytes, bool, bool], None]:
        """See the Protocol."""
        reader = self._feed.listen()
        try:
            after, parts = await self._journal.whole(since)
            for place, body in enumerate(parts, start=1):
                yield body, True, place == len(parts)
            while True:
                yield await reader.next(after), False, False
        finally:
            self._feed.leave(reader)
