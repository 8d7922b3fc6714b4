"""One site kept connected: event websocket, filter, snapshot, then events; again and again until it is replaced.

The order matters. Asterisk does not replay what happened while we were away, so we subscribe first, take the snapshot
second, and only then hand on what arrived meanwhile and what arrives from then on. The snapshot is repeated after two
seconds and every minute, because events do get lost; the listener compares, and comparing must be idempotent.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Protocol

import aiohttp
import structlog

from callrouter.ari import operations, wire
from callrouter.ari.backoff import Backoff
from callrouter.ari.http import HttpChannel, http_session
from callrouter.ari.outcome import Outcome
from callrouter.ari.peer import Peer
from callrouter.ari.presence import PhoneWatch
from callrouter.ari.reception import Reception, another_asterisk
from callrouter.ari.snapshots import Application, AsteriskInfo, AsteriskPing, Endpoint
from callrouter.ari.sockets import CommandSockets, can_carry_rest
from callrouter.ari.sync import ANSWER_TIMEOUT_S, SiteSnapshot, ask, await_modules, take_snapshot
from callrouter.ari.translate import FROM_DIALPLAN
from callrouter.ari.transport import Commands
from callrouter.ari.waited import sort_out
from callrouter.ari.websocket import UNREACHABLE, Events, allowed, dialled, expected
from callrouter.core.ids import SiteName
from callrouter.errors import AriError, AriProtocolError, AriRejectedError, UnreachableError

EVENT_FILTER: Final = tuple(
    event.__name__
    for event in (
        wire.StasisStart,
        wire.StasisEnd,
        wire.ChannelDestroyed,
        wire.ChannelHangupRequest,
        wire.Dial,
        wire.PlaybackFinished,
        wire.RecordingFinished,
        wire.RecordingFailed,
        wire.ChannelDtmfReceived,
        wire.ChannelHold,
        wire.ChannelUnhold,
        wire.ChannelTransfer,
        wire.BridgeBlindTransfer,
        wire.BridgeAttendedTransfer,
        wire.ApplicationReplaced,
    )
)
"""The events that Asterisk sends us; of fifteen a call, four or five are left."""

KNOCK: Final = "callrouter-knock"
"""What Asterisk is asked to say to a daemon to whom it has not dialled."""

MOST_EARLY_EVENTS: Final = 10_000
"""How many events may arrive before the snapshot is there. Beyond it the connection starts over."""

_log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Who is told what happens at a site. Called from the event loop, in order; must not wait."""

    def up(self, site: SiteName, snapshot: SiteSnapshot) -> None:
        """Connected, and this is what is there; events follow."""

    def event(self, site: SiteName, event: wire.Event) -> None:
        """Something happened."""

    def snapshot(self, site: SiteName, snapshot: SiteSnapshot) -> None:
        """What is there now, for comparison."""

    def phones(self, site: SiteName, phones: Iterable[Endpoint]) -> None:
        """So these phones are now. Told whether up or down."""

    def down(self, site: SiteName, reason: str) -> None:
        """Not connected any more; follows every ``up`` exactly once."""

    def away(self, site: SiteName, why: str) -> None:
        """Not connected, and this is why by now. Told while down."""

    def overflow(self, site: SiteName) -> None:
        """Events were lost: too many came before the snapshot, or one could not be read. A snapshot follows."""

    def replaced(self, site: SiteName) -> None:
        """Another daemon has the application. This session is over; ours must not command any more."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When things are repeated, in seconds."""

    probe_s: float = 10.0
    second_snapshot_s: float = 2.0
    snapshot_s: float = 60.0
    rejected_s: float = 30.0


class _ReplacedError(Exception):
    """Another websocket took our application."""


class AriSession:
    """Keeps one site connected and tells a listener. ``commands`` works from the first connect on.

    ``command_sockets`` is how many websockets carry commands (0: all commands go over HTTP). ``may_connect`` is asked
    before each connection: the newest one has the application, and a daemon that another has relieved must not take it
    back. ``reception`` is where an Asterisk comes in that dials by itself.
    """

    def __init__(
        self,
        peer: Peer,
        listener: Listener,
        *,
        command_sockets: int = 2,
        timing: Timing = Timing(),
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        may_connect: Callable[[], bool] = lambda: True,
        reception: Reception | None = None,
    ) -> None:
        self._peer = peer
        self._reception = reception if peer.dials_in else None
        self._may_connect = may_connect
        self._listener = listener
        self._timing = timing
        self._clock = clock
        self._backoff = Backoff(chance=chance)
        self._http = HttpChannel(peer)
        self._sockets = CommandSockets(peer, _command_applications(peer.application, command_sockets))
        self._carries_rest = asyncio.Event()
        self._resync = asyncio.Event()
        self._last_trouble = ""
        self._is_up = False
        self._early: list[wire.Event] = []
        self._filter = EVENT_FILTER if self._reception is None else (*EVENT_FILTER, wire.ChannelUserevent.__name__)
        self._mark = ""
        self._has_knocked = False
        self._marked = asyncio.Event()
        self.phones = PhoneWatch(
            peer,
            f"{peer.application}-phones",
            self._http,
            partial(listener.phones, peer.site),
            may_connect=may_connect,
        )
        self.commands = Commands(self._http, self._sockets)

    async def run(self) -> None:
        """Keep the site connected. Returns when another daemon has taken the application; else until cancelled."""
        try:
            async with (
                http_session(self._peer, websockets=2 + self._sockets.count) as session,
                asyncio.TaskGroup() as group,
            ):
                group.create_task(self._http.run(session))
                group.create_task(self._run_sockets(session))
                group.create_task(self.phones.run(session))
                await self._stay_connected(session)
                raise _ReplacedError  # the one way to end the helpers of this group with it
        except ExceptionGroup as errors:
            expected(errors, _ReplacedError)
        if self._reception is not None:
            self._reception.close(self._peer.site)
        self._listener.replaced(self._peer.site)

    def resync(self) -> None:
        """Take a snapshot soon and hand it to the listener: events were lost on our side."""
        self._resync.set()

    async def _run_sockets(self, session: aiohttp.ClientSession) -> None:
        """Command sockets, once the server's version is known to carry them."""
        await self._carries_rest.wait()
        await self._sockets.run(session)

    async def _stay_connected(self, session: aiohttp.ClientSession) -> None:
        while True:
            await allowed(self._may_connect)
            error = await self._connect(session)
            reason = str(error) or type(error).__name__
            self._fall(reason)
            if isinstance(error, _ReplacedError):
                _log.warning("ari.replaced", site=self._peer.site, application=self._peer.application)
                return
            if reason != self._last_trouble:
                self._last_trouble = reason
                _log.warning("ari.not_connected", site=self._peer.site, why=reason)
            self._listener.away(self._peer.site, reason)
            if self._reception is not None and not self._has_knocked:
                await self._knock()
            rejected = isinstance(error, AriRejectedError)
            await asyncio.sleep(self._timing.rejected_s if rejected else self._backoff.next_s())

    async def _connect(self, session: aiohttp.ClientSession) -> Exception:
        """One connection, from its begin to its end; returns why it ended."""
        try:
            async with self._opened(session) as events, asyncio.TaskGroup() as group:
                group.create_task(self._read(events))
                await self._synchronise(events)
                group.create_task(self._probe())
                await self._repeat_snapshots()
        except Exception as error:
            return expected(error, *UNREACHABLE, AriError, UnreachableError, _ReplacedError)
        raise AssertionError("snapshots are repeated for ever")

    async def _knock(self) -> None:
        """Have Asterisk say something, once for each time it is away.

        It does not ping: a connection that is half-open on its side (our machine died, a network forgot it) it would
        hold until the next call.
        """
        self._has_knocked = True
        await self._http.call(operations.tell(self._peer.application, KNOCK), ANSWER_TIMEOUT_S)

    def _opened(self, session: aiohttp.ClientSession) -> AbstractAsyncContextManager[Events]:
        if self._reception is not None:
            return self._reception.received(self._peer.site)
        return dialled(session, self._peer)

    async def _synchronise(self, events: Events) -> None:
        if self._reception is not None:
            await self._see_application()
        await self._set_filter()
        await await_modules(self._http, self._peer)
        info = await ask(self._http, self._peer, operations.get_info(), AsteriskInfo)
        if can_carry_rest(info.system.version):
            self._carries_rest.set()
        if self._reception is None:
            self._rise(await take_snapshot(self._http, self._peer, self._clock))
            return
        if events.asterisk_id != info.system.entity_id:
            why = another_asterisk(self._peer, events.asterisk_id, info.system.entity_id)
            raise AriRejectedError(why, 403)
        self._reception.knows(self._peer.site, info.system.entity_id)
        await self._read_what_was_kept()
        asked_at = await self._their_time()
        snapshot = await take_snapshot(self._http, self._peer, self._clock)
        snapshot, self._early = sort_out(self._early, snapshot, asked_at, FROM_DIALPLAN)
        self._rise(snapshot)

    async def _see_application(self) -> None:
        """Who dials in has the application since Asterisk's start, unless a websocket took it, and then went away."""
        name = self._peer.application
        reply = await self._http.call(operations.get_application(name), ANSWER_TIMEOUT_S)
        if reply.outcome is Outcome.GONE:
            raise UnreachableError(
                f"Asterisk at {self._peer.url} dials in, and has no application {name!r} any more: somebody took it and"
                " left; say in its console: ari shutdown websocket sessions, then: ari start"
                " outbound-websocket, and the name of the section in ari.conf"
            )

    async def _read_what_was_kept(self) -> None:
        """Wait until Asterisk has told all that it kept for us: what we have it say now comes after that."""
        self._mark = f"callrouter-{secrets.token_hex(8)}"
        self._marked.clear()
        reply = await self._http.call(operations.tell(self._peer.application, self._mark), ANSWER_TIMEOUT_S)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._marked.wait()
        except TimeoutError as error:
            raise UnreachableError(
                f"what Asterisk at {self._peer.url} is to say does not come by the connection that it has dialled"
                f" (it answered {reply.status})"
            ) from error

    async def _their_time(self) -> datetime:
        """What time it is by Asterisk's clock."""
        ping = await ask(self._http, self._peer, operations.ping(), AsteriskPing)
        try:
            return datetime.fromisoformat(ping.timestamp)
        except ValueError as error:
            raise AriProtocolError(f"Asterisk at {self._peer.url} tells no time: {ping.timestamp!r}") from error

    async def _set_filter(self) -> None:
        request = operations.set_event_filter(self._peer.application, self._filter)
        await ask(self._http, self._peer, request, Application)

    async def _read(self, events: Events) -> None:
        while True:
            text = await events.read()
            try:
                message = wire.decode(text)
            except AriProtocolError as error:
                _log.warning("ari.message_unusable", site=self._peer.site, why=str(error))
                self._listener.overflow(self._peer.site)
                self._resync.set()
                continue
            if isinstance(message, wire.ApplicationReplaced):
                raise _ReplacedError(f"another daemon took the application {self._peer.application!r}")
            if isinstance(message, wire.ChannelUserevent):
                if message.eventname == self._mark:
                    self._marked.set()
                continue
            if isinstance(message, wire.RESTResponse | wire.Unknown):
                continue
            if self._is_up:
                self._listener.event(self._peer.site, message)
            else:
                self._keep_early(message)

    def _keep_early(self, event: wire.Event) -> None:
        if len(self._early) >= MOST_EARLY_EVENTS:
            self._listener.overflow(self._peer.site)
            raise UnreachableError(f"more than {MOST_EARLY_EVENTS} events came before the snapshot; starting over")
        self._early.append(event)

    def _rise(self, snapshot: SiteSnapshot) -> None:
        """Up, then what came early, then (by :meth:`_read`) what comes: no event can get in between."""
        self._backoff.reset()
        self._last_trouble = ""
        self._has_knocked = False
        self._is_up = True
        site = self._peer.site
        _log.info(
            "ari.up",
            site=site,
            version=snapshot.version,
            channels=len(snapshot.channels),
            bridges=len(snapshot.bridges),
        )
        self._listener.up(site, snapshot)
        early, self._early = self._early, []
        for event in early:
            self._listener.event(site, event)

    def _fall(self, reason: str) -> None:
        self._early.clear()
        self._resync.clear()
        if self._is_up:
            self._is_up = False
            self._listener.down(self._peer.site, reason)

    async def _repeat_snapshots(self) -> None:
        """Two seconds after coming up and after each loss of events, else every minute."""
        while True:
            await asyncio.sleep(self._timing.second_snapshot_s)
            self._resync.clear()
            self._listener.snapshot(self._peer.site, await take_snapshot(self._http, self._peer, self._clock))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timing.snapshot_s):
                    await self._resync.wait()

    async def _probe(self) -> None:
        """See again and again that the application is alive and filtered: being connected does not mean that."""
        wanted = set(self._filter)
        while True:
            await asyncio.sleep(self._timing.probe_s)
            request = operations.get_application(self._peer.application)
            application = await ask(self._http, self._peer, request, Application)
            if {entry.type for entry in application.events_allowed} != wanted:
                _log.warning("ari.filter_lost", site=self._peer.site)
                await self._set_filter()


def _command_applications(application: str, count: int) -> tuple[str, ...]:
    """Names that no other daemon has: they vanish with their sockets, so nothing is left behind in Asterisk."""
    life = secrets.token_hex(4)
    return tuple(f"{application}-cmd-{life}-{number}" for number in range(1, count + 1))
