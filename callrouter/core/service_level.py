"""The goal of a queue: how many callers are to be answered how soon, and what counts as a call."""

from dataclasses import dataclass
from enum import StrEnum


class Formula(StrEnum):
    """How a service level is reckoned. *In time* means answered by a counselor within the threshold."""

    OFFERED = "answered-of-offered"
    """Answered in time / all that entered the queue."""
    OFFERED_LESS_SHORT = "answered-of-offered-less-short"
    """Answered in time / all that entered the queue, without short abandons."""
    ANSWERED = "answered-of-answered"
    """Answered in time / answered at all: abandoned callers are not seen."""


@dataclass(frozen=True, slots=True)
class ServiceGoal:
    """What a queue is measured by. Durations are seconds; the default is 80 % within 20 s."""

    threshold_s: float = 20.0
    """A caller who is answered after exactly this is answered in time."""
    target_percent: int = 80
    formula: Formula = Formula.OFFERED_LESS_SHORT
    short_abandon_s: float = 5.0
    """Who hangs up sooner than this after entering the queue is a short abandon: a wrong number, a change of mind."""


USUAL_GOAL = ServiceGoal()
"""Of a queue that says nothing."""
