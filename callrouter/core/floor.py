"""The floor of the call centre: counselors, the legs to their phones, trunk channels and bridges.

What is scarce is handed out here and comes back here, each thing once: a counselor and a trunk channel are taken before
anything is dialled, and return when Asterisk says that the leg is gone, whatever has become of the call meanwhile.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import msgspec

from callrouter.core import commands as cmd
from callrouter.core import naming
from callrouter.core.acd import Acd, Match, Outward
from callrouter.core.agent import Agent, AgentState, LastCall, is_blamed, is_missed, is_refusal, rest_after
from callrouter.core.bridges import Bridges
from callrouter.core.call import Call, Offer
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.duty import Duty
from callrouter.core.events import TimerKind
from callrouter.core.ids import AgentId, CallId, ChannelId, QueueName, SiteName, TenantName, TrunkName
from callrouter.core.local_time import midnights
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.phones import Phones, PhoneSeen, is_watched
from callrouter.core.plan import Destination
from callrouter.core.pool import Way, way_to
from callrouter.core.relays import Relay, Relays
from callrouter.core.rulebook import AgentSpec, Link, QueueSpec, Rulebook
from callrouter.core.skills import NO_DEMAND, Demand
from callrouter.core.trunk_failures import SHOWS_THE_WAY
from callrouter.core.trunk_group import Asker, Seizure
from callrouter.core.trunks import Trunks

_AT_THE_PHONE = frozenset({AgentState.AVAILABLE, AgentState.UNREACHABLE, AgentState.OWN_CALL})
"""What a counselor is in by what is known of his phone, and nothing else."""
RELAY_EXTENSION = "relay"
"""What is dialled at another site of ours; what for, the header says."""
_NO_QUEUE = QueueName("")
"""Stands for a queue where a counselor is called for none."""


@dataclass(slots=True)
class Leg:
    """A channel of ours to a counselor's phone or to a destination, from the request to its last event."""

    channel: ChannelId
    call: CallId
    site: SiteName
    agent: Agent | None
    """None: a destination is called, who is nobody of ours."""
    seizure: Seizure | None
    wrap_up_s: float
    made_at: datetime
    result: OfferResult | None = None
    """Why the call let go of it; None while it is the call's."""
    rang: bool = False
    insisted: bool = False
    queue: QueueName | None = None
    """The queue that the call came by."""
    judged: bool = False
    """It was taken note of that the trunk carried it."""
    failed: bool = False
    """It was taken note of that the trunk failed it."""
    answered_there: bool = False
    """The phone at its far end was answered, of which the trunk is to tell."""
    called_before: datetime | None = None
    """When the counselor's phone had been called last."""

    @property
    def trunk(self) -> TrunkName | None:
        """The group that carries it."""
        return self.seizure.trunk if self.seizure is not None else None

    @property
    def member(self) -> str:
        """The endpoint of that group that does."""
        return self.seizure.member if self.seizure is not None else ""

    @property
    def marked(self) -> bool:
        """Whether it may have a channel that is kept in reserve."""
        return self.seizure is not None and self.seizure.marked

    def far_site(self, origin: SiteName) -> SiteName | None:
        """Where the phone is, if that is another site than the caller's."""
        return self.agent.spec.site if self.agent is not None and self.agent.spec.site != origin else None

    @property
    def party(self) -> str:
        """Whom it calls, for people."""
        return self.agent.spec.id if self.agent is not None else "a destination"


class Floor:
    """See the module. All methods write what is to be done into the ``Output`` they are given."""

    def __init__(self, rulebook: Rulebook, at: datetime) -> None:
        self.rulebook = rulebook
        self.acd = Acd(rulebook.queues, rulebook.weights, rulebook.links)
        self.trunks = Trunks(rulebook.trunks, self.acd.wanting)
        self.agents: dict[AgentId, Agent] = {}
        self.legs: dict[ChannelId, Leg] = {}
        self.sites: set[SiteName] = set()
        """Sites that are up."""
        self.absent: list[Agent] = []
        """Who has missed so many calls in a row that he is to be paused; emptied by who does that."""
        self.changed: list[Agent] = []
        """Whose state has changed; emptied by who shows it."""
        self.phones = Phones()
        self.desks: dict[AgentId, tuple[SiteName, str]] = {}
        """Whose phone is not his own: where he works, and what Asterisk dials there."""
        self.chosen: dict[AgentId, tuple[QueueName, ...]] = {}
        """Who takes calls of some of his queues alone."""
        self._said: dict[AgentId, tuple[Duty, str]] = {}
        self.bridges = Bridges()
        self.relays = Relays()
        self._ended: dict[ChannelId, datetime] = {}
        _, self._day_ends = midnights(at, rulebook.timezone)
        self._staff(rulebook, at)

    def replace(self, rulebook: Rulebook, at: datetime) -> None:
        """Go on by new rules: counselors who are busy keep what they are doing."""
        self.rulebook = rulebook
        self.trunks.replace(rulebook.trunks)
        for agent in self.agents.values():
            self.acd.spare(agent)
        self.acd.replace(rulebook.queues, rulebook.weights, rulebook.links)
        for agent in list(self.agents.values()):
            spec = self._spec(agent.spec.id)
            agent.retired = spec is None
            if spec is not None:
                agent.spec = spec
            if agent.retired and agent.leg is None:
                self._dismiss(agent)
            elif agent.state in _AT_THE_PHONE:
                self._settle(agent, at, agent.idle_since)
        self._staff(rulebook, at)

    def begin_day(self, at: datetime) -> None:
        """Count calls anew when a day has begun."""
        if at < self._day_ends:
            return
        _, self._day_ends = midnights(at, self.rulebook.timezone)
        for agent in self.agents.values():
            self.acd.spare(agent)
            agent.calls = 0
            if agent.state is AgentState.AVAILABLE:
                self.acd.offer_to(agent)

    def fewest_calls(self, newcomer: Agent) -> int:
        """How many calls those have taken today who are at work with a counselor and have taken the fewest.

        Who comes later, or is new in the rules, begins there: he would else get every call until he has caught up.
        """
        queues = set(newcomer.spec.queues)
        others = (one for one in self.agents.values() if one is not newcomer and one.duty is not Duty.OFF)
        return min((one.calls for one in others if queues & set(one.spec.queues)), default=0)

    def wrap_up_s(self, agent: Agent, queue: QueueName | None) -> float:
        """How long a counselor is left in peace after a call of ``queue``, by the rules of now."""
        spec = self.rulebook.queues.get(queue) if queue is not None else None
        return _wrap_up(agent, spec) if spec is not None else 0.0

    def match(self, at: datetime) -> Match | None:
        """The next caller and counselor, if there is a pair with a way between them; the caller leaves the line."""
        refusals = self.trunks.refusals(self.acd.ways, at)
        match = self.acd.match(partial(self._is_open, at), refusals.of, partial(self._has_room_outward, at))
        if match is not None:
            self.acd.take(match)
        return match

    def agent_at(self, site: SiteName, endpoint: str) -> Agent | None:
        """The counselor whose phone that is by the rules of now, as Asterisk names it in a channel."""
        staff = (agent for agent in self.agents.values() if not agent.retired)
        owners = [one for one in staff if (one.spec.site, one.spec.endpoint) == (site, endpoint)]
        # Whoever works at another's phone: that one is not there.
        return min(owners, key=lambda one: (one.duty is Duty.OFF, one.spec.id not in self.desks), default=None)

    def serving(self, queue: QueueName) -> int:
        """How many counselors who are logged in serve ``queue``, whatever they are doing."""
        return sum(queue in agent.spec.queues for agent in self.agents.values() if agent.duty is not Duty.OFF)

    def taking_calls(self, queue: QueueName) -> int:
        """How many counselors serve ``queue`` and are not paused."""
        return sum(queue in agent.spec.queues for agent in self.agents.values() if agent.duty is Duty.ON)

    def can_serve(self, call: Call, queue: QueueSpec, at: datetime, demand: Demand = NO_DEMAND) -> bool:
        """Whether a caller who joins ``queue`` would be served at once, were he the only one."""
        reachable = partial(self._has_room, call.tenant, queue.emergency, at)
        return self.acd.can_serve((queue.name, call.site), reachable, demand)

    def call_agent(self, call: Call, agent: Agent, queue: QueueSpec, at: datetime, out: Output) -> Leg:
        """Take the counselor and a trunk channel, and call the phone."""
        channel = naming.leg_channel(call.id, call.attempts + 1)
        spec = agent.spec
        link = self._link(call, spec.site, queue, at) if spec.site != call.site else None
        trunk = link.trunk if link is not None else spec.trunk
        seizure, endpoint = None, spec.endpoint
        if trunk is not None:
            seizure = self.trunks.seize(trunk, channel, Asker(call.site, call.tenant, queue.emergency), at)
            endpoint = self.trunks.dialled(seizure, endpoint)
        if link is not None:
            endpoint = f"PJSIP/{RELAY_EXTENSION}@{link.endpoint}"
        wrap_up_s = _wrap_up(agent, queue)
        leg = Leg(channel, call.id, call.site, agent, seizure, wrap_up_s, at, queue=call.queue)
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
            )
        )

    def remember_relay(self, call: Call, offer: Offer) -> None:
        """An earlier daemon called a phone at another site: what comes in there is known, and what is there already."""
        spec = self._spec(offer.agent) if offer.agent is not None else None
        if offer.site is None or spec is None:
            return
        ring_s = QueueSpec(_NO_QUEUE, "").ring_timeout_s
        relay = Relay(
            offer.channel, call.id, offer.attempt, spec.id, call.site, offer.site, spec.endpoint, "", ring_s, offer.at
        )
        relay.incoming, relay.rang, relay.answered = offer.incoming, offer.rang, offer.bridge is not None
        self.relays.expect(relay)

    def phone(self, site: SiteName, channel: ChannelId) -> tuple[SiteName, ChannelId]:
        """The channel of the phone itself that a leg at ``site`` leads to, and where it is."""
        relay = self.relays.of(channel)
        return (relay.site, relay.far) if relay is not None else (site, channel)

    def _link(self, call: Call, to: SiteName, queue: QueueSpec, at: datetime) -> Link:
        asker = Asker(call.site, call.tenant, queue.emergency)
        links = self.rulebook.links[call.site, to]
        return next(link for link in links if self.trunks.has_room(link.trunk, asker, at))

    def picked_up(self, leg: Leg, at: datetime) -> None:
        """Somebody answered: a counselor is on a call from now on."""
        if leg.agent is not None:
            leg.agent.change(AgentState.ON_CALL, at)

    def can_call(self, call: Call, destination: Destination, at: datetime, without: Collection[str] = ()) -> bool:
        """Whether there is a way to a destination now; ``without`` are endpoints by which it was tried in vain."""
        return self.trunks.has_room(destination.trunk, _asker(call, destination), at, without)

    def block(self, call: Call, destination: Destination, at: datetime) -> None:
        """A destination is not called, for there is no way to it."""
        if destination.trunk is not None:
            self.trunks.block(destination.trunk, _asker(call, destination), at)

    def call_destination(
        self, call: Call, destination: Destination, at: datetime, out: Output, without: Collection[str] = ()
    ) -> Leg:
        """Take a trunk channel, and call somebody who is no counselor of ours."""
        channel = naming.leg_channel(call.id, call.attempts + 1)
        seizure, endpoint = None, destination.endpoint
        number = destination.caller_number or call.arrival.caller
        if destination.trunk is not None:
            seizure = self.trunks.seize(destination.trunk, channel, _asker(call, destination), at, without)
            endpoint = self.trunks.dialled(seizure, endpoint, destination.number)
            spec = self.trunks.spec(seizure)
            number = spec.caller_number or destination.caller_number or spec.written(call.arrival.caller)
        leg = self._hold(Leg(channel, call.id, call.site, None, seizure, 0.0, at))
        out.commands.append(self._originate(call, leg, endpoint, number, destination.ring_timeout_s))
        return leg

    def call_resident(self, call: Call, seizure: Seizure, to: Destination, at: datetime, out: Output) -> Leg:
        """Call back who asked for it, over the trunk channel that was taken with the counselor."""
        leg = self._hold(Leg(seizure.leg, call.id, call.site, None, seizure, 0.0, at, queue=call.queue))
        spec = self.trunks.spec(seizure)
        caller = to.caller_number or spec.caller_number or spec.written(call.arrival.dialed)
        endpoint = self.trunks.dialled(seizure, to.endpoint, to.number)
        originate = self._originate(call, leg, endpoint, caller, to.ring_timeout_s)
        out.commands.append(msgspec.structs.replace(originate, caller_name="", originator=ChannelId("")))
        return leg

    def adopt_resident(self, call: Call, resident: Offer) -> Leg:
        """Take back the leg to a resident whom an earlier daemon called back, and its trunk channel."""
        seizure = self._reclaim(call, resident)
        return self._hold(Leg(resident.channel, call.id, call.site, None, seizure, 0.0, resident.at, queue=call.queue))

    def can_be_called_in(self, agent: Agent, call: Call, at: datetime) -> bool:
        """Whether a colleague may call the counselor into a conversation: he is at work, and not on a call."""
        has_room = self._has_room(call.tenant, False, at, way_to(agent, call.site))
        can_ring = self._at_the_phone(agent) is AgentState.AVAILABLE and has_room
        return agent.leg is None and agent.duty is not Duty.OFF and not agent.retired and can_ring

    def call_in_agent(self, call: Call, agent: Agent, ring_timeout_s: float, at: datetime, out: Output) -> Leg:
        """As :meth:`call_agent`, for a conversation; wrap-up and pause end for it."""
        out.commands.append(cmd.CancelTimer((TimerKind.AGENT, agent.spec.id)))
        return self.call_agent(call, agent, QueueSpec(_NO_QUEUE, "", ring_timeout_s=ring_timeout_s), at, out)

    def _originate(self, call: Call, leg: Leg, endpoint: str, number: str, ring_timeout_s: float) -> cmd.Originate:
        return cmd.Originate(
            leg.site,
            call.id,
            leg.channel,
            endpoint,
            caller_name=call.region.title if call.region else "",
            caller_number=number or "anonymous",
            timeout_s=ring_timeout_s + self.rulebook.limits.clearing_s,
            originator=ChannelId("") if call.is_absent else call.channel,
        )

    def adopt_leg(self, call: Call, offer: Offer, queue: QueueSpec, at: datetime) -> Leg | None:
        """Take back whom an earlier daemon called, and the trunk channel; None if the counselor is on another call.

        A counselor whom the rules do not know any more finishes this call, as after any other change of the rules.
        """
        if offer.agent is None:
            seizure = self._reclaim(call, offer)
            return self._hold(Leg(offer.channel, call.id, call.site, None, seizure, 0.0, offer.at, rang=offer.rang))
        agent = self.agents.get(offer.agent) or self._retired(offer.agent, call.site, at)
        if agent.leg is not None:
            return None
        self.acd.spare(agent)
        agent.change(AgentState.RINGING if offer.bridge is None else AgentState.ON_CALL, at)
        wrap_up_s = _wrap_up(agent, queue)
        seizure = self._reclaim(call, offer)
        return self._hold(
            Leg(
                offer.channel,
                call.id,
                call.site,
                agent,
                seizure,
                wrap_up_s,
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

    def _retired(self, agent_id: AgentId, site: SiteName, at: datetime) -> Agent:
        spec = AgentSpec(agent_id, agent_id, site, endpoint="", queues=(), tenant=TenantName(""))
        agent = Agent(spec, AgentState.AVAILABLE, since=at, idle_since=at, retired=True, changed=self.changed)
        self.agents[agent_id] = agent
        return agent

    def let_go(self, leg: Leg, result: OfferResult, at: datetime, out: Output) -> None:
        """The call has no more use for the leg: hang it up, and remember how the offer ended."""
        leg.result = result
        self._judge_trunk(leg, result, at, out)
        self.relays.let_go(leg.channel, out)
        cause = Cause.ANSWERED_ELSEWHERE if result is OfferResult.ANSWERED_ELSEWHERE else Cause.NORMAL_CLEARING
        out.commands.append(cmd.Hangup(leg.site, leg.call, leg.channel, cause))
        out.commands.append(cmd.SetTimer((TimerKind.LEG, leg.channel), self.rulebook.limits.clearing_s))

    def leg_overdue(self, leg: Leg, at: datetime, out: Output) -> None:
        """A leg that was hung up has not ended: once more, then it is written off."""
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
            self._release_agent(leg, leg.agent, result, at, out)

    def forget_leg(self, leg: Leg, at: datetime, out: Output) -> None:
        """Nobody knows what became of a leg: give back what it held, and judge nobody by it."""
        del self.legs[leg.channel]
        out.commands.append(cmd.CancelTimer((TimerKind.LEG, leg.channel)))
        if leg.seizure is not None:
            self.trunks.release(leg.seizure)
        if leg.agent is None:
            return
        leg.agent.leg = None
        if leg.agent.retired:
            self._dismiss(leg.agent)
        else:
            self._settle(leg.agent, at, leg.agent.idle_since)

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

    def agent_rested(self, agent_id: AgentId, at: datetime) -> None:
        """Wrap-up or rest is over."""
        agent = self.agents.get(agent_id)
        if agent is None:
            return
        if agent.refuses:
            self._try_again(agent, at)
        elif agent.state in (AgentState.WRAP_UP, AgentState.RESTING):
            self._settle(agent, at, idle_since=at if agent.state is AgentState.WRAP_UP else agent.idle_since)

    def end_rest(self, agent: Agent, at: datetime, out: Output) -> None:
        """Wrap-up or rest is over before its time."""
        out.commands.append(cmd.CancelTimer((TimerKind.AGENT, agent.spec.id)))
        self.agent_rested(agent.spec.id, at)

    def set_duty(self, agent: Agent, duty: Duty, reason: str, at: datetime, out: Output) -> None:
        """From now on the counselor takes calls, or does not; a call in progress and its wrap-up are left alone."""
        if agent.duty is Duty.OFF and duty is not Duty.OFF:
            agent.calls = max(agent.calls, self.fewest_calls(agent))
        agent.duty, agent.reason, agent.refuses = duty, reason, False
        if duty is Duty.ON:
            agent.misses = 0
        if agent.leg is not None or agent.state is AgentState.WRAP_UP:
            return
        self.acd.spare(agent)
        out.commands.append(cmd.CancelTimer((TimerKind.AGENT, agent.spec.id)))
        self._settle(agent, at, idle_since=at)

    def seat(self, agent: Agent, desk: tuple[SiteName, str] | None, at: datetime) -> None:
        """Let the counselor work at another phone from the next call on; None: at his own, if he has one."""
        if desk is None:
            self.desks.pop(agent.spec.id, None)
        else:
            self.desks[agent.spec.id] = desk
        self._respecify(agent, at)

    def serve(self, agent: Agent, queues: tuple[QueueName, ...], at: datetime) -> None:
        """Let the counselor take calls of these of his queues alone, from the next one on; none: of all."""
        self.chosen[agent.spec.id] = queues
        if not queues:
            del self.chosen[agent.spec.id]
        self._respecify(agent, at)

    def _respecify(self, agent: Agent, at: datetime) -> None:
        spec = self._spec(agent.spec.id)
        if spec is None:
            return
        self.acd.spare(agent)
        agent.spec = spec
        if agent.state in _AT_THE_PHONE:
            self._settle(agent, at, agent.idle_since)

    def _spec(self, agent_id: AgentId) -> AgentSpec | None:
        """The counselor by the rules of now, at the phone where he works, with the queues that were chosen for him."""
        spec, desk = self.rulebook.agents.get(agent_id), self.desks.get(agent_id)
        if spec is None:
            return None
        chosen = self.chosen.get(agent_id, ())
        queues = tuple(queue for queue in spec.queues if queue in chosen)
        if queues:
            spec = replace(spec, queues=queues)
        return replace(spec, site=desk[0], endpoint=desk[1], trunk=None) if desk is not None else spec

    def remember_duty(self, agent_id: AgentId, duty: Duty, reason: str) -> None:
        """What was said of somebody whom the rules do not have now."""
        self._said[agent_id] = (duty, reason)

    def phones_seen(self, site: SiteName, phones: Mapping[str, PhoneSeen], as_of: datetime, at: datetime) -> None:
        """How some phones were at ``as_of``: who cannot be rung at his is not offered calls until he can.

        Who talked by himself begins to be idle anew; whose phone was away goes on being idle, so that a network that
        breaks down for a moment does not mix up who is next.
        """
        self.phones.take(site, phones, as_of)
        self.trunks.phones_seen(site, {endpoint: self.phones.at(site, endpoint) for endpoint in phones})
        for agent in self.agents.values():
            if agent.state in _AT_THE_PHONE and agent.spec.site == site and agent.spec.endpoint in phones:
                seen = self.phones.of(agent.spec)
                agent.refuses = agent.refuses and seen.online and not seen.has_own_call
                talked = agent.state is AgentState.OWN_CALL
                if self._at_the_phone(agent) is not agent.state:
                    self.acd.spare(agent)
                    self._settle(agent, at, idle_since=at if talked else agent.idle_since)

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

    def _staff(self, rulebook: Rulebook, at: datetime) -> None:
        for agent_id in rulebook.agents:
            spec = self._spec(agent_id)
            if spec is not None and agent_id not in self.agents:
                agent = Agent(spec, AgentState.LOGGED_OUT, since=at, idle_since=at, changed=self.changed)
                self.agents[agent_id] = agent
                agent.duty, agent.reason = self._said.pop(agent_id, (Duty.ON, ""))
                agent.calls = self.fewest_calls(agent)
                self._settle(agent, at, idle_since=at)

    def _dismiss(self, agent: Agent) -> None:
        """The rules do not have the counselor any more; what was said of him holds if they ever have again."""
        del self.agents[agent.spec.id]
        self.remember_duty(agent.spec.id, agent.duty, agent.reason)

    def _hold(self, leg: Leg) -> Leg:
        self.legs[leg.channel] = leg
        if leg.agent is not None:
            self.acd.spare(leg.agent)
            leg.agent.leg = leg.channel
        return leg

    def _has_room(self, tenant: TenantName, marked: bool, at: datetime, way: Way) -> bool:
        """Whether there is a way to a counselor for such a call."""
        return self._leads(way, lambda part: self.trunks.has_room(part.trunk, Asker(part.site, tenant, marked), at))

    def _has_room_outward(self, at: datetime, way: Way, outward: Outward) -> bool:
        """Whether there is a way to a counselor and, beside it, one to a resident."""
        if not self._has_room(outward.tenant, outward.marked, at, way):
            return False
        asker, trunk = Asker(outward.site, outward.tenant, outward.marked), way.trunk
        if way.origin is not None:
            links = self.rulebook.links[way.origin, way.site]
            trunk = next(link.trunk for link in links if self.trunks.has_room(link.trunk, asker, at))
        return self.trunks.has_room_beside((trunk, asker) if trunk is not None else None, outward.trunk, asker, at)

    def _is_open(self, at: datetime, way: Way) -> bool:
        """Whether the way is open to anybody."""
        return self._leads(way, lambda part: self.trunks.is_open(part, at))

    def _leads(self, way: Way, has_room: Callable[[Way], bool]) -> bool:
        """Whether a way leads to its counselors: both sites are up, and there is room on all of it."""
        if way.site not in self.sites or not has_room(way):
            return False
        if way.origin is None:
            return True
        links = self.rulebook.links.get((way.origin, way.site), ())
        return way.origin in self.sites and any(has_room(Way(way.origin, link.trunk)) for link in links)

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

    def _release_agent(self, leg: Leg, agent: Agent, result: OfferResult, at: datetime, out: Output) -> None:
        agent.leg = None
        if agent.retired:
            self._dismiss(agent)
            return
        agent.refuses = self._refuses(leg, agent, result)
        if agent.refuses:
            text = f"{agent.spec.id}: {agent.spec.endpoint} refuses calls without ringing; is do-not-disturb set there?"
            out.notices.append(Notice(NoticeKind.PHONE_REFUSES, leg.call, text))
        elif is_missed(result) and agent.duty is Duty.ON:
            agent.misses += 1
            if 0 < self.rulebook.limits.misses_before_pause <= agent.misses:
                self.absent.append(agent)
        elif result is OfferResult.ANSWERED:
            agent.misses = 0
            agent.calls += 1
            agent.last = LastCall(leg.call, leg.queue)
        if result is OfferResult.ANSWERED or is_blamed(result):
            agent.idle_since = at
        elif result is OfferResult.ANSWERED_ELSEWHERE:
            agent.offered_at = leg.called_before  # in no strategy does it count that the phone rang
        pause_s = self._pause_after(leg, agent, result)
        if agent.refuses:
            out.commands.append(
                cmd.SetTimer((TimerKind.AGENT, agent.spec.id), self.rulebook.limits.rest_after_do_not_disturb_s)
            )
            self._settle(agent, at, agent.idle_since)
        elif pause_s > 0:
            agent.change(AgentState.WRAP_UP if result is OfferResult.ANSWERED else AgentState.RESTING, at)
            out.commands.append(cmd.SetTimer((TimerKind.AGENT, agent.spec.id), pause_s))
        else:
            self._settle(agent, at, agent.idle_since)

    def _refuses(self, leg: Leg, agent: Agent, result: OfferResult) -> bool:
        """Whether the phone itself refused, and nobody at it: it did not ring, though it could have."""
        by_phone = leg.result is None and not leg.rang and is_refusal(result)
        return by_phone and is_watched(agent.spec) and self._at_the_phone(agent) is AgentState.AVAILABLE

    def _try_again(self, agent: Agent, at: datetime) -> None:
        agent.refuses = False
        if agent.state is AgentState.UNREACHABLE:
            self._settle(agent, at, agent.idle_since)

    def _pause_after(self, leg: Leg, agent: Agent, result: OfferResult) -> float:
        if result is OfferResult.ANSWERED:
            return leg.wrap_up_s
        if result is OfferResult.CONGESTION and leg.seizure is not None:
            return 0.0  # the trunk group rests, not the counselor
        if self._at_the_phone(agent) is not AgentState.AVAILABLE:
            return 0.0  # it is known why, and will be told when that is over
        return rest_after(result, self.rulebook.limits)

    def _settle(self, agent: Agent, at: datetime, idle_since: datetime) -> None:
        """Nothing is left to do for the counselor: let him be rung, unless it was said that he is not to be."""
        if agent.duty is not Duty.ON:
            agent.change(AgentState.PAUSED if agent.duty is Duty.PAUSED else AgentState.LOGGED_OUT, at)
            return
        state = self._at_the_phone(agent)
        if state is not agent.state:
            agent.change(state, at)
        agent.idle_since = idle_since
        if state is AgentState.AVAILABLE:
            self.acd.offer_to(agent)

    def _at_the_phone(self, agent: Agent) -> AgentState:
        """Whether he can be rung, as far as that is up to his phone."""
        phone = self.phones.of(agent.spec)
        if not phone.online or not agent.spec.endpoint or agent.refuses:
            return AgentState.UNREACHABLE
        return AgentState.OWN_CALL if phone.has_own_call else AgentState.AVAILABLE


def _asker(call: Call, destination: Destination) -> Asker:
    return Asker(call.site, call.tenant, destination.emergency)


def _wrap_up(agent: Agent, queue: QueueSpec) -> float:
    return queue.wrap_up_s if agent.spec.wrap_up_s is None else agent.spec.wrap_up_s
