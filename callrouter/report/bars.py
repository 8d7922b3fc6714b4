"""What the picture of a report shows: a bar for each group, cut into what became of its calls, and an axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from callrouter.core.tally import QueueTally
from callrouter.report.tally import AgentTally

PARTS = (("answered", "#2b8a3e"), ("abandoned or missed", "#c2255c"), ("others", "#868e96"))
"""What a bar is cut into, and the colour of each."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One group: how many of each part, and what is written behind it."""

    name: str
    parts: tuple[int, int, int]
    words: str

    @property
    def length(self) -> int:
        """All parts together."""
        return sum(self.parts)


def bars(groups: Sequence[tuple[str, QueueTally | AgentTally]]) -> list[Bar]:
    """A bar for each group, in their order."""
    return [Bar(name, _parts(tally), _words(tally)) for name, tally in groups]


def axis_name(groups: Sequence[tuple[str, QueueTally | AgentTally]]) -> str:
    """What the axis counts."""
    return "offers" if any(isinstance(tally, AgentTally) for _, tally in groups) else "calls"


def ticks(most: int) -> list[int]:
    """Round numbers from 0 up to ``most`` or just above: some four to eight of them."""
    step = next(factor * 10**power for power in count() for factor in (1, 2, 5) if most <= 7 * factor * 10**power)
    return list(range(0, max(1, -(-most // step)) * step + 1, step))


def _parts(tally: QueueTally | AgentTally) -> tuple[int, int, int]:
    if isinstance(tally, AgentTally):
        return tally.answered, tally.missed, tally.offers - tally.answered - tally.missed
    return tally.answered, tally.abandoned, tally.overflowed + tally.other


def _words(tally: QueueTally | AgentTally) -> str:
    if isinstance(tally, AgentTally):
        return f"{tally.offers}"
    level = tally.service_level
    return f"{tally.offered}" if level is None else f"{tally.offered}, {level:.1f}% in time"
