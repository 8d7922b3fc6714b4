"""Calendars: from the model to the core's."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callrouter.config import model
from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.core.calendars import Calendar, Combined, DatedExceptions, DayException, FirstOf, Weekly
from callrouter.core.ids import CalendarName


def compile_calendars(context: Context) -> dict[CalendarName, Calendar]:
    """Every sound calendar; faults go to the context's problems."""
    compiler = _Compiler(context)
    compiler.zone(context.model.timezone, ("timezone",))
    for name in context.model.calendars:
        compiler.calendar(name)
    return {name: calendar for name, calendar in compiler.done.items() if calendar is not None}


@dataclass(slots=True)
class _Compiler:
    context: Context
    done: dict[CalendarName, Calendar | None] = field(default_factory=dict)
    _under_way: list[str] = field(default_factory=list)
    _bad_zones: set[Path] = field(default_factory=set)

    def calendar(self, name: str) -> Calendar | None:
        """The calendar of that name, compiled once; None if it is faulty."""
        key = CalendarName(name)
        if key not in self.done:
            self._under_way.append(name)
            spec = self.context.model.calendars[name]
            self.done[key] = self._weekly(name, spec) if spec.open is not None else self._combined(name, spec)
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

    def _weekly(self, name: str, spec: model.Calendar) -> Calendar | None:
        path: Path = ("calendars", name, "zone") if spec.zone else ("timezone",)
        zone = self.zone(spec.zone or self.context.model.timezone, path)
        days = {
            day: DayException("other hours" if hours else "closed by a dated entry", tuple(hours))
            for day, hours in spec.exceptions.items()
        }
        sources = [DatedExceptions(days)] if days else []
        for index, holidays in enumerate(spec.closed_on):
            if self.context.refer("holidays", holidays, ("calendars", name, "closed_on", index)):
                named = self.context.model.holidays[holidays]
                sources.append(DatedExceptions({day: DayException(title) for day, title in named.items()}))
        if zone is None:
            return None
        windows = tuple(spec.open or ())
        return Calendar(CalendarName(name), zone, Weekly(zone, windows, FirstOf(tuple(sources))))

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
        return Calendar(CalendarName(name), combined[0].zone, Combined(union, intersect, exclude))

    def _parts(self, name: str, verb: str, names: list[str]) -> tuple[Calendar, ...] | None:
        parts: list[Calendar | None] = []
        for index, part in enumerate(names):
            path: Path = ("calendars", name, verb, index)
            if part in self._under_way:
                way = " → ".join([*self._under_way[self._under_way.index(part) :], part])
                self.context.error(path, f"the calendar is made of itself: {way}", "break the circle")
                parts.append(None)
            else:
                parts.append(self.calendar(part) if self.context.refer("calendars", part, path) else None)
        sound = tuple(part for part in parts if part is not None)
        return sound if len(sound) == len(parts) else None
