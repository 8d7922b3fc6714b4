"""The task that owns the exchange: what goes in, what comes out, and what happens when it goes wrong."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.audit import AuditEntry
from callrouter.core.cdr import Cdr, Outcome
from callrouter.core.conditions import Condition, Finding, QueueStates, no_queues
from callrouter.core.decision import Decision, Trace, TraceEntry
from callrouter.core.exchange import Exchange
from callrouter.core.ids import (
    AgentId,
    CallId,
    ChannelId,
    PromptName,
    QueueName,
    RegionName,
    RuleId,
    SiteName,
    SwitchName,
    TenantName,
)
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.plan import Announce, EnterQueue, HangUp, Plan
from callrouter.core.rulebook import AgentSpec, QueueSpec, Rulebook
from callrouter.core.switches import ALL_OFF, SwitchesOn, SwitchOrder, SwitchSpec, SwitchVia
from callrouter.runtime.dispatcher import Dispatcher
from tests.fakes.keeping import SlowDisk

PATIENCE_S = 5.0
SITE = SiteName("gyeongnam")
CALL = CallId("01a20b11-1afe-7650-8942-ca3ab4100bde")
OTHER = CallId("01a20b11-1afe-7650-8942-ca3ab4100bdf")
QUEUE = QueueName("q")
TYPHOON = SwitchName("typhoon")


class OneRule:
    """A router that sends everyone to the same plan, and fails for the caller ``boom``."""

    def ask(
        self,
        conditions: Sequence[Condition],
        facts: CallFacts,
        at: datetime,
        queues: QueueStates = no_queues,
        switches: SwitchesOn = ALL_OFF,
    ) -> Finding:
        raise AssertionError("its plan asks nothing")

    def decide(
        self, facts: CallFacts, at: datetime, queues: QueueStates = no_queues, switches: SwitchesOn = ALL_OFF
    ) -> Decision:
        if facts.caller == "boom":
            raise RuntimeError("a defect in a rule")
        steps = (Announce(PromptName("welcome")), EnterQueue(QUEUE, 0.02), HangUp())
        return Decision(
            RuleId("r"),
            Plan("p", steps),
            RegionName("changwon"),
            "창원",
            RegionSource.EXCHANGE,
            TenantName("changwon"),
            CallerKind.LANDLINE,
            None,
            (),
            Trace(lambda _: TraceEntry(RuleId("r"), "routes.yaml:1", True, "takes every call"), 0, lambda _: ()),
            "h",
        )


@dataclass
class Commander:
    commands: list[cmd.AriCommand] = field(default_factory=list)
    resynced: list[SiteName] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def carry_out(self, command: cmd.AriCommand, settled: Callable[[], None]) -> None:
        self.commands.append(command)
        self.changed.set()

    def resync(self, site: SiteName) -> None:
        self.resynced.append(site)
        self.changed.set()

    async def until(self, kind: type[cmd.AriCommand]) -> cmd.AriCommand:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for command in self.commands:
                    if isinstance(command, kind):
                        return command
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Ledger(SlowDisk):
    facts: list[tuple[CallId, str, bytes]] = field(default_factory=list)
    cdrs: list[Cdr] = field(default_factory=list)
    entries: list[AuditEntry] = field(default_factory=list)
    is_slow: bool = False
    """Nothing gets to the disk before the test says so."""

    def append_facts(self, call_id: CallId, kind: str, body: bytes) -> None:
        self.facts.append((call_id, kind, body))
        self._take()

    def finish(self, cdr: Cdr) -> None:
        self.cdrs.append(cdr)
        self._take()

    def audit(self, entry: AuditEntry) -> None:
        self.entries.append(entry)
        self._take()

    def _take(self) -> None:
        self.hand_over()
        if not self.is_slow:
            self.write()


@dataclass
class Scene:
    dispatcher: Dispatcher
    commander: Commander
    ledger: Ledger

    def arrives(self, call: CallId = CALL, caller: str = "0552251234", channel: str = "1.0") -> None:
        self.dispatcher.post(ev.CallArrived(call, ChannelId(channel), CallFacts("120", SITE, caller)), SITE)

    async def settle(self) -> None:
        """Let all that was posted be handled."""
        async with asyncio.timeout(PATIENCE_S):
            while self.dispatcher.inbox.waiting:  # noqa: ASYNC110 - turns of the loop, not a wait
                await asyncio.sleep(0)


def a_scene(capacity: int = 1000) -> Scene:
    agent = AgentSpec(AgentId("201"), "상담사", SITE, "PJSIP/201", (QUEUE,), TenantName("changwon"))
    switches = {TYPHOON: SwitchSpec(TYPHOON, "태풍")}
    queues, agents = {QUEUE: QueueSpec(QUEUE, "Q")}, {agent.id: agent}
    rulebook = Rulebook("h", OneRule(), queues, agents, switches=switches)
    commander, ledger = Commander(), Ledger()
    exchange = Exchange(rulebook, datetime.now(UTC))
    return Scene(
        Dispatcher(exchange, commander, ledger, lambda: datetime.now(UTC), capacity=capacity), commander, ledger
    )


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = a_scene()
    task = asyncio.create_task(scene.dispatcher.run())
    yield scene
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not scene.dispatcher.is_alive


async def test_commands_are_carried_out_in_their_order_and_facts_are_kept(scene: Scene) -> None:
    scene.arrives()
    await scene.commander.until(cmd.Play)

    assert [type(command) for command in scene.commander.commands] == [cmd.SetDeadMan, cmd.Answer, cmd.Play]
    kept = [msgspec.msgpack.decode(body, type=facts.Fact) for _, _, body in scene.ledger.facts]
    assert [type(fact) for fact in kept] == [facts.Opened, facts.Routed, facts.StepBegun, facts.Answered]


async def test_nothing_is_sent_before_the_facts_are_on_disk_and_nobody_is_answered(scene: Scene) -> None:
    scene.ledger.is_slow = True
    scene.arrives()
    answer = asyncio.create_task(scene.dispatcher.order(an_order()))
    await scene.settle()
    await asyncio.sleep(0)
    assert len(scene.ledger.facts) == 4
    assert scene.commander.commands == []
    assert not answer.done()
    scene.ledger.write()
    assert [type(command) for command in scene.commander.commands] == [cmd.SetDeadMan, cmd.Answer, cmd.Play]
    assert (await answer).ok


async def test_the_daemon_is_not_idle_before_its_last_order_is_sent(scene: Scene) -> None:
    scene.ledger.is_slow = True
    answer = asyncio.create_task(scene.dispatcher.order(an_order()))
    await asyncio.sleep(0)
    await scene.settle()
    idle = asyncio.create_task(scene.dispatcher.wait_idle())
    await asyncio.sleep(0)
    assert not idle.done()
    scene.ledger.write()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(idle, answer)


async def test_a_daemon_that_stood_down_sends_nothing_of_what_it_had_decided(scene: Scene) -> None:
    scene.ledger.is_slow = True
    scene.arrives()
    await scene.settle()
    scene.dispatcher.stand_down()
    scene.ledger.write()
    assert scene.commander.commands == []


async def test_kept_facts_bring_a_call_back_in_another_exchange(scene: Scene) -> None:
    scene.arrives()
    await scene.commander.until(cmd.Play)
    history = [msgspec.msgpack.decode(body, type=facts.Fact) for _, _, body in scene.ledger.facts]

    assert a_scene().dispatcher.restore([history]) == (CALL,)


async def test_a_timer_that_the_exchange_sets_comes_back_to_it(scene: Scene) -> None:
    scene.arrives()
    play = await scene.commander.until(cmd.Play)
    assert isinstance(play, cmd.Play)

    scene.dispatcher.post(ev.PlaybackEnded(play.playback), SITE)  # no site is up: the wait of 20 ms runs out
    await scene.commander.until(cmd.Hangup)

    scene.dispatcher.post(ev.CallerLeft(ChannelId("1.0")), SITE)
    async with asyncio.timeout(PATIENCE_S):
        await scene.dispatcher.wait_idle()
    assert [cdr.outcome for cdr in scene.ledger.cdrs] == [Outcome.OVERFLOWED]


async def test_an_event_whose_handling_fails_costs_that_call_alone(scene: Scene) -> None:
    scene.arrives(OTHER, caller="boom", channel="2.0")
    scene.arrives()
    await scene.commander.until(cmd.Play)

    sent_on = [c.channel for c in scene.commander.commands if isinstance(c, cmd.ContinueInDialplan)]
    assert sent_on == ["2.0"], "the caller whose rule failed gets a person"
    assert scene.dispatcher.inbox.failures == 1


async def test_a_call_that_cannot_even_be_given_up_costs_nobody_else(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a second defect")

    monkeypatch.setattr(scene.dispatcher.exchange, "give_up", fail)
    scene.arrives(OTHER, caller="boom", channel="2.0")
    scene.arrives()
    await scene.commander.until(cmd.Play)

    assert scene.dispatcher.is_alive
    assert scene.dispatcher.inbox.failures == 2


async def test_a_daemon_that_stood_down_does_not_wait_for_calls_that_are_anothers_now(scene: Scene) -> None:
    scene.arrives()
    await scene.commander.until(cmd.Play)
    waiting = asyncio.create_task(scene.dispatcher.wait_idle())
    await asyncio.sleep(0)
    assert not waiting.done()

    scene.dispatcher.stand_down()
    async with asyncio.timeout(PATIENCE_S):
        await waiting


async def test_a_full_inbox_loses_events_counts_them_and_has_the_site_compared_anew() -> None:
    scene = a_scene(capacity=2)
    for number in range(3):
        scene.dispatcher.post(ev.CallerLeft(ChannelId(f"{number}")), SITE)
    assert scene.dispatcher.inbox.dropped == 1

    task = asyncio.create_task(scene.dispatcher.run())
    async with asyncio.timeout(PATIENCE_S):
        while not scene.commander.resynced:
            await scene.commander.changed.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert scene.commander.resynced == [SITE]


async def test_a_nearly_full_inbox_drops_what_matters_least_first() -> None:
    scene = a_scene(capacity=10)
    for number in range(9):
        scene.dispatcher.post(ev.CallerLeft(ChannelId(f"{number}")), SITE)

    scene.dispatcher.post(ev.LegRang(ChannelId("x")), SITE)
    assert scene.dispatcher.inbox.dropped == 1
    scene.dispatcher.post(ev.CallerLeft(ChannelId("9")), SITE)
    assert scene.dispatcher.inbox.waiting == 10


async def test_who_comes_while_the_inbox_is_behind_is_turned_away_until_it_has_caught_up() -> None:
    """A turn of the loop is a hundred events; each takes the clock here on by 20 ms."""
    scene = a_scene()
    clock = [datetime.now(UTC)]

    def now() -> datetime:
        clock[0] += timedelta(milliseconds=20)
        return clock[0]

    scene.dispatcher._now = now
    for number in range(250):
        scene.dispatcher.post(ev.CallerLeft(ChannelId(f"nobody.{number}")), SITE)
    began = clock[0]
    scene.arrives()
    scene.dispatcher._inbox = deque((event, began - timedelta(seconds=2)) for event, _ in scene.dispatcher._inbox)
    task = asyncio.create_task(scene.dispatcher.run())
    await scene.settle()
    (sent_on,) = (one for one in scene.commander.commands if isinstance(one, cmd.ContinueInDialplan))
    scene.arrives(OTHER, channel="2.0")
    play = await scene.commander.until(cmd.Play)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert isinstance(play, cmd.Play)
    assert (sent_on.channel, play.channel) == ("1.0", "2.0")


async def test_what_waited_while_the_process_was_stopped_is_no_lag_that_costs_a_caller() -> None:
    scene = a_scene()
    scene.arrives()
    scene.dispatcher._inbox = deque((event, at - timedelta(seconds=30)) for event, at in scene.dispatcher._inbox)
    task = asyncio.create_task(scene.dispatcher.run())
    await scene.commander.until(cmd.Play)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not scene.dispatcher.exchange.counters.not_taken


async def test_a_daemon_that_stood_down_commands_nothing_and_writes_nothing(scene: Scene) -> None:
    scene.dispatcher.stand_down()
    scene.arrives()
    await scene.settle()

    assert scene.commander.commands == []
    assert scene.ledger.facts == []
    assert scene.dispatcher.stood_down


def an_order(on: bool = True, for_s: float | None = None) -> SwitchOrder:
    return SwitchOrder(TYPHOON, on, "kim", SwitchVia.API, for_s)


async def test_orders_are_answered_each_with_its_own_and_kept(scene: Scene) -> None:
    on, off = await asyncio.gather(scene.dispatcher.order(an_order()), scene.dispatcher.order(an_order(on=False)))

    assert (on.ok, on.on is not None, off.ok, off.on) == (True, True, True, None)
    assert [(entry.who, entry.becomes) for entry in scene.ledger.entries] == [("kim", "on"), ("kim", "off")]


async def test_a_switch_goes_off_by_the_dispatchers_own_alarm(scene: Scene) -> None:
    await scene.dispatcher.order(an_order(for_s=0.02))
    async with asyncio.timeout(PATIENCE_S):
        while len(scene.ledger.entries) < 2:  # noqa: ASYNC110 - the ledger tells nobody
            await asyncio.sleep(0.005)

    assert scene.ledger.entries[1].via == "expiry"


async def test_what_is_remembered_stands_before_the_first_event_and_ends_in_time(scene: Scene) -> None:
    await scene.dispatcher.order(an_order(for_s=60.0))
    other = a_scene()
    other.dispatcher.restore_switches(scene.ledger.entries)

    assert set(other.dispatcher.exchange.conduct.switchboard.on(datetime.now(UTC))) == {TYPHOON}
    assert other.ledger.entries == []


async def test_an_order_that_nobody_comes_to_is_answered_all_the_same_and_its_answer_goes_nowhere() -> None:
    scene = a_scene()
    late = await scene.dispatcher.order(an_order(), timeout_s=0.01)
    task = asyncio.create_task(scene.dispatcher.run())
    await scene.settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert not late.ok
    assert "did not come to it within 0.01 s" in late.message
    assert len(scene.ledger.entries) == 1, "it was set, and the answer says to look"


async def test_a_daemon_that_stood_down_takes_no_order(scene: Scene) -> None:
    scene.dispatcher.stand_down()

    assert (await scene.dispatcher.order(an_order())).message == "another daemon is in charge; ask that one"
    assert scene.ledger.entries == []


async def test_one_that_may_not_act_handles_nothing_until_it_is_told_to_go_on() -> None:
    scene = a_scene()
    allowed = [False]
    scene.dispatcher._may_act = lambda: allowed[-1]
    task = asyncio.create_task(scene.dispatcher.run())
    scene.arrives()
    for _ in range(5):
        await asyncio.sleep(0)
    held = (scene.dispatcher.acts, scene.dispatcher.inbox.waiting, list(scene.commander.commands))
    allowed.append(True)
    scene.dispatcher.go_on()
    await scene.settle()
    went_on = (scene.dispatcher.acts, bool(scene.commander.commands))
    scene.dispatcher.stand_down()
    stood_down = scene.dispatcher.acts
    task.cancel()
    assert (held, went_on, stood_down) == ((False, 1, []), (True, True), False)
