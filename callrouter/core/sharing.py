"""How tenants share the counselors whom they have in common, each by its weight.

Each time when several tenants have a caller who could be served, each is credited with its share of that one decision,
and the one with the greatest credit is served and pays for all. Credit is only gained where a tenant could have been
served and another was, so that nobody saves any up while he is away; and what one pays the others have got, so that the
credits come to nought together. See ``docs/decisions/distribution.md``.
"""

from collections.abc import Iterable, Mapping, Sequence

from callrouter.core.ids import CallId, TenantName

Charge = Mapping[TenantName, int]
"""What a decision changes in the credits; it comes to nought."""

ONE = 1 << 32
"""The credit of a whole call. Whole numbers, so that equal weights have exactly equal shares."""


class Sharing:
    """The credits of the tenants."""

    def __init__(self, weights: Mapping[TenantName, int]) -> None:
        self.weights = weights
        """Tenants that are not here weigh 1; with none at all, nothing is shared out."""
        self._credits: dict[TenantName, int] = {}
        self._paid: dict[CallId, Charge] = {}

    def pick(self, tenants: Sequence[TenantName]) -> tuple[int, Charge]:
        """Which of the tenants is served, as its index, and what that changes; among equals the first.

        They are different ones, and each could be served.
        """
        if len(tenants) < 2 or not self.weights:
            return 0, {}
        whole = sum(map(self._weight, tenants))
        charge = {tenant: ONE * self._weight(tenant) // whole for tenant in tenants}
        claims = [self._credits.get(tenant, 0) + part for tenant, part in charge.items()]
        index = claims.index(max(claims))
        charge[tenants[index]] -= sum(charge.values())
        return index, charge

    def charge(self, call: CallId, charge: Charge) -> None:
        """The decision is carried out, and costs this until it is known whether the call is served."""
        if charge:
            self._paid[call] = charge
            self._add(charge.items())

    def refund(self, call: CallId) -> None:
        """The call was not served after all; one that has paid nothing is left alone."""
        self._add((tenant, -part) for tenant, part in self._paid.pop(call, {}).items())

    def keep(self, call: CallId) -> None:
        """The call is served, and what it cost is spent."""
        self._paid.pop(call, None)

    def credit(self, tenant: TenantName) -> float:
        """How many calls the tenant is behind its share; less than 0 if it is before it."""
        return self._credits.get(tenant, 0) / ONE

    def _weight(self, tenant: TenantName) -> int:
        return self.weights.get(tenant, 1)

    def _add(self, charge: Iterable[tuple[TenantName, int]]) -> None:
        for tenant, part in charge:
            self._credits[tenant] = self._credits.get(tenant, 0) + part
