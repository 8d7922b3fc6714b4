"""Waiting in a queue: the place in line, what is heard meanwhile, and the plan's limit."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from callrouter.core import commands as cmd
from callrouter.core import facts
from callrouter.core.acd import Place
from callrouter.core.call import Call
from callrouter.core.conditions import QueueState, QueueStates
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import QueueName
from callrouter.core.output import Output
from callrouter.core.plan import EnterQueue
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

    def replace(self, rulebook: Rulebook, at: datetime, out: Output) -> None:
        """Go on by new rules. A queue that is no longer there is kept for those who wait in it.

        Who waits already has the head start of the new rules too, or who comes later would go before him; and what is
        asked for him is what they ask.
        """
        self._queues.update(rulebook.queues)
        for call in self._conduct.calls.values():
            queue = self.queue_of(call)
            if queue is not None:
                self._conduct.floor.acd.move(call.id, _place(call, queue), call.tenant, _demand(call, queue, at))
                if call.state is CallState.QUEUED:
                    self._await_relaxation(call, queue, at, out)

    def take(self, call: Call) -> None:
        """Keep the place of a call that is remembered: who comes later stands behind it."""
        self._last_place = max(self._last_place, call.place)

    def enter(self, call: Call, step: EnterQueue, at: datetime, out: Output) -> None:
        """Join the queue behind all who wait."""
        self._last_place += 1
        self._conduct.record(call, facts.Queued(at, step.queue, self._last_place), out)
        if step.max_wait_s is not None:
            self._conduct.set_timer(call, TimerKind.WAIT, step.max_wait_s, out)
        self.wait(call, at, out)

    def wait(self, call: Call, at: datetime, out: Output) -> None:
        """Stand in line at the call's place, with what its queue lets callers hear."""
        queue = self.queue_of(call)
        if queue is None or call.queue is None:  # the rules lost the queue between two daemons
            self._conduct.hand_over(call, ReleaseReason.DEFECT, at, out)
            return
        demand = _demand(call, queue, at)
        self._conduct.floor.acd.join((call.queue, call.site), _place(call, queue), call.id, call.tenant, demand)
        self._await_relaxation(call, queue, at, out)
        if queue.sound is WaitingSound.MUSIC:
            self.play_music(call, queue.music_class, at, out)
        elif not self._conduct.floor.can_serve(queue.name, call.site, demand):  # else a phone rings in a moment
            self.let_ring(call, out)

    def leave_queue(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The plan's limit of waiting is reached: go on with the plan."""
        self.leave_line(call)
        self._conduct.record(call, facts.LeftQueue(at), out)
        self._conduct.cancel_timer(call, TimerKind.WAIT, out)
        self._conduct.cancel_timer(call, TimerKind.RELAX, out)
        call.wait_over = False
        self.quiet(call, out)
        self._conduct.following.next_step(call, at, out)

    def relax(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller has waited for so long that less is asked of who answers him."""
        self.leave_line(call)
        self.wait(call, at, out)

    def _await_relaxation(self, call: Call, queue: QueueSpec, at: datetime, out: Output) -> None:
        """Have the demand eased when it is time, if there is one."""
        after_s = queue.skills.next_after(_waited_s(call, at)) if _demand(call, queue, at).need else None
        if after_s is None:
            self._conduct.cancel_timer(call, TimerKind.RELAX, out)
        else:
            self._conduct.set_timer(call, TimerKind.RELAX, after_s, out)

    def remember_wait_over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The limit is reached while a phone rings: that phone may still answer."""
        call.wait_over = True

    def wait_again(self, call: Call, at: datetime, out: Output) -> None:
        """Back to the same place in line, or on in the plan if the wait ran out meanwhile."""
        if call.wait_over:
            self.leave_queue(call, Cue(Signal.WAIT_OVER), at, out)
        else:
            self.wait(call, at, out)

    def leave_line(self, call: Call) -> None:
        """Stand in no line, if the call does."""
        self._conduct.floor.acd.leave(call.id)

    def play_music(self, call: Call, music_class: str, at: datetime, out: Output) -> None:
        """Let the caller, who is answered for it, hear music on hold."""
        self._conduct.answer(call, at, out)
        if not call.music:
            call.music = True
            out.commands.append(cmd.StartMusic(call.site, call.id, call.channel, music_class))

    def play_ringing(self, call: Call, out: Output) -> None:
        """Let a caller who was answered hear the ringing tone."""
        if not call.ring_tone:
            call.ring_tone = True
            out.commands.append(cmd.Ring(call.site, call.id, call.channel))

    def quiet(self, call: Call, out: Output) -> None:
        """End music and ringing tone, if they play: two sounds on one channel make it deaf to the other party."""
        if call.music:
            call.music = False
            out.commands.append(cmd.StopMusic(call.site, call.id, call.channel))
        if call.ring_tone:
            call.ring_tone = False
            out.commands.append(cmd.StopRinging(call.site, call.id, call.channel))

    def let_ring(self, call: Call, out: Output) -> None:
        """Let a caller who was not answered hear ringing, once."""
        if not call.answered and not call.ringing:
            call.ringing = True
            out.commands.append(cmd.Ring(call.site, call.id, call.channel))

    def queue_of(self, call: Call) -> QueueSpec | None:
        """The queue that the call waits in, if it still exists."""
        return self._queues.get(call.queue) if call.queue is not None else None

    def queue_states(self, at: datetime) -> QueueStates:
        """The queues as conditions see them at ``at``, each looked at when it is asked for."""
        return partial(self._queue_state, at)

    def _queue_state(self, at: datetime, name: QueueName) -> QueueState:
        first = self._conduct.floor.acd.first(name)
        queued_at = self._conduct.calls[first].queued_at if first is not None else None
        return QueueState(
            agents=self._conduct.floor.serving(name),
            available=self._conduct.floor.acd.idle(name),
            waiting=self._conduct.floor.acd.waiting(name),
            longest_wait_s=(at - queued_at).total_seconds() if queued_at is not None else 0.0,
        )


def _place(call: Call, queue: QueueSpec) -> Place:
    """Where the call stands among all who wait."""
    return _queued_at(call).timestamp() - queue.head_start_s, call.place


def _demand(call: Call, queue: QueueSpec, at: datetime) -> Demand:
    """What is asked of who answers the call now."""
    return queue.skills.demand(call.known, call.tenant, _waited_s(call, at))


def _waited_s(call: Call, at: datetime) -> float:
    return (at - _queued_at(call)).total_seconds()


def _queued_at(call: Call) -> datetime:
    return call.queued_at or call.opened_at
