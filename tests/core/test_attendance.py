"""Counselors log in and out, pause, and end their wrap-up; who misses too many calls in a row is paused."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.attendance import LAMPS
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.causes import Cause
from callrouter.core.duty import Duty, DutyAnswer, DutyOrder, DutyVerb, DutyVia
from callrouter.core.exchange import Exchange
from callrouter.core.ids import AgentId, CallId, ChannelId, QueueName, SiteName
from callrouter.core.output import NoticeKind, Output
from callrouter.core.picture import picture
from callrouter.core.rulebook import Limits
from callrouter.core.states import CallState
from tests.core.driver import BELL, DESK, HALL, NIGHT, START, Driver, agent, rulebook

KIM = AgentId("kim")
LOGIN_CODE, PAUSE_CODE = "*11", "*12"
RULES = replace(rulebook(agent("kim")), agent_codes={DutyVerb.LOGIN: LOGIN_CODE, DutyVerb.PAUSE: PAUSE_CODE})


class Desk(Driver):
    """One at which the newest output of an order is kept."""

    def __init__(self) -> None:
        super().__init__(RULES)
        self.out = Output()

    def order(self, verb: DutyVerb, reason: str = "", name: AgentId = KIM) -> DutyAnswer:
        order = DutyOrder(name, verb, "park", DutyVia.COMMAND, reason)
        self.out = self.exchange.handle(ev.DutyOrdered(order, 7), self.now)
        self.carry_out(self.out)
        self.settle()
        ((ticket, answer),) = self.out.answers
        assert ticket == 7
        assert isinstance(answer, DutyAnswer)
        return answer

    def dial_code(self, code: str, endpoint: str = "PJSIP/kim", site: SiteName = HALL) -> str:
        """The word that the phone hears."""
        self.out = self.exchange.handle(ev.CodeDialed(site, ChannelId("9.1"), endpoint, code), self.now)
        (sent,) = [command for command in self.out.commands if isinstance(command, cmd.ContinueInDialplan)]
        assert (sent.site, sent.channel, sent.context) == (site, "9.1", "callrouter-attended")
        return sent.extension

    def does(self) -> AgentState:
        return self.agent("kim").state

    @property
    def lamps(self) -> list[tuple[str, cmd.Lamp]]:
        return [(command.device, command.shows) for command in self.out.commands if isinstance(command, cmd.SetLamp)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("verb", "state", "duty"),
    [
        (DutyVerb.PAUSE, AgentState.PAUSED, Duty.PAUSED),
        (DutyVerb.LOGOUT, AgentState.LOGGED_OUT, Duty.OFF),
    ],
)
def test_who_is_paused_or_logged_out_is_not_rung_until_he_comes_back(
    desk: Desk, verb: DutyVerb, state: AgentState, duty: Duty
) -> None:
    answer = desk.order(verb, "점심\n식사")
    word = str(duty).replace("-", " ")
    assert answer == DutyAnswer(True, True, f"agent kim is {word}")
    assert (desk.does(), desk.lamps) == (state, [("Stasis:callrouter-agent-kim", LAMPS[state])])
    told = f"kim: on-duty, now {duty}; by park, via command (점심 식사)"
    assert [(n.kind, n.text) for n in desk.out.notices] == [(NoticeKind.AGENT_DUTY, told)]
    assert desk.out.audit == [
        AuditEntry(
            desk.now,
            "park",
            AuditKind.AGENT,
            "kim",
            "on-duty",
            duty,
            "command",
            desk.now,
            note="점심 식사",
            queues=desk.agent("kim").spec.queues,
        )
    ]
    call = desk.dial()
    assert (call.state, desk.called()) == (CallState.QUEUED, [])

    desk.order(DutyVerb.LOGIN if duty is Duty.OFF else DutyVerb.READY)
    assert desk.lamps == [("Stasis:callrouter-agent-kim", cmd.Lamp.RINGING)], "he is rung at once"
    assert (call.state, desk.called()) == (CallState.OFFERED, ["kim"])


def test_it_is_kept_which_queues_he_served_when_his_duty_changed(desk: Desk) -> None:
    desk.order(DutyVerb.LOGOUT)
    (entry,) = desk.out.audit
    assert DESK in entry.queues


def test_who_is_paused_counts_as_staff_and_who_is_logged_out_does_not(desk: Desk) -> None:
    desk.order(DutyVerb.PAUSE)
    assert desk.exchange.floor.staff.serving(DESK) == 1
    desk.order(DutyVerb.LOGOUT)
    assert desk.exchange.floor.staff.serving(DESK) == 0


@pytest.mark.parametrize(
    ("before", "verb", "answer"),
    [
        ([], DutyVerb.LOGIN, DutyAnswer(True, False, "agent kim is logged in already")),
        ([], DutyVerb.READY, DutyAnswer(True, False, "agent kim is available already")),
        ([DutyVerb.PAUSE], DutyVerb.PAUSE, DutyAnswer(True, False, "agent kim is paused already")),
        ([DutyVerb.PAUSE], DutyVerb.LOGIN, DutyAnswer(True, False, "agent kim is logged in already")),
        ([DutyVerb.LOGOUT], DutyVerb.LOGOUT, DutyAnswer(True, False, "agent kim is logged out already")),
        (
            [DutyVerb.LOGOUT],
            DutyVerb.PAUSE,
            DutyAnswer(False, False, "agent kim is logged out: there is nothing to pause"),
        ),
        ([DutyVerb.LOGOUT], DutyVerb.READY, DutyAnswer(False, False, "agent kim is logged out; log in first")),
    ],
)
def test_what_changes_nothing_is_said_and_not_kept(
    desk: Desk, before: list[DutyVerb], verb: DutyVerb, answer: DutyAnswer
) -> None:
    for earlier in before:
        desk.order(earlier)
    assert desk.order(verb) == answer
    assert desk.out.audit == []


def test_an_agent_that_nobody_knows_takes_no_order(desk: Desk) -> None:
    assert desk.order(DutyVerb.LOGIN, name=AgentId("lee")) == DutyAnswer(False, False, 'there is no agent "lee"')


def test_an_order_leaves_the_call_and_the_wrap_up_after_it_alone(desk: Desk) -> None:
    call = desk.reached(CallState.CONNECTED)
    assert desk.order(DutyVerb.PAUSE).message == "agent kim is paused, when this call is over"
    assert (call.state, desk.does()) == (CallState.CONNECTED, AgentState.ON_CALL)
    desk.hang_up(call)
    assert desk.does() is AgentState.WRAP_UP
    desk.advance(10.0)
    assert desk.does() is AgentState.PAUSED


def test_ready_ends_the_wrap_up_and_the_next_caller_is_rung_at_once(desk: Desk) -> None:
    desk.hang_up(desk.reached(CallState.CONNECTED))
    call = desk.dial()
    assert (desk.does(), call.state) == (AgentState.WRAP_UP, CallState.QUEUED)
    assert desk.order(DutyVerb.READY) == DutyAnswer(True, True, "agent kim is available")
    assert call.state is CallState.OFFERED


def test_ready_ends_a_pause_together_with_the_wrap_up_before_it(desk: Desk) -> None:
    desk.hang_up(desk.reached(CallState.CONNECTED))
    desk.order(DutyVerb.PAUSE)
    assert desk.does() is AgentState.WRAP_UP
    desk.order(DutyVerb.READY)
    assert desk.does() is AgentState.AVAILABLE


def test_after_three_missed_calls_in_a_row_he_is_paused_and_the_audit_log_says_why(desk: Desk) -> None:
    call = desk.dial()
    for _ in range(2):
        desk.leg_ends(call, Cause.NO_ANSWER)
        assert desk.does() is AgentState.RESTING
        desk.advance(15.0)
    desk.leg_ends(call, Cause.CALL_REJECTED)
    kim = desk.agent("kim")
    assert (kim.state, kim.duty, kim.reason) == (AgentState.PAUSED, Duty.PAUSED, "3 calls in a row were not answered")
    desk.advance(60.0)
    assert len(desk.called()) == 3
    desk.order(DutyVerb.READY)
    assert (len(desk.called()), kim.misses) == (4, 0)


def test_a_phone_that_is_busy_or_unplugged_is_no_miss(desk: Desk) -> None:
    call = desk.dial()
    for cause in (Cause.SUBSCRIBER_ABSENT, Cause.USER_BUSY) * 3:
        desk.leg_ends(call, cause)
        desk.advance(15.0)
    assert (desk.agent("kim").misses, desk.agent("kim").duty) == (0, Duty.ON)


def test_where_the_rules_say_so_nobody_is_paused_for_misses() -> None:
    hall = Driver(replace(RULES, limits=Limits(misses_before_pause=0)))
    call = hall.dial()
    for _ in range(5):
        hall.leg_ends(call, Cause.NO_ANSWER)
        hall.advance(15.0)
    assert hall.agent("kim").duty is Duty.ON


def test_each_code_turns_over_what_it_stands_for_and_the_phone_hears_what_became_of_it(desk: Desk) -> None:
    assert desk.dial_code(PAUSE_CODE) == "paused"
    assert desk.does() is AgentState.PAUSED
    assert desk.dial_code(PAUSE_CODE) == "ready"
    assert desk.dial_code(LOGIN_CODE) == "loggedout"
    assert desk.does() is AgentState.LOGGED_OUT
    assert desk.dial_code(PAUSE_CODE) == "loggedin", "who is not there has nothing to pause, and means to work"
    desk.hang_up(desk.reached(CallState.CONNECTED))
    assert desk.dial_code(PAUSE_CODE) == "ready", "the wrap-up is over"
    assert desk.does() is AgentState.AVAILABLE


def test_a_phone_of_no_agent_is_told_so(desk: Desk) -> None:
    assert desk.dial_code(PAUSE_CODE, "PJSIP/lobby") == "unknown"
    text = "PJSIP/lobby dialled *12: it is the phone of no agent"
    assert [(n.kind, n.text) for n in desk.out.notices] == [(NoticeKind.AGENT_REFUSED, text)]


def test_a_daemon_that_starts_anew_knows_who_is_out_and_lights_the_lamps() -> None:
    entries = [
        AuditEntry(START, "park", AuditKind.AGENT, "kim", "on-duty", "paused", "command", START, None, "점심"),
        AuditEntry(START, "park", AuditKind.AGENT, "gone", "on-duty", "paused", "command", START),
    ]
    exchange = Exchange(RULES, START)
    exchange.restore_duties(entries)
    (kim,) = picture(exchange, START).agents
    assert (kim.state, kim.duty, kim.reason) == (AgentState.PAUSED, Duty.PAUSED, "점심")
    out = exchange.handle(ev.SiteUp(HALL, START, {}, frozenset()), START)
    assert cmd.SetLamp(HALL, CallId("agent-kim"), "Stasis:callrouter-agent-kim", cmd.Lamp.HELD) in out.commands


def test_who_came_back_before_the_restart_is_rung() -> None:
    exchange = Exchange(RULES, START)
    exchange.restore_duties([AuditEntry(START, "park", AuditKind.AGENT, "kim", "paused", "on-duty", "api", START)])
    assert picture(exchange, START).agents[0].state is AgentState.AVAILABLE


def test_new_rules_leave_a_pause_as_it_is(desk: Desk) -> None:
    desk.order(DutyVerb.PAUSE)
    desk.tell(ev.RulebookReplaced(RULES))
    assert desk.does() is AgentState.PAUSED


def test_an_order_for_an_agent_whose_site_is_away_holds_and_lights_no_lamp(desk: Desk) -> None:
    desk.lose_site()
    desk.order(DutyVerb.LOGOUT)
    assert (desk.does(), desk.lamps) == (AgentState.LOGGED_OUT, [])


def test_a_site_that_comes_up_lights_the_lamps_of_its_own_agents_alone() -> None:
    other = replace(RULES.agents[KIM], id=AgentId("lee"), site=SiteName("city"), endpoint="PJSIP/lee")
    exchange = Exchange(replace(RULES, agents={**RULES.agents, other.id: other}), START)
    out = exchange.handle(ev.SiteUp(HALL, START, {}, frozenset()), START)
    assert [one.device for one in out.commands if isinstance(one, cmd.SetLamp)] == ["Stasis:callrouter-agent-kim"]


def test_what_was_said_of_an_agent_holds_when_he_is_put_back_into_the_rules(desk: Desk) -> None:
    desk.order(DutyVerb.PAUSE, "점심")
    desk.tell(ev.RulebookReplaced(replace(RULES, agents={})))
    assert KIM not in desk.exchange.floor.staff.agents
    desk.tell(ev.RulebookReplaced(RULES))
    assert (desk.does(), desk.agent("kim").reason) == (AgentState.PAUSED, "점심")
    desk.order(DutyVerb.READY)
    assert desk.does() is AgentState.AVAILABLE


def test_a_daemon_that_starts_anew_knows_it_of_those_whom_the_rules_have_later() -> None:
    exchange = Exchange(replace(RULES, agents={}), START)
    entry = AuditEntry(START, "park", AuditKind.AGENT, "kim", "on-duty", "logged-out", "command", START)
    exchange.restore_duties([entry])
    exchange.handle(ev.RulebookReplaced(RULES), START)
    assert picture(exchange, START).agents[0].state is AgentState.LOGGED_OUT


def test_a_phone_belongs_to_whom_the_rules_of_now_say_though_another_still_talks_on_it(desk: Desk) -> None:
    desk.reached(CallState.CONNECTED)
    lee = replace(RULES.agents[KIM], id=AgentId("lee"))
    desk.tell(ev.RulebookReplaced(replace(RULES, agents={lee.id: lee})))
    assert desk.dial_code(PAUSE_CODE) == "paused"
    assert (desk.agent("lee").duty, desk.agent("kim").duty) == (Duty.PAUSED, Duty.ON)
    desk.tell(ev.RulebookReplaced(replace(RULES, agents={})))
    assert desk.dial_code(PAUSE_CODE) == "unknown", "and not that he is paused, which nobody would be"


TWO = replace(rulebook(agent("kim", DESK, NIGHT)), agent_codes=RULES.agent_codes)


class TwoQueues(Desk):
    def __init__(self) -> None:
        Driver.__init__(self, TWO)
        self.out = Output()

    def serve(self, *queues: QueueName) -> DutyAnswer:
        order = DutyOrder(KIM, DutyVerb.SERVE, "park", DutyVia.COMMAND, "교육", queues)
        self.out = self.exchange.handle(ev.DutyOrdered(order), self.now)
        self.carry_out(self.out)
        self.settle()
        ((_, answer),) = self.out.answers
        assert isinstance(answer, DutyAnswer)
        return answer


def test_who_takes_calls_of_one_queue_alone_is_no_staff_of_the_other_until_he_takes_all_again() -> None:
    hall = TwoQueues()
    assert hall.serve(NIGHT) == DutyAnswer(True, True, "agent kim serves night")
    (entry,) = hall.out.audit
    assert (entry.kind, entry.name, entry.was, entry.becomes, entry.note) == ("queues", "kim", "", "night", "교육")
    assert [hall.exchange.floor.staff.serving(queue) for queue in (DESK, NIGHT)] == [0, 1]
    call = hall.dial()
    assert (call.state, hall.called()) == (CallState.QUEUED, [])
    assert hall.serve(NIGHT) == DutyAnswer(True, False, "agent kim serves night already")
    assert hall.serve() == DutyAnswer(True, True, "agent kim serves desk, night")
    assert hall.called() == ["kim"]
    assert hall.serve(NIGHT, DESK) == DutyAnswer(True, False, "agent kim serves desk, night already")


def test_a_queue_that_the_rules_do_not_give_him_is_refused() -> None:
    hall = TwoQueues()
    message = 'agent kim does not serve "bell" by the rules; there are: desk, night'
    assert hall.serve(DESK, BELL) == DutyAnswer(False, False, message)
    assert hall.out.audit == []


def test_his_queues_are_known_after_a_restart_and_new_rules_and_all_are_his_if_none_is_left() -> None:
    hall = TwoQueues()
    hall.serve(NIGHT)
    entries = hall.out.audit
    gone = AuditEntry(START, "park", AuditKind.QUEUES, "gone", "", "desk", "command")
    back = AuditEntry(START, "park", AuditKind.QUEUES, "back", "desk", "", "command")
    exchange = Exchange(TWO, START)
    exchange.restore_desks([], [], [*entries, gone, back], START)
    assert picture(exchange, START).agents[0].queues == (NIGHT,)
    exchange.handle(ev.RulebookReplaced(TWO), START)
    assert picture(exchange, START).agents[0].queues == (NIGHT,)
    exchange.handle(ev.RulebookReplaced(RULES), START)
    assert picture(exchange, START).agents[0].queues == (DESK,)
    assert set(exchange.floor.staff.chosen) == {KIM, "gone"}
