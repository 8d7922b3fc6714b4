"""Who is served next, and by whom: the strategies of queues, and the head start of one before another."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core import events as ev
from callrouter.core.acd import Acd, Match
from callrouter.core.agent import Agent, AgentState
from callrouter.core.causes import Cause
from callrouter.core.ids import CallId, QueueName, TenantName
from callrouter.core.plan import EnterQueue, Plan
from callrouter.core.pool import Way
from callrouter.core.rulebook import QueueSpec, Rulebook, Strategy
from callrouter.core.states import CallState
from tests.core.driver import CITY, DESK, HALL, NIGHT, PLANS, START, Driver, agent, rulebook

LINE = (DESK, HALL)


def acd_by(strategy: Strategy) -> Acd:
    return Acd({DESK: QueueSpec(DESK, "창원시", strategy=strategy)})


def free(
    name: str, rank: int = 0, weight: int = 1, calls: int = 0, idle_s: float = 0.0, offered_s: float = 0.0
) -> Agent:
    spec = replace(agent(name), rank=rank, weight=weight)
    idle_since, offered_at = START - timedelta(seconds=idle_s), START - timedelta(seconds=offered_s)
    return Agent(
        spec, AgentState.AVAILABLE, START, idle_since, calls=calls, offered_at=offered_at if offered_s else None
    )


def picked(acd: Acd, call: str = "a") -> str:
    """Who is rung for the caller, who waits alone."""
    acd.join(LINE, (0.0, 1), CallId(call))
    match = acd.match(lambda _: True)
    acd.leave(CallId(call))
    assert match is not None
    return match.agent.spec.id


FREE = st.builds(
    free,
    rank=st.integers(0, 9),
    calls=st.integers(0, 3),
    idle_s=st.integers(0, 5).map(float),
    offered_s=st.integers(0, 3).map(float),
    name=st.uuids().map(str),
)


def never(one: Agent) -> float:
    return one.offered_at.timestamp() if one.offered_at is not None else 0.0


@given(st.lists(FREE, min_size=1, max_size=8, unique_by=lambda one: one.spec.id), st.data())
@pytest.mark.parametrize(
    ("strategy", "key"),
    [
        (Strategy.LONGEST_IDLE, lambda one: (one.idle_since, one.spec.id)),
        (Strategy.FEWEST_CALLS, lambda one: (one.calls, one.idle_since, one.spec.id)),
        (Strategy.ROUND_ROBIN, lambda one: (never(one), one.idle_since, one.spec.id)),
        (Strategy.ORDERED, lambda one: (one.spec.rank, one.idle_since, one.spec.id)),
    ],
)
def test_each_strategy_rings_whom_it_says(
    strategy: Strategy, key: Callable[[Agent], Any], agents: list[Agent], data: st.DataObject
) -> None:
    acd = acd_by(strategy)
    for one in agents:
        acd.offer_to(one)
    busy = data.draw(st.sets(st.sampled_from(agents).map(lambda one: one.spec.id), max_size=len(agents) - 1))
    for one in agents:
        if one.spec.id in busy:
            acd.spare(one)
    left = [one for one in agents if one.spec.id not in busy]
    assert picked(acd) == min(left, key=key).spec.id


def test_who_joins_again_stands_in_one_place_alone() -> None:
    acd = Acd()
    acd.join(LINE, (0.0, 1), CallId("a"))
    acd.join((NIGHT, HALL), (0.0, 2), CallId("a"))
    assert (acd.waiting_in(DESK), acd.waiting_in(NIGHT)) == ([], [CallId("a")])
    acd.leave(CallId("a"))
    assert acd.waiting_in(NIGHT) == []


def test_lots_fall_as_often_as_the_weights_say_and_alike_for_the_same_call() -> None:
    acd = acd_by(Strategy.WEIGHTED_RANDOM)
    for name, weight in (("kim", 1), ("lee", 3), ("park", 6)):
        acd.offer_to(free(name, weight=weight))
    drawn = [picked(acd, f"call-{number}") for number in range(2000)]
    shares = Counter(drawn)
    assert [round(shares[name] / 2000, 1) for name in ("kim", "lee", "park")] == [0.1, 0.3, 0.6]
    assert drawn == [picked(acd, f"call-{number}") for number in range(2000)]


def test_who_cannot_be_reached_is_not_drawn() -> None:
    acd = acd_by(Strategy.WEIGHTED_RANDOM)
    kim = free("kim", weight=1000)
    kim.spec = replace(kim.spec, trunk=CITY)
    acd.offer_to(kim)
    acd.offer_to(free("lee"))
    acd.join(LINE, (0.0, 1), CallId("a"))
    match = acd.match(lambda way: way != Way(HALL, CITY))
    assert match == Match(CallId("a"), free("lee"))
    assert acd.match(lambda _: False) is None


HEAD_STARTS: Mapping[QueueName, float] = {DESK: 0.0, NIGHT: 60.0}


@given(st.lists(st.tuples(st.sampled_from([DESK, NIGHT]), st.integers(0, 20)), min_size=1, max_size=30))
def test_nobody_is_passed_by_who_came_more_than_the_head_start_later_and_a_queue_keeps_its_order(
    callers: list[tuple[QueueName, int]],
) -> None:
    acd, came, now = Acd(), {}, 0.0
    acd.offer_to(Agent(agent("kim", DESK, NIGHT), AgentState.AVAILABLE, START, START))
    for number, (queue, after_s) in enumerate(callers):
        now += after_s
        came[CallId(str(number))] = (queue, now, number)
        acd.join((queue, HALL), (now - HEAD_STARTS[queue], number), CallId(str(number)))
    served = []
    while (match := acd.match(lambda _: True)) is not None:
        acd.leave(match.call)
        served.append(came[match.call])
    assert len(served) == len(callers), "everybody is served"
    for position, (queue, at, number) in enumerate(served):
        for later_queue, later_at, later_number in served[position + 1 :]:
            assert at - later_at <= 60.0, "passed by more than the head start"
            if queue == later_queue:
                assert number < later_number


def with_head_start(rules: Rulebook, head_start_s: float) -> Rulebook:
    """The rules with a head start for the callers of the desk."""
    desk = replace(rules.queues[DESK], head_start_s=head_start_s)
    return replace(rules, queues={**rules.queues, DESK: desk})


@dataclass
class Crowd:
    """Kim talks. One caller waits in the night's queue for 50 s, one at the desk for 40 s, and another there since now.

    The desk has a head start of 40 s.
    """

    hall: Driver
    talking: CallId
    early: CallId
    urgent: CallId
    late: CallId

    def state(self, call: CallId) -> CallState:
        return self.hall.exchange.calls[call].state

    def end(self, call: CallId) -> None:
        """The caller hangs up, and Kim's wrap-up or rest goes by."""
        self.hall.hang_up(self.hall.exchange.calls[call])
        self.hall.advance(10.0)


@pytest.fixture
def crowd() -> Crowd:
    hall = Driver(with_head_start(rulebook(agent("kim", DESK, NIGHT)), 40.0))
    talking = hall.dial("120")
    hall.pick_up(talking)
    early = hall.dial("123")  # waits at the desk for 30 s, then in the night's queue
    hall.advance(40.0)
    assert early.queue == NIGHT
    urgent = hall.dial("120")
    hall.advance(40.0)
    late = hall.dial("120")
    return Crowd(hall, talking.id, early.id, urgent.id, late.id)


def assert_served_with_the_head_start(crowd: Crowd) -> None:
    assert crowd.state(crowd.urgent) is CallState.OFFERED, "came 10 s after the other, with 40 s of head start"
    crowd.end(crowd.urgent)
    assert crowd.state(crowd.early) is CallState.OFFERED, "came 50 s before the other: more than the head start"
    assert crowd.state(crowd.late) is CallState.QUEUED


def test_who_has_a_head_start_is_served_before_who_came_less_than_that_earlier(crowd: Crowd) -> None:
    crowd.end(crowd.talking)
    assert_served_with_the_head_start(crowd)


def test_an_offer_that_fails_leaves_the_head_start_as_it_is(crowd: Crowd) -> None:
    crowd.end(crowd.talking)
    crowd.hall.leg_ends(crowd.hall.exchange.calls[crowd.urgent], Cause.USER_BUSY)
    assert crowd.state(crowd.urgent) is CallState.QUEUED
    crowd.hall.advance(10.0)
    assert_served_with_the_head_start(crowd)


def test_a_restart_leaves_the_head_start_as_it_is(crowd: Crowd) -> None:
    crowd.hall.restart()
    crowd.hall.sync()
    crowd.end(crowd.talking)
    assert_served_with_the_head_start(crowd)


def test_callers_of_a_route_with_a_head_start_go_before_who_came_less_than_that_earlier_in_the_same_queue() -> None:
    plans = {**PLANS, "150": Plan("urgent", (EnterQueue(DESK, head_start_s=30.0),))}
    hall = Driver(rulebook(agent("kim"), plans=plans))
    talking = hall.dial()
    hall.pick_up(talking)
    first = hall.dial()
    hall.advance(15.0)
    second = hall.dial()
    hall.advance(20.0)
    urgent = hall.dial("150")
    assert [hall.place(call) for call in (first, urgent, second)] == [1, 2, 3]
    hall.restart()
    hall.sync()
    assert [hall.place(call) for call in (first, urgent, second)] == [1, 2, 3]
    hall.hang_up(hall.exchange.calls[talking.id])
    hall.advance(10.0)
    served = [call.id for call in hall.exchange.calls.values() if call.state is CallState.OFFERED]
    assert served == [first.id], "he came 35 s before, and the head start is 30 s"


@pytest.mark.parametrize(("before_s", "after_s"), [(0.0, 60.0), (60.0, 0.0)])
def test_new_rules_with_another_head_start_leave_the_order_of_a_queue_as_it_is(before_s: float, after_s: float) -> None:
    rules = rulebook(agent("kim"))
    hall = Driver(with_head_start(rules, before_s))
    talking = hall.dial()
    hall.pick_up(talking)
    first = hall.dial()
    hall.advance(11.0)
    hall.tell(ev.RulebookReplaced(with_head_start(rules, after_s)))
    second = hall.dial()
    hall.hang_up(talking)
    hall.advance(10.0)
    assert (first.state, second.state) == (CallState.OFFERED, CallState.QUEUED)


def test_new_rules_give_a_head_start_to_those_who_wait_already() -> None:
    rules = rulebook(agent("kim", DESK, NIGHT))
    hall = Driver(rules)
    talking = hall.dial()
    hall.pick_up(talking)
    early = hall.dial("123")
    hall.advance(40.0)
    urgent = hall.dial("120")
    hall.tell(ev.RulebookReplaced(with_head_start(rules, 40.0)))
    hall.hang_up(talking)
    hall.advance(10.0)
    assert (early.state, urgent.state) == (CallState.QUEUED, CallState.OFFERED)


def test_calls_taken_and_offers_made_are_counted_for_the_strategies() -> None:
    rules = rulebook(agent("kim"), agent("lee"))
    desk = replace(rules.queues[DESK], strategy=Strategy.FEWEST_CALLS, wrap_up_s=0.0)
    hall = Driver(replace(rules, queues={**rules.queues, DESK: desk}))
    for _ in range(4):
        call = hall.dial()
        hall.pick_up(call)
        hall.advance(1.0)
        hall.hang_up(call)
    assert [hall.agent(name).calls for name in ("kim", "lee")] == [2, 2]
    assert hall.agent("lee").offered_at == hall.now - timedelta(seconds=1)


def test_new_rules_put_the_free_counselors_in_another_order() -> None:
    rules = rulebook(replace(agent("kim"), rank=1), replace(agent("lee"), rank=0))
    hall = Driver(rules)
    ordered = replace(rules.queues[DESK], strategy=Strategy.ORDERED)
    hall.tell(ev.RulebookReplaced(replace(rules, queues={**rules.queues, DESK: ordered})))
    hall.dial()
    assert hall.called() == ["lee"]


def test_who_stands_in_no_line_is_not_moved_into_one() -> None:
    acd = acd_by(Strategy.LONGEST_IDLE)
    acd.move(CallId("a"), (0.0, 1))
    assert acd.waiting(DESK) == 0


def test_who_waits_for_a_trunk_is_counted_up_to_what_the_tenant_lacks() -> None:
    acd = acd_by(Strategy.LONGEST_IDLE)
    kim = free("kim")
    kim.spec = replace(kim.spec, trunk=CITY)
    acd.offer_to(kim)
    jinju, changwon, geoje = (TenantName(name) for name in ("jinju", "changwon", "geoje"))
    for number, (queue, tenant) in enumerate([(NIGHT, jinju), (DESK, jinju), (DESK, jinju), (DESK, changwon)]):
        acd.join((queue, HALL), (float(number), number), CallId(f"call-{number}"), tenant)
    assert acd.wanting(CITY, jinju, 5) == 2, "who is in another queue waits for nobody behind it"
    assert acd.wanting(CITY, jinju, 1) >= 1
    assert (acd.wanting(CITY, changwon, 1), acd.wanting(CITY, geoje, 2)) == (1, 0)


def test_who_is_refused_a_line_has_whoever_needs_none_and_no_group_is_asked_where_somebody_is_beside_it() -> None:
    acd, asked = acd_by(Strategy.LONGEST_IDLE), list[Way]()

    def refused(way: Way, tenant: TenantName, marked: bool) -> bool:
        asked.append(way)
        return way.trunk is not None

    kim, lee = free("kim"), free("lee")
    kim.spec, kim.idle_since = replace(kim.spec, trunk=CITY), START - timedelta(hours=1)
    acd.offer_to(kim)
    acd.join((DESK, HALL), (0.0, 1), CallId("a"))
    assert acd.match(lambda _: True, refused) is None
    assert asked == [Way(HALL, CITY)]
    acd.offer_to(lee)
    match = acd.match(lambda _: True, refused)
    assert match is not None
    assert (match.call, match.agent) == ("a", lee)
    assert asked == [Way(HALL, CITY), Way(HALL, CITY), Way(HALL)], "of kim's way, for he has been idle longer"
