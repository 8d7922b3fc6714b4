"""The call detail record: what one call was, folded from the facts of its life."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callrouter.core.ids import (
    AgentId,
    BoxName,
    CallId,
    ChannelId,
    DestinationName,
    QueueName,
    RecordingId,
    RuleId,
    SiteName,
    SupervisorName,
    SwitchName,
    TenantName,
    TrunkName,
)
from callrouter.core.supervisors import HearingMode
from callrouter.core.tapes import CdrNotice, CdrTape


class Outcome(StrEnum):
    """What became of the caller: exactly one for each call."""

    HANDLED = "handled"
    ABANDONED = "abandoned"
    OVERFLOWED = "overflowed"
    VOICEMAIL = "voicemail"
    CALLBACK = "callback"
    CLOSED = "closed"
    REJECTED = "rejected"
    FAILED = "failed"


class Disposition(StrEnum):
    """Asterisk's own word for how a call or leg ended (``cdr`` documentation)."""

    ANSWERED = "ANSWERED"
    NO_ANSWER = "NO ANSWER"
    BUSY = "BUSY"
    FAILED = "FAILED"
    CONGESTION = "CONGESTION"


class ReleasedBy(StrEnum):
    """Who ended the call."""

    CALLER = "caller"
    AGENT = "agent"
    SYSTEM = "system"


class OfferResult(StrEnum):
    """What became of one offer of a caller to a counselor."""

    ANSWERED = "answered"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    CONGESTION = "congestion"
    CALLER_GONE = "caller-gone"
    """The caller left while the phone rang."""
    NOT_CONFIRMED = "not-confirmed"
    """Answered, but nobody pressed the key that takes the call: an answering machine, perhaps."""
    LOST = "lost"
    """The phone answered, but the two could not be bridged."""
    FAILED = "failed"
    ANSWERED_ELSEWHERE = "answered-elsewhere"
    """It rang together with others, of which another was answered first."""
    LOOP = "loop"
    """The call came back to us."""
    LIMITED = "limited"
    """A limit of calls outward forbade it: nothing was dialled."""


class CallMark(StrEnum):
    """What a counselor has said of a call."""

    ABUSIVE = "abusive"


class RecordingResult(StrEnum):
    """What became of a message that a caller was asked to leave."""

    KEPT = "kept"
    TOO_SHORT = "too-short"
    """The caller said nothing, or next to nothing."""
    FAILED = "failed"
    """Asterisk could not record."""


@dataclass(frozen=True, slots=True)
class CdrMessage:
    """A message that the caller left. ``left_at``, aware UTC, is when the recording began.

    ``length_s`` is as the call saw it; the file may say it more exactly.
    """

    recording: RecordingId
    box: BoxName
    left_at: datetime
    length_s: float


@dataclass(frozen=True, slots=True)
class CdrCallback:
    """The caller is to be called back by a queue. ``number`` is E.164, ``asked_at`` aware UTC.

    ``place`` is where he stood in that queue's line, if he did; it orders callers among themselves and is no count.
    """

    queue: QueueName
    number: str
    asked_at: datetime
    place: int | None = None


class ReturnResult(StrEnum):
    """What became of a request to be called back."""

    REACHED = "reached"
    NOT_REACHED = "not-reached"
    """Given up."""
    CANCELLED = "cancelled"
    """The caller wants it no more, or somebody has closed it."""


@dataclass(frozen=True, slots=True)
class CdrReturn:
    """This is a call that we made, because it was asked for in the call ``request``; ``tries`` were in vain."""

    request: CallId
    result: ReturnResult
    tries: int


class VisitEnd(StrEnum):
    """How a caller left a queue."""

    ANSWERED = "answered"
    """By a counselor."""
    ABANDONED = "abandoned"
    """He hung up while he waited, or while a phone rang for him."""
    TIMEOUT = "timeout"
    """He waited as long as the route allows, and went on."""
    KEY = "key"
    """He pressed a key that leads elsewhere."""
    OTHER = "other"
    """Sent to the fallback, or into another queue, or lost by a fault."""


@dataclass(frozen=True, slots=True)
class CdrVisit:
    """The caller waited in a queue, from entering it to leaving it or the counselor's answer. Times are aware UTC."""

    queue: QueueName
    queued_at: datetime
    left_at: datetime
    how: VisitEnd


@dataclass(frozen=True, slots=True)
class CdrHearing:
    """A supervisor heard the conversation with ``agent``, in these modes one after another. Times are aware UTC."""

    supervisor: SupervisorName
    agent: AgentId
    began_at: datetime
    ended_at: datetime
    modes: tuple[HearingMode, ...]


@dataclass(frozen=True, slots=True)
class CdrLeg:
    """One offer: a leg to a counselor's phone or to a destination. Times are aware UTC."""

    attempt: int
    channel: ChannelId
    agent: AgentId | None
    """None: a destination was called."""
    trunk: TrunkName | None
    offered_at: datetime
    rang_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime
    result: OfferResult
    cause: int
    destination: DestinationName | None = None
    far_site: SiteName | None = None
    """Where the phone is, if that is another site than the call's."""
    far_channel: ChannelId | None = None
    """The leg as it came in there, if it did."""


@dataclass(frozen=True, slots=True)
class Cdr:
    """One call. Times are aware UTC, to the millisecond; durations are seconds.

    ``wait_s + ring_s + talk_s`` is exactly ``ended_at - started_at``: waiting is everything before the offer that was
    answered (or, if none was, everything before the offer that was open at the end), ringing is that offer until it was
    answered, talking is the rest, with ``hold_s`` of it on hold.
    """

    call_id: CallId
    site: SiteName
    started_at: datetime
    answered_at: datetime | None
    """When a counselor, or a destination, answered."""
    ended_at: datetime
    caller: str
    dialed: str
    region: str
    region_source: str
    tenant: TenantName
    topic: str | None
    rule: RuleId
    config_hash: str
    queue: QueueName | None
    agent: AgentId | None
    trunk: TrunkName | None
    outcome: Outcome
    disposition: Disposition
    hangup_cause: int
    released_by: ReleasedBy
    wait_s: float
    ring_s: float
    talk_s: float
    hold_s: float
    explanation: str
    """The trace of the decision, a line for each rule, and marks such as estimated times."""
    queued_at: datetime | None = None
    """When the caller began to wait in the queue; for ``queue_log``."""
    legs: tuple[CdrLeg, ...] = ()
    destination: DestinationName | None = None
    """The destination that took the call, where no counselor did."""
    messages: tuple[CdrMessage, ...] = ()
    """Those that are kept."""
    switches: tuple[SwitchName, ...] = ()
    """Those that were on when it was routed, whether or not its rule asked."""
    mark: CallMark | None = None
    """What a counselor has said of it."""
    callback: CdrCallback | None = None
    """Asked for, and not made needless by a counselor in the same call."""
    hearings: tuple[CdrHearing, ...] = ()
    """Supervisors who heard it, in the order in which they were done."""
    wrap_up: str | None = None
    """What a counselor said afterwards that it was about; not of the call's facts, but read with its record."""
    visits: tuple[CdrVisit, ...] = ()
    """Every queue in which the caller waited, in order; ``queue`` and ``queued_at`` are those of the first."""
    notices: tuple[CdrNotice, ...] = ()
    """That it will be recorded, as often as the caller was told."""
    tapes: tuple[CdrTape, ...] = ()
    """What was recorded of it, one for each counselor's part, those that failed too."""
    returns: CdrReturn | None = None
    """None: the call came in. Else we made it, and ``caller`` is whom we called."""
    in_trunk: TrunkName | None = None
    """The trunk group by which it came in, as the rules were then; None: by none, or we made it."""
    in_endpoint: str = ""
    """The PJSIP endpoint by which it did, of a group or not; empty: we made it."""
