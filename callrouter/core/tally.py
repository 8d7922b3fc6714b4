"""Counting callers who waited, and the figures that follow from the counts. A figure of nothing is None, never 0."""

from dataclasses import dataclass, field
from typing import assert_never

from callrouter.core.cdr import Outcome
from callrouter.core.queued import QueuedCall
from callrouter.core.service_level import Formula, ServiceGoal


@dataclass(slots=True)
class QueueTally:
    """Calls of one group. ``offered`` is exactly ``answered + abandoned + overflowed + other``."""

    offered: int = 0
    """Entered the queue."""
    answered: int = 0
    """By a counselor."""
    abandoned: int = 0
    """Hung up before that; short abandons too."""
    short_abandons: int = 0
    overflowed: int = 0
    """Waited as long as the route allows, or a destination outside the queues took the call."""
    other: int = 0
    """Left the queue by a message, a request to be called back, or a fault."""
    in_time: int = 0
    """Answered within their queue's threshold."""
    counted: int = 0
    """What ``in_time`` is divided by, by their queue's formula."""
    waited_s: float = 0.0
    """Of those who were answered, in all."""
    longest_wait_s: float | None = None
    """Of those who were answered or abandoned."""
    talk_s: float = 0.0
    targets: set[int] = field(default_factory=set)
    """What the goals of the calls' queues ask for, in percent."""

    def add(self, call: QueuedCall, goal: ServiceGoal) -> None:
        """Count a call, by the goal of its queue."""
        self.offered += 1
        self.targets.add(goal.target_percent)
        short = False
        in_time = False
        if answered := is_answered(call):
            self.answered += 1
            self.talk_s += call.talk_s
            waited_s = self._waited(call)
            self.waited_s += waited_s
            in_time = waited_s <= goal.threshold_s
        elif call.outcome is Outcome.ABANDONED:
            self.abandoned += 1
            short = self._waited(call) < goal.short_abandon_s
        elif call.outcome is Outcome.OVERFLOWED or call.destination is not None:
            self.overflowed += 1
        else:
            self.other += 1
        self.short_abandons += short
        self.in_time += in_time
        self.counted += _counts(goal.formula, answered=answered, short=short)

    def _waited(self, call: QueuedCall) -> float:
        until = call.answered_at if call.answered_at is not None else call.ended_at
        waited_s = max(0.0, (until - call.queued_at).total_seconds())
        self.longest_wait_s = max(waited_s, self.longest_wait_s or 0.0)
        return waited_s

    @property
    def service_level(self) -> float | None:
        """Percent."""
        return percent(self.in_time, self.counted)

    @property
    def target_percent(self) -> int | None:
        """What the service level is to be; None where queues want different things."""
        return next(iter(self.targets)) if len(self.targets) == 1 else None

    @property
    def asa_s(self) -> float | None:
        """The average speed of answer: from entering the queue, ringing included."""
        return mean(self.waited_s, self.answered)

    @property
    def mean_talk_s(self) -> float | None:
        """The handling time as far as it is recorded: talk and hold, without the work after the call."""
        return mean(self.talk_s, self.answered)

    @property
    def abandon_rate(self) -> float | None:
        """Percent: abandoned / offered."""
        return percent(self.abandoned, self.offered)

    @property
    def abandon_rate_less_short(self) -> float | None:
        """Percent: abandoned / offered, short abandons taken out of both."""
        return percent(self.abandoned - self.short_abandons, self.offered - self.short_abandons)


def is_answered(call: QueuedCall) -> bool:
    """Whether a counselor took the call: as ``CONNECT`` of the view ``queue_log``."""
    return call.outcome is Outcome.HANDLED and call.answered_at is not None and call.agent is not None


def _counts(formula: Formula, *, answered: bool, short: bool) -> bool:
    """Whether the call is one of those by which the formula divides."""
    match formula:
        case Formula.OFFERED:
            return True
        case Formula.OFFERED_LESS_SHORT:
            return not short
        case Formula.ANSWERED:
            return answered
        case _:
            assert_never(formula)


def percent(part: float, whole: float) -> float | None:
    """Percent; None of nothing."""
    return 100.0 * part / whole if whole else None


def mean(total: float, count: int) -> float | None:
    """The average; None of nothing."""
    return total / count if count else None
