"""What the pages, the API and the metrics are made from; the wiring hands in something that knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from callrouter.core.ids import BoxName, CalendarName, CallId, QueueName, SiteName, TenantName
from callrouter.core.leading import LeadingNow
from callrouter.core.live import Live
from callrouter.core.states import CallState
from callrouter.core.stats import Counters, ExchangeNow
from callrouter.core.surge import TopicNow
from callrouter.descriptors import Descriptors


@dataclass(frozen=True, slots=True)
class SiteHealth:
    """The connection to one Asterisk."""

    site: SiteName
    title: str
    up: bool
    state: str
    """In words: ``up``, or why it is not."""
    since: datetime
    """When ``up`` last changed."""
    version: str | None = None
    """Asterisk's, once it has told."""
    is_namesake: bool = False
    """Whether ids of its channels may be those of another site's, too."""


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """Delivery of CDRs to PostgreSQL."""

    connected: bool
    backlog: int
    """CDRs that wait in the journal."""
    last_error: str | None
    since: datetime
    """When ``connected`` last changed."""
    delivered: int = 0
    set_aside: int = 0
    """CDRs that PostgreSQL would not take."""
    rules_refused: int = 0
    """Versions of the rules that it would not take."""
    audit_refused: int = 0
    """Entries of the audit log that it would not take."""


@dataclass(frozen=True, slots=True)
class JournalHealth:
    """The local journal; ``alarm`` says in words why it takes no record now, None while it does."""

    alarm: str | None
    waiting: int = 0
    """Records in memory that are not on disk yet."""
    dropped: int = 0
    """Records that found no room since the start."""
    lost: tuple[str, ...] = ()
    """What else was lost since the start, a sentence each."""


@dataclass(frozen=True, slots=True)
class MemoryHealth:
    """What callers let us remember; ``error`` says in words why it is not on disk, None while it is."""

    callers: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class InboxHealth:
    """The dispatcher's queue of events."""

    depth: int
    capacity: int
    dropped: int = 0
    """Events that found no room since the start."""
    failures: int = 0
    """Events whose handling failed since the start: defects, each contained to its call."""
    hastened: int = 0
    """Orders that were sent before the facts that they follow from were on disk, which was slow."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the daemon itself is.

    ``dispatcher_alive`` is whether the task that owns the exchange runs and gets on with its inbox; ``replaced`` is
    whether another daemon took our application, so that this one must not command any more. ``database`` is None
    where none is configured. ``agi_sessions`` counts FastAGI connections by what became of them (a closed set of
    words); ``ari_requests`` counts requests by site and outcome, ``ari_turned_away`` those of a site that were not sent
    because too many waited, ``ari_late`` answers that came after their request had been given up. ``clock_drift_s`` is
    how far this machine's clock is ahead of the daemon's. Times are aware UTC.
    """

    title: str
    version: str
    config_hash: str
    started_at: datetime
    sites: tuple[SiteHealth, ...]
    journal: JournalHealth
    database: DatabaseHealth | None
    inbox: InboxHealth
    dispatcher_alive: bool = True
    draining: bool = False
    replaced: bool = False
    timezone: tzinfo = UTC
    """In which people here read times."""
    agi_sessions: Mapping[str, int] = field(default_factory=dict)
    agi_open: int = 0
    reloads: Mapping[str, int] = field(default_factory=dict)
    """Tries to take new rules, by what became of them (a closed set of words)."""
    config_faults: int = 0
    """Faults that kept the latest try from being taken."""
    ari_requests: Mapping[tuple[SiteName, str], int] = field(default_factory=dict)
    ari_turned_away: Mapping[SiteName, int] = field(default_factory=dict)
    ari_late: Mapping[SiteName, int] = field(default_factory=dict)
    clock_drift_s: float = 0.0
    memory: MemoryHealth = field(default_factory=MemoryHealth)
    holidays_end_days: Mapping[CalendarName, int] = field(default_factory=dict)
    """In how many days a calendar's holidays are not known any more; less than 0 since that day. Only those that go by
    holidays."""
    descriptors: Descriptors | None = None
    """How many files and sockets are open, and may be."""
    not_taken: str | None = None
    """Why calls were turned away a moment ago, in words; None: none was."""
    leading: LeadingNow | None = None
    """How this daemon stands to others of the same journal; None where no other may wait."""


@dataclass(frozen=True, slots=True)
class BoxNow:
    """A box for messages: how many it holds, how many nobody has heard, and since when the first of those waits."""

    box: BoxName
    title: str
    kept: int
    unheard: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class MessageNow:
    """A message that a caller left; ``caller`` is the whole number. ``fault``: why there is nothing to be heard."""

    id: int
    call: CallId
    box: BoxName
    tenant: TenantName
    caller: str
    region: str
    left_at: datetime
    duration_s: float
    heard_at: datetime | None
    heard_by: str | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class VoicemailNow:
    """The boxes, those that are configured and those that hold messages still; and the messages, unheard ones first."""

    boxes: tuple[BoxNow, ...] = ()
    messages: tuple[MessageNow, ...] = ()


@dataclass(frozen=True, slots=True)
class CallbackQueueNow:
    """A queue that is to call back: how many callers, and since when the first of them waits for it."""

    queue: QueueName
    title: str
    waiting: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class CallbackNow:
    """A request to be called back; ``number`` is the whole number, ``done_at`` None while it is open."""

    id: int
    call: CallId
    queue: QueueName
    tenant: TenantName
    number: str
    region: str
    topic: str | None
    asked_at: datetime
    tries: int
    done_at: datetime | None
    done_by: str | None
    result: str | None
    made_by: CallId | None = None
    """The call by which the queue itself calls back, while it does."""
    state: CallState | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallbacksNow:
    """The queues that are to call back, and the requests, open ones first."""

    queues: tuple[CallbackQueueNow, ...] = ()
    requests: tuple[CallbackNow, ...] = ()


@dataclass(frozen=True, slots=True)
class SurgesNow:
    """Every topic in this hour; ``unknown`` says in words why nothing is known of them. Neither: nobody looks."""

    topics: tuple[TopicNow, ...] = ()
    unknown: str = ""
    is_asking: bool = False
    """For moments, at the start and in each new hour: what is usual is not known yet, and that is no trouble."""


class StatusSource(Protocol):
    """Asked at every request, from the event loop: answers at once, from memory, and does not wait."""

    def now(self) -> ExchangeNow:
        """Everything in progress."""
        ...

    def live(self) -> Live:
        """Figures of this moment and of the day so far."""
        ...

    def surges(self) -> SurgesNow:
        """Topics, and whether they surge."""
        ...

    def counters(self) -> Counters:
        """What happened since the start."""
        ...

    def health(self) -> Health:
        """How the daemon itself is."""
        ...

    def voicemail(self) -> VoicemailNow:
        """Messages of callers, as they were a few seconds ago."""
        ...

    def callbacks(self) -> CallbacksNow:
        """Requests to be called back, as they were a few seconds ago."""
        ...
