"""One call, as its facts say it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from callrouter.core import facts, naming
from callrouter.core.cdr import OfferResult
from callrouter.core.estimating import Standing
from callrouter.core.events import TimerKind
from callrouter.core.far_end import FarEnd
from callrouter.core.geography import Region
from callrouter.core.ids import (
    AgentId,
    BridgeId,
    CallId,
    ChannelId,
    DestinationName,
    PlaybackId,
    PromptName,
    QueueName,
    RecordingId,
    RegionName,
    RuleId,
    SiteName,
    TenantName,
    TrunkName,
)
from callrouter.core.inbound import CallFacts
from callrouter.core.plan import Announce, Choice, EnterQueue, Menu, Plan, Step, Voicemail
from callrouter.core.states import CallState
from callrouter.core.supervisors import Hearing
from callrouter.core.taped import Taped

_S = CallState
_FOLLOWS: Mapping[type[facts.Fact], frozenset[CallState]] = {
    facts.Routed: frozenset({_S.ROUTING}),
    facts.StepBegun: frozenset({_S.ROUTING, _S.ANNOUNCING}),
    facts.Branched: frozenset({_S.ROUTING, _S.DICTATING}),
    facts.AskedAgain: frozenset({_S.ASKING}),
    facts.Chosen: frozenset({_S.ASKING}),
    facts.RecordingBegun: frozenset({_S.RECORDING}),
    facts.RecordingEnded: frozenset({_S.RECORDING, _S.CLEARING}),
    facts.Answered: frozenset(
        {_S.ROUTING, _S.ANNOUNCING, _S.ASKING, _S.DICTATING, _S.RECORDING, _S.QUEUED, _S.CONNECTING}
    ),
    facts.CallbackWanted: frozenset({_S.ROUTING, _S.DICTATING}),
    facts.NumberOffered: frozenset({_S.ROUTING, _S.DICTATING}),
    facts.NumberAsked: frozenset({_S.ROUTING, _S.DICTATING}),
    facts.Queued: frozenset({_S.ROUTING}),
    facts.LeftQueue: frozenset({_S.QUEUED}),
    facts.Offered: frozenset({_S.QUEUED, _S.ROUTING}),
    facts.Relayed: frozenset({_S.OFFERED, _S.BRIEFING, _S.CONNECTING, _S.CONNECTED}),
    facts.Rang: frozenset({_S.OFFERED, _S.CONNECTED}),
    facts.Confirming: frozenset({_S.OFFERED, _S.CONFIRMING}),
    facts.Briefed: frozenset({_S.OFFERED}),
    facts.PickedUp: frozenset({_S.OFFERED, _S.CONFIRMING, _S.BRIEFING, _S.GREETING}),
    facts.Connected: frozenset({_S.CONNECTING}),
    facts.OfferClosed: frozenset(
        {_S.OFFERED, _S.CONFIRMING, _S.BRIEFING, _S.CALLING, _S.GREETING, _S.CONNECTING, _S.CONNECTED}
    ),
    facts.Held: frozenset({_S.CONNECTED}),
    facts.Resumed: frozenset({_S.CONNECTED}),
    facts.Invited: frozenset({_S.CONNECTED}),
    facts.Reminded: frozenset({_S.CONNECTED}),
    facts.Extended: frozenset({_S.CONNECTED}),
    facts.Told: frozenset({_S.CONNECTED}),
    facts.JoinedIn: frozenset({_S.CONNECTED}),
    facts.InviteClosed: frozenset({_S.CONNECTED}),
    facts.PassedOn: frozenset({_S.CONNECTED}),
    facts.Redirected: frozenset({_S.CONNECTED}),
    facts.Released: frozenset(_S) - {_S.CLEARING, _S.ENDED},
    facts.HearingBegun: frozenset({_S.CONNECTED}),
    facts.Heard: frozenset({_S.CONNECTED}),
    facts.HearingEnded: frozenset({_S.CONNECTED}),
    facts.TurnedAway: frozenset({_S.ROUTING}),
    facts.Comforted: frozenset({_S.QUEUED}),
    facts.NoticeBegun: frozenset({_S.ROUTING, _S.ANNOUNCING, _S.OFFERED, _S.BRIEFING, _S.GREETING}),
    facts.NoticeOver: frozenset({_S.ANNOUNCING, _S.GREETING}),
    facts.NotTaped: frozenset({_S.CONNECTED}),
    facts.TapeBegun: frozenset({_S.CONNECTED}),
    facts.TapeMuted: frozenset({_S.CONNECTED}),
    facts.TapeUnmuted: frozenset({_S.CONNECTED}),
    facts.TapeEnded: frozenset({_S.CONNECTED}),
    facts.AlsoOffered: frozenset({_S.OFFERED}),
    facts.AlsoRang: frozenset({_S.OFFERED}),
    facts.LeadTaken: frozenset({_S.OFFERED}),
    facts.AlsoClosed: frozenset({_S.OFFERED}),
    facts.CallingBack: frozenset({_S.OFFERED}),
    facts.ResidentRang: frozenset({_S.CALLING}),
    facts.ResidentAnswered: frozenset({_S.CALLING}),
    facts.NotReached: frozenset({_S.CALLING, _S.GREETING, _S.QUEUED}),
    facts.Postponed: frozenset({_S.QUEUED}),
    facts.BackInLine: frozenset({_S.POSTPONED}),
    facts.LeftToRing: frozenset({_S.CONNECTED}),
    facts.Looped: frozenset({_S.ROUTING}),
}
"""In which states each fact can be true of a call; what is not here begins a call and never follows."""

_OfResident = (
    facts.CallingBack
    | facts.ResidentRang
    | facts.ResidentAnswered
    | facts.NotReached
    | facts.Postponed
    | facts.BackInLine
)
"""What is told of who is called back."""


@dataclass(slots=True)
class Offer:
    """Whose phone is called or was, for the caller or to be one more in the conversation, and how far that got."""

    attempt: int
    agent: AgentId | None
    trunk: TrunkName | None
    channel: ChannelId
    at: datetime
    destination: DestinationName | None = None
    site: SiteName | None = None
    """Where the phone is, if that is another site."""
    incoming: ChannelId | None = None
    """The leg as it came in there."""
    rang: bool = False
    bridge: BridgeId | None = None
    member: str = ""
    """The endpoint of the trunk group that carries the call."""
    marked: bool = False
    """It may have a channel that is kept in reserve."""


@dataclass(slots=True)
class Call:
    """A call in progress. Lasting state changes by :meth:`apply` alone."""

    id: CallId
    site: SiteName
    channel: ChannelId
    arrival: CallFacts
    opened_at: datetime
    known: CallFacts
    """What it came with, and what the caller answered since."""
    state: CallState = CallState.ROUTING
    history: list[facts.Fact] = field(default_factory=list)
    routed: facts.Routed | None = None
    rules: tuple[RuleId, ...] = ()
    """The rules that have taken it, in order."""
    plan: Plan | None = None
    """The plan in force: the rule's, or one that a menu or a question led to."""
    step: int = -1
    region: Region | None = None
    """Where the call is from: as the rule found it, or as the caller said since."""
    language: str | None = None
    """The one that the caller chose in a menu."""
    said: RegionName | None = None
    """The region that the caller chose with a key, while nothing else is known since."""
    tries: int = 0
    """How often the menu has asked, or who answered was asked for a key."""
    tried: int = 0
    """How many destinations the present step has called."""
    failed_by: frozenset[str] = frozenset()
    """The endpoints of trunk groups by which the destination that was called last was tried, if all failed it."""
    answered: bool = False
    queue: QueueName | None = None
    place: int = 0
    offer: Offer | None = None
    others: dict[ChannelId, Offer] = field(default_factory=dict)
    """Whose phones ring beside that of ``offer``: the first that is answered becomes the offer."""
    invited: Offer | None = None
    """Who was called into the conversation."""
    not_invited_by: frozenset[str] = frozenset()
    """The endpoints of trunk groups by which they were called before, all of which failed."""
    passes_on: bool = False
    """The call is theirs alone as soon as they answer."""
    line: ChannelId | None = None
    """The second line of the counselor's phone by which he speaks to who was called in."""
    far: FarEnd | None = None
    """Where that line is, if at another site: ``line`` is the leg that leads there."""
    held: bool = False
    """The caller is out of the bridge, and hears music."""
    phone_holds: bool = False
    """The counselor's phone has the caller on hold; he is in the bridge all the same."""
    attempts: int = 0
    released: facts.Released | None = None
    playback: PlaybackId | None = None
    """The announcement whose end counts."""
    playbacks: int = 0
    recording: RecordingId | None = None
    """The message that is being recorded."""
    recording_at: datetime | None = None
    """Since when."""
    recordings: int = 0
    queued_at: datetime | None = None
    connected_at: datetime | None = None
    """Since when the caller talks, to whomever; anew when another queue's counselor has answered."""
    reminded: bool = False
    """The recommended length was reached."""
    extended_s: float = 0.0
    """By how much the counselor put the end off."""
    """When the place in line was taken: by an earlier call, perhaps."""
    entered_at: datetime | None = None
    """When this call began to wait."""
    comforted_at: datetime | None = None
    """When the caller, who waits, was told something last."""
    comforts: int = 0
    """How many playbacks, up to the last that is counted, that has taken."""
    told: int | None = None
    """The foremost place in line that was told."""
    callback: facts.CallbackWanted | None = None
    dictated: str | None = None
    """The number that is read out to the caller (E.164); None: he is to enter one."""
    instead_of: CallId | None = None
    """The call by which the caller was to be called back who has called by himself, and waits at its place."""
    request: facts.Request | None = None
    """For a call that we make: that it was asked for."""
    resident: Offer | None = None
    """For such a call: how the resident is called, or has been reached."""
    is_reached: bool = False
    """The resident has answered, and has not hung up before the counselor was there."""
    tone: PlaybackId | None = None
    """What the counselor hears, who is at the phone, until the two are connected."""
    vain: int = 0
    """How often the resident was called in vain, as far as it counts."""
    postponed_until: datetime | None = None
    postponed_for: facts.PostponeReason | None = None
    hearings: dict[int, Hearing] = field(default_factory=dict)
    """Supervisors who are let into the conversation, by number."""
    heard: int = 0
    """How many ever were."""
    taped: Taped = field(default_factory=Taped)
    """What of it is recorded, and what the caller was told of that."""
    # What the exchange notes for itself and may forget over a restart:
    wait_over: bool = False
    music: bool = False
    ringing: bool = False
    ring_tone: bool = False
    guarded: bool = False
    """The dead man's switch of the caller is ours, no longer the dialplan's."""
    long_switch: bool = False
    """It is set to outlast an announcement."""
    insisted: bool = False
    keyed: str = ""
    """The keys that the counselor has pressed, so far as they may become a code."""
    refers: bool = False
    """The counselor's phone asked for the transfer, and waits to be told what becomes of it."""
    referrer: ChannelId | None = None
    """By which channel it asked, if not by that of the conversation."""
    refer_later: str = ""
    """To whom, while who was called in before is still leaving."""
    told_in_vain_at: datetime | None = None
    """When that phone was told that nothing came of it."""
    key_pressed: bool = False
    """A key was pressed while the message was recorded."""
    comforting: bool = False
    """An announcement plays to who waits."""
    untold: tuple[PromptName, ...] = ()
    """What is still to be played of it."""
    key_wanted: str = ""
    """The key that was pressed while a phone rang; it may still be answered."""
    stood: Standing | None = None
    """Where the caller stood on entering the queue, if he had to wait."""
    to_be_adopted: bool = False
    in_doubt: bool = False
    """What followed from its last facts may not have been sent to Asterisk: the earlier daemon died in between."""
    hastened: bool = False
    """Somebody wants the resident called now, whatever the time is."""
    timers: set[TimerKind] = field(default_factory=set)

    @classmethod
    def open(cls, opened: facts.Opened) -> "Call":
        """A call that has just come in, or is being restored from its first fact."""
        call = cls(opened.call, opened.site, opened.channel, opened.facts, opened.at, opened.facts, history=[opened])
        call.request, call.answered = opened.request, opened.request is not None
        return call

    @property
    def is_absent(self) -> bool:
        """Whether there is nobody at the other end yet: who is to be called back, and waits without a phone."""
        return self.request is not None and not self.is_reached

    @property
    def is_hung_up_on(self) -> bool:
        """Whether Asterisk was asked to hang the caller up."""
        reasons = (facts.ReleaseReason.AGENT_HUNG_UP, facts.ReleaseReason.PLAN_ENDED)
        return self.released is not None and self.released.reason in reasons

    @property
    def phones(self) -> tuple[Offer, ...]:
        """All who are called for it, or talk in it."""
        return tuple(offer for offer in (self.offer, self.invited, *self.others.values()) if offer is not None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the plan in force, none before the call is routed."""
        return self.plan.steps if self.plan is not None else ()

    @property
    def tenant(self) -> TenantName:
        """Whose call it is; empty before it is routed."""
        return self.region.tenant if self.region is not None else TenantName("")

    def awaits(self, channel: ChannelId) -> bool:
        """Whether ``channel`` is of who was called into the conversation and has not answered."""
        return self.invited is not None and self.invited.bridge is None and self.invited.channel == channel

    @property
    def speaks_apart(self) -> bool:
        """Whether the counselor has dialled who was called in on a second line, and speaks to them there."""
        return self.line is not None and not self.passes_on

    def apply(self, fact: facts.Fact) -> None:
        """Take one fact into the call's state and history.

        Raises:
            ValueError: it cannot be true of a call that stands where this one does.
        """
        if self.state not in _FOLLOWS.get(type(fact), ()):
            raise ValueError(f"call {self.id} in state {self.state} cannot take {fact!r}")
        self._take(fact)
        self.history.append(fact)

    def _take(self, fact: facts.Fact) -> None:
        match fact:
            case facts.Routed() | facts.Branched() | facts.AskedAgain() | facts.Chosen():
                self._take_of_plan(fact)
            case facts.StepBegun(index=index):
                self._begin(index)
            case facts.RecordingBegun() | facts.RecordingEnded():
                self._take_of_message(fact)
            case facts.Answered() | facts.Looped():
                self.answered = self.answered or isinstance(fact, facts.Answered)
            case facts.CallbackWanted() | facts.NumberOffered() | facts.NumberAsked():
                self._take_of_number(fact)
            case facts.Queued() | facts.LeftQueue() | facts.TurnedAway() | facts.Comforted():
                self._take_of_queue(fact)
            case facts.Released():
                self.released, self.state = fact, CallState.CLEARING
            case facts.Offered():
                self._offer(fact)
            case facts.NoticeBegun() | facts.NoticeOver():
                self._take_notice(fact)
            case _:
                self._take_of_offer(fact)

    def _take_notice(self, fact: facts.NoticeBegun | facts.NoticeOver) -> None:
        if self.offer is not None:
            self._take_notice_of_resident(fact)
            return
        self.taped.take(fact)
        if isinstance(fact, facts.NoticeBegun):
            self.state = CallState.ANNOUNCING
            self._next_playback()
        else:
            self.state = CallState.ROUTING

    def _take_notice_of_resident(self, fact: facts.NoticeBegun | facts.NoticeOver) -> None:
        """Who is called back hears it when a counselor is at the phone, who hears it too."""
        if not self.is_reached:
            raise ValueError(f"call {self.id} has nobody at the phone who was called back, yet {fact!r}")
        self.taped.take(fact)
        if isinstance(fact, facts.NoticeBegun):
            self.state = CallState.GREETING
            self._next_playback()
            self.tone = self.playback
            self._next_playback()

    def _take_of_resident(self, fact: _OfResident) -> None:
        match fact:
            case facts.Postponed(until=until, why=why):
                self.state, self.postponed_until, self.postponed_for = CallState.POSTPONED, until, why
            case facts.BackInLine():
                self.state, self.postponed_until, self.postponed_for = CallState.QUEUED, None, None
            case _:
                self._call_back(fact)

    def _call_back(
        self, fact: facts.CallingBack | facts.ResidentRang | facts.ResidentAnswered | facts.NotReached
    ) -> None:
        if isinstance(fact, facts.CallingBack):
            self.attempts = fact.attempt
            self.resident = Offer(
                fact.attempt, None, fact.trunk, fact.channel, fact.at, member=fact.member, marked=fact.marked
            )
            self.state = CallState.CALLING
            self._next_playback()
            self.tone = self.playback
            return
        if self.resident is None:
            raise ValueError(f"call {self.id} calls nobody back, yet {fact!r}")
        match fact:
            case facts.ResidentRang():
                self.resident.rang = True
            case facts.ResidentAnswered():
                self.is_reached, self.channel = True, self.resident.channel
                self.state = CallState.GREETING
                self._next_playback()
            case facts.NotReached(counts=counts):
                self.vain += counts
                self.is_reached, self.resident = False, None
                self.channel = naming.nobody(self.id)
            case _:
                assert_never(fact)

    def _take_of_plan(self, fact: facts.Routed | facts.Branched | facts.AskedAgain | facts.Chosen) -> None:
        match fact:
            case facts.Routed():
                self.routed = fact
                self.rules = (*self.rules, fact.rule)
                self.region = Region(fact.region, fact.region_title, fact.tenant)
                self._follow(fact.plan)
            case facts.Branched(plan=plan):
                self.state = CallState.ROUTING
                self._follow(plan)
            case facts.AskedAgain(missed=missed):
                self.tries += missed
                self._next_playback()
            case facts.Chosen(choice=choice):
                self._learn(choice)
                self.state = CallState.ROUTING
                self._follow(choice.plan)
            case _:
                assert_never(fact)

    def _take_of_number(self, fact: facts.CallbackWanted | facts.NumberOffered | facts.NumberAsked) -> None:
        if isinstance(fact, facts.CallbackWanted):
            self.callback, self.state = fact, CallState.ROUTING
            return
        self.tries = 1 if self.state is CallState.ROUTING else self.tries + fact.missed
        self.dictated = fact.number if isinstance(fact, facts.NumberOffered) else None
        self.state = CallState.DICTATING
        self._next_playback()

    def _take_of_message(self, fact: facts.RecordingBegun | facts.RecordingEnded) -> None:
        match fact:
            case facts.RecordingBegun():
                self.recording, self.recording_at = fact.recording, fact.at
                self.recordings += 1
                self.key_pressed = False
            case facts.RecordingEnded():
                if self.recording is None:
                    raise ValueError(f"call {self.id} has no recording, yet {fact!r}")
                self.recording = None
                if self.state is CallState.RECORDING:  # else the caller has been let go meanwhile
                    self.state = CallState.ANNOUNCING
                    self._next_playback()
            case _:
                assert_never(fact)

    def _follow(self, plan: Plan | None) -> None:
        """Be before the first step of ``plan``; None: stay in the present one."""
        if plan is not None:
            self.plan, self.step = plan, -1

    def _learn(self, choice: Choice) -> None:
        self.region = choice.region or self.region
        self.language = choice.language or self.language
        self.known = replace(
            self.known,
            topic=choice.topic or self.known.topic,
            language=choice.language or self.known.language,
            region=choice.region.name if choice.region is not None else self.known.region,
            remembered=None if choice.forget else self.known.remembered,
        )
        if choice.region is not None:
            self.said = choice.region.name if choice.key else None

    def _next_playback(self) -> None:
        self.playbacks += 1
        self.playback = naming.playback(self.id, self.playbacks)

    def _begin(self, index: int) -> None:
        """Begin the step after the present one."""
        if index != self.step + 1 or index >= len(self.steps):
            raise ValueError(f"call {self.id} at step {self.step} of {len(self.steps)} cannot begin step {index}")
        self.step = index
        match self.steps[index]:
            case Announce():
                self.state = CallState.ANNOUNCING
                self._next_playback()
            case Menu():
                self.state, self.tries = CallState.ASKING, 1
                self._next_playback()
            case Voicemail():
                self.state = CallState.RECORDING
                self._next_playback()
            case _:
                self.state, self.tried = CallState.ROUTING, 0

    def _take_of_queue(self, fact: facts.Queued | facts.LeftQueue | facts.TurnedAway | facts.Comforted) -> None:
        match fact:
            case facts.Queued():
                self._wait_in(fact)
            case facts.LeftQueue(plan=plan):
                self.queue, self.comforted_at, self.state = None, None, CallState.ROUTING
                self._follow(plan)
            case facts.TurnedAway(plan=plan):
                self._follow(plan)
            case facts.Comforted(at=at, prompts=prompts, position=position):
                self.comforted_at, self.told = at, position or self.told
                self.comforts = len(prompts)
                self.playbacks += len(prompts)
            case _:
                assert_never(fact)

    def _wait_in(self, fact: facts.Queued) -> None:
        if not self.steps or not isinstance(self.steps[self.step], EnterQueue):
            raise ValueError(f"call {self.id} at step {self.step} is not to wait in a queue")
        self.queue, self.place, self.queued_at = fact.queue, fact.place, fact.since or fact.at
        self.entered_at, self.comforted_at, self.told = fact.at, None, None
        self.instead_of = fact.instead_of
        self.state = CallState.QUEUED

    def _offer(self, fact: facts.Offered) -> None:
        if (fact.agent is None) is (self.state is CallState.QUEUED):
            raise ValueError(f"call {self.id} in state {self.state} cannot be offered to {fact!r}")
        if fact.destination is not None:
            self.tried, self.tries = self.tried + (not fact.again), 0
        if not fact.again:
            self.failed_by = frozenset()
        self.attempts = fact.attempt
        self.offer = _offer_of(fact)
        self.state = CallState.OFFERED

    def _take_of_offer(self, fact: facts.Fact) -> None:
        if isinstance(fact, facts.HearingBegun | facts.Heard | facts.HearingEnded):
            self._take_of_hearing(fact)
            return
        if isinstance(fact, _OfResident):
            self._take_of_resident(fact)
            return
        offer = self.offer
        if offer is None:
            raise ValueError(f"call {self.id} has no open offer, yet {fact!r}")
        if isinstance(fact, facts.OF_OTHER_PHONES):
            self._take_of_others(fact, offer)
        elif self.others and not isinstance(fact, facts.Rang | facts.Relayed):
            raise ValueError(f"call {self.id} rings at {len(self.others)} more phones, yet {fact!r}")
        else:
            self._take_of_one_offer(fact, offer)

    def _take_of_one_offer(self, fact: facts.Fact, offer: Offer) -> None:
        match fact:
            case facts.Relayed():
                for one in (self.invited, offer, *self.others.values()):
                    if one is not None and one.attempt == fact.attempt:
                        one.incoming = fact.channel
            case facts.Rang():
                (self.invited or offer).rang = True
            case facts.Confirming():
                self.state = CallState.CONFIRMING
                self.tries += 1
                self._next_playback()
            case facts.Briefed():
                self.state = CallState.BRIEFING
                self._next_playback()
            case facts.PickedUp(bridge=bridge):
                offer.bridge, self.tone = bridge, None
                self.state = CallState.CONNECTING
            case facts.Connected(at=at):
                self.state = CallState.CONNECTED
                self.connected_at, self.reminded, self.extended_s = at, False, 0.0
                self.taped.is_settled = False
            case facts.OfferClosed(result=result):
                failed = result is OfferResult.CONGESTION and offer.member
                self.failed_by = self.failed_by | {offer.member} if failed else frozenset()
                self._end_offer()
                self.state = CallState.QUEUED if self.queue is not None else CallState.ROUTING
            case _:
                self._take_of_conversation(fact, offer)

    def _take_of_others(self, fact: facts.OF_OTHER_PHONES, offer: Offer) -> None:
        if isinstance(fact, facts.AlsoOffered):
            if self.queue is None:
                raise ValueError(f"call {self.id} waits in no queue, yet {fact!r}")
            self.attempts = fact.attempt
            self.others[fact.channel] = _offer_of(fact)
            return
        other = self.others.get(fact.channel)
        if other is None:
            raise ValueError(f"call {self.id} does not ring at that phone too, yet {fact!r}")
        match fact:
            case facts.AlsoRang():
                other.rang = True
            case facts.AlsoClosed():
                del self.others[fact.channel]
            case facts.LeadTaken():
                del self.others[fact.channel]
                self.offer, self.others[offer.channel] = other, offer
            case _:
                assert_never(fact)

    def _end_offer(self) -> None:
        self.offer = self.invited = self.line = self.tone = None
        self.held = self.phone_holds = False

    def _take_of_conversation(self, fact: facts.Fact, offer: Offer) -> None:
        match fact:
            case facts.Held(by_phone=by_phone) | facts.Resumed(by_phone=by_phone):
                self._hold(by_phone=by_phone, held=isinstance(fact, facts.Held))
            case facts.Invited():
                self._invite(fact)
            case facts.Reminded():
                self.reminded = True
            case facts.Extended(by_s=by_s):
                self.extended_s += by_s
            case facts.Told():
                self._next_playback()
            case facts.NotTaped() | facts.TapeBegun() | facts.TapeMuted() | facts.TapeUnmuted() | facts.TapeEnded():
                self.taped.take(fact)
            case facts.Redirected(plan=plan):
                self._end_offer()
                self.queue, self.state = None, CallState.ROUTING
                self._follow(plan)
            case _:
                self._take_of_invited(fact, offer)

    def _hold(self, *, by_phone: bool, held: bool) -> None:
        if by_phone:
            self.phone_holds = held
        else:
            self.held = held

    def _invite(self, fact: facts.Invited) -> None:
        if self.invited is not None or (fact.agent is None) is (fact.destination is None):
            raise ValueError(f"call {self.id} cannot call in {fact!r} beside {self.invited!r}")
        self.attempts, self.passes_on, self.line, self.far = fact.attempt, fact.passes_on, fact.line, fact.far
        if not fact.again:
            self.not_invited_by = frozenset()
        self.invited = _offer_of(fact)
        self._next_playback()

    def _take_of_invited(self, fact: facts.Fact, offer: Offer) -> None:
        invited = self.invited
        if invited is None:
            raise ValueError(f"call {self.id} has called nobody in, yet {fact!r}")
        match fact:
            case facts.JoinedIn():
                apart = self.speaks_apart
                invited.bridge = naming.bridge(self.id, invited.attempt) if apart else offer.bridge
            case facts.InviteClosed(goes_on=goes_on):
                self.not_invited_by |= {invited.member}
                self.invited, self.line = None, self.line if goes_on else None
            case facts.LeftToRing():
                self.passes_on = True
            case _:
                self._end_offer()
                self.offer, self.taped.is_settled = invited, False
                self.state = CallState.OFFERED if invited.bridge is None else CallState.CONNECTED

    def _take_of_hearing(self, fact: facts.HearingBegun | facts.Heard | facts.HearingEnded) -> None:
        if isinstance(fact, facts.HearingBegun):
            self.heard = fact.number
            self.hearings[fact.number] = Hearing(
                fact.number,
                fact.supervisor,
                fact.agent,
                fact.channel,
                fact.at,
                fact.mode,
                fact.who,
                fact.via,
                far=fact.far,
            )
            return
        hearing = self.hearings.get(fact.number)
        if hearing is None:
            raise ValueError(f"call {self.id} has no such supervisor, yet {fact!r}")
        if isinstance(fact, facts.HearingEnded):
            del self.hearings[fact.number]
            return
        hearing.mode, hearing.wanted, hearing.turn = fact.mode, fact.mode, fact.turn
        hearing.turns = max(hearing.turns, fact.turn)
        hearing.since = hearing.since or fact.at

    def close(self) -> None:
        """The caller's channel is gone and nothing more will happen."""
        self.state = CallState.ENDED


def _offer_of(fact: facts.Offered | facts.Invited | facts.AlsoOffered) -> Offer:
    return Offer(
        fact.attempt,
        fact.agent,
        fact.trunk,
        fact.channel,
        fact.at,
        None if isinstance(fact, facts.AlsoOffered) else fact.destination,
        fact.site,
        member=fact.member,
        marked=fact.marked,
    )
