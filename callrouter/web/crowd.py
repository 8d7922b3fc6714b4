"""How many may be connected to the pages at once.

A browser keeps its connections, and whoever means harm opens as many as he can and says nothing. So when there are as
many as may be, the one that has been idle for longest makes room; where none is, the newcomer is sent away.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from callrouter.descriptors import share

MOST_CONNECTIONS: Final = 256
_SENT_AWAY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

_log = structlog.get_logger(__name__)


class _SentAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so, and close."""
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_SENT_AWAY)
            transport.close()


class Crowd:
    """Makes the protocols of a server's connections by ``make``: hand it to ``loop.create_server``."""

    def __init__(
        self, server: web.Server, make: Callable[[], asyncio.BaseProtocol], most: int = MOST_CONNECTIONS
    ) -> None:
        self._server = server
        self._make = make
        self._most = most
        self._coming = 0
        self._is_told = False
        self.sent_away = 0
        """Newcomers for whom there was no room."""
        self.closed = 0
        """Idle ones that made room."""

    def __call__(self) -> asyncio.BaseProtocol:
        """The protocol of one more connection."""
        most = share(self._most)
        there = len(self._server.connections) + self._coming
        if there < most:
            self._is_told = self._is_told and there > most // 2
            return self._let_in()
        if not self._is_told:
            self._is_told = True
            _log.warning("web.crowded", connections=there, most=most, remedy="see who connects: ss -tnp")
        if self._make_room():
            return self._let_in()
        self.sent_away += 1
        return _SentAway()

    def _let_in(self) -> asyncio.BaseProtocol:
        # It counts as coming until the server has it, which is in a turn or two of the loop.
        self._coming += 1
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._has_come)
        return self._make()

    def _has_come(self) -> None:
        self._coming -= 1

    def _make_room(self) -> bool:
        """Close the oldest connection on which nothing is being answered; False if there is none."""
        for connection in self._server.connections:
            if connection.transport is not None and not connection._request_in_progress:
                connection.transport.abort()
                connection.force_close()
                self.closed += 1
                return True
        return False
