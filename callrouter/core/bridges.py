"""Bridges: who is in which, so that each is destroyed when all have left."""

from collections.abc import Callable
from dataclasses import dataclass

from callrouter.core import commands as cmd
from callrouter.core import naming
from callrouter.core.call import Call
from callrouter.core.ids import BridgeId, CallId, ChannelId, SiteName
from callrouter.core.output import Output


@dataclass(slots=True)
class _Bridge:
    id: BridgeId
    site: SiteName
    channels: set[ChannelId]


class Bridges:
    """The bridges of calls in progress."""

    def __init__(self) -> None:
        self._bridges: dict[CallId, list[_Bridge]] = {}

    def make(self, call: Call, bridge: BridgeId, leg: ChannelId) -> None:
        """Remember that caller and ``leg`` are in a bridge."""
        bridges = self._bridges.setdefault(call.id, [])
        bridges[:] = [other for other in bridges if other.id != bridge]
        bridges.append(_Bridge(bridge, call.site, {call.channel, leg}))

    def make_apart(self, call: Call, bridge: BridgeId, channels: set[ChannelId]) -> None:
        """Remember that these are in a bridge of their own, without the caller."""
        self._bridges.setdefault(call.id, []).append(_Bridge(bridge, call.site, channels))

    def enter(self, call: Call, bridge: BridgeId, channel: ChannelId) -> None:
        """Remember that one more channel is in a bridge."""
        for known in (one for one in self._bridges.get(call.id, ()) if one.id == bridge):
            known.channels.add(channel)

    def leave(self, call: CallId, channel: ChannelId, out: Output) -> None:
        """``channel`` of the call is gone; a bridge without channels is destroyed.

        Not before: destroying a bridge while its channels hang up hides why they did.
        """
        for bridge in self._bridges.get(call, ()):
            bridge.channels.discard(channel)
        self._destroy(call, out, lambda bridge: not bridge.channels)

    def clear(self, call: CallId, channel: ChannelId, out: Output) -> None:
        """Destroy the bridges that ``channel`` may be in: it goes on elsewhere, where it is to hear something."""
        self._destroy(call, out, lambda bridge: channel in bridge.channels)

    def _destroy(self, call: CallId, out: Output, is_done_with: Callable[[_Bridge], bool]) -> None:
        kept: list[_Bridge] = []
        for bridge in self._bridges.pop(call, ()):
            if is_done_with(bridge):
                out.commands.append(cmd.DestroyBridge(bridge.site, call, bridge.id))
            else:
                kept.append(bridge)
        if kept:
            self._bridges[call] = kept

    def forget(self, call: CallId) -> None:
        """Nobody knows what became of the bridges of a call; the site's next snapshot tells."""
        self._bridges.pop(call, None)

    def knows(self, bridge: BridgeId) -> bool:
        """Whether a bridge is in use, as far as we know."""
        call = naming.parse_bridge(bridge)
        return call is not None and any(known.id == bridge for known in self._bridges.get(call, ()))
