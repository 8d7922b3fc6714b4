"""Waiting in a queue: the place in line, what is heard meanwhile, and the plan's limit."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from callrouter.core import commands as cmd
from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.conditions import QueueState, QueueStates
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.facts import LeaveReason, ReleaseReason
from callrouter.core.groups import Place
from callrouter.core.ids import CallId, QueueName, TrunkName
from callrouter.core.output import Output
from callrouter.core.plan import Dial, EnterQueue, Plan
from callrouter.core.regaining import LostPlaces
from callrouter.core.rulebook import QueueSpec, Rulebook, WaitingSound
from callrouter.core.skills import Demand
from callrouter.core.states import CallState, Signal

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct


class Waiting:
    """Has callers wait, for the :class:`~callrouter.core.conduct.Conduct` whose plans say so."""

    def __init__(self, conduct: "Conduct", rulebook: Rulebook) -> None:
        self._conduct = conduct
        self._queues: dict[QueueName, QueueSpec] = dict(rulebook.queues)
        self._last_place = 0
        self._lost = LostPlaces()

    def replace(self, rulebook: Rulebook, at: datetime, out: Output) -> None:
        """Go on by new rules. A queue that is no longer there is kept for those who wait in it.

        Who waits already has the head start of the new rules too, or who comes later would go before him; and what is
        asked for him is what they ask.
        """
        self._queues.update(rulebook.queues)
        for call in self._conduct.calls.values():
            self._stand_anew(call, at, out)

    def take(self, call: Call) -> None:
        """Keep the place of a call that is remembered: who comes later stands behind it."""
        self._last_place = max(self._last_place, call.place)

    def enter(self, call: Call, step: EnterQueue, at: datetime, out: Output, *, told: bool = False) -> None:
        """Join the queue behind all who wait, or at a former place; or go elsewhere, if nobody is to join.

        Where conversations are recorded the caller is told so first; ``told``: he has been, so far as it could be.
        """
        away = self._turned_away(step.queue, at)
        if away is not None:
            self.quiet(call, out)  # who is passed on comes with music
            self._conduct.record(call, away, out)
            self._conduct.following.next_step(call, at, out)
            return
        owed = None if told else self._conduct.taping.owed_notice(call, self._queues.get(step.queue))
        if owed is not None:
            self._conduct.taping.give_notice(call, owed, at, out)
            return
        queued = self._place_of(call, step.queue, at)
        call.wait_over, call.key_wanted = False, ""  # that was in another queue
        self._conduct.record(call, queued, out)
        if queued.instead_of is not None:
            self._conduct.calling_back.hold(queued.instead_of, at, out)
        if step.max_wait_s is not None:
            self._conduct.set_timer(call, TimerKind.WAIT, step.max_wait_s, out)
        self.wait(call, at, out)
        queue = self.queue_of(call)
        if queue is not None:
            self._conduct.comforting.stood(call, queue, at)

    def _turned_away(self, name: QueueName, at: datetime) -> facts.TurnedAway | None:
        queue = self._queues.get(name)
        if queue is None:
            return None
        care, waiting = queue.care, self._conduct.floor.acd.on_the_line(name)
        if care.when_unstaffed is not None and not self._conduct.floor.staff.serving(name):
            return facts.TurnedAway(at, name, LeaveReason.UNSTAFFED, care.when_unstaffed, waiting)
        if care.when_full is not None and care.max_waiting is not None and waiting >= care.max_waiting:
            return facts.TurnedAway(at, name, LeaveReason.FULL, care.when_full, waiting)
        return None

    def _place_of(self, call: Call, name: QueueName, at: datetime) -> facts.Queued:
        """A former place: left by this call with a key, kept for the caller's request, or lost by an earlier call."""
        before = [fact for fact in call.history if isinstance(fact, facts.Queued) and fact.queue == name]
        if before:
            last = before[-1]
            return facts.Queued(at, name, last.place, last.since or last.at, last.instead_of)
        request = self._conduct.calling_back.request_of(call, name)
        if request is not None:
            return facts.Queued(at, name, request.place, request.queued_at, request.id)
        queue = self._queues.get(name)
        within_s = queue.care.redial_within_s if queue is not None else 0.0
        lost = self._lost.regain(name, call.arrival.caller, within_s, at) if within_s else None
        if lost is not None:
            return facts.Queued(at, name, lost.place, lost.queued_at)
        return facts.Queued(at, name, self.last_place())

    def keep_place(self, call: Call, at: datetime) -> None:
        """A call is over: who hung up while waiting may come back."""
        longest_s = self.longest_redial_s
        if longest_s:
            self._lost.forget(at - timedelta(seconds=longest_s))
            self.note_lost(call.history)

    @property
    def longest_redial_s(self) -> float:
        """How long a lost place is of use at most."""
        return max((queue.care.redial_within_s for queue in self._queues.values()), default=0.0)

    def note_lost(self, history: Sequence[facts.Fact]) -> None:
        """Keep the place that a call which is over has lost, if it has; who comes later stands behind it."""
        lost = self._lost.note(history)
        if lost is None:
            return
        if any(call.place == lost.place for call in self._conduct.calls.values()):  # given, before it was noted again
            self._lost.drop(lost)
        else:
            self._last_place = max(self._last_place, lost.place)

    def wait(self, call: Call, at: datetime, out: Output) -> None:
        """Stand in line at the call's place, with what its queue lets callers hear."""
        if call.is_absent:
            self._conduct.calling_back.stand(call, at, out)
            return
        queue = self.queue_of(call)
        if queue is None or call.queue is None:  # the rules lost the queue between two daemons
            self._conduct.hand_over(call, ReleaseReason.DEFECT, at, out)
            return
        if queue.care.when_unstaffed is not None and not self._conduct.floor.staff.serving(queue.name):
            self._leave(call, facts.LeftQueue(at, LeaveReason.UNSTAFFED, queue.care.when_unstaffed), at, out)
            return
        demand = self.stand(call, queue, at, out)
        if queue.sound is WaitingSound.MUSIC:
            self.play_music(call, queue.music_class, at, out)
        elif not self._conduct.floor.can_serve(call, queue, at, demand):  # else a phone rings in a moment
            self.let_ring(call, out)
        self._conduct.comforting.arm(call, queue, at, out)

    def stand(
        self, call: Call, queue: QueueSpec, at: datetime, out: Output, outward: TrunkName | None = None
    ) -> Demand:
        """Stand in line, in silence; who is to be called back, over the trunk group ``outward``.

        What is asked of who answers is returned.
        """
        demand = _demand(call, queue, at)
        line = (queue.name, call.site)
        self._conduct.floor.acd.join(line, _place(call, queue), call.id, call.tenant, demand, outward)
        self._await_relaxation(call, queue, at, out)
        return demand

    def last_place(self) -> int:
        """A place behind all others; it is given once."""
        self._last_place += 1
        return self._last_place

    def leave_queue(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The plan's limit of waiting is reached: go on with the plan."""
        self._leave(call, facts.LeftQueue(at), at, out)

    def leave_unstaffed(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Everybody who serves the queue has logged out: go on as it says."""
        queue = self.queue_of(call)
        plan = queue.care.when_unstaffed if queue is not None else None
        self._leave(call, facts.LeftQueue(at, LeaveReason.UNSTAFFED, plan), at, out)

    def take_key(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Who waits pressed a key: go on as the queue says, or wait on if it means nothing."""
        plan = self._way_of(call, cue.digit)
        if plan is not None:
            self._leave(call, facts.LeftQueue(at, LeaveReason.KEY, plan, cue.digit), at, out)

    def remember_key(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """A key was pressed while a phone rings: that phone may still answer."""
        if self._way_of(call, cue.digit) is not None:
            call.key_wanted = cue.digit
            self._conduct.floor.acd.ring_no_more(call.id)

    def _way_of(self, call: Call, key: str) -> Plan | None:
        queue = self.queue_of(call)
        ways = queue.care.keys if queue is not None else ()
        return next((way.plan for way in ways if way.key == key), None)

    def _leave(self, call: Call, left: facts.LeftQueue, at: datetime, out: Output) -> None:
        self.leave_line(call)
        self._conduct.record(call, left, out)
        for kind in (TimerKind.WAIT, TimerKind.COMFORT, TimerKind.RELAX):
            self._conduct.cancel_timer(call, kind, out)
        call.wait_over, call.key_wanted, call.stood = False, "", None
        self.quiet(call, out)
        self._conduct.following.next_step(call, at, out)

    def unattended(self) -> list[CallId]:
        """Who waits in a queue that nobody who is logged in serves, and that has its callers go elsewhere then."""
        acd, serving = self._conduct.floor.acd, self._conduct.floor.staff.serving
        queues = [name for name, queue in self._queues.items() if queue.care.when_unstaffed is not None]
        waiting = [call for name in queues if acd.waiting(name) and not serving(name) for call in acd.waiting_in(name)]
        return [call for call in waiting if not self._conduct.calls[call].is_absent]

    def relax(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller has waited for so long that less is asked of who answers him."""
        self._stand_anew(call, at, out)

    def _stand_anew(self, call: Call, at: datetime, out: Output) -> None:
        """Let the call, if it waits, stand in line as the rules have it now; what the caller hears goes on."""
        queue = self.queue_of(call)
        if queue is not None and call.state is CallState.QUEUED:
            self._conduct.floor.acd.move(call.id, _place(call, queue), call.tenant, _demand(call, queue, at))
            self._await_relaxation(call, queue, at, out)

    def _await_relaxation(self, call: Call, queue: QueueSpec, at: datetime, out: Output) -> None:
        """Have the demand eased when it is time, if there is one."""
        after_s = queue.skills.next_after(_waited_s(call, at)) if _demand(call, queue, at).need else None
        if after_s is None:
            self._conduct.cancel_timer(call, TimerKind.RELAX, out)
        else:
            self._conduct.set_timer(call, TimerKind.RELAX, after_s, out)

    def ring_on(self, call: Call, phones: int, at: datetime) -> None:
        """So many phones ring for the call, which an earlier daemon had; more may, if its queue rings all."""
        queue = self.queue_of(call)
        if queue is not None:
            line, demand = (queue.name, call.site), _demand(call, queue, at)
            self._conduct.floor.acd.ring_on(line, _place(call, queue), call.id, call.tenant, demand, phones=phones)

    def remember_wait_over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The limit is reached while a phone rings: that phone may still answer."""
        call.wait_over = True
        self._conduct.floor.acd.ring_no_more(call.id)

    def wait_again(self, call: Call, at: datetime, out: Output) -> None:
        """Back to the same place in line, or on if a key was pressed or the wait ran out meanwhile."""
        plan = self._way_of(call, call.key_wanted)
        if plan is not None:
            self._leave(call, facts.LeftQueue(at, LeaveReason.KEY, plan, call.key_wanted), at, out)
        elif call.wait_over:
            self.leave_queue(call, Cue(Signal.WAIT_OVER), at, out)
        else:
            self.wait(call, at, out)

    def leave_line(self, call: Call) -> None:
        """Stand in no line, if the call does."""
        self._conduct.floor.acd.leave(call.id)

    def play_music(self, call: Call, music_class: str, at: datetime, out: Output) -> None:
        """Let the caller, who is answered for it, hear music on hold."""
        self._conduct.answer(call, at, out)
        if not call.music and not call.comforting:
            call.music = True
            out.commands.append(cmd.StartMusic(call.site, call.id, call.channel, music_class))

    def play_ringing(self, call: Call, out: Output) -> None:
        """Let a caller who was answered hear the ringing tone."""
        if not call.ring_tone:
            call.ring_tone = True
            out.commands.append(cmd.Ring(call.site, call.id, call.channel))

    def quiet_in_doubt(self, call: Call, out: Output) -> None:
        """End what a caller heard who waited before, if an earlier daemon may not have come to that.

        Nothing may play or be recorded now: behind that the order would wait, and others behind it.
        """
        if call.in_doubt:
            call.music = call.ring_tone = True
            self.quiet(call, out)

    def quiet(self, call: Call, out: Output) -> None:
        """End what plays, whatever it is: two sounds on one channel make it deaf to the other party."""
        self._conduct.comforting.stop(call, out)
        if call.music:
            call.music = False
            out.commands.append(cmd.StopMusic(call.site, call.id, call.channel))
        if call.ring_tone:
            call.ring_tone = False
            out.commands.append(cmd.StopRinging(call.site, call.id, call.channel))

    def after_silence(self, call: Call, out: Output) -> None:
        """The site was away, and may not have heard of it: let who waits hear what he is to hear."""
        if call.music:
            out.commands.append(cmd.StartMusic(call.site, call.id, call.channel, self.music_class(call)))
        elif call.ring_tone or (call.ringing and not call.answered):
            out.commands.append(cmd.Ring(call.site, call.id, call.channel))

    def music_class(self, call: Call) -> str:
        """What the caller hears who waits, or is on hold."""
        step, queue = call.steps[call.step], self.queue_of(call)
        if isinstance(step, Dial) and step.music_class is not None and call.state is not CallState.CONNECTED:
            return step.music_class
        return queue.music_class if queue is not None else self._conduct.floor.rulebook.transfers.music_class

    def let_ring(self, call: Call, out: Output) -> None:
        """Let a caller who was not answered hear ringing, once."""
        if not call.answered and not call.ringing:
            call.ringing = True
            out.commands.append(cmd.Ring(call.site, call.id, call.channel))

    def queue_of(self, call: Call) -> QueueSpec | None:
        """The queue that the call waits in, if it still exists."""
        return self._queues.get(call.queue) if call.queue is not None else None

    def rules_for(self, call: Call) -> QueueSpec:
        """What counts for whoever is called for the call: the rules of its queue, or the usual ones if it has none."""
        name = call.queue or QueueName("")
        return self.queue_of(call) or QueueSpec(name, name)

    def queue_states(self, at: datetime) -> QueueStates:
        """The queues as conditions see them at ``at``, each looked at when it is asked for."""
        return partial(self._queue_state, at)

    def _queue_state(self, at: datetime, name: QueueName) -> QueueState:
        first = self._conduct.floor.acd.first(name)
        queued_at = self._conduct.calls[first].queued_at if first is not None else None
        return QueueState(
            agents=self._conduct.floor.staff.serving(name),
            available=self._conduct.floor.acd.idle(name),
            waiting=self._conduct.floor.acd.waiting(name),
            longest_wait_s=(at - queued_at).total_seconds() if queued_at is not None else 0.0,
        )


def _place(call: Call, queue: QueueSpec) -> Place:
    """Where the call stands among all who wait."""
    step = call.steps[call.step]
    own_s = step.head_start_s if isinstance(step, EnterQueue) else None
    return _queued_at(call).timestamp() - queue.head_start_s - (own_s or 0.0), call.place


def _demand(call: Call, queue: QueueSpec, at: datetime) -> Demand:
    """What is asked of who answers the call now."""
    return queue.skills.demand(call.known, call.tenant, _waited_s(call, at))


def _waited_s(call: Call, at: datetime) -> float:
    return (at - _queued_at(call)).total_seconds()


def _queued_at(call: Call) -> datetime:
    return call.queued_at or call.opened_at
