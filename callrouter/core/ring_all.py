"""Several phones that ring for one caller: the first that is answered has him, and the others stop.

One of them is the call's offer, as with any other strategy; the others ring beside it. Whichever is answered becomes
the offer before anything else is done, and with that the others are none any more. So two phones that are answered in
the same instant cannot both have the caller: the later answer comes from a leg that its call has let go of.

Counselors who become free meanwhile are rung too, until the caller is to go on elsewhere or the first phone has rung
out: then those that ring yet are the last, or a caller might be rung for without end, and be told nothing meanwhile.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import facts
from callrouter.core.call import Call, Offer
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import ChannelId
from callrouter.core.legs import Leg
from callrouter.core.offering import result_of, unanswered
from callrouter.core.output import Output
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

_TOGETHER_S = 1.0
"""Phones that were called so shortly one after another ring out together."""


class RingAll:
    """Rings several phones, for the :class:`~callrouter.core.conduct.Conduct` whose queues say so."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def offer_also(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """One more counselor is free: call that phone too."""
        queue = self._conduct.waiting.queue_of(call)
        if cue.agent is None or queue is None:
            raise ImpossibleEventError(f"call {call.id} was matched without a counselor or a queue")
        leg = self._conduct.floor.call_agent(call, cue.agent, queue, at, out)
        spec = cue.agent.spec
        also = facts.AlsoOffered(
            at,
            call.attempts + 1,
            spec.id,
            leg.trunk,
            leg.channel,
            leg.member,
            leg.marked,
            leg.far_site(call.site),
        )
        self._conduct.record(call, also, out)

    def other_rang(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """That phone rings: so it shall for a caller who was not answered."""
        if not call.others[cue.channel].rang:
            self._conduct.record(call, facts.AlsoRang(at, cue.channel), out)
            self._conduct.waiting.let_ring(call, out)

    def other_answered(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """That phone was answered, before any other."""
        self._conduct.record(call, facts.LeadTaken(at, cue.channel), out)
        self._conduct.offering.take_answer(call, cue, at, out)

    def decided(self, call: Call, at: datetime, out: Output) -> list[Leg]:
        """The offered phone was answered; the legs of the others, which are to be hung up, are returned."""
        self._conduct.floor.acd.ring_no_more(call.id)
        legs = [self._leg(call, channel) for channel in call.others]
        for leg in legs:
            self._close(call, leg.channel, OfferResult.ANSWERED_ELSEWHERE, Cause.ANSWERED_ELSEWHERE, at, out)
        return legs

    def other_ended(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """That phone is busy, was rejected or is not there: the others ring on."""
        leg = self._leg(call, cue.channel)
        result = result_of(leg, cue.cause)
        self._close(call, leg.channel, result, cue.cause, at, out)
        self._conduct.floor.leg_gone(leg, result, at, out)
        self._wait_on(call, at, out)

    def other_uncertain(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Nobody knows whether that phone rings: hang it up, and let the others ring on."""
        self._drop(call, cue.channel, cue.result, Cause.NO_ANSWER, at, out)
        self._wait_on(call, at, out)

    def pass_lead(self, call: Call, at: datetime, out: Output) -> bool:
        """Let another phone be the offer, and the one that was be one of the others; False if no other rings."""
        if not call.others:
            return False
        self._lead(call, min(call.others.values(), key=_age), at, out)
        return True

    def rings_on(self, call: Call, cue: Cue, at: datetime, out: Output) -> bool:
        """The offered phone, or all that have rung for long enough, are called no more; False if none is left then."""
        if not call.others:
            return False
        if cue.channel:  # nobody knows whether that phone rings at all
            self.pass_lead(call, at, out)
            self.other_uncertain(call, cue, at, out)
            return True
        return self._ring_out(call, at, out)

    def _ring_out(self, call: Call, at: datetime, out: Output) -> bool:
        left_s = {offer.channel: self._left_s(call, offer, at) for offer in self._all(call)}
        staying = [channel for channel, seconds in left_s.items() if seconds >= _TOGETHER_S]
        if not staying:
            return False
        if len(staying) < len(left_s):
            self._conduct.floor.acd.ring_no_more(call.id)
        if call.offer is not None and call.offer.channel not in staying:
            self._lead(call, call.others[staying[0]], at, out)
        for channel in [channel for channel in call.others if channel not in staying]:
            self._drop(call, channel, OfferResult.NO_ANSWER, Cause.NO_ANSWER, at, out)
        self._wait_on(call, at, out)
        return True

    def drop_others(self, call: Call, result: OfferResult, at: datetime, out: Output, cause: int) -> None:
        """Nobody else's phone is to ring any more."""
        for channel in tuple(call.others):
            self._drop(call, channel, result, cause, at, out)

    # --- after a restart

    def sort_out(self, call: Call, at: datetime, out: Output) -> None:
        """Close those phones, of all that an earlier daemon rang, whose legs are not there; the offered one, if that
        is to be closed, is the last, and left."""
        legs = self._conduct.floor.legs
        living = [channel for channel in call.others if channel in legs]
        if living and call.offer is not None and call.offer.channel not in legs:
            self._lead(call, call.others[living[0]], at, out)
        for channel in [channel for channel in call.others if channel not in legs]:
            self._close(call, channel, OfferResult.FAILED, Cause.NOT_DEFINED, at, out)

    def go_on(self, call: Call, at: datetime, out: Output) -> None:
        """Phones ring that an earlier daemon called: more may, and all for as long as is left to them."""
        self._conduct.waiting.ring_on(call, 1 + len(call.others), at)
        self._wait_on(call, at, out)

    # --- what all this is made of

    def _wait_on(self, call: Call, at: datetime, out: Output) -> None:
        """Those that ring now are to ring on, each for its time."""
        offers = self._all(call)
        self._conduct.floor.acd.rings_at(call.id, len(offers))
        left_s = min(self._left_s(call, offer, at) for offer in offers)
        self._conduct.set_timer(call, TimerKind.RING, max(_TOGETHER_S, left_s), out)

    def _left_s(self, call: Call, offer: Offer, at: datetime) -> float:
        """How long that phone may ring yet; never longer than a whole time, whatever was done to the clock."""
        whole_s = self._conduct.waiting.rules_for(call).ring_timeout_s
        return min(whole_s, whole_s - (at - offer.at).total_seconds())

    def _all(self, call: Call) -> list[Offer]:
        return [*([call.offer] if call.offer is not None else ()), *call.others.values()]

    def _lead(self, call: Call, other: Offer, at: datetime, out: Output) -> None:
        self._conduct.record(call, facts.LeadTaken(at, other.channel), out)

    def _drop(self, call: Call, channel: ChannelId, result: OfferResult, cause: int, at: datetime, out: Output) -> None:
        leg = self._conduct.floor.legs.get(channel)
        result = unanswered(leg, result) if leg is not None else result
        self._close(call, channel, result, cause, at, out)
        if leg is not None:  # else it is remembered, and not adopted yet
            self._conduct.floor.let_go(leg, result, at, out)

    def _close(
        self, call: Call, channel: ChannelId, result: OfferResult, cause: int, at: datetime, out: Output
    ) -> None:
        self._conduct.record(call, facts.AlsoClosed(at, channel, result, cause), out)
        self._conduct.counters.offers[result] += 1

    def _leg(self, call: Call, channel: ChannelId) -> Leg:
        leg = self._conduct.floor.legs.get(channel)
        if leg is None:
            raise ImpossibleEventError(f"call {call.id} rings at {channel}, which is no leg of it")
        return leg


def other_phones(history: Iterable[facts.Fact]) -> list[ChannelId]:
    """The phones that ring beside the offered one after these facts, whether or not they make sense as a whole."""
    rings: dict[ChannelId, None] = {}
    lead: ChannelId | None = None
    for fact in history:
        match fact:
            case facts.Offered(channel=channel) | facts.LeadTaken(channel=channel):
                rings[channel], lead = None, channel
            case facts.AlsoOffered(channel=channel):
                rings[channel] = None
            case facts.AlsoClosed(channel=channel):
                rings.pop(channel, None)
            case facts.OfferClosed():
                rings.clear()
            case _:
                pass
    return [channel for channel in rings if channel != lead]


def _age(offer: Offer) -> tuple[datetime, int]:
    return offer.at, offer.attempt
