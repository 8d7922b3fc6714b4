"""Whether a counselor takes calls: what people order, and what it means."""

from dataclasses import dataclass
from enum import StrEnum

from callrouter.core.ids import AgentId, QueueName


class Duty(StrEnum):
    """What somebody has said of a counselor; it lasts until somebody says otherwise, over restarts too."""

    ON = "on-duty"
    PAUSED = "paused"
    """At work, and not to be rung for a while."""
    OFF = "logged-out"


class DutyVerb(StrEnum):
    """What can be ordered."""

    LOGIN = "login"
    LOGOUT = "logout"
    PAUSE = "pause"
    READY = "ready"
    """End a pause, the wrap-up, or the rest after an offer that failed."""
    SERVE = "serve"
    """Take calls of some of his queues alone, or of all of them again."""


class DutyVia(StrEnum):
    """By what way it was ordered."""

    COMMAND = "command"
    API = "api"
    PHONE = "phone"
    MISSES = "misses"
    """Nobody did: too many calls in a row were not answered."""


@dataclass(frozen=True, slots=True)
class DutyOrder:
    """What somebody wants of a counselor; ``reason`` says why, for people."""

    agent: AgentId
    verb: DutyVerb
    who: str
    via: DutyVia
    reason: str = ""
    queues: tuple[QueueName, ...] = ()
    """For ``SERVE``: those; none: all that the rules give him."""


@dataclass(frozen=True, slots=True)
class DutyAnswer:
    """What became of an order: ``message`` says it to people. When ``ok`` is false nothing has changed."""

    ok: bool
    changed: bool
    message: str
