"""One daemon among several with the same journal: it waits, takes over, leads, hands over or stands down.

What follows from what is decided in :mod:`callrouter.core.leading`; here is where the signs come from. A term of
leading is one run of the daemon's parts (:mod:`callrouter.app.daemon`); they are put together anew for each.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final

import structlog

from callrouter.ari.fleet import Fleet
from callrouter.config.settings import DaemonSettings
from callrouter.core.leading import LeadingNow, Pulse, Role, Sign, Silence, after
from callrouter.errors import JournalError, JournalFencedError
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.runtime.leader_line import FILE_NAME, LeaderLine, WaitingLine
from callrouter.store.journal import Journal
from callrouter.store.leader_lock import LeaderLock
from callrouter.store.term_journal import Mark
from callrouter.web.leading import HandOverReport, HandOverRequest

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.1
"""How often one who waits looks for a leader while there is none, and whether to try again."""
TAKEN_WITHIN_S: Final = 4.0
"""How long one who hands over waits for another to take the application."""
_NEWS: Final = frozenset({Role.LEADING, Role.HANDING_OVER, Role.RESTING})
_WORDS: Final = {
    Role.STANDBY: "another daemon leads, or soon will",
    Role.CLAIMING: "the leader is gone: asking for its lock",
    Role.TAKING_OVER: "opening the journal",
    Role.LEADING: "leads",
    Role.HANDING_OVER: "another takes over",
    Role.RESTING: "a daemon that is not on this journal took our application in Asterisk; stop one of the two,"
    " then start this one anew",
}


class Standby:
    """See the module. ``now`` is the daemon's clock, ``reaches`` whether it reaches an Asterisk.

    Implements :class:`callrouter.web.leading.LeadDesk`, too.
    """

    def __init__(
        self, settings: DaemonSettings, now: Callable[[], datetime], reaches: Callable[[], bool] = lambda: True
    ) -> None:
        silence_s = settings.standby.silence_s
        beat_s = silence_s / 4
        self._reaches = reaches
        self._silence_s = silence_s
        self.role = Role.STANDBY
        self._lease_s = silence_s * 0.6
        self._beat_s = beat_s
        self._now = now
        self._since = now()
        self._changes = 0
        self._lock_sign = Sign.LOCK_UNKNOWN
        self._socket = settings.state_dir / FILE_NAME
        self._awaiting: list[asyncio.Future[None]] = []
        self._hears = WaitingLine(self._socket, silence_s=silence_s, beat_s=beat_s, reaches=reaches)
        self._line: LeaderLine | None = None
        names = [f"{site.name}:{site.application}" for site in settings.sites.values()]
        self._is_dialled = any(site.dials_in for site in settings.sites.values())
        """Whether an Asterisk dials the leader: of one that hangs it does not let go by itself."""
        self._lock = LeaderLock(
            settings.database_url, names, lease_s=self._lease_s, beat_s=beat_s, on_sign=self._remember_lock
        )
        self._pulse = Pulse(time.monotonic(), lease_s=self._lease_s)
        self._term: int | None = None
        self._is_hung = False
        """Whether the leader before hangs."""
        self._failure = ""
        self._open = contextlib.AsyncExitStack()

    def now(self) -> LeadingNow:
        """For people and programs."""
        waiting = self._line.waiting if self._line is not None else 0
        words = f"could not take over: {self._failure}" if self._failure else _WORDS[self.role]
        return LeadingNow(self.role, self._since, self._term, waiting, self._changes, self._lock_sign, words)

    def may_act(self) -> bool:
        """Whether what is decided now may be done: it leads, and see :class:`callrouter.core.leading.Pulse`."""
        return self._pulse.may_act(time.monotonic()) and self._is(Role.LEADING)

    # Waiting.

    async def wait_to_lead(self) -> bool:
        """Wait until it is this daemon's turn; whether the journal must be taken from one that hangs."""
        self._is_hung = False
        while True:
            if self.role in (Role.STANDBY, Role.RESTING):
                self._is_hung = await self._watch() is Sign.SILENT
            if self._is(Role.CLAIMING):
                self._remember_lock(await self._lock.claim())
                self.see(self._lock_sign)
            if self._is(Role.TAKING_OVER):
                return self._is_hung
            await asyncio.sleep(LOOK_EVERY_S)

    def _is(self, role: Role) -> bool:
        return self.role is role  # asked anew: it changes while we wait

    async def _watch(self) -> Sign:
        last = Sign.GONE
        async with contextlib.aclosing(self._hears.watch()) as signs:
            async for last in signs:
                self.see(last)
        return last

    @property
    def heard(self) -> Mark | None:
        """What the leader said before it fell silent: it is relieved only if it has not woken since."""
        return self._hears.heard

    def failed(self, why: JournalError) -> None:
        """The term did not begin."""
        if str(why) != self._failure:  # it is tried again and again
            log.warning("standby.not_taken_over", why=str(why))
        self._failure = str(why)
        self.see(Sign.FAILED)

    # Leading.

    @contextlib.asynccontextmanager
    async def around(self, fleet: Fleet) -> AsyncIterator[None]:
        """Around all of a term but the connections to Asterisk: those stay until another has the application.

        A new call comes to a daemon at every moment of a hand-over, and to no fallback.
        """
        keeping = asyncio.create_task(self._lock.keep())
        try:
            async with contextlib.AsyncExitStack() as self._open:
                yield
                if self._is(Role.HANDING_OVER):
                    keeping.cancel()
                    await self._hand_over_to_one(fleet)
        finally:
            self._line, self._term = None, None
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._lock.release()

    async def opened(self, journal: Journal) -> None:
        """The journal is open; where one that hangs keeps it from being read, that one is ended.

        Raises:
            JournalError: it is not ours.
        """
        hung = self._hears.leader if self._is_hung and (journal.term is None or self._is_dialled) else None
        if hung is not None and hung.end():
            what = "the journal's file" if journal.term is None else "the connection that Asterisk has dialled"
            log.error("standby.leader_ended", pid=hung.pid, why=f"it hangs, and holds {what}")
        await journal.open_calls()  # it can be read; on a full disk, no more than that
        line = LeaderLine(self._socket, lambda: (journal.term or 0, journal.proofs), beat_s=self._beat_s)
        self._line = await self._open.enter_async_context(line)
        self._pulse = Pulse(time.monotonic(), lease_s=self._lease_s)
        self._term = journal.term
        self._changes += 1
        self._failure = ""
        self.see(Sign.TAKEN)

    async def keep(self, journal: Journal, dispatcher: Dispatcher) -> None:
        """What a leader does beside leading: make sure, again and again, that it does; until cancelled."""
        blind = Silence(time.monotonic(), limit_s=self._silence_s, step_s=self._beat_s)
        while True:
            await asyncio.sleep(self._beat_s)
            if self._reaches():
                blind.heard(time.monotonic())
            elif blind.is_too_long(time.monotonic()) and self._line is not None and self._line.other_reaches:
                log.error("standby.cut_off", remedy="see to this daemon's way to Asterisk; another takes over")
                self.ask_to_hand_over()
            if journal.is_fenced:
                dispatcher.stand_down()
                self.see(Sign.FENCED)
            elif not self._pulse.beat(time.monotonic()):
                await self._prove(journal, dispatcher)

    async def until_over(self, journal: Journal, fleet: Fleet, dispatcher: Dispatcher) -> None:
        """Wait until this term is over, and have the dispatcher command nothing any more from that moment on."""
        taken = asyncio.create_task(fleet.taken.wait())
        try:
            while self._is(Role.LEADING):
                changed = self._change()
                await asyncio.wait((taken, changed), return_when=asyncio.FIRST_COMPLETED)
                if taken.done() and self._is(Role.LEADING):
                    await self._see_who_took(journal)
        finally:
            taken.cancel()
            if not self._is(Role.LEADING):
                dispatcher.stand_down()

    async def _see_who_took(self, journal: Journal) -> None:
        try:
            await journal.prove(self._lease_s)
        except JournalFencedError:
            self.see(Sign.FENCED)
        else:
            self.see(Sign.REPLACED)
            if self._line is not None:
                self._line.say_robbed()

    async def _prove(self, journal: Journal, dispatcher: Dispatcher) -> None:
        """We slept: another may lead. The journal's answer comes when what Asterisk had to say has been read, too."""
        asked_s = time.monotonic()
        try:
            is_known = await journal.prove(self._lease_s / 2)
        except JournalFencedError:
            dispatcher.stand_down()
            self.see(Sign.FENCED)
            return
        log.warning("standby.slept", proven=is_known, remedy="what keeps this machine, or this process, so busy?")
        self._pulse.proven(asked_s)
        dispatcher.go_on()

    # Handing over.

    def ask_to_hand_over(self) -> bool:
        """Begin to hand over; False if nobody waits."""
        if self._line is None or not self._line.waiting:
            return False
        self.see(Sign.ASKED)
        return self._is(Role.HANDING_OVER)

    async def hand_over(self, request: HandOverRequest) -> HandOverReport:
        """See the Protocol."""
        if not self._is(Role.LEADING) or self._line is None:
            return HandOverReport(False, f"this daemon does not lead ({_WORDS[self.role]}); ask the one that does")
        if not self._line.waiting:
            return HandOverReport(False, "no other daemon waits to take over; start one with standby: {enabled: yes}")
        log.info("standby.asked_to_hand_over", who=request.who)
        self.ask_to_hand_over()
        while self.role in (Role.HANDING_OVER, Role.CLAIMING, Role.TAKING_OVER):
            await self._change()
        if self._is(Role.LEADING):
            return HandOverReport(False, "nobody took over in time; this daemon leads again")
        return HandOverReport(True, "another daemon leads now; this one waits")

    async def _hand_over_to_one(self, fleet: Fleet) -> None:
        await self._lock.release()
        fleet.let_go()
        if self._line is not None and self._line.hand_over():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TAKEN_WITHIN_S):
                    await fleet.until_taken()
                    await fleet.none_up.wait()
            if fleet.none_up.is_set():  # taken, or there is no Asterisk to take
                self.see(Sign.REPLACED)
                return
        log.error("standby.nobody_took", within_s=TAKEN_WITHIN_S)
        self.see(Sign.NOBODY_TOOK)

    def see(self, sign: Sign) -> None:
        """A sign came: change the role as the table says."""
        role = after(self.role, sign)
        if role is self.role:
            return
        # One who waits in vain for a journal tries again and again, which is no news.
        tell = log.info if _NEWS & {role, self.role} or sign is Sign.SILENT else log.debug
        tell("standby.role", role=role, was=self.role, because=sign, term=self._term)
        self.role, self._since = role, self._now()
        awaiting, self._awaiting = self._awaiting, []
        for one in awaiting:
            if not one.done():
                one.set_result(None)

    def _change(self) -> "asyncio.Future[None]":
        """Done with the next change of the role."""
        change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaiting.append(change)
        return change

    def _remember_lock(self, sign: Sign) -> None:
        if sign is not self._lock_sign:
            log.info("standby.lock", now=sign, was=self._lock_sign)
        self._lock_sign = sign
