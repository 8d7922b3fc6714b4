"""A circuit breaker: what has failed is left alone for a while, then tried with one call before it is used again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callrouter.core.ids import ChannelId

MOST_DOUBLINGS = 4
"""A pause is twice as long as that before it, up to sixteen times the first."""


class BreakerState(StrEnum):
    """Whether calls are let through."""

    CLOSED = "closed"
    """All of them."""
    OPEN = "open"
    """None, until the pause is over."""
    HALF_OPEN = "half-open"
    """One, whose fate decides."""


@dataclass(slots=True)
class Breaker:
    """See the module. Times are aware UTC."""

    failures: int = 0
    """In a row, while it is closed."""
    open_until: datetime | None = None
    """None while it is closed."""
    probe: ChannelId | None = None
    """The one call that was let through."""
    pauses: int = 0
    """In a row."""

    def state(self, at: datetime) -> BreakerState:
        """How it stands at a moment."""
        if self.open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if at < self.open_until else BreakerState.HALF_OPEN

    def admits(self, at: datetime) -> bool:
        """Whether a call may be tried now."""
        return self.open_until is None or (self.probe is None and at >= self.open_until)

    def begin(self, leg: ChannelId) -> None:
        """A call that was admitted is begun: while the breaker is not closed, the probe."""
        if self.open_until is not None:
            self.probe = leg

    def succeeded(self, leg: ChannelId) -> bool:
        """A call got through. Whether that closes the breaker is returned: only the probe's success does."""
        if self.open_until is None:
            self.failures = 0
            return False
        if leg != self.probe:
            return False
        self.failures, self.open_until, self.probe, self.pauses = 0, None, None, 0
        return True

    def failed(self, leg: ChannelId, at: datetime, *, after: int, pause_s: float) -> bool:
        """A call failed. Whether that opens the breaker, for the first time or again, is returned.

        ``after`` is how many failures in a row do so, ``pause_s`` how long the first pause is.
        """
        if self.open_until is None:
            self.failures += 1
            if self.failures < after:
                return False
        elif leg != self.probe:  # begun before it opened: that is known already
            return False
        self.open_until = at + timedelta(seconds=pause_s * 2 ** min(self.pauses, MOST_DOUBLINGS))
        self.pauses += 1
        self.probe = None
        return True

    def gone(self, leg: ChannelId) -> None:
        """A call ended of which nothing can be said: if it was the probe, another may be."""
        if self.probe == leg:
            self.probe = None
