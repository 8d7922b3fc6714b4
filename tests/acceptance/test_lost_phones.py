"""A phone is gone in mid-call, or sends no sound: its caller is served all the same, on a real Asterisk."""

from pathlib import Path

import pytest

from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.testing import MUSIC_HZ, SILENCE_S, WATCHED_PHONE
from tests.acceptance.centre import MakeCentre, People, edit
from tests.acceptance.phones import phone_that
from tests.acceptance.talks import FIRST_HZ, RESIDENT, RESIDENT_HZ, answers, people_talk

pytestmark = pytest.mark.asterisk

AGENT = "201"
NOTICED_S = SILENCE_S + 3.0


def at_a_watched_phone(config: Path) -> None:
    """Have the counselor sit at the phone from which Asterisk expects sound."""
    edit(config / "agents.yaml", f"PJSIP/{AGENT}", f"PJSIP/{WATCHED_PHONE}")


async def test_a_caller_whose_counselors_phone_starts_anew_in_mid_call_is_in_line_again_and_it_rings_for_him(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,), wrap_up="0s", edit=at_a_watched_phone)
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor(WATCHED_PHONE, tone_hz=FIRST_HZ)
    await office.talk(resident, phone)

    await phone.crash()
    again = await counselor(WATCHED_PHONE, tone_hz=FIRST_HZ)
    await again.incoming(timeout_s=NOTICED_S)
    assert RESIDENT in again.shows().number
    await people_talk(1.0)  # it rings
    await again.accept()
    await again.established()
    await people_talk()
    await resident.hang_up()
    await again.closed()

    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) > 0.5
    assert audio.tone_seconds(again.heard(), RESIDENT_HZ) > 1.0
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [(AGENT, OfferResult.ANSWERED)] * 2
    assert cdr.legs[0].cause == Cause.REQUESTED_CHANNEL_UNAVAILABLE
    assert '"exchange.phone-silent"' in office.daemon.log_text()


async def test_a_caller_whose_counselors_phone_sends_no_sound_is_served_by_the_next(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT, "202"), wrap_up="60s", edit=at_a_watched_phone)
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    async with phone_that(lab_asterisk, "uas_answer", WATCHED_PHONE) as silent:
        await office.until_agent(AGENT, "available")
        await resident.dial("120")
        await silent.saw("ACK")
        await office.until_call("connected")
        next_one = await counselor("202", tone_hz=FIRST_HZ)
        await silent.saw("BYE", timeout_s=NOTICED_S)
        await office.until_agent(AGENT, "wrap-up")
        await answers(next_one)
    await people_talk()
    await resident.hang_up()
    await next_one.closed()

    assert audio.tone_seconds(resident.heard(), FIRST_HZ) > 1.0
    assert [leg.agent for leg in (await office.cdr()).legs] == [AGENT, "202"]
