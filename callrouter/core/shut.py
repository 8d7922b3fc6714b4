"""To whom which ways to counselors are shut at one moment: trunks that are full, away, or kept for others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from callrouter.core.groups import Group
from callrouter.core.ids import QueueName, SiteName, TenantName, TrunkName
from callrouter.core.pool import Way

Refused = Callable[[Way, TenantName, bool], bool]
"""Whether a way that is open is not so to callers of a tenant; the last says whether their calls are marked.

One without a trunk group is open to all.
"""


class Outward(NamedTuple):
    """A call to a resident that is to be made with that to a counselor: over which group, from where, and whose."""

    trunk: TrunkName
    site: SiteName
    tenant: TenantName
    marked: bool


WithOutward = Callable[[Way, Outward], bool]
"""Whether there is a way to a counselor and, beside it, one to a resident."""


def never_outward(way: Way, outward: Outward) -> bool:
    """Nobody can be called back."""
    return False


class _Shut(dict[Way, bool]):
    """Whether ways are shut to some at one moment; each is asked about once, and only if somebody wants it."""

    def __init__(self, to_all: Mapping[Way, bool], asks: Callable[[Way], bool]) -> None:
        self._to_all = to_all
        self._asks = asks

    def __missing__(self, way: Way) -> bool:
        shut = self[way] = self._to_all[way] or self._asks(way)
        return shut


@dataclass(slots=True)
class Closed:
    """To whom which ways are shut at one moment."""

    shut: Mapping[Way, bool]
    """Whether each way is shut, to all."""
    shared: Mapping[Way, bool]
    """The same, and whether it may be shut to some."""
    marked: frozenset[QueueName]
    refused: Refused | None
    with_outward: WithOutward
    _inward: dict[tuple[TenantName, bool], _Shut] = field(default_factory=dict)
    _outward: dict[Outward, _Shut] = field(default_factory=dict)

    def reaches(self, group: Group) -> bool:
        """Whether there is a way to somebody for those of a group."""
        if group.outward is None and self.refused is not None and group.pool.has_way(self.shared):
            return True  # without asking what some are refused
        return group.pool.has_way(self.to(group))

    def to(self, group: Group) -> Mapping[Way, bool]:
        """Whether ways are shut to those of a group."""
        if group.outward is not None:
            return self._to_outward(Outward(group.outward, group.line[1], group.tenant, group.line[0] in self.marked))
        if self.refused is None:
            return self.shut
        key = (group.tenant, group.line[0] in self.marked)
        known = self._inward.get(key)
        return known if known is not None else self._to_inward(self.refused, *key)

    def _to_inward(self, refused: Refused, tenant: TenantName, marked: bool) -> _Shut:
        shut = self._inward[tenant, marked] = _Shut(self.shut, lambda way: refused(way, tenant, marked))
        return shut

    def _to_outward(self, outward: Outward) -> _Shut:
        known = self._outward.get(outward)
        if known is None:
            known = self._outward[outward] = _Shut(self.shut, lambda way: not self.with_outward(way, outward))
        return known
