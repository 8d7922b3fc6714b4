"""What calls there can be, in classes: within one, two sets of rules always decide the same.

Time is cut exactly: where no calendar of either set opens or closes, nothing changes. Callers are one example of each
kind that the rules can tell apart: by region, line, list, dialled number, topic, language, trunk and diversion.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from typing import Final, Protocol

from callrouter.config import Loaded
from callrouter.core.calendars import Calendar
from callrouter.core.conditions import CallerListed, Condition, DialedIs, LanguageIs, Not, TopicIs, TrunkIs
from callrouter.core.geography import Geography
from callrouter.core.ids import RegionName, SiteName, TopicName
from callrouter.core.inbound import CallFacts
from callrouter.core.local_time import local_day
from callrouter.core.numbers import parse
from callrouter.core.plan import If, walk
from callrouter.core.routing import Ruleset

MOST_CALLERS: Final = 20_000
"""Beyond that the kinds are not all combined with one another; see :attr:`Enumerated.complete`."""

_LINES: Final = {
    "01012345678": "a mobile phone",
    "0212345678": "a landline elsewhere",
    "07012345678": "an internet phone (070)",
    "050212345678": "a personal number (050)",
    "15881234": "an office's service number",
    "+12025550123": "abroad",
    "": "a withheld number",
    "?": "a number that cannot be read",
}
"""An example of each kind of line, and what it is."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One call for all of its kind; ``who`` says in words which kind that is."""

    facts: CallFacts
    who: str


@dataclass(frozen=True, slots=True)
class Span:
    """A time ``[start, end)``; aware, UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """Times at which every calendar says the same."""

    spans: tuple[Span, ...]

    @property
    def at(self) -> datetime:
        """One instant for all of them."""
        return self.spans[0].start


class Cells(Protocol):
    """Classes of calls and of times that both sets of rules are asked about."""

    @property
    def callers(self) -> Sequence[Caller]:
        """Who may call."""
        ...

    @property
    def moments(self) -> Sequence[Moment]:
        """When; together they are all of the time that is looked at."""
        ...

    @property
    def complete(self) -> bool:
        """Whether every kind of call is among them."""
        ...


class Enumerated:
    """Implements :class:`Cells` by what the rules of both sets name."""

    def __init__(self, old: Loaded, new: Loaded, first: date, days: int) -> None:
        both = tuple(router for one in (old, new) if isinstance(router := one.rulebook.router, Ruleset))
        site = next(iter(new.settings.sites), SiteName(""))
        self.moments: Sequence[Moment] = tuple(_moments(both, new, first, days))
        kinds = _Kinds(both, site)
        self.callers: Sequence[Caller] = tuple(kinds.combined())
        self.complete = kinds.complete


class _Kinds:
    """The dimensions in which calls differ, each with its examples."""

    def __init__(self, both: Sequence[Ruleset], site: SiteName) -> None:
        self._both = both
        self._plain = CallFacts("120", site)
        self._asked = [condition for ruleset in both for condition in conditions_of(ruleset)]
        topics = {topic for one in self._asked if isinstance(one, TopicIs) for topic in one.topics}
        languages = {language for one in self._asked if isinstance(one, LanguageIs) for language in one.languages}
        self._dimensions = (
            [*self._people()],
            [*self._dialed()],
            [*self._values("topic", topics)],
            [*self._values("language", languages)],
            [*self._trunks()],
            [*self._diversions()],
        )

    @property
    def complete(self) -> bool:
        """Whether all examples can be combined with one another."""
        count = 1
        for examples in self._dimensions:
            count *= len(examples)
        return count <= MOST_CALLERS

    def combined(self) -> Iterator[Caller]:
        """Every example with every other; or, where that were too many, each by itself with a plain call."""
        if self.complete:
            for parts in product(*self._dimensions):
                yield self._caller(parts)
            return
        for place, examples in enumerate(self._dimensions):
            for example in examples:
                plain = [each[0] for each in self._dimensions]
                plain[place] = example
                yield self._caller(plain)

    def _caller(self, parts: Iterable[tuple[Mapping[str, object], str]]) -> Caller:
        fields: dict[str, object] = {}
        words = []
        for given, word in parts:
            fields |= given
            words += [word] if word else []
        return Caller(replace(self._plain, **fields), ", ".join(words))  # type: ignore[arg-type]

    def _people(self) -> Iterator[tuple[Mapping[str, object], str]]:
        """Where callers are, by what both sets make of their numbers; on which lines; on which lists."""
        regions = [ruleset.geography.regions for ruleset in self._both]
        seen: set[tuple[RegionName, ...]] = set()
        prefixes = sorted({prefix for ruleset in self._both for prefix in ruleset.geography.plan.prefixes})
        for number in map(_landline, prefixes):
            places = tuple(_region(ruleset.geography, number) for ruleset in self._both)
            if places not in seen:
                seen.add(places)
                where = " (then ".join(dict.fromkeys(places)) + (")" if len(set(places)) > 1 else "")
                yield {"caller": number}, f"caller from {where}"
        reached = {name for places in seen for name in places}
        for name in sorted({name for known in regions for name in known} - reached):
            yield {"region": name}, f"caller who is known to be in {name}"
        for number, line in _LINES.items():
            yield {"caller": number}, f"caller on {line}" if number else f"caller with {line}"
        yield from self._listed()

    def _listed(self) -> Iterator[tuple[Mapping[str, object], str]]:
        lists = [condition for condition in self._asked if isinstance(condition, CallerListed)]
        seen: set[tuple[bool, ...]] = set()
        for number in sorted({number for one in lists for number in (*one.numbers, *one.prefixes)}):
            on = tuple(number in one.numbers or number.startswith(one.prefixes) for one in lists)
            if on not in seen:
                seen.add(on)
                names = dict.fromkeys(name for one, is_on in zip(lists, on, strict=True) if is_on for name in one.lists)
                yield {"caller": number}, f"caller on the list {' or '.join(names)}"

    def _dialed(self) -> Iterator[tuple[Mapping[str, object], str]]:
        yield {}, ""
        asked = [condition for condition in self._asked if isinstance(condition, DialedIs)]
        numbers = {number for one in asked for number in (*one.numbers, *one.prefixes)}
        numbers |= {number for ruleset in self._both for number in ruleset.geography.by_dialed}
        for number in sorted(numbers - {self._plain.dialed}):
            yield {"dialed": number}, f"dialled {number}"

    def _values(self, field: str, values: set[TopicName] | set[str]) -> Iterator[tuple[Mapping[str, object], str]]:
        yield {}, ""
        for value in sorted(values):
            yield {field: value}, f"{field} {value}"

    def _trunks(self) -> Iterator[tuple[Mapping[str, object], str]]:
        yield {}, ""
        endpoints = {endpoint for c in self._asked if isinstance(c, TrunkIs) for endpoint in c.endpoints}
        endpoints |= {endpoint for ruleset in self._both for endpoint in ruleset.geography.by_trunk}
        for endpoint in sorted(endpoints):
            yield {"trunk": endpoint}, f"by trunk {endpoint}"

    def _diversions(self) -> Iterator[tuple[Mapping[str, object], str]]:
        yield {}, ""
        for number in sorted({number for ruleset in self._both for number in ruleset.geography.by_diversion}):
            yield {"diversion": number}, f"diverted from {number}"


def _landline(prefix: str) -> str:
    """A whole number that begins so."""
    return prefix.ljust(9 if prefix.startswith("02") else 10, "0")


def _region(geography: Geography, number: str) -> RegionName:
    facts = CallFacts("", SiteName(""), number)
    return geography.locate(facts, parse(number), parse("")).region.name


def conditions_of(ruleset: Ruleset) -> Iterator[Condition]:
    """Every condition of the routes and of the questions in their plans, also within ``not``."""
    for route in ruleset.routes:
        yield from _inner(route.conditions)
        for step in walk(route.plan):
            if isinstance(step, If):
                yield from _inner(step.conditions)


def _inner(conditions: Iterable[Condition]) -> Iterator[Condition]:
    for condition in conditions:
        yield condition
        if isinstance(condition, Not):
            yield from _inner(condition.conditions)


def _moments(both: Sequence[Ruleset], new: Loaded, first: date, days: int) -> Iterator[Moment]:
    """The time from the first day on, cut where a calendar changes, and put together by what all of them say."""
    calendars = [calendar for ruleset in both for calendar in ruleset.calendars.values()]
    start = local_day(first, new.timezone).start
    end = local_day(first + timedelta(days=days - 1), new.timezone).end
    edges = {start, end}
    for calendar in calendars:
        edges |= {edge for edge in _edges(calendar, start, end) if start < edge < end}
    by_state: dict[tuple[bool, ...], list[Span]] = {}
    for edge, following in pairwise(sorted(edges)):
        state = tuple(calendar.is_open(edge) for calendar in calendars)
        by_state.setdefault(state, []).append(Span(edge, following))
    for spans in by_state.values():
        yield Moment(tuple(joined(spans)))


def _edges(calendar: Calendar, start: datetime, end: datetime) -> Iterator[datetime]:
    day = start.astimezone(calendar.zone).date()
    while day <= end.astimezone(calendar.zone).date():
        yield from (edge.astimezone(UTC) for edge in calendar.schedule.boundaries(day))
        day += timedelta(days=1)


def joined(spans: Iterable[Span]) -> Iterator[Span]:
    """In order, those that follow one another without a gap as one."""
    last: Span | None = None
    for span in sorted(spans, key=lambda span: span.start):
        if last is not None and last.end == span.start:
            last = Span(last.start, span.end)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last
