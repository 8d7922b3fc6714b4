"""Who may have a channel of a trunk group that several tenants share.

Each tenant has a guarantee and perhaps a ceiling. What is idle may be borrowed, also of what is guaranteed to others. A
tenant that is below its guarantee is served as long as there is a channel at all, before everybody who borrows; if
there is none, the next that comes free is kept for it: as long as a caller of its waits for the group, or for a while
after a call was refused (:data:`CLAIM`).

Channels in reserve are for marked calls alone, which stand beside the shares: they count for no tenant, and neither
ceiling nor guarantee keeps them from any channel that is free.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callrouter.core.ids import TenantName
from callrouter.core.trunk_spec import NO_SHARE, TrunkSpec

CLAIM = timedelta(minutes=1)
"""For so long after a tenant below its guarantee was refused, the next channel that comes free is kept for it."""

WhoWants = Callable[[TenantName, int], int]
"""Says how many callers of a tenant wait for the group now; beyond the number that is given it need not be exact."""


@dataclass(slots=True)
class Verdict:
    """Who may have a channel of a group, at one moment.

    Who waits is asked only if somebody wants to borrow where it matters, and no further than until it is decided.
    """

    free: int
    left: int
    """Those that are free and not in reserve."""
    who_wants: WhoWants
    capped: Set[TenantName] = frozenset()
    """Who has as many as his ceiling."""
    lacking: Mapping[TenantName, int] = field(default_factory=dict)
    """Who is below his guarantee, and by how many."""
    claiming: Collection[TenantName] = ()
    """Those of them for whom one is kept, whether anybody waits or not."""
    _lends: bool | None = None

    def admits(self, tenant: TenantName, *, marked: bool) -> bool:
        """Whether a call may have one."""
        if marked:
            return self.free >= 1
        if self.left < 1 or tenant in self.capped:
            return False
        return tenant in self.lacking or self.lends

    @property
    def lends(self) -> bool:
        """Whether one is left for who has his guarantee, beside all that are kept for those who want theirs now."""
        if self._lends is None:
            self._lends = self._left_beside_kept() > 0
        return self._lends

    def _left_beside_kept(self) -> int:
        left = self.left
        if left > sum(self.lacking.values()):
            return left
        for tenant, lacks in self.lacking.items():
            left -= min(lacks, max(self.who_wants(tenant, lacks), int(tenant in self.claiming)))
            if left < 1:
                break
        return left


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
        """Who may have one of the ``free`` channels."""
        left = free - max(0, spec.reserve - self.marked)
        if not spec.shares:
            return Verdict(free, left, who_wants)
        lacking, capped = self._standing or self._stand(spec)
        claiming = [tenant for tenant, until in self.claims.items() if at < until] if self.claims else ()
        return Verdict(free, left, who_wants, capped, lacking, claiming)

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
