"""Two daemons with a state folder each, in one process: who leads by whose word, and who does not."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.app.standby import Standby
from callrouter.app.two_machines import TwoMachines
from callrouter.config import load
from callrouter.config.settings import DaemonSettings, PeerSettings, StandbySettings
from callrouter.core.leading import Role, Sign
from callrouter.errors import JournalError
from callrouter.store.journal_copy import JournalCopy
from callrouter.store.journal_file import FILE_NAME
from callrouter.store.postgres import connected
from callrouter.web.leading import HandOverRequest, TakeOverRequest
from lab import ports
from tests.app.conftest import BASE, HALL, SECRETS, a_dispatcher
from tests.app.test_standby import Term, a_fleet, until
from tests.fakes import cdrs

pytestmark = pytest.mark.postgres

PATIENCE_S = 15.0
SILENCE_S = 1.0
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
SECRET = "a secret of the tests, and of nobody"
NOT_KNOWN = re.compile(r"standby\.(?:old_copy|none_heard)")
"""How it is told that calls may not be known."""


class Machine:
    """One of two, with its folder."""

    def __init__(self, settings: DaemonSettings, folder: Path, reaches: Callable[[], bool] = lambda: True) -> None:
        folder.mkdir()
        self.folder = folder
        self.standby = Standby(replace(settings, state_dir=folder), lambda: datetime.now(UTC), reaches)
        assert isinstance(self.standby._tie, TwoMachines)
        assert settings.standby.peer is not None
        self.listens = settings.standby.peer.listen
        self.tie = self.standby._tie

    def lose_database(self) -> None:
        self.tie._lock._session.url = NOWHERE
        if self.tie._lock._session._connection is not None:
            self.tie._lock._session._connection.terminate()

    def find_database(self, url: str) -> None:
        self.tie._lock._session.url = url

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[Term]:
        """What :mod:`callrouter.app.daemon` does with it."""
        async with asyncio.timeout(PATIENCE_S):
            await self.standby.wait_to_lead()
        fleet = a_fleet()
        journal = self.standby.journal(self.folder / FILE_NAME)
        async with self.standby.around(fleet), journal:
            await self.standby.opened(journal)
            dispatcher = a_dispatcher(load(BASE, SECRETS).rulebook, journal)
            fleet.inbox = dispatcher
            fleet.none_up.clear()  # it is connected
            keeping = asyncio.create_task(self.standby.keep(journal, dispatcher))
            try:
                yield Term(self.standby, journal, fleet, dispatcher)
            finally:
                keeping.cancel()
                with suppress(asyncio.CancelledError):
                    await keeping

    @property
    def has_copy(self) -> bool:
        """As the leader sees the other."""
        copy = self.standby.now().copy
        return copy is not None and copy.is_whole and not copy.behind

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator["asyncio.Task[bool]"]:
        task = asyncio.create_task(self.standby.wait_to_lead())
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def two(tmp_path: Path, database: str) -> tuple[Machine, Machine]:
    ends = [("127.0.0.1", ports.kept_tcp()) for _ in range(2)]
    base = replace(load(BASE, SECRETS).settings, database_url=database)
    machines = []
    for name, listen, other in (("a", ends[0], ends[1]), ("b", ends[1], ends[0])):
        peer = PeerSettings(listen, other, SECRET)
        settings = replace(base, standby=StandbySettings(True, SILENCE_S, peer))
        machines.append(Machine(settings, tmp_path / name))
    return machines[0], machines[1]


def term_of(machine: Machine) -> int | None:
    return machine.standby.now().term


async def test_the_first_leads_the_other_copies_and_follows_with_what_it_knew(two: tuple[Machine, Machine]) -> None:
    a, b = two
    call = cdrs.call_id()
    async with AsyncExitStack() as stack:
        async with a.leading() as term:
            assert term_of(a) == 1
            waiting = await stack.enter_async_context(b.waiting())
            term.journal.append_facts(call, "Opened", b"1")
            assert await term.journal.flush()
            await until(lambda: a.has_copy)
            assert (b.standby.role, a.standby.now().waiting) == (Role.STANDBY, 1)
        async with asyncio.timeout(PATIENCE_S):
            await waiting
        async with b.leading() as term:
            assert term_of(b) == 2
            assert list(await term.journal.open_calls()) == [call]


async def test_a_leader_hands_over_without_postgresql_and_the_successor_is_known_there_later(
    two: tuple[Machine, Machine], database: str
) -> None:
    a, b = two
    taken = asyncio.Event()
    led: list[int | None] = []

    async def follow() -> None:
        async with b.leading() as term:
            led.append(term_of(b))
            assert b.standby.may_connect(), "the leader's word is as good as PostgreSQL's"
            assert await term.journal.flush()
            old.fleet.replaced(HALL)
            b.find_database(database)
            await until(lambda: b.standby.now().lock is Sign.LOCK_OURS)
            taken.set()

    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(a.leading())
        following = asyncio.create_task(follow())
        await until(lambda: a.has_copy)
        a.lose_database()
        b.lose_database()
        answer = asyncio.create_task(a.standby.hand_over(HandOverRequest("kim")))
        await old.over()
    async with asyncio.timeout(PATIENCE_S):
        assert (await answer).ok
        await following
    assert led == [2]
    async with connected(database) as connection:
        assert await connection.fetchval("SELECT term FROM callrouter.leader") == 2


async def test_where_nobody_is_heard_and_postgresql_does_not_say_nobody_leads_but_by_order(
    two: tuple[Machine, Machine],
) -> None:
    a, b = two
    async with a.leading():
        assert (await a.standby.take_over(TakeOverRequest(force=True))).message == "this daemon leads already"
        async with b.waiting():
            await until(lambda: a.has_copy)
            refused = await b.standby.take_over(TakeOverRequest(force=True))
            assert (refused.ok, "is alive, and leads" in refused.message) == (False, True)
    b.lose_database()
    async with b.waiting() as waiting:
        await until(lambda: "take-over --force" in b.standby.now().words)
        await asyncio.sleep(SILENCE_S)  # for what it might do
        assert not waiting.done()
        assert not (await b.standby.take_over(TakeOverRequest())).ok
        order = asyncio.create_task(b.standby.take_over(TakeOverRequest(force=True)))
        async with asyncio.timeout(PATIENCE_S):
            await waiting
    async with b.leading():
        assert (await order).ok
        assert term_of(b) == 2
        assert b.standby.may_connect()


async def test_a_leader_hands_over_to_nobody_who_has_not_copied_all(
    two: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two

    async def take(_: JournalCopy, parts: object) -> None:
        raise JournalError("the disk is full")

    monkeypatch.setattr(JournalCopy, "take", take)
    async with a.leading(), b.waiting():
        await until(lambda: a.standby.now().waiting == 1)
        refused = await a.standby.hand_over(HandOverRequest("kim"))
        assert (refused.ok, "has not copied all" in refused.message) == (False, True)
        assert not a.standby.ask_to_hand_over()
        assert a.standby.role is Role.LEADING


async def test_an_order_is_refused_if_postgresql_says_that_the_other_leads(two: tuple[Machine, Machine]) -> None:
    a, b = two
    async with a.leading():
        b.tie._hears._address = ("127.0.0.1", ports.kept_tcp())  # the line is cut
        async with b.waiting():
            await until(lambda: b.standby.now().lock is Sign.LOCK_ELSEWHERE)
            told = await b.standby.take_over(TakeOverRequest(force=True))
            assert (told.ok, "lock-elsewhere" in told.message) == (False, True)
            assert a.standby.role is Role.LEADING


async def test_a_leader_without_a_word_makes_no_new_connection_and_without_asterisk_gives_up(
    two: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    reached = True
    monkeypatch.setattr(a.standby, "_reaches", lambda: reached)
    async with a.leading() as term:
        async with b.waiting():
            await until(lambda: a.has_copy)
            a.lose_database()
            b.lose_database()
            await asyncio.sleep(SILENCE_S)
            assert a.standby.may_connect(), "the other says that it waits"
        await until(lambda: not a.standby.may_connect())
        assert a.standby.may_act(), "Asterisk would tell of a successor"
        reached = False
        await term.over()
        assert a.standby.role is Role.STANDBY
        assert term.dispatcher.stood_down


async def test_a_leader_that_slept_proves_itself_at_postgresql_and_stands_down_if_another_has_begun(
    two: tuple[Machine, Machine],
) -> None:
    a, b = two
    async with a.leading() as term:
        time.sleep(SILENCE_S * 0.7)  # noqa: ASYNC251 - the whole process is to hang
        assert not a.standby.may_act()
        await until(a.standby.may_act)
        assert a.tie._lock.proofs == 1
        await a.tie.release()
        assert await b.tie._lock.begin(None, 1) is Sign.LOCK_OURS
        time.sleep(SILENCE_S * 0.7)  # noqa: ASYNC251 - as above
        assert not a.standby.may_act()
        await term.over()
        assert a.standby.role is Role.STANDBY
        await b.tie.release()


async def test_one_that_took_over_with_an_old_copy_says_so(
    two: tuple[Machine, Machine], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    monkeypatch.setattr("callrouter.app.two_machines.STALE_S", 0.0)
    async with a.leading(), b.waiting():
        await until(lambda: a.has_copy)
    async with b.leading():
        assert NOT_KNOWN.findall(capsys.readouterr().out) == ["standby.old_copy"]


async def test_the_first_who_leads_misses_nothing_and_one_who_led_before_cannot_know(
    two: tuple[Machine, Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = two
    async with a.leading():
        assert not NOT_KNOWN.search(capsys.readouterr().out)
    async with b.leading():
        assert NOT_KNOWN.findall(capsys.readouterr().out) == ["standby.none_heard"]


async def test_one_who_hands_over_leads_again_soon_with_all_that_it_knew_if_the_next_does_not_say_a_word(
    two: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("callrouter.app.standby.TAKEN_WITHIN_S", 2 * PATIENCE_S)
    monkeypatch.setattr("callrouter.runtime.peer_waiting.SHAKE_S", SILENCE_S)
    a, b = two
    async with AsyncExitStack() as stack:
        async with a.leading() as term:
            waiting = await stack.enter_async_context(b.waiting())
            await until(lambda: a.has_copy)
            stack.enter_context(socket.create_server(b.listens))  # which nobody reads from, as of one that hangs
            assert a.standby.ask_to_hand_over()
            await term.over()
        assert a.standby._is(Role.CLAIMING)
        assert waiting.done(), "it was told to take over"
        await b.tie.release()
    async with asyncio.timeout(PATIENCE_S), a.leading():
        assert not NOT_KNOWN.search(capsys.readouterr().out)
