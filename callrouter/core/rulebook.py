"""Everything that the configuration says, compiled: what the exchange runs by.

A rulebook never changes; a reload brings another. Its ``hash`` names the version on every decision and CDR.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Protocol

from callrouter.core.call_keys import CallKeys
from callrouter.core.calling_spec import CallBackRule
from callrouter.core.conditions import Condition, Finding, QueueState, QueueStates, no_queues
from callrouter.core.decision import Decision
from callrouter.core.duty import DutyVerb
from callrouter.core.ids import (
    AgentId,
    BoxName,
    PromptName,
    QueueName,
    SiteName,
    SkillName,
    SupervisorName,
    SwitchName,
    TenantName,
    TopicName,
    TrunkName,
)
from callrouter.core.inbound import CallFacts
from callrouter.core.outbound_spec import OutboundRules
from callrouter.core.pins import Pin
from callrouter.core.service_level import USUAL_GOAL, ServiceGoal
from callrouter.core.skills import NO_SKILLS, SkillRules
from callrouter.core.supervisors import USUAL_KEYS, HearingMode, SupervisorSpec
from callrouter.core.switches import ALL_OFF, SwitchesOn, SwitchSpec
from callrouter.core.tapes import TapeRule
from callrouter.core.transfers import TransferRules
from callrouter.core.trunk_spec import TrunkSpec
from callrouter.core.waiting_spec import NO_CARE, QueueCare


class WaitingSound(StrEnum):
    """What a waiting caller hears."""

    MUSIC = "music"
    """Answer, then music on hold."""
    RINGBACK = "ringback"
    """The caller is not answered before a counselor answers, and hears ringing while a phone rings."""


class Strategy(StrEnum):
    """Which of the free counselors of a queue is rung."""

    LONGEST_IDLE = "longest-idle"
    FEWEST_CALLS = "fewest-calls"
    """Who has taken the fewest calls today."""
    ROUND_ROBIN = "round-robin"
    """Whose phone was called the longest ago, whatever came of it."""
    ORDERED = "ordered"
    """Who stands first among ``agents:``."""
    WEIGHTED_RANDOM = "weighted-random"
    """By lot, each as often as his weight says."""
    RING_ALL = "ring-all"
    """All at once: whoever answers first has the caller."""


@dataclass(frozen=True, slots=True)
class LengthRule:
    """How long a conversation should last, as configured. Durations are seconds of talk."""

    remind_after_s: float | None = None
    """When the counselor is reminded; None: never."""
    reminder: PromptName | None = None
    to_both: bool = False
    """The caller hears the reminder too."""
    end_after_s: float | None = None
    """When the conversation is ended; None: never."""
    farewell: PromptName | None = None
    """What the caller hears then."""
    extension_s: float = 300.0
    """By how much the counselor puts the end off, each time."""


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A queue as configured. Durations are seconds."""

    name: QueueName
    title: str
    sound: WaitingSound = WaitingSound.MUSIC
    music_class: str = "default"
    ring_timeout_s: float = 20.0
    """How long one counselor's phone rings before the next is tried."""
    wrap_up_s: float = 10.0
    """How long a counselor is left in peace after a call."""
    strategy: Strategy = Strategy.LONGEST_IDLE
    head_start_s: float = 0.0
    """Its callers are served as if they had come so much earlier."""
    length: LengthRule | None = None
    """How long its conversations should last; None: as long as they do."""
    goal: ServiceGoal = USUAL_GOAL
    """What reports measure by; routing does not look at it."""
    care: QueueCare = NO_CARE
    """What is done for those who wait."""
    wrap_up_codes: Mapping[str, str] = field(default_factory=dict)
    """What counselors' phones dial in the wrap-up, to what the call was about."""
    code_ends_wrap_up: bool = False
    skills: SkillRules = NO_SKILLS
    """What is asked of the counselors for its callers."""
    recording: TapeRule | None = None
    """How its conversations are recorded; None: they are not."""
    call_back: CallBackRule | None = None
    """How it calls back by itself; None: people do."""
    agent_prompt: PromptName | None = None
    """What a counselor hears who picks up, before the caller is connected."""
    emergency: bool = False
    """Its calls may have the channels that trunk groups keep in reserve."""
    ring_at_most: int | None = None
    """For ``RING_ALL``: at so many phones at once; None: at all."""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """A counselor as configured."""

    id: AgentId
    name: str
    site: SiteName
    endpoint: str
    """What Asterisk dials, such as ``PJSIP/201``; empty for one who has no phone of his own."""
    queues: tuple[QueueName, ...]
    tenant: TenantName
    trunk: TrunkName | None = None
    """The trunk group that a call to this counselor occupies; None for a phone on the site itself."""
    wrap_up_s: float | None = None
    """Overrides the queue's."""
    rank: int = 0
    """Where he stands among the agents, for queues with the strategy ``ORDERED``."""
    weight: int = 1
    """How often he is drawn, for queues with the strategy ``WEIGHTED_RANDOM``."""
    skills: Mapping[SkillName, int] = field(default_factory=dict)
    """What he can do, and how well: the higher the better."""
    pin: Pin | None = None
    """With which he logs in at any phone; None: he does not."""


@dataclass(frozen=True, slots=True)
class Link:
    """A way from one site to another, over a trunk group between the two."""

    trunk: TrunkName
    endpoint: str
    """The PJSIP endpoint at the one site that leads to the other."""
    peer: str
    """The one by which its calls come in there."""


class WhenFull(StrEnum):
    """What becomes of a caller who is one too many."""

    FALLBACK = "fallback"
    """The dialplan's fallback serves him, which rings the counselors' phones."""
    BUSY = "busy"
    """He hears a busy tone (SIP 486)."""
    CONGESTION = "congestion"
    """His network is told that we have no room (SIP 503); it may try another way."""
    ANNOUNCEMENT = "announcement"
    """The dialplan tells him, without connecting him, and then he hears a busy tone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits and rests that hold for every call. Durations are seconds."""

    max_calls: int = 2000
    """Calls in progress beyond which a new one is not taken."""
    calls_per_second: int = 0
    """So many new calls a second are taken, and twice as many at once; 0: as many as come."""
    behind_s: float = 1.0
    """While what comes in has waited for longer, no new call is taken."""
    when_full: WhenFull = WhenFull.FALLBACK
    """What becomes of a call that is not taken for one of these."""
    announcement_s: float = 120.0
    """An announcement that has not ended by then is taken as ended."""
    dead_man_s: float = 30.0
    """A waiting caller goes to the fallback this long after the daemon died; renewed at half of it."""
    connect_s: float = 5.0
    """An answered leg that is not bridged by then is given up."""
    clearing_s: float = 10.0
    """A channel that has not ended this long after we hung it up is hung up again, then written off."""
    rest_after_no_answer_s: float = 15.0
    rest_after_busy_s: float = 10.0
    rest_after_rejected_s: float = 10.0
    rest_after_unreachable_s: float = 15.0
    rest_after_do_not_disturb_s: float = 30.0
    """How long a phone is not called that refused without ringing."""
    retry_after_congestion_s: float = 2.0
    misses_before_pause: int = 3
    """A counselor who did not answer so many calls in a row is paused; 0: never."""
    pin_tries: int = 3
    """So many wrong tries to log in lock the phone and the counselor's number."""
    pin_lock_s: float = 300.0
    site_away_s: float = 120.0
    """What the calls of a site hold is given back when it has been away for so long; 0: when it is back."""


@dataclass(frozen=True, slots=True)
class BoxSpec:
    """Where messages of callers are kept, as configured. Durations are seconds."""

    name: BoxName
    title: str
    retention_s: float = 90 * 86_400.0
    """How long a message is kept, heard or not."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What callers want, as configured."""

    name: TopicName
    title: str
    suggest: SwitchName | None = None
    """The switch that people are to think of when it surges."""


@dataclass(frozen=True, slots=True)
class SurgeRule:
    """When a topic surges: see :mod:`callrouter.core.surge`."""

    weeks: int = 6
    """How many past weeks this hour is compared with."""
    factor: float = 2.0
    """More than so many times the usual number."""
    least: int = 10
    """Fewer calls in an hour are no surge."""


class Router(Protocol):
    """Whatever decides where a call goes."""

    def decide(
        self, facts: CallFacts, at: datetime, queues: QueueStates = no_queues, switches: SwitchesOn = ALL_OFF
    ) -> Decision:
        """The one decision for these facts at this instant (aware). Total: it always finds a rule."""
        ...

    def ask(
        self,
        conditions: Sequence[Condition],
        facts: CallFacts,
        at: datetime,
        queues: QueueStates = no_queues,
        switches: SwitchesOn = ALL_OFF,
    ) -> Finding:
        """Whether all conditions hold for a call at this instant (aware), and why."""
        ...


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The compiled configuration."""

    hash: str
    router: Router
    queues: Mapping[QueueName, QueueSpec]
    agents: Mapping[AgentId, AgentSpec]
    trunks: Mapping[TrunkName, TrunkSpec] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    prompts: Mapping[PromptName, str] = field(default_factory=dict)
    """Prompt to Asterisk media URI; a prompt that is not here is ``sound:callrouter/<name>``."""
    translated: Mapping[str, frozenset[PromptName]] = field(default_factory=dict)
    """The prompts that are spoken in a language of their own, by that language: ``sound:callrouter/en/<name>``."""
    speech_s: Mapping[PromptName, float] = field(default_factory=dict)
    """How many seconds each prompt may last, by its text."""
    boxes: Mapping[BoxName, BoxSpec] = field(default_factory=dict)
    callback_queues: Sequence[QueueName] = ()
    """Those that plans have call back."""
    callback_retention_s: float = 90 * 86_400.0
    """How long a request to be called back is kept, done or not."""
    fallback_context: str = "callrouter-fallback"
    """Where a caller goes in the dialplan when we cannot take him."""
    switches: Mapping[SwitchName, SwitchSpec] = field(default_factory=dict)
    agent_codes: Mapping[DutyVerb, str] = field(default_factory=dict)
    """What counselors' phones dial: ``LOGIN`` turns over whether he is logged in, ``PAUSE`` whether he is paused."""
    desk_code: str = ""
    """What any phone dials for a counselor to log in there; empty: nothing."""
    supervisors: Mapping[SupervisorName, SupervisorSpec] = field(default_factory=dict)
    supervision_code: str = ""
    """What a supervisor dials before a counselor's name; empty: nothing."""
    supervision_keys: Mapping[str, HearingMode] = field(default_factory=lambda: dict(USUAL_KEYS))
    """What a supervisor who hears a conversation presses to hear it in another way."""
    call_keys: CallKeys = field(default_factory=CallKeys)
    """What counselors press during a conversation."""
    own_numbers: frozenset[str] = frozenset()
    """Those that lead to us, as far as the rules name them (E.164): nobody is called back there."""
    transfers: TransferRules = field(default_factory=TransferRules)
    """Whom conversations may be passed on to."""
    links: Mapping[tuple[SiteName, SiteName], tuple[Link, ...]] = field(default_factory=dict)
    """The ways from each site to others, in the order in which they are tried; without any, sites serve their own."""
    weights: Mapping[TenantName, int] = field(default_factory=dict)
    """What tenants weigh when they share counselors; who is not here weighs 1. Without any, all wait in one line."""
    timezone: tzinfo = UTC
    """In which people here read times."""
    topics: Mapping[TopicName, TopicSpec] = field(default_factory=dict)
    outbound: OutboundRules = field(default_factory=OutboundRules)
    """How much may go out, and how often a call may."""
    surge: SurgeRule | None = None
    """None: nobody looks for surges."""

    def usual_queues(self) -> dict[QueueName, QueueState]:
        """The queues when nothing is unusual: all who serve them are free, and nobody waits."""
        serving = Counter(queue for agent in self.agents.values() for queue in agent.queues)
        return {name: QueueState(serving[name], serving[name]) for name in self.queues}

    def wrap_up_s(self, agent: AgentId, queue: QueueName | None) -> float:
        """How long a counselor is left in peace after a call of ``queue``, in seconds."""
        spec = self.agents.get(agent)
        if spec is not None and spec.wrap_up_s is not None:
            return spec.wrap_up_s
        return self.queues[queue].wrap_up_s if queue is not None and queue in self.queues else 0.0

    def lasts_s(self, prompt: PromptName) -> float:
        """How many seconds ``prompt`` may last, spoken slowly; 0 if nobody knows what is said in it."""
        return self.speech_s.get(prompt, 0.0)

    def media(self, prompt: PromptName, language: str | None = None) -> str:
        """The media URI under which Asterisk plays ``prompt``, in the ``language`` that the caller chose if it has one.

        Not in that of the channel alone: Asterisk's usual one is English, whatever people speak here.
        """
        if language is not None and prompt in self.translated.get(language, ()):
            return f"sound:callrouter/{language}/{prompt}"
        return self.prompts.get(prompt, f"sound:callrouter/{prompt}")
