"""The exchange as it is now, for whoever looks."""

from collections import Counter
from datetime import datetime

from callrouter.core.agent import Agent
from callrouter.core.call import Call
from callrouter.core.exchange import Exchange
from callrouter.core.ids import TenantName
from callrouter.core.rulebook import QueueSpec
from callrouter.core.states import CallState
from callrouter.core.stats import (
    AgentNow,
    CallNow,
    ExchangeNow,
    MemberOfTrunk,
    QueueNow,
    SwitchNow,
    TenantOfTrunk,
    TrunkNow,
)
from callrouter.core.switches import SwitchOn, SwitchSpec
from callrouter.core.trunk_group import Group, Member
from callrouter.core.trunk_spec import NO_SHARE

REFUSES = "the phone refuses calls without ringing"
RINGING = frozenset(
    {
        CallState.OFFERED,
        CallState.CONFIRMING,
        CallState.BRIEFING,
        CallState.CALLING,
        CallState.GREETING,
        CallState.CONNECTING,
    }
)
"""States of a call for which a phone rings, or has just been answered."""


def picture(exchange: Exchange, at: datetime) -> ExchangeNow:
    """Everything in progress; a copy, which later events do not change."""
    floor = exchange.floor
    return ExchangeNow(
        at=at,
        draining=exchange.draining,
        config_hash=exchange.rulebook.hash,
        sites_up=tuple(sorted(floor.ways.sites)),
        calls=tuple(_call(call, exchange.absence.since(call.site)) for call in exchange.calls.values()),
        queues=tuple(_queue(exchange, queue) for queue in exchange.rulebook.queues.values()),
        agents=tuple(map(_agent, floor.staff.agents.values())),
        trunks=tuple(_trunk(group, at) for group in floor.trunks.groups),
        switches=switches(exchange, at),
        limits=floor.meter.now(at),
    )


def switches(exchange: Exchange, at: datetime) -> tuple[SwitchNow, ...]:
    """Every switch of the rules."""
    on = exchange.conduct.switchboard.on(at)
    return tuple(switch_now(spec, on.get(spec.name)) for spec in exchange.rulebook.switches.values())


def switch_now(spec: SwitchSpec, on: SwitchOn | None) -> SwitchNow:
    """How a switch stands; ``on`` is None if it is off."""
    if on is None:
        return SwitchNow(spec.name, spec.title, False, code=spec.code, max_s=spec.max_s)
    return SwitchNow(spec.name, spec.title, True, on.by, on.since, on.until, on.note, spec.code, spec.max_s)


def _call(call: Call, away_since: datetime | None) -> CallNow:
    return CallNow(
        call.id,
        call.state,
        call.opened_at,
        call.site,
        call.arrival.caller,
        call.arrival.dialed,
        region=call.region.name if call.region else "",
        tenant=call.tenant,
        queue=call.queue,
        agent=call.offer.agent if call.offer else None,
        destination=call.offer.destination if call.offer else None,
        invited=(call.invited.agent or call.invited.destination) if call.invited else None,
        held=call.held or call.phone_holds,
        recording=call.taped.tape.state if call.taped.tape is not None else None,
        also_rings=tuple(other.agent for other in call.others.values() if other.agent is not None),
        away_since=away_since,
    )


def _agent(agent: Agent) -> AgentNow:
    spec = agent.spec
    return AgentNow(
        spec.id,
        spec.name,
        spec.site,
        agent.state,
        agent.since,
        agent.misses,
        agent.duty,
        agent.reason or (REFUSES if agent.refuses else ""),
        spec.endpoint,
        spec.queues,
    )


def _trunk(group: Group, at: datetime) -> TrunkNow:
    spec, tally = group.spec, group.tally
    return TrunkNow(
        spec.name,
        spec.channels,
        group.in_use,
        spec.title,
        spec.reserve,
        group.shares.marked,
        group.others,
        tally.peak,
        tally.blocked,
        tuple(_of_tenant(group, tenant) for tenant in sorted({*group.tenants(), *tally.peaks, *tally.refused})),
        tuple(_member(group, member, at) for member in group.members.values()),
        tuple(tally.hours),
    )


def _of_tenant(group: Group, tenant: TenantName) -> TenantOfTrunk:
    share, tally = group.spec.shares.get(tenant, NO_SHARE), group.tally
    in_use, peak = group.shares.used[tenant], tally.peaks.get(tenant, 0)
    return TenantOfTrunk(tenant, in_use, share.guarantee, share.ceiling, peak, tally.refused[tenant])


def _member(group: Group, member: Member, at: datetime) -> MemberOfTrunk:
    spec = member.spec
    carried, state = group.carried_by(member), member.breaker.state(at)
    reached = group.is_reached(member)
    return MemberOfTrunk(spec.endpoint, spec.site, spec.channels, carried, reached, state, spec.per_second)


def _queue(exchange: Exchange, queue: QueueSpec) -> QueueNow:
    calls = [call for call in exchange.calls.values() if call.queue == queue.name]
    states = Counter(call.state for call in calls)
    on_the_line = [call for call in calls if call.state is CallState.QUEUED and not call.is_absent]
    waiting = [call.queued_at for call in on_the_line if call.queued_at]
    return QueueNow(
        queue.name,
        queue.title,
        waiting=states[CallState.QUEUED],
        ringing=sum(states[state] for state in RINGING),
        oldest=min(waiting, default=None),
        agents=exchange.floor.staff.serving(queue.name),
        available=exchange.floor.acd.idle(queue.name),
    )
