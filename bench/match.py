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
from bench.waiting_calls import bytes_per_call
from callrouter.core.acd import Acd, Line, Match, Place
from callrouter.core.agent import Agent, AgentState
from callrouter.core.ids import AgentId, CallId, QueueName, SiteName, SkillName, TenantName, TrunkName
from callrouter.core.pool import Way, way_to
from callrouter.core.rulebook import AgentSpec, QueueSpec, Strategy
from callrouter.core.skills import NO_DEMAND, Demand

AIM_US = 100.0
QUEUES = 20
QUEUES_OF_AN_AGENT = 3
TENANTS = 10
TRUNKS = 19
START = datetime(2026, 11, 24, tzinfo=UTC)
SITE = SiteName("hall")
SKILLS = tuple(map(SkillName, ("english", "chinese", "passport", "welfare")))


@dataclass(frozen=True, slots=True)
class Caller:
    """One who waits."""

    line: Line
    place: Place
    call: CallId
    tenant: TenantName
    demand: Demand


@dataclass(frozen=True, slots=True)
class Floor:
    """Callers who wait, and counselors who are free."""

    waiting: list[Caller]
    agents: list[Agent]

    @classmethod
    def of(cls, waiting: int, agents: int, seed: int = 1, *, skilled: bool = False) -> "Floor":
        """A floor of that size, the same for the same ``seed``; ``skilled``: two callers of five ask for a skill."""
        random = Random(seed)
        names = [QueueName(f"queue-{number}") for number in range(QUEUES)]
        callers = []
        for number in range(waiting):
            line = (random.choice(names), SITE)
            tenant = TenantName(f"tenant-{random.randrange(TENANTS)}")
            demand = _demand(random) if skilled else NO_DEMAND
            callers.append(Caller(line, (number * 0.1, number), CallId(f"call-{number}"), tenant, demand))
        return cls(callers, [_agent(number, names, random, skilled) for number in range(agents)])


def _demand(random: Random) -> Demand:
    if random.random() < 0.6:
        return NO_DEMAND
    wanted = ((random.choice(SKILLS), random.randint(1, 2)),)
    return Demand(wanted) if random.random() < 0.7 else Demand((), wanted)


def _agent(number: int, names: list[QueueName], random: Random, skilled: bool) -> Agent:
    queues = tuple(random.sample(names, QUEUES_OF_AN_AGENT))
    idle_since = START + timedelta(seconds=random.random() * 3600)
    trunk = TrunkName(f"trunk-{random.randrange(TRUNKS)}") if random.random() < 0.5 else None
    skills = {skill: random.randint(1, 3) for skill in SKILLS if random.random() < 0.3} if skilled else {}
    spec = AgentSpec(AgentId(f"agent-{number}"), "", SITE, "", queues, TenantName("t"), trunk, skills=skills)
    return Agent(spec, AgentState.AVAILABLE, START, idle_since)


def scan(floor: Floor, reachable: Callable[[Way], bool]) -> Match | None:
    """The pair that a program without order of its own looks for among all; without weights."""
    for caller in sorted(floor.waiting, key=lambda one: one.place):
        queue, site = caller.line
        able = [
            one
            for one in floor.agents
            if queue in one.spec.queues
            and one.spec.site == site
            and caller.demand.is_met_by(one.spec.skills)
            and reachable(way_to(one, site))
        ]
        if able:
            key = caller.demand.shortfall
            return Match(caller.call, min(able, key=lambda one: (key(one.spec.skills), one.idle_since, one.spec.id)))
    return None


def acd_of(floor: Floor, strategy: Strategy = Strategy.LONGEST_IDLE, *, weighted: bool = False) -> Acd:
    """A distributor with all of them."""
    weights = {TenantName(f"tenant-{number}"): 1 + number % 3 for number in range(TENANTS)} if weighted else {}
    acd = Acd({one.line[0]: QueueSpec(one.line[0], "", strategy=strategy) for one in floor.waiting}, weights)
    for one in floor.waiting:
        acd.join(one.line, one.place, one.call, one.tenant, one.demand)
    for agent in floor.agents:
        acd.offer_to(agent)
    return acd


def decide(acd: Acd, floor: Floor, decisions: int) -> list[float]:
    """What so many decisions took, each with taking the pair away, in microseconds; then it is put back."""
    stands = {one.call: one for one in floor.waiting}
    taken = []
    for _ in range(decisions):
        began = time.perf_counter_ns()
        match = acd.match(lambda _: True)
        if match is None:
            raise click.ClickException("nobody can be served")
        acd.take(match)
        acd.spare(match.agent)
        taken.append((time.perf_counter_ns() - began) / 1000)
        acd.served(match.call)
        one = stands[match.call]
        acd.join(one.line, one.place, one.call, one.tenant, one.demand)
        acd.offer_to(match.agent)
    return taken


def free_one_by_one(acd: Acd, floor: Floor, decisions: int) -> list[float]:
    """The same with all counselors busy but one, who becomes free: in microseconds, from his becoming free on."""
    for agent in floor.agents:
        acd.spare(agent)
    stands = {one.call: one for one in floor.waiting}
    taken = []
    for number in range(decisions):
        agent = floor.agents[number % len(floor.agents)]
        began = time.perf_counter_ns()
        acd.offer_to(agent)
        match = acd.match(lambda _: True)
        if match is not None:
            acd.take(match)
        acd.spare(agent)
        taken.append((time.perf_counter_ns() - began) / 1000)
        if match is not None:
            acd.served(match.call)
            one = stands[match.call]
            acd.join(one.line, one.place, one.call, one.tenant, one.demand)
    return taken


def in_vain(reachable: Callable[[Way], bool], acd: Acd, decisions: int) -> list[float]:
    """What it takes to find that nobody can be reached, in microseconds."""
    taken = []
    for _ in range(decisions):
        began = time.perf_counter_ns()
        if acd.match(reachable) is not None:
            raise click.ClickException("somebody is served whom nobody can reach")
        taken.append((time.perf_counter_ns() - began) / 1000)
    return taken


def bytes_per_place(waiting: int) -> float:
    """What a caller's place in line takes of memory."""
    floor = Floor.of(waiting, 0)
    tracemalloc.start()
    acd = acd_of(floor)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del acd
    return size / waiting


def _line(name: str, taken: list[float]) -> None:
    click.echo(f"{name:<36}{median(taken):>12.1f}{percentile(taken, 99):>12.1f}")


@click.command()
@click.option("--waiting", default=10_000, show_default=True, help="Callers who wait.")
@click.option("--agents", default=1_000, show_default=True, help="Counselors who are free.")
@click.option("--decisions", default=2_000, show_default=True, help="How many decisions are measured.")
def main(waiting: int, agents: int, decisions: int) -> None:
    """One match decision of the distributor, beside a scan of all pairs; aim: median under 100 µs."""
    plain, skilled = Floor.of(waiting, agents), Floor.of(waiting, agents, skilled=True)
    click.echo(
        f"{waiting} waiting in {QUEUES} queues of {TENANTS} tenants,"
        f" {agents} free counselors of {QUEUES_OF_AN_AGENT} queues each"
    )
    click.echo(f"{'by':<36}{'median µs':>12}{'p99 µs':>12}")
    for strategy in Strategy:
        _line(strategy.value, decide(acd_of(plain, strategy), plain, decisions))
    for strategy in (Strategy.LONGEST_IDLE, Strategy.WEIGHTED_RANDOM):
        acd = acd_of(skilled, strategy, weighted=True)
        _line(f"{strategy}, skills, tenants", decide(acd, skilled, decisions))
    _line("one is free, skills, tenants", free_one_by_one(acd_of(skilled, weighted=True), skilled, decisions))
    acd = acd_of(skilled, weighted=True)
    _line("nobody can be reached", in_vain(lambda _: False, acd, decisions))
    scans, found = [], None
    for _ in range(max(1, decisions // 200)):
        began = time.perf_counter_ns()
        found = scan(skilled, lambda _: True)
        scans.append((time.perf_counter_ns() - began) / 1000)
    _line("scan of all pairs", scans)
    if found != acd_of(skilled).match(lambda _: True):
        click.echo("the two do not agree", err=True)
        sys.exit(1)
    click.echo(f"memory of a place in line: {bytes_per_place(waiting):.0f} bytes")
    click.echo(f"memory of a call that waits: {bytes_per_call(min(waiting, 2_000)):.0f} bytes")


if __name__ == "__main__":
    main()
