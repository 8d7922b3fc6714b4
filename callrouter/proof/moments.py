"""A year cut into moments: minutes in which every calendar that the rules ask says the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from callrouter.core.calendars import Calendar
from callrouter.core.ids import CalendarName

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A time ``[start, end)``; aware, UTC."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> int:
        """How long it lasts."""
        return (self.end - self.start) // MINUTE


@dataclass(frozen=True, slots=True)
class Moment:
    """All times of the year at which the same calendars are open."""

    open: frozenset[CalendarName]
    spans: tuple[Span, ...]
    """In order, apart from each other."""

    @property
    def minutes(self) -> int:
        """How much of the year it is."""
        return sum(span.minutes for span in self.spans)

    @property
    def at(self) -> datetime:
        """An instant of it: the first."""
        return self.spans[0].start


def year_of(year: int, zone: ZoneInfo) -> Span:
    """The year as the clocks of ``zone`` show it."""
    start, end = (datetime(number, 1, 1, tzinfo=zone).astimezone(UTC) for number in (year, year + 1))
    return Span(start, end)


def moments(calendars: Mapping[CalendarName, Calendar], year: Span) -> tuple[Moment, ...]:
    """The moments of ``year``, in the order in which they first come. Every minute is in exactly one of them."""
    changes = {name: tuple(_changes(calendar, year)) for name, calendar in calendars.items()}
    cuts = sorted({year.start, *(at for found in changes.values() for at, _ in found)})
    spans: dict[frozenset[CalendarName], list[Span]] = {}
    states = {name: iter(found) for name, found in changes.items()}
    coming = {name: next(states[name]) for name in changes}
    now_open: set[CalendarName] = set()
    for start, end in zip(cuts, [*cuts[1:], year.end], strict=True):
        for name, (at, is_open) in list(coming.items()):
            if at == start:
                (now_open.add if is_open else now_open.discard)(name)
                coming[name] = next(states[name], (year.end, False))
        spans.setdefault(frozenset(now_open), []).append(Span(start, end))
    return tuple(Moment(opened, tuple(_joined(found))) for opened, found in spans.items())


def _changes(calendar: Calendar, year: Span) -> Iterator[tuple[datetime, bool]]:
    """How the calendar stands at the year's start, and every instant of the year at which that changes."""
    state = calendar.is_open(year.start)
    yield year.start, state
    for day in _days(year, calendar.zone):
        for stretch in calendar.stretches(day):
            if year.start < stretch.start < year.end and stretch.is_open != state:
                state = stretch.is_open
                yield stretch.start, state


def _days(span: Span, zone: ZoneInfo) -> Iterator[date]:
    """The days of ``zone`` that the span touches."""
    day, last = span.start.astimezone(zone).date(), span.end.astimezone(zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans that follow at once made one."""
    whole: Span | None = None
    for span in spans:
        if whole is not None and whole.end == span.start:
            whole = Span(whole.start, span.end)
            continue
        if whole is not None:
            yield whole
        whole = span
    if whole is not None:
        yield whole


def joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans of several moments, none of which overlap, in order and made one where they follow at once."""
    return tuple(_joined(sorted(spans, key=lambda span: span.start)))
