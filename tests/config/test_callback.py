"""The step ``callback`` from YAML to the plan that is carried out, and to what other commands say of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from callrouter.cli import main
from callrouter.config import load
from callrouter.config.load import Loaded
from callrouter.core.decision import Action
from callrouter.core.ids import QueueName, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.outbound import NumberClass
from callrouter.core.plan import Callback, HangUp
from callrouter.diff.way import Ways
from tests.config.written import ENVIRONMENT, base_with, plan_of

SUNDAY = datetime(2026, 11, 28, 18, tzinfo=UTC)
ROUTES = """\
outbound: {allow: [mobile, landline, emergency]}
callbacks: {retention: 30d}
plans:
  back:
    parameters: [queue]
    do:
      - callback: $queue
        else: [{announce: closed}, hangup]
      - announce: welcome
      - hangup
routes:
  - {id: day, when: {calendar: day}, do: [{queue: main, max_wait: 5 min}, {callback: main}]}
  - {id: rest, plan: back, with: {queue: main}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return base_with(ROUTES, tmp_path / "config")


@pytest.fixture
def loaded(folder: Path) -> Loaded:
    return load(folder, ENVIRONMENT)


def run(folder: Path, *arguments: str) -> str:
    command = [*arguments, "--config", str(folder)]
    return CliRunner().invoke(main, command, env=ENVIRONMENT, catch_exceptions=False).output


def test_a_callback_as_the_last_step_is_hung_up_behind(loaded: Loaded) -> None:
    _, back, end = plan_of(loaded, "day").steps
    assert back == Callback(QueueName("main"), (NumberClass.LANDLINE, NumberClass.MOBILE))
    assert end == HangUp()


def test_the_queue_may_be_a_parameter_and_others_have_their_own_way(loaded: Loaded) -> None:
    back = plan_of(loaded, "rest").steps[0]
    assert isinstance(back, Callback)
    assert back.queue == "main"
    assert back.otherwise is not None
    assert back.otherwise.name == "else"


def test_the_rules_know_who_calls_back_and_how_long_requests_are_kept(loaded: Loaded) -> None:
    assert list(loaded.rulebook.callback_queues) == ["main"]
    assert loaded.rulebook.callback_retention_s == 30 * 86_400.0


def test_what_becomes_of_a_call_depends_on_its_number(loaded: Loaded) -> None:
    ways = Ways(loaded)
    mobile = CallFacts("120", SiteName("hall"), "01012345678")
    assert ways.of(mobile, SUNDAY).words == "rest (callback main)"
    assert ways.of(replace(mobile, caller=""), SUNDAY).words == "rest (announcement closed)"


def test_a_change_for_others_is_none_for_who_can_be_called(folder: Path, loaded: Loaded) -> None:
    other = ROUTES.replace("[mobile, landline, emergency]", "[mobile]").replace("announce: closed", "announce: welcome")
    (folder / "routes.yaml").write_text(other, encoding="utf-8")
    changed, mobile = load(folder, ENVIRONMENT), CallFacts("120", SiteName("hall"), "01012345678")
    landline = replace(mobile, caller="0552251234")
    assert Ways(changed).of(mobile, SUNDAY) == Ways(loaded).of(mobile, SUNDAY)
    assert Ways(changed).of(landline, SUNDAY).words == "rest (announcement welcome)"


def test_explain_shows_the_request_and_the_other_way(folder: Path) -> None:
    at = ("--at", "2026-11-29T03:00")
    text = run(folder, "explain", *at)
    assert "1. take down that main is to call back, landline, mobile numbers only\n" in text
    assert "else:\n       1. announce closed\n" in text
    found = json.loads(run(folder, "explain", *at, "--json"))
    assert found["action"] == Action.DAEMON.value
    assert found["steps"][0] == {
        "callback": "main",
        "allowed": ["landline", "mobile"],
        "else": [{"announce": "closed"}, {"hangup": 16}],
    }


def test_a_golden_case_writes_the_step_as_the_route_does(folder: Path) -> None:
    case = """\
cases:
  - name: 일요일 새벽
    at: 2026-11-29T03:00
    expect:
      rule: rest
      steps:
        - {callback: main, else: [{announce: closed}, hangup]}
        - announce: welcome
        - hangup
"""
    sheet = folder / "routes-test.yaml"
    for text, status in ((case, 0), (case.replace("closed", "welcome"), 1)):
        sheet.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(main, ["test", "--config", str(folder)], env=ENVIRONMENT)
        assert result.exit_code == status, result.output


def test_coverage_counts_whom_nobody_but_a_later_call_reaches(folder: Path) -> None:
    text = run(folder, "coverage", "--json")
    assert "callback main" in text
