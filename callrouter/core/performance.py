"""The numbers by which a call centre is judged, from the records of its calls.

A call is *offered* to the first queue that it waited in, at the moment it joined it; calls that no queue saw are none
of these. Its wait ends when a counselor's phone is answered, or when the call leaves.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from callrouter.core.cdr import Cdr, OfferResult, Outcome
from callrouter.core.ids import QueueName


class Formula(StrEnum):
    """What the calls that were answered in time are divided by, for the service level."""

    OFFERED = "offered"
    """All calls that were offered."""
    LESS_SHORT = "less-short-abandons"
    """All but those who hung up so soon that nobody could have answered."""
    ANSWERED = "answered"
    """Those that were answered."""


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What a queue promises: so many percent (``target``) answered within ``threshold_s`` seconds."""

    threshold_s: float = 20.0
    target: int = 80
    formula: Formula = Formula.LESS_SHORT
    short_abandon_s: float = 5.0
    """Who hangs up within this time counts as a short abandon."""


USUAL = ServiceLevel()
"""80 % in 20 s, the Korean standard."""


@dataclass(slots=True)
class Tally:
    """Counts over some calls; ratios are fractions, None where there is nothing to divide by. Durations are seconds."""

    offered: int = 0
    answered: int = 0
    in_time: int = 0
    judged: int = 0
    """What ``in_time`` is divided by, each call by its own queue's formula."""
    abandoned: int = 0
    short: int = 0
    """Of those abandoned, who hung up at once."""
    missed: int = 0
    """Offers that a counselor did not answer, or rejected."""
    answer_s: float = 0.0
    """Sum of the waits of those who were answered."""
    longest_s: float = 0.0
    """The longest wait, whatever came of it."""
    talk_s: float = 0.0

    @property
    def service_level(self) -> float | None:
        """Answered in time, of those who count."""
        return _ratio(self.in_time, self.judged)

    @property
    def asa_s(self) -> float | None:
        """Average speed of answer."""
        return _ratio(self.answer_s, self.answered)

    @property
    def talked_s(self) -> float | None:
        """Average talk time. Wrap-up is no part of it: records do not have it."""
        return _ratio(self.talk_s, self.answered)

    @property
    def abandon_rate(self) -> float | None:
        """Of all calls that were offered."""
        return _ratio(self.abandoned, self.offered)

    @property
    def abandon_rate_less_short(self) -> float | None:
        """The same without short abandons, above and below the line."""
        return _ratio(self.abandoned - self.short, self.offered - self.short)

    @property
    def other(self) -> int:
        """Offered, and neither answered by a counselor nor abandoned: overflow, voicemail, callback, failure."""
        return self.offered - self.answered - self.abandoned

    def take(self, call: Cdr, level: ServiceLevel) -> None:
        """Count one call that a queue was offered."""
        wait_s = wait_of(call)
        self.offered += 1
        self.longest_s = max(self.longest_s, wait_s)
        if call.outcome is Outcome.HANDLED and call.agent is not None:
            self.answered += 1
            self.in_time += wait_s <= level.threshold_s
            self.answer_s += wait_s
            self.talk_s += call.talk_s
            self.judged += 1
        elif call.outcome is Outcome.ABANDONED:
            is_short = wait_s < level.short_abandon_s
            self.abandoned += 1
            self.short += is_short
            self.judged += level.formula is Formula.OFFERED or (level.formula is Formula.LESS_SHORT and not is_short)
        else:
            self.judged += level.formula is not Formula.ANSWERED


Group = Callable[[Cdr], str]
"""What a call is counted under."""


@dataclass(frozen=True, slots=True)
class Performance:
    """Tallies by group, in the order of the groups' names, and of all calls together."""

    groups: Mapping[str, Tally] = field(default_factory=dict)
    total: Tally = field(default_factory=Tally)


def measure(calls: Iterable[Cdr], levels: Mapping[QueueName, ServiceLevel], group: Group) -> Performance:
    """The numbers of the calls that a queue was offered; a queue that is not in ``levels`` promises the usual."""
    groups: dict[str, Tally] = {}
    total = Tally()
    for call in calls:
        if call.queue is None or call.queued_at is None:
            continue
        level = levels.get(call.queue, USUAL)
        missed = sum(_is_miss(leg.result) for leg in call.legs if leg.agent is not None)
        for tally in (groups.setdefault(group(call), Tally()), total):
            tally.take(call, level)
            tally.missed += missed
    return Performance(dict(sorted(groups.items())), total)


def measure_agents(calls: Iterable[Cdr], levels: Mapping[QueueName, ServiceLevel]) -> Performance:
    """The numbers by counselor: a call is counted with who answered it, a missed offer with who missed it."""
    groups: dict[str, Tally] = {}
    total = Tally()
    for call in calls:
        if call.queue is None or call.queued_at is None:
            continue
        if call.outcome is Outcome.HANDLED and call.agent is not None:
            for tally in (groups.setdefault(call.agent, Tally()), total):
                tally.take(call, levels.get(call.queue, USUAL))
        for leg in call.legs:
            if leg.agent is not None and _is_miss(leg.result):
                groups.setdefault(leg.agent, Tally()).missed += 1
                total.missed += 1
    return Performance(dict(sorted(groups.items())), total)


def wait_of(call: Cdr) -> float:
    """How long a call waited, in seconds, from the moment it joined its first queue."""
    if call.queued_at is None:
        return 0.0
    answers = (leg.answered_at for leg in call.legs if leg.result is OfferResult.ANSWERED and leg.answered_at)
    return max(0.0, (min(answers, default=call.ended_at) - call.queued_at).total_seconds())


def _is_miss(result: OfferResult) -> bool:
    return result in (OfferResult.NO_ANSWER, OfferResult.REJECTED)


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None
