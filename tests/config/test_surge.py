"""When a topic surges, and what it suggests then."""

from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.core.ids import SwitchName, TopicName
from callrouter.core.rulebook import SurgeRule, TopicSpec
from tests.config.written import BASE, ENVIRONMENT, base_with

PASSPORT = TopicName("passport")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{}", SurgeRule(6, 2.0, 10)),
        ("{weeks: 4, factor: 1.5, least: 20}", SurgeRule(4, 1.5, 20)),
    ],
)
def test_what_is_not_said_is_as_usual(text: str, rule: SurgeRule, tmp_path: Path) -> None:
    routes = (BASE / "routes.yaml").read_text(encoding="utf-8")
    folder = base_with(f"{routes}\nsurge: {text}\n", tmp_path / "config")
    assert load(folder, ENVIRONMENT).rulebook.surge == rule


def test_left_out_nobody_looks_for_surges_and_a_topic_suggests_nothing() -> None:
    rules = load(BASE, ENVIRONMENT).rulebook
    assert (rules.surge, rules.topics) == (None, {PASSPORT: TopicSpec(PASSPORT, "여권")})


def test_a_topic_suggests_a_switch(tmp_path: Path) -> None:
    folder = base_with((BASE / "routes.yaml").read_text(encoding="utf-8"), tmp_path / "config")
    regions = (BASE / "regions.yaml").read_text(encoding="utf-8").replace("여권}", "여권, suggest: wave}")
    more = "surge: {}\nswitches:\n  wave: {title: 폭주}\n"
    (folder / "regions.yaml").write_text(regions + more, encoding="utf-8")
    assert load(folder, ENVIRONMENT).rulebook.topics[PASSPORT].suggest == SwitchName("wave")
