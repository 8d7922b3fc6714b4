"""How the phones of a site are, from an application of its own that is subscribed to their endpoints and nothing else.

The application of the calls must not be subscribed to an endpoint: Asterisk would tell it of everything that happens
on a leg of ours twice, a key that was pressed among it. And device states, which would say less, are better not
subscribed to at all, since a lost websocket can then make Asterisk hang (Asterisk 22).

The application has the same name in every life of the daemon: Asterisk keeps one that is subscribed to something when
its websocket is lost, and the next daemon takes it over.

An event tells of an endpoint as a whole: its state and its channels. After each connect, and from time to time, all are
read, in case an event was lost.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import aiohttp
import structlog

from callrouter.ari import operations, wire
from callrouter.ari.backoff import Backoff
from callrouter.ari.http import HttpChannel
from callrouter.ari.peer import Peer
from callrouter.ari.snapshots import Application, Endpoint
from callrouter.ari.sync import ask
from callrouter.ari.websocket import UNREACHABLE, allowed, expected, open_websocket, read_text
from callrouter.errors import AriError, AriProtocolError, AriRejectedError, UnreachableError

READ_AGAIN_S: Final = 60.0
"""How often all phones are read although nothing was heard of them."""
SLOWLY_S: Final = 30.0
"""After how long it is tried again where Asterisk would not have it."""

_SOURCE: Final = "endpoint:"
AT_ONCE: Final = 50
"""Phones named in one request: Asterisk takes lines of 4,096 characters."""

_log = structlog.get_logger(__name__)


class PhoneWatch:
    """Tells ``listener`` of the phones that are watched, each as a whole and whenever it has changed."""

    def __init__(
        self,
        peer: Peer,
        application: str,
        http: HttpChannel,
        listener: Callable[[Sequence[Endpoint]], None],
        *,
        read_again_s: float = READ_AGAIN_S,
        backoff: Backoff | None = None,
        may_connect: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_connect = may_connect
        self._peer = peer
        self._application = application
        self._http = http
        self._listener = listener
        self._read_again_s = read_again_s
        self._backoff = backoff or Backoff()
        self._wanted: frozenset[str] = frozenset()
        self._subscribed: set[str] = set()
        self._changed = asyncio.Event()
        self._early: list[Endpoint] | None = None
        self._last_trouble = ""

    def watch(self, phones: Iterable[str]) -> None:
        """Tell of these phones (``PJSIP/201``), and of no others. Nothing is connected before there are some."""
        self._wanted = frozenset(phones)
        self._changed.set()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Keep the phones watched until cancelled."""
        while True:
            while not self._wanted:
                self._changed.clear()
                await self._changed.wait()
            await allowed(self._may_connect)
            error = await self._connect(session)
            why = str(error) or type(error).__name__
            if why != self._last_trouble:
                self._last_trouble = why
                _log.warning("ari.phones_not_watched", site=self._peer.site, why=why)
            await asyncio.sleep(SLOWLY_S if isinstance(error, AriRejectedError) else self._backoff.next_s())

    async def _connect(self, session: aiohttp.ClientSession) -> Exception:
        """One connection, from its begin to its end; returns why it ended."""
        try:
            async with (
                open_websocket(session, self._peer, self._application) as websocket,
                asyncio.TaskGroup() as group,
            ):
                group.create_task(self._read(websocket))
                event_filter = operations.set_event_filter(self._application, (wire.EndpointStateChange.__name__,))
                known = await ask(self._http, self._peer, event_filter, Application)
                self._subscribed = set(known.endpoint_ids)
                while True:
                    self._changed.clear()
                    await self._synchronise()
                    self._backoff.reset()
                    self._last_trouble = ""
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._read_again_s):
                            await self._changed.wait()
        except Exception as error:
            return expected(error, *UNREACHABLE, AriError, UnreachableError)
        raise AssertionError("phones are read for ever")

    async def _synchronise(self) -> None:
        """Subscribe first, read second, and tell what came meanwhile behind that: so the newest is told last."""
        self._early = []
        there = await ask(self._http, self._peer, operations.list_endpoints(), tuple[Endpoint, ...])
        names = {endpoint.dialed for endpoint in there}
        if await self._subscribe(self._wanted & names):
            there = await ask(self._http, self._peer, operations.list_endpoints(), tuple[Endpoint, ...])
        self._tell(there)
        early, self._early = self._early, None
        for endpoint in early:
            self._tell((endpoint,))

    async def _subscribe(self, phones: frozenset[str]) -> bool:
        """Be subscribed to these phones and no others; whether there are new ones among them."""
        gone, new = sorted(self._subscribed - phones), sorted(phones - self._subscribed)
        for some in _batches(gone):
            await ask(self._http, self._peer, operations.unsubscribe(self._application, some), Application)
            self._subscribed.difference_update(name.removeprefix(_SOURCE) for name in some)
        for some in _batches(new):
            await ask(self._http, self._peer, operations.subscribe(self._application, some), Application)
            self._subscribed.update(name.removeprefix(_SOURCE) for name in some)
        return bool(new)

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            text = await read_text(websocket)
            try:
                message = wire.decode(text)
            except AriProtocolError as error:
                _log.warning("ari.message_unusable", site=self._peer.site, why=str(error))
                self._changed.set()
                continue
            if isinstance(message, wire.ApplicationReplaced):
                raise UnreachableError(f"another daemon took the application {self._application!r}")
            if not isinstance(message, wire.EndpointStateChange):
                continue
            if self._early is not None:
                self._early.append(message.endpoint)
            else:
                self._tell((message.endpoint,))

    def _tell(self, endpoints: Iterable[Endpoint]) -> None:
        phones = [endpoint for endpoint in endpoints if endpoint.dialed in self._wanted]
        if phones:
            self._listener(phones)


def _batches(phones: Sequence[str]) -> list[list[str]]:
    """The event sources of these phones, in as many parts as Asterisk takes requests for."""
    sources = [_SOURCE + phone for phone in phones]
    return [sources[first : first + AT_ONCE] for first in range(0, len(sources), AT_ONCE)]
