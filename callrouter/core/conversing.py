"""During the conversation: hold, transfer and conference, by order of the counselor, his phone or a supervisor.

A conversation is one bridge. The caller is in it or, on hold, outside with music; beside the counselor there may be one
more who was called in. Consulting is holding and calling in, a conference is calling in without holding, and a transfer
is that the counselor leaves. So whatever comes (the counselor, the caller, the third or the daemon goes), who is left
is known, and a caller is never left alone: he goes back to who put him on hold, or in line at his old place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import facts
from callrouter.core.agent import Agent, AgentState
from callrouter.core.call import Call, Offer
from callrouter.core.call_orders import OF_RECORDING, TARGETED, CallAnswer, CallOrder, CallVerb, CallVia
from callrouter.core.causes import Cause
from callrouter.core.cdr import CallMark, OfferResult
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.far_end import FarEnd
from callrouter.core.ids import AgentId, ChannelId, DestinationName, QueueName
from callrouter.core.legs import Leg
from callrouter.core.offering import result_of, unanswered
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.parties import MOVES
from callrouter.core.plan import Announce, Destination, EnterQueue, HangUp, Plan
from callrouter.core.rulebook import QueueSpec
from callrouter.core.states import CallState
from callrouter.core.switches import one_line
from callrouter.core.transfers import LimitError, TargetError, number_outside, party

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

PHONES_MIND_S = 2.0
"""A phone that hangs up so soon after it was told that a transfer failed does so by itself."""

Target = Agent | QueueSpec | Destination


@dataclass(frozen=True, slots=True)
class Again:
    """Whom to call in once more, and as before, but not by these endpoints."""

    verb: CallVerb
    whom: Agent | Destination
    line: ChannelId | None
    far: FarEnd | None
    without: frozenset[str]


class Conversing:
    """Leads conversations, for the :class:`~callrouter.core.conduct.Conduct` whose calls they are."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct
        self._parties = conduct.parties
        self._verbs: Mapping[CallVerb, Callable[[Call, datetime, Output], str | None]] = {
            CallVerb.HOLD: self._order_hold,
            CallVerb.RESUME: self._order_resume,
            CallVerb.COMPLETE: self._order_complete,
            CallVerb.CANCEL: self._order_cancel,
            CallVerb.DISMISS: self._order_dismiss,
            CallVerb.EXTEND: conduct.length.extend,
        }

    # --- orders

    def order(self, order: CallOrder, at: datetime, out: Output) -> CallAnswer:
        """Carry an order out, or say why not."""
        call = self._conduct.find(order.subject)
        if call is None:
            return CallAnswer(False, f'there is no call, and no agent on a call, named "{one_line(order.subject)}"')
        if call.state is not CallState.CONNECTED:
            return CallAnswer(False, f"call {call.id} is {call.state}: nobody talks")
        if call.to_be_adopted:
            return CallAnswer(False, f"call {call.id} is an earlier daemon's, and Asterisk has not told of it yet")
        try:
            if order.verb in OF_RECORDING:
                why_not = self._conduct.taping.order(call, order, at, out)
            else:
                why_not = self._carry_out(call, order.verb, order.target, at, out)
        except LimitError as error:
            return CallAnswer(False, str(error), limited=True)
        if why_not is not None:
            return CallAnswer(False, why_not)
        target = f" {one_line(party(order.target))}" if order.target else ""
        text = f"{order.verb}{target}; by {one_line(order.who)}, via {order.via}"
        out.notices.append(Notice(NoticeKind.CALL_ORDER, call.id, text))
        return CallAnswer(True, f"call {call.id}: {order.verb}{target}")

    def asked_by_phone(self, call: Call, leg: Leg, target: str, at: datetime, out: Output) -> None:
        """The counselor's phone wants the call transferred (REFER)."""
        if call.refers or leg.result is not None:
            return  # asked for already: Asterisk says it again when the phone hangs up meanwhile
        if call.offer is None or call.offer.channel != leg.channel:
            self._parties.deny(call, leg.channel, at, out)
            text = f"{leg.party}: who was called into a conversation cannot pass it on"
            out.notices.append(Notice(NoticeKind.CALL_REFUSED, call.id, text))
            return
        if self._conduct.lines.is_ringing(call, target):  # the phone gives its second line up for that
            self._conduct.lines.pass_on(call, leg.channel, at, out)
            return
        call.refers, call.refer_later = True, target
        self.transfer_later(call, at, out)

    def transfer_later(self, call: Call, at: datetime, out: Output) -> None:
        """Do what the phone asked for, once nobody is leaving: who was called in until now may be whom it wants."""
        leg = self._conduct.floor.legs.get(call.offer.channel) if call.offer is not None else None
        leaving = any(one.result is not None for one in self._conduct.floor.legs_of(call.id))
        if not call.refer_later or leaving or leg is None:
            return
        target, call.refer_later = call.refer_later, ""
        answer = self.order(CallOrder(call.id, CallVerb.TRANSFER, leg.party, CallVia.PHONE, target), at, out)
        if not answer.ok:
            self._parties.tell_phone(call, leg, at, out, done=False)
            out.notices.append(Notice(NoticeKind.CALL_REFUSED, call.id, f"{leg.party}: {answer.message}"))

    def _carry_out(self, call: Call, verb: CallVerb, target: str, at: datetime, out: Output) -> str | None:
        """Do it; or why it cannot be done, and nothing has changed."""
        if verb not in TARGETED:
            return self._verbs[verb](call, at, out)
        if call.invited is not None:
            return f"call {call.id} has called somebody in already; complete or cancel that first"
        try:
            whom = self.find(call, target, at, out)
        except LimitError:
            raise
        except TargetError as error:
            return str(error)
        if isinstance(whom, QueueSpec):
            return self._send_to_queue(call, verb, whom, at, out)
        self._parties.call_in(call, verb, whom, at, out)
        return None

    def find(self, call: Call, written: str, at: datetime, out: Output) -> Target:
        """Who is meant by who is in the call, and can be called now from there.

        Raises:
            TargetError: nobody is meant, or nobody who can be called.
        """
        floor, rules = self._conduct.floor, self._conduct.floor.rulebook.transfers
        name = rules.short.get(written.strip(), written.strip())
        agent = floor.staff.agents.get(AgentId(name))
        if agent is not None and not agent.retired:
            if not floor.can_be_called_in(agent, call, self._conduct.waiting.rules_for(call), at):
                raise TargetError(f"agent {agent.spec.id} cannot be called: {agent.state}", Cause.USER_BUSY)
            return agent
        queue = floor.rulebook.queues.get(QueueName(name))
        if queue is not None:
            return queue
        destination = rules.destinations.get(DestinationName(name)) or number_outside(name, rules)
        if not floor.can_call(call, destination, at):
            refusal = floor.block(call, destination, at, out)
            if refusal is not None:
                raise LimitError(f"no more such calls go out now: {refusal}")
            why = f"all channels of the trunk {destination.trunk} are taken"
            raise TargetError(why, Cause.NORMAL_CIRCUIT_CONGESTION)
        return destination

    def _send_to_queue(self, call: Call, verb: CallVerb, queue: QueueSpec, at: datetime, out: Output) -> str | None:
        if verb is not CallVerb.TRANSFER:
            return f"{queue.name} is a queue, whose callers wait; transfer the call, or name an agent"
        if not call.held:
            self._parties.take_out(call, at, out)
        plan = Plan(f"transfer to {queue.name}", (EnterQueue(queue.name),))
        self._parties.redirect(call, plan, None, at, out)
        return None

    def _order_hold(self, call: Call, at: datetime, out: Output) -> str | None:
        if call.held:
            return f"call {call.id} is on hold already"
        self._parties.hold(call, at, out)
        return None

    def _order_resume(self, call: Call, at: datetime, out: Output) -> str | None:
        if not call.held:
            return f"call {call.id} is not on hold"
        self._parties.resume(call, at, out)
        return None

    def _order_complete(self, call: Call, at: datetime, out: Output) -> str | None:
        if call.invited is None:
            return f"call {call.id} has called nobody in; transfer names whom to pass it on to"
        self._parties.let_counselor_go(call, at, out)
        return None

    def _order_cancel(self, call: Call, at: datetime, out: Output) -> str | None:
        if call.invited is None:
            return f"call {call.id} has called nobody in"
        self._parties.let_go_of_invited(call, at, out)
        if call.held:
            self._parties.resume(call, at, out)
        return None

    def _order_dismiss(self, call: Call, at: datetime, out: Output) -> str | None:
        goodbye = self._conduct.floor.rulebook.call_keys.goodbye
        steps = (Announce(goodbye), HangUp()) if goodbye is not None else (HangUp(),)
        self._parties.send_on(call, Plan("abusive call", steps), CallMark.ABUSIVE, at, out)
        return None

    # --- what happens to those who take part

    def counselor_left(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The counselor hung up: the call is over, or passes on to who was called in.

        Who consults on a second line has hung up on the caller alone: a phone that passes the call on says so.
        """
        if call.speaks_apart:
            self._parties.let_go_of_invited(call, at, out)
        if call.invited is None:
            self._lose_counselor(call, cue, at, out)
            return
        leg = self._parties.leg_of(call, call.offer)
        call.refers = False
        self._parties.pass_on(call, cue.cause, at, out)
        self._conduct.floor.leg_gone(leg, OfferResult.ANSWERED, at, out)

    def _lose_counselor(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Nobody is left but the caller. Some phones hang up by themselves when a transfer fails: nobody meant that.

        Nor did anybody mean it if no sound came from the phone: it has lost its power, say, or its network.
        """
        told_at = call.told_in_vain_at
        was_told = told_at is not None and (at - told_at).total_seconds() <= PHONES_MIND_S
        if not was_told and not call.refer_later and not _fell_silent(call, cue, out):
            self._conduct.offering.agent_hung_up(call, cue, at, out)
            return
        leg = self._parties.leg_of(call, call.offer)
        self._conduct.record(call, facts.OfferClosed(at, OfferResult.ANSWERED, cue.cause), out)
        self._conduct.floor.leg_gone(leg, OfferResult.ANSWERED, at, out)
        self._conduct.floor.bridges.clear(call.id, call.channel, out)
        self._conduct.guard(call, at, out)
        self._conduct.offering.try_another(call, at, out)

    def held_by_phone(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The counselor's phone has put the caller on hold: Asterisk plays him music by itself."""
        if not call.phone_holds:
            self._conduct.record(call, facts.Held(at, by_phone=True), out)

    def resumed_by_phone(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The counselor's phone has taken the caller back."""
        if call.phone_holds:
            self._conduct.record(call, facts.Resumed(at, by_phone=True), out)

    def invited_rang(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The phone of who was called in rings."""
        if call.invited is not None and not call.invited.rang:
            self._conduct.record(call, facts.Rang(at), out)

    def invited_answered(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Who was called in is there: in the conversation, or alone with the caller."""
        invited, offer = call.invited, call.offer
        if invited is None or offer is None or offer.bridge is None or invited.bridge is not None:
            return
        self._conduct.cancel_timer(call, TimerKind.INVITE, out)
        self._conduct.following.stop_playback(call, out)
        self._conduct.record(call, facts.JoinedIn(at), out)
        leg = self._parties.leg_of(call, invited)
        if leg.agent is not None:
            leg.agent.change(AgentState.ON_CALL, at)
        if call.passes_on:
            self._parties.let_counselor_go(call, at, out)
        if call.line is not None:
            self._conduct.lines.connect(call, call.line, invited, out)
            return
        self._parties.join(call, offer.bridge, invited, out)

    def invited_ended(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Who was called in did not come, or has left."""
        invited = call.invited
        if invited is None:
            return
        leg = self._parties.leg_of(call, invited)
        result = result_of(leg, cue.cause) if invited.bridge is None else OfferResult.ANSWERED
        self._conduct.floor.leg_gone(leg, result, at, out)  # first: what it held may be what the next needs
        again = self._again(call, invited, result, at)
        self._parties.close_invited(call, result, cue.cause, at, out, goes_on=again is not None)
        self._go_on(call, again, at, out)

    def invited_over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Who was called in has not answered in time, or nobody knows whether the phone rings."""
        invited = call.invited
        if invited is None or invited.bridge is not None:
            return
        leg = self._conduct.floor.legs.get(invited.channel)
        result = unanswered(leg, cue.result) if leg is not None else cue.result
        again = self._again(call, invited, result, at)
        self._parties.drop_invited(call, result, at, out, goes_on=again is not None)
        self._go_on(call, again, at, out)

    def _again(self, call: Call, invited: Offer, result: OfferResult, at: datetime) -> "Again | None":
        """By what other way of the trunk groups a destination can be called in whose call one has failed."""
        if result is not OfferResult.CONGESTION or not invited.member:
            return None
        return self._anew(call, invited, call.not_invited_by | {invited.member}, at)

    def unheard(self, call: Call, at: datetime) -> "Again | None":
        """Whom an earlier daemon may not have come to call in, if they can be called still."""
        invited = call.invited
        if not call.in_doubt or invited is None or invited.bridge is not None:
            return None
        return self._anew(call, invited, call.not_invited_by, at)

    def _anew(self, call: Call, invited: Offer, without: frozenset[str], at: datetime) -> "Again | None":
        whom = self._who_can_come(call, invited, without, at)
        if whom is None:
            return None
        verb = CallVerb.CONSULT if call.held or call.line is not None else CallVerb.CONFERENCE
        return Again(CallVerb.TRANSFER if call.passes_on else verb, whom, call.line, call.far, without)

    def _who_can_come(
        self, call: Call, invited: Offer, without: frozenset[str], at: datetime
    ) -> Agent | Destination | None:
        floor, rules = self._conduct.floor, self._conduct.floor.rulebook.transfers
        if invited.destination is None:
            agent = floor.staff.agents.get(invited.agent or AgentId(""))
            queue = self._conduct.waiting.rules_for(call)
            return agent if agent is not None and floor.can_be_called_in(agent, call, queue, at) else None
        try:
            whom = rules.destinations.get(invited.destination) or number_outside(invited.destination, rules)
        except TargetError:  # the rules have changed
            return None
        return whom if floor.can_call(call, whom, at, without) else None

    def _go_on(self, call: Call, again: "Again | None", at: datetime, out: Output) -> None:
        """Nobody came: call them by another way, or give the counselor the caller back."""
        if again is None:
            self._parties.take_back(call, at, out)
        else:
            self.call_again(call, again, at, out)

    def call_again(self, call: Call, again: "Again", at: datetime, out: Output) -> None:
        """Call in again who has not come."""
        self._parties.call_in(call, again.verb, again.whom, at, out, again.line, again.far, again.without)

    def not_joined(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Somebody could not be put into the bridge: what is left is not a conversation, so the caller goes on."""
        if not any(isinstance(fact, MOVES) for fact in call.history):
            return  # an answer to the first connection, late
        self._parties.let_go_of_invited(call, at, out)
        if not call.music:
            self._conduct.floor.bridges.clear(call.id, call.channel, out)
        self._conduct.offering.drop(call, OfferResult.LOST, at, out)
        self._conduct.guard(call, at, out)
        self._conduct.offering.try_another(call, at, out)


def _fell_silent(call: Call, cue: Cue, out: Output) -> bool:
    """Whether Asterisk ended a phone's leg because no sound came from there; the operator is told.

    If the phone is at another site, it may be the way there that fell silent: that ends the call.
    """
    offer = call.offer
    if offer is None or offer.site is not None or cue.cause != Cause.REQUESTED_CHANNEL_UNAVAILABLE:
        return False
    text = f"no sound came from the phone of {offer.agent or offer.destination}: its caller is served by another"
    out.notices.append(Notice(NoticeKind.PHONE_SILENT, call.id, text))
    return True
