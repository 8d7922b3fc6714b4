"""Waiting in line on a real Asterisk: who is served next, whose phone rings, and what happens when nobody comes."""

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED, INCOMING
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from lab.testing import MUSIC_HZ, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.phones import phone_that

pytestmark = pytest.mark.asterisk


FIRST = "0552251111"
SECOND = "0552252222"
THIRD = "0557423333"
MOBILE = "01022223333"
AT_ONCE_S = 0.5


def resident(
    asterisk: LabAsterisk, number: str, *, scenario: str = "uac_listen", talks_ms: int = 0, count: int = 1
) -> Sipp:
    """A resident without sound who dials 120; or so many, almost at once."""
    return Sipp(
        scenario,
        address=CARRIER_ADDRESS,
        target=asterisk.sip_address,
        caller=number,
        count=count,
        rate_per_s=50,
        pause_ms=talks_ms,
    )


async def test_residents_are_served_in_the_order_in_which_they_came(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), wrap_up="0s")
    first, second, third = await caller(FIRST), await caller(SECOND), await caller(THIRD)
    phone = await counselor("201")

    served = []
    await first.dial("120")
    served.append((await office.taken(phone)).peer)
    await second.dial("120")
    await office.until_waiting(1)
    await third.dial("120")
    await office.until_waiting(2)
    for _ in range(2):
        await phone.hang_up()
        served.append((await office.taken(phone)).peer)
    await phone.hang_up()

    cdrs = await office.cdrs(3)
    assert [FIRST in served[0], SECOND in served[1], THIRD in served[2]] == [True] * 3
    assert [cdr.outcome for cdr in cdrs] == [Outcome.HANDLED] * 3


def mobiles_first(config: Path) -> None:
    """Let callers with a mobile be served as if they had come a minute earlier."""
    (config / "routes-test.yaml").unlink()
    (config / "routes.yaml").write_text(
        """\
routes:
  - id: mobiles
    when: {caller: mobile}
    do:
      - queue: gyeongnam
        head_start: 1 min
  - id: all
    do: [{queue: gyeongnam}]
""",
        encoding="utf-8",
    )


async def test_a_resident_whose_route_has_a_head_start_goes_before_one_who_came_a_little_earlier(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), wrap_up="0s", edit=mobiles_first)
    first, mobile, third = await caller(FIRST), await caller(MOBILE), await caller(THIRD)
    phone = await counselor("201")

    await office.talk(third, phone)
    for number, resident in enumerate((first, mobile), 1):
        await resident.dial("120")
        await office.until_waiting(number)
    served = []
    for _ in range(2):
        await phone.hang_up()
        served.append((await office.taken(phone)).peer)
    await phone.hang_up()

    assert [MOBILE in served[0], FIRST in served[1]] == [True, True]
    assert [cdr.outcome for cdr in await office.cdrs(3)] == [Outcome.HANDLED] * 3


async def test_of_the_free_counselors_the_one_who_was_idle_longest_is_rung(
    lab_asterisk: LabAsterisk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202", "203"), wrap_up="0s")
    async with AsyncExitStack() as stack:
        for extension in ("201", "202", "203"):
            await stack.enter_async_context(phone_that(lab_asterisk, "uas_answer", extension, count=2))
        for _ in range(4):
            async with resident(lab_asterisk, FIRST, scenario="uac_talk", talks_ms=1500) as call:
                (await call.result()).check()
            await office.until("nobody is on a call", lambda status: not status["calls"])

    assert [cdr.agent for cdr in await office.cdrs(4)] == ["201", "202", "203", "201"]


@pytest.mark.parametrize(
    ("scenario", "result"),
    [
        ("uas_busy", OfferResult.BUSY),
        ("uas_decline", OfferResult.REJECTED),
        ("uas_ring_forever", OfferResult.NO_ANSWER),
        ("uas_congested", OfferResult.CONGESTION),
    ],
)
async def test_when_a_phone_does_not_take_the_call_the_next_one_rings(
    counselor: People,
    caller: People,
    lab_asterisk: LabAsterisk,
    centre: MakeCentre,
    scenario: str,
    result: OfferResult,
) -> None:
    office = await centre(agents=("201", "202"), ring_timeout="1s")
    person, second = await caller(FIRST), await counselor("202")
    async with phone_that(lab_asterisk, scenario):
        await person.dial("120")
        await office.taken(second)
        await person.hang_up()

    cdr = await office.cdr()
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [("201", result), ("202", OfferResult.ANSWERED)]
    assert (cdr.agent, cdr.outcome) == ("202", Outcome.HANDLED)


async def test_a_phone_that_is_not_registered_is_passed_over(
    counselor: People, caller: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    person, second = await caller(FIRST), await counselor("202")

    await person.dial("120")
    await second.incoming()
    await person.hang_up()

    cdr = await office.cdr()
    assert [leg.agent for leg in cdr.legs] == ["202"]


async def test_a_resident_whose_offer_failed_keeps_the_place_before_those_who_came_later(
    counselor: People, caller: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), settings={"LIMITS_REST_AFTER_BUSY": "1s"})
    first, second, phone = await caller(FIRST), await caller(SECOND), await counselor("201")

    await first.dial("120")
    await phone.incoming()
    await second.dial("120")
    await office.until_waiting(1)
    await phone.hang_up()  # 486: not now
    await phone.closed()
    await office.until_waiting(2)
    again = await phone.incoming()

    assert FIRST in again.peer
    assert not first.seen(CLOSED)


async def test_who_hangs_up_while_waiting_has_abandoned(caller: People, centre: MakeCentre) -> None:
    office = await centre(agents=("201",))  # whose phone is not registered
    person = await caller(FIRST)

    await person.dial("120")
    await office.until_waiting(1)
    await person.hang_up()

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by, cdr.agent) == (Outcome.ABANDONED, ReleasedBy.CALLER, None)
    assert cdr.talk_s == 0


async def test_a_phone_stops_ringing_at_once_when_the_resident_hangs_up(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    person, phone = await caller(FIRST), await counselor("201")

    await person.dial("120")
    await phone.incoming()
    gave_up_s = time.monotonic()
    await person.hang_up()
    silent = await phone.closed()

    assert silent.at_s - gave_up_s < AT_ONCE_S
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.ABANDONED, ReleasedBy.CALLER)
    assert [leg.result for leg in cdr.legs] == [OfferResult.CALLER_GONE]
    await office.until_agent("201", "available")


async def test_who_hangs_up_during_the_announcement_is_not_offered_to_anybody(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    person, phone = await caller(FIRST), await counselor("201")

    await person.dial("120")
    await office.until_call("announcing")
    await person.hang_up()

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.legs, cdr.queue) == (Outcome.ABANDONED, (), None)
    assert not phone.seen(INCOMING)


async def test_who_waited_as_long_as_the_plan_allows_is_told_that_all_are_busy(
    caller: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), max_wait="2s")
    person = await caller(FIRST)

    await person.dial("120")
    await person.established()
    await person.closed(timeout_s=2 * PROMPT_S + 2 + 3)

    heard = person.heard()
    assert audio.tone_seconds(heard, MUSIC_HZ) == pytest.approx(2.0, abs=0.4)
    assert audio.tone_seconds(heard, PROMPT_HZ["all-busy"]) == pytest.approx(PROMPT_S, abs=0.25)
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.OVERFLOWED, ReleasedBy.SYSTEM)


async def test_six_counselors_and_a_burst_of_twelve_residents_each_speak_once(
    lab_asterisk: LabAsterisk, centre: MakeCentre
) -> None:
    extensions = ("201", "202", "203", "204", "205", "206")
    office = await centre(agents=extensions, wrap_up="0s")
    six = partial(resident, lab_asterisk, FIRST, scenario="uac_talk", count=6)
    async with AsyncExitStack() as stack:
        for extension in extensions:
            await stack.enter_async_context(phone_that(lab_asterisk, "uas_answer", extension, count=12))
        async with six(talks_ms=2000) as early:
            await office.until("all counselors are taken", lambda now: len(now["calls"]) == 6)
            async with six(talks_ms=5000) as late:  # they wait for those to go
                outcomes = [(await burst.result()).check() for burst in (early, late)]

    cdrs = await office.cdrs(12)
    assert [outcome.successful for outcome in outcomes] == [6, 6]
    assert [cdr.outcome for cdr in cdrs] == [Outcome.HANDLED] * 12
    for agent in extensions:
        spans = sorted((leg.offered_at, leg.ended_at) for cdr in cdrs for leg in cdr.legs if leg.agent == agent)
        assert all(before[1] <= after[0] for before, after in pairwise(spans)), agent


async def test_nothing_is_left_of_a_call_in_asterisk(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=("201",))
    person, phone = await caller(FIRST), await counselor("201")
    await person.dial("120")
    await phone.incoming()
    await phone.accept()
    await office.until_call("connected")
    during = len(lab_asterisk.get("bridges"))
    await person.hang_up()
    await office.cdr()
    async with asyncio.timeout(5):
        # The bridge goes after its channels, and nobody tells when.
        while lab_asterisk.get("bridges") or lab_asterisk.channels():  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert during == 1
