"""What callers let us remember, counted, and the order to forget it: what is asked, and what is answered."""

from datetime import datetime
from typing import Protocol

import msgspec


class RememberedReport(msgspec.Struct, frozen=True):
    """How many callers are remembered, and until when the last of them is. ``error``: why it is not on disk."""

    callers: int
    until: datetime | None
    error: str | None


class ForgetRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Forget one caller, by ``number`` in any form, or with ``all`` everybody. ``who`` asks, for the log."""

    number: str | None = None
    all: bool = False
    who: str = "unknown"


class ForgetReport(msgspec.Struct, frozen=True):
    """How many callers were forgotten, and how many are left. ``error``: why that is not on disk yet; it follows."""

    forgotten: int
    callers: int
    error: str | None


class Remembering(Protocol):
    """Keeps callers' choices."""

    def report(self) -> RememberedReport:
        """How many there are; answers at once."""
        ...

    async def forget(self, number: str, who: str) -> ForgetReport | None:
        """Forget what is remembered of one caller; None for a number of which nothing ever is. Never raises."""
        ...

    async def forget_all(self, who: str) -> ForgetReport:
        """Forget everybody. Never raises."""
        ...
