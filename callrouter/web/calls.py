"""Conversations over HTTP: the order to hold a call, to pass it on, or to call somebody in, and what is answered."""

from typing import Annotated, Literal, Protocol

import msgspec

from callrouter.web.switches import Who

Verb = Literal[
    "hold",
    "resume",
    "transfer",
    "consult",
    "conference",
    "complete",
    "cancel",
    "dismiss",
    "extend",
    "pause-recording",
    "resume-recording",
]


class CallRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wanted of a conversation. ``call`` is its id, or the counselor who talks; ``who`` asks.

    ``target`` is whom to call, with ``transfer``, ``consult`` and ``conference``: a counselor, a queue, a destination,
    a short number, or a number outside.
    """

    call: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    verb: Verb
    target: Annotated[str, msgspec.Meta(max_length=80)] = ""
    who: Who = "unknown"
    via: Literal["api", "command"] = "api"


class CallReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false nothing has changed."""

    ok: bool
    message: str


class ConversationDesk(Protocol):
    """Holds calls, passes them on, and calls people in."""

    async def order(self, request: CallRequest) -> CallReport:
        """Carry an order out between two events, and say what became of it. Never raises."""
        ...
