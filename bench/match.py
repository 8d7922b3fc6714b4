"""``python -m bench.match``: one match decision, by how many wait and how many are free, beside a scan of all pairs."""

import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median

import click

from bench.figures import percentile
from callrouter.core.acd import Acd, Line, Match, Place
from callrouter.core.agent import Agent, AgentState
from callrouter.core.ids import AgentId, CallId, QueueName, SiteName, TenantName
from callrouter.core.rulebook import AgentSpec, QueueSpec, Strategy

AIM_US = 100.0
QUEUES = 20
QUEUES_OF_AN_AGENT = 3
START = datetime(2026, 11, 24, tzinfo=UTC)
SITE = SiteName("hall")


@dataclass(frozen=True, slots=True)
class Floor:
    """Callers who wait, and counselors who are free."""

    waiting: list[tuple[Line, Place, CallId]]
    agents: list[Agent]

    @classmethod
    def of(cls, waiting: int, agents: int, seed: int = 1) -> "Floor":
        """A floor of that size, the same for the same ``seed``."""
        random = Random(seed)
        names = [QueueName(f"queue-{number}") for number in range(QUEUES)]
        callers = [
            ((random.choice(names), SITE), (number * 0.1, number), CallId(f"call-{number}"))
            for number in range(waiting)
        ]
        return cls(callers, [_agent(number, names, random) for number in range(agents)])


def _agent(number: int, names: list[QueueName], random: Random) -> Agent:
    queues = tuple(random.sample(names, QUEUES_OF_AN_AGENT))
    spec = AgentSpec(AgentId(f"agent-{number}"), "", SITE, "", queues, TenantName("t"))
    idle_since = START + timedelta(seconds=random.random() * 3600)
    return Agent(spec, AgentState.AVAILABLE, START, idle_since)


def scan(floor: Floor, reachable: Callable[[Agent], bool]) -> Match | None:
    """The pair that a program without order of its own looks for among all."""
    for (queue, site), _, call in sorted(floor.waiting, key=lambda waiting: waiting[1]):
        able = [one for one in floor.agents if queue in one.spec.queues and one.spec.site == site and reachable(one)]
        if able:
            return Match(call, min(able, key=lambda one: (one.idle_since, one.spec.id)))
    return None


def decide(floor: Floor, strategy: Strategy, decisions: int) -> list[float]:
    """What so many decisions took, each with taking the pair away and putting it back, in microseconds."""
    acd = _acd(floor, strategy)
    stands = {call: (line, place) for line, place, call in floor.waiting}
    taken = []
    for _ in range(decisions):
        began = time.perf_counter_ns()
        match = acd.match(lambda _: True)
        if match is None:
            raise click.ClickException("nobody can be served")
        acd.leave(match.call)
        acd.spare(match.agent)
        taken.append((time.perf_counter_ns() - began) / 1000)
        line, place = stands[match.call]
        acd.join(line, place, match.call)
        acd.offer_to(match.agent)
    return taken


def _acd(floor: Floor, strategy: Strategy) -> Acd:
    acd = Acd({line[0]: QueueSpec(line[0], "", strategy=strategy) for line, _, _ in floor.waiting})
    for line, place, call in floor.waiting:
        acd.join(line, place, call)
    for agent in floor.agents:
        acd.offer_to(agent)
    return acd


def bytes_per_waiting_call(waiting: int) -> float:
    """What a caller's place in line takes of memory."""
    floor = Floor.of(waiting, 0)
    tracemalloc.start()
    acd = _acd(floor, Strategy.LONGEST_IDLE)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del acd
    return size / waiting


@click.command()
@click.option("--waiting", default=10_000, show_default=True, help="Callers who wait.")
@click.option("--agents", default=1_000, show_default=True, help="Counselors who are free.")
@click.option("--decisions", default=2_000, show_default=True, help="How many decisions are measured.")
def main(waiting: int, agents: int, decisions: int) -> None:
    """One match decision of the distributor, beside a scan of all pairs; aim: median under 100 µs."""
    floor = Floor.of(waiting, agents)
    click.echo(f"{waiting} waiting in {QUEUES} queues, {agents} free counselors of {QUEUES_OF_AN_AGENT} queues each")
    click.echo(f"{'by':<28}{'median µs':>12}{'p99 µs':>12}")
    for strategy in Strategy:
        taken = decide(floor, strategy, decisions)
        click.echo(f"{strategy.value:<28}{median(taken):>12.1f}{percentile(taken, 99):>12.1f}")
    scans, found = [], None
    for _ in range(max(1, decisions // 200)):
        began = time.perf_counter_ns()
        found = scan(floor, lambda _: True)
        scans.append((time.perf_counter_ns() - began) / 1000)
    click.echo(f"{'scan of all pairs':<28}{median(scans):>12.1f}{percentile(scans, 99):>12.1f}")
    if found != _acd(floor, Strategy.LONGEST_IDLE).match(lambda _: True):
        click.echo("the two do not agree", err=True)
        sys.exit(1)
    click.echo(f"memory of a place in line: {bytes_per_waiting_call(waiting):.0f} bytes")


if __name__ == "__main__":
    main()
