"""Several phones ring for one caller: the first that is answered has him, and no other can."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult, Outcome
from callrouter.core.duty import Duty
from callrouter.core.events import TimerKind
from callrouter.core.ids import ChannelId
from callrouter.core.output import Output
from callrouter.core.picture import picture
from callrouter.core.plan import Announce, HangUp, Plan
from callrouter.core.rulebook import AgentSpec, QueueSpec, Rulebook, Strategy, WaitingSound
from callrouter.core.states import CallState
from callrouter.core.waiting_spec import KeyWay, QueueCare
from tests.core.driver import BELL, CITY, DESK, NIGHT, SORRY, WELCOME, Driver, agent, own_leg, rulebook, without_queue

ALL = QueueSpec(DESK, "창원시", strategy=Strategy.RING_ALL)
KIM, LEE, PARK = agent("kim"), agent("lee"), agent("park")


def centre(*staff: AgentSpec, queue: QueueSpec = ALL, trunk_channels: int = 2) -> Driver:
    return Driver(rules(*staff, queue=queue, trunk_channels=trunk_channels))


def rules(*staff: AgentSpec, queue: QueueSpec = ALL, trunk_channels: int = 2) -> Rulebook:
    return rulebook(*(staff or (KIM, LEE, PARK)), queues=(queue,), trunk_channels=trunk_channels)


def leg_of(driver: Driver, name: str) -> ChannelId:
    leg = driver.agent(name).leg
    assert leg is not None
    return leg


def state(call: Call) -> CallState:
    return call.state


def picks_up(driver: Driver, name: str) -> None:
    driver.asterisk.pick_up(leg_of(driver, name))
    driver.settle()


def ends(driver: Driver, name: str, cause: int) -> None:
    driver.asterisk.hang_up(leg_of(driver, name), cause)
    driver.settle()


def states(driver: Driver) -> dict[str, AgentState]:
    return {one.spec.id: one.state for one in driver.exchange.floor.staff.agents.values()}


def results(driver: Driver, call: Call) -> dict[str, OfferResult]:
    """What came of the offers, by counselor; each was rung once."""
    legs = driver.cdr(call).legs
    found = {leg.agent: leg.result for leg in legs if leg.agent is not None}
    assert len(found) == len(legs)
    return {str(name): result for name, result in found.items()}


def test_all_who_are_free_are_rung_at_once() -> None:
    driver = centre()
    call = driver.dial()
    assert driver.called() == ["kim", "lee", "park"]
    assert state(call) is CallState.OFFERED
    assert set(states(driver).values()) == {AgentState.RESERVED}


@pytest.mark.parametrize("first", ["kim", "lee", "park"])
def test_who_answers_first_has_the_caller_and_the_others_stop_and_are_free_at_once(first: str) -> None:
    driver = centre()
    call = driver.dial()
    driver.advance(3.0)
    picks_up(driver, first)
    assert state(call) is CallState.CONNECTED
    assert driver.together(call) == {call.channel, leg_of(driver, first)}
    others = {"kim", "lee", "park"} - {first}
    assert {name: state for name, state in states(driver).items() if name in others} == dict.fromkeys(
        others, AgentState.AVAILABLE
    )
    driver.hang_up(call)
    assert results(driver, call) == {first: OfferResult.ANSWERED} | dict.fromkeys(
        others, OfferResult.ANSWERED_ELSEWHERE
    )
    assert driver.cdr(call).agent == first
    assert driver.cdr(call).ring_s == 3.0


def test_phones_that_stop_because_another_was_answered_are_told_so() -> None:
    driver = centre()
    driver.dial()
    picks_up(driver, "lee")
    assert {(each.channel, each.cause) for each in driver.given(cmd.Hangup)} == {
        (own_leg(next(iter(driver.exchange.calls.values())), number), Cause.ANSWERED_ELSEWHERE) for number in (1, 3)
    }


def test_two_who_answer_in_the_same_instant_do_not_both_have_the_caller() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    kim, lee = leg_of(driver, "kim"), leg_of(driver, "lee")
    driver.asterisk.pick_up(lee)
    driver.asterisk.pick_up(kim)
    driver.settle()
    assert driver.together(call) == {call.channel, lee}
    assert kim not in driver.asterisk.channels
    assert len(driver.given(cmd.Connect)) == 1
    assert (driver.agent("kim").state, driver.agent("kim").misses) == (AgentState.AVAILABLE, 0)
    driver.hang_up(call)
    assert results(driver, call) == {"lee": OfferResult.ANSWERED, "kim": OfferResult.ANSWERED_ELSEWHERE}


def test_an_answer_that_comes_when_the_bridge_is_being_made_is_not_bridged() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    kim, lee = leg_of(driver, "kim"), leg_of(driver, "lee")
    driver.handle(ev.LegAnswered(kim))
    driver.handle(ev.LegAnswered(lee))
    assert call.offer is not None
    assert call.offer.channel == kim
    assert len(driver.given(cmd.Connect)) == 1


def test_the_caller_hears_ringing_as_soon_as_one_phone_rings() -> None:
    bell = replace(ALL, name=BELL, sound=WaitingSound.RINGBACK)
    driver = centre(agent("kim", BELL), agent("lee", BELL), queue=bell)
    call = driver.dial("124")
    driver.asterisk.ring(leg_of(driver, "lee"))
    driver.settle()
    assert [each.channel for each in driver.given(cmd.Ring)] == [call.channel]
    driver.asterisk.ring(leg_of(driver, "kim"))
    driver.asterisk.ring(leg_of(driver, "lee"))
    driver.settle()
    assert len(driver.given(cmd.Ring)) == 1
    assert states(driver) == {"kim": AgentState.RINGING, "lee": AgentState.RINGING}
    driver.hang_up(call)
    assert [leg.rang_at for leg in driver.cdr(call).legs] == [driver.now, driver.now]


@pytest.mark.parametrize(
    ("cause", "result"),
    [
        (Cause.CALL_REJECTED, OfferResult.REJECTED),
        (Cause.USER_BUSY, OfferResult.BUSY),
        (Cause.SUBSCRIBER_ABSENT, OfferResult.UNREACHABLE),
    ],
)
@pytest.mark.parametrize("name", ["kim", "lee", "park"])
def test_one_who_does_not_take_the_call_leaves_the_others_ringing(name: str, cause: Cause, result: OfferResult) -> None:
    driver = centre()
    call = driver.dial()
    driver.advance(1.0)
    driver.asterisk.ring(leg_of(driver, name))
    driver.settle()
    ends(driver, name, cause)
    assert state(call) is CallState.OFFERED
    assert driver.agent(name).state is AgentState.RESTING
    others = sorted({"kim", "lee", "park"} - {name})
    picks_up(driver, others[1])
    driver.hang_up(call)
    assert results(driver, call) == {
        name: result,
        others[0]: OfferResult.ANSWERED_ELSEWHERE,
        others[1]: OfferResult.ANSWERED,
    }


def test_when_the_last_phone_has_declined_the_caller_waits_again() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    ends(driver, "kim", Cause.CALL_REJECTED)
    ends(driver, "lee", Cause.CALL_REJECTED)
    assert state(call) is CallState.QUEUED
    assert driver.exchange.floor.acd.waiting(DESK) == 1


def test_who_all_let_it_ring_have_all_missed_it_and_are_rung_again_after_their_rest() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    driver.advance(20.0)
    assert state(call) is CallState.QUEUED
    assert set(states(driver).values()) == {AgentState.RESTING}
    assert [driver.agent(name).misses for name in ("kim", "lee")] == [1, 1]
    driver.advance(driver.rules.limits.rest_after_no_answer_s)
    assert sorted(driver.called()[2:]) == ["kim", "lee"]
    driver.hang_up(call)
    assert [leg.result for leg in driver.cdr(call).legs] == [OfferResult.NO_ANSWER] * 2 + [OfferResult.CALLER_GONE] * 2


def test_who_was_beaten_is_neither_blamed_nor_put_elsewhere_in_any_order() -> None:
    driver = centre(KIM, LEE)
    first = driver.dial()
    picks_up(driver, "kim")
    driver.hang_up(first)
    driver.advance(60.0)
    kim, lee = driver.agent("kim"), driver.agent("lee")
    before = (lee.idle_since, lee.offered_at, lee.misses, lee.calls)
    assert lee.offered_at is None, "he was rung once, and it does not count"
    driver.dial()
    picks_up(driver, "kim")
    assert (lee.idle_since, lee.offered_at, lee.misses, lee.calls) == before
    assert kim.offered_at == driver.now


def test_the_order_after_a_restart_is_that_without_the_phone_that_was_not_answered_first() -> None:
    driver = centre(KIM, LEE)
    first = driver.dial()
    picks_up(driver, "kim")
    driver.hang_up(first)
    driver.advance(60.0)
    cdrs = list(driver.cdrs)
    driver.restart()
    driver.exchange.restore_standing(cdrs, (), (), driver.now)
    assert driver.agent("kim").offered_at is not None
    assert driver.agent("lee").offered_at is None


def test_a_counselor_who_becomes_free_while_phones_ring_is_rung_too() -> None:
    driver = centre(KIM, LEE, PARK)
    talking = driver.dial()
    picks_up(driver, "park")
    call = driver.dial()
    assert driver.called()[3:] == ["kim", "lee"]
    driver.advance(5.0)
    driver.hang_up(talking)
    driver.advance(10.0)  # of wrap-up
    assert driver.called()[5:] == ["park"]
    picks_up(driver, "park")
    assert driver.together(call) == {call.channel, leg_of(driver, "park")}


def test_every_phone_rings_for_its_whole_time_but_nobody_joins_once_the_first_has_rung_out() -> None:
    driver = centre(KIM, LEE, PARK)
    talking = driver.dial()
    picks_up(driver, "park")
    call = driver.dial()
    driver.advance(5.0)
    driver.hang_up(talking)
    driver.advance(10.0)  # of wrap-up: park is rung from the 15th second on
    driver.advance(5.0)
    assert states(driver) == {"kim": AgentState.RESTING, "lee": AgentState.RESTING, "park": AgentState.RESERVED}
    driver.advance(14.0)
    assert (call.state, len(driver.called())) == (CallState.OFFERED, 6), "kim and lee are back, and not rung"
    driver.advance(1.0)
    assert sorted(driver.called()[6:]) == ["kim", "lee"], "park's time is over, and all who are free are rung anew"
    driver.hang_up(call)
    assert {(leg.agent, leg.result) for leg in driver.cdr(call).legs[:3]} == {
        (name, OfferResult.NO_ANSWER) for name in ("kim", "lee", "park")
    }


def test_a_phone_that_joined_goes_on_ringing_for_its_time_when_the_first_declines() -> None:
    driver = centre(KIM, LEE)
    talking = driver.dial()
    picks_up(driver, "lee")
    call = driver.dial()
    driver.advance(5.0)
    driver.hang_up(talking)
    driver.advance(10.0)
    ends(driver, "kim", Cause.CALL_REJECTED)
    driver.advance(19.0)
    assert (call.state, driver.agent("lee").state) == (CallState.OFFERED, AgentState.RESERVED)
    driver.advance(1.0)
    assert driver.agent("lee").state is AgentState.RESTING


def test_nobody_waits_for_a_phone_that_would_be_a_second_one_for_another() -> None:
    driver = centre(KIM, LEE, PARK)
    talking = driver.dial()
    picks_up(driver, "kim")
    first, second = driver.dial(), driver.dial()
    assert (first.state, second.state) == (CallState.OFFERED, CallState.QUEUED)
    driver.hang_up(talking)
    driver.advance(10.0)
    assert second.state is CallState.OFFERED
    assert second.offer is not None
    assert second.offer.agent == "kim"
    assert not second.others


def test_when_one_answers_the_phones_that_fall_free_ring_for_who_came_next() -> None:
    driver = centre(KIM, LEE, PARK)
    first, second = driver.dial(), driver.dial()
    picks_up(driver, "lee")
    assert first.state is CallState.CONNECTED
    assert second.state is CallState.OFFERED
    assert {driver.agent("kim").leg, driver.agent("park").leg} == {own_leg(second, 1), own_leg(second, 2)}


def test_what_is_left_over_rings_for_the_first_in_line() -> None:
    driver = centre(KIM, LEE, PARK)
    driver.lose_site()
    driver.asterisk.connected = True
    first, second = (driver.arrive() for _ in range(2))
    driver.settle()
    driver.sync()
    calls = driver.exchange.calls
    assert {offer.agent for offer in calls[first].others.values()} == {"park"}
    offers = [calls[call].offer for call in (first, second)]
    assert [offer.agent for offer in offers if offer is not None] == ["kim", "lee"]


def test_a_queue_may_ring_at_a_few_phones_at_once_alone() -> None:
    driver = centre(KIM, LEE, PARK, queue=replace(ALL, ring_at_most=2))
    call = driver.dial()
    assert driver.called() == ["kim", "lee"]
    ends(driver, "kim", Cause.CALL_REJECTED)
    assert driver.called() == ["kim", "lee", "park"]
    picks_up(driver, "park")
    assert state(call) is CallState.CONNECTED
    driver = centre(KIM, LEE, queue=replace(ALL, ring_at_most=1))
    driver.dial()
    assert driver.called() == ["kim"]


def test_only_so_many_phones_behind_a_trunk_ring_as_it_has_channels_and_each_comes_back() -> None:
    far = [replace(one, trunk=CITY) for one in (KIM, LEE, PARK)]
    driver = centre(*far, trunk_channels=2)
    call = driver.dial()
    assert driver.called() == ["kim", "lee"]
    assert driver.exchange.floor.trunks.seizures == 2
    picks_up(driver, "lee")
    assert driver.exchange.floor.trunks.seizures == 1
    driver.hang_up(call)
    assert driver.exchange.floor.trunks.seizures == 0


def test_a_caller_who_leaves_stops_all_phones_and_blames_nobody() -> None:
    driver = centre()
    call = driver.dial()
    driver.advance(5.0)
    driver.hang_up(call)
    assert not driver.asterisk.channels
    assert set(states(driver).values()) == {AgentState.AVAILABLE}
    assert set(results(driver, call).values()) == {OfferResult.CALLER_GONE}
    cdr = driver.cdr(call)
    assert (cdr.outcome, cdr.ring_s, cdr.wait_s) == (Outcome.ABANDONED, 5.0, 0.0)


def test_a_caller_who_leaves_was_rung_for_since_the_first_phone_that_rings_then_was_called() -> None:
    driver = centre(KIM, LEE, PARK)
    talking = driver.dial()
    picks_up(driver, "park")
    call = driver.dial()
    driver.advance(5.0)
    driver.hang_up(talking)
    driver.advance(10.0)  # of wrap-up: park's phone is called too
    ends(driver, "kim", Cause.CALL_REJECTED)
    driver.advance(2.0)
    driver.hang_up(call)
    assert (driver.cdr(call).ring_s, driver.cdr(call).wait_s) == (17.0, 0.0)


def test_only_who_meets_the_demand_is_rung() -> None:
    driver = centre(KIM, LEE, agent("choi", NIGHT))
    driver.dial()
    assert driver.called() == ["kim", "lee"]


@pytest.mark.parametrize("name", ["kim", "lee"])
def test_a_phone_of_which_nobody_knows_whether_it_rings_is_dropped_alone(name: str) -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    leg = leg_of(driver, name)
    driver.tell(ev.LegUncertain(leg))
    assert state(call) is CallState.OFFERED
    assert not call.others
    assert leg not in driver.asterisk.channels
    driver.tell(ev.LegAnswered(leg))
    assert state(call) is CallState.OFFERED, "it answers late, and is none of ours any more"
    picks_up(driver, "lee" if name == "kim" else "kim")
    assert state(call) is CallState.CONNECTED


def test_the_last_phone_of_which_nobody_knows_lets_the_caller_wait_again() -> None:
    driver = centre(KIM)
    call = driver.dial()
    driver.tell(ev.LegUncertain(leg_of(driver, "kim")))
    assert state(call) is CallState.QUEUED


@pytest.mark.parametrize("name", ["kim", "lee"])
def test_a_phone_that_asterisk_does_not_know_leaves_the_others_ringing(name: str) -> None:
    driver = centre(KIM, LEE)
    driver.asterisk.phones[f"PJSIP/{name}"] = "unknown"
    call = driver.dial()
    assert state(call) is CallState.OFFERED
    assert not call.others
    assert driver.agent(name).leg is None


def test_keys_and_holds_of_a_phone_that_only_rings_mean_nothing() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    driver.tell(ev.LegDigit(leg_of(driver, "lee"), "1"))
    driver.tell(ev.LegHeld(leg_of(driver, "lee"), held=True))
    assert state(call) is CallState.OFFERED
    assert not driver.notices


def test_when_the_answered_leg_is_lost_before_the_two_can_speak_the_caller_is_rung_for_anew() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    kim = leg_of(driver, "kim")
    driver.handle(ev.LegAnswered(kim))
    driver.inbox.clear()
    for channel in (kim, own_leg(call, 2)):
        driver.asterisk.channels.pop(channel, None)
        driver.tell(ev.LegEnded(channel, Cause.NORMAL_CLEARING))
    assert state(call) is CallState.OFFERED
    assert driver.called()[2:] == ["lee"]
    assert driver.agent("kim").state is AgentState.RESTING


def test_when_the_bridge_cannot_be_made_the_caller_is_rung_for_anew() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    driver.handle(ev.LegAnswered(leg_of(driver, "lee")))
    driver.inbox.clear()
    assert call.offer is not None
    assert call.offer.bridge is not None
    driver.handle(ev.BridgeFailed(call.id, call.offer.bridge))
    driver.asterisk.channels.clear()
    driver.advance(60.0)
    assert not [leg for leg in driver.exchange.floor.legs.values() if leg.result is not None]


def test_who_answers_first_is_briefed_while_the_others_stop_already() -> None:
    driver = centre(queue=replace(ALL, agent_prompt=WELCOME))
    call = driver.dial()
    picks_up(driver, "lee")
    assert state(call) is CallState.BRIEFING
    assert [driver.agent(name).state for name in ("kim", "park")] == [AgentState.AVAILABLE] * 2
    driver.announcement_ends(call)
    assert driver.together(call) == {call.channel, leg_of(driver, "lee")}


def test_a_phone_that_refuses_without_ringing_is_left_alone_while_the_others_ring() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    ends(driver, "lee", Cause.CALL_REJECTED)
    assert (driver.agent("lee").state, driver.agent("lee").misses) == (AgentState.UNREACHABLE, 0)
    assert (call.state, len(call.others)) == (CallState.OFFERED, 0)


# --- the caller is to go on elsewhere


def test_the_limit_of_the_wait_lets_those_ring_out_that_ring_and_no_more_join() -> None:
    driver = centre(KIM, LEE)
    talking = driver.dial()
    picks_up(driver, "lee")
    call = driver.dial("121")
    driver.announcement_ends(call)
    driver.fire(TimerKind.WAIT, call.id)
    driver.hang_up(talking)
    driver.advance(10.0)
    assert driver.agent("lee").state is AgentState.AVAILABLE
    driver.advance(10.0)
    assert state(call) is CallState.ANNOUNCING, "the plan goes on"


def test_a_key_that_leads_elsewhere_lets_those_ring_out_that_ring_and_no_more_join() -> None:
    care = QueueCare(keys=(KeyWay("1", Plan("rather-not", (Announce(SORRY), HangUp()))),))
    driver = centre(KIM, LEE, queue=replace(ALL, care=care))
    talking = driver.dial()
    picks_up(driver, "lee")
    call = driver.dial()
    driver.press(call, "1")
    driver.hang_up(talking)
    driver.advance(10.0)
    assert driver.agent("lee").state is AgentState.AVAILABLE
    driver.advance(10.0)
    assert state(call) is CallState.ANNOUNCING


# --- what was said of counselors, and new rules


@pytest.mark.parametrize("duty", [Duty.PAUSED, Duty.OFF])
def test_who_is_paused_while_his_phone_rings_may_still_answer_and_misses_nothing_if_not(duty: Duty) -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    driver.exchange.floor.staff.set_duty(driver.agent("lee"), duty, "", driver.now, Output())
    driver.advance(20.0)
    assert driver.agent("lee").misses == 0
    driver.advance(driver.rules.limits.rest_after_no_answer_s)
    assert driver.agent("lee").state is (AgentState.PAUSED if duty is Duty.PAUSED else AgentState.LOGGED_OUT)
    assert (driver.called()[2:], len(call.others)) == (["kim"], 0)


def test_who_is_no_more_in_the_rules_may_still_answer() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    driver.tell(ev.RulebookReplaced(rules(KIM)))
    picks_up(driver, "lee")
    assert state(call) is CallState.CONNECTED
    driver.hang_up(call)
    assert set(driver.exchange.floor.staff.agents) == {"kim"}


def test_new_rules_by_which_the_queue_does_not_ring_all_let_nobody_join() -> None:
    driver = centre(KIM, LEE)
    talking = driver.dial()
    picks_up(driver, "lee")
    call = driver.dial()
    driver.tell(ev.RulebookReplaced(rules(KIM, LEE, queue=QueueSpec(DESK, "창원시"))))
    driver.hang_up(talking)
    driver.advance(10.0)
    assert driver.agent("lee").state is AgentState.AVAILABLE
    picks_up(driver, "kim")
    assert state(call) is CallState.CONNECTED


def test_new_rules_let_more_phones_ring_or_fewer_and_go_on_ringing_those_that_do() -> None:
    driver = centre(KIM, LEE, PARK, queue=replace(ALL, ring_at_most=1))
    call = driver.dial()
    driver.tell(ev.RulebookReplaced(rules(queue=replace(ALL, ring_at_most=2))))
    assert driver.called() == ["kim", "lee"]
    driver.tell(ev.RulebookReplaced(rules(queue=replace(ALL, ring_at_most=1))))
    assert len(call.others) == 1
    ends(driver, "lee", Cause.CALL_REJECTED)
    assert driver.called() == ["kim", "lee"]


def test_new_rules_with_a_longer_ring_let_the_phones_ring_so_long() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    driver.tell(ev.RulebookReplaced(rules(KIM, LEE, queue=replace(ALL, ring_timeout_s=30.0))))
    driver.advance(29.0)
    assert (call.state, len(call.others)) == (CallState.OFFERED, 1)
    driver.advance(1.0)
    assert state(call) is CallState.QUEUED


# --- the network, and restarts


@pytest.mark.parametrize("gone", [{"kim"}, {"lee"}, {"kim", "park"}, {"lee", "park"}])
def test_phones_that_stopped_while_the_site_was_lost_are_closed_and_the_others_ring_on(gone: set[str]) -> None:
    driver = centre()
    call = driver.dial()
    legs = {name: leg_of(driver, name) for name in ("kim", "lee", "park")}
    driver.advance(10.0)
    driver.lose_site()
    for name in gone:
        driver.asterisk.hang_up(legs[name])
    driver.sync()
    assert state(call) is CallState.OFFERED
    left = sorted({"kim", "lee", "park"} - gone)
    picks_up(driver, left[0])
    assert driver.together(call) == {call.channel, legs[left[0]]}


def test_of_two_answers_that_were_missed_while_the_site_was_lost_one_has_the_caller() -> None:
    driver = centre()
    call = driver.dial()
    driver.lose_site()
    for name in ("lee", "park"):
        driver.asterisk.pick_up(leg_of(driver, name))
    driver.sync()
    assert state(call) is CallState.CONNECTED
    assert len(driver.together(call)) == 2
    driver.hang_up(call)
    assert sorted(results(driver, call).values()) == sorted(
        [OfferResult.ANSWERED, OfferResult.ANSWERED_ELSEWHERE, OfferResult.ANSWERED_ELSEWHERE]
    )


@pytest.mark.parametrize("answers", ["kim", "lee", "park"])
def test_after_a_restart_all_phones_ring_on_and_one_has_the_caller(answers: str) -> None:
    far = [replace(one, trunk=CITY) for one in (KIM, LEE, PARK)]
    driver = centre(*far, trunk_channels=3)
    driver.dial()
    driver.advance(5.0)
    driver.restart()
    assert not driver.exchange.floor.legs
    driver.sync()
    (call,) = driver.exchange.calls.values()
    assert (call.state, len(call.others), driver.exchange.floor.trunks.seizures) == (CallState.OFFERED, 2, 3)
    picks_up(driver, answers)
    assert driver.together(call) == {call.channel, leg_of(driver, answers)}
    assert driver.exchange.floor.trunks.seizures == 1
    driver.hang_up(call)
    assert driver.exchange.floor.trunks.seizures == 0
    assert not driver.asterisk.channels


def test_after_a_restart_the_phones_ring_for_what_is_left_of_their_time_and_others_join() -> None:
    driver = centre(KIM, LEE, PARK)
    talking = driver.dial()
    picks_up(driver, "park")
    driver.dial()
    driver.advance(15.0)
    driver.restart()
    driver.sync()
    (call,) = [each for each in driver.exchange.calls.values() if each.id != talking.id]
    driver.hang_up(talking)
    driver.advance(4.0)
    assert state(call) is CallState.OFFERED
    driver.advance(1.0)
    assert state(call) is CallState.QUEUED
    driver.advance(5.0)
    assert driver.agent("park").leg is not None
    driver.advance(10.0)
    assert {offer.agent for offer in call.others.values()} == {"kim", "lee"}, "they rested, and join"


@pytest.mark.parametrize("gone", [{"kim"}, {"lee"}, {"kim", "lee"}, {"lee", "park"}])
def test_phones_that_stopped_while_there_was_no_daemon_are_closed_and_the_others_ring_on(gone: set[str]) -> None:
    driver = centre()
    driver.dial()
    legs = {name: leg_of(driver, name) for name in ("kim", "lee", "park")}
    driver.asterisk.connected = False
    for name in gone:
        driver.asterisk.hang_up(legs[name])
    driver.restart()
    driver.sync()
    (call,) = driver.exchange.calls.values()
    assert state(call) is CallState.OFFERED
    left = sorted({"kim", "lee", "park"} - gone)
    picks_up(driver, left[-1])
    assert driver.together(call) == {call.channel, legs[left[-1]]}


def test_when_all_phones_stopped_while_there_was_no_daemon_the_caller_waits_again() -> None:
    driver = centre(KIM, LEE)
    driver.dial()
    driver.asterisk.connected = False
    for name in ("kim", "lee"):
        driver.asterisk.hang_up(leg_of(driver, name))
    driver.restart()
    driver.sync()
    (call,) = driver.exchange.calls.values()
    assert driver.called() == ["kim", "lee", "kim", "lee"]
    driver.hang_up(call)
    assert [leg.result for leg in driver.cdr(call).legs] == [OfferResult.FAILED] * 2 + [OfferResult.CALLER_GONE] * 2


def test_a_caller_who_hung_up_while_there_was_no_daemon_leaves_no_phone_ringing() -> None:
    driver = centre()
    call = driver.dial()
    driver.asterisk.connected = False
    driver.asterisk.hang_up(call.channel)
    driver.restart()
    driver.sync()
    assert not driver.asterisk.channels
    assert set(states(driver).values()) == {AgentState.AVAILABLE}
    assert set(results(driver, call).values()) == {OfferResult.CALLER_GONE}


@pytest.mark.parametrize("lost", range(7))
def test_a_daemon_that_dies_in_the_middle_of_an_answer_leaves_one_who_has_the_caller(lost: int) -> None:
    driver = centre()
    driver.dial()
    picks_up(driver, "lee")
    driver.restart(lost=lost)
    driver.sync()
    driver.advance(30.0)
    (call,) = driver.exchange.calls.values()
    assert state(call) is CallState.CONNECTED
    assert len(driver.together(call)) == 2
    driver.hang_up(call)
    driver.advance(60.0)
    assert not driver.asterisk.channels
    assert not driver.asterisk.bridges
    assert not driver.exchange.floor.legs


def test_phones_ring_on_after_a_restart_with_rules_that_lost_the_queue() -> None:
    driver = centre(KIM, LEE)
    driver.dial()
    driver.restart(rules=without_queue(driver.rules, DESK))
    driver.sync()
    driver.advance(15.0)
    (call,) = driver.exchange.calls.values()
    assert (call.state, len(call.others)) == (CallState.OFFERED, 1)
    picks_up(driver, "lee")
    assert state(call) is CallState.CONNECTED


def test_after_a_restart_nobody_joins_a_phone_to_which_a_conversation_was_passed_on() -> None:
    driver = centre(KIM, LEE, PARK)
    talking = driver.dial()
    picks_up(driver, "kim")
    driver.tell(ev.TransferAsked(leg_of(driver, "kim"), "lee"))
    ends(driver, "kim", Cause.NORMAL_CLEARING)
    assert talking.state is CallState.OFFERED
    driver.restart()
    driver.sync()
    (call,) = driver.exchange.calls.values()
    assert state(call) is CallState.OFFERED
    assert not call.others
    assert driver.agent("park").state is AgentState.AVAILABLE


# --- histories, and looking


def test_facts_of_phones_that_do_not_ring_contradict_the_call() -> None:
    driver = centre(KIM, LEE)
    call = driver.dial()
    nobody = naming.leg_channel(call.id, 9)
    with pytest.raises(ValueError, match="does not ring at that phone"):
        call.apply(facts.AlsoRang(driver.now, nobody))
    with pytest.raises(ValueError, match="rings at 1 more phones"):
        call.apply(facts.OfferClosed(driver.now, OfferResult.NO_ANSWER, 19))


def test_one_more_phone_can_ring_only_for_who_waits_in_a_queue() -> None:
    driver = centre()
    call = driver.dial("129")
    also = facts.AlsoOffered(driver.now, 2, KIM.id, None, own_leg(call, 2))
    with pytest.raises(ValueError, match="waits in no queue"):
        call.apply(also)


def test_it_can_be_seen_at_whose_phones_a_call_rings() -> None:
    driver = centre()
    driver.dial()
    (seen,) = picture(driver.exchange, driver.now).calls
    assert (seen.agent, seen.also_rings) == ("kim", ("lee", "park"))
