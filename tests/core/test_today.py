"""The day so far: what was counted, since when, and over midnight and restarts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.call import Call
from callrouter.core.duty import Duty, DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId, QueueName
from callrouter.core.live import Figures, Live, QueueLive, live
from callrouter.core.output import NoticeKind, Output
from callrouter.core.rulebook import QueueSpec
from callrouter.core.service_level import Formula, ServiceGoal
from callrouter.core.today import day_of, hour_of
from tests.core.driver import DESK, NIGHT, PASSPORT, Driver, agent, rulebook

KIM = AgentId("kim")
SEOUL = ZoneInfo("Asia/Seoul")


class Centre(Driver):
    """One counselor, who talks when he is told to, with 10 s of work after each call; it is 18:00 in Korea."""

    def __init__(self, goal: ServiceGoal | None = None) -> None:
        queue = QueueSpec(DESK, "창원시", ring_timeout_s=3600.0, goal=goal or ServiceGoal())
        self.audit: list[AuditEntry] = []
        super().__init__(replace(rulebook(agent("kim", DESK, NIGHT), queues=(queue,)), timezone=SEOUL))

    def carry_out(self, out: Output) -> None:
        super().carry_out(out)
        self.audit += out.audit

    def talk(self, wait_s: float, talk_s: float, dialed: str = "120") -> Call:
        call = self.dial(dialed)
        self.advance(wait_s)
        self.pick_up(call)
        self.advance(talk_s)
        self.hang_up(call)
        return call

    def order(self, verb: DutyVerb, reason: str = "") -> None:
        self.handle(ev.DutyOrdered(DutyOrder(KIM, verb, "park", DutyVia.COMMAND, reason), 1))
        self.settle()

    @property
    def live(self) -> Live:
        return live(self.exchange, self.now)

    def queue(self, name: QueueName = DESK) -> QueueLive:
        (found,) = [queue for queue in self.live.queues if queue.queue == name]
        return found

    def begin_anew(self, *, remembering: bool = True) -> None:
        """The daemon dies, and the next one counts again from what there is."""
        records = list(self.cdrs)
        self.restart()
        self.cdrs = records
        if remembering:
            self.exchange.restore_duties(self.audit[-1:])
            self.exchange.restore_today(records, self.audit, day_of(self.now, SEOUL)[0], self.now)
        self.sync()


@pytest.fixture
def centre() -> Centre:
    return Centre()


def test_calls_that_are_over_are_counted_by_queue_tenant_and_topic(centre: Centre) -> None:
    centre.talk(5, 60)
    centre.advance(20)
    centre.talk(25, 60)
    centre.advance(20)
    call = centre.dial()
    centre.advance(9)
    centre.hang_up(call)
    wanted = Figures(3, 2, 1, 0, 0, 0, 100 / 3, 80, 15.0, 25.0, 100 / 3)
    assert centre.queue().today == wanted
    assert [(group.name, group.today) for group in centre.live.tenants] == [("changwon", wanted)]
    assert [(group.name, group.today) for group in centre.live.topics] == [("", wanted)]


def test_a_queue_is_measured_by_its_own_goal() -> None:
    centre = Centre(ServiceGoal(threshold_s=4, target_percent=90, formula=Formula.ANSWERED))
    centre.talk(5, 60)
    assert (centre.queue().today.service_level, centre.queue().today.target_percent) == (0, 90)


def test_who_waits_now_is_seen_with_his_wait_and_what_counselors_do(centre: Centre) -> None:
    talking = centre.dial()
    centre.pick_up(talking)
    centre.dial()
    centre.advance(7)
    centre.dial()
    centre.advance(5)
    queue = centre.queue()
    assert (queue.waiting, queue.ringing, queue.longest_wait_s) == (2, 0, 12)
    assert queue.agents == {AgentState.ON_CALL: 1}
    assert (centre.live.tenants[0].waiting, centre.live.topics[0].longest_wait_s) == (2, 12)
    assert queue.today.offered == 0


def test_a_caller_who_goes_on_into_another_queue_is_counted_in_both(centre: Centre) -> None:
    centre.order(DutyVerb.PAUSE)
    call = centre.dial("123")
    centre.advance(31)
    centre.hang_up(call)
    assert (centre.queue(DESK).today.overflowed, centre.queue(NIGHT).today.abandoned) == (1, 1)
    assert centre.live.tenants[0].today.offered == 1


def test_topics_are_counted_by_the_hour_in_which_their_calls_came_in(centre: Centre) -> None:
    call = centre.dial("127")
    centre.press(call, "1")
    centre.advance(3601)
    centre.hang_up(call)
    hour = hour_of(call.opened_at, SEOUL)
    assert centre.exchange.today.of_topics(hour) == {PASSPORT: 1}
    assert centre.exchange.today.of_topics(hour + timedelta(hours=1)) == {}
    assert [group.name for group in centre.live.topics] == [PASSPORT]


def test_occupancy_is_of_the_day_so_far_with_the_call_in_progress(centre: Centre) -> None:
    centre.talk(0, 600)
    centre.advance(100)  # 10 of them in the work after the call
    call = centre.dial()
    centre.pick_up(call)
    centre.advance(300)
    assert centre.queue().occupancy == pytest.approx(100 * (600 + 10 + 300) / 1000)
    assert centre.live.tenants[0].occupancy == centre.queue().occupancy


def test_who_ends_the_work_after_a_call_early_is_not_busy_any_more(centre: Centre) -> None:
    centre.talk(0, 60)
    centre.advance(4)
    centre.order(DutyVerb.READY)
    centre.advance(100)
    assert centre.exchange.today.spent(centre.agent("kim"), centre.now).wrap_up_s == 4


def test_at_midnight_a_new_day_begins_and_what_was_said_of_counselors_holds(centre: Centre) -> None:
    centre.talk(5, 60)
    centre.order(DutyVerb.PAUSE, "야간")
    _, midnight = day_of(centre.now, SEOUL)
    centre.advance((midnight - centre.now).total_seconds() + 600)
    assert (centre.live.since, centre.live.day) == (midnight, midnight.astimezone(SEOUL).date())
    assert centre.queue().today.offered == 0
    spent = centre.exchange.today.spent(centre.agent("kim"), centre.now)
    assert (spent.logged_in_s, dict(spent.pauses)) == (600, {"야간": 600})


def test_a_call_over_midnight_belongs_to_the_day_before_and_its_talk_to_both(centre: Centre) -> None:
    _, midnight = day_of(centre.now, SEOUL)
    centre.advance((midnight - centre.now).total_seconds() - 30)
    centre.talk(10, 120)
    assert centre.queue().today.offered == 0
    assert centre.exchange.today.spent(centre.agent("kim"), centre.now).talk_s == 100


def test_after_a_restart_the_day_is_counted_again(centre: Centre) -> None:
    centre.talk(5, 60)
    centre.advance(30)
    centre.order(DutyVerb.PAUSE, "점심")
    centre.advance(100)
    centre.order(DutyVerb.READY)
    centre.advance(10)
    before = centre.queue()
    spent = centre.exchange.today.spent(centre.agent("kim"), centre.now)
    centre.begin_anew()
    assert centre.queue().today == before.today
    assert centre.live.since == day_of(centre.now, SEOUL)[0]
    again = centre.exchange.today.spent(centre.agent("kim"), centre.now)
    assert (again.talk_s, again.wrap_up_s, dict(again.pauses)) == (spent.talk_s, spent.wrap_up_s, {"점심": 100})


def test_a_daemon_that_knows_nothing_of_the_day_says_since_when_it_counts(centre: Centre) -> None:
    centre.talk(5, 60)
    centre.begin_anew(remembering=False)
    began = centre.now
    centre.advance(60)
    assert (centre.live.since, centre.queue().today.offered) == (began, 0)
    assert centre.exchange.today.spent(centre.agent("kim"), centre.now).logged_in_s == 60


def test_who_was_logged_out_yesterday_was_not_there_today(centre: Centre) -> None:
    yesterday = centre.now - timedelta(days=1)
    centre.audit = [
        AuditEntry(yesterday, "park", AuditKind.SWITCH, "typhoon", "off", "on", "command"),
        AuditEntry(yesterday, "park", AuditKind.AGENT, KIM, Duty.ON, Duty.OFF, "command"),
    ]
    centre.begin_anew()
    assert centre.queue().occupancy is None


def test_a_counselor_who_is_gone_from_the_rules_keeps_what_he_did(centre: Centre) -> None:
    centre.talk(5, 60)
    centre.exchange.floor.staff.agents.clear()
    centre.begin_anew()
    assert centre.queue().today.answered == 1


def test_a_defect_in_counting_costs_no_call(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    call = centre.dial()

    def broken(*_: object) -> None:
        raise RuntimeError("a figure too many")

    monkeypatch.setattr(centre.exchange.today, "note", broken)
    centre.pick_up(call)
    centre.hang_up(call)
    assert centre.cdr(call).agent == KIM
    told = [notice.text for notice in centre.notices if notice.kind is NoticeKind.COUNTING_FAILED]
    assert set(told) == {"RuntimeError('a figure too many')"}


def test_a_day_is_the_local_one_and_so_are_its_hours() -> None:
    at = datetime(2026, 11, 24, 15, 20, 30, tzinfo=UTC)
    assert day_of(at, SEOUL) == (at.replace(minute=0, second=0), at.replace(day=25, minute=0, second=0))
    assert hour_of(at, ZoneInfo("Asia/Kolkata")) == datetime(2026, 11, 24, 14, 30, tzinfo=UTC)
