"""Who goes elsewhere by other rules, and when: exactly those who do."""

from datetime import UTC, date, datetime, timedelta

import pytest

from callrouter.config import Loaded
from callrouter.core.ids import SiteName, TopicName
from callrouter.core.inbound import CallFacts
from callrouter.diff import cells as classes
from callrouter.diff.cells import Enumerated, Span, joined
from callrouter.diff.elsewhere import Elsewhere, elsewhere
from callrouter.diff.hours import other_hours
from callrouter.diff.way import Ways
from tests.diff.conftest import Make

TUESDAY = date(2026, 11, 24)
NIGHT = "  - {id: night, when: {calendar: night}, do: [queue: main]}\n  - id: rest\n"


def found(old: Loaded, new: Loaded, days: int = 7) -> list[Elsewhere]:
    return elsewhere(Ways(old), Ways(new), Enumerated(old, new, TUESDAY, days))


def local(hour: int, day: int = 24) -> datetime:
    """In November, in Korea."""
    return datetime(2026, 11, day, tzinfo=UTC) + timedelta(hours=hour - 9)


def test_by_the_same_rules_nobody_does(rules: Make) -> None:
    assert found(rules(), rules()) == []


def test_an_hour_that_is_cut_off_is_told_to_the_minute_for_everybody(rules: Make) -> None:
    old, new = rules(), rules(("calendars.yaml", "day: {open: mon-fri 09:00-18:00", "day: {open: mon-fri 09:00-17:30"))
    (only,) = found(old, new)
    assert (only.old.words, only.new.words) == ("day (queue main)", "rest (announcement closed)")
    assert list(only.spans[:2]) == [
        Span(local(17) + timedelta(minutes=30), local(18)),
        Span(local(17, 25) + timedelta(minutes=30), local(18, 25)),
    ]
    assert len(only.spans) == 5
    assert len(only.callers) == len(Enumerated(old, new, TUESDAY, 7).callers)


def test_a_route_for_one_region_moves_its_callers_alone(rules: Make) -> None:
    special = "routes:\n  - {id: city-first, when: {tenant: city, calendar: day}, do: [announce: closed, hangup]}\n"
    (only,) = found(rules(), rules(("routes.yaml", "routes:\n", special)))
    assert [caller.who for caller in only.callers] == ["caller from city"]
    assert only.is_another_place


def test_a_longer_wait_is_another_way_to_the_same_place(rules: Make) -> None:
    wait = "- {queue: main, max_wait: 5 min}\n      - hangup"
    (only,) = found(rules(), rules(("routes.yaml", "- queue: main", wait)))
    assert not only.is_another_place


def test_another_name_of_a_rule_is_nothing_to_a_caller(rules: Make) -> None:
    assert found(rules(), rules(("routes.yaml", "- id: day", "- id: by-day"))) == []


def test_a_question_within_a_plan_is_answered_at_its_time(rules: Make) -> None:
    asks = "- id: rest\n    do: [{if: {calendar: night}, then: [queue: main], else: [hangup]}]", "- id: rest"
    old = rules(("routes.yaml", "- id: rest\n    do: [{announce: closed}, hangup]", asks[0]))
    new = rules(
        ("routes.yaml", "- id: rest\n    do: [{announce: closed}, hangup]", asks[0]),
        ("calendars.yaml", "mon-fri 18:00-22:00", "mon-fri 18:00-21:00"),
    )
    (only,) = found(old, new)
    assert (only.old.words, only.new.words) == ("rest (queue main)", "rest (hung up)")
    assert only.spans[0] == Span(local(21), local(22))


def test_a_prefix_that_moves_to_another_region_is_a_kind_of_caller_of_its_own(rules: Make) -> None:
    special = "routes:\n  - {id: city-first, when: {region: city}, do: [hangup]}\n"
    city = "city: {title: 창원, tenant: city, place: 창원시"
    old = rules(("routes.yaml", "routes:\n", special))
    new = rules(("routes.yaml", "routes:\n", special), ("regions.yaml", city, f'{city}, prefixes: ["0556339"]'))
    moved = found(old, new)
    assert {caller.who for one in moved for caller in one.callers} == {"caller from province (then city)"}
    assert all(caller.facts.caller == "0556339000" for one in moved for caller in one.callers)


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        ("topic: passport", {"topic": TopicName("passport")}),
        ("dialed: 1330*", {"dialed": "1330"}),
        ("language: en", {"language": "en"}),
        ("trunk: city-hall", {"trunk": "city-hall"}),
        ("caller: foreign", {"caller": "+12025550123"}),
        ("caller: anonymous", {"caller": ""}),
        ("not: {topic: passport}", {"topic": None}),
    ],
)
def test_whatever_routes_ask_of_a_call_there_is_a_caller_for_it(
    rules: Make, condition: str, facts: dict[str, str | None]
) -> None:
    special = f"routes:\n  - {{id: special, when: {{{condition}}}, do: [hangup]}}\n"
    moved = found(rules(), rules(("routes.yaml", "routes:\n", special)), days=1)
    assert moved
    for one in moved:
        for caller in one.callers:
            assert {name: getattr(caller.facts, name) for name in facts} == facts


def test_a_number_that_comes_onto_a_list_is_a_caller_of_its_own(rules: Make) -> None:
    special = "routes:\n  - {id: special, when: {caller_list: press}, do: [hangup]}\n"
    edit = ("routes.yaml", "routes:\n", special)
    lists = "caller_lists: {press: [%s]}\n"
    moved = found(rules(edit, more=lists % "0552251111"), rules(edit, more=lists % "0552251111, 0552252222"), days=1)
    assert {caller.facts.caller for one in moved for caller in one.callers} == {"0552252222"}


def test_a_region_that_no_number_leads_to_is_asked_about_by_its_name(rules: Make) -> None:
    more = "regions: {sea: {title: 바다, tenant: city}}\n"
    callers = Enumerated(rules(more=more), rules(more=more), TUESDAY, 1).callers
    assert [caller.facts.region for caller in callers if caller.facts.region] == [
        "province",
        "sea",
    ]


def test_too_many_kinds_are_asked_about_one_by_one_and_that_is_said(
    rules: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    special = "routes:\n  - {id: special, when: {topic: passport, dialed: 1330}, do: [hangup]}\n"
    new = rules(("routes.yaml", "routes:\n", special))
    assert Enumerated(rules(), new, TUESDAY, 1).complete
    monkeypatch.setattr(classes, "MOST_CALLERS", 10)
    few = Enumerated(rules(), new, TUESDAY, 1)
    assert not few.complete
    assert {caller.who for caller in few.callers if caller.facts.topic} == {"caller from city, topic passport"}


def test_moments_are_the_whole_time_and_nothing_twice(rules: Make) -> None:
    moments = Enumerated(rules(), rules(), TUESDAY, 30).moments
    spans = [span for moment in moments for span in moment.spans]
    assert [*joined(spans)] == [Span(local(0), local(0) + timedelta(days=30))]
    assert sum((span.end - span.start for span in spans), timedelta()) == timedelta(days=30)


def test_in_each_class_of_time_every_minute_decides_alike(rules: Make) -> None:
    old, new = rules(("routes.yaml", "  - id: rest\n", NIGHT)), rules()
    for moment in Enumerated(old, new, TUESDAY, 3).moments:
        for ways in (Ways(old), Ways(new)):
            facts = CallFacts("120", SiteName("hall"), "0552251234")
            first = ways.of(facts, moment.at)
            for span in moment.spans:
                minutes = int((span.end - span.start) / timedelta(minutes=1))
                asked = {0, 1, minutes // 2, minutes - 1}
                assert all(ways.of(facts, span.start + timedelta(minutes=minute)) == first for minute in asked)


def test_days_with_other_hours_are_put_together_by_what_changes(rules: Make) -> None:
    new = rules(
        ("calendars.yaml", "day: {open: mon-fri 09:00-18:00", "day: {open: [mon-thu 09:00-18:00, fri 09:00-17:00]"),
        ("calendars.yaml", "2026-12-25: 성탄절,", "2026-12-25: 성탄절, 2026-11-25: 임시공휴일,"),
    )
    holiday, friday = other_hours(rules(), new, TUESDAY, 7)
    assert (holiday.days, holiday.old, holiday.new) == ((date(2026, 11, 25),), "09:00-18:00", "closed")
    assert (friday.days, friday.old, friday.new) == ((date(2026, 11, 27),), "09:00-18:00", "09:00-17:00")


def test_hours_past_midnight_are_told_on_both_days(rules: Make) -> None:
    new = rules(("calendars.yaml", "mon-fri 18:00-22:00", "tue 18:00-02:00"))
    found = {one.days: (one.old, one.new) for one in other_hours(rules(), new, TUESDAY, 2)}
    assert found == {
        (TUESDAY,): ("18:00-22:00", "18:00-24:00"),
        (date(2026, 11, 25),): ("18:00-22:00", "00:00-02:00"),
    }
