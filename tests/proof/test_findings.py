"""What the proof finds wrong, and what it says of it."""

from dataclasses import replace
from datetime import date

import pytest

from callrouter.core.calendars import DatedExceptions, DayException, Weekly
from callrouter.core.conditions import (
    CallerIs,
    Comparison,
    Condition,
    Measure,
    Not,
    QueueIs,
    RegionFrom,
    SwitchIs,
    TenantIs,
)
from callrouter.core.ids import AgentId, PromptName, QueueName, RegionName, SiteName, SwitchName, TenantName, TopicName
from callrouter.core.inbound import CallerKind, RegionSource
from callrouter.core.plan import Choice, HangUp, Menu, Plan, RouteAgain
from callrouter.core.routing import Route
from callrouter.core.rulebook import AgentSpec, QueueSpec, Rulebook
from callrouter.core.switches import SwitchOn
from callrouter.proof import proving
from callrouter.proof.findings import findings, last_resort, surprise_texts
from callrouter.proof.kinds import Chosen, words_of
from callrouter.proof.proving import Proof, TooManyKindsError, prove
from tests.proof.centre import (
    CALENDARS,
    CITY,
    DAY,
    GEOGRAPHY,
    NIGHT,
    PLAIN,
    SEOUL,
    TOWN,
    opened,
    region,
    route,
    rules,
    serve,
    topic,
)

MAIN = QueueName("main")
WAITING = QueueIs(MAIN, Measure.WAITING, Comparison.MORE, 3)


def book(proof: Proof, *queues: str) -> Rulebook:
    """A rulebook with one agent, who serves these queues."""
    names = tuple(map(QueueName, queues))
    agent = AgentSpec(AgentId("201"), "상담사", SiteName("hall"), "PJSIP/201", names, TenantName("land"))
    specs = {name: QueueSpec(name, name) for name in {*names, MAIN}}
    return Rulebook("0123456789ab", proof.rules, specs, {agent.id: agent})


def proved(*routes: Route, chosen: Chosen | None = None) -> Proof:
    return prove(rules(*routes), 2027, SEOUL, chosen=chosen)


def faults(*routes: Route) -> list[str]:
    proof = proved(*routes)
    return [str(one) for one in findings(proof, book(proof, "main"))]


def test_a_rule_without_calls_is_found_with_those_that_take_them() -> None:
    assert faults(
        route("city", region(CITY), line=1),
        route("landlines", CallerIs(frozenset({CallerKind.LANDLINE})), line=2),
        route("city-landlines", region(CITY), CallerIs(frozenset({CallerKind.LANDLINE})), line=3),
        route("towns", region(CITY, TOWN), plan=serve("main"), line=4),
    ) == [
        "routes.yaml:3: city-landlines never takes a call in 2027: city takes all of its calls;"
        " move it up, mend its conditions, or take it out",
        "routes.yaml:4: towns never takes a call in 2027: city and landlines take all of its calls;"
        " move it up, mend its conditions, or take it out",
    ]


def test_a_rule_whose_conditions_never_hold_together_is_found() -> None:
    (fault,) = faults(route("both", opened(DAY), opened(NIGHT), line=7))
    assert fault.startswith("routes.yaml:7: both never takes a call in 2027: its conditions never hold together;")


def test_the_last_route_may_be_left_without_calls() -> None:
    assert faults(route("all", Not((opened(DAY), opened(NIGHT))))) == []


def test_a_rule_that_waits_for_a_crowd_is_no_fault_but_one_that_waits_in_vain_is() -> None:
    crowded = route("crowded", WAITING)
    proof = proved(crowded, route("never", Not((WAITING,)), opened(DAY), opened(NIGHT)))
    assert proof.normal == ("queue main: waiting 0, not > 3",)
    assert (crowded.rule in proof.taking, crowded.rule in proof.supposed) == (False, True)
    (fault,) = findings(proof, book(proof, "main"))
    assert fault.message == "never never takes a call in 2027: its conditions never hold together"


def test_a_rule_that_waits_for_a_switch_is_no_fault_and_switches_are_off() -> None:
    storm = route("storm", SwitchIs((SwitchName("typhoon"),)))
    proof = proved(storm)
    assert proof.normal == ("switch typhoon off",)
    assert (storm.rule in proof.taking, storm.rule in proof.supposed) == (False, True)
    assert findings(proof, book(proof, "main")) == ()


def test_of_many_such_conditions_each_is_supposed_alone() -> None:
    many: list[Condition] = [QueueIs(MAIN, Measure.WAITING, Comparison.MORE, limit) for limit in range(9)]
    proof = proved(
        *(route(f"r{number}", one) for number, one in enumerate(many)),
        route("calm", *(Not((one,)) for one in many)),
    )
    assert {"r0", "r8"} <= proof.supposed
    assert "calm" in proof.taking


def test_a_rule_that_only_a_menu_leads_to_is_not_idle() -> None:
    menu = Menu(PromptName("where"), (Choice("1", region=GEOGRAPHY.regions[CITY]),), Choice(topic=TopicName("t")))
    nowhere = replace(PLAIN, plan=type(PLAIN.plan)({}))
    routes = (
        route("city", region(CITY)),
        route("topic", topic("t")),
        route("menu", plan=Plan("menu", (menu, RouteAgain()))),
    )
    proof = prove(rules(*routes, geography=nowhere), 2027, SEOUL)
    assert findings(proof, book(proof)) == ()
    assert proof.unheard == (CITY, TOWN)


def test_a_switch_that_is_on_is_on_all_year() -> None:
    typhoon = SwitchName("typhoon")
    ruled = rules(route("storm", SwitchIs((typhoon,))), route("calm", plan=serve("main")))
    assert prove(ruled, 2027, SEOUL).taking == {"calm"}
    stormy = prove(ruled, 2027, SEOUL, switches={typhoon: SwitchOn(typhoon)})
    assert stormy.taking == {"storm"}
    assert [words.split()[:3] for words in stormy.normal] == [["switch", "typhoon", "on"]]


def test_a_rule_for_remembered_callers_is_not_idle_where_callers_are_asked_for_their_consent() -> None:
    where = Menu(PromptName("where"), (Choice("1", region=GEOGRAPHY.regions[CITY]),), Choice())
    consent = Menu(PromptName("may-we"), (Choice("1", remember_s=86_400.0),), Choice())
    known = route("known", RegionFrom(frozenset({RegionSource.REMEMBERED})), region(CITY))
    asking = prove(rules(known, route("ask", plan=Plan("ask", (where, consent, HangUp())))), 2027, SEOUL)
    assert "known" in asking.taking
    silent = prove(rules(known, route("ask", plan=Plan("ask", (where, HangUp())))), 2027, SEOUL)
    assert "known" not in silent.taking


def test_a_call_that_would_meet_a_rule_again_is_found_with_an_example() -> None:
    menu = Menu(PromptName("what"), (Choice("1", topic=TopicName("t")),), Choice())
    (fault,) = faults(route("topic", topic("t")), route("menu", plan=Plan("menu", (menu, RouteAgain())), line=5))
    assert fault == (
        "routes.yaml:5: menu takes a call again, which then goes to the fallback (Fri 2027-01-01 00:00, no place known,"
        " landline 02-200-0000, dialled 120); let every answer before route: again lead to another route"
    )


def test_a_queue_that_nobody_serves_is_found_with_the_time_in_which_it_is_reached() -> None:
    proof = proved(route("day", opened(DAY), plan=serve("empty")))
    (fault,) = findings(proof, book(proof, "main"))
    assert fault.message == "no agent serves the queue empty, to which day leads callers in 2349 h of the year"


def test_holidays_that_are_not_known_to_the_end_of_the_year_are_no_proof() -> None:
    for last, count in ((date(2027, 12, 30), 1), (date(2027, 12, 31), 0)):
        known = {**CALENDARS, DAY: replace(CALENDARS[DAY], holidays_end=last)}
        proof = prove(rules(route("day", opened(DAY)), calendars=known), 2027, SEOUL)
        assert len(findings(proof, book(proof))) == count


def test_what_falls_to_the_last_route_is_told_once_for_each_course() -> None:
    proof = proved(route("city", region(CITY)), route("town", region(TOWN), opened(DAY)))
    assert [one.message for one in last_resort(proof)] == [
        "calls fall to rest in 8760 h of the year, first Fri 2027-01-01 00:00, no place known, landline 02-200-0000,"
        " dialled 120",
        "calls fall to rest in 6411 h of the year, first Fri 2027-01-01 00:00, town, landline 055-330-0000,"
        " dialled 120",
    ]


def test_a_holiday_is_a_surprise_with_its_reason_and_a_weekend_is_none() -> None:
    holiday = DatedExceptions({date(2027, 2, 9): DayException("설날 대체 휴일")})
    calendar = replace(CALENDARS[DAY], schedule=replace(CALENDARS[DAY].schedule, exceptions=holiday))  # type: ignore[type-var]
    assert isinstance(calendar.schedule, Weekly)
    proof = prove(rules(route("city-day", region(CITY), opened(DAY)), calendars={DAY: calendar}), 2027, SEOUL)
    assert surprise_texts(proof) == ["Tue 2027-02-09 12:00, city → rest (else city-day): 설날 대체 휴일"]


def test_of_chosen_calls_nothing_is_concluded_that_is_true_of_all_only() -> None:
    routes = (route("city", region(CITY)), route("town", region(TOWN)))
    proof = proved(*routes, chosen=Chosen(region=RegionName("town")))
    assert {kind.origin.region.name for kind in proof.kinds} == {TOWN}
    assert (findings(proof, book(proof)), proof.unheard) == ((), ())
    assert {kind.facts.dialed for kind in proved(*routes, chosen=Chosen(dialed="110")).kinds} == {"110"}


def test_more_than_anyone_waits_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "MOST_DECISIONS", 10)
    with pytest.raises(TooManyKindsError, match=r"20 kinds of call at 1 moments takes more than 10 decisions; choose"):
        proved(route("topics", topic("t")))


def test_a_course_is_called_by_what_tells_it_from_the_others() -> None:
    of = proved(route("a", topic("t")), route("b", TenantIs(frozenset({TenantName("city")})))).kinds
    city = [kind for kind in of if kind.origin.region.name == CITY]
    about = [kind for kind in of if kind.facts.topic]
    assert words_of(city, of) == "city"
    assert words_of([kind for kind in of if kind not in city], of) == "all but city"
    assert words_of(about, of) == "topic t"
    assert words_of([kind for kind in about if kind in city], of) == "city; topic t"
    assert words_of(of, of) == "every call"
    assert words_of([*about, city[0]], of).startswith("some of: every call, such as ")


def test_what_rules_do_not_know_is_called_so() -> None:
    of = proved(*(route(f"r{name}", topic(name)) for name in "abcde")).kinds

    def words(*topics: str) -> str:
        return words_of([kind for kind in of if (kind.facts.topic or "") in topics], of)

    assert words("") == "no known topic"
    assert words(*"abcde") == "any known topic"
    assert words("a", "b", "") == "no known topic or topic a or topic b"
    assert words("a", "b", "c", "d", "") == "topic all but e"
    assert words(*"abcd") == "topic all but none and e"
