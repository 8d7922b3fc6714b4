"""Who is at work: counselors log in and out, pause, and end their wrap-up, by order of a person or by the rules.

What a counselor is doing (a call, wrap-up) and what was said of him are two things. An order never touches a call in
progress: who is paused while he talks is left in peace when the wrap-up after it is over.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import assert_never

from callrouter.core import commands as cmd
from callrouter.core import wrap_up
from callrouter.core.agent import Agent, AgentState
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.duty import Duty, DutyAnswer, DutyOrder, DutyVerb, DutyVia
from callrouter.core.events import CodeDialed
from callrouter.core.floor import Floor
from callrouter.core.ids import AgentId, CallId, QueueName, SiteName
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.phones import is_watched
from callrouter.core.switchboard import ITSELF
from callrouter.core.switches import one_line

TOLD_CONTEXT = "callrouter-attended"
"""The dialplan's context in which a phone hears what became of the code that it dialled, by the word for it."""
_WORDS = {
    DutyVerb.LOGIN: "loggedin",
    DutyVerb.LOGOUT: "loggedout",
    DutyVerb.PAUSE: "paused",
    DutyVerb.READY: "ready",
}
"""What the phone hears: prompts ``agent-<word>``."""
NOBODY = "unknown"
MISSED = "missed-"
"""Before the word for who was paused for calls that he missed: he hears that first."""
LAMPS: Mapping[AgentState, cmd.Lamp] = {
    AgentState.AVAILABLE: cmd.Lamp.FREE,
    AgentState.RESERVED: cmd.Lamp.RINGING,
    AgentState.RINGING: cmd.Lamp.RINGING,
    AgentState.ON_CALL: cmd.Lamp.IN_USE,
    AgentState.OWN_CALL: cmd.Lamp.IN_USE,
    AgentState.WRAP_UP: cmd.Lamp.CLOSING,
    AgentState.RESTING: cmd.Lamp.CLOSING,
    AgentState.PAUSED: cmd.Lamp.HELD,
    AgentState.LOGGED_OUT: cmd.Lamp.OUT,
    AgentState.UNREACHABLE: cmd.Lamp.GONE,
}
"""What the lamp of a counselor shows. Asterisk has seven states to tell apart: what means the same to who looks, shares
one."""
_UNFINISHED = frozenset({AgentState.WRAP_UP, AgentState.RESTING})


class Attendance:
    """All counselors' duty. Methods write what is to be done into the ``Output`` they are given."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._shown: dict[AgentId, dict[SiteName, cmd.Lamp]] = {}
        """What each site was told last of each counselor."""

    def order(self, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        """Carry an order out, or say why not."""
        agent = self._floor.staff.agents.get(order.agent)
        if agent is None or agent.retired:
            return DutyAnswer(False, False, f'there is no agent "{one_line(order.agent)}"')
        match order.verb:
            case DutyVerb.LOGIN:
                return self._log_in(agent, order, at, out)
            case DutyVerb.LOGOUT:
                answer = self._enter(agent, Duty.OFF, order, at, out)
                self.sit(agent, None, one_line(order.who), at, out)
                return answer
            case DutyVerb.PAUSE if agent.duty is Duty.OFF:
                return DutyAnswer(False, False, f"agent {agent.spec.id} is logged out: there is nothing to pause")
            case DutyVerb.PAUSE:
                return self._enter(agent, Duty.PAUSED, order, at, out)
            case DutyVerb.READY:
                return self._get_ready(agent, order, at, out)
            case DutyVerb.SERVE:
                return self._serve(agent, order, at, out)
            case DutyVerb.WRAP_UP:
                return self._wrap_up(agent, order, at, out)
            case _:
                assert_never(order.verb)

    def dialed(self, event: CodeDialed, at: datetime, out: Output) -> bool:
        """A phone dialled a code: turn over what it stands for, and let it hear so. False: it is none of these."""
        codes = self._floor.rulebook.agent_codes
        is_topic = wrap_up.is_code(event.code, self._floor.rulebook.queues.values())
        if event.code not in codes.values() and not is_topic:
            return False
        agent = self._floor.staff.agent_at(event.site, event.endpoint)
        if agent is None:
            text = f"{event.endpoint} dialled {event.code}: it is the phone of no agent"
            out.notices.append(Notice(NoticeKind.AGENT_REFUSED, None, text))
            word = NOBODY
        elif is_topic:
            word = self._dialed_topic(agent, event, at, out)
        else:
            was_untold, agent.untold = agent.untold, False
            verb = _turned_over(agent, is_pause=event.code == codes.get(DutyVerb.PAUSE))
            self.order(DutyOrder(agent.spec.id, verb, agent.spec.id, DutyVia.PHONE), at, out)
            word = MISSED + _WORDS[verb] if was_untold else _WORDS[verb]
        lane = CallId(event.channel)
        out.commands.append(cmd.ContinueInDialplan(event.site, lane, event.channel, TOLD_CONTEXT, word))
        return True

    def pause_the_absent(self, at: datetime, out: Output) -> None:
        """Too many calls in a row were not answered: nobody seems to be there."""
        while self._floor.staff.absent:
            agent = self._floor.staff.absent.pop()
            reason = f"{agent.misses} calls in a row were not answered"
            self.order(DutyOrder(agent.spec.id, DutyVerb.PAUSE, ITSELF, DutyVia.MISSES, reason), at, out)
            agent.untold = agent.duty is Duty.PAUSED

    def restore(self, entries: Iterable[AuditEntry], out: Output) -> None:
        """Know again what was said of each counselor, from the newest entry of each; before the first event."""
        for entry in entries:
            agent_id = AgentId(entry.name)
            duty = next((duty for duty in Duty if duty == entry.becomes), Duty.ON)  # of a word we do not know, nothing
            agent = self._floor.staff.agents.get(agent_id)
            if agent is None:
                self._floor.staff.remember_duty(agent_id, duty, entry.note)
            elif duty is not Duty.ON:
                self._floor.staff.set_duty(agent, duty, entry.note, entry.at, out)

    def restore_desks(self, entries: Iterable[AuditEntry], at: datetime) -> None:
        """Know again who works at whose phone, from the newest entry of each; before what was said of them."""
        for entry in entries:
            site, _, endpoint = entry.becomes.partition(":")
            agent = self._floor.staff.agents.get(AgentId(entry.name))
            if endpoint and agent is not None:
                self._floor.staff.seat(agent, (SiteName(site), endpoint), at)
            elif endpoint:
                self._floor.staff.desks[AgentId(entry.name)] = (SiteName(site), endpoint)

    def restore_queues(self, entries: Iterable[AuditEntry], at: datetime) -> None:
        """Know again who takes calls of some of his queues alone, from the newest entry of each."""
        for entry in entries:
            chosen = tuple(map(QueueName, filter(None, entry.becomes.split(","))))
            agent = self._floor.staff.agents.get(AgentId(entry.name))
            if agent is not None:
                self._floor.staff.serve(agent, chosen, at)
            elif chosen:
                self._floor.staff.chosen[AgentId(entry.name)] = chosen

    def sit(self, agent: Agent, desk: tuple[SiteName, str] | None, who: str, at: datetime, out: Output) -> None:
        """Let a counselor work at another phone, or again at his own, and have that kept."""
        own = self._floor.rulebook.agents.get(agent.spec.id)
        if own is not None and desk == (own.site, own.endpoint):
            desk = None
        was = self._floor.staff.desks.get(agent.spec.id)
        if was == desk:
            return
        self._floor.staff.seat(agent, desk, at)
        words = [":".join(place) if place is not None else "" for place in (was, desk)]
        out.audit.append(AuditEntry(at, who, AuditKind.DESK, agent.spec.id, words[0], words[1], DutyVia.PHONE, at))
        text = f"{agent.spec.id} works at {words[1] or 'his own phone'} from now on"
        out.notices.append(Notice(NoticeKind.AGENT_DUTY, None, text))
        sites = {place[0] for place in (was, desk) if place is not None} | self._lit_at(agent)
        for site in sorted(sites & self._floor.ways.sites):
            self.watch(site, out)
        self._light(agent, out)

    def light_up(self, site: SiteName, out: Output) -> None:
        """Have every lamp of a site show what its counselor does, whatever the site has heard of it."""
        for agent in self._floor.staff.agents.values():
            was_shown = self._shown.get(agent.spec.id, {}).pop(site, None)
            if site in self._lit_at(agent):
                self._light(agent, out)
            elif was_shown is not None:  # he left while the site was away
                self._show(agent.spec.id, site, cmd.Lamp.GONE, out)

    def watch(self, site: SiteName, out: Output) -> None:
        """Have the site tell of its counselors' phones, and of its trunks."""
        staff = [agent.spec for agent in self._floor.staff.agents.values() if agent.spec.site == site]
        phones = {spec.endpoint for spec in staff if is_watched(spec)} | set(self._floor.trunks.endpoints(site))
        out.commands.append(cmd.WatchPhones(site, CallId("phones"), tuple(sorted(phones))))

    def show_changes(self, out: Output) -> None:
        """Have the lamps of those whose state has changed show so, once for all that one event has changed."""
        if self._floor.staff.changed:
            changed = {agent.spec.id: agent for agent in self._floor.staff.changed}
            self._floor.staff.changed.clear()
            for agent in changed.values():
                self._light(agent, out)

    def _log_in(self, agent: Agent, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        if agent.duty is not Duty.OFF:
            return DutyAnswer(True, False, f"agent {agent.spec.id} is logged in already")
        if not agent.spec.endpoint:
            message = (
                f"agent {agent.spec.id} has no phone of his own; he logs in at the one where he sits, with his PIN"
            )
            return DutyAnswer(False, False, message)
        there = self._floor.staff.agent_at(agent.spec.site, agent.spec.endpoint)
        if there is not None and there is not agent and there.duty is not Duty.OFF:
            message = f"agent {there.spec.id} works at the phone of {agent.spec.id}; log that one out first"
            return DutyAnswer(False, False, message)
        return self._enter(agent, Duty.ON, order, at, out)

    def _get_ready(self, agent: Agent, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        if agent.duty is Duty.OFF:
            return DutyAnswer(False, False, f"agent {agent.spec.id} is logged out; log in first")
        if (was := agent.state) in _UNFINISHED:
            self._floor.staff.end_rest(agent, at, out)
            if agent.duty is Duty.ON:
                self._note(agent, was, order, at, out)
                return DutyAnswer(True, True, f"agent {agent.spec.id} is available")
        return self._enter(agent, Duty.ON, order, at, out)

    def _serve(self, agent: Agent, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        own = self._floor.rulebook.agents[agent.spec.id].queues
        strange = [queue for queue in order.queues if queue not in own]
        if strange:
            there = ", ".join(own)
            message = f'agent {agent.spec.id} does not serve "{one_line(strange[0])}" by the rules; there are: {there}'
            return DutyAnswer(False, False, message)
        chosen = tuple(queue for queue in own if queue in order.queues)
        chosen = chosen if chosen != own else ()
        was = self._floor.staff.chosen.get(agent.spec.id, ())
        serves = f"agent {agent.spec.id} serves {', '.join(chosen or own)}"
        if was == chosen:
            return DutyAnswer(True, False, f"{serves} already")
        self._floor.staff.serve(agent, chosen, at)
        who, words, note = one_line(order.who), [",".join(queues) for queues in (was, chosen)], one_line(order.reason)
        entry = AuditEntry(at, who, AuditKind.QUEUES, agent.spec.id, words[0], words[1], order.via, at, None, note)
        out.audit.append(entry)
        out.notices.append(Notice(NoticeKind.AGENT_DUTY, None, f"{serves}; by {who}, via {order.via}"))
        return DutyAnswer(True, True, serves)

    def _wrap_up(self, agent: Agent, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        answer = wrap_up.say(agent, self._floor.rulebook, order, at, out)
        if answer.ok and wrap_up.ends_wrap_up(agent, self._floor.rulebook):
            self._floor.staff.end_rest(agent, at, out)
        return answer

    def _dialed_topic(self, agent: Agent, event: CodeDialed, at: datetime, out: Output) -> str:
        order = DutyOrder(agent.spec.id, DutyVerb.WRAP_UP, agent.spec.id, DutyVia.PHONE, about=event.code)
        answer = self.order(order, at, out)
        if answer.ok:
            return wrap_up.NOTED
        text = f"{event.endpoint} dialled {event.code}: {answer.message}"
        out.notices.append(Notice(NoticeKind.AGENT_REFUSED, None, text))
        return wrap_up.TOO_LATE

    def _enter(self, agent: Agent, duty: Duty, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        was, reason = agent.duty, one_line(order.reason)
        if (was, agent.reason) == (duty, reason):
            return DutyAnswer(True, False, f"agent {agent.spec.id} is {_word(agent)} already")
        if order.via is DutyVia.PHONE or order.who == agent.spec.id:
            agent.untold = False
        self._floor.staff.set_duty(agent, duty, reason, at, out)
        self._note(agent, was, order, at, out)
        later = ", when this call is over" if agent.leg is not None and duty is not Duty.ON else ""
        return DutyAnswer(True, True, f"agent {agent.spec.id} is {_word(agent)}{later}")

    def _note(self, agent: Agent, was: Duty | AgentState, order: DutyOrder, at: datetime, out: Output) -> None:
        """Have it kept who said what of a counselor."""
        who = one_line(order.who)
        out.audit.append(
            AuditEntry(
                at,
                who,
                AuditKind.AGENT,
                agent.spec.id,
                was,
                agent.duty,
                order.via,
                at,
                note=agent.reason,
                queues=agent.spec.queues,
            )
        )
        why = f" ({agent.reason})" if agent.reason else ""
        text = f"{agent.spec.id}: {was}, now {agent.duty}; by {who}, via {order.via}{why}"
        out.notices.append(Notice(NoticeKind.AGENT_DUTY, None, text))

    def _light(self, agent: Agent, out: Output) -> None:
        """Where it is looked at, if it does not show that already; where he worked until now, it goes out."""
        lit_at = self._lit_at(agent)
        for site in sorted(lit_at | self._shown.get(agent.spec.id, {}).keys()):
            self._show(agent.spec.id, site, LAMPS[agent.state] if site in lit_at else cmd.Lamp.GONE, out)

    def _lit_at(self, agent: Agent) -> set[SiteName]:
        """The counselor's own site, where his colleagues are, and the one where he works."""
        own = self._floor.rulebook.agents.get(agent.spec.id)
        return {agent.spec.site, own.site if own is not None else agent.spec.site}

    def _show(self, agent: AgentId, site: SiteName, lamp: cmd.Lamp, out: Output) -> None:
        shown = self._shown.setdefault(agent, {})
        if site in self._floor.ways.sites and shown.get(site) is not lamp:
            shown[site] = lamp
            device, lane = f"Stasis:callrouter-agent-{agent}", CallId(f"agent-{agent}")
            out.commands.append(cmd.SetLamp(site, lane, device, lamp))


def _turned_over(agent: Agent, *, is_pause: bool) -> DutyVerb:
    """What a code means now: each turns over what it stands for. Who pauses while logged out comes to work."""
    if agent.duty is Duty.OFF:
        return DutyVerb.LOGIN
    if not is_pause:
        return DutyVerb.LOGOUT
    return DutyVerb.READY if agent.duty is Duty.PAUSED or agent.state in _UNFINISHED else DutyVerb.PAUSE


def _word(agent: Agent) -> str:
    return "available" if agent.duty is Duty.ON else str(agent.duty).replace("-", " ")
