"""The audit log in PostgreSQL: each entry once, whatever goes away, and ``callrouter audit``."""

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.errors import DatabaseError, UnreachableError
from callrouter.store.audit import AuditSearch, open_audit_log
from callrouter.store.audit_delivery import AuditErrand
from callrouter.store.delivery import CdrWriter, DeliveryLimits
from callrouter.store.embedded import EmbeddedPostgres
from callrouter.store.journal import Journal
from callrouter.store.postgres import connect, open_archive
from tests.fakes import cdrs
from tests.integration.delivering import running

pytestmark = pytest.mark.postgres

AT = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
QUICK = DeliveryLimits(connect_s=2, statement_s=1, first_pause_s=0.02, longest_pause_s=0.1, poll_s=0.1, rest_s=0.0)


def entry(minute: int, who: str = "kim", name: str = "typhoon", note: str = "") -> AuditEntry:
    at, is_on = AT + timedelta(minutes=minute), minute % 2 == 0
    was, becomes = ("off", "on") if is_on else ("on", "off")
    until = at + timedelta(hours=6) if is_on else None
    return AuditEntry(at, who, AuditKind.SWITCH, name, was, becomes, "command", at, until, note)


def delivery(journal: Journal, url: str) -> CdrWriter:
    return CdrWriter(journal, url, QUICK, errands=(AuditErrand(journal),))


async def found(url: str, **wanted: object) -> list[AuditEntry]:
    async with open_audit_log(url) as log:
        return await log.find(AuditSearch(**wanted))  # type: ignore[arg-type]


async def test_entries_reach_the_database_with_the_cdrs_and_read_back_as_they_were(
    journal: Journal, database: str
) -> None:
    entries = [entry(minute, note="태풍 카눈") for minute in range(3)]
    async with running(delivery(journal, database)) as writer:
        assert await writer.drain(10)
        journal.audit(entries[0])
        journal.finish(cdrs.handled())
        for one in entries[1:]:
            journal.audit(one)
        assert await writer.drain(10)
    assert await found(database) == list(reversed(entries))
    assert await journal.undelivered_audit(9) == []


async def test_with_the_database_away_entries_wait_and_are_there_once_when_it_is_back(
    journal: Journal, open_folder: Path
) -> None:
    server = EmbeddedPostgres(open_folder / "away")
    url = await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.stop)
    try:
        async with running(delivery(journal, url)) as writer:
            journal.audit(entry(0))
            assert not await writer.drain(0.3)
            assert len(await journal.undelivered_audit(9)) == 1
            await asyncio.to_thread(server.start)
            assert await writer.drain(10)
            assert await found(url) == [entry(0)]
    finally:
        await asyncio.to_thread(server.stop)


async def test_an_entry_that_was_written_and_not_marked_is_there_once(journal: Journal, database: str) -> None:
    journal.audit(entry(0))

    class Forgetful:
        """Dies between writing and marking, once."""

        has_died = False

        undelivered_audit = staticmethod(journal.undelivered_audit)

        async def audit_delivered(self, numbers: Iterable[int]) -> None:
            if not self.has_died:
                self.has_died = True
                raise OSError("the power is gone")
            await journal.audit_delivered(numbers)

        async def set_audit_aside(self, number: int, fault: str) -> None:
            raise AssertionError(f"there is nothing wrong with it: {fault}")

    errand, connection = AuditErrand(Forgetful()), await connect(database)
    with pytest.raises(OSError, match="the power is gone"):
        await errand.deliver(connection)
    await errand.deliver(connection)
    await connection.close()
    assert await found(database) == [entry(0)]
    assert await journal.undelivered_audit(9) == []


async def test_what_the_database_will_not_take_is_set_aside_counted_and_taken_once_it_would_take_it(
    journal: Journal, database: str
) -> None:
    connection = await connect(database)
    await connection.execute("ALTER TABLE callrouter.audit ADD CONSTRAINT known CHECK (who <> 'nobody')")
    async with running(delivery(journal, database)) as writer:
        for minute, who in enumerate(("kim", "nobody", "lee")):
            journal.audit(entry(minute, who))
        assert await writer.drain(10)
        assert (writer.health.errands_refused, writer.health.connected) == ({"audit": 1}, True)
    assert [one.who for one in await found(database)] == ["lee", "kim"]
    assert await journal.undelivered_audit(9) == []
    await connection.execute("ALTER TABLE callrouter.audit DROP CONSTRAINT known")
    await connection.close()
    await journal.take_up_again()
    async with running(delivery(journal, database)) as writer:
        assert await writer.drain(10)
    assert [one.who for one in await found(database)] == ["lee", "nobody", "kim"]


async def test_a_text_that_the_database_cannot_hold_is_kept_without_what_is_wrong(
    journal: Journal, database: str
) -> None:
    journal.audit(entry(0, note="a\0b"))
    connection = await connect(database)
    await AuditErrand(journal).deliver(connection)
    await connection.close()
    assert [one.note for one in await found(database)] == ["a\ufffdb"]


async def test_entries_are_found_by_time_by_person_and_by_name_the_newest_first(
    journal: Journal, database: str
) -> None:
    entries = [entry(0), entry(1, "lee"), entry(2, name="night"), entry(3)]
    connection = await connect(database)
    for one in entries:
        journal.audit(one)
    await AuditErrand(journal).deliver(connection)
    await connection.close()
    assert await found(database, since=entries[1].at, until=entries[3].at) == [entries[2], entries[1]]
    assert await found(database, who="lee") == [entries[1]]
    assert await found(database, name="night") == [entries[2]]
    assert await found(database, limit=1) == [entries[3]]


async def test_without_its_table_or_its_server_it_says_so(empty_database: str) -> None:
    with pytest.raises(DatabaseError, match="has no callrouter tables yet"):
        await found(empty_database)
    with pytest.raises(UnreachableError):
        await found("postgresql://nobody@127.0.0.1:1/nothing")


async def run(url: str, *arguments: str) -> Result:
    """The command, in a thread: it has an event loop of its own."""
    return await asyncio.to_thread(invoke, url, *arguments)


def invoke(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", "--database-url", url, "--config", "/nowhere", *arguments])


async def test_the_command_lists_them_for_people_and_for_programs(journal: Journal, database: str) -> None:
    connection = await connect(database)
    for one in (entry(0, note="태풍 카눈"), entry(1, "lee\x1b[31m")):
        journal.audit(one)
    await AuditErrand(journal).deliver(connection)
    await connection.close()
    people = await run(database, "--since", "2026-11-24T00:00Z")
    assert people.exit_code == 0
    head, newest, oldest = people.stdout.splitlines()
    assert head.split() == ["at", "who", "what", "was", "now", "until", "via", "from", "note"]
    assert "lee?[31m" in newest
    assert "kim" in oldest
    assert "switch typhoon  off  on " in oldest
    assert oldest.endswith("태풍 카눈")
    programs = json.loads((await run(database, "--who", "kim", "--json")).stdout)
    assert [(one["who"], one["becomes"]) for one in programs] == [("kim", "on")]
    assert (await run(database, "--name", "gone")).stdout == "nothing was changed then\n"
    assert (await run(database, "--since", "soon")).exit_code == 2


def test_the_command_without_a_database_says_so() -> None:
    result = invoke("postgresql://nobody@127.0.0.1:1/nothing")
    assert (result.exit_code, "PostgreSQL cannot be reached" in result.stderr) == (3, True)


def said_of(call: str, becomes: str, minute: int = 0) -> AuditEntry:
    at = AT + timedelta(minutes=minute)
    return AuditEntry(at, "201", AuditKind.WRAP_UP, call, "", becomes, "phone", at, None, "201")


@pytest.mark.parametrize("is_said_first", [True, False])
async def test_what_was_said_of_a_call_while_the_database_was_away_is_on_its_record_whichever_came_first(
    journal: Journal, database: str, is_said_first: bool
) -> None:
    record = cdrs.handled()
    said = [said_of(record.call_id, "passport"), said_of(record.call_id, "tourism", 1)]
    if not is_said_first:
        async with running(delivery(journal, database)) as writer:
            journal.finish(record)
            assert await writer.drain(10)
    for one in said:
        journal.audit(one)
    if is_said_first:
        journal.finish(record)
    assert await journal.flush()
    for _ in range(2):
        async with running(delivery(journal, database)) as writer:
            assert await writer.drain(10)
    assert await found(database) == list(reversed(said)), "each is there once"
    async with open_archive(database) as archive:
        kept = await archive.get(record.call_id)
    assert kept is not None
    assert kept.wrap_up == "tourism"
