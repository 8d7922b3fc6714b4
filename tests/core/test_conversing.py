"""Conversations: hold, transfer, consultation and conference, and what becomes of the caller when somebody goes."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.call_keys import CallKey, CallKeys
from callrouter.core.call_orders import CallVerb
from callrouter.core.causes import Cause
from callrouter.core.cdr import CallMark, Cdr, OfferResult, Outcome, ReleasedBy
from callrouter.core.duty import DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId, ChannelId
from callrouter.core.output import NoticeKind, Output
from callrouter.core.plan import Announce, Dial, HangUp, Plan
from callrouter.core.rulebook import QueueSpec
from callrouter.core.states import CallState
from callrouter.core.transfers import party
from callrouter.core.trunk_spec import MemberSpec, TrunkSpec
from callrouter.core.waiting_spec import QueueCare
from callrouter.errors import ImpossibleEventError
from tests.core.driver import (
    CITY,
    DESK,
    DUTY_DESK,
    DUTY_MOBILE,
    NIGHT,
    PLANS,
    SORRY,
    THANKS,
    Driver,
    agent,
    own_leg,
    rulebook,
)


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook(agent("kim"), agent("lee"), agent("park", NIGHT)))


@pytest.fixture
def call(hall: Driver) -> Call:
    """A caller who talks to kim."""
    call = hall.dial("120")
    hall.pick_up(call)
    assert call.state is CallState.CONNECTED
    return call


def ordered(hall: Driver, call: Call, verb: CallVerb, target: str = "") -> None:
    assert hall.order_call(call.id, verb, target).ok


def answers(hall: Driver, call: Call) -> None:
    """Who was called in picks up."""
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()


def ends(hall: Driver, channel: ChannelId, cause: int = Cause.NORMAL_CLEARING) -> None:
    hall.asterisk.hang_up(channel, cause)
    hall.settle()


def refer(hall: Driver, call: Call, target: str) -> None:
    hall.tell(ev.TransferAsked(hall.leg(call), target))


def legs(cdr: Cdr) -> list[tuple[str | None, OfferResult]]:
    return [(leg.agent or leg.destination, leg.result) for leg in cdr.legs]


def told(hall: Driver) -> list[bool]:
    """What the phone that asked for a transfer was told, each time."""
    return [command.done for command in hall.given(cmd.TellTransfer)]


# Hold.


def test_a_caller_on_hold_hears_music_outside_the_bridge_and_comes_back_to_the_same_counselor(
    hall: Driver, call: Call
) -> None:
    hall.advance(10)
    ordered(hall, call, CallVerb.HOLD)
    assert (hall.together(call), hall.channel(call).music) == (set(), True)
    hall.advance(30)
    ordered(hall, call, CallVerb.RESUME)
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    assert not hall.channel(call).music
    hall.advance(5)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.talk_s, cdr.hold_s) == (45.0, 30.0)


def test_what_the_phone_does_about_holding_is_only_noted(hall: Driver, call: Call) -> None:
    leg = hall.leg(call)
    hall.advance(10)
    for held in (True, True):
        hall.tell(ev.LegHeld(leg, held))
    assert call.phone_holds
    assert hall.together(call) == {call.channel, leg}
    hall.advance(7)
    for held in (False, False):
        hall.tell(ev.LegHeld(leg, held))
    hall.advance(1)
    hall.hang_up(call)
    assert hall.cdr(call).hold_s == 7.0


def test_hold_by_both_ends_when_both_have_ended_it(hall: Driver, call: Call) -> None:
    hall.tell(ev.LegHeld(hall.leg(call), held=True))
    ordered(hall, call, CallVerb.HOLD)
    hall.advance(4)
    hall.tell(ev.LegHeld(hall.leg(call), held=False))
    hall.advance(4)
    ordered(hall, call, CallVerb.RESUME)
    hall.advance(4)
    hall.hang_up(call)
    assert (hall.cdr(call).hold_s, hall.cdr(call).talk_s) == (8.0, 12.0)


def test_a_counselor_who_hangs_up_on_a_caller_on_hold_ends_the_call(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.HOLD)
    hall.leg_ends(call)
    assert hall.cdr(call).released_by is ReleasedBy.AGENT
    assert not hall.asterisk.bridges


def test_a_caller_on_hold_may_hang_up(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.HOLD)
    hall.hang_up(call)
    assert hall.cdr(call).released_by is ReleasedBy.CALLER
    assert not hall.asterisk.channels


def test_a_call_that_came_by_no_queue_hears_the_music_of_transfers() -> None:
    hall = Driver(rulebook())
    call = hall.dial("129")
    hall.pick_up(call)
    hall.tell(ev.LegDigit(hall.leg(call), "1"))
    ordered(hall, call, CallVerb.HOLD)
    assert hall.given(cmd.StartMusic)[-1].music_class == "default"


# Transfer.


def test_a_phone_passes_the_caller_on_to_a_colleague(hall: Driver, call: Call) -> None:
    first = hall.leg(call)
    hall.advance(10)
    refer(hall, call, "lee")
    assert hall.channel(call).music
    assert hall.agent("lee").state is AgentState.RESERVED
    hall.asterisk.ring(hall.invited(call))
    hall.asterisk.ring(hall.invited(call))
    hall.settle()
    hall.advance(5)
    answers(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    assert first not in hall.asterisk.channels
    assert told(hall) == [True]
    assert (hall.agent("kim").state, hall.agent("lee").state) == (AgentState.WRAP_UP, AgentState.ON_CALL)
    hall.advance(20)
    hall.leg_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.agent, cdr.outcome, cdr.released_by) == ("kim", Outcome.HANDLED, ReleasedBy.AGENT)
    assert legs(cdr) == [("kim", OfferResult.ANSWERED), ("lee", OfferResult.ANSWERED)]
    assert (cdr.talk_s, cdr.hold_s) == (35.0, 5.0)
    assert cdr.legs[1].rang_at is not None
    assert "passed on to lee" in cdr.explanation


@pytest.mark.parametrize(("cause", "result"), [(17, OfferResult.BUSY), (21, OfferResult.REJECTED)])
def test_who_does_not_come_leaves_the_caller_with_the_counselor(
    hall: Driver, call: Call, cause: int, result: OfferResult
) -> None:
    refer(hall, call, "lee")
    ends(hall, hall.invited(call), cause)
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    assert told(hall) == [False]
    hall.advance(30)
    hall.leg_ends(call)
    assert hall.cdr(call).released_by is ReleasedBy.AGENT
    assert legs(hall.cdr(call)) == [("lee", result), ("kim", OfferResult.ANSWERED)]


def test_who_does_not_answer_in_time_does_not_come_either(hall: Driver, call: Call) -> None:
    refer(hall, call, "lee")
    hall.advance(20)
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    assert call.invited is None
    assert own_leg(call, 2) not in hall.asterisk.channels


def test_a_phone_that_hangs_up_because_the_transfer_failed_does_not_lose_the_caller(hall: Driver, call: Call) -> None:
    refer(hall, call, "lee")
    ends(hall, hall.invited(call), Cause.USER_BUSY)
    hall.advance(1)
    hall.leg_ends(call)
    assert (call.state, hall.channel(call).music) == (CallState.QUEUED, True)
    hall.advance(30)
    assert call.state is CallState.OFFERED


def test_a_conversation_without_a_leg_or_a_bridge_is_a_defect(hall: Driver, call: Call) -> None:
    parties = hall.exchange.conduct.parties
    with pytest.raises(ImpossibleEventError, match="has no such leg"):
        parties.leg_of(call, None)
    assert call.offer is not None
    call.offer.bridge = None
    with pytest.raises(ImpossibleEventError, match="has no bridge"):
        parties.hold(call, hall.now, Output())


def test_a_counselor_who_hangs_up_while_the_colleague_rings_has_passed_the_call_on(hall: Driver, call: Call) -> None:
    refer(hall, call, "lee")
    hall.leg_ends(call)
    assert (call.state, hall.channel(call).music) == (CallState.OFFERED, True)
    assert hall.called() == ["kim", "lee"]
    hall.pick_up(call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    hall.hang_up(call)
    assert legs(hall.cdr(call)) == [("kim", OfferResult.ANSWERED), ("lee", OfferResult.ANSWERED)]


def test_a_caller_passed_on_in_vain_goes_back_into_his_line(hall: Driver, call: Call) -> None:
    refer(hall, call, "lee")
    hall.leg_ends(call)
    hall.advance(20)  # lee does not answer; kim's wrap-up is over
    assert (call.queue, call.state) == (DESK, CallState.OFFERED)
    assert hall.called() == ["kim", "lee", "kim"]
    hall.pick_up(call)
    hall.advance(10)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.agent, cdr.talk_s, cdr.hold_s) == ("kim", 30.0, 20.0)


def test_a_caller_passed_on_in_vain_who_came_by_no_queue_goes_on_with_his_plan() -> None:
    plans = {**PLANS, "129": Plan("duty", (Dial((DUTY_DESK,)), HangUp()))}
    hall = Driver(rulebook(agent("kim"), plans=plans))
    call = hall.dial("129")
    hall.pick_up(call)
    ordered(hall, call, CallVerb.TRANSFER, "kim")
    hall.leg_ends(call)
    ends(hall, hall.leg(call), Cause.USER_BUSY)
    assert hall.cdr(call).released_by is ReleasedBy.SYSTEM


def test_a_caller_is_sent_to_another_queue_at_once(hall: Driver, call: Call) -> None:
    hall.advance(10)
    refer(hall, call, "70")
    assert (call.queue, call.state) == (NIGHT, CallState.OFFERED)
    assert told(hall) == [True]
    hall.advance(5)
    hall.pick_up(call)
    hall.advance(10)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert legs(cdr) == [("kim", OfferResult.ANSWERED), ("park", OfferResult.ANSWERED)]
    assert (cdr.agent, cdr.queue, cdr.talk_s, cdr.hold_s) == ("kim", DESK, 25.0, 5.0)
    assert "transfer to night" in cdr.explanation


def test_what_was_wanted_in_the_queue_before_does_not_count_in_the_next_one() -> None:
    hall = Driver(rulebook(agent("kim", wrap_up_s=0.0), agent("park", NIGHT)))
    other = hall.dial("120")
    hall.pick_up(other)
    call = hall.dial("123")  # 30 s, and then another queue
    hall.advance(20.0)
    hall.hang_up(other)
    assert call.state is CallState.OFFERED
    hall.advance(11.0)
    assert (call.state, call.wait_over) == (CallState.OFFERED, True)
    hall.pick_up(call)
    ordered(hall, call, CallVerb.TRANSFER, NIGHT)
    assert call.state is CallState.OFFERED
    hall.leg_ends(call, Cause.USER_BUSY)
    assert call.queue == NIGHT
    assert hall.exchange.counters.defects == 0
    assert call.state in (CallState.QUEUED, CallState.OFFERED)


def test_a_caller_on_hold_is_sent_to_a_queue_and_may_give_up_there(hall: Driver, call: Call) -> None:
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"), agent("lee"))))  # nobody serves the night
    ordered(hall, call, CallVerb.HOLD)
    ordered(hall, call, CallVerb.TRANSFER, NIGHT)
    hall.advance(60)
    assert call.state is CallState.QUEUED
    hall.hang_up(call)
    assert hall.cdr(call).outcome is Outcome.HANDLED


def test_a_transfer_that_is_asked_for_twice_is_one(hall: Driver, call: Call) -> None:
    refer(hall, call, "lee")
    refer(hall, call, "lee")
    leg = hall.leg(call)
    answers(hall, call)
    hall.tell(ev.TransferAsked(leg, "lee"))
    hall.tell(ev.TransferAsked(hall.leg(call), "nobody"))  # the colleague's own phone may ask, too
    assert hall.called() == ["kim", "lee"]
    assert [notice.kind for notice in hall.notices if notice.kind is NoticeKind.CALL_REFUSED] == [
        NoticeKind.CALL_REFUSED
    ]


def test_who_was_called_in_cannot_pass_the_call_on_and_is_told_so(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.CONFERENCE, "lee")
    answers(hall, call)
    hall.tell(ev.TransferAsked(hall.invited(call), "park"))
    assert [(one.channel, one.done) for one in hall.given(cmd.TellTransfer)] == [(own_leg(call, 2), False)]
    assert hall.together(call) == {call.channel, own_leg(call, 1), own_leg(call, 2)}


def test_a_phone_that_leaves_tells_of_its_transfer_once_more(hall: Driver, call: Call) -> None:
    refer(hall, call, "lee")
    leg = hall.leg(call)
    hall.asterisk.pick_up(hall.invited(call))
    hall.handle(hall.inbox.pop(0))
    hall.handle(ev.TransferAsked(leg, "lee"))
    assert told(hall) == [True]


def test_a_destination_can_be_passed_the_call_and_can_itself_ask_for_more() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    call = hall.dial("120")
    hall.pick_up(call)
    ordered(hall, call, CallVerb.TRANSFER, DUTY_MOBILE.name)
    assert hall.exchange.floor.trunks.in_use(CITY) == 1
    answers(hall, call)
    refer(hall, call, "nobody")
    assert "a destination: " in hall.notices[-1].text
    hall.hang_up(call)
    assert hall.exchange.floor.trunks.in_use(CITY) == 0
    assert hall.cdr(call).legs[1].destination == DUTY_MOBILE.name


# Consultation and conference.


def test_the_counselor_asks_a_colleague_and_passes_the_caller_on_by_hanging_up(hall: Driver, call: Call) -> None:
    first = hall.leg(call)
    ordered(hall, call, CallVerb.CONSULT, "lee")
    assert [tuple(play.media) for play in hall.given(cmd.Play)] == [("tone:ring",)]
    answers(hall, call)
    assert set.union(*hall.asterisk.bridges.values()) == {first, own_leg(call, 2)}
    assert not hall.asterisk.playing, "the ringing tone goes on"
    hall.advance(8)
    hall.leg_ends(call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    hall.advance(2)
    hall.hang_up(call)
    assert (hall.cdr(call).hold_s, hall.cdr(call).talk_s) == (8.0, 10.0)


def test_three_talk_when_the_caller_is_taken_back_into_a_consultation(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.CONSULT, "lee")
    answers(hall, call)
    ordered(hall, call, CallVerb.RESUME)
    assert hall.together(call) == {call.channel, own_leg(call, 1), own_leg(call, 2)}
    ends(hall, own_leg(call, 2))
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    assert hall.agent("lee").state is AgentState.WRAP_UP


def test_a_consultation_can_be_called_off_before_and_after_the_answer(hall: Driver, call: Call) -> None:
    for is_answered, result in ((False, OfferResult.CALLER_GONE), (True, OfferResult.ANSWERED)):
        ordered(hall, call, CallVerb.CONSULT, "lee" if not is_answered else "park")
        if is_answered:
            answers(hall, call)
        ordered(hall, call, CallVerb.CANCEL)
        assert hall.together(call) == {call.channel, own_leg(call, 1)}
        assert isinstance(call.history[-2], facts.InviteClosed)
        assert call.history[-2].result is result


def test_a_conference_leaves_the_caller_where_he_is_and_may_be_called_off(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.CONFERENCE, "lee")
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    ordered(hall, call, CallVerb.CANCEL)
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    ordered(hall, call, CallVerb.CONFERENCE, "park")
    answers(hall, call)
    assert len(hall.together(call)) == 3
    ordered(hall, call, CallVerb.COMPLETE)
    assert hall.together(call) == {call.channel, own_leg(call, 3)}
    hall.hang_up(call)
    assert hall.cdr(call).hold_s == 0.0


def test_a_counselor_who_leaves_before_the_third_has_answered_leaves_the_caller_with_music(
    hall: Driver, call: Call
) -> None:
    ordered(hall, call, CallVerb.CONFERENCE, "lee")
    hall.leg_ends(call)
    assert (call.state, hall.channel(call).music, hall.together(call)) == (CallState.OFFERED, True, set())
    hall.pick_up(call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}


def test_everybody_is_let_go_when_the_caller_hangs_up(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.CONFERENCE, "lee")
    answers(hall, call)
    hall.hang_up(call)
    assert not hall.asterisk.channels
    assert not hall.asterisk.bridges
    assert {hall.agent(name).state for name in ("kim", "lee")} == {AgentState.WRAP_UP}


def test_whoever_is_called_in_comes_out_of_his_wrap_up_or_pause_and_goes_back_to_it(hall: Driver, call: Call) -> None:
    hall.tell(ev.DutyOrdered(DutyOrder(AgentId("lee"), DutyVerb.PAUSE, "lee", DutyVia.API)))
    for _ in range(3):
        ordered(hall, call, CallVerb.CONSULT, "lee")
        hall.advance(40)
    lee = hall.agent("lee")
    assert (lee.state, lee.misses) == (AgentState.PAUSED, 0)


@pytest.mark.parametrize("killed", [False, True])
def test_whoever_was_called_in_has_the_time_after_it_that_the_queue_of_the_call_says(killed: bool) -> None:
    rules = rulebook(agent("kim"), agent("lee", NIGHT), queues=[QueueSpec(DESK, "창원시", wrap_up_s=60.0)])
    hall = Driver(rules)
    call = hall.dial("120")
    hall.pick_up(call)
    ordered(hall, call, CallVerb.TRANSFER, "lee")
    answers(hall, call)
    if killed:
        hall.restart(rules)
        hall.sync()
        (call,) = hall.exchange.calls.values()
    hall.hang_up(call)
    hall.advance(59.0)
    assert hall.agent("lee").state is AgentState.WRAP_UP
    hall.advance(1.0)
    assert hall.agent("lee").state is AgentState.AVAILABLE


@pytest.mark.parametrize("emergency", [False, True])
def test_only_a_call_of_an_emergency_may_be_passed_on_over_a_channel_kept_in_reserve(emergency: bool) -> None:
    desk = QueueSpec(DESK, "창원시", emergency=emergency)
    rules = rulebook(agent("kim"), agent("lee", NIGHT, trunk=CITY), queues=[desk])
    hall = Driver(replace(rules, trunks={CITY: TrunkSpec(CITY, 1, (MemberSpec("kt", 1),), reserve=1)}))
    call = hall.dial("120")
    hall.pick_up(call)
    answer = hall.order_call(call.id, CallVerb.TRANSFER, "lee")
    assert (answer.ok, call.invited is not None) == (emergency, emergency)
    if emergency:
        answers(hall, call)
    hall.hang_up(call)
    hall.settle()
    assert len(hall.cdr(call).legs) == 1 + emergency


def test_a_key_of_who_was_called_in_means_nothing(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.CONFERENCE, "lee")
    hall.tell(ev.LegDigit(hall.invited(call), "1"))
    assert call.invited is not None


# What cannot be.


@pytest.mark.parametrize(
    ("verb", "target", "why"),
    [
        (CallVerb.RESUME, "", "is not on hold"),
        (CallVerb.COMPLETE, "", "has called nobody in"),
        (CallVerb.CANCEL, "", "has called nobody in"),
        (CallVerb.CONSULT, "night", "night is a queue"),
        (CallVerb.TRANSFER, "kim", "agent kim cannot be called: on-call"),
        (CallVerb.TRANSFER, "nobody", 'nobody is called "nobody"'),
    ],
)
def test_an_order_that_cannot_be_carried_out_changes_nothing(
    hall: Driver, call: Call, verb: CallVerb, target: str, why: str
) -> None:
    before = list(call.history)
    answer = hall.order_call("kim", verb, target)
    assert not answer.ok
    assert why in answer.message
    assert call.history == before


def test_one_thing_at_a_time(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.HOLD)
    assert "on hold already" in hall.order_call(call.id, CallVerb.HOLD).message
    ordered(hall, call, CallVerb.CONSULT, "lee")
    assert "called somebody in already" in hall.order_call(call.id, CallVerb.CONSULT, "park").message


def test_a_full_trunk_group_carries_nobody_in() -> None:
    hall = Driver(rulebook(agent("kim"), trunk_channels=0))
    call = hall.dial("120")
    hall.pick_up(call)
    assert (
        "all channels of the trunk city are taken"
        in hall.order_call(call.id, CallVerb.TRANSFER, DUTY_MOBILE.name).message
    )


@pytest.mark.parametrize("subject", ["lee", "nobody"])
def test_who_does_not_talk_has_no_call(hall: Driver, call: Call, subject: str) -> None:
    assert "there is no call, and no agent on a call" in hall.order_call(subject, CallVerb.HOLD).message


def test_a_call_that_waits_takes_no_such_order(hall: Driver) -> None:
    call = hall.dial("120")
    assert "is offered: nobody talks" in hall.order_call(call.id, CallVerb.HOLD).message


def test_a_phone_that_nobody_knows_asks_in_vain(hall: Driver) -> None:
    hall.tell(ev.TransferAsked(ChannelId("nothing"), "lee"))
    hall.tell(ev.LegHeld(ChannelId("nothing"), held=True))
    assert hall.exchange.counters.unknown_channel == 2


def test_a_caller_who_cannot_be_brought_back_waits_again(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.HOLD)
    hall.asterisk.bridges.clear()  # somebody destroyed it
    ordered(hall, call, CallVerb.RESUME)
    assert (call.state, hall.channel(call).music) == (CallState.OFFERED, True)
    assert hall.agent("lee").state is AgentState.RESERVED


def test_a_third_who_cannot_be_put_in_costs_the_conversation_but_not_the_caller(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.CONSULT, "lee")
    hall.asterisk.bridges.clear()
    answers(hall, call)
    assert call.state is CallState.QUEUED
    assert hall.channel(call).music


def test_a_third_who_answers_twice_joins_once(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.CONFERENCE, "lee")
    leg = hall.invited(call)
    answers(hall, call)
    hall.tell(ev.LegAnswered(leg))
    hall.tell(ev.LegUncertain(leg))
    assert len(hall.given(cmd.JoinBridge)) == 1


def test_a_third_of_whom_nobody_knows_whether_he_rings_is_let_go(hall: Driver, call: Call) -> None:
    hall.asterisk.phones["PJSIP/lee"] = "uncertain"
    ordered(hall, call, CallVerb.CONSULT, "lee")
    assert hall.together(call) == {call.channel, own_leg(call, 1)}


# After a restart.


@pytest.mark.parametrize("verb", CallVerb)
def test_nothing_can_be_ordered_before_asterisk_has_told_whether_the_call_goes_on(
    hall: Driver, call: Call, verb: CallVerb
) -> None:
    hall.lose_site()
    hall.restart()
    answer = hall.order_call(call.id, verb, "lee")
    assert (answer.ok, "Asterisk has not told of it yet" in answer.message) == (False, True)


@pytest.mark.parametrize("verb", [CallVerb.HOLD, CallVerb.CONSULT, CallVerb.CONFERENCE])
def test_a_caller_who_left_while_nobody_looked_has_his_record_and_leaves_nobody_behind(
    hall: Driver, call: Call, verb: CallVerb
) -> None:
    ordered(hall, call, verb, "" if verb is CallVerb.HOLD else "lee")
    if call.invited is not None:
        answers(hall, call)
    hall.asterisk.hang_up(call.channel)
    hall.restart()
    hall.advance(1)
    hall.sync()
    hall.sync()
    assert hall.cdr(call).outcome is Outcome.HANDLED
    assert not hall.asterisk.channels
    assert not hall.asterisk.bridges


@pytest.mark.parametrize("verb", [CallVerb.HOLD, CallVerb.CONSULT, CallVerb.CONFERENCE])
@pytest.mark.parametrize("is_answered", [False, True])
def test_a_new_daemon_goes_on_with_the_conversation_as_it_was(
    hall: Driver, call: Call, verb: CallVerb, *, is_answered: bool
) -> None:
    ordered(hall, call, verb, "" if verb is CallVerb.HOLD else "lee")
    if is_answered and verb is not CallVerb.HOLD:
        answers(hall, call)
    together = hall.together(call)
    hall.restart()
    hall.sync()
    call = hall.exchange.calls[call.id]
    assert hall.together(call) == together or verb is CallVerb.HOLD
    if verb is not CallVerb.HOLD:
        assert call.invited is not None
        if not is_answered:
            hall.advance(20)
            assert hall.exchange.calls[call.id].invited is None
            assert call.channel in hall.together(call)
    hall.hang_up(call)
    assert not hall.asterisk.channels
    assert not hall.asterisk.bridges


@pytest.mark.parametrize("verb", CallVerb)
@pytest.mark.parametrize("target", ["lee", NIGHT])
def test_an_order_for_a_conversation_whose_site_is_not_up_since_the_restart_is_refused(
    hall: Driver, call: Call, verb: CallVerb, target: str
) -> None:
    hall.asterisk.connected = False
    hall.restart()
    before = len(hall.journal[call.id])
    answer = hall.order_call(call.id, verb, target)
    assert (answer.ok, len(hall.journal[call.id])) == (False, before)
    assert "Asterisk has not told of it yet" in answer.message
    hall.sync()
    assert hall.exchange.calls[call.id].state is CallState.CONNECTED


@pytest.mark.parametrize("verb", [CallVerb.TRANSFER, CallVerb.CONSULT, CallVerb.CONFERENCE])
@pytest.mark.parametrize("is_answered", [False, True])
def test_a_caller_who_hung_up_unseen_while_a_third_was_called_in_leaves_nothing(
    hall: Driver, call: Call, verb: CallVerb, *, is_answered: bool
) -> None:
    ordered(hall, call, verb, "lee")
    if is_answered:
        answers(hall, call)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(call.channel)
    hall.restart()
    hall.sync()
    assert not hall.exchange.calls
    assert not hall.asterisk.channels
    assert hall.cdr(call).outcome is Outcome.HANDLED


@pytest.mark.parametrize("verb", [CallVerb.CONSULT, CallVerb.CONFERENCE])
def test_a_caller_whose_third_left_unseen_is_with_the_counselor(hall: Driver, call: Call, verb: CallVerb) -> None:
    ordered(hall, call, verb, "lee")
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.invited(call))
    hall.asterisk.connected = True
    hall.restart()
    hall.sync()
    call = hall.exchange.calls[call.id]
    assert (call.invited, call.held) == (None, False)
    assert hall.together(call) == {call.channel, own_leg(call, 1)}


@pytest.mark.parametrize(
    ("verb", "is_answered"), [(CallVerb.CONSULT, True), (CallVerb.CONFERENCE, True), (CallVerb.CONSULT, False)]
)
def test_a_counselor_who_hung_up_unseen_left_the_caller_to_the_colleague(
    hall: Driver, call: Call, verb: CallVerb, *, is_answered: bool
) -> None:
    ordered(hall, call, verb, "lee")
    if is_answered:
        answers(hall, call)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.leg(call))
    hall.asterisk.connected = True
    hall.restart()
    hall.sync()
    call = hall.exchange.calls[call.id]
    assert (call.offer is not None, call.invited) == (True, None)
    if not is_answered:
        assert (call.state, hall.channel(call).music) == (CallState.OFFERED, True)
        hall.pick_up(call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}


@pytest.mark.parametrize("on_hold", [False, True])
def test_who_is_passed_on_to_a_queue_that_turns_him_away_hears_why_without_music(on_hold: bool) -> None:
    gone = Plan("gone", (Announce(SORRY), HangUp()))
    full = QueueSpec(NIGHT, "야간", care=QueueCare(max_waiting=0, when_full=gone))
    hall = Driver(rulebook(agent("kim"), queues=(full,)))
    call = hall.dial("120")
    hall.pick_up(call)
    if on_hold:
        ordered(hall, call, CallVerb.HOLD)
    ordered(hall, call, CallVerb.TRANSFER, "night")
    assert (call.state, hall.channel(call).music) == (CallState.ANNOUNCING, False)


@pytest.mark.parametrize("answered", [False, True])
def test_a_caller_who_left_a_dead_daemon_while_somebody_was_called_in_leaves_nobody_behind(
    hall: Driver, call: Call, answered: bool
) -> None:
    ordered(hall, call, CallVerb.CONFERENCE, "lee")
    if answered:
        answers(hall, call)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(call.channel)
    hall.restart()
    hall.sync()
    hall.advance(hall.rules.limits.clearing_s)
    assert (dict(hall.exchange.calls), hall.asterisk.channels, hall.asterisk.bridges) == ({}, {}, {})
    assert [agent for agent, _ in legs(hall.cdr(call))] == ["lee", "kim"]


@pytest.mark.parametrize(("is_answered", "result"), [(False, OfferResult.FAILED), (True, OfferResult.ANSWERED)])
@pytest.mark.parametrize("verb", [CallVerb.TRANSFER, CallVerb.CONSULT, CallVerb.CONFERENCE])
def test_a_third_who_hung_up_unseen_with_the_counselor_is_in_the_record(
    hall: Driver, call: Call, verb: CallVerb, is_answered: bool, result: OfferResult
) -> None:
    ordered(hall, call, verb, "lee")
    if is_answered and verb is not CallVerb.TRANSFER:
        answers(hall, call)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.invited(call))
    hall.asterisk.hang_up(hall.leg(call))
    hall.restart()
    hall.sync()
    assert not hall.exchange.calls
    assert not hall.asterisk.channels
    expected = OfferResult.FAILED if verb is CallVerb.TRANSFER else result
    assert legs(hall.cdr(call)) == [("lee", expected), ("kim", OfferResult.ANSWERED)]


def test_a_caller_and_a_third_whom_the_dead_daemon_did_not_come_to_put_in_are_put_in(hall: Driver, call: Call) -> None:
    ordered(hall, call, CallVerb.CONSULT, "lee")
    answers(hall, call)
    ordered(hall, call, CallVerb.RESUME)
    for inside in hall.asterisk.bridges.values():
        inside -= {call.channel, own_leg(call, 2)}
    hall.asterisk.channels[call.channel].music = True
    hall.restart()
    hall.sync()
    call = hall.exchange.calls[call.id]
    assert len(hall.together(call)) == 3
    assert not hall.channel(call).music


def test_a_passed_on_call_that_rings_goes_on_ringing_under_a_new_daemon(hall: Driver, call: Call) -> None:
    refer(hall, call, "lee")
    hall.leg_ends(call)
    hall.restart()
    hall.sync()
    call = hall.exchange.calls[call.id]
    assert (call.state, call.music) == (CallState.OFFERED, True)
    hall.pick_up(call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}


def test_facts_of_a_conversation_that_cannot_be_are_refused(hall: Driver, call: Call) -> None:
    with pytest.raises(ValueError, match="has called nobody in"):
        call.apply(facts.JoinedIn(hall.now))
    invited = facts.Invited(hall.now, 2, AgentId("lee"), None, own_leg(call, 2))
    call.apply(invited)
    with pytest.raises(ValueError, match="cannot call in"):
        call.apply(invited)


def test_the_number_of_a_person_is_not_told_whole() -> None:
    assert party("01012345678").endswith("****")
    assert party("lee") == "lee"


# Keys.


CODES = CallKeys(
    {
        "*3": CallKey(CallVerb.HOLD),
        "*2": CallKey(CallVerb.TRANSFER),
        "*7": CallKey(CallVerb.CONFERENCE, "park"),
        "*99": CallKey(CallVerb.DISMISS),
    },
    refused=SORRY,
    goodbye=THANKS,
)


def with_keys(keys: CallKeys) -> tuple[Driver, Call]:
    """A caller who talks to kim, whose keys mean something."""
    rules = replace(rulebook(agent("kim"), agent("lee"), agent("park", NIGHT)), call_keys=keys)
    hall = Driver(rules)
    call = hall.dial("120")
    hall.pick_up(call)
    return hall, call


def press(hall: Driver, call: Call, keys: str) -> None:
    for key in keys:
        hall.tell(ev.LegDigit(hall.leg(call), key))


def test_a_code_counts_as_soon_as_it_is_complete_and_turns_hold_over() -> None:
    hall, call = with_keys(CODES)
    press(hall, call, "5*3")
    assert call.held
    press(hall, call, "3*3")
    assert not call.held


def test_a_number_is_read_up_to_its_end_and_a_star_begins_anew() -> None:
    hall, call = with_keys(CODES)
    press(hall, call, "*270")
    assert call.state is CallState.CONNECTED
    press(hall, call, "*270#")
    assert (call.queue, call.state) == (NIGHT, CallState.OFFERED)


def test_what_is_no_code_or_too_long_or_too_slow_means_nothing() -> None:
    hall, call = with_keys(CODES)
    press(hall, call, "*8")
    press(hall, call, "*2" + "1" * 40 + "#")
    press(hall, call, "*")
    hall.advance(5)
    press(hall, call, "3")
    assert (call.keyed, call.held, call.invited) == ("", False, None)
    assert not hall.given(cmd.Play)


def test_one_code_may_always_call_the_same() -> None:
    hall, call = with_keys(CODES)
    press(hall, call, "*7")
    assert hall.called() == ["kim", "park"]


def test_a_code_that_cannot_be_carried_out_is_told_to_who_pressed_it() -> None:
    hall, call = with_keys(CODES)
    for _ in range(2):
        press(hall, call, "*299#")
    played = hall.given(cmd.Play)
    assert [(play.channel, play.media) for play in played] == [(hall.leg(call), ("sound:callrouter/sorry",))] * 2
    assert len({play.playback for play in played}) == 2
    assert hall.notices[-1].kind is NoticeKind.CALL_REFUSED


def test_without_a_prompt_for_it_nothing_is_heard_of_a_refusal() -> None:
    hall, call = with_keys(replace(CODES, refused=None))
    press(hall, call, "*299#")
    assert not hall.given(cmd.Play)


def test_a_destination_may_press_codes_too() -> None:
    hall = Driver(replace(rulebook(agent("kim")), call_keys=CODES))
    call = hall.dial("129")
    hall.pick_up(call)
    hall.tell(ev.LegDigit(hall.leg(call), "1"))
    press(hall, call, "*3")
    assert call.held
    assert "by a destination" in hall.notices[-1].text


@pytest.mark.parametrize("is_held", [False, True])
def test_an_abusive_caller_hears_the_end_of_it_alone(*, is_held: bool) -> None:
    hall, call = with_keys(CODES)
    first = hall.leg(call)
    if is_held:
        press(hall, call, "*3")
    press(hall, call, "*99")
    assert (call.state, hall.channel(call).music, hall.together(call)) == (CallState.ANNOUNCING, False, set())
    assert first not in hall.asterisk.channels
    assert hall.agent("kim").state is AgentState.WRAP_UP
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.mark, cdr.released_by, cdr.outcome) == (CallMark.ABUSIVE, ReleasedBy.AGENT, Outcome.HANDLED)
    assert "abusive call" in cdr.explanation


def test_without_an_announcement_the_abusive_call_just_ends() -> None:
    hall, call = with_keys(replace(CODES, goodbye=None))
    press(hall, call, "*99")
    assert hall.cdr(call).mark is CallMark.ABUSIVE
    assert not hall.asterisk.channels


def test_a_caller_whose_counselors_phone_fell_silent_is_served_by_the_next(hall: Driver, call: Call) -> None:
    ends(hall, hall.leg(call), Cause.REQUESTED_CHANNEL_UNAVAILABLE)
    assert call.state is CallState.OFFERED
    assert hall.called() == ["kim", "lee"]
    assert hall.channel(call).music
    assert [notice.text for notice in hall.notices if notice.kind is NoticeKind.PHONE_SILENT] == [
        "no sound came from the phone of kim: its caller is served by another"
    ]
    hall.pick_up(call)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)
    assert [(leg.agent, leg.result, leg.cause) for leg in cdr.legs] == [
        ("kim", OfferResult.ANSWERED, Cause.REQUESTED_CHANNEL_UNAVAILABLE),
        ("lee", OfferResult.ANSWERED, Cause.NORMAL_CLEARING),
    ]
    assert hall.agent("kim").state is AgentState.WRAP_UP


def test_a_caller_whose_destination_fell_silent_is_put_through_to_the_next(hall: Driver) -> None:
    call = hall.dial("130")
    hall.announcement_ends(call)
    hall.pick_up(call)
    ends(hall, hall.leg(call), Cause.REQUESTED_CHANNEL_UNAVAILABLE)
    assert call.state is CallState.OFFERED
    assert call.offer is not None
    assert call.offer.destination == DUTY_MOBILE.name
