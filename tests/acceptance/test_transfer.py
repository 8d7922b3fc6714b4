"""During the conversation: hold, transfer and conference, by REFER from the phone and by order."""

import asyncio
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from callrouter.core.cdr import CallMark, OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.baresip import Baresip
from lab.testing import MUSIC_HZ, PROMPT_HZ, PROMPT_S
from tests.acceptance import talks
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.ordering import command
from tests.acceptance.talks import FIRST_HZ, RESIDENT, RESIDENT_HZ, SECOND_HZ, TALK_S, answers, people_talk

pytestmark = pytest.mark.asterisk

INTERPRETER = "01098765432"
REMINDED_S, LASTS_S, EXTENSION_S = 1.0, 3.0, 2.0
ENOUGH_S, RING_S = 1.2, 0.7

OUTSIDE = """\
trunks:
  carrier: {title: 국선, channels: 2, caller_id: "0552111120"}
transfers:
  trunk: carrier
  short: {"70": changwon}
"""


def with_a_way_out(config: Path) -> None:
    (config / "trunks.yaml").write_text(OUTSIDE, encoding="utf-8")


def with_a_length(config: Path) -> None:
    rule = (
        f"length: {{remind_after: {REMINDED_S:g}s, reminder: length-reminder, end_after: {LASTS_S:g}s,"
        f" farewell: length-over, extension: {EXTENSION_S:g}s}}"
    )
    queues = config / "queues.yaml"
    written = queues.read_text(encoding="utf-8")
    queues.write_text(written.replace("  changwon:\n", f"  changwon:\n    {rule}\n"), encoding="utf-8")


async def is_invited(office: Centre, *, held: bool) -> None:
    """Somebody is being called in."""
    await office.until(
        "somebody is called in",
        lambda now: [(c["invited"] is not None, c["held"]) for c in now["calls"]] == [(True, held)],
    )


a_talk = partial(talks.a_talk, agents=("201", "202"))
"""A resident talks to the counselor 201; 202 is at work too, and in his wrap-up when he can be."""


def seconds(phone: Baresip, hz: float) -> float:
    return audio.tone_seconds(phone.heard(), hz)


async def test_a_phone_passes_the_caller_on_to_a_colleague_who_answers(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)
    second = await counselor("202", tone_hz=SECOND_HZ)

    await first.transfer("202")
    ringing = await second.incoming()
    assert f"sip:{RESIDENT}@" in ringing.peer, "the colleague does not see who calls"
    await is_invited(office, held=True)
    await asyncio.sleep(RING_S)  # the colleague lets it ring
    await second.accept()
    await second.established()
    await first.closed()
    await office.until_agent("202", "on-call")
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert seconds(second, RESIDENT_HZ) >= ENOUGH_S
    assert seconds(resident, SECOND_HZ) >= ENOUGH_S
    assert seconds(resident, MUSIC_HZ) > 0, "no music while the colleague's phone rang"
    assert seconds(first, SECOND_HZ) == 0, "the colleague was heard by who had passed the call on"
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent, cdr.released_by) == (Outcome.HANDLED, "201", ReleasedBy.CALLER)
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [
        ("201", OfferResult.ANSWERED),
        ("202", OfferResult.ANSWERED),
    ]
    assert 0 < cdr.hold_s < cdr.talk_s
    assert cdr.talk_s == pytest.approx((cdr.ended_at - cdr.answered_at).total_seconds())  # type: ignore[operator]


async def test_a_phone_that_gives_up_because_nobody_came_does_not_lose_the_caller(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre, agents=("201", "202", "203"))
    second, third = await counselor("202"), await counselor("203", tone_hz=SECOND_HZ)

    await first.transfer("202")
    await second.incoming()
    await second.hang_up()  # declines
    await first.printed("603 Decline")  # baresip hangs up by itself now
    await answers(third)
    await office.until_call("connected")
    await people_talk()
    await resident.hang_up()
    await third.closed()

    assert seconds(third, RESIDENT_HZ) >= ENOUGH_S
    cdr = await office.cdr()
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [
        ("201", OfferResult.ANSWERED),
        ("202", OfferResult.BUSY),
        ("203", OfferResult.ANSWERED),
    ]


async def test_a_phone_is_told_that_there_is_no_such_transfer(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)

    await first.transfer("0212345678")  # no number outside may be called here
    await first.printed("603 Decline")
    await resident.hang_up()
    await resident.closed()

    assert (await office.cdr()).legs[0].agent == "201"


async def test_a_phone_that_hangs_up_while_the_colleagues_rings_has_passed_the_call_on_all_the_same(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)
    second = await counselor("202", tone_hz=SECOND_HZ)

    await first.transfer("202")
    await second.incoming()
    await is_invited(office, held=True)
    await first.hang_up()
    await office.until_call("offered")
    await second.accept()
    await second.established()
    await office.until_call("connected")
    await people_talk()
    await second.hang_up()
    await resident.closed()

    assert seconds(resident, SECOND_HZ) >= ENOUGH_S
    cdr = await office.cdr()
    assert (cdr.agent, cdr.released_by) == ("201", ReleasedBy.AGENT)
    assert [leg.agent for leg in cdr.legs] == ["201", "202"]


async def test_a_caller_who_was_passed_on_in_vain_goes_back_into_his_line(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)
    second = await counselor("202")

    await first.transfer("202")
    await second.incoming()
    await is_invited(office, held=True)
    await first.hang_up()
    await office.until_call("offered")
    await second.hang_up()  # declines; the first has his wrap-up behind him in a second
    await first.incoming()
    await resident.hang_up()
    await resident.closed()

    cdr = await office.cdr()
    assert (cdr.outcome, cdr.queue) == (Outcome.HANDLED, "changwon")
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [
        ("201", OfferResult.ANSWERED),
        ("202", OfferResult.BUSY),
        ("201", OfferResult.CALLER_GONE),
    ]
    assert cdr.hold_s > 0.5 * cdr.talk_s


async def test_a_phone_passes_the_caller_on_to_a_queue_by_its_short_number(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre, with_a_way_out)
    second = await counselor("202", tone_hz=SECOND_HZ)

    await first.transfer("70")
    await first.closed()
    await answers(second)
    await office.until_call("connected")
    await resident.hang_up()
    await second.closed()

    cdr = await office.cdr()
    assert [leg.agent for leg in cdr.legs] == ["201", "202"]
    assert "transfer to changwon" in cdr.explanation


async def test_the_counselor_asks_a_colleague_first_while_the_caller_hears_music(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)
    second = await counselor("202", tone_hz=SECOND_HZ)

    await command(office, "call", "consult", "201", "202")
    await answers(second)
    await office.until_agent("202", "on-call")
    await asyncio.sleep(TALK_S)  # the two talk about the caller
    await first.hang_up()
    await office.until("the caller is with the colleague", lambda now: [c["agent"] for c in now["calls"]] == ["202"])
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert seconds(first, SECOND_HZ) >= ENOUGH_S
    assert seconds(second, FIRST_HZ) >= ENOUGH_S
    assert seconds(resident, MUSIC_HZ) >= ENOUGH_S
    assert seconds(resident, SECOND_HZ) >= ENOUGH_S
    assert seconds(second, RESIDENT_HZ) >= ENOUGH_S
    assert (await office.cdr()).hold_s >= ENOUGH_S


async def test_an_interpreter_joins_and_all_three_hear_each_other(
    caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre, with_a_way_out)
    interpreter = await outside(INTERPRETER, tone_hz=SECOND_HZ)

    await command(office, "call", "conference", "201", INTERPRETER)
    await answers(interpreter)
    await people_talk()
    await interpreter.hang_up()
    await office.until("the interpreter has left", lambda now: [c["invited"] for c in now["calls"]] == [None])
    await first.hang_up()
    await resident.closed()

    for phone, others in (
        (resident, (FIRST_HZ, SECOND_HZ)),
        (first, (RESIDENT_HZ, SECOND_HZ)),
        (interpreter, (RESIDENT_HZ, FIRST_HZ)),
    ):
        assert audio.chord_seconds(phone.heard(), *others) >= ENOUGH_S, f"{phone.user} does not hear both others"
    cdr = await office.cdr()
    assert [(leg.agent, leg.destination, leg.trunk) for leg in cdr.legs] == [
        ("201", None, None),
        (None, INTERPRETER, "carrier"),
    ]
    assert cdr.hold_s == pytest.approx(0.0, abs=0.05)
    assert (await office.status())["trunks"][0]["in_use"] == 0


@pytest.mark.parametrize("by_phone", [True, False], ids=["by the phone", "by order"])
async def test_a_caller_on_hold_hears_music_and_the_record_says_how_long(
    caller: People, counselor: People, centre: MakeCentre, *, by_phone: bool
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)

    began = time.monotonic()
    await (first.hold() if by_phone else command(office, "call", "hold", "201"))
    await office.until("the caller is on hold", lambda now: [c["held"] for c in now["calls"]] == [True])
    await asyncio.sleep(TALK_S)  # the counselor looks something up
    await (first.resume() if by_phone else command(office, "call", "resume", "201"))
    await office.until("the caller is back", lambda now: [c["held"] for c in now["calls"]] == [False])
    lasted_s = time.monotonic() - began
    await people_talk()
    await resident.hang_up()
    await first.closed()

    assert seconds(resident, MUSIC_HZ) >= ENOUGH_S
    assert seconds(resident, FIRST_HZ) >= ENOUGH_S
    cdr = await office.cdr()
    assert TALK_S <= cdr.hold_s <= lasted_s
    assert cdr.hold_s < cdr.talk_s


async def test_a_daemon_that_dies_while_three_talk_is_followed_by_one_that_knows_all_three(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)
    second = await counselor("202", tone_hz=SECOND_HZ)
    await command(office, "call", "conference", "201", "202")
    await answers(second)
    await office.until_agent("202", "on-call")

    await office.kill()
    await office.restart()
    await office.until("the colleague is known", lambda now: [c["invited"] for c in now["calls"]] == ["202"])
    await people_talk()
    await first.hang_up()
    await office.until("the caller is with the colleague", lambda now: [c["agent"] for c in now["calls"]] == ["202"])
    await second.hang_up()
    await resident.closed()

    assert seconds(resident, SECOND_HZ) >= ENOUGH_S
    assert [leg.agent for leg in (await office.cdr()).legs] == ["201", "202"]


async def test_a_caller_whose_counselor_and_daemon_both_go_during_a_consultation_is_with_the_colleague(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)
    second = await counselor("202", tone_hz=SECOND_HZ)
    await command(office, "call", "consult", "201", "202")
    await answers(second)
    await office.until_agent("202", "on-call")

    await office.kill()
    await first.hang_up()
    await first.closed()
    await office.restart()
    await office.until("the caller is with the colleague", lambda now: [c["agent"] for c in now["calls"]] == ["202"])
    await people_talk()
    await resident.hang_up()
    await second.closed()

    assert seconds(resident, SECOND_HZ) >= ENOUGH_S
    assert seconds(second, RESIDENT_HZ) >= ENOUGH_S


async def test_a_counselor_passes_the_call_on_with_keys_and_the_callers_keys_do_nothing(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)
    second = await counselor("202", tone_hz=SECOND_HZ)

    for key in "*99":
        await resident.press(key)
    for key in "*2202#":
        await first.press(key)
    await answers(second)
    await first.closed()
    await office.until_agent("202", "on-call")
    await resident.hang_up()
    await second.closed()

    cdr = await office.cdr()
    assert [leg.agent for leg in cdr.legs] == ["201", "202"]
    assert cdr.mark is None


async def test_a_code_that_cannot_be_carried_out_is_told_to_the_counselor_alone(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)

    for key in "*2299#":
        await first.press(key)
    await asyncio.sleep(PROMPT_S + TALK_S)  # the counselor listens, then the two talk
    await resident.hang_up()
    await first.closed()

    assert seconds(first, PROMPT_HZ["call-refused"]) == pytest.approx(PROMPT_S, abs=0.4)
    assert seconds(resident, PROMPT_HZ["call-refused"]) == 0
    assert seconds(resident, FIRST_HZ) >= ENOUGH_S / 2
    assert (await office.cdr()).hold_s == 0


async def test_an_abusive_caller_hears_an_announcement_and_his_record_is_marked(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)

    for key in "*99":
        await first.press(key)
    await first.closed()
    await office.until_agent("201", "wrap-up")
    await resident.closed()

    assert seconds(resident, PROMPT_HZ["abusive-goodbye"]) == pytest.approx(PROMPT_S, abs=0.3)
    cdr = await office.cdr()
    assert (cdr.mark, cdr.outcome, cdr.released_by) == (CallMark.ABUSIVE, Outcome.HANDLED, ReleasedBy.AGENT)


async def test_an_abusive_caller_hears_the_end_of_it_though_the_daemon_dies(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre)

    await command(office, "call", "dismiss", "201")
    await first.closed()
    await office.kill()
    await office.restart()
    await resident.closed()

    assert (await office.cdr()).mark is CallMark.ABUSIVE


async def test_a_long_conversation_is_reminded_put_off_and_ended_with_an_announcement(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office, resident, first = await a_talk(caller, counselor, centre, with_a_length)

    for key in "*6":
        await first.press(key)
    await first.closed()
    await resident.closed()

    assert seconds(first, PROMPT_HZ["length-reminder"]) == pytest.approx(PROMPT_S, abs=0.4)
    assert seconds(resident, PROMPT_HZ["length-reminder"]) == 0
    assert seconds(resident, PROMPT_HZ["length-over"]) == pytest.approx(PROMPT_S, abs=0.3)
    cdr = await office.cdr()
    assert (cdr.released_by, cdr.outcome) == (ReleasedBy.SYSTEM, Outcome.HANDLED)
    assert cdr.legs[0].ended_at - cdr.legs[0].answered_at >= timedelta(seconds=LASTS_S + EXTENSION_S)  # type: ignore[operator]
