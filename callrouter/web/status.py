"""The status document, ``/api/v1/status``: everything in progress, without a resident's whole number."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import msgspec

from callrouter.core.agent import AgentState
from callrouter.core.duty import Duty
from callrouter.core.ids import CallId, QueueName, SiteName, TenantName
from callrouter.core.leading import LeadingNow, Role
from callrouter.core.live import Live
from callrouter.core.numbers import masked
from callrouter.core.outbound_meter import LimitNow
from callrouter.core.states import CallState
from callrouter.core.stats import AgentNow, CallNow, Counters, ExchangeNow, QueueNow, SwitchNow, TrunkNow
from callrouter.core.surge import TopicNow
from callrouter.core.tapes import TapeState
from callrouter.core.transfers import party
from callrouter.web.callback import CallbackQueue, callback_queue
from callrouter.web.readiness import hindrances, remarks
from callrouter.web.sources import BoxNow, CallbackQueueNow, Health, SurgesNow
from callrouter.web.voicemail import Box, box

NOTHING_SURGES = SurgesNow()


class Service(msgspec.Struct, frozen=True):
    """Which daemon this is."""

    title: str
    version: str
    config_hash: str
    started_at: datetime


class Site(msgspec.Struct, frozen=True):
    """One Asterisk: ``state`` is in words, ``since`` when ``up`` last changed."""

    site: SiteName
    title: str
    up: bool
    state: str
    since: datetime
    version: str | None


class Call(msgspec.Struct, frozen=True):
    """One call in progress. The caller's number is masked."""

    call: CallId
    state: CallState
    since: datetime
    site: SiteName
    caller: str
    dialed: str
    region: str
    tenant: TenantName
    queue: str | None
    agent: str | None
    destination: str | None = None
    invited: str | None = None
    held: bool = False
    recording: TapeState | None = None
    also_rings: tuple[str, ...] = ()
    """Whose phones ring for the caller beside that of ``agent``."""
    away_since: datetime | None = None
    """When its site was lost, which is not back: what is told of it was so then."""


class Queue(msgspec.Struct, frozen=True):
    """One queue; ``oldest`` is since when the longest-waiting caller waits."""

    queue: str
    title: str
    waiting: int
    ringing: int
    oldest: datetime | None
    agents: int
    available: int


class Agent(msgspec.Struct, frozen=True):
    """One counselor; ``misses`` counts the offers missed in a row.

    ``duty`` is what was said of him, and ``reason`` why; it holds when what he is doing is over. ``phone`` is what
    Asterisk dials for him, and ``queues`` whose calls he takes, at the moment.
    """

    agent: str
    name: str
    site: SiteName
    state: AgentState
    since: datetime
    misses: int
    duty: Duty = Duty.ON
    reason: str = ""
    phone: str = ""
    queues: tuple[QueueName, ...] = ()


class Database(msgspec.Struct, frozen=True):
    """PostgreSQL; ``backlog`` CDRs wait for it."""

    connected: bool
    since: datetime
    backlog: int
    set_aside: int
    last_error: str | None


class Journal(msgspec.Struct, frozen=True):
    """The local journal: ``alarm`` is why it takes nothing now, ``dropped`` and ``lost`` what is gone for good."""

    alarm: str | None
    waiting: int
    dropped: int
    lost: tuple[str, ...] = ()


class Copy(msgspec.Struct, frozen=True):
    """A copy of the leader's journal on another machine: ``behind`` commits, and for how long, are not on its disk."""

    is_whole: bool
    behind: int
    behind_s: float


class Leading(msgspec.Struct, frozen=True):
    """How this daemon stands to others of the same journal: ``role`` since when, in words, and how many others wait.

    ``term`` is the number of the leader's time in charge, None for one who does not lead; ``waiting`` is known to the
    leader alone. ``changes`` counts how often this daemon began to lead. ``copy`` is of the journal, where each daemon
    has one on a machine of its own: of one who waits his own, of the leader the best of the others.
    """

    role: Role
    since: datetime
    term: int | None
    waiting: int
    changes: int
    words: str
    copy: Copy | None = None


class Totals(msgspec.Struct, frozen=True):
    """Since the start: calls that came in and ended, by outcome; offers, by result; faults of ours that were met."""

    arrived: int
    ended: dict[str, int]
    offers: dict[str, int]
    impossible_events: int
    defects: int = 0


class StatusDocument(msgspec.Struct, frozen=True):
    """All of it. ``hindrances`` are why no call is taken (empty when ``ready``); ``remarks`` is what else is amiss."""

    at: datetime
    service: Service
    ready: bool
    hindrances: tuple[str, ...]
    remarks: tuple[str, ...]
    draining: bool
    sites: tuple[Site, ...]
    queues: tuple[Queue, ...]
    agents: tuple[Agent, ...]
    trunks: tuple[TrunkNow, ...]
    calls: tuple[Call, ...]
    database: Database | None
    journal: Journal
    inbox_depth: int
    totals: Totals
    inbox_dropped: int = 0
    clock_drift_s: float = 0.0
    boxes: tuple[Box, ...] = ()
    switches: tuple[SwitchNow, ...] = ()
    callbacks: tuple[CallbackQueue, ...] = ()
    live: Live | None = None
    surges: tuple[TopicNow, ...] = ()
    leading: Leading | None = None
    limits: tuple[LimitNow, ...] = ()


def status_document(
    now: ExchangeNow,
    counters: Counters,
    health: Health,
    boxes: tuple[BoxNow, ...] = (),
    callbacks: tuple[CallbackQueueNow, ...] = (),
    live: Live | None = None,
    surges: SurgesNow = NOTHING_SURGES,
) -> StatusDocument:
    """The document for this moment."""
    against = hindrances(health)
    return StatusDocument(
        at=now.at,
        service=Service(health.title, health.version, health.config_hash, health.started_at),
        ready=not against,
        hindrances=against,
        remarks=(*remarks(health), *_of_sites_away(now), *_of_surges(surges)),
        draining=health.draining,
        sites=tuple(Site(s.site, s.title, s.up, s.state, s.since, s.version) for s in health.sites),
        queues=tuple(map(_queue, now.queues)),
        agents=tuple(map(agent_of, now.agents)),
        trunks=now.trunks,
        calls=tuple(map(_call, now.calls)),
        database=_database(health),
        journal=Journal(
            health.journal.alarm, health.journal.waiting, health.journal.dropped, tuple(health.journal.lost)
        ),
        inbox_depth=health.inbox.depth,
        totals=_totals(counters),
        inbox_dropped=health.inbox.dropped,
        clock_drift_s=round(health.clock_drift_s, 3),
        boxes=tuple(map(box, boxes)),
        switches=now.switches,
        limits=now.limits,
        callbacks=tuple(map(callback_queue, callbacks)),
        live=live,
        surges=tuple(topic for topic in surges.topics if topic.surges),
        leading=_leading(health.leading),
    )


def _leading(now: LeadingNow | None) -> Leading | None:
    if now is None:
        return None
    copy = Copy(now.copy.is_whole, now.copy.behind, round(now.copy.behind_s, 3)) if now.copy is not None else None
    return Leading(now.role, now.since, now.term, now.waiting, now.changes, now.words, copy)


def _of_sites_away(now: ExchangeNow) -> Iterator[str]:
    away = Counter(call.site for call in now.calls if call.away_since is not None)
    for site, calls in sorted(away.items()):
        yield f"of the site {site} nothing is heard: {calls} calls are told of as they were when it was lost"


def _of_surges(surges: SurgesNow) -> tuple[str, ...]:
    return (f"whether topics surge is not known: {surges.unknown}",) if surges.unknown else ()


def _call(call: CallNow) -> Call:
    return Call(
        call=call.call,
        state=call.state,
        since=call.since,
        site=call.site,
        caller=masked(call.caller),
        dialed=call.dialed,
        region=call.region,
        tenant=call.tenant,
        queue=call.queue,
        agent=call.agent,
        destination=call.destination,
        invited=party(call.invited) if call.invited else None,
        held=call.held,
        recording=call.recording,
        also_rings=call.also_rings,
        away_since=call.away_since,
    )


def _queue(queue: QueueNow) -> Queue:
    return Queue(queue.queue, queue.title, queue.waiting, queue.ringing, queue.oldest, queue.agents, queue.available)


def agent_of(agent: AgentNow) -> Agent:
    """A counselor as documents show one."""
    return Agent(
        agent.agent,
        agent.name,
        agent.site,
        agent.state,
        agent.since,
        agent.misses,
        agent.duty,
        agent.reason,
        agent.phone,
        agent.queues,
    )


def _database(health: Health) -> Database | None:
    database = health.database
    if database is None:
        return None
    return Database(database.connected, database.since, database.backlog, database.set_aside, database.last_error)


def _totals(counters: Counters) -> Totals:
    return Totals(
        arrived=counters.arrived,
        ended={outcome.value: count for outcome, count in counters.ended.items()},
        offers={result.value: count for result, count in counters.offers.items()},
        impossible_events=counters.impossible.total(),
        defects=counters.defects,
    )
