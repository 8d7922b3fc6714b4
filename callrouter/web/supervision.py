"""Supervision over HTTP: who hears a call, the order to hear one, and what is answered."""

from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from callrouter.core.ids import AgentId, CallId, SupervisorName
from callrouter.core.supervisors import HearingMode
from callrouter.web.switches import Who

SupervisionVerb = Literal["listen", "whisper", "barge", "stop"]


class SupervisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to hear the call, and how: ``phone`` names a supervisor, or the endpoint of one. ``who`` asks."""

    verb: SupervisionVerb
    phone: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    who: Who = "unknown"
    via: Literal["api", "command"] = "api"


class SupervisionReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false nothing has changed."""

    ok: bool
    changed: bool
    message: str


class HearingNow(msgspec.Struct, frozen=True):
    """A supervisor who is let into a call; ``mode`` is None until he hears, and ``since`` when he first heard."""

    supervisor: SupervisorName
    agent: AgentId
    wanted: HearingMode
    mode: HearingMode | None
    since: datetime | None


class SupervisionDocument(msgspec.Struct, frozen=True):
    """Who hears a call at this moment."""

    call: CallId
    hearings: tuple[HearingNow, ...]


class SupervisionDesk(Protocol):
    """Lets supervisors hear calls."""

    async def order(self, call: str, request: SupervisionRequest) -> SupervisionReport:
        """Carry an order out between two events, and say what became of it. Never raises."""
        ...

    def hearings(self, call: str) -> SupervisionDocument | None:
        """Who hears a call; None if there is no such call in progress."""
        ...
