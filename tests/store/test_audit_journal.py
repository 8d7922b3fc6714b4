"""The audit log's entries in the journal: each once, and the newest of each thing for the next daemon."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from callrouter.core.audit import ONCE_SAID, AuditEntry, AuditKind
from callrouter.store.journal import Journal
from tests.fakes import cdrs

AT = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SWITCH = AuditKind.SWITCH


def entry(name: str, becomes: str, minute: int = 0) -> AuditEntry:
    at = AT + timedelta(minutes=minute)
    was = "off" if becomes == "on" else "on"
    return AuditEntry(at, "kim", SWITCH, name, was, becomes, "command", at, at + timedelta(hours=1), "태풍")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


async def test_the_newest_entry_of_each_thing_is_known_to_the_next_daemon(path: Path) -> None:
    last = [entry("night", "on", 1), entry("typhoon", "off", 2)]
    async with Journal(path) as journal:
        assert await journal.newest_audit(SWITCH) == []
        for one in (entry("typhoon", "on"), *last):
            journal.audit(one)
    async with Journal(path) as journal:
        assert await journal.newest_audit(SWITCH) == last
        assert await journal.open_calls() == {}, "an entry is no call"


async def test_entries_wait_in_order_until_they_are_delivered_with_ids_of_their_own(path: Path) -> None:
    async with Journal(path) as journal:
        for minute in range(3):
            journal.audit(entry("typhoon", "on", minute))
        waiting = await journal.undelivered_audit(2)
        assert [record.entry for record in waiting] == [entry("typhoon", "on", 0), entry("typhoon", "on", 1)]
        assert len({record.id for record in await journal.undelivered_audit(9)}) == 3
        await journal.audit_delivered([record.number for record in waiting])
        assert [record.entry for record in await journal.undelivered_audit(9)] == [entry("typhoon", "on", 2)]


async def test_an_entry_wakes_whoever_delivers(path: Path) -> None:
    async with Journal(path) as journal:
        assert not journal.cdr_waiting.is_set()
        journal.audit(entry("typhoon", "on"))
        assert journal.cdr_waiting.is_set()


async def test_what_is_set_aside_is_in_nobodys_way_and_tried_again_at_the_next_start(path: Path) -> None:
    async with Journal(path) as journal:
        journal.audit(entry("typhoon", "on"))
        (record,) = await journal.undelivered_audit(9)
        await journal.set_audit_aside(record.number, "no")
        assert await journal.undelivered_audit(9) == []
        assert await journal.newest_audit(SWITCH) == [record.entry], "the switch stands all the same"
        assert await journal.take_up_again() == 0, "it counts CDRs"
        assert [again.id for again in await journal.undelivered_audit(9)] == [record.id]


async def test_old_entries_are_forgotten_but_for_those_that_wait_and_the_newest_of_each_thing(path: Path) -> None:
    async with Journal(path) as journal:
        for one in (entry("typhoon", "on"), entry("night", "on"), entry("typhoon", "off")):
            journal.audit(one)
        numbers = [record.number for record in await journal.undelivered_audit(9)]
        await journal.prune(datetime.now(UTC) + timedelta(days=1))
        assert len(await journal.undelivered_audit(9)) == 3
        await journal.audit_delivered(numbers)
        await journal.prune(datetime.now(UTC) - timedelta(days=1))
        assert rows(path) == 3, "they are not old yet"
        await journal.prune(datetime.now(UTC) + timedelta(days=1))
        assert rows(path) == 2
        assert await journal.newest_audit(SWITCH) == [entry("night", "on"), entry("typhoon", "off")]


@pytest.mark.parametrize("kind", sorted(ONCE_SAID))
async def test_what_was_said_once_is_forgotten_when_it_is_delivered_and_old(path: Path, kind: AuditKind) -> None:
    said = AuditEntry(AT, "kim", kind, "a call's id, or an account", "", "passport", "phone", AT, None, "kim")
    async with Journal(path) as journal:
        journal.audit(said)
        await journal.prune(datetime.now(UTC) + timedelta(days=1))
        ((record),) = await journal.undelivered_audit(9)
        assert record.entry == said, "it waits for the database, however long"
        await journal.audit_delivered([record.number])
        await journal.prune(datetime.now(UTC) + timedelta(days=1))
        assert rows(path) == 0


async def test_an_entry_that_cannot_be_read_is_said_and_stands_in_nobodys_way(path: Path) -> None:
    async with Journal(path) as journal:
        journal.audit(entry("typhoon", "on"))
        journal.audit(entry("night", "on"))
        assert await journal.flush()
        connection = sqlite3.connect(path)
        with connection:
            connection.execute("UPDATE audit SET body = ? WHERE name = 'typhoon'", (msgspec.json.encode({"at": 1}),))
        connection.close()
        with capture_logs() as logs:
            assert await journal.newest_audit(SWITCH) == [entry("night", "on")]
            assert [record.entry for record in await journal.undelivered_audit(9)] == [entry("night", "on")]
            assert len(await journal.undelivered_audit(9)) == 1
        assert [line["event"] for line in logs] == ["journal.audit_unreadable"] * 2


async def test_a_journal_of_before_there_was_an_audit_log_is_taken_on(path: Path) -> None:
    async with Journal(path) as journal:
        journal.finish(cdrs.handled())
    connection = sqlite3.connect(path)
    with connection:
        connection.executescript("DROP TABLE audit; DROP TABLE term; DROP TABLE settled")
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    async with Journal(path) as journal:
        journal.audit(entry("typhoon", "on"))
        assert len(await journal.newest_audit(SWITCH)) == 1
        assert await journal.backlog() == 1


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM audit").fetchone()[0])
    finally:
        connection.close()
