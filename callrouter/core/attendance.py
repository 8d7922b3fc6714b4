"""Who is at work: counselors log in and out, pause, and end their wrap-up, by order of a person or by the rules.

What a counselor is doing (a call, wrap-up) and what was said of him are two things. An order never touches a call in
progress: who is paused while he talks is left in peace when the wrap-up after it is over.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from callrouter.core import commands as cmd
from callrouter.core import wrap_up
from callrouter.core.agent import Agent, AgentState
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.duty import Duty, DutyAnswer, DutyOrder, DutyVerb, DutyVia
from callrouter.core.events import CodeDialed
from callrouter.core.floor import Floor
from callrouter.core.ids import AgentId, CallId, SiteName
from callrouter.core.output import Notice, NoticeKind, Output
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
_UNFINISHED = frozenset({AgentState.WRAP_UP, AgentState.RESTING})


class Attendance:
    """All counselors' duty. Methods write what is to be done into the ``Output`` they are given."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def order(self, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        """Carry an order out, or say why not."""
        agent = self._floor.agents.get(order.agent)
        if agent is None or agent.retired:
            return DutyAnswer(False, False, f'there is no agent "{one_line(order.agent)}"')
        match order.verb:
            case DutyVerb.LOGIN:
                return self._log_in(agent, order, at, out)
            case DutyVerb.LOGOUT:
                return self._enter(agent, Duty.OFF, order, at, out)
            case DutyVerb.PAUSE if agent.duty is Duty.OFF:
                return DutyAnswer(False, False, f"agent {agent.spec.id} is logged out: there is nothing to pause")
            case DutyVerb.PAUSE:
                return self._enter(agent, Duty.PAUSED, order, at, out)
            case DutyVerb.READY:
                return self._get_ready(agent, order, at, out)
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
        agent = self._floor.agent_at(event.site, event.endpoint)
        if agent is None:
            text = f"{event.endpoint} dialled {event.code}: it is the phone of no agent"
            out.notices.append(Notice(NoticeKind.AGENT_REFUSED, None, text))
            word = NOBODY
        elif is_topic:
            word = self._dialed_topic(agent, event, at, out)
        else:
            verb = _turned_over(agent, is_pause=event.code == codes.get(DutyVerb.PAUSE))
            self.order(DutyOrder(agent.spec.id, verb, agent.spec.id, DutyVia.PHONE), at, out)
            word = _WORDS[verb]
        lane = CallId(event.channel)
        out.commands.append(cmd.ContinueInDialplan(event.site, lane, event.channel, TOLD_CONTEXT, word))
        return True

    def pause_the_absent(self, at: datetime, out: Output) -> None:
        """Too many calls in a row were not answered: nobody seems to be there."""
        while self._floor.absent:
            agent = self._floor.absent.pop()
            reason = f"{agent.misses} calls in a row were not answered"
            self.order(DutyOrder(agent.spec.id, DutyVerb.PAUSE, ITSELF, DutyVia.MISSES, reason), at, out)

    def restore(self, entries: Iterable[AuditEntry], out: Output) -> None:
        """Know again what was said of each counselor, from the newest entry of each; before the first event."""
        for entry in entries:
            agent_id = AgentId(entry.name)
            duty = next((duty for duty in Duty if duty == entry.becomes), Duty.ON)  # of a word we do not know, nothing
            agent = self._floor.agents.get(agent_id)
            if agent is None:
                self._floor.remember_duty(agent_id, duty, entry.note)
            elif duty is not Duty.ON:
                self._floor.set_duty(agent, duty, entry.note, entry.at, out)

    def light_up(self, site: SiteName, out: Output) -> None:
        """Have every lamp of a site stand as its counselor's duty does, whatever the site has heard of it."""
        for agent in self._floor.agents.values():
            if agent.spec.site == site:
                self._light(agent, out)

    def _log_in(self, agent: Agent, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        if agent.duty is not Duty.OFF:
            return DutyAnswer(True, False, f"agent {agent.spec.id} is logged in already")
        return self._enter(agent, Duty.ON, order, at, out)

    def _get_ready(self, agent: Agent, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        if agent.duty is Duty.OFF:
            return DutyAnswer(False, False, f"agent {agent.spec.id} is logged out; log in first")
        if agent.state in _UNFINISHED:
            self._floor.end_rest(agent, at, out)
            if agent.duty is Duty.ON:
                return DutyAnswer(True, True, f"agent {agent.spec.id} is available")
        return self._enter(agent, Duty.ON, order, at, out)

    def _wrap_up(self, agent: Agent, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
        answer = wrap_up.say(agent, self._floor.rulebook, order, at, out)
        if answer.ok and wrap_up.ends_wrap_up(agent, self._floor.rulebook):
            self._floor.end_rest(agent, at, out)
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
        self._floor.set_duty(agent, duty, reason, at, out)
        self._note(agent, was, order, at, out)
        self._light(agent, out)
        later = ", when this call is over" if agent.leg is not None and duty is not Duty.ON else ""
        return DutyAnswer(True, True, f"agent {agent.spec.id} is {_word(agent)}{later}")

    def _note(self, agent: Agent, was: Duty, order: DutyOrder, at: datetime, out: Output) -> None:
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
        """Lit, at the counselor's own site, while he takes no calls by his own or somebody's word."""
        if agent.spec.site in self._floor.sites:
            device, lane = f"Stasis:callrouter-agent-{agent.spec.id}", CallId(f"agent-{agent.spec.id}")
            out.commands.append(cmd.SetLamp(agent.spec.site, lane, device, agent.duty is not Duty.ON))


def _turned_over(agent: Agent, *, is_pause: bool) -> DutyVerb:
    """What a code means now: each turns over what it stands for. Who pauses while logged out comes to work."""
    if agent.duty is Duty.OFF:
        return DutyVerb.LOGIN
    if not is_pause:
        return DutyVerb.LOGOUT
    return DutyVerb.READY if agent.duty is Duty.PAUSED or agent.state in _UNFINISHED else DutyVerb.PAUSE


def _word(agent: Agent) -> str:
    return "available" if agent.duty is Duty.ON else str(agent.duty).replace("-", " ")
