"""The sample as it is: the counselor's keys for interpreters and 119, and the caller's key to be called back."""

import asyncio

import pytest

from callrouter.core.cdr import OfferResult, Outcome
from lab import audio
from lab.baresip import Baresip
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People

pytestmark = pytest.mark.asterisk

TALKER, RESIDENT = "0557421111", "0557421234"
RESIDENT_HZ, COUNSELOR_HZ, OTHER_HZ = 1100.0, 1300.0, 1500.0
TALK_S, ENOUGH_S, TOLERANCE_S = 2.0, 1.2, 0.4
OWN_NUMBER = "0552110120"


async def a_talk(caller: People, counselor: People, centre: MakeCentre) -> tuple[Centre, Baresip, Baresip]:
    """A resident of Jinju and a counselor of the province talk."""
    office = await centre(agents=("201",), wrap_up="0s")
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=COUNSELOR_HZ)
    await office.talk(resident, phone)
    return office, resident, phone


async def answers(phone: Baresip) -> None:
    """Ring, and be answered."""
    await phone.incoming()
    await phone.accept()
    await phone.established()


async def test_one_key_calls_an_interpreter_into_the_conversation(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre)
    interpreter = await outside("test-interpreters", tone_hz=OTHER_HZ)

    await phone.press("*7")
    await answers(interpreter)
    await asyncio.sleep(TALK_S)  # all three talk
    await resident.hang_up()
    await interpreter.closed()

    for one, others in (
        (resident, (COUNSELOR_HZ, OTHER_HZ)),
        (phone, (RESIDENT_HZ, OTHER_HZ)),
        (interpreter, (RESIDENT_HZ, COUNSELOR_HZ)),
    ):
        assert audio.chord_seconds(one.heard(), *others) >= ENOUGH_S, f"{one.user} does not hear both others"
    assert interpreter.shows().number == OWN_NUMBER
    cdr = await office.cdr()
    assert [(leg.agent or leg.destination, leg.trunk) for leg in cdr.legs] == [
        ("201", None),
        ("interpreters", "carrier"),
    ]


async def test_one_key_hands_a_caller_over_to_119(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, resident, phone = await a_talk(caller, counselor, centre)
    fire_brigade = await outside("test-119", tone_hz=OTHER_HZ)

    await phone.press("*119")
    await answers(fire_brigade)
    await phone.closed()
    await asyncio.sleep(TALK_S)  # the two talk
    await resident.hang_up()
    await fire_brigade.closed()

    assert audio.tone_seconds(resident.heard(), OTHER_HZ) >= ENOUGH_S
    assert audio.tone_seconds(fire_brigade.heard(), RESIDENT_HZ) >= ENOUGH_S
    cdr = await office.cdr()
    assert (cdr.agent, cdr.outcome) == ("201", Outcome.HANDLED)
    assert [(leg.agent or leg.destination, leg.trunk, leg.result) for leg in cdr.legs] == [
        ("201", None, OfferResult.ANSWERED),
        ("fire", "carrier", OfferResult.ANSWERED),
    ]


async def test_who_waits_presses_a_key_and_is_called_back(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), wrap_up="0s", ring_timeout="5s")
    phone, talker = await counselor("201", tone_hz=COUNSELOR_HZ), await caller(TALKER)
    await office.talk(talker, phone)
    resident = await outside(RESIDENT, tone_hz=RESIDENT_HZ)
    await resident.dial("120")
    await office.until_waiting(1)
    await resident.press("1")
    await resident.closed(timeout_s=PROMPT_S + 5)
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["callback-noted"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)

    await talker.hang_up()
    await phone.closed()
    await answers(phone)
    await answers(resident)
    await office.until_call("connected")
    await asyncio.sleep(TALK_S)  # the two talk
    await phone.hang_up()
    await resident.closed()

    assert resident.shows().number == OWN_NUMBER
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= ENOUGH_S
    returned = next(cdr for cdr in await office.cdrs(3) if cdr.returns is not None)
    assert (returned.agent, returned.queue, returned.outcome) == ("201", "gyeongnam", Outcome.HANDLED)
