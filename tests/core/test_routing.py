"""The decision: which route takes a call, and the trace of why."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.calendars import Calendar, Hours, Weekly, Window
from callrouter.core.conditions import (
    CalendarOpen,
    CallerIs,
    CallerListed,
    Comparison,
    Condition,
    DialedIs,
    Finding,
    LanguageIs,
    Measure,
    Not,
    QueueIs,
    QueueState,
    RegionIs,
    TenantIs,
    TopicIs,
    TrunkIs,
)
from callrouter.core.decision import Action
from callrouter.core.geography import Geography, Region
from callrouter.core.ids import CalendarName, PromptName, QueueName, RegionName, RuleId, SiteName, TenantName, TopicName
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.numbering_plan import Confidence, NumberingPlan, Place
from callrouter.core.plan import Announce, Choice, EnterQueue, HangUp, If, Menu, Plan, RouteAgain, walk
from callrouter.core.routing import Route, Ruleset

SEOUL = ZoneInfo("Asia/Seoul")
PROVINCE, CHANGWON, GIMHAE = RegionName("gyeongnam"), RegionName("changwon"), RegionName("gimhae")
DAY, NIGHT = CalendarName("day"), CalendarName("night")


def weekdays(name: CalendarName, start: int, end: int) -> Calendar:
    window = Window(frozenset(range(5)), Hours(start * 60, end * 60))
    return Calendar(name, SEOUL, Weekly(SEOUL, (window,)))


CALENDARS = {DAY: weekdays(DAY, 9, 18), NIGHT: weekdays(NIGHT, 18, 22)}
GEOGRAPHY = Geography(
    regions={
        PROVINCE: Region(PROVINCE, "경남", TenantName("gyeongnam")),
        CHANGWON: Region(CHANGWON, "창원", TenantName("changwon")),
        GIMHAE: Region(GIMHAE, "김해", TenantName("gyeongnam")),
    },
    default=PROVINCE,
    by_dialed={"0552250120": CHANGWON},
    by_trunk={"gimhae-hall": GIMHAE},
    by_diversion={"0553300120": GIMHAE},
    plan=NumberingPlan(
        {
            "055225": Place(CHANGWON, Confidence.STRONG),
            "05533": Place(GIMHAE, Confidence.FAIR),
            "055249": Place(CHANGWON, Confidence.WEAK, "one sample says otherwise"),
        }
    ),
)
CLOSED = Plan("closed", (Announce(PromptName("closed")), HangUp()))


def serve(queue: str) -> Plan:
    return Plan(queue, (EnterQueue(QueueName(queue)),))


def route(rule: str, *conditions: Condition, plan: Plan = CLOSED, line: int = 1) -> Route:
    return Route(RuleId(rule), f"routes.yaml:{line}", plan, conditions)


def ruleset(*routes: Route) -> Ruleset:
    return Ruleset(routes, GEOGRAPHY, CALENDARS, "0123456789ab")


def call(caller: str = "0552251234", dialed: str = "120", trunk: str = "", topic: str | None = None) -> CallFacts:
    return CallFacts(dialed, SiteName("hall"), caller, trunk=trunk, topic=TopicName(topic) if topic else None)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


NOON = at("2026-11-24T12:00")
CHANGWON_ROUTES = ruleset(
    route("changwon-day", TenantIs(frozenset({TenantName("changwon")})), CalendarOpen((DAY,)), plan=serve("c"), line=3),
    route(
        "changwon-night", TenantIs(frozenset({TenantName("changwon")})), CalendarOpen((NIGHT,)), plan=serve("c"), line=9
    ),
    route("day", CalendarOpen((DAY, NIGHT)), plan=serve("g"), line=14),
    route("closed", line=20),
)


@pytest.mark.parametrize(
    ("caller", "moment", "rule"),
    [
        ("0552251234", "2026-11-24T09:00", "changwon-day"),
        ("0552251234", "2026-11-24T17:59:59.999", "changwon-day"),
        ("0552251234", "2026-11-24T18:00", "changwon-night"),
        ("0552251234", "2026-11-24T22:00", "closed"),
        ("0553341234", "2026-11-24T12:00", "day"),
        ("01023456789", "2026-11-24T20:00", "day"),
        ("anonymous", "2026-11-28T12:00", "closed"),
    ],
)
def test_region_and_time_of_day_choose_the_route(caller: str, moment: str, rule: str) -> None:
    assert CHANGWON_ROUTES.decide(call(caller), at(moment)).rule == rule


def test_the_trace_has_an_entry_for_each_route_that_was_visited_and_none_after_the_match() -> None:
    decision = CHANGWON_ROUTES.decide(call(), at("2026-11-24T18:10"))
    assert [(entry.where, entry.rule, entry.matched, entry.why) for entry in decision.trace] == [
        ("routes.yaml:3", "changwon-day", False, "calendar day closed: opens Wed 09:00, in 14 h 50 min"),
        (
            "routes.yaml:9",
            "changwon-night",
            True,
            "tenant changwon; calendar night open until 22:00, for 3 h 50 min",
        ),
    ]


def test_a_decision_says_all_that_was_found_out() -> None:
    decision = CHANGWON_ROUTES.decide(call(topic="passport"), NOON)
    assert (decision.region, decision.region_title, decision.tenant) == ("changwon", "창원", "changwon")
    assert decision.region_source is RegionSource.EXCHANGE
    assert decision.extra == {"region_confidence": "strong", "region_why": "exchange 055225"}
    assert decision.caller_kind is CallerKind.LANDLINE
    assert decision.topic == "passport"
    assert decision.calendars == ("day",)
    assert decision.config_hash == "0123456789ab"
    assert (decision.action, decision.target) == (Action.QUEUE, "c")


def test_the_catch_all_says_that_it_takes_every_call() -> None:
    decision = CHANGWON_ROUTES.decide(call(), at("2026-11-28T12:00"))
    assert decision.trace[-1].why == "takes every call"
    assert decision.closed


@pytest.mark.parametrize(
    ("facts", "region", "source", "confidence", "why"),
    [
        (call("0553341234", "055-225-0120", "gimhae-hall"), CHANGWON, "dialed", "certain", "dialled 0552250120"),
        (call("0552251234", trunk="gimhae-hall"), GIMHAE, "trunk", "certain", "came in by gimhae-hall"),
        (replace(call(), region=GIMHAE), GIMHAE, "menu", "certain", "the caller said so"),
        (replace(call(), diversion="+82-55-330-0120"), GIMHAE, "diversion", "certain", "diverted from 0553300120"),
        (replace(call(), diversion="0551111111"), CHANGWON, "exchange", "strong", "exchange 055225"),
        (call("0552491234"), CHANGWON, "exchange", "weak", "exchange 055249, one sample says otherwise"),
        (call("0559991234"), PROVINCE, "default", "weak", "an unknown exchange says nothing of the place"),
        (call("01023456789"), PROVINCE, "default", "weak", "a mobile number says nothing of the place"),
        (call(""), PROVINCE, "default", "weak", "a withheld number says nothing of the place"),
        (call("055120"), PROVINCE, "default", "weak", "an office's service number says nothing of the place"),
    ],
)
def test_the_region_comes_from_the_best_source_there_is(
    facts: CallFacts, region: RegionName, source: str, confidence: str, why: str
) -> None:
    decision = CHANGWON_ROUTES.decide(facts, NOON)
    assert (decision.region, decision.region_source) == (region, source)
    assert decision.extra == {"region_confidence": confidence, "region_why": why}


@pytest.mark.parametrize(
    ("condition", "facts", "holds", "why"),
    [
        (DialedIs(frozenset({"120"})), call(), True, "dialled 120"),
        (DialedIs(frozenset({"055120"})), call(dialed="+8255120"), True, "dialled 055120"),
        (DialedIs(frozenset({"110"}), ("055",)), call(), False, "dialled 120, not 055* or 110"),
        (DialedIs(prefixes=("0552",)), call(dialed="0552250120"), True, "dialled 0552250120"),
        (DialedIs(frozenset({"120"})), call(dialed=""), False, "dialled nothing, not 120"),
        (DialedIs(frozenset({"*55"})), call(dialed="*55"), True, "dialled *55"),
        (RegionIs(frozenset({CHANGWON})), call(), True, "region changwon"),
        (RegionIs(frozenset({GIMHAE, PROVINCE})), call(), False, "region changwon, not gimhae or gyeongnam"),
        (TenantIs(frozenset({TenantName("gyeongnam")})), call(), False, "tenant changwon, not gyeongnam"),
        (CallerIs(frozenset({CallerKind.LANDLINE})), call(), True, "caller landline"),
        (CallerIs(frozenset({CallerKind.FOREIGN})), call(""), False, "caller anonymous, not foreign"),
        (TopicIs(frozenset({TopicName("passport")})), call(topic="passport"), True, "topic passport"),
        (TopicIs(frozenset({TopicName("passport")})), call(), False, "topic not known, not passport"),
        (LanguageIs(frozenset({"en"})), replace(call(), language="en"), True, "language en"),
        (LanguageIs(frozenset({"en"})), call(), False, "language not known, not en"),
        (CallerListed(("vip",), frozenset({"0552251234"})), call("+82552251234"), True, "caller in vip"),
        (CallerListed(("vip", "press"), prefixes=("05522",)), call(), True, "caller in press or vip"),
        (CallerListed(("vip",), frozenset({"0552251234"}), ("010",)), call("0559991234"), False, "caller not in vip"),
        (CallerListed(("vip",), prefixes=("",)), call(""), False, "caller not in vip"),
        (TrunkIs(frozenset({"kt"})), call(trunk="kt"), True, "trunk kt"),
        (TrunkIs(frozenset("abcde")), call(trunk="kt"), False, "trunk kt, not one of 5"),
        (CalendarOpen((NIGHT, DAY)), call(), True, "calendar day open until 18:00, for 6 h"),
        (CalendarOpen((NIGHT,)), call(), False, "calendar night closed: opens 18:00, in 6 h"),
        (Not((RegionIs(frozenset({CHANGWON})),)), call(), False, "excluded: region changwon"),
        (Not((RegionIs(frozenset({GIMHAE})),)), call(), True, "not so: region changwon, not gimhae"),
        (
            Not((RegionIs(frozenset({CHANGWON})), CallerIs(frozenset({CallerKind.MOBILE})))),
            call(),
            True,
            "not so: caller landline, not mobile",
        ),
    ],
)
def test_each_condition_says_why_it_holds_or_not(condition: Condition, facts: CallFacts, holds: bool, why: str) -> None:
    entry = ruleset(route("asked", condition), route("rest")).decide(facts, NOON).trace[0]
    assert (entry.matched, entry.why) == (holds, why)


BUSY_DESK = QueueState(agents=3, available=0, waiting=12, longest_wait_s=95.0)


@pytest.mark.parametrize(
    ("measure", "comparison", "limit", "holds", "why"),
    [
        ("agents", "<", 3, False, "queue desk: agents 3, not < 3"),
        ("agents", "<=", 3, True, "queue desk: agents 3 <= 3"),
        ("available", "=", 0, True, "queue desk: available 0 = 0"),
        ("waiting", ">=", 12, True, "queue desk: waiting 12 >= 12"),
        ("waiting", ">", 12, False, "queue desk: waiting 12, not > 12"),
        ("longest-wait", ">", 90, True, "queue desk: longest-wait 95 > 90"),
    ],
)
def test_a_queues_state_is_asked_of_the_moment(
    measure: str, comparison: str, limit: float, holds: bool, why: str
) -> None:
    condition = QueueIs(QueueName("desk"), Measure(measure), Comparison(comparison), limit)
    rules = ruleset(route("asked", condition), route("rest"))
    entry = rules.decide(call(), NOON, lambda name: BUSY_DESK if name == "desk" else QueueState()).trace[0]
    assert (entry.matched, entry.why) == (holds, why)


def test_where_nothing_is_known_of_queues_nobody_waits_and_nobody_is_there() -> None:
    condition = QueueIs(QueueName("desk"), Measure.AGENTS, Comparison.LESS, 1)
    assert ruleset(route("asked", condition), route("rest")).decide(call(), NOON).rule == "asked"


def test_conditions_can_be_asked_by_themselves_and_a_calendar_that_is_no_more_is_closed() -> None:
    rules = ruleset(*CHANGWON_ROUTES.routes)
    assert rules.ask((CalendarOpen((DAY,)), RegionIs(frozenset({CHANGWON}))), call(), NOON) == Finding(
        True, "calendar day open until 18:00, for 6 h; region changwon"
    )
    gone = rules.ask((CalendarOpen((CalendarName("gone"),)),), call(), NOON)
    assert gone == Finding(False, "calendar gone is not in the rules any more")


def test_a_plan_that_asks_first_is_for_the_daemon_alone() -> None:
    menu = Menu(PromptName("ask"), (Choice("1", plan=serve("c")),), default=Choice(plan=CLOSED))
    first = Plan("menu", (Announce(PromptName("welcome")), menu))
    later = Plan("later", (EnterQueue(QueueName("c"), 60.0), menu))
    assert ruleset(route("all", plan=first)).decide(call(), NOON).action is Action.DAEMON
    assert ruleset(route("all", plan=later)).decide(call(), NOON).action is Action.QUEUE


def test_a_walk_through_a_plan_meets_every_step_of_every_branch() -> None:
    question = If((), then=serve("a"), otherwise=CLOSED)
    menu = Menu(PromptName("ask"), (Choice("1", plan=Plan("q", (question,))), Choice("2")), default=Choice())
    plan = Plan("whole", (menu, HangUp()))
    assert [type(step).__name__ for step in walk(plan)] == ["Menu", "If", "EnterQueue", "Announce", "HangUp", "HangUp"]


def test_a_plan_must_end_whatever_is_chosen() -> None:
    with pytest.raises(ValueError, match="does not end"):
        Plan("p", (If((), then=serve("a")),))
    with pytest.raises(ValueError, match="does not end"):
        Plan("p", (Menu(PromptName("ask"), (Choice("1", plan=CLOSED),), default=Choice()),))
    assert Plan("p", (RouteAgain(),)).steps


def test_the_last_route_must_take_every_call() -> None:
    with pytest.raises(ValueError, match="last route"):
        ruleset(route("only", RegionIs(frozenset({CHANGWON}))))
    with pytest.raises(ValueError, match="last route"):
        ruleset()


def test_what_calendars_say_is_the_same_whichever_second_of_the_minute_asked_first() -> None:
    late = ruleset(*CHANGWON_ROUTES.routes).decide(call(), at("2026-11-24T17:56:59"))
    early = ruleset(*CHANGWON_ROUTES.routes)
    early.decide(call(), at("2026-11-24T17:56:00"))
    assert early.decide(call(), at("2026-11-24T17:56:59")).trace == late.trace


def test_a_decision_can_be_asked_for_times_in_any_order() -> None:
    rules = ruleset(*CHANGWON_ROUTES.routes)
    assert [rules.decide(call(), moment).rule for moment in (NOON, at("2026-11-24T19:00"), NOON)] == [
        "changwon-day",
        "changwon-night",
        "changwon-day",
    ]


anything = st.text(max_size=30) | st.sampled_from(["0552251234", "120", "+12125550123", "01012345678", ""])


@given(
    st.builds(
        CallFacts,
        dialed=anything,
        site=st.just(SiteName("hall")),
        caller=anything,
        caller_name=anything,
        trunk=anything,
        diversion=anything,
        topic=st.none() | anything.map(TopicName),
        language=anything,
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_call_at_every_time_gets_a_decision(facts: CallFacts, moment: datetime) -> None:
    decision = CHANGWON_ROUTES.decide(facts, moment)
    assert decision.trace[-1].matched
    assert decision.trace[-1].rule == decision.rule
    assert [entry.rule for entry in decision.trace] == [r.rule for r in CHANGWON_ROUTES.routes[: len(decision.trace)]]
    assert not any(entry.matched for entry in decision.trace[:-1])
    assert decision.plan.steps
    again = ruleset(*CHANGWON_ROUTES.routes).decide(facts, moment)
    assert again == decision
