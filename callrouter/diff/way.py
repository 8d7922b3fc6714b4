"""The way that a call goes by one set of rules at one moment: asked of the router, the plan's questions answered."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from callrouter.config import Loaded
from callrouter.core.callback import number_to_call
from callrouter.core.conditions import Condition, QueueState, QueueStates
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
from callrouter.core.rulebook import Rulebook
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
        self._queues = usual_queues(loaded.rulebook)

    def of(self, facts: CallFacts, at: datetime, switches: SwitchesOn = ALL_OFF) -> Way:
        """The way of a call at this instant (aware)."""
        decision = self.decide(facts, at, switches)

        def holds(conditions: Sequence[Condition]) -> bool:
            return self._router.ask(conditions, facts, at, self._queues, switches).holds

        return Way(decision.rule, tuple(_answered(decision.plan.steps, facts.caller, holds)))

    def decide(self, facts: CallFacts, at: datetime, switches: SwitchesOn = ALL_OFF) -> Decision:
        """The router's decision itself."""
        return self._router.decide(facts, at, self._queues, switches)


def _answered(steps: tuple[Step, ...], caller: str, holds: _Holds) -> Iterator[Step]:
    """The steps with every question replaced by what its answer leads to; what follows an end is left out."""
    for step in steps:
        if isinstance(step, If):
            branch = step.then if holds(step.conditions) else step.otherwise
            if branch is not None:
                yield from _answered(branch.steps, caller, holds)
                return
        elif isinstance(step, Callback):
            if number_to_call(caller, step.allowed) is not None:
                yield Callback(step.queue, ())  # what becomes of others is nothing to this caller
            elif step.otherwise is not None:
                yield from _answered(step.otherwise.steps, caller, holds)
                return
        elif isinstance(step, Menu):
            choices = tuple(_choice(choice, caller, holds) for choice in step.choices)
            yield msgspec.structs.replace(step, choices=choices, default=_choice(step.default, caller, holds))
        else:
            yield step


def _choice(choice: Choice, caller: str, holds: _Holds) -> Choice:
    if choice.plan is None:
        return choice
    # The name of a plan is nothing to a caller.
    return msgspec.structs.replace(choice, plan=Plan("", tuple(_answered(choice.plan.steps, caller, holds))))


def usual_queues(rulebook: Rulebook) -> QueueStates:
    """Nobody waits, and every counselor of a queue is free."""
    states = {}
    for name in rulebook.queues:
        serving = sum(name in agent.queues for agent in rulebook.agents.values())
        states[name] = QueueState(serving, serving)
    return lambda name: states.get(name, QueueState())


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
