"""Several daemons with one state folder, in one process: who leads, who waits, and what makes them change."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callrouter.app.standby import Standby
from callrouter.app.waiting_status import WaitingStatus
from callrouter.ari.fleet import Fleet
from callrouter.ari.peer import Peer
from callrouter.config import load
from callrouter.config.settings import DaemonSettings, StandbySettings
from callrouter.core.ids import CallId
from callrouter.core.leading import Role, Sign
from callrouter.errors import JournalError
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.store.journal_file import FILE_NAME
from callrouter.web.leading import HandOverRequest
from tests.app.conftest import BASE, HALL, SECRETS, a_dispatcher

PATIENCE_S = 10.0
SILENCE_S = 1.0
ASKED = HandOverRequest("kim")


def a_fleet() -> Fleet:
    """One that nobody runs: it is told what Asterisk said."""
    peer = Peer(HALL, "http://127.0.0.1:1", "u", "p", "callrouter")
    return Fleet([peer], lambda: CallId("c"), lambda: datetime.now(UTC), time.monotonic)


class Term:
    """A daemon that leads."""

    def __init__(self, standby: Standby, journal: Journal, fleet: Fleet, dispatcher: Dispatcher) -> None:
        self.standby, self.journal, self.fleet, self.dispatcher = standby, journal, fleet, dispatcher

    async def over(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.standby.until_over(self.journal, self.fleet, self.dispatcher)


@asynccontextmanager
async def leading(standby: Standby, folder: Path) -> AsyncIterator[Term]:
    """What :mod:`callrouter.app.daemon` does with it."""
    async with asyncio.timeout(PATIENCE_S):
        await standby.wait_to_lead()
    fleet = a_fleet()
    journal = standby.journal(folder / FILE_NAME)
    async with standby.around(fleet), journal:
        await standby.opened(journal)
        dispatcher = a_dispatcher(load(BASE, SECRETS).rulebook, journal)
        fleet.inbox = dispatcher
        fleet.none_up.clear()  # it is connected
        keeping = asyncio.create_task(standby.keep(journal, dispatcher))
        try:
            yield Term(standby, journal, fleet, dispatcher)
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


@pytest.fixture
def settings(tmp_path: Path) -> DaemonSettings:
    loaded = load(BASE, SECRETS)
    return replace(loaded.settings, state_dir=tmp_path, standby=StandbySettings(True, SILENCE_S), database_url=None)


def one_of(settings: DaemonSettings, reaches: Callable[[], bool] = lambda: True) -> Standby:
    return Standby(settings, lambda: datetime.now(UTC), reaches)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - another task makes it true
            await asyncio.sleep(0.005)


async def test_the_first_leads_the_second_waits_and_follows_when_the_first_ends(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    first, second = one_of(settings), one_of(settings)
    async with leading(first, tmp_path) as term:
        waiting = asyncio.create_task(second.wait_to_lead())
        await until(lambda: first.now().waiting == 1)
        assert (first.role, second.role, term.journal.term) == (Role.LEADING, Role.STANDBY, 1)
        assert first.may_act()
        assert not second.may_act()
    async with asyncio.timeout(PATIENCE_S):
        assert await waiting is False, "it did not hang"
    async with leading(second, tmp_path) as term:
        assert (second.now().term, second.now().changes) == (2, 1)


async def test_a_leader_hands_over_and_gives_its_connections_up_only_when_asterisk_has_given_the_application_away(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    first, second = one_of(settings), one_of(settings)
    taken: list[asyncio.Event] = []

    async def follow() -> None:
        async with leading(second, tmp_path) as term:
            assert first.role is Role.HANDING_OVER
            taken.append(asyncio.Event())
            term.fleet.taken.clear()
            old.fleet.replaced(HALL)
            await taken[0].wait()

    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(leading(first, tmp_path))
        assert not (await first.hand_over(ASKED)).ok, "nobody waits"
        following = asyncio.create_task(follow())
        await until(lambda: first.now().waiting == 1)
        answer = asyncio.create_task(first.hand_over(ASKED))
        await old.over()
        assert old.dispatcher.stood_down
    assert first.role is Role.STANDBY
    async with asyncio.timeout(PATIENCE_S):
        assert (await answer).ok
    assert second.role is Role.LEADING
    assert not (await first.hand_over(ASKED)).ok, "it does not lead"
    taken[0].set()
    await following


async def test_a_leader_that_nobody_relieves_in_time_leads_again(
    settings: DaemonSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.app.standby.TAKEN_WITHIN_S", 0.05)
    first, second = one_of(settings), one_of(settings)
    async with leading(first, tmp_path) as term:
        waiting = asyncio.create_task(second._watch())
        await until(lambda: first.now().waiting == 1)
        answer = asyncio.create_task(first.hand_over(ASKED))
        await term.over()
    await waiting
    assert first._is(Role.CLAIMING)
    async with leading(first, tmp_path) as term:
        assert term.journal.term == 2
        async with asyncio.timeout(PATIENCE_S):
            report = await answer
        assert (report.ok, report.message) == (False, "nobody took over in time; this daemon leads again")


BEGIN_AND_SAY_SO = """
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind("next"); s.listen(); os.replace("next", "leader.sock")
s = s.accept()[0]; s.sendall(sys.argv[1].encode()); print("heard", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("", signal.SIGSTOP),
        ("beat 2 0\n", signal.SIGSTOP),
        ("beat 2 0\n", signal.SIGKILL),
        ("beat 2 0\nyours\n", signal.SIGCONT),
    ],
    ids=["hangs-unheard", "hangs", "dies", "hands-over"],
)
async def test_one_who_hands_over_leads_again_soon_if_the_next_began_and_is_lost_before_it_is_connected(
    settings: DaemonSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, number: signal.Signals
) -> None:
    monkeypatch.setattr("callrouter.app.standby.TAKEN_WITHIN_S", 2 * PATIENCE_S)
    first, second = one_of(settings), one_of(settings)

    async def follow() -> None:
        assert await second._watch() is Sign.YIELDS
        async with Journal(tmp_path / FILE_NAME) as journal:
            assert journal.term == 2
        command = [sys.executable, "-c", BEGIN_AND_SAY_SO, words]
        process = await asyncio.to_thread(subprocess.Popen, command, cwd=tmp_path, stdout=subprocess.PIPE)
        stack.callback(process.__exit__, None, None, None)
        stack.callback(process.kill)
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"heard\n"
        process.send_signal(number)

    with ExitStack() as stack:
        said = stack.enter_context(capture_logs())
        async with asyncio.timeout(PATIENCE_S):
            async with leading(first, tmp_path) as term:
                following = asyncio.create_task(follow())
                await until(lambda: first.now().waiting == 1)
                assert first.ask_to_hand_over()
                await term.over()
            assert first._is(Role.CLAIMING)
            await following
        is_told = any(line["event"] == "standby.nobody_took" for line in said)
        assert is_told is (number is not signal.SIGCONT), "who hands the lead back has had it"
        async with leading(first, tmp_path) as term:
            assert term.journal.term == 3


async def test_a_leader_that_was_not_connected_is_relieved_all_the_same(
    settings: DaemonSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.app.standby.TAKEN_WITHIN_S", 0.05)
    first, second = one_of(settings), one_of(settings)
    async with leading(first, tmp_path) as term:
        term.fleet.none_up.set()  # Asterisk is away
        waiting = asyncio.create_task(second.wait_to_lead())
        await until(lambda: first.now().waiting == 1)
        assert first.ask_to_hand_over()
        await term.over()
    assert first.role is Role.STANDBY
    async with asyncio.timeout(PATIENCE_S):
        await waiting


async def test_a_leader_that_is_cut_off_from_asterisk_hands_over_to_one_that_is_not(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    sees = {"first": True, "second": False}
    first, second = one_of(settings, lambda: sees["first"]), one_of(settings, lambda: sees["second"])
    async with leading(first, tmp_path) as term:
        waiting = asyncio.create_task(second._watch())
        await until(lambda: first.now().waiting == 1)
        sees["first"] = False
        await asyncio.sleep(SILENCE_S * 1.5)
        assert first._is(Role.LEADING), "the other reaches no Asterisk either: it is Asterisk that is away"
        sees["second"] = True
        await term.over()
        assert first._is(Role.HANDING_OVER)
        first.see(Sign.REPLACED)
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_a_leader_that_slept_acts_again_once_the_journal_says_that_the_term_is_its_own(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    one = one_of(settings)
    async with leading(one, tmp_path) as term:
        proofs = term.journal.proofs
        time.sleep(SILENCE_S * 0.7)  # noqa: ASYNC251 - the whole process is to hang
        assert not one.may_act()
        await until(one.may_act)
        assert term.journal.proofs == proofs + 1


async def test_a_leader_that_slept_while_another_began_stands_down_before_it_acts(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    one = one_of(settings)
    async with leading(one, tmp_path) as term, Journal(tmp_path / FILE_NAME, steal=True):
        time.sleep(SILENCE_S * 0.7)  # noqa: ASYNC251 - as above
        assert not one.may_act()
        await term.over()
        assert (one._is(Role.STANDBY), term.dispatcher.stood_down, one.may_act()) == (True, True, False)


async def test_a_leader_whose_journal_refuses_its_records_stands_down(settings: DaemonSettings, tmp_path: Path) -> None:
    one = one_of(settings)
    async with leading(one, tmp_path) as term, Journal(tmp_path / FILE_NAME, steal=True):
        term.journal.append_facts(CallId("c"), "late", b"")
        await term.over()
        assert one._is(Role.STANDBY)
        assert term.dispatcher.stood_down


async def test_a_leader_that_is_replaced_by_one_on_its_journal_waits_behind_it(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    one = one_of(settings)
    async with leading(one, tmp_path) as term, Journal(tmp_path / FILE_NAME, steal=True):
        term.fleet.replaced(HALL)
        await term.over()
        assert one._is(Role.STANDBY)


async def test_a_leader_that_is_replaced_by_a_stranger_rests_and_does_not_take_the_application_back(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    one, second, third = one_of(settings), one_of(settings), one_of(settings)
    async with leading(one, tmp_path) as term:
        waiting = [asyncio.create_task(second.wait_to_lead())]
        await until(lambda: one.now().waiting == 1)
        term.fleet.replaced(HALL)
        await term.over()
        assert one._is(Role.RESTING)
        assert term.dispatcher.stood_down
        await until(lambda: second._is(Role.RESTING))
    waiting.append(asyncio.create_task(one.wait_to_lead()))
    await asyncio.sleep(0.5)  # for what they might do
    assert [one.role, second.role] == [Role.RESTING] * 2
    assert "stop one of the two" in one.now().words
    async with leading(third, tmp_path):  # somebody has started another anew
        await until(lambda: one._is(Role.STANDBY) and second._is(Role.STANDBY))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


LISTEN_AND_HOLD = """
import os, socket, sqlite3, sys, time
folder, journal = sys.argv[1:]
c = sqlite3.connect(journal, isolation_level=None)
c.execute("BEGIN IMMEDIATE")
os.chdir(folder)
s = socket.socket(socket.AF_UNIX); s.bind("leader.sock"); s.listen(); print("leads", flush=True)
time.sleep(60)
"""


async def test_a_leader_that_was_stopped_in_the_middle_of_writing_is_ended(
    settings: DaemonSettings, tmp_path: Path
) -> None:
    async with Journal(tmp_path / FILE_NAME):
        pass
    command = [sys.executable, "-c", LISTEN_AND_HOLD, str(tmp_path), str(tmp_path / FILE_NAME)]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"leads\n"
        process.send_signal(signal.SIGSTOP)
        began_s = time.monotonic()
        async with leading(one_of(settings), tmp_path) as term:
            assert term.journal.term == 2
            assert time.monotonic() - began_s < SILENCE_S + 3
        assert await asyncio.to_thread(process.wait) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


LISTEN_AND_LEAD = LISTEN_AND_HOLD.replace('c.execute("BEGIN IMMEDIATE")', "")


@pytest.mark.parametrize("dialled", [True, False])
async def test_a_leader_that_hangs_is_ended_where_asterisk_dials_it_for_the_connection_stays_with_it(
    settings: DaemonSettings, tmp_path: Path, dialled: bool
) -> None:
    sites = {name: replace(site, dials_in=dialled) for name, site in settings.sites.items()}
    async with Journal(tmp_path / FILE_NAME):
        pass
    command = [sys.executable, "-c", LISTEN_AND_LEAD, str(tmp_path), str(tmp_path / FILE_NAME)]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"leads\n"
        process.send_signal(signal.SIGSTOP)
        async with leading(one_of(replace(settings, sites=sites)), tmp_path):
            process.terminate()  # which waits for SIGCONT, and comes too late where it was ended
            process.send_signal(signal.SIGCONT)
            ended_by = -await asyncio.to_thread(process.wait)
        assert ended_by == (signal.SIGKILL if dialled else signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def test_a_journal_that_is_in_use_is_not_taken_and_it_waits(settings: DaemonSettings, tmp_path: Path) -> None:
    one = one_of(settings)
    async with Journal(tmp_path / FILE_NAME):  # of a daemon beside which nobody may wait
        with pytest.raises(JournalError, match="another callrouter") as refused:
            async with leading(one, tmp_path):
                pass
        one.failed(refused.value)
        assert one.role is Role.STANDBY


async def test_a_leader_that_lost_its_lock_leads_on(settings: DaemonSettings, tmp_path: Path) -> None:
    one = one_of(settings)
    async with leading(one, tmp_path):
        one._remember_lock(Sign.LOCK_ELSEWHERE)
        assert one._is(Role.LEADING)
        assert one.may_act()
        assert one.now().lock is Sign.LOCK_ELSEWHERE


def test_one_who_waits_tells_of_itself_and_of_no_call(settings: DaemonSettings) -> None:
    one, clock = one_of(settings), SteadyClock()
    status = WaitingStatus(load(BASE, SECRETS), clock, one.now)
    health = status.health()
    assert health.leading is not None
    assert (health.leading.role, health.dispatcher_alive) == (Role.STANDBY, True)
    assert [site.up for site in health.sites] == [False]
    assert (status.now().calls, status.counters().arrived, status.live().queues[0].waiting) == ((), 0, 0)
    assert (status.voicemail().boxes, status.callbacks().queues, status.surges().topics) == ((), (), ())
    assert status.line() == "standby: another daemon leads, or soon will"
