"""The exchange: takes what happens, decides what is to be done.

It is synchronous and pure. Every event comes with its time; commands, facts, CDRs and notices come out. One task owns
it, so there are no locks. What a call makes of a signal stands in :data:`callrouter.core.states.TABLE`; what is done
then, in :class:`callrouter.core.conduct.Conduct`; what happens when a site comes back, in
:mod:`callrouter.core.resync`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from callrouter.core import adopting, facts, loops, naming, relaying, relays, resync, standing
from callrouter.core import events as ev
from callrouter.core.absence import Absence
from callrouter.core.admission import Admission
from callrouter.core.agent import AgentState
from callrouter.core.audit import AuditEntry
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import Cdr, OfferResult
from callrouter.core.conduct import Conduct
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import AgentId, CallId, ChannelId, SiteName, SwitchName, TrunkName
from callrouter.core.legs import Leg
from callrouter.core.offering import result_of
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.rulebook import Rulebook
from callrouter.core.states import TABLE, CallState, Signal, Unmoved
from callrouter.core.today import Today

_TIMER_SIGNALS: Mapping[TimerKind, Signal] = {
    TimerKind.ANNOUNCEMENT: Signal.ANNOUNCEMENT_OVER,
    TimerKind.DIGIT: Signal.DIGIT_OVER,
    TimerKind.RECORDING: Signal.RECORDING_DUE,
    TimerKind.WAIT: Signal.WAIT_OVER,
    TimerKind.RING: Signal.RING_OVER,
    TimerKind.CONNECT: Signal.BRIDGE_FAILED,
    TimerKind.LENGTH: Signal.LENGTH_DUE,
    TimerKind.KEYS: Signal.KEYS_OVER,
    TimerKind.INVITE: Signal.INVITED_OVER,
    TimerKind.CLEARING: Signal.CLEARING_OVER,
    TimerKind.DEAD_MAN: Signal.DEAD_MAN_DUE,
    TimerKind.COMFORT: Signal.COMFORT_DUE,
    TimerKind.RELAX: Signal.RELAX_DUE,
    TimerKind.RESIDENT: Signal.RESIDENT_OVER,
    TimerKind.CALLBACK: Signal.CALLBACK_DUE,
}

_ON_ITS_WAY: Final = timedelta(seconds=1)
"""So long before a site is known to be lost may what is said to it be lost already."""

_OF_INVITED: Mapping[Signal, Signal] = {
    Signal.LEG_RANG: Signal.INVITED_RANG,
    Signal.LEG_ANSWERED: Signal.INVITED_ANSWERED,
    Signal.LEG_ENDED: Signal.INVITED_ENDED,
    Signal.RING_OVER: Signal.INVITED_OVER,
}
"""What is told of a leg, where it is of somebody who was called into the conversation."""

_OF_OTHER: Mapping[Signal, Signal] = {
    Signal.LEG_RANG: Signal.OTHER_RANG,
    Signal.LEG_ANSWERED: Signal.OTHER_ANSWERED,
    Signal.LEG_ENDED: Signal.OTHER_ENDED,
    Signal.RING_OVER: Signal.OTHER_UNCERTAIN,
}
"""The same, where its phone rings beside the offered one."""
_OF_RESIDENT: Mapping[Signal, Signal] = {
    Signal.LEG_RANG: Signal.RESIDENT_RANG,
    Signal.LEG_ANSWERED: Signal.RESIDENT_ANSWERED,
    Signal.LEG_DIGIT: Signal.DIGIT,
    Signal.RING_OVER: Signal.RESIDENT_OVER,
}
"""What is told of a leg, where it is of a resident who is called back, or has been."""

_Handler = Callable[[Any, datetime, Output], None]


class Exchange:
    """All calls, and the floor that serves them."""

    def __init__(self, rulebook: Rulebook, at: datetime) -> None:
        self.conduct = Conduct(rulebook, at)
        self.floor = self.conduct.floor
        self.counters = self.conduct.counters
        self.today = Today(self.floor, at)
        self.absence = Absence(self)
        self.admission = Admission()
        self.draining = False
        self._handlers: dict[type[ev.Event], _Handler] = {
            ev.CallArrived: self.call_arrived,
            ev.CallerLeft: self._caller_left,
            ev.PlaybackEnded: self._playback_ended,
            ev.DigitPressed: self._digit_pressed,
            ev.RecordingEnded: self._recording_ended,
            ev.RecordingFailed: self._recording_failed,
            ev.LegRang: self._leg_rang,
            ev.LegAnswered: self._leg_answered,
            ev.LegDigit: self._leg_digit,
            ev.LegHeld: self._leg_held,
            ev.TransferAsked: self._transfer_asked,
            ev.LegEnded: self.leg_ended,
            ev.LegRefused: self._leg_refused,
            ev.LegUncertain: self._leg_uncertain,
            ev.Bridged: self._bridged,
            ev.BridgeFailed: self._bridge_failed,
            ev.TimerFired: self._timer_fired,
            ev.SiteUp: self._site_up,
            ev.SiteDown: self._site_down,
            ev.DrainRequested: self._drain,
            ev.RulebookReplaced: self._rulebook_replaced,
            ev.CodeDialed: self._code_dialed,
            ev.SwitchOrdered: self._switch_ordered,
            ev.DutyOrdered: self._duty_ordered,
            ev.PhonesSeen: self._phones_seen,
            ev.HearingOrdered: self._hearing_ordered,
            ev.SupervisorEntered: self._supervisor_entered,
            ev.SupervisorLeft: self._supervisor_left,
            ev.HearingJoined: self._hearing_joined,
            ev.HearingFailed: self._hearing_failed,
            ev.CallOrdered: self._call_ordered,
            ev.MuteFailed: self._mute_failed,
            ev.CallbackOrdered: self._callback_ordered,
            ev.LineDialed: self._line_dialed,
            ev.LineLinked: self._line_linked,
            ev.LineParted: self._line_parted,
            ev.RelayArrived: self._relay_arrived,
            ev.RelayLeft: self._relay_left,
            ev.FellBehind: self._fell_behind,
        }

    @property
    def calls(self) -> Mapping[CallId, Call]:
        """The calls in progress."""
        return self.conduct.calls

    @property
    def has_callers(self) -> bool:
        """Whether anybody is at a phone: who waits without one, to be called back, keeps no daemon from ending."""
        return any(not call.is_absent or call.offer is not None for call in self.conduct.calls.values())

    @property
    def rulebook(self) -> Rulebook:
        """The rules that the next call is routed by."""
        return self.floor.rulebook

    def handle(self, event: ev.Event, at: datetime) -> Output:
        """Take one event, seen at ``at`` (aware UTC, never before that of the event before)."""
        out = Output()
        self._take(event, at, out)
        self.conduct.attendance.pause_the_absent(at, out)
        self._match(at, out)
        self.floor.mind_trunks(at, out)
        self.conduct.attendance.show_changes(out)
        self._count(out, at)
        return out

    def _take(self, event: ev.Event, at: datetime, out: Output) -> None:
        if isinstance(event, relays.OfLeg) and relaying.is_far(event):
            relaying.take(self, event, out)
            return
        if isinstance(event, ev.LegHeld | ev.TransferAsked):
            event = relaying.near(event, self.floor.relays)
        self._handlers[type(event)](event, at, out)

    def restore(
        self, histories: Iterable[Sequence[facts.Fact]], in_doubt: Collection[CallId] = ()
    ) -> tuple[CallId, ...]:
        """Know again the calls that an earlier daemon had, from their facts; before the first event.

        They are taken up, or closed, when their site comes up. A history that does not begin with an opening, or
        contradicts itself, is left out; the ids of those that were taken are returned. Of those ``in_doubt`` it may not
        have come to send to Asterisk what followed from their last facts.
        """
        known = []
        for call in filter(None, map(adopting.remember, histories)):
            call.in_doubt = call.id in in_doubt
            if self.conduct.take(call):
                known.append(call.id)
        return tuple(known)

    def restore_outward(self, cdrs: Iterable[Cdr], since: datetime) -> None:
        """Count again the calls that went out since then (aware UTC), and are over; before the first event."""
        self.conduct.metering.recall_ended(cdrs, since)

    def restore_lost_places(self, histories: Iterable[Sequence[facts.Fact]]) -> None:
        """Know who lost a place in line shortly before, from the facts of calls that are over, in their order.

        To be called before the first event, and after the calls in progress are known: theirs are not lost.
        """
        for history in histories:
            self.conduct.waiting.note_lost(history)

    def restore_switches(self, entries: Iterable[AuditEntry], at: datetime) -> Output:
        """Know again how the switches stood, from the newest entry of each; before the first event."""
        out = Output()
        self.conduct.switchboard.restore(entries, at, out)
        return out

    def restore_duties(self, entries: Iterable[AuditEntry]) -> Output:
        """Know again who is logged out or paused, from the newest entry of each; before the first event."""
        out = Output()
        self.conduct.attendance.restore(entries, out)
        return out

    def restore_today(self, cdrs: Iterable[Cdr], duties: Iterable[AuditEntry], since: datetime, at: datetime) -> None:
        """Count anew what an earlier daemon had counted of the day since ``since``; before the first event.

        ``duties`` are in their order.
        """
        self.today.remember(cdrs, duties, since, at)

    def restore_standing(
        self, ended: Sequence[Cdr], duties: Iterable[AuditEntry], said: Iterable[AuditEntry], at: datetime
    ) -> Output:
        """Know again who has been idle since when, how many calls each took, and who is to be told that he was paused.

        Before what was said of them, of which ``duties`` is the newest of each, and ``said`` all that is kept.
        """
        out = Output()
        standing.recall(self.floor, ended, duties, at, out)
        standing.recall_untold(self.floor, ended, said)
        return out

    def restore_desks(
        self, desks: Iterable[AuditEntry], locks: Iterable[AuditEntry], queues: Iterable[AuditEntry], at: datetime
    ) -> None:
        """Know again who works at whose phone and for which queues, and where nobody may log in; before who is out."""
        self.conduct.attendance.restore_queues(queues, at)
        self.conduct.attendance.restore_desks(desks, at)
        self.conduct.desks.restore_locks(locks, at)

    def give_up(self, call_id: CallId, at: datetime, why: str) -> Output:
        """Send one call to the dialplan's fallback, whatever state it is in: its handling failed."""
        out = Output()
        call = self.calls.get(call_id)
        if call is not None:
            self.conduct.give_up(call, why, at, out)
            self._count(out, at)
        return out

    def _count(self, out: Output, at: datetime) -> None:
        """A defect in counting costs a figure, not the commands for the call that was to be counted."""
        try:
            self.today.note(out, at)
        except Exception as defect:
            out.notices.append(Notice(NoticeKind.COUNTING_FAILED, None, repr(defect)))

    def without_secrets(self, event: ev.Event) -> ev.Event:
        """The event as it may be kept: a PIN's digits are noughts. To be asked before the event is handled."""
        if isinstance(event, ev.DigitPressed) and self.conduct.desks.is_secret(event):
            return msgspec.structs.replace(event, digit="0")
        return event

    def concerns(self, event: ev.Event) -> CallId | None:
        """The call in progress that an event is about, if it is about one."""
        match event:
            case ev.CallArrived(channel=channel) | ev.CallerLeft(channel=channel) | ev.DigitPressed(channel=channel):
                call = self.conduct.call_of(channel)
                return call.id if call is not None else None
            case (
                ev.LegRang(channel=channel)
                | ev.LegAnswered(channel=channel)
                | ev.LegDigit(channel=channel)
                | ev.LegHeld(channel=channel)
                | ev.TransferAsked(channel=channel)
                | ev.LegEnded(channel=channel)
                | ev.LegRefused(channel=channel)
                | ev.LegUncertain(channel=channel)
            ):
                leg = naming.parse_leg_channel(channel)
                return leg.call if leg is not None else None
            case (
                ev.Bridged(call=call_id)
                | ev.BridgeFailed(call=call_id)
                | ev.HearingJoined(call=call_id)
                | ev.HearingFailed(call=call_id)
            ):
                return call_id
            case ev.PlaybackEnded(playback=playback):
                return naming.parse_playback(playback)
            case (
                ev.RecordingEnded(recording=recording)
                | ev.RecordingFailed(recording=recording)
                | ev.MuteFailed(recording=recording)
            ):
                return naming.parse_recording(recording)
            case ev.TimerFired(key=(_, subject)) if subject in self.calls:
                return CallId(subject)
            case _:
                return None

    def signal(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Let ``call`` take a signal, as the table says."""
        key = (call.state, cue.signal)
        reaction = TABLE[key]
        if reaction is Unmoved.STALE:
            self.counters.stale[key] += 1
        elif reaction is Unmoved.IMPOSSIBLE:
            self.counters.impossible[key] += 1
            self.conduct.give_up(call, f"{cue.signal} in state {call.state}", at, out)
        else:
            self.conduct.act(reaction, call, cue, at, out)

    def _match(self, at: datetime, out: Output) -> None:
        self.floor.staff.begin_day(at)
        while (match := self.floor.match(at)) is not None:
            call, cue = self.calls[match.call], Cue(Signal.MATCHED, agent=match.agent)
            with self.contained(call.id, at, out):
                self.signal(call, cue, at, out)

    @contextmanager
    def contained(self, call_id: CallId, at: datetime, out: Output) -> Iterator[None]:
        """A defect met in here costs this call, not the event that it was met on, which other calls depend on."""
        try:
            yield
        except Exception as defect:
            self.counters.defects += 1
            call = self.calls.get(call_id)
            if call is not None:
                self.conduct.give_up(call, repr(defect), at, out)

    def call_arrived(
        self, event: ev.CallArrived, at: datetime, out: Output, *, came_at: datetime | None = None
    ) -> None:
        """A caller came in, or is found waiting (since ``came_at``, where that is known)."""
        known = self.conduct.call_of(event.channel)
        if known is not None and known.site != event.facts.site:
            self.conduct.send_on_namesake(event, known, out)
            return
        if known is not None:
            self.signal(known, Cue(Signal.ARRIVED), at, out)
            return
        call = self.conduct.open(event.call, event.channel, event.facts, at, out, came_at=came_at)
        if loops.cut(self, call, at, out):
            return
        why_not = self.admission.against(self, at)
        if why_not is not None:
            self.admission.turn_away(self, call, why_not, at, out)
        else:
            self.signal(call, Cue(Signal.ARRIVED), at, out)

    def _fell_behind(self, event: ev.FellBehind, at: datetime, out: Output) -> None:
        self.admission.behind_s = event.by_s
        text = f"what comes in has waited for {event.by_s:.1f} s; no new calls are taken" if event.by_s else "no longer"
        out.notices.append(Notice(NoticeKind.BEHIND, None, text))

    def _caller_left(self, event: ev.CallerLeft, at: datetime, out: Output) -> None:
        if self.conduct.lines.left(event.channel, at, out):
            return
        call = self._of_channel(event.channel)
        if call is not None and event.site in (None, call.site):
            self.signal(call, Cue(Signal.CALLER_LEFT, cause=event.cause, to_dialplan=event.to_dialplan), at, out)

    def _playback_ended(self, event: ev.PlaybackEnded, at: datetime, out: Output) -> None:
        call_id = naming.parse_playback(event.playback)
        call = self.calls.get(call_id) if call_id is not None else None
        if call is None:
            self.counters.unknown_channel += 1
        elif event.unknown and event.playback == call.playback and adopting.is_played_again(self, call, at, out):
            return
        elif call.playback != event.playback or (call.queue is not None and not _listens(call)):
            self.counters.stale[call.state, Signal.ANNOUNCEMENT_OVER] += 1
        else:
            self.signal(call, Cue(Signal.ANNOUNCEMENT_OVER, failed=event.failed), at, out)

    def _digit_pressed(self, event: ev.DigitPressed, at: datetime, out: Output) -> None:
        conduct = self.conduct
        if conduct.desks.pressed(event, at, out) or conduct.supervision.pressed(event.channel, event.digit, out):
            return
        relays = self.floor.relays
        if relays.of_phone(event.channel) is not None or relays.of(event.channel) is not None:
            return  # of a leg between sites, which is no caller's
        call = self._of_channel(event.channel)
        if call is not None:
            self.signal(call, Cue(Signal.DIGIT, digit=event.digit), at, out)

    def _recording_ended(self, event: ev.RecordingEnded, at: datetime, out: Output) -> None:
        self._signal_of_recording(event, Cue(Signal.RECORDING_OVER, length_s=event.length_s), at, out)

    def _recording_failed(self, event: ev.RecordingFailed, at: datetime, out: Output) -> None:
        self._signal_of_recording(event, Cue(Signal.RECORDING_FAILED, why=event.why), at, out)

    def _relay_arrived(self, event: ev.RelayArrived, at: datetime, out: Output) -> None:
        relaying.come_in(self, event, at, out)

    def _relay_left(self, event: ev.RelayLeft, at: datetime, out: Output) -> None:
        self.floor.relays.left(event.channel, out)
        self.absence.end_what_left(at, out)

    def _leg_rang(self, event: ev.LegRang, at: datetime, out: Output) -> None:
        leg = self._leg(event.channel, out)
        if leg is None:
            return
        leg.rang = True
        leg.heard_of_at = leg.heard_of_at or at
        self.floor.got_through(leg, out)
        if leg.agent is not None and leg.agent.state is AgentState.RESERVED:
            leg.agent.change(AgentState.RINGING, at)
        self.signal_of_leg(leg, Cue(Signal.LEG_RANG), at, out)

    def _leg_answered(self, event: ev.LegAnswered, at: datetime, out: Output) -> None:
        leg = self._leg(event.channel, out)
        if leg is not None:
            leg.heard_of_at = leg.heard_of_at or at
            self.floor.got_through(leg, out)
            self.signal_of_leg(leg, Cue(Signal.LEG_ANSWERED), at, out)

    def _leg_digit(self, event: ev.LegDigit, at: datetime, out: Output) -> None:
        leg = self.floor.legs.get(event.channel)
        if leg is None:
            self.counters.unknown_channel += 1
        else:
            self.signal_of_leg(leg, Cue(Signal.LEG_DIGIT, digit=event.digit), at, out)

    def _leg_held(self, event: ev.LegHeld, at: datetime, out: Output) -> None:
        leg = self.floor.legs.get(event.channel)
        if leg is None:
            self.counters.unknown_channel += 1
        else:
            self.signal_of_leg(leg, Cue(Signal.LEG_HELD if event.held else Signal.LEG_RESUMED), at, out)

    def _line_dialed(self, event: ev.LineDialed, at: datetime, out: Output) -> None:
        self.conduct.lines.dialed(event, at, out)

    def _line_linked(self, event: ev.LineLinked, at: datetime, out: Output) -> None:
        self.conduct.lines.linked(event.channel, out)

    def _line_parted(self, event: ev.LineParted, at: datetime, out: Output) -> None:
        self.conduct.lines.parted(event.channel, at, out)
        self.conduct.crossing.gone(event.channel, out)

    def _transfer_asked(self, event: ev.TransferAsked, at: datetime, out: Output) -> None:
        if self.conduct.lines.asked(event, at, out):
            return
        leg = self.floor.legs.get(event.channel)
        call = self.calls.get(leg.call) if leg is not None else None
        if leg is None or call is None:
            self.counters.unknown_channel += 1
        else:
            self.conduct.conversing.asked_by_phone(call, leg, event.target, at, out)

    def leg_ended(self, event: ev.LegEnded, at: datetime, out: Output) -> None:
        """A leg is gone, or is missed."""
        leg, relay = self.floor.legs.get(event.channel), self.floor.relays.of(event.channel)
        cause = relay.cause if relay is not None and relay.cause is not None else event.cause
        if leg is None:
            self.counters.unknown_channel += 1
        elif not self.signal_of_leg(leg, Cue(Signal.LEG_ENDED, cause=cause), at, out):
            self.floor.leg_gone(leg, leg.result or OfferResult.FAILED, at, out)
            self._transfer_later(leg, at, out)

    def _transfer_later(self, leg: Leg, at: datetime, out: Output) -> None:
        """A phone may want its call passed on to whom that leg was to."""
        call = self.calls.get(leg.call)
        if call is not None:
            self.conduct.conversing.transfer_later(call, at, out)

    def catch_up_leg(self, leg: Leg, at: datetime, out: Output) -> None:
        """A leg is found answered: if its call still waits for that, the answer was missed."""
        call = self.calls.get(leg.call)
        if call is not None and (call.state in (CallState.OFFERED, CallState.CALLING) or call.awaits(leg.channel)):
            self.signal_of_leg(leg, Cue(Signal.LEG_ANSWERED), at, out)

    def _leg_refused(self, event: ev.LegRefused, at: datetime, out: Output) -> None:
        leg = self.floor.legs.get(event.channel)
        cause = Cause.SUBSCRIBER_ABSENT if event.endpoint else Cause.NORMAL_TEMPORARY_FAILURE
        if event.endpoint and leg is not None and leg.seizure is not None:
            cause = Cause.NO_ROUTE_DESTINATION  # it is the trunk that cannot be reached
        self.leg_ended(ev.LegEnded(event.channel, cause), at, out)

    def _leg_uncertain(self, event: ev.LegUncertain, at: datetime, out: Output) -> None:
        """It may exist: hang it up, and let the caller go on to the next phone."""
        leg = self.floor.legs.get(event.channel)
        if leg is not None:
            self.signal_of_leg(leg, Cue(Signal.RING_OVER, result=OfferResult.FAILED), at, out)

    def _bridged(self, event: ev.Bridged, at: datetime, out: Output) -> None:
        if naming.parse_far_bridge(event.bridge) is not None:
            return
        self._signal_of_bridge(event, Cue(Signal.BRIDGED), at, out)

    def _bridge_failed(self, event: ev.BridgeFailed, at: datetime, out: Output) -> None:
        if naming.parse_far_bridge(event.bridge) is not None:
            self.floor.relays.not_bridged(event.bridge, out)
            return
        self._signal_of_bridge(event, Cue(Signal.BRIDGE_FAILED), at, out)

    def _timer_fired(self, event: ev.TimerFired, at: datetime, out: Output) -> None:
        kind, subject = event.key
        if kind is TimerKind.AGENT:
            self.floor.staff.agent_rested(AgentId(subject), at)
        elif kind in (TimerKind.TRUNK, TimerKind.BEGIN):
            self._trunk_is_due(kind, subject, at, out)
        elif kind is TimerKind.SWITCH:
            self.conduct.switchboard.expire(SwitchName(subject), at, out)
        elif kind is TimerKind.SITE:
            self.absence.overdue(SiteName(subject), at, out)
        elif kind is TimerKind.DESK:
            self.conduct.desks.key_overdue(ChannelId(subject), out)
        elif kind is TimerKind.HEARING:
            self.conduct.supervision.overdue(ChannelId(subject), at, out)
        elif kind is TimerKind.LEG:
            leg = self.floor.legs.get(ChannelId(subject))
            if leg is not None:
                self.floor.leg_overdue(leg, out=out, at=at)
                self._transfer_later(leg, at, out)
        else:
            self._timer_of_call(kind, CallId(subject), at, out)

    def _timer_of_call(self, kind: TimerKind, call_id: CallId, at: datetime, out: Output) -> None:
        call = self.calls.get(call_id)
        if call is not None and kind not in call.timers:  # it was cancelled while it ran out
            self.counters.stale[call.state, _TIMER_SIGNALS[kind]] += 1
        elif call is not None:
            call.timers.remove(kind)
            self.signal(call, Cue(_TIMER_SIGNALS[kind]), at, out)

    def _trunk_is_due(self, kind: TimerKind, subject: str, at: datetime, out: Output) -> None:
        if kind is TimerKind.BEGIN:
            self.floor.begin(ChannelId(subject), out)
        else:
            self.floor.trunks.look_again(TrunkName(subject), at)

    def _site_up(self, event: ev.SiteUp, at: datetime, out: Output) -> None:
        was_away = event.site not in self.floor.ways.sites
        unsure = self._may_not_have_been_heard(event.site)
        self.floor.ways.sites.add(event.site)
        self.floor.phones_seen(event.site, event.phones, event.requested_at, at)
        resync.compare(self, event, at, out)
        self.absence.back(event.site, out)
        self.absence.end_what_left(at, out)
        if was_away:  # what we said of lamps meanwhile was not heard
            self.conduct.switchboard.light_up(event.site, at, out)
            self.conduct.attendance.light_up(event.site, out)
            self.conduct.attendance.watch(event.site, out)
        for call in [call for call in self.calls.values() if call.site == event.site]:
            if was_away:
                if call.id in unsure:
                    adopting.say_again(self, call, event, at, out)
                self.conduct.comforting.after_silence(call, at, out)
                self.conduct.taping.after_silence(call, at, out)
                self.conduct.following.after_silence(call, out)
            # What we said of the switch meanwhile was not heard; and who is found waiting has waited for some time.
            if was_away or not call.guarded:
                self.conduct.reset_dead_man(call, at, out)

    def _may_not_have_been_heard(self, site: SiteName) -> set[CallId]:
        """The calls, but for those of an earlier daemon, of which a site that was lost may not have heard all."""
        since = self.absence.since(site)
        return {
            call.id
            for call in self.calls.values()
            if since is not None and call.site == site and not call.to_be_adopted
            if call.history[-1].at >= since - _ON_ITS_WAY
        }

    def _site_down(self, event: ev.SiteDown, at: datetime, out: Output) -> None:
        self.floor.ways.sites.discard(event.site)
        self.floor.trunks.site_lost(event.site)
        self.absence.lost(event.site, at, out)

    def _drain(self, event: ev.DrainRequested, at: datetime, out: Output) -> None:
        self.draining = True
        self.conduct.calling_back.pause()

    def _rulebook_replaced(self, event: ev.RulebookReplaced, at: datetime, out: Output) -> None:
        self.conduct.replace(event.rulebook, at, out)
        self._mind_staff(at, out)

    def _switch_ordered(self, event: ev.SwitchOrdered, at: datetime, out: Output) -> None:
        out.answers.append((event.ticket, self.conduct.switchboard.order(event.order, at, out)))

    def _code_dialed(self, event: ev.CodeDialed, at: datetime, out: Output) -> None:
        takers = (self.conduct.desks, self.conduct.supervision, self.conduct.attendance)
        if not any(taker.dialed(event, at, out) for taker in takers):
            self.conduct.switchboard.dialed(event, at, out)
        self._mind_staff(at, out)

    def _duty_ordered(self, event: ev.DutyOrdered, at: datetime, out: Output) -> None:
        out.answers.append((event.ticket, self.conduct.attendance.order(event.order, at, out)))
        self._mind_staff(at, out)

    def _mind_staff(self, at: datetime, out: Output) -> None:
        """Counselors may have gone: who waits where nobody is there any more goes elsewhere, if the queue says so."""
        for call_id in self.conduct.waiting.unattended():
            with self.contained(call_id, at, out):
                self.signal(self.calls[call_id], Cue(Signal.UNSTAFFED), at, out)

    def _call_ordered(self, event: ev.CallOrdered, at: datetime, out: Output) -> None:
        out.answers.append((event.ticket, self.conduct.conversing.order(event.order, at, out)))

    def _mute_failed(self, event: ev.MuteFailed, at: datetime, out: Output) -> None:
        self.conduct.taping.mute_failed(event, at, out)

    def _callback_ordered(self, event: ev.CallbackOrdered, at: datetime, out: Output) -> None:
        out.answers.append((event.ticket, self.conduct.calling_back.order(event.order, at, out)))

    def _phones_seen(self, event: ev.PhonesSeen, at: datetime, out: Output) -> None:
        self.floor.phones_seen(event.site, event.phones, at, at)

    def _hearing_ordered(self, event: ev.HearingOrdered, at: datetime, out: Output) -> None:
        out.answers.append((event.ticket, self.conduct.supervision.order(event.order, at, out)))

    def _supervisor_entered(self, event: ev.SupervisorEntered, at: datetime, out: Output) -> None:
        self.conduct.supervision.entered(event.channel, at, out)

    def _supervisor_left(self, event: ev.SupervisorLeft, at: datetime, out: Output) -> None:
        self.conduct.supervision.left(event.channel, at, out)
        self.conduct.crossing.gone(event.channel, out)
        self.floor.relays.phone_left(event.channel, out)

    def _hearing_joined(self, event: ev.HearingJoined, at: datetime, out: Output) -> None:
        self.conduct.supervision.joined(event, at, out)

    def _hearing_failed(self, event: ev.HearingFailed, at: datetime, out: Output) -> None:
        self.conduct.supervision.failed(event, at, out)

    def _of_channel(self, channel: ChannelId) -> Call | None:
        call = self.conduct.call_of(channel)
        if call is None:
            self.counters.unknown_channel += 1
        return call

    def _leg(self, channel: ChannelId, out: Output) -> Leg | None:
        """The leg, or None for one that nobody knows any more: that is hung up, or it would ring for ever."""
        leg = self.floor.legs.get(channel)
        if leg is None:
            self.counters.unknown_channel += 1
            resync.hang_up_orphan(self, channel, out)
        return leg

    def signal_of_leg(self, leg: Leg, cue: Cue, at: datetime, out: Output) -> bool:
        """A leg that its call has let go of speaks to it no more; whether it still does is returned."""
        call = self.calls.get(leg.call)
        if call is None:
            return False
        if call.invited is not None and call.invited.channel == leg.channel:
            signal = _OF_INVITED.get(cue.signal)
            if signal is not None:
                self.signal(call, msgspec.structs.replace(cue, signal=signal), at, out)
            return True
        if leg.channel in call.others:
            signal = _OF_OTHER.get(cue.signal)
            if signal is not None:
                self.signal(call, msgspec.structs.replace(cue, signal=signal, channel=leg.channel), at, out)
            return True
        if call.resident is not None and call.resident.channel == leg.channel:
            self._signal_of_resident(call, leg, cue, at, out)
            return True
        if call.offer is None or call.offer.channel != leg.channel:
            return False
        self.signal(call, msgspec.structs.replace(cue, channel=leg.channel), at, out)
        return True

    def _signal_of_resident(self, call: Call, leg: Leg, cue: Cue, at: datetime, out: Output) -> None:
        signal = _OF_RESIDENT.get(cue.signal)
        if cue.signal is Signal.LEG_ENDED:
            result = OfferResult.ANSWERED if call.is_reached else result_of(leg, cue.cause)
            signal = Signal.CALLER_LEFT if call.is_reached else Signal.RESIDENT_ENDED
            cue = msgspec.structs.replace(cue, result=result)
            self.floor.leg_gone(leg, leg.result or result, at, out)
        if signal is not None:
            self.signal(call, msgspec.structs.replace(cue, signal=signal), at, out)

    def _signal_of_recording(
        self, event: ev.RecordingEnded | ev.RecordingFailed, cue: Cue, at: datetime, out: Output
    ) -> None:
        if naming.is_of_talk(event.recording):
            self.conduct.taping.told(event, at, out)
            return
        call_id = naming.parse_recording(event.recording)
        call = self.calls.get(call_id) if call_id is not None else None
        if call is None:
            self.counters.unknown_channel += 1
        elif call.recording != event.recording:
            self.counters.stale[call.state, cue.signal] += 1
        else:
            self.signal(call, cue, at, out)

    def _signal_of_bridge(self, event: ev.Bridged | ev.BridgeFailed, cue: Cue, at: datetime, out: Output) -> None:
        call = self.calls.get(event.call)
        if call is None:
            self.counters.unknown_channel += 1
        elif call.invited is not None and call.invited.bridge == event.bridge and call.speaks_apart:
            if isinstance(event, ev.BridgeFailed):
                self.conduct.lines.not_connected(call, at, out)
        elif call.offer is None or call.offer.bridge != event.bridge:
            self.counters.stale[call.state, cue.signal] += 1
        else:
            self.signal(call, cue, at, out)


def _listens(call: Call) -> bool:
    """Whether one of the two in a queue hears an announcement whose end matters."""
    return call.comforting or call.state in (CallState.BRIEFING, CallState.GREETING)
