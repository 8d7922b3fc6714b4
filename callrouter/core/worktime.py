"""How a counselor spends his time: logged in, paused and why, talking, and in the work after calls.

Two things are put together that come apart: what was said of him (his duty), and what he was seen doing. Who is logged
out or paused while he talks goes on being at work until the call and its wrap-up are over, so what he does counts as
logged in whatever was said, and as no pause. Times are aware UTC, durations seconds.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callrouter.core.duty import Duty
from callrouter.core.tally import percent


@dataclass(frozen=True, slots=True)
class DutyChange:
    """What was said of a counselor, from ``at`` on."""

    at: datetime
    duty: Duty
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation. The work after it takes ``wrap_up_s``, unless the next call is offered before that is over."""

    offered_at: datetime
    answered_at: datetime
    ended_at: datetime
    wrap_up_s: float = 0.0


@dataclass(slots=True)
class Spent:
    """Seconds of one counselor, or of several."""

    logged_in_s: float = 0.0
    """With pauses, and with calls that were still going on when he was logged out."""
    talk_s: float = 0.0
    """From the answer to the end, with what was on hold."""
    wrap_up_s: float = 0.0
    pauses: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By reason."""

    def add(self, other: "Spent") -> None:
        """Put another's seconds to these."""
        self.logged_in_s += other.logged_in_s
        self.talk_s += other.talk_s
        self.wrap_up_s += other.wrap_up_s
        for reason, seconds in other.pauses.items():
            self.pauses[reason] += seconds

    @property
    def paused_s(self) -> float:
        """For whatever reason."""
        return sum(self.pauses.values())

    @property
    def busy_s(self) -> float:
        """Talking, and in the work after calls."""
        return self.talk_s + self.wrap_up_s

    @property
    def occupancy(self) -> float | None:
        """Percent: busy of logged in."""
        return percent(self.busy_s, self.logged_in_s)

    @property
    def paused_share(self) -> float | None:
        """Percent: paused of logged in."""
        return percent(self.paused_s, self.logged_in_s)


@dataclass(slots=True)
class _Period:
    duty: Duty
    reason: str
    since: datetime
    until: datetime | None = None


class WorkTime:
    """One counselor's time from ``begin`` on; ``duty`` and ``reason`` are how he stood then.

    Changes and conversations are each told in their order; what was before ``begin`` is cut off.
    """

    def __init__(self, begin: datetime, duty: Duty = Duty.ON, reason: str = "") -> None:
        self._begin = begin
        self._periods = [_Period(duty, reason, begin)]
        self._last: Talk | None = None
        self._done = Spent()
        """All that is over but for the duty of now: conversations, and what they change of it."""

    @property
    def said(self) -> tuple[Duty, str]:
        """What was said last, and why."""
        return self._periods[-1].duty, self._periods[-1].reason

    def change(self, change: DutyChange) -> None:
        """Something was said of him."""
        at = max(change.at, self._begin)
        self._periods[-1].until = at
        self._periods.append(_Period(change.duty, change.reason, at))

    def talk(self, talk: Talk) -> None:
        """A conversation is over."""
        if self._last is not None and talk.answered_at >= self._last.ended_at:
            self._settle_wrap_up(self._last, talk.offered_at)
            self._last = None
        if self._last is None:
            self._last = talk
        self._take(talk.answered_at, talk.ended_at, self._done, is_talk=True)

    def spent(self, end: datetime, *, talks_since: datetime | None = None, done_at: datetime | None = None) -> Spent:
        """His time up to ``end``, which is not before anything that was told.

        ``talks_since``: he talks now; ``done_at``: the work after his last call was over then, at the latest.
        """
        spent = Spent()
        spent.add(self._done)
        for period in self._periods:
            seconds = max(0.0, ((period.until or end) - period.since).total_seconds())
            if period.duty is not Duty.OFF:
                spent.logged_in_s += seconds
            if period.duty is Duty.PAUSED:
                spent.pauses[period.reason] += seconds
        if self._last is not None:
            until = min(self._wrap_up_end(self._last, done_at), end)
            self._take(self._last.ended_at, until, spent, is_talk=False)
        if talks_since is not None:
            self._take(talks_since, end, spent, is_talk=True)
        for reason in [reason for reason, seconds in spent.pauses.items() if seconds <= 0]:
            del spent.pauses[reason]  # he was busy all the while
        return spent

    def _settle_wrap_up(self, talk: Talk, next_offer: datetime) -> None:
        self._take(talk.ended_at, self._wrap_up_end(talk, next_offer), self._done, is_talk=False)

    @staticmethod
    def _wrap_up_end(talk: Talk, done_at: datetime | None) -> datetime:
        end = talk.ended_at + timedelta(seconds=talk.wrap_up_s)
        return end if done_at is None or done_at < talk.ended_at else min(end, done_at)

    def _take(self, since: datetime, until: datetime, into: Spent, *, is_talk: bool) -> None:
        """He was busy; what was said of him meanwhile did not hold yet."""
        since = max(since, self._begin)
        seconds = max(0.0, (until - since).total_seconds())
        if is_talk:
            into.talk_s += seconds
        else:
            into.wrap_up_s += seconds
        for period, common_s in self._common(since, until):
            if period.duty is Duty.OFF:
                into.logged_in_s += common_s
            elif period.duty is Duty.PAUSED:
                into.pauses[period.reason] -= common_s

    def _common(self, since: datetime, until: datetime) -> Iterator[tuple[_Period, float]]:
        for period in self._periods:
            end = until if period.until is None else min(until, period.until)
            common_s = (end - max(since, period.since)).total_seconds()
            if common_s > 0:
                yield period, common_s
