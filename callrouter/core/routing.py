"""Where a call goes: an ordered list of routes, the first that matches takes it, the last takes whatever is left.

Every condition says why it holds or not while it is asked, so the trace is told by what decided. An index
(:mod:`callrouter.core.index`) spares asking routes that cannot match.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from callrouter.core.calendars import Calendar
from callrouter.core.conditions import (
    CalendarState,
    Case,
    Condition,
    Finding,
    QueueState,
    QueueStates,
    all_hold,
    no_queues,
)
from callrouter.core.decision import Decision, Trace, TraceEntry
from callrouter.core.geography import Geography
from callrouter.core.ids import CalendarName, QueueName, RuleId
from callrouter.core.inbound import CallFacts
from callrouter.core.index import RouteIndex
from callrouter.core.numbers import parse
from callrouter.core.plan import Plan
from callrouter.core.switches import ALL_OFF, SwitchesOn


@dataclass(frozen=True, slots=True)
class Route:
    """Conditions that must all hold, and the plan for a call that they hold for."""

    rule: RuleId
    where: str
    """``file:line``."""
    plan: Plan
    conditions: tuple[Condition, ...] = ()

    def visit(self, case: Case) -> TraceEntry:
        """Ask the conditions in order up to the first that does not hold."""
        finding = all_hold(self.conditions, case)
        return TraceEntry(self.rule, self.where, finding.holds, finding.why or "takes every call")


_OPEN, _CLOSED = CalendarState(True, "is open"), CalendarState(False, "is closed")
_NO_CALENDAR = CalendarState(False, "is not in the rules any more")


class _Minute:
    """What the calendars say at one minute. Why they say it is worked out when it is asked for, by far the dearest."""

    __slots__ = ("_at", "_calendars", "_explained", "_states", "accepting", "number", "open")

    def __init__(
        self, number: int, at: datetime, calendars: Mapping[CalendarName, Calendar], index: RouteIndex
    ) -> None:
        self.number = number
        """Counted from the epoch."""
        self._at = at
        self._calendars = calendars
        self._states = {name: _OPEN if calendar.is_open(at) else _CLOSED for name, calendar in calendars.items()}
        self._explained: dict[CalendarName, CalendarState] = {}
        self.open = tuple(name for name, state in self._states.items() if state.is_open)
        self.accepting = index.accepting_time(self.open)
        """The routes that accept calls at this minute."""

    def state(self, name: CalendarName) -> CalendarState:
        """Whether a calendar is open; one that is no more is closed."""
        return self._states.get(name, _NO_CALENDAR)

    def explained(self, name: CalendarName) -> CalendarState:
        """The same, and why."""
        known = self._explained.get(name)
        if known is None:
            known = self.state(name)
            if name in self._calendars:
                known = replace(known, why=self._calendars[name].explain(self._at))
            self._explained[name] = known
        return known


class Ruleset:
    """The routes with all they refer to: implements :class:`callrouter.core.rulebook.Router`."""

    def __init__(
        self,
        routes: Sequence[Route],
        geography: Geography,
        calendars: Mapping[CalendarName, Calendar],
        config_hash: str,
    ) -> None:
        if not routes or routes[-1].conditions:
            raise ValueError("the last route must take every call; give it no conditions")
        self.routes = tuple(routes)
        self.geography = geography
        self.calendars = calendars
        self.config_hash = config_hash
        self.index = RouteIndex(self.routes)
        self._minute: _Minute | None = None

    def decide(
        self, facts: CallFacts, at: datetime, queues: QueueStates = no_queues, switches: SwitchesOn = ALL_OFF
    ) -> Decision:
        """The first route that matches, its plan, and the trace of all that stand before it.

        ``at`` is aware. Total: the last route takes every call, and no input raises. ``queues`` may be asked again
        when the trace is made, but not for what was asked now.
        """
        minute = self._minute_of(at)
        if queues is not no_queues:
            queues = _Remembered(queues)
        case = self._case(facts, minute.state, queues, switches)
        position = self.index.first(case, minute.accepting)
        route, origin, account = self.routes[position], case.origin, _Account(self, case, minute, position)
        region = origin.region
        return Decision(
            route.rule,
            route.plan,
            region.name,
            region.title,
            origin.source,
            region.tenant,
            case.caller.kind,
            facts.topic,
            minute.open,
            Trace(account.visit, position, account.nearest),
            self.config_hash,
            {"region_confidence": origin.confidence.value, "region_why": origin.why},
            tuple(sorted(switches)),
        )

    def ask(
        self,
        conditions: Sequence[Condition],
        facts: CallFacts,
        at: datetime,
        queues: QueueStates = no_queues,
        switches: SwitchesOn = ALL_OFF,
    ) -> Finding:
        """Whether all conditions hold for a call at this moment; a calendar that is no more is closed."""
        return all_hold(conditions, self._case(facts, self._minute_of(at).explained, queues, switches))

    def _case(
        self,
        facts: CallFacts,
        calendar: Callable[[CalendarName], CalendarState],
        queues: QueueStates,
        switches: SwitchesOn,
    ) -> Case:
        caller, dialed = parse(facts.caller), parse(facts.dialed)
        return Case(facts, caller, dialed, self.geography.locate(facts, caller, dialed), calendar, queues, switches)

    def _minute_of(self, at: datetime) -> _Minute:
        """The minute in which ``at`` is; the last is kept, as calls come one after another."""
        number = int(at.timestamp() // 60)
        if self._minute is None or self._minute.number != number:
            self._minute = _Minute(number, at, self.calendars, self.index)
        return self._minute


class _Remembered:
    """Queues as they were when they were first asked for."""

    __slots__ = ("_queues", "_states")

    def __init__(self, queues: QueueStates) -> None:
        self._queues = queues
        self._states: dict[QueueName, QueueState] = {}

    def __call__(self, name: QueueName) -> QueueState:
        state = self._states.get(name)
        if state is None:
            state = self._states[name] = self._queues(name)
        return state


class _Account:
    """What is needed to tell how a case was decided."""

    __slots__ = ("_case", "_explained", "_minute", "_position", "_rules")

    def __init__(self, rules: Ruleset, case: Case, minute: _Minute, position: int) -> None:
        self._rules = rules
        self._case = case
        self._minute = minute
        self._position = position
        self._explained: Case | None = None

    def visit(self, position: int) -> TraceEntry:
        """What the route at that position says."""
        if self._explained is None:
            self._explained = replace(self._case, calendar=self._minute.explained)
        return self._rules.routes[position].visit(self._explained)

    def nearest(self, limit: int) -> list[int]:
        """The routes that came nearest to taking the call before another did."""
        return self._rules.index.nearest(self._case, self._minute.accepting, self._position, limit)
