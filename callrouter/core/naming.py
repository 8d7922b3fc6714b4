"""The ids that we give to channels, bridges, playbacks and recordings.

An id says which call it belongs to, so that a daemon that starts anew knows its own legs among Asterisk's channels.
Bridge ids are never used twice: Asterisk mixes up bridges that are.
"""

import re
from dataclasses import dataclass

from callrouter.core.ids import BridgeId, CallId, ChannelId, PlaybackId, RecordingId

_LEG = re.compile(
    r"callrouter-(?P<call>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-leg-(?P<attempt>[0-9]{1,9})"
)
_BRIDGE = re.compile(
    r"callrouter-(?P<call>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-bridge-[0-9]{1,9}"
)
_RECORDING = re.compile(
    r"callrouter-(?P<call>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-message-[0-9]{1,9}"
)


@dataclass(frozen=True, slots=True)
class LegName:
    """Which call and which attempt a leg's channel id stands for."""

    call: CallId
    attempt: int


def leg_channel(call: CallId, attempt: int) -> ChannelId:
    """The channel id of the leg for the call's ``attempt``-th offer."""
    return ChannelId(f"callrouter-{call}-leg-{attempt}")


def parse_leg_channel(channel: str) -> LegName | None:
    """What a channel id of ours stands for, or None if the id is not ours."""
    match = _LEG.fullmatch(channel)
    return LegName(CallId(match["call"]), int(match["attempt"])) if match else None


def bridge(call: CallId, number: int) -> BridgeId:
    """The id of the call's ``number``-th bridge."""
    return BridgeId(f"callrouter-{call}-bridge-{number}")


def parse_bridge(bridge_id: str) -> CallId | None:
    """The call that a bridge id of ours belongs to, or None if the id is not ours."""
    match = _BRIDGE.fullmatch(bridge_id)
    return CallId(match["call"]) if match else None


def playback(call: CallId, number: int) -> PlaybackId:
    """The id of the call's ``number``-th announcement."""
    return PlaybackId(f"callrouter-{call}-play-{number}")


def parse_playback(playback_id: str) -> CallId | None:
    """The call that a playback id of ours belongs to, or None if the id is not ours."""
    head, separator, _ = playback_id.rpartition("-play-")
    return CallId(head.removeprefix("callrouter-")) if separator and head.startswith("callrouter-") else None


def recording(call: CallId, number: int) -> RecordingId:
    """The name of the call's ``number``-th message."""
    return RecordingId(f"callrouter-{call}-message-{number}")


def parse_recording(recording_id: str) -> CallId | None:
    """The call that a recording of ours belongs to, or None if the name is not ours."""
    match = _RECORDING.fullmatch(recording_id)
    return CallId(match["call"]) if match else None
