"""Recordings in a real PostgreSQL: with their calls, fetched from Asterisk, given out, and deleted when it is time."""

import asyncio
import hashlib
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

from callrouter.app.recordings import RecordingKeeper, TapeDesk
from callrouter.cli import main
from callrouter.cli.cdr_text import in_full
from callrouter.core.audit import AuditKind
from callrouter.core.cdr import Cdr
from callrouter.core.ids import AgentId, CallId, PromptName, QueueName, RecordingId, SiteName
from callrouter.core.tapes import CdrMute, CdrNotice, CdrTape, MuteReason, TapeResult
from callrouter.errors import CallrouterError, DatabaseError, UnreachableError
from callrouter.store.delivery import CdrWriter
from callrouter.store.journal import Journal
from callrouter.store.postgres import CdrArchive, connect, insert_cdrs
from callrouter.store.recordings import LARGEST_ID, RecordingArchive, RecordingSearch, open_recording_archive
from callrouter.store.records import decode_cdr, encode_cdr
from callrouter.store.sound_files import SoundFolder
from callrouter.web.recordings import DeleteRequest, FetchRequest
from tests.fakes import cdrs
from tests.integration.test_voicemail import wav

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

SAMPLE = Path(__file__).parents[2] / "config"
DAY_S = 86_400.0
ALL = RecordingSearch(deleted=True)
FETCH = FetchRequest("kim", "a complaint")
DELETE = DeleteRequest("kim", "on request")


def recorded(minutes: float = 0.0, *, site: str = "gyeongnam", number: int = 1, **changes: Any) -> Cdr:
    """A call that was recorded for 60 s, 10 of them in a pause, so many minutes after the evening's first."""
    call = changes.pop("call_id", None) or cdrs.call_id()
    at = cdrs.EVENING + timedelta(minutes=minutes)
    tape = CdrTape(
        RecordingId(f"callrouter-{call}-talk-{number}"),
        QueueName("changwon"),
        AgentId("201"),
        PromptName("notice"),
        at,
        at + timedelta(seconds=60),
        TapeResult.KEPT,
        "the conversation ended",
        60 * DAY_S,
        (CdrMute(at + timedelta(seconds=20), at + timedelta(seconds=30), MuteReason.PAUSED, "201, via phone"),),
    )
    notice = CdrNotice(PromptName("notice"), "en", at - timedelta(seconds=10), at - timedelta(seconds=5))
    return cdrs.handled(
        call_id=call, site=SiteName(site), tapes=(replace(tape, **changes),), notices=(notice,), legs=()
    )


def tape_of(cdr: Cdr) -> RecordingId:
    return cdr.tapes[0].recording


class Store:
    """An Asterisk's store of recordings; it gives out only what was stopped."""

    def __init__(self, files: dict[RecordingId, bytes]) -> None:
        self.files = files
        self.stopped: set[RecordingId] = set()
        self.is_away = False
        self.meanwhile: Callable[[], Any] | None = None

    async def stop(self, recording: RecordingId) -> None:
        if self.is_away:
            raise UnreachableError("it is away")
        self.stopped.add(recording)

    async def read(self, recording: RecordingId) -> bytes | None:
        assert recording in self.stopped
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.files.get(recording)

    async def delete(self, recording: RecordingId) -> None:
        if self.is_away:
            raise UnreachableError("it is away")
        self.files.pop(recording, None)


@pytest.fixture
def archive(connection: "Connection") -> RecordingArchive:
    return RecordingArchive(connection)


@pytest.fixture
def folder(tmp_path: Path) -> SoundFolder:
    return SoundFolder(tmp_path / "recordings")


def keeper(url: str, folder: SoundFolder, store: Store | None, *, days_later: float = 0.0) -> RecordingKeeper:
    now = cdrs.EVENING + timedelta(days=days_later)
    return RecordingKeeper(url, folder, lambda site: store, lambda: now, poll_s=0.01)


async def test_a_recording_comes_with_its_call_and_once_however_often_that_is_written(
    connection: "Connection", archive: RecordingArchive
) -> None:
    cdr = recorded()
    for _ in range(2):
        await insert_cdrs(connection, [cdr, cdrs.handled()])
    (one,) = await archive.find(ALL)

    assert (one.recording, one.call_id, one.agent, one.queue) == (tape_of(cdr), cdr.call_id, "201", "changwon")
    assert (one.caller, one.region, one.tenant, one.site) == (cdr.caller, cdr.region, cdr.tenant, cdr.site)
    assert one.keep_until == cdrs.EVENING + timedelta(days=60)
    assert (one.length_s, one.muted) == (60.0, cdr.tapes[0].muted)
    assert (one.file, one.sha256, one.deleted_at) == (None, None, None)
    assert await CdrArchive(connection).get(cdr.call_id) == cdr


def test_a_recording_survives_the_journal() -> None:
    cdr = recorded()
    assert decode_cdr(encode_cdr(cdr)) == cdr
    old = json.loads(encode_cdr(cdr))
    del old["tapes"], old["notices"]
    assert (decode_cdr(json.dumps(old).encode()).tapes, decode_cdr(json.dumps(old).encode()).notices) == ((), ())


async def test_a_recording_of_while_the_database_was_away_waits_in_the_journal(database: str, tmp_path: Path) -> None:
    cdr = recorded()
    async with Journal(tmp_path / "journal.sqlite3") as journal:
        journal.finish(cdr)
        assert await journal.flush()
    async with Journal(tmp_path / "journal.sqlite3") as journal:
        writer = CdrWriter(journal, database)
        delivering = asyncio.create_task(writer.run())
        assert await writer.drain(10.0)
        delivering.cancel()
    async with open_recording_archive(database) as archive:
        assert [one.recording for one in await archive.find(ALL)] == [tape_of(cdr)]


async def test_recordings_are_found_by_call_queue_agent_and_time(
    connection: "Connection", archive: RecordingArchive
) -> None:
    first, second = recorded(0), recorded(60, agent=AgentId("202"), queue=QueueName("gyeongnam"))
    await insert_cdrs(connection, [first, second])

    async def found(**wanted: Any) -> list[RecordingId]:
        return [one.recording for one in await archive.find(RecordingSearch(**wanted))]

    assert await found() == [tape_of(second), tape_of(first)]
    assert await found(limit=1) == [tape_of(second)]
    assert await found(call=first.call_id) == [tape_of(first)]
    assert await found(agent=AgentId("202")) == [tape_of(second)]
    assert await found(queue=QueueName("changwon")) == [tape_of(first)]
    assert await found(since=cdrs.EVENING + timedelta(minutes=1)) == [tape_of(second)]
    assert await found(until=cdrs.EVENING + timedelta(minutes=1)) == [tape_of(first)]
    assert [await archive.get(number) for number in (999, LARGEST_ID + 1, -1)] == [None, None, None]


async def test_a_database_without_the_table_says_what_makes_it(empty_database: str) -> None:
    async with open_recording_archive(empty_database) as archive:
        with pytest.raises(DatabaseError, match="callrouter run"):
            await archive.find(ALL)


async def test_the_keeper_fetches_a_file_and_only_then_has_asterisk_delete_it(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    cdr, body = recorded(), wav(58.5)
    await insert_cdrs(connection, [cdr])
    store = Store({tape_of(cdr): body})
    await keeper(database, folder, store).look_after(archive)

    (one,) = await archive.find(ALL)
    assert one.file == f"2026-11/{tape_of(cdr)}.wav"
    assert (one.duration_s, one.size_bytes, one.format) == (58.5, len(body), "wav")
    assert one.sha256 == hashlib.sha256(body).hexdigest()
    assert (folder.path / one.file).read_bytes() == body
    assert ((folder.path / one.file).stat().st_mode & 0o777, folder.path.stat().st_mode & 0o777) == (0o600, 0o700)
    assert store.files == {}
    assert await archive.sites() == []


async def test_a_file_that_was_fetched_by_a_daemon_that_died_is_known_again(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    cdr, body = recorded(), wav(5)
    await insert_cdrs(connection, [cdr])
    folder.keep(tape_of(cdr), cdr.tapes[0].begun_at, body)
    await keeper(database, folder, Store({})).look_after(archive)

    (one,) = await archive.find(ALL)
    assert (one.sha256, one.fault) == (hashlib.sha256(body).hexdigest(), None)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (None, "Asterisk has no file of it"),
        (b"no sound", "its file is no WAV: file does not start with RIFF id"),
    ],
)
async def test_a_file_that_is_missing_or_broken_is_told_once_and_fetched_when_it_is_back(
    database: str,
    connection: "Connection",
    archive: RecordingArchive,
    folder: SoundFolder,
    body: bytes | None,
    fault: str,
) -> None:
    cdr = recorded()
    await insert_cdrs(connection, [cdr])
    store = Store({tape_of(cdr): body} if body is not None else {})
    looking = keeper(database, folder, store)
    with capture_logs() as logs:
        await looking.look_after(archive)
        await looking.look_after(archive)

    assert [entry["why"] for entry in logs if entry["event"] == "recording.not_stored"] == [fault]
    assert [one.fault for one in await archive.find(ALL)] == [fault]
    store.files[tape_of(cdr)] = wav(3)
    await looking.look_after(archive)
    assert [(one.fault, one.duration_s) for one in await archive.find(ALL)] == [(None, 3.0)]


async def test_a_disk_that_takes_nothing_leaves_the_file_with_asterisk(
    database: str, connection: "Connection", archive: RecordingArchive, tmp_path: Path
) -> None:
    cdr = recorded()
    await insert_cdrs(connection, [cdr])
    (tmp_path / "full").touch()
    store = Store({tape_of(cdr): wav(1)})
    await keeper(database, SoundFolder(tmp_path / "full"), store).look_after(archive)

    (one,) = await archive.find(ALL)
    assert one.fault is not None
    assert "cannot be written" in one.fault
    assert list(store.files) == [tape_of(cdr)]


async def test_a_site_that_is_away_is_told_once_and_keeps_no_other_waiting(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    far = [recorded(site="far") for _ in range(30)]
    near = recorded(site="near")
    await insert_cdrs(connection, [*far, near])
    store, away = Store({tape_of(near): wav(1)}), Store({})
    away.is_away = True
    stores = {SiteName("near"): store, SiteName("far"): away}
    looking = RecordingKeeper(database, folder, stores.get, lambda: cdrs.EVENING, poll_s=0.01)
    with capture_logs() as logs:
        await looking.look_after(archive)
        await looking.look_after(archive)
    await keeper(database, folder, None).look_after(archive)

    assert [one.recording for one in await archive.find(ALL) if one.file] == [tape_of(near)]
    assert [entry["event"] for entry in logs] == ["recording.not_looked_after", "recording.stored"]


async def test_what_may_not_be_kept_is_deleted_at_once(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    cdr = recorded(result=TapeResult.FAILED, why="it could not be paused: (500)")
    await insert_cdrs(connection, [cdr])
    store = Store({tape_of(cdr): wav(1)})
    await keeper(database, folder, store).look_after(archive)

    (one,) = await archive.find(ALL)
    assert (store.files, one.file) == ({}, None)
    assert (one.deleted_by, one.deleted_why) == ("callrouter", "it could not be paused: (500)")


async def test_what_was_kept_for_long_enough_is_deleted_and_its_row_says_so(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    old, new = recorded(0), recorded(60)
    await insert_cdrs(connection, [old, new])
    store = Store({tape_of(cdr): wav(1) for cdr in (old, new)})
    await keeper(database, folder, store).look_after(archive)
    await keeper(database, folder, store, days_later=60.02).look_after(archive)

    found = {one.recording: one for one in await archive.find(ALL)}
    assert [path.stem for path in folder.path.glob("*/*")] == [tape_of(new)]
    assert (found[tape_of(old)].deleted_by, found[tape_of(old)].deleted_why) == ("retention", "kept until 2027-01-23")
    assert found[tape_of(new)].deleted_at is None
    assert [one.recording for one in await archive.find(RecordingSearch())] == [tape_of(new)]


async def test_what_expires_before_it_was_fetched_is_deleted_at_asterisk(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    cdr = recorded()
    await insert_cdrs(connection, [cdr])
    await keeper(database, folder, None, days_later=61).look_after(archive)
    store = Store({tape_of(cdr): wav(1)})
    await keeper(database, folder, store, days_later=61).look_after(archive)
    assert (store.files, list(folder.path.glob("*"))) == ({}, [])


async def test_a_file_that_cannot_be_deleted_stays_on_the_list(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    cdr = recorded()
    await insert_cdrs(connection, [cdr])
    await keeper(database, folder, Store({tape_of(cdr): wav(1)})).look_after(archive)
    (one,) = await archive.find(ALL)
    assert one.file is not None
    file = folder.path / one.file
    file.unlink()
    file.mkdir()
    with capture_logs() as logs:
        await keeper(database, folder, Store({}), days_later=61).look_after(archive)
    assert [entry["event"] for entry in logs] == ["recording.not_looked_after"]
    assert [one.deleted_at for one in await archive.find(ALL)] == [None]


async def test_what_is_deleted_while_it_is_being_fetched_leaves_no_file(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    cdr = recorded()
    await insert_cdrs(connection, [cdr])
    store = Store({tape_of(cdr): wav(1)})
    (one,) = await archive.find(ALL)
    store.meanwhile = lambda: archive.delete(one.id, cdrs.EVENING, "kim", "on request")
    await keeper(database, folder, store).look_after(archive)
    assert (list(folder.path.glob("*/*")), store.files) == ([], {})


async def test_the_keeper_goes_on_when_the_database_comes_back(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder
) -> None:
    cdr = recorded()
    await connection.execute("ALTER TABLE callrouter.recording RENAME TO elsewhere")
    looking = keeper(database, folder, Store({tape_of(cdr): wav(1)}))
    with capture_logs() as logs:
        task = asyncio.create_task(looking.run())
        async with asyncio.timeout(10):
            while not logs:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            await connection.execute("ALTER TABLE callrouter.elsewhere RENAME TO recording")
            await insert_cdrs(connection, [cdr])
            while not list(folder.path.glob("*/*.wav")):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    task.cancel()


# --- giving out


@pytest.fixture
async def desk(
    database: str, connection: "Connection", archive: RecordingArchive, folder: SoundFolder, journal: Journal
) -> TapeDesk:
    """Two recordings, of which the first is fetched."""
    first = recorded(0)
    await insert_cdrs(connection, [first])
    await keeper(database, folder, Store({tape_of(first): wav(5)})).look_after(archive)
    await insert_cdrs(connection, [recorded(60)])
    return TapeDesk(database, folder, journal, lambda: cdrs.EVENING)


async def test_who_fetches_a_recording_is_in_the_audit_log_first(
    desk: TapeDesk, journal: Journal, archive: RecordingArchive
) -> None:
    path = await desk.fetch(1, FETCH)
    assert isinstance(path, Path)
    assert path.read_bytes() == wav(5)
    (entry,) = await journal.audit_of(AuditKind.RECORDING)
    (one,) = [one for one in await archive.find(ALL) if one.id == 1]
    assert (entry.who, entry.name, entry.was, entry.becomes) == ("kim", one.recording, "kept", "fetched")
    assert (entry.via, entry.note) == ("api", "a complaint")


async def test_nobody_gets_what_the_journal_cannot_note(desk: TapeDesk, journal: Journal, folder: SoundFolder) -> None:
    async def refuse() -> bool:
        return False

    journal.flush = refuse  # type: ignore[method-assign,assignment]
    told = await desk.fetch(1, FETCH)
    assert isinstance(told, str)
    assert "the journal cannot note who fetches it" in told
    report = await desk.delete(1, DELETE)
    assert (report.ok, len(list(folder.path.glob("*/*")))) == (False, 1)


async def test_what_cannot_be_given_out_is_said_why(desk: TapeDesk, folder: SoundFolder) -> None:
    assert await desk.fetch(7, FETCH) == (
        "recording 7 does not exist; callrouter recording list shows those that there are"
    )
    assert await desk.fetch(2, FETCH) == "recording 2 is not fetched from Asterisk yet"
    for file in folder.path.glob("*/*"):
        file.unlink()
    told = await desk.fetch(1, FETCH)
    assert told == "the file of recording 1 is not there; callrouter recording verify shows which are"


async def test_a_recording_is_deleted_once_with_its_file_and_says_by_whom(
    desk: TapeDesk, folder: SoundFolder, journal: Journal
) -> None:
    assert (await desk.delete(1, DELETE)).ok
    assert list(folder.path.glob("*/*")) == []
    again = await desk.delete(1, DELETE)
    assert (again.ok, again.message) == (False, "recording 1 was deleted by kim: on request")
    assert await desk.fetch(1, FETCH) == again.message
    assert (await desk.delete(2, DELETE)).ok, "one that was not fetched yet"
    assert not (await desk.delete(7, DELETE)).ok
    assert [entry.becomes for entry in await journal.audit_of(AuditKind.RECORDING)] == ["deleted", "deleted"]


async def test_the_list_has_no_whole_number(desk: TapeDesk) -> None:
    second, first = (await desk.recordings()).recordings
    assert (first.caller, first.length_s, first.size_bytes) == ("055-225-****", 5.0, len(wav(5)))
    assert (second.length_s, second.sha256, second.muted[0].who) == (60.0, None, "201, via phone")


def test_a_file_that_cannot_be_read_is_said_so(folder: SoundFolder) -> None:
    (folder.path / "2026-11").mkdir(parents=True)
    with pytest.raises(CallrouterError, match="cannot be read"):
        folder.read("2026-11")


def test_the_record_in_full_proves_the_notice_and_names_the_recording_and_its_silence() -> None:
    cdr = recorded()
    text = in_full(cdr, cdrs.EVENING.tzinfo)
    assert "notice of recording: notice (en), from 2026-11-24T10:29:50.000+00:00, heard at 2026-11-24T10:29:55" in text
    assert f"recording of 201: kept, {tape_of(cdr)}" in text
    assert "  2026-11-24T10:30:00.000+00:00 to 2026-11-24T10:31:00.000+00:00: the conversation ended" in text
    silent = "silent from 2026-11-24T10:30:20.000+00:00 to 2026-11-24T10:30:30.000+00:00"
    assert f"  {silent}: paused by 201, via phone" in text
    unheard = replace(cdr.notices[0], language="", heard_at=None)
    tape = replace(cdr.tapes[0], muted=(replace(cdr.tapes[0].muted[0], why=MuteReason.HELD, who=""),))
    text = in_full(replace(cdr, notices=(unheard,), tapes=(tape,)), cdrs.EVENING.tzinfo)
    assert "notice of recording: notice, from 2026-11-24T10:29:50.000+00:00, not heard to its end" in text
    assert f"  {silent}: held\n" in text


# --- the command


Command = Callable[..., Result]


@pytest.fixture
async def command(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs ``callrouter recording`` on a database with three recordings: kept, not fetched, failed."""
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    monkeypatch.setenv("CALLROUTER_STATE_DIR", str(tmp_path / "state"))
    first = recorded(0, call_id=CallId("019a1111-2222-7333-8444-555566667777"))
    failed = recorded(90, result=TapeResult.FAILED, why="Asterisk refused to record (500)")
    connection = await connect(database)
    archive = RecordingArchive(connection)
    await insert_cdrs(connection, [first])
    kept = SoundFolder(tmp_path / "state" / "recordings")
    await keeper(database, kept, Store({tape_of(first): wav(58)})).look_after(archive)
    await insert_cdrs(connection, [recorded(60), failed])
    await connection.close()
    folder = shutil.copytree(SAMPLE, tmp_path / "config")

    def run(verb: str, *arguments: str) -> Result:
        fixed = ["recording", verb, "--config", str(folder)]
        fixed += ["--database-url", database] if verb in ("list", "verify") else ["--url", "http://127.0.0.1:9"]
        return CliRunner().invoke(main, [*fixed, *arguments])

    return run


def test_the_command_lists_what_there_is_without_whole_numbers(command: Command) -> None:
    failed, waiting, kept = command("list").output.splitlines()[1:]
    assert kept.split() == [
        *("1", "2026-11-24", "19:30:00", "0:58", "0:10", "changwon", "201"),
        *("055-225-****", "2027-01-23", "kept"),
    ]
    assert waiting.endswith("not fetched yet")
    assert failed.rstrip().endswith("failed: Asterisk refused to record (500)")
    (one,) = json.loads(command("list", "--json", "--no-mask", "--until", "2026-11-24T19:31").output)
    assert (one["caller"], one["muted"][0]["why"]) == ("0552251234", "paused")
    assert len(command("list", "--call", "019a1111-2222-7333-8444-555566667777").output.splitlines()) == 2
    assert command("list", "--call", "me").exit_code == 2


def test_the_command_verifies_files(command: Command, tmp_path: Path) -> None:
    assert (command("verify").exit_code, command("verify").output) == (0, "2 recordings: 1 as they were\n")
    (file,) = (tmp_path / "state" / "recordings").glob("*/*.wav")
    file.write_bytes(wav(1))
    assert command("verify").exit_code == 1
    assert "is altered" in command("verify").output
    file.unlink()
    assert "is missing" in command("verify").output
    verdicts = json.loads(command("verify", "--json").output)
    assert [one["verdict"] for one in verdicts] == ["not fetched yet", "missing"]


def test_without_a_daemon_nothing_is_given_out(command: Command, tmp_path: Path) -> None:
    assert command("fetch", "1", str(tmp_path / "x.wav")).exit_code == 3
    assert command("delete", "1", "--why", "on request").exit_code == 3
    assert not (tmp_path / "x.wav").exists()


def test_who_deletes_says_why(command: Command) -> None:
    assert command("delete", "1").exit_code == 2
    assert command("delete", "1", "--why", " ").exit_code == 2
