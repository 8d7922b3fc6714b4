"""A daemon that is put together from real parts and does not run."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.agi.server import AgiServer
from callrouter.app.reload import ConfigReloader
from callrouter.app.status import DaemonStatus
from callrouter.ari.fleet import Fleet
from callrouter.ari.peer import Peer
from callrouter.config import load
from callrouter.core import commands as cmd
from callrouter.core.audit import AuditEntry
from callrouter.core.cdr import Cdr
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, SiteName
from callrouter.core.rulebook import Rulebook
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.store.remembered import Remembered
from tests.fakes.keeping import KeepsAtOnce

BASE = Path(__file__).parents[1] / "bad_config" / "base"
HALL = SiteName("hall")
SECRETS = {"TEST_PASSWORD": "x"}


class Parts:
    """A daemon that is put together and does not run."""

    def __init__(self, folder: Path) -> None:
        loaded = load(BASE, {"TEST_PASSWORD": "x"})
        self.clock = SteadyClock()
        self.fleet = Fleet(
            [Peer(HALL, "http://127.0.0.1:1", "u", "p", "callrouter")],
            lambda: CallId("c"),
            lambda: datetime.now(UTC),
            time.monotonic,
        )
        self.journal = Journal(folder / "journal.sqlite3")
        self.dispatcher = Dispatcher(
            Exchange(loaded.rulebook, self.clock.now()), self.fleet, self.journal, self.clock.now, capacity=1
        )
        self.agi = AgiServer("127.0.0.1", 0, {})
        reloader = ConfigReloader(folder, {}, loaded, self.dispatcher)
        self.remembered = Remembered(folder, self.clock.now)
        self.status = DaemonStatus(
            reloader, self.clock, self.dispatcher, self.fleet, self.journal, None, self.agi, self.remembered
        )


@pytest.fixture
async def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


class Nobody(KeepsAtOnce):
    """Carries nothing out and keeps nothing."""

    def carry_out(self, command: cmd.AriCommand, settled: Callable[[], None]) -> None:
        """Not at all."""

    def resync(self, site: SiteName) -> None:
        """Not at all."""

    def append_facts(self, call_id: CallId, kind: str, body: bytes) -> None:
        """Not at all."""

    def finish(self, cdr: Cdr) -> None:
        """Not at all."""

    def audit(self, entry: AuditEntry) -> None:
        """Not at all."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "config"))


@pytest.fixture
async def reloader(folder: Path) -> AsyncIterator[ConfigReloader]:
    """That of a daemon which runs by the rules of ``folder``."""
    loaded = load(folder, SECRETS)
    nobody = Nobody()
    dispatcher = Dispatcher(Exchange(loaded.rulebook, datetime.now(UTC)), nobody, nobody, lambda: datetime.now(UTC))
    task = asyncio.create_task(dispatcher.run())
    yield ConfigReloader(folder, SECRETS, loaded, dispatcher)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with Journal(tmp_path / "journal.sqlite") as opened:
        yield opened


@pytest.fixture
def rules(parts: Parts) -> Rulebook:
    """Those of the running dispatcher; modules may have others."""
    return parts.dispatcher.exchange.rulebook


def a_dispatcher(rules: Rulebook, journal: Journal) -> Dispatcher:
    """One that commands nobody, and keeps what it is to keep."""
    return Dispatcher(Exchange(rules, datetime.now(UTC)), Nobody(), journal, lambda: datetime.now(UTC))


@pytest.fixture
async def dispatcher(rules: Rulebook, journal: Journal) -> AsyncIterator[Dispatcher]:
    running = a_dispatcher(rules, journal)
    task = asyncio.create_task(running.run())
    yield running
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
