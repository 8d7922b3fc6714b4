"""What the rules ask: the conditions of routes, and of the questions in their plans, down to the last ``not``."""

from collections.abc import Iterable, Iterator, Mapping

from callrouter.core.calendars import Calendar
from callrouter.core.conditions import (
    CalendarOpen,
    CallerIs,
    CallerListed,
    Condition,
    DialedIs,
    LanguageIs,
    Not,
    RegionIs,
    TenantIs,
    TopicIs,
    TrunkIs,
)
from callrouter.core.ids import CalendarName
from callrouter.core.plan import If, walk
from callrouter.core.routing import Route, Ruleset

OF_THE_CALL = DialedIs | RegionIs | TenantIs | CallerIs | CallerListed | TopicIs | LanguageIs | TrunkIs
"""Conditions on what is known of a call. What is neither of these nor a calendar is of the moment: a queue's state, a
switch."""

NEVER = TopicIs(frozenset())
"""Holds for no call."""
ALWAYS = Not((NEVER,))


def conditions_of(routes: Iterable[Route]) -> tuple[Condition, ...]:
    """Every condition but ``not``, once, of routes and of the questions in their plans."""
    found: dict[Condition, None] = {}
    for route in routes:
        found |= dict.fromkeys(leaves(route.conditions))
        for step in walk(route.plan):
            if isinstance(step, If):
                found |= dict.fromkeys(leaves(step.conditions))
    return tuple(found)


def leaves(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """The conditions with those inside ``not`` in place of it."""
    for condition in conditions:
        if isinstance(condition, Not):
            yield from leaves(condition.conditions)
        else:
            yield condition


def calendars_asked(rules: Ruleset) -> dict[CalendarName, Calendar]:
    """The calendars on which anything depends."""
    asked = [leaf for leaf in conditions_of(rules.routes) if isinstance(leaf, CalendarOpen)]
    names = dict.fromkeys(name for condition in asked for name in condition.calendars)
    return {name: rules.calendars[name] for name in names if name in rules.calendars}


def of_the_moment(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Those on what neither the clock nor the caller decides, such as the state of a queue."""
    return tuple(leaf for leaf in leaves(conditions) if not isinstance(leaf, CalendarOpen | OF_THE_CALL))


def supposing(routes: Iterable[Route], held: Iterable[Condition], not_held: Iterable[Condition]) -> tuple[Route, ...]:
    """The routes as they would be if these conditions held, and those did not."""
    put: Mapping[Condition, Condition] = dict.fromkeys(held, ALWAYS) | dict.fromkeys(not_held, NEVER)

    def replaced(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
        return tuple(Not(replaced(one.conditions)) if isinstance(one, Not) else put.get(one, one) for one in conditions)

    return tuple(Route(route.rule, route.where, route.plan, replaced(route.conditions)) for route in routes)
