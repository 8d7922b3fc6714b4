"""From the facts of a call to its CDR."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

import msgspec

from callrouter.core import facts
from callrouter.core.causes import CONGESTION, Cause
from callrouter.core.cdr import (
    CallMark,
    Cdr,
    CdrCallback,
    CdrHearing,
    CdrLeg,
    CdrMessage,
    CdrReturn,
    CdrVisit,
    Disposition,
    OfferResult,
    Outcome,
    RecordingResult,
    ReleasedBy,
    ReturnResult,
    VisitEnd,
)
from callrouter.core.facts import LeaveReason, ReleaseReason
from callrouter.core.geography import Region
from callrouter.core.ids import ChannelId, DestinationName, QueueName, RuleId, SwitchName, TenantName, TopicName
from callrouter.core.inbound import RegionSource
from callrouter.core.numbers import parse
from callrouter.core.plan import Callback, Dial, EnterQueue, HandOver, Menu, Plan, Voicemail
from callrouter.core.talk_time import TalkTime, whole_ms
from callrouter.core.taped_fold import TapedFold
from callrouter.core.transfers import party

_LEFT: Mapping[LeaveReason, str] = {
    LeaveReason.WAITED: "waited as long as the plan allows",
    LeaveReason.KEY: "pressed a key",
    LeaveReason.FULL: "full",
    LeaveReason.UNSTAFFED: "nobody is logged in",
}
_VISIT_ENDS = {
    ReleaseReason.CALLER_HUNG_UP: VisitEnd.ABANDONED,
    ReleaseReason.VANISHED: VisitEnd.ABANDONED,
}


@dataclass(slots=True)
class _Summary:
    """What the facts come to, gathered in one pass."""

    opened: facts.Opened
    routed: facts.Routed | None = None
    plan: Plan | None = None
    """The plan in force."""
    is_chosen: bool = False
    """The caller chose that plan with a key."""
    topic: TopicName | None = None
    region: Region | None = None
    """As the caller said."""
    story: tuple[str, ...] = ()
    """Why the call was treated so, a line or more for each decision."""
    queued: facts.Queued | None = None
    offered: "_OpenLeg | None" = None
    others: dict[ChannelId, "_OpenLeg"] = field(default_factory=dict)
    """Legs that ring beside the offered one."""
    invited: "_OpenLeg | None" = None
    connected: "_OpenLeg | None" = None
    """The first that was: what came of transfers since is told by the legs."""
    connected_at: datetime | None = None
    mark: CallMark | None = None
    queue: QueueName | None = None
    """The last that was entered, or turned the caller away."""
    talk: TalkTime = field(default_factory=TalkTime)
    left_queue: bool = False
    switches: tuple[SwitchName, ...] = ()
    """Those that were on at one of its decisions."""
    released: facts.Released | None = None
    legs: tuple[CdrLeg, ...] = ()
    recording: facts.RecordingBegun | None = None
    """One that was not seen to end."""
    recording_failed: bool = False
    """The last message that was asked for could not be recorded."""
    messages: tuple[CdrMessage, ...] = ()
    wanted: facts.CallbackWanted | None = None
    listening: dict[int, tuple[facts.HearingBegun, list[facts.Heard]]] = field(default_factory=dict)
    """Supervisors who are let in, and what they heard so far."""
    hearings: tuple[CdrHearing, ...] = ()
    resident: "_OpenLeg | None" = None
    """For a call that we made: the resident, who is called or was reached."""
    in_vain: tuple[CdrLeg, ...] = ()
    """The legs to him that came to nothing, as far as they count."""
    waits: facts.Queued | None = None
    """In a queue that was not left yet."""
    visits: tuple[CdrVisit, ...] = ()
    taped: TapedFold = field(default_factory=TapedFold)

    def take(self, fact: facts.Fact) -> None:
        self.talk.take(fact)
        told = self.taped.take(fact)
        if told is not None:
            self._tell(told)
        match fact:
            case facts.Routed() | facts.Branched() | facts.Chosen():
                self._take_decision(fact)
            case facts.Queued() | facts.LeftQueue() | facts.TurnedAway():
                self._take_queue(fact)
            case facts.Released():
                self.released = fact
                reached = self.resident is not None and self.resident.answered_at is not None
                self._close_resident(fact.at, OfferResult.ANSWERED if reached else OfferResult.CALLER_GONE, fact.cause)
                self._end_visit(fact.at, _VISIT_ENDS.get(fact.reason, VisitEnd.OTHER))
            case facts.Offered():
                self.offered = _OpenLeg(fact)
            case facts.OfferClosed(at=at, result=result, cause=cause):
                self._close_leg(self.offered, at, result, cause)
                self.offered = None
            case _:
                self._take_progress(fact)

    def _take_decision(self, fact: facts.Routed | facts.Branched | facts.Chosen) -> None:
        match fact:
            case facts.Routed():
                self.routed, self.plan, self.is_chosen = fact, fact.plan, False
                self.topic = fact.topic or self.topic
                self.switches = tuple(dict.fromkeys((*self.switches, *fact.switches)))
                self._tell(fact.explanation)
            case facts.Branched(why=why, plan=plan):
                self.plan, self.is_chosen = plan or self.plan, self.is_chosen and plan is None
                self._tell(f"asked: {why} → {plan.name if plan else 'next step'}")
            case facts.Chosen(choice=choice):
                self.plan, self.is_chosen = choice.plan or self.plan, bool(choice.plan and choice.key)
                self.topic, self.region = choice.topic or self.topic, choice.region or self.region
                self._tell(_choice(fact))
            case _:
                assert_never(fact)

    def _take_queue(self, fact: facts.Queued | facts.LeftQueue | facts.TurnedAway) -> None:
        match fact:
            case facts.Queued():
                if fact.since is not None and self.opened.request is None:
                    came = "dialled again" if self.queue is None else "is back"
                    came = "was to be called back, called" if fact.instead_of is not None else came
                    self._tell(f"queue {fact.queue}: {came}, and has the place of {fact.since:%H:%M:%S} UTC again")
                self.queued, self.queue, self.left_queue = self.queued or fact, fact.queue, False
                self._end_visit(fact.at, VisitEnd.OTHER)
                self.waits = fact
            case facts.LeftQueue(why=why, plan=plan, pressed=key):
                self.left_queue = why is not LeaveReason.KEY
                self._end_visit(fact.at, VisitEnd.KEY if why is LeaveReason.KEY else VisitEnd.TIMEOUT)
                self._go_on_with(plan, is_chosen=why is LeaveReason.KEY)
                words = f"pressed {key}" if key else _LEFT[why]
                self._tell(f"queue {self.queue}: {words} → {plan.name if plan else 'next step'}")
            case facts.TurnedAway(queue=queue, why=why, plan=plan):
                self.queue, self.left_queue = self.queue or queue, True
                self._go_on_with(plan, is_chosen=False)
                count = f", {fact.waiting} wait already" if why is LeaveReason.FULL else ""
                self._tell(f"queue {queue}: {_LEFT[why]}{count} → {plan.name}")
            case _:
                assert_never(fact)

    def _go_on_with(self, plan: Plan | None, *, is_chosen: bool) -> None:
        if plan is not None:
            self.plan, self.is_chosen = plan, is_chosen

    def _tell(self, why: str) -> None:
        self.story = (*self.story, why)

    def _take_progress(self, fact: facts.Fact) -> None:
        match fact:
            case facts.Rang() | facts.PickedUp() | facts.Connected():
                self._take_of_leg(fact)
            case facts.Invited() | facts.JoinedIn() | facts.InviteClosed() | facts.PassedOn() | facts.Redirected():
                self._take_of_conversation(fact)
            case facts.Relayed() | facts.AlsoOffered() | facts.AlsoRang() | facts.LeadTaken() | facts.AlsoClosed():
                self._take_of_phones(fact)
            case facts.CallbackWanted():
                self.wanted = fact
                self._tell(f"call back: wanted of {fact.queue}")
            case facts.NumberOffered():
                self._tell("call back: a number is read out")
            case facts.NumberAsked():
                self._tell("call back: asked for a number")
            case facts.RecordingBegun():
                self.recording = fact
            case facts.RecordingEnded():
                self._close_recording(fact)
            case facts.HearingBegun() | facts.Heard() | facts.HearingEnded():
                self._take_hearing(fact)
            case _:
                self._take_of_resident(fact)

    def _take_of_resident(self, fact: facts.Fact) -> None:
        match fact:
            case facts.CallingBack(at=at, attempt=attempt, trunk=trunk, channel=channel):
                number = parse(self.opened.request.number).national if self.opened.request is not None else ""
                self.resident = _OpenLeg(facts.Offered(at, attempt, None, trunk, channel, DestinationName(number)))
            case facts.ResidentRang(at=at) if self.resident is not None:
                self.resident.rang_at = at
            case facts.ResidentAnswered(at=at) if self.resident is not None:
                self.resident.answered_at = at
            case facts.NotReached(at=at, result=result, cause=cause, counts=counts):
                self._close_resident(at, result, cause)
                self.in_vain += self.legs[-1:] if counts else ()
                self._tell(f"called back in vain: {result}{'' if counts else ', which does not count'}")
            case facts.Postponed(why=facts.PostponeReason.OWN_CALL):
                self._tell("called back later (own-call): he waits on the line himself")
            case facts.Postponed(until=until, why=why):
                self._tell(f"called back later ({why}): from {until:%Y-%m-%d %H:%M:%S} UTC on")
            case _:
                pass

    def _close_resident(self, at: datetime, result: OfferResult, cause: int) -> None:
        self._close_leg(self.resident, at, result, cause)
        self.resident = None

    def _end_visit(self, at: datetime, how: VisitEnd) -> None:
        if self.opened.request is not None:  # nobody waited on the line
            return
        if self.waits is not None:
            self.visits += (CdrVisit(self.waits.queue, whole_ms(self.waits.at), whole_ms(at), how),)
            self.waits = None

    def _take_hearing(self, fact: facts.HearingBegun | facts.Heard | facts.HearingEnded) -> None:
        if isinstance(fact, facts.HearingBegun):
            self.listening[fact.number] = (fact, [])
            return
        begun, heard = self.listening[fact.number]
        if isinstance(fact, facts.Heard):
            heard.append(fact)
        elif heard:  # else he never heard anything
            modes = tuple(one.mode for one in heard)
            one = CdrHearing(begun.supervisor, begun.agent, whole_ms(heard[0].at), whole_ms(fact.at), modes)
            self.hearings = (*self.hearings, one)

    def _take_of_relay(self, fact: facts.Relayed) -> None:
        for leg in (self.invited, self.offered, *self.others.values()):
            if leg is not None and leg.offered.attempt == fact.attempt:
                leg.far_channel = fact.channel

    def _take_of_leg(self, fact: facts.Rang | facts.PickedUp | facts.Connected) -> None:
        leg = self.invited or self.offered
        if leg is None:
            return
        match fact:
            case facts.Rang():
                leg.rang_at = fact.at
            case facts.PickedUp():
                leg.answered_at = fact.at
            case facts.Connected():
                if self.connected is None:
                    self.connected, self.connected_at = leg, leg.answered_at
                self._end_visit(leg.answered_at or fact.at, VisitEnd.ANSWERED)
            case _:
                assert_never(fact)

    def _take_of_phones(self, fact: facts.Relayed | facts.OF_OTHER_PHONES) -> None:
        match fact:
            case facts.Relayed():
                self._take_of_relay(fact)
            case facts.AlsoOffered():
                self.others[fact.channel] = _OpenLeg(fact)
            case facts.AlsoRang():
                if fact.channel in self.others:
                    self.others[fact.channel].rang_at = fact.at
            case facts.AlsoClosed():
                self._close_leg(self.others.pop(fact.channel, None), fact.at, fact.result, fact.cause)
            case facts.LeadTaken():
                was, self.offered = self.offered, self.others.pop(fact.channel, None)
                if was is not None:
                    self.others[was.offered.channel] = was
            case _:
                assert_never(fact)

    def _take_of_conversation(
        self, fact: facts.Invited | facts.JoinedIn | facts.InviteClosed | facts.PassedOn | facts.Redirected
    ) -> None:
        match fact:
            case facts.Invited():
                self.invited = _OpenLeg(fact)
                self._tell(f"called in: {party(fact.agent or fact.destination or '')}")
            case facts.JoinedIn():
                if self.invited is not None:
                    self.invited.answered_at = fact.at
            case facts.InviteClosed(at=at, result=result, cause=cause):
                self._close_leg(self.invited, at, result, cause)
                self.invited = None
            case facts.PassedOn(at=at, cause=cause):
                self._close_leg(self.offered, at, OfferResult.ANSWERED, cause)
                self.offered, self.invited = self.invited, None
                self._tell(f"passed on to {party(self.offered.party) if self.offered else 'nobody'}")
            case facts.Redirected(at=at, cause=cause, plan=plan, mark=mark):
                self.mark = mark or self.mark
                self._close_leg(self.offered, at, OfferResult.ANSWERED, cause)
                self.offered = None
                self._tell(plan.name)
            case _:
                assert_never(fact)

    def _close_recording(self, ended: facts.RecordingEnded) -> None:
        begun, self.recording = self.recording, None
        if begun is None:
            return
        self.recording_failed = ended.result is RecordingResult.FAILED
        length = f", {ended.length_s:.0f} s" if ended.result is RecordingResult.KEPT else ""
        self._tell(f"message for {begun.box}: {ended.result}{length}{': ' + ended.why if ended.why else ''}")
        if ended.result is RecordingResult.KEPT:
            self.messages += (CdrMessage(begun.recording, begun.box, whole_ms(begun.at), ended.length_s),)

    def presume_message(self, released: facts.Released) -> None:
        """Nobody saw the recording end: what was spoken until the caller left is there all the same."""
        if self.recording is None:
            return
        length_s = _seconds(whole_ms(self.recording.at), max(whole_ms(self.recording.at), whole_ms(released.at)))
        result = RecordingResult.KEPT if length_s >= int(self.recording.min_s) else RecordingResult.TOO_SHORT
        self._close_recording(facts.RecordingEnded(released.at, result, length_s, "its end was not seen"))

    def _close_leg(self, leg: "_OpenLeg | None", at: datetime, result: OfferResult, cause: int) -> None:
        if leg is not None:
            self.legs = (*self.legs, leg.closed(at, result, cause))


@dataclass(slots=True)
class _OpenLeg:
    """A leg that has not been told to end."""

    offered: facts.Offered | facts.Invited | facts.AlsoOffered
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    far_channel: ChannelId | None = None

    @property
    def destination(self) -> DestinationName | None:
        return None if isinstance(self.offered, facts.AlsoOffered) else self.offered.destination

    @property
    def party(self) -> str:
        return self.offered.agent or self.destination or ""

    def closed(self, at: datetime, result: OfferResult, cause: int) -> CdrLeg:
        offered = self.offered
        return CdrLeg(
            attempt=offered.attempt,
            channel=offered.channel,
            agent=offered.agent,
            destination=self.destination,
            trunk=offered.trunk,
            offered_at=whole_ms(offered.at),
            rang_at=whole_ms(self.rang_at) if self.rang_at else None,
            answered_at=whole_ms(self.answered_at) if self.answered_at else None,
            ended_at=whole_ms(at),
            result=result,
            cause=cause,
            far_site=offered.site,
            far_channel=self.far_channel,
        )


def fold(history: Sequence[facts.Fact]) -> Cdr:
    """The CDR of a call that has ended.

    Raises:
        ValueError: the facts are not those of an ended call (no :class:`~callrouter.core.facts.Opened` at first, or
            no :class:`~callrouter.core.facts.Released`).
    """
    opened = history[0] if history else None
    if not isinstance(opened, facts.Opened):
        raise ValueError("a call's history begins with its opening")  # noqa: TRY004 - the history is wrong, not a type
    summary = _Summary(opened)
    latest = opened.at
    for fact in history[1:]:
        latest = max(latest, fact.at)  # the clock may have been set back between two daemons
        summary.take(fact if fact.at == latest else msgspec.structs.replace(fact, at=latest))
    if summary.released is None:
        raise ValueError(f"call {opened.call} has not been released")
    summary.presume_message(summary.released)
    return _cdr(summary, summary.released)


def _cdr(s: _Summary, released: facts.Released) -> Cdr:
    started, ended = whole_ms(s.opened.at), whole_ms(released.at)
    answered = whole_ms(s.connected_at) if s.connected_at else None
    offered = _last_offer_at(s, ended)
    routed = s.routed
    said = s.region
    return Cdr(
        call_id=s.opened.call,
        site=s.opened.site,
        started_at=started,
        answered_at=answered,
        ended_at=ended,
        caller=s.opened.facts.caller,
        dialed=s.opened.facts.dialed,
        region=said.name if said else routed.region if routed else "",
        region_source=RegionSource.MENU if said else routed.region_source if routed else "",
        tenant=said.tenant if said else routed.tenant if routed else TenantName(""),
        topic=s.topic,
        rule=routed.rule if routed else RuleId(""),
        config_hash=routed.config_hash if routed else "",
        queue=_queue(s),
        agent=s.connected.offered.agent if s.connected else None,
        destination=s.connected.destination if s.connected else None,
        trunk=s.connected.offered.trunk if s.connected else None,
        outcome=_outcome(s, released),
        disposition=_disposition(s, released),
        hangup_cause=released.cause,
        released_by=ReleasedBy.AGENT if s.mark else _released_by(released),
        wait_s=_seconds(started, offered),
        ring_s=_seconds(offered, answered or ended),
        talk_s=_seconds(answered, ended) if answered else 0.0,
        hold_s=s.talk.hold_s(answered, ended),
        explanation=_explanation(s, released),
        queued_at=whole_ms(s.queued.at) if s.queued else None,
        legs=s.legs,
        messages=s.messages,
        switches=s.switches,
        mark=s.mark,
        callback=_callback(s),
        hearings=s.hearings,
        visits=s.visits,
        notices=s.taped.notices,
        tapes=s.taped.tapes,
        returns=_returns(s, released),
    )


def _last_offer_at(s: _Summary, ended: datetime) -> datetime:
    """When waiting turned into ringing: at the offer that was answered, or at the first that was open at the end."""
    if s.connected:
        return whole_ms(s.connected.offered.at)
    last = s.legs[-1] if s.legs else None
    if last is None or last.ended_at != ended:
        return ended
    return min(leg.offered_at for leg in s.legs if leg.ended_at == ended and leg.result is last.result)


def _queue(s: _Summary) -> QueueName | None:
    """The first that was entered; the one that turned the caller away, if none was."""
    return s.queued.queue if s.queued else s.queue


def _callback(s: _Summary) -> CdrCallback | None:
    """What is still owed to the caller: nothing, where somebody was reached after all."""
    if s.wanted is None or s.connected:
        return None
    return CdrCallback(s.wanted.queue, s.wanted.number, whole_ms(s.wanted.at), s.wanted.place)


def _returns(s: _Summary, released: facts.Released) -> CdrReturn | None:
    request = s.opened.request
    if request is None:
        return None
    result = ReturnResult.NOT_REACHED
    if s.connected or released.reason is ReleaseReason.SERVED:
        result = ReturnResult.REACHED
    elif released.reason is ReleaseReason.WITHDRAWN:
        result = ReturnResult.CANCELLED
    return CdrReturn(request.original, result, len(s.in_vain))


def _outcome(s: _Summary, released: facts.Released) -> Outcome:
    if s.connected:
        return Outcome.HANDLED
    if s.wanted:
        return Outcome.CALLBACK
    if s.messages:
        return Outcome.VOICEMAIL
    match released.reason:
        case ReleaseReason.NOT_TAKEN:
            return Outcome.REJECTED
        case ReleaseReason.DEFECT | ReleaseReason.TAKEN_AWAY:
            return Outcome.FAILED
        case ReleaseReason.NOT_REACHED:
            return Outcome.ABANDONED
        case ReleaseReason.WITHDRAWN | ReleaseReason.RULES_CHANGED | ReleaseReason.SERVED | ReleaseReason.EXPIRED:
            return Outcome.CLOSED
        case ReleaseReason.HANDED_OVER:
            return Outcome.OVERFLOWED if s.queue else Outcome.HANDLED
        case _:
            return _outcome_without_counselor(s, released)


def _outcome_without_counselor(s: _Summary, released: facts.Released) -> Outcome:
    if s.recording_failed:
        return Outcome.FAILED
    last = s.legs[-1] if s.legs else None
    dialed_in_vain = last is not None and last.agent is None and last.result is not OfferResult.CALLER_GONE
    if s.left_queue or dialed_in_vain:
        return Outcome.OVERFLOWED
    seeks_somebody = EnterQueue | Dial | HandOver | Menu | Voicemail
    if released.reason is not ReleaseReason.PLAN_ENDED:
        seeks_somebody |= Callback  # who cannot be called back, and hears the plan to its end, has abandoned nothing
    if s.plan is None or any(isinstance(step, seeks_somebody) for step in s.plan.steps):
        return Outcome.ABANDONED
    is_heard = s.is_chosen and released.reason is ReleaseReason.PLAN_ENDED
    return Outcome.HANDLED if is_heard else Outcome.CLOSED  # what the caller asked to hear was heard


def _disposition(s: _Summary, released: facts.Released) -> Disposition:
    if s.connected:
        return Disposition.ANSWERED
    if released.reason in (ReleaseReason.DEFECT, ReleaseReason.TAKEN_AWAY, ReleaseReason.NOT_TAKEN):
        return Disposition.FAILED
    last = s.legs[-1] if s.legs else None
    if s.opened.request is not None:
        last = s.in_vain[-1] if s.in_vain else None  # what the resident's line said counts, not the counselor's
    if released.cause == Cause.USER_BUSY or (last and last.result is OfferResult.BUSY):
        return Disposition.BUSY
    if released.cause in CONGESTION or (last and last.result is OfferResult.CONGESTION):
        return Disposition.CONGESTION
    return Disposition.NO_ANSWER


def _released_by(released: facts.Released) -> ReleasedBy:
    match released.reason:
        case ReleaseReason.CALLER_HUNG_UP:
            return ReleasedBy.CALLER
        case ReleaseReason.AGENT_HUNG_UP:
            return ReleasedBy.AGENT
        case _:
            return ReleasedBy.SYSTEM


def _explanation(s: _Summary, released: facts.Released) -> str:
    lines = list(s.story)
    if released.reason not in (
        ReleaseReason.CALLER_HUNG_UP,
        ReleaseReason.AGENT_HUNG_UP,
        ReleaseReason.PLAN_ENDED,
    ):
        lines.append(f"released: {released.reason}")
    if s.wanted and s.connected:
        lines.append("call back: needless, somebody was reached")
    if released.estimated:
        lines.append("ended_at is an estimate: the end of the call was not seen")
    return "\n".join(lines)


def _choice(fact: facts.Chosen) -> str:
    choice = fact.choice
    learnt = {"topic": choice.topic, "region": choice.region and choice.region.name, "language": choice.language}
    words = [f"{what} {value}" for what, value in learnt.items() if value]
    if choice.remember_s is not None:
        words.append(f"agreed to be remembered for {choice.remember_s / 86_400:g} d")
    if choice.forget:
        words.append("what was remembered is forgotten")
    words.append(f"→ {choice.plan.name}" if choice.plan else "→ next step")
    if fact.unasked:
        return f"menu: not asked, for nothing could be remembered: {' '.join(words)}"
    pressed = f"pressed {fact.pressed}" if fact.pressed else "no key pressed"
    return f"menu: {pressed}{'' if choice.key else ', so the default'}: {' '.join(words)}"


def _seconds(begin: datetime, end: datetime) -> float:
    delta = end - begin
    return ((delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000) / 1000
