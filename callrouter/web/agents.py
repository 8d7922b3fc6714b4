"""Counselors over HTTP: what each is doing, the order to log one in or out or to pause one, and what is answered."""

from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from callrouter.web.status import Agent
from callrouter.web.switches import Note, Who

Verb = Literal["login", "logout", "pause", "ready", "serve"]


class AgentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wanted of a counselor. ``who`` asks, ``reason`` says why; both go into the audit log.

    ``queues`` are for ``serve``: of which alone he takes calls; none: of all that the rules give him.
    """

    agent: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    verb: Verb
    who: Who = "unknown"
    via: Literal["api", "command"] = "api"
    reason: Note = ""
    queues: tuple[str, ...] = ()


class AgentReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false nothing has changed."""

    ok: bool
    changed: bool
    message: str


class AgentsDocument(msgspec.Struct, frozen=True):
    """Every counselor at this moment."""

    at: datetime
    agents: tuple[Agent, ...]


class AttendanceDesk(Protocol):
    """Logs counselors in and out, and pauses them."""

    async def order(self, request: AgentRequest) -> AgentReport:
        """Carry an order out between two events, and say what became of it. Never raises."""
        ...
