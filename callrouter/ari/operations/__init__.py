"""Every ARI operation that the daemon uses, each as a function that returns a frozen :class:`Request`.

Each function builds its request from one :class:`Operation`, which declares name, method, path, parameters and the
versions it appeared in; the lab checks the declarations against the description that the running Asterisk serves
(:mod:`callrouter.ari.description`). Source: ``/ari/api-docs`` of Asterisk 22.10.
"""

from typing import Final

from callrouter.ari.operations.base import Method, Operation, Request, path_part
from callrouter.ari.operations.bridges import (
    BRIDGE_OPERATIONS,
    add_channels,
    create_bridge,
    destroy_bridge,
    get_playback,
    list_bridges,
    remove_channels,
    stop_playback,
)
from callrouter.ari.operations.channels import (
    CHANNEL_OPERATIONS,
    answer,
    continue_in_dialplan,
    create,
    dial,
    get_channel,
    get_variable,
    hang_up,
    list_channels,
    originate,
    play,
    ring,
    set_variable,
    snoop,
    start_music,
    stop_music,
    stop_ringing,
    tell_transfer,
)
from callrouter.ari.operations.recordings import (
    RECORDING_OPERATIONS,
    delete_recording,
    get_live_recording,
    get_recording_file,
    get_stored_recording,
    mute_recording,
    record,
    record_bridge,
    stop_recording,
)
from callrouter.ari.operations.server import (
    SERVER_OPERATIONS,
    DeviceState,
    get_application,
    get_info,
    list_endpoints,
    ping,
    set_device_state,
    set_event_filter,
    subscribe,
    tell,
    unsubscribe,
)

OPERATIONS: Final[tuple[Operation, ...]] = (
    CHANNEL_OPERATIONS + BRIDGE_OPERATIONS + RECORDING_OPERATIONS + SERVER_OPERATIONS
)

__all__ = [
    "OPERATIONS",
    "DeviceState",
    "Method",
    "Operation",
    "Request",
    "add_channels",
    "answer",
    "continue_in_dialplan",
    "create",
    "create_bridge",
    "delete_recording",
    "destroy_bridge",
    "dial",
    "get_application",
    "get_channel",
    "get_info",
    "get_live_recording",
    "get_playback",
    "get_recording_file",
    "get_stored_recording",
    "get_variable",
    "hang_up",
    "list_bridges",
    "list_channels",
    "list_endpoints",
    "mute_recording",
    "originate",
    "path_part",
    "ping",
    "play",
    "record",
    "record_bridge",
    "remove_channels",
    "ring",
    "set_device_state",
    "set_event_filter",
    "set_variable",
    "snoop",
    "start_music",
    "stop_music",
    "stop_playback",
    "stop_recording",
    "stop_ringing",
    "subscribe",
    "tell",
    "tell_transfer",
    "unsubscribe",
]
