"""Opening hours.

A window is half-open, ``[from, to)``, and belongs to the day it starts on: ``mon-fri 18:00-09:00`` holds on Saturday
at 02:00 and does not hold on Monday at 02:00. It holds while the wall clock of the calendar's zone shows a time in
it: an hour that the clock skips is skipped, an hour that it shows twice counts twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from callrouter.core.ids import CalendarName
from callrouter.core.local_time import WEEKDAYS, clock_text, local_day, span_text

MINUTES_A_DAY = 24 * 60
LOOKAHEAD_DAYS = 400
"""How far :meth:`Calendar.next_change` looks: a year and its longest holidays."""
LAST = -1
"""In place of a week of the month, 1 to 5: the last day of that name."""

_ORDINALS = ("", "1st", "2nd", "3rd", "4th", "5th")


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes ``[start, end)`` counted from midnight; ``end`` is beyond 1440 when the hours run into the next day."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < MINUTES_A_DAY and self.start < self.end <= self.start + MINUTES_A_DAY):
            raise ValueError(f"hours {self.start}..{self.end} are not within one day of their start")


@dataclass(frozen=True, slots=True)
class Days:
    """Days that come back: some days of the week (Monday is 0), every week or only the first, … last of a month."""

    weekdays: frozenset[int]
    weeks: frozenset[int] = frozenset()
    """Which of the month: 1 to 5, and ``LAST``; empty: each."""

    def __contains__(self, day: date) -> bool:
        if day.weekday() not in self.weekdays:
            return False
        return not self.weeks or _week(day) in self.weeks or (LAST in self.weeks and _is_last(day))

    def words(self, day: date) -> str:
        """What ``day``, one of them, is: ``2nd Sat``, ``last Fri``, or ``Sat`` if they come every week."""
        weekday = WEEKDAYS[day.weekday()]
        if not self.weeks:
            return weekday
        return f"{_ORDINALS[_week(day)] if _week(day) in self.weeks else 'last'} {weekday}"


def _week(day: date) -> int:
    """1 for the first day of its name in the month, and so on to 5."""
    return (day.day + 6) // 7


def _is_last(day: date) -> bool:
    return (day + timedelta(days=7)).month != day.month


@dataclass(frozen=True, slots=True)
class Window:
    """Hours that come back on some days of the week (Monday is 0); ``weeks`` as in :class:`Days`."""

    days: frozenset[int]
    hours: Hours
    weeks: frozenset[int] = frozenset()

    def starts_on(self, day: date) -> bool:
        """Whether these hours start on ``day``, if nothing is special about it."""
        return day.weekday() in self.days and (not self.weeks or day in Days(self.days, self.weeks))


@dataclass(frozen=True, slots=True)
class DayException:
    """What holds on one date instead of the windows: other hours, or none at all; None: the windows all the same."""

    reason: str
    hours: tuple[Hours, ...] | None = ()


class Exceptions(Protocol):
    """Whatever knows dates that are not like others: dated entries, days of the month, both."""

    def on(self, day: date) -> DayException | None:
        """What is special about ``day``, or None."""
        ...


@dataclass(frozen=True, slots=True)
class DatedExceptions:
    """Exceptions that someone wrote down, or a table of public holidays."""

    days: Mapping[date, DayException]

    def on(self, day: date) -> DayException | None:
        """What is written for ``day``, or None."""
        return self.days.get(day)


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """Closed on days that come back."""

    days: Days

    def on(self, day: date) -> DayException | None:
        """Closed, and which of the month it is; None on other days."""
        return DayException(self.days.words(day)) if day in self.days else None


@dataclass(frozen=True, slots=True)
class FirstOf:
    """Several sources of exceptions; the first that knows a day decides."""

    sources: tuple[Exceptions, ...]

    def on(self, day: date) -> DayException | None:
        """What the first source that knows ``day`` says, or None."""
        for source in self.sources:
            found = source.on(day)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Note:
    """Why a day is not like others; in a combination, by which of its parts."""

    reason: str
    parts: tuple[CalendarName, ...] = ()
    """From the outer part to the inner."""


class Schedule(Protocol):
    """What kinds of calendar differ in."""

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at this instant (aware)."""
        ...

    def boundaries(self, day: date) -> Iterator[datetime]:
        """Every instant of local ``day`` at which it may open or close, in no order, aware."""
        ...

    def notes(self, day: date) -> Iterator[Note]:
        """Why local ``day`` is not like others, the weightiest first."""
        ...


@dataclass(frozen=True, slots=True)
class Weekly:
    """Open in its windows but for its breaks. An exception replaces both, as far as they start on its date."""

    zone: ZoneInfo
    windows: tuple[Window, ...]
    exceptions: Exceptions = DatedExceptions({})
    breaks: tuple[Window, ...] = ()

    def is_open(self, at: datetime) -> bool:
        """Whether the wall clock shows a time in hours, and in no break, that started today or yesterday."""
        local = at.astimezone(self.zone)
        today = local.date()
        minute = local.hour * 60 + local.minute
        open_by_today, broken_by_today = self._held_on(today, minute)
        open_by_yesterday, broken_by_yesterday = self._held_on(today - timedelta(days=1), minute + MINUTES_A_DAY)
        return (open_by_today or open_by_yesterday) and not (broken_by_today or broken_by_yesterday)

    def boundaries(self, day: date) -> Iterator[datetime]:
        """Starts and ends that fall on ``day``, and the instant at which its clock is changed, if it is."""
        local = local_day(day, self.zone)
        minutes = {minute for hours in self._hours_on(day) for minute in (hours.start, hours.end)}
        minutes |= {hours.end - MINUTES_A_DAY for hours in self._hours_on(day - timedelta(days=1))}
        for minute in minutes:
            if 0 <= minute < MINUTES_A_DAY:
                yield from local.instants(minute)
        if local.change is not None:
            yield local.change

    def notes(self, day: date) -> Iterator[Note]:
        """The day's exception; where the windows hold, those of them that do not come every week."""
        special = self.exceptions.on(day)
        if special is not None:
            yield Note(special.reason)
        if special is None or special.hours is None:
            for window in (*self.windows, *self.breaks):
                if window.weeks and window.starts_on(day):
                    yield Note(Days(window.days, window.weeks).words(day))

    def _held_on(self, day: date, minute: int) -> tuple[bool, bool]:
        """Whether hours, and whether a break, that started on ``day`` hold so many minutes after its midnight."""
        special = self.exceptions.on(day)
        if special is not None and special.hours is not None:
            return any(hours.start <= minute < hours.end for hours in special.hours), False
        return _any_holds(self.windows, day, minute), _any_holds(self.breaks, day, minute)

    def _hours_on(self, day: date) -> Sequence[Hours]:
        """The hours and breaks that start on ``day``."""
        special = self.exceptions.on(day)
        if special is not None and special.hours is not None:
            return special.hours
        return [window.hours for window in (*self.windows, *self.breaks) if window.starts_on(day)]


def _any_holds(windows: tuple[Window, ...], day: date, minute: int) -> bool:
    # A loop, and the minutes first: this is asked several times for each decision.
    for window in windows:  # noqa: SIM110
        if window.hours.start <= minute < window.hours.end and window.starts_on(day):
            return True
    return False


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

    def notes(self, day: date) -> Iterator[Note]:
        """Those of every part, with the part's name."""
        for part in self.parts:
            for note in part.schedule.notes(day):
                yield replace(note, parts=(part.name, *note.parts))


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time ``[start, end)`` in which a calendar is open or closed throughout; aware, UTC."""

    start: datetime
    end: datetime
    is_open: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """A named schedule that can explain itself, in its zone's local time."""

    name: CalendarName
    zone: ZoneInfo
    schedule: Schedule
    holidays_end: date | None = None
    """The last day up to which its holidays are known; None if it goes by none."""

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at this instant (aware)."""
        return self.schedule.is_open(at)

    def next_change(self, at: datetime) -> datetime | None:
        """The first instant (UTC) after ``at`` when it opens or closes; None if not within 400 days."""
        now_open = self.is_open(at)
        today = at.astimezone(self.zone).date()
        for offset in range(LOOKAHEAD_DAYS):
            for edge in sorted(set(self.schedule.boundaries(today + timedelta(days=offset)))):
                if edge > at and self.is_open(edge) != now_open:
                    return edge
        return None

    def stretches(self, day: date) -> Iterator[Stretch]:
        """Local ``day`` from its first instant to its last, cut where the calendar opens and closes."""
        local = local_day(day, self.zone)
        start, now_open = local.start, self.is_open(local.start)
        for edge in sorted({edge for edge in self.schedule.boundaries(day) if local.start < edge < local.end}):
            if self.is_open(edge) != now_open:
                yield Stretch(start, edge, now_open)
                start, now_open = edge, not now_open
        yield Stretch(start, local.end, now_open)

    def explain(self, at: datetime) -> str:
        """``open until 18:00, for 3 h 20 min`` or ``closed: opens Tue 09:00, in 12 h``, with what is special today."""
        # In UTC: between two local times of one zone, Python subtracts what the clocks show.
        at = at.astimezone(UTC)
        local = at.astimezone(self.zone)
        change = self.next_change(at)
        note = next(self.schedule.notes(local.date()), None)
        special = f" ({note.reason})" if note is not None else ""
        is_open = self.is_open(at)
        if change is None:
            return f"open{special}, and stays so" if is_open else f"closed{special}, and stays so"
        when = clock_text(change.astimezone(self.zone), local)
        span = span_text(change - at)
        return f"open{special} until {when}, for {span}" if is_open else f"closed{special}: opens {when}, in {span}"
