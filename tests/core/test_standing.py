"""How counselors stood before a restart, and how their calls are counted by the day."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.causes import Cause
from callrouter.core.duty import DutyOrder, DutyVerb, DutyVia
from callrouter.core.exchange import Exchange
from callrouter.core.ids import AgentId
from callrouter.core.rulebook import QueueSpec, Strategy
from tests.core.driver import DESK, NIGHT, START, Driver, agent, rulebook

FEWEST = QueueSpec(DESK, "창원시", strategy=Strategy.FEWEST_CALLS)


class Hall(Driver):
    def talk(self, talk_s: float = 30.0) -> str:
        """A call is taken, and its wrap-up passes; who took it."""
        call = self.dial()
        self.pick_up(call)
        assert call.offer is not None
        name = call.offer.agent
        self.advance(talk_s)
        self.hang_up(call)
        self.advance(10.0)
        return str(name)

    def begin_anew(self, *said: AuditEntry) -> None:
        """Another daemon, which has the CDRs of this one and what was said."""
        self.exchange = Exchange(self.rules, self.now)
        self.timers.clear()
        newest = list({entry.name: entry for entry in said}.values())
        out = self.exchange.restore_standing(self.cdrs, newest, said, self.now)
        self.carry_out(out)
        self.exchange.restore_duties(newest)
        self.sync()

    def order(self, verb: DutyVerb, name: str) -> None:
        self.tell(ev.DutyOrdered(DutyOrder(AgentId(name), verb, "park", DutyVia.API)))


def said(name: str, was: str, becomes: str, hall: Hall) -> AuditEntry:
    return AuditEntry(hall.now, "park", AuditKind.AGENT, name, was, becomes, "api", hall.now)


def test_who_has_been_idle_longest_is_known_after_a_restart() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee"), agent("park")))
    assert [hall.talk() for _ in range(4)] == ["kim", "lee", "park", "kim"]
    hall.begin_anew()
    assert [hall.talk() for _ in range(3)] == ["lee", "park", "kim"]


def test_who_took_no_call_yet_is_idle_for_longer_than_anybody() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee")))
    hall.talk()
    hall.begin_anew()
    assert hall.talk() == "lee"


def test_who_missed_a_call_is_behind_the_others_and_who_came_back_is_so_from_then_on() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee"), agent("park")))
    call = hall.dial()
    hall.advance(1.0)
    hall.leg_ends(call, Cause.NO_ANSWER)
    hall.hang_up(call)
    hall.advance(60.0)
    back = said("lee", "paused", "on-duty", hall)
    hall.advance(60.0)
    hall.begin_anew(back)
    assert [hall.talk() for _ in range(3)] == ["park", "kim", "lee"]


def test_an_offer_that_nobody_is_to_blame_for_costs_no_place() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee")))
    call = hall.dial()
    hall.ring(call)
    hall.hang_up(call)
    hall.begin_anew()
    assert hall.talk() == "kim"


def test_the_wrap_up_goes_on_for_what_is_left_of_it_and_a_pause_waits_for_its_end() -> None:
    hall = Hall(rulebook(agent("kim")))
    call = hall.dial()
    hall.pick_up(call)
    hall.hang_up(call)
    hall.advance(4.0)
    hall.begin_anew(said("kim", "on-duty", "paused", hall))
    kim = hall.agent("kim")
    assert (kim.state, kim.since) == (AgentState.WRAP_UP, START)
    hall.advance(5.0)
    assert hall.agent("kim").state is AgentState.WRAP_UP
    hall.advance(1.0)
    assert hall.agent("kim").state is AgentState.PAUSED


def test_a_wrap_up_that_was_ended_stays_so() -> None:
    hall = Hall(rulebook(agent("kim")))
    call = hall.dial()
    hall.pick_up(call)
    hall.hang_up(call)
    hall.advance(4.0)
    out = hall.exchange.handle(ev.DutyOrdered(DutyOrder(AgentId("kim"), DutyVerb.READY, "kim", DutyVia.API)), hall.now)
    hall.begin_anew(*out.audit)
    assert (hall.agent("kim").state, hall.agent("kim").idle_since) == (AgentState.AVAILABLE, hall.now)


def test_records_of_those_who_are_not_in_the_rules_any_more_or_of_the_future_say_nothing() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee")))
    hall.talk()
    hall.advance(3600.0)
    assert hall.talk() == "lee"
    hall.rules = rulebook(agent("lee"))
    hall.begin_anew(said("gone", "logged-out", "on-duty", hall))
    assert hall.agent("lee").idle_since == hall.cdrs[1].ended_at
    hall.now -= timedelta(seconds=1800)
    hall.begin_anew()
    assert hall.agent("lee").idle_since == hall.cdrs[0].started_at


def test_a_call_that_a_destination_took_is_nobodys() -> None:
    hall = Hall(rulebook(agent("kim")))
    call = hall.dial("129")
    hall.hang_up(call)
    hall.begin_anew()
    assert hall.agent("kim").offered_at is None


def test_calls_of_today_are_counted_over_a_restart_and_those_of_yesterday_are_not() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee"), queues=[FEWEST]))
    assert [hall.talk() for _ in range(3)] == ["kim", "lee", "kim"]
    hall.begin_anew()
    assert [hall.agent(name).calls for name in ("kim", "lee")] == [2, 1]
    hall.advance(86_400.0)
    hall.begin_anew()
    assert [hall.agent(name).calls for name in ("kim", "lee")] == [0, 0]


def test_the_count_begins_anew_at_midnight() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee"), queues=[FEWEST]))
    for _ in range(3):
        hall.talk()
    hall.order(DutyVerb.PAUSE, "lee")
    hall.advance(86_400.0)
    call = hall.dial()
    assert [hall.agent(name).calls for name in ("kim", "lee")] == [0, 0]
    hall.hang_up(call)
    hall.order(DutyVerb.READY, "lee")
    assert [hall.talk() for _ in range(2)] in (["kim", "lee"], ["lee", "kim"])


@pytest.mark.parametrize("restarted", [False, True])
def test_who_logs_in_late_begins_with_as_many_calls_as_those_who_took_the_fewest(restarted: bool) -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee"), agent("park", NIGHT), queues=[FEWEST]))
    hall.order(DutyVerb.LOGOUT, "lee")
    for _ in range(3):
        assert hall.talk() == "kim"
    hall.order(DutyVerb.LOGIN, "lee")
    if restarted:
        hall.begin_anew(said("lee", "logged-out", "on-duty", hall))
    assert [hall.agent(name).calls for name in ("kim", "lee", "park")] == [3, 3, 0]
    assert {hall.talk() for _ in range(2)} == {"kim", "lee"}


def test_who_is_new_in_the_rules_does_so_too() -> None:
    rules = rulebook(agent("kim"), queues=[FEWEST])
    hall = Hall(rules)
    for _ in range(3):
        hall.talk()
    hall.tell(ev.RulebookReplaced(replace(rules, agents={**rules.agents, AgentId("lee"): agent("lee")})))
    assert hall.agent("lee").calls == 3


def test_who_has_no_phone_is_rung_no_more_after_a_restart_than_before() -> None:
    hall = Hall(rulebook(replace(agent("kim"), endpoint=""), agent("lee")))
    assert hall.talk() == "lee"
    hall.begin_anew()
    assert hall.talk() == "lee"
    assert hall.agent("kim").state is not AgentState.AVAILABLE


def paused(hall: Hall, name: str = "kim") -> AuditEntry:
    """He was, for calls that he missed."""
    return msgspec.structs.replace(said(name, "on-duty", "paused", hall), via=DutyVia.MISSES)


def ready(hall: Hall, name: str = "kim", who: str = "park", via: DutyVia = DutyVia.API) -> AuditEntry:
    return msgspec.structs.replace(said(name, "paused", "on-duty", hall), who=who, via=via)


def test_who_was_paused_for_misses_and_made_ready_by_others_is_told_so_after_a_restart() -> None:
    hall = Hall(rulebook(agent("kim")))
    hall.begin_anew(paused(hall), paused(hall, "gone"), ready(hall))
    assert hall.agent("kim").untold
    hall.pick_up(hall.dial())
    assert [play.media for play in hall.given(cmd.Play)] == [("sound:callrouter/agent-missed",)]


@pytest.mark.parametrize(("who", "via"), [("kim", DutyVia.API), ("kim", DutyVia.PHONE)])
def test_but_not_who_came_back_by_himself(who: str, via: DutyVia) -> None:
    hall = Hall(rulebook(agent("kim")))
    hall.begin_anew(paused(hall), ready(hall, "kim", who, via))
    assert not hall.agent("kim").untold


def test_nor_who_has_picked_up_since_whether_that_call_is_over_or_not() -> None:
    hall = Hall(rulebook(agent("kim"), agent("lee")))
    entries = [paused(hall), ready(hall), paused(hall, "lee"), ready(hall, "lee")]
    assert hall.talk() == "kim"
    call = hall.dial()
    hall.pick_up(call)
    histories = [list(each.history) for each in hall.exchange.calls.values()]
    hall.exchange = Exchange(hall.rules, hall.now)
    hall.exchange.restore(histories)
    hall.exchange.restore_standing(hall.cdrs, entries[1::2], entries, hall.now)
    assert [hall.agent(name).untold for name in ("kim", "lee")] == [False, True]
    hall.sync()
    assert not hall.agent("lee").untold
