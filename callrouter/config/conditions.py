"""Conditions: from ``when:`` and ``if:`` to the core's."""

from collections.abc import Iterator

from callrouter.config import model
from callrouter.config.geography import endpoints_of
from callrouter.config.problems import Path, nearest
from callrouter.config.references import Context, singular
from callrouter.core.conditions import (
    CalendarOpen,
    CallerIs,
    CallerListed,
    Condition,
    DialedIs,
    LanguageIs,
    Measure,
    Not,
    QueueIs,
    RegionFrom,
    RegionIs,
    SwitchIs,
    TenantIs,
    TopicIs,
    TrunkIs,
)
from callrouter.core.ids import CalendarName, QueueName, RegionName, SwitchName, TenantName, TopicName
from callrouter.core.numbers import parse

_MEASURES = {
    "agents": Measure.AGENTS,
    "available": Measure.AVAILABLE,
    "waiting": Measure.WAITING,
    "longest_wait": Measure.LONGEST_WAIT,
}


def compile_when(context: Context, when: model.When, path: Path) -> tuple[Condition, ...]:
    """The conditions, cheapest and most telling first."""
    conditions: list[Condition] = [*_of_the_way(context, when, path), *_of_the_caller(context, when, path)]
    if when.switch:
        conditions.append(SwitchIs(tuple(map(SwitchName, _known(context, "switches", when.switch, path)))))
    if when.queue is not None:
        conditions += _queue(context, when.queue, (*path, "queue"))
    if when.calendar:
        conditions.append(CalendarOpen(tuple(map(CalendarName, _known(context, "calendars", when.calendar, path)))))
    if when.unless is not None:
        conditions.append(Not(compile_when(context, when.unless, (*path, "not"))))
    return tuple(conditions)


def _of_the_way(context: Context, when: model.When, path: Path) -> Iterator[Condition]:
    """What is asked of the way by which the call came."""
    if when.dialed:
        yield DialedIs(*numbers(context, when.dialed, (*path, "dialed")))
    if when.trunk:
        yield TrunkIs(frozenset(_endpoints(context, when.trunk, (*path, "trunk"))))


def _of_the_caller(context: Context, when: model.When, path: Path) -> Iterator[Condition]:
    """What is asked of the caller: where from, on which line, what for."""
    if when.region:
        yield RegionIs(frozenset(map(RegionName, _known(context, "regions", when.region, path))))
    if when.region_source:
        yield RegionFrom(frozenset(when.region_source))
    if when.tenant:
        yield TenantIs(frozenset(map(TenantName, _known(context, "tenants", when.tenant, path))))
    if when.caller:
        yield CallerIs(frozenset(when.caller))
    if when.topic:
        yield TopicIs(frozenset(map(TopicName, _known(context, "topics", when.topic, path))))
    if when.language:
        yield LanguageIs(frozenset(when.language))
    if when.caller_list:
        yield _listed(context, _known(context, "caller_lists", when.caller_list, path))


def check_lists(context: Context) -> None:
    """Every entry of every list of callers must be a number."""
    for name, entries in context.model.caller_lists.items():
        numbers(context, entries, ("caller_lists", name))


def numbers(context: Context, written: list[str], path: Path) -> tuple[frozenset[str], tuple[str, ...]]:
    """Whole numbers in their national form, and the beginnings that are written with a * at the end."""
    exact: set[str] = set()
    prefixes: list[str] = []
    for index, number in enumerate(written):
        stem = number.removesuffix("*")
        if stem != number and stem.isascii() and stem.isdigit():
            prefixes.append(stem)
        elif stem == number and parse(number).national:
            exact.add(parse(number).national)
        else:
            remedy = "write it as it is dialled: 055120, or with a * at the end: 0551*"
            context.error((*path, index), f'"{number}" is not a number', remedy)
    return frozenset(exact), tuple(prefixes)


def _listed(context: Context, names: list[str]) -> CallerListed:
    exact: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    for name in names:
        of_list = numbers(context, context.model.caller_lists.get(name, []), ("caller_lists", name))
        exact, prefixes = exact | of_list[0], (*prefixes, *of_list[1])
    return CallerListed(tuple(names), exact, prefixes)


def _queue(context: Context, asked: model.QueueWhen, path: Path) -> list[Condition]:
    context.refer("queues", asked.name, (*path, "name"))
    found: list[Condition] = []
    for key, measure in _MEASURES.items():
        compared = getattr(asked, key)
        if compared is not None:
            found.append(QueueIs(QueueName(asked.name), measure, compared.comparison, compared.limit))
    return found


def _known(context: Context, section: str, names: list[str], path: Path) -> list[str]:
    key = singular(section)
    for index, name in enumerate(names):
        context.refer(section, name, (*path, key, index))
    return names


def _endpoints(context: Context, names: list[str], path: Path) -> list[str]:
    found: list[str] = []
    trunks = context.model.trunks
    for index, name in enumerate(names):
        if name in trunks:
            found += endpoints_of(context, name)
            continue
        endpoints = {endpoint for trunk in trunks for endpoint in endpoints_of(context, trunk)}
        if name in endpoints:
            found.append(name)
        elif name not in context.names("trunks"):
            remedy = nearest(name, context.names("trunks") | endpoints)
            context.error((*path, index), f'unknown trunk "{name}"', remedy)
    return found
