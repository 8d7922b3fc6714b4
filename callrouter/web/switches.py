"""Switches over HTTP: how they stand, the order to set one, and what is answered."""

from datetime import datetime
from typing import Annotated, Final, Literal, Protocol

import msgspec

from callrouter.core.stats import SwitchNow

MOST_WHO: Final = 80
MOST_NOTE: Final = 200
"""Characters."""

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9000
Who = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_WHO)]
Note = Annotated[str, msgspec.Meta(max_length=MOST_NOTE)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


def in_years(*moments: datetime | None) -> None:
    """See that they are times in any zone and in any database. Raises ValueError: one is in no year to speak of."""
    if any(at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR for at in moments):
        raise ValueError(f"write a time of the years {FIRST_YEAR} to {LAST_YEAR}")


class SwitchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A switch, and whether it is to be on: for ``for_s`` seconds, or ``until`` a time with its offset.

    With neither it stays on for as long as it may. ``who`` asks, ``note`` says why; both go into the audit log.
    """

    switch: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    on: bool
    who: Who = "unknown"
    via: Literal["api", "command"] = "api"
    for_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    until: Moment | None = None
    note: Note = ""

    def __post_init__(self) -> None:
        """Refuse what says two things at once."""
        in_years(self.until)
        if self.for_s is not None and self.until is not None:
            raise ValueError("for_s and until exclude each other")
        if not self.on and (self.for_s is not None or self.until is not None):
            raise ValueError("for_s and until belong to switching on")


class SwitchReport(msgspec.Struct, frozen=True):
    """What became of it, with how the switch stands now. When ``ok`` is false nothing has changed."""

    ok: bool
    changed: bool
    message: str
    switch: SwitchNow | None = None
    """None: there is no such switch."""


class SwitchesDocument(msgspec.Struct, frozen=True):
    """Every switch at this moment."""

    at: datetime
    switches: tuple[SwitchNow, ...]


class Switcher(Protocol):
    """Sets switches."""

    async def switch(self, request: SwitchRequest) -> SwitchReport:
        """Set one between two events, and say what became of it. Never raises."""
        ...
