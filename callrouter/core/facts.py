"""What happened to a call, in the order it happened: the record from which calls are restored and CDRs are made.

A call's lasting state is what its facts say and nothing else (:meth:`callrouter.core.call.Call.apply`), so a daemon
that starts anew on the journal of a dead one knows the same calls. Times are aware UTC.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from callrouter.core.cdr import CallMark, OfferResult, RecordingResult
from callrouter.core.far_end import FarEnd
from callrouter.core.ids import (
    AgentId,
    BoxName,
    BridgeId,
    CalendarName,
    CallId,
    ChannelId,
    DestinationName,
    PromptName,
    QueueName,
    RecordingId,
    RegionName,
    RuleId,
    SiteName,
    SupervisorName,
    SwitchName,
    TenantName,
    TopicName,
    TrunkName,
)
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.plan import Choice, Plan
from callrouter.core.supervisors import HearingMode, HearingVia
from callrouter.core.tapes import MuteReason, TapeResult


class ReleaseReason(StrEnum):
    """Why a call came to its end."""

    CALLER_HUNG_UP = "caller-hung-up"
    AGENT_HUNG_UP = "agent-hung-up"
    PLAN_ENDED = "plan-ended"
    HANDED_OVER = "handed-over"
    """The plan sent the caller on into the dialplan."""
    TAKEN_AWAY = "taken-away"
    """The dialplan took the caller back, to its fallback: we were too slow to renew the dead man's switch."""
    NOT_TAKEN = "not-taken"
    """We turned the caller away: draining, or too many calls."""
    DEFECT = "defect"
    """An event met the call in a state that forbids it; the caller went to the fallback."""
    VANISHED = "vanished"
    """Asterisk no longer knew the caller's channel: it ended unseen."""
    NOT_REACHED = "not-reached"
    """Who was to be called back did not answer, as often as it may be tried."""
    WITHDRAWN = "withdrawn"
    """Somebody closed the request to be called back."""
    RULES_CHANGED = "rules-changed"
    """The queue that was to call back does not do so any more."""
    EXPIRED = "expired"
    """Who was to be called back was not, for as long as such requests are kept."""
    SERVED = "served"
    """Who was to be called back called by himself, and has talked to a counselor."""
    LOOP = "loop"
    """It goes in a circle: it is a call of ours that came back, or has gone out too often."""


class LeaveReason(StrEnum):
    """Why a caller is not, or no longer, in a queue's line."""

    WAITED = "waited"
    """As long as the plan allows."""
    KEY = "key"
    """The caller pressed one that leads elsewhere."""
    FULL = "full"
    """As many waited as may."""
    UNSTAFFED = "unstaffed"
    """Nobody who serves the queue was logged in."""


class PostponeReason(StrEnum):
    """Why who is to be called back stands in no line."""

    HOURS = "hours"
    """Nobody is called at this time."""
    RETRY = "retry"
    """It was tried in vain not long ago."""
    LIMIT = "limit"
    """As many calls have gone out as may."""
    OWN_CALL = "own-call"
    """He has called by himself, and waits on the line at his place."""


class LoopSign(StrEnum):
    """By what a call is known for one that goes in a circle."""

    LEG = "leg"
    """It names a leg of ours, which is being called."""
    HOPS = "hops"
    """It has gone out too often already."""
    DIVERTED = "diverted"
    """It was diverted by a number that a leg of ours is calling."""
    CALLED = "called"
    """It comes from a number that a leg of ours is calling."""
    SHOWN = "shown"
    """It comes from the number that legs of ours show."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """That somebody is to be called back: by ``queue``, at ``number`` (E.164), as he asked in the call ``original``."""

    original: CallId
    queue: QueueName
    number: str
    asked_at: datetime


class Opened(msgspec.Struct, frozen=True, tag="opened", gc=False):
    """A call came in; or, for a ``request``, is one that we shall make, and ``channel`` is nobody's yet."""

    at: datetime
    call: CallId
    site: SiteName
    channel: ChannelId
    facts: CallFacts
    request: Request | None = None
    trunk: TrunkName | None = None
    """The trunk group by which it came in."""


class Routed(msgspec.Struct, frozen=True, tag="routed", gc=False):
    """A rule took the call."""

    at: datetime
    rule: RuleId
    plan: Plan
    region: RegionName
    region_title: str
    region_source: RegionSource
    tenant: TenantName
    caller_kind: CallerKind
    topic: TopicName | None
    calendars: tuple[CalendarName, ...]
    config_hash: str
    explanation: str
    switches: tuple[SwitchName, ...] = ()
    """Those that were on."""


class StepBegun(msgspec.Struct, frozen=True, tag="step", gc=False):
    """The plan's step with this index began."""

    at: datetime
    index: int


class Branched(msgspec.Struct, frozen=True, tag="branched", gc=False):
    """The plan asked once more, and goes on with another ``plan`` (None: with its next step)."""

    at: datetime
    why: str
    plan: Plan | None


class AskedAgain(msgspec.Struct, frozen=True, tag="asked-again", gc=False):
    """The menu's prompt is played anew; ``missed``: because no key came that means something."""

    at: datetime
    missed: bool = True


class Chosen(msgspec.Struct, frozen=True, tag="chosen", gc=False):
    """The menu ended with this choice; ``pressed`` is the last key, empty if there was none.

    ``unasked``: it was not played at all, because it asks for consent and nothing could be remembered.
    """

    at: datetime
    choice: Choice
    pressed: str = ""
    unasked: bool = False


class RecordingBegun(msgspec.Struct, frozen=True, tag="recording-begun", gc=False):
    """The greeting is over, and the caller's message is recorded; it counts from ``min_s`` seconds on."""

    at: datetime
    recording: RecordingId
    box: BoxName
    min_s: float


class RecordingEnded(msgspec.Struct, frozen=True, tag="recording-ended", gc=False):
    """The message is over; ``length_s`` of it are kept, or ``why`` it failed."""

    at: datetime
    result: RecordingResult
    length_s: float
    why: str = ""


class Answered(msgspec.Struct, frozen=True, tag="answered", gc=False):
    """We answered the caller."""

    at: datetime


class Queued(msgspec.Struct, frozen=True, tag="queued", gc=False):
    """The caller began to wait; ``place`` orders callers over all queues.

    ``since``: the place is a former one, that of who began to wait then, and came back. ``instead_of`` is the call by
    which he was to be called back.
    """

    at: datetime
    queue: QueueName
    place: int
    since: datetime | None = None
    instead_of: CallId | None = None


class TurnedAway(msgspec.Struct, frozen=True, tag="turned-away", gc=False):
    """The queue took no more callers; the call goes on with ``plan``. ``waiting`` is how many waited."""

    at: datetime
    queue: QueueName
    why: LeaveReason
    plan: Plan
    waiting: int = 0


class Comforted(msgspec.Struct, frozen=True, tag="comforted", gc=False):
    """Who waits is told something: these prompts, among them the place in line and the range of seconds to wait."""

    at: datetime
    prompts: tuple[PromptName, ...]
    position: int | None = None
    wait_s: tuple[float, float] | None = None


class CallbackWanted(msgspec.Struct, frozen=True, tag="callback-wanted", gc=False):
    """The caller is to be called back by ``queue`` at ``number`` (E.164); ``place`` is where he stood in its line."""

    at: datetime
    queue: QueueName
    number: str
    place: int | None = None


class NumberOffered(msgspec.Struct, frozen=True, tag="number-offered", gc=False):
    """The number (E.164) is read out at which the caller would be called back; ``missed``: as in ``AskedAgain``."""

    at: datetime
    number: str
    missed: bool = False


class NumberAsked(msgspec.Struct, frozen=True, tag="number-asked", gc=False):
    """The caller is asked for another number."""

    at: datetime
    missed: bool = False


class Offered(msgspec.Struct, frozen=True, tag="offered", gc=False):
    """A counselor's phone, or a destination of the plan, was called for this caller: one of the two is named."""

    at: datetime
    attempt: int
    agent: AgentId | None
    trunk: TrunkName | None
    channel: ChannelId
    destination: DestinationName | None = None
    member: str = ""
    """The endpoint of the trunk group that carries the call."""
    marked: bool = False
    """It may have a channel that is kept in reserve."""
    again: bool = False
    """The same destination once more, by another endpoint than that which failed."""
    site: SiteName | None = None
    """Where the phone is, if that is another site."""


class Relayed(msgspec.Struct, frozen=True, tag="relayed", gc=False):
    """The leg of an attempt came in at the other site that it leads to, as ``channel`` there."""

    at: datetime
    attempt: int
    channel: ChannelId


class Rang(msgspec.Struct, frozen=True, tag="rang", gc=False):
    """The offered phone rings."""

    at: datetime


class Confirming(msgspec.Struct, frozen=True, tag="confirming", gc=False):
    """The destination answered, and is asked (once more) for the key by which it takes the call."""

    at: datetime


class Briefed(msgspec.Struct, frozen=True, tag="briefed", gc=False):
    """The counselor answered, and hears ``prompts`` before he is connected."""

    at: datetime
    prompts: tuple[PromptName, ...]


class PickedUp(msgspec.Struct, frozen=True, tag="picked-up", gc=False):
    """The offered phone was answered, and confirmed where that is asked; ``bridge`` is being made."""

    at: datetime
    bridge: BridgeId


class Connected(msgspec.Struct, frozen=True, tag="connected", gc=False):
    """Caller and counselor can speak."""

    at: datetime


class OfferClosed(msgspec.Struct, frozen=True, tag="offer-closed", gc=False):
    """The open offer came to nothing, or (``ANSWERED``) the conversation ended."""

    at: datetime
    result: OfferResult
    cause: int


class Held(msgspec.Struct, frozen=True, tag="held", gc=False):
    """The caller hears music while the counselor does not listen; ``by_phone``: the phone itself put him on hold."""

    at: datetime
    by_phone: bool = False


class Resumed(msgspec.Struct, frozen=True, tag="resumed", gc=False):
    """The caller is back in the conversation."""

    at: datetime
    by_phone: bool = False


class Invited(msgspec.Struct, frozen=True, tag="invited", gc=False):
    """Somebody more is called into the conversation: a counselor or a destination, one of the two is named.

    ``passes_on``: the call is theirs alone as soon as they answer. ``line``: the counselor dialled them on a second
    line of his phone, and speaks to them by this channel of it.
    """

    at: datetime
    attempt: int
    agent: AgentId | None
    trunk: TrunkName | None
    channel: ChannelId
    destination: DestinationName | None = None
    passes_on: bool = False
    line: ChannelId | None = None
    member: str = ""
    marked: bool = False
    site: SiteName | None = None
    """Where the phone is, if that is another site."""
    far: FarEnd | None = None
    """Where that second line is, if at another site: ``line`` is the leg that leads there."""
    again: bool = False
    """The same destination once more, by another endpoint than that which failed."""


class Reminded(msgspec.Struct, frozen=True, tag="reminded", gc=False):
    """The conversation has come to its recommended length."""

    at: datetime


class Extended(msgspec.Struct, frozen=True, tag="extended", gc=False):
    """The counselor put the end of the conversation off by ``by_s`` seconds."""

    at: datetime
    by_s: float


class Told(msgspec.Struct, frozen=True, tag="told", gc=False):
    """Something was played to one of the two in the conversation."""

    at: datetime


class JoinedIn(msgspec.Struct, frozen=True, tag="joined-in", gc=False):
    """Who was invited has answered."""

    at: datetime


class InviteClosed(msgspec.Struct, frozen=True, tag="invite-closed", gc=False):
    """Who was invited did not come, or (``ANSWERED``) has left; ``goes_on``: they are called anew, or another way."""

    at: datetime
    result: OfferResult
    cause: int
    goes_on: bool = False


class PassedOn(msgspec.Struct, frozen=True, tag="passed-on", gc=False):
    """The counselor left the call to who was invited, whether or not that phone was answered yet."""

    at: datetime
    cause: int


class Redirected(msgspec.Struct, frozen=True, tag="redirected", gc=False):
    """The counselor sent the caller on to another ``plan``, and is out of the call."""

    at: datetime
    cause: int
    plan: Plan
    mark: CallMark | None = None


class LeftQueue(msgspec.Struct, frozen=True, tag="left-queue", gc=False):
    """The caller stopped waiting, and goes on with ``plan`` (None: the next step); ``pressed`` is the key, if any."""

    at: datetime
    why: LeaveReason = LeaveReason.WAITED
    plan: Plan | None = None
    pressed: str = ""


class Released(msgspec.Struct, frozen=True, tag="released", gc=False):
    """The call is being ended; ``estimated`` if the time is not one we saw."""

    at: datetime
    reason: ReleaseReason
    cause: int
    estimated: bool = False


class HearingBegun(msgspec.Struct, frozen=True, tag="hearing-begun", gc=False):
    """A supervisor is let into the conversation, the ``number``-th; ``channel`` is that of his phone.

    ``far``: the phone is at another site, and ``channel`` is the leg that leads there.
    """

    at: datetime
    number: int
    supervisor: SupervisorName
    agent: AgentId
    channel: ChannelId
    mode: HearingMode
    who: str
    via: HearingVia
    far: FarEnd | None = None


class Heard(msgspec.Struct, frozen=True, tag="heard", gc=False):
    """From now on that supervisor hears both sides, and is heard as ``mode`` says; ``turn`` names what he hears by."""

    at: datetime
    number: int
    mode: HearingMode
    turn: int


class HearingEnded(msgspec.Struct, frozen=True, tag="hearing-ended", gc=False):
    """That supervisor hears nothing any more."""

    at: datetime
    number: int
    why: str


class NoticeBegun(msgspec.Struct, frozen=True, tag="notice-begun", gc=False):
    """The caller is being told that the conversation will be recorded; ``language`` as in :class:`NoticeOver`."""

    at: datetime
    prompt: PromptName
    language: str = ""


class NoticeOver(msgspec.Struct, frozen=True, tag="notice-over", gc=False):
    """That has ended; ``heard``: the caller heard it to its end, else ``why`` not.

    ``language`` is the one it was spoken in; empty: the usual one.
    """

    at: datetime
    prompt: PromptName
    language: str
    heard: bool
    why: str = ""


class NotTaped(msgspec.Struct, frozen=True, tag="not-taped", gc=False):
    """A conversation that was to be recorded is not, and ``why``."""

    at: datetime
    why: str


class TapeBegun(msgspec.Struct, frozen=True, tag="tape-begun", gc=False):
    """The conversation with ``agent`` is recorded, as ``queue`` has it, and kept for ``retention_s`` seconds."""

    at: datetime
    recording: RecordingId
    queue: QueueName
    agent: AgentId
    notice: PromptName
    retention_s: float
    pausable: bool = True


class TapeMuted(msgspec.Struct, frozen=True, tag="tape-muted", gc=False):
    """From now on nothing is heard in the recording, for one reason (more); ``who`` paused it, if somebody did."""

    at: datetime
    why: MuteReason
    who: str = ""


class TapeUnmuted(msgspec.Struct, frozen=True, tag="tape-unmuted", gc=False):
    """That reason is no more."""

    at: datetime
    why: MuteReason
    who: str = ""


class TapeEnded(msgspec.Struct, frozen=True, tag="tape-ended", gc=False):
    """The recording is over, and ``why``."""

    at: datetime
    result: TapeResult
    why: str


class CallingBack(msgspec.Struct, frozen=True, tag="calling-back", gc=False):
    """The counselor is at the phone, and the resident is called."""

    at: datetime
    attempt: int
    trunk: TrunkName
    channel: ChannelId
    member: str = ""
    marked: bool = False


class ResidentRang(msgspec.Struct, frozen=True, tag="resident-rang", gc=False):
    """The resident's phone rings."""

    at: datetime


class ResidentAnswered(msgspec.Struct, frozen=True, tag="resident-answered", gc=False):
    """The resident is there: from now on this is a call like others, and its channel the resident's."""

    at: datetime


class NotReached(msgspec.Struct, frozen=True, tag="not-reached", gc=False):
    """The call to the resident came to nothing; whether it ``counts`` as one of those that may be tried."""

    at: datetime
    result: OfferResult
    cause: int
    counts: bool = True


class Postponed(msgspec.Struct, frozen=True, tag="postponed", gc=False):
    """The resident stands in no line before ``until``."""

    at: datetime
    until: datetime
    why: PostponeReason


class BackInLine(msgspec.Struct, frozen=True, tag="back-in-line", gc=False):
    """The resident stands in line again, at the old place."""

    at: datetime


class LeftToRing(msgspec.Struct, frozen=True, tag="left-to-ring", gc=False):
    """The counselor's phone wants the call to be theirs whom it dialled as soon as they answer."""

    at: datetime


class AlsoOffered(msgspec.Struct, frozen=True, tag="also-offered", gc=False):
    """One more counselor's phone is called for this caller, beside those that are already."""

    at: datetime
    attempt: int
    agent: AgentId
    trunk: TrunkName | None
    channel: ChannelId
    member: str = ""
    marked: bool = False
    site: SiteName | None = None
    """Where the phone is, if that is another site."""


class AlsoRang(msgspec.Struct, frozen=True, tag="also-rang", gc=False):
    """That phone rings."""

    at: datetime
    channel: ChannelId


class LeadTaken(msgspec.Struct, frozen=True, tag="lead-taken", gc=False):
    """That phone is the offered one from now on, and the one that was is one of those beside it."""

    at: datetime
    channel: ChannelId


class AlsoClosed(msgspec.Struct, frozen=True, tag="also-closed", gc=False):
    """That phone, one of those beside the offered one, is called no more."""

    at: datetime
    channel: ChannelId
    result: OfferResult
    cause: int


class Looped(msgspec.Struct, frozen=True, tag="looped", gc=False):
    """The call goes in a circle, as ``sign`` tells; ``origin`` is the call of ours that it comes from, if known."""

    at: datetime
    sign: LoopSign
    origin: CallId | None
    hops: int


OF_OTHER_PHONES = AlsoOffered | AlsoRang | LeadTaken | AlsoClosed
"""What is said of the phones that ring for a caller beside the offered one."""

Fact = (
    Opened
    | Routed
    | StepBegun
    | Branched
    | AskedAgain
    | Chosen
    | RecordingBegun
    | RecordingEnded
    | Answered
    | CallbackWanted
    | Queued
    | Offered
    | Relayed
    | Rang
    | Confirming
    | Briefed
    | PickedUp
    | Connected
    | OfferClosed
    | Held
    | Resumed
    | Invited
    | Reminded
    | Extended
    | Told
    | JoinedIn
    | InviteClosed
    | PassedOn
    | Redirected
    | LeftQueue
    | Released
    | HearingBegun
    | Heard
    | HearingEnded
    | TurnedAway
    | Comforted
    | NoticeBegun
    | NoticeOver
    | NotTaped
    | TapeBegun
    | TapeMuted
    | TapeUnmuted
    | TapeEnded
    | CallingBack
    | ResidentRang
    | ResidentAnswered
    | NotReached
    | Postponed
    | BackInLine
    | NumberOffered
    | NumberAsked
    | LeftToRing
    | AlsoOffered
    | AlsoRang
    | LeadTaken
    | AlsoClosed
    | Looped
)
