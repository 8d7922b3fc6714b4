"""After a restart: those who are to be called back, and whoever was being called when the earlier daemon died.

What an earlier daemon had begun is gone on with where both phones are still there. Otherwise whatever is left of it is
hung up before anything is begun anew, so that a resident is never called twice at once; and an attempt whose end nobody
saw does not count.
"""

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
from callrouter.core.legs import Leg
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.states import CallState, Signal

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange


def adopt(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Go on with a request whose resident is not there yet."""
    conduct = exchange.conduct
    call.to_be_adopted = False
    out.notices.append(Notice(NoticeKind.ADOPTED, call.id, f"to be called back, taken up in state {call.state}"))
    match call.state:
        case CallState.POSTPONED:
            conduct.calling_back.await_time(call, at, out)
        case CallState.OFFERED:
            _adopt_ringing(exchange, call, event, at, out)
        case CallState.CALLING:
            _adopt_calling(exchange, call, event, at, out)
        case CallState.GREETING:  # the journal ends between two facts: he had hung up
            _give_up_attempt(exchange, call, event, at, out)
        case CallState.ROUTING:  # and here, in the middle of its beginning
            if call.request is None or call.request.original not in exchange.calls:  # else its end completes this one
                conduct.calling_back.drop(call, at, out)
        case CallState.CLEARING:
            conduct.finish(call, Cue(Signal.CLEARING_OVER), at, out)
        case _:
            if call.resident is not None:  # and here, where the counselor had hung up, or somebody withdrew it
                _let_resident_go(exchange, call, at, out)
            conduct.calling_back.stand(call, at, out)


def adopt_greeted(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    """The resident is there and was being told who calls: connect him, or let him wait on if the counselor is gone."""
    call.to_be_adopted = False
    out.notices.append(Notice(NoticeKind.ADOPTED, call.id, f"called back, taken up in state {call.state}"))
    conduct = exchange.conduct
    rule, leg = conduct.calling_back.rule_of(call), _leg_of(exchange, call, call.offer, event, at)
    is_greeted = call.taped.notice is None and rule is not None and rule.to_resident is not None
    if leg is not None and call.in_doubt and is_greeted:
        conduct.guard(call, at, out, playing=True)
        conduct.following.hear_out(call, out)
        return
    out.commands.append(cmd.StopPlayback(call.site, call.id, naming.playback(call.id, call.playbacks)))
    conduct.guard(call, at, out, playing=False)
    if leg is None:
        conduct.record(call, facts.OfferClosed(at, OfferResult.LOST, Cause.NOT_DEFINED), out)
        conduct.waiting.wait(call, at, out)
    elif call.taped.notice is None:  # else it is told anew: see Taping.after_silence
        conduct.offering.join(call, at, out)


def _adopt_ringing(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    conduct, queue = exchange.conduct, exchange.conduct.waiting.queue_of(call)
    for offer in call.phones:
        _leg_of(exchange, call, offer, event, at)
    conduct.ring_all.sort_out(call, at, out)
    leg = _leg_of(exchange, call, call.offer, event, at)
    if leg is None or queue is None:
        _give_up_attempt(exchange, call, event, at, out)
        return
    conduct.calling_back.reserve(call, at, again=True)
    conduct.ring_all.go_on(call, at, out)


def _adopt_calling(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    conduct, resident = exchange.conduct, call.resident
    seen = event.channels.get(resident.channel) if resident is not None else None
    if resident is None or seen is None:
        _give_up_attempt(exchange, call, event, at, out)
        return
    exchange.floor.adopt_resident(call, resident)
    leg = _leg_of(exchange, call, call.offer, event, at)
    rule = conduct.calling_back.rule_of(call)
    if leg is not None:
        ring_timeout_s = rule.ring_timeout_s if rule is not None else 0.0
        left_s = ring_timeout_s - (at - resident.at).total_seconds()
        conduct.set_timer(call, TimerKind.RESIDENT, max(1.0, left_s), out)
        if call.in_doubt:
            conduct.following.hear_out(call, out)
    elif seen.state == "Up":  # he answered, and the counselor is gone: he waits on, like any caller
        conduct.record_moved(call, facts.ResidentAnswered(at), out)
        conduct.record(call, facts.OfferClosed(at, OfferResult.LOST, Cause.NOT_DEFINED), out)
        conduct.guard(call, at, out, playing=False)
        conduct.waiting.wait(call, at, out)
    else:
        _give_up_attempt(exchange, call, event, at, out)


def _give_up_attempt(exchange: "Exchange", call: Call, event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Hang up what is left of the attempt. It is made anew: at once, if the resident was not called yet."""
    conduct, was_calling = exchange.conduct, call.state is not CallState.OFFERED
    _leg_of(exchange, call, call.offer, event, at)
    if was_calling:
        _let_resident_go(exchange, call, at, out)
    result = OfferResult.CALLER_GONE if was_calling else OfferResult.FAILED
    conduct.offering.drop(call, result, at, out, Cause.NOT_DEFINED)
    if was_calling:
        conduct.calling_back.try_later(call, Cause.NOT_DEFINED, at, out)
    else:
        conduct.calling_back.stand(call, at, out)


def _let_resident_go(exchange: "Exchange", call: Call, at: datetime, out: Output) -> None:
    """Whoever was being called is called no more."""
    exchange.conduct.calling_back.let_resident_go(call, OfferResult.FAILED, at, out)
    if call.resident is not None:
        exchange.conduct.record(call, facts.NotReached(at, OfferResult.FAILED, Cause.NOT_DEFINED, counts=False), out)


def _leg_of(exchange: "Exchange", call: Call, offer: Offer | None, event: ev.SiteUp, at: datetime) -> Leg | None:
    """Take back the counselor's leg, if it is still there."""
    known = exchange.floor.legs.get(offer.channel) if offer is not None else None
    if known is not None:
        return known
    if offer is None or offer.channel not in event.channels:
        return None
    return exchange.floor.adopt_leg(call, offer, exchange.conduct.waiting.rules_for(call), at)
