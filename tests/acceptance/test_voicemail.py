"""Residents leave messages when the hall is closed, on a real Asterisk: they are greeted, recorded, found and heard."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import Outcome, ReleasedBy
from callrouter.store.voicemail import Message, open_messages
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.errors import LabError
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import PATIENCE_S, POLL_S, Centre, MakeCentre, People
from tests.acceptance.ordering import command, read

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
MASKED = "055-225-****"
VOICE_HZ = 1100.0
SUNDAY = "2026-11-29T15:00"
GREETING_HZ, THANKS_HZ, SORRY_HZ = PROMPT_HZ["closed"], PROMPT_HZ["waiting"], PROMPT_HZ["all-busy"]
TOLERANCE_S = 0.4

# The tests' Asterisk has a tone for each of these prompts: `waiting` stands for thanks, `all-busy` for the apology.
BOX = """\
voicemail:
  night:
    title: 야간 민원
    thanks: waiting
    failed: all-busy
    retention: 30d
"""
ROUTE = """\
routes:
  - id: closed-message
    when: {not: {calendar: [weekday-day, weekday-night]}}
    do:
      - voicemail: night
        greeting: closed
        max: 20s
        min: 1s
        silence: 3s
"""


def message_first(config: Path) -> None:
    """Take messages outside the hours of the sample."""
    (config / "voicemail.yaml").write_text(BOX, encoding="utf-8")
    routes = config / "routes.yaml"
    rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
    routes.write_text(ROUTE + rest, encoding="utf-8")


@pytest.fixture
async def office(centre: MakeCentre) -> Centre:
    """Nobody is there on a Sunday."""
    return await centre(agents=("201",), clock=SUNDAY, edit=message_first)


@pytest.fixture
def spool(lab_asterisk: LabAsterisk) -> Iterator[Path]:
    """Where Asterisk keeps recordings; put right after a test that broke it."""
    folder = lab_asterisk.directory / "spool" / "recording"
    yield folder
    if not folder.is_dir():
        folder.unlink()
        folder.mkdir()


async def greeted(resident: Baresip, office: Centre) -> None:
    """Dial, and hear the greeting and the beep: from now on it is recorded."""
    await resident.dial("120")
    await resident.established()
    await office.until_call("recording")
    await asyncio.sleep(PROMPT_S + 0.7)  # listening


async def messages(office: Centre, count: int = 1, *, seen: bool = True) -> list[Message]:
    """What is in the database, once the files were looked at."""
    assert office.database_url is not None
    found: list[Message] = []
    try:
        async with asyncio.timeout(PATIENCE_S), open_messages(office.database_url) as archive:
            # Rows come, and files are looked at, when the daemon has done so, and nobody tells when.
            while len(found) < count or (seen and any(one.sha256 is None for one in found)):
                found = await archive.find()
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise LabError(f"{len(found)} of {count} messages: {found}\n{office.daemon.log_tail()}") from None
    return found


async def run(office: Centre, *arguments: str) -> str:
    """A command of the daemon's machine."""
    done = await asyncio.to_thread(office.daemon.run, "voicemail", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_message_is_greeted_recorded_listed_saved_heard_and_deleted(
    caller: People, office: Centre, tmp_path: Path, spool: Path
) -> None:
    resident = await caller(RESIDENT, tone_hz=VOICE_HZ)
    await greeted(resident, office)
    await asyncio.sleep(3)  # speaking
    await resident.hang_up()
    cdr = await office.cdr()
    (message,) = await messages(office)
    await office.until("it is counted", lambda status: [box["unheard"] for box in status["boxes"]] == [1])

    listed = await run(office, "list", "--unheard")
    saved = tmp_path / "message.wav"
    await run(office, "save", str(message.id), str(saved))
    page, metrics = await read(office, "/"), await read(office, "/metrics")
    document: dict[str, Any] = json.loads(await read(office, "/api/v1/voicemail"))
    marked = await run(office, "heard", str(message.id), "--by", "201")
    again = await run(office, "heard", str(message.id), "--by", "202")
    unheard = await run(office, "list", "--unheard")
    await office.until("nothing is new", lambda status: [box["unheard"] for box in status["boxes"]] == [0])
    await run(office, "delete", str(message.id), "--by", "201")
    await office.until("nothing is kept", lambda status: [box["kept"] for box in status["boxes"]] == [0])
    noted = [one for one in json.loads(await command(office, "audit", "--json")) if one["kind"] == "recording"]

    assert [(one["name"], one["becomes"]) for one in reversed(noted)] == [
        (message.recording, "fetched"),
        (message.recording, "deleted"),
    ]
    assert (cdr.outcome, cdr.released_by, cdr.rule) == (Outcome.VOICEMAIL, ReleasedBy.CALLER, "closed-message")
    assert "message for night: kept" in cdr.explanation
    assert [one.recording for one in cdr.messages] == [message.recording]
    assert audio.tone_seconds(resident.heard(), GREETING_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.sound_seconds(resident.heard()) > PROMPT_S + 0.1, "no beep after the greeting"
    assert audio.tone_seconds(saved, VOICE_HZ) == pytest.approx(3, abs=1)
    assert message.duration_s == pytest.approx(3, abs=1)
    assert saved.stat().st_size == message.size_bytes
    assert saved.stat().st_mode & 0o077 == 0
    assert MASKED in listed
    assert "night" in listed
    assert RESIDENT not in listed + page + metrics + json.dumps(document) + office.daemon.log_text()
    assert "야간 민원" in page
    assert 'callrouter_voicemail_unheard{box="night"} 1.0' in metrics
    assert 'callrouter_voicemail_recordings_total{result="kept"} 1.0' in metrics
    assert [(one["caller"], one["heard_at"]) for one in document["messages"]] == [(MASKED, None)]
    assert marked == f"message {message.id} is heard\n"
    assert again == f"message {message.id} was heard before, by 201\n"
    assert MASKED not in unheard
    assert not list(spool.glob(f"{message.recording}*"))


async def test_the_key_ends_the_message_and_its_caller_is_thanked(caller: People, office: Centre) -> None:
    resident = await caller(RESIDENT, tone_hz=VOICE_HZ)
    await greeted(resident, office)
    await asyncio.sleep(2)  # speaking
    await resident.press("#")
    await resident.closed(timeout_s=PROMPT_S + 3)

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.VOICEMAIL, ReleasedBy.SYSTEM)
    assert audio.tone_seconds(resident.heard(), THANKS_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    (message,) = await messages(office)
    assert message.duration_s == pytest.approx(2.3, abs=1)


async def test_who_says_nothing_is_told_so_and_leaves_no_message(caller: People, office: Centre, spool: Path) -> None:
    before = set(spool.iterdir())
    resident = await caller(RESIDENT)
    await greeted(resident, office)
    await resident.hang_up()

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.messages) == (Outcome.ABANDONED, ())
    assert "message for night: too-short" in cdr.explanation
    await office.until("the call is over", lambda status: not status["calls"])
    async with asyncio.timeout(PATIENCE_S):
        # The file is deleted behind the call's back.
        while set(spool.iterdir()) != before:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


async def test_where_nothing_can_be_recorded_the_caller_hears_so_and_the_record_says_it(
    caller: People, office: Centre, spool: Path
) -> None:
    shutil.rmtree(spool)
    spool.touch()
    resident = await caller(RESIDENT, tone_hz=VOICE_HZ)
    await resident.dial("120")
    await resident.established()
    await resident.closed(timeout_s=2 * PROMPT_S + 5)

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.messages) == (Outcome.FAILED, ())
    assert "message for night: failed" in cdr.explanation
    assert audio.tone_seconds(resident.heard(), SORRY_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert '"exchange.recording-failed"' in office.daemon.log_text()


async def test_what_is_spoken_while_the_daemon_is_dead_is_kept_and_thanked_for_by_the_next(
    caller: People, office: Centre, tmp_path: Path
) -> None:
    resident = await caller(RESIDENT, tone_hz=VOICE_HZ)
    await greeted(resident, office)
    await asyncio.sleep(1)  # speaking
    await office.kill()
    await asyncio.sleep(1)
    await office.restart()
    await office.until_call("recording")
    await asyncio.sleep(1)
    await resident.press("#")
    await resident.closed(timeout_s=PROMPT_S + 3)

    cdr = await office.cdr()
    (message,) = await messages(office)
    await run(office, "save", str(message.id), str(tmp_path / "message.wav"))
    assert cdr.outcome is Outcome.VOICEMAIL
    assert message.duration_s > 3
    assert audio.tone_seconds(tmp_path / "message.wav", VOICE_HZ) == pytest.approx(message.duration_s, abs=1)
    assert audio.tone_seconds(resident.heard(), THANKS_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)


async def test_who_hangs_up_while_the_daemon_is_dead_has_left_a_message_all_the_same(
    caller: People, office: Centre
) -> None:
    resident = await caller(RESIDENT, tone_hz=VOICE_HZ)
    await greeted(resident, office)
    await asyncio.sleep(1)  # speaking
    await office.kill()
    await asyncio.sleep(1)
    await resident.hang_up()
    await office.restart()

    cdr = await office.cdr()
    (message,) = await messages(office)
    assert (cdr.outcome, cdr.call_id) == (Outcome.VOICEMAIL, message.call_id)
    assert message.duration_s == pytest.approx(2.5, abs=1.5), "as the file has it, not as long as nobody looked"
