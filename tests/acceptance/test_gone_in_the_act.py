"""A caller hangs up in just the moment in which the daemon does something for him, on a real Asterisk."""

import asyncio

import pytest

from callrouter.core.cdr import Cdr, OfferResult, Outcome, ReleasedBy
from lab.asterisk import LabAsterisk
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.phones import phone_that
from tests.acceptance.talks import RESIDENT, answers
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

SILENT_MS = 300
"""Less than the half second after which Asterisk says again what nobody has answered."""


async def test_who_hangs_up_while_the_counselors_phone_has_not_said_a_word_yet_leaves_nothing_behind(
    lab_asterisk: LabAsterisk, caller: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), wrap_up="0s")
    resident = await caller(RESIDENT)
    async with phone_that(lab_asterisk, "uas_slow", pause_ms=SILENT_MS) as phone:
        await office.until_agent("201", "available")
        await resident.dial("120")
        await phone.saw("INVITE")
        await resident.hang_up()
        await phone.saw("CANCEL")  # which is to wait for a word of the phone's (RFC 3261)
        (await phone.result()).check()
        await office.until_agent("201", "available")
        cdr = await nothing_is_left(office, lab_asterisk)

    assert (cdr.outcome, cdr.released_by) == (Outcome.ABANDONED, ReleasedBy.CALLER)
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [("201", OfferResult.CALLER_GONE)]


async def test_who_hangs_up_before_the_daemons_answer_gets_through_is_one_who_gave_up_and_the_next_is_served(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    async with Wire(lab_asterisk.http_port) as wire:
        office = await centre(agents=("201",), settings={"ARI_URL": wire.url})
        resident = await caller(RESIDENT)
        wire.swallow_requests()
        await resident.dial("120")
        await office.until("it has come in", lambda now: bool(now["calls"]))
        await resident.hang_up()
        await office.until("it is over", lambda now: not now["calls"])
        wire.go_on()
        cdr = await nothing_is_left(office, lab_asterisk)
        phone = await counselor("201")
        await office.until_agent("201", "available")
        other = await caller("0557421234")
        await other.dial("120")
        await answers(phone)
        await office.until_call("connected")
        status = await office.status()

    assert (cdr.outcome, cdr.released_by, cdr.legs) == (Outcome.ABANDONED, ReleasedBy.CALLER, ())
    assert (status["totals"]["impossible_events"], status["totals"]["defects"]) == (0, 0)


async def nothing_is_left(office: Centre, asterisk: LabAsterisk) -> Cdr:
    """The only record; Asterisk has neither channel nor bridge."""
    await office.until("the call is over", lambda now: not now["calls"])
    left = [await asyncio.to_thread(asterisk.get, what) for what in ("channels", "bridges")]
    assert left == [[], []]
    return await office.cdr()
