"""Whether the Asterisks could be had from here, asked without taking anything: by the leader and by one who waits.

An answer to a ping is enough. A connection that only looks alive, because a network swallows what is sent, is found out
in two seconds, long before a websocket's own heartbeat does.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from callrouter.ari import operations
from callrouter.ari.http import HttpChannel, http_session
from callrouter.ari.outcome import Outcome
from callrouter.ari.peer import Peer
from callrouter.core.ids import SiteName

EVERY_S: Final = 0.5
ANSWER_S: Final = 0.5


class Reach:
    """Asks ``peers`` again and again while :meth:`run` runs."""

    def __init__(self, peers: Iterable[Peer], *, every_s: float = EVERY_S, answer_s: float = ANSWER_S) -> None:
        self._peers = tuple(peers)
        self._every_s = every_s
        self._answer_s = answer_s
        self._reached: set[SiteName] = set()

    @property
    def any(self) -> bool:
        """Whether one of them answered when it was last asked."""
        return bool(self._reached)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for peer in self._peers:
                group.create_task(self._ask(peer))

    async def _ask(self, peer: Peer) -> None:
        http = HttpChannel(peer, connections=1)
        async with http_session(peer, websockets=0) as session, asyncio.TaskGroup() as group:
            group.create_task(http.run(session))
            while True:
                reply = await http.call(operations.ping(), self._answer_s)
                if reply.outcome is Outcome.DONE:
                    self._reached.add(peer.site)
                else:
                    self._reached.discard(peer.site)
                await asyncio.sleep(self._every_s)
