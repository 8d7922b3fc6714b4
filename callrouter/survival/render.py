"""The file of one site: see :func:`rendered`.

A call comes to ``away`` in ``[callrouter-survival]``, which callrouter.conf includes in its fallback. There the clock
is read; then come the caller's number, the region, the calendars that any rule asks for, and the routes one after
another, each with its plan. All variables begin with ``CR_``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from callrouter.core.calendars import Calendar
from callrouter.core.conditions import CalendarOpen, Case, Condition, RegionFrom, RegionIs, TenantIs, queues_as
from callrouter.core.ids import CalendarName, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.numbers import parse
from callrouter.core.plan import If, RouteAgain, walk
from callrouter.core.routing import Route, Ruleset
from callrouter.core.rulebook import Rulebook
from callrouter.survival import hours
from callrouter.survival.asking import Asking, Notes, walked
from callrouter.survival.callers import caller_lines, national_lines, pattern_lines
from callrouter.survival.script import CONTEXT, GLOBAL, GLOBAL_UNTIL, ROUTES, Extension, remark, sound, word
from callrouter.survival.steps import Steps

DAYS: Final = 2 * 366
"""How many days the hours are exact for, if the holidays are known for so long."""
CLOCK: Final = "CALLROUTER_SURVIVAL_CLOCK"
"""Global variable for a drill: seconds since 1970, taken for the time."""


@dataclass(frozen=True, slots=True)
class Survival:
    """A rendered file."""

    text: str
    notes: tuple[str, ...]
    """What the dialplan does not do as the daemon does: ``file:line: what``."""
    until: date
    """The last day for which the hours are exact."""


def rendered(book: Rulebook, site: SiteName, now: datetime, *, days: int = DAYS) -> Survival:
    """The dialplan by which ``site`` serves its callers without the daemon; ``now`` is aware.

    Raises:
        SurvivalError: something that would stand in the file cannot.
    """
    router = book.router
    if not isinstance(router, Ruleset):
        raise TypeError("only compiled routes can be rendered")
    return _Rendering(book, router, site, now, days).survival()


class _Rendering:
    def __init__(self, book: Rulebook, rules: Ruleset, site: SiteName, now: datetime, days: int) -> None:
        self._book = book
        self._rules = rules
        self._site = site
        self._now = now
        self._days = days
        self._notes = Notes()
        self._conditions = tuple(_all_conditions(rules.routes))
        asked = [name for one in self._conditions if isinstance(one, CalendarOpen) for name in one.calendars]
        names = [name for name in dict.fromkeys(asked) if name in rules.calendars]
        self._calendars: Mapping[CalendarName, int] = {name: number for number, name in enumerate(names)}
        usual = Case(
            CallFacts("", site),
            parse(""),
            parse(""),
            rules.geography.locate(CallFacts("", site), parse(""), parse("")),
            lambda _: (_ for _ in ()).throw(LookupError),
            queues_as(book.usual_queues()),
        )
        self._asking = Asking(self._calendars, usual, self._notes)

    def survival(self) -> Survival:
        until = self._until()
        body = "\n".join([*self._entry(), *self._callers(), *self._hours(), *self._routes()])
        notes = tuple(self._notes.told)
        return Survival("\n".join([*self._head(until, notes), body]).rstrip("\n") + "\n", notes, until)

    def _until(self) -> date:
        """The last day that was looked at, or of which the holidays are known."""
        known = [self._calendar(name).holidays_end for name in self._calendars]
        last = min((self._first(self._calendar(name)) for name in self._calendars), default=self._now.date())
        return min([last + timedelta(days=self._days - 1), *(day for day in known if day is not None)])

    def _calendar(self, name: CalendarName) -> Calendar:
        return self._rules.calendars[name]

    def _first(self, calendar: Calendar) -> date:
        """The day before today: a file may be taken in late at night, elsewhere."""
        return self._now.astimezone(calendar.zone).date() - timedelta(days=1)

    # --- the head

    def _head(self, until: date, notes: Sequence[str]) -> Iterator[str]:
        yield remark(f"What the site {self._site} does with its callers while callrouter is away.")
        yield ";"
        yield "; Rendered by `callrouter dialplan` from the rules; do not edit, render it again."
        yield remark(f"rules: {self._book.hash}")
        yield remark(f"rendered: {self._now:%Y-%m-%d %H:%M %Z}")
        yield remark(f"valid until {until}: until then the hours are exact; later ones may miss holidays")
        yield ";"
        yield "; Not known here: switches are taken as off, counselors as at work, and no caller is remembered."
        for note in notes:
            yield remark(f"  {note}")
        yield ";"
        yield f"; {CLOCK} (seconds since 1970), set as a global variable, is taken for the time: for a drill."
        yield ""
        yield "[globals](+)"
        yield f"{GLOBAL}={word(self._book.hash, 'the version of the configuration')}"
        yield f"{GLOBAL_UNTIL}={until}"
        yield ""

    # --- the way to the routes

    def _entry(self) -> Iterator[str]:
        yield f"[{CONTEXT}]"
        script = Extension("away")
        script.do('Set(CR_NOW=${IF($["${' + CLOCK + '}"=""]?${EPOCH}:${' + CLOCK + "})})")
        script.do("Set(CR_TOPIC=)")
        script.do("Set(CR_LANGUAGE=${CHANNEL(language)})")
        script.do("Set(CR_NAME=${CHANNEL(name)})")
        script.do("Set(CR_TRUNK=${CR_NAME:6:-9})")
        # The dialled number is digits already; s stands for none.
        national_lines(script, "${CALLROUTER_DIALED}", "CR_DIALED")
        if self._rules.geography.by_diversion:
            national_lines(script, "${FILTER(+0-9,${CALLERID(rdnis)})}", "CR_DIVERTED")
        caller_lines(script)
        yield script.text()
        yield from self._sorry()
        yield ""

    def _sorry(self) -> Iterator[str]:
        yield "; Nobody can be reached, and the caller is told so."
        yield "exten => sorry,1,Answer()"
        yield " same => n,Playback(callrouter/fallback-sorry)"
        yield " same => n,Hangup()"

    def _callers(self) -> Iterator[str]:
        asks_place = any(isinstance(one, RegionIs | RegionFrom | TenantIs) for one in self._conditions)
        yield from pattern_lines(self._rules.geography, f"{CONTEXT}-hours,c0,1", asks_place=asks_place)

    def _hours(self) -> Iterator[str]:
        """Each calendar in turn, then the routes."""
        yield "; When it is open; only what a rule asks for."
        yield f"[{CONTEXT}-hours]"
        for name, number in self._calendars.items():
            zone, at = _zone(self._calendar(name).zone, self._now, self._days)
            yield f"exten => c{number},1,Set(CR_WEEKDAY=${{STRFTIME({at},{zone},%u)}})"
            yield f" same => n,Set(CR_TIME=${{STRFTIME({at},{zone},%H%M)}})"
            yield f" same => n,Goto({hours.context(number)},${{STRFTIME({at},{zone},%Y%m%d)}},1)"
        yield f"exten => c{len(self._calendars)},1,Goto({ROUTES},r0,1)"
        yield ""
        for name, number in self._calendars.items():
            calendar = self._calendar(name)
            found = hours.hours_of(calendar, self._first(calendar), self._days)
            yield from hours.lines_of(calendar, number, found, f"{CONTEXT}-hours,c{number + 1},1")

    # --- the routes

    def _routes(self) -> Iterator[str]:
        steps = Steps(self._book, self._site, self._rules.geography, self._asking)
        yield "; The routes, in order: the first whose conditions all hold takes the call."
        yield f"[{ROUTES}]"
        for number, route in enumerate(self._rules.routes):
            yield self._route(number, route, steps).text()
        # Only after a plan that asks the routes again, and finds none that has not had the call.
        yield f"exten => r{len(self._rules.routes)},1,Goto({CONTEXT},sorry,1)"
        yield ""
        yield from steps.queue_lines()

    def _route(self, number: int, route: Route, steps: Steps) -> Extension:
        script = Extension(f"r{number}")
        script.remark(f"{route.rule} ({route.where})")
        following = f"r{number + 1},1"
        if self._asking.never(route.conditions, route.where):
            script.do(f"Goto({following})")
            return script
        again = any(isinstance(step, RouteAgain) for step in walk(route.plan))
        if again:
            script.do(f'GotoIf($["v${{CR_TOOK_{number}}}"="v1"]?{following})')
        for condition in route.conditions:
            self._asking.unless(condition, following, script, route.where)
        if again:
            script.do(f"Set(CR_TOOK_{number}=1)")
        script.do(f"Set(CALLROUTER_RULE={word(route.rule, f'{route.where}: a rule')})")
        script.do("Log(NOTICE,callrouter is away: the rule ${CALLROUTER_RULE} takes ${CHANNEL})")
        steps.write(route.plan, script, route.where)
        return script


def _all_conditions(routes: Sequence[Route]) -> Iterator[Condition]:
    found: list[Condition] = []
    for route in routes:
        walked(route.conditions, found.append)
        for step in walk(route.plan):
            if isinstance(step, If):
                walked(step.conditions, found.append)
    return iter(found)


def _zone(zone: ZoneInfo, now: datetime, days: int) -> tuple[str, str]:
    """The zone and the time to ask STRFTIME for.

    A zone that keeps its distance from UTC is rendered as that: Asterisk needs no table of zones then, and many
    containers have none.
    """
    distances = {(now + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(-1, days + 1)}
    if len(distances) == 1 and (distance := distances.pop()) is not None:
        return "UTC", f"$[${{CR_NOW}}+{int(distance.total_seconds())}]".replace("+-", "-")
    return sound(zone.key, "a time zone"), "${CR_NOW}"
