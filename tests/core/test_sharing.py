"""Tenants share counselors by their weights, whoever has the most callers."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.acd import Acd
from callrouter.core.agent import Agent, AgentState
from callrouter.core.ids import CallId, TenantName
from callrouter.core.sharing import Sharing
from tests.core.driver import DESK, HALL, START, agent

LINE = (DESK, HALL)
NAMES = [TenantName(name) for name in ("changwon", "gimhae", "jinju", "yangsan", "geoje")]
WEIGHTS = st.integers(1, 20)


def in_turn(acd: Acd, kim: Agent) -> str:
    """Who is served by Kim, who is free again after that."""
    match = acd.match(lambda _: True)
    assert match is not None
    acd.take(match)
    acd.served(match.call)
    acd.spare(kim)
    acd.offer_to(kim)
    return match.call


def surge(weights: dict[TenantName, int], callers: int) -> tuple[Acd, Agent]:
    """One counselor, and so many callers of each tenant; each tenant's came before all of the next."""
    acd, kim = Acd(weights=weights), Agent(agent("kim"), AgentState.AVAILABLE, START, START)
    acd.offer_to(kim)
    place = 0
    for tenant in weights:
        for number in range(callers):
            place += 1
            acd.join(LINE, (float(place), place), CallId(f"{tenant}-{number:03}"), tenant)
    return acd, kim


@given(st.dictionaries(st.sampled_from(NAMES), WEIGHTS, min_size=2, max_size=2), st.integers(1, 60))
def test_two_tenants_have_their_shares_within_half_a_call_at_any_time(
    weights: dict[TenantName, int], decisions: int
) -> None:
    acd, kim = surge(weights, decisions)
    had, whole = Counter[str](), sum(weights.values())
    for number in range(1, decisions + 1):
        had[in_turn(acd, kim).rpartition("-")[0]] += 1
        for tenant, weight in weights.items():
            assert abs(had[tenant] - Fraction(number * weight, whole)) <= Fraction(1, 2) + Fraction(1, 1000)


@given(st.dictionaries(st.sampled_from(NAMES), WEIGHTS, min_size=3), st.integers(1, 60))
def test_of_many_tenants_none_is_a_call_before_its_share_nor_two_behind(
    weights: dict[TenantName, int], decisions: int
) -> None:
    acd, kim = surge(weights, decisions)
    had, whole = Counter[str](), sum(weights.values())
    for number in range(1, decisions + 1):
        had[in_turn(acd, kim).rpartition("-")[0]] += 1
        for tenant, weight in weights.items():
            assert -1 <= Fraction(number * weight, whole) - had[tenant] < 2


@given(
    st.dictionaries(st.sampled_from(NAMES), WEIGHTS, min_size=len(NAMES)),
    st.lists(st.sets(st.sampled_from(NAMES), min_size=1), max_size=200),
)
def test_whoever_competes_with_whom_none_gets_far_behind_or_before(
    weights: dict[TenantName, int], competing: list[set[TenantName]]
) -> None:
    sharing = Sharing(weights)
    for number, tenants in enumerate(competing):
        _, charge = sharing.pick(sorted(tenants))
        sharing.charge(CallId(str(number)), charge)
        sharing.keep(CallId(str(number)))
        credits = [sharing.credit(tenant) for tenant in NAMES]
        assert abs(sum(credits)) < 1e-6, "what one pays the others have got"
        assert all(abs(credit) <= len(NAMES) for credit in credits)


def test_a_surge_of_one_tenant_keeps_another_waiting_for_a_few_calls_only() -> None:
    changwon, gimhae = NAMES[:2]
    acd, kim = surge({changwon: 3, gimhae: 1}, 0)
    for number in range(500):
        acd.join(LINE, (float(number), number), CallId(f"{changwon}-{number}"), changwon)
    served = [in_turn(acd, kim) for _ in range(100)]
    assert served == [f"{changwon}-{number}" for number in range(100)], "alone it has everything"
    acd.join(LINE, (999.0, 999), CallId("of-gimhae"), gimhae)
    assert "of-gimhae" in [in_turn(acd, kim) for _ in range(3)]


def test_nobody_saves_up_turns_while_he_has_no_callers() -> None:
    changwon, gimhae = NAMES[:2]
    acd, kim = surge({changwon: 1, gimhae: 1}, 0)
    for number in range(100):
        acd.join(LINE, (float(number), number), CallId(f"{changwon}-{number}"), changwon)
    for _ in range(50):
        in_turn(acd, kim)
    for number in range(100, 150):
        acd.join(LINE, (float(number), number), CallId(f"{gimhae}-{number}"), gimhae)
    served = Counter(in_turn(acd, kim).rpartition("-")[0] for _ in range(20))
    assert served == {changwon: 10, gimhae: 10}


def test_within_a_tenant_and_without_weights_who_came_first_is_served_first() -> None:
    for weights in ({}, {NAMES[0]: 2}):
        acd, kim = surge(weights, 0)
        for place in (2, 0, 1):
            acd.join(LINE, (0.0, place), CallId(str(place)), NAMES[0])
        assert [in_turn(acd, kim) for _ in range(3)] == ["0", "1", "2"]
    acd, kim = surge({}, 0)
    for place in (2, 0, 1):
        acd.join(LINE, (0.0, place), CallId(str(place)), NAMES[place])
    assert [in_turn(acd, kim) for _ in range(3)] == ["0", "1", "2"]


@pytest.mark.parametrize("comes_back", [True, False])
def test_an_offer_that_comes_to_nothing_costs_no_turn(comes_back: bool) -> None:
    changwon, gimhae = NAMES[:2]
    acd, _ = surge({changwon: 1, gimhae: 1}, 5)
    match = acd.match(lambda _: True)
    assert match is not None
    acd.take(match)
    assert acd.sharing.credit(changwon) == -0.5
    if comes_back:
        acd.join(LINE, (1.0, 1), match.call, changwon)
    else:
        acd.leave(match.call)
    assert (acd.sharing.credit(changwon), acd.sharing.credit(gimhae)) == (0.0, 0.0)
    acd.leave(match.call)
    assert acd.sharing.credit(changwon) == 0.0, "it is given back once"


def test_a_conversation_costs_a_turn_whatever_comes_after() -> None:
    acd, kim = surge(dict.fromkeys(NAMES[:2], 1), 5)
    call = CallId(in_turn(acd, kim))
    acd.leave(call)
    assert acd.sharing.credit(NAMES[0]) == -0.5


@given(st.dictionaries(st.sampled_from(NAMES), WEIGHTS, min_size=2), st.lists(st.booleans(), max_size=60))
def test_a_restart_costs_or_gives_no_tenant_more_than_it_may_be_off_its_share_at_any_time(
    weights: dict[TenantName, int], restarts: list[bool]
) -> None:
    acd, kim = surge(weights, len(restarts))
    had, whole, epochs = Counter[str](), sum(weights.values()), 1
    for number, restarted in enumerate(restarts, 1):
        if restarted:  # who waits, with the places, comes back from the facts; what tenants had does not
            acd.sharing = Sharing(weights)
            epochs += 1
        had[in_turn(acd, kim).rpartition("-")[0]] += 1
        for tenant, weight in weights.items():
            ahead = had[tenant] - Fraction(number * weight, whole)
            if len(weights) == 2:
                assert abs(ahead) <= epochs * (Fraction(1, 2) + Fraction(1, 1000)), "half a call each time"
            assert -2 * epochs < ahead < epochs


def test_a_phone_that_rings_over_a_restart_gives_no_turn_back_and_takes_none() -> None:
    jinju, geoje = NAMES[2], NAMES[4]
    before, _ = surge({jinju: 1, geoje: 1}, 1)
    match = before.match(lambda _: True)
    assert match is not None
    before.take(match)
    assert before.sharing.credit(jinju) != 0
    after = Acd(weights={jinju: 1, geoje: 1})  # the phone rings on, and is not answered
    after.join(LINE, (0.0, 0), match.call, jinju)
    assert (after.sharing.credit(jinju), after.sharing.credit(geoje)) == (0, 0)
