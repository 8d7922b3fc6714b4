"""A resident's data in a real PostgreSQL: found by his number, handed out, erased; and what is old, taken out."""

import asyncio
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.cdr import Cdr, CdrCallback, CdrMessage, CdrReturn, OfferResult, Outcome, ReturnResult
from callrouter.core.ids import BoxName, DestinationName, QueueName, RecordingId
from callrouter.store.audit import AuditLog, AuditSearch
from callrouter.store.personal import Aged, OpenRequestError, PersonalStore
from callrouter.store.postgres import CdrArchive, CdrSearch, connect, insert_cdrs
from callrouter.store.recordings import RecordingArchive
from callrouter.store.sound_files import SoundFolder
from callrouter.store.voicemail import MessageArchive
from tests.fakes import cdrs
from tests.integration.test_recording import recorded, tape_of
from tests.integration.test_voicemail import wav

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

SAMPLE = Path(__file__).parents[2] / "config"
NUMBER, OTHER = "0552251234", "0552259999"
WRITTEN = "+82-55-225-1234"
NOW = datetime(2026, 11, 27, tzinfo=UTC)
BOX = BoxName("night")


def with_message(**changes: Any) -> Cdr:
    call = cdrs.call_id()
    message = CdrMessage(RecordingId(f"callrouter-{call}-message-1"), BOX, cdrs.EVENING, 12.0)
    return cdrs.abandoned(call_id=call, outcome=Outcome.VOICEMAIL, messages=(message,), **changes)


def wanting_a_call(**changes: Any) -> Cdr:
    callback = CdrCallback(QueueName("night"), "+82552251234", cdrs.EVENING, 7)
    return cdrs.abandoned(outcome=Outcome.CALLBACK, callback=callback, **changes)


def called_back(original: Cdr) -> Cdr:
    """The call in which he was called back: his number is a leg's destination, in another form."""
    leg = cdrs.leg(1, OfferResult.NO_ANSWER, agent=None, destination=DestinationName(NUMBER))
    returns = CdrReturn(original.call_id, ReturnResult.NOT_REACHED, 1)
    explanation = f"called in: {NUMBER}\nqueue night"
    return cdrs.abandoned(caller=NUMBER, legs=(leg,), returns=returns, explanation=explanation)


@pytest.fixture
async def history(connection: "Connection") -> list[Cdr]:
    """Of one resident: a call that was recorded, one with a message, one that was called back; and a neighbour's."""
    asked = wanting_a_call()
    calls = [recorded(), with_message(caller="+82552251234"), asked, called_back(asked)]
    neighbour = [replace(recorded(), caller=OTHER), with_message(caller=OTHER)]
    await insert_cdrs(connection, [*calls, *neighbour])
    return calls


async def test_all_of_a_resident_is_found_in_whatever_form_his_number_was_written(
    connection: "Connection", history: list[Cdr]
) -> None:
    found = await PersonalStore(connection).find(WRITTEN)
    assert {call.call_id for call in found.calls} == {call.call_id for call in history}
    assert [len(found.messages), len(found.recordings), len(found.callbacks)] == [1, 1, 1]
    assert (await PersonalStore(connection).find("0551110000")).is_empty


class TestErasing:
    """He asks for it."""

    async def test_nobody_can_be_found_by_the_number_any_more_and_the_records_stay(
        self, connection: "Connection", history: list[Cdr], entry: AuditEntry
    ) -> None:
        store = PersonalStore(connection)
        before = await CdrArchive(connection).find(CdrSearch())
        await store.erase(WRITTEN, entry)
        assert (await store.find(NUMBER)).is_empty
        after = await CdrArchive(connection).find(CdrSearch())
        assert [call.call_id for call in after] == [call.call_id for call in before]
        assert [call.caller for call in after].count(OTHER) == 2
        assert [call.talk_s for call in after] == [call.talk_s for call in before]
        told = await connection.fetch("SELECT * FROM callrouter.cdr FULL JOIN callrouter.cdr_leg USING (call_id)")
        assert not re.search("2251234", str(told))
        assert await connection.fetchval("SELECT count(*) FROM callrouter.cdr WHERE erased_at IS NOT NULL") == 4
        assert await connection.fetchval("SELECT count(*) FROM callrouter.callback") == 0

    async def test_his_sound_is_to_be_deleted_and_the_neighbours_is_kept(
        self, connection: "Connection", history: list[Cdr], entry: AuditEntry
    ) -> None:
        await PersonalStore(connection).erase(NUMBER, entry)
        long_ago = cdrs.EVENING - timedelta(days=1)
        messages = await MessageArchive(connection).expired(BOX, long_ago)
        recordings = await RecordingArchive(connection).expired(long_ago)
        assert [one.caller for one in messages] == [""]
        assert [one.call_id for one in recordings] == [history[0].call_id]

    async def test_it_is_in_the_audit_log(
        self, connection: "Connection", history: list[Cdr], entry: AuditEntry
    ) -> None:
        await PersonalStore(connection).erase(NUMBER, entry)
        assert await AuditLog(connection).find(AuditSearch()) == [entry]

    async def test_who_is_to_be_called_back_is_not_erased_and_nothing_is_changed(
        self, connection: "Connection", history: list[Cdr], entry: AuditEntry
    ) -> None:
        await connection.execute("UPDATE callrouter.callback SET done_at = NULL, result = NULL")
        store = PersonalStore(connection)
        with pytest.raises(OpenRequestError, match="say first: callrouter callback cancel 1, and then again"):
            await store.erase(NUMBER, entry)
        assert len((await store.find(NUMBER)).calls) == 4
        assert await AuditLog(connection).find(AuditSearch()) == []

    @pytest.fixture
    def entry(self) -> AuditEntry:
        return AuditEntry(NOW, "kim", AuditKind.PERSON, "055-225-****", "", "erased", "command", note="asked for it")


class TestPurging:
    """It has been kept for long enough."""

    LATER = cdrs.EVENING + timedelta(days=1)

    async def test_numbers_go_and_records_stay(self, connection: "Connection", history: list[Cdr]) -> None:
        withheld = cdrs.abandoned(caller="anonymous", explanation="region by 120")
        fresh = cdrs.abandoned(started_at=self.LATER, ended_at=self.LATER + timedelta(seconds=40), caller=NUMBER)
        await insert_cdrs(connection, [withheld, fresh])
        store = PersonalStore(connection)
        assert await store.count(Aged.NUMBERS, self.LATER) == 7
        assert await store.purge(Aged.NUMBERS, self.LATER, NOW) == 7
        assert await store.count(Aged.NUMBERS, self.LATER) == 0
        calls = await CdrArchive(connection).find(CdrSearch())
        assert [call.caller for call in calls if call.caller] == [NUMBER]
        assert "region by 120" in next(call for call in calls if call.call_id == withheld.call_id).explanation
        assert await connection.fetchval("SELECT count(*) FROM callrouter.cdr_leg WHERE destination = $1", NUMBER) == 0
        # Their sound is still there, and so whose it is.
        assert await connection.fetchval("SELECT count(*) FROM callrouter.recording WHERE caller <> ''") == 2

    async def test_the_number_of_a_recording_goes_with_its_sound(
        self, connection: "Connection", history: list[Cdr]
    ) -> None:
        await connection.execute("UPDATE callrouter.recording SET deleted_at = now() WHERE caller = $1", NUMBER)
        await PersonalStore(connection).purge(Aged.NUMBERS, self.LATER, NOW)
        callers = await connection.fetch("SELECT caller FROM callrouter.recording ORDER BY caller")
        assert [row["caller"] for row in callers] == ["", OTHER]

    async def test_records_go_with_their_legs(self, connection: "Connection", history: list[Cdr]) -> None:
        store = PersonalStore(connection)
        assert await store.purge(Aged.CALLS, self.LATER, NOW) == await store.purge(Aged.CALLS, NOW, NOW) + 6
        assert await connection.fetchval("SELECT count(*) FROM callrouter.cdr_leg") == 0

    async def test_rows_go_when_their_sound_has_been_gone_for_long(
        self, connection: "Connection", history: list[Cdr]
    ) -> None:
        for deleting in (
            "UPDATE callrouter.voicemail SET deleted_at = $1 WHERE caller <> $2",
            "UPDATE callrouter.recording SET deleted_at = $1 WHERE caller <> $2",
        ):
            await connection.execute(deleting, cdrs.EVENING, OTHER)
        store = PersonalStore(connection)
        assert await store.count(Aged.SOUNDS, self.LATER) == 2
        assert await store.purge(Aged.SOUNDS, self.LATER, NOW) == 2
        assert len((await store.find(OTHER)).messages) == 1


class TestCommands:
    """As people type them."""

    @pytest.fixture
    def run(self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
        folder = shutil.copytree(SAMPLE, tmp_path / "config")
        (folder / "retention.yaml").write_text("retention:\n  numbers: 1d\n  calls: 2d\n", encoding="utf-8")
        monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
        monkeypatch.setenv("CALLROUTER_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("CALLROUTER_ARI_URL", "http://127.0.0.1:9")

        def run(*words: str, given: str = "") -> Result:
            fixed = ["--config", str(folder), "--database-url", database]
            return CliRunner().invoke(main, [*words, *fixed], input=given)

        return run

    @pytest.fixture
    def kept(self, database: str, tmp_path: Path) -> Cdr:
        """A recorded call of the resident, with its file, and a message that its Asterisk has."""
        call = recorded()

        async def insert() -> None:
            connection = await connect(database)
            try:
                await insert_cdrs(connection, [call, with_message(site="gyeongnam")])
                archive = RecordingArchive(connection)
                file = SoundFolder(tmp_path / "state" / "recordings").keep(tape_of(call), cdrs.EVENING, wav(2.0))
                await archive.store(1, file, NOW)
            finally:
                await connection.close()

        asyncio.run(insert())
        return call

    def test_what_is_kept_is_told_and_the_look_is_in_the_audit_log(
        self, run: Callable[..., Result], kept: Cdr, database: str
    ) -> None:
        result = run("person", "find", "-", "--why", "request of 27 November", given=f"{WRITTEN}\n")
        assert result.exit_code == 0
        assert result.stdout == (
            "055-225-****: 2 calls, 1 messages and 1 recordings (2 with sound), 0 requests to be called back (0 open)\n"
        )
        assert "hold numbers for up to 7 days more" in result.stderr
        (entry,) = asyncio.run(_audit(database))
        assert (entry.kind, entry.name, entry.becomes) == (AuditKind.PERSON, "055-225-****", "found")
        assert entry.note == "request of 27 November"

    def test_all_of_it_is_handed_out_and_what_could_not_be_had_is_named(
        self, run: Callable[..., Result], kept: Cdr, tmp_path: Path
    ) -> None:
        file = tmp_path / "person.zip"
        result = run("person", "export", NUMBER, str(file), "--why", "he asked")
        assert result.exit_code == 1
        assert "message-1.wav is not in it: " in result.stderr
        assert file.stat().st_mode & 0o777 == 0o600
        with zipfile.ZipFile(file) as archive:
            assert set(archive.namelist()) == {"data.json", "recording-1.wav", "missing.json"}
            assert archive.read("recording-1.wav") == wav(2.0)
            data = json.loads(archive.read("data.json"))
        assert [call["caller"] for call in data["calls"]] == [NUMBER, NUMBER]
        assert data["recordings"][0]["call_id"] == kept.call_id

    def test_erasing_says_what_is_left_elsewhere(self, run: Callable[..., Result], kept: Cdr) -> None:
        result = run("person", "erase", NUMBER, "--why", "he asked")
        assert result.exit_code == 0
        assert "erased; the daemon deletes the sound within seconds" in result.stdout
        assert run("person", "find", NUMBER, "--why", "a look").exit_code == 1
        assert "nothing is kept of 055-225-****" in run("person", "erase", NUMBER, "--why", "again").stderr

    def test_what_is_no_whole_number_is_refused(self, run: Callable[..., Result]) -> None:
        result = run("person", "erase", "120", "--why", "a slip")
        assert result.exit_code == 2
        assert "that is no number; write it as 055-225-1234" in result.stderr

    def test_purging_says_first_and_does_then(self, run: Callable[..., Result], kept: Cdr, database: str) -> None:
        first = run("purge", "--dry-run")
        assert re.sub(r"\d{4}-\d\d-\d\d", "DATE", first.stdout) == (
            "numbers: 2 from before DATE would go\ncalls: 2 from before DATE would go\nsounds: kept for ever\n"
        )
        assert "numbers: 2 from before" in run("purge").stdout
        told = [(entry.kind, entry.name, entry.becomes) for entry in asyncio.run(_audit(database))]
        assert sorted(told) == [("purge", "calls", "purged"), ("purge", "numbers", "purged")]
        assert "calls: 0 from before" in run("purge").stdout

    def test_without_a_retention_nothing_is_purged_and_that_is_told(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
        result = CliRunner().invoke(main, ["purge", "--config", str(SAMPLE), "--database-url", database])
        assert result.exit_code == 1
        assert "nothing has a retention; write retention: into the configuration" in result.stderr


async def _audit(database: str) -> list[AuditEntry]:
    connection = await connect(database)
    try:
        return await AuditLog(connection).find(AuditSearch())
    finally:
        await connection.close()
