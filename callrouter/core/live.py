"""Figures of this moment and of the day so far, by queue, tenant and topic, for whoever looks."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime

import msgspec

from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.exchange import Exchange
from callrouter.core.ids import QueueName, TenantName
from callrouter.core.picture import RINGING
from callrouter.core.states import CallState
from callrouter.core.tally import QueueTally
from callrouter.core.worktime import Spent


class Figures(msgspec.Struct, frozen=True):
    """Of callers who waited in the day so far. Shares are percent, durations seconds; a figure of nothing is None."""

    offered: int
    answered: int
    abandoned: int
    short_abandons: int
    overflowed: int
    other: int
    service_level: float | None
    target_percent: int | None
    asa_s: float | None
    longest_wait_s: float | None
    abandon_rate: float | None


class QueueLive(msgspec.Struct, frozen=True):
    """One queue: who waits now and for how long, what its counselors do, how the day went, how busy they were."""

    queue: QueueName
    title: str
    waiting: int
    ringing: int
    longest_wait_s: float
    agents: dict[AgentState, int]
    today: Figures
    occupancy: float | None


class GroupLive(msgspec.Struct, frozen=True):
    """The same for one tenant or topic, over all queues. Topics have no counselors of their own."""

    name: str
    waiting: int
    ringing: int
    longest_wait_s: float
    today: Figures
    occupancy: float | None = None


class Live(msgspec.Struct, frozen=True):
    """Everything. ``day`` is the local day; calls of it count if they came in, or ended, after ``since``."""

    at: datetime
    day: date
    since: datetime
    queues: tuple[QueueLive, ...]
    tenants: tuple[GroupLive, ...]
    topics: tuple[GroupLive, ...]


def live(exchange: Exchange, at: datetime) -> Live:
    """The figures at ``at``, which is never before that of the event before."""
    today, floor = exchange.today, exchange.floor
    today.keep_up(at)
    spent = [(agent, today.spent(agent, at)) for agent in floor.staff.agents.values()]
    tenants = {agent.spec.tenant for agent, _ in spent if agent.spec.tenant} | set(today.tenants)
    calls = [call for call in exchange.calls.values() if call.queue is not None]
    topics = set(today.topics) | {call.known.topic or "" for call in calls}
    return Live(
        at=at,
        day=today.day,
        since=today.since,
        queues=tuple(
            QueueLive(
                queue,
                spec.title,
                *_waiting([call for call in calls if call.queue == queue], at),
                agents=dict(Counter(agent.state for agent, _ in spent if queue in agent.spec.queues)),
                today=_figures(today.queues.get(queue)),
                occupancy=_occupancy(one for agent, one in spent if queue in agent.spec.queues),
            )
            for queue, spec in exchange.rulebook.queues.items()
        ),
        tenants=tuple(
            GroupLive(
                tenant,
                *_waiting([call for call in calls if call.tenant == tenant], at),
                today=_figures(today.tenants.get(TenantName(tenant))),
                occupancy=_occupancy(one for agent, one in spent if agent.spec.tenant == tenant),
            )
            for tenant in sorted(tenants)
        ),
        topics=tuple(
            GroupLive(
                topic,
                *_waiting([call for call in calls if (call.known.topic or "") == topic], at),
                today=_figures(today.topics.get(topic)),
            )
            for topic in sorted(topics)
        ),
    )


def _waiting(calls: Iterable[Call], at: datetime) -> tuple[int, int, float]:
    """How many wait, for how many a phone rings, and how long the first of those who wait has done so."""
    states = Counter(call.state for call in calls)
    waits = [
        (at - call.queued_at).total_seconds()
        for call in calls
        if call.state is CallState.QUEUED and call.queued_at is not None and not call.is_absent
    ]
    return states[CallState.QUEUED], sum(states[state] for state in RINGING), max(waits, default=0.0)


def _figures(tally: QueueTally | None) -> Figures:
    found = tally if tally is not None else QueueTally()
    return Figures(
        found.offered,
        found.answered,
        found.abandoned,
        found.short_abandons,
        found.overflowed,
        found.other,
        found.service_level,
        found.target_percent,
        found.asa_s,
        found.longest_wait_s,
        found.abandon_rate,
    )


def _occupancy(all_spent: Iterable[Spent]) -> float | None:
    total = Spent()
    for one in all_spent:
        total.add(one)
    return total.occupancy
