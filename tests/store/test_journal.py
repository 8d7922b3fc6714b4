import asyncio
import os
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callrouter.core.ids import CallId
from callrouter.errors import JournalError
from callrouter.store.journal import Fact, Journal, JournalHealth, JournalLimits
from callrouter.store.set_aside import records_set_aside
from tests.fakes import cdrs
from tests.fakes.disk import small_disk

CALL, OTHER = cdrs.call_id(), cdrs.call_id()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def _bodies(calls: dict[CallId, list[Fact]]) -> dict[CallId, list[bytes]]:
    return {call: [fact.body for fact in facts] for call, facts in calls.items()}


async def _until(true: Callable[[], bool], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.005)


def aside(path: Path) -> list[tuple[CallId, str]]:
    return [(one.call_id, one.why) for one in records_set_aside(path)]


async def test_facts_of_open_calls_come_back_in_order_after_a_restart(path: Path) -> None:
    async with Journal(path) as journal:
        for number in range(300):
            journal.append_facts(CALL, "step", b"%d" % number)
            journal.append_facts(OTHER, "step", b"other %d" % number)
    async with Journal(path) as journal:
        calls = await journal.open_calls()
    assert _bodies(calls) == {
        CALL: [b"%d" % number for number in range(300)],
        OTHER: [b"other %d" % number for number in range(300)],
    }
    assert calls[CALL][0].kind == "step"
    assert abs(calls[CALL][0].at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_facts_of_calls_that_were_closed_lately_can_be_asked_for(path: Path) -> None:
    async with Journal(path) as journal:
        journal.append_facts(CALL, "step", b"1")
        journal.append_facts(OTHER, "step", b"open")
        journal.append_facts(CALL, "step", b"2")
        journal.finish(cdrs.abandoned(call_id=CALL))
        lately, before = await journal.calls_closed_within(60), await journal.calls_closed_within(-60)
    assert _bodies(lately) == {CALL: [b"1", b"2"]}
    assert before == {}


async def test_the_journal_is_for_the_daemons_user_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        async with Journal(path) as journal:
            journal.append_facts(CALL, "step", b"a number")
            assert await journal.flush()
            files = sorted(path.parent.iterdir())
            modes = {file.name.removeprefix(path.name): stat.S_IMODE(file.stat().st_mode) for file in files}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("", "-shm", "-wal", ".lock"), 0o600)


async def test_a_journal_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(mode=0o644)
    path.chmod(0o644)
    async with Journal(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_record_is_committed_at_once_and_those_that_follow_share_the_next_commit(path: Path) -> None:
    async with Journal(path, limits=JournalLimits(linger_s=60.0)) as journal:
        journal.append_facts(CALL, "step", b"first")
        await _until(lambda: journal.health.written == 1)
        for _ in range(5):
            journal.append_facts(CALL, "step", b"next")
            await asyncio.sleep(0.01)
        assert await journal.flush()
        assert (journal.health.written, journal.health.commits) == (6, 2)


async def test_delivery_does_not_cause_commits_of_its_own(path: Path) -> None:
    async with Journal(path, limits=JournalLimits(linger_s=60.0)) as journal:
        journal.append_facts(CALL, "step", b"first")
        await _until(lambda: journal.health.commits == 1)
        journal.append_facts(CALL, "step", b"second")
        asked = asyncio.create_task(journal.undelivered(10))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.shield(asked)
        journal.append_facts(CALL, "step", b"third")
        assert await journal.flush()
        assert await asked == []
        assert journal.health.commits == 3, "the second fact before the question, and the third behind it"


async def test_a_finished_call_is_no_longer_open_and_its_cdr_waits(path: Path) -> None:
    cdr = cdrs.handled(call_id=CALL)
    async with Journal(path) as journal:
        journal.append_facts(CALL, "opened", b"1")
        journal.append_facts(OTHER, "opened", b"2")
        journal.finish(cdr)
        assert journal.cdr_waiting.is_set()
        assert list(await journal.open_calls()) == [OTHER]
        assert [found for _, found in await journal.undelivered(10)] == [cdr]
        assert await journal.backlog() == 1


async def test_the_first_cdr_of_a_call_counts(path: Path) -> None:
    async with Journal(path) as journal:
        journal.finish(cdrs.handled(call_id=CALL))
        journal.finish(cdrs.abandoned(call_id=CALL))
        (only,) = await journal.undelivered(10)
    assert only[1] == cdrs.handled(call_id=CALL)


async def test_delivered_cdrs_are_not_handed_out_again(path: Path) -> None:
    async with Journal(path) as journal:
        for _ in range(5):
            journal.finish(cdrs.handled())
        first = await journal.undelivered(3)
        await journal.delivered([number for number, _ in first])
        rest = await journal.undelivered(10)
    assert (len(first), len(rest)) == (3, 2)
    async with Journal(path) as journal:
        assert await journal.undelivered(10) == rest


async def test_a_cdr_set_aside_is_kept_with_its_reason_and_can_be_taken_up_again(path: Path) -> None:
    async with Journal(path) as journal:
        journal.finish(cdrs.handled(call_id=CALL))
        ((number, cdr),) = await journal.undelivered(10)
        await journal.set_aside(number, "too long")
        assert await journal.undelivered(10) == []
        assert aside(path) == [(CALL, "too long")]
        assert await journal.prune(datetime.now(UTC) + timedelta(days=1)) == 0
        assert await journal.take_up_again() == 1
        assert await journal.undelivered(10) == [(number, cdr)]


async def test_a_history_set_aside_is_open_no_longer_and_not_tried_again(path: Path) -> None:
    async with Journal(path) as journal:
        journal.append_facts(CALL, "step", b"of no use")
        journal.append_facts(OTHER, "step", b"of use")
        await journal.set_history_aside(CALL, "no beginning")
        await journal.set_history_aside(CALL, "found twice")
        assert list(await journal.open_calls()) == [OTHER]
        assert aside(path) == [(CALL, "no beginning")]
        assert await journal.take_up_again() == 0
        assert await journal.undelivered(10) == []


async def test_records_set_aside_are_read_beside_the_daemon_and_after_it(path: Path) -> None:
    with pytest.raises(JournalError, match="run this on the daemon's machine, as its user"):
        records_set_aside(path)
    async with Journal(path) as journal:
        journal.finish(cdrs.handled(call_id=CALL))
        ((number, _),) = await journal.undelivered(10)
        await journal.set_aside(number, "too long")
        (beside,) = records_set_aside(path)
    (after,) = records_set_aside(path)
    assert beside == after
    assert abs(after.at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_cdr_that_cannot_be_read_holds_up_no_other(path: Path) -> None:
    async with Journal(path) as journal:
        journal.finish(cdrs.handled(call_id=CALL))
        journal.finish(cdrs.handled(call_id=OTHER))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE outbox SET body = ? WHERE call_id = ?", (b'{"call_id": 7}', CALL))
    connection.close()
    async with Journal(path) as journal:
        assert [cdr.call_id for _, cdr in await journal.undelivered(10)] == [OTHER]
        ((call, fault),) = aside(path)
    assert call == CALL
    assert "call_id" in fault


async def test_the_newest_cdrs_are_there_delivered_or_not_without_what_cannot_be_read(path: Path) -> None:
    kept = [cdrs.handled() for _ in range(4)]
    async with Journal(path) as journal:
        for cdr in kept:
            journal.finish(cdr)
        await journal.delivered([number for number, _ in await journal.undelivered(2)])
        await journal.flush()
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE outbox SET body = 'x' WHERE call_id = ?", (kept[2].call_id,))
        assert await journal.newest_cdrs(3) == [kept[1], kept[3]]


async def test_pruning_forgets_delivered_calls_only(path: Path) -> None:
    async with Journal(path) as journal:
        delivered, waiting, still_open = cdrs.call_id(), cdrs.call_id(), cdrs.call_id()
        for call in (delivered, waiting, still_open):
            journal.append_facts(call, "opened", b"")
        journal.finish(cdrs.handled(call_id=delivered))
        journal.finish(cdrs.handled(call_id=waiting))
        await journal.delivered([(await journal.undelivered(1))[0][0]])
        assert await journal.prune(datetime.now(UTC) - timedelta(hours=1)) == 0
        assert await journal.prune(datetime.now(UTC) + timedelta(hours=1)) == 1
        assert [cdr.call_id for _, cdr in await journal.undelivered(10)] == [waiting]
        assert list(await journal.open_calls()) == [still_open]
    connection = sqlite3.connect(path)
    assert {call for (call,) in connection.execute("SELECT call_id FROM fact")} == {waiting, still_open}
    connection.close()


async def test_many_records_share_a_commit(path: Path) -> None:
    async with Journal(path) as journal:
        for _ in range(1000):
            journal.append_facts(CALL, "step", b"x")
        assert await journal.flush()
        assert journal.health.written == 1000
        assert journal.health.commits <= 3


async def test_two_daemons_cannot_share_a_journal(path: Path) -> None:
    async with Journal(path):
        with pytest.raises(JournalError, match="another callrouter is using this journal"):
            async with Journal(path):
                pass
    async with Journal(path):
        pass


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"nowhere/journal.sqlite: the journal cannot be opened \(No such file"):
        async with Journal(tmp_path / "nowhere" / "journal.sqlite"):
            pass


async def test_a_journal_of_a_newer_version_is_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="start the newer callrouter"):
        async with Journal(path):
            pass
    assert [file.name for file in path.parent.iterdir() if "corrupt" in file.name] == []


async def test_a_record_that_sqlite_cannot_keep_holds_up_no_other(path: Path) -> None:
    async with Journal(path) as journal:
        journal.append_facts(CALL, "good", b"1")
        journal.append_facts(CALL, "bad \ud800", b"2")
        journal.append_facts(CALL, "good", b"3")
        assert not await journal.flush()
        assert _bodies(await journal.open_calls()) == {CALL: [b"1", b"3"]}
        assert len(journal.health.lost) == 1
        assert not journal.health.well


@contextmanager
def _locked_by_a_stranger(path: Path) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def test_a_locked_file_raises_an_alarm_and_loses_nothing(path: Path) -> None:
    alarms: list[JournalHealth] = []
    async with Journal(path, on_alarm=alarms.append) as journal:
        with _locked_by_a_stranger(path):
            journal.append_facts(CALL, "step", b"1")
            assert not await journal.flush(timeout_s=0.2)
            await _until(lambda: bool(alarms))
            assert "locked" in (alarms[0].error or "")
            journal.append_facts(CALL, "step", b"2")
            assert journal.health.waiting == 2
        assert await journal.flush(timeout_s=10)
        await _until(lambda: alarms[-1].well)
        assert _bodies(await journal.open_calls()) == {CALL: [b"1", b"2"]}


async def test_what_finds_no_room_while_the_disk_is_away_is_counted_and_cdrs_have_room_last(path: Path) -> None:
    alarms: list[JournalHealth] = []
    limits = JournalLimits(facts=10)
    async with Journal(path, limits=limits, on_alarm=alarms.append) as journal:
        with _locked_by_a_stranger(path):
            for number in range(25):
                journal.append_facts(CALL, "step", b"%d" % number)
            for _ in range(7):
                journal.finish(cdrs.handled())
            health = journal.health
            assert (health.waiting, health.dropped_facts, health.dropped_cdrs) == (15, 15, 2)
            assert any(alarm.dropped_facts for alarm in alarms)
        assert await journal.flush(timeout_s=10)
        assert _bodies(await journal.open_calls())[CALL] == [b"%d" % number for number in range(10)]
        assert await journal.backlog() == 5
        assert not journal.health.well


async def test_closing_with_the_disk_away_ends_in_time_and_says_what_is_lost(path: Path) -> None:
    journal = Journal(path, limits=JournalLimits(close_s=0.2))
    async with journal:
        with _locked_by_a_stranger(path):
            journal.append_facts(CALL, "step", b"1")
            started = time.monotonic()
            await journal.__aexit__(None, None, None)
            assert time.monotonic() - started < 5
        assert any("1 facts and 0 CDRs" in what for what in journal.health.lost)


async def test_a_full_disk_loses_nothing_once_there_is_room_again(path: Path) -> None:
    alarms: list[JournalHealth] = []
    async with Journal(path, on_alarm=alarms.append) as journal, small_disk(256 * 1024) as make_room:
        for number in range(1000):
            journal.append_facts(CALL, "step", b"%06d" % number + b"x" * 1000)
        assert not await journal.flush(timeout_s=0.3)
        await _until(lambda: bool(alarms) and alarms[-1].error is not None)
        make_room()
        assert await journal.flush(timeout_s=10)
        bodies = _bodies(await journal.open_calls())[CALL]
        assert [int(body[:6]) for body in bodies] == list(range(1000))
        assert journal.health.well


async def test_a_file_removed_under_the_daemon_is_noticed_and_replaced(path: Path) -> None:
    async with Journal(path) as journal:
        journal.append_facts(CALL, "step", b"1")
        await journal.flush()
        for file in path.parent.glob("journal.sqlite*"):
            if not file.name.endswith(".lock"):
                file.unlink()
        journal.append_facts(CALL, "step", b"2")
        await journal.flush()
        assert "removed" in journal.health.lost[0]
    async with Journal(path) as journal:
        assert _bodies(await journal.open_calls()) == {CALL: [b"2"]}


async def test_a_file_that_is_no_journal_is_kept_aside_and_said(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)
    alarms: list[JournalHealth] = []
    async with Journal(path, on_alarm=alarms.append) as journal:
        journal.append_facts(CALL, "step", b"1")
        assert await journal.flush()
        assert "damaged" in journal.health.lost[0]
    (kept,) = path.parent.glob("journal.sqlite.corrupt-*")
    assert kept.read_bytes().startswith(b"not a database")
    assert alarms


_WRITER = """
import asyncio, sys
from pathlib import Path
from callrouter.core.ids import CallId
from callrouter.store.journal import Journal
from tests.fakes import cdrs
from tests.fakes.disk import small_disk

async def main() -> None:
    async with Journal(Path(sys.argv[1])) as journal:
        number = 0
        while True:
            for _ in range(50):
                journal.append_facts(CallId("call"), "step", b"%d" % number)
                number += 1
            journal.finish(cdrs.handled())
            assert await journal.flush()
            print(number, flush=True)
            for _ in range(500):  # these are on their way when the kill comes
                journal.append_facts(CallId("call"), "step", b"%d" % number)
                number += 1

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
async def test_everything_flushed_is_there_after_a_kill_in_mid_write(path: Path, lines: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(path), stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."}
    )
    assert process.stdout is not None
    flushed = 0
    try:
        async with asyncio.timeout(30):
            for _ in range(lines):
                flushed = int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()
    # What it printed between our last line and its death was flushed too.
    for line in (await process.stdout.read()).split():
        flushed = int(line)
    async with Journal(path) as journal:
        bodies = _bodies(await journal.open_calls())[CallId("call")]
        backlog = await journal.backlog()
        assert journal.health.well
    assert len(bodies) >= flushed
    assert [int(body) for body in bodies] == list(range(len(bodies)))
    assert backlog >= lines


async def test_a_journal_cut_or_damaged_anywhere_opens_again(path: Path, tmp_path: Path) -> None:
    async with Journal(path) as journal:
        for number in range(200):
            journal.append_facts(CallId(f"call {number}"), "step", b"y" * 300)
            journal.finish(cdrs.handled())
        await journal.flush()
        # A copy as a crash leaves it: the WAL not yet folded in.
        whole = {name: (tmp_path / name).read_bytes() for name in ("journal.sqlite", "journal.sqlite-wal")}
    assert len(whole["journal.sqlite-wal"]) > 50_000
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    folded = {"journal.sqlite": path.read_bytes(), "journal.sqlite-wal": b""}
    case = 0
    for files in (whole, folded):
        for name, content in files.items():
            for cut in sorted({*range(0, 120, 13), *range(0, len(content), max(1, len(content) // 25))}):
                if cut >= len(content):
                    continue
                case += 1
                folder = tmp_path / f"case{case}"
                folder.mkdir()
                for other, bytes_ in files.items():
                    (folder / other).write_bytes(bytes_[:cut] if other == name else bytes_)
                await _opens_and_works(folder / "journal.sqlite")
                shutil.rmtree(folder)
    assert case > 60


async def _opens_and_works(path: Path) -> None:
    async with Journal(path) as journal:
        before = await journal.backlog()
        await journal.open_calls()
        journal.append_facts(CALL, "step", b"after")
        journal.finish(cdrs.handled())
        assert await journal.flush()
        assert await journal.backlog() == before + 1
        assert _bodies(await journal.open_calls())[CALL] == [b"after"]
        kept = list(path.parent.glob("*.corrupt-*"))
        assert bool(kept) == any("damaged" in what for what in journal.health.lost)


async def test_who_must_not_act_before_a_record_is_on_disk_is_told_when_it_is(path: Path) -> None:
    async with Journal(path, limits=JournalLimits(linger_s=60.0)) as journal:
        journal.append_facts(CALL, "step", b"first")
        assert await journal.flush()
        journal.append_facts(CALL, "step", b"next")  # lingers
        assert (journal.handed, journal.kept) == (2, 1)
        told = asyncio.Event()
        journal.keep_now(told.set)
        async with asyncio.timeout(5.0):
            await told.wait()
        assert (journal.handed, journal.kept) == (2, 2)


async def test_nobody_waits_for_a_disk_that_is_known_to_take_nothing(path: Path) -> None:
    async with Journal(path, limits=JournalLimits(close_s=0.1)) as journal:
        with _locked_by_a_stranger(path):
            journal.append_facts(CALL, "step", b"first")
            await _until(lambda: journal.health.error is not None, 15.0)
            journal.append_facts(CALL, "step", b"next")
            assert journal.kept == journal.handed


async def test_how_far_all_is_settled_outlives_the_daemon_with_the_next_record_or_without(path: Path) -> None:
    async with Journal(path) as journal:
        assert await journal.settled_until() is None
        journal.settled(10.0)
        journal.append_facts(CALL, "step", b"a record")
    async with Journal(path) as journal:
        assert await journal.settled_until() == 10.0
        commits = journal.health.commits
        journal.settled(20.0)
    async with Journal(path) as journal:
        assert await journal.settled_until() == 20.0
        assert commits == 0


async def test_that_is_on_disk_soon_also_when_it_grows_right_after_it_was_written(path: Path) -> None:
    def on_disk() -> float | None:
        with sqlite3.connect(path) as connection:
            found = connection.execute("SELECT until FROM settled").fetchone()
        connection.close()
        return found[0] if found is not None else None

    async with Journal(path) as journal:
        for until in (10.0, 20.0, 30.0):
            journal.settled(until)
            await _until(lambda until=until: on_disk() == until)  # type: ignore[misc]
