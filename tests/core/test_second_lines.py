"""A counselor's phone with two lines: he consults on the second, and passes the call on by REFER with Replaces."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.call_orders import CallVerb
from callrouter.core.causes import Cause
from callrouter.core.cdr import Cdr, OfferResult, Outcome, ReleasedBy
from callrouter.core.events import TimerKind
from callrouter.core.ids import ChannelId, SiteName, TrunkName
from callrouter.core.outbound import NumberClass
from callrouter.core.output import NoticeKind
from callrouter.core.second_lines import OWN_CONTEXT
from callrouter.core.states import CallState
from callrouter.core.transfers import Outside
from tests.core.driver import CITY, DESK, DUTY_MOBILE, HALL, NIGHT, Driver, agent, own_leg, rulebook

LINE = ChannelId("line-1")
MOBILE = "01012345678"


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook(agent("kim"), agent("lee"), agent("park", NIGHT), agent("choi", NIGHT)))


@pytest.fixture
def call(hall: Driver) -> Call:
    """A caller whom kim's phone has put on hold."""
    call = hall.dial("120")
    hall.pick_up(call)
    hall.advance(10)
    hall.tell(ev.LegHeld(hall.leg(call), held=True))
    return call


def consulting(hall: Driver, call: Call) -> None:
    """kim has dialled lee on the second line, and they talk about the caller."""
    hall.dial_on("kim", "lee")
    colleague_answers(hall, call)
    hall.advance(20)


def colleague_answers(hall: Driver, call: Call) -> None:
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()


def ends(hall: Driver, channel: ChannelId, cause: int = Cause.NORMAL_CLEARING) -> None:
    hall.asterisk.hang_up(channel, cause)
    hall.settle()


def transfers(hall: Driver, call: Call) -> None:
    """The phone wants the caller in place of its second call."""
    hall.tell(ev.TransferAsked(hall.leg(call), "lee", replaced=LINE))


def told(hall: Driver) -> list[tuple[ChannelId, bool]]:
    return [(command.channel, command.done) for command in hall.given(cmd.TellTransfer)]


def hung_up(hall: Driver, channel: ChannelId) -> list[Cause]:
    return [command.cause for command in hall.given(cmd.Hangup) if command.channel == channel]


def sent_on(hall: Driver) -> list[tuple[ChannelId, str, str]]:
    return [(one.channel, one.context, one.extension) for one in hall.given(cmd.ContinueInDialplan)]


def refusals(hall: Driver) -> list[str]:
    return [notice.text for notice in hall.notices if notice.kind is NoticeKind.CALL_REFUSED]


def legs(cdr: Cdr) -> list[tuple[str | None, OfferResult]]:
    return [(leg.agent or leg.destination, leg.result) for leg in cdr.legs]


def apart(hall: Driver) -> set[ChannelId]:
    """Who is with the counselor on the second line."""
    return next((set(inside) for inside in hall.asterisk.bridges.values() if LINE in inside), set())


# Consulting.


def test_what_a_phone_dials_rings_while_caller_and_counselor_stay_together(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    assert hall.called() == ["kim", "lee"]
    assert [command.channel for command in hall.given(cmd.Ring)] == [LINE]
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    assert not hall.asterisk.channels[LINE].answered
    assert hall.agent("kim").state is AgentState.ON_CALL


def test_counselor_and_colleague_talk_apart_from_the_caller(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    assert hall.asterisk.channels[LINE].answered
    assert apart(hall) == {LINE, own_leg(call, 2)}
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    assert hall.agent("lee").state is AgentState.ON_CALL
    hall.tell(ev.Bridged(call.id, naming.bridge(call.id, 2)))
    assert call.state is CallState.CONNECTED


def test_the_line_outlives_a_dead_daemon_only_as_long_as_it_may_ring(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    switch = [command for command in hall.given(cmd.SetDeadMan) if command.channel == LINE]
    colleague_answers(hall, call)
    lifted = [command for command in hall.given(cmd.SetDeadMan) if command.channel == LINE]
    assert switch[0].after_s > hall.rules.queues[DESK].ring_timeout_s
    assert lifted[-1].after_s == 0


@pytest.mark.parametrize("by_second", [False, True], ids=["asked on the first line", "asked on the second"])
def test_the_caller_is_with_the_colleague_and_the_counselor_on_no_line(
    hall: Driver, call: Call, *, by_second: bool
) -> None:
    consulting(hall, call)
    first = hall.leg(call)
    if by_second:
        hall.tell(ev.TransferAsked(LINE, "0552251234", replaced=first))
    else:
        transfers(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    assert told(hall) == [(LINE if by_second else first, True)]
    assert set(hall.asterisk.channels) == {call.channel, own_leg(call, 2)}
    assert hall.agent("kim").state is AgentState.WRAP_UP
    hall.advance(30)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert legs(cdr) == [("kim", OfferResult.ANSWERED), ("lee", OfferResult.ANSWERED)]
    assert (cdr.talk_s, cdr.hold_s, cdr.agent) == (60.0, 20.0, "kim")
    assert not hall.asterisk.bridges


def test_a_counselor_may_take_the_caller_back_in_between(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    hall.tell(ev.LegHeld(hall.leg(call), held=False))
    hall.advance(5)
    transfers(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    hall.hang_up(call)
    assert hall.cdr(call).hold_s == 20.0


def test_a_caller_whom_an_order_put_on_hold_too_comes_back_to_the_colleague(hall: Driver, call: Call) -> None:
    hall.order_call(call.id, CallVerb.HOLD)
    consulting(hall, call)
    transfers(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    assert not hall.channel(call).music


def test_an_order_completes_and_cancels_it_as_well(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    assert hall.order_call("kim", CallVerb.CANCEL).ok
    assert hung_up(hall, LINE) == [Cause.NORMAL_CLEARING]
    hall.advance(60)
    hall.dial_on("kim", "lee", "line-2")
    colleague_answers(hall, call)
    assert hall.order_call("kim", CallVerb.COMPLETE).ok
    assert hall.together(call) == {call.channel, own_leg(call, 3)}


# Giving up.


@pytest.mark.parametrize("answered", [False, True], ids=["rings", "talks"])
def test_a_counselor_who_hangs_the_second_line_up_has_the_caller_again(
    hall: Driver, call: Call, *, answered: bool
) -> None:
    hall.dial_on("kim", "lee")
    if answered:
        colleague_answers(hall, call)
    colleague = hall.invited(call)
    ends(hall, LINE)
    assert colleague not in hall.asterisk.channels
    assert call.invited is None
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    assert hung_up(hall, LINE) == []
    assert list(hall.asterisk.bridges) == [naming.bridge(call.id, 1)]


@pytest.mark.parametrize(
    ("cause", "heard"),
    [
        (Cause.USER_BUSY, Cause.USER_BUSY),
        (Cause.CALL_REJECTED, Cause.USER_BUSY),
        (Cause.SUBSCRIBER_ABSENT, Cause.SUBSCRIBER_ABSENT),
        (Cause.INTERWORKING, Cause.NORMAL_TEMPORARY_FAILURE),
    ],
)
def test_the_second_line_tells_why_the_colleague_did_not_come(
    hall: Driver, call: Call, cause: Cause, heard: Cause
) -> None:
    hall.dial_on("kim", "lee")
    ends(hall, hall.invited(call), cause)
    assert hung_up(hall, LINE) == [heard]
    assert told(hall) == []
    assert hall.together(call) == {call.channel, own_leg(call, 1)}


def test_a_colleague_who_lets_it_ring_is_told_of_as_well(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    hall.advance(120)
    assert hung_up(hall, LINE) == [Cause.NO_ANSWER]
    assert call.state is CallState.CONNECTED


def test_a_colleague_who_hangs_up_leaves_the_counselor_with_the_caller(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    ends(hall, hall.invited(call))
    assert hung_up(hall, LINE) == [Cause.NORMAL_CLEARING]
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    hall.hang_up(call)
    assert legs(hall.cdr(call)) == [("lee", OfferResult.ANSWERED), ("kim", OfferResult.ANSWERED)]


@pytest.mark.parametrize("answered", [False, True], ids=["rings", "talks"])
def test_a_caller_who_hangs_up_meanwhile_leaves_no_line(hall: Driver, call: Call, *, answered: bool) -> None:
    hall.dial_on("kim", "lee")
    if answered:
        colleague_answers(hall, call)
    hall.hang_up(call)
    assert not hall.asterisk.channels
    assert not hall.asterisk.bridges
    assert hall.cdr(call).released_by is ReleasedBy.CALLER


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the caller first", "the colleague first"])
def test_a_counselor_who_hangs_up_both_ends_the_call(hall: Driver, call: Call, order: tuple[int, int]) -> None:
    consulting(hall, call)
    lines = (hall.leg(call), LINE)
    for one in order:
        ends(hall, lines[one])
    assert not hall.asterisk.channels
    assert not hall.asterisk.bridges
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.AGENT)


def test_two_who_cannot_be_brought_together_cost_the_caller_nothing(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    colleague = hall.invited(call)
    hall.asterisk.channels[colleague].state = "Up"
    hall.handle(ev.LegAnswered(colleague))
    hall.inbox.clear()
    hall.tell(ev.BridgeFailed(call.id, naming.bridge(call.id, 2)))
    assert call.invited is None
    assert set(hall.asterisk.channels) == {call.channel, own_leg(call, 1)}


# The colleague still rings.


def test_a_call_that_is_left_to_ring_is_passed_on_when_the_colleague_answers(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    first = hall.leg(call)
    transfers(hall, call)
    assert told(hall) == []
    assert hall.together(call) == {call.channel, first}
    hall.advance(5)
    colleague_answers(hall, call)
    assert told(hall) == [(first, True)]
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    assert set(hall.asterisk.channels) == {call.channel, own_leg(call, 2)}
    hall.advance(30)
    hall.hang_up(call)
    assert (hall.cdr(call).talk_s, hall.cdr(call).hold_s) == (45.0, 5.0)
    assert not hall.asterisk.bridges


def test_a_call_that_is_left_to_ring_in_vain_stays_with_the_counselor(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    transfers(hall, call)
    ends(hall, hall.invited(call), Cause.USER_BUSY)
    assert told(hall) == [(own_leg(call, 1), False)]
    assert hung_up(hall, LINE) == [Cause.USER_BUSY]
    assert hall.together(call) == {call.channel, own_leg(call, 1)}


def test_a_phone_that_does_not_hold_has_the_caller_held_while_it_rings(hall: Driver, call: Call) -> None:
    hall.tell(ev.LegHeld(hall.leg(call), held=False))
    hall.dial_on("kim", "lee")
    hall.tell(ev.TransferAsked(LINE, "0552251234", replaced=hall.leg(call)))
    assert (hall.together(call), hall.channel(call).music) == (set(), True)
    ends(hall, hall.invited(call), Cause.USER_BUSY)
    assert told(hall) == [(LINE, False)]
    assert hall.together(call) == {call.channel, own_leg(call, 1)}


def test_a_phone_that_ends_both_lines_while_it_rings_has_passed_the_call_on(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    transfers(hall, call)
    ends(hall, LINE)
    ends(hall, hall.leg(call))
    assert call.state is CallState.OFFERED
    assert hall.channel(call).music
    hall.pick_up(call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    hall.hang_up(call)
    assert legs(hall.cdr(call)) == [("kim", OfferResult.ANSWERED), ("lee", OfferResult.ANSWERED)]


@pytest.mark.parametrize("cancels_first", [False, True], ids=["asks, then cancels", "cancels, then asks"])
def test_a_phone_that_gives_the_second_line_up_to_transfer_to_whom_it_rang_is_served(
    hall: Driver, call: Call, *, cancels_first: bool
) -> None:
    """What many phones do where the colleague has not answered: CANCEL, and REFER without Replaces."""
    hall.dial_on("kim", "lee")
    first, asked = hall.leg(call), ev.TransferAsked(hall.leg(call), "lee")
    if cancels_first:
        hall.asterisk.hang_up(LINE)
        hall.handle(hall.inbox.pop(0))
        hall.handle(asked)
        hall.handle(asked)
    else:
        hall.handle(asked)
        hall.asterisk.hang_up(LINE)
    hall.settle()
    assert told(hall) == []
    colleague_answers(hall, call)
    assert told(hall) == [(first, True)]
    assert hall.together(call) == {call.channel, own_leg(call, 3 if cancels_first else 2)}


def test_a_phone_that_hangs_up_meanwhile_does_not_lose_the_caller(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    hall.asterisk.hang_up(LINE)
    hall.handle(hall.inbox.pop(0))
    hall.handle(ev.TransferAsked(hall.leg(call), "lee"))
    hall.handle(ev.LegEnded(hall.leg(call), Cause.NORMAL_CLEARING))
    assert call.state is CallState.QUEUED


def test_a_leg_that_never_ends_holds_a_transfer_up_until_it_is_written_off(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    leaving = hall.invited(call)
    hall.asterisk.hang_up(LINE)
    hall.handle(hall.inbox.pop(0))
    hall.inbox.clear()
    hall.handle(ev.TransferAsked(hall.leg(call), "lee"))
    for _ in range(2):
        assert hall.called() == ["kim", "lee"]
        hall.handle(ev.TimerFired((TimerKind.LEG, leaving)))
        hall.inbox.clear()
    assert hall.called() == ["kim", "lee", "lee"]


def test_a_transfer_that_is_asked_for_twice_is_one(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    first = hall.leg(call)
    transfers(hall, call)
    transfers(hall, call)
    colleague_answers(hall, call)
    hall.tell(ev.TransferAsked(first, "lee", replaced=LINE))
    hall.tell(ev.TransferAsked(LINE, "lee", replaced=first))
    assert told(hall) == [(first, True)]


def test_the_phone_that_leaves_tells_of_its_transfer_once_more(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    first = hall.leg(call)
    hall.handle(ev.TransferAsked(first, "lee", replaced=LINE))
    hall.handle(ev.TransferAsked(first, "lee", replaced=LINE))
    assert told(hall) == [(first, True)]


# Whom a phone may dial.


def test_a_phone_whose_counselor_has_no_caller_calls_for_itself(hall: Driver) -> None:
    hall.dial_on("kim", "lee")
    assert sent_on(hall) == [(LINE, OWN_CONTEXT, "lee")]
    assert hall.exchange.counters.unknown_channel == 0


def test_so_does_the_phone_that_rings_or_was_called_in_and_one_of_nobody(hall: Driver) -> None:
    call = hall.dial("120")
    hall.dial_on("kim", "lee", "a")
    hall.pick_up(call)
    hall.dial_on("kim", "lee", "b")
    colleague_answers(hall, call)
    hall.dial_on("lee", "park", "c")
    hall.dial_on("meeting-room", "park", "d")
    assert [channel for channel, *_ in sent_on(hall)] == ["a", "c", "d"]


def test_a_number_that_is_nobodys_of_ours_goes_its_own_way(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "7001")
    assert sent_on(hall) == [(LINE, OWN_CONTEXT, "7001")]
    assert call.invited is None


def test_help_is_never_refused(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "119")
    assert sent_on(hall) == [(LINE, OWN_CONTEXT, "119")]


def test_a_phone_of_another_site_is_none_of_ours(hall: Driver, call: Call) -> None:
    hall.tell(ev.LineDialed(SiteName("annex"), LINE, "PJSIP/kim", "lee"))
    assert sent_on(hall) == [(LINE, OWN_CONTEXT, "lee")]


@pytest.mark.parametrize(
    ("number", "cause", "why"),
    [
        (MOBILE, Cause.CALL_REJECTED, "numbers outside are not called"),
        ("kim", Cause.USER_BUSY, "agent kim cannot be called: on-call"),
        ("desk", Cause.USER_BUSY, "no counselor of the queue desk is free"),
    ],
)
def test_whom_the_rules_do_not_let_call_is_refused(
    hall: Driver, call: Call, number: str, cause: Cause, why: str
) -> None:
    other = hall.dial("120", "0552259999")
    hall.pick_up(other)  # lee's
    hall.dial_on("kim", number)
    assert hung_up(hall, LINE) == [cause]
    assert refusals(hall)[-1].startswith("PJSIP/kim: ")
    assert why in refusals(hall)[-1]
    assert hall.together(call) == {call.channel, own_leg(call, 1)}


def test_only_one_is_consulted_at_a_time(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    hall.dial_on("kim", "park", "line-2")
    assert hung_up(hall, ChannelId("line-2")) == [Cause.USER_BUSY]
    assert apart(hall) == {LINE, own_leg(call, 2)}


def test_of_a_queue_the_counselor_who_has_been_idle_longest_is_consulted(hall: Driver, call: Call) -> None:
    hall.agent("park").idle_since += timedelta(seconds=5)
    hall.dial_on("kim", "70")
    assert hall.called() == ["kim", "choi"]


def test_a_number_outside_is_consulted_if_the_rules_allow_its_kind() -> None:
    rules = rulebook(agent("kim"), trunk_channels=1)
    outside = Outside(CITY, "city", frozenset({NumberClass.MOBILE}))
    hall = Driver(replace(rules, transfers=replace(rules.transfers, outside=outside)))
    call = hall.dial("120")
    hall.pick_up(call)
    hall.dial_on("kim", MOBILE)
    colleague_answers(hall, call)
    transfers(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    assert MOBILE not in " ".join(notice.text for notice in hall.notices), "a person's number is shown to nobody"
    hall.hang_up(call)
    assert hall.cdr(call).legs[1].trunk == TrunkName("city")
    assert hall.exchange.floor.trunks.in_use(CITY) == 0


def test_a_trunk_without_room_is_told_of() -> None:
    hall = Driver(rulebook(agent("kim"), trunk_channels=0))
    call = hall.dial("120")
    hall.pick_up(call)
    hall.dial_on("kim", DUTY_MOBILE.name)
    assert hung_up(hall, LINE) == [Cause.NORMAL_CIRCUIT_CONGESTION]


# Whom a transfer may replace.


@pytest.mark.parametrize("replaced", [ChannelId(""), ChannelId("somebody-elses")])
def test_a_phone_may_replace_no_call_but_its_own_second(hall: Driver, call: Call, replaced: ChannelId) -> None:
    consulting(hall, call)
    hall.tell(ev.TransferAsked(hall.leg(call), "lee", replaced=replaced))
    assert told(hall) == [(own_leg(call, 1), False)]
    assert apart(hall) == {LINE, own_leg(call, 2)}
    assert "by its second line" in refusals(hall)[-1]


@pytest.mark.parametrize("replaced", [None, LINE], ids=["elsewhere", "to a line of the counselor's"])
def test_the_caller_may_not_have_the_call_sent_elsewhere(hall: Driver, call: Call, replaced: ChannelId | None) -> None:
    consulting(hall, call)
    hall.tell(ev.TransferAsked(call.channel, "0060012345", replaced))
    assert told(hall) == [(call.channel, False)]
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    assert "the caller cannot pass the call on" in refusals(hall)[-1]


def test_the_colleagues_own_phone_may_not_take_the_callers_line(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    hall.tell(ev.TransferAsked(hall.invited(call), "kim", replaced=hall.leg(call)))
    assert told(hall) == [(own_leg(call, 2), False)]
    assert hall.together(call) == {call.channel, own_leg(call, 1)}


def test_a_second_line_may_not_be_sent_elsewhere(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    hall.tell(ev.TransferAsked(LINE, "7001"))
    assert told(hall) == [(LINE, False)]


def test_a_phone_that_hangs_up_because_it_was_refused_does_not_lose_the_caller(hall: Driver, call: Call) -> None:
    hall.tell(ev.TransferAsked(hall.leg(call), "lee", replaced=ChannelId("")))
    hall.advance(1)
    hall.leg_ends(call)
    assert call.state is CallState.OFFERED
    assert hall.called() == ["kim", "lee"]


def test_without_a_second_line_there_is_nothing_to_replace(hall: Driver, call: Call) -> None:
    transfers(hall, call)
    assert told(hall) == [(own_leg(call, 1), False)]
    hall.tell(ev.TransferAsked(ChannelId("stranger"), "lee", replaced=LINE))
    assert hall.exchange.counters.unknown_channel == 1


# After a restart.


def restarted(hall: Driver, call: Call) -> Call:
    hall.restart()
    hall.sync()
    return hall.exchange.calls[call.id]


def test_what_a_phone_does_before_its_call_is_known_again_waits_or_is_refused(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    first = hall.leg(call)
    hall.restart()
    hall.handle(ev.TransferAsked(LINE, "lee", replaced=first))
    assert told(hall) == [(LINE, False)]
    hall.handle(ev.CallerLeft(LINE))
    hall.sync()
    assert apart(hall) == {LINE, own_leg(call, 2)}
    hall.asterisk.connected = False
    hall.asterisk.hang_up(LINE)
    hall.advance(1)
    hall.sync()
    assert set(hall.asterisk.channels) == {call.channel, own_leg(call, 1)}


def test_a_consultation_goes_on_after_a_restart_and_ends_in_a_transfer(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    call = restarted(hall, call)
    assert apart(hall) == {LINE, own_leg(call, 2)}
    assert hall.together(call) == {call.channel, own_leg(call, 1)}
    transfers(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    hall.hang_up(call)
    assert not hall.asterisk.bridges
    assert not hall.asterisk.channels


def test_a_colleague_who_answered_meanwhile_is_connected(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    hall.asterisk.channels[hall.invited(call)].state = "Up"
    call = restarted(hall, call)
    assert apart(hall) == {LINE, own_leg(call, 2)}


def test_two_whom_the_dead_daemon_meant_to_connect_are(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    hall.asterisk.connected = False
    hall.handle(ev.LegAnswered(hall.invited(call)))
    call = restarted(hall, call)
    assert apart(hall) == {LINE, own_leg(call, 2)}


@pytest.mark.parametrize("answered", [False, True], ids=["rings", "talks"])
def test_a_line_that_was_hung_up_meanwhile_ends_the_consultation(hall: Driver, call: Call, *, answered: bool) -> None:
    hall.dial_on("kim", "lee")
    if answered:
        colleague_answers(hall, call)
    hall.asterisk.hang_up(LINE)
    hall.advance(1)
    call = restarted(hall, call)
    assert call.invited is None
    assert set(hall.asterisk.channels) == {call.channel, own_leg(call, 1)}


def test_a_caller_who_left_meanwhile_leaves_no_line(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    hall.asterisk.hang_up(call.channel)
    hall.advance(1)
    hall.restart()
    hall.sync()
    hall.sync()
    assert not hall.asterisk.channels
    assert not hall.asterisk.bridges


def test_a_colleague_who_left_meanwhile_ends_the_line(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    hall.asterisk.hang_up(hall.invited(call))
    call = restarted(hall, call)
    assert set(hall.asterisk.channels) == {call.channel, own_leg(call, 1)}


def test_a_counselor_who_left_meanwhile_leaves_the_caller_to_the_colleague(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    for gone in (hall.leg(call), LINE):
        hall.asterisk.hang_up(gone)
    call = restarted(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    hall.hang_up(call)
    assert not hall.asterisk.bridges


def test_a_counselor_who_left_while_it_rang_leaves_the_caller_to_who_is_rung(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    for gone in (hall.leg(call), LINE):
        hall.asterisk.hang_up(gone)
    call = restarted(hall, call)
    assert call.state is CallState.OFFERED
    hall.pick_up(call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}


def test_a_caller_who_was_to_be_passed_on_is(hall: Driver, call: Call) -> None:
    consulting(hall, call)
    hall.asterisk.connected = False
    hall.handle(ev.TransferAsked(hall.leg(call), "lee", replaced=LINE))
    call = restarted(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    assert set(hall.asterisk.channels) == {call.channel, own_leg(call, 2)}


def test_a_call_that_was_left_to_ring_is_passed_on_by_the_next_daemon(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    transfers(hall, call)
    call = restarted(hall, call)
    colleague_answers(hall, call)
    assert hall.together(call) == {call.channel, own_leg(call, 2)}
    assert set(hall.asterisk.channels) == {call.channel, own_leg(call, 2)}


def test_a_line_that_was_dialled_while_nobody_listened_is_heard_of(hall: Driver, call: Call) -> None:
    hall.lose_site()
    hall.dial_on("kim", "lee")
    assert hall.called() == ["kim"]
    hall.sync()
    hall.sync()
    assert hall.called() == ["kim", "lee"]


def test_a_line_that_an_old_snapshot_has_is_not_taken_up_again(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    before = hall.snapshot()
    ends(hall, LINE)
    hall.tell(before)
    assert hall.called() == ["kim", "lee"]
    hall.advance(300)
    hall.sync()
    assert not hall.exchange.conduct.lines.left(LINE, hall.now, hall.exchange.handle(hall.snapshot(), hall.now))


def test_a_line_that_a_snapshot_is_too_old_for_goes_on(hall: Driver, call: Call) -> None:
    before = hall.snapshot()
    hall.dial_on("kim", "lee")
    hall.tell(before)
    hall.tell(ev.LineDialed(HALL, LINE, "PJSIP/kim", "park"))
    assert call.invited is not None
    assert hall.called() == ["kim", "lee"]


def test_a_site_speaks_of_its_own_lines_alone(hall: Driver, call: Call) -> None:
    hall.dial_on("kim", "lee")
    hall.advance(1)
    hall.tell(ev.SiteUp(SiteName("annex"), hall.now, {}, frozenset()))
    assert call.invited is not None


def test_a_line_that_a_dead_daemon_left_talking_to_nobody_is_hung_up(hall: Driver) -> None:
    dialed = ev.LineDialed(HALL, LINE, "PJSIP/kim", "lee")
    seen = {LINE: ev.ChannelSeen(LINE, "Up", None, line=dialed)}
    for _ in range(2):
        hall.tell(ev.SiteUp(HALL, hall.now, seen, frozenset()))
    assert hung_up(hall, LINE) == [Cause.NORMAL_CLEARING]
    assert hall.notices[-1].kind is NoticeKind.ORPHAN_LEG
