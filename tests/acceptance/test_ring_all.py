"""All phones ring for one resident, on a real Asterisk: who answers first has the call, and nobody else can."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult, Outcome
from lab import audio
from lab.asterisk import LabAsterisk
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.phones import phone_that

pytestmark = pytest.mark.asterisk

FIRST = "0552251111"
SECOND = "0552252222"
RESIDENT_HZ, COUNSELOR_HZ = 1100.0, 1300.0
AT_ONCE_S = 0.5


def ring_all(config: Path) -> None:
    """Let both queues ring all."""
    queues = config / "queues.yaml"
    text, found = re.subn(
        r"^(    title: .*)$", r"\1\n    strategy: ring-all", queues.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert found
    queues.write_text(text, encoding="utf-8")


@pytest.fixture
async def office(centre: MakeCentre) -> Centre:
    """Three counselors, whose phones ring together for ten seconds."""
    return await centre(agents=("201", "202", "203"), wrap_up="0s", ring_timeout="10s", edit=ring_all)


async def test_all_phones_ring_and_who_answers_first_talks_while_the_others_stop_and_are_free(
    caller: People, counselor: People, lab_asterisk: LabAsterisk, office: Centre
) -> None:
    resident = await caller(FIRST, tone_hz=RESIDENT_HZ)
    quick, slow = await counselor("202", tone_hz=COUNSELOR_HZ), await counselor("201")
    async with phone_that(lab_asterisk, "uas_ring_forever", "203") as rings:
        await resident.dial("120")
        await quick.incoming()
        await slow.incoming()
        await rings.saw("INVITE")
        answered_s = time.monotonic()
        await quick.accept()
        silent = await slow.closed()
        cancel = await rings.saw("CANCEL")
        await quick.established()
        await office.until_agent("201", "available")
        await office.until_agent("203", "available")
        await asyncio.sleep(1.5)  # of talk
        await resident.hang_up()
        await quick.closed()

    assert silent.at_s - answered_s < AT_ONCE_S
    assert "cause=200" in cancel, "phones that support RFC 3326 list no missed call"
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, "202")
    assert {leg.agent: leg.result for leg in cdr.legs} == {
        "201": OfferResult.ANSWERED_ELSEWHERE,
        "202": OfferResult.ANSWERED,
        "203": OfferResult.ANSWERED_ELSEWHERE,
    }
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) > 1.0
    assert audio.tone_seconds(quick.heard(), RESIDENT_HZ) > 1.0
