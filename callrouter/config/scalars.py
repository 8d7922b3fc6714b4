"""What texts in the YAML files mean: durations, hours, dates.

Each parser takes the text as written and raises ValueError with ``message; remedy``.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator

from callrouter.core.calendars import LAST, MINUTES_A_DAY, Days, Hours, Window
from callrouter.core.conditions import Comparison
from callrouter.core.remembering import LEAST_S, MOST_S

_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)[ \t]*([a-z]*)", re.ASCII)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)
_WEEKS = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": LAST}
_OF_THE_MONTH = re.compile(r"(?P<weeks>(?:[0-9]+[a-z]+|last|first|second|third|fourth|fifth)[^:]*?) (?P<day>[a-z,-]+)")
_DAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_BLANKS = " \t\r\n"
"""What may stand around a value: what keyboards and variables of the environment leave there. Not what Python's own
``strip`` takes besides: control characters and the wide space of Korean keyboards would go unseen."""
MAX_DURATION_S = 366 * 86400.0


def parse_duration(text: object, most_s: float = MAX_DURATION_S) -> float:
    """``20`` (seconds), ``20s``, ``2 min``, ``1.5 h``, ``1 min 30 s``, as seconds."""
    if not isinstance(text, str):
        raise _wrong("a duration", text, "write seconds, or a number with ms, s, min, h or d: 20s, 2 min")
    rest = text.strip(_BLANKS).lower()
    total, parts = 0.0, 0
    while rest:
        match = _DURATION.match(rest)
        unit = match[2] if match else ""
        if match is None or (unit and unit not in _UNITS) or (not unit and (parts or match.end() != len(rest))):
            parts = 0
            break
        total += float(match[1]) * (_UNITS[unit] if unit else 1.0)
        parts += 1
        rest = rest[match.end() :].strip(_BLANKS)
    if not parts or total > most_s:
        raise _wrong("a duration", text, "write seconds, or a number with ms, s, min, h or d: 20s, 2 min")
    return total


def parse_retention(text: object) -> float:
    """A duration for which a caller's choice may be remembered, as seconds."""
    seconds = parse_duration(text, math.inf)
    if not LEAST_S <= seconds <= MOST_S:
        why = "long" if seconds > MOST_S else "short"
        raise ValueError(f'"{text}" is too {why} to remember a caller\'s choice; write from 1h to {MOST_S / 86400:g}d')
    return seconds


def parse_long_duration(text: object) -> float:
    """A duration of a day or more, for which records may be kept, as seconds."""
    seconds = parse_duration(text, math.inf)
    if seconds < 86400:
        raise ValueError(f'"{text}" is too short to keep what is needed every day; write 1d or more')
    return seconds


def parse_flag(text: object) -> bool:
    """``true`` or ``yes``, ``false`` or ``no``."""
    written = text.strip(_BLANKS).lower() if isinstance(text, str) else ""
    if written not in _FLAGS:
        raise _wrong("true or false", text, "write true, or take the key out")
    return _FLAGS[written]


def parse_whole(text: object) -> int:
    """A whole number, not negative."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,9}", text.strip(_BLANKS), re.ASCII):
        raise _wrong("a whole number", text, "write digits only")
    return int(text.strip(_BLANKS))


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison as written: ``>= 10``."""

    comparison: Comparison
    limit: float


_COMPARED = re.compile(r"(<=|>=|<|>|=)\s*(.+)")


def parse_count(text: object) -> Compared:
    """``< 1``, ``>= 10``."""
    return _compared(text, parse_whole, "write it as >= 10, < 1 or = 0")


def parse_wait(text: object) -> Compared:
    """``> 5 min``, in seconds."""
    return _compared(text, parse_duration, "write it as > 5 min")


def _compared(text: object, parse: Callable[[object], float], remedy: str) -> Compared:
    match = _COMPARED.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise _wrong("a comparison", text, remedy)
    return Compared(Comparison(match[1]), parse(match[2]))


def parse_date(text: object) -> date:
    """``2026-12-25``."""
    if isinstance(text, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip(_BLANKS), re.ASCII):
        try:
            return date.fromisoformat(text.strip(_BLANKS))
        except ValueError as error:
            raise _wrong("a date of the calendar", text, f"mend it ({error})") from error
    raise _wrong("a date", text, "write it as 2026-12-25")


def parse_hours(text: str) -> Hours:
    """``09:00-18:00``, half-open; an end before the start is on the next day; ``24:00`` is the day's end."""
    start_text, dash, end_text = text.replace("–", "-").partition("-")
    start, end = _minutes(start_text), _minutes(end_text)
    if not dash or start is None or end is None or start >= MINUTES_A_DAY:
        raise _wrong("hours", text, "write them as 09:00-18:00")
    if start == end:
        raise ValueError(f'hours "{text}" begin and end at once; for a whole day write 00:00-24:00')
    return Hours(start, end if end > start else end + MINUTES_A_DAY)


def parse_window(text: object) -> Window:
    """``mon-fri 09:00-18:00``, ``sat,sun 10:00-14:00``, ``daily 00:00-24:00``, ``2nd,4th sat 09:00-13:00``."""
    if not isinstance(text, str):
        raise _wrong("opening hours", text, "write days and hours: mon-fri 09:00-18:00")
    days_text, _, hours_text = text.strip(_BLANKS).lower().rpartition(" ")
    if _OF_THE_MONTH.fullmatch(days_text):
        monthly = _days_of_the_month(days_text)
        if monthly is None:
            remedy = "write 1st to 5th or last, then one day and the hours: 2nd sat 09:00-13:00"
            raise _wrong("opening hours", text, remedy)
        return Window(monthly.weekdays, parse_hours(hours_text), monthly.weeks)
    days = _weekdays(days_text.replace(" ", ""))
    if days is None:
        raise _wrong("opening hours", text, "write days and hours: mon-fri 09:00-18:00, or sat,sun 10:00-14:00")
    return Window(days, parse_hours(hours_text))


def parse_closed_on(text: object) -> str | Days:
    """The name of a set of ``holidays:``, or days of the month: ``2nd sat``, ``2nd,4th sat``, ``last fri``."""
    name = _written(text)
    if not isinstance(name, str):
        raise _wrong("a day", text, "write the name of a set of holidays:, or days such as 2nd sat")
    if " " not in name.strip(_BLANKS):
        return name
    monthly = _days_of_the_month(name.strip(_BLANKS).lower())
    if monthly is None:
        remedy = "write 1st to 5th or last, then one day: 2nd sat; hours go under closed:"
        raise _wrong("a day of the month", text, remedy)
    return monthly


def _minutes(text: str) -> int | None:
    match = _CLOCK.fullmatch(text.strip(_BLANKS))
    if match is None:
        return None
    minutes = int(match[1]) * 60 + int(match[2])
    return minutes if int(match[2]) < 60 and minutes <= MINUTES_A_DAY else None


def _weekdays(text: str) -> frozenset[int] | None:
    """Day names, with ranges that may run over Sunday; None if any is no day."""
    if text == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first_text, dash, last_text = part.partition("-")
        first, last = _DAYS.get(first_text), _DAYS.get(last_text if dash else first_text)
        if first is None or last is None:
            return None
        days |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(days)


def _days_of_the_month(text: str) -> Days | None:
    """``2nd,4th sat`` as days; None if it is not that."""
    match = _OF_THE_MONTH.fullmatch(text)
    weeks = [_WEEKS.get(week.strip()) for week in match["weeks"].split(",")] if match else []
    day = _DAYS.get(match["day"]) if match else None
    known = frozenset(week for week in weeks if week is not None)
    # One day only: whether the Saturday and Sunday of "2nd sat,sun" are one weekend differs from month to month.
    return Days(frozenset({day}), known) if day is not None and None not in weeks else None


def _wrong(expected: str, text: object, remedy: str) -> ValueError:
    written = f'"{text}"' if isinstance(text, str) else "this"
    return ValueError(f"{written} is not {expected}; {remedy}")


def one_or_many(value: object) -> object:
    """A single text stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _written(value: object) -> object:
    """A text may not be empty, nor blanks alone."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("nothing is written here; write a value, or take the key out")
    return value


Text = Annotated[str, BeforeValidator(_written)]
Names = Annotated[list[Text], BeforeValidator(one_or_many)]
"""One name, or a list of names."""
Seconds = Annotated[float, BeforeValidator(parse_duration)]
LongSeconds = Annotated[float, BeforeValidator(parse_long_duration)]
Retention = Annotated[float, BeforeValidator(parse_retention)]
Flag = Annotated[bool, BeforeValidator(parse_flag)]
Whole = Annotated[int, BeforeValidator(parse_whole)]
Day = Annotated[date, BeforeValidator(parse_date)]
