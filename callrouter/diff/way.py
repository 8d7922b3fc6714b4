"""The way that a call goes by one set of rules at one moment: asked of the router, the plan's questions answered."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from callrouter.config import Loaded
from callrouter.core.callback import number_to_call
from callrouter.core.conditions import Condition, queues_as
from callrouter.core.decision import Decision
from callrouter.core.ids import RuleId
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
    Step,
    Voicemail,
)
from callrouter.core.switches import ALL_OFF, SwitchesOn

_Holds = Callable[[Sequence[Condition]], bool]


@dataclass(frozen=True, slots=True)
class Way:
    """Which rule takes the call, and what is done; two ways with the same ``steps`` are one to the caller."""

    rule: RuleId
    steps: tuple[Step, ...]

    @property
    def words(self) -> str:
        """``changwon-day (queue changwon)``."""
        return f"{self.rule} ({what_happens(self.steps)})"


class Ways:
    """Ways by one set of rules. Queues stand as usual: nobody waits, and all who serve them are free.

    Switches are off unless it is said which are on.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._router = loaded.rulebook.router
        self._queues = queues_as(loaded.rulebook.usual_queues())

    def of(self, facts: CallFacts, at: datetime, switches: SwitchesOn = ALL_OFF) -> Way:
        """The way of a call at this instant (aware)."""
        decision = self.decide(facts, at, switches)

        def holds(conditions: Sequence[Condition]) -> bool:
            return self._router.ask(conditions, facts, at, self._queues, switches).holds

        return Way(decision.rule, tuple(_Answers(facts.caller, holds).to(decision.plan.steps)))

    def decide(self, facts: CallFacts, at: datetime, switches: SwitchesOn = ALL_OFF) -> Decision:
        """The router's decision itself."""
        return self._router.decide(facts, at, self._queues, switches)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the questions of a plan come to for one caller at one moment."""

    caller: str
    holds: _Holds

    def to(self, steps: tuple[Step, ...]) -> Iterator[Step]:
        """The steps with every question replaced by what its answer leads to; what follows an end is left out."""
        for step in steps:
            branch = self._branch(step)
            if branch is not None:
                yield from self.to(branch.steps)
                return
            match step:
                case If():
                    pass
                case Callback(queue=queue):
                    if number_to_call(self.caller, step.allowed) is not None:
                        yield Callback(queue, ())  # what becomes of others is nothing to this caller
                case Menu():
                    choices = tuple(map(self._choice, step.choices))
                    yield msgspec.structs.replace(step, choices=choices, default=self._choice(step.default))
                case _:
                    yield step

    def _branch(self, step: Step) -> Plan | None:
        """The plan that the call goes on with instead of the next step."""
        match step:
            case If(conditions=conditions, then=then, otherwise=otherwise):
                return then if self.holds(conditions) else otherwise
            case Callback(allowed=allowed, otherwise=otherwise):
                return otherwise if number_to_call(self.caller, allowed) is None else None
            case _:
                return None

    def _choice(self, choice: Choice) -> Choice:
        if choice.plan is None:
            return choice
        # The name of a plan is nothing to a caller.
        return msgspec.structs.replace(choice, plan=Plan("", tuple(self.to(choice.plan.steps))))


def what_happens(steps: tuple[Step, ...]) -> str:
    """The steps in a few words: where they lead to, first of all."""
    said = [step.prompt for step in steps if isinstance(step, Announce)]
    first = next((step for step in steps if not isinstance(step, Announce)), None)
    match first:
        case EnterQueue(queue=queue):
            return f"queue {queue}"
        case Menu(prompt=prompt):
            return f"menu {prompt}"
        case Dial(destinations=destinations):
            return f"dial {', '.join(destination.name for destination in destinations)}"
        case Voicemail(box=box):
            return f"voicemail {box}"
        case Callback(queue=queue):
            return f"callback {queue}"
        case HandOver(context=context, extension=extension):
            return f"dialplan {context},{extension}"
        case HangUp():
            return f"announcement {said[0]}" if said else "hung up"
        case None:
            return "nothing"
        case _:
            return str(first.__struct_config__.tag)
