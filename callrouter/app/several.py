"""A daemon that others may relieve: it waits, leads, and waits again, in one process and behind one web server.

What it is at any moment is told by :mod:`callrouter.app.standby`; a term of leading is one run of the parts that
:mod:`callrouter.app.daemon` puts together.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import structlog

import callrouter
from callrouter.agi.server import AgiServer
from callrouter.app.access import JournalTrail, make_local_token
from callrouter.app.reload import differs
from callrouter.app.standby import TAKEN_WITHIN_S, Standby
from callrouter.app.status import DaemonStatus
from callrouter.app.waiting_status import WaitingStatus
from callrouter.ari.fleet import Fleet
from callrouter.ari.peer import peer_of
from callrouter.ari.reach import Reach
from callrouter.config import Loaded, load
from callrouter.core.access import Account
from callrouter.core.audit import AuditEntry
from callrouter.core.ids import AccountName
from callrouter.core.leading import LeadingNow, Role, Sign
from callrouter.errors import ConfigError, JournalError, JournalFencedError, UnreachableError
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.runtime.systemd import ServiceManager
from callrouter.store.delivery import CdrWriter
from callrouter.store.journal import Journal
from callrouter.web.gate import Gate, KnownAccounts
from callrouter.web.server import WebServer
from callrouter.web.trail import AuditDocument, AuditSearchRequest

log = structlog.get_logger(__name__)

AGI_AGAIN_S: Final = 0.2
AGAIN_S: Final = 0.5
"""After how long it is tried again to take over."""
CLOCK_CHECK_S: Final = 1.0
_Answer = TypeVar("_Answer")


class Stop:
    """Whether to stop: a first signal asks to drain, a second to stop at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()

    def signal(self) -> None:
        """A signal came."""
        if self.asked.is_set():
            self.at_once.set()
        self.asked.set()


@dataclass(frozen=True, slots=True)
class Running:
    """The parts of a daemon that leads. ``over`` waits until another is to lead."""

    dispatcher: Dispatcher
    status: DaemonStatus
    writer: CdrWriter | None
    over: Callable[[], Coroutine[Any, Any, None]]


class Alone:
    """In place of :class:`Standby`, where no other daemon may wait: nobody relieves this one."""

    now: Callable[[], LeadingNow] | None = None

    def may_act(self) -> bool:
        """Always."""
        return True

    def may_connect(self) -> bool:
        """Always."""
        return True

    def around(self, _: Fleet) -> AbstractAsyncContextManager[None]:
        """Nothing."""
        return contextlib.nullcontext()

    async def opened(self, journal: Journal) -> None:
        """That is all."""

    async def keep(self, journal: Journal, dispatcher: Dispatcher) -> None:
        """Nothing to be kept."""

    async def until_over(self, journal: Journal, fleet: Fleet, dispatcher: Dispatcher) -> None:
        """It never is."""
        await asyncio.Event().wait()


class Entrance:
    """Who may come in by page and API, whoever leads: one gate for all terms, so that a log-in outlives them.

    Implements :class:`callrouter.web.trail.AuditTrail`: by the journal while this daemon leads, else by the log alone.
    """

    def __init__(self, loaded: Loaded, now: Callable[[], datetime]) -> None:
        accounts = loaded.accounts
        self._known: KnownAccounts = lambda: accounts.by_name if accounts is not None else None
        self._trail: JournalTrail | None = None
        token = make_local_token(loaded.settings.state_dir, shared=True)
        self.gate = Gate(self._accounts_now, loaded.settings.web, self, now, local_token=token)

    def _accounts_now(self) -> Mapping[AccountName, Account] | None:
        return self._known()

    def lead(self, known: KnownAccounts, trail: JournalTrail) -> None:
        """From now on these accounts, and this trail."""
        self._known, self._trail = known, trail

    def wait(self) -> None:
        """From now on the journal is another's."""
        self._trail = None

    def note(self, entry: AuditEntry) -> None:
        """See the Protocol."""
        if self._trail is not None:
            self._trail.note(entry)
        else:
            log.info("standby.audit", who=entry.who, what=entry.kind, name=entry.name, was=entry.was, now=entry.becomes)

    async def keep(self, entry: AuditEntry) -> bool:
        """See the Protocol."""
        return await self._trail.keep(entry) if self._trail is not None else False

    async def find(self, search: AuditSearchRequest) -> AuditDocument | None:
        """See the Protocol."""
        return await self._trail.find(search) if self._trail is not None else None


@dataclass(frozen=True, slots=True)
class Shared:
    """What a term of leading has from around it."""

    standby: Standby
    web: WebServer
    entrance: Entrance


class Daemon(Protocol):
    """Puts a daemon's parts together and runs them, for as long as it is entered."""

    def __call__(
        self, directory: Path, loaded: Loaded, clock: SteadyClock, shared: Shared
    ) -> AbstractAsyncContextManager[Running]:
        """Raises JournalError where the journal cannot be had."""


class End(Protocol):
    """Brings calls in progress to their end, as far as that can be."""

    async def __call__(self, dispatcher: Dispatcher, writer: CdrWriter | None, drain_s: float, stop: Stop) -> None:
        """Within ``drain_s`` seconds, or until told to hurry."""


async def one_of_several(
    directory: Path,
    loaded: Loaded,
    clock: SteadyClock,
    stop: Stop,
    manager: ServiceManager,
    daemon: Daemon,
    end: End,
) -> None:
    """Wait, lead, and wait again, until asked to stop; a leader that is asked hands over to one who waits.

    Raises:
        JournalError: it leads, and the journal that was opened cannot be read.
        UnreachableError: the web server's port is taken.
    """
    settings = loaded.settings
    reach = Reach(map(peer_of, settings.sites.values()))
    standby = Standby(settings, clock.now, lambda: reach.any)
    waiting = WaitingStatus(loaded, clock, standby.now)
    telling: WaitingStatus | DaemonStatus = waiting
    was_missed = False

    def line() -> str:
        return telling.line()  # of whom it is by then

    entrance = Entrance(loaded, clock.now)
    server = WebServer(settings.web.host, settings.web.port, waiting, gate=entrance.gate)
    async with server as web, background() as start:
        web.attend_lead(standby)
        manager.ready(line())
        start(manager.keep_alive(lambda: telling.health().dispatcher_alive))
        start(manager.keep_status(line))
        start(_keep_idle_time(clock, standby))
        start(reach.run())
        while await _turn(standby, stop) is not None:
            loaded = await asyncio.to_thread(as_written_now, directory, loaded)
            try:
                async with daemon(directory, loaded, clock, Shared(standby, web, entrance)) as running:
                    telling = running.status
                    log.info("daemon.leads", version=callrouter.__version__, config=loaded.rulebook.hash)
                    await unless_stopped(running.over(), stop)
                    if standby.role is Role.LEADING and not was_missed and standby.ask_to_hand_over():
                        await running.over()
                    elif standby.role is Role.LEADING:
                        manager.stopping("draining")
                        await end(running.dispatcher, running.writer, settings.drain_s, stop)
            except JournalError as error:
                if standby.role is Role.TAKING_OVER:
                    standby.failed(error)
                    await asyncio.sleep(AGAIN_S)
                elif isinstance(error, JournalFencedError):  # it slept as its term began, and another's has begun since
                    standby.see(Sign.FENCED)
                else:
                    raise
            telling = waiting
            web.attend(waiting)
            entrance.wait()
            was_missed = standby.role is Role.CLAIMING
            if stop.asked.is_set() and not was_missed:
                return


async def _turn(standby: Standby, stop: Stop) -> bool | None:
    """Wait for the turn to lead; whether the leader before hangs. None: stop before that.

    One that is to stop, and whom nobody relieved, leads once more, to bring its calls to an end.
    """
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: log.info("standby.reload_not_needed"))
    if not stop.asked.is_set():
        return await unless_stopped(standby.wait_to_lead(), stop)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TAKEN_WITHIN_S):
            return await standby.wait_to_lead()
    return None


async def unless_stopped(work: Coroutine[Any, Any, _Answer], stop: Stop) -> _Answer | None:
    """What ``work`` answers; None if the daemon is asked to stop before."""
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.asked.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


def as_written_now(directory: Path, loaded: Loaded) -> Loaded:
    """The rules as they are written now: who waited has not followed what the leader took. Else as they were."""
    try:
        if not differs(directory, loaded):
            return loaded
        now = load(directory, os.environ)
        now.require_secrets()
    except ConfigError as error:
        log.warning("standby.rules_of_start", why=str(error), remedy="callrouter check; then callrouter reload")
        return loaded
    return now


async def _keep_idle_time(clock: SteadyClock, standby: Standby) -> None:
    while True:
        await asyncio.sleep(CLOCK_CHECK_S)
        if standby.role in (Role.STANDBY, Role.RESTING):
            clock.check(idle=True)


def journal_of(path: Path, shared: Shared | None) -> Journal:
    """The journal; where others may wait, as what ties this daemon to them has it."""
    return Journal(path) if shared is None else shared.standby.journal(path)


async def listen_when_free(agi: AgiServer) -> None:
    """Answer FastAGI as soon as the port is ours: the leader before, who may hang, may have it still."""
    was_told = False
    while True:
        try:
            await agi.run()
        except UnreachableError as error:
            if not was_told:
                log.warning("agi.not_listening", why=str(error))
            was_told = True
        await asyncio.sleep(AGI_AGAIN_S)


@contextlib.asynccontextmanager
async def background() -> AsyncIterator[Callable[[Coroutine[Any, Any, object]], None]]:
    """Yields what starts a task. All are cancelled when the block ends, and one that fails ends the block."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[object]] = []

        def start(work: Coroutine[Any, Any, object]) -> None:
            tasks.append(group.create_task(work))

        try:
            yield start
        except Exception as error:
            failure = error  # of the block itself: it leaves as it is, and not in a group
        for task in tasks:
            task.cancel()
    if failure is not None:
        raise failure
