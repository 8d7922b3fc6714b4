"""What is written of distribution reaches the rules that the exchange runs by."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from callrouter.cli.plan_data import step_data
from callrouter.cli.plan_words import plan_lines
from callrouter.config import load
from callrouter.core.ids import AgentId, QueueName, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.plan import EnterQueue
from callrouter.core.rulebook import Strategy
from tests.config.written import BASE, ENVIRONMENT

AGENTS = """\
agents:
  "202": {name: 둘, site: hall, endpoint: PJSIP/202, queues: main, tenant: province, weight: 3}
  "201": {name: 하나, site: hall, endpoint: PJSIP/201, queues: main, tenant: province}
"""


def test_a_queue_has_its_strategy_and_head_start(tmp_path: Path) -> None:
    folder = shutil.copytree(BASE, tmp_path / "config")
    written = "queues:\n  main: {title: 본청, strategy: round-robin, head_start: 1 min}\n"
    (folder / "queues.yaml").write_text(written, encoding="utf-8")
    queue = load(folder, ENVIRONMENT).rulebook.queues[QueueName("main")]
    assert (queue.strategy, queue.head_start_s) == (Strategy.ROUND_ROBIN, 60.0)


def test_a_queue_rings_all_phones_or_so_many_of_them(tmp_path: Path) -> None:
    folder = shutil.copytree(BASE, tmp_path / "config")
    written = "queues:\n  main: {title: 본청, strategy: ring-all, ring_at_most: 3}\n"
    (folder / "queues.yaml").write_text(written, encoding="utf-8")
    queue = load(folder, ENVIRONMENT).rulebook.queues[QueueName("main")]
    assert (queue.strategy, queue.ring_at_most) == (Strategy.RING_ALL, 3)


def test_a_route_may_give_its_callers_a_head_start_in_the_queue(tmp_path: Path) -> None:
    folder = shutil.copytree(BASE, tmp_path / "config")
    written = "routes:\n  - {id: all, do: [{queue: main, head_start: 2 min}]}\n"
    (folder / "routes.yaml").write_text(written, encoding="utf-8")
    router = load(folder, ENVIRONMENT).rulebook.router
    decided = router.decide(CallFacts("120", SiteName("hall")), datetime(2026, 11, 24, tzinfo=UTC))
    assert decided.plan.steps == (EnterQueue(QueueName("main"), head_start_s=120.0),)
    assert "wait in queue main, with a head start of 120 s" in "".join(plan_lines(decided.plan, ""))
    assert step_data(decided.plan.steps[0]) == {"queue": "main", "max_wait_s": None, "head_start_s": 120.0}


def test_agents_stand_in_the_order_in_which_they_are_written_with_their_weights(tmp_path: Path) -> None:
    folder = shutil.copytree(BASE, tmp_path / "config")
    (folder / "agents.yaml").write_text(AGENTS, encoding="utf-8")
    agents = load(folder, ENVIRONMENT).rulebook.agents
    first, second = agents[AgentId("202")], agents[AgentId("201")]
    assert first.rank < second.rank
    assert (first.weight, second.weight) == (3, 1)
