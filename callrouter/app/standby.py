"""One daemon among several: it waits, takes over, leads, hands over or stands down.

What follows from what is decided in :mod:`callrouter.core.leading`; here is where the signs come from. A term of
leading is one run of the daemon's parts (:mod:`callrouter.app.daemon`); they are put together anew for each.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from callrouter.app.one_folder import OneFolder
from callrouter.app.tie import LeadersLine, Tie
from callrouter.app.two_machines import TwoMachines
from callrouter.ari.fleet import Fleet
from callrouter.config.settings import DaemonSettings
from callrouter.core.leading import LeadingNow, Pulse, Role, Sign, Silence, after
from callrouter.errors import JournalError, JournalFencedError
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.web.leading import HandOverReport, HandOverRequest, TakeOverReport, TakeOverRequest

log = structlog.get_logger(__name__)

KEEP_JOURNAL: Final = timedelta(days=7)
"""How long facts and delivered CDRs stay in the journal, and in its copies."""
SETTLED_WITHIN_S: Final = 2.0
"""How long one who hands over waits for another's disk to have all of the journal."""
NO_ARBITER: Final = (
    "the other daemon is not heard, and PostgreSQL, without whose word none of two machines begins to lead, cannot be"
    " asked; mend either, or, if the other is certainly dead: callrouter take-over --force"
)
TAKEN_WITHIN_S: Final = 4.0
"""How long one who hands over waits for another to take the application."""
TAKEN_OVER_WITHIN_S: Final = 10.0
"""How long it is waited that one leads who was ordered to."""
_NEWS: Final = frozenset({Role.LEADING, Role.HANDING_OVER, Role.RESTING})
_ITS_WORDS: Final = frozenset({Sign.YIELDS, Sign.ROBBED})
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
        self._awaiting: list[asyncio.Future[None]] = []
        self._line: LeadersLine | None = None
        self._tie = self._tied(settings)
        self._pulse = Pulse(time.monotonic(), lease_s=self._lease_s)
        self._term: int | None = None
        self._is_hung = False
        """Whether the leader before hangs."""
        self._is_heard = False
        """Whether a leader is."""
        self._failure = ""
        self._open = contextlib.AsyncExitStack()

    def _tied(self, settings: DaemonSettings) -> Tie:
        times = {"silence_s": self._silence_s, "beat_s": self._beat_s, "lease_s": self._lease_s}
        peer = settings.standby.peer
        if peer is None:
            return OneFolder(settings, **times, reaches=self._reaches, on_sign=self._lock_said)
        keep_s = KEEP_JOURNAL.total_seconds()
        return TwoMachines(settings, peer, **times, keep_s=keep_s, reaches=self._reaches, on_sign=self._lock_said)

    def now(self) -> LeadingNow:
        """For people and programs."""
        line = self._line
        return LeadingNow(
            self.role,
            self._since,
            self._term,
            line.waiting if line is not None else 0,
            self._changes,
            self._lock_sign,
            self._words,
            self._tie.has_copies,
            line.copy if line is not None else self._tie.copy,
        )

    @property
    def _words(self) -> str:
        if self._failure:
            return f"could not take over: {self._failure}"
        if self._lock_sign is Sign.NO_ARBITER and self.role in (Role.STANDBY, Role.CLAIMING):
            return NO_ARBITER
        return _WORDS[self.role]

    def may_act(self) -> bool:
        """Whether what is decided now may be done: it leads, and see :class:`callrouter.core.leading.Pulse`."""
        return self._pulse.may_act(time.monotonic()) and self._is(Role.LEADING)

    def may_connect(self) -> bool:
        """Whether a new connection to Asterisk may be made, which takes the application from whoever has it."""
        return self.may_act() and self._tie.may_connect(self._line)

    # Waiting.

    async def wait_to_lead(self) -> bool:
        """Wait until it is this daemon's turn; whether the journal must be taken from one that hangs."""
        while True:
            if self.role in (Role.STANDBY, Role.RESTING):
                self._is_hung = await self._watch() is Sign.SILENT
            if self._is(Role.CLAIMING):
                self._remember_lock(await self._tie.claim(self._is_hung))
                self.see(self._lock_sign)
            if self._is(Role.TAKING_OVER):
                return self._is_hung
            await asyncio.sleep(self._tie.look_every_s)

    def _is(self, role: Role) -> bool:
        return self.role is role  # asked anew: it changes while we wait

    async def _watch(self) -> Sign:
        last = Sign.GONE
        async with contextlib.aclosing(self._tie.watch()) as signs:
            async for last in signs:
                self._is_heard = last is Sign.BEATS
                if last is Sign.BEATS and self._lock_sign is Sign.NO_ARBITER:
                    self._remember_lock(Sign.LOCK_UNKNOWN)  # it is not asked while somebody leads
                self.see(last)
        return last

    def journal(self, path: Path) -> Journal:
        """The journal, to lead with."""
        return self._tie.journal(path, self._is_hung)

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
        keeping = asyncio.create_task(self._tie.keep())
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
            await self._tie.release()

    async def opened(self, journal: Journal) -> None:
        """The journal is open; where one that hangs keeps it from being read, that one is ended.

        Raises:
            JournalError: it is not ours.
        """
        await self._tie.opened(journal, self._is_hung)
        await journal.open_calls()  # it can be read; on a full disk, no more than that
        self._line = await self._open.enter_async_context(self._tie.line(journal))
        self._pulse = Pulse(time.monotonic(), lease_s=self._lease_s)
        self._term = journal.term
        self._changes += 1
        self._failure = ""
        self._is_hung = False
        self.see(Sign.TAKEN)

    async def keep(self, journal: Journal, dispatcher: Dispatcher) -> None:
        """What a leader does beside leading: make sure, again and again, that it does; until cancelled."""
        blind = Silence(time.monotonic(), limit_s=self._silence_s, step_s=self._beat_s)
        while True:
            await asyncio.sleep(self._beat_s)
            if self._reaches():
                blind.heard(time.monotonic())
            elif not self._tie.may_connect(self._line):
                log.error("standby.cut_off", remedy="see to this machine's network; it waits until PostgreSQL is heard")
                self.see(Sign.CUT_OFF)
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
            await self._tie.prove(journal, self._lease_s)
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
            is_known = await self._tie.prove(journal, self._lease_s / 2)
        except JournalFencedError:
            dispatcher.stand_down()
            self.see(Sign.FENCED)
            return
        log.warning("standby.slept", proven=is_known, remedy="what keeps this machine, or this process, so busy?")
        self._pulse.proven(asked_s)
        dispatcher.go_on()

    # Handing over.

    def ask_to_hand_over(self) -> bool:
        """Begin to hand over; False if nobody waits who would know all calls."""
        if self._line is None or not self._line.waiting or not self._is_copied:
            return False
        self.see(Sign.ASKED)
        return self._is(Role.HANDING_OVER)

    @property
    def _is_copied(self) -> bool:
        copy = self._line.copy if self._line is not None else None
        return not self._tie.has_copies or (copy is not None and copy.is_whole)

    async def hand_over(self, request: HandOverRequest) -> HandOverReport:
        """See the Protocol."""
        if not self._is(Role.LEADING) or self._line is None:
            return HandOverReport(False, f"this daemon does not lead ({_WORDS[self.role]}); ask the one that does")
        if not self._line.waiting:
            return HandOverReport(False, "no other daemon waits to take over; start one with standby: {enabled: yes}")
        if not self._is_copied:
            return HandOverReport(False, "the other daemon has not copied all of the journal yet; try again soon")
        log.info("standby.asked_to_hand_over", who=request.who)
        self.ask_to_hand_over()
        while self.role in (Role.HANDING_OVER, Role.CLAIMING, Role.TAKING_OVER):
            await self._change()
        if self._is(Role.LEADING):
            return HandOverReport(False, "nobody took over in time; this daemon leads again")
        return HandOverReport(True, "another daemon leads now; this one waits")

    async def take_over(self, request: TakeOverRequest) -> TakeOverReport:
        """See the Protocol."""
        if (why := self._why_not_to_take_over(request)) is not None:
            return TakeOverReport(self._is(Role.LEADING), why)
        log.warning("standby.ordered_to_take_over", who=request.who)
        self._remember_lock(Sign.LOCK_UNKNOWN)  # it is asked once more
        self._tie.order()
        self.see(Sign.ORDERED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_OVER_WITHIN_S):
                while not self._is(Role.LEADING) and self._lock_sign is not Sign.LOCK_ELSEWHERE:
                    await self._change()
        if self._is(Role.LEADING):
            return TakeOverReport(True, "this daemon leads now")
        return TakeOverReport(False, f"it does not lead: {self._words} (PostgreSQL's lock: {self._lock_sign})")

    def _why_not_to_take_over(self, request: TakeOverRequest) -> str | None:
        if self._is(Role.LEADING):
            return "this daemon leads already"
        if not self._tie.has_copies:
            return "daemons with one state folder see by themselves whether another leads; there is nothing to order"
        if self._is_heard:
            return "the other daemon is alive, and leads; on its machine: callrouter hand-over"
        if not request.force:
            return (
                "two daemons that lead at once would tear calls from one another; see that the other is dead, and that"
                " its machine stays off or without network; then: callrouter take-over --force"
            )
        return None

    async def _hand_over_to_one(self, fleet: Fleet) -> None:
        if self._line is not None:
            await self._tie.settle(self._line, SETTLED_WITHIN_S)
        await self._tie.release()
        fleet.let_go()
        if self._line is not None and self._line.hand_over():
            found = await self._until_relieved(fleet)
        else:
            found = Sign.NOBODY_TOOK
        if found not in _ITS_WORDS and fleet.none_up.is_set():  # taken, or there is no Asterisk to take
            found = Sign.REPLACED
        if found not in _ITS_WORDS | {Sign.REPLACED}:
            log.error("standby.nobody_took", because=found, within_s=TAKEN_WITHIN_S)
        self._is_hung = found is Sign.SILENT
        self.see(found)

    async def _until_relieved(self, fleet: Fleet) -> Sign:
        """Wait until another has the application everywhere; else why not."""
        relieved = asyncio.create_task(_relieved(fleet))
        listening = asyncio.create_task(self._listen_to_next())
        try:
            await asyncio.wait((relieved, listening), timeout=TAKEN_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                return listening.result()
            return Sign.REPLACED if relieved.done() else Sign.NOBODY_TOOK
        finally:
            relieved.cancel()
            listening.cancel()
            await asyncio.gather(relieved, listening, return_exceptions=True)

    async def _listen_to_next(self) -> Sign:
        """What is heard last of whom it is handed over to, once that one has begun: it may hang before it connects."""
        has_begun = False
        while True:
            async with contextlib.aclosing(self._tie.watch()) as signs:
                async for sign in signs:
                    has_begun = has_begun or sign is Sign.BEATS
                    if sign is not Sign.BEATS and (has_begun or sign is not Sign.GONE):
                        return sign
            await asyncio.sleep(self._tie.look_every_s)

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

    def _lock_said(self, sign: Sign) -> None:
        if sign is Sign.FENCED:
            self.see(sign)
        else:
            self._remember_lock(sign)

    def _remember_lock(self, sign: Sign) -> None:
        if sign is not self._lock_sign:
            log.info("standby.lock", now=sign, was=self._lock_sign)
            if sign is Sign.NO_ARBITER:
                log.error("standby.nobody_leads", why=NO_ARBITER)
        self._lock_sign = sign


async def _relieved(fleet: Fleet) -> None:
    await fleet.until_taken()
    await fleet.none_up.wait()
