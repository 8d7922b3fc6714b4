"""Conditions of routes and plans as jumps of the dialplan.

What only the daemon knows is taken as it usually is, and noted: switches are off, nobody waits in a queue and all who
serve it are free.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from callrouter.core.accepted import Asked
from callrouter.core.conditions import (
    CalendarOpen,
    CallerIs,
    CallerListed,
    Case,
    Condition,
    DialedIs,
    LanguageIs,
    Not,
    QueueIs,
    RegionFrom,
    RegionIs,
    SwitchIs,
    TenantIs,
    TopicIs,
    TrunkIs,
)
from callrouter.core.ids import CalendarName
from callrouter.core.inbound import CallerKind
from callrouter.survival.script import Extension, begins, equal, word

_NUMBER = re.compile(r"\+?[0-9]+|s", re.ASCII)
_OfValues = RegionIs | RegionFrom | TenantIs | CallerIs | TopicIs | TrunkIs | LanguageIs
_Plain = DialedIs | CallerListed | CalendarOpen | SwitchIs | QueueIs | _OfValues
"""All but negations."""
_VARIABLES = {
    Asked.REGION: "CR_REGION",
    Asked.SOURCE: "CR_SOURCE",
    Asked.TENANT: "CR_TENANT",
    Asked.CALLER: "CR_KIND",
    Asked.TOPIC: "CR_TOPIC",
    Asked.TRUNK: "CR_TRUNK",
    Asked.LANGUAGE: "CR_LANGUAGE",
}
_GUESSED = frozenset({CallerKind.FOREIGN, CallerKind.UNKNOWN})


@dataclass(slots=True)
class Notes:
    """What the dialplan cannot do as the daemon does, each told once: where it stands, and what is done instead."""

    told: dict[str, None] = field(default_factory=dict)

    def add(self, where: str, what: str) -> str:
        """Note it; the words for a remark in the file."""
        self.told[f"{where}: {what}"] = None
        return what


@dataclass(frozen=True, slots=True)
class Asking:
    """How conditions are asked: which calendars have which number, and what is known of what only the daemon sees."""

    calendars: Mapping[CalendarName, int]
    usual: Case
    """Of which queues are asked."""
    notes: Notes

    def unless(self, condition: Condition, target: str, script: Extension, where: str) -> None:
        """Jump to ``target`` if the condition does not hold, else go on with the next line."""
        if isinstance(condition, Not):
            beyond = script.label()
            for inner in condition.conditions:
                self.unless(inner, beyond, script, where)
            script.do(f"Goto({target})")
            script.put(beyond)
            return
        tests = self.tests(condition, where)
        if isinstance(tests, bool):
            if not tests:
                script.do(f"Goto({target})")
        elif len(tests) == 1:
            script.do(f"GotoIf({tests[0]}?:{target})")
        else:
            beyond = script.label()
            for test in tests:
                script.do(f"GotoIf({test}?{beyond})")
            script.do(f"Goto({target})")
            script.put(beyond)

    def tests(self, condition: _Plain, where: str) -> list[str] | bool:
        """Expressions, one of which is true if the condition holds; or whether it always or never does."""
        match condition:
            case DialedIs(numbers, prefixes):
                return _numbers("CR_DIALED", numbers, prefixes)
            case CallerListed(_, numbers, prefixes):
                return _numbers("CR_CALLER", numbers, prefixes)
            case CalendarOpen(names):
                known = [self.calendars[name] for name in names if name in self.calendars]
                return [test for number in known for test in equal(f"CR_OPEN_{number}", "1")] or False
            case SwitchIs(switches):
                self.notes.add(where, f"the switch {' or '.join(switches)} is taken as off: only the daemon knows it")
                return False
            case QueueIs(queue=queue):
                self.notes.add(where, f"the queue {queue} is taken as one where nobody waits and all are free")
                return condition.holds(self.usual)
            case _:
                return self._values(condition, where)

    def _values(self, condition: _OfValues, where: str) -> list[str]:
        """The same for those that ask for one of some values."""
        if isinstance(condition, CallerIs) and condition.kinds & _GUESSED:
            self.notes.add(where, "callers from abroad are told from unreadable numbers by their form only")
        accepted = condition.accepts
        values = [word(value, f"{where}: {accepted.what.name.lower()}") for value in accepted.values]
        return equal(_VARIABLES[accepted.what], sorted(values))

    def never(self, conditions: Sequence[Condition], where: str) -> bool:
        """Whether one of the conditions holds for no call at all."""
        return any(not isinstance(one, Not) and self.tests(one, where) is False for one in conditions)


def _numbers(variable: str, numbers: Iterable[str], prefixes: Iterable[str]) -> list[str] | bool:
    """What is no number is none that a caller could have dialled: the variables hold digits only."""
    fit = _only_numbers(numbers)
    return equal(variable, fit) + begins(variable, _only_numbers(prefixes)) or False


def _only_numbers(values: Iterable[str]) -> list[str]:
    return sorted(value for value in values if _NUMBER.fullmatch(value))


def walked(conditions: Iterable[Condition], visit: Callable[[Condition], None]) -> None:
    """Show ``visit`` every condition, those inside others too."""
    for condition in conditions:
        visit(condition)
        if isinstance(condition, Not):
            walked(condition.conditions, visit)
