"""Conversations are recorded, on a real Asterisk: after a notice, with silence for what is not to be heard."""

import asyncio
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import Outcome
from callrouter.core.tapes import MuteReason, TapeResult
from callrouter.store.recordings import Recording
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance import talks
from tests.acceptance.centre import PATIENCE_S, POLL_S, TUESDAY_MORNING, Centre, Desk, MakeCentre, People
from tests.acceptance.ordering import audit, command, read
from tests.acceptance.stored import file_of, tapes
from tests.acceptance.talks import (
    FIRST_HZ,
    RESIDENT,
    RESIDENT_HZ,
    SECOND_HZ,
    TALK_S,
    a_colleague_asked,
    a_line_answered,
    answers,
    people_talk,
)
from tests.acceptance.test_supervision import Talk, supervisors
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

MASKED = "055-225-****"
COUNSELOR_HZ = FIRST_HZ
NOTICE_HZ = PROMPT_HZ["recording-notice"]
PAUSED_HZ, RESUMED_HZ = PROMPT_HZ["recording-paused"], PROMPT_HZ["recording-resumed"]
TOLERANCE_S = 0.4
PAUSE = "*90"


def recorded(config: Path, retention: str = "60d") -> None:
    """Record the conversations of Changwon's queue."""
    queues = config / "queues.yaml"
    rule = f"recording: {{notice: recording-notice, retention: {retention}}}"
    written = queues.read_text(encoding="utf-8")
    queues.write_text(written.replace("  changwon:\n", f"  changwon:\n    {rule}\n"), encoding="utf-8")


a_talk = partial(talks.a_talk, edit=recorded)
"""A resident talks to the counselor 201, and is recorded."""


@pytest.fixture
def spool(lab_asterisk: LabAsterisk) -> Iterator[Path]:
    """Where Asterisk keeps recordings; put right after a test that broke it."""
    folder = lab_asterisk.directory / "spool" / "recording"
    yield folder
    if not folder.is_dir():
        folder.unlink()
        folder.mkdir()


def seconds(path: Path, *tones_hz: float) -> float:
    """For how long all these tones are heard together."""
    return audio.chord_seconds(path, *tones_hz) if len(tones_hz) > 1 else audio.heard_seconds(path, *tones_hz)


async def press(phone: Baresip, keys: str) -> None:
    for key in keys:
        await phone.press(key)


async def test_after_the_notice_both_are_in_one_file_that_is_kept_listed_verified_fetched_and_deleted(
    caller: People, counselor: People, centre: MakeCentre, tmp_path: Path, spool: Path
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre)
    await people_talk()
    await resident.hang_up()
    await phone.closed()
    cdr = await office.cdr()
    (tape,) = await tapes(office)
    kept = file_of(office, tape)

    assert audio.tone_seconds(resident.heard(), NOTICE_HZ) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(phone.heard(), NOTICE_HZ) == 0, "the counselor heard the caller's notice"
    (notice,) = cdr.notices
    assert notice.prompt == "recording-notice"
    assert notice.heard_at is not None
    assert (notice.heard_at - notice.begun_at).total_seconds() == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert notice.heard_at <= cdr.legs[0].offered_at, "a phone was rung for who had not heard it"
    assert [(one.recording, one.agent, one.result) for one in cdr.tapes] == [
        (tape.recording, "201", TapeResult.KEPT),
    ]
    assert seconds(kept, RESIDENT_HZ, COUNSELOR_HZ) == pytest.approx(TALK_S, abs=1.0)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == tape.sha256
    assert tape.duration_s == pytest.approx((tape.ended_at - tape.begun_at).total_seconds(), abs=TOLERANCE_S)
    assert kept.stat().st_mode & 0o077 == 0
    async with asyncio.timeout(PATIENCE_S):
        # It is deleted there in a pass of its own.
        while list(spool.glob(f"{tape.recording}*")):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    listed = await command(office, "recording", "list", "--agent", "201")
    document: dict[str, Any] = json.loads(await read(office, "/api/v1/recordings"))
    metrics = await read(office, "/metrics")
    verified = await command(office, "recording", "verify")
    fetched = tmp_path / "talk.wav"
    await command(office, "recording", "fetch", str(tape.id), str(fetched), "--note", "complaint")
    assert MASKED in listed
    assert [(one["caller"], one["sha256"]) for one in document["recordings"]] == [(MASKED, tape.sha256)]
    assert RESIDENT not in listed + json.dumps(document) + office.daemon.log_text()
    assert 'callrouter_recordings_total{result="kept"} 1.0' in metrics
    assert verified == "1 recordings: 1 as they were\n"
    assert fetched.read_bytes() == kept.read_bytes()
    assert fetched.stat().st_mode & 0o077 == 0

    with kept.open("ab") as file:
        file.write(b"more")
    altered = await asyncio.to_thread(office.daemon.run, "recording", "verify")
    assert (altered.returncode, altered.stdout.splitlines()[0]) == (1, f"recording {tape.id}: {tape.file} is altered")

    await command(office, "recording", "delete", str(tape.id), "--why", "on request")
    again = await asyncio.to_thread(office.daemon.run, "recording", "fetch", str(tape.id), str(fetched))
    assert again.returncode == 1
    assert "was deleted by" in again.stderr
    assert not kept.exists()
    entries = [entry for entry in await audit(office, 2) if entry["kind"] == "recording"]
    assert [(entry["name"], entry["becomes"], entry["via"], entry["note"]) for entry in entries] == [
        (tape.recording, "fetched", "command", "complaint"),
        (tape.recording, "deleted", "command", "on request"),
    ]


async def test_what_is_said_in_a_pause_leaves_silence_as_long_as_it_lasted(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre)
    await people_talk()
    await command(office, "call", "pause-recording", "201")
    await asyncio.sleep(TALK_S)  # a card number
    await command(office, "call", "resume-recording", "201")
    await asyncio.sleep(TALK_S)
    await resident.hang_up()
    cdr = await office.cdr()
    (tape,) = await tapes(office)

    (mute,) = tape.muted
    paused_s = (mute.until - mute.since).total_seconds()
    assert (mute.why, paused_s > TALK_S) == (MuteReason.PAUSED, True)
    assert mute.who.endswith(", via command")
    kept, length_s = file_of(office, tape), tape.duration_s or 0.0
    assert length_s == pytest.approx((tape.ended_at - tape.begun_at).total_seconds(), abs=TOLERANCE_S)
    assert length_s - audio.sound_seconds(kept) == pytest.approx(paused_s, abs=TOLERANCE_S)
    assert seconds(kept, RESIDENT_HZ, COUNSELOR_HZ) == pytest.approx(length_s - paused_s, abs=TOLERANCE_S)
    assert seconds(phone.heard(), RESIDENT_HZ) == pytest.approx(length_s, abs=1.0), "the two were heard all the time"
    assert "paused once" in cdr.explanation


async def test_the_counselor_pauses_with_a_key_and_he_alone_hears_so(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre)
    await press(phone, PAUSE)
    await asyncio.sleep(TALK_S)  # a card number
    await press(phone, PAUSE)
    await asyncio.sleep(TALK_S)
    await resident.hang_up()
    (tape,) = await tapes(office)

    assert [(mute.why, mute.who) for mute in tape.muted] == [(MuteReason.PAUSED, "201, via phone")]
    kept = file_of(office, tape)
    for tone_hz in (PAUSED_HZ, RESUMED_HZ):
        assert audio.tone_seconds(phone.heard(), tone_hz) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
        assert audio.tone_seconds(resident.heard(), tone_hz) == 0
        assert audio.tone_seconds(kept, tone_hz) == 0
    # While the key itself is pressed nothing is written at all: the silence is shorter by that.
    assert (tape.duration_s or 0.0) - audio.sound_seconds(kept) == pytest.approx(TALK_S, abs=1.0)


async def test_nothing_is_recorded_where_no_rule_says_so(
    caller: People, counselor: People, centre: MakeCentre, spool: Path
) -> None:
    before = set(spool.iterdir())
    office, resident, phone = await a_talk(caller, counselor, centre, edit=None)
    await press(phone, PAUSE)
    await people_talk()
    await resident.hang_up()
    cdr = await office.cdr()

    assert (cdr.notices, cdr.tapes, await tapes(office, 0)) == ((), (), [])
    assert set(spool.iterdir()) == before
    assert audio.tone_seconds(resident.heard(), NOTICE_HZ) == 0
    assert audio.tone_seconds(phone.heard(), PROMPT_HZ["call-refused"]) > 0, "there was nothing to pause"


async def test_a_pause_outlives_the_daemon_and_what_follows_is_in_the_same_file(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre)
    await people_talk()
    asked_s = time.monotonic()
    await command(office, "call", "pause-recording", "201")
    paused_s = time.monotonic()
    await office.kill()
    await office.restart()
    await office.until_call("connected")
    await asyncio.sleep(TALK_S)  # a card number
    goes_on_s = time.monotonic()
    await command(office, "call", "resume-recording", "201")
    least_s, most_s = goes_on_s - paused_s, time.monotonic() - asked_s
    await asyncio.sleep(TALK_S)
    await resident.hang_up()
    await phone.closed()
    cdr = await office.cdr()
    (tape,) = await tapes(office)

    assert cdr.outcome is Outcome.HANDLED
    assert [mute.why for mute in tape.muted] == [MuteReason.PAUSED]
    kept = file_of(office, tape)
    silent_s = (tape.duration_s or 0.0) - audio.sound_seconds(kept)
    assert least_s - TOLERANCE_S <= silent_s <= most_s + TOLERANCE_S
    assert seconds(kept, RESIDENT_HZ, COUNSELOR_HZ) >= 2 * TALK_S - TOLERANCE_S


async def test_what_ended_while_the_daemon_was_dead_is_ended_and_kept(
    caller: People, counselor: People, centre: MakeCentre, spool: Path
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre)
    await people_talk()
    await office.kill()
    await resident.hang_up()
    await asyncio.sleep(TALK_S)  # the counselor is alone in the bridge
    await office.restart()
    await phone.closed()
    (tape,) = await tapes(office)

    assert seconds(file_of(office, tape), RESIDENT_HZ, COUNSELOR_HZ) == pytest.approx(TALK_S, abs=1.0)
    async with asyncio.timeout(PATIENCE_S):
        # It is deleted there in a pass of its own.
        while list(spool.glob(f"{tape.recording}*")):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


async def test_a_daemon_that_dies_during_the_notice_has_it_played_anew(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), edit=recorded)
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=COUNSELOR_HZ)
    await resident.dial("120")
    await resident.established()
    await office.until_call("announcing")
    await asyncio.sleep(PROMPT_S + 0.5)  # the welcome is over, and half of the notice
    await office.kill()
    await office.restart()
    await answers(phone)
    await office.until_call("connected")
    await people_talk()
    await resident.hang_up()
    cdr = await office.cdr()
    await tapes(office)

    assert [notice.heard_at is not None for notice in cdr.notices] == [False, True]
    assert audio.tone_seconds(resident.heard(), NOTICE_HZ) > PROMPT_S + 0.2


@pytest.fixture
def no_bridge_media(lab_asterisk: LabAsterisk) -> Iterator[None]:
    """An Asterisk without the module that records bridges."""
    lab_asterisk.cli("module unload chan_bridge_media.so")
    yield
    lab_asterisk.cli("module load chan_bridge_media.so")


@pytest.mark.usefixtures("no_bridge_media")
async def test_an_asterisk_without_the_module_records_nothing_and_says_so(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre)
    await people_talk()
    await resident.hang_up()
    await phone.closed()
    (tape,) = (await office.cdr()).tapes

    assert (tape.result, tape.why) == (TapeResult.FAILED, "Asterisk refused to record (500)")
    assert seconds(phone.heard(), RESIDENT_HZ) == pytest.approx(TALK_S, abs=1.0)


async def test_where_asterisk_cannot_record_they_talk_all_the_same(
    caller: People, counselor: People, centre: MakeCentre, spool: Path
) -> None:
    shutil.rmtree(spool)
    spool.touch()
    office, resident, phone = await a_talk(caller, counselor, centre)
    await people_talk()
    await resident.hang_up()
    cdr = await office.cdr()
    (tape,) = await tapes(office, until=lambda one: one.deleted_at)

    assert seconds(phone.heard(), RESIDENT_HZ) == pytest.approx(TALK_S, abs=1.0)
    assert (cdr.outcome, [one.result for one in cdr.tapes]) == (Outcome.HANDLED, [TapeResult.FAILED])
    assert (tape.result, tape.file) == (TapeResult.FAILED, None)
    assert '"exchange.tape-failed"' in office.daemon.log_text()


async def test_who_could_not_hear_the_notice_is_not_recorded(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk, spool: Path
) -> None:
    before = set(spool.iterdir())
    sound = lab_asterisk.sounds_dir / "callrouter" / "recording-notice.wav"
    elsewhere = sound.rename(sound.with_suffix(".gone"))
    try:
        office, resident, phone = await a_talk(caller, counselor, centre)
    finally:
        elsewhere.rename(sound)
    await people_talk()
    await resident.hang_up()
    await phone.closed()
    cdr = await office.cdr()

    assert ([notice.heard_at for notice in cdr.notices], cdr.tapes) == ([None], ())
    assert "not recorded: the caller has not heard the notice recording-notice to its end" in cdr.explanation
    assert set(spool.iterdir()) == before


async def test_who_is_passed_on_has_a_recording_with_each_counselor_and_none_while_he_hears_music(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre, agents=("201", "202"))
    second = await counselor("202", tone_hz=SECOND_HZ)
    await people_talk()
    await command(office, "call", "consult", "201", "202")
    await answers(second)
    await asyncio.sleep(TALK_S)  # the two counselors talk
    await command(office, "call", "complete", "201")
    await first.closed()
    await asyncio.sleep(TALK_S)
    await resident.hang_up()
    await second.closed()
    one, other = await tapes(office, 2)

    assert [(tape.agent, tape.why) for tape in (one, other)] == [
        ("201", "passed on"),
        ("202", "the conversation ended"),
    ]
    assert [mute.why for mute in one.muted] == [MuteReason.HELD]
    assert seconds(file_of(office, one), SECOND_HZ) == 0, "a consultation was recorded"
    (held,) = one.muted
    talked_s = (held.since - one.begun_at).total_seconds()
    assert seconds(file_of(office, one), RESIDENT_HZ, COUNSELOR_HZ) == pytest.approx(talked_s, abs=0.6)
    talked_s = (other.ended_at - other.begun_at).total_seconds()
    assert seconds(file_of(office, other), RESIDENT_HZ, SECOND_HZ) == pytest.approx(talked_s, abs=0.6)


async def test_a_recording_is_deleted_when_its_time_has_come(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre, edit=lambda config: recorded(config, "1d"))
    await people_talk()
    await resident.hang_up()
    await phone.closed()
    (tape,) = await tapes(office)
    kept = file_of(office, tape)
    assert kept.exists()

    await office.kill()
    await office.restart(at=datetime.fromisoformat(TUESDAY_MORNING) + timedelta(days=1, minutes=5))
    (gone,) = await tapes(office, until=lambda one: one.deleted_at)

    assert not kept.exists()
    assert (gone.deleted_by, gone.sha256) == ("retention", tape.sha256)
    assert gone.deleted_why is not None
    assert gone.deleted_why.startswith("kept until 2026-11-25")


def supervised(config: Path) -> None:
    recorded(config)
    supervisors(config)


@pytest.mark.parametrize(("mode", "is_recorded"), [("whisper", False), ("barge", True)])
async def test_a_supervisor_is_recorded_only_where_the_caller_hears_him(
    caller: People, counselor: People, centre: MakeCentre, mode: str, *, is_recorded: bool
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre, edit=supervised)
    supervisor = await counselor("202", tone_hz=SECOND_HZ)
    await Talk(office, resident, phone, supervisor).let_hear(mode)
    await people_talk()
    await supervisor.hang_up()
    await resident.hang_up()
    (tape,) = await tapes(office)

    assert (seconds(file_of(office, tape), SECOND_HZ) >= TALK_S / 2) is is_recorded
    assert seconds(file_of(office, tape), RESIDENT_HZ) >= TALK_S


def assert_as_recorded(office: Centre, tape: Recording, *tones_hz: float) -> None:
    """The file is what was stored, as long as it says, and these are heard together whenever it is not silent."""
    kept = file_of(office, tape)
    assert tape.result is TapeResult.KEPT
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == tape.sha256
    length_s = (tape.ended_at - tape.begun_at).total_seconds()
    silent_s = sum((mute.until - mute.since).total_seconds() for mute in tape.muted)
    assert tape.duration_s is not None
    assert tape.duration_s == pytest.approx(length_s, abs=TOLERANCE_S)
    assert seconds(kept, *tones_hz) == pytest.approx(length_s - silent_s, abs=2 * TOLERANCE_S)


@pytest.mark.parametrize("dies", [False, True], ids=["the daemon lives", "the daemon dies in between"])
async def test_who_is_passed_on_by_the_second_line_has_a_recording_with_each_and_no_word_of_what_the_two_said(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre, dies: bool
) -> None:
    office = await centre(agents=("201", "202"), edit=recorded)
    resident, first = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await desk("201", tone_hz=FIRST_HZ)
    line = await a_line_answered(resident, first, office)
    await people_talk()
    await line.hold()
    asked, second = await a_colleague_asked(first, counselor, office)
    await people_talk()  # about the caller
    if dies:
        await office.kill()
        await office.restart()
        await office.until("the colleague is known", lambda now: [c["invited"] for c in now["calls"]] == ["202"])
    await line.transfer_to(asked)
    assert await line.transferred() == "200 OK"
    await asyncio.gather(line.closed(), asked.closed())
    await people_talk()
    await resident.hang_up()
    await second.closed()
    one, other = await tapes(office, 2)
    cdr = await office.cdr()

    assert [(tape.agent, tape.why) for tape in (one, other)] == [
        ("201", "passed on"),
        ("202", "the conversation ended"),
    ]
    assert [tape.recording for tape in cdr.tapes] == [one.recording, other.recording]
    assert [mute.why for mute in one.muted] == [MuteReason.HELD]
    assert_as_recorded(office, one, RESIDENT_HZ, FIRST_HZ)
    assert_as_recorded(office, other, RESIDENT_HZ, SECOND_HZ)
    assert seconds(file_of(office, one), SECOND_HZ) == 0, "a consultation was recorded"


async def test_a_recording_goes_on_while_the_network_to_asterisk_is_away(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk, spool: Path
) -> None:
    """Twice: once both talk on, and nobody can pause; once the resident hangs up meanwhile."""
    async with Wire(lab_asterisk.http_port) as wire:
        office = await centre(agents=("201",), edit=recorded, settings={"ARI_URL": wire.url}, wrap_up="0s")
        resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=COUNSELOR_HZ)
        before = set(spool.iterdir())
        await office.talk(resident, phone)
        async with asyncio.timeout(PATIENCE_S):
            # They are connected a moment before Asterisk has been told to record them.
            while not set(spool.iterdir()) - before:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
        await wire.cut()
        await office.until("Asterisk is away", lambda now: not now["ready"])
        refused = await asyncio.to_thread(office.daemon.run, "call", "pause-recording", "201")
        await people_talk()
        await wire.mend()
        await office.until("Asterisk is back", lambda now: now["ready"])
        await people_talk()
        await resident.hang_up()
        await phone.closed()
        await tapes(office)
        await office.until_agent("201", "available")

        await office.talk(resident, phone)
        await people_talk()
        await wire.cut()
        await office.until("Asterisk is away", lambda now: not now["ready"])
        await resident.hang_up()
        await wire.mend()
        await phone.closed()
        talked_on, hung_up = await tapes(office, 2)
        first, second = await office.cdrs(2)

    assert refused.returncode == 1
    assert "cannot be reached" in refused.stdout + refused.stderr
    assert [len(first.tapes), len(second.tapes)] == [1, 1]
    assert_as_recorded(office, talked_on, RESIDENT_HZ, COUNSELOR_HZ)
    assert talked_on.duration_s is not None
    assert talked_on.duration_s >= 2 * TALK_S
    assert seconds(file_of(office, hung_up), RESIDENT_HZ, COUNSELOR_HZ) >= TALK_S - TOLERANCE_S
    assert hashlib.sha256(file_of(office, hung_up).read_bytes()).hexdigest() == hung_up.sha256
    assert "ended_at is an estimate" in second.explanation


async def test_a_daemon_that_dies_as_a_recording_begins_leaves_one_that_is_whole(
    caller: People, counselor: People, centre: MakeCentre, spool: Path
) -> None:
    """The journal may have lost that it was begun: then the next daemon asks for it by the same name."""
    office, resident, phone = await a_talk(caller, counselor, centre)
    await office.kill_in_the_act()
    await office.restart()
    await office.until_call("connected")
    await people_talk()
    await resident.hang_up()
    await phone.closed()
    (tape,) = await tapes(office)
    cdr = await office.cdr()

    assert [one.recording for one in cdr.tapes] == [tape.recording]
    assert hashlib.sha256(file_of(office, tape).read_bytes()).hexdigest() == tape.sha256
    assert seconds(file_of(office, tape), RESIDENT_HZ, COUNSELOR_HZ) >= TALK_S - TOLERANCE_S
    async with asyncio.timeout(PATIENCE_S):
        # It is deleted there in a pass of its own.
        while list(spool.glob(f"{cdr.call_id}*")):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
