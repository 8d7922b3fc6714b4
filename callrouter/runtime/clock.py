"""The daemon's clock: wall time that neither goes backwards nor jumps while people are talking.

The wall clock of a PBX is set back and forth: by NTP after a boot with a bad battery, by people, by a virtual machine
that was paused. Durations in CDRs and every timer are differences of wall times here, so a jump would turn a call of a
minute into one of an hour, or end every wait at once. So :class:`SteadyClock` takes the wall clock's word once and then
counts on with the monotonic clock, and comes back to a wall clock that has left it like this:

==============================  ======================================================================================
difference                      what is done
==============================  ======================================================================================
up to the threshold             nothing; the two are allowed to differ that much
more, calls in progress         runs 0.5 % faster or slower until they agree: a call of five minutes is off by 1.5 s at
                                most, an hour takes 200 hours
more, no call, we are behind    set forward at once: there is nobody whose durations could be spoilt
more, no call, we are ahead     runs at half speed until they agree: never backwards, not even then
==============================  ======================================================================================
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum

import structlog

_log = structlog.get_logger(__name__)

BUSY_SLEW = 0.005
"""How much faster or slower than the truth the clock may run while calls are in progress."""
IDLE_SLEW = 0.5
"""How much slower it runs while no call is."""
THRESHOLD_S = 0.5
_AGREEMENT = 0.1
"""A correction ends when the difference is below this part of the threshold, so that it does not start over at once."""


class Correction(Enum):
    """What a check of the clock did."""

    NONE = "none"
    SLEWED = "slewed"
    """Running faster or slower than the truth, for now."""
    STEPPED = "stepped"
    """Set forward at once."""


class SteadyClock:
    """UTC wall time, counted on from where the wall clock stood when this was made.

    ``start`` lets a lab begin at another time of day; such a clock runs true and never looks at the wall clock again.
    ``wall`` and ``monotonic`` give seconds, as :func:`time.time` and :func:`time.monotonic` do.
    Raises ValueError for a ``start`` without a zone.
    """

    def __init__(
        self,
        start: datetime | None = None,
        *,
        threshold_s: float = THRESHOLD_S,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError(f"clock start {start.isoformat()} has no time zone; add one, such as +09:00")
        self._threshold_s = threshold_s
        self._wall = wall
        self._monotonic = monotonic
        self._follows_wall = start is None
        self._base_s = monotonic()
        self._anchor_s = wall() if start is None else start.timestamp()
        self._rate = 1.0
        self._drift_s = 0.0

    def now(self) -> datetime:
        """The time, aware UTC; never before one that was told earlier."""
        elapsed_s = self._monotonic() - self._base_s
        return datetime.fromtimestamp(self._anchor_s + elapsed_s * self._rate, UTC)

    @property
    def drift_s(self) -> float:
        """How far the wall clock was ahead of ours at the last check, in seconds; for the metrics."""
        return self._drift_s

    def check(self, *, idle: bool) -> Correction:
        """Compare with the wall clock and begin, go on with or end a correction. To be called every second or so.

        ``idle`` says that no call is in progress and nothing waits for a duration.
        """
        if not self._follows_wall:
            return Correction.NONE
        mono_s = self._monotonic()
        ours_s = self._anchor_s + (mono_s - self._base_s) * self._rate
        self._drift_s = self._wall() - ours_s
        if idle and self._drift_s > self._threshold_s:
            self._anchor(mono_s, ours_s + self._drift_s, 1.0)
            _log.warning("clock.stepped", by_s=round(self._drift_s, 3))
            return Correction.STEPPED
        rate = self._wanted_rate(idle=idle)
        if rate != self._rate:
            # Calls come and go: only a change of direction is news, not one of speed.
            if (rate > 1.0, rate < 1.0) != (self._rate > 1.0, self._rate < 1.0):
                self._report(rate)
            self._anchor(mono_s, ours_s, rate)
        return Correction.NONE if rate == 1.0 else Correction.SLEWED

    def _wanted_rate(self, *, idle: bool) -> float:
        slewing = self._rate != 1.0
        tolerated_s = self._threshold_s * (_AGREEMENT if slewing else 1.0)
        if abs(self._drift_s) <= tolerated_s:
            return 1.0
        # Past the goal since the last check: that is agreement too, or the clock would swing about it.
        if slewing and abs(self._drift_s) <= self._threshold_s and (self._drift_s > 0) != (self._rate > 1.0):
            return 1.0
        if self._drift_s > 0:
            return 1.0 + BUSY_SLEW
        return 1.0 - (IDLE_SLEW if idle else BUSY_SLEW)

    def _anchor(self, mono_s: float, ours_s: float, rate: float) -> None:
        self._base_s, self._anchor_s, self._rate = mono_s, ours_s, rate

    def _report(self, rate: float) -> None:
        if rate == 1.0:
            _log.info("clock.agrees", drift_s=round(self._drift_s, 3))
        else:
            _log.warning(
                "clock.differs",
                drift_s=round(self._drift_s, 3),
                rate=rate,
                remedy="let chrony or systemd-timesyncd keep the time; restart to take the wall clock's word at once",
            )
