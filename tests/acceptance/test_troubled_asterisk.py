"""An Asterisk that is slow, stops, or dies, a network that is slow or half open, a daemon that reads too slowly."""

import asyncio
import os
import signal
import time

import pytest

from callrouter.core.cdr import Outcome
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.meddler import Meddler, Meddling
from tests.acceptance.phones import phone_that
from tests.acceptance.talks import FIRST_HZ, RESIDENT, RESIDENT_HZ, a_talk, answers, people_talk
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

OTHER = "0557421234"
NOTICED_S = 25.0
"""A site that does not answer is known to be away after that long: a ping is missed, or a question is not answered."""
MANY = 20


def is_up(status: dict[str, object]) -> bool:
    """Whether the one site is connected."""
    sites = status["sites"]
    assert isinstance(sites, list)
    return bool(sites[0]["up"])


async def stutter(asterisk: LabAsterisk, seconds: float) -> None:
    """Let it run for a third of the time alone, as on a machine that others use up."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        asterisk.freeze()
        await asyncio.sleep(0.2)
        asterisk.thaw()
        await asyncio.sleep(0.1)


def many(asterisk: LabAsterisk, *, waits_ms: int) -> Sipp:
    """Callers who wait a little in line, and hang up."""
    return Sipp(
        "uac_patient",
        address=CARRIER_ADDRESS,
        target=asterisk.sip_address,
        count=MANY,
        rate_per_s=20,
        pause_ms=waits_ms,
        timeout_s=40,
    )


async def nothing_is_left(office: Centre, asterisk: LabAsterisk) -> None:
    """Neither here nor at Asterisk."""
    await office.until(
        "nothing is held any more",
        lambda now: not now["calls"] and not any(one["in_use"] for one in now["trunks"]),
        timeout_s=NOTICED_S,
    )
    async with asyncio.timeout(10):
        while asterisk.channels():  # noqa: ASYNC110 - Asterisk is asked
            await asyncio.sleep(0.1)


async def test_a_caller_who_comes_while_asterisk_is_slow_is_served_and_who_talks_goes_on(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre, agents=("201", "202"))
    late, second = await caller(OTHER, tone_hz=RESIDENT_HZ), await counselor("202", tone_hz=FIRST_HZ)
    await office.until_agent("202", "available")

    slow = asyncio.create_task(stutter(lab_asterisk, 4.0))
    await late.dial("120")
    await answers(second, timeout_s=15.0)
    await slow
    await office.until_call_states("connected", "connected")
    await people_talk(1.0)
    assert not resident.seen(CLOSED), "who talks is cut off"
    await late.hang_up()
    await resident.hang_up()
    await first.closed()

    assert audio.tone_seconds(late.heard(), FIRST_HZ) >= 0.7
    assert [cdr.outcome for cdr in await office.cdrs(2)] == [Outcome.HANDLED] * 2
    await nothing_is_left(office, lab_asterisk)


async def test_an_asterisk_that_stops_for_long_goes_on_with_its_calls_when_it_comes_to(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, _ = await a_talk(caller, counselor, centre)
    waiting = await caller(OTHER)
    await waiting.dial("120")
    await office.until_waiting(1)

    lab_asterisk.freeze()
    try:
        await office.until("it is known to be away", lambda now: not is_up(now), timeout_s=NOTICED_S)
    finally:
        lab_asterisk.thaw()
    await office.until("it is back", is_up, timeout_s=NOTICED_S)
    await office.until_call_states("connected", "queued")
    await people_talk(1.0)
    assert not resident.seen(CLOSED), "who talks is cut off"
    await waiting.hang_up()
    await resident.hang_up()

    outcomes = [cdr.outcome for cdr in await office.cdrs(2)]
    assert outcomes == [Outcome.HANDLED, Outcome.ABANDONED]
    await nothing_is_left(office, lab_asterisk)


async def test_an_asterisk_that_is_killed_ends_its_calls_and_the_next_are_served_when_it_runs_again(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, _, _ = await a_talk(caller, counselor, centre)

    await asyncio.to_thread(lab_asterisk.kill)
    await asyncio.to_thread(lab_asterisk.start)
    await office.until("it is back", is_up, timeout_s=NOTICED_S)
    ended = await office.cdr()
    late, phone = await caller(OTHER, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    await office.until_agent("201", "available")
    await late.dial("120")
    await answers(phone)
    await people_talk(1.0)
    await late.hang_up()

    assert (ended.outcome, ended.agent) == (Outcome.HANDLED, "201")
    assert "ended_at is an estimate" in ended.explanation
    assert [cdr.outcome for cdr in await office.cdrs(2)] == [Outcome.HANDLED] * 2
    assert audio.tone_seconds(late.heard(), FIRST_HZ) >= 0.7
    await nothing_is_left(office, lab_asterisk)


async def test_over_a_network_that_is_slow_or_half_open_no_call_is_lost_and_each_has_its_record(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    async with Wire(int(lab_asterisk.ari.server_url.rpartition(":")[2])) as wire:
        office = await centre(settings={"ARI_URL": wire.url})
        resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
        await office.talk(resident, phone)

        wire.slow_down(6000)
        async with many(lab_asterisk, waits_ms=1000) as callers:
            (await callers.result()).check()
        wire.slow_down(None)
        await office.until("only the talk is left", lambda now: len(now["calls"]) == 1, timeout_s=NOTICED_S)
        records = len(await office.cdrs(MANY))

        wire.swallow()
        await resident.hang_up()
        await office.until("it is known to be away", lambda now: not is_up(now), timeout_s=NOTICED_S)
        await wire.cut()
        await wire.mend()
        await office.until("it is back", is_up, timeout_s=NOTICED_S)
        last = (await office.cdrs(records + 1))[0]
        assert (last.outcome, last.caller) == (Outcome.HANDLED, RESIDENT)
        await nothing_is_left(office, lab_asterisk)


async def test_what_piles_up_while_the_daemon_does_not_read_is_put_right_when_it_does(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre()
    resident, phone = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    await office.talk(resident, phone)

    async with many(lab_asterisk, waits_ms=3000) as callers:
        await office.until_waiting(MANY)
        os.kill(office.daemon.pid, signal.SIGSTOP)
        result = await callers.result()  # they hang up meanwhile, all of them
        os.kill(office.daemon.pid, signal.SIGCONT)
        result.check()
    await office.until("only the talk is left", lambda now: len(now["calls"]) == 1, timeout_s=NOTICED_S)
    assert not resident.seen(CLOSED), "who talks is cut off"
    await resident.hang_up()
    await phone.closed()

    outcomes = [cdr.outcome for cdr in await office.cdrs(MANY + 1)]
    assert (outcomes.count(Outcome.HANDLED), outcomes.count(Outcome.ABANDONED)) == (1, MANY)
    await nothing_is_left(office, lab_asterisk)


CHANNEL = "channels/[^/]+"
MEDDLINGS = (
    Meddling(f"POST {CHANNEL}/answer", status=409),
    Meddling(f"POST {CHANNEL}/play.*", status=500),
    Meddling(f"POST {CHANNEL}/moh", status=503),
    Meddling(f"POST {CHANNEL}/variable", status=500),
    Meddling(f"POST {CHANNEL}", untold=True),
    Meddling("POST bridges/[^/]+/addChannel", twice=True),
    Meddling("POST bridges/[^/]+/addChannel", late_s=1.0),
    Meddling(f"DELETE {CHANNEL}", status=500, times=1),
    Meddling(f"POST {CHANNEL}/.*", late_s=0.3),
    Meddling(".*", twice=True),
)


async def test_whatever_a_real_asterisk_answers_to_an_order_the_caller_comes_to_a_counselor(
    lab_asterisk: LabAsterisk, caller: People, centre: MakeCentre
) -> None:
    """The same as tests/ari/test_every_order_may_fail.py, with some orders of a call on a real Asterisk."""
    async with Meddler(lab_asterisk.ari.server_url) as meddler:
        office = await centre(settings={"ARI_URL": meddler.url, "LIMITS_CLEARING": "1s"}, wrap_up="0s")
        resident = await caller(RESIDENT)
        async with phone_that(lab_asterisk, "uas_answer", count=len(MEDDLINGS), timeout_s=120.0) as phone:
            for number, meddling in enumerate(MEDDLINGS, start=1):
                await office.until_agent("201", "available", timeout_s=NOTICED_S)
                meddler.meddling = meddling
                await resident.dial("120")
                await phone.saw("ACK", times=number, timeout_s=20.0)
                await office.until_call("connected")
                await resident.hang_up()
                await resident.closed()
                await office.until("the call is over", lambda now: not now["calls"], timeout_s=NOTICED_S)
                async with asyncio.timeout(NOTICED_S):  # the last order of a call may follow its record by a moment
                    while not meddler.met[meddling.orders]:  # noqa: ASYNC110 - the daemon sends it
                        await asyncio.sleep(0.02)
        meddler.meddling = None
        outcomes = [cdr.outcome for cdr in await office.cdrs(len(MEDDLINGS))]
        assert outcomes == [Outcome.HANDLED] * len(MEDDLINGS)
        await nothing_is_left(office, lab_asterisk)
