"""Calls to duty desks and mobiles: destinations tried in order, a trunk group, and the key that takes the call."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from callrouter.core.cdr import Disposition, OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.testing import MUSIC_HZ, PROMPT_HZ, PROMPT_S, RING_BACK_HZ
from tests.acceptance.centre import Centre, MakeCentre, People

pytestmark = pytest.mark.asterisk

RESIDENT, MOBILE = "0552251234", "01098765432"
RESIDENT_HZ, DUTY_HZ = 1100.0, 1300.0
SHOWN = "0552111120"
RING_S, KEY_S = 1.5, 4.0
TALK_S, ENOUGH_S, TOLERANCE_S = 1.5, 0.8, 0.25
WAITS_S = 8.0
"""For what comes after a destination has rung in vain, or a key was waited for."""

# The tests' Asterisk has a tone for each of these prompts; `waiting` stands for the question that asks for the key.
TRUNKS = f"""\
trunks:
  carrier: {{title: 국선, channels: CHANNELS, caller_id: "{SHOWN}"}}
destinations:
  desk: {{title: 당직실, endpoint: PJSIP/202, ring_timeout: {RING_S:g}s}}
  mobile: {{title: 당직 휴대전화, number: "{MOBILE}", trunk: carrier, ring_timeout: 4s}}
  situation: {{title: 재난상황실, endpoint: PJSIP/203, ring_timeout: {RING_S:g}s}}
"""

DUTY = f"""\
routes:
  - id: duty
    when: {{not: {{region: gimhae}}}}
    do:
      - announce: closed
      - dial: [desk, mobile, situation]
        confirm: waiting
        confirm_timeout: {KEY_S:g}s
      - announce: all-busy
      - hangup
"""


def duty_list(dial: str = DUTY, *, channels: int = 2) -> Callable[[Path], None]:
    """Put the duty list in front of the sample's routes."""

    def edit(config: Path) -> None:
        (config / "trunks.yaml").write_text(TRUNKS.replace("CHANNELS", str(channels)), encoding="utf-8")
        routes = config / "routes.yaml"
        rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
        routes.write_text(dial + rest, encoding="utf-8")

    return edit


def attempts(cdr: object) -> list[tuple[str, OfferResult]]:
    """Whom a call was offered to, and what became of it."""
    return [(leg.destination, leg.result) for leg in cdr.legs]  # type: ignore[attr-defined]


async def key_is_asked(office: Centre) -> None:
    await office.until(
        "who answers is asked for the key", lambda now: [c["state"] for c in now["calls"]] == ["confirming"]
    )


async def test_the_duty_mobile_takes_the_call_with_a_key_after_the_desk_has_rung_in_vain(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty_list())
    resident, desk = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("202")
    mobile = await outside(MOBILE, tone_hz=DUTY_HZ)

    await resident.dial("120")
    await desk.incoming()
    await desk.closed()
    await mobile.incoming()
    await mobile.accept()
    await mobile.established()
    await key_is_asked(office)
    await asyncio.sleep(PROMPT_S)  # listening to the question
    await mobile.press("5")  # not the key
    await mobile.press("1")
    await office.until_call("connected")
    await asyncio.sleep(TALK_S)  # people talking, not waiting for an event
    await resident.hang_up()
    await mobile.closed(timeout_s=2)

    assert mobile.shows().number == SHOWN
    assert audio.tone_seconds(mobile.heard(), PROMPT_HZ["waiting"]) >= ENOUGH_S
    assert audio.tone_seconds(mobile.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), DUTY_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["waiting"]) == 0, "the question is not the resident's"
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.disposition, cdr.released_by) == (Outcome.HANDLED, Disposition.ANSWERED, ReleasedBy.CALLER)
    assert (cdr.destination, cdr.agent, cdr.queue, cdr.trunk) == ("mobile", None, None, "carrier")
    assert attempts(cdr) == [("desk", OfferResult.NO_ANSWER), ("mobile", OfferResult.ANSWERED)]
    assert cdr.talk_s == pytest.approx(TALK_S, abs=1.0)


async def test_a_resident_who_was_greeted_hears_ringing_while_the_duty_phone_rings(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty_list())
    resident, desk = await caller(RESIDENT), await counselor("202")

    await resident.dial("120")
    await desk.incoming()
    await asyncio.sleep(RING_S - 0.3)  # hearing it ring
    await resident.hang_up()
    await desk.closed(timeout_s=2)

    assert audio.tone_seconds(resident.heard(), *RING_BACK_HZ) >= ENOUGH_S
    cdr = await office.cdr()
    assert (cdr.outcome, attempts(cdr)) == (Outcome.ABANDONED, [("desk", OfferResult.CALLER_GONE)])


async def test_an_answering_machine_takes_no_call_and_who_finds_nobody_is_told_so(
    caller: People, outside: People, centre: MakeCentre
) -> None:
    """The desk's and the situation room's phones are off; the mobile's mailbox answers and presses nothing."""
    office = await centre(edit=duty_list())
    resident, mobile = await caller(RESIDENT), await outside(MOBILE, tone_hz=DUTY_HZ)

    await resident.dial("120")
    await mobile.incoming()
    await mobile.accept()
    await mobile.established()
    await mobile.closed(timeout_s=WAITS_S)
    await resident.closed(timeout_s=WAITS_S)

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["all-busy"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(resident.heard(), DUTY_HZ) == 0, "the resident talked to a machine"
    assert audio.tone_seconds(mobile.heard(), PROMPT_HZ["waiting"]) >= ENOUGH_S
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by, cdr.destination) == (Outcome.OVERFLOWED, ReleasedBy.SYSTEM, None)
    assert attempts(cdr) == [
        ("desk", OfferResult.UNREACHABLE),
        ("mobile", OfferResult.NOT_CONFIRMED),
        ("situation", OfferResult.UNREACHABLE),
    ]


async def test_a_destination_behind_a_full_trunk_group_is_passed_over(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    straight = DUTY.replace("[desk, mobile, situation]", "[mobile, situation]").replace("confirm", "#confirm")
    office = await centre(edit=duty_list(straight, channels=3))  # two callers, and one call out
    first, second = await caller(RESIDENT), await caller("0552873000")
    mobile, situation = await outside(MOBILE), await counselor("203")

    await first.dial("120")
    await mobile.incoming()
    await mobile.accept()
    await office.until_call("connected")
    await second.dial("120")
    await situation.incoming()
    await situation.accept()
    await situation.established()
    await office.until_connected(2)
    await second.hang_up()
    await first.hang_up()

    one, two = await office.cdrs(2)
    assert (one.destination, one.trunk) == ("mobile", "carrier")
    assert attempts(two) == [("mobile", OfferResult.CONGESTION), ("situation", OfferResult.ANSWERED)]
    status = await office.until("the trunk is free", lambda now: now["trunks"][0]["in_use"] == 0)
    assert status["calls"] == []


async def test_music_instead_of_ringing_ends_when_the_duty_desk_answers(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    musical = DUTY.replace("confirm: waiting", "music: default").replace("confirm_timeout", "#confirm_timeout")
    office = await centre(edit=duty_list(musical))
    resident, desk = await caller(RESIDENT), await counselor("202", tone_hz=DUTY_HZ)

    await resident.dial("120")
    await desk.incoming()
    await asyncio.sleep(RING_S - 0.4)  # listening to the music
    await desk.accept()
    await office.until_call("connected")
    await asyncio.sleep(TALK_S)  # listening to the desk
    await desk.hang_up()
    await resident.closed(timeout_s=2)

    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) >= ENOUGH_S / 2
    assert audio.tone_seconds(resident.heard(), DUTY_HZ) >= ENOUGH_S
    cdr = await office.cdr()
    assert (cdr.destination, cdr.released_by, cdr.trunk) == ("desk", ReleasedBy.AGENT, None)


async def test_the_next_daemon_asks_for_the_key_anew_and_goes_on_with_those_who_talk(
    caller: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty_list(DUTY.replace("[desk, mobile, situation]", "mobile")))
    resident, mobile = await caller(RESIDENT), await outside(MOBILE)

    await resident.dial("120")
    await mobile.incoming()
    await mobile.accept()
    await key_is_asked(office)
    await office.kill()
    await office.restart()
    await key_is_asked(office)
    await mobile.press("1")
    await office.until_call("connected")
    await office.kill()
    await office.restart()
    await office.until_call("connected")
    await mobile.hang_up()
    await resident.closed(timeout_s=4)

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.destination, cdr.released_by) == (Outcome.HANDLED, "mobile", ReleasedBy.AGENT)
    await office.until("the trunk is free", lambda now: now["trunks"][0]["in_use"] == 0)
