"""Where a call goes: an ordered list of routes, the first that matches takes it, the last takes whatever is left.

Every condition says why it holds or not while it is asked, so the trace is what decided and no second matcher exists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from callrouter.core.calendars import Calendar
from callrouter.core.decision import CallerKind, CallFacts, Decision, RegionSource, TraceEntry
from callrouter.core.ids import CalendarName, RegionName, RuleId, TenantName, TopicName
from callrouter.core.numbering_plan import Confidence, NumberingPlan
from callrouter.core.numbers import Number, parse
from callrouter.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Region:
    """A place that calls come from, and whose call it then is."""

    name: RegionName
    title: str
    tenant: TenantName


@dataclass(frozen=True, slots=True)
class Geography:
    """How a call's region is found: dialled number, trunk, the caller's exchange, and else the default."""

    regions: Mapping[RegionName, Region]
    default: RegionName
    by_dialed: Mapping[str, RegionName] = field(default_factory=dict)
    """National form of the dialled number."""
    by_trunk: Mapping[str, RegionName] = field(default_factory=dict)
    """PJSIP endpoint."""
    plan: NumberingPlan = field(default_factory=lambda: NumberingPlan({}))

    def locate(self, facts: CallFacts, caller: Number, dialed: Number) -> "Origin":
        """The call's region by the best source there is, and why."""
        name = self.by_dialed.get(dialed.national)
        if name is not None:
            why = f"dialled {dialed.national}"
            return Origin(self.regions[name], RegionSource.DIALED, Confidence.CERTAIN, why)
        name = self.by_trunk.get(facts.trunk)
        if name is not None:
            return Origin(self.regions[name], RegionSource.TRUNK, Confidence.CERTAIN, f"came in by {facts.trunk}")
        if caller.kind is CallerKind.LANDLINE:
            match = self.plan.find(caller.national)
            if match is not None:
                note = f", {match.place.note}" if match.place.note else ""
                return Origin(
                    self.regions[match.place.region],
                    RegionSource.EXCHANGE,
                    match.place.confidence,
                    f"exchange {match.prefix}{note}",
                )
        why = f"{_CALLER_WORDS[caller.kind]} says nothing of the place"
        return Origin(self.regions[self.default], RegionSource.DEFAULT, Confidence.WEAK, why)


_CALLER_WORDS = {
    CallerKind.LANDLINE: "an unknown exchange",
    CallerKind.MOBILE: "a mobile number",
    CallerKind.INTERNET: "an internet phone (070)",
    CallerKind.PERSONAL: "a personal number (050)",
    CallerKind.SERVICE: "an office's service number",
    CallerKind.FOREIGN: "a foreign number",
    CallerKind.ANONYMOUS: "a withheld number",
    CallerKind.UNKNOWN: "a number that cannot be read",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """A call's region, where that was taken from, and how far it can be trusted."""

    region: Region
    source: RegionSource
    confidence: Confidence
    why: str


@dataclass(frozen=True, slots=True)
class CalendarState:
    """A calendar at one minute."""

    is_open: bool
    why: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that a condition may ask about one call."""

    facts: CallFacts
    caller: Number
    dialed: Number
    origin: Origin
    calendar: Callable[[CalendarName], CalendarState]


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a condition holds, and why."""

    holds: bool
    why: str


class Condition(Protocol):
    """One line of a route's ``when``."""

    def check(self, case: Case) -> Finding:
        """Whether it holds for this call, and why."""
        ...


@dataclass(frozen=True, slots=True)
class DialedIs:
    """The dialled number is one of these (national form), or begins with one of these."""

    numbers: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def check(self, case: Case) -> Finding:
        """See the class."""
        dialed = case.dialed.national or case.facts.dialed
        if dialed in self.numbers or (self.prefixes and dialed.startswith(self.prefixes)):
            return Finding(True, f"dialled {dialed}")
        wanted = _any_of((*self.numbers, *(f"{prefix}*" for prefix in self.prefixes)))
        return Finding(False, f"dialled {dialed or 'nothing'}, not {wanted}")


@dataclass(frozen=True, slots=True)
class RegionIs:
    """The call comes from one of these regions."""

    regions: frozenset[RegionName]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("region", case.origin.region.name, self.regions)


@dataclass(frozen=True, slots=True)
class TenantIs:
    """The call's region belongs to one of these tenants."""

    tenants: frozenset[TenantName]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("tenant", case.origin.region.tenant, self.tenants)


@dataclass(frozen=True, slots=True)
class CallerIs:
    """The caller's line is of one of these kinds."""

    kinds: frozenset[CallerKind]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("caller", case.caller.kind, self.kinds)


@dataclass(frozen=True, slots=True)
class TopicIs:
    """The caller chose one of these topics."""

    topics: frozenset[TopicName]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("topic", case.facts.topic or "", self.topics)


@dataclass(frozen=True, slots=True)
class TrunkIs:
    """The call came in by one of these PJSIP endpoints."""

    endpoints: frozenset[str]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("trunk", case.facts.trunk, self.endpoints)


@dataclass(frozen=True, slots=True)
class CalendarOpen:
    """One of these calendars is open."""

    calendars: tuple[CalendarName, ...]

    def check(self, case: Case) -> Finding:
        """See the class."""
        closed = []
        for name in self.calendars:
            state = case.calendar(name)
            why = f"calendar {name} {state.why}"
            if state.is_open:
                return Finding(True, why)
            closed.append(why)
        return Finding(False, ", ".join(closed))


@dataclass(frozen=True, slots=True)
class Not:
    """Holds when not all of these hold together."""

    conditions: tuple[Condition, ...]

    def check(self, case: Case) -> Finding:
        """See the class."""
        reasons = []
        for condition in self.conditions:
            finding = condition.check(case)
            if not finding.holds:
                return Finding(True, f"not so: {finding.why}")
            reasons.append(finding.why)
        return Finding(False, f"excluded: {'; '.join(reasons)}")


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
        reasons = []
        for condition in self.conditions:
            finding = condition.check(case)
            if not finding.holds:
                return TraceEntry(self.rule, self.where, False, finding.why)
            reasons.append(finding.why)
        return TraceEntry(self.rule, self.where, True, "; ".join(reasons) or "takes every call")


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

    def decide(self, facts: CallFacts, at: datetime) -> Decision:
        """The first route that matches, its plan, and the trace of all that were visited.

        ``at`` is aware. Total: the last route takes every call, and no input raises.
        """
        caller = parse(facts.caller)
        dialed = parse(facts.dialed)
        origin = self.geography.locate(facts, caller, dialed)
        states = self._states_at(at)
        case = Case(facts, caller, dialed, origin, states.__getitem__)
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
            caller_kind=caller.kind,
            topic=facts.topic,
            calendars=tuple(name for name, state in states.items() if state.is_open),
            trace=tuple(trace),
            config_hash=self.config_hash,
            extra={"region_confidence": origin.confidence.value, "region_why": origin.why},
        )

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


def _member(what: str, value: str, wanted: frozenset[str]) -> Finding:
    """Whether ``value`` is wanted."""
    if value in wanted:
        return Finding(True, f"{what} {value}")
    return Finding(False, f"{what} {value or 'not known'}, not {_any_of(wanted)}")


def _any_of(wanted: Sequence[str] | frozenset[str]) -> str:
    """``a``, ``a or b``, and of more than four only how many."""
    names = sorted(wanted)
    return " or ".join(names) if len(names) <= 4 else f"one of {len(names)}"
