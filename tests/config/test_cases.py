"""Golden cases: what they are, and that nobody but the router decides them."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.config import load
from callrouter.config.case_model import Expectation
from callrouter.config.cases import Case, case_files, compile_cases, read_cases, run_cases
from callrouter.config.problems import Place, Problems
from callrouter.config.review import review
from callrouter.core.decision import Action, Decision
from callrouter.core.ids import SiteName
from callrouter.core.inbound import CallFacts, RegionSource
from callrouter.core.routing import Ruleset

SAMPLE = Path(__file__).parents[2] / "config"
BASE = Path(__file__).parents[1] / "bad_config" / "base"
SECRETS = {"TEST_PASSWORD": "x"}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A writable copy of the small configuration."""
    return shutil.copytree(BASE, tmp_path / "config")


def compiled(folder: Path, text: str) -> tuple[tuple[Case, ...], list[str]]:
    """The sound cases of ``text`` for the configuration in ``folder``, and the faults."""
    (folder / "routes-test.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    cases = compile_cases(read_cases(case_files(folder), problems), load(folder, SECRETS), problems)
    return cases, [str(problem) for problem in problems.errors]


class TestTheSample:
    def test_holds_every_one_of_its_cases(self) -> None:
        found = review(SAMPLE, {})
        assert [str(outcome) for outcome in found.failed] == []
        assert found.is_fine
        assert len(found.outcomes) > 60

    def test_has_cases_for_each_rule_kind_of_caller_and_minute_that_matters(self) -> None:
        outcomes = review(SAMPLE, {}).outcomes
        loaded = load(SAMPLE, {})
        assert {o.decision.rule for o in outcomes} == {route.id for route in loaded.model.routes}
        assert {o.decision.caller_kind.value for o in outcomes} == {
            *("landline", "mobile", "internet", "personal", "service", "foreign", "anonymous", "unknown")
        }
        clocks = {f"{o.case.at:%H:%M}" for o in outcomes}
        assert {"08:59", "09:00", "17:59", "18:00", "21:59", "22:00"} <= clocks
        assert {o.case.facts.dialed for o in outcomes} >= {"120", "055120"}

    def test_loses_a_case_as_soon_as_a_rule_changes(self, tmp_path: Path) -> None:
        folder = shutil.copytree(SAMPLE, tmp_path / "config")
        calendars = folder / "calendars.yaml"
        text = calendars.read_text(encoding="utf-8")
        assert "mon-fri 18:00-22:00" in text
        calendars.write_text(text.replace("mon-fri 18:00-22:00", "mon-fri 18:00-21:00"), encoding="utf-8")
        found = review(folder, {})
        assert {outcome.case.name for outcome in found.failed} >= {"창원 21:59", "진주 21:59", "금요일 21:59"}
        assert not found.is_fine
        # What is right stays right: only the last hour of the evening has changed.
        assert all(outcome.case.at.hour == 21 for outcome in found.failed)


class TestACase:
    def test_says_all_that_the_router_is_asked(self, base: Path) -> None:
        (base / "trunks.yaml").write_text("trunks: {hall: {channels: 3}, kt: {channels: 10, endpoints: [pstn, isdn]}}")
        cases, faults = compiled(
            base,
            """
cases:
  - {name: a, from: 055-225-1234, to: 055120, at: 2026-11-24T19:30:15, topic: passport, trunk: kt, expect: {rule: day}}
  - {name: b, at: 2026-11-24 10:30Z, trunk: isdn, expect: {rule: day}}
  - {name: c, at: 2026-11-24T10:30-05:00, trunk: hall, expect: {rule: day}}
  - {name: d, at: 2026-11-24T10:30Z, diversion: 0552251234, language: en, region: city, expect: {rule: day}}
""",
        )
        assert faults == []
        assert [case.facts for case in cases] == [
            CallFacts("055120", "hall", "055-225-1234", trunk="pstn", topic="passport"),  # type: ignore[arg-type]
            CallFacts("120", "hall", trunk="isdn"),  # type: ignore[arg-type]
            CallFacts("120", "hall", trunk="hall"),  # type: ignore[arg-type]
            CallFacts("120", "hall", diversion="0552251234", language="en", region="city"),  # type: ignore[arg-type]
        ]
        assert [case.at for case in cases] == [
            datetime(2026, 11, 24, 19, 30, 15, tzinfo=ZoneInfo("Asia/Seoul")),
            datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
            datetime(2026, 11, 24, 15, 30, tzinfo=UTC),
            datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
        ]

    def test_says_how_queues_stand_and_else_all_counselors_are_free(self, base: Path) -> None:
        (base / "routes.yaml").write_text(
            """
routes:
  - {id: full, when: {queue: {name: main, available: "< 1"}}, do: [{announce: closed}, hangup]}
  - {id: long, when: {queue: {name: main, longest_wait: "> 5 min"}}, do: [{announce: closed}, hangup]}
  - {id: many, when: {queue: {name: main, waiting: ">= 10"}}, do: [{announce: closed}, hangup]}
  - {id: rest, do: [{announce: welcome}, {queue: main}]}
"""
        )
        cases, faults = compiled(
            base,
            """
cases:
  - {name: a, at: 2026-11-24T10:00, expect: {rule: rest}}
  - {name: b, at: 2026-11-24T10:00, queues: {main: {available: 0}}, expect: {rule: full}}
  - {name: c, at: 2026-11-24T10:00, queues: {main: {agents: 0}}, expect: {rule: full}}
  - {name: d, at: 2026-11-24T10:00, queues: {main: {waiting: 10}}, expect: {rule: many}}
  - {name: e, at: 2026-11-24T10:00, queues: {main: {waiting: 1, longest_wait: 6 min}}, expect: {rule: long}}
  - {name: f, at: 2026-11-24T10:00, queues: {mian: {waiting: 1}}, expect: {rule: long}}
""",
        )
        assert faults == ['routes-test.yaml:8:46: unknown queue "mian"; did you mean "main"?']
        outcomes = run_cases(cases, load(base, SECRETS).rulebook.router)
        assert [str(outcome) for outcome in outcomes if not outcome.holds] == []
        assert len(outcomes) == 5

    def test_at_a_time_that_the_clock_skips_is_a_fault_and_at_one_that_comes_twice_means_the_first(
        self, base: Path
    ) -> None:
        (base / "more.yaml").write_text("timezone: Europe/Berlin")
        cases, faults = compiled(
            base,
            """
cases:
  - {name: spring, at: 2027-03-28T02:30, expect: {rule: day}}
  - {name: autumn, at: 2027-10-31T02:30, expect: {rule: day}}
  - {name: autumn again, at: 2027-10-31T02:30+01:00, expect: {rule: day}}
""",
        )
        assert faults == [
            "routes-test.yaml:3:24: 2027-03-28T02:30 never comes in Europe/Berlin: the clock is put forward over it; "
            "write another time, or one with an offset"
        ]
        first, second = (case.at.astimezone(UTC) for case in cases)
        assert second - first == timedelta(hours=1)

    def test_holds_whatever_is_not_written(self, base: Path) -> None:
        cases, _ = compiled(base, "cases: [{name: a, at: 2026-11-24T10:00, expect: {tenant: province}}]")
        (outcome,) = run_cases(cases, load(base, SECRETS).rulebook.router)
        assert outcome.holds
        assert str(outcome) == 'routes-test.yaml:1:16: "a": holds'

    def test_with_steps_wants_the_whole_plan(self, base: Path) -> None:
        at = "at: 2026-11-24T10:00"
        cases, faults = compiled(
            base,
            f"""
cases:
  - {{name: same, {at}, expect: {{steps: [announce: welcome, queue: main]}}}}
  - {{name: shorter, {at}, expect: {{steps: [queue: main]}}}}
  - {{name: longer, {at}, expect: {{steps: [announce: welcome, {{queue: main, max_wait: 1 min}}, hangup]}}}}
""",
        )
        assert faults == []
        outcomes = run_cases(cases, load(base, SECRETS).rulebook.router)
        assert [[str(difference) for difference in outcome.differences] for outcome in outcomes] == [
            [],
            ["step 1: expected queue main, got announce welcome"],
            ["step 2: expected queue main (max_wait_s 60), got queue main"],
        ]


def test_cases_are_decided_by_the_router_that_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[CallFacts, datetime]] = []
    decisions: list[Decision] = []
    decide = Ruleset.decide

    def noted(self: Ruleset, facts: CallFacts, at: datetime, *more: Any) -> Decision:
        asked.append((facts, at))
        decisions.append(decide(self, facts, at, *more))
        return decisions[-1]

    monkeypatch.setattr(Ruleset, "decide", noted)
    outcomes = review(SAMPLE, {}).outcomes
    assert asked == [(outcome.case.facts, outcome.case.at) for outcome in outcomes]
    assert [id(outcome.decision) for outcome in outcomes] == [id(decision) for decision in decisions]
    assert all(outcome.decision.trace for outcome in outcomes)


LOADED = load(SAMPLE, {})
RULES = [str(route.id) for route in LOADED.model.routes]
PLACE = Place("routes-test.yaml")


@given(
    st.integers(0, 2 * 365 * 24 * 60 - 1),
    st.sampled_from(["0552251234", "0557421234", "01023456789", ""]),
    st.sampled_from(RULES),
)
def test_a_case_holds_exactly_if_the_router_takes_the_rule(minute: int, caller: str, rule: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=LOADED.timezone) + timedelta(minutes=minute)
    facts = CallFacts("120", SiteName("gyeongnam"), caller)
    router = LOADED.rulebook.router
    (outcome,) = run_cases([Case("any", PLACE, facts, at, Expectation(rule=rule))], router)
    assert outcome.holds == (router.decide(facts, at).rule == rule)


def test_every_source_of_a_region_and_every_action_can_be_expected() -> None:
    hints = get_type_hints(Expectation)
    words = {name: set(get_args(get_args(hints[name])[0])) for name in ("region_source", "action")}
    assert words == {"region_source": {s.value for s in RegionSource}, "action": {a.value for a in Action}}


def test_the_file_of_cases_is_no_part_of_the_configuration(base: Path) -> None:
    before = load(base, SECRETS)
    (base / "routes-test.yaml").write_text("this is: [no YAML", encoding="utf-8")
    (base / "routes-test.yml").write_text("queues: {main: {title: 본청}}", encoding="utf-8")
    after = load(base, SECRETS)
    assert after.rulebook.hash == before.rulebook.hash
    assert not review(base, SECRETS).is_fine


def test_well_formed_cases_are_tried_although_others_are_faulty(base: Path) -> None:
    (base / "routes-test.yaml").write_text(
        """
cases:
  - {name: a, at: never, expect: {rule: day}}
  - {name: b, at: 2026-11-24T10:00, expect: {rule: dya}}
  - {name: c, at: 2026-11-24T10:00, expect: {rule: rest}}
"""
    )
    found = review(base, SECRETS)
    assert len(found.problems.errors) == 2
    assert [outcome.case.name for outcome in found.failed] == ["c"]


def test_cases_are_read_although_the_configuration_is_faulty_but_not_tried(base: Path) -> None:
    (base / "queues.yaml").write_text("queues: {main: {titel: 본청}}")
    (base / "routes-test.yaml").write_text("cases: [{name: a, at: never, expect: {rule: rest}}]")
    found = review(base, SECRETS)
    assert (found.loaded, found.outcomes) == (None, ())
    assert [problem.place.file for problem in found.problems.errors] == [
        "queues.yaml",
        "queues.yaml",
        "routes-test.yaml",
    ]


def test_names_of_cases_are_told_apart_over_all_files(base: Path, tmp_path: Path) -> None:
    text = "cases: [{name: a, at: 2026-11-24T10:00, expect: {rule: day}}]"
    files = {name: tmp_path / name for name in ("city.yaml", "county.yaml")}
    for path in files.values():
        path.write_text(text)
    found = review(base, SECRETS, files)
    assert [str(problem) for problem in found.problems.errors] == [
        'county.yaml:1:16: the name "a" is taken, first at city.yaml:1:16; choose another'
    ]
    assert len(found.outcomes) == 1
