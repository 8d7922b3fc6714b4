"""Calling destinations outside the queues: one after another, over trunks that may be full, until a key is pressed."""

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import Cdr, Disposition, OfferResult, Outcome, ReleasedBy
from callrouter.core.ids import ChannelId, DestinationName
from callrouter.core.output import NoticeKind, Output
from callrouter.core.plan import Announce, Dial, EnterQueue, HangUp, Plan
from callrouter.core.states import CallState
from callrouter.errors import ImpossibleEventError
from tests.core.driver import (
    CITY,
    DESK,
    DUTY_DESK,
    DUTY_MOBILE,
    PLANS,
    SORRY,
    TAKE_IT,
    WELCOME,
    Driver,
    agent,
    own_leg,
    rulebook,
)


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook())


def attempts(cdr: Cdr) -> list[tuple[str | None, OfferResult]]:
    return [(leg.destination, leg.result) for leg in cdr.legs]


def played_to(hall: Driver, channel: ChannelId) -> list[tuple[str, ...]]:
    return [tuple(command.media) for command in hall.given(cmd.Play) if command.channel == channel]


def press_there(hall: Driver, call: Call, digit: str) -> None:
    """Who was called presses a key."""
    hall.tell(ev.LegDigit(hall.leg(call), digit))


def test_the_destinations_are_called_in_order_until_one_takes_the_call(hall: Driver) -> None:
    call = hall.dial("129")
    hall.ring(call)
    hall.advance(DUTY_DESK.ring_timeout_s)
    hall.pick_up(call)
    press_there(hall, call, TAKE_IT.key)
    assert call.state is CallState.CONNECTED
    assert hall.called() == ["duty", "010@city"]
    hall.advance(30)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.disposition, cdr.released_by) == (Outcome.HANDLED, Disposition.ANSWERED, ReleasedBy.CALLER)
    assert (cdr.agent, cdr.queue, cdr.destination, cdr.trunk) == (None, None, "duty-mobile", CITY)
    assert attempts(cdr) == [("duty-desk", OfferResult.NO_ANSWER), ("duty-mobile", OfferResult.ANSWERED)]
    assert (cdr.wait_s, cdr.ring_s, cdr.talk_s) == (15.0, 0.0, 30.0)
    assert hall.exchange.floor.trunks.seizures == 0


def test_a_destination_on_a_trunk_is_shown_the_trunks_number_and_another_the_callers(hall: Driver) -> None:
    hall.dial("129", caller="0552251234")
    hall.advance(DUTY_DESK.ring_timeout_s)
    assert [command.caller_number for command in hall.given(cmd.Originate)] == ["0552251234", "0552110000"]


def test_who_answers_is_asked_for_the_key_and_the_caller_hears_nothing_of_it(hall: Driver) -> None:
    call = hall.dial("129")
    hall.pick_up(call)
    assert call.state is CallState.CONFIRMING
    assert played_to(hall, own_leg(call, 1)) == [("sound:callrouter/take-it", "sound:silence/2")]
    assert played_to(hall, call.channel) == []
    assert hall.given(cmd.Connect) == []


def test_another_key_takes_nothing(hall: Driver) -> None:
    call = hall.dial("129")
    hall.pick_up(call)
    press_there(hall, call, "2")
    assert call.state is CallState.CONFIRMING


def test_the_key_ends_the_question(hall: Driver) -> None:
    call = hall.dial("129")
    hall.pick_up(call)
    question = call.playback
    press_there(hall, call, TAKE_IT.key)
    assert [command.playback for command in hall.given(cmd.StopPlayback)] == [question]


def test_the_question_is_heard_three_times_at_most(hall: Driver) -> None:
    call = hall.dial("129")
    hall.pick_up(call)
    for _ in range(5):
        assert call.playback is not None
        hall.asterisk.playing.setdefault(call.playback, own_leg(call, 1))
        hall.announcement_ends(call)
    assert len(played_to(hall, own_leg(call, 1))) == 3
    assert call.state is CallState.CONFIRMING


def test_who_does_not_press_the_key_in_time_is_hung_up_on_and_the_next_is_called(hall: Driver) -> None:
    call = hall.dial("129")
    hall.pick_up(call)
    hall.advance(TAKE_IT.timeout_s)
    assert hall.called() == ["duty", "010@city"]
    assert own_leg(call, 1) not in hall.asterisk.channels
    hall.hang_up(call)
    assert attempts(hall.cdr(call)) == [
        ("duty-desk", OfferResult.NOT_CONFIRMED),
        ("duty-mobile", OfferResult.CALLER_GONE),
    ]
    assert hall.cdr(call).outcome is Outcome.ABANDONED


def test_who_hangs_up_instead_of_pressing_the_key_did_not_take_the_call(hall: Driver) -> None:
    call = hall.dial("129")
    hall.pick_up(call)
    hall.leg_ends(call)
    hall.hang_up(call)
    assert attempts(hall.cdr(call))[0] == ("duty-desk", OfferResult.NOT_CONFIRMED)


@pytest.mark.parametrize(
    ("phone", "result"),
    [("busy", OfferResult.BUSY), ("rejects", OfferResult.REJECTED), ("unknown", OfferResult.UNREACHABLE)],
)
def test_a_destination_that_cannot_take_the_call_is_followed_by_the_next(
    hall: Driver, phone: str, result: OfferResult
) -> None:
    hall.asterisk.phones[DUTY_DESK.endpoint] = phone
    call = hall.dial("129")
    assert hall.called() == ["duty", "010@city"]
    hall.hang_up(call)
    assert attempts(hall.cdr(call))[0] == ("duty-desk", result)


def test_when_nobody_takes_the_call_the_plan_goes_on_and_the_record_says_overflowed(hall: Driver) -> None:
    hall.asterisk.phones |= {DUTY_DESK.endpoint: "busy", DUTY_MOBILE.endpoint: "rejects"}
    call = hall.dial("129")
    assert call.state is CallState.ANNOUNCING
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by) == (Outcome.OVERFLOWED, ReleasedBy.SYSTEM)
    assert [leg.result for leg in cdr.legs] == [OfferResult.BUSY, OfferResult.REJECTED]


def test_the_list_is_gone_through_as_often_as_the_plan_says(hall: Driver) -> None:
    hall.asterisk.phones |= {DUTY_DESK.endpoint: "busy", DUTY_MOBILE.endpoint: "busy"}
    call = hall.dial("130")
    hall.announcement_ends(call)
    assert hall.called() == ["duty", "010@city"] * 2
    assert hall.cdr(call).outcome is Outcome.OVERFLOWED


def test_a_full_trunk_group_is_passed_over_without_dialling_and_the_record_says_so() -> None:
    hall = Driver(rulebook(trunk_channels=0))
    hall.asterisk.phones[DUTY_DESK.endpoint] = "busy"
    call = hall.dial("129")
    assert hall.called() == ["duty"]
    hall.announcement_ends(call)
    last = hall.cdr(call).legs[-1]
    assert (last.destination, last.trunk, last.result) == ("duty-mobile", CITY, OfferResult.CONGESTION)
    assert last.cause == Cause.NORMAL_CIRCUIT_CONGESTION
    assert (last.offered_at, last.rang_at, last.answered_at) == (last.ended_at, None, None)


def test_a_congested_trunk_group_rests(hall: Driver) -> None:
    hall.asterisk.phones[DUTY_MOBILE.endpoint] = "congested"
    first = hall.dial("131")
    assert first.queue == DESK
    second = hall.dial("131")
    assert second.queue == DESK
    assert hall.called() == ["010@city"]


def test_a_caller_who_was_greeted_hears_a_ringing_tone_that_ends_with_the_answer(hall: Driver) -> None:
    call = hall.dial("130")
    hall.announcement_ends(call)
    assert [command.channel for command in hall.given(cmd.Ring)] == [call.channel]
    hall.ring(call)
    hall.pick_up(call)
    assert call.state is CallState.CONNECTED
    assert [command.channel for command in hall.given(cmd.StopRinging)] == [call.channel]
    assert len(hall.given(cmd.Ring)) == 1


def test_a_caller_who_was_not_answered_hears_ringing_when_the_phone_rings(hall: Driver) -> None:
    call = hall.dial("129")
    assert hall.given(cmd.Ring) == []
    hall.ring(call)
    assert len(hall.given(cmd.Ring)) == 1
    assert not call.answered


def test_a_caller_may_hear_music_instead_which_ends_before_the_next_step(hall: Driver) -> None:
    call = hall.dial("131")
    (music,) = hall.given(cmd.StartMusic)
    assert (music.music_class, call.answered) == ("soft", True)
    hall.leg_ends(call, Cause.USER_BUSY)
    assert call.queue == DESK
    assert hall.given(cmd.StopMusic)[0].channel == call.channel
    assert [command.music_class for command in hall.given(cmd.StartMusic)] == ["soft", "default"]


def test_a_caller_who_hangs_up_while_the_key_is_waited_for_frees_the_destination(hall: Driver) -> None:
    call = hall.dial("129")
    hall.pick_up(call)
    hall.hang_up(call)
    assert hall.asterisk.channels == {}
    assert hall.cdr(call).outcome is Outcome.ABANDONED
    assert not hall.timers


def test_a_destination_that_hangs_up_ends_the_call(hall: Driver) -> None:
    call = hall.dial("131")
    hall.pick_up(call)
    hall.leg_ends(call)
    assert (hall.cdr(call).released_by, hall.cdr(call).outcome) == (ReleasedBy.AGENT, Outcome.HANDLED)


def test_a_destination_that_cannot_be_bridged_is_followed_by_the_next(hall: Driver) -> None:
    call = hall.dial("130")
    hall.announcement_ends(call)
    hall.handle(ev.LegAnswered(hall.leg(call)))
    hall.inbox.clear()
    assert call.offer is not None
    assert call.offer.bridge is not None
    hall.tell(ev.BridgeFailed(call.id, call.offer.bridge))
    assert hall.called() == ["duty", "010@city"]


def test_a_destination_after_a_queue_is_called_when_the_wait_is_over() -> None:
    plan = Plan("queue-then-duty", (EnterQueue(DESK, 20.0), Dial((DUTY_DESK,)), HangUp()))
    hall = Driver(rulebook(plans={**PLANS, "140": plan}))
    call = hall.dial("140")
    hall.advance(20)
    assert hall.called() == ["duty"]
    hall.pick_up(call)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.queue, cdr.destination) == (Outcome.HANDLED, DESK, "duty-desk")


def test_a_leg_that_never_ends_is_written_off_and_gives_its_trunk_channel_back(hall: Driver) -> None:
    call = hall.dial("131")
    channel = hall.leg(call)
    hall.asterisk.connected = False
    hall.advance(DUTY_MOBILE.ring_timeout_s + 60)
    written_off = [notice for notice in hall.notices if notice.kind is NoticeKind.WRITTEN_OFF]
    assert f"leg {channel} to a destination never ended" in [notice.text for notice in written_off]
    assert hall.exchange.floor.trunks.seizures == 0


# After a restart.


def again(hall: Driver, call: Call) -> Call:
    return hall.exchange.calls[call.id]


def test_the_next_daemon_lets_the_destination_ring_on_for_the_rest_of_its_time(hall: Driver) -> None:
    call = hall.dial("131")
    hall.ring(call)
    hall.advance(10)
    hall.restart()
    hall.sync()
    assert again(hall, call).state is CallState.OFFERED
    assert hall.exchange.floor.trunks.in_use(CITY) == 1
    hall.advance(DUTY_MOBILE.ring_timeout_s - 10)
    assert again(hall, call).queue == DESK
    assert hall.given(cmd.StopMusic)[-1].channel == call.channel
    assert hall.exchange.floor.trunks.in_use(CITY) == 0


def test_the_next_daemon_ends_the_ringing_tone_that_the_last_one_began(hall: Driver) -> None:
    call = hall.dial("130")
    hall.announcement_ends(call)
    hall.restart()
    hall.sync()
    hall.pick_up(again(hall, call))
    assert len(hall.given(cmd.StopRinging)) == 1


def test_the_next_daemon_asks_for_the_key_anew(hall: Driver) -> None:
    call = hall.dial("129")
    hall.pick_up(call)
    question = call.playback
    hall.restart()
    hall.sync()
    taken = again(hall, call)
    assert hall.exchange.calls[call.id].state is CallState.CONFIRMING
    assert hall.given(cmd.StopPlayback)[-1].playback == question
    assert len(played_to(hall, own_leg(call, 1))) == 2
    press_there(hall, taken, TAKE_IT.key)
    assert taken.state is CallState.CONNECTED


def test_the_next_daemon_calls_the_next_destination_if_the_leg_has_ended_meanwhile(hall: Driver) -> None:
    call = hall.dial("130")
    hall.announcement_ends(call)
    hall.lose_site()
    hall.restart()
    hall.asterisk.channels.pop(own_leg(call, 1))
    hall.sync()
    assert hall.called() == ["duty", "010@city"]
    hall.pick_up(again(hall, call))
    assert len(hall.given(cmd.StopRinging)) == 1


def test_the_next_daemon_goes_on_with_the_list_where_the_last_one_was_between_two(hall: Driver) -> None:
    hall.asterisk.phones[DUTY_DESK.endpoint] = "busy"
    call = hall.dial("129")
    hall.restart(lost=1)  # the second offer
    hall.asterisk.channels.pop(own_leg(call, 2))
    hall.sync()
    assert hall.called() == ["duty", "010@city", "010@city"]


def test_the_next_daemon_calls_whom_the_last_one_did_not_come_to_call(hall: Driver) -> None:
    call = hall.dial("129")
    hall.asterisk.channels.pop(own_leg(call, 1))
    hall.restart(in_doubt=[call.id])
    hall.sync()
    assert hall.called() == ["duty", "duty"]


def test_or_the_next_one_where_he_cannot_be_called_any_more(hall: Driver) -> None:
    call = hall.dial("131")
    hall.asterisk.channels.pop(own_leg(call, 1))
    full = rulebook(agent("kim"), trunk_channels=0)
    hall.restart(full, in_doubt=[call.id])
    hall.sync()
    assert hall.called() == ["010@city", "kim"]


def test_the_next_daemon_goes_on_with_those_who_talk(hall: Driver) -> None:
    call = hall.dial("131")
    hall.pick_up(call)
    hall.restart()
    hall.sync()
    assert again(hall, call).state is CallState.CONNECTED
    hall.leg_ends(again(hall, call))
    assert hall.cdr(call).destination == "duty-mobile"
    assert hall.exchange.floor.trunks.seizures == 0


# What cannot be.


def test_a_key_from_a_leg_that_nobody_knows_is_counted(hall: Driver) -> None:
    hall.tell(ev.LegDigit(ChannelId("elsewhere"), "1"))
    assert hall.exchange.counters.unknown_channel == 1


def test_a_call_that_dials_nobody_cannot_go_on_dialling(hall: Driver) -> None:
    call = hall.dial("122")
    with pytest.raises(ImpossibleEventError, match="dials nobody"):
        hall.exchange.conduct.dialing.asks_for_key(call)


def test_nobody_can_be_asked_for_a_key_who_was_not_called(hall: Driver) -> None:
    call = hall.dial("129")
    call.offer = None
    with pytest.raises(ImpossibleEventError, match="asks nobody"):
        hall.exchange.conduct.dialing.ask_for_key(call, hall.now, Output())


def test_an_offer_names_a_counselor_in_a_queue_and_a_destination_in_a_plan() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial("120")
    hall.leg_ends(call, Cause.USER_BUSY)
    assert call.state is CallState.QUEUED
    with pytest.raises(ValueError, match="cannot be offered"):
        call.apply(facts.Offered(hall.now, 2, None, None, own_leg(call, 2), DestinationName("duty-desk")))


def test_a_plan_needs_something_behind_its_destinations() -> None:
    with pytest.raises(ValueError, match="does not end"):
        Plan("duty", (Announce(WELCOME), Dial((DUTY_DESK,))))
    assert Plan("duty", (Dial((DUTY_DESK,)), Announce(SORRY), HangUp())).steps


def test_a_destination_without_a_trunk_group_is_nothing_that_a_group_blocked(hall: Driver) -> None:
    call = hall.dial("129")
    hall.exchange.floor.block(call, DUTY_DESK, hall.now, Output())
    assert [group.tally.blocked for group in hall.exchange.floor.trunks.groups] == [0]
