"""Counselors log in at any phone by number and PIN, move, and leave; wrong PINs lock."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.causes import Cause
from callrouter.core.duty import Duty, DutyAnswer, DutyOrder, DutyVerb, DutyVia
from callrouter.core.exchange import Exchange
from callrouter.core.ids import AgentId, CallId, ChannelId
from callrouter.core.output import Output
from callrouter.core.picture import picture
from callrouter.core.pins import Pin
from callrouter.core.states import CallState
from tests.core.driver import HALL, START, Driver, agent, rulebook

PIN, CODE, LOGIN_CODE, PAUSE_CODE = "2580", "*13", "*11", "*12"
HASHED = Pin.of(PIN, bytes(16))
KIM = AgentId("11")
"""Has a PIN and no phone; ``lee`` has a phone and no PIN; ``12`` has both."""
RULES = replace(
    rulebook(replace(agent("11"), endpoint="", pin=HASHED), agent("lee"), replace(agent("12"), pin=HASHED)),
    desk_code=CODE,
    agent_codes={DutyVerb.LOGIN: LOGIN_CODE, DutyVerb.PAUSE: PAUSE_CODE},
)


class Office(Driver):
    def __init__(self) -> None:
        super().__init__(RULES)
        self.entries: list[AuditEntry] = []
        self.channels = 0

    def take(self, event: ev.Event) -> Output:
        out = self.exchange.handle(event, self.now)
        self.entries += out.audit
        self.carry_out(out)
        self.settle()
        return out

    def order(self, verb: DutyVerb, name: str) -> DutyAnswer:
        ((_, answer),) = self.take(ev.DutyOrdered(DutyOrder(AgentId(name), verb, "park", DutyVia.COMMAND))).answers
        assert isinstance(answer, DutyAnswer)
        return answer

    def code(self, code: str, phone: str) -> Output:
        self.channels += 1
        return self.take(ev.CodeDialed(HALL, ChannelId(f"9.{self.channels}"), f"PJSIP/{phone}", code))

    def keys(self, keys: str) -> Output:
        """Press keys at the phone that dialled last; what came of the last of them."""
        out = Output()
        for key in keys:
            out = self.take(ev.DigitPressed(ChannelId(f"9.{self.channels}"), key))
        return out

    def log_in(self, phone: str, number: str = "11", pin: str = PIN) -> str:
        """The word that the phone hears."""
        self.code(CODE, phone)
        return word(self.keys(f"{number}#{pin}#"))

    def phone(self, name: str) -> str:
        return self.agent(name).spec.endpoint


def word(out: Output) -> str:
    (sent,) = [command for command in out.commands if isinstance(command, cmd.ContinueInDialplan)]
    assert sent.context == "callrouter-attended"
    return sent.extension


@pytest.fixture
def office() -> Office:
    return Office()


def test_who_has_no_phone_is_rung_at_the_one_where_he_logs_in(office: Office) -> None:
    office.order(DutyVerb.LOGOUT, "lee")
    office.order(DutyVerb.LOGOUT, "12")
    assert office.agent("11").state is AgentState.UNREACHABLE
    call = office.dial()
    assert call.state is CallState.QUEUED

    assert office.log_in("window") == "loggedin"

    assert office.called() == ["window"]
    assert office.given(cmd.WatchPhones)[-1].phones == ("PJSIP/12", "PJSIP/city", "PJSIP/lee", "PJSIP/window")


def test_number_and_pin_are_asked_for_one_after_the_other_and_a_key_ends_the_question(office: Office) -> None:
    asked = office.code(CODE, "window").commands
    lane, channel = CallId("9.1"), ChannelId("9.1")
    first = cmd.Play(HALL, lane, channel, asked[2].playback, ("sound:callrouter/agent-number",))  # type: ignore[union-attr]
    assert asked[:3] == [
        cmd.SetDeadMan(HALL, lane, channel, 90.0, playing=False),
        cmd.Answer(HALL, lane, channel),
        first,
    ]
    assert cmd.StopPlayback(HALL, lane, first.playback) in office.keys("7").commands
    assert not [one for one in office.keys("8").commands if isinstance(one, cmd.StopPlayback)]
    second = [one for one in office.keys("*11#").commands if isinstance(one, cmd.Play)]
    assert [one.media for one in second] == [("sound:callrouter/agent-pin",)]
    assert second[0].playback != first.playback
    assert word(office.keys(f"{PIN}#")) == "loggedin", "* begins the number anew"


def test_logging_in_elsewhere_moves_him_and_logging_out_frees_the_phone(office: Office) -> None:
    office.log_in("window")
    office.log_in("counter")
    assert office.phone("11") == "PJSIP/counter"
    assert word(office.code(LOGIN_CODE, "window")) == "unknown", "nobody works there any more"
    assert word(office.code(LOGIN_CODE, "counter")) == "loggedout"
    assert (office.phone("11"), office.agent("11").duty) == ("", Duty.OFF)
    assert word(office.code(LOGIN_CODE, "counter")) == "unknown"
    refused = office.order(DutyVerb.LOGIN, "11")
    assert refused == DutyAnswer(
        False, False, "agent 11 has no phone of his own; he logs in at the one where he sits, with his PIN"
    )


def test_whose_phone_it_is_is_logged_out_when_another_sits_down_there(office: Office) -> None:
    assert office.log_in("lee") == "loggedin"
    lee = office.agent("lee")
    assert (lee.duty, lee.reason) == (Duty.OFF, "11 works at PJSIP/lee")
    assert office.order(DutyVerb.LOGIN, "lee").message == ("agent 11 works at the phone of lee; log that one out first")
    assert word(office.code(PAUSE_CODE, "lee")) == "paused"
    assert office.agent("11").duty is Duty.PAUSED, "the code is for who sits there"
    assert word(office.code(LOGIN_CODE, "lee")) == "loggedout"
    assert word(office.code(LOGIN_CODE, "lee")) == "loggedin"
    assert office.agent("lee").duty is Duty.ON


def test_at_his_own_phone_he_is_no_guest_and_a_pause_is_over(office: Office) -> None:
    office.log_in("window", "12")
    office.order(DutyVerb.PAUSE, "12")
    assert office.log_in("12", "12") == "loggedin"
    assert (office.phone("12"), office.agent("12").state) == ("PJSIP/12", AgentState.AVAILABLE)
    assert office.exchange.floor.staff.desks == {}


def test_a_call_goes_on_where_it_is_and_nobody_sits_down_where_another_talks(office: Office) -> None:
    office.order(DutyVerb.LOGOUT, "12")
    office.order(DutyVerb.LOGOUT, "lee")
    office.log_in("window")
    call = office.reached(CallState.CONNECTED)
    assert office.log_in("window", "12") == "taken"
    assert office.log_in("counter") == "loggedin"
    assert (call.state, office.agent("11").state) == (CallState.CONNECTED, AgentState.ON_CALL)
    office.hang_up(call)
    office.advance(10.0)
    office.dial()
    assert office.called() == ["window", "counter"]


@pytest.mark.parametrize(("number", "pin"), [("11", "2581"), ("99", PIN), ("lee", PIN), ("11", "")])
def test_who_dials_something_wrong_is_refused(office: Office, number: str, pin: str) -> None:
    office.code(CODE, "window")
    out = office.take(ev.DigitPressed(ChannelId("9.1"), "#")) if not number else office.keys(f"{number}#{pin}#")
    assert word(out) == "refused"
    told = [notice.text for notice in out.notices]
    assert told == [f"PJSIP/window: somebody wanted to log in as {number!r}: refused"]


def test_three_wrong_pins_lock_number_and_phone_over_a_restart_until_the_time_is_over(office: Office) -> None:
    assert [office.log_in("window", pin="0000") for _ in range(3)] == ["refused"] * 3
    assert office.log_in("window") == "locked"
    assert office.log_in("counter") == "locked", "the number is"
    assert office.log_in("window", "12") == "locked", "the phone is"
    locks = [entry for entry in office.entries if entry.kind is AuditKind.PIN]
    assert [(one.name, one.becomes, one.until) for one in locks] == [
        ("hall:PJSIP/window", "locked", START + timedelta(seconds=300)),
        ("11", "locked", START + timedelta(seconds=300)),
    ]
    assert "0000" not in repr(office.entries) + repr(office.notices)

    office.exchange = Exchange(RULES, office.now)
    office.exchange.restore_desks([], locks, [], office.now)
    office.sync()
    assert office.log_in("counter") == "locked"
    office.advance(300.0)
    assert office.log_in("counter") == "loggedin"


def test_a_right_pin_forgives_the_wrong_ones_before_it(office: Office) -> None:
    for _ in range(2):
        assert [office.log_in("window", pin=pin) for pin in ("0000", "0000", PIN)] == ["refused", "refused", "loggedin"]


def test_who_presses_nothing_is_sent_away(office: Office) -> None:
    office.code(CODE, "window")
    office.advance(19.0)
    office.keys("1")
    assert not office.given(cmd.ContinueInDialplan)
    office.advance(20.0)
    assert [one.extension for one in office.given(cmd.ContinueInDialplan)] == ["refused"]
    office.tell(ev.TimerFired((ev.TimerKind.DESK, ChannelId("9.1"))))
    office.tell(ev.DigitPressed(ChannelId("9.1"), "1"))
    assert len(office.given(cmd.ContinueInDialplan)) == 1


def test_who_says_nothing_from_the_first_hears_no_two_sounds(office: Office) -> None:
    office.code(CODE, "window")
    office.advance(20.0)
    assert [type(one) for one in office.commands if isinstance(one, cmd.StopPlayback | cmd.ContinueInDialplan)] == [
        cmd.StopPlayback,
        cmd.ContinueInDialplan,
    ]


def test_a_daemon_that_starts_anew_knows_who_works_where(office: Office) -> None:
    office.log_in("window")
    office.log_in("counter", "12")
    office.code(LOGIN_CODE, "counter")
    newest = {entry.name: entry for entry in office.entries if entry.kind is AuditKind.DESK}
    gone = replace_name(newest["11"], "gone")
    exchange = Exchange(RULES, START)
    exchange.restore_desks([*newest.values(), gone], [], [], START)
    phones = {one.agent: one.phone for one in picture(exchange, START).agents}
    assert phones == {"11": "PJSIP/window", "12": "PJSIP/12", "lee": "PJSIP/lee"}
    assert AgentId("gone") in exchange.floor.staff.desks, "he may be put back into the rules"


def replace_name(entry: AuditEntry, name: str) -> AuditEntry:
    return AuditEntry(entry.at, entry.who, entry.kind, name, entry.was, entry.becomes, entry.via, entry.since)


def test_new_rules_leave_everybody_where_he_sits(office: Office) -> None:
    office.log_in("window")
    office.tell(ev.RulebookReplaced(RULES))
    assert office.phone("11") == "PJSIP/window"
    office.tell(ev.RulebookReplaced(replace(RULES, agents={})))
    office.tell(ev.RulebookReplaced(RULES))
    assert office.phone("11") == "PJSIP/window"


def test_who_leaves_the_rules_while_he_talks_may_be_logged_out_by_nobody(office: Office) -> None:
    office.order(DutyVerb.LOGOUT, "12")
    office.order(DutyVerb.LOGOUT, "lee")
    office.log_in("window")
    office.reached(CallState.CONNECTED)
    office.tell(ev.RulebookReplaced(replace(RULES, agents={})))
    office.exchange.floor.staff.seat(office.agent("11"), None, office.now)
    assert office.agent("11").state is AgentState.ON_CALL
    assert office.log_in("window") == "refused"


def test_where_the_rules_have_no_code_for_it_nothing_is_asked(office: Office) -> None:
    office.tell(ev.RulebookReplaced(replace(RULES, desk_code="")))
    assert office.code(CODE, "lee").notices[0].text == "lee dialled *13: no switch has it"


def test_who_was_paused_for_missing_calls_hears_so_once_also_after_a_restart(office: Office) -> None:
    office.order(DutyVerb.LOGOUT, "11")
    office.order(DutyVerb.LOGOUT, "12")
    call = office.dial()
    for _ in range(3):
        office.entries += office_leg_ends(office, call.id)
        office.advance(15.0)
    assert office.agent("lee").duty is Duty.PAUSED
    missed = [entry for entry in office.entries if entry.via == DutyVia.MISSES]
    office.exchange.restore_standing((), missed, missed, office.now)
    office.exchange.restore_duties(missed)
    assert word(office.code(PAUSE_CODE, "lee")) == "missed-ready"
    assert word(office.code(PAUSE_CODE, "lee")) == "paused"


def office_leg_ends(office: Office, call: CallId) -> list[AuditEntry]:
    """Nobody answers; what is kept of it."""
    office.ring(office.exchange.calls[call])
    leg = office.leg(office.exchange.calls[call])
    office.asterisk.hang_up(leg, Cause.NO_ANSWER)
    out = office.exchange.handle(office.inbox.pop(0), office.now)
    office.carry_out(out)
    office.settle()
    return out.audit
