"""The ARI wire format, without any socket: bytes in, typed events and responses out; requests in, bytes out.

Everything arrives as JSON text messages on a websocket: events, and (Asterisk 20.14/22.4 and newer) the responses to
REST requests that were sent over the same socket. Source: Asterisk's own description in ``/ari/api-docs/events.json``.

:func:`decode` raises nothing but :class:`~callrouter.errors.AriProtocolError`. An event of a type that is not
declared here is no error: newer versions add types, and the event filter is a courtesy of the server.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, get_args

import msgspec

from callrouter.ari.operations.base import Request
from callrouter.ari.snapshots import Bridge, Channel, Endpoint, LiveRecording, Playback
from callrouter.errors import AriProtocolError

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Longest message taken from Asterisk. Events are about 450 bytes; only lists of thousands of channels come near."""

QUOTED_CHARACTERS: Final = 200
"""How much of an unusable message an error quotes."""


class DialStatus(StrEnum):
    """Progress and outcome of a dial; the empty word is its begin."""

    BEGUN = ""
    RINGING = "RINGING"
    PROGRESS = "PROGRESS"
    PROCEEDING = "PROCEEDING"
    ANSWER = "ANSWER"
    BUSY = "BUSY"
    NO_ANSWER = "NOANSWER"
    CANCEL = "CANCEL"
    CONGESTION = "CONGESTION"
    UNAVAILABLE = "CHANUNAVAIL"
    OTHER = "OTHER"

    @classmethod
    def _missing_(cls, value: object) -> "DialStatus | None":
        return cls.OTHER if isinstance(value, str) else None


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Any message with a ``type``; the class name is the type."""


class _Event(_Message, frozen=True, kw_only=True):
    """What all events carry. ``timestamp`` is Asterisk's clock, aware."""

    timestamp: datetime
    application: str = ""
    asterisk_id: str = ""


class StasisStart(_Event, frozen=True, kw_only=True):
    """A channel entered the application. ``args`` are those given to ``Stasis()`` after the application's name."""

    channel: Channel
    args: tuple[str, ...] = ()
    replace_channel: Channel | None = None


class StasisEnd(_Event, frozen=True, kw_only=True):
    """A channel left the application: it hung up, went on in the dialplan, or was taken over in a transfer."""

    channel: Channel


class ChannelHangupRequest(_Event, frozen=True, kw_only=True):
    """The far end of a channel asked to hang up."""

    channel: Channel
    cause: int = 0
    tech_cause: int = 0
    soft: bool = False


class ChannelUserevent(_Event, frozen=True, kw_only=True):
    """Something that somebody had Asterisk say."""

    eventname: str


class ChannelDestroyed(_Event, frozen=True, kw_only=True):
    """A channel is no more. ``cause`` is a Q.850 cause (0: Asterisk did not know)."""

    channel: Channel
    cause: int
    cause_txt: str = ""
    tech_cause: int = 0


class ChannelStateChange(_Event, frozen=True, kw_only=True):
    """A channel's state changed; the new one is in ``channel``."""

    channel: Channel


class Dial(_Event, frozen=True, kw_only=True):
    """A dial began, progressed or ended for ``peer``."""

    peer: Channel
    dialstatus: DialStatus
    caller: Channel | None = None
    dialstring: str = ""
    forward: str = ""
    forwarded: Channel | None = None


class ChannelDtmfReceived(_Event, frozen=True, kw_only=True):
    """A key was pressed."""

    channel: Channel
    digit: str
    duration_ms: int = 0


class RequiredDestination(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a phone wants to transfer a call to: a number, or (``protocol_id``) the SIP call that is to be replaced."""

    protocol_id: str = ""
    destination: str = ""


class ReferTo(msgspec.Struct, frozen=True, kw_only=True):
    """The target of a transfer; ``destination_channel`` is the phone's other call, ``connected_channel`` its peer."""

    requested_destination: RequiredDestination
    destination_channel: Channel | None = None
    connected_channel: Channel | None = None


class ReferredBy(msgspec.Struct, frozen=True, kw_only=True):
    """The channel whose phone wants the transfer."""

    source_channel: Channel


class ChannelHold(_Event, frozen=True, kw_only=True):
    """The phone at a channel put the other side on hold."""

    channel: Channel


class ChannelUnhold(_Event, frozen=True, kw_only=True):
    """The phone at a channel took the other side back."""

    channel: Channel


class ChannelTransfer(_Event, frozen=True, kw_only=True):
    """A phone sent REFER on a channel whose transfers are left to us (RFC 3515, RFC 3891).

    Sent again for each progress that we report, with ``state``.
    """

    refer_to: ReferTo
    referred_by: ReferredBy
    state: str = ""


class PlaybackStarted(_Event, frozen=True, kw_only=True):
    """A playback began to sound."""

    playback: Playback


class PlaybackFinished(_Event, frozen=True, kw_only=True):
    """A playback ended: played, stopped, or failed (see its ``state``)."""

    playback: Playback


class RecordingFinished(_Event, frozen=True, kw_only=True):
    """A recording is over, however it ended."""

    recording: LiveRecording


class RecordingFailed(_Event, frozen=True, kw_only=True):
    """A recording failed; ``cause`` says why, if Asterisk knows."""

    recording: LiveRecording


class BridgeDestroyed(_Event, frozen=True, kw_only=True):
    """A bridge is no more."""

    bridge: Bridge


class ChannelEnteredBridge(_Event, frozen=True, kw_only=True):
    """A channel joined a bridge."""

    bridge: Bridge
    channel: Channel | None = None


class ChannelLeftBridge(_Event, frozen=True, kw_only=True):
    """A channel left a bridge."""

    bridge: Bridge
    channel: Channel


class BridgeBlindTransfer(_Event, frozen=True, kw_only=True):
    """A party of a bridge sent the other elsewhere without asking first."""

    channel: Channel
    result: str
    exten: str = ""
    context: str = ""
    is_external: bool = False
    transferee: Channel | None = None
    replace_channel: Channel | None = None
    bridge: Bridge | None = None


class BridgeAttendedTransfer(_Event, frozen=True, kw_only=True):
    """A party joined the two calls that it held."""

    transferer_first_leg: Channel
    transferer_second_leg: Channel
    result: str
    destination_type: str = ""
    is_external: bool = False
    transferee: Channel | None = None
    transfer_target: Channel | None = None
    replace_channel: Channel | None = None
    destination_bridge: str = ""
    destination_application: str = ""


class EndpointStateChange(_Event, frozen=True, kw_only=True):
    """A phone or trunk came or went, or a channel of it did."""

    endpoint: Endpoint


class ApplicationReplaced(_Event, frozen=True, kw_only=True):
    """Another websocket took the application. This one stays open, and silent for ever."""


class RESTResponse(_Message, frozen=True, kw_only=True):
    """Response to a request that was sent over the websocket."""

    request_id: str
    status_code: int
    reason_phrase: str = ""
    uri: str = ""
    transaction_id: str = ""
    content_type: str = ""
    message_body: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """A message of a type that the daemon has no use for."""

    type: str


Event = (
    StasisStart
    | StasisEnd
    | ChannelHangupRequest
    | ChannelUserevent
    | ChannelDestroyed
    | ChannelStateChange
    | Dial
    | ChannelDtmfReceived
    | ChannelHold
    | ChannelUnhold
    | ChannelTransfer
    | PlaybackStarted
    | PlaybackFinished
    | RecordingFinished
    | RecordingFailed
    | BridgeDestroyed
    | ChannelEnteredBridge
    | ChannelLeftBridge
    | BridgeBlindTransfer
    | BridgeAttendedTransfer
    | EndpointStateChange
    | ApplicationReplaced
)

EVENT_TYPES: Final[tuple[type[_Event], ...]] = get_args(Event)

_TYPE_NAMES: Final = frozenset({*(event.__name__ for event in EVENT_TYPES), RESTResponse.__name__})


class _Envelope(msgspec.Struct, frozen=True):
    type: str


class _RestRequest(_Message, frozen=True, kw_only=True, tag="RESTRequest", omit_defaults=True):
    request_id: str
    method: str
    uri: str
    query_strings: list[dict[str, str]] = []
    content_type: str = ""
    message_body: str = ""


_decoder: Final[msgspec.json.Decoder[Event | RESTResponse]] = msgspec.json.Decoder(Event | RESTResponse)
_envelope_decoder: Final = msgspec.json.Decoder(_Envelope)
_encoder: Final = msgspec.json.Encoder()


def decode(data: bytes | str) -> Event | RESTResponse | Unknown:
    """Read one message from Asterisk.

    Raises :class:`AriProtocolError` for a message that is too long, is not JSON, or does not have the fields that
    its type must have; the message is quoted in part.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise _unusable(data, f"{len(data)} long, more than {MAX_MESSAGE_BYTES}")
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        return _decode_untyped(data, error)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _unusable(data, str(error)) from error


def _decode_untyped(data: bytes | str, why: msgspec.ValidationError) -> Unknown:
    """Tell a type that we do not know from a known type with wrong fields."""
    try:
        envelope = _envelope_decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _unusable(data, str(error)) from error
    if envelope.type in _TYPE_NAMES:
        raise _unusable(data, str(why)) from why
    return Unknown(envelope.type[:QUOTED_CHARACTERS])


def _unusable(data: bytes | str, why: str) -> AriProtocolError:
    head = data[: 4 * QUOTED_CHARACTERS]
    text = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
    reason, quote = why[:QUOTED_CHARACTERS], text[:QUOTED_CHARACTERS]
    return AriProtocolError(f"Asterisk sent a message that is not ARI ({reason}): {quote!r}")


def encode_request(request_id: str, request: Request) -> bytes:
    """Write a REST request for the websocket, as the UTF-8 bytes of one text message.

    The path must have no leading ``/ari/`` (Asterisk answers 405); it is percent-encoded, query values are not.
    """
    body = request.body
    return _encoder.encode(
        _RestRequest(
            request_id=request_id,
            method=request.method,
            uri=request.path,
            query_strings=[{"name": name, "value": value} for name, value in request.query],
            content_type="" if body is None else "application/json",
            message_body="" if body is None else body,
        )
    )
