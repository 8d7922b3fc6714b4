"""Where a call goes: an ordered list of routes, the first that matches takes it, the last takes whatever is left.

Every condition says why it holds or not while it is asked, so the trace is what decided and no second matcher exists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from callrouter.core.calendars import Calendar
from callrouter.core.conditions import CalendarState, Case, Condition, Finding, QueueStates, all_hold, no_queues
from callrouter.core.decision import Decision, TraceEntry
from callrouter.core.geography import Geography
from callrouter.core.ids import CalendarName, RuleId
from callrouter.core.inbound import CallFacts
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


_NO_CALENDAR = CalendarState(False, "is not in the rules any more")


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
        # What calendars say is the same for a whole minute; explaining them is the dearest part of a decision.
        self._minute = -1
        self._states: dict[CalendarName, CalendarState] = {}

    def decide(
        self, facts: CallFacts, at: datetime, queues: QueueStates = no_queues, switches: SwitchesOn = ALL_OFF
    ) -> Decision:
        """The first route that matches, its plan, and the trace of all that were visited.

        ``at`` is aware. Total: the last route takes every call, and no input raises.
        """
        case = self._case(facts, at, queues, switches)
        origin, states = case.origin, self._states
        # The last route takes every call, so this ends.
        walk = iter(self.routes)
        route = next(walk)
        trace = [route.visit(case)]
        while not trace[-1].matched:
            route = next(walk)
            trace.append(route.visit(case))
        return Decision(
            rule=route.rule,
            plan=route.plan,
            region=origin.region.name,
            region_title=origin.region.title,
            region_source=origin.source,
            tenant=origin.region.tenant,
            caller_kind=case.caller.kind,
            topic=facts.topic,
            calendars=tuple(name for name, state in states.items() if state.is_open),
            trace=tuple(trace),
            config_hash=self.config_hash,
            extra={"region_confidence": origin.confidence.value, "region_why": origin.why},
            switches=tuple(sorted(switches)),
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
        return all_hold(conditions, self._case(facts, at, queues, switches))

    def _case(self, facts: CallFacts, at: datetime, queues: QueueStates, switches: SwitchesOn) -> Case:
        caller, dialed = parse(facts.caller), parse(facts.dialed)
        states = self._states_at(at)
        origin = self.geography.locate(facts, caller, dialed)
        return Case(facts, caller, dialed, origin, lambda name: states.get(name, _NO_CALENDAR), queues, switches)

    def _states_at(self, at: datetime) -> Mapping[CalendarName, CalendarState]:
        """What every calendar says at this minute."""
        minute = int(at.timestamp() // 60)
        if minute != self._minute:
            self._states = {
                name: CalendarState(calendar.is_open(at), calendar.explain(at))
                for name, calendar in self.calendars.items()
            }
            self._minute = minute
        return self._states
