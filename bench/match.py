"""``python -m bench.match``: one match decision, by how many wait and how many are free, beside a scan of all pairs."""

import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median

import click

from bench import shared_trunks
from bench.figures import percentile
from bench.shared_trunks import A_FEW, CHANNELS, NEARLY_ALL
from bench.waiting_calls import bytes_per_call
from bench.waiting_floor import QUEUES, QUEUES_OF_AN_AGENT, TENANTS, WaitingFloor, acd_of
from callrouter.core.acd import Acd, Match
from callrouter.core.pool import Way, way_to
from callrouter.core.rulebook import Strategy

AIM_US = 100.0


def scan(floor: WaitingFloor, reachable: Callable[[Way], bool]) -> Match | None:
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


def decide(acd: Acd, floor: WaitingFloor, decisions: int) -> list[float]:
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


def free_one_by_one(acd: Acd, floor: WaitingFloor, decisions: int) -> list[float]:
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
    floor = WaitingFloor.of(waiting, 0)
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
    plain, skilled = WaitingFloor.of(waiting, agents), WaitingFloor.of(waiting, agents, skilled=True)
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
    for in_use in (A_FEW, NEARLY_ALL):
        floor = shared_trunks.shared_floor(skilled, in_use)
        _line(f"shared trunks, {in_use} of {CHANNELS} in use", shared_trunks.decide(floor, skilled, decisions))
        one_by_one = shared_trunks.free_one_by_one(floor, skilled, decisions)
        _line(f"one is free, {in_use} of {CHANNELS} in use", one_by_one)
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
