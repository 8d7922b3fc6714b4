"""What is done with a caller, step by step.

A plan is a tuple of steps carried out in order. It always ends in a step after which nothing more is needed: a queue
without a time limit, a hand-over, a hang-up, another look at the routes, or a choice all of whose branches are plans.

Steps are recorded with the call (a caller keeps his plan over a reload and a restart of the daemon), hence the tags.
"""

from collections.abc import Iterator
from typing import assert_never

import msgspec

from callrouter.core.causes import Cause
from callrouter.core.conditions import Condition
from callrouter.core.geography import Region
from callrouter.core.ids import BoxName, DestinationName, PromptName, QueueName, TopicName, TrunkName
from callrouter.core.outbound import NumberClass


class Announce(msgspec.Struct, frozen=True, tag="announce"):
    """Answer, if that has not been done, and play a prompt to its end."""

    prompt: PromptName


class EnterQueue(msgspec.Struct, frozen=True, tag="queue"):
    """Wait in a queue until a counselor answers, for at most ``max_wait_s`` seconds (None: without limit).

    The caller is served as if he had come ``head_start_s`` seconds earlier, beside what the queue gives to all.
    """

    queue: QueueName
    max_wait_s: float | None = None
    head_start_s: float | None = None


class Destination(msgspec.Struct, frozen=True):
    """Somebody outside the queues who can be called."""

    name: DestinationName
    title: str
    endpoint: str
    """What Asterisk dials, such as ``PJSIP/0552112222@telco``."""
    trunk: TrunkName | None = None
    """The trunk group that the call occupies; None for a phone on the caller's own site."""
    caller_number: str = ""
    """The number shown to the destination; empty: the caller's. Public networks want one of the trunk's own."""
    ring_timeout_s: float = 25.0


class Confirm(msgspec.Struct, frozen=True):
    """Who answers is asked for a key before the two are connected, so that no answering machine takes the call."""

    prompt: PromptName
    key: str = "1"
    timeout_s: float = 15.0
    """How long after the answer the key is waited for."""


class Dial(msgspec.Struct, frozen=True, tag="dial"):
    """Call destinations, one after another until one takes the call; then go on with the next step."""

    destinations: tuple[Destination, ...]
    rounds: int = 1
    """How often the list is gone through."""
    confirm: Confirm | None = None
    music_class: str | None = None
    """What the caller hears: this music on hold, or (None) ringing."""

    def destination(self, number: int) -> Destination | None:
        """Whom the ``number``-th attempt calls, counted from 0; None when there is nobody left."""
        count = len(self.destinations)
        return self.destinations[number % count] if number < count * self.rounds else None


class HandOver(msgspec.Struct, frozen=True, tag="hand-over"):
    """Leave the application and go on in the dialplan."""

    context: str
    extension: str


class HangUp(msgspec.Struct, frozen=True, tag="hang-up"):
    """End the call."""

    cause: Cause = Cause.NORMAL_CLEARING


class Choice(msgspec.Struct, frozen=True):
    """What the caller's answer to a menu means: what is then known of the call, and how it goes on."""

    key: str = ""
    """The key; empty for the answer of who gave none."""
    topic: TopicName | None = None
    language: str | None = None
    region: Region | None = None
    plan: "Plan | None" = None
    """None: go on with the step that follows the menu."""
    remember_s: float | None = None
    """The caller agrees that the region he has chosen be remembered for so long."""
    forget: bool = False
    """The caller takes that back: nothing is remembered of him any more."""


class Menu(msgspec.Struct, frozen=True, tag="menu"):
    """Answer, play a prompt, and wait for a key. A key may be pressed before the prompt has ended."""

    prompt: PromptName
    choices: tuple[Choice, ...]
    default: Choice
    """For who presses no key that means something, ``tries`` times."""
    timeout_s: float = 5.0
    """How long to wait for a key after the prompt."""
    tries: int = 3
    """How often the prompt is played in all."""
    invalid: PromptName | None = None
    """Played before the prompt after a key that means nothing."""

    @property
    def asks_consent(self) -> bool:
        """Whether it asks if the region that the caller chose may be remembered."""
        return any(choice.remember_s is not None for choice in self.choices)


class If(msgspec.Struct, frozen=True, tag="if"):
    """Ask once more, at this moment: all conditions together choose between two plans (None: the next step)."""

    conditions: tuple[Condition, ...]
    then: "Plan | None" = None
    otherwise: "Plan | None" = None


class RouteAgain(msgspec.Struct, frozen=True, tag="route-again"):
    """Decide anew by the routes, with what menus have found out. A route takes the same call once only."""


class Voicemail(msgspec.Struct, frozen=True, tag="voicemail"):
    """Answer, play a greeting and a beep, record what the caller says, and say whether it was kept.

    The recording ends with the key ``end_key``, with ``silence_s`` of silence, or after ``max_s``; less than ``min_s``
    of speech is no message.
    """

    box: BoxName
    greeting: PromptName
    thanks: PromptName
    """Played when the message is kept."""
    failed: PromptName
    """Played when it is not: nothing was said, or nothing could be recorded."""
    max_s: float = 180.0
    min_s: float = 2.0
    silence_s: float = 5.0
    end_key: str = "#"
    """``#``, ``*``, ``any`` or ``none``."""


class NumberCheck(msgspec.Struct, frozen=True):
    """How the number to be called is read out and confirmed."""

    prompt: PromptName
    """Said after it: which key confirms it, and which replaces it."""
    ask: PromptName | None = None
    """Asks for another number, to be ended with #; None: there is no other."""
    wrong: PromptName | None = None
    """Said before that when the number that was entered cannot be called."""
    timeout_s: float = 5.0
    """How long to wait for a key."""
    tries: int = 3
    """How often all of it is said to who presses nothing that means something."""
    keeps: bool = True
    """Who hangs up while a number is read out, or presses nothing, is called back at it."""


class Callback(msgspec.Struct, frozen=True, tag="callback"):
    """Take down that a queue is to call the caller back, at his number; who cannot be called goes another way.

    Whether the caller wants that is for a menu before it to ask.
    """

    queue: QueueName
    allowed: tuple[NumberClass, ...]
    """The kinds of numbers that may be called."""
    otherwise: "Plan | None" = None
    """For who has no such number; None: the next step."""
    check: NumberCheck | None = None
    """How the number is confirmed; None: it is taken as it is."""


Step = Announce | EnterQueue | Dial | HandOver | HangUp | Menu | If | RouteAgain | Voicemail | Callback


class Plan(msgspec.Struct, frozen=True):
    """Named steps; see the module."""

    name: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps or not is_final(self.steps[-1]):
            raise ValueError(
                f"plan {self.name!r} does not end; "
                "let its last step be a hang-up, a hand-over, a queue without max_wait, or a choice between plans"
            )


def is_final(step: Step) -> bool:
    """Whether nothing needs to follow ``step``."""
    match step:
        case HangUp() | HandOver() | RouteAgain():
            return True
        case Menu(choices=choices, default=default):
            return all(choice.plan is not None for choice in (*choices, default))
        case If(then=then, otherwise=otherwise):
            return then is not None and otherwise is not None
        case EnterQueue(max_wait_s=limit):
            return limit is None
        case Announce() | Dial() | Voicemail() | Callback():
            return False
        case _:
            assert_never(step)


def walk(plan: Plan) -> Iterator[Step]:
    """Every step of a plan and of the plans that its choices lead to."""
    for step in plan.steps:
        yield step
        for branch in branches(step):
            yield from walk(branch)


def branches(step: Step) -> tuple[Plan, ...]:
    """The plans that a step may lead to."""
    match step:
        case Menu(choices=choices, default=default):
            found = [choice.plan for choice in (*choices, default)]
        case If(then=then, otherwise=otherwise):
            found = [then, otherwise]
        case Callback(otherwise=otherwise):
            found = [otherwise]
        case _:
            return ()
    return tuple(plan for plan in found if plan is not None)
