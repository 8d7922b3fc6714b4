"""The exchange's commands as requests to Asterisk, and what its replies mean."""

import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, assert_never

import msgspec

from callrouter.ari import operations
from callrouter.ari.operations import Request
from callrouter.ari.outcome import Outcome, Reply
from callrouter.core import commands as cmd
from callrouter.core import dial_string, naming
from callrouter.core import events as ev
from callrouter.core.causes import Cause
from callrouter.core.ids import BridgeId, CallId, ChannelId, PlaybackId, RecordingId
from callrouter.core.supervisors import HearingMode

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

RELAY_HEADER = "PJSIP_HEADER(add,X-Callrouter-Leg)"
"""Names a leg to the site that it leads to; the dialplan there hands it to us from trunks between sites alone."""

HOPS_HEADER = "PJSIP_HEADER(add,X-Callrouter-Hops)"
"""Tells how often a call has gone out, and which leg it is: the dialplan hands it back to us with what comes in."""


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
        case cmd.AskPlayback(playback=playback):
            return (Order(operations.get_playback(playback), _not_playing(playback)),)
        case cmd.Record() | cmd.StopRecording() | cmd.AskRecording() | cmd.DeleteRecording():
            return _of_recording(command)
        case cmd.RecordTalk() | cmd.MuteRecording():
            return (_of_talk(command),)
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
            asked = _RecordingAsked(name)
            live, stored = operations.get_live_recording(name), operations.get_stored_recording(name)
            return (Order(live, asked.live), Order(stored, asked.stored))
        case cmd.DeleteRecording():
            return (Order(operations.delete_recording(name)),)
        case _:
            assert_never(command)


def _of_talk(command: cmd.RecordTalk | cmd.MuteRecording) -> Order:
    name = command.recording
    match command:
        case cmd.RecordTalk(bridge=bridge):
            return Order(operations.record_bridge(bridge, name), _talk_refused(name))
        case cmd.MuteRecording(muted=muted):
            return Order(operations.mute_recording(name, muted=muted), _not_muted(name, muted=muted))
        case _:
            assert_never(command)


def _dead_man(command: cmd.SetDeadMan) -> Order:
    after_s = f"{command.after_s or LIFTED_S:g}"
    request = operations.set_variable(command.channel, "TIMEOUT(absolute)", after_s, may_block=command.playing)
    return Order(request, _caller_gone(command.channel))


def _originate(command: cmd.Originate, application: str) -> Order:
    request = operations.originate(
        command.channel,
        dial_string.endpoint(command.endpoint),
        application=application,
        arguments="agent",
        caller_id=caller_id(command.caller_name, command.caller_number),
        timeout_s=max(1, round(command.timeout_s)),
        originator=command.originator or None,
        variables={**TRANSFERS_TO_US, **_headers(command)},
    )
    return Order(request, _originated(command.channel))


def _headers(command: cmd.Originate) -> Mapping[str, str]:
    headers = {RELAY_HEADER: command.relay, HOPS_HEADER: command.hops}
    return {name: value for name, value in headers.items() if value}


def caller_id(name: str, number: str) -> str:
    """What the counselor's phone shows, in Asterisk's form ``"name" <number>``; both may hold what a caller sent."""
    return f'"{dial_string.shown_name(name)}" <{dial_string.shown_number(number)}>'


def _originated(channel: ChannelId) -> Callable[[Reply], ev.Event | None]:
    is_line = naming.is_line_leg(channel)
    is_no_offer = is_line or naming.parse_supervisor_channel(channel) is not None

    def read(reply: Reply) -> ev.Event | None:
        if is_no_offer:  # where it is not known whether the phone rings, time shows
            in_doubt = reply.outcome is Outcome.UNKNOWN and reply.was_sent
            is_there = reply.outcome is Outcome.DONE or in_doubt
            return None if is_there else ev.LineParted(channel) if is_line else ev.SupervisorLeft(channel)
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
        return ev.PlaybackEnded(playback, failed=True) if failed else None

    return read


def _not_playing(playback: PlaybackId) -> Callable[[Reply], ev.Event | None]:
    def read(reply: Reply) -> ev.Event | None:
        return ev.PlaybackEnded(playback, unknown=True) if reply.outcome is Outcome.GONE else None

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


def _talk_refused(recording: RecordingId) -> Callable[[Reply], ev.Event | None]:
    """Conflict means that it is in progress already: an earlier daemon began it, or we did, and did not hear so."""

    def read(reply: Reply) -> ev.Event | None:
        if reply.doubt is not None:
            return None if reply.was_sent else ev.RecordingFailed(recording, "Asterisk was not reached")
        is_fine = reply.outcome is Outcome.DONE or reply.status == HTTPStatus.CONFLICT
        return None if is_fine else ev.RecordingFailed(recording, f"Asterisk refused to record ({reply.status})")

    return read


def _not_muted(recording: RecordingId, *, muted: bool) -> Callable[[Reply], ev.Event | None]:
    """What is over (404) is told of by itself, and has heard nothing since."""

    def read(reply: Reply) -> ev.Event | None:
        if reply.outcome in (Outcome.DONE, Outcome.GONE):
            return None
        why = f"({reply.status})" if reply.doubt is None else f"({reply.doubt})"
        return ev.MuteFailed(recording, muted, f"Asterisk did not do it {why}")

    return read


class _RecordingAsked:
    """What the two answers about a recording mean together.

    It is known from the order to record on, but has a file only when the channel has come to it. So whether there is a
    file says something of those alone that are not going on.
    """

    def __init__(self, recording: RecordingId) -> None:
        self._recording = recording
        self._is_over = False

    def live(self, reply: Reply) -> None:
        """The answer that comes first: whether it is going on."""
        self._is_over = reply.outcome is Outcome.GONE

    def stored(self, reply: Reply) -> ev.Event | None:
        """Whether there is a file."""
        if self._is_over and reply.outcome is Outcome.GONE:
            return ev.RecordingFailed(self._recording, "Asterisk has no file of it")
        return ev.RecordingEnded(self._recording) if self._is_over and reply.outcome is Outcome.DONE else None


def _caller_gone(channel: ChannelId) -> Callable[[Reply], ev.Event | None]:
    """A caller's channel that Asterisk does not know has left, whether or not we were told."""

    def read(reply: Reply) -> ev.Event | None:
        return ev.CallerLeft(channel) if reply.outcome is Outcome.GONE else None

    return read


def _hung_up(channel: ChannelId) -> Callable[[Reply], ev.Event | None]:
    """A channel that is gone when we hang it up has ended, whether or not we were told."""
    ours, supervisors = naming.is_phone(channel), naming.is_of_supervisor(channel)

    def read(reply: Reply) -> ev.Event | None:
        if reply.outcome is not Outcome.GONE:
            return None
        if supervisors:
            return ev.SupervisorLeft(channel)
        if naming.is_line_leg(channel):
            return ev.LineParted(channel)
        return ev.LegEnded(channel, Cause.NORMAL_CLEARING) if ours else ev.CallerLeft(channel)

    return read
