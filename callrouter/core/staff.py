"""The counselors: who is at work, at which phone, since when, and who may be rung next."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from callrouter.core import commands as cmd
from callrouter.core.acd import Acd
from callrouter.core.agent import Agent, AgentState, LastCall, is_blamed, is_missed, is_refusal, rest_after
from callrouter.core.cdr import OfferResult
from callrouter.core.duty import Duty
from callrouter.core.events import TimerKind
from callrouter.core.ids import AgentId, ChannelId, QueueName, SiteName, TenantName
from callrouter.core.legs import Leg
from callrouter.core.local_time import midnights
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.phones import Phones, PhoneSeen, is_watched
from callrouter.core.rulebook import AgentSpec, QueueSpec, Rulebook

_AT_THE_PHONE = frozenset({AgentState.AVAILABLE, AgentState.UNREACHABLE, AgentState.OWN_CALL})
"""What a counselor is in by what is known of his phone, and nothing else."""


class Staff:
    """See the module. Who can be rung is offered to ``acd``, and spared there while he cannot."""

    def __init__(self, rulebook: Rulebook, acd: Acd, at: datetime, is_far: Callable[[ChannelId], bool]) -> None:
        """``is_far`` says of a channel at a phone whether a call of ours goes on by it whose leg is at another site."""
        self.rulebook = rulebook
        self.agents: dict[AgentId, Agent] = {}
        self.absent: list[Agent] = []
        """Who has missed so many calls in a row that he is to be paused; emptied by who does that."""
        self.changed: list[Agent] = []
        """Whose state has changed; emptied by who shows it."""
        self.phones = Phones()
        self.desks: dict[AgentId, tuple[SiteName, str]] = {}
        """Whose phone is not his own: where he works, and what Asterisk dials there."""
        self.chosen: dict[AgentId, tuple[QueueName, ...]] = {}
        """Who takes calls of some of his queues alone."""
        self._acd = acd
        self._is_far = is_far
        self._said: dict[AgentId, tuple[Duty, str]] = {}
        _, self._day_ends = midnights(at, rulebook.timezone)
        self._hire(at)

    def replace(self, rulebook: Rulebook, at: datetime) -> None:
        """Go on by new rules, by which ``acd`` goes on already: who is busy keeps what he is doing."""
        self.rulebook = rulebook
        for agent in list(self.agents.values()):
            spec = self.spec(agent.spec.id)
            agent.retired = spec is None
            if spec is not None:
                agent.spec = spec
            if agent.retired and agent.leg is None:
                self._dismiss(agent)
            elif agent.state in _AT_THE_PHONE:
                self._settle(agent, at, agent.idle_since)
        self._hire(at)

    def begin_day(self, at: datetime) -> None:
        """Count calls anew when a day has begun."""
        if at < self._day_ends:
            return
        _, self._day_ends = midnights(at, self.rulebook.timezone)
        for agent in self.agents.values():
            self._acd.spare(agent)
            agent.calls = 0
            if agent.state is AgentState.AVAILABLE:
                self._acd.offer_to(agent)

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
        return wrap_up_s(agent, spec) if spec is not None else 0.0

    def agent_at(self, site: SiteName, endpoint: str) -> Agent | None:
        """The counselor whose phone that is by the rules of now, as Asterisk names it in a channel."""
        staff = (agent for agent in self.agents.values() if not agent.retired)
        owners = [one for one in staff if (one.spec.site, one.spec.endpoint) == (site, endpoint)]
        # Whoever works at another's phone: that one is not there.
        return min(owners, key=lambda one: (one.duty is Duty.OFF, one.spec.id not in self.desks), default=None)

    def serving(self, queue: QueueName) -> int:
        """How many counselors who are logged in serve ``queue``, whatever they are doing."""
        return sum(queue in agent.spec.queues for agent in self.agents.values() if agent.duty is not Duty.OFF)

    def can_ring(self, agent: Agent) -> bool:
        """Whether he can be rung, as far as that is up to his phone."""
        return self._at_the_phone(agent) is AgentState.AVAILABLE

    def spec(self, agent_id: AgentId) -> AgentSpec | None:
        """The counselor by the rules of now, at the phone where he works, with the queues that were chosen for him."""
        spec, desk = self.rulebook.agents.get(agent_id), self.desks.get(agent_id)
        if spec is None:
            return None
        chosen = self.chosen.get(agent_id, ())
        queues = tuple(queue for queue in spec.queues if queue in chosen)
        if queues:
            spec = replace(spec, queues=queues)
        return replace(spec, site=desk[0], endpoint=desk[1], trunk=None) if desk is not None else spec

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
        self._acd.spare(agent)
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

    def remember_duty(self, agent_id: AgentId, duty: Duty, reason: str) -> None:
        """What was said of somebody whom the rules do not have now."""
        self._said[agent_id] = (duty, reason)

    def phones_seen(self, site: SiteName, phones: Mapping[str, PhoneSeen], as_of: datetime, at: datetime) -> None:
        """How some phones were at ``as_of``: who cannot be rung at his is not offered calls until he can.

        Who talked by himself begins to be idle anew; whose phone was away goes on being idle, so that a network that
        breaks down for a moment does not mix up who is next.
        """
        self.phones.take(site, phones, as_of)
        for agent in self.agents.values():
            if agent.state in _AT_THE_PHONE and agent.spec.site == site and agent.spec.endpoint in phones:
                seen = self.phones.of(agent.spec)
                agent.refuses = agent.refuses and seen.online and not seen.has_own_call
                talked = agent.state is AgentState.OWN_CALL
                if self._at_the_phone(agent) is not agent.state:
                    self._acd.spare(agent)
                    self._settle(agent, at, idle_since=at if talked else agent.idle_since)

    def release(self, leg: Leg, agent: Agent, result: OfferResult, at: datetime, out: Output) -> None:
        """The leg to his phone is no more: wrap-up, rest, or the next call."""
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

    def forget_leg(self, agent: Agent, at: datetime) -> None:
        """Nobody knows what became of the leg to his phone: he is judged by nothing."""
        agent.leg = None
        if agent.retired:
            self._dismiss(agent)
        else:
            self._settle(agent, at, agent.idle_since)

    def retired(self, agent_id: AgentId, site: SiteName, at: datetime) -> Agent:
        """Somebody whom the rules do not have, and who is to finish a call."""
        spec = AgentSpec(agent_id, agent_id, site, endpoint="", queues=(), tenant=TenantName(""))
        agent = Agent(spec, AgentState.AVAILABLE, since=at, idle_since=at, retired=True, changed=self.changed)
        self.agents[agent_id] = agent
        return agent

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

    def _respecify(self, agent: Agent, at: datetime) -> None:
        spec = self.spec(agent.spec.id)
        if spec is None:
            return
        self._acd.spare(agent)
        agent.spec = spec
        if agent.state in _AT_THE_PHONE:
            self._settle(agent, at, agent.idle_since)

    def _dismiss(self, agent: Agent) -> None:
        """The rules do not have the counselor any more; what was said of him holds if they ever have again."""
        del self.agents[agent.spec.id]
        self.remember_duty(agent.spec.id, agent.duty, agent.reason)

    def _hire(self, at: datetime) -> None:
        for agent_id in self.rulebook.agents:
            spec = self.spec(agent_id)
            if spec is not None and agent_id not in self.agents:
                agent = Agent(spec, AgentState.LOGGED_OUT, since=at, idle_since=at, changed=self.changed)
                self.agents[agent_id] = agent
                agent.duty, agent.reason = self._said.pop(agent_id, (Duty.ON, ""))
                agent.calls = self.fewest_calls(agent)
                self._settle(agent, at, idle_since=at)

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
            self._acd.offer_to(agent)

    def _at_the_phone(self, agent: Agent) -> AgentState:
        """Whether he can be rung, as far as that is up to his phone."""
        phone = self.phones.of(agent.spec)
        if not phone.online or not agent.spec.endpoint or agent.refuses:
            return AgentState.UNREACHABLE
        # A leg at another site, of which we may hear later, is as good as a call of his own.
        talks = phone.has_own_call or any(map(self._is_far, phone.channels))
        return AgentState.OWN_CALL if talks else AgentState.AVAILABLE


def wrap_up_s(agent: Agent, queue: QueueSpec) -> float:
    """How long a counselor is left in peace after a call of ``queue``, unless his own rule says otherwise."""
    return queue.wrap_up_s if agent.spec.wrap_up_s is None else agent.spec.wrap_up_s
