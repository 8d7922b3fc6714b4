"""A PostgreSQL that is full, slow, out of connections, restarted, or long away: every record once, no call waits."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from callrouter.core.ids import CallId
from callrouter.errors import UnreachableError
from callrouter.store.delivery import CdrWriter, DeliveryLimits
from callrouter.store.embedded import EmbeddedPostgres
from callrouter.store.journal import Journal
from callrouter.store.postgres import connect
from tests.fakes import cdrs
from tests.integration.delivering import running, stored, until

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

QUICK = DeliveryLimits(
    batch=20, connect_s=2, statement_s=1, first_pause_s=0.02, longest_pause_s=0.1, poll_s=0.1, rest_s=0.0
)
AN_HOUR = 3_000
"""Records of an hour in which nearly a call a second ends."""
FEW_CONNECTIONS = 10


def finish(journal: Journal, count: int) -> list[CallId]:
    """So many calls end, which takes no time at all, whatever the database does."""
    calls = [cdrs.handled() for _ in range(count)]
    began_s = time.perf_counter()
    for cdr in calls:
        journal.finish(cdr)
    assert time.perf_counter() - began_s < 0.01 * count, "somebody waited"
    return [cdr.call_id for cdr in calls]


@contextlib.asynccontextmanager
async def when_written(url: str, what: str) -> AsyncIterator["Connection"]:
    """Have the server do ``what`` (PL/pgSQL) whenever a record is written."""
    admin = await connect(url)
    await admin.execute(
        f"CREATE FUNCTION callrouter.trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NEW; END $$"
    )
    when = "BEFORE INSERT ON callrouter.cdr FOR EACH ROW"
    await admin.execute(f"CREATE TRIGGER trouble {when} EXECUTE FUNCTION callrouter.trouble()")
    try:
        yield admin
    finally:
        admin.terminate()  # the server may have been another since
        admin = await connect(url)
        await admin.execute("DROP FUNCTION IF EXISTS callrouter.trouble() CASCADE")
        await admin.close()


async def test_a_full_disk_of_the_server_is_waited_out(journal: Journal, database: str) -> None:
    """A disk that is really full needs the right to mount one; the error is the one that PostgreSQL gives then."""
    full = "RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file: No space left on device'"
    async with when_written(database, full) as admin:
        calls = finish(journal, 30)
        async with running(CdrWriter(journal, database, QUICK)) as writer:
            await until(lambda: "No space left" in (writer.health.last_error or ""))
            calls += finish(journal, 30)
            assert not writer.health.connected
            assert writer.health.set_aside == 0, "the records are not to blame"
            await admin.execute("DROP FUNCTION callrouter.trouble() CASCADE")
            assert await writer.drain(10)
    assert await stored(database) == calls


async def test_a_slow_server_gets_all_of_it_and_nobody_waits(journal: Journal, database: str) -> None:
    async with when_written(database, "PERFORM pg_sleep(0.05)"):
        calls = finish(journal, 30)
        async with running(CdrWriter(journal, database, QUICK)) as writer:
            calls += finish(journal, 30)
            assert await writer.drain(20)
            assert writer.health.delivered == 60
    assert await stored(database) == calls


async def test_a_server_that_is_too_slow_for_many_at_once_gets_fewer(journal: Journal, database: str) -> None:
    """Ten take it 3 s, and we wait for 2.5 s: it would never have them."""
    limits = DeliveryLimits(batch=10, statement_s=0.5, first_pause_s=0.02, longest_pause_s=0.1, rest_s=0.0)
    async with when_written(database, "PERFORM pg_sleep(0.3)"):
        calls = finish(journal, 10)
        async with running(CdrWriter(journal, database, limits)) as writer:
            assert await writer.drain(20)
            assert writer.health.delivered == 10
    assert await stored(database) == calls


@pytest.fixture
def own_server(open_folder: Path, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, to be ill-treated."""
    server = EmbeddedPostgres(open_folder / tmp_path.name)
    yield server
    server.stop()


async def test_a_server_restarted_in_mid_insert_gets_every_record_once(
    journal: Journal, own_server: EmbeddedPostgres
) -> None:
    url = await asyncio.to_thread(own_server.start)
    calls = finish(journal, 1)
    patient = DeliveryLimits(batch=20, first_pause_s=0.02, longest_pause_s=0.1, poll_s=0.1, rest_s=0.0)
    async with running(CdrWriter(journal, url, patient)) as writer:
        assert await writer.drain(10)
        async with when_written(url, "PERFORM pg_sleep(0.2)") as admin:
            calls += finish(journal, 8)
            busy = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            async with asyncio.timeout(10):
                while not await admin.fetchval(busy):  # noqa: ASYNC110 - the server tells nobody
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(own_server.stop)
            calls += finish(journal, 4)
            await asyncio.to_thread(own_server.start)
            assert await writer.drain(20)
    assert await stored(url) == calls


async def test_a_server_out_of_connections_is_tried_again_until_it_has_one(
    journal: Journal, own_server: EmbeddedPostgres
) -> None:
    url = await asyncio.to_thread(own_server.start)
    admin = await connect(url)
    await admin.execute(f"ALTER SYSTEM SET max_connections = {FEW_CONNECTIONS}")
    await admin.close()
    await asyncio.to_thread(own_server.stop)
    url = await asyncio.to_thread(own_server.start)
    others: list[Connection] = []
    with contextlib.suppress(UnreachableError):
        while len(others) <= FEW_CONNECTIONS:
            others.append(await connect(url))
    assert 0 < len(others) <= FEW_CONNECTIONS, "there are no more"

    async with running(CdrWriter(journal, url, QUICK)) as writer:
        calls = finish(journal, 30)
        await until(lambda: writer.health.backlog == 30)
        assert re.search("too many clients|connection slots", writer.health.last_error or "")
        others.pop().terminate()
        assert await writer.drain(20)
        for other in others:
            other.terminate()
    assert await stored(url) == calls


async def test_what_an_hour_without_the_server_brought_is_there_once_when_it_is_back(
    journal: Journal, own_server: EmbeddedPostgres
) -> None:
    url = await asyncio.to_thread(own_server.start)
    async with running(CdrWriter(journal, url, DeliveryLimits(first_pause_s=0.02, longest_pause_s=0.1))) as writer:
        assert await writer.drain(10)
        await asyncio.to_thread(own_server.stop)
        calls = []
        for _ in range(AN_HOUR // 500):
            calls += finish(journal, 500)
            assert await journal.flush()
        await until(lambda: writer.health.backlog == AN_HOUR)
        assert journal.health.waiting == 0, "it is on disk, and not in memory"
        await asyncio.to_thread(own_server.start)
        assert await writer.drain(60)
    assert await stored(url) == calls
