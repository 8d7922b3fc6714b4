"""Limits of calls that go out: what is kept back, who is told, and what a daemon that starts anew knows of it."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callrouter.core import commands as cmd
from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.call_keys import CallKey, CallKeys
from callrouter.core.call_orders import CallVerb
from callrouter.core.callback_orders import CallbackVerb
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult, Outcome
from callrouter.core.events import LegDigit, RulebookReplaced
from callrouter.core.facts import PostponeReason
from callrouter.core.ids import DestinationName, PromptName
from callrouter.core.outbound import NumberClass
from callrouter.core.outbound_meter import LimitNow
from callrouter.core.outbound_spec import Bound, OutboundLimit, OutboundRules, Unit, Window
from callrouter.core.output import NoticeKind
from callrouter.core.picture import picture
from callrouter.core.plan import Destination, Dial, HangUp, Plan
from callrouter.core.rulebook import Rulebook
from callrouter.core.second_lines import LIMITED, REFUSED_CONTEXT
from callrouter.core.states import CallState
from callrouter.core.transfers import Outside, TransferRules
from callrouter.core.trunk_spec import TrunkSpec
from tests.core.driver import CALLS_BACK, CITY, DUTY_DESK, PLANS, TAKE_IT, Driver, agent, rulebook
from tests.core.test_calling_back import order

MOBILE, OTHER = "01098765432", "01012345678"
NAME = DestinationName("duty-mobile")
OUTSIDE = Destination(NAME, "당직 휴대전화", "PJSIP/01098765432@city", CITY, number=MOBILE)
DUTY = Plan("duty", (Dial((OUTSIDE, DUTY_DESK)), HangUp()))
CITY_TRUNK = TrunkSpec(CITY, 50)
HOURLY = OutboundLimit("usual", (Bound(Unit.CALLS, Window.HOUR, 1),))
NEARLY, SAID = PromptName("nearly"), PromptName("limited")
KEYS = CallKeys({"*5": CallKey(CallVerb.CONFERENCE, "")}, refused=NEARLY, limited=SAID)


def rules(*limits: OutboundLimit, plan: Plan = DUTY, staff: tuple[str, ...] = ("kim",)) -> Rulebook:
    """The duty list at 129; a queue that calls back; counselors who may call numbers outside."""
    plain = rulebook(*map(agent, staff), queues=[CALLS_BACK], plans={**PLANS, "129": plan})
    allow = frozenset({NumberClass.MOBILE, NumberClass.LANDLINE, NumberClass.EMERGENCY})
    transfers = TransferRules(destinations={NAME: OUTSIDE}, outside=Outside(CITY_TRUNK, allow))
    return replace(
        plain,
        trunks={CITY: CITY_TRUNK},
        transfers=transfers,
        call_keys=KEYS,
        outbound=OutboundRules(limits=limits, numbers={NAME: MOBILE}),
    )


def state(call: Call) -> CallState:
    return call.state


def used(hall: Driver) -> list[float]:
    return [one.used for one in limits(hall)]


def limits(hall: Driver) -> tuple[LimitNow, ...]:
    return picture(hall.exchange, hall.now).limits


def told(hall: Driver) -> list[str]:
    return [one.text for one in hall.notices if one.kind is NoticeKind.OUTBOUND_LIMIT]


def results(hall: Driver, call: Call) -> list[tuple[str | None, OfferResult]]:
    return [(leg.destination, leg.result) for leg in hall.cdr(call).legs]


def a_talk(hall: Driver) -> Call:
    call = hall.dial("120")
    hall.pick_up(call)
    assert state(call) is CallState.CONNECTED
    return call


# --- plans


def test_a_destination_beyond_the_limit_is_passed_over_and_an_hour_later_it_is_called_again() -> None:
    hall = Driver(rules(HOURLY))
    first, second = hall.dial("129"), hall.dial("129")
    assert hall.called() == ["01098765432@city", "duty"]
    hall.hang_up(first)
    hall.pick_up(second)
    hall.leg_ends(second)
    assert results(hall, second) == [(NAME, OfferResult.LIMITED), ("duty-desk", OfferResult.ANSWERED)]
    assert hall.cdr(second).outcome is Outcome.HANDLED
    assert hall.exchange.counters.offers[OfferResult.LIMITED] == 1
    assert used(hall) == [1], "the desk is a phone of ours"
    hall.advance(3600.0)
    hall.dial("129")
    assert hall.called()[-1] == "01098765432@city"


def test_people_are_told_before_and_when_calls_are_kept_back_once_each() -> None:
    limit = OutboundLimit("usual", (Bound(Unit.CALLS, Window.HOUR, 2),), warn_at=100)
    hall = Driver(rules(limit))
    for _ in range(4):
        hall.hang_up(hall.dial("129"))
    assert told(hall) == [
        "2 of 2 calls per hour of changwon used (limit usual)",
        "no more calls go out: 2 calls of the last hour of changwon (limit usual);"
        " the next may at 2026-11-24 10:00:00 UTC",
    ]
    assert [(one.used, one.most, one.blocked) for one in limits(hall)] == [(2, 2, 2)]


def test_a_full_trunk_group_is_not_laid_to_a_limit() -> None:
    hall = Driver(replace(rules(HOURLY), trunks={CITY: TrunkSpec(CITY, 0)}))
    call = hall.dial("129")
    hall.hang_up(call)
    assert results(hall, call)[0] == (NAME, OfferResult.CONGESTION)
    assert limits(hall) == ()


def test_a_number_in_a_dial_string_without_a_trunk_group_counts_too() -> None:
    straight = Destination(NAME, "당직", f"PJSIP/{MOBILE}@carrier")
    hall = Driver(rules(HOURLY, plan=Plan("duty", (Dial((straight, DUTY_DESK)), HangUp()))))
    hall.dial("129")
    second = hall.dial("129")
    assert hall.called() == [f"{MOBILE}@carrier", "duty"]
    hall.hang_up(second)
    assert results(hall, second)[0] == (NAME, OfferResult.LIMITED)
    assert used(hall) == [1]
    hall.restart()
    assert used(hall) == [1]


def test_a_marked_destination_and_an_emergency_number_are_never_kept_back() -> None:
    sos = Destination(NAME, "119", "PJSIP/119@city", CITY, number="119")
    marked = Destination(NAME, "당직", f"PJSIP/{MOBILE}@city", CITY, number=MOBILE, emergency=True)
    for one in (sos, marked):
        hall = Driver(rules(HOURLY, plan=Plan("duty", (Dial((one,)), HangUp()))))
        assert [state(hall.dial("129")) for _ in range(3)] == [CallState.OFFERED] * 3


def test_a_limit_of_a_trunk_group_looks_at_the_one_that_takes_over() -> None:
    spare = TrunkSpec(CITY.__class__("spare"), 9)
    limit = replace(HOURLY, trunks=frozenset({spare.name}))
    first = TrunkSpec(CITY, 1, overflow=spare.name)
    hall = Driver(replace(rules(limit), trunks={CITY: first, spare.name: spare}))
    for _ in range(3):
        hall.dial("129")
    assert hall.called() == [f"{MOBILE}@city", f"{MOBILE}@spare", "duty"]


def test_minutes_count_from_the_answer_also_of_who_is_asked_for_a_key() -> None:
    minute = OutboundLimit("talk", (Bound(Unit.MINUTES, Window.HOUR, 1),))
    hall = Driver(rules(minute, plan=Plan("duty", (Dial((OUTSIDE, DUTY_DESK), confirm=TAKE_IT), HangUp()))))
    call = hall.dial("129")
    hall.pick_up(call)
    hall.advance(10.0)
    hall.tell(LegDigit(hall.leg(call), "1"))
    hall.settle()
    assert state(call) is CallState.CONNECTED
    hall.advance(50.0)
    assert used(hall) == [1]
    late = hall.dial("129")
    assert hall.called()[-1] == "duty"
    hall.leg_ends(call)
    hall.hang_up(late)
    assert [leg.result for leg in hall.cdr(late).legs] == [OfferResult.LIMITED, OfferResult.CALLER_GONE]


# --- counselors


def test_a_counselor_who_dials_outside_hears_that_no_more_calls_go_out_and_talks_on() -> None:
    hall = Driver(rules(HOURLY))
    hall.hang_up(hall.dial("129"))
    call = a_talk(hall)
    answer = hall.order_call(call.id, CallVerb.CONFERENCE, OTHER)
    assert (answer.ok, answer.limited) == (False, True)
    assert answer.message == "no more such calls go out now: 1 calls of the last hour of changwon (limit usual)"
    for key in f"*5{OTHER}#":
        hall.tell(LegDigit(hall.leg(call), key))
    hall.settle()
    assert hall.given(cmd.Play)[-1].media == ("sound:callrouter/limited",)
    assert hall.given(cmd.Play)[-1].channel == hall.leg(call)
    assert state(call) is CallState.CONNECTED
    assert hall.order_call(call.id, CallVerb.CONFERENCE, "119").ok


def test_where_no_prompt_says_so_the_usual_refusal_is_heard() -> None:
    hall = Driver(replace(rules(HOURLY), call_keys=replace(KEYS, limited=None)))
    hall.hang_up(hall.dial("129"))
    call = a_talk(hall)
    for key in f"*5{OTHER}#":
        hall.tell(LegDigit(hall.leg(call), key))
    hall.settle()
    assert hall.given(cmd.Play)[-1].media == ("sound:callrouter/nearly",)


def test_a_counselor_s_second_line_hears_it_from_the_dialplan() -> None:
    hall = Driver(rules(HOURLY))
    hall.hang_up(hall.dial("129"))
    a_talk(hall)
    line = hall.dial_on("kim", OTHER)
    (sent,) = hall.given(cmd.ContinueInDialplan)
    assert (sent.channel, sent.context, sent.extension) == (line, REFUSED_CONTEXT, LIMITED)


def test_who_is_called_in_counts_until_he_has_left_also_when_the_call_is_passed_on() -> None:
    minute = OutboundLimit("talk", (Bound(Unit.MINUTES, Window.HOUR, 9), Bound(Unit.CALLS, Window.DAY, 9)))
    hall = Driver(rules(minute))
    call = a_talk(hall)
    hall.order_call(call.id, CallVerb.CONSULT, OTHER)
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    hall.advance(60.0)
    hall.order_call(call.id, CallVerb.COMPLETE)
    hall.advance(60.0)
    hall.hang_up(call)
    hall.advance(600.0)
    assert used(hall) == [2, 1]
    hall.restart()
    assert used(hall) == [2, 1]


# --- residents who are called back


def test_who_is_to_be_called_back_is_put_off_and_called_when_the_limit_lets_him_be() -> None:
    hall = Driver(rules(HOURLY))
    hall.hang_up(hall.dial("129"))
    call = hall.ask()
    assert (state(call), call.postponed_for) == (CallState.POSTPONED, PostponeReason.LIMIT)
    assert call.postponed_until == hall.now + timedelta(hours=1)
    assert call.vain == 0
    answer = order(hall, call.id, CallbackVerb.CALL_NOW)
    assert answer.message == f"call {call.id}: called as soon as the limit of calls that go out lets it be"
    assert state(call) is CallState.POSTPONED, "whoever wants him called now is bound by it, too"
    hall.advance(3600.0)
    assert state(call) is CallState.OFFERED
    hall.pick_up(call)
    hall.resident_ends(call)
    assert used(hall) == [1], "the call of an hour ago counts no more, that to the resident does"


def test_those_who_are_put_off_are_called_one_after_the_other_as_calls_become_old_enough() -> None:
    hall = Driver(rules(OutboundLimit("usual", (Bound(Unit.CALLS, Window.HOUR, 2),)), staff=()))
    for _ in range(2):
        hall.hang_up(hall.dial("129"))
        hall.advance(600.0)
    waiting = [hall.ask(caller=f"055225123{number}") for number in range(4)]
    minutes = [(call.postponed_until - hall.now).total_seconds() / 60 for call in waiting if call.postponed_until]
    assert minutes == [40, 50, 50, 50]


def test_who_stands_in_line_when_the_limit_is_reached_is_put_off_and_the_counselor_stays_free() -> None:
    hall = Driver(rules(HOURLY, staff=("kim",)))
    talk = a_talk(hall)
    call = hall.ask()
    assert state(call) is CallState.QUEUED
    hall.hang_up(hall.dial("129"))
    hall.leg_ends(talk)
    hall.advance(30.0)
    assert (state(call), call.postponed_for) == (CallState.POSTPONED, PostponeReason.LIMIT)
    assert hall.agent("kim").state == "available"
    waiting = hall.dial("120")
    assert state(waiting) is CallState.OFFERED


def test_a_limit_that_is_reached_while_the_counselor_s_phone_rings_is_kept() -> None:
    hall = Driver(rules(HOURLY))
    call = hall.ask()
    assert state(call) is CallState.OFFERED
    hall.hang_up(hall.dial("129"))
    hall.pick_up(call)
    assert (state(call), call.postponed_for) == (CallState.POSTPONED, PostponeReason.LIMIT)
    assert used(hall) == [1]
    assert hall.exchange.floor.trunks.seizures == 0
    assert not hall.agent("kim").leg


def test_new_rules_that_allow_more_call_him_at_once() -> None:
    hall = Driver(rules(HOURLY))
    hall.hang_up(hall.dial("129"))
    call = hall.ask()
    hall.tell(RulebookReplaced(rules()))
    assert state(call) is CallState.OFFERED


# --- faults and new rules


def test_a_daemon_that_starts_anew_knows_what_went_out_of_calls_that_are_over_and_of_those_that_are_not() -> None:
    limit = OutboundLimit("usual", (Bound(Unit.CALLS, Window.HOUR, 4), Bound(Unit.MINUTES, Window.HOUR, 9)))
    hall = Driver(rules(limit))
    for answered in (True, False):
        call = hall.dial("129")
        if answered:
            hall.pick_up(call)
            hall.advance(90.0)
        hall.leg_ends(call)
        if call.id in hall.exchange.calls:
            hall.hang_up(call)
    lives = hall.dial("129")
    hall.pick_up(lives)
    asks = hall.ask()
    hall.pick_up(asks)
    hall.resident_answers(asks)
    hall.advance(30.0)
    before = used(hall)
    assert before == [4, 2.5]
    hall.restart()
    assert used(hall) == before
    hall.sync()
    hall.advance(30.0)
    assert used(hall) == [4, 3.5]
    hall.hang_up(hall.exchange.calls[lives.id])
    hall.advance(120.0)
    assert used(hall)[0] == 4


def test_an_earlier_daemon_s_leg_that_ended_unseen_talks_no_more() -> None:
    limit = OutboundLimit("talk", (Bound(Unit.MINUTES, Window.HOUR, 9),))
    hall = Driver(rules(limit))
    call = hall.dial("129")
    hall.pick_up(call)
    hall.advance(60.0)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(call.channel)
    hall.asterisk.hang_up(hall.leg(call))
    hall.restart()
    hall.sync()
    hall.advance(600.0)
    assert used(hall) == [1]


def test_what_is_not_dialled_is_not_counted_anew_either() -> None:
    hall = Driver(rules(OutboundLimit("usual", (Bound(Unit.CALLS, Window.HOUR, 1),))))
    for _ in range(3):
        hall.hang_up(hall.dial("129"))
    full = Driver(replace(rules(HOURLY), trunks={CITY: TrunkSpec(CITY, 0)}))
    full.hang_up(full.dial("129"))
    for one, expected in ((hall, [1]), (full, [])):
        one.restart()
        assert used(one) == expected


def test_a_resident_s_call_that_was_in_vain_counts_and_is_one_of_the_limit_s_kinds() -> None:
    landlines = OutboundLimit("usual", (Bound(Unit.CALLS, Window.DAY, 1),), kinds=frozenset({NumberClass.LANDLINE}))
    hall = Driver(rules(landlines))
    call = hall.ask()
    hall.pick_up(call)
    hall.resident_ends(call, Cause.USER_BUSY)
    hall.advance(600.0)
    assert (state(call), call.postponed_for) == (CallState.POSTPONED, PostponeReason.LIMIT)
    hall.dial("129")
    assert hall.called()[-1] == f"{MOBILE}@city", "that is a mobile"


def test_a_call_that_the_trunk_failed_does_not_count() -> None:
    hall = Driver(rules(HOURLY))
    hall.asterisk.phones[f"PJSIP/{MOBILE}@city"] = "congested"
    call = hall.dial("129")
    assert hall.called() == [f"{MOBILE}@city", "duty"]
    assert used(hall) == [0]
    hall.hang_up(call)
    hall.restart()
    assert used(hall) == []


class Outgoing(RuleBasedStateMachine):
    """Calls out, of two kinds and limits, with restarts, reloads and time: never more than may, never one lost."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 2
        self.hall = Driver(self._rules())
        for number in (MOBILE, "0552251234", "0552873000"):
            self.hall.asterisk.phones[f"PJSIP/{number}@city"] = "rings"
        self.seen = 0

    def _rules(self) -> Rulebook:
        return rules(OutboundLimit("usual", (Bound(Unit.CALLS, Window.HOUR, self.most),)), staff=("kim", "lee"))

    def _calls(self) -> list[Call]:
        return list(self.hall.exchange.calls.values())

    @rule()
    def duty(self) -> None:
        self.hall.dial("129")

    @rule(caller=st.sampled_from(["0552251234", "0552873000"]))
    def asks(self, caller: str) -> None:
        self.hall.dial("144", caller)

    @precondition(lambda self: any(call.offer is not None for call in self._calls()))
    @rule()
    def answers(self) -> None:
        call = next(call for call in self._calls() if call.offer is not None)
        if call.resident is not None and not call.is_reached:
            self.hall.resident_answers(call)
        elif self.hall.leg(call) in self.hall.asterisk.channels:
            self.hall.pick_up(call)

    @precondition(lambda self: any(call.offer is not None for call in self._calls()))
    @rule()
    def ends(self) -> None:
        self.hall.leg_ends(next(call for call in self._calls() if call.offer is not None))

    @rule(minutes=st.sampled_from([1, 20, 61]))
    def time(self, minutes: int) -> None:
        self.hall.advance(minutes * 60.0)

    @rule()
    def restarts(self) -> None:
        before = [one.used for one in limits(self.hall) if one.used]
        self.hall.restart(self._rules())
        assert [one.used for one in limits(self.hall) if one.used] == before
        self.hall.sync()

    @rule(most=st.integers(1, 4))
    def reload(self, most: int) -> None:
        self.most = most
        self.hall.tell(RulebookReplaced(self._rules()))

    @invariant()
    def never_more_than_may(self) -> None:
        """Whenever something was dialled, no more than may had been within the hour, with it."""
        dialled = [
            fact.at
            for _, fact in self.hall.log
            if isinstance(fact, facts.CallingBack) or (isinstance(fact, facts.Offered) and fact.member)
        ]
        for number in range(self.seen, len(dialled)):
            hour = dialled[number] - timedelta(hours=1)
            assert sum(one > hour for one in dialled[: number + 1]) <= self.most
        self.seen = len(dialled)
        used_now = sum(one.used for one in limits(self.hall))
        assert used_now == sum(one > self.hall.now - timedelta(hours=1) for one in dialled)


TestOutgoing = Outgoing.TestCase
TestOutgoing.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
