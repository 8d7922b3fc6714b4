"""What the daemon tells of itself, gathered from its parts."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import callrouter
from callrouter.agi.server import AgiServer
from callrouter.agi.server import Outcome as AgiOutcome
from callrouter.app.callback import CallbackKeeper, callback_now, callback_queues
from callrouter.app.reload import ConfigReloader, ReloadOutcome
from callrouter.app.surge import SurgeWatch
from callrouter.app.voicemail import MessageKeeper
from callrouter.ari.fleet import Fleet
from callrouter.core.ids import BoxName, CalendarName
from callrouter.core.leading import LeadingNow
from callrouter.core.live import Live, live
from callrouter.core.picture import picture
from callrouter.core.routing import Ruleset
from callrouter.core.rulebook import BoxSpec, Router
from callrouter.core.stats import Counters, ExchangeNow
from callrouter.descriptors import descriptors
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.delivery import CdrWriter
from callrouter.store.journal import Journal
from callrouter.store.remembered import Remembered
from callrouter.store.voicemail import BoxCount, Message
from callrouter.web.readiness import hindrances
from callrouter.web.sources import (
    BoxNow,
    CallbacksNow,
    DatabaseHealth,
    Health,
    InboxHealth,
    JournalHealth,
    MemoryHealth,
    MessageNow,
    SiteHealth,
    SurgesNow,
    VoicemailNow,
)


def holidays_end_days(router: Router, at: datetime) -> dict[CalendarName, int]:
    """In how many days, by the date in its own zone, the holidays of each calendar are not known any more."""
    if not isinstance(router, Ruleset):
        return {}
    return {
        name: (calendar.holidays_end - at.astimezone(calendar.zone).date()).days
        for name, calendar in router.calendars.items()
        if calendar.holidays_end is not None
    }


def boxes_now(configured: Mapping[BoxName, BoxSpec], counts: Iterable[BoxCount]) -> tuple[BoxNow, ...]:
    """Every box that is configured, and behind them those that are not, but hold messages still."""
    boxes = {name: BoxNow(name, spec.title, 0, 0, None) for name, spec in configured.items()}
    for count in counts:
        title = configured[count.box].title if count.box in configured else count.box
        boxes[count.box] = BoxNow(count.box, title, count.kept, count.unheard, count.oldest)
    return tuple(boxes.values())


def _message(m: Message) -> MessageNow:
    return MessageNow(
        m.id, m.call_id, m.box, m.tenant, m.caller, m.region, m.left_at, m.duration_s, m.heard_at, m.heard_by, m.fault
    )


class DaemonStatus:
    """Implements :class:`callrouter.web.sources.StatusSource`."""

    def __init__(
        self,
        reloader: ConfigReloader,
        clock: SteadyClock,
        dispatcher: Dispatcher,
        fleet: Fleet,
        journal: Journal,
        writer: CdrWriter | None,
        agi: AgiServer,
        remembered: Remembered,
        keeper: MessageKeeper | None = None,
        callbacks: CallbackKeeper | None = None,
        surges: SurgeWatch | None = None,
    ) -> None:
        self._reloader = reloader
        self._clock = clock
        self._dispatcher = dispatcher
        self._fleet = fleet
        self._journal = journal
        self._writer = writer
        self._agi = agi
        self._keeper = keeper
        self._callbacks = callbacks
        self._remembered = remembered
        self._surges = surges
        self.leading: Callable[[], LeadingNow] | None = None
        """How this daemon stands to others of its journal, where there may be others."""
        self._started_at = clock.now()
        self._titles = {name: site.title for name, site in reloader.loaded.settings.sites.items()}

    def now(self) -> ExchangeNow:
        """Everything in progress."""
        return picture(self._dispatcher.exchange, self._clock.now())

    def live(self) -> Live:
        """Figures of this moment and of the day so far."""
        return live(self._dispatcher.exchange, self._clock.now())

    def surges(self) -> SurgesNow:
        """Topics, and whether they surge."""
        return self._surges.surges if self._surges is not None else SurgesNow()

    def counters(self) -> Counters:
        """What happened since the start."""
        return self._dispatcher.exchange.counters

    def health(self) -> Health:
        """How the daemon itself is."""
        inbox = self._dispatcher.inbox
        agi = self._agi.counters
        return Health(
            title=self._reloader.loaded.settings.title,
            version=callrouter.__version__,
            config_hash=self._dispatcher.exchange.rulebook.hash,
            started_at=self._started_at,
            sites=self._sites(),
            journal=self._journal_health(),
            database=self._database(),
            inbox=InboxHealth(inbox.waiting, inbox.capacity, inbox.dropped, inbox.failures, inbox.hastened),
            dispatcher_alive=self._dispatcher.is_alive,
            draining=self._dispatcher.exchange.draining,
            replaced=self._dispatcher.stood_down,
            timezone=self._reloader.loaded.timezone,
            reloads={outcome.value: self._reloader.outcomes[outcome] for outcome in ReloadOutcome},
            config_faults=self._reloader.faults,
            agi_sessions={outcome.value: getattr(agi, outcome.value) for outcome in AgiOutcome},
            agi_open=agi.open_sessions,
            ari_requests={(site, outcome.value): n for (site, outcome), n in self._fleet.outcomes.items()},
            holidays_end_days=holidays_end_days(self._dispatcher.exchange.rulebook.router, self._clock.now()),
            ari_turned_away=self._fleet.turned_away,
            ari_late=self._fleet.late,
            clock_drift_s=self._clock.drift_s,
            memory=MemoryHealth(self._remembered.callers, self._remembered.error),
            descriptors=descriptors(),
            not_taken=self._dispatcher.exchange.admission.lately(self._clock.now()),
            leading=self.leading() if self.leading is not None else None,
        )

    def voicemail(self) -> VoicemailNow:
        """Messages of callers, as the keeper has found them."""
        if self._keeper is None:
            return VoicemailNow()
        boxes = boxes_now(self._dispatcher.exchange.rulebook.boxes, self._keeper.counts)
        return VoicemailNow(boxes, tuple(map(_message, self._keeper.messages)))

    def callbacks(self) -> CallbacksNow:
        """Requests to be called back, as the keeper has found them."""
        if self._callbacks is None:
            return CallbacksNow()
        rulebook = self._dispatcher.exchange.rulebook
        queues = callback_queues(rulebook.queues, rulebook.callback_queues, self._callbacks.counts)
        calls = self._dispatcher.exchange.calls
        made = {call.request.original: call for call in calls.values() if call.request is not None}
        requests = (callback_now(request, made.get(request.call_id)) for request in self._callbacks.requests)
        return CallbacksNow(queues, tuple(requests))

    def line(self) -> str:
        """One line for the service manager, which asks often: no picture is drawn for it."""
        against = hindrances(self.health())
        up = ", ".join(site for site, state in self._fleet.states.items() if state.up) or "none"
        word = f"TAKES NO CALLS: {'; '.join(against)}" if against else "takes calls"
        return f"{len(self._dispatcher.exchange.calls)} calls, sites up: {up}; {word}"

    def _sites(self) -> tuple[SiteHealth, ...]:
        return tuple(
            SiteHealth(site, self._titles[site], s.up, s.words, s.since, s.version, site in self._fleet.namesakes)
            for site, s in self._fleet.states.items()
        )

    def _journal_health(self) -> JournalHealth:
        health = self._journal.health
        return JournalHealth(health.error, health.waiting, health.dropped_facts + health.dropped_cdrs, health.lost)

    def _database(self) -> DatabaseHealth | None:
        if self._writer is None:
            return None
        h = self._writer.health
        refused = {f"{name}_refused": count for name, count in h.errands_refused.items()}
        return DatabaseHealth(h.connected, h.backlog, h.last_error, h.since, h.delivered, h.set_aside, **refused)
