"""Sets of holidays: what a country's are, and what is written on top."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from callrouter.config import model
from callrouter.config.problems import Path
from callrouter.config.public_holidays import (
    LAST_YEAR,
    YEARS_AHEAD,
    PublicHolidays,
    UnknownCountryError,
    UnknownLanguageError,
    public_holidays,
)
from callrouter.config.references import Context

WARN_WITHIN = timedelta(days=60)
"""How long before the end of its dates a set is complained of."""


@dataclass(frozen=True, slots=True)
class HolidaySet:
    """A set of holidays, ready to be laid over others."""

    name: str
    days: Mapping[date, str | None]
    """What each is called; None: it is none, whatever sets below say."""
    end: date | None
    """The last day up to which they are known; None where nothing comes to an end."""
    idle: frozenset[date] = frozenset()
    """Days that were taken out, but are none in the set's own country either."""


@dataclass(slots=True)
class HolidayLayers:
    """Holiday sets one over the other: later ones win."""

    days: dict[date, str] = field(default_factory=dict)
    end: date | None = None
    """The first day after which something is not known any more."""

    def lay(self, over: HolidaySet) -> Iterator[date]:
        """Put a set on top. Yields the days that it took from those below."""
        for day, title in over.days.items():
            if title is not None:
                self.days[day] = title
            elif self.days.pop(day, None) is not None:
                yield day
        if over.end is not None:
            self.end = over.end if self.end is None else min(self.end, over.end)


def compile_holidays(context: Context, today: date) -> dict[str, HolidaySet]:
    """Every sound set; faults go to the context's problems. ``today`` says how far ahead is computed."""
    compiled = {name: _set(context, name, spec, today) for name, spec in context.model.holidays.items()}
    return {name: one for name, one in compiled.items() if one is not None}


def _set(context: Context, name: str, spec: model.Holidays, today: date) -> HolidaySet | None:
    taken_out = frozenset(day for day, title in spec.dates.items() if title is None)
    if spec.country is None:
        last = max(spec.dates.keys() - taken_out, default=None)
        return HolidaySet(name, spec.dates, spec.until or last, taken_out)
    country = _country(context, name, spec, spec.country, today)
    if country is None:
        return None
    days = {**country.names, **spec.dates}
    return HolidaySet(name, days, spec.until or country.end, taken_out - country.names.keys())


def _country(context: Context, name: str, spec: model.Holidays, code: str, today: date) -> PublicHolidays | None:
    """What the set's country has, as far ahead as may be asked."""
    path: Path = ("holidays", name)
    last_year = max(LAST_YEAR, today.year + YEARS_AHEAD, spec.until.year if spec.until is not None else 0)
    try:
        country = public_holidays(code, spec.language, last_year)
    except UnknownCountryError:
        remedy = "write the two capital letters of its code, such as KR, or the dates without country:"
        context.error((*path, "country"), f'no holidays are known of the country "{code}"', remedy)
        return None
    except UnknownLanguageError as error:
        message = f'the holidays of {code} have no names in "{spec.language}"'
        context.error((*path, "language"), message, str(error))
        return None
    if spec.until is not None and spec.until > country.end:
        message = f"the holidays of {code} can be computed up to {country.end} only"
        context.error((*path, "until"), message, "write that day, or one before it")
        return None
    return country


def warn_of_idle(context: Context, sets: Iterable[HolidaySet], taken: Mapping[str, set[date]]) -> None:
    """Complain of days that were taken out and that no set had; ``taken`` are those that some other set had."""
    for one in sets:
        for day in sorted(one.idle - taken.get(one.name, set())):
            path: Path = ("holidays", one.name, str(day))
            context.warn(
                path, f'"{one.name}" takes {day} out, which is no holiday', "mend the date, or drop it", key=True
            )


def warn_of_ends(context: Context, sets: Iterable[HolidaySet], users: Mapping[str, Sequence[str]], today: date) -> None:
    """Complain of every set that ends soon, where it can be mended; ``users`` are the calendars that go by it."""
    for one in sets:
        calendars = users[one.name]
        if one.end is None or not calendars or one.end - today > WARN_WITHIN:
            continue
        place, key, remedy = _mending(context.model.holidays[one.name], one.end)
        shown = ", ".join(calendars[:4]) + (f" and {len(calendars) - 4} more" if len(calendars) > 4 else "")
        message = f'the holidays "{one.name}", of {shown}, {_ends(one.end, today)}'
        context.warn(("holidays", one.name, place), message, remedy, key=key)


def _ends(end: date, today: date) -> str:
    """``end on 2026-12-31, in 37 days``."""
    days = (end - today).days
    if days < 0:
        return f"ended on {end}, {-days} day{'s' if days != -1 else ''} ago"
    return f"end on {end}, {'today' if days == 0 else f'in {days} days' if days > 1 else 'tomorrow'}"


def _mending(spec: model.Holidays, end: date) -> tuple[str, bool, str]:
    """The key to be mended, whether the key itself is meant, and how."""
    if spec.until is not None and spec.country is not None:
        return "until", False, "compare the days that follow with the official ones, then move it"
    if spec.until is not None:
        return "until", False, "add the days that follow, then move it"
    if spec.country is not None:
        return "country", False, "install a newer holidays package, or write the dates themselves"
    return str(end), True, "add the days that follow, or say with until: up to which day there are no others"
