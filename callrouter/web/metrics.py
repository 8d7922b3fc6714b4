"""Metrics in Prometheus' formats, read from the daemon at the moment of the scrape.

Labels are names of the configuration and words of closed sets; no number or name of a person is ever one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from callrouter.core.admission import NotTaken
from callrouter.core.agent import AgentState
from callrouter.core.breaker import BreakerState
from callrouter.core.cdr import OfferResult, Outcome, RecordingResult, ReturnResult
from callrouter.core.facts import LoopSign
from callrouter.core.leading import Role, Sign
from callrouter.core.live import Figures, GroupLive, Live, QueueLive
from callrouter.core.states import CallState, Signal
from callrouter.core.stats import Counters, ExchangeNow
from callrouter.core.tapes import TapeResult
from callrouter.core.trunk_audit import Drift
from callrouter.web.loop_tasks import loop_tasks
from callrouter.web.readiness import hindrances
from callrouter.web.sources import CallbacksNow, Health, StatusSource, SurgesNow, VoicemailNow

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
_Labels = TypeVar("_Labels", bound=tuple[str, ...])


class Metrics:
    """The metrics of one daemon, with a registry of their own."""

    def __init__(self, source: StatusSource) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(source))
        ProcessCollector(registry=self._registry)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics where ``accept`` (the request's header) names it."""
        if "application/openmetrics-text" in accept:
            text: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self._registry), PLAIN


class _Collector(Collector):
    def __init__(self, source: StatusSource) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: being registered must not ask the daemon."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families, of one moment."""
        now, counters, health = self._source.now(), self._source.counters(), self._source.health()
        yield from _of_calls(now, counters)
        yield from _of_queues(now)
        yield from _of_today(self._source.live())
        yield from _of_topics(self._source.surges())
        yield from _of_voicemail(counters, self._source.voicemail(), now.at)
        yield from _of_callbacks(counters, self._source.callbacks(), now.at)
        yield from _of_resources(now)
        yield from _of_trunks(now, counters)
        yield from _of_events(counters, health)
        yield from _of_daemon(health)
        yield from _of_calendars(health)
        yield from _of_records(health)
        yield from _of_leading(health)
        yield from _of_tasks()


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[_Labels, float]) -> Metric:
    family = GaugeMetricFamily(f"callrouter_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _count(name: str, text: str, labels: tuple[str, ...], values: Mapping[_Labels, float]) -> Metric:
    family = CounterMetricFamily(f"callrouter_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _one(value: float) -> Mapping[tuple[()], float]:
    return {(): value}


def _of_calls(now: ExchangeNow, counters: Counters) -> Iterator[Metric]:
    states = Counter(call.state for call in now.calls)
    yield _gauge("calls", "Calls in progress.", ("state",), {(s.value,): states[s] for s in CallState})
    away = Counter(call.site for call in now.calls if call.away_since is not None)
    values = {(site,): away[site] for site in sorted({call.site for call in now.calls})}
    yield _gauge("calls_away", "Calls in progress of whose site nothing is heard.", ("site",), values)
    yield _count("calls_arrived", "Calls that came in.", (), _one(counters.arrived))
    yield _count("calls_taken_up", "Calls of an earlier daemon that were taken up.", (), _one(counters.taken_up))
    ended = {(outcome.value,): counters.ended[outcome] for outcome in Outcome}
    yield _count("calls_ended", "Calls that ended, by what became of the caller.", ("outcome",), ended)
    not_taken = {(why.value,): counters.not_taken[why] for why in NotTaken}
    yield _count("calls_not_taken", "Calls that were turned away, by why.", ("why",), not_taken)
    offers = {(result.value,): counters.offers[result] for result in OfferResult}
    yield _count("offers", "Offers of a caller to a counselor, by what became of them.", ("result",), offers)


def _of_queues(now: ExchangeNow) -> Iterator[Metric]:
    queue = ("queue",)
    waiting = {(q.queue,): q.waiting for q in now.queues}
    yield _gauge("queue_waiting", "Callers who wait.", queue, waiting)
    yield _gauge("queue_ringing", "Callers for whom a phone rings.", queue, {(q.queue,): q.ringing for q in now.queues})
    oldest = {(q.queue,): _seconds(q.oldest, now.at) for q in now.queues}
    yield _gauge("queue_oldest_wait_seconds", "How long the first in line has waited.", queue, oldest)
    yield _gauge("queue_agents", "Counselors of the queue.", queue, {(q.queue,): q.agents for q in now.queues})
    available = {(q.queue,): q.available for q in now.queues}
    yield _gauge("queue_agents_available", "Counselors of the queue who could take a call.", queue, available)


def _of_today(live: Live) -> Iterator[Metric]:
    kinds = (("queue", live.queues), ("tenant", live.tenants), ("topic", live.topics))
    groups = [(kind, group) for kind, found in kinds for group in found]
    keys = ("by", "group")

    waiting = {(kind, _name(group)): group.waiting for kind, group in groups}
    yield _gauge("waiting", "Callers who wait now.", keys, waiting)
    longest = {(kind, _name(group)): group.longest_wait_s for kind, group in groups}
    yield _gauge("longest_wait_seconds", "How long the first of those has waited.", keys, longest)

    def of(figure: Callable[[Figures], float | None]) -> dict[tuple[str, str], float]:
        """Nothing is no sample, and not 0."""
        values = {(kind, _name(group)): figure(group.today) for kind, group in groups}
        return {key: value for key, value in values.items() if value is not None}

    yield _gauge("today_offered", "Callers of the day who waited, and do not any more.", keys, of(lambda f: f.offered))
    yield _gauge("today_answered", "Those that a counselor answered.", keys, of(lambda f: f.answered))
    yield _gauge("today_abandoned", "Those who hung up before.", keys, of(lambda f: f.abandoned))
    text = "Service level of the day, by each queue's own goal."
    yield _gauge("today_service_level_ratio", text, keys, of(lambda f: _ratio(f.service_level)))
    yield _gauge("today_abandoned_ratio", "Abandoned of offered.", keys, of(lambda f: _ratio(f.abandon_rate)))
    yield _gauge("today_answer_seconds", "Average speed of answer of the day.", keys, of(lambda f: f.asa_s))
    occupancies = {(kind, _name(group)): _ratio(group.occupancy) for kind, group in groups}
    text = "Share of the time logged in that counselors talked or worked after calls, of the day."
    known = {key: value for key, value in occupancies.items() if value is not None}
    yield _gauge("today_occupancy_ratio", text, keys, known)
    text = "Since when the figures of the day count."
    yield _gauge("today_since_seconds", text, (), _one(live.since.timestamp()))
    states = {(q.queue, state.value): q.agents.get(state, 0) for q in live.queues for state in AgentState}
    yield _gauge("queue_agents_by_state", "Counselors of the queue, by what they do.", ("queue", "state"), states)


def _of_topics(surges: SurgesNow) -> Iterator[Metric]:
    """Nothing, where nobody looks or nothing is known."""
    calls = {(one.topic,): one.calls for one in surges.topics}
    yield _gauge("topic_calls_hour", "Calls of the topic that came in during this hour.", ("topic",), calls)
    usual = {(one.topic,): one.usual for one in surges.topics}
    yield _gauge("topic_calls_usual", "What past weeks had in this hour.", ("topic",), usual)
    surging = {(one.topic,): float(one.surges) for one in surges.topics}
    yield _gauge("topic_surge", "1 while the topic has more calls than is usual.", ("topic",), surging)
    yield _gauge(
        "surge_known", "0 while nothing can be said of surges.", (), _one(not (surges.unknown or surges.is_asking))
    )


def _name(group: QueueLive | GroupLive) -> str:
    return group.queue if isinstance(group, QueueLive) else group.name


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _of_voicemail(counters: Counters, voicemail: VoicemailNow, at: datetime) -> Iterator[Metric]:
    results = {(result.value,): counters.recordings[result] for result in RecordingResult}
    tapes = {(result.value,): counters.tapes[result] for result in TapeResult}
    yield _count("recordings", "Conversations that were recorded, by what became of it.", ("result",), tapes)
    yield _count("voicemail_recordings", "Messages that were asked for, by what became of them.", ("result",), results)
    unheard = {(box.box,): box.unheard for box in voicemail.boxes}
    yield _gauge("voicemail_unheard", "Messages that nobody has heard.", ("box",), unheard)
    oldest = {(box.box,): _seconds(box.oldest, at) for box in voicemail.boxes}
    text = "How long the first of those has waited to be heard."
    yield _gauge("voicemail_oldest_unheard_seconds", text, ("box",), oldest)
    kept = {(box.box,): box.kept for box in voicemail.boxes}
    yield _gauge("voicemail_kept", "Messages that are kept, heard or not.", ("box",), kept)


def _of_callbacks(counters: Counters, callbacks: CallbacksNow, at: datetime) -> Iterator[Metric]:
    done = {(result.value,): counters.returns[result] for result in ReturnResult}
    yield _count("callbacks_made", "Requests that queues called back by themselves, by result.", ("result",), done)
    waiting = {(queue.queue,): queue.waiting for queue in callbacks.queues}
    yield _gauge("callbacks_open", "Callers who wait to be called back.", ("queue",), waiting)
    oldest = {(queue.queue,): _seconds(queue.oldest, at) for queue in callbacks.queues}
    text = "How long the first of those has waited to be called back."
    yield _gauge("callbacks_oldest_open_seconds", text, ("queue",), oldest)


def _of_resources(now: ExchangeNow) -> Iterator[Metric]:
    agents = Counter((agent.site, agent.state) for agent in now.agents)
    sites = sorted({agent.site for agent in now.agents})
    values = {(site, state.value): agents[site, state] for site in sites for state in AgentState}
    yield _gauge("agents", "Counselors by what they are doing.", ("site", "state"), values)
    switches = {(one.switch,): float(one.on) for one in now.switches}
    yield _gauge("switch_on", "1 while the switch is on.", ("switch",), switches)


def _of_trunks(now: ExchangeNow, counters: Counters) -> Iterator[Metric]:
    trunk = ("trunk",)
    yield _gauge("trunk_channels", "Channels of the group.", trunk, {(t.trunk,): t.channels for t in now.trunks})
    used = {(t.trunk,): t.in_use for t in now.trunks}
    yield _gauge("trunk_channels_in_use", "Channels of the group that carry a call.", trunk, used)
    shares = [(t, share) for t in now.trunks for share in t.tenants]
    text, keys = "Channels of the group that carry a tenant's call.", ("trunk", "tenant")
    of_tenant = {(t.trunk, share.tenant): share.in_use for t, share in shares}
    yield _gauge("trunk_tenant_channels_in_use", text, keys, of_tenant)
    guarantees = {(t.trunk, share.tenant): share.guarantee for t, share in shares}
    yield _gauge("trunk_tenant_guarantee", "Channels that are guaranteed to a tenant.", keys, guarantees)
    blocked = {(t.trunk, share.tenant): share.blocked for t, share in shares}
    yield _count("trunk_blocked", "Calls that found no channel of the group.", keys, blocked)
    peaks = {(t.trunk,): t.peak for t in now.trunks}
    yield _gauge("trunk_peak", "The most channels that were in use at once since the start.", trunk, peaks)
    up = {
        (t.trunk, member.endpoint): float(member.online and member.breaker is BreakerState.CLOSED)
        for t in now.trunks
        for member in t.members
    }
    yield _gauge("trunk_member_up", "1 while calls go out by the member.", ("trunk", "endpoint"), up)
    limits = [((one.limit, one.tenant, one.bound), one) for one in now.limits]
    of_limit = ("limit", "tenant", "bound")
    text = "Calls or minutes that have gone out, of those that a limit lets go; without a tenant, of all together."
    yield _gauge("outbound_used", text, of_limit, {key: one.used for key, one in limits})
    yield _gauge("outbound_allowed", "What a limit lets go out.", of_limit, {key: one.most for key, one in limits})
    text = "Calls that were not made, since the limit was reached."
    yield _count("outbound_blocked", text, of_limit, {key: one.blocked for key, one in limits})
    text = "Calls that went in a circle and were ended, by what told so."
    yield _count("loops", text, ("sign",), {(sign.value,): counters.loops[sign] for sign in LoopSign})
    drifts = {(drift.value,): counters.trunk_drifts[drift] for drift in Drift}
    text = "Channels that were held in vain, or not held though a call had them, and put right."
    yield _count("trunk_drifts", text, ("drift",), drifts)


def _of_events(counters: Counters, health: Health) -> Iterator[Metric]:
    yield _count(
        "events_stale", "Events that came late or twice, and were ignored.", ("state", "signal"), _pairs(counters.stale)
    )
    yield _count(
        "events_impossible",
        "Events that the call's state does not allow; that call was given up.",
        ("state", "signal"),
        _pairs(counters.impossible),
    )
    text = "Events about channels that are not, or no longer, ours."
    yield _count("events_unknown_channel", text, (), _one(counters.unknown_channel))
    yield _gauge("inbox_depth", "Events that wait for the dispatcher.", (), _one(health.inbox.depth))
    yield _gauge("inbox_capacity", "Events that may wait for the dispatcher.", (), _one(health.inbox.capacity))
    yield _count(
        "inbox_dropped", "Events that found no room; their site was compared anew.", (), _one(health.inbox.dropped)
    )
    yield _count("event_failures", "Events whose handling failed.", (), _one(health.inbox.failures))
    text = "Orders sent to Asterisk before the facts that they follow from were on disk, which was slow."
    yield _count("orders_hastened", text, (), _one(health.inbox.hastened))
    text = "Faults met on an event of other calls; each cost the call that met it."
    yield _count("defects", text, (), _one(counters.defects))


def _pairs(events: Mapping[tuple[CallState, Signal], int]) -> Mapping[tuple[str, str], float]:
    """Only those that happened: most of the hundred pairs never do."""
    return {(state.value, signal.value): count for (state, signal), count in events.items()}


def _of_daemon(health: Health) -> Iterator[Metric]:
    info = {(health.version, health.config_hash): 1.0}
    yield _gauge("build_info", "Version of the daemon and of its rules.", ("version", "config_hash"), info)
    reloads = {(result,): count for result, count in health.reloads.items()}
    yield _count("reloads", "Tries to take new rules, by what became of them.", ("result",), reloads)
    text = "Faults of the configuration on disk that kept it from being taken."
    yield _gauge("config_faults", text, (), _one(health.config_faults))
    yield _gauge("start_time_seconds", "When the daemon started.", (), _one(health.started_at.timestamp()))
    yield _gauge("ready", "1 while calls are taken.", (), _one(not hindrances(health)))
    yield _gauge("draining", "1 while the daemon is stopping.", (), _one(health.draining))
    up = {(site.site,): float(site.up) for site in health.sites}
    yield _gauge("site_up", "1 while the Asterisk of the site is connected.", ("site",), up)
    requests = {(site, outcome): count for (site, outcome), count in health.ari_requests.items()}
    yield _count("ari_requests", "Requests to Asterisk, by outcome.", ("site", "outcome"), requests)
    away = {(site,): count for site, count in health.ari_turned_away.items()}
    yield _count("ari_requests_turned_away", "Requests not sent because too many waited.", ("site",), away)
    late = {(site,): count for site, count in health.ari_late.items()}
    yield _count("ari_answers_late", "Answers of Asterisk to requests that had been given up.", ("site",), late)
    text = "How far this machine's clock is ahead of the daemon's."
    yield _gauge("clock_drift_seconds", text, (), _one(health.clock_drift_s))
    sessions = {(outcome,): count for outcome, count in health.agi_sessions.items()}
    yield _count("agi_sessions", "FastAGI connections, by what became of them.", ("outcome",), sessions)
    yield _gauge("agi_sessions_open", "FastAGI connections in progress.", (), _one(health.agi_open))


def _of_calendars(health: Health) -> Iterator[Metric]:
    text = "Days to the last day up to which the calendar's holidays are known; negative when it is past."
    ends = {(calendar,): days for calendar, days in health.holidays_end_days.items()}
    yield _gauge("calendar_holidays_end_days", text, ("calendar",), ends)


def _of_leading(health: Health) -> Iterator[Metric]:
    """Nothing, where no other daemon may wait."""
    now = health.leading
    if now is None:
        return
    roles = {(role.value,): float(role is now.role) for role in Role}
    yield _gauge("role", "1 for what the daemon is among the others.", ("role",), roles)
    yield _gauge("standbys_waiting", "Daemons that wait to take over, as the leader sees them.", (), _one(now.waiting))
    yield _count("leads_begun", "How often this daemon began to lead.", (), _one(now.changes))
    text = "1 while PostgreSQL's lock of the leader is this daemon's."
    yield _gauge("leader_lock", text, (), _one(now.lock is Sign.LOCK_OURS))
    if now.copy is not None:
        text = "1 while a copy of the journal on another machine is whole; of one who waits, its own."
        yield _gauge("journal_copy_whole", text, (), _one(now.copy.is_whole))
        text = "Commits of the journal that are not on the disk of the other machine."
        yield _gauge("journal_copy_behind", text, (), _one(now.copy.behind))
        text = "For how long the copy of the journal has not been up to date."
        yield _gauge("journal_copy_behind_seconds", text, (), _one(now.copy.behind_s))


def _of_tasks() -> Iterator[Metric]:
    """Those of the event loop that is asked in."""
    tasks = {(doing,): float(count) for doing, count in loop_tasks().items()}
    yield _gauge("tasks", "Tasks of the event loop, by what they do.", ("doing",), tasks)


def _of_records(health: Health) -> Iterator[Metric]:
    journal = health.journal
    yield _gauge(
        "journal_ok",
        "1 while records reach the disk and none has been lost.",
        (),
        _one(journal.alarm is None and not journal.dropped and not journal.lost),
    )
    yield _gauge("journal_waiting", "Records in memory that are not on disk yet.", (), _one(journal.waiting))
    yield _count("journal_dropped", "Records that found no room.", (), _one(journal.dropped))
    yield _gauge("remembered_callers", "Callers whose choice is remembered.", (), _one(health.memory.callers))
    database = health.database
    if database is None:
        return
    yield _gauge("database_connected", "1 while PostgreSQL takes CDRs.", (), _one(database.connected))
    yield _gauge("cdr_backlog", "CDRs that wait in the journal for PostgreSQL.", (), _one(database.backlog))
    yield _count("cdr_delivered", "CDRs that PostgreSQL has taken.", (), _one(database.delivered))
    yield _count("cdr_set_aside", "CDRs that PostgreSQL would not take.", (), _one(database.set_aside))
    refused = "Versions of the rules that PostgreSQL would not take."
    yield _count("rules_refused", refused, (), _one(database.rules_refused))
    refused = "Entries of the audit log that PostgreSQL would not take."
    yield _count("audit_refused", refused, (), _one(database.audit_refused))


def _seconds(since: datetime | None, at: datetime) -> float:
    return 0.0 if since is None else max(0.0, (at - since).total_seconds())
