"""``callrouter run``: everything wired, started, drained and ended in order."""

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

import callrouter
from callrouter.agi.protocol import AgiRequest
from callrouter.agi.route import route
from callrouter.agi.server import AgiServer
from callrouter.app.attending import DutyDesk, remember_duties
from callrouter.app.callback import CallbackKeeper
from callrouter.app.calling_back import CallingBackDesk, waiting_requests, withdraw
from callrouter.app.conversing import CallDesk
from callrouter.app.counting import remember_today
from callrouter.app.history import RulesHistory
from callrouter.app.inputs import recorder_of
from callrouter.app.memory import remember, remember_lost_places
from callrouter.app.recordings import RecordingKeeper, TapeDesk
from callrouter.app.reload import ConfigReloader, differs
from callrouter.app.remembering import RememberedCallers
from callrouter.app.standby import Standby
from callrouter.app.status import DaemonStatus
from callrouter.app.supervising import HearingDesk
from callrouter.app.surge import SurgeWatch
from callrouter.app.switching import SwitchDesk, remember_switches
from callrouter.app.voicemail import MessageKeeper, Recordings
from callrouter.app.waiting_status import WaitingStatus
from callrouter.app.watch import FolderWatch
from callrouter.ari.fleet import Fleet
from callrouter.ari.peer import Peer
from callrouter.config import Loaded, load
from callrouter.config.settings import SiteSettings
from callrouter.core import events as ev
from callrouter.core.exchange import Exchange
from callrouter.core.ids import SiteName
from callrouter.core.leading import Role
from callrouter.errors import ConfigError, JournalError, UnreachableError
from callrouter.runtime.call_ids import new_call_id
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.runtime.systemd import ServiceManager
from callrouter.store.audit_delivery import AuditErrand
from callrouter.store.delivery import CdrWriter
from callrouter.store.journal import Journal
from callrouter.store.journal_file import FILE_NAME
from callrouter.store.remembered import Remembered
from callrouter.store.rules_delivery import RulesErrand
from callrouter.store.sound_files import SoundFolder
from callrouter.web.reload import ReloadRequest
from callrouter.web.server import WebServer

log = structlog.get_logger(__name__)

LAST_DELIVERY_S: Final = 5.0
"""How long, at the end, CDRs are still handed to PostgreSQL; the rest stay in the journal for the next start."""
KEEP_JOURNAL: Final = timedelta(days=7)
"""How long facts and delivered CDRs stay in the journal."""
PRUNE_EVERY_S: Final = 3600.0
GC_THRESHOLDS: Final = (20_000, 20, 50)
"""Calls leave hardly any cycles behind: to look for some after every 700 objects, as Python does, finds nothing and
costs a busy daemon a twentieth of its time."""
CLOCK_CHECK_S: Final = 1.0
AGI_AGAIN_S: Final = 0.2
_Answer = TypeVar("_Answer")


class Stop:
    """Whether to stop: a first signal asks to drain, a second to stop at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()
        self.hands_over = True
        """Whether a leader hands over to one who waits; False once that was in vain."""

    def signal(self) -> None:
        """A signal came."""
        if self.asked.is_set():
            self.at_once.set()
        self.asked.set()


async def run_daemon(directory: Path, loaded: Loaded, clock: SteadyClock) -> None:
    """Run until SIGTERM or SIGINT, then drain. ``loaded`` is what ``directory`` says; SIGHUP has it read anew.

    Raises:
        ConfigError: a password is missing.
        JournalError: the journal cannot be opened, or another daemon has it.
        UnreachableError: a port to listen on is taken.
    """
    loaded.require_secrets()
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.signal)
    manager = ServiceManager.of_environment()
    _make_state_dir(loaded)
    if loaded.settings.standby.enabled:
        await _one_of_several(directory, loaded, clock, stop, manager)
    else:
        await _alone(directory, loaded, clock, stop, manager)
    log.info("daemon.ended")


async def _alone(directory: Path, loaded: Loaded, clock: SteadyClock, stop: Stop, manager: ServiceManager) -> None:
    async with _daemon(directory, loaded, clock) as (dispatcher, status, writer, _):
        _settle()
        manager.ready(status.line())
        log.info("daemon.ready", version=callrouter.__version__, config=loaded.rulebook.hash)
        watchdog = asyncio.create_task(manager.keep_alive(lambda: dispatcher.is_alive))
        telling = asyncio.create_task(manager.keep_status(status.line))
        await stop.asked.wait()
        manager.stopping("draining")
        await _drain(dispatcher, loaded.settings.drain_s, stop)
        watchdog.cancel()
        telling.cancel()
        if writer is not None:
            await writer.drain(LAST_DELIVERY_S)


def _settle() -> None:
    """What is there by now stays: it is not looked at again when Python looks for garbage."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _one_of_several(
    directory: Path, loaded: Loaded, clock: SteadyClock, stop: Stop, manager: ServiceManager
) -> None:
    """Wait, lead, and wait again, until asked to stop; a leader that is asked hands over to one who waits."""
    settings = loaded.settings
    standby = Standby(settings, clock.now)
    waiting = WaitingStatus(loaded, clock, standby.now)
    loop = asyncio.get_running_loop()
    async with WebServer(settings.web.host, settings.web.port, waiting) as web, _background() as start:
        web.attend_lead(standby)
        _settle()
        telling: WaitingStatus | DaemonStatus = waiting

        def line() -> str:
            return telling.line()  # of whom it is by then

        manager.ready(waiting.line())
        start(manager.keep_alive(lambda: telling.health().dispatcher_alive))
        start(manager.keep_status(line))
        start(_keep_idle_time(clock, standby))
        while True:
            loop.add_signal_handler(signal.SIGHUP, lambda: log.info("standby.reload_not_needed"))
            telling = waiting
            web.attend(waiting)
            hangs = await _unless_stopped(standby.wait_to_lead(), stop)
            if hangs is None:
                return
            loaded = await asyncio.to_thread(_as_written_now, directory, loaded)
            try:
                async with _daemon(directory, loaded, clock, Shared(standby, web, hangs)) as parts:
                    dispatcher, telling, writer, over = parts
                    log.info("daemon.leads", version=callrouter.__version__, config=loaded.rulebook.hash)
                    await _unless_stopped(over(), stop)
                    if stop.asked.is_set() and standby.role is Role.LEADING:
                        if stop.hands_over and standby.ask_to_hand_over():
                            await over()
                        else:
                            manager.stopping("draining")
                            await _drain(dispatcher, settings.drain_s, stop)
                            if writer is not None:
                                await writer.drain(LAST_DELIVERY_S)
                            return
            except JournalError as error:
                standby.failed(error)
            if stop.asked.is_set():
                if standby.role is not Role.CLAIMING:
                    return
                stop.hands_over = False  # nobody took over: lead again, and drain


async def _unless_stopped(work: Coroutine[Any, Any, _Answer], stop: Stop) -> _Answer | None:
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


def _as_written_now(directory: Path, loaded: Loaded) -> Loaded:
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


@dataclass(frozen=True, slots=True)
class Shared:
    """What a term of leading has from around it. ``hangs``: the journal is to be taken from a leader that hangs."""

    standby: Standby
    web: WebServer
    hangs: bool


@contextlib.asynccontextmanager
async def _daemon(
    directory: Path, loaded: Loaded, clock: SteadyClock, shared: Shared | None = None
) -> AsyncIterator[tuple[Dispatcher, DaemonStatus, CdrWriter | None, Callable[[], Coroutine[Any, Any, None]]]]:
    settings = loaded.settings
    standby = shared.standby if shared is not None else None
    may_act = standby.may_act if standby is not None else lambda: True
    fleet = Fleet(
        [_peer(site) for site in settings.sites.values()],
        partial(new_call_id, clock.now),
        clock.now,
        time.monotonic,
        may_act,
    )
    async with (
        _background() as start_outside,
        standby.around(fleet) if standby is not None else contextlib.nullcontext(),
        _journal(settings.state_dir / FILE_NAME, shared) as journal,
        Remembered(settings.state_dir, clock.now) as remembered,
    ):
        if standby is not None:
            await standby.opened(journal)
        began = clock.now()
        exchange = Exchange(loaded.rulebook, began)
        inputs = recorder_of(loaded, exchange, began)
        dispatcher = Dispatcher(exchange, fleet, journal, clock.now, memory=remembered, may_act=may_act, inputs=inputs)
        fleet.inbox = dispatcher
        await remember(dispatcher, journal, settings.sites)
        await remember_lost_places(dispatcher, journal)
        await remember_switches(dispatcher, journal)
        await remember_duties(dispatcher, journal)
        await remember_today(dispatcher, journal, clock.now)
        history = RulesHistory(journal, directory, clock.now)
        history.started_with(loaded)
        writer = _writer(journal, settings.database_url, clock)
        if writer is None:
            log.warning("database.none", remedy=f"set {settings.database_url_env}; until then CDRs stay in the journal")
        agi = AgiServer(
            settings.agi.host,
            settings.agi.port,
            {"route": partial(_route, dispatcher, clock, next(iter(settings.sites)), remembered)},
            allowed_networks=settings.agi.allow,
        )
        reloader = ConfigReloader(directory, os.environ, loaded, dispatcher, history, inputs)
        keeper = _keeper(settings.database_url, dispatcher, fleet, clock)
        callbacks = _callbacks(settings.database_url, dispatcher, clock)
        surges = SurgeWatch(settings.database_url, exchange, clock.now)
        status = DaemonStatus(
            reloader, clock, dispatcher, fleet, journal, writer, agi, remembered, keeper, callbacks, surges
        )
        if standby is not None:
            status.leading = standby.now
        callers, desk = RememberedCallers(remembered), SwitchDesk(dispatcher, journal)
        attendance, talks = DutyDesk(dispatcher, journal), CallDesk(dispatcher)
        tapes = _tapes(loaded, journal, dispatcher, fleet, clock)
        returns = CallingBackDesk(dispatcher, lambda: callbacks.requests if callbacks is not None else ())
        desks = (desk, attendance, talks, HearingDesk(dispatcher, journal), tapes[1], returns)
        async with contextlib.AsyncExitStack() as listening:
            if shared is None:
                await listening.enter_async_context(agi)
                web = WebServer(settings.web.host, settings.web.port, status, reloader, callers, *desks)
                await listening.enter_async_context(web)
            else:
                shared.web.attend(status, reloader, callers, *desks)
            start = await listening.enter_async_context(_background())
            start(dispatcher.run())
            start_outside(fleet.run())
            if standby is not None:
                start(standby.keep(journal, dispatcher))
                start(_listen_when_free(agi))
            start(_keep_time(clock, dispatcher))
            start(_prune(journal, clock))
            start(remembered.run())
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, lambda: start(reloader.reload(ReloadRequest("SIGHUP"))))
            if settings.reload_on_save:
                start(FolderWatch(directory, reloader).run())
            if writer is not None:
                start(writer.run())
            for looking in (keeper, tapes[0], callbacks, surges, inputs):
                if looking is not None:
                    start(looking.run())
            over = partial(standby.until_over, journal, fleet, dispatcher) if standby is not None else _never
            yield dispatcher, status, writer, over


def _journal(path: Path, shared: Shared | None) -> Journal:
    """The journal; taken from a leader that hangs where one does, unless it has woken meanwhile."""
    if shared is None or not shared.hangs:
        return Journal(path)
    return Journal(path, steal=True, heard=shared.standby.heard)


async def _never() -> None:
    await asyncio.Event().wait()


async def _listen_when_free(agi: AgiServer) -> None:
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
async def _background() -> AsyncIterator[Callable[[Coroutine[Any, Any, object]], None]]:
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


async def _drain(dispatcher: Dispatcher, limit_s: float, stop: Stop) -> None:
    """Take no new calls; let those in progress come to their end, up to the limit or a second signal."""
    dispatcher.post(ev.DrainRequested())
    log.info("daemon.draining", calls=len(dispatcher.exchange.calls), limit_s=limit_s)
    idle = asyncio.create_task(dispatcher.wait_idle())
    hurry = asyncio.create_task(stop.at_once.wait())
    await asyncio.wait((idle, hurry), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    for task in (idle, hurry):
        task.cancel()
    left = len(dispatcher.exchange.calls)
    if left:
        log.warning("daemon.leaving_calls", calls=left, remedy="they go on; the next daemon takes them up")


async def _keep_time(clock: SteadyClock, dispatcher: Dispatcher) -> None:
    while True:
        await asyncio.sleep(CLOCK_CHECK_S)
        clock.check(idle=not dispatcher.exchange.has_callers)


async def _keep_idle_time(clock: SteadyClock, standby: Standby) -> None:
    while True:
        await asyncio.sleep(CLOCK_CHECK_S)
        if standby.role in (Role.STANDBY, Role.RESTING):
            clock.check(idle=True)


async def _prune(journal: Journal, clock: SteadyClock) -> None:
    while True:
        try:
            removed = await journal.prune(clock.now() - KEEP_JOURNAL)
        except JournalError as error:
            log.warning("journal.not_pruned", why=str(error))
        else:
            log.debug("journal.pruned", calls=removed)
        await asyncio.sleep(PRUNE_EVERY_S)


def _writer(journal: Journal, url: str | None, clock: SteadyClock) -> CdrWriter | None:
    """What delivers CDRs, the versions of the rules and the audit log; None where no database is configured."""
    errands = (RulesErrand(journal), AuditErrand(journal))
    return CdrWriter(journal, url, now=clock.now, errands=errands) if url else None


def _route(
    dispatcher: Dispatcher, clock: SteadyClock, site: SiteName, remembered: Remembered, request: AgiRequest
) -> dict[str, str]:
    exchange = dispatcher.exchange
    queues = exchange.conduct.waiting.queue_states(clock.now())
    switches = exchange.conduct.switchboard.on(clock.now())
    return dict(route(request, exchange.rulebook, clock.now, site, queues, switches, remembered.recall))


def _keeper(url: str | None, dispatcher: Dispatcher, fleet: Fleet, clock: SteadyClock) -> MessageKeeper | None:
    """Who looks after messages, where there is a database that tells of them."""

    def recordings(site: SiteName) -> Recordings | None:
        return fleet.recordings(site) if dispatcher.acts else None

    return MessageKeeper(url, lambda: dispatcher.exchange.rulebook.boxes, recordings, clock.now) if url else None


def _tapes(
    loaded: Loaded, journal: Journal, dispatcher: Dispatcher, fleet: Fleet, clock: SteadyClock
) -> tuple[RecordingKeeper | None, TapeDesk | None]:
    """Who looks after recorded conversations and gives them out, where there is a database that tells of them."""
    url, folder = loaded.settings.database_url, SoundFolder(loaded.settings.recordings_dir)
    if url is None:
        if any(queue.recording is not None for queue in loaded.rulebook.queues.values()):
            remedy = f"set {loaded.settings.database_url_env}; until then recordings stay with Asterisk, for ever"
            log.warning("recording.no_database", remedy=remedy)
        return None, None
    keeper = RecordingKeeper(url, folder, lambda site: fleet.recordings(site) if dispatcher.acts else None, clock.now)
    return keeper, TapeDesk(url, folder, journal, clock.now)


def _callbacks(url: str | None, dispatcher: Dispatcher, clock: SteadyClock) -> CallbackKeeper | None:
    """Who looks after requests to be called back, where there is a database that has them."""
    if not url:
        return None
    waiting, closed = partial(waiting_requests, dispatcher), partial(withdraw, dispatcher)
    return CallbackKeeper(url, lambda: dispatcher.exchange.rulebook, clock.now, waiting=waiting, withdraw=closed)


def _peer(site: SiteSettings) -> Peer:
    return Peer(site.name, site.ari_url, site.user, site.password, site.application)


def _make_state_dir(loaded: Loaded) -> None:
    path = loaded.settings.state_dir
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise JournalError(
            f"state directory {path} cannot be made ({error.strerror}); create it for the daemon's user, or set"
            " CALLROUTER_STATE_DIR"
        ) from error
