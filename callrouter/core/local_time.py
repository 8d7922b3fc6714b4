"""What the clocks of a time zone show, also on the nights on which they are changed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A day as the clocks of a zone show it, from its first instant to its last; times are UTC."""

    day: date
    zone: ZoneInfo
    start: datetime
    """Not 00:00 where the clock is changed at midnight."""
    end: datetime
    change: datetime | None
    """The instant, to the second, at which the clock is changed; None on most days."""
    shift: timedelta
    """By how much: positive when it goes forward."""
    even: bool
    """Whether the clock starts at 00:00 and is not changed, as on most days."""

    def instants(self, minute: int) -> tuple[datetime, ...]:
        """When the clock shows that minute: once, or twice in an hour that comes twice; when it jumps if it never does.

        ``minute`` counts from midnight.
        """
        if self.even:
            return (self.start + timedelta(minutes=minute),)
        first = datetime.combine(self.day, time(minute // 60, minute % 60), self.zone)
        second = first.replace(fold=1)
        if second.utcoffset() == first.utcoffset():
            return (first.astimezone(UTC),)
        return first.astimezone(UTC), second.astimezone(UTC)


@lru_cache(maxsize=4096)
def local_day(day: date, zone: ZoneInfo) -> LocalDay:
    """The day in that zone. Remembered: looking ahead, calendars of one zone ask for the same days."""
    start = datetime.combine(day, time(), zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    change = _change(start, end, zone)
    shift = timedelta()
    if change is not None:
        # What is left when the instants are taken from what the clock shows at them.
        shift = _wall(change, zone) - _wall(start, zone) - (change - start)
    even = change is None and _wall(start, zone).time() == time()
    return LocalDay(day, zone, start, end, change, shift, even)


def midnights(at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """When the day of ``at`` began there, and when the next one does; aware UTC."""
    today = at.astimezone(zone).date()
    began, ends = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (today, today + timedelta(days=1)))
    return began, ends


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows, without its zone."""
    return instant.astimezone(zone).replace(tzinfo=None)


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant after ``low``, and not after ``high``, with another offset than ``low`` has."""
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


def clock_text(change: datetime, now: datetime) -> str:
    """``18:00`` today, ``Tue 18:00`` within a week, else with its date."""
    days = (change.date() - now.date()).days
    clock = f"{change:%H:%M}"
    if days == 0:
        return clock
    weekday = WEEKDAYS[change.weekday()]
    return f"{weekday} {clock}" if days < 7 else f"{weekday} {change:%Y-%m-%d} {clock}"


def span_text(span: timedelta) -> str:
    """``4 min``, ``12 h``, ``2 h 5 min``, ``3 d 2 h``; a started minute counts."""
    minutes = -(-span // timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"
