"""Who waits to be called back, over HTTP: the order to call now, or no more, and what is answered."""

from typing import Annotated, Literal, Protocol

import msgspec

from callrouter.web.switches import Who

CallbackWord = Literal["call-now", "cancel"]


class CallbackOrderRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wanted; ``who`` asks.

    ``request`` is the id of the request, or that of the call in which it was asked for or by which it is made.
    """

    request: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    verb: CallbackWord
    who: Who = "unknown"
    via: Literal["api", "command"] = "api"


class CallbackReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false nothing has changed."""

    ok: bool
    message: str


class CallbackDesk(Protocol):
    """Has residents called back now, or no more."""

    async def order(self, request: CallbackOrderRequest) -> CallbackReport:
        """Carry an order out between two events, and say what became of it. Never raises."""
        ...
