"""The plain way to decide: every route is visited in turn, and told of, until one matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from callrouter.core.conditions import CalendarState, Case, no_queues
from callrouter.core.decision import TraceEntry
from callrouter.core.ids import CalendarName
from callrouter.core.inbound import CallFacts
from callrouter.core.numbers import parse
from callrouter.core.plan import Plan
from callrouter.core.routing import Ruleset


@dataclass(frozen=True, slots=True)
class Found:
    """What the scan comes to."""

    position: int
    plan: Plan
    trace: Sequence[TraceEntry]


class LinearScan:
    """The reference for a ruleset's decisions: the same routes, conditions and calendars, and no index.

    What calendars say is kept for a minute, as in the ruleset.
    """

    def __init__(self, rules: Ruleset) -> None:
        self._rules = rules
        self._minute = -1
        self._states: dict[CalendarName, CalendarState] = {}

    def decide(self, facts: CallFacts, at: datetime) -> Found:
        """The first route that matches, and what every route up to it says."""
        if at.timestamp() // 60 != self._minute:
            calendars = self._rules.calendars
            self._states = {name: CalendarState(one.is_open(at), one.explain(at)) for name, one in calendars.items()}
            self._minute = int(at.timestamp() // 60)
        caller, dialed = parse(facts.caller), parse(facts.dialed)
        origin = self._rules.geography.locate(facts, caller, dialed)
        case = Case(facts, caller, dialed, origin, self._states.__getitem__, no_queues)
        trace = []
        for position, route in enumerate(self._rules.routes):
            entry = route.visit(case)
            trace.append(entry)
            if entry.matched:
                return Found(position, route.plan, trace)
        raise ValueError("no route takes the call; a ruleset ends with one that takes every call")
