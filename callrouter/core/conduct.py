"""What is done with a call when something happens to it: the actions that the table of states names.

Each action records facts, which move the call, and gives commands. None reads anything but the call and the floor.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Protocol, assert_never

import msgspec

from callrouter.core import commands as cmd
from callrouter.core import facts, naming
from callrouter.core.agent import Agent, AgentState
from callrouter.core.asking import Asking
from callrouter.core.call import Call
from callrouter.core.causes import CONGESTION, Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.conditions import QueueState, QueueStates
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.floor import Floor, Leg
from callrouter.core.fold import fold
from callrouter.core.ids import BridgeId, CallId, ChannelId, PromptName, QueueName
from callrouter.core.inbound import CallFacts
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.plan import Announce, EnterQueue, HandOver, HangUp, If, Menu, RouteAgain
from callrouter.core.rulebook import QueueSpec, Rulebook, WaitingSound
from callrouter.core.states import CallState, Signal, Transition
from callrouter.core.stats import Counters
from callrouter.errors import ImpossibleEventError

FALLBACK_EXTENSION = "s"
FIRST_GUARD_S = 0.5
"""When a caller who hears nothing of ours yet gets our dead man's switch. The dialplan's own (5 s) lasts until then;
to set ours first would hold up the call to the counselor's phone."""


class Cue(msgspec.Struct, frozen=True, gc=False):
    """A signal and what it carries."""

    signal: Signal
    cause: int = Cause.NORMAL_CLEARING
    agent: Agent | None = None
    result: OfferResult = OfferResult.NO_ANSWER
    """For a ring that is cut short: how the offer counts."""
    to_dialplan: bool = False
    """The caller lives on in the dialplan, where we did not send him."""
    digit: str = ""
    """The key that was pressed."""
    estimated: bool = False
    """The time is that of our finding out, not of its happening."""


class _Action(Protocol):
    def __call__(self, call: Call, cue: Cue, at: datetime, out: Output) -> None: ...


_RESULTS: Mapping[int, OfferResult] = {
    Cause.USER_BUSY: OfferResult.BUSY,
    Cause.NO_USER_RESPONSE: OfferResult.NO_ANSWER,
    Cause.NO_ANSWER: OfferResult.NO_ANSWER,
    Cause.CALL_REJECTED: OfferResult.REJECTED,
    Cause.NORMAL_CLEARING: OfferResult.REJECTED,
    Cause.UNALLOCATED: OfferResult.UNREACHABLE,
    Cause.NO_ROUTE_DESTINATION: OfferResult.UNREACHABLE,
    Cause.SUBSCRIBER_ABSENT: OfferResult.UNREACHABLE,
    Cause.DESTINATION_OUT_OF_ORDER: OfferResult.UNREACHABLE,
}


def offer_result(cause: int) -> OfferResult:
    """How an offer counts whose leg ended with this Q.850 cause before it was answered."""
    if cause in CONGESTION:
        return OfferResult.CONGESTION
    return _RESULTS.get(cause, OfferResult.FAILED)


class Conduct:
    """The calls in progress, and what is done with them."""

    def __init__(self, rulebook: Rulebook, at: datetime) -> None:
        self.floor = Floor(rulebook, at)
        self.counters = Counters()
        self.calls: dict[CallId, Call] = {}
        self._by_channel: dict[ChannelId, CallId] = {}
        self._queues: dict[QueueName, QueueSpec] = dict(rulebook.queues)
        self._last_place = 0
        self._gone: dict[ChannelId, datetime] = {}
        self.asking = Asking(self)
        self._actions: Mapping[str, _Action] = {
            "begin": self._begin,
            "end_announcement": self._end_announcement,
            "await_digit": self.asking.await_digit,
            "take_digit": self.asking.take_digit,
            "miss_digit": self.asking.miss_digit,
            "caller_left": self._caller_left,
            "renew_dead_man": self._renew_dead_man,
            "offer": self._offer,
            "leave_queue": self._leave_queue,
            "leg_rang": self._leg_rang,
            "connect": self._connect,
            "offer_failed": self._offer_failed,
            "ring_over": self._ring_over,
            "remember_wait_over": self._remember_wait_over,
            "connected": self._connected,
            "connect_failed": self._connect_failed,
            "agent_hung_up": self._agent_hung_up,
            "finish": self._finish,
            "insist": self._insist,
        }

    def call_of(self, channel: ChannelId) -> Call | None:
        """The call in progress whose caller is on ``channel``."""
        call_id = self._by_channel.get(channel)
        return self.calls[call_id] if call_id is not None else None

    def has_left(self, channel: ChannelId) -> bool:
        """Whether a caller on ``channel`` has left not long ago."""
        return channel in self._gone

    def forget_left(self, before: datetime) -> None:
        """Forget the channels of callers who left before ``before``."""
        self._gone = {channel: at for channel, at in self._gone.items() if at >= before}

    def replace(self, rulebook: Rulebook, at: datetime) -> None:
        """Go on by new rules. A queue that is no longer there is kept for those who wait in it."""
        self._queues.update(rulebook.queues)
        self.floor.replace(rulebook, at)

    def open(self, call_id: CallId, channel: ChannelId, arrival: CallFacts, at: datetime, out: Output) -> Call:
        """A caller has come in."""
        opened = facts.Opened(at, call_id, arrival.site, channel, arrival)
        call = Call.open(opened)
        self.calls[call_id] = call
        self._by_channel[channel] = call_id
        self.counters.arrived += 1
        out.facts.append((call_id, opened))
        return call

    def take(self, call: Call) -> bool:
        """Go on with a call that is remembered; False if its caller or its id is known already."""
        if call.id in self.calls or call.channel in self._by_channel:
            return False
        self.calls[call.id] = call
        call.guarded = True  # by the earlier daemon, whose sounds may be playing
        self.counters.taken_up += 1
        self._by_channel[call.channel] = call.id
        self._last_place = max(self._last_place, call.place)
        return True

    def queue_of(self, call: Call) -> QueueSpec | None:
        """The queue that the call waits in, if it still exists."""
        return self._queues.get(call.queue) if call.queue is not None else None

    def act(self, transition: Transition, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Carry out a transition of the table.

        Raises:
            ImpossibleEventError: it led where the table does not allow: a defect of this module.
        """
        self._actions[transition.action](call, cue, at, out)
        if call.state not in transition.to:
            raise ImpossibleEventError(f"{transition.action} left call {call.id} in state {call.state}")

    def give_up(self, call: Call, why: str, at: datetime, out: Output) -> None:
        """Something that cannot be has happened: a person, not silence. People who talk are left alone."""
        out.notices.append(Notice(NoticeKind.IMPOSSIBLE_EVENT, call.id, why))
        self._leave_line(call)
        if call.state in (CallState.CONNECTED, CallState.CLEARING, CallState.ENDED):
            return
        self._drop_offer(call, OfferResult.FAILED, at, out)
        self.floor.leave_bridges(call.id, call.channel, out)
        for leg in self.floor.legs_of(call.id):
            if leg.result is None:  # taken for an offer that never came to be
                self.floor.let_go(leg, OfferResult.FAILED, at, out)
        self.hand_over(call, ReleaseReason.DEFECT, at, out)

    def hand_over(self, call: Call, reason: ReleaseReason, at: datetime, out: Output) -> None:
        """Send the caller to the dialplan's fallback."""
        context = self.floor.rulebook.fallback_context
        self._continue_at(call, context, FALLBACK_EXTENSION, reason, at, out)

    def record(self, call: Call, fact: facts.Fact, out: Output) -> None:
        """Let a fact be true of the call, and have it kept."""
        call.apply(fact)
        out.facts.append((call.id, fact))

    def set_timer(self, call: Call, kind: TimerKind, after_s: float, out: Output) -> None:
        """Set or replace a timer of the call."""
        call.timers.add(kind)
        out.commands.append(cmd.SetTimer((kind, call.id), after_s))

    def cancel_timer(self, call: Call, kind: TimerKind, out: Output) -> None:
        """Cancel a timer of the call, if it is set."""
        if kind in call.timers:
            call.timers.remove(kind)
            out.commands.append(cmd.CancelTimer((kind, call.id)))

    def guard(self, call: Call, at: datetime, out: Output) -> None:
        """Renew the dead man's switch, and see to it that it is renewed again in time."""
        after_s = self.floor.rulebook.limits.dead_man_s
        playing = call.guarded and call.state in (CallState.ANNOUNCING, CallState.ASKING)
        call.guarded = True
        out.commands.append(cmd.SetDeadMan(call.site, call.id, call.channel, after_s, playing))
        self.set_timer(call, TimerKind.DEAD_MAN, after_s / 2, out)

    def reset_dead_man(self, call: Call, at: datetime, out: Output) -> None:
        """Let the switch stand as the call's state wants it, whatever Asterisk has heard of it."""
        match call.state:
            case CallState.CONNECTED:
                self._lift_dead_man(call, out)
            case CallState.CLEARING | CallState.ENDED:
                pass
            case _:
                self.guard(call, at, out)

    def _lift_dead_man(self, call: Call, out: Output) -> None:
        self.cancel_timer(call, TimerKind.DEAD_MAN, out)
        call.guarded = True
        out.commands.append(cmd.SetDeadMan(call.site, call.id, call.channel, 0.0, playing=False))

    # The actions of the table.

    def _begin(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        self.set_timer(call, TimerKind.DEAD_MAN, FIRST_GUARD_S, out)
        self.route(call, at, out)

    def route(self, call: Call, at: datetime, out: Output) -> None:
        """Decide, and begin the plan."""
        decision = self.floor.rulebook.router.decide(call.known, at, self.queue_states(at))
        if decision.rule in call.rules:
            self.give_up(call, f"the rule {decision.rule} takes the call a second time", at, out)
            return
        routed = facts.Routed(
            at,
            decision.rule,
            decision.plan,
            decision.region,
            decision.region_title,
            decision.region_source,
            decision.tenant,
            decision.caller_kind,
            decision.topic,
            decision.calendars,
            decision.config_hash,
            decision.explanation,
        )
        self.record(call, routed, out)
        self.next_step(call, at, out)

    def next_step(self, call: Call, at: datetime, out: Output) -> None:
        """Begin the step of the plan that follows."""
        self.record(call, facts.StepBegun(at, call.step + 1), out)
        self.carry_out_step(call, at, out)

    def carry_out_step(self, call: Call, at: datetime, out: Output) -> None:
        """Do what the plan's present step says."""
        step = call.steps[call.step]
        match step:
            case Announce(prompt=prompt):
                self.play(call, (prompt,), at, out)
            case Menu():
                self.asking.ask(call, step, at, out)
            case If():
                self._branch(call, step, at, out)
            case RouteAgain():
                self.route(call, at, out)
            case EnterQueue():
                self._enter_queue(call, step, at, out)
            case HandOver(context=context, extension=extension):
                self._lift_dead_man(call, out)  # it would cut the call off in its new place
                self._continue_at(call, context, extension, ReleaseReason.HANDED_OVER, at, out)
            case HangUp(cause=cause):
                self._release(call, ReleaseReason.PLAN_ENDED, cause, at, out)
            case _:
                assert_never(step)

    def play(self, call: Call, prompts: tuple[PromptName, ...], at: datetime, out: Output) -> None:
        """Let the caller hear prompts, as the playback that the call's facts have counted."""
        if not call.guarded:  # Asterisk would let the switch wait behind the sound, for longer than the dialplan's
            self.guard(call, at, out)
        self._answer(call, at, out)
        media = tuple(map(self.floor.rulebook.media, prompts))
        playback = naming.playback(call.id, call.playbacks)
        out.commands.append(cmd.Play(call.site, call.id, call.channel, playback, media))
        self.set_timer(call, TimerKind.ANNOUNCEMENT, self.floor.rulebook.limits.announcement_s, out)

    def playback_over(self, call: Call, out: Output) -> None:
        """What was played has ended, or (its timer has run out) taken too long."""
        if TimerKind.ANNOUNCEMENT not in call.timers and call.playback is not None:
            out.commands.append(cmd.StopPlayback(call.site, call.id, call.playback))
        self.cancel_timer(call, TimerKind.ANNOUNCEMENT, out)

    def stop_playback(self, call: Call, out: Output) -> None:
        """End what is playing, if its end has not been seen."""
        if TimerKind.ANNOUNCEMENT in call.timers and call.playback is not None:
            out.commands.append(cmd.StopPlayback(call.site, call.id, call.playback))
        self.cancel_timer(call, TimerKind.ANNOUNCEMENT, out)

    def _branch(self, call: Call, step: If, at: datetime, out: Output) -> None:
        router = self.floor.rulebook.router
        finding = router.ask(step.conditions, call.known, at, self.queue_states(at))
        self.record(call, facts.Branched(at, finding.why, step.then if finding.holds else step.otherwise), out)
        self.next_step(call, at, out)

    def queue_states(self, at: datetime) -> QueueStates:
        """The queues as conditions see them at ``at``, each looked at when it is asked for."""
        return partial(self._queue_state, at)

    def _queue_state(self, at: datetime, name: QueueName) -> QueueState:
        first = self.floor.acd.first(name)
        queued_at = self.calls[first].queued_at if first is not None else None
        return QueueState(
            agents=self.floor.serving(name),
            available=self.floor.acd.idle(name),
            waiting=self.floor.acd.waiting(name),
            longest_wait_s=(at - queued_at).total_seconds() if queued_at is not None else 0.0,
        )

    def _enter_queue(self, call: Call, step: EnterQueue, at: datetime, out: Output) -> None:
        self._last_place += 1
        self.record(call, facts.Queued(at, step.queue, self._last_place), out)
        if step.max_wait_s is not None:
            self.set_timer(call, TimerKind.WAIT, step.max_wait_s, out)
        self.wait(call, at, out)

    def wait(self, call: Call, at: datetime, out: Output) -> None:
        """Stand in line at the call's place, with what its queue lets callers hear."""
        queue = self.queue_of(call)
        if queue is None or call.queue is None:  # the rules lost the queue between two daemons
            self.hand_over(call, ReleaseReason.DEFECT, at, out)
            return
        self.floor.acd.join((call.queue, call.site), call.place, call.id)
        if queue.sound is WaitingSound.MUSIC:
            self._answer(call, at, out)
            if not call.music:
                call.music = True
                out.commands.append(cmd.StartMusic(call.site, call.id, call.channel, queue.music_class))
        elif not self.floor.can_serve(queue.name, call.site):  # else a phone rings in a moment
            self._let_ring(call, out)

    def _end_announcement(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        self.playback_over(call, out)
        self.next_step(call, at, out)

    def _offer(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        queue = self.queue_of(call)
        if cue.agent is None or queue is None:
            raise ImpossibleEventError(f"call {call.id} was matched without a counselor or a queue")
        self._leave_line(call)
        leg = self.floor.open_leg(call, cue.agent, queue, at, out)
        offered = facts.Offered(at, call.attempts + 1, cue.agent.spec.id, cue.agent.spec.trunk, leg.channel)
        self.record(call, offered, out)
        self.set_timer(call, TimerKind.RING, queue.ring_timeout_s, out)

    def _leg_rang(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        if call.offer is not None and not call.offer.rang:
            self.record(call, facts.Rang(at), out)
            self._let_ring(call, out)

    def _let_ring(self, call: Call, out: Output) -> None:
        """Let a caller who was not answered hear ringing, once."""
        if not call.answered and not call.ringing:
            call.ringing = True
            out.commands.append(cmd.Ring(call.site, call.id, call.channel))

    def _connect(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        leg = self._leg(call)
        bridge = naming.bridge(call.id, call.attempts)
        self.record(call, facts.PickedUp(at, bridge), out)
        leg.agent.change(AgentState.ON_CALL, at)
        self.cancel_timer(call, TimerKind.RING, out)
        self.stop_music(call, out)
        self._answer(call, at, out)
        self.connect(call, leg, bridge, out)

    def connect(self, call: Call, leg: Leg, bridge: BridgeId, out: Output) -> None:
        """Have the two bridged, within a time."""
        self.set_timer(call, TimerKind.CONNECT, self.floor.rulebook.limits.connect_s, out)
        self.floor.make_bridge(call, bridge, leg)
        out.commands.append(cmd.Connect(call.site, call.id, bridge, call.channel, leg.channel))

    def _connected(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        self.record(call, facts.Connected(at), out)
        for kind in (TimerKind.CONNECT, TimerKind.WAIT):
            self.cancel_timer(call, kind, out)
        self._lift_dead_man(call, out)

    def _offer_failed(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The leg ended before the two could speak."""
        leg = self._leg(call)
        picked_up = call.state is CallState.CONNECTING
        result = OfferResult.LOST if picked_up else offer_result(cue.cause)
        self._close_offer(call, result, cue.cause, at, out)
        self.floor.leave_bridges(call.id, call.channel, out)
        self.floor.leg_gone(leg, result, at, out)
        self._wait_again(call, at, out)

    def _ring_over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The phone rang long enough, or nobody knows whether it rings at all."""
        self._drop_offer(call, cue.result, at, out)
        self._wait_again(call, at, out)

    def _connect_failed(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        self._drop_offer(call, OfferResult.LOST, at, out)
        self.floor.clear_bridges(call.id, call.channel, out)
        self._wait_again(call, at, out)

    def _remember_wait_over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        call.wait_over = True

    def _leave_queue(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The plan's limit of waiting is reached: go on with the plan."""
        self._leave_line(call)
        self.record(call, facts.LeftQueue(at), out)
        self.cancel_timer(call, TimerKind.WAIT, out)
        call.wait_over = False
        self.stop_music(call, out)
        self.next_step(call, at, out)

    def _agent_hung_up(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        leg = self._leg(call)
        self._close_offer(call, OfferResult.ANSWERED, cue.cause, at, out)
        self.floor.leg_gone(leg, OfferResult.ANSWERED, at, out)
        self._release(call, ReleaseReason.AGENT_HUNG_UP, Cause.NORMAL_CLEARING, at, out, estimated=cue.estimated)

    def _caller_left(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller hung up: at any time before we hung up ourselves."""
        talked = call.state is CallState.CONNECTED
        self._leave_line(call)
        self._drop_offer(call, OfferResult.ANSWERED if talked else OfferResult.CALLER_GONE, at, out, cue.cause)
        reason = ReleaseReason.VANISHED if cue.estimated else ReleaseReason.CALLER_HUNG_UP
        if cue.to_dialplan:
            reason = ReleaseReason.TAKEN_AWAY
        self.record(call, facts.Released(at, reason, cue.cause, cue.estimated), out)
        self._finish(call, cue, at, out)

    def _renew_dead_man(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        self.guard(call, at, out)

    def _insist(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller's channel has not left although we let it go."""
        if call.insisted:
            out.notices.append(Notice(NoticeKind.WRITTEN_OFF, call.id, f"channel {call.channel} never ended"))
            self._finish(call, cue, at, out)
            return
        call.insisted = True
        out.commands.append(cmd.Hangup(call.site, call.id, call.channel, Cause.NORMAL_CLEARING))
        self.set_timer(call, TimerKind.CLEARING, self.floor.rulebook.limits.clearing_s, out)

    def _finish(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Nothing is left of the call but its record."""
        for kind in tuple(call.timers):
            self.cancel_timer(call, kind, out)
        self.floor.leave_bridges(call.id, call.channel, out)
        del self.calls[call.id]
        del self._by_channel[call.channel]
        self._gone[call.channel] = at
        call.close()
        cdr = fold(call.history)
        self.counters.ended[cdr.outcome] += 1
        out.cdrs.append(cdr)

    # What several actions share.

    def _answer(self, call: Call, at: datetime, out: Output) -> None:
        if not call.answered:
            out.commands.append(cmd.Answer(call.site, call.id, call.channel))
            self.record(call, facts.Answered(at), out)

    def stop_music(self, call: Call, out: Output) -> None:
        """End the music on hold, if it plays: two sounds on one channel make it deaf to the other party."""
        if call.music:
            call.music = False
            out.commands.append(cmd.StopMusic(call.site, call.id, call.channel))

    def _leave_line(self, call: Call) -> None:
        if call.queue is not None:
            self.floor.acd.leave((call.queue, call.site), call.place, call.id)

    def _leg(self, call: Call) -> Leg:
        leg = self.floor.legs.get(call.offer.channel) if call.offer is not None else None
        if leg is None:
            raise ImpossibleEventError(f"call {call.id} in state {call.state} has no leg")
        return leg

    def _drop_offer(
        self, call: Call, result: OfferResult, at: datetime, out: Output, cause: int = Cause.NO_ANSWER
    ) -> None:
        """Close the open offer, if there is one, and hang its leg up."""
        if call.offer is None:
            return
        leg = self.floor.legs.get(call.offer.channel)
        self._close_offer(call, result, cause, at, out)
        if leg is not None:
            self.floor.let_go(leg, result, at, out)

    def _close_offer(self, call: Call, result: OfferResult, cause: int, at: datetime, out: Output) -> None:
        self.cancel_timer(call, TimerKind.RING, out)
        self.cancel_timer(call, TimerKind.CONNECT, out)
        self.record(call, facts.OfferClosed(at, result, cause), out)
        self.counters.offers[result] += 1

    def _wait_again(self, call: Call, at: datetime, out: Output) -> None:
        """Back to the same place in line, or on in the plan if the wait ran out meanwhile."""
        if call.wait_over:
            self._leave_queue(call, Cue(Signal.WAIT_OVER), at, out)
        else:
            self.wait(call, at, out)

    def _continue_at(
        self, call: Call, context: str, extension: str, reason: ReleaseReason, at: datetime, out: Output
    ) -> None:
        self._leave_line(call)
        self.stop_music(call, out)
        self.record(call, facts.Released(at, reason, Cause.NORMAL_CLEARING), out)
        out.commands.append(cmd.ContinueInDialplan(call.site, call.id, call.channel, context, extension))
        self._await_leaving(call, out)

    def _release(
        self, call: Call, reason: ReleaseReason, cause: Cause, at: datetime, out: Output, *, estimated: bool = False
    ) -> None:
        self.record(call, facts.Released(at, reason, cause, estimated), out)
        out.commands.append(cmd.Hangup(call.site, call.id, call.channel, cause))
        self._await_leaving(call, out)

    def _await_leaving(self, call: Call, out: Output) -> None:
        self.cancel_timer(call, TimerKind.DEAD_MAN, out)
        self.cancel_timer(call, TimerKind.WAIT, out)
        self.set_timer(call, TimerKind.CLEARING, self.floor.rulebook.limits.clearing_s, out)
