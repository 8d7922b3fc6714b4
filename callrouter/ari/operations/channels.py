"""Operations on channels."""

from collections.abc import Iterable, Mapping
from typing import Final

from callrouter.ari.operations.base import Method, Operation, Request, given, json_body

_ANSWER = Operation(name="answer", method=Method.POST, path="channels/{channelId}/answer", may_block=True)
_RING = Operation(name="ring", method=Method.POST, path="channels/{channelId}/ring")
_RING_STOP = Operation(name="ringStop", method=Method.DELETE, path="channels/{channelId}/ring")
_START_MOH = Operation(name="startMoh", method=Method.POST, path="channels/{channelId}/moh", optional=("mohClass",))
_STOP_MOH = Operation(name="stopMoh", method=Method.DELETE, path="channels/{channelId}/moh")
_PLAY = Operation(
    name="play",
    method=Method.POST,
    path="channels/{channelId}/play",
    required=("media",),
    optional=("lang", "playbackId"),
)
_SET_VARIABLE = Operation(
    name="setChannelVar",
    method=Method.POST,
    path="channels/{channelId}/variable",
    required=("variable",),
    optional=("value",),
    may_block=True,
)
_GET_VARIABLE = Operation(
    name="getChannelVar", method=Method.GET, path="channels/{channelId}/variable", required=("variable",)
)
_ORIGINATE = Operation(
    name="originateWithId",
    method=Method.POST,
    path="channels/{channelId}",
    required=("endpoint",),
    optional=("app", "appArgs", "callerId", "timeout", "originator", "formats"),
    body=True,
    since=("12.2.0",),
)
_CREATE = Operation(
    name="create",
    method=Method.POST,
    path="channels/create",
    required=("endpoint", "app"),
    optional=("appArgs", "channelId", "originator", "formats"),
    body=True,
    since=("14.0.0",),
)
_DIAL = Operation(
    name="dial",
    method=Method.POST,
    path="channels/{channelId}/dial",
    optional=("caller", "timeout"),
    since=("14.0.0",),
)
_HANG_UP = Operation(
    name="hangup",
    method=Method.DELETE,
    path="channels/{channelId}",
    optional=("reason_code", "reason"),
)
_CONTINUE = Operation(
    name="continueInDialplan",
    method=Method.POST,
    path="channels/{channelId}/continue",
    optional=("context", "extension", "priority"),
)
_SNOOP = Operation(
    name="snoopChannelWithId",
    method=Method.POST,
    path="channels/{channelId}/snoop/{snoopId}",
    required=("app",),
    optional=("spy", "whisper", "appArgs"),
    since=("12.2.0",),
)
_TELL_TRANSFER = Operation(
    name="transfer_progress",
    method=Method.POST,
    path="channels/{channelId}/transfer_progress",
    required=("states",),
    since=("22.3.0", "21.8.0", "20.13.0"),
)
_LIST_CHANNELS = Operation(name="list", method=Method.GET, path="channels")
_GET_CHANNEL = Operation(name="get", method=Method.GET, path="channels/{channelId}")


def answer(channel_id: str, *, may_block: bool = True) -> Request:
    """Answer a channel. Waits behind a playback on it."""
    return _ANSWER.request(channel_id, may_block=may_block)


def ring(channel_id: str) -> Request:
    """Let the caller hear ringing."""
    return _RING.request(channel_id)


def stop_ringing(channel_id: str) -> Request:
    """Stop the ringing that :func:`ring` began."""
    return _RING_STOP.request(channel_id)


def start_music(channel_id: str, music_class: str | None = None) -> Request:
    """Start music on hold, of the default class when none is given."""
    return _START_MOH.request(channel_id, query=given(mohClass=music_class))


def stop_music(channel_id: str) -> Request:
    """Stop music on hold."""
    return _STOP_MOH.request(channel_id)


def play(channel_id: str, playback_id: str, media: Iterable[str], *, language: str | None = None) -> Request:
    """Play media URIs (``sound:…``) one after another, as one playback with our own id.

    A sound that does not exist is answered 201 all the same: the failure comes in ``PlaybackFinished``.
    """
    query = given(media=",".join(media), playbackId=playback_id, lang=language)
    return _PLAY.request(channel_id, query=query)


def set_variable(channel_id: str, variable: str, value: str, *, may_block: bool = True) -> Request:
    """Set a channel variable or function, such as ``TIMEOUT(absolute)``. Waits behind a playback."""
    return _SET_VARIABLE.request(channel_id, query=(("variable", variable), ("value", value)), may_block=may_block)


def get_variable(channel_id: str, variable: str) -> Request:
    """Read a channel variable; answers with :class:`~callrouter.ari.snapshots.Variable`, or 404."""
    return _GET_VARIABLE.request(channel_id, query=(("variable", variable),))


def originate(
    channel_id: str,
    endpoint: str,
    *,
    application: str,
    arguments: str = "",
    caller_id: str | None = None,
    timeout_s: int | None = None,
    originator: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Request:
    """Create a channel with our own id, dial ``endpoint`` and put it into ``application`` when it answers.

    ``timeout_s`` is in whole seconds (Asterisk's default is 30, -1 is for ever); ``originator`` is the channel whose
    linked id and formats the new one inherits. An endpoint that is unknown or not registered is answered 500.
    """
    query = given(
        endpoint=endpoint,
        app=application,
        appArgs=arguments or None,
        callerId=caller_id,
        timeout=timeout_s,
        originator=originator,
    )
    return _ORIGINATE.request(channel_id, query=query, body=_variables(variables))


def create(
    channel_id: str,
    endpoint: str,
    *,
    application: str,
    arguments: str = "",
    originator: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Request:
    """Create a channel without dialling it, so that it can be put into a bridge first; then :func:`dial`."""
    query = given(
        endpoint=endpoint,
        app=application,
        appArgs=arguments or None,
        channelId=channel_id,
        originator=originator,
    )
    return _CREATE.request(query=query, body=_variables(variables))


def dial(channel_id: str, *, caller: str | None = None, timeout_s: int | None = None) -> Request:
    """Dial a channel that :func:`create` made."""
    return _DIAL.request(channel_id, query=given(caller=caller, timeout=timeout_s))


def hang_up(channel_id: str, *, reason_code: int | None = None, reason: str | None = None) -> Request:
    """Hang up with a Q.850 ``reason_code``, or with a ``reason`` word such as ``busy``; not with both."""
    if reason_code is not None and reason is not None:
        raise ValueError(f"hang up {channel_id} with reason_code {reason_code} or reason {reason!r}, not with both")
    return _HANG_UP.request(channel_id, query=given(reason_code=reason_code, reason=reason))


def continue_in_dialplan(
    channel_id: str, *, context: str | None = None, extension: str | None = None, priority: int | None = None
) -> Request:
    """Let a channel leave the application and go on in the dialplan, where it stopped unless told otherwise."""
    return _CONTINUE.request(channel_id, query=given(context=context, extension=extension, priority=priority))


def snoop(channel_id: str, snoop_id: str, *, application: str, whisper: str, arguments: str = "") -> Request:
    """Make a channel that hears both sides of another, and puts it into ``application``.

    ``whisper`` says who hears what is said into it: ``none``, ``out`` (the party on the channel), ``in`` (whoever the
    channel talks to) or ``both``; that cannot be changed later. It ends when the other does.
    """
    query = given(spy="both", whisper=whisper, app=application, appArgs=arguments or None)
    return _SNOOP.request(channel_id, snoop_id, query=query)


def tell_transfer(channel_id: str, *, done: bool) -> Request:
    """Tell the phone that sent REFER how the transfer ended: 200, or 603 (RFC 3515)."""
    states = "channel_answered" if done else "channel_declined"
    return _TELL_TRANSFER.request(channel_id, query=(("states", states),))


def list_channels() -> Request:
    """All channels of this Asterisk, not only ours."""
    return _LIST_CHANNELS.request()


def get_channel(channel_id: str) -> Request:
    """One channel."""
    return _GET_CHANNEL.request(channel_id)


def _variables(variables: Mapping[str, str] | None) -> str | None:
    return json_body({"variables": dict(variables)}) if variables else None


CHANNEL_OPERATIONS: Final = (
    _ANSWER,
    _RING,
    _RING_STOP,
    _START_MOH,
    _STOP_MOH,
    _PLAY,
    _SET_VARIABLE,
    _GET_VARIABLE,
    _ORIGINATE,
    _CREATE,
    _DIAL,
    _HANG_UP,
    _CONTINUE,
    _SNOOP,
    _TELL_TRANSFER,
    _LIST_CHANNELS,
    _GET_CHANNEL,
)
