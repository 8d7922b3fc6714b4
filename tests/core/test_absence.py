"""A site that is away: what its calls hold, what is known of them elsewhere, and what it says when it is back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callrouter.core import adopting
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.call_orders import CallVerb
from callrouter.core.cdr import Outcome, ReleasedBy
from callrouter.core.events import TimerKind
from callrouter.core.ids import AgentId
from callrouter.core.output import NoticeKind
from callrouter.core.picture import picture
from callrouter.core.rulebook import Limits
from callrouter.core.states import CallState
from tests.core.driver import CALLS_BACK, CITY, HALL, Driver, agent, rulebook
from tests.core.two_sites import LINE, TwoSites, at_annex, two_site_rules

AWAY_S = 120.0


@pytest.fixture
def centre() -> TwoSites:
    """One counselor, at the annex, who is free as soon as a call is over."""
    return TwoSites(two_site_rules(replace(at_annex("kim"), wrap_up_s=0.0)))


@pytest.fixture
def hall() -> Driver:
    """One counselor, who is reached over a trunk group."""
    return Driver(rulebook(agent("kim", trunk=CITY, wrap_up_s=0.0)))


def talk_there(centre: TwoSites) -> Call:
    """A caller at the hall talks to the counselor at the annex."""
    call = centre.dial()
    centre.annex.pick_up(centre.far(call))
    centre.settle()
    assert call.state is CallState.CONNECTED
    return call


def talk(hall: Driver) -> Call:
    call = hall.dial()
    hall.pick_up(call)
    assert call.state is CallState.CONNECTED
    return call


def now(hall: Driver, call: Call) -> Call:
    """The call as it is known now."""
    return hall.exchange.calls[call.id]


def the_hall_dies(centre: TwoSites) -> None:
    """Nobody says so to the annex, which finds out by the silence on the line."""
    centre.lose_site()
    legs = list(centre.hall.channels)
    centre.hall.channels.clear()
    centre.hall.bridges.clear()
    for leg in legs:
        centre.annex.line_drops(leg)
    centre.settle()


# --- what is seen of a call at another site


def test_a_counselor_elsewhere_who_hangs_up_is_free_though_the_callers_site_is_away(centre: TwoSites) -> None:
    call = talk_there(centre)
    centre.lose_site()
    centre.annex.hang_up(centre.far(call))
    centre.settle()
    assert centre.agent("kim").state is AgentState.AVAILABLE
    assert centre.exchange.floor.trunks.in_use(LINE) == 0
    centre.advance(30.0)
    assert (centre.cdr(call).outcome, centre.cdr(call).released_by) == (Outcome.HANDLED, ReleasedBy.AGENT)
    assert call.channel in centre.hall.channels
    centre.sync()
    assert not centre.hall.channels
    assert not centre.exchange.calls


def test_who_was_hung_up_unheard_and_is_gone_when_the_site_is_back_is_forgotten(centre: TwoSites) -> None:
    call = talk_there(centre)
    centre.lose_site()
    centre.annex.hang_up(centre.far(call))
    centre.settle()
    centre.advance(30.0)
    centre.sync_annex()
    assert call.channel in centre.exchange.conduct.unheard, "what another site says is not about him"
    centre.asterisk.hang_up(call.channel)
    centre.sync()
    assert not centre.exchange.conduct.unheard


def test_who_was_to_be_sent_on_unheard_is_served_when_the_site_is_back(hall: Driver) -> None:
    call = hall.dial("121")
    assert call.playback is not None
    hall.lose_site()
    hall.carry_out(hall.exchange.give_up(call.id, hall.now, "a defect"))
    hall.advance(30.0)
    assert not hall.exchange.calls
    hall.sync()
    (again,) = hall.exchange.calls.values()
    assert (again.channel, again.id == call.id) == (call.channel, False)


def test_a_caller_whose_site_died_is_gone_as_soon_as_the_other_end_is_silent(centre: TwoSites) -> None:
    call = talk_there(centre)
    the_hall_dies(centre)
    assert centre.agent("kim").state is AgentState.AVAILABLE
    cdr = centre.cdr(call)
    assert (cdr.outcome, cdr.released_by, "ended_at is an estimate" in cdr.explanation) == (
        Outcome.HANDLED,
        ReleasedBy.SYSTEM,
        True,
    )
    centre.sync()
    assert not centre.exchange.floor.legs
    assert not centre.annex.channels


def test_a_caller_whom_only_the_line_lost_is_served_anew_when_his_site_is_back(centre: TwoSites) -> None:
    call = talk_there(centre)
    centre.lose_site()
    centre.hall.hang_up(centre.leg(call))
    centre.settle()
    assert centre.cdr(call).outcome is Outcome.HANDLED
    centre.sync()
    (again,) = centre.exchange.calls.values()
    assert (again.channel, again.state) == (call.channel, CallState.OFFERED)


def test_a_leg_that_was_gone_at_its_far_end_when_the_site_was_lost_ends_the_call(centre: TwoSites) -> None:
    call = talk_there(centre)
    centre.annex.line_drops(centre.leg(call))
    centre.settle()
    assert call.state is CallState.CONNECTED
    centre.lose_site()
    assert centre.cdr(call).outcome is Outcome.HANDLED


def test_a_leg_that_the_other_site_lost_while_both_were_away_ends_the_call(centre: TwoSites) -> None:
    call = talk_there(centre)
    centre.lose_annex()
    centre.lose_site()
    centre.advance(10.0)
    centre.annex.connected = False
    centre.annex.line_drops(centre.leg(call))
    centre.sync_annex()
    assert centre.cdr(call).outcome is Outcome.HANDLED
    assert centre.agent("kim").state is AgentState.AVAILABLE


def test_a_phone_elsewhere_that_rings_in_vain_leaves_the_caller_in_line(centre: TwoSites) -> None:
    call = centre.dial()
    centre.annex.ring(centre.far(call))
    centre.settle()
    centre.lose_site()
    centre.hall.hang_up(centre.leg(call))
    centre.settle()
    assert (call.state, centre.exchange.floor.trunks.in_use(LINE)) == (CallState.QUEUED, 0)
    centre.advance(30.0)
    centre.sync()
    assert call.state is CallState.OFFERED


def test_a_leg_whose_far_end_goes_while_its_call_is_being_let_go_is_over(centre: TwoSites) -> None:
    call = talk_there(centre)
    leg = centre.leg(call)
    centre.lose_site()
    centre.tell(ev.CallerLeft(call.channel))
    centre.hall.hang_up(leg)
    centre.settle()
    assert centre.agent("kim").state is AgentState.AVAILABLE


def test_a_colleague_elsewhere_who_was_called_in_leaves_the_others_talking() -> None:
    centre = TwoSites(two_site_rules(agent("here"), at_annex("kim")))
    call = centre.dial()
    centre.pick_up(call)
    assert centre.order_call("here", CallVerb.CONFERENCE, "kim").ok
    centre.annex.pick_up(centre.far(call))
    centre.settle()
    centre.lose_site()
    centre.annex.hang_up(centre.far(call))
    centre.settle()
    assert (call.state, call.invited) == (CallState.CONNECTED, None)


# --- what is given back


def test_what_a_call_holds_is_given_back_when_its_site_is_away_for_long_and_held_again_when_it_is_back(
    hall: Driver,
) -> None:
    call = talk(hall)
    hall.lose_site()
    hall.advance(AWAY_S - 1)
    assert hall.exchange.floor.trunks.in_use(CITY) == 1
    hall.advance(1)
    assert (hall.exchange.floor.trunks.seizures, hall.exchange.floor.legs) == (0, {})
    assert hall.agent("kim").state is AgentState.AVAILABLE
    assert now(hall, call).state is CallState.CONNECTED
    assert [one.call for one in hall.notices if one.kind is NoticeKind.PUT_ASIDE] == [call.id]
    (shown,) = picture(hall.exchange, hall.now).calls
    assert shown.away_since == hall.now - timedelta(seconds=AWAY_S)
    hall.advance(AWAY_S)
    assert len([one for one in hall.notices if one.kind is NoticeKind.PUT_ASIDE]) == 1
    hall.sync()
    assert (hall.exchange.floor.trunks.in_use(CITY), hall.agent("kim").state) == (1, AgentState.ON_CALL)
    assert len(hall.asterisk.bridges) == 1, "they talk on"
    hall.advance(60.0)
    hall.hang_up(now(hall, call))
    assert hall.cdr(call).talk_s == 60.0 + 2 * AWAY_S
    assert hall.agent("kim").calls == 1
    assert hall.exchange.counters.taken_up == 0


def test_a_call_that_is_gone_when_its_site_is_back_ended_when_we_lost_it(hall: Driver) -> None:
    call = talk(hall)
    hall.advance(30.0)
    hall.lose_site()
    lost_at = hall.now
    hall.advance(2 * AWAY_S)
    hall.asterisk.channels.clear()
    hall.asterisk.bridges.clear()
    hall.sync()
    cdr = hall.cdr(call)
    assert (cdr.ended_at, cdr.talk_s, cdr.outcome) == (lost_at, 30.0, Outcome.HANDLED)
    assert "ended_at is an estimate" in cdr.explanation
    assert hall.exchange.floor.trunks.seizures == 0
    call = talk(hall)
    hall.hang_up(call)
    assert hall.cdr(call).ended_at == hall.now


def test_a_caller_who_came_in_by_a_trunk_group_takes_no_room_of_it_meanwhile(hall: Driver) -> None:
    came = hall.arrive("120", trunk="city")
    hall.settle()
    held = hall.exchange.floor.trunks.seizures
    hall.lose_site()
    hall.advance(AWAY_S)
    assert hall.exchange.floor.trunks.seizures == 0
    hall.sync()
    assert hall.exchange.calls[came].to_be_adopted is False
    assert hall.exchange.floor.trunks.seizures >= held - 1
    assert not any(hall.exchange.counters.trunk_drifts.values())


def test_a_call_that_is_seen_elsewhere_keeps_what_it_has_until_that_site_is_lost_too(centre: TwoSites) -> None:
    call = talk_there(centre)
    centre.lose_site()
    centre.advance(3 * AWAY_S)
    assert (centre.exchange.floor.trunks.in_use(LINE), centre.agent("kim").state) == (1, AgentState.ON_CALL)
    centre.lose_annex()
    centre.advance(AWAY_S)
    assert (centre.exchange.floor.trunks.in_use(LINE), centre.agent("kim").state) == (0, AgentState.AVAILABLE)
    centre.sync()
    centre.sync_annex()
    assert (centre.exchange.floor.trunks.in_use(LINE), centre.agent("kim").state) == (1, AgentState.ON_CALL)
    centre.hang_up(now(centre, call))
    assert not centre.annex.channels
    assert centre.cdr(call).outcome is Outcome.HANDLED


def test_a_counselor_who_is_reached_without_a_trunk_is_let_go_of_too() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = talk(hall)
    hall.lose_site()
    hall.advance(AWAY_S)
    assert hall.agent("kim").state is AgentState.AVAILABLE
    hall.sync()
    assert (hall.agent("kim").state, now(hall, call).state) == (AgentState.ON_CALL, CallState.CONNECTED)


def test_nothing_is_given_back_before_the_site_is_back_where_the_rules_say_so() -> None:
    hall = Driver(replace(rulebook(agent("kim", trunk=CITY)), limits=Limits(site_away_s=0.0)))
    talk(hall)
    hall.lose_site()
    hall.advance(100 * AWAY_S)
    assert hall.exchange.floor.trunks.in_use(CITY) == 1


def test_who_waits_at_a_site_that_is_away_stands_in_nobodys_way_and_has_the_place_again(hall: Driver) -> None:
    talk(hall)
    first, second = hall.dial(), hall.dial()
    hall.lose_site()
    hall.advance(AWAY_S)
    assert hall.exchange.floor.acd.on_the_line(hall.rules.agents[AgentId("kim")].queues[0]) == 0
    hall.sync()
    hall.hang_up(next(call for call in hall.exchange.calls.values() if call.state is CallState.CONNECTED))
    assert (now(hall, first).state, now(hall, second).state) == (CallState.OFFERED, CallState.QUEUED)


def test_a_counselor_who_left_the_rules_and_a_destination_are_let_go_of_too(hall: Driver) -> None:
    talk(hall)
    outside = hall.dial("131")
    hall.pick_up(outside)
    hall.tell(ev.RulebookReplaced(rulebook()))
    hall.lose_site()
    hall.advance(AWAY_S)
    assert (hall.exchange.floor.legs, dict(hall.exchange.floor.staff.agents)) == ({}, {})
    hall.sync()
    assert len(hall.exchange.floor.legs) == 2


def test_who_is_to_be_called_back_waits_on_whatever_becomes_of_the_site() -> None:
    hall = Driver(rulebook(queues=[CALLS_BACK]))
    request = hall.ask()
    hall.lose_site()
    hall.advance(AWAY_S)
    assert hall.exchange.calls[request.id] is request


def test_a_site_that_is_lost_twice_was_lost_the_first_time(hall: Driver) -> None:
    talk(hall)
    hall.lose_site()
    hall.advance(AWAY_S / 2)
    hall.lose_site()
    hall.advance(AWAY_S / 2)
    assert hall.exchange.floor.trunks.seizures == 0


def test_a_site_that_comes_back_just_as_its_time_is_over_keeps_what_it_has(hall: Driver) -> None:
    talk(hall)
    hall.lose_site()
    hall.sync()
    assert (TimerKind.SITE, HALL) not in hall.timers
    hall.tell(ev.TimerFired((TimerKind.SITE, HALL)))
    assert hall.exchange.floor.trunks.in_use(CITY) == 1


def test_calls_of_an_earlier_daemon_hold_nothing_at_a_site_that_does_not_come_up() -> None:
    hall = Driver(rulebook(agent("kim")))
    came = hall.arrive("120", trunk="city")
    hall.settle()
    hall.restart()
    assert hall.exchange.floor.trunks.seizures == 1
    hall.tell(ev.SiteDown(HALL))
    hall.advance(AWAY_S)
    assert hall.exchange.floor.trunks.seizures == 0
    hall.sync()
    assert hall.exchange.calls[came].state is CallState.OFFERED


def test_a_history_that_makes_no_sense_keeps_what_it_has(hall: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    talk(hall)
    hall.lose_site()
    monkeypatch.setattr(adopting, "remember", lambda history: None)
    hall.advance(AWAY_S)
    assert hall.exchange.floor.trunks.in_use(CITY) == 1


def test_the_estimate_is_never_before_what_is_known_of_the_call(hall: Driver) -> None:
    call = hall.dial()
    hall.lose_site()
    hall.advance(AWAY_S)  # the phone is given up meanwhile
    last = call.history[-1].at
    hall.asterisk.channels.clear()
    hall.sync()
    assert hall.cdr(call).ended_at >= last > hall.now - timedelta(seconds=AWAY_S)
