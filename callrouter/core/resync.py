"""After a silence: what we believe is compared with what Asterisk says.

Used when a site comes up (first connect, reconnect, new daemon) and from time to time in between. Comparing twice
changes nothing the second time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from callrouter.core import calling_back_resync, facts, missed, naming, relaying, supervision_resync, trunk_audit
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.call import Call, Offer
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import ChannelId, QueueName
from callrouter.core.legs import Leg
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.plan import Dial, EnterQueue
from callrouter.core.rulebook import QueueSpec, WaitingSound
from callrouter.core.states import CallState, Signal

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange

_REMEMBER_GONE = timedelta(minutes=2)
"""How long a caller who left, and a leg that ended, is remembered, so that an old snapshot does not bring it back."""


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


def compare(exchange: "Exchange", event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Make our calls and legs at a site agree with its snapshot."""
    exchange.conduct.forget_left(at - _REMEMBER_GONE)
    exchange.floor.forget_ended(at - _REMEMBER_GONE)
    _leave_out_attempts(exchange, event)
    in_vain = trunk_audit.held_in_vain(exchange, event, event.requested_at - ev.SNAPSHOT_MARGIN)
    for call in [call for call in exchange.calls.values() if call.site == event.site]:
        with exchange.contained(call.id, at, out):
            _compare_caller(exchange, call, event, at, out)
    relaying.compare(exchange, event, at, out)
    _compare_legs(exchange, event, at, out)
    missed.record(exchange, event, at, out)
    _take_unknown(exchange, event, at, out)
    _forget_unheard(exchange, event)
    trunk_audit.put_right(exchange, event, in_vain, at, out)
    exchange.conduct.lines.compare(event, at, out)
    supervision_resync.compare(exchange.conduct.supervision, event, at, out)
    for bridge in sorted(event.bridges):
        call_id = naming.parse_bridge(bridge)
        if call_id is not None and not exchange.floor.bridges.knows(bridge):
            out.commands.append(cmd.DestroyBridge(event.site, call_id, bridge))


def _compare_caller(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    if call.id not in exchange.calls:  # it ended with one before it: a request, with the call it was asked for in
        return
    if call.request is not None:
        if call.to_be_adopted:
            _take_up_request(exchange, call, event, at, out)
        return
    seen = event.channels.get(call.channel)
    if seen is None or seen.inbound is None:
        if call.to_be_adopted or call.opened_at < event.requested_at:
            _vanished(exchange, call, at, out)
    elif call.to_be_adopted:
        _adopt(exchange, call, event, at, out)
    elif call.is_hung_up_on:  # Asterisk has not heard that, or not come to it
        out.commands.append(cmd.Hangup(call.site, call.id, call.channel, Cause.NORMAL_CLEARING))


def _take_up_request(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Go on with who is to be called back, or with whoever was when the earlier daemon died."""
    resident = call.resident
    if call.is_absent or resident is None:
        calling_back_resync.adopt(exchange, call, event, at, out)
        return
    if call.channel not in event.channels:
        _vanished(exchange, call, at, out)
        return
    exchange.floor.adopt_resident(call, resident)
    if call.state is CallState.GREETING:
        calling_back_resync.adopt_greeted(exchange, call, event, at, out)
    else:
        _adopt(exchange, call, event, at, out)


def hang_up_orphan(exchange: "Exchange", channel: ChannelId, out: Output) -> None:
    """End a leg of ours that no call knows."""
    name = naming.parse_leg_channel(channel)
    if name is None:
        return
    out.notices.append(Notice(NoticeKind.ORPHAN_LEG, name.call, f"leg {channel} belongs to no call"))
    for site in sorted(exchange.floor.ways.sites):
        out.commands.append(cmd.Hangup(site, name.call, channel, Cause.NORMAL_CLEARING))


def _vanished(exchange: "Exchange", call: Call, at: datetime, out: Output) -> None:
    call.to_be_adopted = False
    at = exchange.absence.ended_at(call, at)
    if call.state is CallState.ROUTING:  # remembered from between two facts
        exchange.conduct.record(call, facts.Released(at, ReleaseReason.VANISHED, Cause.NOT_DEFINED, True), out)
    cue = Cue(Signal.CALLER_LEFT, cause=Cause.NOT_DEFINED, estimated=True)
    exchange.signal(call, cue, at, out)


def _compare_legs(exchange: "Exchange", event: ev.SiteUp, at: datetime, out: Output) -> None:
    for leg in [leg for leg in exchange.floor.legs.values() if leg.site == event.site]:
        seen = event.channels.get(leg.channel)
        if seen is None:
            was_there = leg.heard_of_at is not None and leg.heard_of_at < event.requested_at
            if was_there or leg.made_at < event.requested_at - ev.SNAPSHOT_MARGIN:
                with exchange.contained(leg.call, at, out):
                    exchange.leg_ended(ev.LegEnded(leg.channel, Cause.NOT_DEFINED), at, out)
        elif leg.result is not None:  # Asterisk has not heard that, or not come to it
            out.commands.append(cmd.Hangup(leg.site, leg.call, leg.channel, Cause.NORMAL_CLEARING))
        elif seen.state == "Up":
            with exchange.contained(leg.call, at, out):
                exchange.catch_up_leg(leg, at, out)


def _take_unknown(exchange: "Exchange", event: ev.SiteUp, at: datetime, out: Output) -> None:
    for seen in event.channels.values():
        leg = naming.parse_leg_channel(seen.channel)
        if leg is not None:
            floor = exchange.floor
            if seen.channel not in floor.legs and not floor.ended_since(seen.channel, event.requested_at):
                hang_up_orphan(exchange, seen.channel, out)
        elif seen.channel in exchange.conduct.unheard:
            call_id, site = exchange.conduct.unheard[seen.channel]
            out.commands.append(cmd.Hangup(site, call_id, seen.channel, Cause.NORMAL_CLEARING))
        elif (
            seen.inbound is not None
            and seen.fresh_call is not None
            and exchange.conduct.call_of(seen.channel) is None
            and not exchange.conduct.has_left(seen.channel)
        ):
            came_at = event.requested_at - timedelta(seconds=seen.waited_s) if seen.waited_s else None
            with exchange.contained(seen.fresh_call, at, out):
                arrived = ev.CallArrived(seen.fresh_call, seen.channel, seen.inbound)
                exchange.call_arrived(arrived, at, out, came_at=came_at)


def _forget_unheard(exchange: "Exchange", event: ev.SiteUp) -> None:
    unheard = exchange.conduct.unheard
    for channel in [one for one, (_, site) in unheard.items() if site == event.site and one not in event.channels]:
        del unheard[channel]


def _leave_out_attempts(exchange: "Exchange", event: ev.SiteUp) -> None:
    """Where the journal lost an offer when the daemon died, and Asterisk has its channel still: another leg with the
    same id would be refused, and take the end of this one for its own. Before any call goes on with another offer."""
    for channel in event.channels:
        leg = naming.parse_leg_channel(channel)
        call = exchange.calls.get(leg.call) if leg is not None else None
        if leg is not None and call is not None:
            call.attempts = max(call.attempts, leg.attempt)


def _adopt(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Go on with a call of an earlier daemon, from wherever it was."""
    conduct = exchange.conduct
    call.to_be_adopted = False
    conduct.hold_arrival(call, at)  # which was given back if the site was away for long
    out.notices.append(Notice(NoticeKind.ADOPTED, call.id, f"taken up in state {call.state}"))
    _say_what_was_not_heard(call, event, out)
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


def _say_what_was_not_heard(call: Call, event: ev.SiteUp, out: Output) -> None:
    """What the earlier daemon may not have come to say to Asterisk, whatever comes next: the answer, and silence."""
    if call.answered and call.request is None and event.channels[call.channel].state != "Up":
        out.commands.append(cmd.Answer(call.site, call.id, call.channel))
    if not call.in_doubt or call.state is CallState.GREETING:
        return  # two hear something: a resident who is called back, and the counselor
    is_called_in = call.invited is not None and call.invited.bridge is None
    last = call.playbacks - 1 if call.state in _PLAYING or is_called_in else call.playbacks
    for number in range(max(1, last - 1), last + 1):
        out.commands.append(cmd.StopPlayback(call.site, call.id, naming.playback(call.id, number)))


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
    offer, queue = call.offer, exchange.conduct.waiting.queue_of(call) or _lost_queue(call)
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
    return exchange.floor.adopt_leg(call, offer, exchange.conduct.waiting.queue_of(call) or _lost_queue(call), at)


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
    for number in range(max(1, call.playbacks - 1), call.playbacks + 1):
        out.commands.append(cmd.StopPlayback(call.site, call.id, naming.playback(call.id, number)))
    _recall_sound(call, queue)
    exchange.conduct.waiting.quiet(call, out)


def _was_passed_on(call: Call) -> bool:
    """Whether the phone that rings is that of who was called into a conversation."""
    offered = (fact for fact in reversed(call.history) if isinstance(fact, facts.Offered | facts.PassedOn))
    return isinstance(next(offered, None), facts.PassedOn)


def _is_dialing(call: Call) -> bool:
    """Whether the plan is between two destinations."""
    return call.step >= 0 and isinstance(call.steps[call.step], Dial)


def _lost_queue(call: Call) -> QueueSpec:
    """Stands for a queue that is not in the rules any more, so that a phone may go on ringing or talking."""
    name = call.queue or QueueName("")
    return QueueSpec(name, name)


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
        conduct.record(call, facts.OfferClosed(at, OfferResult.FAILED, Cause.NOT_DEFINED), out)
        if call.queue is not None:
            _adopt_waiting(exchange, call, at, out)
        else:
            _recall_sound(call, _lost_queue(call))
            conduct.dialing.go_on(call, at, out)
