"""Places in line of callers who hung up while they waited: who dials again soon has the place again.

Known by the number alone, so only of lines that stay with whoever calls from them, and once: another call from the same
number stands behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from callrouter.core import facts
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import QueueName
from callrouter.core.remembering import remembered_as

_GONE = (ReleaseReason.CALLER_HUNG_UP, ReleaseReason.VANISHED)


@dataclass(frozen=True, slots=True)
class LostPlace:
    """A place in the line of ``queue``: since when it was waited for, its number, and when it was given up."""

    queue: QueueName
    queued_at: datetime
    place: int
    left_at: datetime


def lost_place(history: Sequence[facts.Fact]) -> tuple[str, LostPlace] | None:
    """Whose place (by the number, E.164) these facts of a call tell to be lost: hung up while waiting, else None."""
    caller: str | None = None
    queued: facts.Queued | None = None
    for fact in history:
        match fact:
            case facts.Opened(facts=arrival):
                caller = remembered_as(arrival.caller)
            case facts.Queued():
                queued = fact
            case facts.LeftQueue() | facts.Connected():
                queued = None
            case facts.Released(at=at, reason=reason) if queued is not None and caller is not None and reason in _GONE:
                return caller, LostPlace(queued.queue, queued.since or queued.at, queued.place, at)
            case _:
                pass
    return None


class LostPlaces:
    """The places lost lately."""

    def __init__(self) -> None:
        self._lost: dict[tuple[QueueName, str], LostPlace] = {}

    def note(self, history: Sequence[facts.Fact]) -> LostPlace | None:
        """Keep the place that a call has lost, if it has, and return it. One that it regained is lost no more."""
        opened = history[0] if history else None
        caller = remembered_as(opened.facts.caller) if isinstance(opened, facts.Opened) else None
        for fact in history:
            if isinstance(fact, facts.Queued) and fact.since is not None and caller is not None:
                self._lost.pop((fact.queue, caller), None)
        found = lost_place(history)
        if found is None:
            return None
        caller, lost = found
        self._lost[lost.queue, caller] = lost
        return lost

    def regain(self, queue: QueueName, caller: str, within_s: float, at: datetime) -> LostPlace | None:
        """The place that ``caller`` (a number as the trunk has it) lost in ``queue`` so lately; it is given once."""
        number = remembered_as(caller)
        lost = self._lost.pop((queue, number), None) if number is not None else None
        return lost if lost is not None and at - lost.left_at <= timedelta(seconds=within_s) else None

    def drop(self, lost: LostPlace) -> None:
        """Let nobody regain it."""
        self._lost = {key: other for key, other in self._lost.items() if other != lost}

    def forget(self, before: datetime) -> None:
        """Forget what was lost before ``before``."""
        self._lost = {key: lost for key, lost in self._lost.items() if lost.left_at >= before}
