"""Keys, hold, transfers, conferences, codes and recordings, where counselor and caller are at two real Asterisks."""

import asyncio
from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult
from callrouter.core.tapes import MuteReason, TapeResult
from lab import audio
from lab.baresip import Baresip
from lab.testing import MUSIC_HZ
from tests.acceptance.centre import MakeCentre, edit
from tests.acceptance.crossing.conftest import CHANGWON, PROVINCE, TRUNK, Phone, Sites, nothing_is_left
from tests.acceptance.ordering import hears

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
FIRE = "test-119"
"""As the sample dials it."""
RESIDENT_HZ, FIRST_HZ, SECOND_HZ = 1100.0, 1300.0, 1500.0
TALK_S, ENOUGH_S = 1.2, 0.6
PASSPORT = "*301"


def recorded_with_codes(config: Path) -> None:
    """Have Changwon's conversations recorded, and a code for what a call was about."""
    rules = (
        f'    recording: {{notice: recording-notice, retention: 60d}}\n    wrap_up_codes: {{"{PASSPORT}": passport}}\n'
    )
    edit(config / "queues.yaml", r"^  changwon:\n", rf"\g<0>{rules}")


async def press(phone: Baresip, keys: str) -> None:
    for key in keys:
        await phone.press(key)


async def accept(phone: Baresip) -> None:
    await phone.incoming()
    await phone.accept()
    await phone.established()


def chord(phone: Baresip, *tones_hz: float) -> float:
    return audio.chord_seconds(phone.heard(), *tones_hz)


def tone(phone: Baresip, tone_hz: float) -> float:
    return audio.tone_seconds(phone.heard(), tone_hz)


async def test_the_keys_and_codes_of_a_phone_at_the_other_site_do_what_they_do_here(
    office: MakeCentre, caller: Phone, phone: Phone, outside: Phone, sites: Sites
) -> None:
    centre = await office(("301",), wrap_up="60s", edit=recorded_with_codes)
    resident, counselor = await caller(PROVINCE, RESIDENT, tone_hz=RESIDENT_HZ), await phone(CHANGWON, "301")
    fire = await outside(FIRE)
    await hears(counselor, "*12", "agent-paused")
    await hears(counselor, "*12", "agent-ready")
    await centre.until_agent("301", "available")
    await centre.talk(resident, counselor)

    await press(counselor, "*3")
    await centre.until("the caller is on hold", lambda now: [c["held"] for c in now["calls"]] == [True])
    await asyncio.sleep(TALK_S)  # the counselor looks something up
    await press(counselor, "*3")
    await centre.until("the caller is back", lambda now: [c["held"] for c in now["calls"]] == [False])
    await press(counselor, "*90")
    await asyncio.sleep(TALK_S)  # the resident tells what nobody is to keep
    await press(counselor, "*90")
    await asyncio.sleep(TALK_S)  # people talking
    await press(counselor, "*119")
    await accept(fire)
    await counselor.closed()
    await centre.until_agent("301", "wrap-up")
    await hears(counselor, PASSPORT, "agent-noted")
    await resident.hang_up()
    await fire.closed()

    assert tone(resident, MUSIC_HZ) >= ENOUGH_S
    cdr = await centre.cdr()
    assert [(leg.agent, leg.destination, leg.trunk) for leg in cdr.legs] == [
        ("301", None, TRUNK),
        (None, "fire", "carrier"),
    ]
    (tape,) = cdr.tapes
    assert (tape.agent, tape.result) == ("301", TapeResult.KEPT)
    assert [mute.why for mute in tape.muted][:2] == [MuteReason.HELD, MuteReason.PAUSED]
    await nothing_is_left(centre, sites)


async def test_a_caller_is_passed_on_from_site_to_site_and_three_of_two_sites_talk(
    office: MakeCentre, caller: Phone, phone: Phone, sites: Sites
) -> None:
    centre = await office(("201", "301", "302"), wrap_up="200ms", edit=recorded_with_codes)
    resident = await caller(PROVINCE, RESIDENT, tone_hz=RESIDENT_HZ)
    here = await phone(PROVINCE, "201", tone_hz=FIRST_HZ)
    await centre.talk(resident, here)
    there, colleague = await phone(CHANGWON, "301", tone_hz=SECOND_HZ), await phone(CHANGWON, "302", tone_hz=FIRST_HZ)

    await here.transfer("301")  # REFER, from here to there
    await accept(there)
    await here.closed()
    await there.transfer("302")  # from there, over here, to there
    await accept(colleague)
    await there.closed()
    await centre.until_agent("301", "available")
    await press(colleague, "*4301#")  # asks the first again, while the caller hears music
    await accept(there)
    await asyncio.sleep(TALK_S)  # the two talk about the caller
    await colleague.hang_up()
    await centre.until("the caller is with him", lambda now: [c["agent"] for c in now["calls"]] == ["301"])
    await centre.until_agent("201", "available")
    await press(there, "*5201#")
    await accept(here)
    await asyncio.sleep(TALK_S)  # three talk
    await there.hold()
    await centre.until("a phone holds", lambda now: [c["held"] for c in now["calls"]] == [True])
    await there.resume()
    await centre.until("no phone holds", lambda now: [c["held"] for c in now["calls"]] == [False])
    await resident.hang_up()
    await here.closed()
    await there.closed()

    assert chord(resident, FIRST_HZ, SECOND_HZ) >= ENOUGH_S
    assert chord(there, RESIDENT_HZ, FIRST_HZ) >= ENOUGH_S
    assert chord(here, RESIDENT_HZ, SECOND_HZ) >= ENOUGH_S
    assert tone(colleague, SECOND_HZ) >= ENOUGH_S
    cdr = await centre.cdr()
    assert [(leg.agent, leg.trunk, leg.far_site, leg.result) for leg in cdr.legs] == [
        ("201", None, None, OfferResult.ANSWERED),
        ("301", TRUNK, CHANGWON, OfferResult.ANSWERED),
        ("302", TRUNK, CHANGWON, OfferResult.ANSWERED),
        ("301", TRUNK, CHANGWON, OfferResult.ANSWERED),
        ("201", None, None, OfferResult.ANSWERED),
    ]
    await nothing_is_left(centre, sites)
