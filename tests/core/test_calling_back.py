"""Calling back: the place that is kept, who is called in which order, and whatever comes between."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.agent import AgentState
from callrouter.core.audit import AuditKind
from callrouter.core.calendars import Calendar, Hours, Weekly, Window
from callrouter.core.call import Call
from callrouter.core.call_orders import CallVerb
from callrouter.core.callback_orders import CallbackAnswer, CallbackOrder, CallbackVerb, CallbackVia
from callrouter.core.calling_spec import CallBackRule
from callrouter.core.causes import Cause
from callrouter.core.cdr import CdrReturn, Disposition, OfferResult, Outcome, ReturnResult
from callrouter.core.facts import PostponeReason
from callrouter.core.ids import CalendarName, CallId, ChannelId, PromptName, TenantName, TrunkName
from callrouter.core.live import live
from callrouter.core.output import NoticeKind
from callrouter.core.picture import picture
from callrouter.core.plan import EnterQueue, HangUp, Plan
from callrouter.core.rulebook import Limits, QueueSpec, Rulebook, Strategy
from callrouter.core.states import CallState
from callrouter.core.trunk_group import Asker
from callrouter.core.trunk_spec import MemberSpec, NumberForm, Share, TrunkSpec
from callrouter.core.waiting_spec import KeyWay, QueueCare
from tests.core.driver import (
    CALLS_BACK,
    CITY,
    DESK,
    HALL,
    NIGHT,
    RETURN,
    Channel,
    Driver,
    agent,
    rulebook,
    without_queue,
)
from tests.core.two_sites import ANNEX, LINE, TO_HALL, TwoSites, two_site_rules

RESIDENT = "0552251234"
ALL_DAY = Window(frozenset(range(7)), Hours(9 * 60, 18 * 60))
DAY = Calendar(CalendarName("day"), ZoneInfo("UTC"), Weekly(ZoneInfo("UTC"), (ALL_DAY,)))
"""Open from 9 to 18 o'clock, UTC; the driver's day begins at 9."""
NEVER = Calendar(CalendarName("never"), ZoneInfo("UTC"), Weekly(ZoneInfo("UTC"), ()))


def rules(*names: str, rule: CallBackRule = RETURN, channels: int = 2, trunk: TrunkName | None = None) -> Rulebook:
    """Counselors, and the queue that calls back."""
    staff = [agent(name, trunk=trunk) for name in names]
    return rulebook(*staff, queues=[replace(CALLS_BACK, call_back=rule)], trunk_channels=channels)


@pytest.fixture
def hall() -> Driver:
    """One counselor, who is free."""
    return Driver(rules("kim"))


def connected(hall: Driver) -> Call:
    """A resident who is called back, and talks."""
    call = hall.ask()
    hall.pick_up(call)
    hall.resident_answers(call)
    hall.announcement_ends(call)
    assert state_of(call) is CallState.CONNECTED
    return call


def state_of(call: Call) -> CallState:
    return call.state


def in_use(hall: Driver) -> int:
    return hall.exchange.floor.trunks.in_use(CITY)


def order(hall: Driver, call: str, verb: CallbackVerb) -> CallbackAnswer:
    out = hall.handle(ev.CallbackOrdered(CallbackOrder(call, verb, "boss", CallbackVia.API), 7))
    hall.settle()
    ((ticket, answer),) = out.answers
    assert ticket == 7
    assert isinstance(answer, CallbackAnswer)
    return answer


def told(hall: Driver) -> list[tuple[str, tuple[str, ...]]]:
    """What was played on whose channel."""
    return [
        (command.channel.rpartition("-")[2], tuple(media.rpartition("/")[2] for media in command.media))
        for command in hall.given(cmd.Play)
    ]


# --- one after the other


def test_the_counselor_is_called_first_then_the_resident_who_is_told_who_calls_and_then_they_talk(hall: Driver) -> None:
    call = hall.ask()
    assert state_of(call) is CallState.OFFERED
    assert hall.called() == ["kim"]
    assert (hall.agent("kim").state, in_use(hall)) == (AgentState.RESERVED, 1)
    hall.pick_up(call)
    assert state_of(call) is CallState.CALLING
    assert hall.called() == ["kim", "0552251234@city"]
    to_counselor, to_resident = hall.given(cmd.Originate)
    assert (to_counselor.caller_number, to_resident.caller_number) == (RESIDENT, "0552110000")
    assert (to_counselor.originator, to_resident.originator, to_resident.caller_name) == ("", "", "")
    hall.asterisk.ring(hall.resident(call))
    hall.asterisk.ring(hall.resident(call))
    hall.resident_answers(call)
    assert state_of(call) is CallState.GREETING
    hall.announcement_ends(call)

    assert state_of(call) is CallState.CONNECTED
    assert told(hall) == [("1", ("to-agent", "tone:ring")), ("2", ("greeting",))]
    assert hall.together(call) == {naming.leg_channel(call.id, 1), naming.leg_channel(call.id, 2)}
    assert hall.asterisk.playing == {}, "the counselor hears the ringing tone no more"
    assert hall.agent("kim").state is AgentState.ON_CALL


def test_the_record_tells_both_legs_and_the_request_and_is_no_call_that_came_in(hall: Driver) -> None:
    call = connected(hall)
    hall.advance(60.0)
    hall.leg_ends(call)

    asked, cdr = hall.cdrs
    assert asked.outcome is Outcome.CALLBACK
    assert (cdr.outcome, cdr.disposition, cdr.agent, cdr.talk_s) == (
        Outcome.HANDLED,
        Disposition.ANSWERED,
        "kim",
        60.0,
    )
    assert cdr.returns == CdrReturn(asked.call_id, ReturnResult.REACHED, 0)
    assert [(leg.agent, leg.destination, leg.trunk, leg.result) for leg in cdr.legs] == [
        ("kim", None, None, OfferResult.ANSWERED),
        (None, RESIDENT, CITY, OfferResult.ANSWERED),
    ]
    assert cdr.visits == ()
    assert hall.exchange.counters.arrived == 1
    assert in_use(hall) == 0
    assert hall.exchange.calls == {}


def test_the_record_has_when_the_resident_s_phone_rang(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    hall.advance(2.0)
    hall.asterisk.ring(hall.resident(call))
    hall.settle()
    rang_at = hall.now
    hall.resident_answers(call)
    hall.announcement_ends(call)
    hall.leg_ends(call)
    _, cdr = hall.cdrs
    assert cdr.legs[1].rang_at == rang_at


def test_a_resident_who_holds_the_call_by_his_phone_is_no_counselor_who_does(hall: Driver) -> None:
    call = connected(hall)
    history = len(call.history)
    hall.tell(ev.LegHeld(hall.resident(call), held=True))
    assert (len(call.history), call.phone_holds) == (history, False)


def test_facts_of_a_resident_whom_nobody_calls_are_refused(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    call.resident = None
    with pytest.raises(ValueError, match="calls nobody back"):
        call.apply(facts.ResidentRang(hall.now))


def test_a_resident_who_hangs_up_ends_the_call_like_any_caller(hall: Driver) -> None:
    call = connected(hall)
    hall.resident_ends(call, Cause.NORMAL_CLEARING)
    assert hall.cdrs[-1].outcome is Outcome.HANDLED
    assert hall.exchange.calls == {}
    assert (in_use(hall), hall.asterisk.channels) == (0, {})


def test_without_announcements_there_is_the_ringing_tone_alone_and_nobody_waits(hall: Driver) -> None:
    hall.rules = rules("kim", rule=replace(RETURN, to_agent=None, to_resident=None))
    hall.tell(ev.RulebookReplaced(hall.rules))
    call = hall.ask()
    hall.pick_up(call)
    hall.resident_answers(call)
    assert state_of(call) is CallState.CONNECTED
    assert told(hall) == [("1", ("tone:ring",))]


def test_a_counselor_who_has_to_know_something_hears_it_before_the_ringing_tone(hall: Driver) -> None:
    briefed = replace(CALLS_BACK, agent_prompt=PromptName("desk-calls"))
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"), queues=[briefed])))
    hall.agent("kim").untold = True
    call = hall.ask()
    hall.pick_up(call)
    assert told(hall) == [("1", ("agent-missed", "desk-calls", "to-agent", "tone:ring"))]
    assert not hall.agent("kim").untold


def test_a_conversation_is_like_any_other_it_can_be_held_and_passed_on(hall: Driver) -> None:
    call = connected(hall)
    assert hall.order_call(call.id, CallVerb.HOLD).ok
    assert hall.asterisk.channels[call.channel].music
    assert hall.order_call(call.id, CallVerb.RESUME).ok
    assert hall.order_call(call.id, CallVerb.TRANSFER, "night").ok
    assert (state_of(call), call.queue) == (CallState.QUEUED, NIGHT)
    hall.resident_ends(call, Cause.NORMAL_CLEARING)
    assert hall.cdrs[-1].returns is not None
    assert hall.exchange.calls == {}


# --- the place


def test_who_asked_while_he_waited_keeps_his_place_before_those_who_came_later() -> None:
    hall = Driver(rules())
    asking = hall.dial("143")
    hall.advance(10.0)
    later = hall.dial("120", "0552250002")
    hall.advance(20.0)
    (call,) = (one for one in hall.exchange.calls.values() if one.request is not None)

    assert call.request is not None
    assert call.request.original == asking.id
    assert (state_of(call), call.is_absent) == (CallState.QUEUED, True)
    assert hall.place(call) == 1
    assert hall.place(later) == 2
    hall.rules = rules("kim")
    hall.tell(ev.RulebookReplaced(hall.rules))
    assert (state_of(call), later.state) == (CallState.OFFERED, CallState.QUEUED)


def test_who_has_not_waited_there_comes_after_those_who_have() -> None:
    hall = Driver(rules())
    first = hall.dial("120", "0552250002")
    call = hall.ask("144")
    assert hall.place(first) == 1
    assert hall.place(call) == 2


def test_nothing_is_played_to_nobody(hall: Driver) -> None:
    hall.rules = rules()
    hall.tell(ev.RulebookReplaced(hall.rules))
    call = hall.ask()
    before = len(hall.commands)
    hall.advance(3600.0)
    hall.sync()
    assert [one for one in hall.commands[before:] if isinstance(one, cmd.SiteCommand)] == []
    assert state_of(call) is CallState.QUEUED


def test_a_number_that_waits_already_waits_once() -> None:
    hall = Driver(rules())
    first = hall.ask()
    again = hall.dial("144")
    assert state_of(again) is CallState.ENDED
    assert list(hall.exchange.calls) == [first.id]


def test_who_talked_to_somebody_after_all_is_not_called_back(hall: Driver) -> None:
    asking = hall.dial("142")
    hall.pick_up(asking)
    hall.leg_ends(asking)
    assert hall.exchange.calls == {}


def test_a_queue_that_does_not_call_back_leaves_the_request_to_people() -> None:
    hall = Driver(rulebook(agent("kim")))
    hall.dial("144")
    assert hall.cdrs[-1].callback is not None
    assert hall.exchange.calls == {}


# --- trunks


def test_nobody_is_rung_while_the_trunk_group_to_the_resident_is_full() -> None:
    hall = Driver(rules("kim", "lee", "kay", channels=1))
    first = hall.ask()
    second = hall.ask(caller="0552250002")
    assert (first.state, second.state) == (CallState.OFFERED, CallState.QUEUED)
    assert hall.agent("lee").state is AgentState.AVAILABLE
    on_the_line = hall.dial("120", "0552250003")
    assert state_of(on_the_line) is CallState.OFFERED, "who needs no trunk is not held up"
    hall.leg_ends(first, Cause.CALL_REJECTED)
    assert in_use(hall) == 1
    assert {first.state, second.state} == {CallState.OFFERED, CallState.QUEUED}


def test_a_counselor_behind_the_same_trunk_group_needs_a_channel_more() -> None:
    hall = Driver(rules("kim", channels=1, trunk=CITY))
    call = hall.ask()
    assert state_of(call) is CallState.QUEUED
    hall.tell(ev.RulebookReplaced(rules("kim", channels=2, trunk=CITY)))
    assert state_of(call) is CallState.OFFERED
    assert in_use(hall) == 2
    hall.leg_ends(call, Cause.NO_ANSWER)
    assert in_use(hall) == 0


def test_a_site_without_a_way_to_counselors_calls_nobody(hall: Driver) -> None:
    hall.lose_site()
    asking = hall.exchange.floor.acd
    assert asking.match(lambda _: False) is None


def test_who_does_not_say_that_there_is_a_way_to_residents_has_nobody_called_back() -> None:
    hall = Driver(rules("kim", channels=0))
    hall.ask()
    assert hall.exchange.floor.acd.match(lambda _: True) is None


@pytest.mark.parametrize("trunk", [None, CITY])
def test_where_all_phones_ring_the_resident_is_called_by_a_leg_of_his_own(trunk: TrunkName | None) -> None:
    made = rules("kim", "lee", channels=4, trunk=trunk)
    hall = Driver(replace(made, queues={DESK: replace(CALLS_BACK, strategy=Strategy.RING_ALL)}))
    call = hall.ask()
    assert len(call.others) == 1
    hall.pick_up(call)
    assert (state_of(call), call.resident and call.resident.channel) == (
        CallState.CALLING,
        naming.leg_channel(call.id, 3),
    )
    hall.resident_answers(call)
    hall.announcement_ends(call)
    assert hall.together(call) == {naming.leg_channel(call.id, 1), naming.leg_channel(call.id, 3)}
    hall.hang_up(call)
    assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)


@pytest.mark.parametrize("goes_on", [True, False])
def test_where_all_phones_ring_whoever_answers_first_has_the_resident_called_if_he_still_is(goes_on: bool) -> None:
    queue = replace(CALLS_BACK, strategy=Strategy.RING_ALL)
    hall = Driver(rulebook(agent("kim"), agent("lee"), queues=[queue]))
    call = hall.ask()
    (other,) = call.others
    if not goes_on:
        hall.tell(ev.RulebookReplaced(rulebook(agent("kim"), agent("lee"), queues=[replace(queue, call_back=None)])))
    hall.asterisk.pick_up(other)
    hall.settle()
    assert hall.exchange.counters.defects == 0
    if goes_on:
        assert (state_of(call), call.offer and call.offer.channel) == (CallState.CALLING, other)
        assert hall.agent("kim").state is AgentState.AVAILABLE
    else:
        assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)


@pytest.mark.parametrize("gone", [[], [1], [2], [1, 2]])
@pytest.mark.parametrize("has_queue", [True, False])
def test_the_next_daemon_has_the_phones_ring_on_that_are_still_there(gone: list[int], has_queue: bool) -> None:
    queue = replace(CALLS_BACK, strategy=Strategy.RING_ALL)
    hall = Driver(rulebook(agent("kim"), agent("lee"), queues=[queue]))
    call = hall.ask()
    hall.asterisk.connected = False
    for attempt in gone:
        hall.asterisk.hang_up(naming.leg_channel(call.id, attempt))
    hall.inbox.clear()
    hall.restart(hall.rules if has_queue else without_queue(hall.rules, DESK))
    hall.sync()
    assert hall.exchange.counters.defects == 0
    if not has_queue:
        assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)
        return
    call = hall.exchange.calls[call.id]
    ringing = {naming.leg_channel(call.id, attempt) for attempt in (1, 2) if attempt not in gone}
    assert ringing <= set(hall.asterisk.channels) == {one.channel for one in call.phones}
    assert (state_of(call), len(call.phones), in_use(hall)) == (CallState.OFFERED, 2, 1), "who is free is rung anew"
    hall.pick_up(call)
    hall.resident_answers(call)
    hall.announcement_ends(call)
    assert state_of(call) is CallState.CONNECTED


def test_a_resident_who_is_called_to_try_a_trunk_again_decides_whether_it_is_used() -> None:
    hall = Driver(rules("kim", channels=3))
    for _ in range(hall.rules.trunks[CITY].failures):
        hall.exchange.floor.trunks.failed(
            hall.exchange.floor.trunks.seize(CITY, ChannelId("x"), Asker(HALL, TenantName("changwon")), hall.now),
            hall.now,
            1.0,
        )
        hall.exchange.floor.trunks.left(ChannelId("x"))
    hall.advance(2.0)
    call = hall.ask()
    hall.pick_up(call)
    assert state_of(call) is CallState.CALLING
    hall.resident_answers(call)
    (group,) = hall.exchange.floor.trunks.groups
    assert group.fits(HALL, hall.now)
    assert hall.ask(caller="0552250002").state is CallState.QUEUED


# --- in vain


@pytest.mark.parametrize(
    ("cause", "result"),
    [
        (Cause.USER_BUSY, OfferResult.BUSY),
        (Cause.CALL_REJECTED, OfferResult.REJECTED),
        (Cause.NORMAL_CIRCUIT_CONGESTION, OfferResult.CONGESTION),
        (Cause.UNALLOCATED, OfferResult.UNREACHABLE),
    ],
)
def test_who_is_not_reached_is_called_again_later_and_the_counselor_is_free_at_once(
    hall: Driver, cause: int, result: OfferResult
) -> None:
    call = hall.ask()
    idle_since = hall.agent("kim").idle_since
    hall.pick_up(call)
    hall.resident_ends(call, cause)
    assert (state_of(call), call.vain, call.postponed_for) == (CallState.POSTPONED, 1, PostponeReason.RETRY)
    kim = hall.agent("kim")
    assert (kim.state, kim.misses, kim.calls, kim.idle_since) == (AgentState.AVAILABLE, 0, 0, idle_since)
    assert in_use(hall) == 0
    hall.advance(599.0)
    assert state_of(call) is CallState.POSTPONED
    hall.advance(1.0)
    assert state_of(call) is CallState.OFFERED
    hall.pick_up(call)
    hall.resident_ends(call, cause)

    cdr = hall.cdrs[-1]
    assert cdr.returns == CdrReturn(hall.cdrs[0].call_id, ReturnResult.NOT_REACHED, 2)
    assert [leg.result for leg in cdr.legs if leg.agent is None] == [result, result]
    assert cdr.outcome is Outcome.ABANDONED
    assert "released: not-reached" in cdr.explanation
    assert hall.exchange.calls == {}


def test_who_does_not_answer_in_time_is_not_reached(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    hall.asterisk.ring(hall.resident(call))
    hall.settle()
    hall.advance(30.0)
    assert (state_of(call), call.vain) == (CallState.POSTPONED, 1)
    assert hall.asterisk.channels == {}
    assert in_use(hall) == 0


def test_a_request_of_which_nobody_knows_what_became_is_hung_up_and_counts(hall: Driver) -> None:
    hall.asterisk.phones["PJSIP/0552251234@city"] = "uncertain"
    call = hall.ask()
    hall.pick_up(call)
    assert (state_of(call), call.vain) == (CallState.POSTPONED, 1)
    assert hall.asterisk.channels == {}


def test_who_hangs_up_while_he_is_told_who_calls_is_not_reached(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    hall.resident_answers(call)
    hall.resident_ends(call, Cause.NORMAL_CLEARING)
    assert (state_of(call), call.vain, call.is_absent) == (CallState.POSTPONED, 1, True)
    assert call.channel == naming.nobody(call.id)
    assert hall.agent("kim").state is AgentState.AVAILABLE


def test_a_counselor_who_hangs_up_while_the_resident_is_called_costs_him_nothing(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    resident = hall.resident(call)
    hall.leg_ends(call)
    assert (state_of(call), call.vain) == (CallState.QUEUED, 0)
    assert resident not in hall.asterisk.channels
    hall.advance(2.0)
    assert state_of(call) is CallState.OFFERED


def test_a_counselor_who_hangs_up_while_the_resident_is_told_who_calls_leaves_him_in_line(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    hall.resident_answers(call)
    hall.leg_ends(call)
    assert (state_of(call), call.is_absent) == (CallState.QUEUED, False)
    assert hall.asterisk.channels[call.channel].music
    assert call.channel not in hall.asterisk.playing.values()
    hall.advance(2.0)
    hall.pick_up(call)
    assert state_of(call) is CallState.CONNECTED
    assert len([one for one in hall.called() if one.endswith("@city")]) == 1


def test_a_counselor_who_does_not_answer_keeps_the_place(hall: Driver) -> None:
    call = hall.ask()
    hall.advance(20.0)
    assert (state_of(call), call.place, call.vain) == (CallState.QUEUED, 1, 0)
    assert hall.agent("kim").misses == 1
    assert in_use(hall) == 0


# --- hours


def test_nobody_is_called_outside_the_hours_and_the_first_when_they_begin() -> None:
    hall = Driver(rules("kim", rule=replace(RETURN, hours=DAY)))
    hall.advance(9 * 3600.0)  # six in the evening
    call = hall.ask()
    assert (state_of(call), call.postponed_for) == (CallState.POSTPONED, PostponeReason.HOURS)
    assert call.postponed_until == datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
    hall.advance(15 * 3600.0 - 1.0)
    assert (state_of(call), hall.called()) == (CallState.POSTPONED, [])
    hall.advance(1.0)
    assert state_of(call) is CallState.OFFERED


def test_who_waits_when_the_hours_end_waits_on_the_next_day() -> None:
    hall = Driver(rules(rule=replace(RETURN, hours=DAY)))
    call = hall.ask()
    hall.advance(9 * 3600.0)
    assert state_of(call) is CallState.POSTPONED
    assert hall.exchange.floor.acd.waiting(DESK) == 0
    hall.advance(15 * 3600.0)
    assert state_of(call) is CallState.QUEUED


def test_a_call_in_vain_shortly_before_the_end_is_made_anew_on_the_next_day() -> None:
    hall = Driver(rules("kim", rule=replace(RETURN, hours=DAY)))
    hall.advance(9 * 3600.0 - 300.0)
    call = hall.ask()
    hall.pick_up(call)
    hall.resident_ends(call)
    hall.advance(600.0)
    assert (state_of(call), call.postponed_for, call.vain) == (CallState.POSTPONED, PostponeReason.HOURS, 1)
    hall.advance(15 * 3600.0 - 300.0)
    assert state_of(call) is CallState.OFFERED


def test_hours_that_never_begin_are_looked_at_every_day() -> None:
    hall = Driver(rules("kim", rule=replace(RETURN, hours=NEVER)))
    call = hall.ask()
    assert call.postponed_until == hall.now + timedelta(days=1)
    hall.advance(86_400.0)
    assert state_of(call) is CallState.POSTPONED


def test_who_has_been_reached_and_waits_on_the_line_does_not_hear_of_hours_that_end() -> None:
    hall = Driver(rules("kim", rule=replace(RETURN, hours=DAY)))
    hall.advance(9 * 3600.0 - 60.0)
    call = hall.reached(CallState.GREETING)
    hall.tell(ev.RulebookReplaced(rules(rule=replace(RETURN, hours=DAY))))
    hall.leg_ends(call)
    hall.advance(120.0)
    assert (state_of(call), call.is_absent) == (CallState.QUEUED, False)
    assert hall.exchange.floor.acd.waiting_in(DESK) == [call.id]
    assert hall.asterisk.channels[call.channel].music


# --- orders


def test_somebody_has_a_resident_called_now_whatever_the_time_is() -> None:
    hall = Driver(rules("kim", rule=replace(RETURN, hours=NEVER)))
    call = hall.ask()
    assert call.request is not None
    answer = order(hall, call.request.original, CallbackVerb.CALL_NOW)
    assert answer.ok
    assert state_of(call) is CallState.OFFERED
    assert order(hall, call.id, CallbackVerb.CALL_NOW) == CallbackAnswer(
        False, f"call {call.id} is offered: it is being tried"
    )
    hall.pick_up(call)
    hall.resident_ends(call)
    hall.advance(600.0)
    assert call.postponed_for is PostponeReason.HOURS, "it held for that once"


@pytest.mark.parametrize("state", [CallState.QUEUED, CallState.OFFERED, CallState.CALLING, CallState.POSTPONED])
def test_a_request_that_is_cancelled_is_over_and_whoever_is_called_is_hung_up(state: CallState) -> None:
    hall = Driver(rules(*(["kim"] if state is not CallState.QUEUED else [])))
    call = hall.ask() if state in (CallState.QUEUED, CallState.OFFERED) else hall.reached(state)
    assert state_of(call) is state
    assert order(hall, call.id, CallbackVerb.CANCEL).ok
    cdr = hall.cdrs[-1]
    assert cdr.returns is not None
    assert (cdr.outcome, cdr.returns.result) == (Outcome.CLOSED, ReturnResult.CANCELLED)
    (entry,) = hall.audit
    assert (entry.kind, entry.name, entry.who, entry.was, entry.becomes, entry.via) == (
        AuditKind.CALLBACK,
        cdr.returns.request,
        "boss",
        state,
        "cancel",
        "api",
    )
    assert hall.exchange.counters.returns == {ReturnResult.CANCELLED: 1}
    assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)
    assert hall.timers == {}


def test_who_is_there_already_is_not_cancelled_and_who_is_not_known_neither(hall: Driver) -> None:
    call = connected(hall)
    assert order(hall, call.id, CallbackVerb.CANCEL) == CallbackAnswer(
        False, f"call {call.id} is connected: the resident is there already"
    )
    inbound = hall.dial("120", "0552250002")
    for name in (inbound.id, "nobody"):
        assert order(hall, name, CallbackVerb.CANCEL) == CallbackAnswer(
            False,
            f'the daemon calls nobody back by the name "{name}"; what people do, callrouter callback done closes',
        )


# --- new rules


@pytest.mark.parametrize("state", [CallState.QUEUED, CallState.POSTPONED])
def test_a_queue_that_calls_back_no_more_closes_its_requests_and_says_so(state: CallState) -> None:
    hall = Driver(rules("kim") if state is CallState.POSTPONED else rules())
    call = hall.reached(state) if state is CallState.POSTPONED else hall.ask()
    assert state_of(call) is state
    hall.tell(ev.RulebookReplaced(without_queue(hall.rules, DESK)))
    cdr = hall.cdrs[-1]
    assert cdr.returns is not None
    assert (cdr.outcome, cdr.returns.result) == (Outcome.CLOSED, ReturnResult.NOT_REACHED)
    assert "released: rules-changed" in cdr.explanation
    dropped = [one for one in hall.notices if one.kind is NoticeKind.CALLBACK_DROPPED]
    assert [one.call for one in dropped] == [call.id]
    assert hall.exchange.calls == {}


@pytest.mark.parametrize("answers", [True, False])
def test_a_queue_that_calls_back_no_more_while_the_counselor_is_called_calls_nobody(
    hall: Driver, answers: bool
) -> None:
    call = hall.ask()
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"))))
    assert state_of(call) is CallState.OFFERED
    if answers:
        hall.pick_up(call)
    else:
        hall.leg_ends(call, Cause.CALL_REJECTED)
    assert hall.called() == ["kim"]
    assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)


def test_a_queue_that_calls_back_no_more_while_the_resident_is_called_connects_him_still(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"))))
    hall.resident_answers(call)
    assert state_of(call) is CallState.CONNECTED


def test_a_queue_that_calls_back_no_more_while_the_resident_is_called_in_vain_closes_the_request(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"))))
    hall.resident_ends(call)
    assert hall.exchange.calls == {}
    assert hall.cdrs[-1].returns == CdrReturn(hall.cdrs[0].call_id, ReturnResult.NOT_REACHED, 1)


def test_new_hours_hold_for_who_waits_for_them_and_not_for_who_was_called_in_vain() -> None:
    hall = Driver(rules("kim", rule=replace(RETURN, hours=NEVER)))
    waits = hall.ask()
    order(hall, waits.id, CallbackVerb.CALL_NOW)
    hall.pick_up(waits)
    hall.resident_ends(waits)
    assert waits.postponed_for is PostponeReason.RETRY
    other = hall.ask(caller="0552250002")
    assert other.postponed_for is PostponeReason.HOURS
    hall.tell(ev.RulebookReplaced(rules("kim")))
    assert (waits.state, other.state) == (CallState.POSTPONED, CallState.OFFERED)


# --- the end of a daemon


def test_a_daemon_that_drains_calls_nobody_and_does_not_wait_for_those_who_have_no_phone() -> None:
    hall = Driver(rules("kim"))
    call = hall.reached(CallState.POSTPONED)
    waits = hall.ask(caller="0552250002")
    assert state_of(waits) is CallState.OFFERED
    assert hall.exchange.has_callers
    hall.tell(ev.DrainRequested())
    hall.leg_ends(waits, Cause.CALL_REJECTED)
    hall.advance(600.0)
    assert (state_of(call), state_of(waits)) == (CallState.QUEUED, CallState.QUEUED)
    assert (hall.exchange.has_callers, hall.called().count("kim")) == (False, 2)
    hall.restart()
    hall.sync()
    assert CallState.OFFERED in {one.state for one in hall.exchange.calls.values()}


def test_who_waits_without_a_phone_leaves_in_the_drain(hall: Driver) -> None:
    hall.tell(ev.RulebookReplaced(rules()))
    call = hall.ask()
    hall.tell(ev.DrainRequested())
    assert hall.exchange.floor.acd.waiting(DESK) == 0
    assert state_of(call) is CallState.QUEUED


def test_those_who_wait_without_a_phone_do_not_fill_the_daemon() -> None:
    few = replace(rules(), limits=Limits(max_calls=1))
    hall = Driver(few)
    hall.ask()
    assert hall.dial("120", "0552250002").state is CallState.QUEUED
    hall.arrive("120", "0552250003")
    hall.settle()
    assert NoticeKind.NOT_TAKEN in [one.kind for one in hall.notices]


def restarted(hall: Driver, call: Call, lost: int = 0) -> Call:
    hall.asterisk.inbox.clear()
    hall.restart(lost=lost)
    hall.sync()
    return hall.exchange.calls[call.id]


@pytest.mark.parametrize("state", [CallState.QUEUED, CallState.OFFERED, CallState.CALLING, CallState.POSTPONED])
def test_the_next_daemon_goes_on_where_the_first_has_died(state: CallState) -> None:
    hall = Driver(rules(*(["kim"] if state is not CallState.QUEUED else [])))
    call = hall.ask() if state in (CallState.QUEUED, CallState.OFFERED) else hall.reached(state)
    channels, used = set(hall.asterisk.channels), in_use(hall)
    known = restarted(hall, call)
    assert (known.state, set(hall.asterisk.channels), in_use(hall)) == (state, channels, used)
    hall.rules = rules("kim")
    hall.tell(ev.RulebookReplaced(hall.rules))
    hall.advance(600.0 if state is CallState.POSTPONED else 0.0)
    if known.state is CallState.OFFERED:
        hall.pick_up(known)
    hall.resident_answers(known)
    hall.announcement_ends(known)
    assert state_of(known) is CallState.CONNECTED
    hall.leg_ends(known)
    assert hall.cdrs[-1].returns is not None
    assert (hall.exchange.calls, in_use(hall)) == ({}, 0)


def test_the_next_daemon_connects_who_was_being_told_who_calls(hall: Driver) -> None:
    call = restarted(hall, hall.reached(CallState.GREETING))
    assert state_of(call) is CallState.CONNECTED
    assert hall.asterisk.playing == {}
    assert in_use(hall) == 1


def test_the_next_daemon_goes_on_with_those_who_talk(hall: Driver) -> None:
    call = restarted(hall, connected(hall))
    assert state_of(call) is CallState.CONNECTED
    assert in_use(hall) == 1
    hall.resident_ends(call, Cause.NORMAL_CLEARING)
    assert (hall.exchange.calls, in_use(hall)) == ({}, 0)


def test_a_resident_who_answered_meanwhile_is_told_who_calls(hall: Driver) -> None:
    call = hall.reached(CallState.CALLING)
    hall.asterisk.connected = False
    hall.asterisk.pick_up(hall.resident(call))
    call = restarted(hall, call)
    assert state_of(call) is CallState.GREETING


@pytest.mark.parametrize("state", [CallState.CALLING, CallState.GREETING])
def test_a_resident_whose_counselor_hung_up_meanwhile_waits_in_line_if_he_is_there(
    hall: Driver, state: CallState
) -> None:
    call = hall.reached(state)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.leg(call))
    if state is CallState.CALLING:
        hall.asterisk.pick_up(hall.resident(call))
    hall.rules = rules()
    call = restarted(hall, call)
    assert (state_of(call), call.is_absent) == (CallState.QUEUED, False)
    assert hall.asterisk.channels[call.channel].music
    assert in_use(hall) == 1


def test_a_resident_who_still_rings_without_a_counselor_is_hung_up_and_called_later(hall: Driver) -> None:
    call = hall.reached(CallState.CALLING)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.leg(call))
    call = restarted(hall, call)
    assert (state_of(call), call.vain) == (CallState.POSTPONED, 0)
    assert (hall.asterisk.channels, in_use(hall)) == ({}, 0)


@pytest.mark.parametrize("state", [CallState.CALLING, CallState.GREETING])
def test_a_resident_who_is_gone_meanwhile_is_called_later_and_the_counselor_is_free(
    hall: Driver, state: CallState
) -> None:
    call = hall.reached(state)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.resident(call))
    call = restarted(hall, call)
    assert state_of(call) is CallState.POSTPONED
    assert call.vain == (1 if state is CallState.GREETING else 0)
    assert hall.asterisk.channels == {}
    assert hall.agent("kim").state is AgentState.AVAILABLE


def test_a_counselor_who_is_gone_meanwhile_is_called_anew(hall: Driver) -> None:
    call = hall.ask()
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.leg(call))
    call = restarted(hall, call)
    assert state_of(call) is CallState.OFFERED
    assert call.attempts == 2


def test_a_resident_who_hung_up_while_they_talked_and_nobody_looked_is_over(hall: Driver) -> None:
    call = connected(hall)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(call.channel)
    hall.restart()
    hall.sync()
    assert hall.exchange.calls == {}
    assert (hall.cdrs[-1].outcome, hall.asterisk.channels) == (Outcome.HANDLED, {})
    assert in_use(hall) == 0


@pytest.mark.parametrize("lost", range(1, 10))
def test_whatever_the_journal_lost_nobody_is_called_twice_at_once(hall: Driver, lost: int) -> None:
    call = hall.reached(CallState.CALLING)
    hall.restart(lost=lost)
    hall.sync()
    hall.settle()
    to_residents = [channel for channel, endpoint in hall.asterisk.endpoints.items() if endpoint.endswith("@city")]
    assert len([channel for channel in to_residents if channel in hall.asterisk.channels]) <= 1
    hall.advance(1300.0)
    for _ in range(3):
        for one in list(hall.exchange.calls.values()):
            if one.state is CallState.OFFERED:
                hall.pick_up(one)
    to_residents = [channel for channel, endpoint in hall.asterisk.endpoints.items() if endpoint.endswith("@city")]
    assert len([channel for channel in to_residents if channel in hall.asterisk.channels]) <= 1
    assert {one.id for one in hall.exchange.calls.values()} | {one.call_id for one in hall.cdrs} >= {call.id}


def test_a_request_that_had_only_begun_is_completed_when_the_call_before_has_ended(hall: Driver) -> None:
    asking = hall.dial("144")
    begun = next(i for i, (_, one) in enumerate(reversed(hall.log)) if isinstance(one, facts.Routed))
    hall.asterisk.channels[asking.channel] = Channel(asking.channel, "Up", asking.arrival)
    call = naming.call_back(asking.id)
    hall.restart(lost=begun)
    hall.sync()
    assert call not in hall.exchange.calls or hall.exchange.calls[call].state is CallState.ROUTING
    hall.advance(1.0)
    assert hall.exchange.calls[call].state is CallState.OFFERED


def test_a_journal_that_ends_between_two_facts_of_one_event_is_made_sense_of(hall: Driver) -> None:
    call = hall.reached(CallState.GREETING)
    hall.resident_ends(call, Cause.NORMAL_CLEARING)
    cut = next(i for i, (_, one) in enumerate(reversed(hall.log)) if isinstance(one, facts.NotReached))
    known = restarted(hall, call, lost=cut)
    assert (known.state, known.vain) == (CallState.POSTPONED, 1)


def test_the_next_daemon_calls_nobody_whose_queue_is_no_more(hall: Driver) -> None:
    call = hall.ask()
    hall.restart(without_queue(hall.rules, DESK))
    hall.sync()
    assert call.id not in hall.exchange.calls
    assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)


def test_the_next_daemon_calls_nobody_whose_queue_calls_back_no_more(hall: Driver) -> None:
    call = hall.ask()
    hall.rules = rulebook(agent("kim"))
    call = restarted(hall, call)
    hall.pick_up(call)
    assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)


def test_a_resident_who_is_called_without_rules_by_the_next_daemon_is_given_up_soon(hall: Driver) -> None:
    call = hall.reached(CallState.CALLING)
    hall.rules = rulebook(agent("kim"))
    restarted(hall, call)
    hall.advance(1.0)
    assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)


def test_a_request_that_was_closed_when_the_daemon_died_is_closed_by_the_next(hall: Driver) -> None:
    call = hall.reached(CallState.POSTPONED)
    order(hall, call.id, CallbackVerb.CANCEL)
    hall.restart(lost=1)
    hall.sync()
    assert hall.exchange.calls == {}
    assert hall.cdrs[-1].returns is not None


def test_one_whose_counselor_was_let_go_of_when_the_daemon_died_calls_the_resident_no_more(hall: Driver) -> None:
    call = hall.reached(CallState.CALLING)
    order(hall, call.id, CallbackVerb.CANCEL)
    hall.restart(lost=2)  # that it was closed; the end of the offer is known
    assert hall.exchange.calls[call.id].resident is not None
    hall.sync()
    assert hall.exchange.counters.defects == 0
    again = hall.exchange.calls[call.id]
    assert (again.resident, again.state) == (None, CallState.OFFERED)
    assert hall.called() == ["kim", "0552251234@city", "kim"]


def test_a_counselor_is_told_nothing_more_where_the_rules_call_nobody_back_any_more(hall: Driver) -> None:
    call = hall.reached(CallState.CALLING)
    hall.asterisk.playing.clear()
    hall.commands.clear()
    hall.restart(rulebook(agent("kim")), in_doubt=[call.id])
    hall.sync()
    assert hall.given(cmd.AskPlayback)
    assert not hall.given(cmd.Play)


def test_a_defect_costs_the_request_and_nobody_else(hall: Driver) -> None:
    call = hall.reached(CallState.CALLING)
    hall.carry_out(hall.exchange.give_up(call.id, hall.now, "tried"))
    hall.settle()
    assert hall.cdrs[-1].outcome is Outcome.FAILED
    assert (hall.exchange.calls, hall.asterisk.channels, in_use(hall)) == ({}, {}, 0)


@pytest.mark.parametrize(
    ("form", "dialled", "shown"),
    [(NumberForm.NATIONAL, "0552251234", "0552111120"), (NumberForm.E164, "+82552251234", "")],
)
def test_residents_are_called_over_a_member_of_the_group_as_it_wants_numbers(
    form: NumberForm, dialled: str, shown: str
) -> None:
    spec = TrunkSpec(CITY, 2, (MemberSpec("kt", 2),), form=form, caller_number=shown)
    hall = Driver(replace(rules("kim", rule=replace(RETURN, caller_number="")), trunks={CITY: spec}))
    call = hall.ask()
    hall.pick_up(call)
    _, to_resident = hall.given(cmd.Originate)
    assert to_resident.endpoint == f"PJSIP/{dialled}@kt"
    assert to_resident.caller_number == (shown or spec.written(call.arrival.dialed))
    assert call.resident is not None
    assert call.resident.member == "kt"


def two_for(spec: TrunkSpec, *, emergency: bool = False) -> Driver:
    """A counselor behind the trunk by which residents are called, who are of a tenant that has a share of it."""
    made = rules("kim", trunk=CITY)
    queue = replace(made.queues[DESK], emergency=emergency)
    return Driver(replace(made, trunks={CITY: spec}, queues={**made.queues, DESK: queue}))


OF_ALL = (TenantName("gyeongnam"), TenantName("changwon"))


@pytest.mark.parametrize(
    ("spec", "emergency", "is_called"),
    [
        (TrunkSpec(CITY, 2), False, True),
        (TrunkSpec(CITY, 1), False, False),
        (TrunkSpec(CITY, 2, (MemberSpec("kt", 1), MemberSpec("sk", 1))), False, True),
        (TrunkSpec(CITY, 2, (MemberSpec("kt", 2, per_second=1),)), False, False),
        (TrunkSpec(CITY, 2, (MemberSpec("kt", 2, per_second=2),)), False, True),
        (TrunkSpec(CITY, 3, shares=dict.fromkeys(OF_ALL, Share(0, 1))), False, False),
        (TrunkSpec(CITY, 3, shares=dict.fromkeys(OF_ALL, Share(0, 2))), False, True),
        (TrunkSpec(CITY, 2, reserve=1), False, False),
        (TrunkSpec(CITY, 2, reserve=1), True, True),
        (TrunkSpec(CITY, 2, reserve=2), True, True),
    ],
)
def test_a_counselor_behind_the_same_trunk_is_called_if_both_may_have_a_channel(
    spec: TrunkSpec, emergency: bool, is_called: bool
) -> None:
    hall = two_for(spec, emergency=emergency)
    call = hall.ask()
    assert (state_of(call) is CallState.OFFERED) == is_called
    if is_called:
        hall.pick_up(call)
        assert (state_of(call), in_use(hall)) == (CallState.CALLING, 2)
        hall.resident_answers(call)
        hall.announcement_ends(call)
        hall.hang_up(call)
    assert in_use(hall) == 0


def test_a_trunk_over_which_no_resident_is_heard_of_is_left_alone(hall: Driver) -> None:
    call = hall.ask()
    hall.pick_up(call)
    hall.asterisk.channels[hall.resident(call)].state = "Down"
    hall.advance(RETURN.ring_timeout_s)
    assert state_of(call) is CallState.POSTPONED
    (failed,) = (one for one in call.history if isinstance(one, facts.NotReached))
    assert failed.result is OfferResult.CONGESTION
    (group,) = hall.exchange.floor.trunks.groups
    assert not group.fits(HALL, hall.now)


def test_a_channel_that_is_kept_for_a_resident_is_not_taken_for_one_held_in_vain(hall: Driver) -> None:
    call = hall.ask()
    hall.advance(10.0)
    hall.sync()
    assert (state_of(call), in_use(hall)) == (CallState.OFFERED, 1)
    assert not hall.exchange.counters.trunk_drifts


def test_the_id_of_the_call_back_is_always_the_same_and_a_uuid_of_version_7() -> None:
    original = CallId("01a20b11-2498-7e03-a59a-314773b3d01c")
    made = naming.call_back(original)
    assert made == naming.call_back(original) != original
    assert (UUID(made).version, made[:13]) == (7, original[:13])
    assert naming.parse_leg_channel(naming.leg_channel(made, 1)) is not None


def test_a_queue_with_another_head_start_keeps_its_callers_who_are_called_back() -> None:
    hall = Driver(rules())
    call = hall.ask("143")
    waits = hall.dial("120", "0552250002")
    later = QueueSpec(DESK, "창원시", head_start_s=5.0, call_back=RETURN)
    hall.tell(ev.RulebookReplaced(rulebook(queues=[later])))
    assert hall.place(call) == 1
    assert hall.place(waits) == 2


def test_a_way_from_another_site_is_none_for_who_is_called_back_from_here() -> None:
    """The trunk between the two has an end over there alone: asked for a channel of it here, it has none."""
    made = two_site_rules(agent("kim"))
    line = TrunkSpec(LINE, 2, (MemberSpec(TO_HALL, 2, ANNEX),), between=True)
    hall = TwoSites(replace(made, trunks={**made.trunks, LINE: line}, queues={**made.queues, DESK: CALLS_BACK}))
    call = hall.ask()
    assert (state_of(call), hall.exchange.counters.defects) == (CallState.OFFERED, 0)


# --- before Asterisk has told the next daemon of anything


def test_nobody_is_put_in_line_or_cancelled_before_the_site_is_up() -> None:
    hall = Driver(rules())
    call = hall.ask()
    hall.restart()
    call = hall.exchange.calls[call.id]
    for verb in CallbackVerb:
        answer = order(hall, call.id, verb)
        assert (answer.ok, "order it anew when site hall is up" in answer.message) == (False, True)
    hall.tell(ev.RulebookReplaced(hall.rules))
    assert hall.exchange.floor.acd.waiting_in(DESK) == []
    hall.sync()
    assert hall.exchange.floor.acd.waiting_in(DESK) == [call.id]
    assert order(hall, call.id, CallbackVerb.CANCEL).ok


def test_who_calls_by_himself_before_the_site_is_up_has_his_place() -> None:
    hall = Driver(rules())
    call = hall.ask()
    hall.restart()
    own = hall.dial("120")
    assert own.instead_of == call.id
    hall.sync()
    call = hall.exchange.calls[call.id]
    assert (state_of(call), call.postponed_for) == (CallState.POSTPONED, PostponeReason.OWN_CALL)


def test_who_was_on_the_line_and_hangs_up_before_the_site_is_up_is_called_back() -> None:
    hall = Driver(rules())
    call, own = hall.ask(), hall.dial("120")
    hall.restart()
    hall.hang_up(own)
    assert state_of(hall.exchange.calls[call.id]) is CallState.POSTPONED
    hall.sync()
    assert state_of(hall.exchange.calls[call.id]) is CallState.QUEUED
    assert hall.exchange.floor.acd.waiting_in(DESK) == [call.id]


def test_who_is_to_be_tried_later_is_not_where_the_next_daemon_s_rules_do_not_call_back(hall: Driver) -> None:
    call = hall.reached(CallState.POSTPONED)
    hall.restart(rulebook(agent("kim")))
    hall.sync()
    assert hall.exchange.calls == {}
    assert hall.cdr(call).returns == CdrReturn(hall.cdrs[0].call_id, ReturnResult.NOT_REACHED, 1)


def half_begun(hall: Driver) -> tuple[Call, CallId]:
    """A daemon died in the middle of taking a request down: the call in which it was asked for, and that request."""
    asking = hall.dial("144")
    begun = next(i for i, (_, one) in enumerate(reversed(hall.log)) if isinstance(one, facts.Routed))
    hall.asterisk.channels[asking.channel] = Channel(asking.channel, "Up", asking.arrival)
    hall.restart(lost=begun)
    back = naming.call_back(asking.id)
    assert hall.exchange.calls[back].state is CallState.ROUTING
    return asking, back


def test_a_request_that_had_only_begun_ends_with_its_call_where_the_queue_calls_back_no_more() -> None:
    hall = Driver(rules())
    asking, back = half_begun(hall)
    hall.asterisk.hang_up(asking.channel)
    hall.inbox.clear()
    hall.tell(ev.RulebookReplaced(rulebook()))
    hall.sync()
    assert (hall.exchange.calls, hall.exchange.counters.defects) == ({}, 0)
    assert {cdr.call_id for cdr in hall.cdrs} == {asking.id, back}


def test_a_request_that_had_only_begun_of_which_nobody_knows_the_call_is_closed() -> None:
    hall = Driver(rules())
    asking, back = half_begun(hall)
    hall.log = [(call, record) for call, record in hall.log if call != asking.id]
    hall.asterisk.channels.clear()
    hall.restart()
    hall.sync()
    assert hall.exchange.calls == {}
    assert [cdr.call_id for cdr in hall.cdrs] == [back]


# --- who calls by himself


def test_who_calls_by_himself_has_the_place_and_is_not_called_back_when_he_has_been_served() -> None:
    hall = Driver(rules())
    request = hall.ask("143")
    other = hall.dial("120", "0552250002")
    own = hall.dial("120")
    assert (state_of(request), request.postponed_for) == (CallState.POSTPONED, PostponeReason.OWN_CALL)
    assert hall.place(own) == 1
    assert hall.place(other) == 2
    hall.tell(ev.RulebookReplaced(rules("kim")))
    hall.pick_up(own)
    assert list(hall.exchange.calls) == [other.id, own.id]
    cdr = hall.cdrs[-1]
    assert cdr.returns is not None
    assert (cdr.returns.result, cdr.outcome) == (ReturnResult.REACHED, Outcome.CLOSED)
    assert "released: served" in cdr.explanation
    hall.hang_up(own)
    assert "was to be called back, called, and has the place of" in hall.cdr(own).explanation


@pytest.mark.parametrize("state", [CallState.QUEUED, CallState.POSTPONED])
def test_who_calls_by_himself_and_hangs_up_before_is_called_back_as_before(state: CallState) -> None:
    hall = Driver(rules() if state is CallState.QUEUED else rules("kim"))
    request = hall.ask() if state is CallState.QUEUED else hall.reached(state)
    hall.rules = rules()
    hall.tell(ev.RulebookReplaced(hall.rules))
    own = hall.dial("120")
    assert own.instead_of == request.id
    hall.hang_up(own)
    assert (state_of(request), request.is_absent) == (CallState.QUEUED, True)
    hall.tell(ev.RulebookReplaced(rules("kim")))
    assert state_of(request) is CallState.OFFERED


def test_who_calls_by_himself_while_the_counselor_is_called_for_him_is_busy_and_waits_on_the_line(hall: Driver) -> None:
    request = hall.ask()
    own = hall.dial("120")
    hall.pick_up(request)
    hall.resident_ends(request)  # busy
    assert state_of(own) is CallState.OFFERED
    hall.advance(600.0 - 599.0)
    hall.pick_up(own)
    assert list(hall.exchange.calls) == [own.id]
    assert hall.cdrs[-1].returns is not None
    assert hall.cdrs[-1].returns.result is ReturnResult.REACHED


def test_a_counselor_who_is_not_there_for_him_who_calls_by_himself_leaves_the_request_aside(hall: Driver) -> None:
    request = hall.ask()
    own = hall.dial("120")
    hall.leg_ends(request, Cause.CALL_REJECTED)
    assert (state_of(request), request.postponed_for) == (CallState.POSTPONED, PostponeReason.OWN_CALL)
    assert state_of(own) is CallState.QUEUED


def test_who_stands_on_the_line_himself_need_not_be_called_now() -> None:
    hall = Driver(rules())
    request = hall.ask()
    hall.dial("120")
    assert order(hall, request.id, CallbackVerb.CALL_NOW) == CallbackAnswer(
        False, f"call {request.id} is not needed now: the resident waits on the line himself"
    )
    hall.tell(ev.RulebookReplaced(rules(rule=replace(RETURN, attempts=1))))
    assert request.postponed_for is PostponeReason.OWN_CALL


def test_of_several_who_call_from_one_number_the_first_has_the_place() -> None:
    hall = Driver(rules())
    request = hall.ask("143")
    other = hall.dial("120", "0552250002")
    first, second = hall.dial("120"), hall.dial("120")
    assert (first.instead_of, second.instead_of) == (request.id, None)
    assert [hall.place(one) for one in (first, other, second)] == [1, 2, 3]


def test_a_number_at_which_somebody_is_being_greeted_is_not_called_for_another_request(hall: Driver) -> None:
    call = hall.reached(CallState.GREETING)
    hall.dial("144")
    assert list(hall.exchange.calls) == [call.id]
    hall.resident_ends(call, Cause.NORMAL_CLEARING)
    assert state_of(call) is CallState.POSTPONED


def test_where_it_is_not_wanted_or_the_number_is_another_nobody_has_the_place() -> None:
    hall = Driver(rules(rule=replace(RETURN, redial=False)))
    request = hall.ask()
    assert hall.dial("120").instead_of is None
    hall.tell(ev.RulebookReplaced(rules()))
    assert hall.dial("120", "0552250002").instead_of is None
    assert hall.dial("120", "anonymous").instead_of is None
    assert state_of(request) is CallState.QUEUED


def test_who_comes_back_into_the_queue_by_a_key_keeps_the_place_of_his_request() -> None:
    care = QueueCare(keys=(KeyWay("1", Plan("again", (EnterQueue(DESK),))),))
    hall = Driver(rulebook(queues=[replace(CALLS_BACK, care=care)]))
    request = hall.ask()
    own = hall.dial("120")
    hall.press(own, "1")
    assert (own.instead_of, own.place) == (request.id, request.place)


@pytest.mark.parametrize("is_there", [True, False])
def test_the_next_daemon_knows_who_waits_on_the_line_instead(is_there: bool) -> None:
    hall = Driver(rules())
    request = hall.ask()
    own = hall.dial("120")
    if not is_there:
        hall.asterisk.connected = False
        hall.asterisk.hang_up(own.channel)
    again = restarted(hall, request)
    assert again.state is (CallState.POSTPONED if is_there else CallState.QUEUED)


def test_the_next_daemon_calls_back_who_was_on_the_line_when_the_journal_ends_before_it_says_so() -> None:
    hall = Driver(rules())
    request = hall.ask()
    own = hall.dial("120")
    hall.hang_up(own)
    back = next(i for i, (_, one) in enumerate(reversed(hall.log)) if isinstance(one, facts.BackInLine))
    del hall.log[-1 - back]
    again = restarted(hall, request)
    assert again.state is CallState.QUEUED


# --- what others see


def test_those_who_have_no_phone_fill_no_queue_and_have_no_longest_wait() -> None:
    care = QueueCare(max_waiting=1, when_full=Plan("full", (HangUp(),)))
    hall = Driver(rulebook(queues=[replace(CALLS_BACK, care=care)]))
    hall.ask()
    hall.advance(600.0)
    assert picture(hall.exchange, hall.now).queues[0].oldest is None
    caller = hall.dial("120", "0552250002")
    hall.advance(5.0)
    assert state_of(caller) is CallState.QUEUED
    states = hall.exchange.conduct.waiting.queue_states(hall.now)(DESK)
    assert (states.waiting, states.longest_wait_s) == (2, 5.0)
    (desk, *_) = live(hall.exchange, hall.now).queues
    assert (desk.waiting, desk.longest_wait_s) == (2, 5.0)
    assert hall.dial("120", "0552250003").state is CallState.ENDED


@pytest.mark.parametrize("hours", [None, NEVER])
def test_nobody_is_called_back_for_longer_than_requests_are_kept(hours: Calendar | None) -> None:
    hall = Driver(replace(rules(rule=replace(RETURN, hours=hours)), callback_retention_s=7 * 86_400.0))
    call = hall.ask()
    hall.advance(7 * 86_400.0 - 1.0)
    assert state_of(call) is (CallState.QUEUED if hours is None else CallState.POSTPONED)
    hall.advance(86_400.0)
    cdr = hall.cdrs[-1]
    assert cdr.returns is not None
    assert (cdr.returns.result, cdr.outcome) == (ReturnResult.NOT_REACHED, Outcome.CLOSED)
    assert "released: expired" in cdr.explanation


def test_a_counselor_may_hear_the_last_digits_of_the_number() -> None:
    hall = Driver(rules("kim", rule=replace(RETURN, say_number=True)))
    hall.pick_up(hall.ask())
    assert told(hall) == [("1", ("to-agent", "digit-1", "digit-2", "digit-3", "digit-4", "tone:ring"))]


def test_a_resident_whose_phone_rang_for_an_earlier_daemon_has_not_answered_and_it_is_not_laid_to_the_trunk(
    hall: Driver,
) -> None:
    call = hall.ask()
    hall.pick_up(call)
    hall.asterisk.ring(hall.resident(call))
    hall.settle()
    hall.restart()
    hall.sync()
    hall.advance(30.0)
    (vain,) = [fact for fact in hall.journal[call.id] if isinstance(fact, facts.NotReached)]
    assert vain.result is OfferResult.NO_ANSWER
