"""What a daemon tells of itself while another leads: that it waits, and nothing of calls, which are not its own."""

from collections.abc import Callable

import callrouter
from callrouter.config import Loaded
from callrouter.core.exchange import Exchange
from callrouter.core.leading import LeadingNow
from callrouter.core.live import Live, live
from callrouter.core.picture import picture
from callrouter.core.stats import Counters, ExchangeNow
from callrouter.runtime.clock import SteadyClock
from callrouter.web.sources import (
    CallbacksNow,
    Health,
    InboxHealth,
    JournalHealth,
    SiteHealth,
    SurgesNow,
    VoicemailNow,
)


class WaitingStatus:
    """Implements :class:`callrouter.web.sources.StatusSource`."""

    def __init__(self, loaded: Loaded, clock: SteadyClock, leading: Callable[[], LeadingNow]) -> None:
        self._loaded = loaded
        self._clock = clock
        self._leading = leading
        self._started_at = clock.now()
        self._exchange = Exchange(loaded.rulebook, clock.now())

    def now(self) -> ExchangeNow:
        """Nothing in progress, here."""
        return picture(self._exchange, self._clock.now())

    def live(self) -> Live:
        """Nobody waits, here."""
        return live(self._exchange, self._clock.now())

    def surges(self) -> SurgesNow:
        """Nobody looks."""
        return SurgesNow()

    def counters(self) -> Counters:
        """Of nothing."""
        return self._exchange.counters

    def voicemail(self) -> VoicemailNow:
        """The leader knows."""
        return VoicemailNow()

    def callbacks(self) -> CallbacksNow:
        """The leader knows."""
        return CallbacksNow()

    def health(self) -> Health:
        """How the daemon itself is."""
        now = self._leading()
        settings = self._loaded.settings
        return Health(
            title=settings.title,
            version=callrouter.__version__,
            config_hash=self._loaded.rulebook.hash,
            started_at=self._started_at,
            sites=tuple(
                SiteHealth(name, site.title, False, str(now.role), now.since) for name, site in settings.sites.items()
            ),
            journal=JournalHealth(None),
            database=None,
            inbox=InboxHealth(0, 0),
            timezone=self._loaded.timezone,
            leading=now,
        )

    def line(self) -> str:
        """One line for the service manager."""
        now = self._leading()
        return f"{now.role}: {now.words}"
