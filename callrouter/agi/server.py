"""The FastAGI server: answers the dialplan with channel variables.

FastAGI has no authentication, so peers outside ``allowed_networks`` are turned away before a byte is read. Whatever a
peer does or leaves undone, it costs one connection for at most ``session_s`` seconds and never anybody else's answer.

When Asterisk's connection is closed before the variables are set, its ``AGISTATUS`` still says ``SUCCESS``: a dialplan
must go by ``CALLROUTER_ACTION``, where empty means "no decision; use the fallback".
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from types import TracebackType
from typing import Self

import structlog

from callrouter.addresses import is_in
from callrouter.agi.protocol import (
    AgiEvent,
    AgiReply,
    AgiRequest,
    AgiSession,
    CallerHungUp,
    WireLimits,
    set_variable,
    verbose,
)
from callrouter.descriptors import share
from callrouter.errors import AgiError, AgiProtocolError, UnreachableError

_log = structlog.get_logger(__name__)

_READ_BYTES = 4096

Network = IPv4Network | IPv6Network
LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

AgiHandler = Callable[[AgiRequest], Mapping[str, str]]
"""Decides: the channel variables to set, by name. It must not wait; everything else waits for it."""


@dataclass(frozen=True, slots=True)
class AgiLimits:
    """What the server grants: seconds for a whole session, sessions at once, and bytes and lines of each."""

    session_s: float = 3.0
    sessions: int = 256
    wire: WireLimits = field(default_factory=WireLimits)


class Outcome(Enum):
    """What became of one connection."""

    SERVED = "served"
    """All variables were set."""
    REFUSED = "refused"
    """The peer is not in an allowed network; closed at once."""
    CROWDED_OUT = "crowded_out"
    """As many sessions as are allowed were open, or the server was closing; closed at once."""
    MALFORMED = "malformed"
    """The peer broke the protocol or its limits."""
    TIMED_OUT = "timed_out"
    ABANDONED = "abandoned"
    """The peer closed, or the caller hung up, before all was said."""
    FAILED = "failed"
    """No script of that name, the handler failed, or Asterisk would not set a variable."""


@dataclass(frozen=True, slots=True)
class AgiCounters:
    """Connections since the server was made, by what became of them, for the metrics.

    ``accepted`` counts those that were let in: at rest it is the sum of served, malformed, timed out, abandoned and
    failed. ``open_sessions`` is how many are in progress.
    """

    accepted: int
    served: int
    refused: int
    crowded_out: int
    malformed: int
    timed_out: int
    abandoned: int
    failed: int
    open_sessions: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What to send, encoded: all of it is known to be sendable before the first command goes out."""

    commands: tuple[bytes, ...]
    outcome: Outcome


class AgiServer:
    """Listens while it is entered: ``async with AgiServer("127.0.0.1", 4573, {"route": route}) as server: …``.

    ``handlers`` has one handler for each script path. On leaving, no new connection is taken and the sessions in
    progress are finished, which takes ``limits.session_s`` at most; when left by an exception they are cancelled.
    Enter and leave it in the same task.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handlers: Mapping[str, AgiHandler],
        *,
        allowed_networks: Sequence[Network] = LOOPBACK,
        limits: AgiLimits | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._handlers = handlers
        self._allowed = tuple(allowed_networks)
        self._limits = limits or AgiLimits()
        self._outcomes: Counter[Outcome] = Counter()
        self._accepted = 0
        self._open = 0
        self._tasks = asyncio.TaskGroup()
        self._listener: asyncio.Server | None = None
        self._closing = False

    @property
    def port(self) -> int:
        """The port that is listened on: once entered, the real one, also when 0 was asked for."""
        return self._port

    @property
    def counters(self) -> AgiCounters:
        """A snapshot for the metrics."""
        by_outcome = {outcome.value: self._outcomes[outcome] for outcome in Outcome}
        return AgiCounters(accepted=self._accepted, open_sessions=self._open, **by_outcome)

    async def __aenter__(self) -> Self:
        """Listen. Raises UnreachableError when the address cannot be had."""
        # The group first: a connection may be there before start_server has returned. And a new one, for another try.
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        try:
            self._listener = await asyncio.start_server(
                self._admit, self._host, self._port, limit=_READ_BYTES, backlog=256
            )
        except OSError as exc:
            await self._tasks.__aexit__(None, None, None)
            raise UnreachableError(
                f"cannot listen for FastAGI on {self._host}:{self._port}: {exc.strerror or exc}; "
                "free the port or configure another"
            ) from exc
        self._port = self._listener.sockets[0].getsockname()[1]
        _log.info("agi.listening", host=self._host, port=self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        if self._listener is not None:
            self._listener.close()
        try:
            await self._tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            # What left the block leaves it as it is, not wrapped: sessions themselves never fail.
            if group.exceptions != (error,):
                raise

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self:
            await asyncio.Event().wait()

    def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let a connection in, or close it at once. Synchronous: those turned away cost no task."""
        peer = _address(writer)
        turned_away: Outcome | None = None
        if not is_in(peer, self._allowed):
            turned_away = Outcome.REFUSED
        elif self._open >= share(self._limits.sessions) or self._closing:
            turned_away = Outcome.CROWDED_OUT
        if turned_away is not None:
            self._outcomes[turned_away] += 1
            writer.transport.abort()
            _log.warning("agi.turned_away", peer=peer, why=turned_away.value)
            return
        self._accepted += 1
        self._open += 1
        self._tasks.create_task(self._serve(reader, writer, peer), name=f"agi {peer}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """One session from beginning to end; nothing that happens in it leaves it, save cancellation."""
        outcome: Outcome | None = None
        try:
            async with asyncio.timeout(self._limits.session_s):
                outcome = await self._converse(_Conversation(reader, writer, AgiSession(self._limits.wire)))
                writer.close()
                await writer.wait_closed()
        except AgiProtocolError as exc:
            outcome = Outcome.MALFORMED
            _log.warning("agi.malformed", peer=peer, error=str(exc))
        except TimeoutError:
            # If there is an outcome already, only the goodbye was slow.
            outcome = outcome or Outcome.TIMED_OUT
            _log.warning("agi.timed_out", peer=peer, session_s=self._limits.session_s)
        except OSError as exc:
            _log.info("agi.connection_lost", peer=peer, error=str(exc))
        finally:
            writer.transport.abort()
            self._open -= 1
            self._outcomes[outcome or Outcome.ABANDONED] += 1

    async def _converse(self, conversation: "_Conversation") -> Outcome:
        request = await conversation.request()
        if request is None:
            return Outcome.ABANDONED
        answer = self._answer(request)
        for command in answer.commands:
            reply = await conversation.ask(command)
            if reply is None or reply.code == 511:
                return Outcome.ABANDONED
            if not reply.is_done:
                _log.warning("agi.command_refused", command=command.decode(), code=reply.code, reply=reply.text)
                return Outcome.FAILED
        return answer.outcome

    def _answer(self, request: AgiRequest) -> _Answer:
        handler = self._handlers.get(request.script)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            return _no_decision(f"no script {request.script[:80]!r}; there are: {known}")
        try:
            variables = handler(request)
            return _Answer(tuple(set_variable(name, value) for name, value in variables.items()), Outcome.SERVED)
        except AgiError as exc:
            _log.exception("agi.answer_unsendable", script=request.script, channel=request.channel)
            return _no_decision(str(exc))
        except Exception:
            # The handler's defect must not take the other sessions along: this call gets its fallback.
            _log.exception("agi.handler_failed", script=request.script, channel=request.channel)
            return _no_decision("the decision failed; the daemon's log says why")


class _Conversation:
    """The session's socket and its protocol, joined: asks and waits. The caller sets the deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: AgiSession) -> None:
        self._reader = reader
        self._writer = writer
        self._session = session

    async def request(self) -> AgiRequest | None:
        """What Asterisk asks; None if it closes, or the caller hangs up, first."""
        match await self._next():
            case AgiRequest() as request:
                return request
            case AgiReply() | CallerHungUp() | None:
                return None

    async def ask(self, command: bytes) -> AgiReply | None:
        """Send one command and wait for its reply; None if the caller hangs up or the connection closes first."""
        self._writer.write(self._session.send(command))
        await self._writer.drain()
        match await self._next():
            case AgiReply() as reply:
                return reply
            case AgiRequest() | CallerHungUp() | None:
                return None

    async def _next(self) -> AgiEvent | None:
        while True:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                self._session.receive_eof()
                return None
            events = self._session.receive(data)
            if hung_up := next((event for event in events if isinstance(event, CallerHungUp)), None):
                return hung_up  # whatever came with it: there is nobody left to be answered
            if events:
                return events[0]  # there is only one: commands are never pipelined, and replies are bounded by them


def _no_decision(why: str) -> _Answer:
    return _Answer(
        (
            # 400 characters fit into a command even where each takes four bytes.
            verbose(f"callrouter: {why}"[:400]),
            set_variable("CALLROUTER_ACTION", ""),
            set_variable("CALLROUTER_ERROR", why[:400]),
        ),
        Outcome.FAILED,
    )


def _address(writer: asyncio.StreamWriter) -> str:
    """The peer's address; empty if it has gone already, which no network allows."""
    peername = writer.get_extra_info("peername")
    return str(peername[0]) if peername else ""
