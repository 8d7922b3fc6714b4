"""Operations on recordings: those in progress, and those that Asterisk keeps in its store."""

from typing import Final

import msgspec

from callrouter.ari.operations.base import Method, Operation, Request, given

FORMAT: Final = "wav"
"""8 kHz, 16 bits, one channel: what every player takes, at 1 MB a minute."""

_RECORD = Operation(
    name="record",
    method=Method.POST,
    path="channels/{channelId}/record",
    required=("name", "format"),
    optional=("maxDurationSeconds", "maxSilenceSeconds", "ifExists", "beep", "terminateOn"),
)
_RECORD_BRIDGE = Operation(
    name="record",
    method=Method.POST,
    path="bridges/{bridgeId}/record",
    required=("name", "format"),
    optional=("maxDurationSeconds", "maxSilenceSeconds", "ifExists", "beep", "terminateOn"),
)
_MUTE = Operation(name="mute", method=Method.POST, path="recordings/live/{recordingName}/mute")
_UNMUTE = Operation(name="unmute", method=Method.DELETE, path="recordings/live/{recordingName}/mute")
_STOP = Operation(name="stop", method=Method.POST, path="recordings/live/{recordingName}/stop")
_GET_LIVE = Operation(name="getLive", method=Method.GET, path="recordings/live/{recordingName}")
_GET_STORED = Operation(name="getStored", method=Method.GET, path="recordings/stored/{recordingName}")
_GET_FILE = Operation(
    name="getStoredFile",
    method=Method.GET,
    path="recordings/stored/{recordingName}/file",
    since=("14.0.0",),
    may_block=True,
)
_DELETE = Operation(name="deleteStored", method=Method.DELETE, path="recordings/stored/{recordingName}")


def record(channel_id: str, name: str, *, max_s: int, silence_s: int, terminate_on: str) -> Request:
    """Record what comes from a channel, under our own name, for at most ``max_s`` seconds.

    It ends after ``silence_s`` seconds of silence (0: never), or with the key ``terminate_on`` (``#``, ``*``, ``any``,
    ``none``). What else is to be done on the channel, setting a variable among it, waits for the end. More is put
    behind what is recorded under that name already; 409 while that is in progress, 422 without the module for the
    format, 500 without the folder.
    """
    query = given(
        name=name,
        format=FORMAT,
        maxDurationSeconds=max_s,
        maxSilenceSeconds=silence_s,
        ifExists="append",
        terminateOn=terminate_on,
    )
    return _RECORD.request(channel_id, query=query)


def record_bridge(bridge_id: str, name: str) -> Request:
    """Record all that is heard in a bridge, under our own name, until it is stopped or the bridge is destroyed.

    404 when there is no such bridge, 409 while something of that name is recorded, 500 without the module
    ``chan_bridge_media`` or the folder.
    """
    return _RECORD_BRIDGE.request(bridge_id, query=given(name=name, format=FORMAT, ifExists="append"))


def mute_recording(name: str, *, muted: bool) -> Request:
    """Put silence into a recording from now on, or no more; once more changes nothing. 404 when it is over."""
    return (_MUTE if muted else _UNMUTE).request(name)


def stop_recording(name: str) -> Request:
    """End a recording and keep it; 404 when it has ended by itself."""
    return _STOP.request(name)


def get_live_recording(name: str) -> Request:
    """A recording in progress; 404 when it is over."""
    return _GET_LIVE.request(name)


def get_stored_recording(name: str) -> Request:
    """Whether there is a file of a recording, in progress or over."""
    return _GET_STORED.request(name)


def get_recording_file(name: str) -> Request:
    """The bytes of a recording; over HTTP, for they are no text."""
    return msgspec.structs.replace(_GET_FILE.request(name), is_file=True)


def delete_recording(name: str) -> Request:
    """Delete a recording that is over."""
    return _DELETE.request(name)


RECORDING_OPERATIONS: Final = (
    _RECORD,
    _RECORD_BRIDGE,
    _MUTE,
    _UNMUTE,
    _STOP,
    _GET_LIVE,
    _GET_STORED,
    _GET_FILE,
    _DELETE,
)
