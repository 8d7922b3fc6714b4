"""The moment as text: what ``callrouter status`` prints and ``callrouter top`` shows."""

from collections.abc import Iterator
from datetime import datetime

from callrouter.cli.text import Column, clock, elapsed, plain, table
from callrouter.core.leading import Role
from callrouter.core.live import QueueLive
from callrouter.core.surge import TopicNow
from callrouter.web.status import Call, Leading, Queue, Site, StatusDocument

_SITES = (Column("site", 16), Column("title", 24), Column("up", 3), Column("since", 9, right=True), Column("", 40))
_QUEUES = (
    Column("queue", 20),
    Column("title", 28),
    Column("waiting", 7, right=True),
    Column("ringing", 7, right=True),
    Column("longest", 9, right=True),
    Column("free", 5, right=True),
    Column("agents", 6, right=True),
)
_TODAY = (
    Column("today", 20),
    Column("offered", 7, right=True),
    Column("answered", 8, right=True),
    Column("gave up", 7, right=True),
    Column("level", 6, right=True),
    Column("goal", 5, right=True),
    Column("ASA", 7, right=True),
    Column("occupied", 8, right=True),
)
_AGENTS = (
    Column("agent", 16),
    Column("name", 28),
    Column("state", 10),
    Column("for", 9, right=True),
    Column("missed", 6, right=True),
    Column("site", 16),
)
_CALLS = (
    Column("state", 10),
    Column("for", 9, right=True),
    Column("caller", 16),
    Column("dialed", 12),
    Column("region", 12),
    Column("queue", 16),
    Column("agent", 12),
)
_SWITCHES = (
    Column("switch on", 20),
    Column("title", 28),
    Column("by", 16),
    Column("for", 9, right=True),
    Column("note", 30),
)
_TRUNKS = (Column("trunk", 24), Column("in use", 6, right=True), Column("channels", 8, right=True))

_BOXES = (
    Column("messages", 20),
    Column("title", 28),
    Column("new", 7, right=True),
    Column("waiting", 10, right=True),
    Column("kept", 7, right=True),
)
_CALLBACKS = (
    Column("to call back", 20),
    Column("title", 28),
    Column("open", 7, right=True),
    Column("waiting", 10, right=True),
)


def parts(found: StatusDocument) -> Iterator[str]:
    """Its tables, each a text of several lines."""
    at = found.at
    on = [one for one in found.switches if one.on]
    if on:
        yield table(_SWITCHES, [(one.switch, one.title, one.by, elapsed(one.since, at), one.note) for one in on])
    yield table(
        _SITES, [(s.site, s.title, "yes" if s.up else "no", elapsed(s.since, at), _note(s)) for s in found.sites]
    )
    yield table(_QUEUES, [_queue(queue, at) for queue in found.queues])
    if found.live is not None:
        yield table(_TODAY, [_today(queue) for queue in found.live.queues])
    yield table(
        _AGENTS, [(a.agent, a.name, a.state.value, elapsed(a.since, at), str(a.misses), a.site) for a in found.agents]
    )
    if found.trunks:
        yield table(_TRUNKS, [(t.trunk, str(t.in_use), str(t.channels)) for t in found.trunks])
    if found.boxes:
        rows = [(b.box, b.title, str(b.unheard), elapsed(b.oldest, at), str(b.kept)) for b in found.boxes]
        yield table(_BOXES, rows)
    if found.callbacks:
        yield table(_CALLBACKS, [(q.queue, q.title, str(q.waiting), elapsed(q.oldest, at)) for q in found.callbacks])
    yield table(_CALLS, [_call(call, at) for call in found.calls]) if found.calls else "no calls"


def head(found: StatusDocument) -> str:
    """How the daemon is; what hinders it in lines that begin with ``!``."""
    service, totals = found.service, found.totals
    word = "takes calls" if found.ready else "TAKES NO CALLS"
    ended = ", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.ended.items()))
    lines = [
        f"{service.title}: {word}",
        f"callrouter {service.version}, rules {service.config_hash}, up {elapsed(service.started_at, found.at)}",
        f"calls since then: {totals.arrived} came in" + (f"; {ended}" if ended else ""),
        *_leading(found),
        f"database: {_database(found)}",
        f"journal: {_journal(found)}",
    ]
    lines += [f"! {text}" for text in (*map(_surge, found.surges), *found.hindrances, *found.remarks)]
    if totals.impossible_events:
        lines.append(f"! {totals.impossible_events} events did not fit their calls; see the log")
    if totals.defects:
        lines.append(f"! {totals.defects} calls were given up because of a defect; see the log, and report it")
    return "\n".join(map(plain, lines))


def _surge(topic: TopicNow) -> str:
    text = f"topic {topic.topic} surges: {topic.calls} calls in this hour, usually {topic.usual:g}"
    if topic.suggest is None:
        return text
    return f"{text}; {topic.suggest} is on" if topic.suggest_on else f"{text}; callrouter switch on {topic.suggest}"


def _leading(found: StatusDocument) -> Iterator[str]:
    """Nothing where no other daemon may wait; one who waits says so among what hinders it."""
    now = found.leading
    if now is not None and now.role is Role.LEADING:
        others = f"{now.waiting} wait to take over{_copied(now)}"
        yield f"leads for {elapsed(now.since, found.at)}, term {now.term}; {others}"


def _copied(now: Leading) -> str:
    """Nothing where all have one journal."""
    copy = now.copy
    if copy is None:
        return ""
    return f", its copy {'whole' if copy.is_whole else 'not whole yet'}, {copy.behind} commits behind"


def _database(found: StatusDocument) -> str:
    database = found.database
    if database is None:
        return "none; CDRs stay in the journal"
    word = "connected" if database.connected else "away"
    aside = f", {database.set_aside} refused" if database.set_aside else ""
    return f"{word} for {elapsed(database.since, found.at)}, {database.backlog} CDRs wait{aside}"


def _journal(found: StatusDocument) -> str:
    journal = found.journal
    if journal.alarm is not None:
        return f"takes nothing ({journal.alarm}), {journal.waiting} records wait in memory"
    return "takes records, but some are gone" if journal.dropped or journal.lost else "well"


def _note(site: Site) -> str:
    return f"Asterisk {site.version}" if site.up and site.version else site.state


def _queue(queue: Queue, at: datetime) -> tuple[str, ...]:
    counts = (queue.waiting, queue.ringing, queue.available, queue.agents)
    waiting, ringing, free, agents = map(str, counts)
    return (queue.queue, queue.title, waiting, ringing, elapsed(queue.oldest, at), free, agents)


def _today(queue: QueueLive) -> tuple[str, ...]:
    f = queue.today
    counts = (str(count) for count in (f.offered, f.answered, f.abandoned))
    shares = (_percent(f.service_level), _percent(f.target_percent))
    return (queue.queue, *counts, *shares, clock(f.asa_s), _percent(queue.occupancy))


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}%"


def _call(call: Call, at: datetime) -> tuple[str, ...]:
    state, age = call.state.value, elapsed(call.since, at)
    more = f" +{len(call.also_rings)}" if call.also_rings else ""
    party = f"{call.agent or call.destination or '-'}{more}"
    return (state, age, call.caller, call.dialed, call.region, call.queue or "-", party)
