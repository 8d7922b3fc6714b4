"""Calendars that never open: whoever wrote one meant something else."""

from collections.abc import Mapping
from datetime import datetime

from callrouter.config import model
from callrouter.config.references import Context
from callrouter.core.calendars import Calendar
from callrouter.core.ids import CalendarName

_ANY_YEAR = 2026
_YEARS = range(1900, 9000)


def check_openings(context: Context, calendars: Mapping[CalendarName, Calendar]) -> None:
    """Note every calendar that is closed all year, in the years that have dated entries and in one that has none.

    One that is made of such a calendar is not blamed: it may open when that one does.
    """
    years = _years(context.model)
    never = {name for name, calendar in calendars.items() if not any(_opens(calendar, year) for year in years)}
    for name in sorted(never):
        spec = context.model.calendars[name]
        if never.isdisjoint({spec.like, *spec.union, *spec.intersect, *spec.exclude}):
            why, remedy = _why(spec)
            context.error(("calendars", name), f'the calendar "{name}" never opens: {why}', remedy, key=True)


def _years(written: model.Model) -> list[int]:
    """The years that have dated entries, the one after them, and one of which the holidays of countries are known."""
    days = {day for holidays in written.holidays.values() for day in holidays.dates}
    days |= {day for calendar in written.calendars.values() for day in calendar.exceptions}
    years = {day.year for day in days if day.year in _YEARS}
    return [max(years, default=_ANY_YEAR - 1) + 1, *sorted(years | {_ANY_YEAR})]


def _opens(calendar: Calendar, year: int) -> bool:
    """Whether it is open at any time of the year, or in the month after it."""
    start = datetime(year, 1, 1, tzinfo=calendar.zone)
    return calendar.is_open(start) or calendar.next_change(start) is not None


def _why(spec: model.Calendar) -> tuple[str, str]:
    """What keeps it closed, and what to do."""
    if spec.open == []:
        return "it has no hours", "write days and hours: mon-fri 09:00-18:00, or take it out"
    if spec.open is not None or spec.like is not None:
        return "its breaks and closed days take away all of it", "let them leave something, or take it out"
    excluded = ", ".join(f'"{name}"' for name in spec.exclude)
    if not spec.intersect:
        return f"{excluded} takes away all of it", "let except: leave something, or take it out"
    apart = "its parts are never open at the same time"
    if excluded:
        return f"{apart}, or only when {excluded} is", "let intersect: and except: leave something, or take it out"
    return apart, "write union: for any of several calendars, or take it out"
