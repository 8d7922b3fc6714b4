"""Calendars: from the model to the core's."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callrouter.config import model
from callrouter.config.holiday_sets import HolidayLayers, HolidaySet, compile_holidays, warn_of_ends, warn_of_idle
from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.core.calendars import (
    Calendar,
    ClosedDays,
    Combined,
    DatedExceptions,
    DayException,
    Days,
    FirstOf,
    Hours,
    Weekly,
    Window,
)
from callrouter.core.ids import CalendarName


def compile_calendars(context: Context, today: date) -> dict[CalendarName, Calendar]:
    """Every sound calendar; faults go to the context's problems. ``today`` says which holidays end soon."""
    sets = compile_holidays(context, today)
    compiler = _Compiler(context, sets)
    compiler.zone(context.model.timezone, ("timezone",))
    for name in context.model.calendars:
        compiler.calendar(name)
    if context.whole("calendars", "holidays"):
        users = {name: [user for user in compiler.done if name in compiler.sets_of.get(user, ())] for name in sets}
        warn_of_idle(context, [sets[name] for name in sets if users[name]], compiler.taken)
        warn_of_ends(context, sets.values(), users, today)
    return {name: calendar for name, calendar in compiler.done.items() if calendar is not None}


@dataclass(frozen=True, slots=True)
class _Dated:
    """A dated entry of a calendar's ``exceptions:``."""

    calendar: str
    """Where it was written."""
    hours: list[Hours] | None

    def exception(self, calendar: str) -> DayException:
        """What it means to ``calendar``, which may have it from another."""
        what = "usual hours" if self.hours is None else "other hours" if self.hours else "closed"
        whose = "" if self.calendar == calendar else f" of {self.calendar}"
        return DayException(f"{what} by a dated entry{whose}", None if self.hours is None else tuple(self.hours))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A calendar with hours of its own, as far as others may be like it."""

    zone: ZoneInfo
    windows: tuple[Window, ...] = ()
    breaks: tuple[Window, ...] = ()
    holidays: HolidayLayers = field(default_factory=HolidayLayers)
    closed_days: tuple[Days, ...] = ()
    exceptions: Mapping[date, "_Dated"] = field(default_factory=dict)

    def calendar(self, name: str) -> Calendar:
        """The calendar for the core: dated exceptions before holidays before days of the month."""
        closed = {day: DayException(title) for day, title in self.holidays.days.items()}
        dated = DatedExceptions({**closed, **{day: one.exception(name) for day, one in self.exceptions.items()}})
        exceptions = FirstOf((dated, *map(ClosedDays, self.closed_days))) if self.closed_days else dated
        schedule = Weekly(self.zone, self.windows, exceptions, self.breaks)
        return Calendar(CalendarName(name), self.zone, schedule, self.holidays.end)


@dataclass(slots=True)
class _Compiler:
    context: Context
    sets: Mapping[str, HolidaySet]
    done: dict[CalendarName, Calendar | None] = field(default_factory=dict)
    sets_of: dict[CalendarName, frozenset[str]] = field(default_factory=dict)
    """The holiday sets that each calendar goes by, those of its parts too."""
    taken: dict[str, set[date]] = field(default_factory=dict)
    """Holiday set to the days that it took from other sets."""
    _drafts: dict[str, _Draft] = field(default_factory=dict)
    _under_way: list[str] = field(default_factory=list)
    _bad_zones: set[Path] = field(default_factory=set)

    def calendar(self, name: str) -> Calendar | None:
        """The calendar of that name, compiled once; None if it is faulty."""
        key = CalendarName(name)
        if key not in self.done:
            self._under_way.append(name)
            spec = self.context.model.calendars[name]
            has_hours = spec.open is not None or spec.like is not None
            self.done[key] = self._with_hours(name, spec) if has_hours else self._combined(name, spec)
            self._under_way.pop()
        return self.done[key]

    def zone(self, key: str, path: Path) -> ZoneInfo | None:
        """The zone of that name; a fault at ``path`` (noted once) if there is none."""
        try:
            return ZoneInfo(key)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            if path not in self._bad_zones:
                self.context.error(path, f'unknown time zone "{key}"', "write an IANA name, such as Asia/Seoul")
            self._bad_zones.add(path)
            return None

    def _with_hours(self, name: str, spec: model.Calendar) -> Calendar | None:
        base = self._base(name, spec)
        holidays = self._holidays(name, spec, base)
        if base is None:
            return None
        draft = replace(
            base,
            windows=base.windows if spec.open is None else tuple(spec.open),
            breaks=base.breaks if spec.closed is None else tuple(spec.closed),
            holidays=holidays,
            closed_days=(*base.closed_days, *(days for days in spec.closed_on if isinstance(days, Days))),
            exceptions={**base.exceptions, **{day: _Dated(name, hours) for day, hours in spec.exceptions.items()}},
        )
        self._drafts[name] = draft
        own = frozenset(one for one in spec.closed_on if isinstance(one, str))
        self.sets_of[CalendarName(name)] = own | self.sets_of.get(CalendarName(spec.like or ""), frozenset())
        return draft.calendar(name)

    def _base(self, name: str, spec: model.Calendar) -> _Draft | None:
        """What the calendar begins with: that which it is like, or nothing but a zone."""
        draft = None
        if spec.like is not None:
            draft = self._like(name, spec.like)
        elif not spec.zone:
            zone = self.zone(self.context.model.timezone, ("timezone",))
            draft = _Draft(zone) if zone is not None else None
        if not spec.zone:
            return draft
        zone = self.zone(spec.zone, ("calendars", name, "zone"))
        if zone is None or (draft is None and spec.like is not None):
            return None
        return _Draft(zone) if draft is None else replace(draft, zone=zone)

    def _like(self, name: str, other: str) -> _Draft | None:
        path: Path = ("calendars", name, "like")
        sound = self._part(other, path) is not None
        if sound and other not in self._drafts:
            message = f'"{other}" is a combination, and has no hours that another could be like'
            self.context.error(path, message, "combine the same parts, or calendars that are like them")
        return self._drafts.get(other)

    def _holidays(self, name: str, spec: model.Calendar, base: _Draft | None) -> HolidayLayers:
        """The sets that the calendar goes by, over those of ``base``."""
        layers = HolidayLayers(dict(base.holidays.days), base.holidays.end) if base is not None else HolidayLayers()
        for index, holidays in enumerate(spec.closed_on):
            path: Path = ("calendars", name, "closed_on", index)
            if isinstance(holidays, str) and self.context.refer("holidays", holidays, path) and holidays in self.sets:
                self.taken.setdefault(holidays, set()).update(layers.lay(self.sets[holidays]))
        return layers

    def _combined(self, name: str, spec: model.Calendar) -> Calendar | None:
        union = self._parts(name, "union", spec.union)
        intersect = self._parts(name, "intersect", spec.intersect)
        exclude = self._parts(name, "except", spec.exclude)
        if union is None or intersect is None or exclude is None:
            return None
        combined = (*union, *intersect, *exclude)
        if len({part.zone.key for part in combined}) > 1:
            zones = ", ".join(sorted({part.zone.key for part in combined}))
            path: Path = ("calendars", name)
            self.context.error(path, f"its parts are of several time zones ({zones})", "combine those of one", key=True)
            return None
        ends = [part.holidays_end for part in combined if part.holidays_end is not None]
        self.sets_of[CalendarName(name)] = frozenset().union(*(self.sets_of[part.name] for part in combined))
        schedule = Combined(union, intersect, exclude)
        return Calendar(CalendarName(name), combined[0].zone, schedule, min(ends, default=None))

    def _parts(self, name: str, verb: str, names: list[str]) -> tuple[Calendar, ...] | None:
        parts = [self._part(part, ("calendars", name, verb, index)) for index, part in enumerate(names)]
        sound = tuple(part for part in parts if part is not None)
        return sound if len(sound) == len(parts) else None

    def _part(self, part: str, path: Path) -> Calendar | None:
        """A calendar that another, which is under way, is made of."""
        if part in self._under_way:
            way = " → ".join([*self._under_way[self._under_way.index(part) :], part])
            self.context.error(path, f"the calendar is made of itself: {way}", "break the circle")
            return None
        return self.calendar(part) if self.context.refer("calendars", part, path) else None
