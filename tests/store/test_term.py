"""Of two daemons with one journal the older writes nothing any more, whatever it believes."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callrouter.errors import JournalError, JournalFencedError
from callrouter.store.journal import Journal
from tests.fakes import cdrs
from tests.fakes.disk import small_disk

CALL, LATER = cdrs.call_id(), cdrs.call_id()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


async def test_every_daemon_that_opens_a_journal_begins_a_term_of_its_own(path: Path) -> None:
    terms = []
    for _ in range(3):
        async with Journal(path) as journal:
            terms.append(journal.term)
    assert terms == [1, 2, 3]


async def test_a_journal_in_use_is_not_taken_unless_its_daemon_hangs(path: Path) -> None:
    async with Journal(path):
        with pytest.raises(JournalError, match="another callrouter is using this journal"):
            async with Journal(path):
                pass


async def test_what_the_older_of_two_daemons_hands_over_is_not_kept(path: Path) -> None:
    async with AsyncExitStack() as stack:
        older = await stack.enter_async_context(Journal(path))
        older.append_facts(CALL, "opened", b"before")
        assert await older.flush()
        newer = await stack.enter_async_context(Journal(path, steal=True))
        older.append_facts(CALL, "late", b"after")
        older.finish(cdrs.handled(call_id=CALL))
        assert not await older.flush()
        newer.append_facts(LATER, "opened", b"new")
        calls = await newer.open_calls()

        assert older.is_fenced
        assert "another daemon writes it" in (older.health.error or "")
        assert not newer.is_fenced
    assert {call: [fact.body for fact in facts] for call, facts in calls.items()} == {
        CALL: [b"before"],
        LATER: [b"new"],
    }
    assert rows(path, "SELECT count(*) FROM outbox") == [(0,)]


@pytest.mark.parametrize(("followed", "is_lost"), [(1, False), (2, True)])
async def test_what_the_older_hands_over_is_lost_only_if_something_has_followed_from_it(
    path: Path, followed: int, is_lost: bool
) -> None:
    async with AsyncExitStack() as stack:
        older = await stack.enter_async_context(Journal(path))
        older.append_facts(CALL, "opened", b"before")
        assert await older.flush()
        await stack.enter_async_context(Journal(path, steal=True))
        older.followed(followed)
        with capture_logs() as logs:
            older.append_facts(CALL, "late", b"after")
            assert not await older.flush()
        assert older.handed == 2
        assert [bool(older.health.lost), older.health.well] == [is_lost, False]
        told = [entry["event"] for entry in logs if entry["event"] in ("journal.in_vain", "journal.lost")]
        assert told == ["journal.lost" if is_lost else "journal.in_vain"]


async def test_the_older_of_two_daemons_cannot_mark_a_record_as_delivered(path: Path) -> None:
    async with AsyncExitStack() as stack:
        older = await stack.enter_async_context(Journal(path))
        older.finish(cdrs.handled(call_id=CALL))
        ((number, _),) = await older.undelivered(10)
        newer = await stack.enter_async_context(Journal(path, steal=True))
        with pytest.raises(JournalFencedError):
            await older.delivered([number])
        assert await newer.backlog() == 1


async def test_a_daemon_can_prove_that_its_term_goes_on_or_learns_that_it_is_over(path: Path) -> None:
    async with AsyncExitStack() as stack:
        older = await stack.enter_async_context(Journal(path))
        assert await older.prove(5.0)
        await stack.enter_async_context(Journal(path, steal=True))
        with pytest.raises(JournalFencedError):
            await older.prove(5.0)


async def test_a_lock_that_was_taken_from_a_daemon_that_hangs_keeps_the_next_one_out(path: Path) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Journal(path))
        await stack.enter_async_context(Journal(path, steal=True))
        with pytest.raises(JournalError, match="another callrouter is using this journal"):
            await stack.enter_async_context(Journal(path))


async def test_a_file_that_is_replaced_under_the_daemon_has_its_term(path: Path) -> None:
    async with Journal(path) as first:
        assert first.term == 1
    async with Journal(path) as journal:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        journal.append_facts(CALL, "opened", b"1")
        await journal.flush()
        assert (journal.term, journal.is_fenced) == (2, False)
    assert rows(path, "SELECT number FROM term") == [(2,)]


async def test_a_term_that_cannot_be_counted_up_now_is_begun_when_it_can(path: Path) -> None:
    async with Journal(path):
        pass
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    async with Journal(path) as journal:
        assert journal.term is None
        assert "locked" in (journal.health.error or "")
        holder.execute("ROLLBACK")
        holder.close()
        assert await journal.open_calls() == {}
        assert journal.term == 2


HOLD = """
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN IMMEDIATE")
c.execute("INSERT INTO fact (at, call_id, kind, body) VALUES (0, 'x', 'half', x'')")
print("held", flush=True)
time.sleep(60)
"""


async def test_what_a_daemon_had_half_written_when_it_was_stopped_is_undone_once_it_is_ended(path: Path) -> None:
    async with Journal(path):
        pass
    writer = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        assert await asyncio.to_thread(writer.stdout.readline) == b"held\n"
        os.kill(writer.pid, signal.SIGSTOP)
        async with Journal(path, steal=True) as journal:
            assert journal.term is None, "a stopped process holds SQLite's lock"
            writer.kill()
            await asyncio.to_thread(writer.wait)
            assert await journal.open_calls() == {}
            assert journal.term == 2
    finally:
        writer.kill()
        writer.wait()
        if writer.stdout is not None:
            writer.stdout.close()


async def test_a_leader_that_has_proven_itself_since_it_was_last_heard_is_not_relieved(path: Path) -> None:
    async with AsyncExitStack() as stack:
        leader = await stack.enter_async_context(Journal(path))
        assert leader.term is not None
        heard = (leader.term, leader.proofs)
        assert await leader.prove(5.0)
        with pytest.raises(JournalFencedError, match=r"last heard at \(1, 0\), and is at \(1, 1\)"):
            await stack.enter_async_context(Journal(path, steal=True, heard=heard))
        leader.append_facts(CALL, "opened", b"1")
        assert await leader.flush()
        with pytest.raises(JournalError, match="another callrouter is using this journal"):
            await stack.enter_async_context(Journal(path))
        relief = await stack.enter_async_context(Journal(path, steal=True, heard=(leader.term, leader.proofs)))
        assert relief.term == 2
        with pytest.raises(JournalFencedError):
            await leader.prove(5.0)


async def test_on_a_full_disk_the_calls_of_before_are_known_and_the_term_begins_when_there_is_room(path: Path) -> None:
    async with Journal(path) as journal:
        journal.append_facts(CALL, "opened", b"1")
        assert await journal.flush()
        crashed = sqlite3.connect(path)  # which keeps the files as a kill leaves them
        crashed.execute("SELECT 1 FROM fact").fetchall()
    try:
        async with small_disk(1024) as make_room, Journal(path) as journal:
            known = list(await journal.open_calls())
            assert (known, journal.term, journal.health.well) == ([CALL], None, False)
            journal.append_facts(LATER, "opened", b"2")
            assert not await journal.flush(timeout_s=0.3)
            make_room()
            assert await journal.flush(timeout_s=10)
            assert journal.term == 2
            assert journal.health.well
            assert set(await journal.open_calls()) == {CALL, LATER}
    finally:
        crashed.close()
