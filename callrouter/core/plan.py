"""What is done with a caller, step by step.

A plan is a tuple of steps carried out in order. It always ends in a step after which nothing more is needed: a queue
without a time limit, a hand-over, or a hang-up.

Steps are recorded with the call (a caller keeps his plan over a reload and a restart of the daemon), hence the tags.
"""

from typing import assert_never

import msgspec

from callrouter.core.causes import Cause
from callrouter.core.ids import PromptName, QueueName


class Announce(msgspec.Struct, frozen=True, tag="announce"):
    """Answer, if that has not been done, and play a prompt to its end."""

    prompt: PromptName


class EnterQueue(msgspec.Struct, frozen=True, tag="queue"):
    """Wait in a queue until a counselor answers, for at most ``max_wait_s`` seconds (None: without limit)."""

    queue: QueueName
    max_wait_s: float | None = None


class HandOver(msgspec.Struct, frozen=True, tag="hand-over"):
    """Leave the application and go on in the dialplan."""

    context: str
    extension: str


class HangUp(msgspec.Struct, frozen=True, tag="hang-up"):
    """End the call."""

    cause: Cause = Cause.NORMAL_CLEARING


Step = Announce | EnterQueue | HandOver | HangUp


class Plan(msgspec.Struct, frozen=True):
    """Named steps; see the module."""

    name: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps or not is_final(self.steps[-1]):
            raise ValueError(
                f"plan {self.name!r} does not end; "
                "let its last step be a hang-up, a hand-over or a queue without max_wait"
            )


def is_final(step: Step) -> bool:
    """Whether nothing needs to follow ``step``."""
    match step:
        case HangUp() | HandOver():
            return True
        case EnterQueue(max_wait_s=limit):
            return limit is None
        case Announce():
            return False
        case _:
            assert_never(step)
