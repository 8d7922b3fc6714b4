"""Past calls decided once more, by the old rules and by the new.

Not everything that decided them is in their records. Queues are taken to stand as usual; the trunk that a call came in
by, its diversion and its language are not known. Where the region came from one of those, or from the caller's own
answer, it is taken from the record; the topic that the caller chose is. So are the switches that were on.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from callrouter.core.ids import RegionName, SiteName, SwitchName, TopicName
from callrouter.core.inbound import CallFacts, RegionSource
from callrouter.core.switches import SwitchesOn, SwitchOn
from callrouter.diff.way import Way, Ways
from callrouter.store.past_calls import PastCall

EXAMPLES: Final = 3
"""Kept of each way."""
_RECORDED = frozenset({RegionSource.MENU.value, RegionSource.TRUNK.value, RegionSource.DIVERSION.value})
"""Sources of a region that the record does not hold, so that it cannot be found anew."""


@dataclass(slots=True)
class Moved:
    """Calls that would have gone one way by the old rules, and another by the new."""

    old: Way
    new: Way
    calls: int = 0
    examples: list[PastCall] = field(default_factory=list)


@dataclass(slots=True)
class Replay:
    """Past calls, counted as they are taken."""

    old: Ways
    new: Ways
    calls: int = 0
    moved: dict[tuple[Way, Way], Moved] = field(default_factory=dict)
    recorded: int = 0
    """Calls that the old rules themselves have decided."""
    otherwise: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of those: decided otherwise by now, by the rule of the record and the rule of now. What the record does not hold
    made the difference."""

    def take(self, call: PastCall) -> None:
        """Decide it twice."""
        self.calls += 1
        facts = facts_of(call)
        on = switches_of(call)
        before, after = self.old.of(facts, call.started_at, on), self.new.of(facts, call.started_at, on)
        if call.config_hash == self.old.loaded.rulebook.hash:
            self.recorded += 1
            if call.rule != before.rule:
                self.otherwise[(call.rule, before.rule)] += 1
        if before.steps != after.steps:
            found = self.moved.setdefault((before, after), Moved(before, after))
            found.calls += 1
            if len(found.examples) < EXAMPLES:
                found.examples.append(call)

    @property
    def elsewhere(self) -> int:
        """How many calls would have gone another way."""
        return sum(one.calls for one in self.moved.values())

    def most_first(self) -> list[Moved]:
        """Those whose ways differ, by how many they are."""
        return sorted(self.moved.values(), key=lambda one: (-one.calls, one.old.words, one.new.words))


def facts_of(call: PastCall) -> CallFacts:
    """What is known of the call from its record."""
    return CallFacts(
        call.dialed,
        SiteName(call.site),
        call.caller,
        topic=TopicName(call.topic) if call.topic else None,
        region=RegionName(call.region) if call.region_source in _RECORDED else None,
    )


def switches_of(call: PastCall) -> SwitchesOn:
    """The switches that were on when it was decided; a version that does not know one does not ask for it."""
    return {name: SwitchOn(name) for name in map(SwitchName, call.switches)}
