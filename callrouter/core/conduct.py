"""What is done with a call when something happens to it: the actions that the table of states names.

Each action records facts, which move the call, and gives commands. None reads anything but the call and the floor.
Here is what concerns a call as a whole; its plan, its waiting, its offers and its menus have modules of their own.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.asking import Asking
from callrouter.core.attendance import Attendance
from callrouter.core.briefing import Briefing
from callrouter.core.call import Call
from callrouter.core.callback import Callbacks
from callrouter.core.calling_back import CallingBack
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.comforting import Comforting
from callrouter.core.conversing import Conversing
from callrouter.core.crossing import Crossing
from callrouter.core.cue import Cue
from callrouter.core.desks import Desks
from callrouter.core.dialing import Dialing
from callrouter.core.dictating import Dictating
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.floor import Floor
from callrouter.core.fold import fold
from callrouter.core.following import Following
from callrouter.core.ids import AgentId, CallId, ChannelId, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.keypad import Keypad
from callrouter.core.metering import Metering
from callrouter.core.offering import Offering
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.parties import Parties
from callrouter.core.recording import Recording
from callrouter.core.ring_all import RingAll
from callrouter.core.rulebook import Rulebook
from callrouter.core.second_lines import SecondLines
from callrouter.core.states import CallState, Transition
from callrouter.core.stats import Counters
from callrouter.core.supervision import Supervision
from callrouter.core.switchboard import Switchboard
from callrouter.core.talk_length import TalkLength
from callrouter.core.taping import Taping
from callrouter.core.waiting import Waiting
from callrouter.errors import ImpossibleEventError

FALLBACK_EXTENSION = "s"

_TELLS_OF_A_PHONE = facts.Rang | facts.Relayed
"""Facts from which nothing follows for what is heard."""
_ENDS_TALK = facts.OfferClosed | facts.PassedOn | facts.Redirected | facts.Released
"""The conversation with the counselor is over, whatever becomes of the caller: nobody hears more of it."""
_ENDS_GREETING = facts.OfferClosed | facts.NotReached
"""The counselor or the resident is gone before the two could speak."""
_MOVES_TALK = facts.Connected | facts.PassedOn | facts.Held | facts.Resumed | facts.JoinedIn | facts.InviteClosed
"""Others take part in a conversation, or it is another one."""


_PLAYING = frozenset(
    {CallState.ANNOUNCING, CallState.ASKING, CallState.DICTATING, CallState.RECORDING, CallState.GREETING}
)

AT_ONCE_S: Final = 1.0
"""So soon the dead man's switch is to take a caller to the fallback who could not be sent there."""
_SENT_ON = (ReleaseReason.HANDED_OVER, ReleaseReason.NOT_TAKEN, ReleaseReason.DEFECT)
"""Why a caller goes on in the dialplan, unless another cause than normal clearing hung him up."""


def _released(call: Call) -> facts.Released:
    return next(fact for fact in reversed(call.history) if isinstance(fact, facts.Released))


class _Action(Protocol):
    def __call__(self, call: Call, cue: Cue, at: datetime, out: Output) -> None: ...


class Conduct:
    """The calls in progress, and what is done with them."""

    def __init__(self, rulebook: Rulebook, at: datetime) -> None:
        self.floor = Floor(rulebook, at)
        self.counters = Counters()
        self.calls: dict[CallId, Call] = {}
        self._by_channel: dict[ChannelId, CallId] = {}
        self._gone: dict[ChannelId, datetime] = {}
        self.unheard: dict[ChannelId, tuple[CallId, SiteName]] = {}
        """Callers whose site did not hear that they were hung up."""
        self.switchboard = Switchboard(self.floor)
        self.attendance = Attendance(self.floor)
        self.desks = Desks(self.floor, self.attendance)
        self.following = Following(self)
        self.asking = Asking(self)
        self.recording = Recording(self)
        self.callbacks = Callbacks(self)
        self.waiting = Waiting(self, rulebook)
        self.comforting = Comforting(self)
        self.offering = Offering(self)
        self.briefing = Briefing(self)
        self.dialing = Dialing(self)
        self.ring_all = RingAll(self)
        self.crossing = Crossing(self.floor)
        self.supervision = Supervision(self)
        self.parties = Parties(self)
        self.length = TalkLength(self)
        self.taping = Taping(self)
        self.conversing = Conversing(self)
        self.lines = SecondLines(self)
        self.keypad = Keypad(self)
        self.calling_back = CallingBack(self)
        self.dictating = Dictating(self)
        self.metering = Metering(self.floor)
        self._actions: Mapping[str, _Action] = {
            "begin": self.following.begin,
            "end_announcement": self.following.end_announcement,
            "await_digit": self.asking.await_digit,
            "take_digit": self.asking.take_digit,
            "miss_digit": self.asking.miss_digit,
            "begin_recording": self.recording.begin,
            "note_key": self.recording.note_key,
            "recording_over": self.recording.over,
            "recording_failed": self.recording.over,
            "recording_due": self.recording.due,
            "caller_left_message": self.recording.caller_left,
            "close_recording": self.recording.close,
            "leave_queue": self.waiting.leave_queue,
            "relax": self.waiting.relax,
            "remember_wait_over": self.waiting.remember_wait_over,
            "offer": self.offering.offer,
            "leg_rang": self.offering.leg_rang,
            "take_answer": self.offering.take_answer,
            "take_key": self.dialing.take_key,
            "ask_for_key_again": self.dialing.ask_for_key_again,
            "end_briefing": self.briefing.over,
            "offer_failed": self.offering.offer_failed,
            "ring_over": self.offering.ring_over,
            "connected": self.offering.connected,
            "connect_failed": self.offering.connect_failed,
            "counselor_left": self.conversing.counselor_left,
            "key_of_counselor": self.keypad.pressed,
            "length_due": self.length.due,
            "forget_keys": self.keypad.forget,
            "held_by_phone": self.conversing.held_by_phone,
            "resumed_by_phone": self.conversing.resumed_by_phone,
            "invited_rang": self.conversing.invited_rang,
            "invited_answered": self.conversing.invited_answered,
            "invited_ended": self.conversing.invited_ended,
            "invited_over": self.conversing.invited_over,
            "not_joined": self.conversing.not_joined,
            "caller_left": self.caller_left,
            "renew_dead_man": self._renew_dead_man,
            "comfort": self.comforting.due,
            "end_comfort": self.comforting.over,
            "take_key_of_queue": self.waiting.take_key,
            "remember_key": self.waiting.remember_key,
            "leave_unstaffed": self.waiting.leave_unstaffed,
            "offer_also": self.ring_all.offer_also,
            "other_rang": self.ring_all.other_rang,
            "other_answered": self.ring_all.other_answered,
            "other_ended": self.ring_all.other_ended,
            "other_uncertain": self.ring_all.other_uncertain,
            "dictation_over": self.dictating.over,
            "take_digit_of_number": self.dictating.take_digit,
            "miss_digit_of_number": self.dictating.miss,
            "caller_left_dictation": self.dictating.caller_left,
            "callback_due": self.calling_back.due,
            "counselor_gone": self.calling_back.counselor_gone,
            "resident_rang": self.calling_back.resident_rang,
            "resident_answered": self.calling_back.resident_answered,
            "resident_ended": self.calling_back.resident_ended,
            "resident_over": self.calling_back.resident_over,
            "resident_left": self.calling_back.resident_left,
            "end_greeting": self.calling_back.end_greeting,
            "finish": self.finish,
            "insist": self._insist,
        }

    def call_of(self, channel: ChannelId) -> Call | None:
        """The call in progress whose caller is on ``channel``."""
        call_id = self._by_channel.get(channel)
        return self.calls[call_id] if call_id is not None else None

    def find(self, subject: str) -> Call | None:
        """The call that people mean: by its id, or by the counselor whose phone is called for it or who talks in it."""
        call = self.calls.get(CallId(subject))
        if call is not None:
            return call
        agent = self.floor.staff.agents.get(AgentId(subject))
        leg = self.floor.legs.get(agent.leg) if agent is not None and agent.leg is not None else None
        return self.calls.get(leg.call) if leg is not None else None

    def has_left(self, channel: ChannelId) -> bool:
        """Whether a caller on ``channel`` has left not long ago."""
        return channel in self._gone

    def let_return(self, channel: ChannelId) -> None:
        """It was not Asterisk who said that the caller left: if he is there after all, he is taken anew."""
        self._gone.pop(channel, None)

    def forget_left(self, before: datetime) -> None:
        """Forget the channels of callers who left before ``before``."""
        self._gone = {channel: at for channel, at in self._gone.items() if at >= before}

    def replace(self, rulebook: Rulebook, at: datetime, out: Output) -> None:
        """Go on by new rules; calls in progress keep what they have."""
        self.waiting.replace(rulebook, at, out)
        self.floor.replace(rulebook, at)
        for call in self.calls.values():  # what they came in by may be a trunk group's now
            self.hold_arrival(call, at)
        self.switchboard.replace(at, out)
        self.calling_back.replace(at, out)
        for site in sorted(self.floor.ways.sites):
            self.attendance.light_up(site, out)
            self.attendance.watch(site, out)

    def open(
        self,
        call_id: CallId,
        channel: ChannelId,
        arrival: CallFacts,
        at: datetime,
        out: Output,
        request: facts.Request | None = None,
        *,
        came_at: datetime | None = None,
    ) -> Call:
        """A caller has come in, or (for a ``request``) is to be called back. ``came_at``: already then."""
        trunk = self.floor.trunks.group_at(arrival.site, arrival.trunk) if request is None else None
        opened = facts.Opened(came_at or at, call_id, arrival.site, channel, arrival, request, trunk)
        call = Call.open(opened)
        self.calls[call_id] = call
        self._by_channel[channel] = call_id
        self.hold_arrival(call, at)
        self.counters.arrived += request is None
        out.facts.append((call_id, opened))
        return call

    def take(self, call: Call) -> bool:
        """Go on with a call that is remembered; False if its caller or its id is known already."""
        if call.id in self.calls or call.channel in self._by_channel:
            return False
        self.calls[call.id] = call
        call.guarded = True  # by the earlier daemon, whose sounds may be playing
        self.counters.taken_up += 1
        self._by_channel[call.channel] = call.id
        self.hold_arrival(call, call.opened_at)
        for offer in call.phones:
            self.floor.remember_relay(call, offer, self.waiting.rules_for(call).ring_timeout_s)
        self.waiting.take(call)
        self.calling_back.take(call)
        self.supervision.take(call)
        self.lines.take(call)
        self.metering.recall(call.history)
        return True

    def put_aside(self, call: Call, remembered: Call) -> None:
        """Go on with a call as a daemon would that comes after: its site is away for long."""
        del self.calls[call.id]
        del self._by_channel[call.channel]
        self.crossing.give_back(call)
        self.take(remembered)
        self.counters.taken_up -= 1
        self.floor.trunks.left(call.channel)

    def hold_arrival(self, call: Call, at: datetime) -> None:
        """A caller holds a channel of the trunk group by which he came in; who is called back came in by none."""
        if call.request is None:
            self.floor.trunks.arrived(call.site, call.arrival.trunk, call.channel, call.tenant, at)

    def act(self, transition: Transition, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Carry out a transition of the table.

        Raises:
            ImpossibleEventError: it led where the table does not allow: a defect of this module.
        """
        self._actions[transition.action](call, cue, at, out)
        if call.state not in transition.to:
            raise ImpossibleEventError(f"{transition.action} left call {call.id} in state {call.state}")

    def give_up(self, call: Call, why: str, at: datetime, out: Output) -> None:
        """Something that cannot be has happened: a person, not silence. People who talk are left alone."""
        out.notices.append(Notice(NoticeKind.IMPOSSIBLE_EVENT, call.id, why))
        self.waiting.leave_line(call)
        if call.state in (CallState.CONNECTED, CallState.CLEARING, CallState.ENDED):
            return
        self.offering.drop(call, OfferResult.FAILED, at, out)
        self.floor.bridges.leave(call.id, call.channel, out)
        for leg in self.floor.legs_of(call.id):
            if leg.result is None:  # taken for an offer that never came to be
                self.floor.let_go(leg, OfferResult.FAILED, at, out)
        self.hand_over(call, ReleaseReason.DEFECT, at, out)

    def hand_over(self, call: Call, reason: ReleaseReason, at: datetime, out: Output) -> None:
        """Send the caller to the dialplan's fallback."""
        context = self.floor.rulebook.fallback_context
        self.continue_at(call, context, FALLBACK_EXTENSION, reason, at, out)

    def send_on_namesake(self, event: ev.CallArrived, known: Call, out: Output) -> None:
        """A caller cannot be told from one at another site: he goes to the fallback, and is no call of ours."""
        site = event.facts.site
        text = f"channel {event.channel} at {site} has the id of one at {known.site}: see systemname in asterisk.conf"
        out.notices.append(Notice(NoticeKind.NAMESAKE, known.id, text))
        context = self.floor.rulebook.fallback_context
        out.commands.append(cmd.ContinueInDialplan(site, event.call, event.channel, context, FALLBACK_EXTENSION))

    def record(self, call: Call, fact: facts.Fact, out: Output) -> None:
        """Let a fact be true of the call, and have it kept."""
        if isinstance(fact, _ENDS_TALK):
            if call.hearings:
                self.supervision.end_all(call, fact.at, out)
            self.taping.end_with(call, fact, out)
        if call.taped.notice is not None and isinstance(fact, _ENDS_GREETING) and call.state is CallState.GREETING:
            self.taping.break_off(call, fact.at, out)
        goes_on = isinstance(fact, facts.InviteClosed) and fact.goes_on
        if call.line is not None and isinstance(fact, _ENDS_TALK | facts.InviteClosed) and not goes_on:
            self.lines.let_go(call, call.line, fact, out)
        tenant, call.in_doubt = call.tenant, call.in_doubt and isinstance(fact, _TELLS_OF_A_PHONE)
        call.apply(fact)
        if call.tenant != tenant:
            self.floor.trunks.assign(call.channel, call.tenant, fact.at)
        out.facts.append((call.id, fact))
        self.metering.note(call, fact, out)
        if isinstance(fact, _MOVES_TALK):
            self.taping.follow(call, fact.at, out)

    def record_moved(self, call: Call, fact: facts.Fact, out: Output) -> None:
        """As :meth:`record`, for a fact that changes who is at the other end of the call."""
        del self._by_channel[call.channel]
        self.record(call, fact, out)
        self._by_channel[call.channel] = call.id

    def set_timer(self, call: Call, kind: TimerKind, after_s: float, out: Output) -> None:
        """Set or replace a timer of the call."""
        call.timers.add(kind)
        out.commands.append(cmd.SetTimer((kind, call.id), after_s))

    def cancel_timer(self, call: Call, kind: TimerKind, out: Output) -> None:
        """Cancel a timer of the call, if it is set."""
        if kind in call.timers:
            call.timers.remove(kind)
            out.commands.append(cmd.CancelTimer((kind, call.id)))

    def guard(
        self, call: Call, at: datetime, out: Output, *, playing: bool | None = None, before_s: float = 0.0
    ) -> None:
        """Renew the dead man's switch, and see to it that it is renewed again in time.

        ``playing``: whether an announcement plays; left out: as the call's state has it. ``before_s``: how long one
        may last that comes next, behind which the switch cannot be renewed.
        """
        if playing is None:
            plays = call.state in _PLAYING or call.comforting
            playing = call.guarded and plays
        self._set_dead_man(call, before_s, out, playing=playing)

    def shorten_dead_man(self, call: Call, out: Output) -> None:
        """The announcement for which the switch was set longer is over."""
        if call.long_switch:
            self._set_dead_man(call, 0.0, out, playing=False)

    def _set_dead_man(self, call: Call, before_s: float, out: Output, *, playing: bool) -> None:
        if call.is_absent:
            return
        after_s = self.floor.rulebook.limits.dead_man_s + before_s
        call.guarded, call.long_switch = True, before_s > 0
        out.commands.append(cmd.SetDeadMan(call.site, call.id, call.channel, after_s, playing))
        self.set_timer(call, TimerKind.DEAD_MAN, after_s / 2, out)

    def reset_dead_man(self, call: Call, at: datetime, out: Output) -> None:
        """Let the switch stand as the call's state wants it, whatever Asterisk has heard of it."""
        match call.state:
            case CallState.CONNECTED:
                self.lift_dead_man(call, out)
            case CallState.RECORDING if call.recording is not None:
                if not call.in_doubt:  # the switch was set for as long as it may last
                    self.recording.ask(call, call.recording, out)
            case CallState.CLEARING | CallState.ENDED:
                pass
            case _:
                self.guard(call, at, out)

    def lift_dead_man(self, call: Call, out: Output) -> None:
        """Let the caller stay for as long as he likes."""
        self.cancel_timer(call, TimerKind.DEAD_MAN, out)
        call.guarded, call.long_switch = True, False
        out.commands.append(cmd.SetDeadMan(call.site, call.id, call.channel, 0.0, playing=False))

    def caller_left(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller hung up: at any time before we hung up ourselves."""
        self._note_leaving(call, cue, at, out)
        self.finish(call, cue, at, out)

    def caller_left_behind(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller hung up, and something is still to be heard of before the call is over."""
        self._note_leaving(call, cue, at, out)
        self._await_leaving(call, out)

    def _note_leaving(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        talked = call.state is CallState.CONNECTED
        self.waiting.leave_line(call)
        self.parties.let_go_of_invited(call, at, out)
        self.offering.drop(call, OfferResult.ANSWERED if talked else OfferResult.CALLER_GONE, at, out, cue.cause)
        reason = ReleaseReason.VANISHED if cue.estimated else ReleaseReason.CALLER_HUNG_UP
        if cue.to_dialplan:
            reason = ReleaseReason.TAKEN_AWAY
        self.record(call, facts.Released(at, reason, cue.cause, cue.estimated), out)

    def _renew_dead_man(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        self.guard(call, at, out)

    def _insist(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller's channel has not left although we let it go."""
        if call.insisted:
            out.notices.append(Notice(NoticeKind.WRITTEN_OFF, call.id, f"channel {call.channel} never ended"))
            self.finish(call, cue, at, out)
            self._remember_unheard(call)
            return
        call.insisted = True
        self._say_again(call, out)
        self.set_timer(call, TimerKind.CLEARING, self.floor.rulebook.limits.clearing_s, out)

    def _say_again(self, call: Call, out: Output) -> None:
        """What was to become of the caller. Who was to go on in the dialplan must not be hung up on for it."""
        released = _released(call)
        if released.reason is ReleaseReason.TAKEN_AWAY:
            return  # he is there
        if released.reason in _SENT_ON and released.cause == Cause.NORMAL_CLEARING:
            context = self.floor.rulebook.fallback_context
            where = (call.site, call.id, call.channel)
            out.commands.append(cmd.ContinueInDialplan(*where, context, FALLBACK_EXTENSION))
            # And should that fail again, his own switch takes him there.
            out.commands.append(cmd.SetDeadMan(*where, AT_ONCE_S, playing=True))
        else:
            out.commands.append(cmd.Hangup(call.site, call.id, call.channel, Cause.NORMAL_CLEARING))

    def _remember_unheard(self, call: Call) -> None:
        """The site did not do, or hear, what was to become of the caller: if he is there, it does then."""
        if call.is_hung_up_on:
            self.unheard[call.channel] = (call.id, call.site)
        else:
            self.let_return(call.channel)

    def finish(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Nothing is left of the call but its record."""
        for kind in sorted(call.timers):
            self.cancel_timer(call, kind, out)
        self.floor.bridges.leave(call.id, call.channel, out)
        del self.calls[call.id]
        del self._by_channel[call.channel]
        self._gone[call.channel] = at
        if call.request is None:  # else it is a leg of ours, which gives back what it holds
            self.floor.trunks.left(call.channel, stays=cue.to_dialplan)
        call.close()
        self.calling_back.finished(call, at, out)
        self.waiting.keep_place(call, at)
        cdr = fold(call.history)
        self.counters.ended[cdr.outcome] += 1
        if cdr.returns is not None:
            self.counters.returns[cdr.returns.result] += 1
        out.cdrs.append(cdr)
        self.calling_back.take_down(call, cdr, at, out)

    def answer(self, call: Call, at: datetime, out: Output) -> None:
        """Answer the caller, if that has not been done."""
        if not call.answered:
            out.commands.append(cmd.Answer(call.site, call.id, call.channel))
            self.record(call, facts.Answered(at), out)

    def continue_at(
        self, call: Call, context: str, extension: str, reason: ReleaseReason, at: datetime, out: Output
    ) -> None:
        """Send the caller on into the dialplan."""
        if call.is_absent:
            self.calling_back.close(call, reason, at, out)
            return
        self.waiting.leave_line(call)
        self.waiting.quiet(call, out)
        self.recording.stop(call, out)
        self.record(call, facts.Released(at, reason, Cause.NORMAL_CLEARING), out)
        out.commands.append(cmd.ContinueInDialplan(call.site, call.id, call.channel, context, extension))
        self._await_leaving(call, out)

    def release(
        self, call: Call, reason: ReleaseReason, cause: Cause, at: datetime, out: Output, *, estimated: bool = False
    ) -> None:
        """Hang the caller up."""
        self.record(call, facts.Released(at, reason, cause, estimated), out)
        out.commands.append(cmd.Hangup(call.site, call.id, call.channel, cause))
        self._await_leaving(call, out)

    def _await_leaving(self, call: Call, out: Output) -> None:
        self.cancel_timer(call, TimerKind.DEAD_MAN, out)
        self.cancel_timer(call, TimerKind.WAIT, out)
        self.cancel_timer(call, TimerKind.COMFORT, out)
        self.cancel_timer(call, TimerKind.RELAX, out)
        self.set_timer(call, TimerKind.CLEARING, self.floor.rulebook.limits.clearing_s, out)
