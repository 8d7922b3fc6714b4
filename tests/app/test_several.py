"""One of several daemons, from its start to its end: with parts that do nothing, and a real journal and web server."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest

from callrouter.agi.server import AgiServer
from callrouter.app.several import (
    Running,
    Shared,
    Stop,
    as_written_now,
    background,
    journal_of,
    listen_when_free,
    one_of_several,
)
from callrouter.app.status import DaemonStatus
from callrouter.ari.fleet import Fleet
from callrouter.config import Loaded, load
from callrouter.config.settings import StandbySettings, WebSettings
from callrouter.errors import JournalError, JournalFencedError
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.runtime.systemd import ServiceManager
from callrouter.store.delivery import CdrWriter
from callrouter.store.journal import Journal
from callrouter.store.journal_file import FILE_NAME
from lab import ports
from tests.app.conftest import BASE, HALL, SECRETS, Parts, a_dispatcher
from tests.app.test_standby import PATIENCE_S, a_fleet, until

NO_MANAGER = ServiceManager(None, None)


@dataclass
class Process:
    """One daemon of those in ``folder``; what it did is in ``diary``."""

    folder: Path
    stop: Stop = field(default_factory=Stop)
    diary: list[str] = field(default_factory=list)
    fleet: Fleet = field(default_factory=a_fleet)
    breaks: list[JournalError] = field(default_factory=list)
    shared: Shared | None = None

    @contextlib.asynccontextmanager
    async def daemon(
        self, directory: Path, loaded: Loaded, clock: SteadyClock, shared: Shared
    ) -> AsyncIterator[Running]:
        self.fleet = a_fleet()
        standby, self.shared = shared.standby, shared
        async with standby.around(self.fleet), journal_of(self.folder / FILE_NAME, shared) as journal:
            await standby.opened(journal)
            if self.breaks:
                raise self.breaks.pop()
            dispatcher = a_dispatcher(loaded.rulebook, journal)
            self.fleet.inbox = dispatcher
            self.fleet.none_up.clear()
            self.diary.append("leads")
            yield Running(
                dispatcher, self._status(dispatcher), None, lambda: standby.until_over(journal, self.fleet, dispatcher)
            )
        self.diary.append("waits")

    def _status(self, dispatcher: Dispatcher) -> DaemonStatus:
        return Parts(self.folder).status

    async def end(self, dispatcher: Dispatcher, writer: CdrWriter | None, drain_s: float, stop: Stop) -> None:
        self.diary.append("drained")

    async def run(self) -> None:
        loaded = load(BASE, SECRETS)
        settings = replace(
            loaded.settings,
            state_dir=self.folder,
            standby=StandbySettings(True, 1.0),
            database_url=None,
            web=WebSettings("127.0.0.1", ports.kept_tcp()),
        )
        loaded = replace(loaded, settings=settings)
        await one_of_several(BASE, loaded, SteadyClock(), self.stop, NO_MANAGER, self.daemon, self.end)

    @property
    def waiting(self) -> int:
        return self.shared.standby.now().waiting if self.shared is not None else 0


@contextlib.asynccontextmanager
async def started(*processes: Process) -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks = [asyncio.create_task(one.run()) for one in processes]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ended(task: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(PATIENCE_S):
        await task


async def test_a_leader_that_is_stopped_drains_where_nobody_waits(tmp_path: Path) -> None:
    one = Process(tmp_path)
    async with started(one) as (task,):
        await until(lambda: one.diary == ["leads"])
        one.stop.signal()
        await ended(task)
    assert one.diary == ["leads", "drained", "waits"]


async def test_one_who_waits_ends_at_once_when_it_is_stopped(tmp_path: Path) -> None:
    async with Journal(tmp_path / FILE_NAME):
        one = Process(tmp_path)
        async with started(one) as (task,):
            one.stop.signal()
            await ended(task)
    assert one.diary == []


async def test_a_leader_that_is_stopped_hands_over_and_ends_where_another_waits(tmp_path: Path) -> None:
    one, other = Process(tmp_path), Process(tmp_path)
    async with started(one) as (task,):
        await until(lambda: one.diary == ["leads"])
        async with started(other) as (other_task,):
            await until(lambda: one.waiting == 1)
            one.stop.signal()
            await until(lambda: other.diary == ["leads"])
            one.fleet.replaced(HALL)  # as Asterisk says when the other connects
            await ended(task)
            other.stop.signal()
            await ended(other_task)
    assert one.diary == ["leads", "waits"]
    assert other.diary == ["leads", "drained", "waits"]


async def test_a_leader_that_is_stopped_and_that_nobody_relieves_leads_once_more_and_drains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.app.standby.TAKEN_WITHIN_S", 0.2)
    one, other = Process(tmp_path), Process(tmp_path, breaks=[JournalError("the disk is broken")])
    async with started(one) as (task,):
        await until(lambda: one.diary == ["leads"])
        async with started(other) as (other_task,):
            await until(lambda: one.waiting == 1)
            one.stop.signal()
            with pytest.raises(JournalError, match="the disk is broken"):
                await ended(other_task)
            await ended(task)
    assert one.diary == ["leads", "waits", "leads", "drained", "waits"]


async def test_a_leader_that_is_relieved_waits_and_its_web_server_says_so(tmp_path: Path) -> None:
    one = Process(tmp_path)
    async with started(one):
        await until(lambda: one.diary == ["leads"])
        assert one.shared is not None
        async with Journal(tmp_path / FILE_NAME, steal=True):
            one.fleet.replaced(HALL)
            await until(lambda: one.diary == ["leads", "waits"])
            async with (
                aiohttp.ClientSession() as client,
                client.get(f"http://127.0.0.1:{one.shared.web.port}/readyz") as answer,
            ):
                assert answer.status == 503


async def test_one_whose_term_is_over_before_its_parts_are_put_together_waits_for_its_next_turn(
    tmp_path: Path,
) -> None:
    one = Process(tmp_path, breaks=[JournalFencedError("term 1 of the journal is over, 2 has begun")])
    async with started(one) as (task,):
        await until(lambda: one.diary == ["leads"] or task.done())
        assert one.diary == ["leads"]


async def test_a_journal_that_another_daemon_has_is_waited_for(tmp_path: Path) -> None:
    one = Process(tmp_path)
    async with started(one):
        async with Journal(tmp_path / FILE_NAME):
            await asyncio.sleep(0.3)  # for what it might do
            assert one.diary == []
        await until(lambda: one.diary == ["leads"])


def test_who_takes_over_goes_by_the_rules_as_they_are_written_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_PASSWORD", "x")
    folder = Path(shutil.copytree(BASE, tmp_path / "config"))
    loaded = load(folder)
    assert as_written_now(folder, loaded) is loaded
    queues = folder / "queues.yaml"
    queues.write_text(f"{queues.read_text(encoding='utf-8')}\n# changed\n", encoding="utf-8")
    newer = as_written_now(folder, loaded)
    assert newer.rulebook.hash != loaded.rulebook.hash
    queues.write_text("queues: {", encoding="utf-8")
    assert as_written_now(folder, newer) is newer, "faults keep nobody from leading"


async def test_fastagi_is_answered_as_soon_as_the_port_is_free() -> None:
    async with AgiServer("127.0.0.1", 0, {}) as before:
        after = AgiServer("127.0.0.1", before.port, {})
        task = asyncio.create_task(listen_when_free(after))
        await asyncio.sleep(0.1)
        assert after._listener is None
    await until(lambda: after._listener is not None)
    task.cancel()
    await asyncio.wait({task})


async def test_what_fails_in_the_block_leaves_it_as_it_is_and_the_tasks_end() -> None:
    tasks: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            tasks.append("ended")

    async def block() -> None:
        async with background() as start:
            start(work())
            await asyncio.sleep(0)
            raise JournalError("as it is")

    with pytest.raises(JournalError, match="as it is"):
        await block()
    assert tasks == ["ended"]


async def test_a_task_that_fails_ends_the_block() -> None:
    async def fail() -> None:
        raise RuntimeError("a defect")

    async def block() -> None:
        async with background() as start:
            start(fail())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as group:
        await block()
    assert group.group_contains(RuntimeError, match="a defect")
