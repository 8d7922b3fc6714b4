"""Operations on Asterisk itself: applications, endpoints, device states."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from callrouter.ari.operations.base import Method, Operation, Request, json_body


class DeviceState(StrEnum):
    """States that a custom device (``Stasis:…``) can be set to."""

    NOT_IN_USE = "NOT_INUSE"
    IN_USE = "INUSE"
    BUSY = "BUSY"
    INVALID = "INVALID"
    UNAVAILABLE = "UNAVAILABLE"
    RINGING = "RINGING"
    RINGING_IN_USE = "RINGINUSE"
    ON_HOLD = "ONHOLD"


_GET_APPLICATION = Operation(name="get", method=Method.GET, path="applications/{applicationName}", since=("13.0.0",))
_SET_EVENT_FILTER = Operation(
    name="filter",
    method=Method.PUT,
    path="applications/{applicationName}/eventFilter",
    body=True,
    since=("13.26.0", "16.3.0"),
)
_SUBSCRIBE = Operation(
    name="subscribe",
    method=Method.POST,
    path="applications/{applicationName}/subscription",
    required=("eventSource",),
    since=("13.0.0",),
)
_UNSUBSCRIBE = Operation(
    name="unsubscribe",
    method=Method.DELETE,
    path="applications/{applicationName}/subscription",
    required=("eventSource",),
    since=("13.0.0",),
)
_GET_INFO = Operation(name="getInfo", method=Method.GET, path="asterisk/info", optional=("only",))
_PING = Operation(name="ping", method=Method.GET, path="asterisk/ping", since=("13.25.0", "16.2.0"))
_TELL = Operation(
    name="userEvent",
    method=Method.POST,
    path="events/user/{eventName}",
    required=("application",),
    since=("12.3.0",),
)
_LIST_ENDPOINTS = Operation(name="list", method=Method.GET, path="endpoints")
_SET_DEVICE_STATE = Operation(
    name="update", method=Method.PUT, path="deviceStates/{deviceName}", required=("deviceState",)
)


def get_application(application: str) -> Request:
    """What an application is subscribed to. Hangs on an Asterisk whose application is deadlocked."""
    return _GET_APPLICATION.request(application)


def set_event_filter(application: str, event_types: Iterable[str]) -> Request:
    """Let only these events reach the application; lost whenever the application disconnects.

    Never for an application whose websocket carries REST: the filter swallows the responses too.
    """
    allowed = [{"type": event_type} for event_type in event_types]
    return _SET_EVENT_FILTER.request(application, body=json_body({"allowed": allowed}))


def subscribe(application: str, sources: Sequence[str]) -> Request:
    """Tell an application of these, such as ``endpoint:PJSIP/201``; refused as a whole if one is not there (422).

    Never for device states, and never for an application that has calls: see :mod:`callrouter.ari.presence`.
    """
    return _SUBSCRIBE.request(application, query=(("eventSource", ",".join(sources)),))


def unsubscribe(application: str, sources: Sequence[str]) -> Request:
    """Do not tell an application of these any more."""
    return _UNSUBSCRIBE.request(application, query=(("eventSource", ",".join(sources)),))


def get_info() -> Request:
    """Version, identity and start time; answers with :class:`~callrouter.ari.snapshots.AsteriskInfo`."""
    return _GET_INFO.request()


def ping() -> Request:
    """The cheapest request there is."""
    return _PING.request()


def tell(application: str, event: str) -> Request:
    """Send an event of our own through an application: a ChannelUserevent of that name; 404 if there is none."""
    return _TELL.request(event, query=(("application", application),))


def list_endpoints() -> Request:
    """All phones and trunks; an empty list means that Asterisk is still loading."""
    return _LIST_ENDPOINTS.request()


def set_device_state(device: str, state: DeviceState) -> Request:
    """Set the state of a custom device, ``Stasis:<name>``, which phones may watch."""
    return _SET_DEVICE_STATE.request(device, query=(("deviceState", state.value),))


SERVER_OPERATIONS: Final = (
    _GET_APPLICATION,
    _SET_EVENT_FILTER,
    _SUBSCRIBE,
    _UNSUBSCRIBE,
    _GET_INFO,
    _PING,
    _TELL,
    _LIST_ENDPOINTS,
    _SET_DEVICE_STATE,
)
