"""What is written of skills and weights reaches the rules that the exchange runs by, and ``explain`` says it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from callrouter.cli import main
from callrouter.config import load
from callrouter.core.ids import AgentId, QueueName, SkillName, TenantName, TopicName
from callrouter.core.skills import Relaxation, SkillRules, Wish
from tests.config.written import BASE, ENVIRONMENT

ENGLISH, PASSPORT = SkillName("english"), SkillName("passport")

QUEUES = """\
queues:
  main:
    title: 본청
    skills:
      - {language: [en, us], topic: passport, tenant: province, need: {english: 3}, prefer: {passport: 2}}
    relax:
      - {after: 30s, need: {english: 1}}
      - {after: 1 min, need: {english: 0}}
"""
AGENTS = """\
agents:
  "201": {name: 하나, site: hall, endpoint: PJSIP/201, queues: main, tenant: province}
  "202": {name: 둘, site: hall, endpoint: PJSIP/202, queues: main, tenant: province, skills: {english: 1}}
  "203": {name: 셋, site: hall, endpoint: PJSIP/203, queues: main, tenant: province, skills: {english: 3, passport: 2}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = shutil.copytree(BASE, tmp_path / "config")
    (folder / "queues.yaml").write_text(QUEUES, encoding="utf-8")
    (folder / "agents.yaml").write_text(AGENTS, encoding="utf-8")
    return folder


def test_queues_ask_and_agents_have_what_is_written(folder: Path) -> None:
    rules = load(folder, ENVIRONMENT).rulebook
    passport, province = TopicName("passport"), TenantName("province")
    wish = Wish({ENGLISH: 3}, {PASSPORT: 2}, frozenset({"en", "us"}), frozenset({passport}), frozenset({province}))
    assert rules.queues[QueueName("main")].skills == SkillRules(
        (wish,), (Relaxation(30.0, {ENGLISH: 1}), Relaxation(60.0, {ENGLISH: 0}))
    )
    assert rules.agents[AgentId("203")].skills == {ENGLISH: 3, PASSPORT: 2}
    assert rules.agents[AgentId("201")].skills == {}


def test_tenants_weigh_what_is_written_and_nothing_is_shared_out_if_none_does(folder: Path) -> None:
    assert load(folder, ENVIRONMENT).rulebook.weights == {}
    regions = (folder / "regions.yaml").read_text(encoding="utf-8")
    (folder / "regions.yaml").write_text(regions.replace("{title: 도}", "{title: 도, weight: 3}"), encoding="utf-8")
    assert load(folder, ENVIRONMENT).rulebook.weights == {"province": 3}


def explained(folder: Path, *options: str) -> str:
    command = ["explain", "--config", str(folder), "--at", "2026-11-24T10:00", *options]
    result = CliRunner().invoke(main, command, env=ENVIRONMENT)
    assert result.exit_code == 0, result.output
    return result.output


def test_explain_says_what_is_asked_and_who_is_capable_as_the_caller_waits(folder: Path) -> None:
    text = explained(folder, "--topic", "passport", "--language", "en")
    assert text.splitlines()[-3:] == [
        "skills    needed english 3, preferred passport 2: 203",
        "          after 30 s: needed english 1, preferred english 3, passport 2: 203, 202",
        "          after 60 s: needed none, preferred english 3, passport 2: 203, 201, 202",
    ]
    data = json.loads(explained(folder, "--topic", "passport", "--language", "en", "--json"))
    assert data["skills"][1] == {
        "after_s": 30.0,
        "need": {"english": 1},
        "prefer": {"english": 3, "passport": 2},
        "agents": ["203", "202"],
    }


def test_explain_is_silent_of_skills_where_nothing_is_asked(folder: Path) -> None:
    assert "skills" not in explained(folder, "--language", "ko")
    assert json.loads(explained(folder, "--json"))["skills"] == []
