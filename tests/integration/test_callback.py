"""Requests to be called back in a real PostgreSQL: with their calls, once, in order, closed, and deleted in time."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from callrouter.app.callback import CallbackKeeper, callback_now, callback_queues
from callrouter.cli import main
from callrouter.cli.cdr_text import in_full
from callrouter.core.cdr import Cdr, CdrCallback, Outcome
from callrouter.core.ids import QueueName
from callrouter.core.rulebook import QueueSpec
from callrouter.errors import DatabaseError, UnreachableError
from callrouter.store.callback import CallbackArchive, CallbackRequest, CallbackResult, open_callbacks
from callrouter.store.delivery import CdrWriter
from callrouter.store.journal import Journal
from callrouter.store.postgres import CdrArchive, connect, insert_cdrs
from callrouter.store.records import decode_cdr, encode_cdr
from callrouter.store.voicemail import LARGEST_ID
from callrouter.web.sources import CallbackQueueNow
from tests.core.driver import rulebook
from tests.fakes import cdrs

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

DESK, NIGHT = QueueName("desk"), QueueName("night")
NUMBER, OTHER = "+82552251234", "+821012345678"
SAMPLE = Path(__file__).parents[2] / "config"
OPEN_STILL = "call back: desk has an earlier request of this number, which is open still"


def asked(minutes: float = 0.0, number: str = NUMBER, *, queue: QueueName = DESK, **changes: Any) -> Cdr:
    """A call that asked to be called back, so many minutes after the evening's first."""
    callback = CdrCallback(queue, number, cdrs.EVENING + timedelta(minutes=minutes), 7)
    return cdrs.abandoned(outcome=Outcome.CALLBACK, callback=callback, **changes)


def keeper(url: str, *, days_later: float = 0.0, retention_days: float = 90.0) -> CallbackKeeper:
    rules = replace(rulebook(), callback_retention_s=retention_days * 86_400)
    return CallbackKeeper(url, lambda: rules, lambda: cdrs.EVENING + timedelta(days=days_later), poll_s=0.01)


@pytest.fixture
def archive(connection: "Connection") -> CallbackArchive:
    return CallbackArchive(connection)


async def test_a_request_comes_with_its_call_and_once_however_often_that_is_written(
    connection: "Connection", archive: CallbackArchive
) -> None:
    cdr = asked(topic="passport")
    for _ in range(2):
        await insert_cdrs(connection, [cdr, cdrs.handled()])
    (request,) = await archive.find()

    assert (request.call_id, request.queue, request.number) == (cdr.call_id, DESK, NUMBER)
    assert (request.site, request.region, request.tenant, request.topic) == (
        cdr.site,
        cdr.region,
        cdr.tenant,
        "passport",
    )
    assert (request.asked_at, request.place, request.tries, request.done_at) == (cdrs.EVENING, 7, 0, None)
    assert await CdrArchive(connection).get(cdr.call_id) == cdr


async def test_a_number_waits_once_for_each_queue_and_the_later_call_says_so(
    connection: "Connection", archive: CallbackArchive
) -> None:
    first, second, elsewhere, other = asked(0), asked(5), asked(5, queue=NIGHT), asked(5, OTHER)
    await insert_cdrs(connection, [first, second])
    await insert_cdrs(connection, [elsewhere, other])

    found = {(request.queue, request.number, request.call_id) for request in await archive.find()}
    assert found == {(DESK, NUMBER, first.call_id), (NIGHT, NUMBER, elsewhere.call_id), (DESK, OTHER, other.call_id)}
    record = await CdrArchive(connection).get(second.call_id)
    assert record == replace(second, callback=None, explanation=f"{second.explanation}\n{OPEN_STILL}")


async def test_who_was_called_back_may_ask_anew_and_old_calls_written_again_ask_nothing(
    connection: "Connection", archive: CallbackArchive
) -> None:
    first, second, third = asked(0), asked(5), asked(60)
    await insert_cdrs(connection, [first, second])
    (request,) = await archive.find()
    await archive.finish(request.id, cdrs.EVENING, "201", CallbackResult.REACHED)
    await insert_cdrs(connection, [first, second])
    assert await archive.find(only_open=True) == []

    await insert_cdrs(connection, [third])
    assert [request.call_id for request in await archive.find(only_open=True)] == [third.call_id]


async def test_calls_refused_by_the_database_leave_no_request_behind(
    connection: "Connection", archive: CallbackArchive
) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await insert_cdrs(connection, [asked(), cdrs.handled(wait_s=1e12)])
    assert await archive.find() == []


def test_a_request_survives_the_journal() -> None:
    cdr = asked()
    assert decode_cdr(encode_cdr(cdr)) == cdr
    old = json.loads(encode_cdr(cdr))
    del old["callback"]
    assert decode_cdr(json.dumps(old).encode()).callback is None


async def test_a_request_made_while_the_database_was_away_waits_in_the_journal(database: str, tmp_path: Path) -> None:
    cdr = asked()
    async with Journal(tmp_path / "journal.sqlite3") as journal:
        journal.finish(cdr)
        assert await journal.flush()
    async with Journal(tmp_path / "journal.sqlite3") as journal:
        writer = CdrWriter(journal, database)
        delivering = asyncio.create_task(writer.run())
        assert await writer.drain(10.0)
        delivering.cancel()
    async with open_callbacks(database) as archive:
        assert [request.call_id for request in await archive.find()] == [cdr.call_id]


async def test_the_open_ones_come_first_and_of_them_the_oldest(
    connection: "Connection", archive: CallbackArchive
) -> None:
    calls = [asked(minute, f"+8255225000{minute}", queue=NIGHT if minute % 2 else DESK) for minute in (4, 3, 2, 1, 0)]
    await insert_cdrs(connection, calls)
    ids = {request.asked_at: request.id for request in await archive.find()}
    numbers = [ids[cdrs.EVENING + timedelta(minutes=minute)] for minute in range(5)]
    for count, number in enumerate(numbers[:3]):
        at = cdrs.EVENING + timedelta(hours=count)
        assert await archive.finish(number, at, "201", CallbackResult.NOT_REACHED)

    assert [request.id for request in await archive.find()] == [*numbers[3:], *reversed(numbers[:3])]
    assert [request.id for request in await archive.find(only_open=True)] == numbers[3:]
    assert [request.id for request in await archive.find(DESK, limit=2)] == [numbers[4], numbers[2]]
    assert {count.queue: (count.waiting, count.oldest) for count in await archive.counts()} == {
        DESK: (1, cdrs.EVENING + timedelta(minutes=4)),
        NIGHT: (1, cdrs.EVENING + timedelta(minutes=3)),
    }


async def test_a_request_is_closed_once_and_tried_only_while_it_is_open(
    connection: "Connection", archive: CallbackArchive
) -> None:
    await insert_cdrs(connection, [asked()])
    (request,) = await archive.find()

    assert await archive.note_try(request.id, cdrs.EVENING)
    assert await archive.note_try(request.id, cdrs.EVENING + timedelta(hours=1))
    assert await archive.finish(request.id, cdrs.EVENING, "201", CallbackResult.REACHED, "여권")
    assert not await archive.finish(request.id, cdrs.EVENING, "202", CallbackResult.CANCELLED)
    assert not await archive.note_try(request.id, cdrs.EVENING)
    done = await archive.get(request.id)
    assert done == replace(
        request,
        tries=2,
        tried_at=cdrs.EVENING + timedelta(hours=1),
        done_at=cdrs.EVENING,
        done_by="201",
        result=CallbackResult.REACHED,
        note="여권",
    )
    assert [await archive.get(number) for number in (999, LARGEST_ID + 1, -1)] == [None, None, None]


async def test_a_database_without_the_table_or_that_refuses_or_goes_away_is_said_so(
    empty_database: str, connection: "Connection", archive: CallbackArchive
) -> None:
    async with open_callbacks(empty_database) as empty:
        with pytest.raises(DatabaseError, match="callrouter run"):
            await empty.find()
    with pytest.raises(DatabaseError, match="refused to read requests to be called back"):
        await archive.find(limit=-1)
    await connection.close()
    with pytest.raises(UnreachableError, match="went away"):
        await archive.counts()


async def test_what_was_kept_for_long_enough_is_deleted_and_what_nobody_did_is_told(
    database: str, connection: "Connection", archive: CallbackArchive
) -> None:
    done, forgotten, new = asked(0), asked(0, OTHER), asked(60, queue=NIGHT)
    await insert_cdrs(connection, [done])
    (request,) = await archive.find()
    await archive.finish(request.id, cdrs.EVENING, "201", CallbackResult.REACHED)
    await insert_cdrs(connection, [forgotten, new])
    looking = keeper(database, days_later=30.02, retention_days=30)
    with capture_logs() as logs:
        await looking.look_after(archive)
        await looking.look_after(archive)

    assert [request.call_id for request in looking.requests] == [new.call_id]
    assert [(count.queue, count.waiting) for count in looking.counts] == [(NIGHT, 1)]
    told = [(e["log_level"], e["deleted"], e["never_done"]) for e in logs if e["event"] == "callback.expired"]
    assert told == [("warning", 2, 1)]


async def test_requests_that_were_done_are_deleted_without_alarm(
    database: str, connection: "Connection", archive: CallbackArchive
) -> None:
    await insert_cdrs(connection, [asked()])
    (request,) = await archive.find()
    await archive.finish(request.id, cdrs.EVENING, "201", CallbackResult.REACHED)
    with capture_logs() as logs:
        await keeper(database, days_later=91).look_after(archive)
    assert [(e["log_level"], e["deleted"], e["never_done"]) for e in logs] == [("info", 1, 0)]


async def test_who_looks_in_mid_pass_sees_list_and_count_of_the_pass_before(
    database: str, connection: "Connection"
) -> None:
    await insert_cdrs(connection, [asked()])
    looking, meanwhile = keeper(database), []

    class Watched(CallbackArchive):
        async def find(self, *args: Any, **options: Any) -> list[CallbackRequest]:
            found = await super().find(*args, **options)
            meanwhile.append((looking.counts, looking.requests))
            return found

    await looking.look_after(Watched(connection))

    assert meanwhile == [((), ())]
    assert (len(looking.counts), len(looking.requests)) == (1, 1)


async def test_the_keeper_goes_on_when_the_database_comes_back(database: str, connection: "Connection") -> None:
    looking = keeper(database)
    await connection.execute("ALTER TABLE callrouter.callback RENAME TO elsewhere")
    with capture_logs() as logs:
        task = asyncio.create_task(looking.run())
        async with asyncio.timeout(10):
            while not logs:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            await connection.execute("ALTER TABLE callrouter.elsewhere RENAME TO callback")
            await insert_cdrs(connection, [asked()])
            while not looking.counts:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    task.cancel()
    assert {entry["event"] for entry in logs} == {"callback.not_looked_after"}
    assert callback_queues(
        {DESK: QueueSpec(DESK, "창원"), NIGHT: QueueSpec(NIGHT, "야간")}, [NIGHT], looking.counts
    ) == (
        CallbackQueueNow(NIGHT, "야간", 0, None),
        CallbackQueueNow(DESK, "창원", 1, cdrs.EVENING),
    )
    assert [callback_now(request).number for request in looking.requests] == [NUMBER]


Command = Callable[..., Result]


@pytest.fixture
async def command(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs ``callrouter`` on a database with two requests."""
    connection = await connect(database)
    await insert_cdrs(
        connection, [asked(0, topic=None), asked(60, OTHER, queue=NIGHT, caller="01012345678", topic="passport")]
    )
    await connection.close()
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    folder = shutil.copytree(SAMPLE, tmp_path / "config")

    def run(name: str, *arguments: str) -> Result:
        return CliRunner().invoke(main, [name, *arguments, "--config", str(folder), "--database-url", database])

    return run


def test_the_list_shows_whole_numbers_only_when_it_is_asked_to(command: Command) -> None:
    first, second = command("callback", "list").output.splitlines()[1:]
    assert first.split() == ["1", "2026-11-24", "19:30:00", "desk", "055-225-****", "changwon", "-", "0", "open"]
    assert second.split()[4:] == ["010-1234-****", "changwon", "passport", "0", "open"]
    assert "010-1234-5678" in command("callback", "list", "--queue", "night", "--numbers").output
    hidden = json.loads(command("callback", "list", "--json").output)
    assert [one["number"] for one in hidden] == ["055-225-****", "010-1234-****"]
    whole = json.loads(command("callback", "list", "--json", "--numbers", "--limit", "1").output)
    assert [(one["number"], one["result"]) for one in whole] == [(NUMBER, None)]


def test_what_became_of_a_request_is_said_and_stays(command: Command) -> None:
    assert command("callback", "tried", "1").output == "request 1 was tried once\n"
    assert command("callback", "tried", "1").output == "request 1 was tried 2 times\n"
    done = command("callback", "done", "1", "--result", "reached", "--note", "여권", "--by", "201")
    assert done.output == "request 1 is done: reached\n"
    for again in (["tried", "1"], ["done", "1", "--result", "cancelled"]):
        result = command("callback", *again)
        assert (result.exit_code, result.output) == (1, "request 1 is done already, by 201: reached\n")
    assert len(command("callback", "list", "--open").output.splitlines()) == 2
    assert "201: 여권" in command("callback", "list").output.splitlines()[2]


def test_a_request_that_does_not_exist_is_said_so(command: Command) -> None:
    for verb in (["tried", "7"], ["done", "7", "--result", "reached"]):
        result = command("callback", *verb)
        assert (result.exit_code, result.output) == (
            1,
            "request 7 does not exist; callrouter callback list shows those that there are\n",
        )


def test_a_result_that_is_none_is_refused(command: Command) -> None:
    assert command("callback", "done", "1", "--result", "perhaps").exit_code == 2
    assert command("callback", "done", "1").exit_code == 2
    assert len(command("callback", "list", "--open").output.splitlines()) == 3


def test_the_record_of_the_call_hides_the_number_that_is_to_be_called(command: Command) -> None:
    shown = command("cdr", "--json").output
    assert "12345678" not in shown
    assert NUMBER not in shown
    assert "010-1234-****" in shown
    assert NUMBER in command("cdr", "--json", "--no-mask").output


def test_the_record_in_full_says_who_is_to_call_back() -> None:
    assert f"call back: {NUMBER} by desk, asked 2026-11-24T10:30:00.000" in in_full(asked(), cdrs.EVENING.tzinfo)


async def test_a_request_that_somebody_closed_is_told_to_whoever_calls_back_by_itself(
    connection: "Connection", archive: CallbackArchive, database: str
) -> None:
    first, second = asked(0), asked(0, OTHER)
    await insert_cdrs(connection, [first, second])
    (request,) = [one for one in await archive.find() if one.call_id == first.call_id]
    told: list[tuple[str, str]] = []
    looking = CallbackKeeper(
        database,
        rulebook,
        lambda: cdrs.EVENING,
        waiting=lambda: [first.call_id, second.call_id],
        withdraw=lambda call, who: told.append((call, who)),
    )
    await looking.look_after(archive)
    assert told == []
    await archive.finish(request.id, cdrs.EVENING, "201", CallbackResult.REACHED)
    await looking.look_after(archive)
    assert told == [(first.call_id, "201")]
