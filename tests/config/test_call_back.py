"""How a queue calls back by itself, from YAML to what the exchange runs by."""

from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.core.calling_spec import CallBackRule
from callrouter.core.ids import PromptName, QueueName, TrunkName
from callrouter.core.plan import Callback, NumberCheck, walk
from callrouter.core.routing import Ruleset
from callrouter.errors import ConfigError
from tests.config.written import ENVIRONMENT, base_with

ROUTES = """\
routes:
  - {id: day, when: {calendar: day}, do: [{queue: main, max_wait: 5 min}, {callback: main}]}
  - {id: rest, do: [{announce: closed}, hangup]}
"""


def rule(folder: Path, call_back: str, trunk: str = "channels: 30") -> CallBackRule | None:
    config = base_with(ROUTES, folder / "config")
    (config / "queues.yaml").write_text(f"queues:\n  main: {{title: 본청, call_back: {call_back}}}\n", encoding="utf-8")
    (config / "trunks.yaml").write_text(f"trunks:\n  city-hall: {{{trunk}}}\n", encoding="utf-8")
    loaded = load(config, ENVIRONMENT)
    assert loaded.warnings == ()
    return loaded.rulebook.queues[QueueName("main")].call_back


def test_a_queue_calls_back_as_is_written(tmp_path: Path) -> None:
    found = rule(
        tmp_path,
        "{trunk: city-hall, caller_id: '055120', calendar: day, attempts: 2, retry_after: 20 min, ring_timeout: 25s,"
        " redial: no, to_agent: welcome, to_resident: closed}",
        "channels: 30, endpoints: [telco], format: e164",
    )
    assert found is not None
    assert found.hours is not None
    assert found.hours.name == "day"
    assert (found.trunk, found.endpoint, found.e164, found.caller_number) == ("city-hall", "telco", True, "055120")
    assert (found.attempts, found.retry_after_s, found.ring_timeout_s, found.redial) == (2, 1200.0, 25.0, False)
    assert (found.to_agent, found.to_resident) == (PromptName("welcome"), PromptName("closed"))


def test_little_needs_to_be_written(tmp_path: Path) -> None:
    assert rule(tmp_path, "{trunk: city-hall}") == CallBackRule(TrunkName("city-hall"), "city-hall")


@pytest.mark.parametrize(
    ("call_back", "shown"),
    [("{trunk: city-hall}", "0552111120"), ("{trunk: city-hall, caller_id: '055120'}", "055120")],
)
def test_residents_are_shown_the_number_of_the_trunk_group_or_the_queues_own(
    tmp_path: Path, call_back: str, shown: str
) -> None:
    found = rule(tmp_path, call_back, "channels: 30, caller_id: '0552111120'")
    assert found is not None
    assert found.caller_number == shown


def test_a_queue_that_nobody_is_told_to_ask_is_warned_of(tmp_path: Path) -> None:
    config = base_with(ROUTES.replace(", {callback: main}", ", hangup"), tmp_path / "config")
    (config / "queues.yaml").write_text(
        "queues:\n  main: {title: 본청, call_back: {trunk: city-hall}}\n", encoding="utf-8"
    )
    (warning,) = load(config, ENVIRONMENT).warnings
    assert str(warning).endswith(
        'queues.yaml:2:21: no plan has anybody ask to be called back by "main"; write - callback: main, or take it out'
    )


DIGITS = "".join(f"  digit-{digit}: 말씀\n" for digit in range(10))


def check(folder: Path, confirm: str) -> NumberCheck | None:
    config = base_with(ROUTES.replace("{callback: main}", f"{{callback: main, {confirm}}}"), folder / "config")
    with (config / "prompts.yaml").open("a", encoding="utf-8") as prompts:
        prompts.write(DIGITS)
    router = load(config, ENVIRONMENT).rulebook.router
    assert isinstance(router, Ruleset)
    (step,) = [step for route in router.routes for step in walk(route.plan) if isinstance(step, Callback)]
    return step.check


def test_a_number_is_confirmed_as_is_written(tmp_path: Path) -> None:
    written = "confirm: welcome, ask: closed, wrong: closed, timeout: 7s, tries: 2, unconfirmed: drop"
    assert check(tmp_path, written) == NumberCheck(
        PromptName("welcome"), PromptName("closed"), PromptName("closed"), 7.0, 2, keeps=False
    )


def test_little_needs_to_be_written_to_have_it_confirmed(tmp_path: Path) -> None:
    assert check(tmp_path, "confirm: welcome") == NumberCheck(PromptName("welcome"))


def test_digits_that_are_to_be_said_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="to read a number out, 10 prompts are missing, first digit-0"):
        rule(tmp_path, "{trunk: city-hall, say_number: yes}")
