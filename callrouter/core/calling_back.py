"""Calling back: a resident who asked for it keeps his place in line without a phone, and is called when it is his turn.

Such a request is a call of its own, open from the end of the call in which it was asked for until somebody has talked
to the resident, or nobody shall try any more. Until he answers there is nobody at the other end of it: it is *absent*,
hears nothing, and stands in line as he would (place, tenant, skills). When it is his turn a counselor is reserved, and
a trunk channel with him; the counselor's phone is called first, then, while he hears the ringing tone, the resident's.
From the resident's answer on it is a call like any other.
"""

from collections.abc import Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from callrouter.core import facts, naming
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.call import Call
from callrouter.core.callback_orders import CallbackAnswer, CallbackOrder, CallbackVerb
from callrouter.core.calling_spec import CallBackRule
from callrouter.core.causes import Cause
from callrouter.core.cdr import Cdr, OfferResult
from callrouter.core.cue import Cue
from callrouter.core.dictating import digits_of
from callrouter.core.events import TimerKind
from callrouter.core.facts import PostponeReason, ReleaseReason
from callrouter.core.geography import Region
from callrouter.core.ids import CallId, ChannelId, QueueName
from callrouter.core.legs import Leg
from callrouter.core.numbers import parse
from callrouter.core.offering import unanswered
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.parties import RING_TONE
from callrouter.core.plan import EnterQueue, HangUp, Plan
from callrouter.core.states import CallState, Signal
from callrouter.core.switches import one_line
from callrouter.core.trunk_group import Asker, Seizure

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

_PLAN = "call-back"
"""What the plan of such a call is named: wait in the queue, and no more."""
LAST_DIGITS = 4
"""So many of the resident's number the counselor hears, where that is wanted."""
_OF_RULES = frozenset({PostponeReason.HOURS, PostponeReason.LIMIT})
"""Why nobody is called that new rules may see otherwise."""
_AT_REST = frozenset({CallState.QUEUED, CallState.POSTPONED})


class CallingBack:
    """Calls back, for the :class:`~callrouter.core.conduct.Conduct` whose callers asked for it."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct
        self._reserved: dict[CallId, Seizure] = {}
        """The trunk channels to residents whose counselor is being called."""
        self._requests: dict[tuple[QueueName, str], CallId] = {}
        """The calls by which those are called back who asked for it, by queue and number."""
        self._paused = False

    # --- requests

    def take_down(self, call: Call, cdr: Cdr, at: datetime, out: Output) -> None:
        """A call is over: if its caller is to be called back by a queue that does so, keep him a place in line."""
        wanted = cdr.callback
        if wanted is None:
            return
        queue = self._conduct.floor.rulebook.queues.get(wanted.queue)
        back = self._conduct.calls.get(naming.call_back(call.id))
        if queue is None or queue.call_back is None or call.routed is None or call.region is None:
            if back is not None and back.state is CallState.ROUTING:  # begun by an earlier daemon, and its rules
                self.drop(back, at, out)
            return
        if back is None:
            known = self._conduct.calls.get(self._requests.get((wanted.queue, wanted.number), CallId("")))
            if known is not None and (known.is_absent or known.state is CallState.GREETING):
                return  # he is called already; in a greeting he may still be lost again
            request = facts.Request(call.id, wanted.queue, wanted.number, wanted.asked_at)
            arrival = replace(call.known, caller=parse(wanted.number).national)
            new = naming.call_back(call.id)
            back = self._conduct.open(new, naming.nobody(new), arrival, at, out, request)
            self.take(back)
        elif back.state is not CallState.ROUTING:
            return
        back.to_be_adopted = False  # else an earlier daemon had come so far when it died
        if back.routed is None:
            self._conduct.record(back, self._routed(call, call.routed, call.region, wanted.queue, at), out)
        if back.step < 0:
            self._conduct.record(back, facts.StepBegun(at, 0), out)
        self._conduct.record(back, self._place_of(call, wanted.queue, at), out)
        self.stand(back, at, out)

    def _routed(self, call: Call, routed: facts.Routed, region: Region, queue: QueueName, at: datetime) -> facts.Routed:
        """As the call was in which it was asked for, with what the caller said since, and to wait in ``queue``."""
        return msgspec.structs.replace(
            routed,
            at=at,
            plan=Plan(_PLAN, (EnterQueue(queue), HangUp())),
            region=region.name,
            region_title=region.title,
            tenant=region.tenant,
            topic=call.known.topic,
            explanation=f"to be called back, as asked for in call {call.id}",
            switches=(),
        )

    def take(self, call: Call) -> None:
        """Know a call by which somebody is called back."""
        if call.request is not None:
            self._requests[call.request.queue, call.request.number] = call.id

    def _waiting(self, queue: QueueName, number: str) -> Call | None:
        """The call by which that number is to be called back by the queue, while nobody is there yet."""
        call = self._conduct.calls.get(self._requests.get((queue, number), CallId("")))
        return call if call is not None and call.is_absent else None

    def _place_of(self, call: Call, queue: QueueName, at: datetime) -> facts.Queued:
        """Where the caller stood in that queue's line; who has not waited there comes last."""
        before = [fact for fact in call.history if isinstance(fact, facts.Queued) and fact.queue == queue]
        if before:
            return facts.Queued(at, queue, before[-1].place, before[-1].since or before[-1].at)
        return facts.Queued(at, queue, self._conduct.waiting.last_place())

    def order(self, order: CallbackOrder, at: datetime, out: Output) -> CallbackAnswer:
        """Carry an order out, or say why not."""
        call = self._meant(order.call)
        if call is None:
            text = f'the daemon calls nobody back by the name "{one_line(order.call)}"'
            return CallbackAnswer(False, f"{text}; what people do, callrouter callback done closes")
        if not call.is_absent:
            return CallbackAnswer(False, f"call {call.id} is {call.state}: the resident is there already")
        if call.to_be_adopted:
            text = f"call {call.id} is an earlier daemon's, and Asterisk has not told of it yet"
            return CallbackAnswer(False, f"{text}; order it anew when site {call.site} is up")
        if order.verb is CallbackVerb.CANCEL:
            self._note(call, order, at, out)
            self.close(call, ReleaseReason.WITHDRAWN, at, out)
            return CallbackAnswer(True, f"call {call.id}: nobody calls back any more")
        if call.state not in _AT_REST:
            return CallbackAnswer(False, f"call {call.id} is {call.state}: it is being tried")
        if call.postponed_for is PostponeReason.OWN_CALL:
            return CallbackAnswer(False, f"call {call.id} is not needed now: the resident waits on the line himself")
        self._note(call, order, at, out)
        self._stand_again(call, at, out, hastened=True)
        if call.postponed_for is PostponeReason.LIMIT:
            text = f"call {call.id}: called as soon as the limit of calls that go out lets it be"
            return CallbackAnswer(True, text)
        return CallbackAnswer(True, f"call {call.id}: called as soon as a counselor and a trunk channel are free")

    def _note(self, call: Call, order: CallbackOrder, at: datetime, out: Output) -> None:
        who, name = one_line(order.who), call.request.original if call.request is not None else call.id
        text = f"{order.verb}; by {who}, via {order.via}"
        out.notices.append(Notice(NoticeKind.CALLBACK, call.id, text))
        out.audit.append(AuditEntry(at, who, AuditKind.CALLBACK, name, call.state, order.verb, order.via, at))

    def _meant(self, name: str) -> Call | None:
        """By its own id, or that of the call in which it was asked for."""
        call = self._conduct.calls.get(CallId(name))
        if call is not None and call.request is not None:
            return call
        absent = (one for one in self._conduct.calls.values() if one.request is not None)
        return next((one for one in absent if one.request is not None and one.request.original == name), None)

    # --- in line

    def stand(self, call: Call, at: datetime, out: Output) -> None:
        """Stand in line at the old place, unless it is not the time for it."""
        rule, queue = self.rule_of(call), self._conduct.waiting.queue_of(call)
        if rule is None or queue is None:
            self.drop(call, at, out)
            return
        if self._paused:
            return
        if self._is_on_the_line(call):
            self._postpone(call, at, PostponeReason.OWN_CALL, at, out)
            return
        expires_at = self._expires_at(call)
        if expires_at <= at:
            self.close(call, ReleaseReason.EXPIRED, at, out)
            return
        opens_at = None if call.hastened else rule.opens_at(at)
        if opens_at is not None:
            self._postpone(call, opens_at, PostponeReason.HOURS, at, out)
            return
        if self.is_put_off(call, at, out):
            return
        self._conduct.waiting.stand(call, queue, at, out, outward=rule.trunk)
        closes_at = (None if call.hastened else rule.closes_at(at)) or expires_at
        self._conduct.set_timer(call, TimerKind.CALLBACK, (min(closes_at, expires_at) - at).total_seconds(), out)

    def is_put_off(self, call: Call, at: datetime, out: Output) -> bool:
        """Whether a limit keeps the resident from being called now: he is called when it lets him be."""
        rule, floor = self.rule_of(call), self._conduct.floor
        to = rule.destination(call.arrival.caller) if rule is not None else None
        refusal = floor.refusal(call, to, at, self._put_off(call)) if to is not None else None
        if to is None or refusal is None:
            return False
        floor.block(call, to, at, out)
        self._postpone(call, refusal.again_at, PostponeReason.LIMIT, at, out)
        return True

    def _put_off(self, call: Call) -> int:
        """How many of the same tenant wait for a limit: each shall be called when there is room for him, too."""
        others = (one for one in self._conduct.calls.values() if one.postponed_for is PostponeReason.LIMIT)
        return sum(one.tenant == call.tenant and one is not call for one in others)

    def _expires_at(self, call: Call) -> datetime:
        """When the request is kept no longer, called back or not."""
        asked_at = call.request.asked_at if call.request is not None else call.opened_at
        return asked_at + timedelta(seconds=self._conduct.floor.rulebook.callback_retention_s)

    def _postpone(self, call: Call, until: datetime, why: PostponeReason, at: datetime, out: Output) -> None:
        self._conduct.waiting.leave_line(call)
        self._conduct.cancel_timer(call, TimerKind.RELAX, out)
        self._conduct.record(call, facts.Postponed(at, until, why), out)
        self.await_time(call, at, out)

    def await_time(self, call: Call, at: datetime, out: Output) -> None:
        """Stand in line again when it is time; who has called by himself, when he has hung up."""
        if self.rule_of(call) is None:
            self.drop(call, at, out)
            return
        if call.postponed_for is PostponeReason.OWN_CALL:
            if not self._is_on_the_line(call):
                self._stand_again(call, at, out, hastened=False)
            return
        until = call.postponed_until or at
        self._conduct.set_timer(call, TimerKind.CALLBACK, max(0.0, (until - at).total_seconds()), out)

    def due(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """It is time to call back, or (in line) no longer."""
        self._stand_again(call, at, out, hastened=False)

    def _stand_again(self, call: Call, at: datetime, out: Output, *, hastened: bool) -> None:
        call.hastened = hastened
        self._conduct.cancel_timer(call, TimerKind.CALLBACK, out)
        self._conduct.waiting.leave_line(call)
        if call.state is CallState.POSTPONED:
            self._conduct.record(call, facts.BackInLine(at), out)
        self.stand(call, at, out)

    # --- who calls by himself

    def request_of(self, call: Call, queue: QueueName) -> Call | None:
        """The call by which who comes into ``queue`` was to be called back, if its place is his.

        The first who comes has it: a number may be that of a whole office.
        """
        spec = self._conduct.floor.rulebook.queues.get(queue)
        rule = spec.call_back if spec is not None else None
        number = parse(call.arrival.caller).e164 if rule is not None and rule.redial else ""
        request = self._waiting(queue, number) if number else None
        return request if request is not None and not self._is_on_the_line(request) else None

    def hold(self, request: CallId, at: datetime, out: Output) -> None:
        """He waits on the line himself: call him not."""
        call = self._conduct.calls.get(request)
        if call is None or call.state not in _AT_REST or call.to_be_adopted:
            return  # he is being called, and busy, or nobody knows that yet; then it stands back by itself
        self._conduct.cancel_timer(call, TimerKind.CALLBACK, out)
        if call.state is CallState.POSTPONED:
            self._conduct.record(call, facts.BackInLine(at), out)
        self._postpone(call, at, PostponeReason.OWN_CALL, at, out)

    def served(self, call: Call, at: datetime, out: Output) -> None:
        """A caller talks to a counselor: he is not called back any more."""
        request = self._conduct.calls.get(call.instead_of) if call.instead_of is not None else None
        if request is not None and request.is_absent:
            self.close(request, ReleaseReason.SERVED, at, out)

    def _is_on_the_line(self, call: Call) -> bool:
        return any(one.instead_of == call.id for one in self._conduct.calls.values())

    def rule_of(self, call: Call) -> CallBackRule | None:
        """By what the call is made; None where the rules of now have no such queue, or it does not call back."""
        queue = self._conduct.floor.rulebook.queues.get(call.queue) if call.queue is not None else None
        return queue.call_back if queue is not None else None

    def replace(self, at: datetime, out: Output) -> None:
        """Go on by new rules: who waits for a queue that does not call back any more waits for nothing."""
        at_rest = [call for call in self._conduct.calls.values() if call.is_absent and call.state in _AT_REST]
        for call in at_rest:
            if call.to_be_adopted:  # by the rules of then
                continue
            if self.rule_of(call) is None:
                self.drop(call, at, out)
            elif call.state is CallState.QUEUED or call.postponed_for in _OF_RULES:
                self._stand_again(call, at, out, hastened=call.hastened)

    def pause(self) -> None:
        """Begin no call any more: the next daemon will."""
        self._paused = True
        for call in self._conduct.calls.values():
            if call.is_absent and call.state is CallState.QUEUED:
                self._conduct.waiting.leave_line(call)

    # --- the counselor

    @property
    def reserved(self) -> Set[ChannelId]:
        """The legs to residents that are not called yet, for which trunk channels are kept."""
        return {seizure.leg for seizure in self._reserved.values()}

    def reserve(self, call: Call, at: datetime, *, again: bool = False) -> None:
        """The counselor's phone is called: keep a trunk channel to the resident.

        There is room for it; or (``again``) an earlier daemon had taken it, whatever room there is.
        """
        rule, trunks = self.rule_of(call), self._conduct.floor.trunks
        if rule is not None:
            take = trunks.reclaim if again else trunks.seize
            queue = self._conduct.waiting.queue_of(call)
            asker = Asker(call.site, call.tenant, queue is not None and queue.emergency)
            # Under a name that no leg has: more counselors' phones may be called before the resident's.
            self._reserved[call.id] = take(rule.trunk, naming.nobody(call.id), asker, at)

    def give_back(self, call: Call) -> None:
        """The counselor's offer is over: the resident is not called this time."""
        seizure = self._reserved.pop(call.id, None)
        if seizure is not None:
            self._conduct.floor.trunks.release(seizure)

    def call_resident(self, call: Call, counselor: Leg, at: datetime, out: Output) -> None:
        """The counselor is at the phone: call the resident, and let the counselor hear that."""
        rule = self.rule_of(call)
        seizure = self._reserved.get(call.id)
        if rule is None or seizure is None:  # the rules have changed while the phone rang
            self._conduct.offering.drop(call, OfferResult.CALLER_GONE, at, out)
            self.stand(call, at, out)
            return
        to = rule.destination(call.arrival.caller)
        if self._conduct.floor.refusal(call, to, at) is not None:  # others were called while the phone rang
            self._conduct.offering.drop(call, OfferResult.CALLER_GONE, at, out)
            self.is_put_off(call, at, out)
            return
        del self._reserved[call.id]
        seizure = self._conduct.floor.trunks.rename(seizure, naming.leg_channel(call.id, call.attempts + 1))
        self._conduct.floor.picked_up(counselor, at)
        self._conduct.cancel_timer(call, TimerKind.RING, out)
        self._conduct.record(call, _calling_back(call, seizure, at), out)
        self._conduct.floor.call_resident(call, seizure, to, at, out)
        self._conduct.set_timer(call, TimerKind.RESIDENT, rule.ring_timeout_s, out)
        self.tell_counselor(call, rule, counselor, out)

    def tell_counselor(self, call: Call, rule: CallBackRule, counselor: Leg, out: Output) -> None:
        """Let the counselor hear whom he calls back, and how it rings there."""
        agent, media = counselor.agent, self._conduct.floor.rulebook.media
        words = self._conduct.briefing.take_words(call, agent) if agent is not None else ()
        words = words if rule.to_agent is None else (*words, rule.to_agent)
        if rule.say_number:
            words = (*words, *digits_of(call.arrival.caller[-LAST_DIGITS:]))
        self._conduct.following.play_on(call, counselor.channel, (*map(media, words), RING_TONE), out)

    def counselor_gone(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The counselor hung up before the two could speak: a resident who is there waits on, like any caller."""
        self._conduct.cancel_timer(call, TimerKind.RESIDENT, out)
        self._conduct.following.stop_playback(call, out)
        if call.is_absent:
            self.let_resident_go(call, OfferResult.CALLER_GONE, at, out)
            self._conduct.record(call, facts.NotReached(at, OfferResult.CALLER_GONE, cue.cause, counts=False), out)
        self._conduct.offering.offer_failed(call, cue, at, out)

    # --- the resident

    def resident_rang(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The resident's phone rings."""
        if call.resident is not None and not call.resident.rang:
            self._conduct.record(call, facts.ResidentRang(at), out)

    def resident_answered(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The resident is there: say who calls, then connect the two."""
        for kind in (TimerKind.RESIDENT, TimerKind.ANNOUNCEMENT, TimerKind.CALLBACK):
            self._conduct.cancel_timer(call, kind, out)
        self._conduct.record_moved(call, facts.ResidentAnswered(at), out)
        rule = self.rule_of(call)
        if rule is None or rule.to_resident is None:
            self._conduct.offering.join(call, at, out)
        else:
            self._conduct.guard(call, at, out, playing=False)
            self._conduct.following.play(call, (rule.to_resident,), at, out)

    def end_greeting(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The resident has heard who calls, or that he will be recorded; the counselor hears ringing up to that."""
        if call.taped.notice is not None:
            self._conduct.taping.note_end(call, cue, at, out)
            self._conduct.offering.take_up(call, at, out)
        else:
            self._conduct.following.playback_over(call, out)
            self._conduct.offering.join(call, at, out)

    def resident_ended(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The resident was not reached: busy, congestion, no such number, switched off."""
        self.not_reached(call, cue.result, cue.cause, at, out)

    def resident_over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The resident has not answered in time, or nobody knows whether his phone rings."""
        leg = self._conduct.floor.legs.get(call.resident.channel) if call.resident is not None else None
        result = unanswered(leg, cue.result) if leg is not None else cue.result
        self.let_resident_go(call, result, at, out)
        self.not_reached(call, result, Cause.NO_ANSWER, at, out)

    def resident_left(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The resident hung up while he heard who calls; who had been greeted, and waited since, like any caller."""
        if call.offer is not None and call.resident is not None and call.offer.attempt > call.resident.attempt:
            self._conduct.caller_left(call, cue, at, out)
            return
        self._conduct.cancel_timer(call, TimerKind.DEAD_MAN, out)
        self.not_reached(call, OfferResult.REJECTED, cue.cause, at, out)

    def not_reached(
        self, call: Call, result: OfferResult, cause: int, at: datetime, out: Output, *, counts: bool = True
    ) -> None:
        """Nobody is there: the counselor is free again, and it is tried again later, if it may be."""
        for kind in (TimerKind.RESIDENT, TimerKind.ANNOUNCEMENT):
            self._conduct.cancel_timer(call, kind, out)
        self._conduct.record_moved(call, facts.NotReached(at, result, cause, counts), out)
        self._conduct.offering.drop(call, OfferResult.CALLER_GONE, at, out)
        self.try_later(call, cause, at, out)

    def try_later(self, call: Call, cause: int, at: datetime, out: Output) -> None:
        """A call in vain is over: the next one is due after a while, unless it was the last."""
        call.hastened = False
        rule = self.rule_of(call)
        if rule is None:
            self.drop(call, at, out)
        elif call.vain >= rule.attempts:
            self.close(call, ReleaseReason.NOT_REACHED, at, out, cause)
        else:
            self._postpone(call, at + timedelta(seconds=rule.retry_after_s), PostponeReason.RETRY, at, out)

    def let_resident_go(self, call: Call, result: OfferResult, at: datetime, out: Output) -> None:
        """Hang the resident's leg up, if there is one."""
        leg = self._conduct.floor.legs.get(call.resident.channel) if call.resident is not None else None
        if leg is not None and leg.result is None:
            self._conduct.floor.let_go(leg, result, at, out)

    # --- the end

    def drop(self, call: Call, at: datetime, out: Output) -> None:
        """The rules of now do not have this resident called back."""
        queue = call.request.queue if call.request is not None else "?"
        text = f"{queue} does not call back any more: the resident is not called; see callrouter callback list"
        out.notices.append(Notice(NoticeKind.CALLBACK_DROPPED, call.id, text))
        self.close(call, ReleaseReason.RULES_CHANGED, at, out)

    def close(
        self, call: Call, reason: ReleaseReason, at: datetime, out: Output, cause: int = Cause.NORMAL_CLEARING
    ) -> None:
        """Nobody calls back any more, who has not been reached; whoever is being called is hung up."""
        self._conduct.waiting.leave_line(call)
        self.let_resident_go(call, OfferResult.CALLER_GONE, at, out)
        self._conduct.offering.drop(call, OfferResult.CALLER_GONE, at, out)
        self._conduct.record(call, facts.Released(at, reason, cause), out)
        self._conduct.finish(call, Cue(Signal.CLEARING_OVER), at, out)

    def finished(self, call: Call, at: datetime, out: Output) -> None:
        """The call is over: whatever is left of its resident's leg goes too."""
        self.give_back(call)
        self.let_resident_go(call, OfferResult.ANSWERED, at, out)
        if call.request is not None and self._requests.get((call.request.queue, call.request.number)) == call.id:
            del self._requests[call.request.queue, call.request.number]
        request = self._conduct.calls.get(call.instead_of) if call.instead_of is not None else None
        is_aside = request is not None and request.postponed_for is PostponeReason.OWN_CALL
        if request is not None and is_aside and not request.to_be_adopted:
            self._stand_again(request, at, out, hastened=False)


def _calling_back(call: Call, seizure: Seizure, at: datetime) -> facts.CallingBack:
    return facts.CallingBack(at, call.attempts + 1, seizure.trunk, seizure.leg, seizure.member, seizure.marked)
