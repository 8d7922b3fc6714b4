"""What routes and plans ask of a call. Every condition says why it holds or not while it is asked.

Conditions are recorded with the plans they stand in (:mod:`callrouter.core.plan`), hence the tags.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from callrouter.core.geography import Origin
from callrouter.core.ids import CalendarName, RegionName, TenantName, TopicName
from callrouter.core.inbound import CallerKind, CallFacts
from callrouter.core.numbers import Number


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


class DialedIs(msgspec.Struct, frozen=True, tag="dialed"):
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


class RegionIs(msgspec.Struct, frozen=True, tag="region"):
    """The call comes from one of these regions."""

    regions: frozenset[RegionName]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("region", case.origin.region.name, self.regions)


class TenantIs(msgspec.Struct, frozen=True, tag="tenant"):
    """The call's region belongs to one of these tenants."""

    tenants: frozenset[TenantName]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("tenant", case.origin.region.tenant, self.tenants)


class CallerIs(msgspec.Struct, frozen=True, tag="caller"):
    """The caller's line is of one of these kinds."""

    kinds: frozenset[CallerKind]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("caller", case.caller.kind, self.kinds)


class TopicIs(msgspec.Struct, frozen=True, tag="topic"):
    """The caller chose one of these topics."""

    topics: frozenset[TopicName]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("topic", case.facts.topic or "", self.topics)


class TrunkIs(msgspec.Struct, frozen=True, tag="trunk"):
    """The call came in by one of these PJSIP endpoints."""

    endpoints: frozenset[str]

    def check(self, case: Case) -> Finding:
        """See the class."""
        return _member("trunk", case.facts.trunk, self.endpoints)


class CalendarOpen(msgspec.Struct, frozen=True, tag="calendar"):
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


class Not(msgspec.Struct, frozen=True, tag="not"):
    """Holds when not all of these hold together."""

    conditions: tuple["Condition", ...]

    def check(self, case: Case) -> Finding:
        """See the class."""
        reasons = []
        for condition in self.conditions:
            finding = condition.check(case)
            if not finding.holds:
                return Finding(True, f"not so: {finding.why}")
            reasons.append(finding.why)
        return Finding(False, f"excluded: {'; '.join(reasons)}")


Condition = DialedIs | RegionIs | TenantIs | CallerIs | TopicIs | TrunkIs | CalendarOpen | Not


def _member(what: str, value: str, wanted: frozenset[str]) -> Finding:
    """Whether ``value`` is wanted."""
    if value in wanted:
        return Finding(True, f"{what} {value}")
    return Finding(False, f"{what} {value or 'not known'}, not {_any_of(wanted)}")


def _any_of(wanted: Sequence[str] | frozenset[str]) -> str:
    """``a``, ``a or b``, and of more than four only how many."""
    names = sorted(wanted)
    return " or ".join(names) if len(names) <= 4 else f"one of {len(names)}"
