"""Between Asterisk's words and the exchange's: events in, requests out, replies back in."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Final, assert_never

import msgspec

from callrouter.ari import operations, wire
from callrouter.ari.operations import Request
from callrouter.ari.outcome import Outcome, Reply
from callrouter.ari.snapshots import Channel, Endpoint, LiveRecording
from callrouter.ari.sync import SiteSnapshot
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.causes import Cause
from callrouter.core.ids import BridgeId, CallId, ChannelId, PlaybackId, RecordingId, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.phones import PhoneSeen
from callrouter.core.supervisors import HearingMode

INBOUND = "inbound"
"""The first argument with which the dialplan sends a caller into our application."""

CODE = "switch"
"""The first argument with which it sends a phone that dialled the code of a switch; the second is the code."""

MOST_LEAVING = 10_000
"""Callers who hung up, kept until their channel leaves; beyond it the oldest are forgotten, and told of twice."""

LIFTED_S = 86_400.0
"""What a dead man's switch that is lifted is set to. Not to 0, which means never: a channel that is looking at its time
to hang up just when there comes to be none takes it for one long past, and hangs up (Asterisk 22.10)."""

_DEVICE_STATES: Mapping[cmd.Lamp, operations.DeviceState] = {
    cmd.Lamp.FREE: operations.DeviceState.NOT_IN_USE,
    cmd.Lamp.RINGING: operations.DeviceState.RINGING,
    cmd.Lamp.IN_USE: operations.DeviceState.IN_USE,
    cmd.Lamp.CLOSING: operations.DeviceState.RINGING_IN_USE,
    cmd.Lamp.HELD: operations.DeviceState.ON_HOLD,
    cmd.Lamp.OUT: operations.DeviceState.BUSY,
    cmd.Lamp.GONE: operations.DeviceState.UNAVAILABLE,
}
TRANSFERS_TO_US = {"PJSIP_TRANSFER_HANDLING()": "ari-only"}
"""Leaves it to us what becomes of a REFER from the phone (Asterisk 22.3, 20.13; an older one goes on by itself)."""

_NOT_IN_A_NUMBER = re.compile(r"[^0-9A-Za-z+*#]")
_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f\x7f"<>\\;,]')


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
            case wire.Dial(peer=peer, dialstatus=wire.DialStatus.RINGING):
                return None if _is_supervisors(peer.id) else ev.LegRang(ChannelId(peer.id))
            case wire.PlaybackFinished(playback=playback):
                return ev.PlaybackEnded(PlaybackId(playback.id))
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
            word, code = (*_arguments(channel), "", "")[:2]
            dialed_code = code if word == CODE else ""
            seen[channel_id] = ev.ChannelSeen(channel_id, channel.state, inbound, fresh, dialed_code)
        members = {BridgeId(one.id): frozenset(map(ChannelId, one.channels)) for one in snapshot.bridges}
        phones = phones_seen(snapshot.endpoints)
        return ev.SiteUp(self._site, requested_at, seen, frozenset(members), members, phones)

    def _entered(self, event: wire.StasisStart) -> ev.Event | None:
        channel = ChannelId(event.channel.id)
        if naming.parse_leg_channel(channel) is not None:
            return ev.LegAnswered(channel)
        if _is_supervisors(channel):
            return ev.SupervisorEntered(channel)
        if len(event.args) > 1 and event.args[0] == CODE:
            self._codes[channel] = None
            if len(self._codes) > MOST_LEAVING:
                del self._codes[next(iter(self._codes))]
            endpoint = event.channel.name.rpartition("-")[0]
            return ev.CodeDialed(self._site, channel, endpoint, event.args[1])
        facts = self._arrival(event.channel, event.args)
        return ev.CallArrived(self._new_call(), channel, facts) if facts is not None else None

    def _hung_up(self, event: wire.ChannelHangupRequest) -> ev.Event | None:
        """The far end hung up: to us, that is when a caller leaves.

        The channel takes a while to go, and what its going cuts short (an announcement, say) is told before it has
        gone: taken for an end of its own, that would ring a counselor's phone for nobody.
        """
        channel = ChannelId(event.channel.id)
        if naming.parse_leg_channel(channel) is not None or channel in self._codes or _is_supervisors(channel):
            return None
        is_told = self._leaving.get(channel, False)
        self._leaving[channel] = is_told or not event.soft
        if len(self._leaving) > MOST_LEAVING:
            del self._leaving[next(iter(self._leaving))]
        # A soft request is Asterisk's own (often ours), and its cause 32 is not one of Q.850.
        if event.soft or is_told:
            return None
        return ev.CallerLeft(channel, event.cause or Cause.NORMAL_CLEARING)

    def _left(self, channel: Channel) -> ev.Event | None:
        if naming.parse_leg_channel(channel.id) is not None:
            return None  # its end, with the cause, follows
        if _is_supervisors(channel.id):
            return None
        if channel.id in self._codes:
            del self._codes[channel.id]
            return ev.SupervisorLeft(ChannelId(channel.id))  # who listens by it; of others it means nothing
        is_told = self._leaving.pop(channel.id, None)
        if is_told:
            return None
        return ev.CallerLeft(ChannelId(channel.id), to_dialplan=is_told is None)

    def _arrival(self, channel: Channel, arguments: tuple[str, ...]) -> CallFacts | None:
        if not arguments or arguments[0] != INBOUND:
            return None
        return CallFacts(
            dialed=arguments[1] if len(arguments) > 1 else "",
            site=self._site,
            caller=channel.caller.number,
            caller_name=channel.caller.name,
            trunk=_endpoint(channel.name),
            diversion=channel.caller_rdnis,
            language=channel.language,
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
    return ev.LegEnded(channel, cause) if naming.parse_leg_channel(channel) is not None else None


def _is_supervisors(channel: str) -> bool:
    """Whether it is a supervisor's phone that we called, or an ear of his."""
    return naming.parse_supervisor_channel(channel) is not None or naming.parse_ear(channel) is not None


def _endpoint(channel_name: str) -> str:
    """The endpoint's name within a channel's: ``carrier`` of ``PJSIP/carrier-0000002a``."""
    return channel_name.partition("/")[2].rpartition("-")[0]


def _done_by_hand(
    event: wire.ChannelDtmfReceived | wire.ChannelHold | wire.ChannelUnhold | wire.ChannelTransfer,
) -> ev.Event | None:
    """What somebody does at a phone. Of hold and transfer, only a counselor's means something."""
    channel = event.referred_by.source_channel if isinstance(event, wire.ChannelTransfer) else event.channel
    channel_id, is_leg = ChannelId(channel.id), naming.parse_leg_channel(channel.id) is not None
    match event:
        case wire.ChannelDtmfReceived(digit=digit):
            return (ev.LegDigit if is_leg else ev.DigitPressed)(channel_id, digit)
        case _ if not is_leg:
            return None
        case wire.ChannelTransfer(state=state) if state:
            return None  # what we told the phone ourselves
        case wire.ChannelTransfer(refer_to=refer_to):
            return ev.TransferAsked(channel_id, refer_to.requested_destination.destination)
        case _:
            return ev.LegHeld(channel_id, isinstance(event, wire.ChannelHold))


def _recorded(recording: LiveRecording) -> ev.Event:
    """A recording that is over. One without a duration never was."""
    name = RecordingId(recording.name)
    if recording.duration is None:
        return ev.RecordingFailed(name, "Asterisk recorded nothing")
    talking = recording.talking_duration
    return ev.RecordingEnded(name, float(recording.duration if talking is None else talking))


class Order(msgspec.Struct, frozen=True, gc=False):
    """One request, and what its reply means to the exchange."""

    request: Request
    on_reply: Callable[[Reply], ev.Event | None] | None = None


def orders(command: cmd.AriCommand, application: str) -> tuple[Order, ...]:  # noqa: C901 - an arm for each command
    """The requests that carry out a command, in order."""
    match command:
        case cmd.Answer(channel=channel):
            return (Order(operations.answer(channel, may_block=False), _caller_gone(channel)),)
        case cmd.Ring(channel=channel):
            return (Order(operations.ring(channel)),)
        case cmd.StopRinging(channel=channel):
            return (Order(operations.stop_ringing(channel)),)
        case cmd.Play(channel=channel, playback=playback, media=media):
            return (Order(operations.play(channel, playback, media), _playback_failed(playback)),)
        case cmd.SetLanguage(channel=channel, language=language):
            return (Order(operations.set_variable(channel, "CHANNEL(language)", language, may_block=False)),)
        case cmd.StopPlayback(playback=playback):
            return (Order(operations.stop_playback(playback)),)
        case cmd.Record() | cmd.StopRecording() | cmd.AskRecording() | cmd.DeleteRecording():
            return _of_recording(command)
        case cmd.StartMusic(channel=channel, music_class=music_class):
            return (Order(operations.start_music(channel, music_class), _caller_gone(channel)),)
        case cmd.StopMusic(channel=channel):
            return (Order(operations.stop_music(channel)),)
        case cmd.SetDeadMan():
            return (_dead_man(command),)
        case cmd.Hangup(channel=channel, cause=cause):
            return (Order(operations.hang_up(channel, reason_code=cause), _hung_up(channel)),)
        case cmd.ContinueInDialplan(channel=channel, context=context, extension=extension):
            request = operations.continue_in_dialplan(channel, context=context, extension=extension, priority=1)
            return (Order(request, _caller_gone(channel)),)
        case cmd.Originate():
            return (_originate(command, application),)
        case cmd.Connect(call=call, bridge=bridge, caller=caller, leg=leg):
            add = operations.add_channels(bridge, (caller, leg), may_block=False)
            return (Order(operations.create_bridge(bridge)), Order(add, _bridged(call, bridge)))
        case cmd.JoinBridge() | cmd.LeaveBridge() | cmd.TellTransfer():
            return _of_conversation(command)
        case cmd.DestroyBridge(bridge=bridge):
            return (Order(operations.destroy_bridge(bridge)),)
        case cmd.SetLamp(device=device, shows=shows):
            return (Order(operations.set_device_state(device, _DEVICE_STATES[shows])),)
        case cmd.WatchPhones():
            return ()  # the session's own affair
        case cmd.Snoop() | cmd.Hear():
            return _of_supervision(command, application)
        case _:
            assert_never(command)


_WHISPER: Final[Mapping[HearingMode, str]] = {
    HearingMode.LISTEN: "none",
    HearingMode.WHISPER: "out",
    HearingMode.BARGE: "both",
}
"""In Asterisk's words, for a snoop channel at the counselor's leg."""


def _of_supervision(command: cmd.Snoop | cmd.Hear, application: str) -> tuple[Order, ...]:
    match command:
        case cmd.Snoop(channel=channel, ear=ear, mode=mode):
            request = operations.snoop(
                channel, ear, application=application, whisper=_WHISPER[mode], arguments="supervision"
            )
            return (Order(request, _hearing_failed(command.call, ear)),)
        case cmd.Hear(bridge=bridge, phone=phone, ear=ear):
            add = operations.add_channels(bridge, (phone, ear), may_block=False, absorb_keys=True)
            return (Order(operations.create_bridge(bridge)), Order(add, _heard(command.call, bridge)))
        case _:
            assert_never(command)


def _of_conversation(command: cmd.JoinBridge | cmd.LeaveBridge | cmd.TellTransfer) -> tuple[Order, ...]:
    match command:
        case cmd.JoinBridge(call=call, bridge=bridge, channel=channel):
            add = operations.add_channels(bridge, (channel,), may_block=False)
            return (Order(add, _joined(call, bridge)),)
        case cmd.LeaveBridge(bridge=bridge, channel=channel):
            return (Order(operations.remove_channels(bridge, (channel,))),)
        case cmd.TellTransfer(channel=channel, done=done):
            return (Order(operations.tell_transfer(channel, done=done)),)
        case _:
            assert_never(command)


def _hearing_failed(call: CallId, what: str) -> Callable[[Reply], ev.Event | None]:
    def read(reply: Reply) -> ev.Event | None:
        if reply.outcome is Outcome.DONE:
            return None
        why = f"({reply.status})" if reply.doubt is None else f"({reply.doubt})"
        return ev.HearingFailed(call, what, f"Asterisk did not let him hear {why}")

    return read


def _heard(call: CallId, bridge: BridgeId) -> Callable[[Reply], ev.Event | None]:
    failed = _hearing_failed(call, bridge)

    def read(reply: Reply) -> ev.Event | None:
        return ev.HearingJoined(call, bridge) if reply.outcome is Outcome.DONE else failed(reply)

    return read


def _of_recording(
    command: cmd.Record | cmd.StopRecording | cmd.AskRecording | cmd.DeleteRecording,
) -> tuple[Order, ...]:
    name = command.recording
    match command:
        case cmd.Record():
            request = operations.record(
                command.channel,
                name,
                max_s=math.ceil(command.max_s),
                silence_s=math.ceil(command.silence_s),
                terminate_on=command.end_key,
            )
            return (Order(request, _record_refused(command.channel, name)),)
        case cmd.StopRecording():
            return (Order(operations.stop_recording(name)),)
        case cmd.AskRecording():
            stored, live = operations.get_stored_recording(name), operations.get_live_recording(name)
            return (Order(stored, _not_stored(name)), Order(live, _not_live(name)))
        case cmd.DeleteRecording():
            return (Order(operations.delete_recording(name)),)
        case _:
            assert_never(command)


def _dead_man(command: cmd.SetDeadMan) -> Order:
    after_s = f"{command.after_s or LIFTED_S:g}"
    request = operations.set_variable(command.channel, "TIMEOUT(absolute)", after_s, may_block=command.playing)
    return Order(request, _caller_gone(command.channel))


def _originate(command: cmd.Originate, application: str) -> Order:
    request = operations.originate(
        command.channel,
        command.endpoint,
        application=application,
        arguments="agent",
        caller_id=caller_id(command.caller_name, command.caller_number),
        timeout_s=max(1, round(command.timeout_s)),
        originator=command.originator,
        variables=TRANSFERS_TO_US,
    )
    return Order(request, _originated(command.channel))


def caller_id(name: str, number: str) -> str:
    """What the counselor's phone shows, in Asterisk's form ``"name" <number>``.

    Whatever could end the name or the number early is left out: both may hold what a caller sent.
    """
    clean_name = _NOT_IN_A_NAME.sub("", name)
    clean_number = _NOT_IN_A_NUMBER.sub("", number)
    return f'"{clean_name}" <{clean_number}>'


def _originated(channel: ChannelId) -> Callable[[Reply], ev.Event | None]:
    supervisors = naming.parse_supervisor_channel(channel) is not None

    def read(reply: Reply) -> ev.Event | None:
        if supervisors:  # where it is not known whether the phone rings, time shows
            in_doubt = reply.outcome is Outcome.UNKNOWN and reply.was_sent
            return None if reply.outcome is Outcome.DONE or in_doubt else ev.SupervisorLeft(channel)
        match reply.outcome:
            case Outcome.DONE:
                return None
            case Outcome.UNKNOWN if reply.was_sent:
                return ev.LegUncertain(channel)
            case Outcome.REFUSED:
                return ev.LegRefused(channel, endpoint=reply.status >= 500)
            case _:
                return ev.LegRefused(channel, endpoint=False)

    return read


def _bridged(call: CallId, bridge: BridgeId) -> Callable[[Reply], ev.Event | None]:
    def read(reply: Reply) -> ev.Event | None:
        return ev.Bridged(call, bridge) if reply.outcome is Outcome.DONE else ev.BridgeFailed(call, bridge)

    return read


def _joined(call: CallId, bridge: BridgeId) -> Callable[[Reply], ev.Event | None]:
    """A channel that is gone (400) is told of by itself; anything else parts people who believe that they talk."""

    def read(reply: Reply) -> ev.Event | None:
        is_fine = reply.outcome in (Outcome.DONE, Outcome.GONE) or reply.status == HTTPStatus.BAD_REQUEST
        return None if is_fine else ev.BridgeFailed(call, bridge)

    return read


def _playback_failed(playback: PlaybackId) -> Callable[[Reply], ev.Event | None]:
    def read(reply: Reply) -> ev.Event | None:
        failed = reply.outcome in (Outcome.REFUSED, Outcome.CONFLICT) or not reply.was_sent
        return ev.PlaybackEnded(playback) if failed else None

    return read


def _record_refused(channel: ChannelId, recording: RecordingId) -> Callable[[Reply], ev.Event | None]:
    """Conflict means that it is in progress already, or that the caller is just leaving: both will be told."""

    def read(reply: Reply) -> ev.Event | None:
        if reply.outcome is Outcome.GONE:
            return ev.CallerLeft(channel)
        if reply.outcome is Outcome.REFUSED or reply.status == 422:
            return ev.RecordingFailed(recording, f"Asterisk refused to record ({reply.status})")
        return ev.RecordingFailed(recording, "Asterisk was not reached") if not reply.was_sent else None

    return read


def _not_stored(recording: RecordingId) -> Callable[[Reply], ev.Event | None]:
    def read(reply: Reply) -> ev.Event | None:
        if reply.outcome is not Outcome.GONE:
            return None
        return ev.RecordingFailed(recording, "Asterisk has no file of it")

    return read


def _not_live(recording: RecordingId) -> Callable[[Reply], ev.Event | None]:
    def read(reply: Reply) -> ev.Event | None:
        return ev.RecordingEnded(recording) if reply.outcome is Outcome.GONE else None

    return read


def _caller_gone(channel: ChannelId) -> Callable[[Reply], ev.Event | None]:
    """A caller's channel that Asterisk does not know has left, whether or not we were told."""

    def read(reply: Reply) -> ev.Event | None:
        return ev.CallerLeft(channel) if reply.outcome is Outcome.GONE else None

    return read


def _hung_up(channel: ChannelId) -> Callable[[Reply], ev.Event | None]:
    """A channel that is gone when we hang it up has ended, whether or not we were told."""
    ours, supervisors = naming.parse_leg_channel(channel) is not None, _is_supervisors(channel)

    def read(reply: Reply) -> ev.Event | None:
        if reply.outcome is not Outcome.GONE:
            return None
        if supervisors:
            return ev.SupervisorLeft(channel)
        return ev.LegEnded(channel, Cause.NORMAL_CLEARING) if ours else ev.CallerLeft(channel)

    return read
