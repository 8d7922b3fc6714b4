"""An exchange to try things on: simulated time, an Asterisk that does as its phones are told, and a fixed router.

Commands are carried out at once; what Asterisk answers waits in ``inbox`` until it is delivered, as in the daemon.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, loops, naming
from callrouter.core.agent import Agent
from callrouter.core.audit import AuditEntry
from callrouter.core.call import Call
from callrouter.core.call_orders import CallAnswer, CallOrder, CallVerb, CallVia
from callrouter.core.calling_spec import CallBackRule
from callrouter.core.causes import Cause
from callrouter.core.cdr import Cdr
from callrouter.core.conditions import (
    CalendarOpen,
    CalendarState,
    Case,
    Comparison,
    Condition,
    Finding,
    Measure,
    QueueIs,
    QueueStates,
    all_hold,
    no_queues,
)
from callrouter.core.decision import Decision, Trace, TraceEntry
from callrouter.core.events import TimerKey, TimerKind
from callrouter.core.exchange import Exchange
from callrouter.core.geography import Origin, Region
from callrouter.core.ids import (
    AgentId,
    BoxName,
    BridgeId,
    CalendarName,
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
    TopicName,
    TrunkName,
)
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.numbering_plan import Confidence
from callrouter.core.numbers import parse
from callrouter.core.outbound import NumberClass
from callrouter.core.outbound_meter import KEPT
from callrouter.core.output import Notice, Output
from callrouter.core.place_in_line import PlacesInLine
from callrouter.core.plan import (
    Announce,
    Callback,
    Choice,
    Confirm,
    Destination,
    Dial,
    EnterQueue,
    HandOver,
    HangUp,
    If,
    Menu,
    NumberCheck,
    Plan,
    RouteAgain,
    Voicemail,
)
from callrouter.core.remembering import remembered_as
from callrouter.core.rulebook import AgentSpec, Limits, QueueSpec, Rulebook, WaitingSound
from callrouter.core.states import CallState
from callrouter.core.switches import ALL_OFF, SwitchesOn
from callrouter.core.transfers import TransferRules
from callrouter.core.trunk_spec import TrunkSpec

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HALL = SiteName("hall")
DESK, NIGHT, BELL = QueueName("desk"), QueueName("night"), QueueName("bell")
CITY = TrunkName("city")
WELCOME, SORRY, ASK, MAY = PromptName("welcome"), PromptName("sorry"), PromptName("ask"), PromptName("may")
GREETING, THANKS = PromptName("greeting"), PromptName("thanks")
BOX = BoxName("letters")
CALL_BACK = Callback(DESK, (NumberClass.LANDLINE,))
RETURN = CallBackRule(
    CITY, caller_number="0552110000", attempts=2, to_agent=PromptName("to-agent"), to_resident=GREETING
)
"""How the queue ``desk`` calls back by itself where it does: after ten minutes once more."""
CALLS_BACK = QueueSpec(DESK, "창원시", call_back=RETURN)
CHECK = NumberCheck(PromptName("right"), PromptName("enter"), PromptName("wrong"))
MESSAGE = Voicemail(BOX, GREETING, THANKS, SORRY)
PASSPORT, WELFARE = TopicName("passport"), TopicName("welfare")

GIMHAE = Region(RegionName("gimhae"), "김해", TenantName("gyeongnam"))
CHANGWON = Region(RegionName("changwon"), "창원", TenantName("changwon"))

DUTY_DESK = Destination(DestinationName("duty-desk"), "당직실", "PJSIP/duty", ring_timeout_s=15.0)
DUTY_MOBILE = Destination(DestinationName("duty-mobile"), "당직 휴대전화", "PJSIP/010@city", CITY, "0552110000")
TAKE_IT = Confirm(PromptName("take-it"), "1", 12.0)

PLANS: Mapping[str, Plan] = {
    "120": Plan("queue", (EnterQueue(DESK),)),
    "121": Plan("welcome-queue", (Announce(WELCOME), EnterQueue(DESK, 60.0), Announce(SORRY), HangUp())),
    "122": Plan("closed", (Announce(SORRY), HangUp())),
    "123": Plan("two-queues", (EnterQueue(DESK, 30.0), EnterQueue(NIGHT))),
    "124": Plan("ringback", (EnterQueue(BELL, 60.0), HandOver("duty", "100"))),
    "125": Plan("hand-over", (HandOver("office", "200"),)),
    "126": Plan("no-answer", (HangUp(Cause.USER_BUSY),)),
    "127": Plan(
        "menu",
        (
            Menu(
                ASK,
                (
                    Choice("1", topic=PASSPORT, plan=Plan("passport", (EnterQueue(DESK),))),
                    Choice("2", language="en"),
                    Choice("3", topic=WELFARE, plan=Plan("again", (RouteAgain(),))),
                    Choice("4", region=GIMHAE, plan=Plan("hours", (Announce(SORRY), HangUp()))),
                    Choice("5", topic=PASSPORT, plan=Plan("round", (RouteAgain(),))),
                ),
                default=Choice(plan=Plan("operator", (EnterQueue(NIGHT),))),
                invalid=SORRY,
            ),
            EnterQueue(DESK),
        ),
    ),
    "127-welfare": Plan("welfare", (EnterQueue(NIGHT),)),
    "127-passport": Plan("menu", (HangUp(),)),
    "140": Plan("message", (MESSAGE, HangUp())),
    "141": Plan("message-late", (EnterQueue(DESK, 30.0), MESSAGE, EnterQueue(NIGHT))),
    "142": Plan("call-back", (EnterQueue(DESK, 30.0), CALL_BACK, CALL_BACK, Announce(THANKS), HangUp())),
    "143": Plan("call-back-late", (EnterQueue(DESK, 30.0), CALL_BACK, HangUp())),
    "144": Plan("call-back-soon", (CALL_BACK, HangUp())),
    "145": Plan("call-back-where", (msgspec.structs.replace(CALL_BACK, check=CHECK), HangUp())),
    "132": Plan(
        "remember",
        (
            Menu(ASK, (Choice("1", region=GIMHAE),), default=Choice(region=CHANGWON), tries=1),
            Menu(MAY, (Choice("1", remember_s=180 * 86_400.0), Choice("9", forget=True)), default=Choice(), tries=1),
            EnterQueue(DESK),
        ),
    ),
    "128": Plan(
        "question",
        (
            If(
                (QueueIs(DESK, Measure.WAITING, Comparison.AT_LEAST, 1),),
                then=Plan("full", (Announce(SORRY), HangUp())),
            ),
            If(
                (CalendarOpen((CalendarName("never"),)),),
                Plan("never", (HangUp(),)),
                Plan("always", (EnterQueue(DESK),)),
            ),
        ),
    ),
    "129": Plan("duty", (Dial((DUTY_DESK, DUTY_MOBILE), confirm=TAKE_IT), Announce(SORRY), HangUp())),
    "130": Plan("greeted-duty", (Announce(WELCOME), Dial((DUTY_DESK, DUTY_MOBILE), rounds=2), HangUp())),
    "131": Plan("musical-duty", (Dial((DUTY_MOBILE,), music_class="soft"), EnterQueue(DESK))),
}


@dataclass(slots=True)
class FixedRouter:
    """Decides by the dialled number alone; a number that is not there is a defect of the router."""

    plans: Mapping[str, Plan] = field(default_factory=lambda: PLANS)

    def ask(
        self,
        conditions: Sequence[Condition],
        facts: CallFacts,
        at: datetime,
        queues: QueueStates = no_queues,
        switches: SwitchesOn = ALL_OFF,
    ) -> Finding:
        """Only what needs neither calendars nor geography can be asked here."""
        origin = Origin(CHANGWON, RegionSource.EXCHANGE, Confidence.STRONG, "exchange 055225")
        case = Case(facts, parse(facts.caller), parse(facts.dialed), origin, self._calendar, queues, switches)
        return all_hold(conditions, case)

    def _calendar(self, name: CalendarName) -> CalendarState:
        return CalendarState(name == "always", "as its name says")

    def decide(
        self, facts: CallFacts, at: datetime, queues: QueueStates = no_queues, switches: SwitchesOn = ALL_OFF
    ) -> Decision:
        plan = self.plans[f"{facts.dialed}-{facts.topic}" if facts.topic else facts.dialed]
        rule = RuleId(plan.name)
        return Decision(
            rule=rule,
            plan=plan,
            region=RegionName("changwon"),
            region_title="창원",
            region_source=RegionSource.EXCHANGE,
            tenant=TenantName("changwon"),
            caller_kind=CallerKind.LANDLINE,
            topic=facts.topic,
            calendars=(),
            trace=Trace(lambda _: TraceEntry(rule, "routes.yaml:1", True, "it was dialled"), 0, lambda _: ()),
            config_hash="0123456789ab",
            switches=tuple(switches),
        )


def agent(
    name: str, *queues: QueueName, trunk: TrunkName | None = None, site: SiteName = HALL, wrap_up_s: float | None = None
) -> AgentSpec:
    """A counselor, of the queue ``desk`` if none is said."""
    return AgentSpec(
        AgentId(name), name.title(), site, f"PJSIP/{name}", queues or (DESK,), TenantName("changwon"), trunk, wrap_up_s
    )


def rulebook(
    *agents: AgentSpec,
    limits: Limits | None = None,
    queues: Iterable[QueueSpec] = (),
    trunk_channels: int = 2,
    plans: Mapping[str, Plan] | None = None,
) -> Rulebook:
    """Three queues and one trunk group, served by ``agents``."""
    known = {
        DESK: QueueSpec(DESK, "창원시"),
        NIGHT: QueueSpec(NIGHT, "야간"),
        BELL: QueueSpec(BELL, "벨", sound=WaitingSound.RINGBACK),
    }
    return Rulebook(
        hash="0123456789ab",
        router=FixedRouter(plans or PLANS),
        queues=known | {queue.name: queue for queue in queues},
        agents={spec.id: spec for spec in agents},
        trunks={CITY: TrunkSpec(CITY, trunk_channels)},
        limits=limits or Limits(),
        transfers=TransferRules(destinations={one.name: one for one in (DUTY_DESK, DUTY_MOBILE)}, short={"70": NIGHT}),
    )


def without_queue(rules: Rulebook, queue: QueueName) -> Rulebook:
    """The same rules, but for one queue that nobody knows any more."""
    agents = {
        name: replace(spec, queues=tuple(served for served in spec.queues if served != queue))
        for name, spec in rules.agents.items()
    }
    return replace(rules, agents=agents, queues={name: spec for name, spec in rules.queues.items() if name != queue})


@dataclass(slots=True)
class Channel:
    """A channel of the simulated Asterisk."""

    id: ChannelId
    state: str
    inbound: CallFacts | None = None
    in_app: bool = True
    music: bool = False
    answered: bool = False
    dialed_code: str = ""
    line: ev.LineDialed | None = None


@dataclass(slots=True)
class Asterisk:
    """One site: channels and bridges, and what it tells of them. Disconnected, it hears and says nothing."""

    site: SiteName
    inbox: list[ev.Event]
    channels: dict[ChannelId, Channel] = field(default_factory=dict)
    bridges: dict[BridgeId, set[ChannelId]] = field(default_factory=dict)
    playing: dict[PlaybackId, ChannelId] = field(default_factory=dict)
    recording: dict[RecordingId, ChannelId] = field(default_factory=dict)
    """Those in progress."""
    stored: set[RecordingId] = field(default_factory=set)
    speech_s: float | None = 10.0
    """How long a caller who hangs up, or is cut off, has spoken; None: nothing can be recorded here."""
    phones: dict[str, str] = field(default_factory=dict)
    """What a phone does when it is called: ``answers``, ``rings``, ``busy`` … ; nothing, unless it is said."""
    endpoints: dict[ChannelId, str] = field(default_factory=dict)
    ears: dict[ChannelId, ChannelId] = field(default_factory=dict)
    """What supervisors hear by, and at which leg."""
    can_snoop: bool = True
    taped: dict[RecordingId, BridgeId] = field(default_factory=dict)
    """Conversations that are being recorded."""
    silent: set[RecordingId] = field(default_factory=set)
    """Those in which nothing is heard."""
    can_tape: bool = True
    can_mute: bool = True
    connected: bool = True
    delayed: list[cmd.AriCommand] = field(default_factory=list)
    """Those that would have waited behind a sound, and others of other calls behind them."""

    def tell(self, event: ev.Event) -> None:
        if self.connected:
            self.inbox.append(event)

    def do(self, command: cmd.AriCommand) -> None:
        if not self.connected:
            return
        self._note_delay(command)
        match command:
            case cmd.Originate():
                self._originate(command)
            case cmd.Connect():
                self._connect(command)
            case cmd.JoinBridge() | cmd.LeaveBridge():
                self._move(command)
            case cmd.Hangup(channel=channel, cause=cause):
                self.hang_up(channel, cause)
            case cmd.ContinueInDialplan(channel=channel):
                self.leave(channel)
            case cmd.Snoop(channel=channel, ear=ear):
                self._snoop(channel, ear)
            case cmd.Hear():
                self._hear(command)
            case cmd.DestroyBridge(bridge=bridge):
                self._destroy(bridge)
            case _:
                self._let_hear(command)

    def _note_delay(self, command: cmd.AriCommand) -> None:
        sounding = {*self.playing.values(), *self.recording.values()}
        if isinstance(command, _WAITS_BEHIND_SOUNDS) and command.channel in sounding:
            self.delayed.append(command)
        if isinstance(command, cmd.SetDeadMan) and command.channel in sounding and not command.playing:
            self.delayed.append(command)

    def _destroy(self, bridge: BridgeId) -> None:
        self.bridges.pop(bridge, None)
        for recording in [name for name, where in self.taped.items() if where == bridge]:
            self.end_tape(recording)

    def _tape(self, command: cmd.RecordTalk | cmd.MuteRecording) -> None:
        name = command.recording
        match command:
            case cmd.RecordTalk(bridge=bridge):
                if self.can_tape:
                    self.taped[name] = bridge
                    self.stored.add(name)
                else:
                    self.tell(ev.RecordingFailed(name, "Asterisk refused to record (500)"))
            case cmd.MuteRecording(muted=muted):
                if not self.can_mute:
                    self.tell(ev.MuteFailed(name, muted, "Asterisk did not do it (500)"))
                elif muted:
                    self.silent.add(name)
                else:
                    self.silent.discard(name)

    def _let_hear(self, command: cmd.AriCommand) -> None:
        match command:
            case cmd.Play(playback=playback, channel=channel):
                self.playing[playback] = channel
            case cmd.StopPlayback(playback=playback):
                self.end_playback(playback)
            case cmd.AskPlayback(playback=playback) if playback not in self.playing:
                self.tell(ev.PlaybackEnded(playback, unknown=True))
            case cmd.Record() | cmd.StopRecording() | cmd.AskRecording() | cmd.DeleteRecording():
                self._do_with_recording(command)
            case cmd.RecordTalk() | cmd.MuteRecording():
                self._tape(command)
            case cmd.StartMusic(channel=channel) if channel in self.channels:
                self.channels[channel].music = True
            case cmd.StopMusic(channel=channel) if channel in self.channels:
                self.channels[channel].music = False
            case cmd.Answer(channel=channel) if channel in self.channels:
                self.channels[channel].answered = True
                self.channels[channel].state = "Up"
            case _:
                pass

    def _do_with_recording(
        self, command: cmd.Record | cmd.StopRecording | cmd.AskRecording | cmd.DeleteRecording
    ) -> None:
        name = command.recording
        match command:
            case cmd.Record(channel=channel):
                if channel in self.channels and name not in self.recording:
                    self.recording[name] = channel
                    if self.speech_s is None:
                        self.end_recording(name, 0.0)
                    else:
                        self.stored.add(name)
            case cmd.StopRecording():
                self.end_recording(name)
                self.end_tape(name)
            case cmd.AskRecording():
                if name not in self.recording and name not in self.taped:
                    there = name in self.stored
                    self.tell(ev.RecordingEnded(name) if there else ev.RecordingFailed(name, "there is no file"))
            case cmd.DeleteRecording():
                self.stored.discard(name)

    def end_recording(self, recording: RecordingId, length_s: float | None = None) -> None:
        if self.recording.pop(recording, None) is not None:
            self.tell(ev.RecordingEnded(recording, self.speech_s if length_s is None else length_s))

    def end_tape(self, recording: RecordingId, length_s: float = 10.0) -> None:
        """The recording of a conversation ends."""
        if self.taped.pop(recording, None) is not None:
            self.tell(ev.RecordingEnded(recording, length_s))

    def _end_recordings_of(self, channel: ChannelId) -> None:
        for recording in [name for name, where in self.recording.items() if where == channel]:
            self.end_recording(recording)

    def _originate(self, command: cmd.Originate) -> None:
        channel = command.channel
        if channel in self.channels:
            self.tell(ev.LegRefused(channel, endpoint=False))
            return
        self.endpoints[channel] = command.endpoint
        self.channels[channel] = Channel(channel, "Down")
        match self.phones.get(command.endpoint, "silent"):
            case "rings":
                self.ring(channel)
            case "answers":
                self.ring(channel)
                self.pick_up(channel)
            case "busy":
                self.hang_up(channel, Cause.USER_BUSY)
            case "rejects":
                self.hang_up(channel, Cause.CALL_REJECTED)
            case "congested":
                self.hang_up(channel, Cause.NORMAL_CIRCUIT_CONGESTION)
            case "unknown":
                del self.channels[channel]
                self.tell(ev.LegRefused(channel, endpoint=True))
            case "uncertain":
                self.tell(ev.LegUncertain(channel))
            case _:
                pass

    def _connect(self, command: cmd.Connect) -> None:
        if command.caller in self.channels and command.leg in self.channels:
            for members in self.bridges.values():
                members -= {command.caller, command.leg}
            self.bridges[command.bridge] = {command.caller, command.leg}
            self.tell(ev.Bridged(command.call, command.bridge))
        else:
            self.tell(ev.BridgeFailed(command.call, command.bridge))

    def _snoop(self, channel: ChannelId, ear: ChannelId) -> None:
        name = naming.parse_ear(ear)
        assert name is not None
        if channel not in self.channels or ear in self.channels or not self.can_snoop:
            self.tell(ev.HearingFailed(name.call, ear, "Asterisk did not let him hear (409)"))
            return
        self.channels[ear] = Channel(ear, "Up")
        self.ears[ear] = channel
        self.tell(ev.SupervisorEntered(ear))

    def _hear(self, command: cmd.Hear) -> None:
        if command.phone in self.channels and command.ear in self.channels:
            for members in self.bridges.values():
                members -= {command.phone, command.ear}
            self.bridges[command.bridge] = {command.phone, command.ear}
            self.tell(ev.HearingJoined(command.call, command.bridge))
        else:
            self.tell(ev.HearingFailed(command.call, command.bridge, "Asterisk did not let him hear (400)"))

    def _move(self, command: cmd.JoinBridge | cmd.LeaveBridge) -> None:
        for members in self.bridges.values():
            members.discard(command.channel)
        if isinstance(command, cmd.LeaveBridge) or command.channel not in self.channels:
            return
        if command.bridge in self.bridges:
            self.bridges[command.bridge].add(command.channel)
        else:
            self.tell(ev.BridgeFailed(command.call, command.bridge))

    def dial_on(self, phone: str, number: str, name: str) -> ChannelId:
        channel = ChannelId(name)
        dialed = ev.LineDialed(self.site, channel, f"PJSIP/{phone}", number)
        self.channels[channel] = Channel(channel, "Ring", line=dialed)
        self.tell(dialed)
        return channel

    def ring(self, channel: ChannelId) -> None:
        self.channels[channel].state = "Ringing"
        if naming.parse_supervisor_channel(channel) is None and not naming.is_line_leg(channel):
            self.tell(ev.LegRang(channel))

    def pick_up(self, channel: ChannelId) -> None:
        self.channels[channel].state = "Up"
        if naming.is_line_leg(channel):
            self.tell(ev.LineLinked(channel))
            return
        is_leg = naming.parse_supervisor_channel(channel) is None
        self.tell(ev.LegAnswered(channel) if is_leg else ev.SupervisorEntered(channel))

    def hang_up(self, channel: ChannelId, cause: int = Cause.NORMAL_CLEARING) -> None:
        gone = self.channels.pop(channel, None)
        if gone is None:
            return
        for members in self.bridges.values():
            members.discard(channel)
        for ear in [ear for ear, at in self.ears.items() if at == channel]:
            self.hang_up(ear)
        if naming.parse_ear(channel) is not None:
            self.ears.pop(channel, None)
        elif gone.dialed_code or naming.parse_supervisor_channel(channel) is not None:
            self.tell(ev.SupervisorLeft(channel))
        elif naming.is_line_leg(channel):
            self.tell(ev.LineParted(channel))
        elif gone.inbound is None and gone.line is None:
            self.tell(ev.LegEnded(channel, cause))
        elif gone.in_app:
            self.tell(ev.CallerLeft(channel, cause))
        self._end_recordings_of(channel)

    def leave(self, channel: ChannelId) -> None:
        if channel in self.channels and self.channels[channel].in_app:
            self._end_recordings_of(channel)
            self.channels[channel].in_app = False
            self.tell(ev.CallerLeft(channel))

    def end_playback(self, playback: PlaybackId, *, failed: bool = False) -> None:
        if self.playing.pop(playback, None) is not None:
            self.tell(ev.PlaybackEnded(playback, failed))


_Command = TypeVar("_Command", bound=cmd.Command)


_WAITS_BEHIND_SOUNDS = cmd.Answer | cmd.Ring | cmd.StopRinging | cmd.StartMusic | cmd.StopMusic | cmd.JoinBridge
_DECLINED = frozenset({Cause.USER_BUSY, Cause.NO_ANSWER, Cause.CALL_REJECTED})


class DiedError(Exception):
    """The daemon is no more."""


class Driver:
    """An exchange with time, timers, one Asterisk, and a journal of all that came out."""

    def __init__(self, rules: Rulebook, *, connected: bool = True) -> None:
        self.now = START
        self.rules = rules
        self.exchange = Exchange(rules, self.now)
        self.inbox: list[ev.Event] = []
        self.asterisk = Asterisk(HALL, self.inbox)
        self.timers: dict[TimerKey, datetime] = {}
        self.journal: dict[CallId, list[facts.Fact]] = {}
        self.memory: dict[str, tuple[RegionName, datetime]] = {}
        self.log: list[tuple[CallId, facts.Fact | Cdr]] = []
        self.commands: list[cmd.Command] = []
        self.cdrs: list[Cdr] = []
        self.notices: list[Notice] = []
        self.audit: list[AuditEntry] = []
        self.orders_left: int | None = None
        """After so many orders the daemon dies, before it sends the next; None: it lives."""
        self._followed_from: set[CallId] = set()
        self._calls = 0
        if connected:
            self.sync()

    # Time and delivery.

    def handle(self, event: ev.Event) -> Output:
        """Hand one event in and carry out what comes of it; what Asterisk answers waits in the inbox."""
        out = self.exchange.handle(event, self.now)
        try:
            self.carry_out(out)
        except DiedError:
            out = self.come_after()
        return out

    def come_after(self) -> Output:
        """Another daemon comes after one that died before it had sent all its orders."""
        self.restart(in_doubt=self._followed_from)
        return self.connect_anew()

    def connect_anew(self) -> Output:
        """The new daemon hears what there is."""
        return self.handle(self.snapshot()) if self.asterisk.connected else Output()

    def carry_out(self, out: Output) -> None:
        for call, fact in out.facts:
            self.journal.setdefault(call, []).append(fact)
            self.log.append((call, fact))
        for cdr in out.cdrs:
            self.log.append((cdr.call_id, cdr))
        self.cdrs += out.cdrs
        self.notices += out.notices
        self.audit += out.audit
        self.commands += out.commands
        self._followed_from = {call for call, _ in out.facts}
        for command in out.commands:
            match command:
                case cmd.SetTimer(key=key, after_s=after_s):
                    self.timers[key] = self.now + timedelta(seconds=after_s)
                case cmd.CancelTimer(key=key):
                    self.timers.pop(key, None)
                case cmd.Remember(number=number, region=region, until=until):
                    self.memory[number] = (region, until)
                case cmd.Forget(number=number):
                    self.memory.pop(number, None)
                case _:
                    self.give(command)

    def give(self, command: cmd.AriCommand) -> None:
        """Have an order carried out at its site.

        Raises:
            DiedError: the daemon died before.
        """
        if self.orders_left is not None:
            self.orders_left -= 1
            if self.orders_left < 0:
                self.orders_left = None
                raise DiedError
        self.site(command.site).do(command)

    def site(self, name: SiteName) -> Asterisk:
        """The Asterisk of a site."""
        return self.asterisk

    def settle(self) -> None:
        """Deliver what waits in the inbox, and what comes of it."""
        while self.inbox:
            self.handle(self.inbox.pop(0))

    def tell(self, event: ev.Event) -> None:
        """Hand one event in, and let everything settle."""
        self.handle(event)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass; timers run out in their order."""
        until = self.now + timedelta(seconds=seconds)
        while due := self.next_timer(until):
            self.now = self.timers.pop(due)
            self.tell(ev.TimerFired(due))
        self.now = until

    def next_timer(self, until: datetime) -> TimerKey | None:
        """The timer that runs out first, if that is before or at ``until``."""
        due = min(self.timers, key=lambda key: self.timers[key], default=None)
        return due if due is not None and self.timers[due] <= until else None

    def fire(self, kind: TimerKind, subject: str) -> None:
        """Let a timer run out, set or not."""
        key: TimerKey = (kind, CallId(subject))
        self.timers.pop(key, None)
        self.tell(ev.TimerFired(key))

    # Callers, phones, sites.

    def new_call_id(self) -> CallId:
        self._calls += 1
        return CallId(str(UUID(int=(7 << 76) | (2 << 62) | self._calls)))

    def dial(self, dialed: str = "120", caller: str = "0552251234") -> Call:
        """A resident dials; everything settles."""
        call = self.arrive(dialed, caller)
        known: Call | None = None
        while self.inbox:
            self.handle(self.inbox.pop(0))
            known = self.exchange.calls.get(call, known)
        assert known is not None
        return known

    def arrive(
        self, dialed: str = "120", caller: str = "0552251234", trunk: str = "", *, hops: str = "", diversion: str = ""
    ) -> CallId:
        """A resident dials, and comes in by ``trunk``; what comes of it waits in the inbox."""
        call = self.new_call_id()
        channel = ChannelId(f"resident-{self._calls}")
        count, word = loops.read_header(hops)
        remembered = self._recall(caller)
        arrival = CallFacts(
            dialed, HALL, caller, trunk=trunk, diversion=diversion, remembered=remembered, hops=count, word=word
        )
        self.asterisk.channels[channel] = Channel(channel, "Ring", arrival)
        self.asterisk.tell(ev.CallArrived(call, channel, arrival))
        return call

    def _recall(self, caller: str) -> RegionName | None:
        region, until = self.memory.get(remembered_as(caller) or "", (None, self.now))
        return region if until > self.now else None

    def hang_up(self, call: Call, cause: int = Cause.NORMAL_CLEARING) -> None:
        """The caller hangs up."""
        self.asterisk.hang_up(call.channel, cause)
        self.settle()

    def leg(self, call: Call) -> ChannelId:
        """The channel of the open offer."""
        assert call.offer is not None, call
        return call.offer.channel

    def invited(self, call: Call) -> ChannelId:
        """The channel of who was called into the conversation."""
        assert call.invited is not None, call
        return call.invited.channel

    def dial_on(self, phone: str, number: str, name: str = "line-1") -> ChannelId:
        """A phone dials on one more line; everything settles."""
        channel = self.asterisk.dial_on(phone, number, name)
        self.settle()
        return channel

    def order_call(self, subject: str, verb: CallVerb, target: str = "") -> CallAnswer:
        """Somebody gives an order; everything settles."""
        out = self.handle(ev.CallOrdered(CallOrder(subject, verb, "boss", CallVia.API, target), 7))
        self.settle()
        ((ticket, answer),) = out.answers
        assert ticket == 7
        assert isinstance(answer, CallAnswer)
        return answer

    def together(self, call: Call) -> set[ChannelId]:
        """Who hears the caller, he himself included; empty while he is on hold."""
        return next((set(inside) for inside in self.asterisk.bridges.values() if call.channel in inside), set())

    def ring(self, call: Call) -> None:
        self.asterisk.ring(self.leg(call))
        self.settle()

    def pick_up(self, call: Call) -> None:
        self.asterisk.pick_up(self.leg(call))
        self.settle()

    def leg_ends(self, call: Call, cause: int = Cause.NORMAL_CLEARING, *, rung: bool = True) -> None:
        """The leg ends; if somebody at the phone could have done that, it has rung, unless it was not ``rung``."""
        if rung and call.state is CallState.OFFERED and cause in _DECLINED:
            self.ring(call)
        self.asterisk.hang_up(self.leg(call), cause)
        self.settle()

    def ask(self, dialed: str = "144", caller: str = "0552251234") -> Call:
        """A resident dials and asks to be called back; the call by which he will be is returned."""
        asking = self.dial(dialed, caller)
        if asking.id in self.exchange.calls:
            self.advance(30.0)
        return self.exchange.calls[naming.call_back(asking.id)]

    def resident(self, call: Call) -> ChannelId:
        """The channel of who is called back."""
        assert call.resident is not None, call
        return call.resident.channel

    def resident_answers(self, call: Call) -> None:
        self.asterisk.pick_up(self.resident(call))
        self.settle()

    def resident_ends(self, call: Call, cause: int = Cause.USER_BUSY) -> None:
        self.asterisk.hang_up(self.resident(call), cause)
        self.settle()

    def press(self, call: Call, digit: str) -> None:
        """The caller presses a key."""
        self.tell(ev.DigitPressed(call.channel, digit))

    def announcement_ends(self, call: Call) -> None:
        assert call.playback is not None
        self.asterisk.end_playback(call.playback)
        self.settle()

    def recording_ends(self, call: Call, length_s: float = 10.0) -> None:
        """So much was spoken, and silence or a key ended it."""
        assert call.recording is not None
        self.asterisk.end_recording(call.recording, length_s)
        self.settle()

    def snapshot(self, requested_at: datetime | None = None) -> ev.SiteUp:
        seen = {
            channel.id: ev.ChannelSeen(
                channel.id,
                channel.state,
                channel.inbound if channel.in_app else None,
                self.new_call_id() if channel.inbound is not None and channel.in_app else None,
                channel.dialed_code,
                channel.line if channel.in_app else None,
            )
            for channel in self.asterisk.channels.values()
        }
        members = {bridge: frozenset(inside) for bridge, inside in self.asterisk.bridges.items()}
        return ev.SiteUp(HALL, requested_at or self.now, seen, frozenset(members), members)

    def sync(self) -> None:
        """The site is (again) connected, and its snapshot is taken."""
        self.asterisk.connected = True
        self.tell(self.snapshot())

    def lose_site(self) -> None:
        self.asterisk.connected = False
        self.inbox.clear()
        self.tell(ev.SiteDown(HALL))

    def restart(self, rules: Rulebook | None = None, lost: int = 0, in_doubt: Collection[CallId] = ()) -> None:
        """The daemon dies, the last ``lost`` records of its journal with it, and a new one begins.

        ``in_doubt``: of which it did not come to send what followed from their last facts.
        """
        if lost:
            del self.log[-lost:]
        self.rules = rules or self.rules
        self.journal.clear()
        self.cdrs = []
        for call, record in self.log:
            if isinstance(record, Cdr):
                self.cdrs.append(record)
            else:
                self.journal.setdefault(call, []).append(record)
        ended = {cdr.call_id for cdr in self.cdrs}
        self.inbox.clear()
        self.timers.clear()
        self.exchange = Exchange(self.rules, self.now)
        self.exchange.restore([history for call, history in self.journal.items() if call not in ended], in_doubt)
        self.exchange.restore_outward(self.cdrs, self.now - KEPT)
        self.exchange.restore_lost_places([history for call, history in self.journal.items() if call in ended])

    # Looking.

    def agent(self, name: str) -> Agent:
        return self.exchange.floor.staff.agents[AgentId(name)]

    def given(self, kind: type[_Command]) -> list[_Command]:
        """All commands of one kind, in order."""
        return [command for command in self.commands if isinstance(command, kind)]

    def cdr(self, call: Call) -> Cdr:
        """The one CDR of a call."""
        (cdr,) = [cdr for cdr in self.cdrs if cdr.call_id == call.id]
        return cdr

    def called(self) -> list[str]:
        """The phones that were called, in order."""
        return [command.endpoint.removeprefix("PJSIP/") for command in self.given(cmd.Originate)]

    def place(self, call: Call) -> int | None:
        """The place in line of who waits, if it can be told."""
        floor = self.exchange.floor
        return PlacesInLine(floor.acd, floor.staff).position(call.id)

    def channel(self, call: Call) -> Channel:
        return self.asterisk.channels[call.channel]

    def reached(self, state: CallState) -> Call:
        """A call to 121 (127: menu, 129: duty, 140: message) in ``state``; some states need the counselor ``kim``.

        What only a call that we make can be in needs the queue ``CALLS_BACK``.
        """
        if state in (CallState.ASKING, CallState.DICTATING, CallState.CONFIRMING, CallState.RECORDING):
            return self._outside_queues(state)
        if state in (CallState.CALLING, CallState.GREETING, CallState.POSTPONED):
            return self._called_back(state)
        call = self.dial("121")
        if state is CallState.ANNOUNCING:
            return call
        self.announcement_ends(call)
        if state is CallState.BRIEFING:
            self.agent("kim").untold = True
            self.pick_up(call)
        elif state is CallState.CONNECTING:
            self.handle(ev.LegAnswered(self.leg(call)))
            self.inbox.clear()
        elif state in (CallState.CONNECTED, CallState.CLEARING, CallState.ENDED):
            self.pick_up(call)
        if state in (CallState.CLEARING, CallState.ENDED):
            self.asterisk.hang_up(self.leg(call))
            self.handle(self.inbox.pop(0))
        if state is CallState.ENDED:
            self.settle()
        assert call.state is state, (call.state, state)
        return call

    def _outside_queues(self, state: CallState) -> Call:
        dialed = {CallState.ASKING: "127", CallState.CONFIRMING: "129", CallState.DICTATING: "145"}
        call = self.dial(dialed.get(state, "140"))
        if state is CallState.CONFIRMING:
            self.pick_up(call)
        elif state is CallState.RECORDING:
            self.announcement_ends(call)
        return call

    def _called_back(self, state: CallState) -> Call:
        call = self.ask()
        self.pick_up(call)
        if state is CallState.GREETING:
            self.resident_answers(call)
        elif state is CallState.POSTPONED:
            self.resident_ends(call)
        return call


def own_leg(call: Call, attempt: int) -> ChannelId:
    """The channel id of the call's ``attempt``-th leg."""
    return naming.leg_channel(call.id, attempt)
