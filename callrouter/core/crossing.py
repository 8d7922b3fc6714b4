"""Legs over a trunk between two sites to a phone that is not called for a caller: a supervisor's, say.

Such a leg is made at the caller's site, where the conversation is, and its far end is as that of any leg
(:mod:`callrouter.core.relays`). It holds a channel of the trunk from before it is dialled until Asterisk says that it
is gone, whatever has become meanwhile of what it was made for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.call import Call
from callrouter.core.far_end import FarEnd
from callrouter.core.floor import RELAY_EXTENSION, Floor
from callrouter.core.ids import AgentId, ChannelId, SiteName
from callrouter.core.output import Output
from callrouter.core.pool import Way
from callrouter.core.relays import Relay
from callrouter.core.rulebook import Link
from callrouter.core.trunk_group import Asker, Seizure


@dataclass(frozen=True, slots=True)
class FarPhone:
    """A phone at another site than the caller's, and what is shown there."""

    site: SiteName
    endpoint: str
    """What Asterisk dials there."""
    dialed: ChannelId | None = None
    """Its channel, if it has dialled by itself, and need not be called."""
    waits: bool = False
    """It is not to be connected yet, see :meth:`Relays.meet`."""
    shows_name: str = ""
    shows_number: str = ""
    ring_s: float = 30.0


class Crossing:
    """See the module. Methods write what is to be done into the ``Output`` they are given."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def why_not(self, call: Call, to: SiteName, at: datetime) -> str:
        """Why no leg can be made from the call's site to another now; empty: one can."""
        links = self._floor.ways.links.get((call.site, to), ())
        if not links:
            return f"no trunk between: leads from {call.site} to {to}"
        for site in sorted({call.site, to} - self._floor.ways.sites):
            return f"the site {site} cannot be reached"
        if self._floor.ways.has_room(call.tenant, False, at, Way(to, origin=call.site)):
            return ""
        self._floor.trunks.block(links[0].trunk, _asker(call), at)
        return f"no trunk from {call.site} to {to} has a free channel: {', '.join(link.trunk for link in links)}"

    def begin(self, call: Call, leg: ChannelId, phone: FarPhone, at: datetime, out: Output) -> FarEnd:
        """Take a trunk channel, and make the leg; there is a way, as :meth:`why_not` says."""
        link, seizure = self._take(call, leg, phone.site, at)
        return self._make(call, leg, phone, link, seizure, at, out)

    def begin_beside(
        self, call: Call, leg: ChannelId, phone: FarPhone, has_room: Callable[[], bool], at: datetime, out: Output
    ) -> FarEnd | None:
        """As :meth:`begin`, if there is room for another leg beside it; the phone waits to be connected."""
        link, seizure = self._take(call, leg, phone.site, at)
        if not has_room():
            self._floor.trunks.release(seizure)
            return None
        return self._make(call, leg, phone, link, seizure, at, out)

    def _take(self, call: Call, leg: ChannelId, to: SiteName, at: datetime) -> tuple[Link, Seizure]:
        link = self._floor.ways.link(call, to, False, at)
        return link, self._floor.trunks.seize(link.trunk, leg, _asker(call), at)

    def _make(
        self, call: Call, leg: ChannelId, phone: FarPhone, link: Link, seizure: Seizure, at: datetime, out: Output
    ) -> FarEnd:
        far = FarEnd(phone.site, seizure.trunk, seizure.member, phone.dialed)
        self._expect(call, leg, far, phone, link.peer, at)
        originate = cmd.Originate(
            call.site,
            call.id,
            leg,
            f"PJSIP/{RELAY_EXTENSION}@{link.endpoint}",
            caller_name=phone.shows_name,
            caller_number=phone.shows_number,
            timeout_s=phone.ring_s,
            originator=call.channel,
            relay=leg,
        )
        out.commands.append(originate)
        return far

    def remember(self, call: Call, leg: ChannelId, far: FarEnd, phone: FarPhone, at: datetime) -> Relay:
        """An earlier daemon made the leg at ``at``: what is there of it is known when both sites are up."""
        return self._expect(call, leg, far, phone, "", at)

    def let_go(self, leg: ChannelId, out: Output) -> None:
        """The leg is being hung up: its far end shall not wait for that."""
        self._floor.relays.let_go(leg, out)

    def gone(self, leg: ChannelId, out: Output) -> None:
        """The leg is no more: give back what it held. A leg that led to no other site is left alone."""
        relay = self._floor.relays.of(leg)
        if relay is None:
            return
        seizure = self._floor.trunks.of(leg)
        if seizure is not None:
            self._floor.trunks.release(seizure)
        self._floor.relays.gone(leg, out)

    def give_back(self, call: Call) -> None:
        """The call's site is away for long: its legs keep no channels until they are seen again."""
        for relay in self._floor.relays.from_site(call.site):
            seizure = self._floor.trunks.of(relay.leg)
            if relay.call == call.id and is_crossing(relay.leg) and seizure is not None:
                self._floor.trunks.release(seizure)

    def compare(self, relay: Relay, call: Call | None, event: ev.SiteUp, out: Output) -> None:
        """Make a leg that was made at a site agree with the site's snapshot."""
        leg, trunks = relay.leg, self._floor.trunks
        if leg not in event.channels:
            if relay.called_at < event.requested_at - ev.SNAPSHOT_MARGIN:
                self.gone(leg, out)
        elif relay.trunk is not None and call is not None and trunks.of(leg) is None:
            trunks.reclaim(relay.trunk, leg, _asker(call), relay.called_at, relay.member)

    def _expect(self, call: Call, leg: ChannelId, far: FarEnd, phone: FarPhone, peer: str, at: datetime) -> Relay:
        relay = Relay(
            leg,
            call.id,
            0,
            AgentId(""),
            call.site,
            far.site,
            phone.endpoint,
            peer,
            phone.ring_s,
            at,
            phone.shows_name,
            phone.shows_number,
            own=far.dialed,
            waits=phone.waits,
            trunk=far.trunk,
            member=far.member,
        )
        self._floor.relays.expect(relay)
        return relay


def is_crossing(leg: ChannelId) -> bool:
    """Whether a leg that leads to another site is one of these, and not to a counselor."""
    return naming.parse_leg_channel(leg) is None


def _asker(call: Call) -> Asker:
    return Asker(call.site, call.tenant, False)
