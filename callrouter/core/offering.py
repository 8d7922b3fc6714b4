"""Offers: a phone rings for a waiting caller, and the two are bridged or the next phone is tried."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import commands as cmd
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.causes import CONGESTION, Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import BridgeId
from callrouter.core.legs import Leg
from callrouter.core.output import Output
from callrouter.core.states import CallState
from callrouter.core.trunk_failures import is_failure
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

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

_CUT_SHORT: Mapping[CallState, OfferResult] = {
    CallState.CONFIRMING: OfferResult.NOT_CONFIRMED,
    CallState.CALLING: OfferResult.LOST,
    CallState.GREETING: OfferResult.LOST,
    CallState.BRIEFING: OfferResult.LOST,  # that its announcement broke off, is heard of before the end of the leg
    CallState.CONNECTING: OfferResult.LOST,
}
"""How an offer counts that ends in a state in which the phone had been answered, but the two could not speak yet."""


def offer_result(cause: int) -> OfferResult:
    """How an offer counts whose leg ended with this Q.850 cause before it was answered."""
    if cause in CONGESTION:
        return OfferResult.CONGESTION
    return _RESULTS.get(cause, OfferResult.FAILED)


def result_of(leg: Leg, cause: int) -> OfferResult:
    """How an offer counts whose leg ended so before it was answered: what a trunk did is laid to nobody behind it."""
    if leg.seizure is not None and is_failure(cause, rang=leg.rang):
        return OfferResult.CONGESTION
    return offer_result(cause)


def unanswered(leg: Leg, result: OfferResult) -> OfferResult:
    """How an offer counts that was ended with ``result``: without a sign of life, or of the answer that was given, the
    trunk is to blame."""
    is_of_trunk = leg.seizure is not None and (leg.answered_there or not leg.rang)
    if is_of_trunk and result is OfferResult.NO_ANSWER:
        return OfferResult.CONGESTION
    return result


class Offering:
    """Makes offers, for the :class:`~callrouter.core.conduct.Conduct` whose callers wait."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def offer(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """A counselor is free: call the phone."""
        queue = self._conduct.waiting.queue_of(call)
        if cue.agent is None or queue is None:
            raise ImpossibleEventError(f"call {call.id} was matched without a counselor or a queue")
        if call.is_absent and self._conduct.calling_back.is_put_off(call, at, out):
            return
        self._conduct.cancel_timer(call, TimerKind.RELAX, out)
        leg = self._conduct.floor.call_agent(call, cue.agent, queue, at, out)
        offered = facts.Offered(
            at,
            call.attempts + 1,
            cue.agent.spec.id,
            leg.trunk,
            leg.channel,
            member=leg.member,
            marked=leg.marked,
            site=leg.far_site(call.site),
        )
        self._conduct.record(call, offered, out)
        if call.is_absent:
            self._conduct.calling_back.reserve(call, at)
        self._conduct.set_timer(call, TimerKind.RING, queue.ring_timeout_s, out)

    def leg_rang(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The phone rings: so it shall for a caller who was not answered."""
        if call.offer is not None and not call.offer.rang:
            self._conduct.record(call, facts.Rang(at), out)
            self._conduct.waiting.let_ring(call, out)

    def take_answer(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The phone was answered: connect the two, but first call who is to be called back, ask for a key, or brief."""
        leg = self._leg(call)
        beaten = self._conduct.ring_all.decided(call, at, out)
        if call.is_absent:
            self._conduct.calling_back.call_resident(call, leg, at, out)
        elif self._conduct.dialing.asks_for_key(call):
            self._conduct.dialing.ask_for_key(call, at, out)
        elif leg.agent is not None and (words := self._conduct.briefing.take_words(call, leg.agent)):
            self._conduct.briefing.begin(call, leg.channel, leg.agent, words, at, out)
        else:
            self.join(call, at, out)
        for each in beaten:
            self._conduct.floor.let_go(each, OfferResult.ANSWERED_ELSEWHERE, at, out)

    def join(self, call: Call, at: datetime, out: Output) -> None:
        """Bring the two together; first who was called back is told, if he is to be, that he will be recorded."""
        owed = self._conduct.taping.owed_to_resident(call)
        if owed is None:
            self.take_up(call, at, out)
            return
        self._conduct.floor.picked_up(self._leg(call), at)
        self._conduct.cancel_timer(call, TimerKind.RING, out)
        self._conduct.taping.give_notice(call, owed, at, out)

    def take_up(self, call: Call, at: datetime, out: Output) -> None:
        """Somebody takes the call."""
        self._conduct.taping.quiet_counselor(call, out)
        leg = self._leg(call)
        bridge = naming.bridge(call.id, call.attempts)
        self._conduct.record(call, facts.PickedUp(at, bridge), out)
        self._conduct.floor.picked_up(leg, at)
        self._conduct.cancel_timer(call, TimerKind.RING, out)
        self._conduct.comforting.served(call, at)
        self._conduct.waiting.quiet(call, out)
        self._conduct.answer(call, at, out)
        self.connect(call, leg, bridge, out)

    def connect(self, call: Call, leg: Leg, bridge: BridgeId, out: Output) -> None:
        """Have the two bridged, within a time."""
        self._conduct.set_timer(call, TimerKind.CONNECT, self._conduct.floor.rulebook.limits.connect_s, out)
        self._conduct.floor.bridges.make(call, bridge, leg.channel)
        out.commands.append(cmd.Connect(call.site, call.id, bridge, call.channel, leg.channel))

    def connected(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The two can speak."""
        self._conduct.record(call, facts.Connected(at), out)
        self._conduct.floor.acd.served(call.id)
        self._conduct.calling_back.served(call, at, out)
        for kind in (TimerKind.CONNECT, TimerKind.WAIT, TimerKind.COMFORT):
            self._conduct.cancel_timer(call, kind, out)
        self._conduct.lift_dead_man(call, out)
        self._conduct.length.watch(call, at, out)

    def connect_failed(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The two could not be bridged, though the phone was answered."""
        self.drop(call, OfferResult.LOST, at, out)
        self._conduct.floor.bridges.clear(call.id, call.channel, out)
        self.try_another(call, at, out)

    def offer_failed(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The leg ended before the two could speak."""
        if self._conduct.ring_all.pass_lead(call, at, out):
            self._conduct.ring_all.other_ended(call, cue, at, out)
            return
        leg = self._leg(call)
        result = _CUT_SHORT.get(call.state) or result_of(leg, cue.cause)
        self._close(call, result, cue.cause, at, out)
        self._conduct.floor.bridges.leave(call.id, call.channel, out)
        self._conduct.floor.leg_gone(leg, result, at, out)
        self.try_another(call, at, out)

    def ring_over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The phone rang long enough, nobody knows whether it rings at all, or nobody pressed the key."""
        if self._conduct.ring_all.rings_on(call, cue, at, out):
            return
        leg, result = self._leg(call), _CUT_SHORT.get(call.state) or cue.result
        self.drop(call, unanswered(leg, result), at, out)
        self.try_another(call, at, out)

    def agent_hung_up(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The counselor ended the conversation."""
        leg = self._leg(call)
        self._close(call, OfferResult.ANSWERED, cue.cause, at, out)
        self._conduct.floor.leg_gone(leg, OfferResult.ANSWERED, at, out)
        self._conduct.release(
            call, ReleaseReason.AGENT_HUNG_UP, Cause.NORMAL_CLEARING, at, out, estimated=cue.estimated
        )

    def try_another(self, call: Call, at: datetime, out: Output) -> None:
        """An offer came to nothing: wait on in line, or call the next destination."""
        if call.queue is not None:
            self._conduct.waiting.wait_again(call, at, out)
        else:
            self._conduct.dialing.go_on(call, at, out)

    def drop(self, call: Call, result: OfferResult, at: datetime, out: Output, cause: int = Cause.NO_ANSWER) -> None:
        """Close the open offer, if there is one, and hang its leg up."""
        if call.offer is None:
            return
        self._conduct.ring_all.drop_others(call, result, at, out, cause)
        leg = self._conduct.floor.legs.get(call.offer.channel)
        self._close(call, result, cause, at, out)
        if leg is not None:
            self._conduct.floor.let_go(leg, result, at, out)

    def _close(self, call: Call, result: OfferResult, cause: int, at: datetime, out: Output) -> None:
        self._conduct.cancel_timer(call, TimerKind.RING, out)
        self._conduct.cancel_timer(call, TimerKind.CONNECT, out)
        self._conduct.calling_back.give_back(call)
        if call.state in (CallState.CONFIRMING, CallState.BRIEFING):
            self._conduct.following.stop_playback(call, out)
        self._conduct.record(call, facts.OfferClosed(at, result, cause), out)
        self._conduct.counters.offers[result] += 1

    def _leg(self, call: Call) -> Leg:
        leg = self._conduct.floor.legs.get(call.offer.channel) if call.offer is not None else None
        if leg is None:
            raise ImpossibleEventError(f"call {call.id} in state {call.state} has no leg")
        return leg
