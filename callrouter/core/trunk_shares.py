"""Who may have a channel of a trunk group that several tenants share.

Each tenant has a guarantee and perhaps a ceiling. What is idle may be borrowed, also of what is guaranteed to others. A
tenant that is below its guarantee is served as long as there is a channel at all, before everybody who borrows; if
there is none, the next that comes free is kept for it: as long as a caller of its waits for the group, or for a while
after a call was refused (:data:`CLAIM`).

Channels in reserve are for marked calls alone, which stand beside the shares: they count for no tenant, and neither
ceiling nor guarantee keeps them from any channel that is free.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callrouter.core.ids import TenantName
from callrouter.core.trunk_spec import NO_SHARE, TrunkSpec

CLAIM = timedelta(minutes=1)
"""For so long after a tenant below its guarantee was refused, the next channel that comes free is kept for it."""

Wanting = Mapping[TenantName, int]
"""How many callers of each tenant wait for the group now."""


@dataclass(slots=True)
class Shares:
    """What each tenant has of one group."""

    used: Counter[TenantName] = field(default_factory=Counter)
    """By calls that are not marked."""
    marked: int = 0
    """Channels that marked calls have."""
    claims: dict[TenantName, datetime] = field(default_factory=dict)
    """Until when the next channel is kept for whom."""

    def take(self, tenant: TenantName, *, marked: bool) -> None:
        """A channel was taken."""
        if marked:
            self.marked += 1
            return
        self.used[tenant] += 1
        self.claims.pop(tenant, None)

    def give_back(self, tenant: TenantName, *, marked: bool) -> None:
        """It was given back."""
        if marked:
            self.marked -= 1
            return
        self.used[tenant] -= 1
        if not self.used[tenant]:
            del self.used[tenant]

    def lacks(self, spec: TrunkSpec, tenant: TenantName) -> int:
        """How many channels a tenant is below its guarantee."""
        return max(0, spec.shares.get(tenant, NO_SHARE).guarantee - self.used[tenant])

    def left_for(self, spec: TrunkSpec, free: int, *, marked: bool) -> int:
        """How many of ``free`` channels a call may look at at all: the reserve is for marked ones."""
        return free if marked else free - max(0, spec.reserve - self.marked)

    def admits(
        self, spec: TrunkSpec, tenant: TenantName, free: int, at: datetime, wanting: Wanting, *, marked: bool
    ) -> bool:
        """Whether a call may have one of the ``free`` channels."""
        left = self.left_for(spec, free, marked=marked)
        if left < 1 or marked or not spec.shares:
            return left >= 1
        ceiling = spec.shares.get(tenant, NO_SHARE).ceiling
        if ceiling is not None and self.used[tenant] >= ceiling:
            return False
        return bool(self.lacks(spec, tenant)) or left > self.kept(spec, tenant, at, wanting)

    def is_scarce(self, spec: TrunkSpec, free: int) -> bool:
        """Whether it matters who waits: else there is enough for all guarantees and one more."""
        left = self.left_for(spec, free, marked=False)
        return left <= sum(self.lacks(spec, tenant) for tenant in spec.shares)

    def kept(self, spec: TrunkSpec, tenant: TenantName, at: datetime, wanting: Wanting) -> int:
        """How many channels are kept for others than ``tenant``, who want what is guaranteed to them."""
        return sum(
            min(self.lacks(spec, other), max(wanting.get(other, 0), int(self._claims(other, at))))
            for other in spec.shares
            if other != tenant
        )

    def refused(self, spec: TrunkSpec, tenant: TenantName, at: datetime) -> None:
        """A call was refused: below its guarantee, the tenant has the next channel."""
        if self.lacks(spec, tenant):
            self.claims[tenant] = at + CLAIM

    def _claims(self, tenant: TenantName, at: datetime) -> bool:
        until = self.claims.get(tenant)
        return until is not None and at < until
