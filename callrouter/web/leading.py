"""Handing the lead over to a daemon that waits: the order, and what is answered."""

from typing import Protocol

import msgspec


class HandOverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks, for the log: the name of a person or a program."""

    who: str = "unknown"


class HandOverReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false this daemon leads still, or never did; ``message`` says why."""

    ok: bool
    message: str


class LeadDesk(Protocol):
    """Takes the order to hand over."""

    async def hand_over(self, request: HandOverRequest) -> HandOverReport:
        """Have one who waits lead instead, and wait until it does. Never raises."""
        ...
