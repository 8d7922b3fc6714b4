"""Handing the lead over to a daemon that waits, and having one take it: the orders, and what is answered."""

from typing import Protocol

import msgspec


class HandOverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks, for the log: the name of a person or a program."""

    who: str = "unknown"


class HandOverReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false this daemon leads still, or never did; ``message`` says why."""

    ok: bool
    message: str


class TakeOverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks, for the log. ``force`` says that the daemon on the other machine is certainly dead."""

    who: str = "unknown"
    force: bool = False


class TakeOverReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false this daemon does not lead; ``message`` says why."""

    ok: bool
    message: str


class LeadDesk(Protocol):
    """Takes the orders to hand over and to take over."""

    async def hand_over(self, request: HandOverRequest) -> HandOverReport:
        """Have one who waits lead instead, and wait until it does. Never raises."""
        ...

    async def take_over(self, request: TakeOverRequest) -> TakeOverReport:
        """Have this daemon lead without a word of PostgreSQL's, and wait until it does. Never raises."""
        ...
