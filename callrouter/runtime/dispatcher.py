"""The one task that owns the exchange: events in from a bounded inbox, commands, facts and CDRs out.

Nothing in here decides anything. What is decided in :mod:`callrouter.core` is carried out through the Protocols below,
in the order in which it was decided, and after the facts that led to it (:mod:`callrouter.runtime.held_orders`); no
call ever waits for a database, or for a disk in trouble.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Final, Protocol

import msgspec
import structlog

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.audit import AuditEntry
from callrouter.core.call_orders import CallAnswer, CallOrder
from callrouter.core.callback_orders import CallbackAnswer, CallbackOrder
from callrouter.core.cdr import Cdr
from callrouter.core.duty import DutyAnswer, DutyOrder
from callrouter.core.events import TimerKey
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, ChannelId, SiteName
from callrouter.core.output import Answer, Notice, NoticeKind, Output
from callrouter.core.supervisors import HearingAnswer, HearingOrder
from callrouter.core.switches import SwitchAnswer, SwitchOrder
from callrouter.runtime.held_orders import HeldOrders, Keeping
from callrouter.runtime.recall import Memory, NoMemory, event_with_memory
from callrouter.runtime.timers import Timers

log = structlog.get_logger(__name__)

INBOX_CAPACITY: Final = 20_000
"""Events that may wait; at 150 calls a second, half a minute's worth."""

_UNIMPORTANT = (ev.LegRang,)
"""What is dropped first when the inbox is nearly full: the call goes on without it."""

_WARNINGS = frozenset(
    {
        NoticeKind.IMPOSSIBLE_EVENT,
        NoticeKind.WRITTEN_OFF,
        NoticeKind.ORPHAN_LEG,
        NoticeKind.NAMESAKE,
        NoticeKind.COUNTING_FAILED,
        NoticeKind.SWITCH_REFUSED,
        NoticeKind.AGENT_REFUSED,
        NoticeKind.SUPERVISION_REFUSED,
        NoticeKind.CALL_REFUSED,
        NoticeKind.TAPE_FAILED,
        NoticeKind.CALLBACK_DROPPED,
        NoticeKind.TURNING_AWAY,
        NoticeKind.BEHIND,
    }
)

_FAILED: Final = "its handling failed"

ANSWERED_WITHIN_S: Final = 5.0
"""How long an order may wait for the dispatcher to come to it."""


class Commander(Protocol):
    """Carries out commands at the sites. Must not wait; replies come back as events, by :meth:`Dispatcher.post`."""

    def carry_out(self, command: cmd.AriCommand, settled: Callable[[], None]) -> None:
        """Send what the command asks for; ``settled`` is called once, when that was answered, or given up."""

    def resync(self, site: SiteName) -> None:
        """Have the site's snapshot taken soon: events of it were lost."""


class Ledger(Keeping, Protocol):
    """Keeps facts and CDRs. Never waits and never raises."""

    def append_facts(self, call_id: CallId, kind: str, body: bytes) -> None:
        """Keep a fact of a call in progress."""

    def finish(self, cdr: Cdr) -> None:
        """Keep the CDR of a call that has ended."""

    def audit(self, entry: AuditEntry) -> None:
        """Keep what somebody changed."""


class InputKeeper(Protocol):
    """Keeps what comes into the exchange, to be run again. Never waits and never raises."""

    def recalled(self, what: str, arguments: Sequence[object], out: Output | None, at: datetime) -> None:
        """The exchange's method ``what`` was told something of an earlier daemon."""

    def before(self, event: ev.Event, at: datetime) -> None:
        """An event is about to be handled."""

    def after(self, out: Output | None) -> None:
        """It has been; None: that raised."""

    def gave_up(self, call: CallId, why: str, out: Output, at: datetime) -> None:
        """A call was given up."""


class KeepsNothing:
    """An :class:`InputKeeper` where nothing is to be run again."""

    def recalled(self, what: str, arguments: Sequence[object], out: Output | None, at: datetime) -> None:
        """See the Protocol."""

    def before(self, event: ev.Event, at: datetime) -> None:
        """See the Protocol."""

    def after(self, out: Output | None) -> None:
        """See the Protocol."""

    def gave_up(self, call: CallId, why: str, out: Output, at: datetime) -> None:
        """See the Protocol."""


@dataclass(frozen=True, slots=True)
class InboxNow:
    """How full the inbox is, and what did not get in."""

    waiting: int
    capacity: int
    dropped: int
    handled: int
    failures: int
    """Events whose handling raised: defects, each contained to its call."""
    hastened: int
    """Orders that were sent before the facts that they follow from were on disk, which was slow."""


class Dispatcher:
    """See the module. Everything here runs in one event loop.

    ``may_act`` is asked before anything is handled; once it says no, nothing is until :meth:`go_on`.
    """

    def __init__(
        self,
        exchange: Exchange,
        commander: Commander,
        ledger: Ledger,
        now: Callable[[], datetime],
        *,
        capacity: int = INBOX_CAPACITY,
        memory: Memory | None = None,
        may_act: Callable[[], bool] = lambda: True,
        inputs: InputKeeper | None = None,
    ) -> None:
        self.exchange = exchange
        self._commander = commander
        self._ledger = ledger
        self._now = now
        self._memory = memory or NoMemory()
        self._inputs = inputs or KeepsNothing()
        self._capacity = capacity
        self._may_act = may_act
        self._held = HeldOrders(ledger, lambda: self.acts, self._see_whether_idle)
        self._inbox: deque[tuple[ev.Event, datetime]] = deque()
        self._is_due = False
        self._defect: asyncio.Future[None] | None = None
        self._timers: Timers[TimerKey] = Timers()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: datetime | None = None
        self._lost_from: set[SiteName] = set()
        self._idle = asyncio.Event()
        self._dropped = self._handled = self._failures = 0
        self._is_behind = False
        self._stood_down = self._running = False
        self._tickets = count(1)
        self._awaited: dict[int, asyncio.Future[Answer]] = {}
        self._encoder = msgspec.msgpack.Encoder()

    @property
    def inbox(self) -> InboxNow:
        """For metrics and health."""
        waiting, hastened = len(self._inbox), self._held.hastened
        return InboxNow(waiting, self._capacity, self._dropped, self._handled, self._failures, hastened)

    def post(self, event: ev.Event, site: SiteName | None = None) -> None:
        """Hand an event in. When the inbox is full it is lost, and its ``site`` will be compared anew."""
        room = self._capacity - len(self._inbox)
        if room <= 0 or (room <= self._capacity // 10 and isinstance(event, _UNIMPORTANT)):
            self._lose(site)
            return
        self._inbox.append((event, self._now()))
        self._have_turn()

    def stand_down(self) -> None:
        """Another daemon is in charge: command nothing and write nothing any more."""
        self._stood_down = True
        self._held.drop()
        self._idle.set()
        if self._alarm is not None:
            self._alarm.cancel()

    @property
    def stood_down(self) -> bool:
        """Whether another daemon has taken over."""
        return self._stood_down

    @property
    def acts(self) -> bool:
        """Whether this daemon may command anything now: it leads, and is sure of it."""
        return not self._stood_down and self._may_act()

    def go_on(self) -> None:
        """It may act again: send what was decided, and handle what has come meanwhile."""
        self._held.go_on()
        self._have_turn()

    @property
    def is_alive(self) -> bool:
        """Whether the task runs; that it answers at all shows that the event loop does."""
        return self._running

    async def run(self) -> None:
        """Handle events until cancelled, a hundred at a time so that the sockets get their turn.

        Raises whatever is raised beside the handling of an event, which costs one call at the most.
        """
        self._defect = asyncio.get_running_loop().create_future()
        self._running = True
        self._have_turn()
        try:
            await self._defect
        finally:
            self._running = False

    def _have_turn(self) -> None:
        """Handle events soon. A turn is a callback and not a task's step: waking a task costs more than most events."""
        if self._running and not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._is_due = False
        if not self._running or self._defect is None or self._defect.done():
            return
        if not self._may_act():
            return  # stopped for so long that another may lead by now: what has come waits for `go_on`, or `stand_down`
        try:
            self._handle_some()
        except Exception as defect:
            self._defect.set_exception(defect)

    def _handle_some(self) -> None:
        for _ in range(100):
            if not self._inbox:
                self._see_how_far_behind()
                self._recover()
                return
            event, at = self._inbox.popleft()
            self._handle(event, at)
        self._see_how_far_behind()
        self._have_turn()

    def _see_how_far_behind(self) -> None:
        """Tell the exchange, before what waits, when that has waited for too long, and when it does no longer.

        Looked at after a turn: what came at once, or waited while the process was stopped, is handled by then.
        """
        limit_s = self.exchange.rulebook.limits.behind_s
        first_at = self._inbox[0][1] if self._inbox else None
        waited_s = (self._now() - first_at).total_seconds() if first_at is not None else 0.0
        if not self._is_behind and waited_s > limit_s:
            self._is_behind = True
            self._handle(ev.FellBehind(waited_s), first_at or self._now())
        elif self._is_behind and waited_s < limit_s / 4:
            self._is_behind = False
            self._handle(ev.FellBehind(0.0), first_at or self._now())

    async def wait_idle(self) -> None:
        """Wait until no call is in progress, or those that are have become another daemon's."""
        while (self.exchange.has_callers or self._held) and not self._stood_down:
            self._idle.clear()
            await self._idle.wait()

    def restore(self, histories: Iterable[Sequence[facts.Fact]], in_doubt: Iterable[CallId] = ()) -> tuple[CallId, ...]:
        """Let the exchange remember the calls of an earlier daemon; before :meth:`run`.

        Those ``in_doubt`` have facts of which Asterisk may not have heard what followed.
        """
        told = ([list(history) for history in histories], list(in_doubt))
        known = self.exchange.restore(*told)
        self._inputs.recalled("restore", told, None, self._now())
        return known

    def restore_lost_places(self, histories: Iterable[Sequence[facts.Fact]]) -> None:
        """Let the exchange remember who lost a place in line shortly before; before :meth:`run`."""
        told = [list(history) for history in histories]
        self.exchange.restore_lost_places(told)
        self._inputs.recalled("restore_lost_places", [told], None, self._now())

    def restore_today(self, cdrs: Iterable[Cdr], duties: Iterable[AuditEntry], since: datetime, at: datetime) -> None:
        """Let the exchange count again what was counted of the day since ``since``; before :meth:`run`."""
        told = (list(cdrs), list(duties), since)
        self.exchange.restore_today(*told, at)
        self._inputs.recalled("restore_today", told, None, at)

    def restore_outward(self, cdrs: Iterable[Cdr], since: datetime) -> None:
        """Let the exchange count again what went out since then, and is over; before :meth:`run`."""
        told = (list(cdrs), since)
        self.exchange.restore_outward(*told)
        self._inputs.recalled("restore_outward", told, None, self._now())

    def restore_switches(self, entries: Iterable[AuditEntry]) -> None:
        """Let the exchange remember how the switches stood, from the newest entry of each; before :meth:`run`."""
        at, told = self._now(), list(entries)
        out = self.exchange.restore_switches(told, at)
        self._inputs.recalled("restore_switches", [told], out, at)
        self._carry_out(out)

    def restore_duties(self, entries: Iterable[AuditEntry]) -> None:
        """Let the exchange remember who is logged out or paused, from the newest entry of each; before :meth:`run`."""
        told = list(entries)
        out = self.exchange.restore_duties(told)
        self._inputs.recalled("restore_duties", [told], out, self._now())
        self._carry_out(out)

    def restore_standing(self, ended: Sequence[Cdr], duties: Iterable[AuditEntry], said: Iterable[AuditEntry]) -> None:
        """Let the exchange remember how counselors stood when their newest calls had ended; before :meth:`run`."""
        at, told = self._now(), (list(ended), list(duties), list(said))
        out = self.exchange.restore_standing(*told, at)
        self._inputs.recalled("restore_standing", told, out, at)
        self._carry_out(out)

    def restore_desks(
        self, desks: Iterable[AuditEntry], locks: Iterable[AuditEntry], queues: Iterable[AuditEntry]
    ) -> None:
        """Let the exchange remember who works where and for what, and where nobody may log in; before :meth:`run`."""
        at, told = self._now(), (list(desks), list(locks), list(queues))
        self.exchange.restore_desks(*told, at)
        self._inputs.recalled("restore_desks", told, None, at)

    async def order(self, order: SwitchOrder, timeout_s: float = ANSWERED_WITHIN_S) -> SwitchAnswer:
        """Have a switch set between two events, and wait for the answer."""
        answer = await self._answer_to(partial(ev.SwitchOrdered, order), timeout_s)
        return answer if isinstance(answer, SwitchAnswer) else SwitchAnswer(False, False, _why_none(answer))

    async def order_duty(self, order: DutyOrder, timeout_s: float = ANSWERED_WITHIN_S) -> DutyAnswer:
        """Have a counselor logged in, out or paused between two events, and wait for the answer."""
        answer = await self._answer_to(partial(ev.DutyOrdered, order), timeout_s)
        return answer if isinstance(answer, DutyAnswer) else DutyAnswer(False, False, _why_none(answer))

    async def order_hearing(self, order: HearingOrder, timeout_s: float = ANSWERED_WITHIN_S) -> HearingAnswer:
        """Have a supervisor hear a call between two events, and wait for the answer."""
        answer = await self._answer_to(partial(ev.HearingOrdered, order), timeout_s)
        return answer if isinstance(answer, HearingAnswer) else HearingAnswer(False, False, _why_none(answer))

    async def order_call(self, order: CallOrder, timeout_s: float = ANSWERED_WITHIN_S) -> CallAnswer:
        """Have a conversation held, passed on or joined between two events, and wait for the answer."""
        answer = await self._answer_to(partial(ev.CallOrdered, order), timeout_s)
        return answer if isinstance(answer, CallAnswer) else CallAnswer(False, _why_none(answer))

    async def order_callback(self, order: CallbackOrder, timeout_s: float = ANSWERED_WITHIN_S) -> CallbackAnswer:
        """Have a resident called back now, or no more, between two events, and wait for the answer."""
        answer = await self._answer_to(partial(ev.CallbackOrdered, order), timeout_s)
        return answer if isinstance(answer, CallbackAnswer) else CallbackAnswer(False, _why_none(answer))

    async def _answer_to(self, ask: Callable[[int], ev.Event], timeout_s: float) -> Answer | str:
        """What the exchange says to the event that ``ask`` makes of a ticket, or why there is no answer."""
        if self._stood_down:
            return "another daemon is in charge; ask that one"
        ticket = next(self._tickets)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._awaited[ticket] = answer
        self.post(ask(ticket))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            return f"the daemon did not come to it within {timeout_s:g} s; see how it stands, and ask again"
        finally:
            del self._awaited[ticket]

    def _handle(self, event: ev.Event, at: datetime) -> None:
        if self._stood_down:
            return
        self._handled += 1
        try:
            told = event_with_memory(event, self._memory, at, self._is_known)
            self._carry_out(self._decide(told, at))
        except Exception:
            # A defect of ours must cost one call at the most, and that caller still gets a person.
            self._failures += 1
            call = self.exchange.concerns(event)
            log.exception("exchange.event_failed", event_type=type(event).__name__, call=call)
            if call is not None:
                self._give_up(call, at)

    def _decide(self, event: ev.Event, at: datetime) -> Output:
        self._inputs.before(event, at)
        out = None
        try:
            out = self.exchange.handle(event, at)
        finally:
            self._inputs.after(out)
        return out

    def _is_known(self, channel: ChannelId) -> bool:
        return self.exchange.conduct.call_of(channel) is not None

    def _give_up(self, call: CallId, at: datetime) -> None:
        try:
            out = self.exchange.give_up(call, at, _FAILED)
            self._inputs.gave_up(call, _FAILED, out, at)
            self._carry_out(out)
        except Exception:
            # Not even that: the dead man's switch brings the caller to a person, and the others go on.
            self._failures += 1
            log.exception("exchange.give_up_failed", call=call)

    def _carry_out(self, out: Output) -> None:
        for call_id, fact in out.facts:
            self._ledger.append_facts(call_id, type(fact).__name__, self._encoder.encode(fact))
        for entry in out.audit:
            self._ledger.audit(entry)
        for cdr in out.cdrs:
            self._ledger.finish(cdr)
            _log_cdr(cdr)
        orders: list[cmd.AriCommand] = []
        for command in out.commands:
            if isinstance(command, cmd.LocalCommand):
                self._obey(command)
            else:
                orders.append(command)
        if orders or out.answers:
            self._held.send(partial(self._send, orders, out.answers), len(orders))
        elif out.facts:
            self._held.send_nothing()
        for notice in out.notices:
            _log_notice(notice)
        if out.cdrs or self.exchange.draining:
            self._see_whether_idle()
        self._set_alarm()

    def _obey(self, command: cmd.LocalCommand) -> None:
        match command:
            case cmd.SetTimer(key=key, after_s=after_s):
                self._timers.set(key, self._now() + timedelta(seconds=after_s))
            case cmd.CancelTimer(key=key):
                self._timers.cancel(key)
            case cmd.Remember(number=number, region=region, until=until):
                self._memory.remember(number, region, until)
            case cmd.Forget(number=number):
                self._memory.forget(number)

    def _send(
        self, orders: Sequence[cmd.AriCommand], answers: Sequence[tuple[int, Answer]], settled: Callable[[], None]
    ) -> None:
        """Have orders carried out at the sites, and tell those who asked for something what has become of it."""
        for order in orders:
            self._commander.carry_out(order, settled)
        for ticket, answer in answers:
            awaited = self._awaited.get(ticket)
            if awaited is not None and not awaited.done():
                awaited.set_result(answer)

    def _see_whether_idle(self) -> None:
        if not self.exchange.has_callers and not self._held:
            self._idle.set()

    def _set_alarm(self) -> None:
        """Wake up for the next timer. An alarm for one that has been cancelled is left to ring: that costs less."""
        deadline = self._timers.next_deadline()
        if deadline is None or (self._alarm_at is not None and self._alarm_at <= deadline):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        delay_s = max(0.0, (deadline - self._now()).total_seconds())
        self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)
        self._alarm_at = deadline

    def _ring(self) -> None:
        self._alarm = self._alarm_at = None
        for key in self._timers.pop_due(self._now()):
            self.post(ev.TimerFired(key))
        self._set_alarm()

    def _lose(self, site: SiteName | None) -> None:
        if not self._dropped % 1000:
            log.error("inbox.full", capacity=self._capacity, site=site, dropped=self._dropped + 1)
        self._dropped += 1
        if site is not None:
            self._lost_from.add(site)

    def _recover(self) -> None:
        """The inbox is empty again: see what was missed."""
        while self._lost_from:
            self._commander.resync(self._lost_from.pop())


def _why_none(answer: Answer | str) -> str:
    """Why there is no answer; one to another question would be a defect, and is told so."""
    return answer if isinstance(answer, str) else f"the daemon answered another question: {answer.message}"


def _log_cdr(cdr: Cdr) -> None:
    log.info(
        "call.ended",
        call=cdr.call_id,
        caller=cdr.caller,
        dialed=cdr.dialed,
        region=cdr.region,
        rule=cdr.rule,
        queue=cdr.queue,
        agent=cdr.agent,
        destination=cdr.destination,
        outcome=cdr.outcome,
        released_by=cdr.released_by,
        wait_s=cdr.wait_s,
        ring_s=cdr.ring_s,
        talk_s=cdr.talk_s,
    )


def _log_notice(notice: Notice) -> None:
    write = log.warning if notice.kind in _WARNINGS else log.info
    write(f"exchange.{notice.kind}", call=notice.call, why=notice.text)
