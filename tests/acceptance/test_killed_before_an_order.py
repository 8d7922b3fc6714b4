"""The daemon dies when what it has decided is in its journal, and Asterisk has not heard of it: the next one says it.

The same as tests/core/test_killed_before_an_order.py, at some orders of a call on a real Asterisk.
"""

import asyncio

import pytest

from callrouter.core.cdr import OfferResult, Outcome
from lab import audio
from lab.asterisk import LabAsterisk
from tests.acceptance.centre import PATIENCE_S, Centre, MakeCentre, People
from tests.acceptance.meddler import Meddler, Meddling
from tests.acceptance.talks import FIRST_HZ, RESIDENT, RESIDENT_HZ, SECOND_HZ, TALK_S, answers, people_talk

pytestmark = pytest.mark.asterisk

WELCOME = "Playing 'callrouter/changwon-welcome"
CHANNEL = "channels/[^/]+"
LAST_ORDERS = (
    f"POST {CHANNEL}/answer",
    f"POST {CHANNEL}/play.*",
    f"POST {CHANNEL}/moh",
    f"POST {CHANNEL}",
    "POST bridges",
    "POST bridges/[^/]+/addChannel.*",
)


async def dies(office: Centre, meddler: Meddler) -> None:
    """The daemon comes to that order; and another begins."""
    async with asyncio.timeout(PATIENCE_S):
        await meddler.shut.wait()
    await office.kill_in_the_act()
    meddler.meddling = None
    meddler.shut.clear()
    await office.restart()


async def test_a_caller_whose_daemon_dies_before_it_has_said_so_to_asterisk_talks_to_a_counselor(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    async with Meddler(lab_asterisk.ari.server_url) as meddler:
        office = await centre(settings={"ARI_URL": meddler.url}, wrap_up="0s")
        resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
        phone = await counselor("201", tone_hz=FIRST_HZ)
        welcomed = lab_asterisk.log_text().count(WELCOME)
        for orders in LAST_ORDERS:
            await office.until_agent("201", "available")
            meddler.meddling = Meddling(orders, last=True)
            await resident.dial("120")
            is_bridge = orders.startswith("POST bridges")
            if is_bridge:
                await answers(phone)
            await dies(office, meddler)
            if not is_bridge:
                await answers(phone)
            await resident.established()
            await office.until_call("connected")
            await people_talk()
            await resident.hang_up()
            await office.until("the call is over", lambda now: not now["calls"])
        assert lab_asterisk.log_text().count(WELCOME) - welcomed == len(LAST_ORDERS), "each heard it once"
        cdrs = await office.cdrs(len(LAST_ORDERS))
        assert [cdr.outcome for cdr in cdrs] == [Outcome.HANDLED] * len(LAST_ORDERS)


async def test_a_colleague_whom_the_dead_daemon_did_not_come_to_call_is_called_by_the_next_one(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    async with Meddler(lab_asterisk.ari.server_url) as meddler:
        office = await centre(agents=("201", "202"), settings={"ARI_URL": meddler.url}, wrap_up="0s")
        resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
        first = await counselor("201", tone_hz=FIRST_HZ)
        await office.talk(resident, first)
        second = await counselor("202", tone_hz=SECOND_HZ)
        await office.until_agent("202", "available")
        meddler.meddling = Meddling(f"POST {CHANNEL}", last=True)
        await first.transfer("202")
        await dies(office, meddler)
        await answers(second)
        await office.until_agent("202", "on-call")
        await office.until("201 is done", lambda now: [call["agent"] for call in now["calls"]] == ["202"])
        await people_talk()
        await resident.hang_up()
        await second.closed()
        assert audio.tone_seconds(resident.heard(), SECOND_HZ) >= TALK_S / 2
        cdr = await office.cdr()
        assert [(leg.agent, leg.result) for leg in cdr.legs if leg.answered_at is not None] == [
            ("201", OfferResult.ANSWERED),
            ("202", OfferResult.ANSWERED),
        ]
