"""What who waits may be told of his place: no more than is true whatever happens, or nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.acd import Acd
from callrouter.core.agent import AgentState
from callrouter.core.duty import Duty
from callrouter.core.ids import AgentId, CallId, QueueName, SiteName, SkillName, TenantName
from callrouter.core.place_in_line import PlacesInLine
from callrouter.core.skills import NO_DEMAND, Demand
from callrouter.core.staff import Staff
from tests.core.driver import BELL, DESK, HALL, NIGHT, START, agent, rulebook

JINJU, GEOJE = TenantName("jinju"), TenantName("geoje")
ENGLISH, CHINESE = SkillName("english"), SkillName("chinese")
IN_ENGLISH, IN_CHINESE = Demand(((ENGLISH, 1),)), Demand(((CHINESE, 1),))
TURNS = {JINJU: 1, GEOJE: 1}


class Hall:
    """Who is at work, with the queues and skills of each, and who waits."""

    def __init__(self, weights: dict[TenantName, int] | None = None, **staff: tuple[object, ...]) -> None:
        self.acd = Acd(weights=weights)
        specs = []
        for name, has in staff.items():
            queues = [one for one in has if one in (DESK, NIGHT, BELL)]
            skills = {one: 1 for one in (ENGLISH, CHINESE) if one in has}
            specs.append(replace(agent(name, *map(QueueName, map(str, queues))), skills=skills))
        self.staff = Staff(rulebook(*specs), self.acd, START, lambda _: False)
        self.places = PlacesInLine(self.acd, self.staff)
        self.number = 0

    def wait(self, queue: QueueName = DESK, demand: Demand = NO_DEMAND, tenant: TenantName = JINJU) -> CallId:
        """Somebody comes and waits."""
        self.number += 1
        call = CallId(f"call-{self.number}")
        self.acd.join((queue, HALL), (float(self.number), self.number), call, tenant, demand)
        return call

    def place(self, call: CallId) -> int | None:
        return self.places.position(call)


def test_those_who_came_before_count_and_those_who_came_after_do_not() -> None:
    hall = Hall(kim=(DESK,), lee=(DESK,))
    assert [hall.place(call) for call in [hall.wait(), hall.wait(), hall.wait()]] == [1, 2, 3]


def test_who_asks_for_what_nobody_at_work_can_do_is_told_no_place() -> None:
    hall = Hall(kim=(DESK,), lee=(DESK, ENGLISH))
    call = hall.wait(demand=IN_ENGLISH)
    assert hall.place(call) == 1
    hall.staff.agents[AgentId("lee")].duty = Duty.PAUSED
    assert hall.place(call) == 1, "he is at work, and comes back"
    hall.staff.agents[AgentId("lee")].duty = Duty.OFF
    assert hall.place(call) is None


def test_who_asks_for_nothing_has_his_place_though_nobody_is_at_work() -> None:
    hall = Hall()
    assert [hall.place(call) for call in [hall.wait(), hall.wait()]] == [1, 2]


def test_who_is_served_by_others_alone_does_not_count() -> None:
    hall = Hall(kim=(DESK, ENGLISH), lee=(DESK, CHINESE))
    chinese, english = hall.wait(demand=IN_CHINESE), hall.wait(demand=IN_ENGLISH)
    assert (hall.place(chinese), hall.place(english)) == (1, 1)
    plain, later = hall.wait(), hall.wait(demand=IN_ENGLISH)
    assert (hall.place(plain), hall.place(later)) == (3, 3), "either may be before him, and he before the last"


def test_who_comes_first_in_another_queue_counts_if_all_would_serve_him_first() -> None:
    hall = Hall(kim=(DESK, NIGHT), lee=(DESK,))
    desk, night = hall.wait(DESK), hall.wait(NIGHT)
    assert (hall.place(desk), hall.place(night)) == (1, 2)


def test_nothing_is_told_where_nobody_knows_who_of_another_queue_comes_first() -> None:
    hall = Hall(kim=(DESK, NIGHT), lee=(DESK,))
    night, desk = hall.wait(NIGHT), hall.wait(DESK)
    assert (hall.place(night), hall.place(desk)) == (1, None)
    hall.acd.leave(night)
    assert hall.place(desk) == 1


@pytest.mark.parametrize(("is_linked", "place"), [(True, 2), (False, 1)])
def test_who_waits_at_another_site_counts_where_the_same_counselor_is_reached_from_there(
    is_linked: bool, place: int
) -> None:
    hall = Hall(kim=(DESK,))
    annex = SiteName("annex")
    hall.acd.links = [(annex, HALL)] if is_linked else []
    hall.acd.join((DESK, annex), (0.0, 0), CallId("far"))
    assert hall.place(hall.wait()) == place
    assert hall.places.standing(CallId("far")).counselors == int(is_linked)


def test_where_tenants_take_turns_the_place_is_told_while_nobody_else_has_one() -> None:
    hall = Hall(TURNS, kim=(DESK, NIGHT), lee=(BELL,))
    first, second = hall.wait(tenant=JINJU), hall.wait(tenant=JINJU)
    elsewhere = hall.wait(BELL, tenant=GEOJE)
    assert [hall.place(call) for call in (first, second, elsewhere)] == [1, 2, 1]
    other = hall.wait(NIGHT, tenant=GEOJE)
    assert [hall.place(call) for call in (first, second, other)] == [None, None, None]


def test_a_wait_is_measured_among_those_who_are_alike() -> None:
    hall = Hall(kim=(DESK, ENGLISH), lee=(DESK,), park=(DESK, ENGLISH))
    plain, english = hall.wait(), hall.wait(demand=IN_ENGLISH)
    stands = hall.places.standing(english)
    assert (stands.like.need, stands.place, stands.counselors) == (IN_ENGLISH.need, 2, 2)
    assert hall.places.standing(plain).counselors == 3
    hall.staff.agents[AgentId("kim")].change(AgentState.UNREACHABLE, START)
    hall.staff.agents[AgentId("park")].duty = Duty.PAUSED
    assert hall.places.standing(english).counselors == 0
    assert hall.places.standing(plain).counselors == 1


@pytest.mark.parametrize(("weights", "place"), [({}, 2), (TURNS, 1)])
def test_a_wait_is_measured_within_the_tenant_where_tenants_take_turns(
    weights: dict[TenantName, int], place: int
) -> None:
    hall = Hall(weights, kim=(DESK,))
    hall.wait(tenant=GEOJE)
    stands = hall.places.standing(hall.wait(tenant=JINJU))
    assert (stands.place, stands.like.tenant) == (place, JINJU if weights else "")


QUEUES = [DESK, NIGHT, BELL]
has = st.sets(st.sampled_from([DESK, DESK, NIGHT, BELL, ENGLISH, CHINESE]), min_size=1)
demands = st.sampled_from([NO_DEMAND, NO_DEMAND, IN_ENGLISH, IN_CHINESE])
callers = st.tuples(st.sampled_from(QUEUES), demands, st.sampled_from([JINJU, GEOJE]))


@given(
    st.lists(has, min_size=1, max_size=4),
    st.lists(callers, min_size=1, max_size=8),
    st.booleans(),
    st.lists(st.integers(0, 3), max_size=40),
)
def test_no_more_are_served_before_anybody_than_he_was_told(
    staff: list[set[object]], waiting: list[tuple[QueueName, Demand, TenantName]], turns: bool, frees: list[int]
) -> None:
    hall = Hall(TURNS if turns else {}, **{f"agent{number}": tuple(one) for number, one in enumerate(staff)})
    agents = list(hall.staff.agents.values())
    for one in agents:
        hall.acd.spare(one)
    calls = {hall.wait(*caller): caller for caller in waiting}
    told = {call: place for call in calls if (place := hall.place(call)) is not None}
    before = dict.fromkeys(told, 0)
    for number in frees:
        one = agents[number % len(agents)]
        hall.acd.offer_to(one)
        match = hall.acd.match(lambda _: True)
        hall.acd.spare(one)
        if match is None:
            continue
        hall.acd.take(match)
        hall.acd.served(match.call)
        before.pop(match.call, None)
        for call in before:
            queue, demand, _ = calls[call]
            before[call] += queue in one.spec.queues and demand.is_met_by(one.spec.skills)
        assert all(before[call] < told[call] for call in before)
