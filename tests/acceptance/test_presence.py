"""What becomes known of counselors' phones by itself, on a real Asterisk: nobody's phone rings that cannot."""

import asyncio
import re

import pytest

from callrouter.core.cdr import OfferResult
from callrouter.core.picture import REFUSES
from lab.asterisk import LabAsterisk
from lab.sipp import Lamp
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.ordering import command
from tests.acceptance.phones import phone_that

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
AGENT, WATCHER, ELSEWHERE = "201", "202", "700"
HINT = re.compile(r"State:(?P<state>\S+)")


async def test_a_phone_that_is_not_registered_is_offered_nothing_until_it_is(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,))
    await office.until_agent(AGENT, "unreachable")
    resident = await caller(RESIDENT)
    await resident.dial("120")
    await office.until_waiting(1)

    phone = await counselor(AGENT)
    await office.until_agent(AGENT, "ringing")
    await phone.accept()
    await office.until_call("connected")
    await resident.hang_up()

    (leg,) = (await office.cdr()).legs
    assert leg.agent == AGENT


async def test_a_phone_that_goes_away_is_known_at_once_and_to_the_next_daemon_too(
    lab_asterisk: LabAsterisk, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT, "202"))
    await office.until_agent(AGENT, "unreachable")
    async with phone_that(lab_asterisk, "uas_answer"):
        await office.until_agent(AGENT, "available")

    await office.until_agent(AGENT, "unreachable")
    await office.kill()
    await office.restart()
    await office.until_agent(AGENT, "unreachable")


async def test_a_phone_with_do_not_disturb_is_unreachable_for_a_while_and_nobody_is_paused_for_it(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    settings = {"LIMITS_MISSES_BEFORE_PAUSE": "1", "LIMITS_REST_AFTER_DO_NOT_DISTURB": "3s"}
    office = await centre(agents=(AGENT, "202"), settings=settings)
    resident, second = await caller(RESIDENT), await counselor("202")
    async with phone_that(lab_asterisk, "uas_do_not_disturb", AGENT):
        await office.until_agent(AGENT, "available")
        await resident.dial("120")
        await second.incoming()
        refusing = (await office.status())["agents"][0]
        await office.picked_up(second)
        await resident.hang_up()
        await office.until_agent(AGENT, "available")

    assert (refusing["state"], refusing["misses"], refusing["reason"]) == ("unreachable", 0, REFUSES)
    cdr = await office.cdr()
    assert [(leg.agent, leg.result, leg.rang_at is None) for leg in cdr.legs] == [
        (AGENT, OfferResult.NO_ANSWER, True),
        ("202", OfferResult.ANSWERED, False),
    ]
    assert "exchange.phone-refuses" in office.daemon.log_text()


async def test_who_is_on_a_call_of_his_own_is_not_rung_and_is_afterwards(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=(AGENT,))
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    await office.until_agent(AGENT, "available")
    for step in ("1,Answer()", "2,Echo()"):
        lab_asterisk.cli(f"dialplan add extension {ELSEWHERE},{step} into callrouter-phones")
    await phone.dial(ELSEWHERE)
    await phone.established()
    await office.until_agent(AGENT, "own-call")
    await resident.dial("120")
    await office.until_waiting(1)
    await office.kill()
    await office.restart()
    await office.until_agent(AGENT, "own-call")

    await phone.hang_up()
    await phone.incoming()
    await phone.accept()
    await office.until_call("connected")
    await resident.hang_up()
    await office.until_agent(AGENT, "wrap-up")

    assert len((await office.cdr()).legs) == 1, "no call of his own was in the way of an offer"


async def test_a_lamp_tells_what_its_counselor_does(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=(AGENT,), wrap_up="60s", ring_timeout="20s")
    resident = await caller(RESIDENT)
    async with Lamp(lab_asterisk, WATCHER, f"agent-{AGENT}", address=PHONES_ADDRESS) as lamp:
        await lamp.until("terminated")
        shown = [await shows(office, lab_asterisk, "unreachable")]
        phone = await counselor(AGENT)
        shown.append(await shows(office, lab_asterisk, "available"))
        await resident.dial("120")
        shown.append(await shows(office, lab_asterisk, "ringing"))
        await lamp.until("early")
        await phone.accept()
        shown.append(await shows(office, lab_asterisk, "on-call"))
        await lamp.until("confirmed")
        await resident.hang_up()
        shown.append(await shows(office, lab_asterisk, "wrap-up"))
        await command(office, "agent", "ready", AGENT)
        await command(office, "agent", "pause", AGENT)
        shown.append(await shows(office, lab_asterisk, "paused"))
        await command(office, "agent", "logout", AGENT)
        shown.append(await shows(office, lab_asterisk, "logged-out"))

    assert shown == ["Unavailable", "Idle", "Ringing", "InUse", "InUse&Ringing", "Hold", "Busy"]


async def shows(office: Centre, asterisk: LabAsterisk, state: str) -> str:
    """What Asterisk tells those who watch the counselor, once he is in ``state`` and for some time has been."""
    await office.until_agent(AGENT, state)
    before = ""
    async with asyncio.timeout(5):
        while True:
            found = HINT.search(await asyncio.to_thread(asterisk.cli, f"core show hint agent-{AGENT}"))
            assert found is not None
            if found["state"] == before:
                return before
            before = found["state"]
