"""Who may have a channel of a trunk group that several tenants share.

Each tenant has a guarantee and perhaps a ceiling. What is idle may be borrowed, also of what is guaranteed to others. A
tenant that is below its guarantee is served as long as there is a channel at all, before everybody who borrows; if
there is none, the next that comes free is kept for it: as long as a caller of its waits for the group, or for a while
after a call was refused (:data:`CLAIM`).

Channels in reserve are for marked calls alone, which stand beside the shares: they count for no tenant, and neither
ceiling nor guarantee keeps them from any channel that is free.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callrouter.core.ids import TenantName
from callrouter.core.trunk_spec import NO_SHARE, TrunkSpec

CLAIM = timedelta(minutes=1)
"""For so long after a tenant below its guarantee was refused, the next channel that comes free is kept for it."""

Wanting = Mapping[TenantName, int]
"""How many callers of each tenant wait for the group now."""

WhoWants = Callable[[Mapping[TenantName, int]], Wanting]
"""Says that of these tenants, who lack so many channels: beyond that number it need not be exact."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who may have a channel of a group, at one moment."""

    free: int
    left: int
    """Those that are free and not in reserve."""
    capped: Set[TenantName] = frozenset()
    """Who has as many as his ceiling."""
    lacking: Mapping[TenantName, int] = field(default_factory=dict)
    """Who is below his guarantee, and by how many."""
    kept: Mapping[TenantName, int] = field(default_factory=dict)
    """How many are kept for each of them, for he wants them now."""
    all_kept: int = 0

    def admits(self, tenant: TenantName, *, marked: bool) -> bool:
        """Whether a call may have one."""
        if marked:
            return self.free >= 1
        if self.left < 1 or tenant in self.capped:
            return False
        return tenant in self.lacking or self.left > self.all_kept - self.kept.get(tenant, 0)

    @property
    def admits_all(self) -> bool:
        """Whether it does not matter whose the call is."""
        return self.left > self.all_kept and not self.capped


@dataclass(slots=True)
class Shares:
    """What each tenant has of one group."""

    used: Counter[TenantName] = field(default_factory=Counter)
    """By calls that are not marked."""
    marked: int = 0
    """Channels that marked calls have."""
    claims: dict[TenantName, datetime] = field(default_factory=dict)
    """Until when the next channel is kept for whom."""
    _standing: tuple[Mapping[TenantName, int], Set[TenantName]] | None = None

    def copy(self) -> "Shares":
        """The same, to be changed by itself."""
        return Shares(self.used.copy(), self.marked, self.claims.copy())

    def take(self, tenant: TenantName, *, marked: bool) -> None:
        """A channel was taken."""
        self.anew()
        if marked:
            self.marked += 1
            return
        self.used[tenant] += 1
        self.claims.pop(tenant, None)

    def give_back(self, tenant: TenantName, *, marked: bool) -> None:
        """It was given back."""
        self.anew()
        if marked:
            self.marked -= 1
            return
        self.used[tenant] -= 1
        if not self.used[tenant]:
            del self.used[tenant]

    def lacks(self, spec: TrunkSpec, tenant: TenantName) -> int:
        """How many channels a tenant is below its guarantee."""
        return max(0, spec.shares.get(tenant, NO_SHARE).guarantee - self.used[tenant])

    def verdict(self, spec: TrunkSpec, free: int, at: datetime, who_wants: WhoWants) -> "Verdict":
        """Who may have one of the ``free`` channels.

        Who waits is asked only where it matters: else there is enough for all guarantees and one more.
        """
        left = free - max(0, spec.reserve - self.marked)
        if not spec.shares:
            return Verdict(free, left)
        lacking, capped = self._standing or self._stand(spec)
        if not 0 < left <= sum(lacking.values()):
            return Verdict(free, left, capped, lacking)
        wanting = who_wants(lacking)
        kept = {
            tenant: min(lacks, max(wanting.get(tenant, 0), int(self._claims(tenant, at))))
            for tenant, lacks in lacking.items()
        }
        return Verdict(free, left, capped, lacking, kept, sum(kept.values()))

    def _stand(self, spec: TrunkSpec) -> tuple[Mapping[TenantName, int], Set[TenantName]]:
        """Who lacks how many, and who may have no more; it holds until a channel is taken or given back."""
        lacking = {tenant: lacks for tenant in spec.shares if (lacks := self.lacks(spec, tenant))}
        ceilings = ((tenant, share.ceiling) for tenant, share in spec.shares.items() if share.ceiling is not None)
        self._standing = (lacking, frozenset(tenant for tenant, most in ceilings if self.used[tenant] >= most))
        return self._standing

    def anew(self) -> None:
        """The shares are others now."""
        self._standing = None

    def refused(self, spec: TrunkSpec, tenant: TenantName, at: datetime) -> None:
        """A call was refused: below its guarantee, the tenant has the next channel."""
        if self.lacks(spec, tenant):
            self.claims[tenant] = at + CLAIM

    def _claims(self, tenant: TenantName, at: datetime) -> bool:
        until = self.claims.get(tenant)
        return until is not None and at < until
