"""What routes and plans ask of a call. Every condition says why it holds or not while it is asked.

Conditions are recorded with the plans they stand in (:mod:`callrouter.core.plan`), hence the tags. What is made anew
for each decision is a struct, too: a frozen dataclass takes ten times as long to make.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from callrouter.core.accepted import Accepted, Asked
from callrouter.core.geography import Origin
from callrouter.core.ids import CalendarName, QueueName, RegionName, SwitchName, TenantName, TopicName
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.numbers import Number
from callrouter.core.switches import SwitchesOn


@dataclass(frozen=True, slots=True)
class CalendarState:
    """A calendar at one minute."""

    is_open: bool
    why: str


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue at one moment: counselors who serve it, those of them who could take a call, callers who wait."""

    agents: float = 0
    available: float = 0
    waiting: float = 0
    longest_wait_s: float = 0.0


QueueStates = Callable[[QueueName], QueueState]
_NOBODY = QueueState()


def queues_as(states: Mapping[QueueName, QueueState]) -> QueueStates:
    """Queues that stand so; of others nothing is known."""
    return lambda name: states.get(name, _NOBODY)


def no_queues(_: QueueName) -> QueueState:
    """Where nothing is known of queues: nobody waits, and nobody is there."""
    return _NOBODY


class Case(msgspec.Struct, frozen=True):
    """All that a condition may ask about one call."""

    facts: CallFacts
    caller: Number
    dialed: Number
    origin: Origin
    calendar: Callable[[CalendarName], CalendarState]
    queue: QueueStates = no_queues
    switches: SwitchesOn = msgspec.field(default_factory=dict)

    @property
    def dialed_as(self) -> str:
        """The dialled number in national form, or as it came if it is none."""
        return self.dialed.national or self.facts.dialed


class Finding(msgspec.Struct, frozen=True):
    """Whether a condition holds, and why."""

    holds: bool
    why: str


class DialedIs(msgspec.Struct, frozen=True, tag="dialed"):
    """The dialled number is one of these (national form), or begins with one of these."""

    numbers: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.DIALED, self.numbers, self.prefixes)

    def check(self, case: Case) -> Finding:
        """See the class."""
        dialed = case.dialed_as
        if dialed in self.numbers or (self.prefixes and dialed.startswith(self.prefixes)):
            return Finding(True, f"dialled {dialed}")
        wanted = _any_of((*self.numbers, *(f"{prefix}*" for prefix in self.prefixes)))
        return Finding(False, f"dialled {dialed or 'nothing'}, not {wanted}")


class RegionIs(msgspec.Struct, frozen=True, tag="region"):
    """The call comes from one of these regions."""

    regions: frozenset[RegionName]

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.REGION, self.regions)

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("region", case.origin.region.name, self.regions)


class RegionFrom(msgspec.Struct, frozen=True, tag="region-source"):
    """The call's region was taken from one of these sources."""

    sources: frozenset[RegionSource]

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.SOURCE, frozenset(source.value for source in self.sources))

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("region from", case.origin.source, self.sources)


class TenantIs(msgspec.Struct, frozen=True, tag="tenant"):
    """The call's region belongs to one of these tenants."""

    tenants: frozenset[TenantName]

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.TENANT, self.tenants)

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("tenant", case.origin.region.tenant, self.tenants)


class CallerIs(msgspec.Struct, frozen=True, tag="caller"):
    """The caller's line is of one of these kinds."""

    kinds: frozenset[CallerKind]

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.CALLER, self.kinds)

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("caller", case.caller.kind, self.kinds)


class TopicIs(msgspec.Struct, frozen=True, tag="topic"):
    """The caller chose one of these topics."""

    topics: frozenset[TopicName]

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.TOPIC, self.topics)

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("topic", case.facts.topic or "", self.topics)


class TrunkIs(msgspec.Struct, frozen=True, tag="trunk"):
    """The call came in by one of these PJSIP endpoints."""

    endpoints: frozenset[str]

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.TRUNK, self.endpoints)

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("trunk", case.facts.trunk, self.endpoints)


class LanguageIs(msgspec.Struct, frozen=True, tag="language"):
    """The call is held in one of these languages: the channel's, or the caller's choice."""

    languages: frozenset[str]

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.LANGUAGE, self.languages)

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("language", case.facts.language, self.languages)


class CallerListed(msgspec.Struct, frozen=True, tag="list"):
    """The caller's number stands in one of these lists, or begins as one of its entries does."""

    lists: tuple[str, ...]
    numbers: frozenset[str] = frozenset()
    """National form, of all the lists."""
    prefixes: tuple[str, ...] = ()

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.NUMBER, self.numbers, self.prefixes)

    def check(self, case: Case) -> Finding:
        """See the class."""
        number = case.caller.national
        names = _any_of(self.lists)
        if number and (number in self.numbers or (self.prefixes and number.startswith(self.prefixes))):
            return Finding(True, f"caller in {names}")
        return Finding(False, f"caller not in {names}")


class Measure(StrEnum):
    """What may be asked of a queue."""

    AGENTS = "agents"
    AVAILABLE = "available"
    WAITING = "waiting"
    LONGEST_WAIT = "longest-wait"
    """Seconds."""


class Comparison(StrEnum):
    """How a measure is compared with a number."""

    LESS = "<"
    AT_MOST = "<="
    EQUAL = "="
    AT_LEAST = ">="
    MORE = ">"


_COMPARE: Mapping[Comparison, Callable[[float, float], bool]] = {
    Comparison.LESS: operator.lt,
    Comparison.AT_MOST: operator.le,
    Comparison.EQUAL: operator.eq,
    Comparison.AT_LEAST: operator.ge,
    Comparison.MORE: operator.gt,
}
_MEASURED: Mapping[Measure, Callable[[QueueState], float]] = {
    Measure.AGENTS: operator.attrgetter("agents"),
    Measure.AVAILABLE: operator.attrgetter("available"),
    Measure.WAITING: operator.attrgetter("waiting"),
    Measure.LONGEST_WAIT: operator.attrgetter("longest_wait_s"),
}


class QueueIs(msgspec.Struct, frozen=True, tag="queue"):
    """A queue's measure compares so with a number."""

    queue: QueueName
    measure: Measure
    comparison: Comparison
    limit: float

    def holds(self, case: Case) -> bool:
        """Whether it does, without the words."""
        return _COMPARE[self.comparison](_MEASURED[self.measure](case.queue(self.queue)), self.limit)

    def check(self, case: Case) -> Finding:
        """See the class."""
        value = _MEASURED[self.measure](case.queue(self.queue))
        holds = _COMPARE[self.comparison](value, self.limit)
        asked = f"{self.comparison} {self.limit:g}"
        return Finding(holds, f"queue {self.queue}: {self.measure} {value:g}{'' if holds else ', not'} {asked}")


class CalendarOpen(msgspec.Struct, frozen=True, tag="calendar"):
    """One of these calendars is open."""

    calendars: tuple[CalendarName, ...]

    @property
    def accepts(self) -> Accepted:
        """What it holds for."""
        return Accepted(Asked.CALENDARS, frozenset(self.calendars))

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


class SwitchIs(msgspec.Struct, frozen=True, tag="switch"):
    """One of these switches is on."""

    switches: tuple[SwitchName, ...]

    def check(self, case: Case) -> Finding:
        """See the class."""
        for name in self.switches:
            switch = case.switches.get(name)
            if switch is not None:
                return Finding(True, switch.words)
        return Finding(False, f"switch {_any_of(self.switches)} off")


class Not(msgspec.Struct, frozen=True, tag="not"):
    """Holds when not all of these hold together."""

    conditions: tuple["Condition", ...]

    def check(self, case: Case) -> Finding:
        """See the class."""
        finding = all_hold(self.conditions, case)
        return Finding(False, f"excluded: {finding.why}") if finding.holds else Finding(True, f"not so: {finding.why}")


Filed = (
    DialedIs
    | RegionIs
    | RegionFrom
    | TenantIs
    | CallerIs
    | CallerListed
    | TopicIs
    | LanguageIs
    | TrunkIs
    | CalendarOpen
)
"""Those that depend on values only; whoever finds routes by what they accept must ask the others each time."""

Condition = Filed | QueueIs | SwitchIs | Not


def all_hold(conditions: Sequence[Condition], case: Case) -> Finding:
    """Ask the conditions in order up to the first that does not hold; of none, all hold."""
    reasons = []
    for condition in conditions:
        finding = condition.check(case)
        if not finding.holds:
            return finding
        reasons.append(finding.why)
    return Finding(True, "; ".join(reasons))


def _member(what: str, value: str, wanted: frozenset[str]) -> Finding:
    """Whether ``value`` is wanted."""
    if value in wanted:
        return Finding(True, f"{what} {value}")
    return Finding(False, f"{what} {value or 'not known'}, not {_any_of(wanted)}")


def _any_of(wanted: Sequence[str] | frozenset[str]) -> str:
    """``a``, ``a or b``, and of more than four only how many."""
    names = sorted(wanted)
    return " or ".join(names) if len(names) <= 4 else f"one of {len(names)}"
