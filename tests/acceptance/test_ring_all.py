"""All phones ring for one resident, on a real Asterisk: who answers first has the call, and nobody else can."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import OfferResult, Outcome
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED, Baresip
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.phones import phone_that

pytestmark = pytest.mark.asterisk

FIRST = "0552251111"
SECOND = "0552252222"
RESIDENT_HZ, COUNSELOR_HZ, OTHER_HZ = 1100.0, 1300.0, 1500.0
ROUNDS, ANSWER_MS = 8, 300
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


async def rings_at(phones: Iterable[Baresip], resident: Baresip) -> None:
    """Have the resident dial, and wait until all these phones ring."""
    await resident.dial("120")
    for phone in phones:
        await phone.incoming()


async def test_of_two_who_answer_before_the_daemon_looks_one_talks_and_the_other_is_hung_up(
    caller: People, counselor: People, office: Centre
) -> None:
    resident = await caller(FIRST, tone_hz=RESIDENT_HZ)
    phones = [await counselor("201", tone_hz=COUNSELOR_HZ), await counselor("202", tone_hz=OTHER_HZ)]

    await rings_at(phones, resident)
    office.daemon.freeze()
    await asyncio.gather(*(phone.accept() for phone in phones))
    for phone in phones:
        await phone.established()
    office.daemon.thaw()
    await office.until_call("connected")
    status = await office.until("the one who was beaten is free", is_one_free)
    await asyncio.sleep(1.5)  # of talk
    await resident.hang_up()
    for phone in phones:
        await phone.closed()

    (talks,) = [each["agent"] for each in status["agents"] if each["state"] == "on-call"]
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, talks)
    assert sorted(leg.result for leg in cdr.legs) == [OfferResult.ANSWERED, OfferResult.ANSWERED_ELSEWHERE]
    heard = {hz: audio.tone_seconds(resident.heard(), hz) for hz in (COUNSELOR_HZ, OTHER_HZ)}
    winner, loser = (COUNSELOR_HZ, OTHER_HZ) if talks == "201" else (OTHER_HZ, COUNSELOR_HZ)
    assert heard[winner] > 1.0
    assert heard[loser] == 0.0
    assert [agent["misses"] for agent in (await office.status())["agents"]] == [0, 0, 0]


def is_one_free(status: dict[str, Any]) -> bool:
    states = sorted(each["state"] for each in status["agents"] if each["agent"] != "203")
    return states == ["available", "on-call"]


async def test_two_who_answer_in_the_same_instant_are_never_both_connected(
    caller: People, lab_asterisk: LabAsterisk, office: Centre
) -> None:
    async with AsyncExitStack() as stack:
        for extension in ("201", "202", "203"):
            await stack.enter_async_context(
                phone_that(lab_asterisk, "uas_answer", extension, count=ROUNDS, pause_ms=ANSWER_MS)
            )
        resident = await caller(FIRST)
        for number in range(1, ROUNDS + 1):
            await resident.dial("120")
            await resident.established()
            await office.until_call("connected")
            await resident.hang_up()
            await resident.closed()
            await office.cdrs(number)
            await office.until("nobody is on a call", lambda status: not status["calls"])
        for extension in ("201", "202", "203"):
            await office.until_agent(extension, "available")

    for cdr in await office.cdrs(ROUNDS):
        assert cdr.outcome is Outcome.HANDLED
        assert sorted(leg.result for leg in cdr.legs) == [
            OfferResult.ANSWERED,
            OfferResult.ANSWERED_ELSEWHERE,
            OfferResult.ANSWERED_ELSEWHERE,
        ]


async def test_one_who_declines_leaves_the_others_ringing(caller: People, counselor: People, office: Centre) -> None:
    resident = await caller(FIRST)
    declines, answers = await counselor("201"), await counselor("202")

    await rings_at((declines, answers), resident)
    await declines.hang_up()  # 486: not now
    await declines.closed()
    await office.until_agent("201", "resting")
    assert not answers.seen(CLOSED)
    await answers.accept()
    await office.until_call("connected")
    await resident.hang_up()

    cdr = await office.cdr()
    assert {leg.agent: leg.result for leg in cdr.legs} == {"201": OfferResult.BUSY, "202": OfferResult.ANSWERED}


async def test_who_all_let_it_ring_have_missed_it_and_are_rung_again_together(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(
        agents=("201", "202"), ring_timeout="1s", edit=ring_all, settings={"LIMITS_REST_AFTER_NO_ANSWER": "1s"}
    )
    resident, phones = await caller(FIRST), [await counselor("201"), await counselor("202")]

    await rings_at(phones, resident)
    for phone in phones:
        await phone.closed()
    for phone in phones:
        await phone.incoming()
    status = await office.status()
    await resident.hang_up()

    assert [agent["misses"] for agent in status["agents"]] == [1, 1]
    cdr = await office.cdr()
    assert [leg.result for leg in cdr.legs[:2]] == [OfferResult.NO_ANSWER] * 2


async def test_a_resident_who_gives_up_while_all_ring_stops_all_phones(
    caller: People, counselor: People, office: Centre
) -> None:
    resident = await caller(FIRST)
    phones = [await counselor(extension) for extension in ("201", "202", "203")]

    await rings_at(phones, resident)
    gave_up_s = time.monotonic()
    await resident.hang_up()
    for phone in phones:
        assert (await phone.closed()).at_s - gave_up_s < AT_ONCE_S

    cdr = await office.cdr()
    assert cdr.outcome is Outcome.ABANDONED
    assert [leg.result for leg in cdr.legs] == [OfferResult.CALLER_GONE] * 3
    for extension in ("201", "202", "203"):
        await office.until_agent(extension, "available")


async def test_phones_that_fall_free_by_an_answer_ring_for_who_waits(
    caller: People, counselor: People, office: Centre
) -> None:
    first, second = await caller(FIRST), await caller(SECOND)
    phones = [await counselor("201"), await counselor("202")]

    await rings_at(phones, first)
    await second.dial("120")
    await office.until_waiting(1)
    await phones[0].accept()
    await phones[0].established()
    await phones[1].closed()
    assert SECOND in (await phones[1].incoming()).peer
    await phones[1].accept()
    await office.until("both talk", lambda status: [each["state"] for each in status["calls"]] == ["connected"] * 2)
    await first.hang_up()
    await second.hang_up()

    assert [cdr.agent for cdr in await office.cdrs(2)] == ["201", "202"]


@pytest.mark.parametrize("die", [Centre.kill, Centre.kill_in_the_act], ids=["written", "in-the-act"])
async def test_a_daemon_that_is_killed_while_all_ring_is_followed_by_one_that_knows_them_all(
    caller: People, counselor: People, office: Centre, die: Callable[[Centre], Awaitable[None]]
) -> None:
    resident = await caller(FIRST, tone_hz=RESIDENT_HZ)
    phones = [await counselor(extension, tone_hz=COUNSELOR_HZ) for extension in ("201", "202", "203")]

    await rings_at(phones, resident)
    await die(office)
    await office.restart()
    await office.until("all ring", lambda status: len([a for a in status["agents"] if a["state"] == "ringing"]) == 3)
    await phones[2].accept()
    await phones[2].established()
    for phone in phones[:2]:
        await phone.closed()
    for extension in ("201", "202"):
        await office.until_agent(extension, "available")
    await asyncio.sleep(1.0)  # of talk
    await resident.hang_up()

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, "203")
    assert sorted(leg.result for leg in cdr.legs) == [
        OfferResult.ANSWERED,
        OfferResult.ANSWERED_ELSEWHERE,
        OfferResult.ANSWERED_ELSEWHERE,
    ]
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) > 0.5


async def test_phones_that_were_answered_while_there_was_no_daemon_ring_again_when_there_is(
    caller: People, counselor: People, office: Centre
) -> None:
    resident = await caller(FIRST)
    phones = [await counselor("201"), await counselor("202")]

    await rings_at(phones, resident)
    await office.kill()
    for phone in phones:  # Asterisk has nobody to hand the call to, and hangs up
        await phone.accept()
        await phone.closed()
    await office.restart()
    for phone in phones:
        await phone.incoming()
    await phones[1].accept()
    await office.until_call("connected")
    await resident.hang_up()

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, "202")
    assert [leg.result for leg in cdr.legs].count(OfferResult.FAILED) == 2
