"""Opening hours.

A window is half-open, ``[from, to)``, and belongs to the day it starts on: ``mon-fri 18:00-09:00`` holds on Saturday
at 02:00 and does not hold on Monday at 02:00. It holds while the wall clock of the calendar's zone shows a time in
it: an hour that the clock skips is skipped, an hour that it shows twice counts twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from callrouter.core.ids import CalendarName

MINUTES_A_DAY = 24 * 60
LOOKAHEAD_DAYS = 400
"""How far :meth:`Calendar.next_change` looks: a year and its longest holidays."""

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes ``[start, end)`` counted from midnight; ``end`` is beyond 1440 when the hours run into the next day."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < MINUTES_A_DAY and self.start < self.end <= self.start + MINUTES_A_DAY):
            raise ValueError(f"hours {self.start}..{self.end} are not within one day of their start")


@dataclass(frozen=True, slots=True)
class Window:
    """Hours that come back every week on some days (Monday is 0)."""

    days: frozenset[int]
    hours: Hours


@dataclass(frozen=True, slots=True)
class DayException:
    """What holds on one date instead of the weekly windows: other hours, or none at all."""

    reason: str
    hours: tuple[Hours, ...] = ()


class Exceptions(Protocol):
    """Whatever knows dates that are not like others: dated entries, a table of public holidays, both."""

    def on(self, day: date) -> DayException | None:
        """What is special about ``day``, or None."""
        ...


@dataclass(frozen=True, slots=True)
class DatedExceptions:
    """Exceptions that someone wrote down."""

    days: Mapping[date, DayException]

    def on(self, day: date) -> DayException | None:
        """What is written for ``day``, or None."""
        return self.days.get(day)


@dataclass(frozen=True, slots=True)
class FirstOf:
    """Several sources of exceptions; the first that knows a day decides."""

    sources: tuple[Exceptions, ...]

    def on(self, day: date) -> DayException | None:
        """What the first source that knows ``day`` says, or None."""
        return next((found for source in self.sources if (found := source.on(day)) is not None), None)


class Schedule(Protocol):
    """What kinds of calendar differ in."""

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at this instant (aware)."""
        ...

    def boundaries(self, day: date) -> Iterator[datetime]:
        """Every instant of local ``day`` at which it may open or close, in no order, aware."""
        ...

    def reason(self, at: datetime) -> str:
        """Why this day is not like others, or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Weekly:
    """Weekly windows with dated exceptions. An exception replaces the windows that start on its date."""

    zone: ZoneInfo
    windows: tuple[Window, ...]
    exceptions: Exceptions = DatedExceptions({})

    def hours_on(self, day: date) -> tuple[Hours, ...]:
        """The hours that start on ``day``."""
        special = self.exceptions.on(day)
        if special is not None:
            return special.hours
        weekday = day.weekday()
        return tuple(window.hours for window in self.windows if weekday in window.days)

    def is_open(self, at: datetime) -> bool:
        """Whether the wall clock shows a time in hours that started today or yesterday."""
        local = at.astimezone(self.zone)
        today = local.date()
        minute = local.hour * 60 + local.minute
        if any(hours.start <= minute < hours.end for hours in self.hours_on(today)):
            return True
        late = minute + MINUTES_A_DAY
        return any(late < hours.end for hours in self.hours_on(today - timedelta(days=1)))

    def boundaries(self, day: date) -> Iterator[datetime]:
        """Starts and ends that fall on ``day``, and the instant at which its clock is changed, if it is."""
        minutes = {0}
        for hours in self.hours_on(day):
            minutes |= {hours.start, hours.end}
        minutes |= {hours.end - MINUTES_A_DAY for hours in self.hours_on(day - timedelta(days=1))}
        for minute in minutes:
            if 0 <= minute < MINUTES_A_DAY:
                yield from _instants(day, minute, self.zone)
        change = _clock_change(day, self.zone)
        if change is not None:
            yield change

    def reason(self, at: datetime) -> str:
        """The name of today's exception, or nothing."""
        special = self.exceptions.on(at.astimezone(self.zone).date())
        return special.reason if special is not None else ""


@dataclass(frozen=True, slots=True)
class Combined:
    """Open when any of some calendars is open, all of others, and none of yet others; all of one zone."""

    any_of: tuple["Calendar", ...] = ()
    all_of: tuple["Calendar", ...] = ()
    none_of: tuple["Calendar", ...] = ()

    def __post_init__(self) -> None:
        if len({part.zone.key for part in self.parts}) != 1:
            raise ValueError("a combination needs calendars, and all of them in one time zone")

    @property
    def parts(self) -> tuple["Calendar", ...]:
        """Every calendar that is combined."""
        return (*self.any_of, *self.all_of, *self.none_of)

    def is_open(self, at: datetime) -> bool:
        """Whether the combination is open at this instant."""
        return (
            (not self.any_of or any(part.is_open(at) for part in self.any_of))
            and all(part.is_open(at) for part in self.all_of)
            and not any(part.is_open(at) for part in self.none_of)
        )

    def boundaries(self, day: date) -> Iterator[datetime]:
        """Those of every part."""
        for part in self.parts:
            yield from part.schedule.boundaries(day)

    def reason(self, at: datetime) -> str:
        """The first reason that a part gives."""
        return next((found for part in self.parts if (found := part.schedule.reason(at))), "")


@dataclass(frozen=True, slots=True)
class Calendar:
    """A named schedule that can explain itself, in its zone's local time."""

    name: CalendarName
    zone: ZoneInfo
    schedule: Schedule

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at this instant (aware)."""
        return self.schedule.is_open(at)

    def next_change(self, at: datetime) -> datetime | None:
        """The first instant (UTC) after ``at`` when it opens or closes; None if not within 400 days."""
        now_open = self.is_open(at)
        today = at.astimezone(self.zone).date()
        for offset in range(LOOKAHEAD_DAYS):
            for edge in sorted(self.schedule.boundaries(today + timedelta(days=offset))):
                if edge > at and self.is_open(edge) != now_open:
                    return edge
        return None

    def explain(self, at: datetime) -> str:
        """``open until 18:00, for 3 h 20 min`` or ``closed: opens Tue 09:00, in 12 h``, with what is special today."""
        # In UTC: between two local times of one zone, Python subtracts what the clocks show.
        at = at.astimezone(UTC)
        change = self.next_change(at)
        reason = self.schedule.reason(at)
        special = f" ({reason})" if reason else ""
        is_open = self.is_open(at)
        if change is None:
            return f"open{special}, and stays so" if is_open else f"closed{special}, and stays so"
        when = _clock(change.astimezone(self.zone), at.astimezone(self.zone))
        span = _span(change - at)
        return f"open{special} until {when}, for {span}" if is_open else f"closed{special}: opens {when}, in {span}"


def _instants(day: date, minute: int, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants at which the wall clock shows that minute: one, or two where the hour comes twice."""
    first = datetime.combine(day, time(minute // 60, minute % 60), zone)
    yield first.astimezone(UTC)
    second = first.replace(fold=1)
    if second.utcoffset() != first.utcoffset():
        yield second.astimezone(UTC)


def _clock_change(day: date, zone: ZoneInfo) -> datetime | None:
    """The instant at which the zone's offset changes on that day, to the second; None if it does not."""
    low = datetime.combine(day, time(), zone).astimezone(UTC)
    high = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return None
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _clock(change: datetime, now: datetime) -> str:
    """``18:00`` today, ``Tue 18:00`` within a week, else with its date."""
    days = (change.date() - now.date()).days
    clock = f"{change:%H:%M}"
    if days == 0:
        return clock
    weekday = _WEEKDAYS[change.weekday()]
    return f"{weekday} {clock}" if days < 7 else f"{weekday} {change:%Y-%m-%d} {clock}"


def _span(span: timedelta) -> str:
    """``4 min``, ``12 h``, ``2 h 5 min``, ``3 d 2 h``; a started minute counts."""
    minutes = -(-span // timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"
