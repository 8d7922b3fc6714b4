"""On which days, and by how much, the opening hours of calendars are others."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from callrouter.config import Loaded
from callrouter.core.calendars import Calendar
from callrouter.core.ids import CalendarName
from callrouter.core.local_time import local_day
from callrouter.core.routing import Ruleset


@dataclass(frozen=True, slots=True)
class OtherHours:
    """Days on which a calendar has hours that it had not before, all of them the same."""

    calendar: CalendarName
    days: tuple[date, ...]
    old: str
    """``09:00-18:00``, ``closed``; what runs past midnight is told on both days."""
    new: str


def other_hours(old: Loaded, new: Loaded, first: date, days: int) -> Iterator[OtherHours]:
    """Of the calendars that both have, by name."""
    before, after = _calendars(old), _calendars(new)
    for name in sorted(before.keys() & after.keys()):
        found: dict[tuple[str, str], list[date]] = {}
        for day in (first + timedelta(days=number) for number in range(days)):
            was, now = _hours(before[name], day), _hours(after[name], day)
            if was != now:
                found.setdefault((was, now), []).append(day)
        for (was, now), on in found.items():
            yield OtherHours(name, tuple(on), was, now)


def _calendars(loaded: Loaded) -> dict[CalendarName, Calendar]:
    router = loaded.rulebook.router
    return dict(router.calendars) if isinstance(router, Ruleset) else {}


def _hours(calendar: Calendar, day: date) -> str:
    local = local_day(day, calendar.zone)
    spans = []
    for stretch in calendar.stretches(day):
        if stretch.is_open:
            end = f"{stretch.end.astimezone(calendar.zone):%H:%M}" if stretch.end != local.end else "24:00"
            spans.append(f"{stretch.start.astimezone(calendar.zone):%H:%M}-{end}")
    return ", ".join(spans) or "closed"
