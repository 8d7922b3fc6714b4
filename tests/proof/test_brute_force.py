"""The proof agrees with asking the router about any call at any minute: nothing is left out, no minute is off."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callrouter.core.calendars import Calendar, Combined, DatedExceptions, DayException, Hours, Weekly, Window
from callrouter.core.conditions import (
    CalendarOpen,
    CallerIs,
    CallerListed,
    Comparison,
    Condition,
    DialedIs,
    LanguageIs,
    Measure,
    Not,
    QueueIs,
    QueueState,
    SwitchIs,
    TenantIs,
    TrunkIs,
)
from callrouter.core.ids import CalendarName, PromptName, QueueName, SiteName, SwitchName, TenantName, TopicName
from callrouter.core.inbound import CallerKind, CallFacts
from callrouter.core.numbers import _FORMS, parse
from callrouter.core.plan import Choice, If, Menu, Plan, RouteAgain
from callrouter.core.routing import Route, Ruleset
from callrouter.proof.asked import conditions_of
from callrouter.proof.ends import Following
from callrouter.proof.moments import MINUTE
from callrouter.proof.proving import Proof, prove
from tests.proof.centre import CITY, CLOSED, GEOGRAPHY, PLAIN, PROVINCE, TOWN, region, route, rules, serve, topic

NAMES = tuple(map(CalendarName, "abc"))
ZONES = tuple(map(ZoneInfo, ("Asia/Seoul", "Europe/Berlin", "America/New_York", "Africa/Cairo")))
PREFIXES = ("0", "01", "010", "02", "055", "0552", "055225", "0552251", "05533", "1", "12", "1588", "07", "82")
WHOLE = ("120", "110", "0552251234", "01012345678", "0552250120", "+81312345678", "15880000", "16")
WORDS = ("", "t", "u")

minutes = st.integers(0, 1439)
hours = st.builds(lambda start, length: Hours(start, start + length), minutes, st.integers(1, 1440))
windows = st.builds(Window, st.frozensets(st.integers(0, 6), min_size=1), hours)
exceptions = st.dictionaries(
    st.dates(date(2026, 12, 30), date(2028, 1, 2)),
    st.builds(lambda opened: DayException("special", tuple(opened)), st.lists(hours, max_size=2)),
    max_size=6,
).map(DatedExceptions)


@st.composite
def calendars(draw: st.DrawFn) -> dict[CalendarName, Calendar]:
    """Two with hours of their own, and one that is made of them if they share a zone."""
    zone, other = draw(st.sampled_from(ZONES)), draw(st.sampled_from(ZONES))
    made = {
        name: Calendar(name, where, Weekly(where, tuple(draw(st.lists(windows, max_size=3))), draw(exceptions)))
        for name, where in zip(NAMES[:2], (zone, other), strict=True)
    }
    if zone == other:
        made[NAMES[2]] = Calendar(NAMES[2], zone, Combined(any_of=(made[NAMES[0]],), none_of=(made[NAMES[1]],)))
    return made


names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple)
prefixes = st.lists(st.sampled_from(PREFIXES), max_size=3).map(tuple)
whole = st.frozensets(st.sampled_from([parse(number).national for number in WHOLE]), max_size=3)
leaf: st.SearchStrategy[Condition] = st.one_of(
    st.builds(CalendarOpen, names),
    st.builds(CalendarOpen, names),
    st.builds(DialedIs, whole, prefixes),
    st.builds(CallerListed, st.just(("some",)), whole, prefixes),
    st.frozensets(st.sampled_from(CallerKind), min_size=1).map(CallerIs),
    st.sampled_from([region(CITY), region(TOWN), region(PROVINCE, TOWN), TenantIs(frozenset({TenantName("land")}))]),
    st.sampled_from([topic("t"), topic("u"), LanguageIs(frozenset({"t"})), TrunkIs(frozenset({"t", "town-hall"}))]),
    st.builds(QueueIs, st.just(QueueName("q")), st.sampled_from(Measure), st.sampled_from(Comparison), st.just(1.0)),
    st.just(SwitchIs((SwitchName("s"),))),
)
conditions = st.lists(
    st.one_of(leaf, st.lists(leaf, min_size=1, max_size=2).map(lambda some: Not(tuple(some)))), max_size=3
)
ask_topic = Menu(
    PromptName("what"), (Choice("1", topic=TopicName("t")), Choice("2", region=GEOGRAPHY.regions[CITY])), Choice()
)
plans = st.one_of(
    st.sampled_from([CLOSED, serve("q"), Plan("menu", (ask_topic, RouteAgain()))]),
    st.builds(lambda asked: Plan("if", (If(tuple(asked), serve("q"), CLOSED),)), conditions),
)


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    some: list[Route] = [
        route(f"r{number}", *draw(conditions), plan=draw(plans)) for number in range(draw(st.integers(0, 4)))
    ]
    return rules(*some, geography=draw(st.sampled_from([GEOGRAPHY, PLAIN])), calendars=draw(calendars()))


digits = st.text("0123456789", max_size=9)
numbers = st.one_of(
    st.sampled_from(["", "anonymous", "s", *WHOLE]),
    *(st.from_regex(pattern, fullmatch=True) for _, pattern in _FORMS),
    st.builds(lambda prefix, rest: prefix + rest, st.sampled_from([*PREFIXES, "0532", "0502", "+8213", "+49"]), digits),
)
calls = st.builds(
    lambda dialed, caller, trunk, diversion, topic, language: CallFacts(
        dialed, SiteName("hall"), caller, "", trunk, diversion, TopicName(topic) if topic else None, language
    ),
    numbers,
    numbers,
    st.sampled_from(["", "t", "v", "town-hall"]),
    st.sampled_from(["", "0553300120", "0311234567"]),
    st.sampled_from([*WORDS, "v"]),
    st.sampled_from([*WORDS, "v"]),
)


def queues(_: QueueName) -> QueueState:
    return QueueState(2, 1, 1, 30.0)


def told_apart(ruleset: Ruleset, facts: CallFacts, at: datetime) -> tuple[object, ...]:
    """All that any rule can find out about a call, by asking the rules about it."""
    where = ruleset.geography.locate(facts, parse(facts.caller), parse(facts.dialed)).region.name
    asked = [one for one in conditions_of(ruleset.routes) if not isinstance(one, CalendarOpen)]
    return where, *(ruleset.ask((one,), facts, at, queues).holds for one in asked)


def moment_at(proof: Proof, at: datetime) -> int:
    (found,) = [m for m, one in enumerate(proof.moments) for span in one.spans if span.start <= at < span.end]
    return found


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rulesets(), st.sampled_from(ZONES), st.lists(calls, min_size=1, max_size=12), st.data())
def test_the_proof_says_what_the_router_says_of_any_call_at_any_minute(
    ruleset: Ruleset, zone: ZoneInfo, some: list[CallFacts], data: st.DataObject
) -> None:
    proof = prove(ruleset, 2027, zone, queues)
    instants = st.integers(0, proof.year.minutes - 1).map(lambda minute: proof.year.start + minute * MINUTE)
    found = {told_apart(ruleset, kind.facts, proof.year.start): k for k, kind in enumerate(proof.kinds)}
    for facts in some:
        k = found[told_apart(ruleset, facts, proof.year.start)]  # a kind of call that was left out is not there
        for at in data.draw(st.lists(instants, min_size=1, max_size=4)):
            assert proof.answers[k][moment_at(proof, at)] == Following(ruleset, at, queues).answer(facts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rulesets(), st.sampled_from(ZONES))
def test_every_boundary_is_exact_to_the_minute(ruleset: Ruleset, zone: ZoneInfo) -> None:
    proof = prove(ruleset, 2027, zone, queues)
    asked = {name for one in conditions_of(ruleset.routes) if isinstance(one, CalendarOpen) for name in one.calendars}
    edges = 0
    for moment in proof.moments:
        for span in moment.spans[:40]:
            for at in {span.start, span.end - MINUTE, span.start + (span.end - span.start) // 2}:
                held = {name for name in asked if name in ruleset.calendars and ruleset.calendars[name].is_open(at)}
                assert held == moment.open
                edges += 1
            if span.start > proof.year.start:
                before = span.start - timedelta(seconds=1)
                assert proof.moments[moment_at(proof, before)].open != moment.open
    assert edges
    assert sum(moment.minutes for moment in proof.moments) == proof.year.minutes
    assert proof.year.start == datetime(2027, 1, 1, tzinfo=zone).astimezone(UTC)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rulesets())
def test_the_shares_of_the_rules_add_up_to_the_year(ruleset: Ruleset) -> None:
    proof = prove(ruleset, 2027, ZONES[0], queues)
    assert sum(share.cells for share in proof.shares) == proof.cells
    for course in proof.courses:
        timeline = proof.timeline(course)
        assert [span.end for span, _ in timeline][:-1] == [span.start for span, _ in timeline][1:]
        assert (timeline[0][0].start, timeline[-1][0].end) == (proof.year.start, proof.year.end)
        assert all(one != other for (_, one), (_, other) in pairwise(timeline))
