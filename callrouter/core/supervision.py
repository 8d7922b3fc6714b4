"""Supervisors hear a conversation, whisper to its counselor, or barge in.

The conversation's own bridge is never touched: an *ear* (Asterisk's snoop channel) at the counselor's leg hears both
sides and speaks to neither, one or both, and meets the supervisor's phone in a bridge of the two. So whatever becomes
of the supervisor, of his phone or of us, caller and counselor go on talking.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.agent import Agent
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.crossing import FarPhone
from callrouter.core.events import TimerKind
from callrouter.core.far_end import FarEnd
from callrouter.core.ids import AgentId, CallId, ChannelId, SiteName, SupervisorName
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.states import CallState
from callrouter.core.supervisors import (
    Hearing,
    HearingAnswer,
    HearingMode,
    HearingOrder,
    HearingVia,
    SupervisorSpec,
)
from callrouter.core.switches import one_line
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

RING_S: Final = 30.0
"""How long a supervisor's phone rings."""
TOLD_CONTEXT: Final = "callrouter-supervised"
"""The dialplan's context in which a phone hears why it is not let in, by the word for it."""
REFUSED: Final = "refused"
NOBODY: Final = "nobody"
"""The counselor talks to nobody."""
NOTHING: Final = "none"
"""What the audit log calls a call that he does not hear."""


class Supervision:
    """All that supervisors hear, for the :class:`~callrouter.core.conduct.Conduct` whose calls they are."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct
        self._at: dict[ChannelId, tuple[CallId, int]] = {}
        """Which call the supervisor's phone on a channel is at."""

    # Orders.

    def order(self, order: HearingOrder, at: datetime, out: Output) -> HearingAnswer:
        """Carry an order out, or say why not."""
        spec = self._spec(order.supervisor)
        if spec is None:
            there = ", ".join(sorted(self._conduct.floor.rulebook.supervisors)) or "none"
            name = one_line(order.supervisor)
            return HearingAnswer(False, False, f'there is no supervisor "{name}"; there are: {there}')
        call = self._conduct.find(order.call)
        if call is None:
            name = one_line(order.call)
            message = (
                f'there is no call, and no agent on a call, named "{name}"; callrouter status shows those that are'
            )
            return HearingAnswer(False, False, message)
        hearing = next((one for one in call.hearings.values() if one.supervisor == spec.name), None)
        if order.mode is None:
            return self._stop(call, hearing, spec, order, at, out)
        why = self._why_not(call, spec)
        if not why and hearing is None:
            why = self._why_out_of_reach(call, spec, at)
        if why:
            return HearingAnswer(False, False, why)
        if hearing is None:
            self._call_phone(call, spec, order, order.mode, at, out)
            message = f"the phone of {spec.name} rings, to {order.mode} to call {call.id}"
            return HearingAnswer(True, True, message)
        if hearing.wanted is order.mode:
            return HearingAnswer(True, False, f"{spec.name} has {order.mode} at call {call.id} already")
        hearing.who, hearing.via = one_line(order.who), order.via
        self.change(call, hearing, order.mode, out)
        return HearingAnswer(True, True, f"{spec.name} changes to {order.mode} at call {call.id}")

    def dialed(self, event: ev.CodeDialed, at: datetime, out: Output) -> bool:
        """A phone dialled the code and a counselor: let it hear him, or why not. False: it is another code."""
        if not self.is_code(event.code):
            return False
        agent = AgentId(event.code.removeprefix(self._conduct.floor.rulebook.supervision_code))
        spec = self._at_phone(event.site, event.endpoint)
        call = self._conduct.find(agent)
        call = call if call is not None and call.state is CallState.CONNECTED else None
        why = "" if spec is not None else "it is the phone of no supervisor"
        if spec is not None and call is not None:
            why = self._why_not(call, spec) or self._why_out_of_reach(call, spec, at)
        if spec is None or why:
            text = f"{event.endpoint} dialled {event.code}: {why}"
            out.notices.append(Notice(NoticeKind.SUPERVISION_REFUSED, call.id if call else None, text))
            self._tell(event, REFUSED, out)
        elif call is None:
            self._tell(event, NOBODY, out)
        else:
            self._let_in(call, spec, event, at, out)
        return True

    def is_code(self, dialed: str) -> bool:
        """Whether that is the code by which supervisors hear, with a counselor behind it."""
        code = self._conduct.floor.rulebook.supervision_code
        return bool(code) and dialed.startswith(code) and dialed != code

    def pressed(self, channel: ChannelId, digit: str, out: Output) -> bool:
        """A key was pressed at a supervisor's phone. False: it is the phone of none."""
        known = self.known(channel)
        if known is None:
            return False
        call, hearing = known
        mode = self._conduct.floor.rulebook.supervision_keys.get(digit)
        if mode is not None and mode is not hearing.wanted and hearing.entered:
            hearing.via = HearingVia.PHONE
            hearing.who = hearing.supervisor
            self.change(call, hearing, mode, out)
        return True

    # What Asterisk says.

    def entered(self, channel: ChannelId, at: datetime, out: Output) -> None:
        """The phone was answered, or an ear is there."""
        ear = naming.parse_ear(channel)
        if ear is not None:
            self._ear_entered(ear, channel, out)
            return
        known = self.known(channel)
        if known is None:
            self._hang_up_everywhere(channel, out)
        elif not known[1].entered:
            call, hearing = known
            hearing.entered = True
            self.change(call, hearing, hearing.wanted, out)

    def joined(self, event: ev.HearingJoined, at: datetime, out: Output) -> None:
        """The supervisor hears, in the mode that was wanted when his turn began."""
        call = self._conduct.calls.get(event.call)
        hearing = self._of_bridge(call, event.bridge) if call is not None else None
        if call is None or hearing is None:
            self._conduct.counters.unknown_channel += 1
            return
        was, before = hearing.mode, hearing.turn
        self._conduct.record(call, facts.Heard(at, hearing.number, hearing.wanted, hearing.turns), out)
        self._end_turns(call, hearing, range(max(1, before), hearing.turns), out)
        out.commands.append(cmd.CancelTimer((TimerKind.HEARING, hearing.channel)))
        self._note(call, hearing, was or NOTHING, hearing.wanted, at, out)

    def failed(self, event: ev.HearingFailed, at: datetime, out: Output) -> None:
        """Ear or bridge could not be made."""
        call = self._conduct.calls.get(event.call)
        for hearing in list(call.hearings.values()) if call is not None else ():
            names = (
                naming.ear(event.call, hearing.number, hearing.turns),
                naming.hearing(event.call, hearing.number, hearing.turns),
            )
            if call is not None and event.what in names:
                self.end(call, hearing, event.why, at, out)

    def left(self, channel: ChannelId, at: datetime, out: Output) -> bool:
        """The supervisor's phone has hung up, or was never answered. False: it is the phone of none."""
        known = self.known(channel)
        if known is None:
            return False
        call, hearing = known
        relay = self._conduct.floor.relays.of(channel)
        why = "the supervisor's phone hung up"
        if relay is not None and relay.incoming is None:
            why = f"the call to his phone did not get to the site {relay.site}"
        self.end(call, hearing, why, at, out, is_there=False)
        return True

    def overdue(self, channel: ChannelId, at: datetime, out: Output) -> None:
        """Nobody answered the phone, or Asterisk did not do what it was asked to."""
        known = self.known(channel)
        if known is not None:
            call, hearing = known
            why = "Asterisk did not connect him in time" if hearing.entered else "the supervisor did not answer"
            self.end(call, hearing, why, at, out)

    def end_all(self, call: Call, at: datetime, out: Output) -> None:
        """The conversation is over, and with it whoever hears it."""
        for hearing in list(call.hearings.values()):
            self.end(call, hearing, "the conversation is over", at, out)

    # After a silence.

    def take(self, call: Call) -> None:
        """Know again who hears a call of an earlier daemon."""
        for hearing in call.hearings.values():
            self._at[hearing.channel] = (call.id, hearing.number)
            is_called = naming.parse_supervisor_channel(hearing.channel) is not None
            hearing.recalled, hearing.in_doubt = True, call.in_doubt and is_called and not hearing.turn
            if hearing.far is not None:
                self._remember_far(call, hearing, hearing.far)

    def _remember_far(self, call: Call, hearing: Hearing, far: FarEnd) -> None:
        spec = self._spec(hearing.supervisor)
        phone = FarPhone(far.site, spec.endpoint if spec is not None else "", far.dialed, ring_s=RING_S)
        relay = self._conduct.crossing.remember(call, hearing.channel, far, phone, hearing.at)
        relay.rang = relay.answered = hearing.turn > 0

    def call_again(self, call: Call, hearing: Hearing, at: datetime, out: Output) -> None:
        """The earlier daemon may not have come to call the supervisor's phone: see to it, if he may hear it still."""
        self.end(call, hearing, "his phone may not have been called", at, out, is_there=False)
        order = HearingOrder(call.id, hearing.supervisor, hearing.wanted, hearing.who, hearing.via)
        self.order(order, at, out)

    # How it is done.

    def _why_not(self, call: Call, spec: SupervisorSpec) -> str:
        """Why a supervisor cannot hear a call; empty if he can."""
        offer = call.offer
        if call.state is not CallState.CONNECTED or offer is None:
            return f"call {call.id} is {call.state}: there is no conversation to hear"
        if offer.agent is None:
            return f"call {call.id} is talked to by {offer.destination}, who is no counselor of ours"
        if (spec.queues and call.queue not in spec.queues) or (spec.tenants and call.tenant not in spec.tenants):
            where = f"queue {call.queue}, tenant {call.tenant}"
            return f"{spec.name} may not hear call {call.id} ({where}): see queues: and tenants: under supervisors:"
        agent = self._conduct.floor.staff.agents.get(offer.agent)
        if agent is not None and (agent.spec.site, agent.spec.endpoint) == (spec.site, spec.endpoint):
            return f"{spec.name} talks in call {call.id} himself"
        return self._why_busy(call, spec)

    def _why_out_of_reach(self, call: Call, spec: SupervisorSpec, at: datetime) -> str:
        """Why the supervisor's phone cannot be reached from where the conversation is; empty if it can."""
        why = self._conduct.crossing.why_not(call, spec.site, at) if spec.site != call.site else ""
        where = f"the phone of {spec.name} is at the site {spec.site}, and call {call.id} at {call.site}"
        return f"{where}: {why}" if why else ""

    def _why_busy(self, call: Call, spec: SupervisorSpec) -> str:
        for other, hearing in self.everything():
            if hearing.supervisor == spec.name and other is not call:
                return f"{spec.name} hears call {other.id} already; end that first"
        return ""

    def _call_phone(
        self, call: Call, spec: SupervisorSpec, order: HearingOrder, mode: HearingMode, at: datetime, out: Output
    ) -> None:
        channel = naming.supervisor_channel(call.id, call.heard + 1)
        agent = self._agent_in(call)
        name = agent.spec.name if agent is not None else ""
        number = agent.spec.id if agent is not None else ""
        if spec.site != call.site:
            phone = FarPhone(spec.site, spec.endpoint, shows_name=name, shows_number=number, ring_s=RING_S)
            far = self._conduct.crossing.begin(call, channel, phone, at, out)
            self._begin(call, spec, channel, mode, one_line(order.who), order.via, at, out, far)
        else:
            self._begin(call, spec, channel, mode, one_line(order.who), order.via, at, out)
            out.commands.append(
                cmd.Originate(
                    call.site,
                    call.id,
                    channel,
                    spec.endpoint,
                    caller_name=name,
                    caller_number=number,
                    timeout_s=RING_S,
                    originator=call.channel,
                )
            )
        after_s = RING_S + self._conduct.floor.rulebook.limits.clearing_s
        out.commands.append(cmd.SetTimer((TimerKind.HEARING, channel), after_s))

    def _agent_in(self, call: Call) -> Agent | None:
        agent = call.offer.agent if call.offer is not None else None
        return self._conduct.floor.staff.agents.get(agent) if agent is not None else None

    def _let_in(self, call: Call, spec: SupervisorSpec, event: ev.CodeDialed, at: datetime, out: Output) -> None:
        """The phone that dialled the code is itself what the supervisor hears by."""
        earlier = next((one for one in call.hearings.values() if one.supervisor == spec.name), None)
        if earlier is not None:
            self.end(call, earlier, "the supervisor dialled anew", at, out)
        out.commands.append(cmd.Answer(event.site, call.id, event.channel))
        out.commands.append(cmd.SetDeadMan(event.site, call.id, event.channel, 0.0, playing=False))
        if spec.site != call.site:
            self._let_in_from_afar(call, spec, event, at, out)
            return
        hearing = self._begin(call, spec, event.channel, HearingMode.LISTEN, spec.name, HearingVia.PHONE, at, out)
        hearing.entered = True
        self.change(call, hearing, HearingMode.LISTEN, out)

    def _let_in_from_afar(
        self, call: Call, spec: SupervisorSpec, event: ev.CodeDialed, at: datetime, out: Output
    ) -> None:
        """The phone is at another site than the conversation: a leg from here leads there."""
        channel = naming.supervisor_channel(call.id, call.heard + 1)
        phone = FarPhone(spec.site, spec.endpoint, event.channel, ring_s=self._conduct.floor.rulebook.limits.connect_s)
        far = self._conduct.crossing.begin(call, channel, phone, at, out)
        self._begin(call, spec, channel, HearingMode.LISTEN, spec.name, HearingVia.PHONE, at, out, far)
        out.commands.append(cmd.SetTimer((TimerKind.HEARING, channel), 2 * phone.ring_s))

    def _begin(
        self,
        call: Call,
        spec: SupervisorSpec,
        channel: ChannelId,
        mode: HearingMode,
        who: str,
        via: HearingVia,
        at: datetime,
        out: Output,
        far: FarEnd | None = None,
    ) -> Hearing:
        number = call.heard + 1
        agent = (call.offer.agent if call.offer is not None else None) or AgentId("")
        begun = facts.HearingBegun(at, number, spec.name, agent, channel, mode, who, via, far)
        self._conduct.record(call, begun, out)
        self._at[channel] = (call.id, number)
        return call.hearings[number]

    def change(self, call: Call, hearing: Hearing, mode: HearingMode, out: Output) -> None:
        """Begin a turn: have an ear that does what ``mode`` asks for."""
        offer = call.offer
        if offer is None:
            raise ImpossibleEventError(f"call {call.id} is heard, and nobody talks in it")
        hearing.wanted = mode
        hearing.turns += 1
        ear = naming.ear(call.id, hearing.number, hearing.turns)
        out.commands.append(cmd.Snoop(call.site, call.id, offer.channel, ear, mode))
        limit_s = self._conduct.floor.rulebook.limits.connect_s
        out.commands.append(cmd.SetTimer((TimerKind.HEARING, hearing.channel), limit_s))

    def _ear_entered(self, ear: naming.EarName, channel: ChannelId, out: Output) -> None:
        hearing = self.of_ear(ear)
        if hearing is None or ear.turn != hearing.turns:
            self._hang_up_everywhere(channel, out)
        elif ear.turn != hearing.turn:
            call = self._conduct.calls[ear.call]
            bridge = naming.hearing(call.id, hearing.number, hearing.turns)
            out.commands.append(cmd.Hear(call.site, call.id, bridge, hearing.channel, channel))

    def _stop(
        self, call: Call, hearing: Hearing | None, spec: SupervisorSpec, order: HearingOrder, at: datetime, out: Output
    ) -> HearingAnswer:
        if hearing is None:
            return HearingAnswer(True, False, f"{spec.name} does not hear call {call.id}")
        hearing.who, hearing.via = one_line(order.who), order.via
        self.end(call, hearing, "it was ordered", at, out)
        return HearingAnswer(True, True, f"{spec.name} hears call {call.id} no longer")

    def end(self, call: Call, hearing: Hearing, why: str, at: datetime, out: Output, *, is_there: bool = True) -> None:
        """End it, whatever there is of it; ``is_there``: the supervisor's phone has still to be hung up."""
        self._conduct.record(call, facts.HearingEnded(at, hearing.number, why), out)
        self._at.pop(hearing.channel, None)
        out.commands.append(cmd.CancelTimer((TimerKind.HEARING, hearing.channel)))
        if is_there:
            out.commands.append(cmd.Hangup(call.site, call.id, hearing.channel, Cause.NORMAL_CLEARING))
        self._conduct.crossing.let_go(hearing.channel, out)
        self._end_turns(call, hearing, range(max(1, hearing.turn), hearing.turns + 1), out)
        self._note(call, hearing, hearing.mode or NOTHING, NOTHING, at, out, why)

    def _end_turns(self, call: Call, hearing: Hearing, turns: range, out: Output) -> None:
        for turn in turns:
            ear = naming.ear(call.id, hearing.number, turn)
            out.commands.append(cmd.Hangup(call.site, call.id, ear, Cause.NORMAL_CLEARING))
            bridge = naming.hearing(call.id, hearing.number, turn)
            out.commands.append(cmd.DestroyBridge(call.site, call.id, bridge))

    def _note(
        self, call: Call, hearing: Hearing, was: str, becomes: str, at: datetime, out: Output, why: str = ""
    ) -> None:
        """Have it kept who heard what: an entry for each mode, and one for the end; each says since when he hears."""
        text = f"{hearing.supervisor} at {hearing.agent}{f': {why}' if why else ''}"
        if was != becomes:
            entry = AuditEntry(
                at, hearing.who, AuditKind.SUPERVISION, call.id, was, becomes, hearing.via, hearing.since, None, text
            )
            out.audit.append(entry)
        text = f"{text}; {was}, now {becomes}; by {hearing.who}, via {hearing.via}"
        out.notices.append(Notice(NoticeKind.SUPERVISION, call.id, text))

    def _tell(self, event: ev.CodeDialed, word: str, out: Output) -> None:
        lane = CallId(event.channel)
        out.commands.append(cmd.ContinueInDialplan(event.site, lane, event.channel, TOLD_CONTEXT, word))

    def _hang_up_everywhere(self, channel: ChannelId, out: Output) -> None:
        self._conduct.counters.unknown_channel += 1
        ear = naming.parse_ear(channel)
        call_id = ear.call if ear is not None else naming.parse_supervisor_channel(channel)
        for site in self._conduct.floor.ways.sites:
            out.commands.append(cmd.Hangup(site, call_id or CallId(channel), channel, Cause.NORMAL_CLEARING))

    def everything(self) -> Iterator[tuple[Call, Hearing]]:
        """Each call that is heard, with each supervisor who hears it."""
        for call_id, number in self._at.values():
            call = self._conduct.calls[call_id]
            yield call, call.hearings[number]

    def known(self, channel: ChannelId) -> tuple[Call, Hearing] | None:
        """What the supervisor's phone on a channel is at; None if it is the phone of none."""
        place = self._at.get(channel)
        if place is None:
            return None
        call = self._conduct.calls[place[0]]
        return call, call.hearings[place[1]]

    def knows(self, channel: ChannelId) -> bool:
        """Whether a supervisor is at that channel, or at the far end of the leg that it stands for."""
        return self.known(channel) is not None or self._conduct.floor.relays.of_phone(channel) is not None

    def of_ear(self, ear: naming.EarName) -> Hearing | None:
        """The hearing that an ear is of, if it still has a use for it."""
        call = self._conduct.calls.get(ear.call)
        hearing = call.hearings.get(ear.number) if call is not None else None
        return hearing if hearing is not None and hearing.turn <= ear.turn <= hearing.turns else None

    def _of_bridge(self, call: Call, bridge: str) -> Hearing | None:
        found = (one for one in call.hearings.values() if naming.hearing(call.id, one.number, one.turns) == bridge)
        return next((one for one in found if one.turn != one.turns), None)

    def _spec(self, name: str) -> SupervisorSpec | None:
        supervisors = self._conduct.floor.rulebook.supervisors
        by_phone = (one for one in supervisors.values() if one.endpoint == name)
        return supervisors.get(SupervisorName(name)) or next(by_phone, None)

    def _at_phone(self, site: SiteName, endpoint: str) -> SupervisorSpec | None:
        supervisors = self._conduct.floor.rulebook.supervisors.values()
        return next((one for one in supervisors if (one.site, one.endpoint) == (site, endpoint)), None)
