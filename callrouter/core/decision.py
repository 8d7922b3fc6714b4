"""What comes out of a routing decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from callrouter.core.ids import CalendarName, RegionName, RuleId, SwitchName, TenantName, TopicName
from callrouter.core.inbound import CallerKind, RegionSource
from callrouter.core.plan import Announce, Dial, EnterQueue, HandOver, HangUp, If, Menu, Plan, RouteAgain, Voicemail


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
    trace: tuple[TraceEntry, ...]
    config_hash: str
    extra: Mapping[str, str] = field(default_factory=dict)
    switches: tuple[SwitchName, ...] = ()
    """Those that were on."""

    @property
    def action(self) -> Action:
        """The decision in one word: what happens first but for announcements."""
        first = next((step for step in self.plan.steps if not isinstance(step, Announce)), None)
        if isinstance(first, Menu | If | RouteAgain | Dial | Voicemail):
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
        """The trace in words, a line for each rule, as it stands in the CDR."""
        why = self.extra.get("region_why", "")
        region = f"region {self.region or 'unknown'} ({self.region_source}{': ' + why if why else ''})"
        lines = [f"{'>' if entry.matched else '-'} {entry.rule} [{entry.where}] {entry.why}" for entry in self.trace]
        return "\n".join([region, *lines])
