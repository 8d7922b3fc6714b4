"""Counselors' phones that come and go, and calls on them that did not come from here."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.attendance import LAMPS
from callrouter.core.causes import Cause
from callrouter.core.duty import DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId, ChannelId, SiteName
from callrouter.core.output import NoticeKind
from callrouter.core.phones import PhoneSeen, is_watched
from callrouter.core.picture import REFUSES, picture
from callrouter.core.states import CallState
from tests.core.driver import CITY, HALL, Driver, agent, rulebook

OFF, THERE = PhoneSeen(online=False), PhoneSeen(online=True)
TALKING = PhoneSeen(online=True, channels=(ChannelId("1795790489.0"),))


class Hall(Driver):
    def sees(self, phone: PhoneSeen, name: str = "kim") -> AgentState:
        """What becomes of a counselor when his phone is found so."""
        self.tell(ev.PhonesSeen(HALL, {f"PJSIP/{name}": phone}))
        return self.agent(name).state


@pytest.fixture
def hall() -> Hall:
    return Hall(rulebook(agent("kim")))


@pytest.mark.parametrize(
    ("phone", "state"), [(OFF, AgentState.UNREACHABLE), (TALKING, AgentState.OWN_CALL)], ids=["off", "talking"]
)
def test_who_cannot_be_rung_is_offered_nothing_until_he_can(hall: Hall, phone: PhoneSeen, state: AgentState) -> None:
    assert hall.sees(phone) is state
    call = hall.dial()
    assert (call.state, hall.called()) == (CallState.QUEUED, [])
    hall.sees(THERE)
    assert (call.state, hall.called()) == (CallState.OFFERED, ["kim"])


def test_our_own_leg_at_the_phone_is_no_call_of_his_own(hall: Hall) -> None:
    call = hall.dial()
    leg = hall.leg(call)
    assert hall.sees(PhoneSeen(True, (leg,))) is AgentState.RESERVED
    hall.hang_up(call)
    assert hall.sees(PhoneSeen(True, (leg,))) is AgentState.AVAILABLE, "it is just going"


def test_who_talks_by_himself_meanwhile_is_not_rung_after_his_wrap_up(hall: Hall) -> None:
    call = hall.reached(CallState.CONNECTED)
    assert hall.sees(PhoneSeen(True, (hall.leg(call), ChannelId("7.1")))) is AgentState.ON_CALL
    hall.hang_up(call)
    assert hall.sees(TALKING) is AgentState.WRAP_UP
    hall.advance(10.0)
    assert hall.agent("kim").state is AgentState.OWN_CALL


def test_a_phone_that_is_known_to_be_off_is_not_left_alone_for_a_while_but_until_it_is_back(hall: Hall) -> None:
    call = hall.dial()
    hall.sees(OFF)
    hall.leg_ends(call, Cause.SUBSCRIBER_ABSENT)
    assert hall.agent("kim").state is AgentState.UNREACHABLE
    hall.advance(3600.0)
    assert len(hall.called()) == 1
    hall.sees(THERE)
    assert len(hall.called()) == 2


def test_a_pause_stays_a_pause_whatever_the_phone_does(hall: Hall) -> None:
    hall.tell(ev.DutyOrdered(DutyOrder(AgentId("kim"), DutyVerb.PAUSE, "kim", DutyVia.API)))
    assert [hall.sees(phone) for phone in (OFF, TALKING, THERE)] == [AgentState.PAUSED] * 3
    hall.sees(OFF)
    hall.tell(ev.DutyOrdered(DutyOrder(AgentId("kim"), DutyVerb.READY, "kim", DutyVia.API)))
    assert hall.agent("kim").state is AgentState.UNREACHABLE


def test_a_phone_that_was_away_keeps_its_owners_place_and_who_talked_begins_to_be_idle() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee"), agent("park")))
    hall.advance(60.0)
    idle = [hall.agent(name).idle_since for name in ("kim", "lee")]
    hall.sees(OFF, "kim")
    hall.sees(TALKING, "lee")
    hall.advance(60.0)
    hall.sees(THERE, "kim")
    hall.sees(THERE, "lee")
    assert [hall.agent(name).idle_since for name in ("kim", "lee")] == [idle[0], hall.now]


def test_what_the_snapshot_says_counts_unless_something_newer_was_told(hall: Hall) -> None:
    hall.sees(THERE)
    seen = hall.snapshot(requested_at=hall.now - timedelta(seconds=1))
    hall.tell(ev.SiteUp(HALL, seen.requested_at, seen.channels, seen.bridges, phones={"PJSIP/kim": OFF}))
    assert hall.agent("kim").state is AgentState.AVAILABLE
    hall.tell(ev.SiteUp(HALL, hall.now, seen.channels, seen.bridges, phones={"PJSIP/kim": OFF}))
    assert hall.agent("kim").state is AgentState.UNREACHABLE


def test_new_rules_give_a_counselor_another_phone() -> None:
    rules = rulebook(agent("kim"))
    hall = Hall(rules)
    hall.sees(OFF)
    moved = replace(rules.agents[AgentId("kim")], endpoint="PJSIP/office")
    hall.tell(ev.RulebookReplaced(replace(rules, agents={moved.id: moved})))
    assert hall.agent("kim").state is AgentState.AVAILABLE
    assert hall.given(cmd.WatchPhones)[-1].phones == ("PJSIP/office",)


def test_new_rules_do_not_begin_a_state_anew(hall: Hall) -> None:
    since = hall.agent("kim").since
    hall.advance(60.0)
    hall.tell(ev.RulebookReplaced(hall.rules))
    assert (hall.agent("kim").state, hall.agent("kim").since) == (AgentState.AVAILABLE, since)


def test_a_phone_behind_a_trunk_or_of_another_site_is_nobodys_to_tell_of() -> None:
    kim = agent("kim")
    assert is_watched(kim)
    for spec in (agent("kim", trunk=CITY), replace(kim, endpoint="PJSIP/201@city"), replace(kim, endpoint="SIP/201")):
        assert not is_watched(spec)
        hall = Hall(rulebook(spec))
        hall.tell(ev.PhonesSeen(HALL, {spec.endpoint: OFF}))
        assert hall.agent("kim").state is AgentState.AVAILABLE
    hall = Hall(rulebook(kim))
    hall.tell(ev.PhonesSeen(SiteName("town"), {"PJSIP/kim": OFF}))
    assert hall.agent("kim").state is AgentState.AVAILABLE


def test_every_state_has_a_lamp_that_changes_once_with_it(hall: Hall) -> None:
    assert set(LAMPS) == set(AgentState)
    hall.commands.clear()
    call = hall.dial()
    hall.ring(call)
    hall.pick_up(call)
    hall.hang_up(call)
    hall.advance(10.0)
    shown = [one.shows for one in hall.given(cmd.SetLamp)]
    assert shown == [cmd.Lamp.RINGING, cmd.Lamp.IN_USE, cmd.Lamp.CLOSING, cmd.Lamp.FREE]


@pytest.mark.parametrize("cause", [Cause.USER_BUSY, Cause.NO_ANSWER, Cause.CALL_REJECTED])
def test_a_phone_that_refuses_without_ringing_is_unreachable_and_nobody_has_missed_a_call(
    hall: Hall, cause: Cause
) -> None:
    call = hall.dial()
    idle_since = hall.agent("kim").idle_since
    hall.leg_ends(call, cause, rung=False)
    kim = hall.agent("kim")
    assert (kim.state, kim.misses, kim.idle_since) == (AgentState.UNREACHABLE, 0, idle_since)
    assert call.state is CallState.QUEUED
    assert [agent.reason for agent in picture(hall.exchange, hall.now).agents] == [REFUSES]
    hall.advance(29.0)
    assert len(hall.called()) == 1
    hall.advance(1.0)
    assert (len(hall.called()), kim.refuses) == (2, False), "it is tried again"


def test_the_operator_is_told_that_a_phone_refuses(hall: Hall) -> None:
    call = hall.dial()
    hall.inbox.clear()
    out = hall.handle(ev.LegEnded(hall.leg(call), Cause.CALL_REJECTED))
    text = "kim: PJSIP/kim refuses calls without ringing; is do-not-disturb set there?"
    assert [(notice.kind, notice.text) for notice in out.notices] == [(NoticeKind.PHONE_REFUSES, text)]


def test_a_refusal_is_over_as_soon_as_the_phone_is_used_or_its_owner_says_that_he_is_ready(hall: Hall) -> None:
    call = hall.dial()
    hall.leg_ends(call, Cause.CALL_REJECTED, rung=False)
    assert hall.sees(THERE) is AgentState.UNREACHABLE, "that it is there, was known before"
    assert hall.sees(TALKING) is AgentState.OWN_CALL
    hall.sees(THERE)
    assert len(hall.called()) == 2
    hall.leg_ends(call, Cause.CALL_REJECTED, rung=False)
    hall.tell(ev.DutyOrdered(DutyOrder(AgentId("kim"), DutyVerb.PAUSE, "kim", DutyVia.API)))
    hall.tell(ev.DutyOrdered(DutyOrder(AgentId("kim"), DutyVerb.READY, "kim", DutyVia.API)))
    assert len(hall.called()) == 3


def test_who_pauses_while_his_phone_refuses_stays_paused(hall: Hall) -> None:
    call = hall.dial()
    hall.leg_ends(call, Cause.CALL_REJECTED, rung=False)
    hall.tell(ev.DutyOrdered(DutyOrder(AgentId("kim"), DutyVerb.PAUSE, "kim", DutyVia.API)))
    hall.advance(60.0)
    assert (hall.agent("kim").state, len(hall.called())) == (AgentState.PAUSED, 1)


def test_a_phone_that_we_let_go_of_before_it_rang_has_refused_nothing(hall: Hall) -> None:
    hall.dial()
    hall.advance(20.0)
    assert (hall.agent("kim").state, hall.agent("kim").misses) == (AgentState.RESTING, 1)


def test_of_a_phone_behind_a_trunk_it_is_not_known_whether_it_rang() -> None:
    hall = Hall(rulebook(agent("kim", trunk=CITY)))
    call = hall.dial()
    hall.leg_ends(call, Cause.CALL_REJECTED, rung=False)
    assert (hall.agent("kim").state, hall.agent("kim").misses) == (AgentState.RESTING, 1)


def test_a_leg_that_rang_before_the_daemon_died_is_declined_by_a_person(hall: Hall) -> None:
    call = hall.dial()
    hall.ring(call)
    hall.restart()
    hall.sync()
    hall.leg_ends(hall.exchange.calls[call.id], Cause.CALL_REJECTED, rung=False)
    assert (hall.agent("kim").state, hall.agent("kim").misses) == (AgentState.RESTING, 1)
