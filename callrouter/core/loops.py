"""Calls of ours that come back to us: a duty mobile that is forwarded to the hotline, two exchanges that send the same
call to each other.

Every leg that we have made carries a header of ours: how often the call has gone out by us or our like, and a word that
names the leg. By the word a call that comes in is known for our own leg: that is given up, and its caller goes on to
whoever is next. Carriers take such headers out; then the numbers tell, those of our legs that nobody has answered yet.
Numbers can be forged, and so can a count: what they tell ends the call that came in, and nothing else.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2s
from typing import TYPE_CHECKING

from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.cue import Cue
from callrouter.core.facts import LoopSign
from callrouter.core.ids import ChannelId
from callrouter.core.inbound import CallFacts
from callrouter.core.legs import Leg
from callrouter.core.numbers import parse
from callrouter.core.outbound import NumberClass, classify
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.states import CallState, Signal

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange

MOST_HOPS = 99
_AGAIN = 2
"""So many of our legs must be on their way to a number before it is taken for a circle what may be chance with one."""
_HEADER = re.compile(r"(?P<hops>[0-9]{1,9})(?:-(?P<word>[0-9a-f]{16}))?", re.ASCII)
_TALKS = frozenset({CallState.CONNECTING, CallState.CONNECTED, CallState.CLEARING, CallState.ENDED})


@dataclass(frozen=True, slots=True)
class Loop:
    """That a call goes in a circle; ``leg`` is that of ours which comes back, if that is known."""

    sign: LoopSign
    leg: Leg | None = None


def word_of(leg: ChannelId) -> str:
    """What names a leg to ourselves, and tells nothing to others."""
    return blake2s(leg.encode(), digest_size=8).hexdigest()


def header(leg: ChannelId, arrival: CallFacts) -> str:
    """What a leg carries that is made for a call."""
    return f"{min(arrival.hops + 1, MOST_HOPS)}-{word_of(leg)}"


def read_header(text: str) -> tuple[int, str]:
    """How often a call has gone out, and the word, as its header says; of another text, nothing. Never raises."""
    found = _HEADER.fullmatch(text)
    return (min(int(found["hops"]), MOST_HOPS), found["word"] or "") if found is not None else (0, "")


def find(
    arrival: CallFacts, legs: Collection[Leg], rings: Callable[[Leg], bool], max_hops: int, own: Collection[str] = ()
) -> Loop | None:
    """Whether a call that comes in goes in a circle; ``rings``: whether a leg is being called, and not answered.

    The word proves it, so that is looked for first; what numbers seem to say comes last. ``own`` are the national
    numbers by which we are called, and which nobody calls from.
    """
    if arrival.word:
        ours = next((leg for leg in legs if word_of(leg.channel) == arrival.word), None)
        if ours is not None and rings(ours):
            return Loop(LoopSign.LEG, ours)
    if arrival.hops >= max_hops:
        return Loop(LoopSign.HOPS)
    return _by_number(arrival, [leg for leg in legs if leg.number and rings(leg)], max_hops, own)


def _by_number(arrival: CallFacts, legs: Collection[Leg], max_hops: int, own: Collection[str]) -> Loop | None:
    caller, diverted = (parse(number).national for number in (arrival.caller, arrival.diversion))
    if diverted and any(leg.number == diverted for leg in legs):
        return Loop(LoopSign.DIVERTED)
    if not caller:
        return None
    # A resident whom we call back may call us at the very same moment; and behind the number of an office are many.
    called = sum(leg.number == caller and not leg.is_residents for leg in legs)
    if called >= (1 if classify(caller) is NumberClass.MOBILE else _AGAIN):
        return Loop(LoopSign.CALLED)
    shown = [leg for leg in legs if leg.shown == caller]
    # Our colleagues may show the number that our trunk does; and whose own number our legs show may call again while
    # he waits. But they are not sent to the same phone again and again.
    to_one = max(Counter(leg.number for leg in shown).values(), default=0)
    needed = 1 if caller in own else _AGAIN if any(leg.shows_ours for leg in shown) else max_hops
    return Loop(LoopSign.SHOWN) if shown and to_one >= needed else None


def cut(exchange: "Exchange", call: Call, at: datetime, out: Output) -> bool:
    """End a call that goes in a circle, and have the one that it comes from go on to whoever is next."""
    floor, arrival = exchange.floor, call.arrival
    rules = floor.rulebook
    loop = find(arrival, floor.legs.values(), partial(_rings, exchange), rules.outbound.max_hops, rules.transfers.own)
    if loop is None:
        return False
    origin = loop.leg.call if loop.leg is not None else None
    exchange.counters.loops[loop.sign] += 1
    out.notices.append(Notice(NoticeKind.LOOP, call.id, _text(call, loop)))
    exchange.conduct.record(call, facts.Looped(at, loop.sign, origin, arrival.hops), out)
    exchange.conduct.release(call, facts.ReleaseReason.LOOP, Cause.EXCHANGE_ROUTING_ERROR, at, out)
    if loop.leg is not None:
        with exchange.contained(loop.leg.call, at, out):
            exchange.signal_of_leg(loop.leg, Cue(Signal.RING_OVER, result=OfferResult.LOOP), at, out)
    return True


def _rings(exchange: "Exchange", leg: Leg) -> bool:
    """Whether nobody talks over the leg yet, and its call has not let go of it."""
    call = exchange.calls.get(leg.call)
    if call is None or leg.result is not None:
        return False
    if call.invited is not None and call.invited.channel == leg.channel:
        return call.invited.bridge is None
    if call.resident is not None and call.resident.channel == leg.channel:
        return not call.is_reached
    return call.state not in _TALKS


def _text(call: Call, loop: Loop) -> str:
    signs = {
        LoopSign.LEG: "it is our own leg that comes back",
        LoopSign.HOPS: f"it has gone out {call.arrival.hops} times already",
        LoopSign.DIVERTED: "the number that diverted it is being called by us",
        LoopSign.CALLED: "the number that it comes from is being called by us",
        LoopSign.SHOWN: "it comes from the number that calls of ours show",
    }
    whose = f", for call {loop.leg.call}" if loop.leg is not None else ""
    return f"goes in a circle: {signs[loop.sign]}{whose}; it came in by {call.arrival.trunk}"
