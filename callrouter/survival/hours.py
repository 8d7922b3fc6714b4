"""Opening hours as a dialplan: a week, and the dates that are not like it.

A calendar may combine others, follow holidays and know the second Saturday of a month. It is asked, day by day, when it
is open; the most usual hours of each weekday make the week, and every other day stands there as a date of its own. So
the file is exact for as many days as were asked for, year included, and goes on by the week after that.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from callrouter.core.calendars import MINUTES_A_DAY, Calendar
from callrouter.core.local_time import WEEKDAYS, local_day
from callrouter.survival.script import CONTEXT, remark

Spans = tuple[tuple[int, int], ...]
"""Minutes ``[start, end)`` of a day, as the wall clock shows them, in order."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When a calendar is open."""

    week: tuple[Spans, ...]
    """Monday first."""
    dates: dict[date, Spans]
    """Those that are not like their weekday."""


def spans_on(calendar: Calendar, day: date) -> Spans:
    """When the calendar is open on ``day``."""
    local = local_day(day, calendar.zone)
    if not local.even:
        return _asked_each_minute(calendar, day)
    found = []
    for stretch in calendar.stretches(day):
        if stretch.is_open:
            start = int((stretch.start - local.start).total_seconds() // 60)
            found.append((start, start + int((stretch.end - stretch.start).total_seconds() // 60)))
    return tuple(found)


def _asked_each_minute(calendar: Calendar, day: date) -> Spans:
    """The same on a day on which the clock is changed: what it shows decides, not how long that has been so."""
    found: list[tuple[int, int]] = []
    for minute in range(MINUTES_A_DAY):
        at = datetime.combine(day, time(minute // 60, minute % 60), calendar.zone)
        if calendar.is_open(at.astimezone(UTC)):
            if found and found[-1][1] == minute:
                found[-1] = (found[-1][0], minute + 1)
            else:
                found.append((minute, minute + 1))
    return tuple(found)


def hours_of(calendar: Calendar, first: date, days: int) -> Hours:
    """The calendar's hours on so many ``days`` from ``first`` on."""
    asked = {day: spans_on(calendar, day) for day in (first + timedelta(days=count) for count in range(days))}
    usual: list[Counter[Spans]] = [Counter() for _ in WEEKDAYS]
    for day, spans in asked.items():
        usual[day.weekday()][spans] += 1
    week = tuple(counted.most_common(1)[0][0] if counted else () for counted in usual)
    return Hours(week, {day: spans for day, spans in asked.items() if spans != week[day.weekday()]})


def lines_of(calendar: Calendar, number: int, hours: Hours, then: str) -> Iterator[str]:
    """The context of the calendar: entered by the date, it sets ``CR_OPEN_<number>`` to 1 or 0 and goes on ``then``."""
    yield remark(f"calendar {calendar.name}, {calendar.zone.key}")
    yield f"[{context(number)}]"
    yield "exten => _XXXXXXXX,1,Goto(w${CR_WEEKDAY},1)"
    for number_of_day, spans in enumerate(hours.week, 1):
        yield remark(f"{WEEKDAYS[number_of_day - 1]}: {_words(spans)}")
        yield from _asks(f"w{number_of_day}", spans)
    for day, spans in sorted(hours.dates.items()):
        note = next(calendar.schedule.notes(day), None)
        reason = f" ({note.reason})" if note is not None else ""
        yield remark(f"{WEEKDAYS[day.weekday()]} {day}: {_words(spans)}{reason}")
        yield from _asks(f"{day:%Y%m%d}", spans)
    for name, value in (("open", 1), ("closed", 0)):
        yield f"exten => {name},1,Set(CR_OPEN_{number}={value})"
        yield f" same => n,Goto({then})"
    yield ""


def context(number: int) -> str:
    """Where the calendar with this number is."""
    return f"{CONTEXT}-hours-{number}"


def _asks(extension: str, spans: Spans) -> Iterator[str]:
    if spans == ((0, MINUTES_A_DAY),):
        yield f"exten => {extension},1,Goto(open,1)"
        return
    tests = [f"GotoIf($[${{CR_TIME}}>={_clock(start)} & ${{CR_TIME}}<{_clock(end)}]?open,1)" for start, end in spans]
    for priority, application in zip(["1", *["n"] * len(tests)], [*tests, "Goto(closed,1)"], strict=True):
        yield f"exten => {extension},{priority},{application}"


def _clock(minute: int) -> int:
    """18:30 as 1830."""
    return minute // 60 * 100 + minute % 60


def _words(spans: Spans) -> str:
    def shown(minute: int) -> str:
        return f"{minute // 60:02}:{minute % 60:02}"

    return ", ".join(f"{shown(start)}-{shown(end)}" for start, end in spans) or "closed"
