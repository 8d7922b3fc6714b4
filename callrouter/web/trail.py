"""The audit log as page and API write and read it."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, Protocol

import msgspec

from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.web.switches import MOST_NOTE, in_years
from callrouter.web.throttle import RateLimit

MOST_ENTRIES: Final = 1_000
LONGEST_NAME: Final = 200
REFUSALS_A_MINUTE: Final = 60
"""So many are noted one by one. Of more, by somebody who tries and tries, the next one says how many there were."""


class AuditSearchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries are wanted, as the query says it. ``since`` is inclusive, ``until`` exclusive."""

    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    who: str | None = None
    name: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ENTRIES)] = 50

    def __post_init__(self) -> None:
        """Refuse what no database can be asked."""
        in_years(self.since, self.until)
        if "\0" in f"{self.who}{self.name}":
            raise ValueError("no name has a zero byte")


class AuditDocument(msgspec.Struct, frozen=True):
    """The newest entries first, as PostgreSQL has them by now."""

    entries: tuple[AuditEntry, ...]


class AuditTrail(Protocol):
    """Where entries go, and are found."""

    def note(self, entry: AuditEntry) -> None:
        """Have it written soon. Never raises, and does not wait."""
        ...

    async def keep(self, entry: AuditEntry) -> bool:
        """Have it written now; False if the disk does not take it."""
        ...

    async def find(self, search: AuditSearchRequest) -> AuditDocument | None:
        """Those that fit; None where there is no database. Raises CallrouterError if it is away."""
        ...


class Notary:
    """Says who did what from where, in the words of the audit log."""

    def __init__(self, trail: AuditTrail, now: Callable[[], datetime]) -> None:
        self.trail = trail
        self._now = now
        self._refusals = RateLimit(REFUSALS_A_MINUTE / 60.0, burst_s=60.0)
        self._unsaid = 0

    def entry(
        self, kind: AuditKind, name: str, becomes: str, *, who: str, via: str, account: str, address: str,
        was: str = "", note: str = "",
    ) -> AuditEntry:  # fmt: skip
        """An entry of this moment."""
        return AuditEntry(
            self._now(), who, kind, name[:LONGEST_NAME], was, becomes, via,
            note=note[:MOST_NOTE], account=account, address=address,
        )  # fmt: skip

    def refused(self, entry: AuditEntry, now_s: float) -> None:
        """Note what was refused, unless there are too many; ``now_s`` is of a clock that only goes forward."""
        if self._refusals.take("", now_s):
            self._unsaid += 1
            return
        if self._unsaid:
            more = f"; {self._unsaid} more were refused before, too many to note each"
            entry = msgspec.structs.replace(entry, note=f"{entry.note[: MOST_NOTE - len(more)]}{more}")
            self._unsaid = 0
        self.trail.note(entry)
