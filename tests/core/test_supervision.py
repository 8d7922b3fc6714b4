"""Supervisors: who may hear what, what is done for it, and what is left when it ends."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.call_orders import CallVerb
from callrouter.core.cdr import CdrHearing
from callrouter.core.events import TimerKind
from callrouter.core.ids import AgentId, BridgeId, CallId, ChannelId, SiteName, SupervisorName, TenantName
from callrouter.core.output import NoticeKind, Output
from callrouter.core.rulebook import Rulebook
from callrouter.core.states import CallState
from callrouter.core.supervisors import HearingAnswer, HearingMode, HearingOrder, HearingVia, SupervisorSpec
from callrouter.errors import ImpossibleEventError
from tests.core.driver import DESK, HALL, NIGHT, Channel, Driver, agent, rulebook

LEE = SupervisorSpec(SupervisorName("lee"), "이팀장", HALL, "PJSIP/lee", queues=(DESK,))
OTHERS = (
    SupervisorSpec(SupervisorName("park"), "박팀장", HALL, "PJSIP/park", queues=(NIGHT,)),
    SupervisorSpec(SupervisorName("choi"), "최팀장", HALL, "PJSIP/choi", tenants=(TenantName("gimhae"),)),
    SupervisorSpec(SupervisorName("jung"), "정팀장", SiteName("city"), "PJSIP/jung", queues=(DESK,)),
    SupervisorSpec(SupervisorName("kim"), "김", HALL, "PJSIP/kim", queues=(DESK,)),
)
LISTEN, WHISPER, BARGE = HearingMode.LISTEN, HearingMode.WHISPER, HearingMode.BARGE


def rules() -> Rulebook:
    return replace(
        rulebook(agent("kim"), agent("lim")),
        supervisors={spec.name: spec for spec in (LEE, *OTHERS)},
        supervision_code="*31",
    )


@pytest.fixture
def driver() -> Driver:
    return Driver(rules())


def talking(driver: Driver) -> Call:
    """A resident and the counselor kim, who talk."""
    call = driver.dial("120")
    driver.pick_up(call)
    assert call.state is CallState.CONNECTED
    return call


def order(
    driver: Driver, call: CallId, mode: HearingMode | None = LISTEN, supervisor: str = "lee"
) -> tuple[HearingAnswer, Output]:
    wanted = HearingOrder(call, supervisor, mode, "chief", HearingVia.COMMAND)
    out = driver.handle(ev.HearingOrdered(wanted, 7))
    ((ticket, answer),) = out.answers
    assert ticket == 7
    assert isinstance(answer, HearingAnswer)
    driver.settle()
    return answer, out


def phone_of(call: Call, number: int = 1) -> ChannelId:
    return naming.supervisor_channel(call.id, number)


def heard(driver: Driver, call: Call, mode: HearingMode = LISTEN, supervisor: str = "lee") -> ChannelId:
    """The supervisor is called, answers, and hears."""
    order(driver, call.id, mode, supervisor)
    channel = phone_of(call, call.heard)
    driver.asterisk.pick_up(channel)
    driver.settle()
    assert call.hearings[call.heard].mode is mode
    return channel


def dialed(driver: Driver, code: str, endpoint: str = "PJSIP/lee") -> tuple[ChannelId, Output]:
    """A phone dials a code."""
    channel = ChannelId("desk-phone")
    driver.asterisk.channels[channel] = Channel(channel, "Ring", dialed_code="*31kim")
    out = driver.handle(ev.CodeDialed(HALL, channel, endpoint, code))
    driver.settle()
    return channel, out


class TestAnOrder:
    def test_rings_the_phone_and_hears_in_a_bridge_of_its_own(self, driver: Driver) -> None:
        call = talking(driver)
        answer, _ = order(driver, call.id)
        assert answer == HearingAnswer(True, True, f"the phone of lee rings, to listen to call {call.id}")
        (originate,) = driver.given(cmd.Originate)[1:]
        assert (originate.channel, originate.endpoint) == (phone_of(call), "PJSIP/lee")
        assert (originate.caller_name, originate.caller_number) == ("Kim", "kim")
        driver.asterisk.pick_up(phone_of(call))
        driver.settle()
        (snoop,) = driver.given(cmd.Snoop)
        assert (snoop.channel, snoop.mode) == (driver.leg(call), LISTEN)
        assert driver.asterisk.bridges == {
            naming.bridge(call.id, 1): {call.channel, driver.leg(call)},
            naming.hearing(call.id, 1, 1): {phone_of(call), naming.ear(call.id, 1, 1)},
        }
        assert call.state is CallState.CONNECTED
        assert (TimerKind.HEARING, phone_of(call)) not in driver.timers

    def test_names_the_call_by_its_counselor_too(self, driver: Driver) -> None:
        call = talking(driver)
        assert call.offer is not None
        assert call.offer.agent is not None
        answer, _ = order(driver, CallId(call.offer.agent))
        assert answer == HearingAnswer(True, True, f"the phone of lee rings, to listen to call {call.id}")

    def test_names_the_supervisor_by_endpoint_too(self, driver: Driver) -> None:
        call = talking(driver)
        assert order(driver, call.id, supervisor="PJSIP/lee")[0].ok

    @pytest.mark.parametrize(
        ("supervisor", "why"),
        [
            ("nobody", 'there is no supervisor "nobody"; there are: choi, jung, kim, lee, park'),
            ("park", "park may not hear call {0} (queue desk, tenant changwon): see queues: and tenants:"),
            ("choi", "choi may not hear call {0} (queue desk, tenant changwon): see queues: and tenants:"),
            ("jung", "the phone of jung is at the site city, and call {0} at hall"),
            ("kim", "kim talks in call {0} himself"),
        ],
    )
    def test_of_one_who_may_not_is_refused(self, driver: Driver, supervisor: str, why: str) -> None:
        call = talking(driver)
        answer, out = order(driver, call.id, supervisor=supervisor)
        assert not answer.ok
        assert answer.message.startswith(why.format(call.id))
        assert not out.commands + out.facts + out.audit

    def test_for_a_call_that_is_none_or_no_conversation_is_refused(self, driver: Driver) -> None:
        call = driver.dial("122")
        assert order(driver, call.id)[0].message.endswith("is announcing: there is no conversation to hear")
        assert order(driver, CallId("x"))[0].message.startswith('there is no call, and no agent on a call, named "x"')

    def test_for_a_talk_with_no_counselor_of_ours_is_refused(self, driver: Driver) -> None:
        driver.asterisk.phones["PJSIP/duty"] = "answers"
        call = driver.dial("129")
        driver.tell(ev.LegDigit(driver.leg(call), "1"))
        assert call.state is CallState.CONNECTED
        assert "is talked to by duty-desk" in order(driver, call.id)[0].message

    def test_changes_the_mode_by_another_ear(self, driver: Driver) -> None:
        call = talking(driver)
        channel = heard(driver, call)
        answer, _ = order(driver, call.id, BARGE)
        assert answer.message == f"lee changes to barge at call {call.id}"
        assert [command.mode for command in driver.given(cmd.Snoop)] == [LISTEN, BARGE]
        assert driver.asterisk.bridges[naming.hearing(call.id, 1, 2)] == {channel, naming.ear(call.id, 1, 2)}
        assert naming.hearing(call.id, 1, 1) not in driver.asterisk.bridges
        assert naming.ear(call.id, 1, 1) not in driver.asterisk.channels
        assert order(driver, call.id, BARGE)[0] == HearingAnswer(
            True, False, f"lee has barge at call {call.id} already"
        )

    def test_ends_it_and_the_conversation_goes_on(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        assert order(driver, call.id, None)[0] == HearingAnswer(True, True, f"lee hears call {call.id} no longer")
        assert set(driver.asterisk.channels) == {call.channel, driver.leg(call)}
        assert order(driver, call.id, None)[0] == HearingAnswer(True, False, f"lee does not hear call {call.id}")

    def test_for_a_second_conversation_is_refused_and_two_supervisors_may_hear_one(self, driver: Driver) -> None:
        first, second = talking(driver), talking(driver)
        heard(driver, first)
        answer, _ = order(driver, second.id)
        assert answer.message == f"lee hears call {first.id} already; end that first"
        heard(driver, second, supervisor="kim")
        assert not order(driver, first.id, supervisor="kim")[0].ok


class TestTheRecord:
    def test_says_who_heard_what_from_when_to_when(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        began = driver.now
        driver.advance(5)
        order(driver, call.id, WHISPER)
        driver.advance(5)
        driver.hang_up(call)
        (hearing,) = driver.cdr(call).hearings
        assert hearing == CdrHearing(LEE.name, AgentId("kim"), began, driver.now, (LISTEN, WHISPER))

    def test_has_nobody_who_was_called_and_never_heard(self, driver: Driver) -> None:
        call = talking(driver)
        order(driver, call.id)
        driver.hang_up(call)
        assert driver.cdr(call).hearings == ()
        assert list(driver.asterisk.channels) == []

    def test_of_the_audit_log_has_each_change(self, driver: Driver) -> None:
        call = talking(driver)
        order(driver, call.id)
        driver.asterisk.pick_up(phone_of(call))
        entries = []
        while driver.inbox:
            entries += driver.handle(driver.inbox.pop(0)).audit
        began = driver.now
        driver.advance(3)
        entries += order(driver, call.id, None)[1].audit
        assert [(e.who, e.kind, e.name, e.was, e.becomes, e.via, e.since, e.note) for e in entries] == [
            ("chief", "supervision", call.id, "none", "listen", "command", began, "lee at kim"),
            ("chief", "supervision", call.id, "listen", "none", "command", began, "lee at kim: it was ordered"),
        ]


class TestTheConversation:
    def test_ends_and_the_supervisor_is_hung_up(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        driver.hang_up(call)
        assert driver.asterisk.channels == {}
        assert driver.asterisk.bridges == {}

    def test_is_ended_by_the_counselor_and_the_supervisor_is_hung_up(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        driver.leg_ends(call)
        assert driver.asterisk.channels == {}
        assert driver.asterisk.bridges == {}

    @pytest.mark.parametrize("target", ["night", "lim"])
    def test_is_passed_on_and_the_supervisor_hears_no_more(self, driver: Driver, target: str) -> None:
        call = talking(driver)
        heard(driver, call)
        assert driver.order_call(call.id, CallVerb.TRANSFER, target).ok
        if target == "lim":
            driver.asterisk.pick_up(driver.invited(call))
            driver.settle()
        assert not call.hearings
        assert not [channel for channel in driver.asterisk.channels if naming.parse_ear(channel)]
        driver.hang_up(call)
        assert len(driver.cdr(call).hearings) == 1

    def test_goes_on_when_the_supervisor_hangs_up(self, driver: Driver) -> None:
        call = talking(driver)
        driver.asterisk.hang_up(heard(driver, call))
        driver.settle()
        assert call.state is CallState.CONNECTED
        assert not call.hearings
        assert set(driver.asterisk.channels) == {call.channel, driver.leg(call)}

    @pytest.mark.parametrize("phone", ["unknown", "busy"])
    def test_goes_on_when_the_phone_is_off_or_busy(self, driver: Driver, phone: str) -> None:
        driver.asterisk.phones["PJSIP/lee"] = phone
        call = talking(driver)
        order(driver, call.id)
        if phone == "unknown":
            driver.tell(ev.SupervisorLeft(phone_of(call)))
        assert not call.hearings

    def test_goes_on_when_nobody_answers_the_phone(self, driver: Driver) -> None:
        call = talking(driver)
        order(driver, call.id)
        driver.advance(60)
        assert not call.hearings
        assert phone_of(call) not in driver.asterisk.channels

    def test_goes_on_when_asterisk_makes_no_ear(self, driver: Driver) -> None:
        driver.asterisk.can_snoop = False
        call = talking(driver)
        order(driver, call.id)
        driver.asterisk.pick_up(phone_of(call))
        driver.settle()
        assert not call.hearings
        assert phone_of(call) not in driver.asterisk.channels

    def test_goes_on_when_asterisk_never_says_that_the_ear_is_there(self, driver: Driver) -> None:
        call = talking(driver)
        order(driver, call.id)
        driver.asterisk.pick_up(phone_of(call))
        driver.handle(driver.inbox.pop(0))
        driver.inbox.clear()
        driver.advance(10)
        assert not call.hearings

    def test_has_nothing_to_do_with_what_concerns_no_supervisor(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        for event in (
            ev.HearingJoined(CallId("x"), BridgeId("x")),
            ev.HearingJoined(call.id, BridgeId("x")),
            ev.HearingFailed(CallId("x"), "x", "x"),
            ev.HearingFailed(call.id, "x", "x"),
            ev.SupervisorLeft(ChannelId("x")),
            ev.SupervisorEntered(phone_of(call)),
            ev.SupervisorEntered(naming.ear(call.id, 1, 1)),
            ev.TimerFired((TimerKind.HEARING, ChannelId("x"))),
        ):
            assert not driver.handle(event).commands
        assert driver.exchange.concerns(ev.HearingJoined(call.id, BridgeId("x"))) == call.id

    def test_loses_an_ear_that_came_too_late(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        for channel in (naming.ear(call.id, 1, 9), phone_of(call, 9), ChannelId("x")):
            driver.asterisk.channels[channel] = Channel(channel, "Up")
            driver.tell(ev.SupervisorEntered(channel))
            assert channel not in driver.asterisk.channels

    def test_cannot_be_heard_when_nobody_talks_in_it(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        call.offer = None
        with pytest.raises(ImpossibleEventError, match="nobody talks in it"):
            driver.exchange.conduct.supervision.change(call, call.hearings[1], BARGE, Output())


class TestAFact:
    def test_of_a_supervisor_who_is_not_there_is_refused(self, driver: Driver) -> None:
        call = talking(driver)
        with pytest.raises(ValueError, match="no such supervisor"):
            call.apply(facts.HearingEnded(driver.now, 1, "x"))


class TestAPhoneThatDialsTheCode:
    def test_hears_and_changes_by_its_keys(self, driver: Driver) -> None:
        call = talking(driver)
        channel, _ = dialed(driver, "*31kim")
        (hearing,) = call.hearings.values()
        assert (hearing.mode, hearing.via) == (LISTEN, HearingVia.PHONE)
        assert driver.asterisk.channels[channel].answered
        for key, mode in (("5", WHISPER), ("6", BARGE), ("6", BARGE), ("9", BARGE), ("4", LISTEN)):
            driver.tell(ev.DigitPressed(channel, key))
            assert hearing.mode is mode
        driver.asterisk.hang_up(channel)
        driver.settle()
        assert not call.hearings

    def test_does_not_take_the_keys_of_others_for_its_own(self, driver: Driver) -> None:
        call = talking(driver)
        dialed(driver, "*31kim")
        driver.press(call, "6")
        assert call.hearings[1].mode is LISTEN

    def test_takes_the_place_of_the_phone_that_was_called(self, driver: Driver) -> None:
        call = talking(driver)
        first = heard(driver, call)
        channel, _ = dialed(driver, "*31kim")
        assert first not in driver.asterisk.channels
        assert [one.channel for one in call.hearings.values()] == [channel]

    @pytest.mark.parametrize(
        ("endpoint", "word"), [("PJSIP/other", "refused"), ("PJSIP/park", "refused"), ("PJSIP/lee", "nobody")]
    )
    def test_is_told_why_it_is_not_let_in(self, driver: Driver, endpoint: str, word: str) -> None:
        call = talking(driver)
        _, out = dialed(driver, "*31kim" if word == "refused" else "*31lim", endpoint)
        (told,) = [one for one in out.commands if isinstance(one, cmd.ContinueInDialplan)]
        assert (told.context, told.extension) == ("callrouter-supervised", word)
        assert not call.hearings
        is_refused = [notice.kind for notice in out.notices] == [NoticeKind.SUPERVISION_REFUSED]
        assert is_refused is (word == "refused")

    def test_that_is_nobodys_is_refused_when_the_counselor_is_free_too(self, driver: Driver) -> None:
        _, out = dialed(driver, "*31kim", "PJSIP/other")
        assert [notice.kind for notice in out.notices] == [NoticeKind.SUPERVISION_REFUSED]

    @pytest.mark.parametrize("code", ["*31", "*21kim"])
    def test_of_something_else_is_left_to_others(self, driver: Driver, code: str) -> None:
        _, out = dialed(driver, code)
        (told,) = [one for one in out.commands if isinstance(one, cmd.ContinueInDialplan)]
        assert told.context == "callrouter-switched"


class TestAfterARestart:
    def test_it_is_known_who_hears_and_he_can_change(self, driver: Driver) -> None:
        call = talking(driver)
        channel = heard(driver, call)
        driver.restart()
        driver.advance(60)
        driver.sync()
        again = driver.exchange.calls[call.id]
        assert again.hearings[1].mode is LISTEN
        driver.tell(ev.DigitPressed(channel, "6"))
        assert again.hearings[1].mode is BARGE
        driver.hang_up(again)
        assert driver.asterisk.channels == {}
        (hearing,) = driver.cdr(call).hearings
        assert hearing.modes == (LISTEN, BARGE)

    def test_a_phone_that_was_answered_meanwhile_hears(self, driver: Driver) -> None:
        call = talking(driver)
        order(driver, call.id)
        driver.restart()
        driver.asterisk.channels[phone_of(call)].state = "Up"
        driver.sync()
        assert driver.exchange.calls[call.id].hearings[1].mode is LISTEN

    def test_a_phone_that_rings_still_goes_on_ringing(self, driver: Driver) -> None:
        call = talking(driver)
        order(driver, call.id)
        driver.restart()
        driver.sync()
        assert driver.exchange.calls[call.id].hearings[1].mode is None
        assert phone_of(call) in driver.asterisk.channels

    def test_a_change_that_was_begun_is_taken_back(self, driver: Driver) -> None:
        call = talking(driver)
        channel = heard(driver, call)
        driver.handle(ev.DigitPressed(channel, "6"))
        driver.restart()
        driver.sync()
        again = driver.exchange.calls[call.id].hearings[1]
        assert (again.mode, again.turn) == (LISTEN, 3)
        ears = [channel for channel in driver.asterisk.channels if naming.parse_ear(channel)]
        assert ears == [naming.ear(call.id, 1, 3)]

    def test_a_supervisor_who_left_meanwhile_is_gone(self, driver: Driver) -> None:
        call = talking(driver)
        channel = heard(driver, call)
        driver.restart()
        driver.asterisk.hang_up(channel)
        driver.inbox.clear()
        driver.advance(60)
        driver.sync()
        assert not driver.exchange.calls[call.id].hearings
        assert set(driver.asterisk.channels) == {call.channel, driver.leg(call)}

    def test_a_supervisor_who_hears_nothing_any_more_is_hung_up(self, driver: Driver) -> None:
        call = talking(driver)
        channel = heard(driver, call)
        driver.asterisk.hang_up(naming.ear(call.id, 1, 1))
        driver.advance(60)
        driver.sync()
        assert not call.hearings
        assert channel not in driver.asterisk.channels

    def test_what_belongs_to_no_call_is_ended_and_no_leg_is_taken_for_it(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        driver.lose_site()
        driver.asterisk.connected = True
        orphans = (
            naming.supervisor_channel(CallId("0190a000-0000-7000-8000-000000000001"), 1),
            naming.ear(CallId("0190a000-0000-7000-8000-000000000001"), 1, 1),
            ChannelId("dialed"),
        )
        for channel in orphans:
            driver.asterisk.channels[channel] = Channel(
                channel, "Up", dialed_code="*31kim" if channel == "dialed" else ""
            )
        bridge = naming.hearing(CallId("0190a000-0000-7000-8000-000000000001"), 1, 1)
        driver.asterisk.bridges[bridge] = set(orphans)
        driver.sync()
        assert not set(orphans) & set(driver.asterisk.channels)
        assert bridge not in driver.asterisk.bridges
        assert call.hearings[1].mode is LISTEN

    @pytest.mark.parametrize(("state", "code"), [("Ring", "*31kim"), ("Up", "*13"), ("Up", "*31")])
    def test_a_phone_that_has_just_dialled_a_code_or_another_code_is_left_alone(
        self, driver: Driver, state: str, code: str
    ) -> None:
        channel = ChannelId("dialed")
        driver.asterisk.channels[channel] = Channel(channel, state, dialed_code=code)
        driver.sync()
        assert channel in driver.asterisk.channels

    def test_the_supervisor_of_a_call_at_another_site_is_left_alone(self, driver: Driver) -> None:
        call = talking(driver)
        heard(driver, call)
        driver.tell(ev.SiteUp(SiteName("city"), driver.now, {}, frozenset()))
        assert call.hearings[1].mode is LISTEN
