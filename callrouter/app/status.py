"""What the daemon tells of itself, gathered from its parts."""

from datetime import datetime

import callrouter
from callrouter.agi.server import AgiServer
from callrouter.agi.server import Outcome as AgiOutcome
from callrouter.app.reload import ConfigReloader, ReloadOutcome
from callrouter.ari.fleet import Fleet
from callrouter.core.ids import CalendarName
from callrouter.core.picture import picture
from callrouter.core.routing import Ruleset
from callrouter.core.rulebook import Router
from callrouter.core.stats import Counters, ExchangeNow
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.delivery import CdrWriter
from callrouter.store.journal import Journal
from callrouter.web.readiness import hindrances
from callrouter.web.sources import DatabaseHealth, Health, InboxHealth, JournalHealth, SiteHealth


def holidays_end_days(router: Router, at: datetime) -> dict[CalendarName, int]:
    """In how many days, by the date in its own zone, the holidays of each calendar are not known any more."""
    if not isinstance(router, Ruleset):
        return {}
    return {
        name: (calendar.holidays_end - at.astimezone(calendar.zone).date()).days
        for name, calendar in router.calendars.items()
        if calendar.holidays_end is not None
    }


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
    ) -> None:
        self._reloader = reloader
        self._clock = clock
        self._dispatcher = dispatcher
        self._fleet = fleet
        self._journal = journal
        self._writer = writer
        self._agi = agi
        self._started_at = clock.now()
        self._titles = {name: site.title for name, site in reloader.loaded.settings.sites.items()}

    def now(self) -> ExchangeNow:
        """Everything in progress."""
        return picture(self._dispatcher.exchange, self._clock.now())

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
            inbox=InboxHealth(inbox.waiting, inbox.capacity, inbox.dropped, inbox.failures),
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
        )

    def line(self) -> str:
        """One line for the service manager, which asks often: no picture is drawn for it."""
        against = hindrances(self.health())
        up = ", ".join(site for site, state in self._fleet.states.items() if state.up) or "none"
        word = f"TAKES NO CALLS: {'; '.join(against)}" if against else "takes calls"
        return f"{len(self._dispatcher.exchange.calls)} calls, sites up: {up}; {word}"

    def _sites(self) -> tuple[SiteHealth, ...]:
        return tuple(
            SiteHealth(site, self._titles[site], s.up, s.words, s.since, s.version)
            for site, s in self._fleet.states.items()
        )

    def _journal_health(self) -> JournalHealth:
        health = self._journal.health
        return JournalHealth(health.error, health.waiting, health.dropped_facts + health.dropped_cdrs, health.lost)

    def _database(self) -> DatabaseHealth | None:
        if self._writer is None:
            return None
        h = self._writer.health
        refused = h.set_aside, h.errands_refused
        return DatabaseHealth(h.connected, h.backlog, h.last_error, h.since, h.delivered, *refused)
