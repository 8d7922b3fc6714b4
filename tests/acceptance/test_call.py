"""A resident dials 120 and talks to a counselor: the daemon's main job, on a real Asterisk."""

import asyncio
from pathlib import Path

import pytest

from callrouter.core.cdr import Disposition, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import INCOMING
from lab.testing import MUSIC_HZ, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import TUESDAY_EVENING, TUESDAY_MORNING, MakeCentre, People

pytestmark = pytest.mark.asterisk


CHANGWON = "0552251234"
JINJU = "0557421234"
MOBILE = "01012345678"
RESIDENT_HZ = 1100.0
COUNSELOR_HZ = 1300.0
TALK_S = 2.0
ENOUGH_S = 1.5
TOLERANCE_S = 0.25


async def test_a_resident_and_a_counselor_hear_each_other(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    await centre(agents=("201",))
    resident = await caller(CHANGWON, tone_hz=RESIDENT_HZ)
    phone = await counselor("201", tone_hz=COUNSELOR_HZ)

    await resident.dial("120")
    await phone.incoming()
    await phone.accept()
    await phone.established()
    await asyncio.sleep(TALK_S)  # people talking, not waiting for an event
    await resident.hang_up()
    await phone.closed(timeout_s=2)
    await resident.closed()

    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S
    assert audio.tone_seconds(phone.heard(), COUNSELOR_HZ) == 0, "the counselor hears himself"
    assert audio.tone_seconds(resident.heard(), RESIDENT_HZ) == 0, "the resident hears himself"


@pytest.mark.parametrize(
    ("number", "clock", "rule", "prompt"),
    [
        (CHANGWON, TUESDAY_MORNING, "changwon-day", "changwon-welcome"),
        (CHANGWON, TUESDAY_EVENING, "changwon-night", "changwon-night-welcome"),
        (JINJU, TUESDAY_MORNING, "gyeongnam-day", "welcome"),
        (JINJU, TUESDAY_EVENING, "gyeongnam-night", "night-welcome"),
        (MOBILE, TUESDAY_MORNING, "gyeongnam-day", "welcome"),
        ("anonymous", TUESDAY_MORNING, "gyeongnam-day", "welcome"),
    ],
)
async def test_region_and_time_of_day_decide_who_greets_the_resident(
    caller: People, counselor: People, centre: MakeCentre, number: str, clock: str, rule: str, prompt: str
) -> None:
    office = await centre(agents=("201",), clock=clock)
    resident, phone = await caller(number), await counselor("201")

    await resident.dial("120")
    await phone.incoming()
    await resident.hang_up()
    await resident.closed()

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ[prompt]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    cdr = await office.cdr()
    assert cdr.rule == rule
    assert cdr.caller == number
    assert f"> {rule} [routes.yaml:" in cdr.explanation


@pytest.mark.parametrize(
    ("number", "region", "title"),
    [(CHANGWON, "changwon", "창원"), (JINJU, "jinju", "진주"), (MOBILE, "gyeongnam", "경남")],
)
async def test_the_counselors_phone_shows_where_the_call_comes_from(
    caller: People, counselor: People, centre: MakeCentre, number: str, region: str, title: str
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(number, display_name="Someone"), await counselor("201")

    await resident.dial("120")
    ringing = await phone.incoming()
    await resident.hang_up()
    await phone.closed()

    assert f"sip:{number}@" in ringing.peer
    assert f'From: "{title}" <sip:{number}@' in phone.trace()
    assert (await office.cdr()).region == region


async def test_waiting_ringing_and_talking_add_up_in_the_record(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(CHANGWON), await counselor("201")

    await resident.dial("120")
    await phone.incoming()
    await asyncio.sleep(0.7)  # the counselor lets it ring
    await phone.accept()
    await phone.established()
    await asyncio.sleep(1.2)  # people talking
    await resident.hang_up()
    await phone.closed()

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.disposition) == (Outcome.HANDLED, Disposition.ANSWERED)
    assert (cdr.released_by, cdr.hangup_cause) == (ReleasedBy.CALLER, 16)
    assert (cdr.agent, cdr.queue, cdr.tenant, cdr.site) == ("201", "changwon", "changwon", "gyeongnam")
    assert cdr.wait_s == pytest.approx(PROMPT_S, abs=0.5)
    assert cdr.ring_s == pytest.approx(0.7, abs=0.3)
    assert cdr.talk_s == pytest.approx(1.2, abs=0.4)
    whole_s = (cdr.ended_at - cdr.started_at).total_seconds()
    assert cdr.wait_s + cdr.ring_s + cdr.talk_s == pytest.approx(whole_s, abs=0.0005)
    (leg,) = cdr.legs
    assert leg.rang_at is not None
    assert leg.answered_at == cdr.answered_at


async def test_a_counselor_who_hangs_up_ends_the_call(caller: People, counselor: People, centre: MakeCentre) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(CHANGWON), await counselor("201")

    await resident.dial("120")
    await phone.incoming()
    await phone.accept()
    await phone.established()
    await office.until_call("connected")
    await phone.hang_up()
    await resident.closed(timeout_s=2)

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.AGENT)


async def test_after_wrap_up_the_counselor_gets_the_next_call(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), wrap_up="2s")
    first, second, phone = await caller(CHANGWON), await caller(JINJU), await counselor("201")

    await first.dial("120")
    await phone.incoming()
    await phone.accept()
    await phone.established()
    await second.dial("120")
    await office.until_waiting(1)
    await first.hang_up()
    await office.until_agent("201", "wrap-up")
    assert not phone.seen(INCOMING), "the phone rings during wrap-up"
    assert JINJU in (await phone.incoming(timeout_s=5)).peer
    await second.hang_up()

    earlier, later = await office.cdrs(2)
    pause_s = (later.legs[0].offered_at - earlier.ended_at).total_seconds()
    assert pause_s == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize(
    "clock",
    [
        pytest.param("2026-11-28T11:00", id="a Saturday"),
        pytest.param("2026-11-24T22:00", id="after ten at night"),
        pytest.param("2026-12-25T10:00", id="Christmas, a Friday"),
        pytest.param("2027-02-09T12:00", id="the substitute holiday of a Seollal on a Sunday"),
    ],
)
async def test_in_closed_hours_the_resident_is_told_so_and_the_line_is_closed(
    caller: People, counselor: People, centre: MakeCentre, clock: str
) -> None:
    office = await centre(agents=("201",), clock=clock)
    resident, phone = await caller(CHANGWON), await counselor("201")

    await resident.dial("120")
    await resident.established()
    ended = await resident.closed(timeout_s=PROMPT_S + 3)

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["closed"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert not phone.seen(INCOMING)
    assert "error" not in ended.reason.lower()
    cdr = await office.cdr()
    assert (cdr.rule, cdr.outcome, cdr.released_by) == ("closed", Outcome.CLOSED, ReleasedBy.SYSTEM)
    assert cdr.agent is None


def all_night(config: Path) -> None:
    """Have the night shift stay until the morning."""
    calendars = config / "calendars.yaml"
    text = calendars.read_text(encoding="utf-8")
    assert "open: mon-fri 18:00-22:00" in text
    calendars.write_text(text.replace("open: mon-fri 18:00-22:00", "open: mon-fri 18:00-09:00"), encoding="utf-8")


@pytest.mark.parametrize(
    ("clock", "rule", "rings"),
    [
        pytest.param("2026-11-28T02:00", "changwon-night", True, id="Saturday: Friday's night goes on"),
        pytest.param("2026-11-30T02:00", "closed", False, id="Monday: no night began on Sunday"),
    ],
)
async def test_a_night_belongs_to_the_day_on_which_it_began(
    caller: People, counselor: People, centre: MakeCentre, clock: str, rule: str, rings: bool
) -> None:
    office = await centre(agents=("201",), clock=clock, edit=all_night)
    resident, phone = await caller(CHANGWON), await counselor("201")

    await resident.dial("120")
    if rings:
        await phone.incoming()
        await resident.hang_up()
    await resident.closed(timeout_s=PROMPT_S + 3)

    assert rings or not phone.seen(INCOMING)
    assert (await office.cdr()).rule == rule


async def test_a_resident_who_waits_hears_music(caller: People, centre: MakeCentre) -> None:
    office = await centre(agents=("201",))  # whose phone is not registered
    resident = await caller(CHANGWON)

    await resident.dial("120")
    await office.until_waiting(1)
    await asyncio.sleep(TALK_S)  # listening
    await resident.hang_up()
    await resident.closed()

    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) >= ENOUGH_S


async def test_an_announcement_spoken_in_korean_is_heard(
    caller: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    recorded = lab_asterisk.sounds_dir / "callrouter/closed.wav"
    aside = recorded.with_name("aside")
    tone = recorded.rename(aside)
    try:
        office = await centre(clock="2026-11-28T11:00")
        spoken = await asyncio.to_thread(office.daemon.run, "prompts")
        resident = await caller(CHANGWON)
        await resident.dial("120")
        await resident.closed(timeout_s=30)
        heard_s = audio.sound_seconds(resident.heard())
        tone_s = audio.tone_seconds(resident.heard(), PROMPT_HZ["closed"])
        text_s = audio.sound_seconds(recorded)
    finally:
        tone.replace(recorded)

    assert spoken.returncode == 0, spoken.stderr
    states = {line.split()[0]: line for line in spoken.stdout.splitlines()}
    assert "spoken" in states["closed"]
    assert "recorded by people" in states["welcome"], "the tone that stands for a recording was taken away"
    assert text_s > 5, "three sentences take longer"
    assert heard_s == pytest.approx(text_s, rel=0.1)
    assert tone_s < TOLERANCE_S
