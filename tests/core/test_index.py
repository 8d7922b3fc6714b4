"""The index finds what a walk from route to route finds, and explanations stay short however many routes there are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.core.calendars import Calendar, Hours, Weekly, Window
from callrouter.core.conditions import (
    CalendarOpen,
    CalendarState,
    CallerIs,
    CallerListed,
    Case,
    Comparison,
    Condition,
    DialedIs,
    LanguageIs,
    Measure,
    Not,
    QueueIs,
    QueueState,
    QueueStates,
    RegionFrom,
    RegionIs,
    SwitchIs,
    TenantIs,
    TopicIs,
    TrunkIs,
)
from callrouter.core.decision import TOLD
from callrouter.core.geography import Geography, Region
from callrouter.core.ids import CalendarName, QueueName, RegionName, RuleId, SiteName, SwitchName, TenantName, TopicName
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.numbering_plan import Confidence, NumberingPlan, Place
from callrouter.core.numbers import parse
from callrouter.core.plan import HangUp, Plan
from callrouter.core.routing import Route, Ruleset
from callrouter.core.switches import ALL_OFF, SwitchesOn, SwitchOn

SEOUL = ZoneInfo("Asia/Seoul")
REGIONS = [RegionName(name) for name in ("gyeongnam", "changwon", "gimhae")]
TENANTS = [TenantName(name) for name in ("province", "changwon")]
NAMES = ["a", "b", "c"]
NUMBERS = ["120", "110", "0552251234", "0553341234", "01012345678", "*55"]
PREFIXES = ["", "0", "055", "05522", "01", "1"]
NOON = datetime(2026, 11, 24, 3, tzinfo=UTC)
WEEK = timedelta(days=7)


def calendar(name: str, start: int, end: int) -> Calendar:
    window = Window(frozenset(range(5)), Hours(start * 60, end * 60))
    return Calendar(CalendarName(name), SEOUL, Weekly(SEOUL, (window,)))


CALENDARS = {one.name: one for one in (calendar("a", 9, 18), calendar("b", 12, 13), calendar("c", 18, 22))}
GEOGRAPHY = Geography(
    regions={name: Region(name, name, TENANTS[name == "changwon"]) for name in REGIONS},
    default=REGIONS[0],
    by_dialed={"110": REGIONS[2]},
    plan=NumberingPlan({"055225": Place(REGIONS[1], Confidence.STRONG)}),
)


def some(values: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), max_size=3)


plain: st.SearchStrategy[Condition] = st.one_of(
    st.builds(DialedIs, some(NUMBERS), some(PREFIXES).map(tuple)),
    st.builds(RegionIs, st.frozensets(st.sampled_from(REGIONS), max_size=2)),
    st.builds(RegionFrom, st.frozensets(st.sampled_from(RegionSource), max_size=2)),
    st.builds(TenantIs, st.frozensets(st.sampled_from(TENANTS), max_size=2)),
    st.builds(CallerIs, st.frozensets(st.sampled_from(CallerKind), max_size=3)),
    st.builds(CallerListed, st.just(("vip",)), some(NUMBERS), some(PREFIXES).map(tuple)),
    st.builds(TopicIs, st.frozensets(st.sampled_from([TopicName(name) for name in ["", *NAMES]]), max_size=2)),
    st.builds(LanguageIs, some(["", "ko", "en"])),
    st.builds(TrunkIs, some(["", *NAMES])),
    st.builds(CalendarOpen, st.lists(st.sampled_from([*CALENDARS, CalendarName("gone")]), max_size=2).map(tuple)),
    st.builds(
        QueueIs,
        st.sampled_from([QueueName(name) for name in NAMES]),
        st.sampled_from(Measure),
        st.sampled_from(Comparison),
        st.integers(0, 3),
    ),
    st.builds(SwitchIs, st.lists(st.sampled_from([SwitchName(name) for name in NAMES]), max_size=2).map(tuple)),
)
conditions = st.recursive(plain, lambda inner: st.builds(Not, st.lists(inner, max_size=2).map(tuple)), max_leaves=3)
rulesets = st.lists(st.lists(conditions, min_size=1, max_size=3).map(tuple), max_size=20)
calls = st.builds(
    CallFacts,
    dialed=st.sampled_from([*NUMBERS, "", "055-225-1234", "what?"]),
    site=st.just(SiteName("hall")),
    caller=st.sampled_from([*NUMBERS, "", "+12125550123", "anonymous", "what?"]),
    trunk=st.sampled_from(["", *NAMES]),
    topic=st.none() | st.sampled_from([TopicName(name) for name in NAMES]),
    language=st.sampled_from(["", "ko", "en"]),
    region=st.none() | st.sampled_from(REGIONS),
    remembered=st.none() | st.sampled_from(REGIONS),
)
moments = st.timedeltas(timedelta(), WEEK).map(lambda passed: NOON + passed)
states = st.builds(QueueState, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3).map(float))
queues = st.fixed_dictionaries({QueueName(name): states for name in NAMES}).map(lambda known: known.__getitem__)
switches = st.frozensets(st.sampled_from([SwitchName(name) for name in NAMES])).map(
    lambda on: {name: SwitchOn(name, "kim") for name in on}
)


def ruleset(*asked: tuple[Condition, ...]) -> Ruleset:
    routes = [
        Route(RuleId(f"r{position}"), f"routes.yaml:{position}", Plan("p", (HangUp(),)), one)
        for position, one in enumerate((*asked, ()))
    ]
    return Ruleset(routes, GEOGRAPHY, CALENDARS, "0123456789ab")


def case(facts: CallFacts, at: datetime, queue: QueueStates, on: SwitchesOn = ALL_OFF) -> Case:
    """What is asked of the call, put together without the ruleset."""

    def state(name: CalendarName) -> CalendarState:
        if name not in CALENDARS:
            return CalendarState(False, "is not in the rules any more")
        return CalendarState(CALENDARS[name].is_open(at), CALENDARS[name].explain(at))

    caller, dialed = parse(facts.caller), parse(facts.dialed)
    return Case(facts, caller, dialed, GEOGRAPHY.locate(facts, caller, dialed), state, queue, on)


def walk(rules: Ruleset, asked: Case) -> list[str]:
    """What a walk from route to route tells, up to the first that matches."""
    told = []
    for route in rules.routes:
        entry = route.visit(asked)
        told.append(entry.line)
        if entry.matched:
            break
    return told


@pytest.mark.slow
@given(rulesets, st.lists(st.tuples(calls, moments, queues, switches), min_size=1, max_size=5))
def test_the_route_and_its_trace_are_those_of_a_walk_from_route_to_route(
    asked: list[tuple[Condition, ...]],
    came: list[tuple[CallFacts, datetime, Callable[[QueueName], QueueState], SwitchesOn]],
) -> None:
    rules = ruleset(*asked)
    for facts, at, queue, on in came:
        decision = rules.decide(facts, at, queue, on)
        told = walk(rules, case(facts, at, queue, on))
        assert decision.rule == rules.routes[len(told) - 1].rule
        assert len(decision.trace) == len(told)
        assert [entry.line for entry in decision.trace] == told


@pytest.mark.slow
@settings(max_examples=1000)
@given(conditions, calls, moments, queues, switches)
def test_a_route_of_one_condition_takes_the_call_if_the_condition_says_that_it_holds(
    condition: Condition, facts: CallFacts, at: datetime, queue: QueueStates, on: SwitchesOn
) -> None:
    holds = condition.check(case(facts, at, queue, on)).holds
    assert ruleset((condition,)).decide(facts, at, queue, on).rule == ("r0" if holds else "r1")


@pytest.mark.slow
@given(rulesets, calls, moments, queues, switches, st.integers(0, 12))
def test_those_that_came_nearest_missed_the_call_by_one_kind_of_condition(
    asked: list[tuple[Condition, ...]],
    facts: CallFacts,
    at: datetime,
    queue: QueueStates,
    on: SwitchesOn,
    limit: int,
) -> None:
    rules = ruleset(*asked)
    decision = rules.decide(facts, at, queue, on)
    matched = len(decision.trace) - 1
    told = case(facts, at, queue, on)
    minute = rules.index.accepting_time(decision.calendars)
    nearest = rules.index.nearest(told, minute, matched, limit)
    assert nearest == sorted(set(nearest))
    assert len(nearest) <= limit
    for position in nearest:
        assert position < matched
        first_of_kind = {type(one): one for one in reversed(rules.routes[position].conditions)}.values()
        filed = [one for one in first_of_kind if not isinstance(one, Not | QueueIs | SwitchIs)]
        assert sum(not one.check(told).holds for one in filed) <= 1


def call(dialed: str = "120", caller: str = "01012345678", topic: str | None = None) -> CallFacts:
    return CallFacts(dialed, SiteName("hall"), caller, topic=TopicName(topic) if topic else None)


def dialed(number: int) -> DialedIs:
    return DialedIs(frozenset({f"0552{number:06d}"}))


def test_an_explanation_of_many_rules_tells_of_those_that_came_nearest_and_how_many_are_left_out() -> None:
    others = [(dialed(number), TopicIs(frozenset({TopicName("a")}))) for number in range(1000)]
    here = DialedIs(frozenset({"120"}))
    at_night: tuple[Condition, ...] = (here, CalendarOpen((CalendarName("c"),)))
    for_tourists: tuple[Condition, ...] = (here, TopicIs(frozenset({TopicName("b")})))
    crowded: tuple[Condition, ...] = (here, QueueIs(QueueName("a"), Measure.WAITING, Comparison.MORE, 5))
    rules = ruleset(*others[:500], for_tourists, at_night, *others[500:], crowded, (here,))
    decision = rules.decide(call(), NOON)
    assert len(decision.trace) == 1004
    assert decision.explanation.splitlines() == [
        "region gyeongnam (default: a mobile number says nothing of the place)",
        "- r500 [routes.yaml:500] topic not known, not b",
        "- r501 [routes.yaml:501] calendar c closed: opens 18:00, in 6 h",
        "- r1002 [routes.yaml:1002] queue a: waiting 0, not > 5",
        "- 1000 more rules before it that do not hold, which came less near",
        "> r1003 [routes.yaml:1003] dialled 120",
    ]


def test_an_explanation_tells_of_no_more_rules_than_fit_even_if_many_came_near() -> None:
    rules = ruleset(*((dialed(number),) for number in range(100)))
    _, *told, left_out, matched = rules.decide(call(), NOON).explanation.splitlines()
    assert [line.split()[1] for line in told] == [f"r{number}" for number in range(TOLD)]
    assert left_out == f"- {100 - TOLD} more rules before it that do not hold, which came less near"
    assert matched == "> r100 [routes.yaml:100] takes every call"


def test_a_few_rules_are_all_told_of() -> None:
    rules = ruleset(*((dialed(number),) for number in range(TOLD)))
    assert len(rules.decide(call(), NOON).explanation.splitlines()) == 1 + TOLD + 1


def test_a_trace_made_later_tells_of_queues_as_they_were_when_it_was_decided() -> None:
    crowded = QueueIs(QueueName("a"), Measure.WAITING, Comparison.MORE, 5)
    waiting = 3.0
    decision = ruleset((crowded,)).decide(call(), NOON, lambda _: QueueState(waiting=waiting))
    waiting = 9.0
    assert decision.trace[0].why == "queue a: waiting 3, not > 5"
    assert not decision.trace[0].matched


def test_a_queue_is_looked_at_once_for_a_decision_however_many_routes_ask_of_it() -> None:
    looks = []

    def look(name: QueueName) -> QueueState:
        looks.append(name)
        return QueueState(waiting=len(looks))

    crowded = QueueIs(QueueName("a"), Measure.WAITING, Comparison.MORE, 5)
    decision = ruleset(*((crowded,) for _ in range(100)), (RegionIs(frozenset(REGIONS)),)).decide(call(), NOON, look)
    assert decision.rule == "r100"
    assert looks == ["a"]


def test_a_thousand_callers_of_one_list_are_found_whoever_else_is_listed() -> None:
    listed = CallerListed(("vip",), frozenset(f"010{number:08d}" for number in range(1000)))
    rules = ruleset(*((with_one_more(listed, extra),) for extra in range(12)))
    assert rules.decide(call(caller="01000000999"), NOON).rule == "r0"
    assert rules.decide(call(caller="05522500007"), NOON).rule == "r7"
    assert rules.decide(call(caller="01000001000"), NOON).rule == "r12"


def with_one_more(listed: CallerListed, extra: int) -> CallerListed:
    return CallerListed((f"vip-{extra}",), listed.numbers | {f"055225{extra:05d}"})


def test_traces_are_equal_when_they_tell_the_same() -> None:
    rules = ruleset((dialed(1),))
    one, other = rules.decide(call(), NOON), rules.decide(call(), NOON)
    assert one == other
    assert hash(one.trace) == hash(other.trace)
    assert one.trace != rules.decide(call("0552000001"), NOON).trace
    assert one.trace != ()
    assert one.trace[:1] == (one.trace[0],)
    assert repr(one.trace) == "Trace(* routes.yaml:1: r1: takes every call, after 1)"
    assert msgspec.structs.replace(one, topic=TopicName("a")) != other
