"""Who goes elsewhere by the new rules, and when: both routers asked about every class of calls."""

from collections.abc import Iterator
from dataclasses import dataclass

from callrouter.diff.cells import Caller, Cells, Span, joined
from callrouter.diff.way import Way, Ways


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Callers who go one way by the old rules, and another by the new, in the same times."""

    old: Way
    new: Way
    callers: tuple[Caller, ...]
    spans: tuple[Span, ...]

    @property
    def is_another_place(self) -> bool:
        """Whether they end up elsewhere; else only something on the way is another."""
        return self.old.words != self.new.words


def elsewhere(old: Ways, new: Ways, cells: Cells) -> list[Elsewhere]:
    """All of them, by the time at which they begin to go another way."""
    changed: list[dict[tuple[Way, Way], set[int]]] = [{} for _ in cells.callers]
    # Moment by moment: what all calendars say at one is found once for all callers.
    for number, moment in enumerate(cells.moments):
        for caller, its in zip(cells.callers, changed, strict=True):
            before, after = old.of(caller.facts, moment.at), new.of(caller.facts, moment.at)
            if before.steps != after.steps:
                its.setdefault((before, after), set()).add(number)
    together: dict[tuple[Way, Way, frozenset[int]], list[Caller]] = {}
    for caller, its in zip(cells.callers, changed, strict=True):
        for (before, after), numbers in its.items():
            together.setdefault((before, after, frozenset(numbers)), []).append(caller)
    return sorted(_found(together, cells), key=lambda one: (one.spans[0].start, one.old.words, one.new.words))


def _found(together: dict[tuple[Way, Way, frozenset[int]], list[Caller]], cells: Cells) -> Iterator[Elsewhere]:
    for (before, after, numbers), callers in together.items():
        spans = joined(span for number in numbers for span in cells.moments[number].spans)
        yield Elsewhere(before, after, tuple(callers), tuple(spans))
