"""Boxes and the step that fills them, from YAML to the plan that is carried out and to what explain says of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from callrouter.cli import main
from callrouter.config import load
from callrouter.config.load import Loaded
from callrouter.core.decision import Action
from callrouter.core.ids import BoxName, PromptName
from callrouter.core.plan import EnterQueue, HangUp, Voicemail
from callrouter.core.rulebook import BoxSpec
from tests.config.written import ENVIRONMENT, base_with, plan_of

BOXES = """\
voicemail:
  letters: {title: 사서함, thanks: welcome, failed: closed, retention: 30d}
  night: {title: 야간, thanks: welcome, failed: closed}
plans:
  message:
    parameters: [box, greeting]
    do:
      - voicemail: $box
        greeting: $greeting
        max: 1 min
        min: 3s
        silence: 4s
        end_key: none
routes:
  - id: day
    when: {calendar: day}
    do:
      - {queue: main, max_wait: 5 min}
      - {voicemail: letters, greeting: closed}
  - {id: rest, plan: message, with: {box: night, greeting: closed}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return base_with(BOXES, tmp_path / "config")


@pytest.fixture
def loaded(folder: Path) -> Loaded:
    return load(folder, ENVIRONMENT)


def test_boxes_are_known_with_how_long_they_keep_messages(loaded: Loaded) -> None:
    assert loaded.rulebook.boxes == {
        "letters": BoxSpec(BoxName("letters"), "사서함", 30 * 86_400.0),
        "night": BoxSpec(BoxName("night"), "야간", 90 * 86_400.0),
    }


def test_a_message_as_the_last_step_is_hung_up_behind_with_the_usual_bounds(loaded: Loaded) -> None:
    queue, message, end = plan_of(loaded, "day").steps
    assert isinstance(queue, EnterQueue)
    assert message == Voicemail(
        BoxName("letters"), PromptName("closed"), PromptName("welcome"), PromptName("closed"), 180.0, 2.0, 5.0, "#"
    )
    assert end == HangUp()


def test_box_and_greeting_may_be_parameters(loaded: Loaded) -> None:
    message, _ = plan_of(loaded, "rest").steps
    assert isinstance(message, Voicemail)
    assert (message.box, message.greeting) == ("night", "closed")
    assert (message.max_s, message.min_s, message.silence_s, message.end_key) == (60.0, 3.0, 4.0, "none")


def explained(folder: Path, *arguments: str) -> str:
    command = ["explain", "--config", str(folder), "--at", "2026-11-29T03:00", *arguments]
    return CliRunner().invoke(main, command, env=ENVIRONMENT, catch_exceptions=False).output


def test_explain_shows_what_will_be_recorded(folder: Path) -> None:
    assert "1. greet with closed, and record a message for box night, at most 60 s" in explained(folder)
    found = json.loads(explained(folder, "--json"))
    assert found["action"] == Action.DAEMON.value
    assert found["steps"] == [
        {
            "voicemail": "night",
            "greeting": "closed",
            "thanks": "welcome",
            "failed": "closed",
            "max_s": 60.0,
            "min_s": 3.0,
            "silence_s": 4.0,
            "end_key": "none",
        },
        {"hangup": 16},
    ]


def test_a_golden_case_writes_the_step_as_the_route_does(folder: Path) -> None:
    case = """\
cases:
  - name: 일요일 새벽
    at: 2026-11-29T03:00
    expect:
      rule: rest
      action: daemon
      steps: [{voicemail: night, greeting: closed, max: 60s, min: 3s, silence: 4s, end_key: none}]
"""
    sheet = folder / "routes-test.yaml"
    for text, status in ((case, 0), (case.replace("60s", "61s"), 1)):
        sheet.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(main, ["test", "--config", str(folder)], env=ENVIRONMENT)
        assert result.exit_code == status, result.output
