"""A course of the year day by day, as the clock shows it, and the days on which it is not as usual."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from callrouter.core.local_time import local_day
from callrouter.proof.ends import Answer
from callrouter.proof.moments import MINUTE, Span

MINUTES_A_DAY = 24 * 60
NOON = 12 * 60


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a day, ``[start, end)`` in minutes as the clock shows them, in which the same becomes of calls."""

    start: int
    end: int
    answer: Answer
    again: bool = False
    """The clock shows these minutes for the second time, for it was put back."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """A time at which another rule takes calls than at the same time of most of the year's days of that name."""

    day: date
    start: int
    end: int
    """Minutes of the day, ``[start, end)``."""
    answer: Answer
    usual: Answer

    @property
    def minute(self) -> int:
        """One that is easily understood: noon, if it is among them."""
        return NOON if self.start <= NOON < self.end else self.start


def days(timeline: Sequence[tuple[Span, Answer]], zone: ZoneInfo) -> Mapping[date, tuple[Piece, ...]]:
    """Every day that the timeline touches, with its pieces in the order in which they come."""
    found: dict[date, list[Piece]] = defaultdict(list)
    for span, answer in timeline:
        for day, start, end in _by_day(span, zone):
            found[day].append(_piece(start, end, answer, zone))
    return {day: tuple(pieces) for day, pieces in sorted(found.items())}


def _by_day(span: Span, zone: ZoneInfo) -> Iterator[tuple[date, datetime, datetime]]:
    """The span cut where a day begins, and where the clock shows something else than a minute later."""
    start = span.start
    while start < span.end:
        today = local_day(start.astimezone(zone).date(), zone)
        cuts = [today.end, span.end]
        if today.change is not None:
            cuts += [today.change, today.change + max(-today.shift, timedelta())]
        end = min(cut for cut in cuts if cut > start)
        yield today.day, start, end
        start = end


def _piece(start: datetime, end: datetime, answer: Answer, zone: ZoneInfo) -> Piece:
    clock = start.astimezone(zone)
    minute = clock.hour * 60 + clock.minute
    return Piece(minute, minute + (end - start) // MINUTE, answer, bool(clock.fold))


def unusual(year: Mapping[date, tuple[Piece, ...]]) -> list[Unusual]:
    """Where the days differ from most of the year's days of that name; hours that the clock shows twice count once."""
    usual = _usual(year)
    found = []
    for day, pieces in year.items():
        for piece in pieces:
            for start, end, instead in _overlaps(piece, usual[day.weekday()]):
                if instead.rule != piece.answer.rule and not piece.again:
                    found.append(Unusual(day, start, end, piece.answer, instead))
    return found


def _usual(year: Mapping[date, tuple[Piece, ...]]) -> Mapping[int, tuple[Piece, ...]]:
    """What most of the days of a name are like."""
    counted: dict[int, Counter[tuple[Piece, ...]]] = defaultdict(Counter)
    for day, pieces in year.items():
        counted[day.weekday()][pieces] += 1
    return {weekday: found.most_common(1)[0][0] for weekday, found in counted.items()}


def _overlaps(piece: Piece, others: Sequence[Piece]) -> Iterator[tuple[int, int, Answer]]:
    for other in others:
        start, end = max(piece.start, other.start), min(piece.end, other.end)
        if start < end:
            yield start, end, other.answer
