"""What a queue does for those who wait in it, as configured: what they hear, the keys they have, its limits.

Numbers are spoken by prompts, one for each thing that can be said: Asterisk cannot count in Korean.
"""

from dataclasses import dataclass
from typing import Final

from callrouter.core.ids import PromptName, SwitchName
from callrouter.core.plan import Plan

POSITIONS: Final = 10
"""How many places in line have a prompt of their own; further back, one says so."""


@dataclass(frozen=True, slots=True)
class WaitPhrase:
    """A wait as people say it: ``least`` to ``most`` whole minutes; None: more than ``least``."""

    least: int
    most: int | None

    @property
    def prompt(self) -> PromptName:
        """The prompt that says so."""
        return PromptName(f"queue-wait-{self.least}-{'more' if self.most is None else self.most}")

    def covers(self, least_s: float, most_s: float) -> bool:
        """Whether a wait of ``least_s`` to ``most_s`` seconds is within what it says."""
        return least_s >= self.least * 60 and (self.most is None or most_s <= self.most * 60)


_MINUTES = ((0, 1), (0, 3), (1, 3), (1, 5), (3, 5), (3, 10), (5, 10), (5, 15), (10, 15), (10, 20), (15, 30), (20, 30))
PHRASES: Final = (*(WaitPhrase(least, most) for least, most in _MINUTES), WaitPhrase(30, None))


def position_prompt(position: int) -> PromptName:
    """The prompt that says who has this place in line, counted from 1."""
    return PromptName(f"queue-position-{position if position <= POSITIONS else 'more'}")


def wait_prompt(least_s: float, most_s: float) -> PromptName | None:
    """The prompt that says the least and yet is no lie; None where the range is too wide for any."""
    fitting = [phrase for phrase in PHRASES if phrase.covers(least_s, most_s)]
    narrowest = min(fitting, key=lambda phrase: (phrase.most or 24 * 60) - phrase.least, default=None)
    return narrowest.prompt if narrowest is not None else None


POSITION_PROMPTS: Final = tuple(position_prompt(position) for position in range(1, POSITIONS + 2))
WAIT_PROMPTS: Final = tuple(phrase.prompt for phrase in PHRASES)


@dataclass(frozen=True, slots=True)
class Surge:
    """What is said while a switch is on, or more callers wait than ``longer_than``."""

    prompt: PromptName
    switch: SwitchName | None = None
    longer_than: int | None = None


@dataclass(frozen=True, slots=True)
class Comfort:
    """What who waits is told from time to time. Durations are seconds from one beginning to the next."""

    every_s: float
    first_s: float
    prompt: PromptName | None = None
    position: bool = False
    wait: bool = False
    surge: Surge | None = None
    offer: PromptName | None = None
    """Which keys may be pressed."""


@dataclass(frozen=True, slots=True)
class KeyWay:
    """A key that who waits may press, and how it goes on then."""

    key: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class QueueCare:
    """All of it for one queue."""

    comfort: Comfort | None = None
    keys: tuple[KeyWay, ...] = ()
    max_waiting: int | None = None
    """As many may wait."""
    when_full: Plan | None = None
    when_unstaffed: Plan | None = None
    """How it goes on while nobody who serves the queue is logged in; None: wait all the same."""
    redial_within_s: float = 0.0
    """Who hung up while waiting and calls again within this has the place again; 0: nobody."""

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All that callers may go on with."""
        ways = (self.when_full, self.when_unstaffed, *(way.plan for way in self.keys))
        return tuple(plan for plan in ways if plan is not None)


NO_CARE: Final = QueueCare()
