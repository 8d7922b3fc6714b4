"""Which ways to counselors, destinations and residents can be gone now: over what trunks, between which sites."""

from collections.abc import Callable
from datetime import datetime

from callrouter.core.call import Call
from callrouter.core.ids import SiteName, TenantName
from callrouter.core.pool import Way
from callrouter.core.rulebook import Link, Rulebook
from callrouter.core.shut import Outward
from callrouter.core.trunk_group import Asker
from callrouter.core.trunks import Trunks


class Ways:
    """Asks the trunks and the sites; takes nothing."""

    def __init__(self, rulebook: Rulebook, trunks: Trunks) -> None:
        self.links = rulebook.links
        """Trunks of ours from one site to another; to be set anew with the rules."""
        self.sites: set[SiteName] = set()
        """Sites that are up."""
        self._trunks = trunks

    def has_room(self, tenant: TenantName, marked: bool, at: datetime, way: Way) -> bool:
        """Whether there is a way to a counselor for such a call."""
        return self._leads(way, lambda part: self._trunks.has_room(part.trunk, Asker(part.site, tenant, marked), at))

    def has_room_outward(self, at: datetime, way: Way, outward: Outward) -> bool:
        """Whether there is a way to a counselor and, beside it, one to a resident."""
        is_there = (way.origin or way.site) == outward.site  # else it leads from elsewhere, and is no way for this one
        if not is_there or not self.has_room(outward.tenant, outward.marked, at, way):
            return False
        asker, trunk = Asker(outward.site, outward.tenant, outward.marked), way.trunk
        if way.origin is not None:
            links = self.links[way.origin, way.site]
            trunk = next(link.trunk for link in links if self._trunks.has_room(link.trunk, asker, at))
        return self._trunks.has_room_beside((trunk, asker) if trunk is not None else None, outward.trunk, asker, at)

    def is_open(self, at: datetime, way: Way) -> bool:
        """Whether the way is open to anybody."""
        if way.origin is None:  # without more ado: for every decision this is asked of every way
            return way.site in self.sites and self._trunks.is_open(way, at)
        return self._leads(way, lambda part: self._trunks.is_open(part, at))

    def _leads(self, way: Way, has_room: Callable[[Way], bool]) -> bool:
        """Whether a way leads to its counselors: both sites are up, and there is room on all of it."""
        if way.site not in self.sites or not has_room(way):
            return False
        if way.origin is None:
            return True
        links = self.links.get((way.origin, way.site), ())
        return way.origin in self.sites and any(has_room(Way(way.origin, link.trunk)) for link in links)

    def link(self, call: Call, to: SiteName, marked: bool, at: datetime) -> Link:
        """The trunk of ours by which a call is to get to another site; there is room on it."""
        asker = Asker(call.site, call.tenant, marked)
        links = self.links[call.site, to]
        return next(link for link in links if self._trunks.has_room(link.trunk, asker, at))
