"""How many calls may go out, as configured: what a stolen password or a wrong rule can cost at most."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from callrouter.core.ids import TenantName, TrunkName
from callrouter.core.outbound import NumberClass


class Unit(StrEnum):
    """What is counted."""

    CALLS = "calls"
    """That were dialled, answered or not."""
    MINUTES = "minutes"
    """That were talked, begun ones in part."""


class Window(StrEnum):
    """Over how long: up to now, not by the clock."""

    HOUR = "hour"
    DAY = "day"

    @property
    def seconds(self) -> float:
        """Its length."""
        return 3600.0 if self is Window.HOUR else 86_400.0


@dataclass(frozen=True, slots=True)
class Bound:
    """So many calls or minutes, and no more."""

    unit: Unit
    window: Window
    most: int

    @property
    def name(self) -> str:
        """As the configuration writes it."""
        return f"{self.unit}_per_{self.window}"


@dataclass(frozen=True, slots=True)
class OutboundLimit:
    """One limit. What it does not name, it holds for all of."""

    name: str
    bounds: tuple[Bound, ...]
    tenants: frozenset[TenantName] = frozenset()
    trunks: frozenset[TrunkName] = frozenset()
    kinds: frozenset[NumberClass] = frozenset()
    together: bool = False
    """The tenants are counted together; else each has so much."""
    warn_at: int = 80
    """At so many percent, people are told."""

    def holds_for(self, tenant: TenantName, trunk: TrunkName | None, kind: NumberClass) -> bool:
        """Whether such a call counts."""
        return (
            (not self.tenants or tenant in self.tenants)
            and (not self.trunks or trunk in self.trunks)
            and (not self.kinds or kind in self.kinds)
        )

    def counted_for(self, tenant: TenantName) -> TenantName:
        """Whose count a tenant's call is part of; empty: that of all."""
        return TenantName("") if self.together else tenant


@dataclass(frozen=True, slots=True)
class OutboundRules:
    """The section ``outbound:``, as far as calls are looked at while they are made."""

    max_hops: int = 3
    """A call that has gone out so often, by us or our like, is not taken."""
    limits: tuple[OutboundLimit, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    """The number of each destination, by its name: what legs of the past have called."""
