"""What a trunk group had to carry: the most channels at once, and the calls that found none, by hour and by tenant."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from callrouter.core.ids import TenantName

HOURS = 24
"""So many hours are kept, the present one among them."""


class TrunkHour(msgspec.Struct, frozen=True):
    """One hour, from ``begin`` (aware UTC) on."""

    begin: datetime
    peak: int
    """The most channels that were in use at once."""
    blocked: int
    """Calls that found no channel."""


@dataclass(slots=True)
class TrunkTally:
    """Since the daemon started; hours of the last day."""

    peak: int = 0
    blocked: int = 0
    peaks: dict[TenantName, int] = field(default_factory=dict)
    refused: Counter[TenantName] = field(default_factory=Counter)
    """Blocked calls, by tenant."""
    _hours: deque[TrunkHour] = field(default_factory=lambda: deque(maxlen=HOURS))

    def used(self, tenant: TenantName, in_use: int, of_tenant: int, at: datetime) -> None:
        """So many channels are in use now, by all and by the tenant; none is known of who has just come in."""
        self.peak = max(self.peak, in_use)
        if tenant:
            self.peaks[tenant] = max(self.peaks.get(tenant, 0), of_tenant)
        self._note(at, in_use, 0)

    def block(self, tenant: TenantName, in_use: int, at: datetime) -> None:
        """A call found no channel."""
        self.blocked += 1
        self.refused[tenant] += 1
        self._note(at, in_use, 1)

    @property
    def hours(self) -> Iterator[TrunkHour]:
        """Those in which anything happened, oldest first."""
        return iter(self._hours)

    def _note(self, at: datetime, in_use: int, blocked: int) -> None:
        begin = at.replace(minute=0, second=0, microsecond=0)
        last = self._hours[-1] if self._hours else None
        if last is None or last.begin < begin:
            self._hours.append(TrunkHour(begin, in_use, blocked))
        else:
            self._hours[-1] = TrunkHour(last.begin, max(last.peak, in_use), last.blocked + blocked)
