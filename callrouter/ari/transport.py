"""The ways to Asterisk for commands, and the choice between them."""

import asyncio
from typing import Final

from callrouter.ari.http import HttpChannel
from callrouter.ari.operations import Request
from callrouter.ari.outcome import Reply
from callrouter.ari.pending import OnReply
from callrouter.ari.sockets import CommandSockets

TIMEOUT_S: Final = 5.0
"""How long a command may take, waiting included, before its outcome is unknown."""


class Commands:
    """Sends commands: over a command socket what cannot block, over HTTP the rest.

    While a lane's socket is away (an older Asterisk, or a lost connection), or stuck with a request of another lane,
    all its commands go over HTTP, and those that come when it is there again do not overtake them. Commands of one lane
    that cannot block keep their order, and so do those that may; but not the ones among the others: await what must
    come first.
    """

    def __init__(self, http: HttpChannel, sockets: CommandSockets) -> None:
        self._http = http
        self._sockets = sockets

    def send(self, lane: str, request: Request, on_reply: OnReply, timeout_s: float = TIMEOUT_S) -> None:
        """Send a request; ``on_reply`` is called exactly once, perhaps before this returns. Starts no task."""
        is_for_http = request.may_block or self._http.is_behind(lane)
        socket = None if is_for_http else self._sockets.of_lane(lane)
        if socket is not None:
            socket.send(lane, request, on_reply, timeout_s)
        else:
            self._http.send(lane, request, on_reply, timeout_s)

    async def request(self, lane: str, request: Request, *, timeout_s: float = TIMEOUT_S) -> Reply:
        """Send a request and wait for its outcome. Raises nothing but cancellation."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def settle(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        self.send(lane, request, settle, timeout_s)
        return await answer

    @property
    def refused(self) -> int:
        """Commands that were turned away because too many waited."""
        return self._http.refused + self._sockets.refused

    @property
    def late(self) -> int:
        """Answers that came after their command was given up, or twice."""
        return self._sockets.late
