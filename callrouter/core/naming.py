"""The ids that we give to channels, bridges, playbacks and recordings.

An id says which call it belongs to, so that a daemon that starts anew knows its own legs among Asterisk's channels.
Bridge ids are never used twice: Asterisk mixes up bridges that are.
"""

import re
import uuid
from dataclasses import dataclass
from hashlib import blake2b

from callrouter.core.ids import BridgeId, CallId, ChannelId, PlaybackId, RecordingId

_LEG = re.compile(
    r"callrouter-(?P<call>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-leg-(?P<attempt>[0-9]{1,9})"
)
_BRIDGE = re.compile(
    r"callrouter-(?P<call>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-bridge-[0-9]{1,9}"
)
_RECORDING = re.compile(
    r"callrouter-(?P<call>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-(?P<kind>message|talk)-[0-9]{1,9}"
)

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NEAR = re.compile(rf"callrouter-(?P<call>{_UUID})-(?P<kind>leg|supervisor|line)-(?P<number>[0-9]{{1,9}})")
_FAR = re.compile(rf"callrouter-(?P<call>{_UUID})-far-(?:(?P<kind>supervisor|line)-)?(?P<number>[0-9]{{1,9}})")
_FAR_BRIDGE = re.compile(rf"callrouter-(?P<call>{_UUID})-far-bridge-(?:(?:supervisor|line)-)?[0-9]{{1,9}}")
_SUPERVISOR = re.compile(rf"callrouter-(?P<call>{_UUID})-supervisor-[0-9]{{1,9}}")
_EAR = re.compile(rf"callrouter-(?P<call>{_UUID})-ear-(?P<number>[0-9]{{1,9}})-(?P<turn>[0-9]{{1,9}})")
_HEARING = re.compile(rf"callrouter-(?P<call>{_UUID})-hearing-[0-9]{{1,9}}-[0-9]{{1,9}}")


@dataclass(frozen=True, slots=True)
class LegName:
    """Which call and which attempt a leg's channel id stands for."""

    call: CallId
    attempt: int


@dataclass(frozen=True, slots=True)
class FarName:
    """Which call, and which of its legs between sites, the id of a channel at the far end stands for."""

    call: CallId
    leg: ChannelId


@dataclass(frozen=True, slots=True)
class EarName:
    """Which call, supervision and turn an ear's channel id stands for."""

    call: CallId
    number: int
    turn: int


def leg_channel(call: CallId, attempt: int) -> ChannelId:
    """The channel id of the leg for the call's ``attempt``-th offer."""
    return ChannelId(f"callrouter-{call}-leg-{attempt}")


def parse_leg_channel(channel: str) -> LegName | None:
    """What a channel id of ours stands for, or None if the id is not ours."""
    match = _LEG.fullmatch(channel)
    return LegName(CallId(match["call"]), int(match["attempt"])) if match else None


def line_leg(call: CallId, number: int) -> ChannelId:
    """The channel id of the leg to a counselor's second line at another site, the call's ``number``-th."""
    return ChannelId(f"callrouter-{call}-line-{number}")


def is_line_leg(channel: str) -> bool:
    """Whether it is such a leg."""
    match = _NEAR.fullmatch(channel)
    return match is not None and match["kind"] == "line"


def far_channel(leg: ChannelId) -> ChannelId:
    """The channel id of the phone at another site that a leg of ours leads to: a counselor's, or a supervisor's.

    Raises:
        ValueError: the leg is none of ours.
    """
    return ChannelId(_at_far_end(leg, "far"))


def parse_far_channel(channel: str) -> FarName | None:
    """What such a phone's channel id stands for, or None if the id is not of that kind."""
    match = _FAR.fullmatch(channel)
    if match is None:
        return None
    leg = ChannelId(f"callrouter-{match['call']}-{match['kind'] or 'leg'}-{match['number']}")
    return FarName(CallId(match["call"]), leg)


def far_bridge(leg: ChannelId) -> BridgeId:
    """The id of the bridge at another site in which a leg of ours meets its phone.

    Raises:
        ValueError: the leg is none of ours.
    """
    return BridgeId(_at_far_end(leg, "far-bridge"))


def _at_far_end(leg: ChannelId, what: str) -> str:
    match = _NEAR.fullmatch(leg)
    if match is None:
        raise ValueError(f"{leg} is no leg of ours")
    kind = "" if match["kind"] == "leg" else f"{match['kind']}-"
    return f"callrouter-{match['call']}-{what}-{kind}{match['number']}"


def parse_far_bridge(bridge_id: str) -> CallId | None:
    """The call that such a bridge belongs to, or None if the id is not of that kind."""
    match = _FAR_BRIDGE.fullmatch(bridge_id)
    return CallId(match["call"]) if match else None


def is_phone(channel: str) -> bool:
    """Whether it is a channel by which we called somebody: a leg, or the phone at its far end."""
    return parse_leg_channel(channel) is not None or parse_far_channel(channel) is not None


def nobody(call: CallId) -> ChannelId:
    """Stands for the channel of a resident who is to be called back, while there is none; Asterisk never sees it."""
    return ChannelId(f"callrouter-{call}-nobody")


def call_back(call: CallId) -> CallId:
    """The id of the call that will be made because it was asked for in ``call``: always the same, and as old by its id.

    So whoever finds out a second time that it was asked for opens no second one.
    """
    asked = uuid.UUID(call)
    lot = int.from_bytes(blake2b(f"{asked} called back".encode(), digest_size=10).digest())
    rest = (7 << 76) | (((lot >> 62) & 0xFFF) << 64) | (2 << 62) | (lot & ((1 << 62) - 1))
    return CallId(str(uuid.UUID(int=(asked.int >> 80 << 80) | rest)))


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


def talk_recording(call: CallId, number: int) -> RecordingId:
    """The name of the call's ``number``-th recording of a conversation."""
    return RecordingId(f"callrouter-{call}-talk-{number}")


def is_of_talk(recording_id: str) -> bool:
    """Whether it is the recording of a conversation, and no message."""
    match = _RECORDING.fullmatch(recording_id)
    return match is not None and match["kind"] == "talk"


def supervisor_channel(call: CallId, number: int) -> ChannelId:
    """The channel id of the supervisor's phone in the call's ``number``-th supervision."""
    return ChannelId(f"callrouter-{call}-supervisor-{number}")


def parse_supervisor_channel(channel: str) -> CallId | None:
    """The call that a supervisor whom we called listens to, or None if the id is not of that kind."""
    match = _SUPERVISOR.fullmatch(channel)
    return CallId(match["call"]) if match else None


def ear(call: CallId, number: int, turn: int) -> ChannelId:
    """The channel id of what the ``number``-th supervision hears the counselor's leg by, in its ``turn``-th mode."""
    return ChannelId(f"callrouter-{call}-ear-{number}-{turn}")


def parse_ear(channel: str) -> EarName | None:
    """What an ear's channel id stands for, or None if the id is not of that kind."""
    match = _EAR.fullmatch(channel)
    return EarName(CallId(match["call"]), int(match["number"]), int(match["turn"])) if match else None


def hearing(call: CallId, number: int, turn: int) -> BridgeId:
    """The id of the bridge in which a supervisor meets that ear."""
    return BridgeId(f"callrouter-{call}-hearing-{number}-{turn}")


def parse_hearing(bridge_id: str) -> CallId | None:
    """The call that such a bridge belongs to, or None if the id is not of that kind."""
    match = _HEARING.fullmatch(bridge_id)
    return CallId(match["call"]) if match else None


def is_of_supervisor(channel: str) -> bool:
    """Whether it is a supervisor's phone that we called, or an ear of his."""
    return parse_supervisor_channel(channel) is not None or parse_ear(channel) is not None
