"""Two simulated Asterisks with a trunk between them, and a call centre over both."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.ids import BridgeId, ChannelId, QueueName, SiteName, TrunkName
from callrouter.core.rulebook import AgentSpec, Link, Rulebook
from callrouter.core.trunk_spec import MemberSpec, TrunkSpec
from tests.core.driver import DESK, HALL, Asterisk, Channel, Driver, agent, rulebook

ANNEX = SiteName("annex")
LINE = TrunkName("line")
TO_ANNEX, TO_HALL = "line-to-annex", "line-to-hall"


def two_site_rules(*agents: AgentSpec, channels: int = 2) -> Rulebook:
    """The usual queues, and one trunk group between hall and annex."""
    rules = rulebook(*agents)
    links = {
        (HALL, ANNEX): (Link(LINE, TO_ANNEX, TO_HALL),),
        (ANNEX, HALL): (Link(LINE, TO_HALL, TO_ANNEX),),
    }
    return replace(rules, trunks={**rules.trunks, LINE: line_of(channels)}, links=links)


def line_of(channels: int) -> TrunkSpec:
    """The trunk group between the two."""
    ends = (MemberSpec(TO_ANNEX, channels, HALL), MemberSpec(TO_HALL, channels, ANNEX))
    return TrunkSpec(LINE, channels, ends, between=True)


def at_annex(name: str, *queues: QueueName) -> AgentSpec:
    return agent(name, *(queues or (DESK,)), site=ANNEX)


@dataclass(slots=True)
class Hall(Asterisk):
    """The callers' site: its legs over the line come in at the other."""

    annex: "Annex | None" = None
    line_works: bool = True

    def _originate(self, command: cmd.Originate) -> None:
        Asterisk._originate(self, command)
        if command.relay and self.annex is not None and self.line_works and command.channel in self.channels:
            self.annex.take_in(command.channel, command.relay, TO_HALL)

    def hang_up(self, channel: ChannelId, cause: int = Cause.NORMAL_CLEARING) -> None:
        was_there = channel in self.channels
        Asterisk.hang_up(self, channel, cause)
        if was_there and self.annex is not None:
            self.annex.line_drops(channel)


@dataclass(slots=True)
class Annex(Asterisk):
    """The counselors' site."""

    hall: Hall | None = None
    incoming: dict[ChannelId, ChannelId] = field(default_factory=dict)
    """What came in over the line, and the leg at the other end."""
    tokens: dict[ChannelId, str] = field(default_factory=dict)

    def take_in(self, leg: ChannelId, token: str, endpoint: str) -> ChannelId:
        channel = ChannelId(f"annex-{len(self.tokens) + 1}")
        self.channels[channel] = Channel(channel, "Ring")
        self.incoming[channel], self.tokens[channel] = leg, token
        self.tell(ev.RelayArrived(ANNEX, channel, endpoint, token))
        return channel

    def line_drops(self, leg: ChannelId) -> None:
        """The other end hung up."""
        for channel in [channel for channel, at in self.incoming.items() if at == leg]:
            self._drop(channel)

    def do(self, command: cmd.AriCommand) -> None:
        if not self.connected:
            return
        match command:
            case cmd.Ring(channel=channel) if channel in self.incoming and self.hall is not None:
                self.hall.ring(self.incoming[channel])
            case cmd.Answer(channel=channel) if channel in self.incoming and self.hall is not None:
                self.hall.pick_up(self.incoming[channel])
            case cmd.Hangup(channel=channel, cause=cause) if channel in self.incoming and self.hall is not None:
                leg = self.incoming[channel]
                self._drop(channel)
                self.hall.hang_up(leg, cause)
            case _:
                Asterisk.do(self, command)

    def _drop(self, channel: ChannelId) -> None:
        del self.incoming[channel]
        del self.channels[channel]
        for members in self.bridges.values():
            members.discard(channel)
        self.tell(ev.RelayLeft(channel))


class TwoSites(Driver):
    """Callers at the hall, counselors there and at the annex."""

    def __init__(self, rules: Rulebook) -> None:
        super().__init__(rules, connected=False)
        hall, annex = Hall(HALL, self.inbox), Annex(ANNEX, self.inbox)
        hall.annex, annex.hall = annex, hall
        self.asterisk, self.annex, self.hall = hall, annex, hall
        self.sync()
        self.sync_annex()

    def site(self, name: SiteName) -> Asterisk:
        return self.annex if name == ANNEX else self.asterisk

    def far(self, call: Call) -> ChannelId:
        """The phone at the annex that is called for the call's present offer."""
        offer = call.invited or call.offer
        assert offer is not None, call
        return naming.far_channel(offer.channel)

    def sync_annex(self) -> None:
        """The annex is (again) connected, and its snapshot is taken."""
        self.annex.connected = True
        self.tell(self.annex_snapshot())

    def annex_snapshot(self) -> ev.SiteUp:
        seen = {
            one.id: ev.ChannelSeen(
                one.id,
                one.state,
                None,
                dialed_code=one.dialed_code,
                line=one.line,
                relay=self.annex.tokens.get(one.id, ""),
                endpoint=TO_HALL,
            )
            for one in self.annex.channels.values()
        }
        members = {bridge: frozenset(inside) for bridge, inside in self.annex.bridges.items()}
        return ev.SiteUp(ANNEX, self.now, seen, frozenset(members), members)

    def lose_annex(self) -> None:
        """Nothing is heard from the annex, and nothing reaches it; its calls go on."""
        self.annex.connected = False
        self.inbox[:] = [event for event in self.inbox if not isinstance(event, ev.RelayArrived | ev.RelayLeft)]
        self.tell(ev.SiteDown(ANNEX))

    def far_bridges(self) -> Iterable[tuple[BridgeId, set[ChannelId]]]:
        return self.annex.bridges.items()
