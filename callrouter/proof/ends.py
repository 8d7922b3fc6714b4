"""What a call comes to: the plan of the rule that takes it, followed through questions, menus and further rules."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from callrouter.core.callback import number_to_call
from callrouter.core.conditions import QueueStates
from callrouter.core.decision import Decision
from callrouter.core.ids import QueueName, RuleId
from callrouter.core.inbound import CallFacts
from callrouter.core.plan import (
    Announce,
    Callback,
    Choice,
    Dial,
    EnterQueue,
    HandOver,
    HangUp,
    If,
    Menu,
    Plan,
    RouteAgain,
    Step,
    Voicemail,
)
from callrouter.core.routing import Ruleset
from callrouter.core.switches import SwitchesOn


class EndKind(StrEnum):
    """What may become of a caller."""

    QUEUE = "queue"
    DIALPLAN = "dialplan"
    ANNOUNCEMENT = "announcement"
    """Nothing but an announcement, then the end."""
    HANG_UP = "hangup"
    """The end, without a word."""
    FALLBACK = "fallback"
    """A rule takes the call a second time; the dialplan's fallback gets it."""
    DIAL = "dial"
    """Somebody outside the queues is called."""
    VOICEMAIL = "voicemail"
    """A message is recorded."""
    CALLBACK = "callback"
    """A request to be called back is taken down."""


@dataclass(frozen=True, slots=True, order=True)
class End:
    """One thing that a call may come to; ``rule`` is the last that took it."""

    kind: EndKind
    target: str
    """A queue (also one that calls back), a place in the dialplan, a prompt, a rule, who is called, a box."""
    rule: RuleId

    @property
    def words(self) -> str:
        """``queue changwon``, ``announcement closed``."""
        return f"{self.kind} {self.target}".rstrip()


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a kind of call at a moment."""

    rule: RuleId
    """The first rule that takes it."""
    rules: tuple[RuleId, ...]
    """All that may take it, one after another."""
    ends: tuple[End, ...]
    """All that it may come to while everybody is there; a queue's time limit is not taken to run out."""

    @property
    def words(self) -> str:
        """Every end once."""
        return ", ".join(dict.fromkeys(end.words for end in self.ends))

    @property
    def closed(self) -> bool:
        """Whether no one will come during the call, whatever the caller does."""
        nobody = (EndKind.ANNOUNCEMENT, EndKind.HANG_UP, EndKind.VOICEMAIL, EndKind.CALLBACK)
        return all(end.kind in nobody for end in self.ends)

    @property
    def queues(self) -> frozenset[QueueName]:
        """The queues that the call may come to."""
        return frozenset(QueueName(end.target) for end in self.ends if end.kind is EndKind.QUEUE)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a call is in a plan, and what is known of it there."""

    plan: Plan
    index: int
    facts: CallFacts
    rules: tuple[RuleId, ...]
    said: str = ""
    """The last prompt that was played."""

    @property
    def step(self) -> Step:
        """What comes now."""
        return self.plan.steps[self.index]

    def next(self, branch: Plan | None = None, said: str | None = None) -> "_Place":
        """The first step of ``branch``; without one, the step that follows."""
        said = self.said if said is None else said
        if branch is not None:
            return replace(self, plan=branch, index=0, said=said)
        return replace(self, index=self.index + 1, said=said)

    def end(self, kind: EndKind, target: str) -> End:
        """The call comes to this."""
        return End(kind, target, self.rules[-1])


@dataclass(frozen=True, slots=True)
class Following:
    """Follows calls at one instant. A question is asked at that instant, also of who would have waited before it."""

    rules: Ruleset
    at: datetime
    queues: QueueStates
    switches: SwitchesOn = field(default_factory=dict)

    def answer(self, facts: CallFacts) -> Answer:
        """What becomes of a call with these facts."""
        decision = self.rules.decide(facts, self.at, self.queues, self.switches)
        ends = tuple(dict.fromkeys(self._ends(decision, facts, ())))
        return Answer(decision.rule, tuple(dict.fromkeys([decision.rule, *(end.rule for end in ends)])), ends)

    def _ends(self, decision: Decision, facts: CallFacts, before: tuple[RuleId, ...]) -> Iterator[End]:
        if decision.rule in before:
            yield End(EndKind.FALLBACK, decision.rule, before[-1])
        else:
            yield from self._follow(_Place(decision.plan, 0, facts, (*before, decision.rule)))

    def _follow(self, place: _Place) -> Iterator[End]:  # noqa: C901 - an arm for each kind of step
        """What a call comes to from ``place`` on."""
        match place.step:
            case Announce(prompt=prompt):
                yield from self._follow(place.next(said=prompt))
            case EnterQueue(queue=queue):
                yield place.end(EndKind.QUEUE, queue)
            case HandOver(context=context, extension=extension):
                yield place.end(EndKind.DIALPLAN, f"{context},{extension}")
            case HangUp():
                yield place.end(EndKind.ANNOUNCEMENT if place.said else EndKind.HANG_UP, place.said)
            case RouteAgain():
                decision = self.rules.decide(place.facts, self.at, self.queues, self.switches)
                yield from self._ends(decision, place.facts, place.rules)
            case If(conditions=conditions, then=then, otherwise=otherwise):
                holds = self.rules.ask(conditions, place.facts, self.at, self.queues, self.switches).holds
                yield from self._follow(place.next(then if holds else otherwise))
            case Menu(prompt=prompt, choices=choices, default=default):
                for choice in (*choices, default):
                    told = replace(place, facts=_told(place.facts, choice), said=prompt)
                    yield from self._follow(told.next(choice.plan))
            case Dial(destinations=destinations):
                yield place.end(EndKind.DIAL, ", ".join(destination.name for destination in destinations))
            case Voicemail(box=box):
                yield place.end(EndKind.VOICEMAIL, box)
            case Callback(queue=queue, allowed=allowed, otherwise=otherwise, check=check):
                can_be_called = number_to_call(place.facts.caller, allowed) is not None
                may_enter_another = check is not None and check.ask is not None
                if can_be_called or may_enter_another:
                    yield place.end(EndKind.CALLBACK, queue)
                if not can_be_called or may_enter_another:
                    yield from self._follow(place.next(otherwise))
            case step:
                assert_never(step)


def _told(facts: CallFacts, choice: Choice) -> CallFacts:
    """What is known after the caller's answer."""
    return replace(
        facts,
        topic=choice.topic or facts.topic,
        language=choice.language or facts.language,
        region=choice.region.name if choice.region is not None else facts.region,
    )
