"""REST over websockets of their own: the fast way for commands (Asterisk 20.14/22.4 and newer).

A command socket never shares its application with events. An event filter swallows the responses of its application's
socket too, and a request that waits in Asterisk would hold up what comes behind it.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

import aiohttp
import structlog

from callrouter.ari import operations, wire
from callrouter.ari.backoff import Backoff
from callrouter.ari.operations import Request
from callrouter.ari.outcome import Doubt, Reply, answered, unanswered
from callrouter.ari.peer import Peer
from callrouter.ari.pending import OnReply, PendingReplies, deliver
from callrouter.ari.websocket import UNREACHABLE, expected, open_websocket, read_text
from callrouter.errors import AriError, AriProtocolError, UnreachableError

TRY_TIMEOUT_S: Final = 2.0
"""How long a fresh socket may take to answer its first ping before it counts as unable to carry REST."""

WRITE_TIMEOUT_S: Final = 5.0
"""How long Asterisk may refuse to read before the socket counts as lost."""

STUCK_S: Final = 0.5
"""How long a request may wait on a socket until calls that have nothing there go around it."""

WATCH_S: Final = 1.0
"""How often that is looked at: one timer for all writes, since a timer for each costs more than the write."""

_TRY_ID: Final = "try"

_log = structlog.get_logger(__name__)


def can_carry_rest(version: str) -> bool:
    """Whether an Asterisk of this version takes REST over the websocket; a version without numbers is worth a try."""
    head = version.removeprefix("certified/").split("+")[0].split("-")[0]
    numbers = [int(part) for part in head.split(".")[:2] if part.isdigit()]
    if len(numbers) < 2:
        return not numbers or numbers[0] >= 22
    major, minor = numbers
    return (major == 20 and minor >= 14) or (major == 21 and minor >= 9) or (major == 22 and minor >= 4) or major > 22


class CommandSocket:
    """One websocket for commands, which connects again by itself.

    Requests run in the order they were sent, one after another: one that waits in Asterisk holds up all behind it. When
    the socket is lost, all that wait are answered as unknown.
    """

    def __init__(self, peer: Peer, application: str, *, limit: int, backoff: Backoff) -> None:
        self._peer = peer
        self._application = application
        self._backoff = backoff
        self._pending = PendingReplies(limit)
        self._limit = limit
        self._outbox: list[bytes] = []
        self._lanes: Counter[str] = Counter()
        """How many requests of each lane wait."""
        self._owed: dict[int, str] = {}
        """Requests that were given up, with their lanes: as far as we know, Asterisk has not come to them."""
        self._written = asyncio.Event()
        self._writing_since: float | None = None
        self._sent = 0
        self._last_trouble = ""
        self.is_ready = False
        self.refused = 0

    @property
    def late(self) -> int:
        """Answers that came after their request was given up."""
        return self._pending.late

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Keep the socket connected until cancelled, or until another daemon takes its application."""
        while True:
            try:
                await self._serve(session)
            except Exception as problem:
                error = expected(problem, *UNREACHABLE, AriError, UnreachableError, _ReplacedError)
                if isinstance(error, _ReplacedError):
                    _log.warning("ari.command_socket_replaced", site=self._peer.site, application=self._application)
                    return
                self._trouble(error)
            await asyncio.sleep(self._backoff.next_s())

    def takes(self, lane: str) -> bool:
        """Whether requests of a lane may be sent here: if the socket is stuck, only of those that wait here already."""
        if not self.is_ready or lane in self._lanes:
            return self.is_ready
        return lane in self._owed.values() if self._owed else self._pending.oldest_s() <= STUCK_S

    def send(self, lane: str, request: Request, on_reply: OnReply, timeout_s: float) -> None:
        """Send a request behind those already sent."""
        if not self.is_ready:
            deliver(on_reply, unanswered(Doubt.NOT_SENT))
            return
        if self._pending.is_full or len(self._outbox) >= self._limit:
            self.refused += 1
            deliver(on_reply, unanswered(Doubt.TOO_MANY))
            return
        self._sent += 1
        request_id = str(self._sent)
        self._lanes[lane] += 1
        self._pending.add(request_id, timeout_s, partial(self._settle, self._sent, lane, on_reply))
        self._outbox.append(wire.encode_request(request_id, request))
        self._written.set()

    def _settle(self, number: int, lane: str, on_reply: OnReply, reply: Reply) -> None:
        self._lanes[lane] -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]
        if reply.doubt is Doubt.TIMED_OUT:
            self._owed[number] = lane
        on_reply(reply)

    def _answered(self, request_id: str) -> None:
        """With this request, all that were sent before it have had their turn."""
        if self._owed and request_id.isdecimal():
            self._owed = {number: lane for number, lane in self._owed.items() if number > int(request_id)}

    async def _serve(self, session: aiohttp.ClientSession) -> None:
        async with (
            open_websocket(session, self._peer, self._application) as websocket,
            asyncio.TaskGroup() as group,
        ):
            await self._try(websocket)
            self._open()
            try:
                group.create_task(self._write(websocket))
                group.create_task(self._watch_writes())
                while True:
                    self._receive(await read_text(websocket))
            finally:
                self._close()

    async def _try(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        """See that the socket really carries REST, which older versions and filters keep from it."""
        try:
            async with asyncio.timeout(TRY_TIMEOUT_S):
                frame = wire.encode_request(_TRY_ID, operations.ping())
                await websocket.send_frame(frame, aiohttp.WSMsgType.TEXT)
                while True:
                    message = wire.decode(await read_text(websocket))
                    if isinstance(message, wire.RESTResponse) and message.request_id == _TRY_ID:
                        return
        except TimeoutError as error:
            raise AriProtocolError(
                f"Asterisk at {self._peer.url} does not answer REST over the websocket of {self._application};"
                " commands go over HTTP"
            ) from error

    async def _write(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._written.wait()
            self._written.clear()
            frames, self._outbox = self._outbox, []
            self._writing_since = loop.time()
            for frame in frames:
                await websocket.send_frame(frame, aiohttp.WSMsgType.TEXT)
            self._writing_since = None

    async def _watch_writes(self) -> None:
        """Find an Asterisk that has stopped reading."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_S)
            if self._writing_since is not None and loop.time() - self._writing_since > WRITE_TIMEOUT_S:
                raise UnreachableError(f"Asterisk at {self._peer.url} has not read for {WRITE_TIMEOUT_S:g} s")

    def _receive(self, text: str) -> None:
        try:
            message = wire.decode(text)
        except AriProtocolError as error:
            _log.warning("ari.message_unusable", site=self._peer.site, why=str(error))
            return
        if isinstance(message, wire.RESTResponse):
            self._answered(message.request_id)
            self._pending.settle(message.request_id, answered(message.status_code, message.message_body))
        elif isinstance(message, wire.ApplicationReplaced):
            raise _ReplacedError

    def _open(self) -> None:
        self.is_ready = True
        self._backoff.reset()
        self._last_trouble = ""

    def _close(self) -> None:
        self.is_ready = False
        self._writing_since = None
        self._outbox.clear()
        self._written.clear()
        self._pending.abandon(Doubt.CONNECTION_LOST)
        self._owed.clear()

    def _trouble(self, error: Exception) -> None:
        """Log why the socket is away, once for each new reason."""
        why = str(error) or type(error).__name__
        if why != self._last_trouble:
            self._last_trouble = why
            _log.warning("ari.command_socket_lost", site=self._peer.site, application=self._application, why=why)


class _ReplacedError(Exception):
    """Another websocket took the application of this command socket."""


class CommandSockets:
    """Several command sockets; requests of one lane (a call) keep to one of them, and so keep their order."""

    def __init__(self, peer: Peer, applications: Sequence[str], *, limit: int = 1000) -> None:
        self._sockets = tuple(
            CommandSocket(peer, application, limit=limit, backoff=Backoff()) for application in applications
        )

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Keep all sockets connected until cancelled."""
        async with asyncio.TaskGroup() as group:
            for socket in self._sockets:
                group.create_task(socket.run(session))

    @property
    def count(self) -> int:
        """How many sockets there are."""
        return len(self._sockets)

    def of_lane(self, lane: str) -> CommandSocket | None:
        """The socket of this lane, or None while it is not connected, or stuck with what others sent."""
        if not self._sockets:
            return None
        socket = self._sockets[zlib.crc32(lane.encode()) % len(self._sockets)]
        return socket if socket.takes(lane) else None

    @property
    def refused(self) -> int:
        """Requests that were turned away because too many waited."""
        return sum(socket.refused for socket in self._sockets)

    @property
    def late(self) -> int:
        """Answers that came after their request was given up."""
        return sum(socket.late for socket in self._sockets)
