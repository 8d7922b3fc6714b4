"""Operations on bridges and playbacks."""

from collections.abc import Iterable
from typing import Final

from callrouter.ari.operations.base import Method, Operation, Request, given

_CREATE = Operation(name="create", method=Method.POST, path="bridges", optional=("type", "bridgeId", "name"))
_ADD_CHANNEL = Operation(
    name="addChannel",
    method=Method.POST,
    path="bridges/{bridgeId}/addChannel",
    required=("channel",),
    optional=("absorbDTMF", "inhibitConnectedLineUpdates"),
    may_block=True,
)
_REMOVE_CHANNEL = Operation(
    name="removeChannel", method=Method.POST, path="bridges/{bridgeId}/removeChannel", required=("channel",)
)
_DESTROY = Operation(name="destroy", method=Method.DELETE, path="bridges/{bridgeId}")
_LIST = Operation(name="list", method=Method.GET, path="bridges")
_GET_PLAYBACK = Operation(name="get", method=Method.GET, path="playbacks/{playbackId}")
_STOP_PLAYBACK = Operation(name="stop", method=Method.DELETE, path="playbacks/{playbackId}")


def create_bridge(bridge_id: str, name: str = "") -> Request:
    """Create a mixing bridge with our own id. An id in use is answered 409; ids must not be used again."""
    query = given(type="mixing,proxy_media", bridgeId=bridge_id, name=name or None)
    return _CREATE.request(query=query)


def add_channels(
    bridge_id: str, channel_ids: Iterable[str], *, may_block: bool = True, absorb_keys: bool = False
) -> Request:
    """Put channels into a bridge. Waits behind a playback on one of them.

    Phones go on showing what they showed when they rang: else Asterisk would write each party's own identity over it,
    with a request more to each phone that wants to be told. (An Asterisk before 18 does so all the same.)
    ``absorb_keys``: keys that are pressed are told to us, and to nobody in the bridge.
    Answers 400 when a channel does not exist, 409 when the bridge is not in our application, 422 when a channel is
    not.
    """
    query: tuple[tuple[str, str], ...] = (("channel", ",".join(channel_ids)), ("inhibitConnectedLineUpdates", "true"))
    query = (*query, ("absorbDTMF", "true")) if absorb_keys else query
    return _ADD_CHANNEL.request(bridge_id, query=query, may_block=may_block)


def remove_channels(bridge_id: str, channel_ids: Iterable[str]) -> Request:
    """Take channels out of a bridge; they stay in the application."""
    return _REMOVE_CHANNEL.request(bridge_id, query=(("channel", ",".join(channel_ids)),))


def destroy_bridge(bridge_id: str) -> Request:
    """Destroy a bridge; channels in it stay in the application."""
    return _DESTROY.request(bridge_id)


def list_bridges() -> Request:
    """All bridges of this Asterisk, not only ours."""
    return _LIST.request()


def get_playback(playback_id: str) -> Request:
    """A playback; 404 when it has ended."""
    return _GET_PLAYBACK.request(playback_id)


def stop_playback(playback_id: str) -> Request:
    """Stop a playback; 404 when it has ended by itself."""
    return _STOP_PLAYBACK.request(playback_id)


BRIDGE_OPERATIONS: Final = (
    _CREATE,
    _ADD_CHANNEL,
    _REMOVE_CHANNEL,
    _DESTROY,
    _LIST,
    _GET_PLAYBACK,
    _STOP_PLAYBACK,
)
