"""Calls of ours that come back: known by our header or by numbers, ended, and who they were made for goes on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core import commands as cmd
from callrouter.core import loops
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import Disposition, OfferResult, Outcome, ReleasedBy
from callrouter.core.facts import LoopSign
from callrouter.core.ids import CallId, ChannelId
from callrouter.core.loops import MOST_HOPS, header, read_header, word_of
from callrouter.core.outbound_spec import OutboundRules
from callrouter.core.output import NoticeKind
from callrouter.core.plan import Destination, Dial, HangUp, Plan
from callrouter.core.states import CallState
from callrouter.core.transfers import TransferRules
from callrouter.core.trunk_spec import TrunkSpec
from tests.core.driver import CALLS_BACK, CITY, DUTY_DESK, DUTY_MOBILE, PLANS, Driver, agent, rulebook

CALLER, MOBILE, SHOWN = "0552251234", "01098765432", "0552110000"
OUTSIDE = Destination(DUTY_MOBILE.name, "당직 휴대전화", "PJSIP/01098765432@city", CITY, number=MOBILE)
OFFICE = Destination(DUTY_MOBILE.name, "재난상황실", "PJSIP/0552112222@city", CITY, number="0552112222")


def hall_that_shows(
    number: str = SHOWN, *, max_hops: int = 3, own: tuple[str, ...] = (SHOWN,), to: Destination = OUTSIDE
) -> Driver:
    """A duty list at 129: a mobile over a trunk group that shows ``number`` (empty: the caller's), then a desk."""
    duty = Plan("duty", (Dial((to, DUTY_DESK)), HangUp()))
    rules = rulebook(agent("kim"), queues=[CALLS_BACK], plans={**PLANS, "129": duty})
    trunk = TrunkSpec(CITY, 9, caller_number=number)
    destinations = {one.name: one for one in (to, DUTY_DESK)}
    known = TransferRules(destinations=destinations, own=frozenset(own))
    hall = Driver(replace(rules, trunks={CITY: trunk}, outbound=OutboundRules(max_hops), transfers=known))
    hall.asterisk.phones["PJSIP/01098765432@city"] = "rings"
    return hall


def arrives(hall: Driver, caller: str = CALLER, *, hops: str = "", diversion: str = "") -> CallId:
    """A call comes in; everything settles."""
    call = hall.arrive("120", caller, hops=hops, diversion=diversion)
    hall.settle()
    return call


def ended_as_loop(hall: Driver, call: CallId) -> bool:
    return any(cdr.call_id == call and cdr.outcome is Outcome.REJECTED for cdr in hall.cdrs)


def carried(hall: Driver) -> str:
    """The header of the leg that was made last."""
    return hall.given(cmd.Originate)[-1].hops


def state(call: Call) -> CallState:
    return call.state


def test_a_leg_that_comes_back_is_ended_with_its_cause_and_its_caller_goes_on_to_the_next() -> None:
    hall = hall_that_shows()
    call = hall.dial("129")
    returned = arrives(hall, hops=carried(hall))

    assert hall.called() == ["01098765432@city", "duty"]
    (cdr,) = hall.cdrs
    assert (cdr.call_id, cdr.hangup_cause, cdr.released_by) == (
        returned,
        Cause.EXCHANGE_ROUTING_ERROR,
        ReleasedBy.SYSTEM,
    )
    assert (cdr.outcome, cdr.disposition) == (Outcome.REJECTED, Disposition.FAILED)
    assert cdr.explanation == f"goes in a circle (leg), out 1 times; from call {call.id}\nreleased: loop"
    assert hall.exchange.counters.loops == {LoopSign.LEG: 1}
    (notice,) = [one for one in hall.notices if one.kind is NoticeKind.LOOP]
    assert "our own leg" in notice.text
    hall.pick_up(call)
    hall.leg_ends(call)
    assert [leg.result for leg in hall.cdr(call).legs] == [OfferResult.LOOP, OfferResult.ANSWERED]
    assert hall.exchange.floor.trunks.seizures == 0


def test_a_leg_of_an_earlier_daemon_is_known_when_it_comes_back() -> None:
    hall = hall_that_shows()
    call = hall.dial("129")
    sent = carried(hall)
    hall.restart()
    hall.sync()
    assert ended_as_loop(hall, arrives(hall, hops=sent))
    assert hall.exchange.calls[call.id].offer is not None
    assert hall.called()[-1] == "duty"


@pytest.mark.parametrize("diversion", ["", MOBILE])
def test_numbers_of_an_earlier_daemons_leg_are_known_too(diversion: str) -> None:
    hall = hall_that_shows()
    hall.dial("129")
    hall.restart()
    hall.sync()
    assert ended_as_loop(hall, arrives(hall, SHOWN if not diversion else CALLER, diversion=diversion))


def test_a_counselor_s_phone_that_is_forwarded_to_us_gives_the_caller_back_to_the_line() -> None:
    hall = hall_that_shows()
    call = hall.dial("120")
    assert ended_as_loop(hall, arrives(hall, hops=carried(hall)))
    assert state(call) is CallState.QUEUED
    hall.hang_up(call)
    assert [leg.result for leg in hall.cdr(call).legs] == [OfferResult.LOOP]


def test_a_resident_whose_phone_is_forwarded_to_us_is_called_back_later() -> None:
    hall = hall_that_shows()
    call = hall.ask()
    hall.pick_up(call)
    assert ended_as_loop(hall, arrives(hall, SHOWN, hops=carried(hall)))
    assert state(call) is CallState.POSTPONED
    assert call.vain == 1


def test_a_resident_who_calls_us_while_we_call_him_is_no_loop() -> None:
    hall = hall_that_shows()
    call = hall.ask()
    hall.pick_up(call)
    assert not ended_as_loop(hall, arrives(hall, CALLER))
    hall.resident_answers(call)
    assert not ended_as_loop(hall, arrives(hall, "0552873000", hops=carried(hall))), "he is there: it is not that leg"


def test_who_is_called_into_a_conversation_and_is_forwarded_to_us_does_not_come() -> None:
    hall = hall_that_shows()
    call = hall.dial("120")
    hall.pick_up(call)
    hall.order_call(call.id, "conference", "duty-mobile")  # type: ignore[arg-type]
    assert ended_as_loop(hall, arrives(hall, hops=carried(hall)))
    assert state(call) is CallState.CONNECTED
    assert call.invited is None


def test_a_leg_that_is_talked_over_is_not_taken_down_by_its_word() -> None:
    hall = hall_that_shows()
    call = hall.dial("129")
    sent = carried(hall)
    hall.pick_up(call)
    assert not ended_as_loop(hall, arrives(hall, hops=sent))
    assert state(call) is CallState.CONNECTED


@pytest.mark.parametrize(
    ("caller", "diversion", "sign"),
    [
        (CALLER, MOBILE, LoopSign.DIVERTED),
        (CALLER, "+821098765432", LoopSign.DIVERTED),
        (MOBILE, "", LoopSign.CALLED),
        (SHOWN, "", LoopSign.SHOWN),
    ],
)
def test_without_our_header_numbers_tell_and_end_what_came_in_alone(
    caller: str, diversion: str, sign: LoopSign
) -> None:
    hall = hall_that_shows()
    call = hall.dial("129")
    assert ended_as_loop(hall, arrives(hall, caller, diversion=diversion))
    assert hall.exchange.counters.loops == {sign: 1}
    assert state(call) is CallState.OFFERED
    assert hall.called() == ["01098765432@city"], "numbers can be forged: our own leg goes on"


def test_behind_the_number_of_an_office_are_many_of_whom_one_may_call_while_we_call_them() -> None:
    hall = hall_that_shows(to=OFFICE)
    hall.dial("129")
    assert not ended_as_loop(hall, arrives(hall, OFFICE.number))
    hall.dial("129", OFFICE.number)
    assert ended_as_loop(hall, arrives(hall, OFFICE.number))


def test_colleagues_may_show_the_number_that_our_trunk_shows() -> None:
    hall = hall_that_shows(own=())
    hall.dial("129")
    assert not ended_as_loop(hall, arrives(hall, SHOWN))
    hall.dial("129", SHOWN)
    assert ended_as_loop(hall, arrives(hall, SHOWN))


def test_the_numbers_of_a_leg_that_is_talked_over_mean_nothing() -> None:
    hall = hall_that_shows()
    hall.pick_up(hall.dial("129"))
    for caller, diversion in ((CALLER, MOBILE), (MOBILE, ""), (SHOWN, "")):
        assert not ended_as_loop(hall, arrives(hall, caller, diversion=diversion))


def test_who_shows_his_own_number_may_call_twice_but_not_for_ever() -> None:
    hall = hall_that_shows("", max_hops=2)
    hall.dial("129")
    second = hall.dial("129")
    assert state(second) is CallState.OFFERED
    assert ended_as_loop(hall, arrives(hall))


def test_a_caller_without_a_number_is_no_loop() -> None:
    hall = hall_that_shows("")
    hall.dial("129", "")
    assert not ended_as_loop(hall, arrives(hall, ""))


def test_a_forged_count_ends_the_forgers_own_call_and_nothing_else() -> None:
    hall = hall_that_shows()
    call = hall.dial("129")
    assert ended_as_loop(hall, arrives(hall, "0552873000", hops="99"))
    assert not ended_as_loop(hall, arrives(hall, "0552873000", hops=f"2-{'0' * 16}"))
    assert state(call) is CallState.OFFERED


def test_a_call_that_went_through_others_goes_out_with_a_higher_count() -> None:
    hall = hall_that_shows()
    hall.arrive("129", "0552873000", hops="2")
    hall.settle()
    assert carried(hall).partition("-")[0] == "3"


def test_a_loop_among_too_many_calls_is_ended_as_one() -> None:
    hall = hall_that_shows()
    hall.dial("129")
    hall.exchange.draining = True
    assert ended_as_loop(hall, arrives(hall, hops=carried(hall)))
    assert not [one for one in hall.notices if one.kind is NoticeKind.NOT_TAKEN]


@given(st.text(max_size=40))
def test_whatever_is_in_the_header_is_read_without_harm(text: str) -> None:
    hops, word = read_header(text)
    assert 0 <= hops <= MOST_HOPS
    assert word == "" or (len(word) == 16 and set(word) <= set("0123456789abcdef"))


def test_what_is_sent_is_read_again() -> None:
    hall = hall_that_shows()
    call = hall.dial("129")
    assert call.offer is not None
    assert read_header(header(call.offer.channel, call.arrival)) == (1, word_of(call.offer.channel))
    assert read_header(header(ChannelId("x"), replace(call.arrival, hops=MOST_HOPS)))[0] == MOST_HOPS


def test_the_word_of_a_call_that_is_over_means_nothing() -> None:
    hall = hall_that_shows()
    call = hall.dial("129")
    sent = carried(hall)
    hall.asterisk.connected = False  # its legs' ends are not heard of
    hall.exchange.floor.legs[hall.leg(call)].result = OfferResult.FAILED
    assert loops.find(replace(call.arrival, word=read_header(sent)[1]), [], lambda _: True, 3) is None
    hall.asterisk.connected = True
    assert not ended_as_loop(hall, arrives(hall, "0552873000", hops=sent))
