"""What the facts of a call come to, gathered in one pass for its record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from callrouter.core import facts
from callrouter.core.cdr import (
    CallMark,
    CdrHearing,
    CdrMessage,
    CdrVisit,
    RecordingResult,
    VisitEnd,
)
from callrouter.core.facts import LeaveReason, ReleaseReason
from callrouter.core.geography import Region
from callrouter.core.ids import QueueName, SwitchName, TopicName
from callrouter.core.legs_fold import LegsFold
from callrouter.core.plan import Plan
from callrouter.core.talk_time import TalkTime, whole_ms
from callrouter.core.taped_fold import TapedFold

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
class Summary:
    """What the facts come to, gathered in one pass."""

    opened: facts.Opened
    legs: LegsFold
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
    mark: CallMark | None = None
    queue: QueueName | None = None
    """The last that was entered, or turned the caller away."""
    talk: TalkTime = field(default_factory=TalkTime)
    left_queue: bool = False
    switches: tuple[SwitchName, ...] = ()
    """Those that were on at one of its decisions."""
    released: facts.Released | None = None
    recording: facts.RecordingBegun | None = None
    """One that was not seen to end."""
    recording_failed: bool = False
    """The last message that was asked for could not be recorded."""
    messages: tuple[CdrMessage, ...] = ()
    wanted: facts.CallbackWanted | None = None
    listening: dict[int, tuple[facts.HearingBegun, list[facts.Heard]]] = field(default_factory=dict)
    """Supervisors who are let in, and what they heard so far."""
    hearings: tuple[CdrHearing, ...] = ()
    waits: facts.Queued | None = None
    """In a queue that was not left yet."""
    visits: tuple[CdrVisit, ...] = ()
    taped: TapedFold = field(default_factory=TapedFold)

    def take(self, fact: facts.Fact) -> None:
        self.talk.take(fact)
        for part in (self.taped, self.legs):
            told = part.take(fact)
            if told is not None:
                self._tell(told)
        match fact:
            case facts.Routed() | facts.Branched() | facts.Chosen():
                self._take_decision(fact)
            case facts.Queued() | facts.LeftQueue() | facts.TurnedAway():
                self._take_queue(fact)
            case facts.Released():
                self.released = fact
                self._end_visit(fact.at, _VISIT_ENDS.get(fact.reason, VisitEnd.OTHER))
            case facts.Connected(at=at):
                self._end_visit(self.legs.answered_at or at, VisitEnd.ANSWERED)
            case facts.Redirected(mark=mark):
                self.mark = mark or self.mark
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
            case facts.CallbackWanted():
                self.wanted = fact
                self._tell(f"call back: wanted of {fact.queue}")
            case facts.NumberOffered():
                self._tell("call back: a number is read out")
            case facts.NumberAsked():
                self._tell("call back: asked for a number")
            case facts.Looped(sign=sign, origin=origin, hops=hops):
                self._tell(f"goes in a circle ({sign}), out {hops} times{f'; from call {origin}' if origin else ''}")
            case facts.RecordingBegun():
                self.recording = fact
            case facts.RecordingEnded():
                self._close_recording(fact)
            case facts.HearingBegun() | facts.Heard() | facts.HearingEnded():
                self._take_hearing(fact)
            case _:
                self._take_postponed(fact)

    def _take_postponed(self, fact: facts.Fact) -> None:
        match fact:
            case facts.Postponed(why=facts.PostponeReason.OWN_CALL):
                self._tell("called back later (own-call): he waits on the line himself")
            case facts.Postponed(until=until, why=why):
                self._tell(f"called back later ({why}): from {until:%Y-%m-%d %H:%M:%S} UTC on")
            case _:
                pass

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
        length_s = seconds(whole_ms(self.recording.at), max(whole_ms(self.recording.at), whole_ms(released.at)))
        result = RecordingResult.KEPT if length_s >= int(self.recording.min_s) else RecordingResult.TOO_SHORT
        self._close_recording(facts.RecordingEnded(released.at, result, length_s, "its end was not seen"))


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


def seconds(begin: datetime, end: datetime) -> float:
    """From one to the other, to the millisecond."""
    delta = end - begin
    return ((delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000) / 1000
