"""Calls to counselors at another site: a leg over a trunk between the two, and at its far end the phone.

The caller's site dials the leg; it comes in at the counselor's site, where we call the phone and put the two together.
What the phone does is let known on the leg (it rings, answers, or is hung up), so that for the call it is a leg like
any other. Who comes in from another site names the leg in a header of ours, and is let in only if that leg is awaited
there, from there, and has not come yet: what a stranger writes there names none.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.causes import Cause
from callrouter.core.ids import AgentId, BridgeId, CallId, ChannelId, SiteName, TrunkName
from callrouter.core.output import Notice, NoticeKind, Output

OfLeg = ev.LegRang | ev.LegAnswered | ev.LegDigit | ev.LegEnded | ev.LegRefused | ev.LegUncertain
"""What is told of a phone at the far end."""


@dataclass(slots=True)
class Relay:
    """The far end of a leg. Times are aware UTC, durations seconds."""

    leg: ChannelId
    call: CallId
    attempt: int
    agent: AgentId
    origin: SiteName
    """Where the leg is made."""
    site: SiteName
    """Where the phone is."""
    phone: str
    """What Asterisk dials there."""
    peer: str
    """The endpoint by which the leg comes in there; empty: whatever it is, since an earlier daemon dialled it."""
    timeout_s: float
    called_at: datetime
    """When the phone was called, or before that the leg."""
    caller_name: str = ""
    caller_number: str = ""
    hops: str = ""
    """What the phone's leg carries, that it be known should it come back."""
    incoming: ChannelId | None = None
    """The leg as it came in there."""
    rang: bool = False
    answered: bool = False
    dropped: bool = False
    """The leg is being hung up: what the phone does is of no interest."""
    over: bool = False
    """The phone is not called any more."""
    cause: int | None = None
    """Why the phone's part ended, which not every trunk hands on."""
    own: ChannelId | None = None
    """The phone's channel, where it has dialled by itself, and is not called."""
    waits: bool = False
    """That phone is not to be connected yet."""
    trunk: TrunkName | None = None
    """For a leg to no counselor: what carries it, see :mod:`callrouter.core.crossing`."""
    member: str = ""
    left: bool = False
    """What came in is gone."""
    in_doubt: bool = False
    """An earlier daemon may not have come to call the phone."""
    by_caller: bool = False
    """It went before the phone's part was over: the caller let go, or his Asterisk died, or the trunk."""

    @property
    def far(self) -> ChannelId:
        """The phone's channel."""
        return self.own or naming.far_channel(self.leg)

    @property
    def bridge(self) -> BridgeId:
        """Where the two meet."""
        return naming.far_bridge(self.leg)

    @property
    def may_be_there(self) -> bool:
        """Whether the phone may have a channel: not if it is still to be called."""
        return self.incoming is not None or self.own is not None or not self.peer


class Relays:
    """All far ends. Methods write what is to be done into the ``Output`` they are given."""

    def __init__(self) -> None:
        self._relays: dict[ChannelId, Relay] = {}
        self._own: dict[ChannelId, ChannelId] = {}
        """Phones that dialled by themselves, and the legs that lead to them."""

    def expect(self, relay: Relay) -> None:
        """A leg is on its way, or an earlier daemon had it."""
        self._relays[relay.leg] = relay
        if relay.own is not None:
            self._own[relay.own] = relay.leg

    def of(self, leg: ChannelId) -> Relay | None:
        """The far end of a leg, if it has one."""
        return self._relays.get(leg)

    def from_site(self, site: SiteName) -> list[Relay]:
        """The far ends of legs that are made at a site."""
        return [relay for relay in self._relays.values() if relay.origin == site]

    def left_behind(self) -> Iterator[Relay]:
        """Those whose leg is gone at this end, and at the other as far as that is heard of."""
        return (relay for relay in self._relays.values() if relay.left)

    def come_in(
        self, event: ev.RelayArrived, at: datetime, out: Output, phones: Collection[ChannelId] = ()
    ) -> Relay | None:
        """Somebody says that he comes from another site: the far end that he is of now, or None: he is hung up.

        ``phones``: those that are known to be there, and are not called again.
        """
        relay = self._relays.get(ChannelId(event.token))
        if relay is not None and relay.incoming == event.channel:
            return None  # told again
        why = _doubt(relay, event)
        if relay is None or why:
            text = f"channel {event.channel} from {event.endpoint} at {event.site}: {why}"
            out.notices.append(Notice(NoticeKind.RELAY_REFUSED, relay.call if relay is not None else None, text))
            call = relay.call if relay is not None else CallId("relay")
            out.commands.append(cmd.Hangup(event.site, call, event.channel, Cause.CALL_REJECTED))
            return None
        relay.incoming, relay.called_at = event.channel, at
        if relay.over or relay.dropped:
            self._hang_up_incoming(relay, relay.cause or Cause.NORMAL_CLEARING, out)
        elif relay.waits:
            out.commands.append(cmd.Answer(relay.site, relay.call, event.channel))
        elif relay.own is not None:
            self._answers(relay, out)
        elif relay.far not in phones:
            self._call_phone(relay, event.channel, out)
        return relay

    def _call_phone(self, relay: Relay, incoming: ChannelId, out: Output) -> None:
        relay.in_doubt = False
        out.commands.append(
            cmd.Originate(
                relay.site,
                relay.call,
                relay.far,
                relay.phone,
                relay.caller_name,
                relay.caller_number,
                relay.timeout_s,
                incoming,
                hops=relay.hops,
            )
        )

    def left(self, channel: ChannelId, out: Output) -> None:
        """Who came in from another site is gone: the caller, or the trunk, let go."""
        for relay in self._relays.values():
            if relay.incoming == channel:
                relay.left, relay.by_caller = True, not relay.over
                self._hang_up_phone(relay, out)

    def take(self, event: OfLeg, out: Output) -> None:
        """What a phone at the far end does."""
        name = naming.parse_far_channel(event.channel)
        relay = self._relays.get(name.leg) if name is not None else None
        if relay is None:
            return
        match event:
            case ev.LegRang():
                self._rings(relay, out)
            case ev.LegAnswered():
                self._answers(relay, out)
            case ev.LegEnded(cause=cause):
                self._ends(relay, cause, out)
            case ev.LegRefused(endpoint=endpoint):
                self._ends(relay, Cause.SUBSCRIBER_ABSENT if endpoint else Cause.NORMAL_TEMPORARY_FAILURE, out)
            case _:  # LegDigit, LegUncertain
                pass  # its keys come over the trunk; what is uncertain, the next snapshot tells

    def not_bridged(self, bridge: BridgeId, out: Output) -> None:
        """The two at a far end could not be put together."""
        for relay in [relay for relay in self._relays.values() if relay.bridge == bridge]:
            self._hang_up_phone(relay, out)
            self._ends(relay, Cause.NORMAL_TEMPORARY_FAILURE, out)

    def let_go(self, leg: ChannelId, out: Output) -> None:
        """The leg is being hung up: the phone shall not ring until the trunk has told so."""
        relay = self._relays.get(leg)
        if relay is not None and not relay.dropped:
            relay.dropped = True
            if relay.may_be_there:
                self._hang_up_phone(relay, out)

    def gone(self, leg: ChannelId, out: Output) -> None:
        """The leg is no more: nothing of its far end shall stay."""
        relay = self._relays.pop(leg, None)
        if relay is None:
            return
        if relay.own is not None:
            del self._own[relay.own]
        if relay.may_be_there:
            self._hang_up_phone(relay, out)
        self._hang_up_incoming(relay, Cause.NORMAL_CLEARING, out)
        if relay.answered:
            out.commands.append(cmd.DestroyBridge(relay.site, relay.call, relay.bridge))

    def knows(self, channel: ChannelId) -> bool:
        """Whether a phone at a far end is one that we still want there."""
        name = naming.parse_far_channel(channel)
        return name is not None and name.leg in self._relays

    def of_phone(self, channel: ChannelId) -> Relay | None:
        """The far end at which a phone is that dialled by itself."""
        leg = self._own.get(channel)
        return self._relays[leg] if leg is not None else None

    def meet(self, leg: ChannelId, out: Output) -> None:
        """A phone that dialled by itself, and waits for it, is to be connected to its leg, as soon as that is there.

        Raises:
            KeyError: the leg has no far end.
        """
        relay = self._relays[leg]
        relay.waits = False
        self._answers(relay, out)

    def phone_left(self, channel: ChannelId, out: Output) -> None:
        """A channel has left: if it is that of such a phone, its part is over."""
        relay = self.of_phone(channel)
        if relay is not None:
            self._ends(relay, Cause.NORMAL_CLEARING, out)

    def compare(self, event: ev.SiteUp, out: Output) -> None:
        """Make the far ends at a site agree with its snapshot."""
        for relay in [relay for relay in self._relays.values() if relay.site == event.site]:
            if relay.incoming is not None:
                self._compare(relay, relay.incoming, event, out)
            elif relay.answered:  # an earlier daemon's: it had come in
                self._lose(relay, out)
        for channel in event.channels:
            name = naming.parse_far_channel(channel)
            if name is not None and not self.knows(channel):
                text = f"channel {channel} is the far end of no leg"
                out.notices.append(Notice(NoticeKind.ORPHAN_LEG, name.call, text))
                out.commands.append(cmd.Hangup(event.site, name.call, channel, Cause.NORMAL_CLEARING))
        bridges = {relay.bridge for relay in self._relays.values()}
        for bridge in sorted(event.bridges - bridges):
            call = naming.parse_far_bridge(bridge)
            if call is not None:
                out.commands.append(cmd.DestroyBridge(event.site, call, bridge))

    def _compare(self, relay: Relay, incoming: ChannelId, event: ev.SiteUp, out: Output) -> None:
        phone = event.channels.get(relay.far)
        in_doubt, relay.in_doubt = relay.in_doubt, False
        if incoming not in event.channels:
            if relay.called_at < event.requested_at:  # it was there already when we heard of it
                self._lose(relay, out)
        elif phone is None:
            if in_doubt:
                self._call_phone(relay, incoming, out)
            elif relay.called_at < event.requested_at - ev.SNAPSHOT_MARGIN:
                self._ends(relay, Cause.NOT_DEFINED, out)
        elif phone.state == "Up" or (relay.own is not None and not relay.waits):
            # What we said may not have been heard.
            relay.answered = relay.answered and {incoming, relay.far} <= event.members.get(relay.bridge, frozenset())
            self._answers(relay, out)
        elif phone.state == "Ringing":
            self._rings(relay, out)

    def _lose(self, relay: Relay, out: Output) -> None:
        """The leg is not there any more. Whether its other end knows is not sure: not so if Asterisk died here."""
        relay.left, relay.by_caller = True, not relay.over
        self._hang_up_phone(relay, out)
        out.commands.append(cmd.Hangup(relay.origin, relay.call, relay.leg, Cause.NORMAL_CLEARING))

    def _rings(self, relay: Relay, out: Output) -> None:
        if relay.incoming is not None and not (relay.rang or relay.dropped):
            relay.rang = True
            out.commands.append(cmd.Ring(relay.site, relay.call, relay.incoming))

    def _answers(self, relay: Relay, out: Output) -> None:
        if relay.incoming is not None and not (relay.answered or relay.dropped):
            relay.answered = True
            if relay.own is not None:
                out.commands.append(cmd.Answer(relay.site, relay.call, relay.own))
                out.commands.append(cmd.SetDeadMan(relay.site, relay.call, relay.own, 0.0, playing=False))
            out.commands.append(cmd.Answer(relay.site, relay.call, relay.incoming))
            out.commands.append(cmd.Connect(relay.site, relay.call, relay.bridge, relay.incoming, relay.far))

    def _ends(self, relay: Relay, cause: int, out: Output) -> None:
        """The phone's part is over: the leg is hung up from this end, with the same cause."""
        if relay.over:
            return
        relay.over, relay.cause = True, cause
        self._hang_up_incoming(relay, cause, out)

    def _hang_up_phone(self, relay: Relay, out: Output) -> None:
        if not relay.over:
            out.commands.append(cmd.Hangup(relay.site, relay.call, relay.far, Cause.NORMAL_CLEARING))

    def _hang_up_incoming(self, relay: Relay, cause: int, out: Output) -> None:
        if relay.incoming is not None:
            out.commands.append(cmd.Hangup(relay.site, relay.call, relay.incoming, _known(cause)))


def _doubt(relay: Relay | None, event: ev.RelayArrived) -> str:
    """Why who comes in is not let in; empty: he is."""
    if relay is None:
        return "it names no leg that is on its way"
    if relay.site != event.site:
        return f"that leg goes to {relay.site}"
    if relay.peer and event.endpoint != relay.peer:
        return f"that leg comes in by {relay.peer}"
    return "that leg is there already" if relay.incoming is not None else ""


def _known(cause: int) -> Cause:
    try:
        return Cause(cause)
    except ValueError:
        return Cause.NORMAL_CLEARING
