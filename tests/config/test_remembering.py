"""Consent in YAML: a key of a menu of its own, for a time that the law of the house bounds."""

import shutil
from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.config.cases import case_files, compile_cases, read_cases, run_cases
from callrouter.config.problems import Problems
from callrouter.core.plan import Menu, walk
from callrouter.core.routing import Ruleset

BASE = Path(__file__).parents[1] / "bad_config" / "base"
SECRETS = {"TEST_PASSWORD": "x"}
RULES = """\
routes:
  - id: unknown
    when: {region_source: default, caller: mobile}
    do:
      - menu: welcome
        keys: {1: {region: city}}
        default: [{queue: main}]
      - menu: closed
        keys: {1: {remember: 180 d}, 9: {forget: yes}}
        default: next
      - route: again
  - id: city
    when: {tenant: city}
    do: [{queue: main}]
  - id: rest
    do: [{announce: closed}, hangup]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small configuration, with a question for callers of whom nothing is known."""
    folder = Path(shutil.copytree(BASE, tmp_path / "config"))
    (folder / "routes.yaml").write_text(RULES, encoding="utf-8")
    return folder


def menus(folder: Path) -> list[Menu]:
    router = load(folder, SECRETS).rulebook.router
    assert isinstance(router, Ruleset)
    return [step for route in router.routes for step in walk(route.plan) if isinstance(step, Menu)]


def test_a_key_may_agree_to_be_remembered_and_another_take_it_back(folder: Path) -> None:
    region, consent = menus(folder)
    assert (region.asks_consent, consent.asks_consent) == (False, True)
    assert [(c.key, c.remember_s, c.forget) for c in consent.choices] == [("1", 180 * 86_400, False), ("9", None, True)]
    assert (consent.default.remember_s, consent.default.forget) == (None, False)


def test_the_region_may_have_been_chosen_on_another_route_that_led_here(folder: Path) -> None:
    text = RULES.replace("      - menu: closed\n        keys: {1: {remember: 180 d}, 9: {forget: yes}}\n", "", 1)
    text = text.replace("        default: next\n", "", 1).replace(
        "    do: [{queue: main}]", "    do: [{menu: closed, keys: {1: {remember: 1h}}, default: next}, {queue: main}]"
    )
    (folder / "routes.yaml").write_text(text, encoding="utf-8")
    assert [menu.asks_consent for menu in menus(folder)] == [False, True]


def test_taking_it_back_is_something_new_for_the_routes(folder: Path) -> None:
    (folder / "routes.yaml").write_text(
        """\
routes:
  - id: known
    when: {region_source: remembered}
    do:
      - menu: welcome
        keys: {9: {forget: true, do: [{route: again}]}}
        default: [{queue: main}]
  - id: rest
    do: [{queue: main}]
""",
        encoding="utf-8",
    )
    (menu,) = menus(folder)
    assert menu.choices[0].forget


@pytest.mark.parametrize(("written", "is_on"), [("true", True), ("YES", True), ("no", False), ("false", False)])
def test_a_flag_is_true_or_false_and_nothing_else(folder: Path, written: str, is_on: bool) -> None:
    (folder / "routes.yaml").write_text(RULES.replace("forget: yes", f"forget: {written}"), encoding="utf-8")
    assert menus(folder)[1].choices[1].forget is is_on


def test_a_golden_case_may_say_what_is_remembered(folder: Path) -> None:
    (folder / "routes-test.yaml").write_text(
        """\
cases:
  - name: is asked
    from: 010-1234-5678
    at: 2026-11-24T10:00
    expect: {rule: unknown, region_source: default}
  - name: is not asked again
    from: 010-1234-5678
    at: 2026-11-24T10:00
    remembered: city
    expect: {rule: city, region: city, region_source: remembered}
""",
        encoding="utf-8",
    )
    problems = Problems()
    loaded = load(folder, SECRETS)
    outcomes = run_cases(
        compile_cases(read_cases(case_files(folder), problems), loaded, problems), loaded.rulebook.router
    )
    assert problems.errors == []
    assert [str(outcome) for outcome in outcomes if not outcome.holds] == []
    assert len(outcomes) == 2
