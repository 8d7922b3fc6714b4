"""A counselor at another site than the caller asks a colleague on a second line, and passes the call on (RFC 3891)."""

import asyncio

import pytest

from callrouter.core.cdr import OfferResult
from lab import audio
from lab.baresip import Baresip
from lab.desk_phone import DeskPhone, Line
from lab.testing import MUSIC_HZ
from tests.acceptance.centre import Centre, MakeCentre
from tests.acceptance.crossing.conftest import (
    CHANGWON,
    PROVINCE,
    TRUNK,
    Desk,
    Phone,
    Sites,
    both_are_up,
    nothing_is_left,
    until_in_use,
)

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
RESIDENT_HZ, FIRST_HZ, SECOND_HZ = 1100.0, 1300.0, 1500.0
TALK_S, ENOUGH_S = 1.2, 0.6


async def a_caller_on_hold(centre: Centre, resident: Baresip, first: DeskPhone) -> Line:
    await centre.until_agent(first.user, "available")
    await resident.dial("120")
    line = await first.incoming()
    await line.answer()
    await centre.until_call("connected")
    await line.hold()
    await centre.until("the caller is on hold", lambda now: [c["held"] for c in now["calls"]] == [True])
    return line


@pytest.mark.parametrize(("site", "colleague"), [(CHANGWON, "302"), (PROVINCE, "201")], ids=["beside him", "elsewhere"])
async def test_a_counselor_asks_a_colleague_and_passes_the_caller_on_though_the_daemon_dies_in_between(
    office: MakeCentre, caller: Phone, phone: Phone, desk: Desk, sites: Sites, site: str, colleague: str
) -> None:
    beside = site == CHANGWON
    centre = await office(("301", colleague), channels=3, ring_timeout="10s")
    resident = await caller(PROVINCE, RESIDENT, tone_hz=RESIDENT_HZ)
    first = await desk(CHANGWON, "301", tone_hz=FIRST_HZ)
    held = await a_caller_on_hold(centre, resident, first)
    second = await phone(site, colleague, tone_hz=SECOND_HZ)
    asked = await first.dial(colleague)
    await second.incoming()
    await asked.rings()
    await second.accept()
    await asked.established()
    await until_in_use(centre, 3 if beside else 2)
    await asyncio.sleep(TALK_S)  # the two talk about the caller
    if beside:
        await centre.kill()
        await centre.restart()
        await both_are_up(centre)
        await centre.until("the colleague is known", lambda now: [c["invited"] for c in now["calls"]] == [colleague])
    assert await held.transfer_to(asked) == 202
    told = await held.transferred()
    await asyncio.gather(held.closed(), asked.closed())
    await asyncio.sleep(TALK_S)  # people talking
    await resident.hang_up()
    await second.closed()

    assert told == "200 OK"
    assert audio.tone_seconds(asked.heard(), SECOND_HZ) >= ENOUGH_S
    assert audio.tone_seconds(second.heard(), FIRST_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) >= ENOUGH_S
    assert audio.tone_seconds(second.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), SECOND_HZ) >= ENOUGH_S
    assert [(leg.agent, leg.trunk, leg.result) for leg in (await centre.cdr()).legs] == [
        ("301", TRUNK, OfferResult.ANSWERED),
        (colleague, TRUNK if beside else None, OfferResult.ANSWERED),
    ]
    await nothing_is_left(centre, sites)


async def test_a_second_line_for_which_the_trunk_has_no_room_is_refused_and_one_that_is_given_up_leaves_nothing(
    office: MakeCentre, caller: Phone, phone: Phone, desk: Desk, sites: Sites
) -> None:
    centre = await office(("201", "301", "302"), channels=2)
    first = await desk(CHANGWON, "301")
    resident = await caller(PROVINCE, RESIDENT, tone_hz=RESIDENT_HZ)
    held = await a_caller_on_hold(centre, resident, first)
    beside, here = await phone(CHANGWON, "302"), await phone(PROVINCE, "201")
    await centre.until_agent("302", "available")
    await centre.until_agent("201", "available")
    refused = await first.dial("302")
    assert await refused.closed() == 503
    assert not beside.seen("CALL_INCOMING")

    asked = await first.dial("201")
    await here.incoming()
    await asked.rings()
    await asked.hang_up()
    await here.closed()
    await until_in_use(centre, 1)
    declined = await first.dial("201")
    await here.incoming()
    await here.hang_up()
    assert await declined.closed() == 486
    await held.resume()
    await resident.hang_up()
    await held.closed()
    await nothing_is_left(centre, sites)
