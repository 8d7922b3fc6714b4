"""Decisions on a floor whose tenants share trunk groups: with what is asked of the groups, and a channel seized."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import click

from bench.province import SAMPLE
from bench.waiting_floor import SITE, START, TENANTS, TRUNKS, Caller, WaitingFloor, weights
from callrouter.config import load
from callrouter.core.acd import Match
from callrouter.core.floor import Floor
from callrouter.core.ids import CallId, ChannelId, TenantName, TrunkName
from callrouter.core.rulebook import QueueSpec
from callrouter.core.trunk_group import Asker, Seizure
from callrouter.core.trunk_spec import Share, TrunkSpec

CHANNELS = 30
GUARANTEE = 2
CEILING = 12
RESERVE = 1
A_FEW, NEARLY_ALL = 9, 25
"""Channels that are in use: so few that nobody is asked who else wants one, and so many that everybody is."""


def shared_floor(crowd: WaitingFloor, in_use: int) -> Floor:
    """All of them, the counselors behind the trunk groups too, each group with so many calls in progress."""
    trunks = {TrunkName(f"trunk-{number}"): _group(number) for number in range(TRUNKS)}
    queues = {one.line[0]: QueueSpec(one.line[0], "") for one in crowd.waiting}
    rulebook = load(SAMPLE, {"CALLROUTER_ARI_PASSWORD": "x"}).rulebook
    floor = Floor(replace(rulebook, queues=queues, agents={}, trunks=trunks, weights=weights()), START)
    floor.ways.sites.add(SITE)
    for name in trunks:
        for number in range(in_use):
            asker = Asker(SITE, TenantName(f"tenant-{number % 3}"))
            floor.trunks.seize(name, ChannelId(f"{name}-{number}"), asker, START)
    for one in crowd.waiting:
        floor.acd.join(one.line, one.place, one.call, one.tenant, one.demand)
    for agent in crowd.agents:
        floor.acd.offer_to(agent)
    return floor


def _group(number: int) -> TrunkSpec:
    shares = {TenantName(f"tenant-{tenant}"): Share(GUARANTEE, CEILING) for tenant in range(TENANTS)}
    return TrunkSpec(TrunkName(f"trunk-{number}"), CHANNELS, shares=shares, reserve=RESERVE)


def decide(floor: Floor, crowd: WaitingFloor, decisions: int) -> list[float]:
    """What so many decisions took, in microseconds: the pair is found and taken away, with a channel if one is needed.

    Then all is put back, so that nothing is known any more of the group that has carried the call.
    """
    stands = {one.call: one for one in crowd.waiting}
    taken = []
    for number in range(decisions):
        began = time.perf_counter_ns()
        match, seizure = _take_next(floor, stands, number)
        taken.append((time.perf_counter_ns() - began) / 1000)
        if match is None:
            raise click.ClickException("nobody can be served")
        _put_back(floor, stands[match.call], seizure)
        floor.acd.offer_to(match.agent)
    return taken


def free_one_by_one(floor: Floor, crowd: WaitingFloor, decisions: int) -> list[float]:
    """The same with all counselors busy but one, who becomes free: in microseconds, from his becoming free on."""
    stands = {one.call: one for one in crowd.waiting}
    for agent in crowd.agents:
        floor.acd.spare(agent)
    taken = []
    for number in range(decisions):
        agent = crowd.agents[number % len(crowd.agents)]
        began = time.perf_counter_ns()
        floor.acd.offer_to(agent)
        match, seizure = _take_next(floor, stands, number)
        floor.acd.spare(agent)
        taken.append((time.perf_counter_ns() - began) / 1000)
        if match is not None:
            _put_back(floor, stands[match.call], seizure)
    return taken


def _take_next(floor: Floor, stands: Mapping[CallId, Caller], number: int) -> tuple[Match | None, Seizure | None]:
    """The decision, and what is taken for it."""
    at = START + timedelta(seconds=number / 10)
    match = floor.match(at)
    if match is None:
        return None, None
    trunk, seizure = match.agent.spec.trunk, None
    if trunk is not None:
        asker = Asker(SITE, stands[match.call].tenant)
        seizure = floor.trunks.seize(trunk, ChannelId(f"leg-{number}"), asker, at)
    floor.acd.spare(match.agent)
    return match, seizure


def _put_back(floor: Floor, caller: Caller, seizure: Seizure | None) -> None:
    floor.acd.served(caller.call)
    if seizure is not None:
        floor.trunks.release(seizure)
    floor.acd.join(caller.line, caller.place, caller.call, caller.tenant, caller.demand)
