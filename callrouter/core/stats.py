"""Counters of what happened, and the picture of now that pages, metrics and ``callrouter status`` show."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from callrouter.core.admission import NotTaken
from callrouter.core.agent import AgentState
from callrouter.core.breaker import BreakerState
from callrouter.core.cdr import OfferResult, Outcome, RecordingResult, ReturnResult
from callrouter.core.duty import Duty
from callrouter.core.facts import LoopSign
from callrouter.core.ids import AgentId, CallId, DestinationName, QueueName, SiteName, SwitchName, TenantName, TrunkName
from callrouter.core.outbound_meter import LimitNow
from callrouter.core.states import CallState, Signal
from callrouter.core.tapes import TapeResult, TapeState
from callrouter.core.trunk_audit import Drift
from callrouter.core.trunk_tally import TrunkHour


@dataclass(slots=True)
class Counters:
    """Since the daemon started. Keys are closed sets, fit for metric labels."""

    arrived: int = 0
    taken_up: int = 0
    """Calls of an earlier daemon; they end here, and came in there."""
    ended: Counter[Outcome] = field(default_factory=Counter)
    offers: Counter[OfferResult] = field(default_factory=Counter)
    returns: Counter[ReturnResult] = field(default_factory=Counter)
    """Requests to be called back that the daemon was done with."""
    recordings: Counter[RecordingResult] = field(default_factory=Counter)
    """Of messages."""
    tapes: Counter[TapeResult] = field(default_factory=Counter)
    """Of conversations."""
    stale: Counter[tuple[CallState, Signal]] = field(default_factory=Counter)
    impossible: Counter[tuple[CallState, Signal]] = field(default_factory=Counter)
    defects: int = 0
    """Faults of ours that were met on an event of other calls; each cost the call that met it."""
    not_taken: Counter[NotTaken] = field(default_factory=Counter)
    """Calls that were not taken."""
    loops: Counter[LoopSign] = field(default_factory=Counter)
    """Calls that went in a circle."""
    trunk_drifts: Counter[Drift] = field(default_factory=Counter)
    unknown_channel: int = 0
    """Events about channels that are not, or no longer, ours."""


class CallNow(msgspec.Struct, frozen=True):
    """One call in progress."""

    call: CallId
    state: CallState
    since: datetime
    """When it came in."""
    site: SiteName
    caller: str
    dialed: str
    region: str
    tenant: TenantName
    queue: QueueName | None
    agent: AgentId | None
    destination: DestinationName | None = None
    """Who is called, or talks, where that is no counselor."""
    invited: str | None = None
    """Who was called into the conversation."""
    held: bool = False
    """The caller is on hold."""
    recording: TapeState | None = None
    """None: the conversation is not recorded."""
    also_rings: tuple[AgentId, ...] = ()
    """Whose phones ring for the caller beside that of ``agent``."""
    away_since: datetime | None = None
    """When its site was lost, which is not back: what is told of it was so then."""


class AgentNow(msgspec.Struct, frozen=True):
    """One counselor."""

    agent: AgentId
    name: str
    site: SiteName
    state: AgentState
    since: datetime
    misses: int
    duty: Duty = Duty.ON
    """What was said of him; it holds when what he is doing is over."""
    reason: str = ""
    phone: str = ""
    """What Asterisk dials for him now; empty: he has none, and is not logged in at another."""
    queues: tuple[QueueName, ...] = ()
    """Whose calls he takes now."""


class QueueNow(msgspec.Struct, frozen=True):
    """One queue: callers who wait (``oldest`` since when), those for whom a phone rings, and counselors."""

    queue: QueueName
    title: str
    waiting: int
    ringing: int
    oldest: datetime | None
    agents: int
    available: int


class TenantOfTrunk(msgspec.Struct, frozen=True):
    """What a tenant has of a trunk group: by calls that are not marked. The last two since the daemon started."""

    tenant: TenantName
    in_use: int
    guarantee: int
    ceiling: int | None
    peak: int
    blocked: int


class MemberOfTrunk(msgspec.Struct, frozen=True):
    """One member of a trunk group. ``online`` is whether its site says that calls can reach it."""

    endpoint: str
    site: SiteName | None
    channels: int
    in_use: int
    online: bool
    breaker: BreakerState
    per_second: int | None = None


class TrunkNow(msgspec.Struct, frozen=True):
    """One trunk group. ``peak`` and ``blocked`` count since the daemon started, ``hours`` are those of the last day."""

    trunk: TrunkName
    channels: int
    in_use: int
    title: str = ""
    reserve: int = 0
    marked: int = 0
    """Channels that calls have to which the reserve is open."""
    others: int = 0
    """Channels in use that no call of ours has."""
    peak: int = 0
    blocked: int = 0
    tenants: tuple[TenantOfTrunk, ...] = ()
    members: tuple[MemberOfTrunk, ...] = ()
    hours: tuple[TrunkHour, ...] = ()


class SwitchNow(msgspec.Struct, frozen=True):
    """One switch. Who set it, since when and until when it is on, and why: None and empty while it is off."""

    switch: SwitchName
    title: str
    on: bool
    by: str = ""
    since: datetime | None = None
    until: datetime | None = None
    note: str = ""
    code: str = ""
    """What phones dial for it."""
    max_s: float = 0.0
    """How long it stays on unless it is renewed."""


class ExchangeNow(msgspec.Struct, frozen=True):
    """Everything in progress."""

    at: datetime
    draining: bool
    config_hash: str
    sites_up: tuple[SiteName, ...]
    calls: tuple[CallNow, ...]
    queues: tuple[QueueNow, ...]
    agents: tuple[AgentNow, ...]
    trunks: tuple[TrunkNow, ...]
    switches: tuple[SwitchNow, ...] = ()
    limits: tuple[LimitNow, ...] = ()
    """Of calls that go out."""
