"""Calls of an earlier daemon: known again by their facts, and gone on with from wherever they were.

What that daemon did not come to say to Asterisk is said; what it said and cannot be seen is left as it is, unless it is
in doubt (:attr:`callrouter.core.call.Call.in_doubt`) whether it was said at all.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.call import Call, Offer
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.legs import Leg
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.parties import RING_TONE
from callrouter.core.plan import Dial, EnterQueue, Voicemail
from callrouter.core.rulebook import QueueSpec, WaitingSound
from callrouter.core.states import CallState, Signal

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange

_PLAYING = frozenset(
    {
        CallState.ANNOUNCING,
        CallState.ASKING,
        CallState.DICTATING,
        CallState.RECORDING,
        CallState.CONFIRMING,
        CallState.BRIEFING,
        CallState.CALLING,
    }
)
"""States in which the last playback may be heard rightly."""


def remember(history: Sequence[facts.Fact]) -> Call | None:
    """The call that these facts tell of, waiting to be adopted; None if they make no sense."""
    opened = history[0] if history else None
    if not isinstance(opened, facts.Opened):
        return None
    call = Call.open(opened)
    try:
        for fact in history[1:]:
            call.apply(fact)
    except ValueError:
        return None
    call.to_be_adopted = True
    # What was being told may be heard still:
    call.comforting = call.queue is not None and call.comforted_at is not None and call.state is not CallState.CONNECTED
    return call


def adopt(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Go on with a call of an earlier daemon, from wherever it was."""
    conduct = exchange.conduct
    call.to_be_adopted = False
    conduct.hold_arrival(call, at)  # which was given back if the site was away for long
    out.notices.append(Notice(NoticeKind.ADOPTED, call.id, f"taken up in state {call.state}"))
    _end_old_sounds_in_doubt(call, out)
    # First of all: over HTTP alone, what waits behind a sound holds up the command that ends it.
    was_told = conduct.comforting.recall(call, out)
    conduct.reset_dead_man(call, at, out)
    match call.state:
        case CallState.ROUTING if call.routed is None:
            conduct.following.route(call, at, out)
        case CallState.ROUTING if isinstance(call.history[-1], facts.StepBegun | facts.NoticeOver) or _is_dialing(call):
            conduct.following.carry_out_step(call, at, out)
        case CallState.ROUTING:
            conduct.following.next_step(call, at, out)
        case CallState.ANNOUNCING:
            conduct.following.hear_out(call, out)
        case CallState.ASKING | CallState.DICTATING:
            asking = conduct.asking if call.state is CallState.ASKING else conduct.dictating
            asking.ask_again(call, at, out)
        case CallState.RECORDING:
            conduct.recording.go_on_with(call, at, out)
        case CallState.QUEUED:
            _adopt_waiting(exchange, call, at, out)
        case CallState.OFFERED | CallState.CONFIRMING | CallState.BRIEFING | CallState.CONNECTING | CallState.CONNECTED:
            _adopt_offer(exchange, call, event, at, out)
            if was_told and call.state is CallState.OFFERED:
                conduct.comforting.resume(call, at, out)
        case _:  # being let go
            conduct.set_timer(call, TimerKind.CLEARING, 0.0, out)


def _end_old_sounds_in_doubt(call: Call, out: Output) -> None:
    """The earlier daemon may not have come to end what was heard before its last fact."""
    if call.in_doubt:
        _end_old_sounds(call, out)


def _end_old_sounds(call: Call, out: Output) -> None:
    """End what was heard before what is to be heard now."""
    if call.state is CallState.GREETING:
        return  # two hear something: a resident who is called back, and the counselor
    is_called_in = call.invited is not None and call.invited.bridge is None
    _stop_two(call, call.playbacks - 1 if call.state in _PLAYING or is_called_in else call.playbacks, out)


def is_played_again(exchange: "Exchange", call: Call, at: datetime, out: Output) -> bool:
    """Asterisk knows no such playback: it has ended meanwhile, or the earlier daemon did not come to say that it begin.

    Where that is in doubt it is played: twice is better than never.
    """
    if not call.in_doubt:
        return False
    conduct, step = exchange.conduct, call.steps[call.step] if call.steps else None
    rule, leg = conduct.calling_back.rule_of(call), None
    if call.offer is not None:
        leg = exchange.floor.legs.get(call.offer.channel)
    if call.state in (CallState.ANNOUNCING, CallState.RECORDING):
        conduct.waiting.quiet_in_doubt(call, out)
    call.in_doubt = False
    match call.state:
        case CallState.ANNOUNCING if isinstance(step, Voicemail):
            conduct.recording.tell(call, at, out)
        case CallState.ANNOUNCING:
            conduct.following.carry_out_step(call, at, out)
        case CallState.RECORDING if isinstance(step, Voicemail):
            conduct.recording.greet(call, step, at, out)
        case CallState.CALLING if rule is not None and leg is not None:
            conduct.calling_back.tell_counselor(call, rule, leg, out)
        case CallState.GREETING if rule is not None and rule.to_resident is not None:
            conduct.following.play(call, (rule.to_resident,), at, out)
        case CallState.CONNECTED if leg is not None and call.invited is not None:
            conduct.following.play_on(call, leg.channel, (RING_TONE,), out)
        case _:
            return False
    return True


def _stop_two(call: Call, last: int, out: Output) -> None:
    """End the playback with the number ``last``, and the one before it: each of two people may hear one."""
    for number in range(max(1, last - 1), last + 1):
        out.commands.append(cmd.StopPlayback(call.site, call.id, naming.playback(call.id, number)))


def say_again(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    """The call is ours, and its site, which was away, may not have heard what was said last."""
    if call.comforting:
        return  # all that he heard is ended, and music begins: see `Comforting.after_silence`
    _end_old_sounds(call, out)
    exchange.conduct.waiting.after_silence(call, out)
    if call.state is CallState.CONNECTED:
        exchange.conduct.parties.after_silence(call, event.members, at, out)


def _adopt_waiting(exchange: "Exchange", call: Call, at: datetime, out: Output) -> None:
    _limit_wait(exchange, call, at, out)
    exchange.conduct.waiting.wait(call, at, out)


def _limit_wait(exchange: "Exchange", call: Call, at: datetime, out: Output) -> None:
    """What is left of the time that the plan lets the call wait."""
    step = call.steps[call.step]
    if isinstance(step, EnterQueue) and step.max_wait_s is not None and call.entered_at is not None:
        left_s = step.max_wait_s - (at - call.entered_at).total_seconds()
        exchange.conduct.set_timer(call, TimerKind.WAIT, max(0.0, left_s), out)


def _adopt_offer(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    offer, queue = call.offer, exchange.conduct.waiting.rules_for(call)
    other = _adopt_leg(exchange, call, call.invited, event, at)
    leg = _adopt_leg(exchange, call, offer, event, at)
    if call.others:
        for one in call.others.values():
            _adopt_leg(exchange, call, one, event, at)
        exchange.conduct.ring_all.sort_out(call, at, out)
        offer = call.offer
        leg = exchange.floor.legs.get(offer.channel) if offer is not None else None
    if call.state is CallState.CONNECTED and leg is not None:
        exchange.conduct.parties.adopt(call, leg, other, event.members, at, out)
        return
    if call.state is CallState.CONNECTED and other is not None:
        exchange.conduct.parties.adopt_without_counselor(call, other, event.members, at, out)
        return
    if offer is None or leg is None:
        _offer_is_gone(exchange, call, at, out)
        return
    _limit_wait(exchange, call, at, out)
    match call.state:
        case CallState.OFFERED:
            _recall_sound(call, queue)
            if call.queue is not None and not _was_passed_on(call):
                exchange.conduct.ring_all.go_on(call, at, out)
                return
            dialing = exchange.conduct.dialing
            ring_timeout_s = dialing.ring_timeout_s(call) if call.queue is None else queue.ring_timeout_s
            left_s = ring_timeout_s - (at - offer.at).total_seconds()
            exchange.conduct.set_timer(call, TimerKind.RING, max(1.0, left_s), out)
        case CallState.CONFIRMING:
            _recall_sound(call, queue)
            # The question may have been heard, but a key that was pressed since is lost.
            exchange.conduct.following.playback_over(call, out)
            exchange.conduct.dialing.ask_for_key(call, at, out)
        case CallState.BRIEFING:
            _recall_sound(call, queue)
            exchange.conduct.briefing.over(call, Cue(Signal.ANNOUNCEMENT_OVER), at, out)
        case _:
            _quieten(exchange, call, queue, out)
            exchange.conduct.answer(call, at, out)
            exchange.conduct.offering.connect(call, leg, offer.bridge or naming.bridge(call.id, offer.attempt), out)


def _adopt_leg(exchange: "Exchange", call: Call, offer: Offer | None, event: ev.SiteUp, at: datetime) -> Leg | None:
    """The leg of an offer that is still there."""
    if offer is None or offer.channel not in event.channels:
        return None
    return exchange.floor.adopt_leg(call, offer, exchange.conduct.waiting.rules_for(call), at)


def _recall_sound(call: Call, queue: QueueSpec) -> None:
    """What the earlier daemon left playing to the caller."""
    step = call.steps[call.step]
    if isinstance(step, Dial):
        call.music = step.music_class is not None
        call.ring_tone = call.answered and not call.music
    else:
        call.music = queue.sound is WaitingSound.MUSIC or any(isinstance(fact, facts.PassedOn) for fact in call.history)


def _quieten(exchange: "Exchange", call: Call, queue: QueueSpec, out: Output) -> None:
    """End what either of the two may hear still, who are to be bridged: what the earlier daemon said of it may be lost.

    They cannot be while something plays. Each may hear a playback: the last two.
    """
    _stop_two(call, call.playbacks, out)
    _recall_sound(call, queue)
    exchange.conduct.waiting.quiet(call, out)


def _was_passed_on(call: Call) -> bool:
    """Whether the phone that rings is that of who was called into a conversation."""
    offered = (fact for fact in reversed(call.history) if isinstance(fact, facts.Offered | facts.PassedOn))
    return isinstance(next(offered, None), facts.PassedOn)


def _is_dialing(call: Call) -> bool:
    """Whether the plan is between two destinations."""
    return call.step >= 0 and isinstance(call.steps[call.step], Dial)


def _offer_is_gone(exchange: "Exchange", call: Call, at: datetime, out: Output) -> None:
    """The counselor's leg ended while nobody looked."""
    conduct = exchange.conduct
    if call.state is CallState.CONNECTED:
        conduct.parties.note_invited_gone(call, at, out)
        conduct.record(call, facts.OfferClosed(at, OfferResult.ANSWERED, Cause.NOT_DEFINED), out)
        released = facts.Released(at, ReleaseReason.AGENT_HUNG_UP, Cause.NORMAL_CLEARING, True)
        conduct.record(call, released, out)
        out.commands.append(cmd.Hangup(call.site, call.id, call.channel, Cause.NORMAL_CLEARING))
        conduct.set_timer(call, TimerKind.CLEARING, exchange.rulebook.limits.clearing_s, out)
    else:
        was_not_called = call.in_doubt and call.state is CallState.OFFERED
        conduct.record(call, facts.OfferClosed(at, OfferResult.FAILED, Cause.NOT_DEFINED), out)
        if call.queue is not None:
            _adopt_waiting(exchange, call, at, out)
            return
        _recall_sound(call, conduct.waiting.rules_for(call))
        if was_not_called:
            conduct.dialing.call_again(call, at, out)
        else:
            conduct.dialing.go_on(call, at, out)
