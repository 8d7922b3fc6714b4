"""Messages in a real PostgreSQL: with their calls, in order, looked at, heard, and deleted when it is time."""

import asyncio
import hashlib
import io
import json
import shutil
import wave
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from callrouter.app.voicemail import MessageKeeper
from callrouter.cli import main
from callrouter.core.cdr import Cdr, CdrMessage, Outcome
from callrouter.core.ids import BoxName, CallId, RecordingId, SiteName
from callrouter.core.rulebook import BoxSpec
from callrouter.errors import DatabaseError, UnreachableError
from callrouter.store.delivery import CdrWriter
from callrouter.store.journal import Journal
from callrouter.store.postgres import CdrArchive, connect, insert_cdrs
from callrouter.store.records import decode_cdr, encode_cdr
from callrouter.store.voicemail import LARGEST_ID, Message, MessageArchive, open_messages
from tests.fakes import cdrs

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

NIGHT, DAY = BoxName("night"), BoxName("day")
SAMPLE = Path(__file__).parents[2] / "config"


def left(minutes: float = 0.0, *, box: BoxName = NIGHT, **changes: Any) -> Cdr:
    """A call in which a message of 12 s was left, so many minutes after the evening's first."""
    call = changes.pop("call_id", None) or cdrs.call_id()
    at = cdrs.EVENING + timedelta(minutes=minutes)
    message = CdrMessage(RecordingId(f"callrouter-{call}-message-1"), box, at, 12.0)
    return cdrs.abandoned(call_id=call, outcome=Outcome.VOICEMAIL, messages=(message,), **changes)


def wav(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * int(8000 * seconds))
    return file.getvalue()


class Store:
    """An Asterisk's store of recordings."""

    def __init__(self, files: dict[RecordingId, bytes]) -> None:
        self.files = files
        self.is_away = False

    async def read(self, recording: RecordingId) -> bytes | None:
        if self.is_away:
            raise UnreachableError("it is away")
        return self.files.get(recording)

    async def delete(self, recording: RecordingId) -> None:
        if self.is_away:
            raise UnreachableError("it is away")
        self.files.pop(recording, None)


def recording_of(cdr: Cdr) -> RecordingId:
    return cdr.messages[0].recording


def keeper(url: str, store: Store | None, *, days_later: float = 0.0, retention_days: float = 90.0) -> MessageKeeper:
    boxes = {NIGHT: BoxSpec(NIGHT, "야간", retention_days * 86_400)}
    now = cdrs.EVENING + timedelta(days=days_later)
    return MessageKeeper(url, lambda: boxes, lambda site: store, lambda: now, poll_s=0.01)


@pytest.fixture
def archive(connection: "Connection") -> MessageArchive:
    return MessageArchive(connection)


async def test_a_message_comes_with_its_call_and_once_however_often_that_is_written(
    connection: "Connection", archive: MessageArchive
) -> None:
    cdr = left(topic="passport")
    for _ in range(2):
        await insert_cdrs(connection, [cdr, cdrs.handled()])
    (message,) = await archive.find()

    assert (message.recording, message.call_id, message.box) == (recording_of(cdr), cdr.call_id, NIGHT)
    assert (message.caller, message.region, message.tenant) == (cdr.caller, cdr.region, cdr.tenant)
    assert (message.site, message.topic, message.duration_s) == (cdr.site, "passport", 12.0)
    assert (message.heard_at, message.deleted_at, message.sha256) == (None, None, None)
    assert await CdrArchive(connection).get(cdr.call_id) == cdr


def test_a_message_survives_the_journal() -> None:
    cdr = left()
    assert decode_cdr(encode_cdr(cdr)) == cdr
    old = json.loads(encode_cdr(cdr))
    del old["messages"]
    assert decode_cdr(json.dumps(old).encode()).messages == ()


async def test_a_message_left_while_the_database_was_away_waits_in_the_journal(database: str, tmp_path: Path) -> None:
    cdr = left()
    async with Journal(tmp_path / "journal.sqlite3") as journal:
        journal.finish(cdr)
        assert await journal.flush()
    async with Journal(tmp_path / "journal.sqlite3") as journal:
        writer = CdrWriter(journal, database)
        delivering = asyncio.create_task(writer.run())
        assert await writer.drain(10.0)
        delivering.cancel()
    async with open_messages(database) as archive:
        assert [message.recording for message in await archive.find()] == [recording_of(cdr)]


async def test_those_that_nobody_has_heard_come_first_and_of_them_the_oldest(
    connection: "Connection", archive: MessageArchive
) -> None:
    calls = [left(minute, box=NIGHT if minute % 2 else DAY) for minute in range(5)]
    await insert_cdrs(connection, calls)
    ids = {message.recording: message.id for message in await archive.find()}
    numbers = [ids[recording_of(call)] for call in calls]
    for number in numbers[:3]:
        assert await archive.hear(number, cdrs.EVENING, "201")

    assert [message.id for message in await archive.find()] == [*numbers[3:], *reversed(numbers[:3])]
    assert [message.id for message in await archive.find(unheard=True)] == numbers[3:]
    assert [message.id for message in await archive.find(DAY, limit=2)] == [numbers[4], numbers[2]]
    assert {count.box: (count.kept, count.unheard, count.oldest) for count in await archive.counts()} == {
        NIGHT: (2, 1, calls[3].messages[0].left_at),
        DAY: (3, 1, calls[4].messages[0].left_at),
    }


async def test_a_message_is_heard_and_deleted_once(connection: "Connection", archive: MessageArchive) -> None:
    await insert_cdrs(connection, [left()])
    (message,) = await archive.find()

    assert await archive.hear(message.id, cdrs.EVENING, "201")
    assert not await archive.hear(message.id, cdrs.EVENING, "202")
    assert await archive.delete(message.id, cdrs.EVENING, "201")
    assert not await archive.delete(message.id, cdrs.EVENING, "202")
    gone = await archive.get(message.id)
    assert gone is not None
    assert (gone.heard_by, gone.deleted_at) == ("201", cdrs.EVENING)
    assert await archive.find() == []
    assert [await archive.get(number) for number in (999, LARGEST_ID + 1, -1)] == [None, None, None]


async def test_a_database_without_the_table_says_what_makes_it(empty_database: str) -> None:
    async with open_messages(empty_database) as archive:
        with pytest.raises(DatabaseError, match="callrouter run"):
            await archive.find()


async def test_a_database_that_goes_away_or_refuses_is_said_so(
    database: str, connection: "Connection", archive: MessageArchive
) -> None:
    with pytest.raises(DatabaseError, match="refused"):
        await archive.find(limit=-1)
    await connection.close()
    with pytest.raises(UnreachableError, match="went away"):
        await archive.find()


async def test_the_keeper_notes_what_a_file_holds(
    database: str, connection: "Connection", archive: MessageArchive
) -> None:
    cdr, body = left(), wav(11.5)
    await insert_cdrs(connection, [cdr])
    looking = keeper(database, Store({recording_of(cdr): body}))
    await looking.look_after(archive)

    (message,) = looking.messages
    assert (message.duration_s, message.size_bytes) == (11.5, len(body))
    assert message.sha256 == hashlib.sha256(body).hexdigest()
    assert await archive.unseen() == []
    assert [(count.box, count.unheard) for count in looking.counts] == [(NIGHT, 1)]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (None, "Asterisk has no file of it"),
        (b"no sound", "its file is no WAV: file does not start with RIFF id"),
        (b"", "its file is no WAV: "),
    ],
)
async def test_a_file_that_is_missing_or_broken_is_told_once_and_found_when_it_is_back(
    database: str, connection: "Connection", archive: MessageArchive, body: bytes | None, fault: str
) -> None:
    cdr = left()
    await insert_cdrs(connection, [cdr])
    store = Store({recording_of(cdr): body} if body is not None else {})
    looking = keeper(database, store)
    with capture_logs() as logs:
        await looking.look_after(archive)
        await looking.look_after(archive)

    assert [entry["why"] for entry in logs if entry["event"] == "voicemail.lost"] == [fault]
    assert [message.fault for message in looking.messages] == [fault]
    store.files[recording_of(cdr)] = wav(3)
    await looking.look_after(archive)
    assert [(message.fault, message.duration_s) for message in looking.messages] == [(None, 3.0)]


async def test_an_asterisk_that_is_away_is_told_once_and_changes_nothing(
    database: str, connection: "Connection", archive: MessageArchive
) -> None:
    await insert_cdrs(connection, [left()])
    store = Store({})
    store.is_away = True
    with capture_logs() as logs:
        looking = keeper(database, store, days_later=91)
        await looking.look_after(archive)
        await looking.look_after(archive)
        await keeper(database, None, days_later=91).look_after(archive)

    assert [entry["event"] for entry in logs] == ["voicemail.not_looked_after"]
    assert [message.fault for message in looking.messages] == [None]


async def test_what_was_kept_for_long_enough_is_deleted_with_its_file_heard_or_not(
    database: str, connection: "Connection", archive: MessageArchive
) -> None:
    old, new, elsewhere = left(0), left(60), left(0, box=DAY)
    await insert_cdrs(connection, [old, new, elsewhere])
    store = Store({recording_of(cdr): wav(1) for cdr in (old, new, elsewhere)})
    await keeper(database, store, days_later=30.02, retention_days=30).look_after(archive)

    assert set(store.files) == {recording_of(new), recording_of(elsewhere)}, "no rule says when the other box's go"
    assert {message.recording for message in await archive.find()} == set(store.files)
    rows = await connection.fetch("SELECT recording, deleted_by FROM callrouter.voicemail WHERE deleted_at IS NOT NULL")
    assert [tuple(row) for row in rows] == [(recording_of(old), "retention")]


async def test_who_looks_in_mid_pass_sees_list_and_count_of_the_pass_before(
    database: str, connection: "Connection"
) -> None:
    await insert_cdrs(connection, [left()])
    looking, meanwhile = keeper(database, Store({})), []

    class Watched(MessageArchive):
        async def find(self, *args: Any, **options: Any) -> list[Message]:
            found = await super().find(*args, **options)
            meanwhile.append((looking.counts, looking.messages))
            return found

    await looking.look_after(Watched(connection))

    assert meanwhile == [((), ())]
    assert (len(looking.counts), len(looking.messages)) == (1, 1)


async def test_the_keeper_goes_on_when_the_database_comes_back(
    database: str, connection: "Connection", archive: MessageArchive
) -> None:
    looking = keeper(database, Store({}))
    await connection.execute("ALTER TABLE callrouter.voicemail RENAME TO elsewhere")
    with capture_logs() as logs:
        task = asyncio.create_task(looking.run())
        async with asyncio.timeout(10):
            while not logs:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            await connection.execute("ALTER TABLE callrouter.elsewhere RENAME TO voicemail")
            await insert_cdrs(connection, [left()])
            while not looking.counts:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    task.cancel()
    assert [count.unheard for count in looking.counts] == [1]


Command = Callable[..., Result]


@pytest.fixture
async def command(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs ``callrouter voicemail`` on a database with two messages; Asterisk is not there."""
    connection = await connect(database)
    await insert_cdrs(
        connection,
        [
            left(0, call_id=CallId("019a1111-2222-7333-8444-555566667777"), site=SiteName("gyeongnam")),
            left(60, caller="01012345678", site=SiteName("elsewhere")),
        ],
    )
    await connection.execute("UPDATE callrouter.voicemail SET fault = 'no file' WHERE site = 'elsewhere'")
    await connection.close()
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    monkeypatch.setenv("CALLROUTER_ARI_URL", "http://127.0.0.1:9")
    folder = shutil.copytree(SAMPLE, tmp_path / "config")

    def run(verb: str, *arguments: str) -> Result:
        fixed = ["voicemail", verb, "--config", str(folder), "--database-url", database]
        return CliRunner().invoke(main, [*fixed, *arguments])

    return run


def test_the_list_hides_the_end_of_numbers_unless_told_otherwise(command: Command) -> None:
    first, second = command("list").output.splitlines()[1:]

    assert first.split() == ["1", "2026-11-24", "19:30:00", "0:12", "night", "055-225-****", "changwon", "new"]
    assert second.split()[-4:] == ["010-1234-****", "changwon", "no", "file"]
    whole = json.loads(command("list", "--json", "--no-mask", "--limit", "1").output)
    assert [(message["caller"], message["duration_s"]) for message in whole] == [("0552251234", 12.0)]
    assert command("list", "--box", "nowhere").output.splitlines()[1:] == []


def test_who_has_heard_a_message_is_said_and_stays(command: Command) -> None:
    assert command("heard", "1", "--by", "201").output == "message 1 is heard\n"
    assert command("heard", "1", "--by", "202").output == "message 1 was heard before, by 201\n"
    assert "201" in command("list").output
    assert len(command("list", "--unheard").output.splitlines()) == 2


def test_a_message_that_does_not_exist_is_said_so(command: Command) -> None:
    for verb in (["heard", "7"], ["delete", "7"], ["save", "7", "x.wav"]):
        result = command(*verb)
        assert (result.exit_code, result.output) == (
            1,
            "message 7 does not exist; callrouter voicemail list shows those that there are\n",
        )


def test_an_asterisk_that_is_away_leaves_the_message_as_it_is(command: Command, tmp_path: Path) -> None:
    for verb in (["delete", "1"], ["save", "1", str(tmp_path / "x.wav")]):
        result = command(*verb)
        assert (result.exit_code, "the Asterisk of gyeongnam does not" in result.output) == (3, True), result.output
    assert not (tmp_path / "x.wav").exists()
    assert len(command("list").output.splitlines()) == 3


def test_a_message_at_a_site_that_is_gone_cannot_be_fetched(command: Command) -> None:
    result = command("delete", "2")
    assert (result.exit_code, result.output) == (
        1,
        "the site elsewhere, where the message is, is not in the configuration any more\n",
    )


def test_without_a_database_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALLROUTER_DATABASE_URL", raising=False)
    result = CliRunner().invoke(main, ["voicemail", "list", "--config", str(SAMPLE)])
    assert (result.exit_code, "no database is known" in result.output) == (3, True)
