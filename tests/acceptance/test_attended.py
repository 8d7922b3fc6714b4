"""Attended transfer with the phone's own keys: a second line, and REFER with Replaces (RFC 3891)."""

import asyncio
from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.desk_phone import DeskPhone
from lab.phones import CARRIER_ADDRESS
from lab.testing import MUSIC_HZ
from tests.acceptance.centre import Desk, MakeCentre, People
from tests.acceptance.talks import (
    FIRST_HZ,
    RESIDENT,
    RESIDENT_HZ,
    SECOND_HZ,
    TALK_S,
    a_caller_on_hold,
    a_colleague_asked,
    people_talk,
)

pytestmark = pytest.mark.asterisk

ENOUGH_S = 1.2

INTERPRETER, SHORT = "01098765432", "70"
OUTSIDE = """\
trunks:
  carrier: {title: 국선, channels: 2, caller_id: "0552111120"}
transfers:
  trunk: carrier
  short: {"70": changwon}
"""


def with_a_way_out(config: Path) -> None:
    (config / "trunks.yaml").write_text(OUTSIDE, encoding="utf-8")


async def test_a_counselor_asks_a_colleague_on_a_second_line_and_passes_the_caller_on(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await desk("201", tone_hz=FIRST_HZ)
    held = await a_caller_on_hold(resident, first, office)
    asked, second = await a_colleague_asked(first, counselor, office)

    await asyncio.sleep(TALK_S)  # the two talk about the caller
    await office.until_agent("201", "on-call")
    assert await held.transfer_to(asked) == 202
    told = await held.transferred()
    await asyncio.gather(held.closed(), asked.closed())
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert told == "200 OK"
    assert audio.tone_seconds(asked.heard(), SECOND_HZ) >= ENOUGH_S
    assert audio.tone_seconds(second.heard(), FIRST_HZ) >= ENOUGH_S
    assert audio.tone_seconds(second.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), MUSIC_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), SECOND_HZ) >= ENOUGH_S
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent, cdr.released_by) == (Outcome.HANDLED, "201", ReleasedBy.CALLER)
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [
        ("201", OfferResult.ANSWERED),
        ("202", OfferResult.ANSWERED),
    ]
    assert ENOUGH_S <= cdr.hold_s < cdr.talk_s


async def test_a_phone_changes_between_caller_and_colleague_as_it_likes(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await desk("201", tone_hz=FIRST_HZ)
    held = await a_caller_on_hold(resident, first, office)
    asked, second = await a_colleague_asked(first, counselor, office)

    await asked.hold()
    await held.resume()
    await office.until("the caller is back", lambda now: [c["held"] for c in now["calls"]] == [False])
    await asyncio.sleep(TALK_S)  # the counselor tells the caller whom he asked
    await asked.hang_up()
    await second.closed()
    await office.until("the colleague is gone", lambda now: [c["invited"] for c in now["calls"]] == [None])
    await resident.hang_up()
    await held.closed()

    assert audio.tone_seconds(resident.heard(), FIRST_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), SECOND_HZ) == 0
    assert audio.tone_seconds(second.heard(), RESIDENT_HZ) == 0
    assert [leg.agent for leg in (await office.cdr()).legs] == ["201", "202"]


async def test_a_caller_who_is_left_to_a_ringing_phone_is_with_the_colleague_who_answers(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"), ring_timeout="10s")
    resident, first = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await desk("201")
    held = await a_caller_on_hold(resident, first, office)
    second = await counselor("202", tone_hz=SECOND_HZ)
    await office.until_agent("202", "available")
    asked = await first.dial("202")
    await second.incoming()
    await asked.rings()

    assert await held.transfer_to(asked) == 202
    await second.accept()
    await second.established()
    assert await held.transferred() == "200 OK"
    await asyncio.gather(held.closed(), asked.closed())
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert audio.tone_seconds(resident.heard(), SECOND_HZ) >= ENOUGH_S
    assert audio.tone_seconds(second.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert [leg.agent for leg in (await office.cdr()).legs] == ["201", "202"]


async def test_a_phone_that_gives_its_second_line_up_and_then_transfers_to_the_same_colleague_rings_him_again(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"), ring_timeout="10s")
    resident, first = await caller(RESIDENT), await desk("201")
    held = await a_caller_on_hold(resident, first, office)
    second = await counselor("202", tone_hz=SECOND_HZ)
    await office.until_agent("202", "available")
    asked = await first.dial("202")
    await second.incoming()
    await asked.rings()

    await asked.hang_up()
    assert await held.refer("202") == 202
    await second.closed()
    await second.incoming()
    await second.accept()
    assert await held.transferred() == "200 OK"
    await held.closed()
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert audio.tone_seconds(resident.heard(), SECOND_HZ) >= ENOUGH_S
    assert [(leg.agent, leg.result) for leg in (await office.cdr()).legs] == [
        ("201", OfferResult.ANSWERED),
        ("202", OfferResult.CALLER_GONE),
        ("202", OfferResult.ANSWERED),
    ]


async def test_a_caller_who_is_left_to_a_phone_that_nobody_answers_stays_with_the_counselor(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT), await desk("201", tone_hz=FIRST_HZ)
    held = await a_caller_on_hold(resident, first, office)
    second = await counselor("202")
    await office.until_agent("202", "available")
    asked = await first.dial("202")
    await second.incoming()
    await asked.rings()

    await held.transfer_to(asked)
    assert await held.transferred() == "603 Decline"
    assert await asked.closed() >= 400
    await held.resume()
    await people_talk()
    await resident.hang_up()
    await held.closed()

    assert audio.tone_seconds(resident.heard(), FIRST_HZ) >= ENOUGH_S
    assert [(leg.agent, leg.result) for leg in (await office.cdr()).legs] == [
        ("201", OfferResult.ANSWERED),
        ("202", OfferResult.NO_ANSWER),
    ]


async def test_the_second_line_tells_that_the_colleague_is_busy_or_may_not_be_called(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT), await desk("201")
    await a_caller_on_hold(resident, first, office)
    second = await counselor("202")
    await office.until_agent("202", "available")

    declined = await first.dial("202")
    await second.incoming()
    await second.hang_up()  # declines
    assert await declined.closed() == 486
    forbidden = await first.dial("01012345678")  # no number outside may be called here
    assert await forbidden.closed() == 403
    nobody = await first.dial("7001")
    assert await nobody.closed() == 404
    await resident.hang_up()

    assert [(leg.agent, leg.result) for leg in (await office.cdr()).legs] == [
        ("201", OfferResult.ANSWERED),
        ("202", OfferResult.BUSY),
    ]


async def test_a_caller_who_hangs_up_while_he_is_talked_about_leaves_no_line_behind(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT), await desk("201")
    held = await a_caller_on_hold(resident, first, office)
    asked, second = await a_colleague_asked(first, counselor, office)

    await resident.hang_up()
    await asyncio.gather(held.closed(), asked.closed(), second.closed())

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)


async def test_a_counselor_who_hangs_up_both_lines_ends_the_call(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT), await desk("201")
    held = await a_caller_on_hold(resident, first, office)
    asked, second = await a_colleague_asked(first, counselor, office)

    await held.hang_up()
    await asyncio.gather(asked.closed(), second.closed(), resident.closed())

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.AGENT)


async def test_a_phone_is_refused_a_call_that_is_not_its_own(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT), await desk("201", tone_hz=FIRST_HZ)
    held = await a_caller_on_hold(resident, first, office)
    other, second = await caller("0552259999"), await desk("202")
    await office.until_agent("202", "available")
    await other.dial("120")
    foreign = await second.incoming()
    await foreign.answer()
    await office.until_agent("202", "on-call")

    assert await second.lines[foreign.call_id].refer("201", "nobody;to-tag=a;from-tag=b") == 202
    assert await foreign.transferred() == "603 Decline"
    assert await held.transfer_to(foreign) == 202
    assert await held.transferred() == "603 Decline"
    await held.resume()
    await people_talk()
    await resident.hang_up()
    await other.hang_up()
    await asyncio.gather(held.closed(), foreign.closed())

    assert audio.tone_seconds(resident.heard(), FIRST_HZ) >= ENOUGH_S
    assert [[leg.agent for leg in cdr.legs] for cdr in await office.cdrs(2)] == [["201"], ["202"]]


async def test_a_number_outside_is_asked_and_gets_the_caller(
    caller: People, outside: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), edit=with_a_way_out)
    resident, first = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await desk("201")
    held = await a_caller_on_hold(resident, first, office)
    interpreter = await outside(INTERPRETER, tone_hz=SECOND_HZ)

    asked = await first.dial(INTERPRETER)
    await interpreter.incoming()
    await interpreter.accept()
    await asked.established()
    await held.transfer_to(asked)
    assert await held.transferred() == "200 OK"
    await people_talk()
    await interpreter.hang_up()
    await resident.closed()

    assert audio.tone_seconds(interpreter.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), SECOND_HZ) >= ENOUGH_S
    assert [(leg.agent, leg.destination, leg.trunk) for leg in (await office.cdr()).legs] == [
        ("201", None, None),
        (None, INTERPRETER, "carrier"),
    ]
    assert (await office.status())["trunks"][0]["in_use"] == 0


async def test_a_queues_short_number_rings_one_of_its_counselors_and_the_transfer_may_come_from_either_line(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"), edit=with_a_way_out)
    resident, first = await caller(RESIDENT), await desk("201")
    held = await a_caller_on_hold(resident, first, office)
    second = await counselor("202", tone_hz=SECOND_HZ)
    await office.until_agent("202", "available")

    asked = await first.dial(SHORT)
    await second.incoming()
    await second.accept()
    await asked.established()
    await asked.transfer_to(held)
    assert await asked.transferred() == "200 OK"
    await asyncio.gather(held.closed(), asked.closed())
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert audio.tone_seconds(resident.heard(), SECOND_HZ) >= ENOUGH_S
    assert [leg.agent for leg in (await office.cdr()).legs] == ["201", "202"]


async def test_a_daemon_that_dies_after_the_transfer_of_a_call_that_still_rings_is_followed_by_one_that_does_it(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"), ring_timeout="30s")
    resident, first = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await desk("201")
    held = await a_caller_on_hold(resident, first, office)
    second = await counselor("202", tone_hz=SECOND_HZ)
    await office.until_agent("202", "available")
    asked = await first.dial("202")
    await second.incoming()
    await asked.rings()

    await held.transfer_to(asked)
    await office.until("the transfer is known", lambda _: "complete; by 201" in office.daemon.log_tail())
    await office.kill()
    await office.restart()
    await second.accept()
    await asyncio.gather(held.closed(), asked.closed())
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert audio.tone_seconds(second.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), SECOND_HZ) >= ENOUGH_S
    assert [leg.agent for leg in (await office.cdr()).legs] == ["201", "202"]


async def test_a_caller_whose_phone_wants_the_call_sent_elsewhere_is_refused(
    desk: Desk, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=("201",))
    first = await desk("201", tone_hz=FIRST_HZ)
    await office.until_agent("201", "available")
    async with DeskPhone(RESIDENT, CARRIER_ADDRESS, server=lab_asterisk.sip_address) as resident:
        calling = await resident.dial("120")
        line = await first.incoming()
        await line.answer()
        await office.until_call("connected")

        assert await calling.refer("201") == 202
        assert await calling.transferred() == "603 Decline"
        await people_talk()
        await calling.hang_up()
        await line.closed()

        assert audio.tone_seconds(calling.heard(), FIRST_HZ) >= ENOUGH_S
    assert [leg.agent for leg in (await office.cdr()).legs] == ["201"]


async def test_a_daemon_that_dies_between_question_and_transfer_is_followed_by_one_that_passes_the_caller_on(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await desk("201", tone_hz=FIRST_HZ)
    held = await a_caller_on_hold(resident, first, office)
    asked, second = await a_colleague_asked(first, counselor, office)

    await office.kill()
    await office.restart()
    await office.until("the colleague is known", lambda now: [c["invited"] for c in now["calls"]] == ["202"])
    await asyncio.sleep(TALK_S)  # the two talk on
    await held.transfer_to(asked)
    assert await held.transferred() == "200 OK"
    await asyncio.gather(held.closed(), asked.closed())
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert audio.tone_seconds(second.heard(), FIRST_HZ) >= ENOUGH_S
    assert audio.tone_seconds(second.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert [leg.agent for leg in (await office.cdr()).legs] == ["201", "202"]


async def test_a_colleague_who_answers_the_next_daemon_talks_to_the_counselor_and_not_to_the_caller(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    office = await centre(agents=("201", "202"), ring_timeout="30s")
    resident, first = await caller(RESIDENT), await desk("201", tone_hz=FIRST_HZ)
    await a_caller_on_hold(resident, first, office)
    second = await counselor("202", tone_hz=SECOND_HZ)
    await office.until_agent("202", "available")
    asked = await first.dial("202")
    await second.incoming()
    await office.until("somebody is called in", lambda now: [c["invited"] for c in now["calls"]] == ["202"])

    await office.kill()
    await office.restart()
    await second.accept()
    await asked.established()
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert audio.tone_seconds(asked.heard(), SECOND_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), SECOND_HZ) == 0


async def test_a_phone_without_a_caller_and_without_a_daemon_calls_as_ever(
    desk: Desk, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=("201", "202"))
    first, second = await desk("201"), await desk("202")
    await office.until_agent("201", "available")
    lab_asterisk.cli("dialplan set global CALLROUTER_OWN_CALLS office")
    for extension in ("202", "7001"):
        lab_asterisk.cli(f"dialplan add extension {extension},1,Dial,PJSIP/202 into office replace")
    try:
        for number in ("202", "7001"):
            own = await first.dial(number)
            await (await second.incoming()).answer()
            await own.established()
            await office.until_agent("201", "own-call")
            await own.hang_up()
        await office.kill()
        own = await first.dial("202")
        await (await second.incoming()).answer()
        await own.established()
        await own.hang_up()
    finally:
        lab_asterisk.cli('dialplan set global CALLROUTER_OWN_CALLS ""')


async def test_a_transfer_asked_for_while_no_daemon_is_there_does_nothing_and_can_be_asked_for_again(
    caller: People, counselor: People, desk: Desk, centre: MakeCentre
) -> None:
    """Asterisk takes the REFER and tells the phone no more of it; all three stay where they are."""
    office = await centre(agents=("201", "202"))
    resident, first = await caller(RESIDENT, tone_hz=RESIDENT_HZ), await desk("201", tone_hz=FIRST_HZ)
    held = await a_caller_on_hold(resident, first, office)
    asked, second = await a_colleague_asked(first, counselor, office)

    await office.kill()
    assert await held.transfer_to(asked) == 202
    await people_talk()  # the counselor waits for his phone to say something
    await office.restart()
    await office.until("the colleague is known", lambda now: [c["invited"] for c in now["calls"]] == ["202"])
    assert held.told == []
    await held.transfer_to(asked)
    assert await held.transferred() == "200 OK"
    await asyncio.gather(held.closed(), asked.closed())
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert audio.tone_seconds(second.heard(), FIRST_HZ) >= ENOUGH_S
    assert audio.tone_seconds(second.heard(), RESIDENT_HZ) >= ENOUGH_S
