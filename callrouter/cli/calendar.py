"""``callrouter calendar``: when is it open in the days to come, and why not as usual?"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from callrouter.cli.options import config_option, json_option
from callrouter.cli.text import Column, table
from callrouter.config import load
from callrouter.config.problems import nearest
from callrouter.core.calendars import Calendar, Note, Stretch
from callrouter.core.ids import CalendarName
from callrouter.core.local_time import WEEKDAYS, LocalDay, local_day
from callrouter.core.routing import Ruleset

DAYS = 14
MOST_DAYS = 2 * 366


@click.command(
    epilog="Examples: callrouter calendar weekday-day --from 2027-02-05 --days 7; all of them, as they are now:"
    " callrouter calendar"
)
@config_option
@json_option
@click.argument("name", required=False)
@click.option("--from", "first_text", metavar="DATE", help="The first day (2027-02-05), in the calendar's zone; today.")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), help=f"How many days; {DAYS}.")
def calendar(config: Path, as_json: bool, name: str | None, first_text: str | None, days: int | None) -> None:
    """Show when the calendar NAME is open in the days to come, and what is special about a day.

    Without NAME: which calendars there are, whether they are open now, and when that changes. It asks the very code
    that routes calls.
    """
    if name is None and (first_text is not None or days is not None):
        raise click.UsageError("--from and --days go with the NAME of a calendar; write one")
    router = load(config, os.environ).rulebook.router
    known: Mapping[CalendarName, Calendar] = router.calendars if isinstance(router, Ruleset) else {}
    now = datetime.now(UTC)
    if name is None:
        _show(as_json, [_state(one, now) for one in known.values()], _list(known.values(), now))
        return
    chosen = known.get(CalendarName(name))
    if chosen is None:
        raise click.BadParameter(f'there is no calendar "{name}"; {nearest(name, known)}', param_hint="NAME")
    first = _date(first_text) if first_text is not None else now.astimezone(chosen.zone).date()
    shown = [first + timedelta(days=n) for n in range(days or DAYS)]
    _show(as_json, _data(chosen, shown), _lines(chosen, shown))


def _show(as_json: bool, data: object, lines: Iterable[str]) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2) if as_json else "\n".join(lines))


def _date(text: str) -> date:
    try:
        first = date.fromisoformat(text)
    except ValueError as error:
        wrong = f"{text!r} is not a date; write it as 2027-02-05"
        raise click.BadParameter(wrong, param_hint="--from") from error
    if not 1970 < first.year < 9990:
        raise click.BadParameter(f"{text} is no day of our times; write it as 2027-02-05", param_hint="--from")
    return first


def _list(calendars: Iterable[Calendar], now: datetime) -> list[str]:
    columns = (Column("calendar", 30), Column("now", 80), Column("holidays known to", 20))
    return table(
        columns, [(one.name, one.explain(now), str(one.holidays_end or "-")) for one in calendars]
    ).splitlines()


def _state(calendar: Calendar, now: datetime) -> dict[str, object]:
    change = calendar.next_change(now)
    return {
        "name": calendar.name,
        "zone": calendar.zone.key,
        "open": calendar.is_open(now),
        "next_change": _stamp(change, calendar.zone) if change is not None else None,
        "why": calendar.explain(now),
        "holidays_end": _day(calendar.holidays_end),
    }


def _lines(calendar: Calendar, days: list[date]) -> list[str]:
    """One line a day; ``…`` where it stays open over midnight."""
    rows = []
    for day in days:
        local = local_day(day, calendar.zone)
        notes = [*_by_reason(calendar.schedule.notes(day)), *_clock_note(local)]
        rows.append((f"{WEEKDAYS[day.weekday()]} {day}", _hours(calendar, local), "; ".join(notes)))
    lines = table((Column(calendar.name, 40), Column(calendar.zone.key, 60), Column("", 100)), rows).splitlines()
    end = calendar.holidays_end
    if end is not None and days[-1] > end:
        lines.append(f"Its holidays are known up to {end} only.")
    return lines


def _hours(calendar: Calendar, local: LocalDay) -> str:
    spans = [_span(calendar, one, local) for one in calendar.stretches(local.day) if one.is_open]
    return ", ".join(spans) or "closed"


def _span(calendar: Calendar, stretch: Stretch, local: LocalDay) -> str:
    """``09:00-18:00``, ``18:00-…`` where it runs on over midnight, ``…-09:00`` where it began the day before."""
    before = stretch.start == local.start and calendar.is_open(stretch.start - timedelta(microseconds=1))
    after = stretch.end == local.end and calendar.is_open(stretch.end)
    if before and after:
        return "all day"
    start = "…" if before else f"{stretch.start.astimezone(calendar.zone):%H:%M}"
    end = f"{stretch.end.astimezone(calendar.zone):%H:%M}" if stretch.end != local.end else "24:00"
    return f"{start}-{'…' if after else end}"


def _by_reason(notes: Iterable[Note]) -> list[str]:
    """``설날 (weekday-day, weekday-night)``: each reason once, with the parts of a combination that have it."""
    parts: dict[str, list[str]] = {}
    for note in notes:
        parts.setdefault(note.reason, []).extend([" of ".join(reversed(note.parts))] if note.parts else [])
    return [f"{reason} ({', '.join(named)})" if named else reason for reason, named in parts.items()]


def _clock_note(local: LocalDay) -> list[str]:
    if not local.shift:
        return []
    way = "forward" if local.shift > timedelta() else "back"
    return [f"clock goes {way} by {abs(local.shift) // timedelta(minutes=1)} min"]


def _data(calendar: Calendar, days: list[date]) -> dict[str, object]:
    return {
        "name": calendar.name,
        "zone": calendar.zone.key,
        "holidays_end": _day(calendar.holidays_end),
        "days": [
            {
                "date": str(day),
                "open": [
                    {"from": _stamp(one.start, calendar.zone), "to": _stamp(one.end, calendar.zone)}
                    for one in calendar.stretches(day)
                    if one.is_open
                ],
                "notes": [{"reason": note.reason, "parts": list(note.parts)} for note in calendar.schedule.notes(day)],
                "clock_shift_s": local_day(day, calendar.zone).shift.total_seconds(),
            }
            for day in days
        ],
    }


def _stamp(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).isoformat()


def _day(day: date | None) -> str | None:
    return str(day) if day is not None else None
