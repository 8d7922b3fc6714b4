"""What Asterisk says, in the exchange's words: events, and the snapshot of a site."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from callrouter.ari import wire
from callrouter.ari.snapshots import Channel, Endpoint, LiveRecording, PlaybackState
from callrouter.ari.sync import MissedChannel, SiteSnapshot
from callrouter.core import events as ev
from callrouter.core import loops, naming
from callrouter.core.causes import Cause
from callrouter.core.dial_string import legible
from callrouter.core.ids import BridgeId, CallId, ChannelId, PlaybackId, RecordingId, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.phones import PhoneSeen

INBOUND = "inbound"
"""The first argument with which the dialplan sends a caller into our application; then the number that was dialled,
and the header by which a call of ours that comes back is known."""

CODE = "switch"
"""The first argument with which it sends a phone that dialled the code of a switch; the second is the code."""

RELAY = "relay"
"""The first argument with which it sends in a leg from another site; the second is the word that names it."""
LINE = "line"
FROM_DIALPLAN = frozenset({INBOUND, CODE, RELAY, LINE})
"""The first argument with which it sends a phone that dialled of its own accord; the second is what it dialled."""

MOST_LEAVING = 10_000
"""Callers who hung up, kept until their channel leaves; beyond it the oldest are forgotten, and told of twice."""


class EventReader:
    """Turns one site's messages into events of the exchange.

    ``new_call`` makes an id for each caller who comes in.
    """

    def __init__(self, site: SiteName, application: str, new_call: Callable[[], CallId]) -> None:
        self._site = site
        self._application = application
        self._new_call = new_call
        self._leaving: dict[str, bool] = {}
        """Channels that are hanging up; whether the exchange knows."""
        self._relays: dict[str, None] = {}
        """Legs that came in from another site, until they leave."""
        self._codes: dict[str, None] = {}
        """Phones that dialled a code and have not left yet: no callers, and their leaving means nothing."""

    def read(self, event: wire.Event) -> ev.Event | None:
        """The exchange's event, or None for a message that means nothing to it."""
        match event:
            case wire.StasisStart():
                return self._entered(event)
            case wire.StasisEnd(channel=channel):
                return self._left(channel)
            case wire.ChannelHangupRequest():
                return self._hung_up(event)
            case wire.ChannelDestroyed(channel=channel, cause=cause):
                self._leaving.pop(channel.id, None)
                return _ended(ChannelId(channel.id), cause)
            case wire.Dial(peer=peer, dialstatus=wire.DialStatus.RINGING | wire.DialStatus.PROGRESS):
                # Public networks often say nothing of ringing, and let it be heard (183): somebody has the call.
                is_no_offer = naming.is_of_supervisor(peer.id) or naming.is_line_leg(peer.id)
                return None if is_no_offer else ev.LegRang(ChannelId(peer.id))
            case wire.PlaybackFinished(playback=playback):
                return ev.PlaybackEnded(PlaybackId(playback.id), failed=playback.state is PlaybackState.FAILED)
            case wire.RecordingFinished(recording=recording):
                return _recorded(recording)
            case wire.RecordingFailed(recording=recording):
                return ev.RecordingFailed(RecordingId(recording.name), recording.cause or "Asterisk gives no reason")
            case wire.ChannelDtmfReceived() | wire.ChannelHold() | wire.ChannelUnhold() | wire.ChannelTransfer():
                return _done_by_hand(event)
            case _:
                return None

    def site_up(self, snapshot: SiteSnapshot, requested_at: datetime) -> ev.SiteUp:
        """The snapshot as the exchange compares it; ``requested_at`` by the exchange's clock."""
        seen = {}
        for channel in (*snapshot.channels, *snapshot.legs):
            inbound = self._arrival(channel, _arguments(channel))
            fresh = self._new_call() if inbound is not None else None
            channel_id = ChannelId(channel.id)
            word, value = (*_arguments(channel), "", "")[:2]
            dialed_code, relay = (value if word == kind else "" for kind in (CODE, RELAY))
            if relay:
                self._relays[channel_id] = None
            line = self._line(channel, value) if word == LINE and value else None
            endpoint = _endpoint(channel.name)
            waited_s = snapshot.waits.get(channel.id, 0.0)
            seen[channel_id] = ev.ChannelSeen(
                channel_id, channel.state, inbound, fresh, dialed_code, line, relay, endpoint, waited_s
            )
        members = {BridgeId(one.id): frozenset(map(ChannelId, one.channels)) for one in snapshot.bridges}
        phones = phones_seen(snapshot.endpoints)
        missed = tuple(self._missed(snapshot.missed))
        return ev.SiteUp(self._site, requested_at, seen, frozenset(members), members, phones, missed)

    def _missed(self, channels: Iterable[MissedChannel]) -> Iterator[ev.CallMissed]:
        """Of callers; a code or a number that a phone dialled in vain is nothing."""
        for one in channels:
            facts = self._arrival(one.channel, one.args)
            if facts is not None:
                call, channel = self._new_call(), ChannelId(one.channel.id)
                went = not one.hung_up
                yield ev.CallMissed(call, channel, facts, one.came_s, one.went_s, one.cause, to_dialplan=went)

    def _entered(self, event: wire.StasisStart) -> ev.Event | None:
        channel = ChannelId(event.channel.id)
        if naming.is_phone(channel):
            return ev.LegAnswered(channel)
        if naming.is_of_supervisor(channel):
            return ev.SupervisorEntered(channel)
        if naming.is_line_leg(channel):
            return ev.LineLinked(channel)
        if event.args[:1] == (RELAY,):
            self._relays[channel] = None
            token = event.args[1] if len(event.args) > 1 else ""
            return ev.RelayArrived(self._site, channel, _endpoint(event.channel.name), token)
        if len(event.args) > 1 and event.args[0] == CODE:
            self._codes[channel] = None
            if len(self._codes) > MOST_LEAVING:
                del self._codes[next(iter(self._codes))]
            endpoint = event.channel.name.rpartition("-")[0]
            return ev.CodeDialed(self._site, channel, endpoint, event.args[1])
        if len(event.args) > 1 and event.args[0] == LINE:
            return self._line(event.channel, event.args[1])
        facts = self._arrival(event.channel, event.args)
        return ev.CallArrived(self._new_call(), channel, facts) if facts is not None else None

    def _hung_up(self, event: wire.ChannelHangupRequest) -> ev.Event | None:
        """The far end hung up: to us, that is when a caller leaves.

        The channel takes a while to go, and what its going cuts short (an announcement, say) is told before it has
        gone: taken for an end of its own, that would ring a counselor's phone for nobody.
        """
        channel = ChannelId(event.channel.id)
        if naming.is_phone(channel) or channel in self._codes or naming.is_of_supervisor(channel):
            return None
        if channel in self._relays or naming.is_line_leg(channel):
            return None
        is_told = self._leaving.get(channel, False)
        self._leaving[channel] = is_told or not event.soft
        if len(self._leaving) > MOST_LEAVING:
            del self._leaving[next(iter(self._leaving))]
        # A soft request is Asterisk's own (often ours), and its cause 32 is not one of Q.850.
        if event.soft or is_told:
            return None
        return ev.CallerLeft(channel, event.cause or Cause.NORMAL_CLEARING, site=self._site)

    def _left(self, channel: Channel) -> ev.Event | None:
        if naming.is_phone(channel.id):
            return None  # its end, with the cause, follows
        if channel.id in self._relays:
            del self._relays[channel.id]
            return ev.RelayLeft(ChannelId(channel.id))
        if naming.is_of_supervisor(channel.id) or naming.is_line_leg(channel.id):
            return None
        if channel.id in self._codes:
            del self._codes[channel.id]
            return ev.SupervisorLeft(ChannelId(channel.id))  # who listens by it; of others it means nothing
        is_told = self._leaving.pop(channel.id, None)
        if is_told:
            return None
        return ev.CallerLeft(ChannelId(channel.id), to_dialplan=is_told is None, site=self._site)

    def _line(self, channel: Channel, number: str) -> ev.LineDialed:
        return ev.LineDialed(self._site, ChannelId(channel.id), channel.name.rpartition("-")[0], number)

    def _arrival(self, channel: Channel, arguments: tuple[str, ...]) -> CallFacts | None:
        if not arguments or arguments[0] != INBOUND:
            return None
        dialed, header = (*arguments[1:], "", "")[:2]
        hops, word = loops.read_header(header)
        return CallFacts(
            dialed=legible(dialed),
            site=self._site,
            caller=legible(channel.caller.number),
            caller_name=legible(channel.caller.name),
            trunk=_endpoint(channel.name),
            diversion=legible(channel.caller_rdnis),
            language=channel.language,
            hops=hops,
            word=word,
        )


def phones_seen(endpoints: Iterable[Endpoint]) -> Mapping[str, PhoneSeen]:
    """How phones are, by what Asterisk dials. One whose driver does not tell is taken for one that is there."""
    return {
        endpoint.dialed: PhoneSeen(endpoint.state != "offline", tuple(map(ChannelId, endpoint.channel_ids)))
        for endpoint in endpoints
    }


def _arguments(channel: Channel) -> tuple[str, ...]:
    """The arguments that a channel in ``Stasis()`` was given after the application's name."""
    return tuple(channel.dialplan.app_data.split(",")[1:]) if channel.dialplan.app_name == "Stasis" else ()


def _ended(channel: ChannelId, cause: int) -> ev.Event | None:
    """A channel is no more: of those of callers we have been told before."""
    if naming.parse_supervisor_channel(channel) is not None:
        return ev.SupervisorLeft(channel)
    if naming.is_line_leg(channel):
        return ev.LineParted(channel)
    return ev.LegEnded(channel, cause) if naming.is_phone(channel) else None


def _endpoint(channel_name: str) -> str:
    """The endpoint's name within a channel's: ``carrier`` of ``PJSIP/carrier-0000002a``."""
    return channel_name.partition("/")[2].rpartition("-")[0]


def _done_by_hand(
    event: wire.ChannelDtmfReceived | wire.ChannelHold | wire.ChannelUnhold | wire.ChannelTransfer,
) -> ev.Event | None:
    """What somebody does at a phone. Of hold and transfer, only a counselor's means something."""
    channel = event.referred_by.source_channel if isinstance(event, wire.ChannelTransfer) else event.channel
    channel_id, is_leg = ChannelId(channel.id), naming.is_phone(channel.id)
    match event:
        case wire.ChannelDtmfReceived(digit=digit):
            return (ev.LegDigit if is_leg else ev.DigitPressed)(channel_id, digit)
        case wire.ChannelTransfer(state=state) if state:
            return None  # what we told the phone ourselves
        case wire.ChannelTransfer(refer_to=refer_to):
            return ev.TransferAsked(channel_id, refer_to.requested_destination.destination, _replaced(refer_to))
        case _ if not is_leg:
            return None
        case _:
            return ev.LegHeld(channel_id, isinstance(event, wire.ChannelHold))


def _replaced(refer_to: wire.ReferTo) -> ChannelId | None:
    """The other call of the phone that is to be replaced; empty if Asterisk does not know it."""
    if not refer_to.requested_destination.protocol_id:
        return None
    return ChannelId(refer_to.destination_channel.id if refer_to.destination_channel is not None else "")


def _recorded(recording: LiveRecording) -> ev.Event:
    """A recording that is over. One without a duration never was."""
    name = RecordingId(recording.name)
    if recording.duration is None:
        return ev.RecordingFailed(name, "Asterisk recorded nothing")
    talking = recording.talking_duration
    return ev.RecordingEnded(name, float(recording.duration if talking is None else talking))
