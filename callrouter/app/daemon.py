"""``callrouter run``: everything wired, started, drained and ended in order."""

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import structlog

import callrouter
from callrouter.agi.protocol import AgiRequest
from callrouter.agi.route import route
from callrouter.agi.server import AgiServer
from callrouter.app.access import JournalTrail, make_local_token, note_account_changes
from callrouter.app.attending import DutyDesk, remember_duties
from callrouter.app.callback import CallbackKeeper
from callrouter.app.calling_back import CallingBackDesk, waiting_requests, withdraw
from callrouter.app.conversing import CallDesk
from callrouter.app.counting import remember_outward, remember_today
from callrouter.app.files_left import mind_descriptors
from callrouter.app.history import RulesHistory
from callrouter.app.inputs import recorder_of
from callrouter.app.memory import remember, remember_lost_places
from callrouter.app.recordings import RecordingKeeper, TapeDesk
from callrouter.app.reload import ConfigReloader
from callrouter.app.remembering import RememberedCallers
from callrouter.app.several import (
    Alone,
    Running,
    Shared,
    Stop,
    background,
    journal_of,
    listen_when_free,
    one_of_several,
)
from callrouter.app.standby import KEEP_JOURNAL
from callrouter.app.status import DaemonStatus
from callrouter.app.supervising import HearingDesk
from callrouter.app.surge import SurgeWatch
from callrouter.app.switching import SwitchDesk, remember_switches
from callrouter.app.voicemail import MessageKeeper, Recordings
from callrouter.app.watch import FolderWatch
from callrouter.ari.fleet import Fleet
from callrouter.ari.peer import peer_of
from callrouter.config import Loaded
from callrouter.core import events as ev
from callrouter.core.events import SiteDown
from callrouter.core.exchange import Exchange
from callrouter.core.ids import SiteName
from callrouter.errors import JournalError
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
from callrouter.web.desks import Desks
from callrouter.web.gate import Gate
from callrouter.web.reload import ReloadRequest
from callrouter.web.server import WebServer

log = structlog.get_logger(__name__)

LAST_DELIVERY_S: Final = 5.0
"""How long, at the end, CDRs are still handed to PostgreSQL; the rest stay in the journal for the next start."""
PRUNE_EVERY_S: Final = 3600.0
GC_THRESHOLDS: Final = (20_000, 20, 50)
"""Calls leave hardly any cycles behind: to look for some after every 700 objects, as Python does, finds nothing and
costs a busy daemon a twentieth of its time."""
CLOCK_CHECK_S: Final = 1.0


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
        _settle()
        await one_of_several(directory, loaded, clock, stop, manager, _daemon, _end)
    else:
        await _alone(directory, loaded, clock, stop, manager)
    log.info("daemon.ended")


async def _alone(directory: Path, loaded: Loaded, clock: SteadyClock, stop: Stop, manager: ServiceManager) -> None:
    async with _daemon(directory, loaded, clock) as running:
        dispatcher, status, writer = running.dispatcher, running.status, running.writer
        _settle()
        manager.ready(status.line())
        log.info("daemon.ready", version=callrouter.__version__, config=loaded.rulebook.hash)
        watchdog = asyncio.create_task(manager.keep_alive(lambda: dispatcher.is_alive))
        telling = asyncio.create_task(manager.keep_status(status.line))
        await stop.asked.wait()
        manager.stopping("draining")
        await _end(dispatcher, writer, loaded.settings.drain_s, stop)
        watchdog.cancel()
        telling.cancel()


def _settle() -> None:
    """What is there by now stays: it is not looked at again when Python looks for garbage."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@contextlib.asynccontextmanager
async def _daemon(
    directory: Path, loaded: Loaded, clock: SteadyClock, shared: Shared | None = None
) -> AsyncIterator[Running]:
    settings = loaded.settings
    standby = shared.standby if shared is not None else Alone()
    fleet = Fleet(
        [peer_of(site) for site in settings.sites.values()],
        partial(new_call_id, clock.now),
        clock.now,
        time.monotonic,
        standby.may_connect,
        settings.dial_in,
    )
    async with (
        background() as start_outside,
        standby.around(fleet),
        journal_of(settings.state_dir / FILE_NAME, shared) as journal,
        Remembered(settings.state_dir, clock.now) as remembered,
    ):
        await standby.opened(journal)
        began = clock.now()
        exchange = Exchange(loaded.rulebook, began)
        inputs = recorder_of(loaded, exchange, began)
        dispatcher = Dispatcher(
            exchange,
            fleet,
            journal,
            clock.now,
            memory=remembered,
            may_act=lambda: standby.may_act() and not journal.is_fenced,
            inputs=inputs,
        )
        fleet.inbox = dispatcher
        await remember(dispatcher, journal, settings.sites)
        for site in settings.sites:
            dispatcher.post(SiteDown(site))  # until it is up, which may be long
        await remember_lost_places(dispatcher, journal)
        await remember_switches(dispatcher, journal)
        await remember_duties(dispatcher, journal)
        await remember_today(dispatcher, journal, clock.now)
        await remember_outward(dispatcher, journal, clock.now)
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
        reloader = ConfigReloader(
            directory,
            os.environ,
            loaded,
            dispatcher,
            history,
            inputs,
            changed=partial(note_account_changes, journal, clock.now),
        )
        keeper = _keeper(settings.database_url, dispatcher, fleet, clock)
        callbacks = _callbacks(settings.database_url, dispatcher, clock)
        surges = SurgeWatch(settings.database_url, exchange, clock.now)
        status = DaemonStatus(
            reloader, clock, dispatcher, fleet, journal, writer, agi, remembered, keeper, callbacks, surges
        )
        status.leading = standby.now
        tape_keeper, tape_desk = _tapes(loaded, journal, dispatcher, fleet, clock)
        desks = Desks(
            reloader=reloader,
            remembering=RememberedCallers(remembered),
            switcher=SwitchDesk(dispatcher, journal),
            attendance=DutyDesk(dispatcher, journal),
            conversations=CallDesk(dispatcher),
            supervision=HearingDesk(dispatcher, journal),
            recordings=tape_desk,
            callbacks=CallingBackDesk(dispatcher, lambda: callbacks.requests if callbacks is not None else ()),
        )
        async with contextlib.AsyncExitStack() as listening:
            trail = JournalTrail(journal, settings.database_url)
            if shared is None:
                token = make_local_token(settings.state_dir)
                gate = Gate(reloader.known_accounts, settings.web, trail, clock.now, local_token=token)
                web = WebServer(settings.web.host, settings.web.port, status, desks, gate=gate)
                await listening.enter_async_context(agi)
                await listening.enter_async_context(web)
            else:
                shared.entrance.lead(reloader.known_accounts, trail)
                shared.web.attend(status, desks)
            start = await listening.enter_async_context(background())
            start(dispatcher.run())
            start_outside(fleet.run())
            start(standby.keep(journal, dispatcher))
            if shared is not None:
                start(listen_when_free(agi))
            start(_keep_time(clock, dispatcher))
            start(_prune(journal, clock))
            start(mind_descriptors())
            start(remembered.run())
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, lambda: start(reloader.reload(ReloadRequest("SIGHUP"))))
            if settings.reload_on_save:
                start(FolderWatch(directory, reloader).run())
            if writer is not None:
                start(writer.run())
            if inputs is not None:
                start(inputs.run())
            for looking in (keeper, tape_keeper, callbacks, surges):
                if looking is not None:
                    start(_when_tables_are_there(writer, looking.run))
            yield Running(dispatcher, status, writer, partial(standby.until_over, journal, fleet, dispatcher))


async def _end(dispatcher: Dispatcher, writer: CdrWriter | None, drain_s: float, stop: Stop) -> None:
    """Drain, then deliver what there is to deliver."""
    await _drain(dispatcher, drain_s, stop)
    if writer is not None:
        await writer.drain(LAST_DELIVERY_S)


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


async def _when_tables_are_there(writer: CdrWriter | None, look: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
    """``look`` when the writer has made the tables, or has told why it could not."""
    if writer is not None:
        await writer.has_tried.wait()
    await look()


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


def _make_state_dir(loaded: Loaded) -> None:
    path = loaded.settings.state_dir
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise JournalError(
            f"state directory {path} cannot be made ({error.strerror}); create it for the daemon's user, or set"
            " CALLROUTER_STATE_DIR"
        ) from error
