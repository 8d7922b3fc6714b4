"""The floor of the call centre: counselors, the legs to their phones, trunk channels and bridges.

What is scarce is handed out here and comes back here, each thing once: a counselor and a trunk channel are taken before
anything is dialled, and return when Asterisk says that the leg is gone, whatever has become of the call meanwhile.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial

import msgspec

from callrouter.core import commands as cmd
from callrouter.core import loops, naming
from callrouter.core.acd import Acd, Match
from callrouter.core.agent import Agent, AgentState
from callrouter.core.bridges import Bridges
from callrouter.core.call import Call, Offer
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.duty import Duty
from callrouter.core.events import TimerKind
from callrouter.core.ids import CallId, ChannelId, DestinationName, SiteName
from callrouter.core.legs import Leg
from callrouter.core.numbers import parse
from callrouter.core.outbound import NumberClass, classify, number_in, written_in
from callrouter.core.outbound_meter import OutboundMeter, Refusal
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.phones import PhoneSeen
from callrouter.core.plan import Destination
from callrouter.core.pool import way_to
from callrouter.core.relays import Relay, Relays
from callrouter.core.rulebook import AgentSpec, QueueSpec, Rulebook
from callrouter.core.skills import NO_DEMAND, Demand
from callrouter.core.staff import Staff, wrap_up_s
from callrouter.core.trunk_failures import SHOWS_THE_WAY
from callrouter.core.trunk_group import Asker, Seizure
from callrouter.core.trunks import Trunks
from callrouter.core.ways import Ways

RELAY_EXTENSION = "relay"
"""What is dialled at another site of ours; what for, the header says."""

ANONYMOUS = "anonymous"
"""What phones are shown of a caller who withholds his number."""


class Floor:
    """See the module. All methods write what is to be done into the ``Output`` they are given."""

    def __init__(self, rulebook: Rulebook, at: datetime) -> None:
        self.rulebook = rulebook
        self.acd = Acd(rulebook.queues, rulebook.weights, rulebook.links)
        self.trunks = Trunks(rulebook.trunks, self.acd.wanting)
        self.ways = Ways(rulebook, self.trunks)
        self.meter = OutboundMeter(rulebook.outbound)
        self.relays = Relays()
        self.staff = Staff(rulebook, self.acd, at, self.relays.knows)
        self.legs: dict[ChannelId, Leg] = {}
        self.bridges = Bridges()
        self._ended: dict[ChannelId, datetime] = {}

    def replace(self, rulebook: Rulebook, at: datetime) -> None:
        """Go on by new rules: counselors who are busy keep what they are doing."""
        self.rulebook = rulebook
        self.trunks.replace(rulebook.trunks)
        self.meter.replace(rulebook.outbound)
        self.ways.links = rulebook.links
        for agent in self.staff.agents.values():
            self.acd.spare(agent)
        self.acd.replace(rulebook.queues, rulebook.weights, rulebook.links)
        self.staff.replace(rulebook, at)

    def match(self, at: datetime) -> Match | None:
        """The next caller and counselor, if there is a pair with a way between them; the caller leaves the line."""
        refusals = self.trunks.refusals(at)
        refused = refusals.refuses if refusals is not None else None
        match = self.acd.match(partial(self.ways.is_open, at), refused, partial(self.ways.has_room_outward, at))
        if match is not None:
            self.acd.take(match)
        return match

    def can_serve(self, call: Call, queue: QueueSpec, at: datetime, demand: Demand = NO_DEMAND) -> bool:
        """Whether a caller who joins ``queue`` would be served at once, were he the only one."""
        reachable = partial(self.ways.has_room, call.tenant, queue.emergency, at)
        return self.acd.can_serve((queue.name, call.site), reachable, demand)

    def call_agent(self, call: Call, agent: Agent, queue: QueueSpec, at: datetime, out: Output) -> Leg:
        """Take the counselor and a trunk channel, and call the phone."""
        channel = naming.leg_channel(call.id, call.attempts + 1)
        spec = agent.spec
        link = self.ways.link(call, spec.site, queue.emergency, at) if spec.site != call.site else None
        trunk = link.trunk if link is not None else spec.trunk
        seizure, endpoint = None, spec.endpoint
        if trunk is not None:
            seizure = self.trunks.seize(trunk, channel, Asker(call.site, call.tenant, queue.emergency), at)
            endpoint = self.trunks.dialled(seizure, endpoint)
        if link is not None:
            endpoint = f"PJSIP/{RELAY_EXTENSION}@{link.endpoint}"
        wrap_up = wrap_up_s(agent, queue)
        leg = Leg(channel, call.id, call.site, agent, seizure, wrap_up, at, queue=call.queue)
        leg.called_before = agent.offered_at
        self._hold(leg)
        agent.change(AgentState.RESERVED, at)
        agent.offered_at = at
        originate = self._originate(call, leg, endpoint, call.arrival.caller, queue.ring_timeout_s)
        if link is not None:
            originate = msgspec.structs.replace(originate, relay=channel)
            self._expect(originate, call.attempts + 1, spec, link.peer, at)
        out.commands.append(originate)
        return leg

    def _expect(self, originate: cmd.Originate, attempt: int, spec: AgentSpec, peer: str, at: datetime) -> None:
        """The leg leads to another site, where the phone is to be called."""
        self.relays.expect(
            Relay(
                originate.channel,
                originate.call,
                attempt,
                spec.id,
                originate.site,
                spec.site,
                spec.endpoint,
                peer,
                originate.timeout_s,
                at,
                originate.caller_name,
                originate.caller_number,
                originate.hops,
            )
        )

    def remember_relay(self, call: Call, offer: Offer, ring_s: float) -> None:
        """An earlier daemon called a phone at another site: what comes in there is known, and what is there already.

        If it is to be called once more, it rings for ``ring_s`` seconds.
        """
        spec = self.staff.spec(offer.agent) if offer.agent is not None else None
        if offer.site is None or spec is None:
            return
        relay = Relay(
            offer.channel, call.id, offer.attempt, spec.id, call.site, offer.site, spec.endpoint, "", ring_s, offer.at
        )
        relay.caller_name, relay.caller_number = _shown_name(call), call.arrival.caller or ANONYMOUS
        relay.hops = loops.header(offer.channel, call.arrival)
        relay.incoming, relay.rang, relay.answered = offer.incoming, offer.rang, offer.bridge is not None
        relay.in_doubt = call.in_doubt and not (relay.rang or relay.answered)
        self.relays.expect(relay)

    def phone(self, site: SiteName, channel: ChannelId) -> tuple[SiteName, ChannelId]:
        """The channel of the phone itself that a leg at ``site`` leads to, and where it is."""
        relay = self.relays.of(channel)
        return (relay.site, relay.far) if relay is not None else (site, channel)

    def picked_up(self, leg: Leg, at: datetime) -> None:
        """Somebody answered: a counselor is on a call from now on."""
        if leg.agent is not None:
            leg.agent.change(AgentState.ON_CALL, at)

    def can_call(self, call: Call, destination: Destination, at: datetime, without: Collection[str] = ()) -> bool:
        """Whether there is a way to a destination now; ``without`` are endpoints by which it was tried in vain."""
        return (
            self.trunks.has_room(destination.trunk, _asker(call, destination), at, without, destination.ring_timeout_s)
            and self.refusal(call, destination, at) is None
        )

    def refusal(self, call: Call, destination: Destination, at: datetime, ahead: int = 0) -> Refusal | None:
        """The limit that keeps a destination from being called now, if one does; ``ahead``: so many wait for it."""
        if not self.rulebook.outbound.limits:
            return None
        asker = _asker(call, destination)
        trunk = self.trunks.carrier(destination.trunk, asker, at) or destination.trunk
        kind = classify(destination.number or written_in(destination.endpoint))
        if trunk is None and kind is NumberClass.UNKNOWN:
            return None
        return self.meter.refuses(call.tenant, trunk, kind, at, marked=asker.marked, ahead=ahead)

    def block(self, call: Call, destination: Destination, at: datetime, out: Output) -> Refusal | None:
        """A destination is not called, for there is no way to it, or a limit forbids it, which is returned then."""
        refusal = self.refusal(call, destination, at)
        if refusal is not None:
            if self.meter.block(refusal):
                text = f"no more calls go out: {refusal}; the next may at {refusal.again_at:%Y-%m-%d %H:%M:%S} UTC"
                out.notices.append(Notice(NoticeKind.OUTBOUND_LIMIT, call.id, text))
        elif destination.trunk is not None:
            self.trunks.block(destination.trunk, _asker(call, destination), at)
        return refusal

    def call_destination(
        self, call: Call, destination: Destination, at: datetime, out: Output, without: Collection[str] = ()
    ) -> Leg:
        """Take a trunk channel, and call somebody who is no counselor of ours."""
        channel = naming.leg_channel(call.id, call.attempts + 1)
        seizure, endpoint = None, destination.endpoint
        number = destination.caller_number or call.arrival.caller
        if destination.trunk is not None:
            asker, patience_s = _asker(call, destination), destination.ring_timeout_s
            seizure = self.trunks.seize(destination.trunk, channel, asker, at, without, patience_s)
            endpoint = self.trunks.dialled(seizure, endpoint, destination.number)
            spec = self.trunks.spec(seizure)
            number = spec.caller_number or destination.caller_number or spec.written(call.arrival.caller)
        leg = self._outward(Leg(channel, call.id, call.site, None, seizure, 0.0, at), call, destination, number)
        originate = self._originate(call, leg, endpoint, number, destination.ring_timeout_s)
        if leg.waits_s:
            leg.later, leg.made_at = originate, at + timedelta(seconds=leg.waits_s)
            out.commands.append(cmd.SetTimer((TimerKind.BEGIN, channel), leg.waits_s))
        else:
            out.commands.append(originate)
        return leg

    def begin(self, channel: ChannelId, out: Output) -> None:
        """A leg may be made now that was held back; one that is not wanted any more is not."""
        leg = self.legs.get(channel)
        if leg is not None and leg.later is not None and leg.result is None:
            out.commands.append(leg.later)
            leg.later = None

    def _outward(self, leg: Leg, call: Call, destination: Destination, shown: str) -> Leg:
        """Hold a leg to somebody who is nobody of ours."""
        leg.number = parse(destination.number).national or number_in(destination.endpoint)
        leg.shown = parse(shown).national
        leg.shows_ours = leg.shown != parse(call.arrival.caller).national
        return self._hold(leg)

    def _known_outward(self, leg: Leg, call: Call, offer: Offer) -> Leg:
        """The same, made by an earlier daemon: whom it called, the rules say, or the destination is a number."""
        known = self.rulebook.transfers.destinations.get(offer.destination) if offer.destination is not None else None
        number = call.arrival.caller if leg.is_residents else offer.destination or ""
        to = known or Destination(DestinationName(number), number, "", number=number)
        spec = self.trunks.spec(leg.seizure) if leg.seizure is not None else None
        shown = to.caller_number or (spec.caller_number if spec is not None else "")
        return self._outward(leg, call, to, shown or ("" if leg.is_residents else call.arrival.caller))

    def call_resident(self, call: Call, seizure: Seizure, to: Destination, at: datetime, out: Output) -> Leg:
        """Call back who asked for it, over the trunk channel that was taken with the counselor."""
        leg = Leg(seizure.leg, call.id, call.site, None, seizure, 0.0, at, queue=call.queue, is_residents=True)
        spec = self.trunks.spec(seizure)
        caller = to.caller_number or spec.caller_number or spec.written(call.arrival.dialed)
        self._outward(leg, call, to, caller)
        endpoint = self.trunks.dialled(seizure, to.endpoint, to.number)
        originate = self._originate(call, leg, endpoint, caller, to.ring_timeout_s)
        out.commands.append(msgspec.structs.replace(originate, caller_name="", originator=ChannelId("")))
        return leg

    def adopt_resident(self, call: Call, resident: Offer) -> Leg:
        """Take back the leg to a resident whom an earlier daemon called back, and its trunk channel."""
        seizure = self._reclaim(call, resident)
        leg = Leg(resident.channel, call.id, call.site, None, seizure, 0.0, resident.at, queue=call.queue)
        leg.is_residents, leg.rang = True, resident.rang
        return self._known_outward(leg, call, resident)

    def can_be_called_in(self, agent: Agent, call: Call, queue: QueueSpec, at: datetime) -> bool:
        """Whether a colleague may call the counselor into a conversation: he is at work, and not on a call."""
        has_room = self.ways.has_room(call.tenant, queue.emergency, at, way_to(agent, call.site))
        can_ring = self.staff.can_ring(agent) and has_room
        return agent.leg is None and agent.duty is not Duty.OFF and not agent.retired and can_ring

    def call_in_agent(self, call: Call, agent: Agent, queue: QueueSpec, at: datetime, out: Output) -> Leg:
        """As :meth:`call_agent`, for a conversation; wrap-up and pause end for it."""
        out.commands.append(cmd.CancelTimer((TimerKind.AGENT, agent.spec.id)))
        return self.call_agent(call, agent, queue, at, out)

    def _originate(self, call: Call, leg: Leg, endpoint: str, number: str, ring_timeout_s: float) -> cmd.Originate:
        return cmd.Originate(
            leg.site,
            call.id,
            leg.channel,
            endpoint,
            caller_name=_shown_name(call),
            caller_number=number or ANONYMOUS,
            timeout_s=ring_timeout_s + self.rulebook.limits.clearing_s,
            originator=ChannelId("") if call.is_absent else call.channel,
            hops=loops.header(leg.channel, call.arrival),
        )

    def adopt_leg(self, call: Call, offer: Offer, queue: QueueSpec, at: datetime) -> Leg | None:
        """Take back whom an earlier daemon called, and the trunk channel; None if the counselor is on another call.

        A counselor whom the rules do not know any more finishes this call, as after any other change of the rules.
        """
        if offer.agent is None:
            seizure = self._reclaim(call, offer)
            leg = Leg(offer.channel, call.id, call.site, None, seizure, 0.0, offer.at, rang=offer.rang)
            return self._known_outward(leg, call, offer)
        agent = self.staff.agents.get(offer.agent) or self.staff.retired(offer.agent, call.site, at)
        if agent.leg is not None:
            return None
        self.acd.spare(agent)
        agent.untold = agent.untold and offer.bridge is None  # who picked up has been told
        agent.change(AgentState.RINGING if offer.bridge is None else AgentState.ON_CALL, at)
        wrap_up = wrap_up_s(agent, queue)
        seizure = self._reclaim(call, offer)
        return self._hold(
            Leg(
                offer.channel,
                call.id,
                call.site,
                agent,
                seizure,
                wrap_up,
                offer.at,
                rang=offer.rang,
                queue=call.queue,
            )
        )

    def _reclaim(self, call: Call, offer: Offer) -> Seizure | None:
        if offer.trunk is None:
            return None
        asker = Asker(call.site, call.tenant, offer.marked)
        return self.trunks.reclaim(offer.trunk, offer.channel, asker, offer.at, offer.member)

    def let_go(self, leg: Leg, result: OfferResult, at: datetime, out: Output) -> None:
        """The call has no more use for the leg: hang it up, and remember how the offer ended."""
        leg.result = result
        if leg.later is not None:  # there is nothing to hang up
            out.commands.append(cmd.CancelTimer((TimerKind.BEGIN, leg.channel)))
            out.commands.append(cmd.SetTimer((TimerKind.LEG, leg.channel), 0.0))
            return
        self._judge_trunk(leg, result, at, out)
        self.relays.let_go(leg.channel, out)
        cause = Cause.ANSWERED_ELSEWHERE if result is OfferResult.ANSWERED_ELSEWHERE else Cause.NORMAL_CLEARING
        out.commands.append(cmd.Hangup(leg.site, leg.call, leg.channel, cause))
        out.commands.append(cmd.SetTimer((TimerKind.LEG, leg.channel), self.rulebook.limits.clearing_s))

    def leg_overdue(self, leg: Leg, at: datetime, out: Output) -> None:
        """A leg that was hung up has not ended: once more, then it is written off."""
        if leg.later is not None:
            self.leg_gone(leg, leg.result or OfferResult.FAILED, at, out)
            return
        if leg.insisted:
            out.notices.append(
                Notice(NoticeKind.WRITTEN_OFF, leg.call, f"leg {leg.channel} to {leg.party} never ended")
            )
            self.leg_gone(leg, leg.result or OfferResult.FAILED, at, out)
            return
        leg.insisted = True
        self.let_go(leg, leg.result or OfferResult.FAILED, at, out)

    def leg_gone(self, leg: Leg, result: OfferResult, at: datetime, out: Output) -> None:
        """The leg is no more: give back what it held."""
        del self.legs[leg.channel]
        self._ended[leg.channel] = at
        out.commands.append(cmd.CancelTimer((TimerKind.LEG, leg.channel)))
        if leg.seizure is not None:
            self._judge_trunk(leg, result, at, out)
            self.trunks.release(leg.seizure)
        self.bridges.leave(leg.call, leg.channel, out)
        self.relays.gone(leg.channel, out)
        if leg.agent is not None:
            self.staff.release(leg, leg.agent, result, at, out)

    def forget_leg(self, leg: Leg, at: datetime, out: Output) -> None:
        """Nobody knows what became of a leg: give back what it held, and judge nobody by it."""
        del self.legs[leg.channel]
        out.commands.append(cmd.CancelTimer((TimerKind.LEG, leg.channel)))
        if leg.seizure is not None:
            self.trunks.release(leg.seizure)
        if leg.agent is not None:
            self.staff.forget_leg(leg.agent, at)

    def ended_since(self, channel: ChannelId, since: datetime) -> bool:
        """Whether a leg ended, or was written off, at ``since`` or later: who looked then may still have seen it."""
        ended_at = self._ended.get(channel)
        return ended_at is not None and ended_at >= since

    def forget_ended(self, before: datetime) -> None:
        """Forget the legs that ended before ``before``."""
        self._ended = {channel: at for channel, at in self._ended.items() if at >= before}

    def legs_of(self, call: CallId) -> list[Leg]:
        """The legs that were made for a call and are not gone."""
        return [leg for leg in self.legs.values() if leg.call == call]

    def phones_seen(self, site: SiteName, phones: Mapping[str, PhoneSeen], as_of: datetime, at: datetime) -> None:
        """How some phones were at ``as_of``: of counselors, or at the far ends of trunks."""
        self.staff.phones_seen(site, phones, as_of, at)
        self.trunks.phones_seen(site, {endpoint: self.staff.phones.at(site, endpoint) for endpoint in phones})

    def mind_trunks(self, at: datetime, out: Output) -> None:
        """Have trunk groups looked at again that let no call through now, but may later."""
        for trunk, after_s in self.trunks.take_due(at):
            out.commands.append(cmd.SetTimer((TimerKind.TRUNK, trunk), after_s))

    def got_through(self, leg: Leg, out: Output) -> None:
        """The far end has the call: the trunk does what it is there for."""
        if leg.seizure is None or leg.judged:
            return
        leg.judged = True
        if self.trunks.succeeded(leg.seizure):
            text = f"{leg.seizure.member} of the trunk group {leg.seizure.trunk} carries calls again"
            out.notices.append(Notice(NoticeKind.TRUNK_STATE, leg.call, text))

    def _hold(self, leg: Leg) -> Leg:
        self.legs[leg.channel] = leg
        if leg.agent is not None:
            self.acd.spare(leg.agent)
            leg.agent.leg = leg.channel
            leg.phone = (leg.agent.spec.site, leg.agent.spec.endpoint)
        return leg

    def _judge_trunk(self, leg: Leg, result: OfferResult, at: datetime, out: Output) -> None:
        """A leg is over, or let go of: what that says of the trunk that carried it."""
        if leg.seizure is None:
            return
        if result is not OfferResult.CONGESTION:
            if leg.rang or result in SHOWS_THE_WAY:
                self.got_through(leg, out)
        elif not leg.failed:  # also after it rang: some networks say so first
            leg.judged = leg.failed = True
            if self.trunks.failed(leg.seizure, at, self.rulebook.limits.retry_after_congestion_s):
                text = f"{leg.seizure.member} of the trunk group {leg.seizure.trunk} carries no calls; it is left alone"
                out.notices.append(Notice(NoticeKind.TRUNK_STATE, leg.call, text))


def _shown_name(call: Call) -> str:
    """What a counselor's phone shows beside the caller's number."""
    return call.region.title if call.region else ""


def _asker(call: Call, destination: Destination) -> Asker:
    return Asker(call.site, call.tenant, destination.emergency)
