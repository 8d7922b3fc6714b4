"""REST over HTTP keep-alive: the way for what may block, for snapshots, and for servers without anything better."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from callrouter.ari.operations import Request
from callrouter.ari.outcome import Doubt, Reply, answered, unanswered
from callrouter.ari.peer import Peer
from callrouter.ari.pending import OnReply, deliver

CONNECTIONS: Final = 10
"""For what may block. Asterisk takes 100 HTTP sessions in all (``sessionlimit``), other applications' included."""

QUICK_CONNECTIONS: Final = 4
"""For all else, which is never behind what blocks."""

KEEP_ALIVE_S: Final = 10.0
"""Less than Asterisk's 15 s: when both sides close at the same moment a POST is lost."""

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
"""Longest answer that is read; ten thousand channels are 5 MB."""

MAX_FILE_BYTES: Final = 512 * 1024 * 1024
"""Longest file that is read: nine hours of speech."""


@asynccontextmanager
async def http_session(peer: Peer, *, websockets: int) -> AsyncIterator[aiohttp.ClientSession]:
    """A session for one Asterisk's REST requests and so many websockets, with its pool bounded.

    Two connections are left for probes and snapshots, which must get through when all commands hang.

    Raises:
        OSError: the file of those who vouch for its certificate cannot be used.
    """
    limit = CONNECTIONS + QUICK_CONNECTIONS + websockets + 2
    connector = aiohttp.TCPConnector(limit=limit, keepalive_timeout=KEEP_ALIVE_S, ssl=peer.tls())
    async with aiohttp.ClientSession(connector=connector, headers=peer.headers) as session:
        yield session


@dataclass(slots=True)
class _Waiting:
    request: Request
    deadline: float
    on_reply: OnReply


class _Lane(NamedTuple):
    name: str
    may_block: bool


class HttpChannel:
    """Requests over HTTP, those of one lane one after another, lanes beside one another.

    What may block waits for nothing but what may block: a sound that is to be stopped must not be waited for. At most
    ``connections`` such requests run at a time, and :data:`QUICK_CONNECTIONS` others; ``limit`` wait, and beyond that
    a request is answered :attr:`Doubt.TOO_MANY` at once and counted in ``refused``. Outside :meth:`run` nothing is
    sent.
    """

    def __init__(self, peer: Peer, *, connections: int = CONNECTIONS, limit: int = 1000) -> None:
        self._peer = peer
        self._connections = {True: connections, False: QUICK_CONNECTIONS}
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None
        self._lanes: dict[_Lane, deque[_Waiting]] = {}
        self._ready: dict[bool, asyncio.Queue[_Lane]] = {True: asyncio.Queue(), False: asyncio.Queue()}
        self._waiting = 0
        self.refused = 0

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Serve requests until cancelled; those still waiting then are answered as not sent."""
        self._session = session
        try:
            async with asyncio.TaskGroup() as workers:
                for may_block, connections in self._connections.items():
                    for _ in range(connections):
                        workers.create_task(self._work(self._ready[may_block]))
        finally:
            self._session = None
            lanes, self._lanes, self._waiting = self._lanes, {}, 0
            self._ready = {True: asyncio.Queue(), False: asyncio.Queue()}
            for lane in lanes.values():
                for waiting in lane:
                    deliver(waiting.on_reply, unanswered(Doubt.NOT_SENT))

    def send(self, lane: str, request: Request, on_reply: OnReply, timeout_s: float) -> None:
        """Send a request after those of its lane; ``timeout_s`` counts from now, waiting included."""
        if self._session is None:
            deliver(on_reply, unanswered(Doubt.NOT_SENT))
            return
        if self._waiting >= self._limit:
            self.refused += 1
            deliver(on_reply, unanswered(Doubt.TOO_MANY))
            return
        self._waiting += 1
        waiting = _Waiting(request, asyncio.get_running_loop().time() + timeout_s, on_reply)
        key = _Lane(lane, request.may_block)
        queue = self._lanes.get(key)
        if queue is None:
            self._lanes[key] = deque((waiting,))
            self._ready[request.may_block].put_nowait(key)
        else:
            queue.append(waiting)

    def is_behind(self, lane: str) -> bool:
        """Whether something of a lane that cannot block is waiting yet, or on its way."""
        return _Lane(lane, may_block=False) in self._lanes

    async def _work(self, ready: "asyncio.Queue[_Lane]") -> None:
        loop = asyncio.get_running_loop()
        while True:
            lane = await ready.get()
            queue = self._lanes[lane]
            waiting = queue.popleft()
            reply = unanswered(Doubt.CONNECTION_LOST)
            try:
                reply = await self._perform(waiting.request, waiting.deadline - loop.time())
            finally:
                self._waiting -= 1
                deliver(waiting.on_reply, reply)
            if queue:
                ready.put_nowait(lane)
            else:
                del self._lanes[lane]

    async def _perform(self, request: Request, timeout_s: float) -> Reply:
        if timeout_s <= 0:
            return unanswered(Doubt.NOT_SENT)
        return await self.call(request, timeout_s)

    async def call(self, request: Request, timeout_s: float) -> Reply:
        """Send a request now, whatever else waits. Never raises for what Asterisk or the network does."""
        if self._session is None:
            return unanswered(Doubt.NOT_SENT)
        try:
            async with asyncio.timeout(timeout_s):
                return await _exchange(self._session, self._peer.rest_url, request)
        except TimeoutError:
            return unanswered(Doubt.TIMED_OUT)
        except aiohttp.ClientConnectorError:
            return unanswered(Doubt.NOT_SENT)
        except (aiohttp.ClientError, OSError, ValueError):
            return unanswered(Doubt.CONNECTION_LOST)


async def _exchange(session: aiohttp.ClientSession, rest_url: str, request: Request) -> Reply:
    url = rest_url + request.path
    if request.query:
        url = f"{url}?{urlencode(request.query, quote_via=quote)}"
    body, headers = None, None
    if request.body is not None:
        body, headers = request.body.encode(), {"Content-Type": "application/json"}
    most = MAX_FILE_BYTES if request.is_file else MAX_BODY_BYTES
    async with session.request(
        request.method.value, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
    ) as response:
        chunks, length = [], 0
        async for chunk in response.content.iter_any():
            length += len(chunk)
            if length > most:
                raise ValueError(f"the answer to {request.method} {request.path} is longer than {most}")
            chunks.append(chunk)
        return answered(response.status, b"".join(chunks))
