"""The distributor beside one that looks at everybody each time: whatever happens, the two decide alike.

The other has one list of callers and one of counselors, and no order of its own.
"""

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callrouter.core.acd import Acd
from callrouter.core.agent import Agent, AgentState
from callrouter.core.groups import Place
from callrouter.core.ids import CallId, QueueName, SkillName, TenantName
from callrouter.core.pool import Way, way_to
from callrouter.core.rulebook import QueueSpec, Strategy
from callrouter.core.sharing import ONE
from callrouter.core.skills import NO_DEMAND, Demand
from tests.core.driver import BELL, CITY, DESK, HALL, NIGHT, START, agent

ENGLISH, PASSPORT = SkillName("english"), SkillName("passport")
TENANTS = [TenantName(name) for name in ("changwon", "gimhae", "jinju")]
WAYS: list[Way] = [Way(HALL), Way(HALL, CITY)]
QUEUES = [DESK, NIGHT, BELL]
AT_MOST = 3
"""At so many phones at once rings who waits in the queue that rings all."""

levels = st.dictionaries(st.sampled_from([ENGLISH, PASSPORT]), st.integers(1, 2), max_size=2)
demands = st.one_of(
    st.just(NO_DEMAND),
    st.just(NO_DEMAND),
    st.builds(lambda need, prefer: Demand(tuple(sorted(need.items())), tuple(sorted(prefer.items()))), levels, levels),
)


Shut = Set[tuple[Way, TenantName | None]]
"""Ways that are shut, to a tenant or (None) to all."""


@dataclass
class Caller:
    """One who waits, as the naive distributor has him."""

    call: CallId
    queue: QueueName
    place: Place
    tenant: TenantName
    demand: Demand


class Naive:
    """Looks at every pair."""

    def __init__(self, weights: dict[TenantName, int]) -> None:
        self.weights = weights
        self.callers: list[Caller] = []
        self.agents: list[Agent] = []
        self.rung: list[tuple[Caller, int]] = []
        """For whom so many phones ring, and more may."""
        self.credits: Counter[TenantName] = Counter()

    def able(self, caller: Caller, shut: Shut) -> list[Agent]:
        """Who could be rung for a caller."""
        return [
            one
            for one in self.agents
            if caller.queue in one.spec.queues
            and shut.isdisjoint({(way_to(one, HALL), None), (way_to(one, HALL), caller.tenant)})
            and all(one.spec.skills.get(skill, 0) >= level for skill, level in caller.demand.need)
        ]

    def choose(self, shut: Shut) -> tuple[Caller, Agent, dict[TenantName, int]] | None:
        """The pair, and what it costs the tenants."""
        servable = sorted((one for one in self.callers if self.able(one, shut)), key=lambda one: one.place)
        if not servable:
            return self.one_more(shut)
        competing = sorted({one.tenant for one in servable})
        cost: dict[TenantName, int] = {}
        caller = servable[0]
        if self.weights and len(competing) > 1:
            whole = sum(self.weights.get(tenant, 1) for tenant in competing)
            cost = {tenant: ONE * self.weights.get(tenant, 1) // whole for tenant in competing}
            most = max(self.credits[tenant] + cost[tenant] for tenant in competing)
            caller = next(one for one in servable if self.credits[one.tenant] + cost[one.tenant] == most)
            cost[caller.tenant] -= sum(cost.values())
        return caller, self.first(caller, shut), cost

    def one_more(self, shut: Shut) -> tuple[Caller, Agent, dict[TenantName, int]] | None:
        """A phone for who is rung for already, and costs nobody a turn."""
        rung = [one for one, phones in self.rung if phones < AT_MOST and self.able(one, shut)]
        caller = min(rung, key=lambda one: one.place, default=None)
        return (caller, self.first(caller, shut), {}) if caller is not None else None

    def phones(self, caller: Caller, phones: int) -> None:
        """So many ring for the caller."""
        self.rung = [(one, phones if one is caller else before) for one, before in self.rung]

    def no_more(self, caller: Caller) -> None:
        """No more are to ring for the caller."""
        self.rung = [each for each in self.rung if each[0] is not caller]

    def first(self, caller: Caller, shut: Shut) -> Agent:
        """Who is rung for a caller."""

        def rank(one: Agent) -> tuple[object, ...]:
            missing = sum(one.spec.skills.get(skill, 0) < level for skill, level in caller.demand.prefer)
            calls = one.calls if caller.queue == NIGHT else 0
            return (missing, calls, one.idle_since, one.spec.id)

        return min(self.able(caller, shut), key=rank)


class BesideNaive(RuleBasedStateMachine):
    """Callers come, go, are offered and come back; counselors come and go; trunks fill; rules change."""

    def __init__(self) -> None:
        super().__init__()
        self.specs = {
            DESK: QueueSpec(DESK, ""),
            NIGHT: QueueSpec(NIGHT, "", strategy=Strategy.FEWEST_CALLS),
            BELL: QueueSpec(BELL, "", strategy=Strategy.RING_ALL, ring_at_most=AT_MOST),
        }
        self.acd, self.naive = Acd(self.specs), Naive({})
        self.shut: set[tuple[Way, TenantName | None]] = set()
        self.divided = False
        self.offers: dict[CallId, tuple[Caller, list[Agent], dict[TenantName, int]]] = {}
        self.number = 0

    @initialize(
        weights=st.sampled_from([{}, {TENANTS[0]: 2}, {TENANTS[0]: 3, TENANTS[1]: 5}]),
        skilled=st.lists(st.tuples(st.sampled_from(WAYS), levels), min_size=3, max_size=5),
        waiting=st.lists(st.tuples(st.sampled_from(TENANTS), demands), min_size=4, max_size=8),
    )
    def crowd(
        self,
        weights: dict[TenantName, int],
        skilled: list[tuple[Way, dict[SkillName, int]]],
        waiting: list[tuple[TenantName, Demand]],
    ) -> None:
        """Some wait, and some are free, who serve both queues."""
        self.weigh(weights)
        for tenant, demand in waiting:
            self.join(DESK, tenant, demand, 0.0)
        for way, skills in skilled:
            self.come(set(QUEUES), way, skills, 0, 10 - self.number % 4)

    @rule(weights=st.dictionaries(st.sampled_from(TENANTS), st.integers(1, 5)))
    def weigh(self, weights: dict[TenantName, int]) -> None:
        """New rules: counselors are put in order anew."""
        for one in self.naive.agents:
            self.acd.spare(one)
        self.acd.replace(self.specs, weights)
        self.naive.weights = weights
        for one in self.naive.agents:
            self.acd.offer_to(one)

    @rule(
        queue=st.sampled_from(QUEUES),
        tenant=st.sampled_from(TENANTS),
        demand=demands,
        ahead_s=st.integers(0, 3).map(float),
    )
    def join(self, queue: QueueName, tenant: TenantName, demand: Demand, ahead_s: float) -> None:
        """Somebody begins to wait, perhaps with a head start."""
        self.number += 1
        caller = Caller(CallId(str(self.number)), queue, (self.number - ahead_s, self.number), tenant, demand)
        self._stand(caller)

    def _stand(self, caller: Caller) -> None:
        self.naive.callers.append(caller)
        self.acd.join((caller.queue, HALL), caller.place, caller.call, caller.tenant, caller.demand)

    @precondition(lambda self: self.naive.callers)
    @rule(data=st.data(), demand=demands)
    def ease(self, data: st.DataObject, demand: Demand) -> None:
        """Somebody asks for something else from now on."""
        caller = data.draw(st.sampled_from(self.naive.callers))
        caller.demand = demand
        self.acd.move(caller.call, caller.place, caller.tenant, demand)

    @precondition(lambda self: self.naive.callers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Somebody waits no more."""
        caller = data.draw(st.sampled_from(self.naive.callers))
        self.naive.callers.remove(caller)
        self.acd.leave(caller.call)

    @precondition(lambda self: len(self.naive.agents) < 6)
    @rule(
        queues=st.sets(st.sampled_from(QUEUES), min_size=1),
        way=st.sampled_from(WAYS),
        skills=levels,
        calls=st.integers(0, 2),
        idle_s=st.integers(0, 5),
    )
    def come(self, queues: set[QueueName], way: Way, skills: dict[SkillName, int], calls: int, idle_s: int) -> None:
        """A counselor is free."""
        self.number += 1
        spec = replace(agent(f"agent-{self.number}", *sorted(queues)), trunk=way[1], skills=skills)
        since = START + timedelta(seconds=idle_s)
        self._free(Agent(spec, AgentState.AVAILABLE, START, since, calls=calls))

    def _free(self, one: Agent) -> None:
        self.naive.agents.append(one)
        self.acd.offer_to(one)

    @precondition(lambda self: self.naive.agents)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        """A counselor is not free any more."""
        one = data.draw(st.sampled_from(self.naive.agents))
        self.naive.agents.remove(one)
        self.acd.spare(one)

    @rule(shut=st.sets(st.sampled_from(WAYS)), refused=st.none() | st.sets(st.sampled_from(TENANTS)))
    def fill(self, shut: set[Way], refused: set[TenantName] | None) -> None:
        """Trunk groups fill and empty, and may have no more channels for some."""
        self.shut = {(way, None) for way in shut}
        self.divided = refused is not None
        self.shut |= {(Way(HALL, CITY), tenant) for tenant in refused or ()}

    def _refused(self, way: Way, tenant: TenantName, marked: bool) -> bool:
        return (way, tenant) in self.shut

    @rule()
    def offer(self) -> None:
        """The next pair is taken."""
        self._offer()

    @rule()
    def offer_all(self) -> None:
        """All pairs are taken that there are, as after any event."""
        while self._offer():
            pass

    def _offer(self) -> bool:
        """The next pair is the one that the naive distributor takes; whether there is one is returned."""
        match = self.acd.match(lambda way: (way, None) not in self.shut, self._refused if self.divided else None)
        chosen = self.naive.choose(self.shut)
        if match is None or chosen is None:
            assert match is None
            assert chosen is None
            return False
        caller, one, cost = chosen
        assert (match.call, match.agent.spec.id) == (caller.call, one.spec.id)
        assert all(one not in each for _, each, _ in self.offers.values()), "a counselor has one offer at most"
        assert match.is_rung == (caller.call in self.offers)
        self.acd.take(match)
        self.acd.spare(one)
        self.naive.agents.remove(one)
        if match.is_rung:
            rung = self.offers[caller.call][1]
            rung.append(one)
            self.naive.phones(caller, len(rung))
            return True
        self.naive.callers.remove(caller)
        self.naive.credits.update(cost)
        self.offers[caller.call] = (caller, [one], cost)
        if caller.queue == BELL:
            self.naive.rung.append((caller, 1))
        return True

    @precondition(lambda self: any(len(rung) > 1 for _, rung, _ in self.offers.values()))
    @rule(data=st.data())
    def decline(self, data: st.DataObject) -> None:
        """One phone of several stops: the caller is rung for by the others."""
        several = sorted(call for call, (_, rung, _) in self.offers.items() if len(rung) > 1)
        caller, rung, _ = self.offers[data.draw(st.sampled_from(several))]
        one = rung.pop(data.draw(st.integers(0, len(rung) - 1)))
        self.acd.rings_at(caller.call, len(rung))
        self.naive.phones(caller, len(rung))
        self._free(one)

    @precondition(lambda self: self.naive.rung)
    @rule(data=st.data())
    def ring_no_more(self, data: st.DataObject) -> None:
        """Those ring out that ring for a caller, who is to go on elsewhere then."""
        caller, _ = data.draw(st.sampled_from(self.naive.rung))
        self.acd.ring_no_more(caller.call)
        self.naive.no_more(caller)

    @precondition(lambda self: self.naive.rung)
    @rule(data=st.data())
    def begin_anew(self, data: st.DataObject) -> None:
        """What was known of a caller for whom phones ring is gone, and known again."""
        caller, phones = data.draw(st.sampled_from(self.naive.rung))
        self.acd.ring_no_more(caller.call)
        line = (caller.queue, HALL)
        self.acd.ring_on(line, caller.place, caller.call, caller.tenant, caller.demand, phones=phones)

    @precondition(lambda self: self.offers)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """The two talk, and hang up."""
        caller, rung, _ = self._closed(data)
        self.acd.ring_no_more(caller.call)
        self.acd.served(caller.call)
        self.acd.leave(caller.call)
        for one in rung:
            self._free(one)

    @precondition(lambda self: self.offers)
    @rule(data=st.data())
    def miss(self, data: st.DataObject) -> None:
        """The phone is not answered: the caller is back in line."""
        caller, rung, cost = self._closed(data)
        self.naive.credits.subtract(cost)
        self._stand(caller)
        for one in rung:
            self._free(one)

    @precondition(lambda self: self.offers)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """The caller hangs up while the phone rings."""
        caller, rung, cost = self._closed(data)
        self.naive.credits.subtract(cost)
        self.acd.leave(caller.call)
        for one in rung:
            self._free(one)

    def _closed(self, data: st.DataObject) -> tuple[Caller, list[Agent], dict[TenantName, int]]:
        closed = self.offers.pop(data.draw(st.sampled_from(sorted(self.offers))))
        self.naive.no_more(closed[0])
        return closed

    @invariant()
    def counts_agree(self) -> None:
        """What is counted is what is there, and who could be served would be."""
        for queue in QUEUES:
            callers = [one for one in self.naive.callers if one.queue == queue]
            first = min(callers, key=lambda one: one.place, default=None)
            assert self.acd.waiting(queue) == len(callers)
            assert sorted(self.acd.waiting_in(queue)) == sorted(one.call for one in callers)
            assert self.acd.first(queue) == (first.call if first is not None else None)
            assert self.acd.idle(queue) == sum(queue in one.spec.queues for one in self.naive.agents)
        for caller in self.naive.callers:
            before = [one for one in self.naive.callers if one.queue == caller.queue and one.place <= caller.place]
            rivals = self.acd.rivals(self.acd.stand(caller.call), caller.queue)
            assert sum(one.before for one in rivals) == len(before) - 1
            shut = {way for way, tenant in self.shut if tenant in (None, caller.tenant)}
            could = self.acd.can_serve((caller.queue, HALL), partial(_is_outside, shut), caller.demand)
            assert could == bool(self.naive.able(caller, self.shut))
        for tenant in TENANTS:
            assert self.acd.sharing.credit(tenant) == self.naive.credits[tenant] / ONE


def _is_outside(shut: set[Way], way: Way) -> bool:
    return way not in shut


TestBesideNaive = pytest.mark.no_cover(BesideNaive.TestCase)
TestBesideNaive.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)

CALLERS = st.tuples(st.sampled_from(QUEUES), st.sampled_from(TENANTS), demands)


@given(
    st.lists(CALLERS, min_size=1, max_size=20),
    st.lists(st.tuples(st.sets(st.sampled_from(QUEUES), min_size=1), levels), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(TENANTS), st.integers(1, 9)),
    st.integers(0, 19),
)
def test_while_ever_more_callers_come_everybody_is_served_for_whom_somebody_is_at_work(
    waiting: list[tuple[QueueName, TenantName, Demand]],
    staff: list[tuple[set[QueueName], dict[SkillName, int]]],
    weights: dict[TenantName, int],
    surge: int,
) -> None:
    acd = Acd(weights=weights)
    agents = [
        Agent(replace(agent(f"agent-{number}", *sorted(queues)), skills=skills), AgentState.AVAILABLE, START, START)
        for number, (queues, skills) in enumerate(staff)
    ]
    for number, (queue, tenant, demand) in enumerate(waiting):
        acd.join((queue, HALL), (float(number), number), CallId(str(number)), tenant, demand)
    left = {
        CallId(str(number))
        for number, (queue, _, demand) in enumerate(waiting)
        if any(queue in one.spec.queues and demand.is_met_by(one.spec.skills) for one in agents)
    }
    # In each round every counselor becomes free once, and as many callers come as are served, all alike.
    whole = sum(weights.get(tenant, 1) for tenant in TENANTS)
    rounds = len(waiting) * whole + len(TENANTS)
    queue, tenant, demand = waiting[surge % len(waiting)]
    place = len(waiting)
    for _ in range(rounds):
        for one in agents:
            acd.join((queue, HALL), (float(place), place), CallId(str(place)), tenant, demand)
            place += 1
            acd.offer_to(one)
            match = acd.match(lambda _: True)
            acd.spare(one)
            if match is not None:
                acd.take(match)
                acd.served(match.call)
                left.discard(match.call)
        if not left:
            break
    assert not left, "served within a bound, however many others come"
