"""What comes out of a routing decision."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import overload

from callrouter.core.ids import CalendarName, RegionName, RuleId, SwitchName, TenantName, TopicName
from callrouter.core.inbound import CallerKind, RegionSource
from callrouter.core.plan import (
    Announce,
    Callback,
    Dial,
    EnterQueue,
    HandOver,
    HangUp,
    If,
    Menu,
    Plan,
    RouteAgain,
    Voicemail,
)


class Action(StrEnum):
    """What a decision comes to, in one word."""

    QUEUE = "queue"
    DAEMON = "daemon"
    """What comes next depends on the caller or on the moment: only the daemon itself can carry it out."""
    ANNOUNCE = "announce"
    """Announce and hang up."""
    DIALPLAN = "dialplan"
    HANGUP = "hangup"


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One rule that was looked at: where it stands, whether it matched, and why."""

    rule: RuleId
    where: str
    """``file:line``."""
    matched: bool
    why: str

    @property
    def line(self) -> str:
        """For people; a star marks the rule that took the call."""
        return f"{'*' if self.matched else '-'} {self.where}: {self.rule}: {self.why}"


TOLD = 12
"""An explanation tells of all rules that were passed over if they are no more than these."""


class Trace(Sequence[TraceEntry]):
    """All rules up to the one that took the call. Made when it is first looked at: rules may be many."""

    __slots__ = ("_entries", "_matched", "_nearest", "_visit")

    def __init__(
        self, visit: Callable[[int], TraceEntry], matched: int, nearest: Callable[[int], Sequence[int]]
    ) -> None:
        """``visit`` gives the entry of the rule at a position, ``matched`` is the position of the one that took it.

        ``nearest`` gives the positions of so many rules before it that came nearest, in order.
        """
        self._visit = visit
        self._matched = matched
        self._nearest = nearest
        self._entries: tuple[TraceEntry, ...] | None = None

    def __len__(self) -> int:
        return self._matched + 1

    @overload
    def __getitem__(self, index: int) -> TraceEntry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TraceEntry, ...]: ...
    def __getitem__(self, index: int | slice) -> TraceEntry | tuple[TraceEntry, ...]:
        return self._all()[index]

    def __iter__(self) -> Iterator[TraceEntry]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return self._all() == other._all() if isinstance(other, Trace) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return f"Trace({self._visit(self._matched).line}, after {self._matched})"

    def shortened(self) -> tuple[TraceEntry, ...]:
        """All entries, or if these are too many those of the rules that came nearest, and of the one that matched."""
        if self._matched <= TOLD:
            return self._all()
        return tuple(map(self._visit, (*self._nearest(TOLD), self._matched)))

    def _all(self) -> tuple[TraceEntry, ...]:
        if self._entries is None:
            self._entries = tuple(map(self._visit, range(len(self))))
        return self._entries


@dataclass(frozen=True, slots=True)
class Decision:
    """Which rule takes the call, what will be done, and the trace of how that was found."""

    rule: RuleId
    plan: Plan
    region: RegionName
    region_title: str
    """For people: what stands in a counselor's display, such as ``창원``."""
    region_source: RegionSource
    tenant: TenantName
    caller_kind: CallerKind
    topic: TopicName | None
    calendars: tuple[CalendarName, ...]
    """Those that were open."""
    trace: Trace
    config_hash: str
    extra: Mapping[str, str] = field(default_factory=dict)
    switches: tuple[SwitchName, ...] = ()
    """Those that were on."""

    @property
    def action(self) -> Action:
        """The decision in one word: what happens first but for announcements."""
        first = next((step for step in self.plan.steps if not isinstance(step, Announce)), None)
        if isinstance(first, Menu | If | RouteAgain | Dial | Voicemail | Callback):
            return Action.DAEMON
        if self.queue is not None:
            return Action.QUEUE
        match self.plan.steps[-1]:
            case HandOver():
                return Action.DIALPLAN
            case _:
                announces = any(isinstance(step, Announce) for step in self.plan.steps)
                return Action.ANNOUNCE if announces else Action.HANGUP

    @property
    def queue(self) -> EnterQueue | None:
        """The first queue of the plan."""
        return next((step for step in self.plan.steps if isinstance(step, EnterQueue)), None)

    @property
    def target(self) -> str:
        """What the action is about: a queue's name, a dialplan location, a prompt's name, or nothing."""
        if self.queue is not None:
            return self.queue.queue
        last = self.plan.steps[-1]
        if isinstance(last, HandOver):
            return f"{last.context},{last.extension},1"
        return next((step.prompt for step in self.plan.steps if isinstance(step, Announce)), "")

    @property
    def closed(self) -> bool:
        """Whether the plan tells the caller that no one will come: no queue and no hand-over in it."""
        return all(isinstance(step, Announce | HangUp) for step in self.plan.steps)

    @property
    def explanation(self) -> str:
        """The trace in words, a line for each rule, as it stands in the CDR; of many rules those that came nearest."""
        why = self.extra.get("region_why", "")
        region = f"region {self.region or 'unknown'} ({self.region_source}{': ' + why if why else ''})"
        told = self.trace.shortened()
        lines = [f"{'>' if entry.matched else '-'} {entry.rule} [{entry.where}] {entry.why}" for entry in told]
        left_out = len(self.trace) - len(told)
        if left_out:
            lines.insert(-1, f"- {left_out} more rules before it that do not hold, which came less near")
        return "\n".join([region, *lines])
