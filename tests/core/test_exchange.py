"""The way of a call through the exchange, as a resident and a counselor see it."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import Disposition, OfferResult, Outcome, ReleasedBy
from callrouter.core.events import TimerKind
from callrouter.core.ids import AgentId, BridgeId, CallId, ChannelId, PlaybackId
from callrouter.core.inbound import CallFacts
from callrouter.core.output import NoticeKind, Output
from callrouter.core.rulebook import Limits
from callrouter.core.states import CallState, Signal
from tests.core.driver import (
    BELL,
    CITY,
    DESK,
    HALL,
    NIGHT,
    SORRY,
    WELCOME,
    Driver,
    agent,
    own_leg,
    rulebook,
    without_queue,
)


def state(call: Call) -> CallState:
    return call.state


def test_a_resident_is_greeted_waits_talks_and_the_next_caller_follows() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial("121")
    assert [type(command) for command in hall.commands[-4:]] == [cmd.SetTimer, cmd.Answer, cmd.Play, cmd.SetTimer]
    assert hall.given(cmd.Play)[0].media == ("sound:callrouter/welcome",)

    hall.advance(4.0)
    hall.announcement_ends(call)
    assert hall.called() == ["kim"]
    assert hall.channel(call).music
    assert hall.agent("kim").state is AgentState.RESERVED

    hall.ring(call)
    assert hall.agent("kim").state is AgentState.RINGING
    hall.advance(3.5)
    hall.pick_up(call)
    assert state(call) is CallState.CONNECTED
    assert not hall.channel(call).music, "music and a voice on one channel do not go together"
    assert hall.agent("kim").state is AgentState.ON_CALL

    waiting = hall.dial("120")
    hall.advance(60.25)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.wait_s, cdr.ring_s, cdr.talk_s, cdr.hold_s) == (4.0, 3.5, 60.25, 0.0)
    assert (cdr.outcome, cdr.disposition, cdr.released_by) == (
        Outcome.HANDLED,
        Disposition.ANSWERED,
        ReleasedBy.CALLER,
    )
    assert hall.agent("kim").state is AgentState.WRAP_UP
    assert state(waiting) is CallState.QUEUED, "the counselor wraps up first"

    hall.advance(10.0)
    assert state(waiting) is CallState.OFFERED
    assert not hall.asterisk.bridges


def test_the_display_shows_number_and_region() -> None:
    hall = Driver(rulebook(agent("kim")))
    hall.dial("120", caller="0552251234")
    hall.dial("120", caller="")
    (first,) = hall.given(cmd.Originate)
    assert (first.caller_name, first.caller_number, first.endpoint) == ("창원", "0552251234", "PJSIP/kim")


def test_a_withheld_number_shows_as_anonymous() -> None:
    hall = Driver(rulebook(agent("kim")))
    hall.dial("120", caller="")
    assert hall.given(cmd.Originate)[0].caller_number == "anonymous"


def test_the_longest_idle_counselor_is_rung_first() -> None:
    hall = Driver(rulebook(agent("kim", wrap_up_s=0.0), agent("lee", wrap_up_s=0.0)))
    for _ in range(3):
        hall.advance(1.0)
        call = hall.dial()
        hall.pick_up(call)
        hall.hang_up(call)
    assert hall.called() == ["kim", "lee", "kim"]


@pytest.mark.parametrize(
    ("cause", "result", "rest_s"),
    [
        (Cause.USER_BUSY, OfferResult.BUSY, 10.0),
        (Cause.CALL_REJECTED, OfferResult.REJECTED, 10.0),
        (Cause.NO_ANSWER, OfferResult.NO_ANSWER, 15.0),
        (Cause.SUBSCRIBER_ABSENT, OfferResult.UNREACHABLE, 15.0),
        (Cause.INTERWORKING, OfferResult.FAILED, 2.0),
        (Cause.SWITCH_CONGESTION, OfferResult.CONGESTION, 2.0),
    ],
)
def test_a_phone_that_does_not_answer_returns_the_caller_to_his_place(
    cause: Cause, result: OfferResult, rest_s: float
) -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    first = hall.dial()
    lees = hall.dial()
    later = hall.dial()
    hall.leg_ends(lees, Cause.NORMAL_CLEARING)
    assert state(lees) is CallState.QUEUED

    place = first.place
    hall.leg_ends(first, cause)
    assert (first.state, first.place) == (CallState.QUEUED, place)
    assert hall.agent("kim").state is AgentState.RESTING
    assert hall.agent("kim").misses == int(result in (OfferResult.REJECTED, OfferResult.NO_ANSWER))

    hall.advance(rest_s)
    assert state(first) is CallState.OFFERED, "first come, first served, whatever failed meanwhile"
    assert state(later) is CallState.QUEUED
    hall.hang_up(first)
    assert hall.cdr(first).legs[0].result is result


def test_a_phone_that_rings_too_long_is_hung_up_and_the_next_one_rings() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    call = hall.dial()
    hall.ring(call)
    hall.advance(20.0)
    assert hall.called() == ["kim", "lee"]
    assert own_leg(call, 1) not in hall.asterisk.channels
    assert hall.agent("kim").state is AgentState.RESTING
    assert hall.exchange.counters.offers == {OfferResult.NO_ANSWER: 1}


def test_a_counselor_who_is_not_to_blame_keeps_the_turn() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    call = hall.dial()
    kim_was_idle_since = hall.agent("kim").idle_since
    hall.leg_ends(call, Cause.INTERWORKING)
    hall.hang_up(call)
    hall.advance(5.0)
    assert hall.agent("kim").idle_since == kim_was_idle_since
    assert hall.agent("lee").idle_since == kim_was_idle_since, "nor one whose caller left while the phone rang"
    hall.dial()
    assert hall.called()[-1] == "kim"


@pytest.mark.parametrize("rings", [False, True])
def test_a_caller_who_hangs_up_while_it_rings_is_an_abandon_and_the_phone_stops_at_once(rings: bool) -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    if rings:
        hall.ring(call)
    hall.advance(2.0)
    hall.hang_up(call)
    assert hall.cdr(call).outcome is Outcome.ABANDONED
    assert hall.cdr(call).ring_s == 2.0
    assert hall.cdr(call).legs[0].result is OfferResult.CALLER_GONE
    assert own_leg(call, 1) not in hall.asterisk.channels
    assert hall.agent("kim").state is AgentState.AVAILABLE
    assert hall.agent("kim").misses == 0


def test_a_caller_who_hangs_up_while_waiting_is_an_abandon() -> None:
    hall = Driver(rulebook())
    call = hall.dial()
    hall.advance(33.0)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.wait_s, cdr.ring_s, cdr.talk_s) == (Outcome.ABANDONED, 33.0, 0.0, 0.0)
    assert (cdr.queue, cdr.agent, cdr.disposition) == (DESK, None, Disposition.NO_ANSWER)


def test_outside_opening_hours_the_caller_hears_so_and_is_hung_up() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial("122")
    hall.announcement_ends(call)
    assert call.channel not in hall.asterisk.channels
    assert hall.called() == []
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by, cdr.hangup_cause) == (Outcome.CLOSED, ReleasedBy.SYSTEM, 16)


def test_when_the_counselor_hangs_up_the_caller_is_hung_up_too() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    hall.pick_up(call)
    hall.advance(5.0)
    hall.leg_ends(call)
    assert state(call) is CallState.ENDED
    assert hall.cdr(call).released_by is ReleasedBy.AGENT
    assert hall.agent("kim").state is AgentState.WRAP_UP
    assert not hall.asterisk.channels
    assert not hall.asterisk.bridges


def test_who_has_waited_to_the_limit_goes_on_in_the_plan() -> None:
    hall = Driver(rulebook())
    call = hall.dial("121")
    hall.announcement_ends(call)
    hall.advance(60.0)
    assert state(call) is CallState.ANNOUNCING
    hall.announcement_ends(call)
    assert hall.cdr(call).outcome is Outcome.OVERFLOWED


def test_a_wait_that_ends_while_a_phone_rings_still_lets_the_counselor_answer() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    calls = [hall.dial("121"), hall.dial("121")]
    for call in calls:
        hall.announcement_ends(call)
    hall.advance(15.0)
    for call in calls:
        hall.leg_ends(call, Cause.INTERWORKING)
    hall.advance(40.0)
    while any(call.state is not CallState.OFFERED for call in calls):
        hall.advance(1.0)
    for call in calls:
        hall.fire(TimerKind.WAIT, call.id)
        assert state(call) is CallState.OFFERED
    hall.pick_up(calls[0])
    assert state(calls[0]) is CallState.CONNECTED
    hall.leg_ends(calls[1], Cause.USER_BUSY)
    assert state(calls[1]) is CallState.ANNOUNCING, "no place to go back to: the wait was over"


def test_a_wait_that_ends_while_the_two_are_being_bridged_counts_only_if_that_fails() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.reached(CallState.CONNECTING)
    hall.fire(TimerKind.WAIT, call.id)
    assert state(call) is CallState.CONNECTING
    hall.leg_ends(call)
    assert state(call) is CallState.ANNOUNCING
    assert hall.exchange.counters.offers == {OfferResult.LOST: 1}


def test_ringback_callers_are_answered_only_by_a_counselor() -> None:
    hall = Driver(rulebook(agent("lee", BELL)))
    call = hall.dial("124")
    assert not hall.given(cmd.Answer)
    assert not hall.given(cmd.StartMusic)
    hall.ring(call)
    hall.tell(ev.LegRang(hall.leg(call)))
    assert len(hall.given(cmd.Ring)) == 1
    hall.pick_up(call)
    assert len(hall.given(cmd.Answer)) == 1
    assert hall.commands.index(hall.given(cmd.Answer)[0]) < hall.commands.index(hall.given(cmd.Connect)[0])


def test_a_ringback_caller_for_whom_nobody_is_free_hears_ringing_at_once_and_once() -> None:
    hall = Driver(rulebook())
    call = hall.dial("124")
    assert len(hall.given(cmd.Ring)) == 1
    hall.tell(ev.RulebookReplaced(rulebook(agent("lee", BELL))))
    hall.ring(call)
    assert len(hall.given(cmd.Ring)) == 1


def test_music_callers_are_not_sent_ringing() -> None:
    hall = Driver(rulebook(agent("kim")))
    hall.ring(hall.dial())
    assert not hall.given(cmd.Ring)


def test_a_caller_is_handed_over_to_the_dialplan() -> None:
    hall = Driver(rulebook())
    call = hall.dial("125")
    (command,) = hall.given(cmd.ContinueInDialplan)
    assert (command.context, command.extension) == ("office", "200")
    assert hall.cdr(call).outcome is Outcome.HANDLED
    assert hall.given(cmd.SetDeadMan)[-1].after_s == 0, "the switch would cut the call off in its new place"
    assert hall.commands.index(hall.given(cmd.SetDeadMan)[-1]) < hall.commands.index(command)


@pytest.mark.parametrize("dialed", ["120", "121"])
def test_a_caller_whom_the_dialplan_took_back_was_not_handled_and_did_not_hang_up(dialed: str) -> None:
    hall = Driver(rulebook())
    call = hall.dial(dialed)
    hall.tell(ev.CallerLeft(call.channel, to_dialplan=True))
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.disposition, cdr.released_by) == (Outcome.FAILED, Disposition.FAILED, ReleasedBy.SYSTEM)
    assert cdr.explanation.endswith("released: taken-away")


def test_a_rule_may_hang_up_with_a_cause_of_its_own() -> None:
    hall = Driver(rulebook())
    call = hall.dial("126")
    assert hall.given(cmd.Hangup)[0].cause is Cause.USER_BUSY
    assert hall.cdr(call).disposition is Disposition.BUSY


def test_an_announcement_without_end_is_stopped() -> None:
    hall = Driver(rulebook())
    call = hall.dial("121")
    hall.advance(119.0)
    assert state(call) is CallState.ANNOUNCING
    hall.advance(1.0)
    assert state(call) is CallState.QUEUED
    assert hall.given(cmd.StopPlayback)[0].playback == naming.playback(call.id, 1)
    assert hall.exchange.counters.stale == {(CallState.QUEUED, Signal.ANNOUNCEMENT_OVER): 1}, "its end came after all"


def test_the_dead_mans_switch_is_renewed_while_waiting_and_lifted_while_talking() -> None:
    hall = Driver(rulebook(agent("kim", NIGHT)))
    call = hall.dial("121")
    hall.advance(16.0)
    assert [(command.after_s, command.playing) for command in hall.given(cmd.SetDeadMan)] == [
        (30.0, False),
        (30.0, True),
    ]
    hall.announcement_ends(call)
    hall.advance(15.0)
    assert not hall.given(cmd.SetDeadMan)[-1].playing
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"))))
    hall.pick_up(call)
    assert hall.given(cmd.SetDeadMan)[-1].after_s == 0.0
    count = len(hall.given(cmd.SetDeadMan))
    hall.advance(100.0)
    assert len(hall.given(cmd.SetDeadMan)) == count


def asked_of_asterisk(hall: Driver) -> list[type[cmd.Command]]:
    left_out = cmd.SetTimer | cmd.CancelTimer | cmd.SetLamp | cmd.WatchPhones
    return [type(command) for command in hall.commands if not isinstance(command, left_out)]


def test_a_phone_is_called_before_asterisk_is_asked_for_anything_else() -> None:
    hall = Driver(rulebook(agent("kim", BELL)))
    hall.dial("124")
    assert asked_of_asterisk(hall) == [cmd.Originate], "the dialplan's own switch covers the beginning"
    hall.advance(0.5)
    assert [(command.after_s, command.playing) for command in hall.given(cmd.SetDeadMan)] == [(30.0, False)]


def test_who_talks_at_once_needs_no_dead_mans_switch_but_to_be_rid_of_the_dialplans() -> None:
    hall = Driver(rulebook(agent("kim", BELL)))
    hall.pick_up(hall.dial("124"))
    hall.advance(100.0)
    assert [command.after_s for command in hall.given(cmd.SetDeadMan)] == [0.0]


def test_a_sound_begins_behind_the_dead_mans_switch_which_would_wait_for_its_end() -> None:
    hall = Driver(rulebook(agent("kim", BELL)))
    hall.dial("121")
    assert asked_of_asterisk(hall) == [cmd.SetDeadMan, cmd.Answer, cmd.Play]
    assert not hall.given(cmd.SetDeadMan)[0].playing


def test_two_who_cannot_be_bridged_are_parted_and_the_caller_hears_music_again() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    call = hall.reached(CallState.CONNECTING)
    bridge = naming.bridge(call.id, 1)
    hall.tell(ev.BridgeFailed(call.id, bridge))
    assert hall.agent("kim").state is AgentState.RESTING, "or the phone would ring again at once, for ever"
    assert hall.called() == ["kim", "lee"]
    assert hall.given(cmd.DestroyBridge)[0].bridge == bridge
    assert hall.channel(call).music
    assert not hall.exchange.floor.bridges.knows(bridge)
    hall.tell(ev.Bridged(call.id, bridge))
    assert hall.exchange.counters.stale[CallState.OFFERED, Signal.BRIDGED] == 1


def test_a_bridge_that_nobody_hears_of_is_given_up() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.reached(CallState.CONNECTING)
    hall.advance(5.0)
    assert (call.state, hall.called()) == (CallState.QUEUED, ["kim"])


def test_a_leg_of_which_nothing_is_known_is_hung_up_and_the_next_phone_rings() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    hall.asterisk.phones["PJSIP/kim"] = "uncertain"
    call = hall.dial()
    assert hall.called() == ["kim", "lee"]
    assert own_leg(call, 1) not in hall.asterisk.channels
    hall.tell(ev.LegUncertain(own_leg(call, 1)))
    assert state(call) is CallState.OFFERED


def test_a_leg_that_answered_is_not_uncertain() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.reached(CallState.CONNECTING)
    hall.tell(ev.LegUncertain(hall.leg(call)))
    assert state(call) is CallState.CONNECTING


@pytest.mark.parametrize(("endpoint", "result"), [(True, OfferResult.UNREACHABLE), (False, OfferResult.FAILED)])
def test_a_leg_that_asterisk_will_not_make_counts_by_whose_fault_it_is(endpoint: bool, result: OfferResult) -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    del hall.asterisk.channels[hall.leg(call)]
    hall.tell(ev.LegRefused(hall.leg(call), endpoint))
    assert hall.exchange.counters.offers == {result: 1}
    assert state(call) is CallState.QUEUED


def test_a_congested_trunk_rests_and_the_counselor_behind_it_is_not_blamed() -> None:
    hall = Driver(rulebook(agent("kim", trunk=CITY), agent("lee", trunk=CITY), agent("park")))
    call = hall.dial()
    hall.asterisk.phones["PJSIP/park"] = "busy"
    hall.leg_ends(call, Cause.NORMAL_CIRCUIT_CONGESTION)
    assert hall.called() == ["kim", "park"], "not lee, who is behind the same trunk group"
    assert (hall.agent("kim").state, hall.agent("kim").misses) == (AgentState.AVAILABLE, 0)
    hall.advance(2.0)
    assert hall.called() == ["kim", "park", "kim"]


def test_a_full_trunk_keeps_the_counselors_behind_it_from_being_rung() -> None:
    hall = Driver(rulebook(agent("kim", trunk=CITY), agent("lee", trunk=CITY), trunk_channels=1))
    first, second = hall.dial(), hall.dial()
    assert hall.called() == ["kim"]
    hall.hang_up(first)
    assert state(second) is CallState.OFFERED
    assert hall.exchange.floor.trunks.seizures == 1


def test_a_leg_that_does_not_end_is_hung_up_again_and_then_written_off() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    leg = hall.leg(call)
    hall.asterisk.connected = False  # nothing is heard, nothing is done
    hall.tell(ev.CallerLeft(call.channel))
    hall.advance(10.0)
    assert [command.channel for command in hall.given(cmd.Hangup)] == [leg, leg]
    assert hall.agent("kim").leg == leg, "taken until then: the phone may still ring"
    hall.advance(10.0)
    assert hall.notices[-1].kind is NoticeKind.WRITTEN_OFF
    assert hall.agent("kim").state is AgentState.AVAILABLE
    hall.fire(TimerKind.LEG, leg)


def test_a_leg_whose_call_never_came_to_an_offer_is_given_back_when_it_ends() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    leg = hall.leg(call)
    call.offer = None
    hall.tell(ev.LegEnded(leg, 16))
    assert hall.agent("kim").leg is None


def test_a_caller_who_will_not_leave_is_hung_up_again_and_then_written_off() -> None:
    hall = Driver(rulebook())
    call = hall.dial("122")
    hall.asterisk.connected = False
    hall.fire(TimerKind.ANNOUNCEMENT, call.id)
    hall.advance(10.0)
    assert [command.channel for command in hall.given(cmd.Hangup)] == [call.channel] * 2
    hall.advance(10.0)
    assert [notice.kind for notice in hall.notices] == [NoticeKind.WRITTEN_OFF]
    assert hall.cdr(call).outcome is Outcome.CLOSED


def test_a_caller_who_could_not_be_sent_on_into_the_dialplan_is_not_hung_up_on_for_it() -> None:
    hall = Driver(rulebook())
    hall.asterisk.connected = False
    hall.handle(ev.CallArrived(hall.new_call_id(), ChannelId("resident"), CallFacts("125", HALL, "0552251234")))
    hall.advance(10.0)
    assert not hall.given(cmd.Hangup)
    assert [one.context for one in hall.given(cmd.ContinueInDialplan)] == ["office", "callrouter-fallback"]
    assert (hall.given(cmd.SetDeadMan)[-1].after_s, hall.given(cmd.SetDeadMan)[-1].playing) == (1.0, True)


def test_a_caller_whom_the_dialplan_took_is_not_hung_up_on_when_something_else_is_not_heard_of() -> None:
    hall = Driver(rulebook())
    call = hall.dial("140")
    hall.announcement_ends(call)
    hall.handle(ev.CallerLeft(call.channel, to_dialplan=True))
    assert call.state is CallState.CLEARING, "what he said may be told still"
    hall.advance(20.0)
    assert not hall.given(cmd.Hangup)
    assert call.id not in hall.exchange.calls


def test_a_caller_who_is_there_still_after_we_gave_up_hanging_up_is_hung_up_when_the_site_is_compared() -> None:
    hall = Driver(rulebook())
    call = hall.dial("122")
    hall.asterisk.connected = False
    hall.fire(TimerKind.ANNOUNCEMENT, call.id)
    hall.advance(20.0)
    assert call.id not in hall.exchange.calls
    hall.sync()
    hall.advance(600.0)
    assert call.channel not in hall.asterisk.channels
    assert len(hall.cdrs) == 1


def test_callers_beyond_the_limit_go_to_the_fallback() -> None:
    hall = Driver(rulebook(agent("kim"), limits=Limits(max_calls=1)))
    first = hall.dial()
    hall.dial()
    assert state(first) is CallState.OFFERED
    (command,) = hall.given(cmd.ContinueInDialplan)
    assert (command.context, command.extension) == ("callrouter-fallback", "s")
    assert NoticeKind.NOT_TAKEN in [one.kind for one in hall.notices]
    assert [cdr.outcome for cdr in hall.cdrs] == [Outcome.REJECTED]


def test_draining_sends_new_callers_to_the_fallback_and_serves_those_who_are_here() -> None:
    hall = Driver(rulebook(agent("kim")))
    first = hall.dial()
    hall.tell(ev.DrainRequested())
    hall.arrive()
    hall.settle()
    hall.pick_up(first)
    assert state(first) is CallState.CONNECTED
    assert [cdr.outcome for cdr in hall.cdrs] == [Outcome.REJECTED]


def test_new_rules_hold_from_the_next_call_on() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee", NIGHT)))
    talking = hall.dial()
    hall.pick_up(talking)
    waiting = hall.dial()
    hall.tell(ev.RulebookReplaced(without_queue(rulebook(agent("lee"), agent("park", NIGHT)), BELL)))
    assert state(talking) is CallState.CONNECTED, "the talk goes on although kim has left the rules"
    assert state(waiting) is CallState.OFFERED, "lee serves the desk now"
    hall.hang_up(talking)
    assert AgentId("kim") not in hall.exchange.floor.staff.agents
    assert hall.exchange.rulebook.queues.keys() == {DESK, NIGHT}


def test_a_counselor_who_returns_to_the_rules_while_talking_stays() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    hall.pick_up(call)
    hall.tell(ev.RulebookReplaced(rulebook()))
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim", NIGHT))))
    hall.hang_up(call)
    assert hall.agent("kim").spec.queues == (NIGHT,)
    hall.advance(10.0)
    assert hall.agent("kim").state is AgentState.AVAILABLE


def test_a_counselor_who_leaves_the_rules_while_wrapping_up_is_gone_at_once() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    hall.pick_up(call)
    hall.hang_up(call)
    hall.tell(ev.RulebookReplaced(rulebook()))
    assert not hall.exchange.floor.staff.agents
    hall.advance(10.0)
    assert not hall.exchange.floor.staff.agents


def test_nobody_is_rung_at_a_site_that_is_down() -> None:
    hall = Driver(rulebook(agent("kim")), connected=False)
    call = hall.dial()
    assert hall.called() == []
    hall.sync()
    assert state(call) is CallState.OFFERED
    hall.lose_site()
    hall.sync()


def test_what_nobody_knows_is_counted_and_hurts_nobody() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    before = (call.state, len(hall.commands))
    hall.tell(ev.CallerLeft(ChannelId("nobody")))
    hall.tell(ev.LegEnded(ChannelId("nobody"), 16))
    hall.tell(ev.LegRang(ChannelId("nobody")))
    hall.tell(ev.LegAnswered(ChannelId("nobody")))
    hall.tell(ev.LegUncertain(ChannelId("nobody")))
    hall.tell(ev.PlaybackEnded(PlaybackId("nothing")))
    hall.tell(ev.Bridged(CallId("nobody"), BridgeId("none")))
    hall.fire(TimerKind.WAIT, "nobody")
    hall.fire(TimerKind.LEG, "nobody")
    hall.fire(TimerKind.AGENT, "nobody")
    hall.fire(TimerKind.AGENT, "kim")
    assert hall.exchange.counters.unknown_channel == 6
    assert (call.state, len(hall.commands)) == before


def test_a_leg_of_ours_that_no_call_knows_is_hung_up() -> None:
    hall = Driver(rulebook())
    leg = naming.leg_channel(hall.new_call_id(), 1)
    hall.tell(ev.LegAnswered(leg))
    assert [command.channel for command in hall.given(cmd.Hangup)] == [leg]
    assert hall.notices[-1].kind is NoticeKind.ORPHAN_LEG


def test_a_timer_that_ran_out_while_it_was_cancelled_does_nothing() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    call = hall.dial()
    hall.fire(TimerKind.CONNECT, call.id)
    hall.fire(TimerKind.CLEARING, call.id)
    assert state(call) is CallState.OFFERED
    assert hall.exchange.counters.stale == {
        (CallState.OFFERED, Signal.BRIDGE_FAILED): 1,
        (CallState.OFFERED, Signal.CLEARING_OVER): 1,
    }


def test_the_same_arrival_twice_is_one_call() -> None:
    hall = Driver(rulebook())
    call = hall.dial()
    hall.tell(ev.CallArrived(hall.new_call_id(), call.channel, call.arrival))
    assert len(hall.exchange.calls) == 1
    assert hall.exchange.counters.stale == {(CallState.QUEUED, Signal.ARRIVED): 1}


def test_a_caller_whose_queue_is_lost_goes_to_the_fallback() -> None:
    hall = Driver(without_queue(rulebook(), DESK))
    call = hall.dial("120")
    assert hall.given(cmd.ContinueInDialplan)[0].context == "callrouter-fallback"
    assert hall.cdr(call).outcome is Outcome.FAILED


def test_a_call_that_is_given_up_gets_a_person_and_others_do_not_notice() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    ill, well = hall.dial(), hall.dial()
    hall.carry_out(hall.exchange.give_up(ill.id, hall.now, "a defect"))
    hall.settle()
    assert hall.cdr(ill).outcome is Outcome.FAILED
    assert hall.cdr(ill).disposition is Disposition.FAILED
    assert state(well) is CallState.OFFERED
    assert hall.agent("kim").leg is None
    assert hall.exchange.give_up(CallId("nobody"), hall.now, "a defect") == Output()


def test_a_defect_in_an_offer_costs_that_caller_and_not_whoever_was_heard_of() -> None:
    hall = Driver(rulebook())
    ill = hall.dial("120")
    ill.state = CallState.ANNOUNCING  # and yet in line
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"))))
    well = hall.dial("120")
    assert hall.notices[-1].kind is NoticeKind.IMPOSSIBLE_EVENT
    assert ill.id not in hall.exchange.calls
    assert state(well) is CallState.OFFERED


def test_a_defect_met_while_offering_gives_back_the_counselor(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Driver(rulebook())
    ill = hall.dial("120")
    apply = Call.apply

    def fail(call: Call, fact: facts.Fact) -> None:
        if isinstance(fact, facts.Offered) and call.id == ill.id:
            raise ZeroDivisionError
        apply(call, fact)

    monkeypatch.setattr(Call, "apply", fail)
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"))))
    assert hall.exchange.counters.defects == 1
    assert "ZeroDivisionError" in hall.notices[-1].text
    assert ill.id not in hall.exchange.calls
    assert hall.agent("kim").leg is None
    hall.advance(2.0)
    assert hall.dial("120").state is CallState.OFFERED


@pytest.mark.parametrize("kind", list(ev.TimerKind))
def test_the_call_that_an_event_concerns_is_found(kind: TimerKind) -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    concerns = hall.exchange.concerns
    assert concerns(ev.CallerLeft(call.channel)) == call.id
    assert concerns(ev.CallerLeft(ChannelId("nobody"))) is None
    assert concerns(ev.LegRang(hall.leg(call))) == call.id
    assert concerns(ev.LegEnded(ChannelId("nothing"), 16)) is None
    assert concerns(ev.Bridged(call.id, BridgeId("any"))) == call.id
    assert concerns(ev.PlaybackEnded(naming.playback(call.id, 1))) == call.id
    assert concerns(ev.TimerFired((kind, call.id))) == call.id
    assert concerns(ev.TimerFired((kind, AgentId("kim")))) is None
    assert concerns(ev.DrainRequested()) is None
    assert concerns(ev.SiteDown(HALL)) is None


def test_the_dead_mans_switch_outlasts_a_long_announcement_and_is_left_alone_before_a_short_one() -> None:
    lasts = {WELCOME: 60.0, SORRY: 5.0}
    hall = Driver(replace(rulebook(), speech_s=lasts))
    call = hall.dial("121")
    assert [command.after_s for command in hall.given(cmd.SetDeadMan)] == [90.0]
    hall.announcement_ends(call)
    assert hall.given(cmd.SetDeadMan)[-1].after_s == 30.0, "who waits would wait so long for a person, too"
    hall.advance(60)  # nobody is there
    assert [tuple(play.media) for play in hall.given(cmd.Play)][-1] == ("sound:callrouter/sorry",)
    assert {command.after_s for command in hall.given(cmd.SetDeadMan)[1:]} == {30.0}
