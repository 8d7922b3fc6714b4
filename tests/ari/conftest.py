"""A fake Asterisk, and someone who writes down what a session tells."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from callrouter.ari.peer import Peer
from callrouter.ari.snapshots import Endpoint
from callrouter.ari.sync import SiteSnapshot
from callrouter.ari.wire import Event
from callrouter.core.ids import SiteName
from tests.fakes.ari import PATIENCE_S, FakeAri, fake_ari


@dataclass
class Diary:
    """A listener that writes down everything; :meth:`until` waits for a condition on what is written."""

    entries: list[tuple[str, Any]] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)
    """Why it was not connected."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def _write(self, word: str, about: Any = None) -> None:
        self.entries.append((word, about))
        self._changed.set()

    def up(self, site: SiteName, snapshot: SiteSnapshot) -> None:
        self._write("up", snapshot)

    def event(self, site: SiteName, event: Event) -> None:
        self._write("event", event)

    def snapshot(self, site: SiteName, snapshot: SiteSnapshot) -> None:
        self._write("snapshot", snapshot)

    def down(self, site: SiteName, reason: str) -> None:
        self._write("down", reason)

    def phones(self, site: SiteName, phones: Iterable[Endpoint]) -> None:
        self._write("phones", list(phones))

    def away(self, site: SiteName, why: str) -> None:
        self.whys.append(why)
        self._changed.set()

    def overflow(self, site: SiteName) -> None:
        self._write("overflow")

    def replaced(self, site: SiteName) -> None:
        self._write("replaced")

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.entries]

    def all(self, word: str) -> list[Any]:
        return [about for written, about in self.entries if written == word]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_written(self, word: str, times: int = 1) -> None:
        await self.until(lambda: self.words.count(word) >= times)


@pytest.fixture
async def fake() -> AsyncIterator[FakeAri]:
    async with fake_ari() as server:
        yield server


@pytest.fixture
def peer(fake: FakeAri) -> Peer:
    return Peer(SiteName("province"), fake.url, "callrouter", "secret")


@pytest.fixture
def diary() -> Diary:
    return Diary()
