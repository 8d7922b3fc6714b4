"""The goals of queues, as reports are to measure by them."""

import shutil
from pathlib import Path

import pytest

from callrouter.config import load
from callrouter.core.ids import QueueName
from callrouter.core.service_level import Formula, ServiceGoal
from tests.config.written import BASE, ENVIRONMENT


@pytest.mark.parametrize(
    ("keys", "goal"),
    [
        ("", ServiceGoal(20.0, 80, Formula.OFFERED_LESS_SHORT, 5.0)),
        (", service_level: {threshold: 15s}", ServiceGoal(15.0, 80, Formula.OFFERED_LESS_SHORT, 5.0)),
        (
            ", service_level: {target: 90, formula: answered-of-offered}, short_abandon: 10s",
            ServiceGoal(20.0, 90, Formula.OFFERED, 10.0),
        ),
        (", short_abandon: 0", ServiceGoal(20.0, 80, Formula.OFFERED_LESS_SHORT, 0.0)),
    ],
)
def test_what_a_queue_does_not_say_is_as_usual(keys: str, goal: ServiceGoal, tmp_path: Path) -> None:
    folder = shutil.copytree(BASE, tmp_path / "config")
    (folder / "queues.yaml").write_text(f"queues:\n  main: {{title: 본청{keys}}}\n", encoding="utf-8")
    assert load(folder, ENVIRONMENT).rulebook.queues[QueueName("main")].goal == goal
