"""Where Asterisks dial in: for sites that open the websocket of events themselves (``connection: outbound``).

Who comes says by the path which site he is, and by user and password that he is it. What becomes of the connection then
is the session's part: it takes each one that is let in as if it had opened it.

Of two that come for one site the later one has it: Asterisk dials anew when it has lost the connection, and what we
still hold may be half-open. Another Asterisk with the same password would take it from the first, and be robbed in
turn, for ever: so whoever dials is known by Asterisk's own id, as soon as the session has heard it over REST.
"""

import asyncio
import hmac
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, cast

import aiohttp
import msgspec
import structlog
from aiohttp import web

from callrouter.addresses import is_in
from callrouter.ari.peer import Peer
from callrouter.ari.websocket import CLOSE_TIMEOUT_S, HEARTBEAT_S, Events, read_text
from callrouter.ari.wire import MAX_MESSAGE_BYTES
from callrouter.config.settings import DialInSettings
from callrouter.core.ids import SiteName
from callrouter.errors import UnreachableError

PROTOCOL: Final = "ari"
"""The websocket's subprotocol, as ``protocols`` of Asterisk's websocket_client.conf has it."""
PATIENCE_S: Final = 5.0
"""How long nobody may dial in before it is told; Asterisk tries twice a second or more."""
FIRST_WORD_S: Final = 5.0
"""How long who was let in may take to say which application he is."""
AGAIN_S: Final = 0.1
"""How often the port is tried that another daemon has still."""
MOST_CONNECTIONS: Final = 64
_MOST_TOLD: Final = 256
"""How many different refusals of a site, or of none, are remembered, so that each is logged once; more are not."""
_CLOSING_S: Final = 0.5

_log = structlog.get_logger(__name__)


class _FirstWord(msgspec.Struct):
    application: str = ""
    asterisk_id: str = ""


_first_word = msgspec.json.Decoder(_FirstWord)


class Visit:
    """A connection that was let in. ``over`` is set when the session has done with it."""

    def __init__(self, websocket: web.WebSocketResponse, remote: str, first: str, asterisk_id: str) -> None:
        self.websocket = websocket
        self.remote = remote
        self.asterisk_id = asterisk_id
        self.over = asyncio.Event()
        self._first: str | None = first

    async def read(self) -> str:
        """The next message; see :func:`callrouter.ari.websocket.read_text`."""
        first, self._first = self._first, None
        return first if first is not None else await read_text(self.websocket)


@dataclass(slots=True)
class _Seat:
    """What there is of one site: who has come and is not taken yet, and whom the session has."""

    peer: Peer
    come: Visit | None = None
    taken: Visit | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: str = ""
    """Why the last one who came was not let in."""
    asterisk_id: str = ""
    is_closed: bool = False


class Reception:
    """Listens while :meth:`run` runs. ``peers`` are those who may come."""

    def __init__(
        self,
        settings: DialInSettings,
        peers: Iterable[Peer],
        *,
        patience_s: float | None = None,
        first_word_s: float | None = None,
    ) -> None:
        self._settings = settings
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._first_word_s = FIRST_WORD_S if first_word_s is None else first_word_s
        self._seats = {peer.site: _Seat(peer) for peer in peers}
        self._transports: dict[Visit, Callable[[], None]] = {}
        self._told: set[tuple[SiteName | None, str, str]] = set()
        self._listener: asyncio.Server | None = None
        self._stopped = asyncio.Event()
        self.port = settings.port
        """Once it listens the real one, also where 0 was asked for."""
        self.listening = asyncio.Event()

    # --- for the session

    @asynccontextmanager
    async def received(self, site: SiteName) -> AsyncIterator[Events]:
        """The connection of a site, once there is one.

        Raises :class:`UnreachableError`, again and again, while nobody comes or who comes is not let in.
        """
        seat = self._seats[site]
        seat.is_closed = False
        visit = await self._next(seat)
        seat.come, seat.taken = None, visit
        try:
            yield visit
        finally:
            seat.taken = None
            self._end(visit)

    def knows(self, site: SiteName, asterisk_id: str) -> None:
        """From now on only this Asterisk is the site."""
        self._seats[site].asterisk_id = asterisk_id

    def close(self, site: SiteName) -> None:
        """Let nobody in for the site any more: another daemon has its application."""
        seat = self._seats[site]
        seat.is_closed = True
        if seat.come is not None:
            self._end(seat.come)
            seat.come = None

    async def _next(self, seat: _Seat) -> Visit:
        try:
            async with asyncio.timeout(self._patience_s):
                while seat.come is None:
                    seat.changed.clear()
                    await seat.changed.wait()
        except TimeoutError as error:
            raise UnreachableError(seat.trouble or self._nobody(seat.peer)) from error
        return seat.come

    def _nobody(self, peer: Peer) -> str:
        if not self.listening.is_set():
            return f"{self._place} is not ours yet, where Asterisk is to dial in"
        return (
            f"Asterisk has not dialled in at {self._uri(peer)}; that is set in its ari.conf (type=outbound_websocket)"
            " and websocket_client.conf: see callrouter doctor"
        )

    @property
    def _place(self) -> str:
        return f"{self._settings.host}:{self.port}"

    def _uri(self, peer: Peer) -> str:
        return f"{'wss' if self._settings.certificate else 'ws'}://{self._place}/{peer.site}"

    # --- listening

    async def run(self) -> None:
        """Let Asterisks in until cancelled, or stopped. A port that another has is tried again and again."""
        application = web.Application()
        application.router.add_get("/{site}", self._answer)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=_CLOSING_S)
        await runner.setup()
        try:
            self._listener = await self._listen(runner)
            self.port = self._listener.sockets[0].getsockname()[1]
            self.listening.set()
            _log.info("ari.listening", host=self._settings.host, port=self.port, tls=bool(self._settings.certificate))
            await self._stopped.wait()
        finally:
            self.stop()
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        was_told = False
        while True:
            try:
                return await loop.create_server(
                    lambda: _Doorkeeper(self, runner),
                    self._settings.host,
                    self._settings.port,
                    ssl=_tls(self._settings),
                )
            except OSError as error:
                if not was_told:
                    why = error.strerror or str(error)
                    remedy = "see who has it (ss -lntp), or write another port: under dial_in:"
                    _log.error("ari.not_listening", place=self._place, why=why, remedy=remedy)
                was_told = True
            await asyncio.sleep(AGAIN_S)

    def stop(self) -> None:
        """Listen no more, and let go of all who are here: Asterisk dials whoever listens next."""
        self.listening.clear()
        self._stopped.set()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for visit in list(self._transports):
            self._end(visit)

    async def until_another_listens(self) -> None:
        """After :meth:`stop`: wait until somebody else has the port that Asterisk dials."""
        found = await asyncio.get_running_loop().getaddrinfo(
            self._settings.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # Whoever takes the port tells nobody: it is tried.
        while all(_is_free(family, address) for family, _, _, _, address in found):  # noqa: ASYNC110
            await asyncio.sleep(AGAIN_S)

    def lets_in(self, address: str, connections: int) -> bool:
        """Whether one from that address may say anything at all, where there are so many already."""
        if not is_in(address, self._settings.allow):
            self._refuse(None, address, "the address is in no network of allow: under dial_in:")
            return False
        if connections >= MOST_CONNECTIONS:
            self._refuse(None, address, f"more than {MOST_CONNECTIONS} connections at once")
            return False
        return True

    # --- one who comes

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        remote = request.remote or "?"
        site = SiteName(request.match_info["site"])
        seat = self._seats.get(site)
        if seat is None:
            known = ", ".join(self._seats)
            self._refuse(None, remote, f"no site {site[:64]!r} dials in here; let the path of uri= be one of {known}")
            return web.Response(status=404)
        if not _is_right(request.headers.get("Authorization", ""), seat.peer):
            self._refuse(site, remote, _not_let_in(seat.peer))
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="callrouter"'})
        websocket = web.WebSocketResponse(
            protocols=(PROTOCOL,), heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE_BYTES, timeout=CLOSE_TIMEOUT_S
        )
        if seat.is_closed or not self.listening.is_set():
            return web.Response(status=503)
        if not websocket.can_prepare(request).ok:
            self._refuse(site, remote, f"this is no websocket of the protocol {PROTOCOL!r}; write protocols={PROTOCOL}")
            return web.Response(status=426)
        await websocket.prepare(request)
        await self._welcome(seat, websocket, request, remote)
        return websocket

    async def _welcome(self, seat: _Seat, websocket: web.WebSocketResponse, request: web.Request, remote: str) -> None:
        try:
            async with asyncio.timeout(self._first_word_s):
                first = await read_text(websocket)
            word = _first_word.decode(first)
        except (TimeoutError, UnreachableError, msgspec.MsgspecError, ValueError) as error:
            self._refuse(seat.peer.site, remote, f"what comes is not ARI ({str(error) or 'nothing came'})")
            return
        why = _stranger(seat, word)
        if why:
            self._refuse(seat.peer.site, remote, why)
            await websocket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION, message=b"see the log of callrouter")
            return
        visit = Visit(websocket, remote, first, word.asterisk_id)
        if request.transport is None:
            return  # it is gone by now
        self._transports[visit] = request.transport.abort
        self._seat(seat, visit)
        try:
            await visit.over.wait()
        finally:
            self._transports.pop(visit, None)

    def _seat(self, seat: _Seat, visit: Visit) -> None:
        for earlier in (seat.come, seat.taken):
            if earlier is not None:
                _log.warning(
                    "ari.dialled_in_again", site=seat.peer.site, remote=visit.remote, earlier_from=earlier.remote
                )
                self._end(earlier)
        seat.come, seat.trouble = visit, ""
        self._told = {one for one in self._told if one[0] != seat.peer.site}
        seat.changed.set()

    def _end(self, visit: Visit) -> None:
        visit.over.set()
        abort = self._transports.pop(visit, None)
        if abort is not None:
            abort()

    def _refuse(self, site: SiteName | None, remote: str, why: str) -> None:
        """Say once that somebody was not let in, and why."""
        if site is not None:
            self._seats[site].trouble = f"{remote} dials in and is refused: {why}"
        told_of_site = sum(one[0] == site for one in self._told)
        if (site, remote, why) not in self._told and told_of_site < _MOST_TOLD:
            self._told.add((site, remote, why))
            _log.warning("ari.dial_in_refused", site=site, remote=remote, why=why)


def _not_let_in(peer: Peer) -> str:
    return (
        f"wrong user or password; write username={peer.user} and password= as [{peer.user}] of ari.conf has them (the"
        f" ARI password of site {peer.site}) into websocket_client.conf, then: asterisk -rx 'module reload"
        " res_websocket_client.so'"
    )


class _Doorkeeper(asyncio.Protocol):
    """Turns away before a byte is read who comes from elsewhere, and one too many."""

    def __init__(self, reception: Reception, runner: web.AppRunner) -> None:
        self._reception = reception
        self._server = runner.server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is at the door."""
        transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        if self._server is None:
            transport.abort()
            return
        peer = transport.get_extra_info("peername")
        if not self._reception.lets_in(str(peer[0]) if peer else "", len(self._server.connections)):
            transport.abort()
            return
        handler = self._server()
        transport.set_protocol(handler)
        handler.connection_made(transport)


def _is_free(family: int, address: tuple[object, ...]) -> bool:
    """Whether nobody listens there; asked without a word to him who does."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def _is_right(authorization: str, peer: Peer) -> bool:
    """An empty password is none: the site's own is not set, and nobody comes in."""
    wanted = peer.headers["Authorization"]
    return bool(peer.password) and hmac.compare_digest(authorization.encode(), wanted.encode())


def _stranger(seat: _Seat, word: _FirstWord) -> str:
    """Why this is not the site's Asterisk, or not its application; empty if it is."""
    peer = seat.peer
    if word.application != peer.application:
        return (
            f"it serves the application {word.application[:64]!r}; write apps={peer.application} and nothing else into"
            " the section type=outbound_websocket of ari.conf, as application: of the site says"
        )
    if seat.asterisk_id and word.asterisk_id != seat.asterisk_id:
        return another_asterisk(peer, word.asterisk_id, seat.asterisk_id)
    return ""


def another_asterisk(peer: Peer, came: str, wanted: str) -> str:
    """That two Asterisks dial in as one site."""
    return (
        f"another Asterisk ({came[:64]}) dials in as site {peer.site} than answers at {peer.url} ({wanted}); let its"
        " uri= name its own site, or correct ari_url"
    )


def _tls(settings: DialInSettings) -> ssl.SSLContext | None:
    """Raises OSError (also as ssl.SSLError) where certificate or key cannot be used."""
    if settings.certificate is None or settings.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.key)
    return context
