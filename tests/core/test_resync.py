"""After a silence: what a site says is true, whatever was missed."""

from collections.abc import Callable
from datetime import datetime

import pytest

from callrouter.ari.transport import TIMEOUT_S
from callrouter.core import adopting, facts, naming
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import AgentId, BridgeId, CallId, ChannelId
from callrouter.core.output import NoticeKind, Output
from callrouter.core.states import CallState
from callrouter.core.waiting import Waiting
from tests.core.driver import BELL, CALLS_BACK, CITY, DESK, START, Driver, agent, own_leg, rulebook, without_queue


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook(agent("kim", trunk=CITY)))


def unseen(hall: Driver, channel: ChannelId) -> None:
    """A channel ends while nobody listens."""
    hall.asterisk.connected = False
    hall.asterisk.hang_up(channel)
    hall.asterisk.connected = True


def test_a_caller_who_left_unseen_is_closed_with_an_estimated_time(hall: Driver) -> None:
    call = hall.dial()
    hall.lose_site()
    unseen(hall, call.channel)
    hall.advance(3.0)
    hall.sync()
    hall.settle()
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by) == (Outcome.ABANDONED, ReleasedBy.SYSTEM)
    assert "ended_at is an estimate" in cdr.explanation
    assert hall.agent("kim").leg is None


def test_a_phone_whose_hang_up_asterisk_did_not_hear_rings_no_longer_than_until_it_is_back(hall: Driver) -> None:
    call = hall.dial()
    rang = hall.leg(call)
    hall.ring(call)
    hall.lose_site()
    hall.hang_up(call)
    hall.tell(ev.CallerLeft(call.channel))
    assert rang in hall.asterisk.channels
    hall.sync()
    assert rang not in hall.asterisk.channels
    assert hall.agent("kim").leg is None


def test_a_caller_whose_hang_up_asterisk_did_not_hear_is_hung_up_as_soon_as_it_is_back(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTED)
    hall.asterisk.connected = False
    hall.tell(ev.LegEnded(hall.leg(call), Cause.NORMAL_CLEARING))
    assert call.channel in hall.asterisk.channels
    hall.advance(0.5)
    hall.sync()
    assert call.channel not in hall.asterisk.channels


@pytest.mark.parametrize("answered", [False, True])
def test_a_leg_that_was_heard_of_and_is_gone_is_not_waited_for(hall: Driver, answered: bool) -> None:
    call = hall.dial()
    hall.ring(call)
    if answered:
        hall.pick_up(call)
    hall.advance(0.5)
    hall.lose_site()
    unseen(hall, hall.leg(call))
    hall.sync()
    assert hall.agent("kim").leg is None
    assert (call.state is CallState.ENDED) is answered


def test_a_leg_that_was_heard_of_since_the_snapshot_was_asked_for_is_waited_for(hall: Driver) -> None:
    call = hall.dial()
    asked = hall.snapshot()
    hall.advance(0.5)
    hall.ring(call)
    there = {channel: seen for channel, seen in asked.channels.items() if channel != hall.leg(call)}
    hall.tell(ev.SiteUp(asked.site, asked.requested_at, there, asked.bridges))
    assert (call.state, hall.agent("kim").leg) == (CallState.OFFERED, hall.leg(call))


def test_a_caller_who_came_after_the_snapshot_was_asked_for_is_not_missed(hall: Driver) -> None:
    asked = hall.snapshot()
    hall.advance(0.5)
    call = hall.dial()
    hall.tell(ev.SiteUp(asked.site, asked.requested_at, asked.channels, asked.bridges))
    assert call.state is CallState.OFFERED


def test_a_leg_that_ended_unseen_ends_the_call(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTED)
    hall.lose_site()
    unseen(hall, hall.leg(call))
    hall.advance(10.0)
    hall.sync()
    assert hall.cdr(call).released_by is ReleasedBy.AGENT
    assert hall.exchange.floor.trunks.seizures == 0


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_a_leg_whose_request_may_still_wait_in_asterisk_may_be_missing_from_the_snapshot(
    hall: Driver, seconds: float
) -> None:
    call = hall.dial()
    hall.advance(seconds)
    up = hall.snapshot()
    channels = {name: seen for name, seen in up.channels.items() if name != hall.leg(call)}
    hall.tell(ev.SiteUp(up.site, up.requested_at, channels, up.bridges))
    assert call.state is CallState.OFFERED


def test_that_long_a_request_may_wait_before_it_is_given_up() -> None:
    assert ev.SNAPSHOT_MARGIN.total_seconds() > TIMEOUT_S


def test_an_answer_that_was_missed_is_caught_up_with(hall: Driver) -> None:
    call = hall.dial()
    hall.lose_site()
    hall.pick_up(call)
    hall.sync()
    assert call.state is CallState.CONNECTED
    hall.sync()
    assert len(hall.given(cmd.Connect)) == 1


def test_the_same_snapshot_twice_changes_nothing(hall: Driver) -> None:
    hall.reached(CallState.CONNECTED)
    hall.dial()
    hall.dial("122")
    hall.sync()
    given, told = len(hall.commands), len(hall.log)
    hall.sync()
    assert (len(hall.commands), len(hall.log)) == (given, told)


def test_callers_who_came_while_nobody_listened_are_taken(hall: Driver) -> None:
    hall.lose_site()
    hall.arrive()
    hall.sync()
    assert [call.state for call in hall.exchange.calls.values()] == [CallState.OFFERED]


def test_an_old_snapshot_does_not_bring_back_a_caller_who_left(hall: Driver) -> None:
    call = hall.dial()
    old = hall.snapshot()
    hall.hang_up(call)
    hall.tell(old)
    assert not hall.exchange.calls
    hall.advance(300.0)
    hall.sync()
    hall.tell(old)
    assert hall.exchange.calls, "after minutes the same channel id would be another caller"


def test_legs_and_bridges_that_nobody_knows_are_cleared(hall: Driver) -> None:
    stranger = hall.new_call_id()
    leg, bridge = naming.leg_channel(stranger, 1), naming.bridge(stranger, 1)
    up = hall.snapshot()
    seen = {leg: ev.ChannelSeen(leg, "Up", None), ChannelId("other"): ev.ChannelSeen(ChannelId("other"), "Up", None)}
    hall.tell(ev.SiteUp(up.site, up.requested_at, seen, frozenset({bridge, BridgeId("conference")})))
    assert [command.channel for command in hall.given(cmd.Hangup)] == [leg]
    assert [command.bridge for command in hall.given(cmd.DestroyBridge)] == [bridge]


def test_a_leg_that_ended_while_the_snapshot_was_on_its_way_is_nobody_who_is_lost(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTED)
    old = hall.snapshot()
    hall.advance(1.0)
    hall.hang_up(call)
    hung_up = hall.given(cmd.Hangup)
    hall.tell(old)
    assert hall.notices == []
    assert hall.given(cmd.Hangup) == hung_up


def test_a_leg_that_is_seen_after_it_was_written_off_is_hung_up_once_more(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTED)
    leg, old = hall.leg(call), hall.snapshot()
    hall.hang_up(call)
    hall.advance(1.0)
    hall.tell(ev.SiteUp(old.site, hall.now, {leg: ev.ChannelSeen(leg, "Up", None)}, frozenset()))
    assert [notice.kind for notice in hall.notices] == [NoticeKind.ORPHAN_LEG]
    assert hall.given(cmd.Hangup)[-1].channel == leg


def test_an_offer_that_the_journal_lost_is_ended_and_its_id_not_used_again(hall: Driver) -> None:
    call = hall.dial()
    lost = hall.leg(call)
    hall.restart(lost=1)
    hall.sync()
    again = hall.exchange.calls[call.id]
    assert lost not in hall.asterisk.channels
    assert hall.leg(again) == own_leg(call, 2)
    hall.ring(again)
    hall.pick_up(again)
    assert again.state is CallState.CONNECTED
    hall.hang_up(again)
    assert [leg.attempt for leg in hall.cdr(call).legs] == [2]
    assert hall.agent("kim").misses == 0


def test_nor_is_it_where_the_offer_before_it_is_found_over_only_now() -> None:
    hall = Driver(rulebook(agent("kim"), agent("lee")))
    call = hall.dial()
    hall.asterisk.hang_up(hall.leg(call), Cause.USER_BUSY)
    hall.settle()
    lost = hall.leg(call)
    known = [isinstance(record, facts.OfferClosed) for _, record in hall.log].index(True)
    hall.restart(lost=len(hall.log) - known)
    hall.sync()
    again = hall.exchange.calls[call.id]
    assert lost not in hall.asterisk.channels
    assert hall.leg(again) == own_leg(call, 3)


def test_the_dead_mans_switch_stands_right_after_a_reconnect(hall: Driver) -> None:
    talking = hall.reached(CallState.CONNECTED)
    waiting = hall.dial("120")
    hall.dial("122")
    hall.lose_site()
    hall.commands.clear()
    hall.sync()
    switches = {command.channel: command.after_s for command in hall.given(cmd.SetDeadMan)}
    assert switches[talking.channel] == 0.0
    assert switches[waiting.channel] == 30.0


def test_who_is_found_waiting_gets_the_dead_mans_switch_at_once(hall: Driver) -> None:
    hall.sync()
    hall.asterisk.connected = False
    hall.arrive()
    hall.sync()
    assert [command.after_s for command in hall.given(cmd.SetDeadMan)] == [30.0]


# A new daemon on the journal of one that died.


def again(hall: Driver, call: Call) -> Call:
    return hall.exchange.calls[call.id]


def test_calls_of_an_earlier_daemon_are_counted_as_taken_up(hall: Driver) -> None:
    hall.reached(CallState.CONNECTED)
    hall.restart()
    assert (hall.exchange.counters.arrived, hall.exchange.counters.taken_up) == (0, 1)


def test_the_switch_of_who_may_hear_an_announcement_of_an_earlier_daemon_holds_up_no_other(hall: Driver) -> None:
    hall.reached(CallState.ANNOUNCING)
    hall.restart()
    hall.commands.clear()
    hall.sync()
    assert hall.given(cmd.SetDeadMan)[0].playing


def test_talking_people_are_left_talking(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTED)
    hall.restart()
    assert hall.exchange.calls[call.id].to_be_adopted
    hall.commands.clear()
    hall.sync()
    assert hall.notices[-1].kind is NoticeKind.ADOPTED
    assert [type(one) for one in hall.commands if not isinstance(one, cmd.SetLamp | cmd.WatchPhones)] == [
        cmd.SetDeadMan
    ] * 2
    assert hall.agent("kim").state is AgentState.ON_CALL
    assert hall.exchange.floor.trunks.seizures == 1
    hall.hang_up(again(hall, call))
    assert hall.cdr(call).outcome is Outcome.HANDLED
    assert not hall.asterisk.bridges


def test_talking_people_are_left_talking_although_the_counselor_has_left_the_rules(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTED)
    hall.restart(without_queue(rulebook(), DESK))
    hall.sync()
    assert again(hall, call).state is CallState.CONNECTED
    hall.hang_up(again(hall, call))
    assert hall.cdr(call).agent == "kim"
    assert not hall.exchange.floor.staff.agents
    assert not hall.asterisk.channels


def test_a_counselor_who_hung_up_meanwhile_ends_the_call(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTED)
    hall.restart()
    unseen(hall, hall.leg(call))
    hall.sync()
    assert hall.cdr(call).released_by is ReleasedBy.AGENT
    assert call.channel not in hall.asterisk.channels


def test_a_ringing_phone_goes_on_ringing_for_the_rest_of_its_time(hall: Driver) -> None:
    call = hall.dial("121")
    hall.announcement_ends(call)
    hall.ring(call)
    hall.advance(15.0)
    hall.restart()
    hall.sync()
    assert again(hall, call).state is CallState.OFFERED
    assert hall.agent("kim").state is AgentState.RINGING
    hall.advance(5.0)
    assert again(hall, call).state is CallState.QUEUED
    hall.asterisk.phones["PJSIP/kim"] = "busy"
    hall.advance(40.0)
    assert again(hall, call).state is CallState.ANNOUNCING, "the limit of waiting holds over the restart"


def test_a_phone_that_stopped_ringing_meanwhile_returns_the_caller_to_the_line(hall: Driver) -> None:
    call = hall.dial()
    hall.restart()
    unseen(hall, own_leg(call, 1))
    hall.sync()
    assert hall.called() == ["kim", "kim"]
    hall.hang_up(again(hall, call))
    assert [leg.result for leg in hall.cdr(call).legs] == [OfferResult.FAILED, OfferResult.CALLER_GONE]


def test_a_caller_without_music_is_not_sent_its_end() -> None:
    hall = Driver(rulebook(agent("lee", BELL)))
    call = hall.dial("124")
    hall.restart()
    hall.sync()
    hall.pick_up(again(hall, call))
    assert not hall.given(cmd.StopMusic)


def test_two_who_were_being_bridged_are_bridged(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTING)
    hall.channel(call).music = True  # its end did not arrive
    hall.restart()
    hall.sync()
    assert again(hall, call).state is CallState.CONNECTED
    assert not hall.channel(call).music, "two sounds on one channel make it deaf to the other party"
    assert len({command.bridge for command in hall.given(cmd.Connect)}) == 1


def test_two_who_were_being_bridged_hear_nothing_of_what_either_of_them_was_told_before() -> None:
    hall = Driver(rulebook(agent("kim"), queues=[CALLS_BACK]))
    call = hall.reached(CallState.GREETING)
    hall.advance(0.0)
    told = set(hall.asterisk.playing)
    hall.asterisk.connected = False  # what ends it does not arrive, and the two are not bridged
    assert call.playback is not None
    hall.tell(ev.PlaybackEnded(call.playback))
    assert call.state is CallState.CONNECTING
    hall.restart()
    hall.sync()
    assert again(hall, call).state is CallState.CONNECTED
    assert told
    assert not hall.asterisk.playing


def test_a_counselor_whom_two_calls_claim_stays_with_one(hall: Driver) -> None:
    first = hall.dial()
    hall.journal[second := hall.arrive()] = []
    hall.settle()
    hall.log += [(second, facts.Offered(hall.now, 1, AgentId("kim"), None, naming.leg_channel(second, 1)))]
    leg = naming.leg_channel(second, 1)
    hall.asterisk.channels[leg] = type(hall.channel(first))(leg, "Ringing")
    hall.restart()
    hall.sync()
    assert [call.state for call in hall.exchange.calls.values()] == [CallState.OFFERED, CallState.QUEUED]
    assert leg not in hall.asterisk.channels


def test_a_waiting_caller_keeps_place_and_limit() -> None:
    hall = Driver(rulebook())
    call = hall.dial("121")
    hall.announcement_ends(call)
    later = hall.dial("120")
    hall.advance(50.0)
    hall.restart(rulebook(agent("kim")))
    hall.sync()
    assert (again(hall, call).state, again(hall, later).state) == (CallState.OFFERED, CallState.QUEUED)
    hall.leg_ends(again(hall, call), 127)
    hall.asterisk.phones["PJSIP/kim"] = "busy"
    hall.advance(10.0)
    assert again(hall, call).state is CallState.ANNOUNCING


def test_an_announcement_that_an_earlier_daemon_began_is_heard_to_its_end(hall: Driver) -> None:
    call = hall.dial("122")
    hall.restart()
    hall.sync()
    assert again(hall, call).state is CallState.ANNOUNCING
    assert not hall.given(cmd.StopPlayback)
    hall.announcement_ends(again(hall, call))
    assert hall.cdr(call).outcome is Outcome.CLOSED
    assert len(hall.given(cmd.Play)) == 1


@pytest.mark.parametrize("dies", [True, False], ids=["the daemon", "the connection"])
def test_an_announcement_that_ended_unseen_is_not_waited_for(hall: Driver, dies: bool) -> None:
    call = hall.dial("121")
    hall.lose_site()
    assert call.playback is not None
    hall.asterisk.end_playback(call.playback)
    if dies:
        hall.restart()
    hall.sync()
    hall.settle()
    assert again(hall, call).state is CallState.OFFERED


def test_an_announcement_whose_end_nobody_tells_is_waited_for_no_longer_than_any(hall: Driver) -> None:
    call = hall.dial("121")
    hall.restart()
    hall.sync()
    hall.advance(hall.rules.limits.announcement_s)
    assert again(hall, call).state is CallState.OFFERED
    assert hall.given(cmd.StopPlayback)


def test_a_caller_who_was_being_let_go_is_let_go(hall: Driver) -> None:
    call = hall.reached(CallState.CONNECTED)
    unseen(hall, hall.leg(call))
    hall.asterisk.connected = False  # our hang-up does not arrive
    hall.tell(ev.LegEnded(hall.leg(call), 16))
    hall.restart()
    hall.sync()
    hall.advance(1.0)
    assert call.channel not in hall.asterisk.channels
    assert hall.cdr(call).released_by is ReleasedBy.AGENT


def test_a_caller_who_leaves_before_the_call_is_taken_up_again_ends_it(hall: Driver) -> None:
    call = hall.dial()
    hall.restart()
    hall.hang_up(again(hall, call))
    hall.sync()
    assert hall.cdr(call).outcome is Outcome.ABANDONED
    assert own_leg(call, 1) not in hall.asterisk.channels


def test_a_defect_in_taking_up_one_call_does_not_cost_the_others(hall: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well = hall.dial(), hall.dial("121")
    monkeypatch.setattr(Waiting, "wait", _fails_for(ill.id))
    hall.restart(without_queue(rulebook(), DESK))
    unseen(hall, own_leg(ill, 1))
    hall.sync()
    assert hall.exchange.counters.defects == 1
    assert hall.cdr(ill).outcome is Outcome.FAILED
    assert hall.notices[-1].kind is NoticeKind.ADOPTED
    assert well.id in {notice.call for notice in hall.notices}


def _fails_for(ill: CallId) -> Callable[[Waiting, Call, datetime, Output], None]:
    wait = Waiting.wait

    def fail(waiting: Waiting, call: Call, at: datetime, out: Output) -> None:
        if call.id == ill:
            raise ZeroDivisionError
        wait(waiting, call, at, out)

    return fail


def test_a_defect_about_a_call_that_is_gone_is_counted(hall: Driver) -> None:
    with hall.exchange.contained(CallId("nobody"), hall.now, Output()):
        hall.exchange.calls[CallId("nobody")].close()
    assert hall.exchange.counters.defects == 1


@pytest.mark.parametrize("kept", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("here", [True, False])
def test_a_history_that_was_torn_in_the_middle_of_a_step_is_gone_on_with(kept: int, here: bool) -> None:
    hall = Driver(rulebook())
    call = hall.dial("123")
    hall.advance(30.0)
    del hall.log[kept if kept < 4 else kept + 2 :]
    hall.restart()
    if not here:
        unseen(hall, call.channel)
    hall.sync()
    if here:
        assert again(hall, call).state is CallState.QUEUED
    else:
        assert hall.cdr(call).call_id == call.id


@pytest.mark.parametrize("steps", ["begun", "left"])
def test_a_history_torn_around_a_step_is_gone_on_with(steps: str) -> None:
    hall = Driver(rulebook())
    call = hall.dial("123")
    hall.advance(30.0)
    kinds = [type(fact) for _, fact in hall.log]
    cut = kinds.index(facts.LeftQueue) + (1 if steps == "left" else 2)
    del hall.log[cut:]
    hall.restart()
    hall.sync()
    assert again(hall, call).queue == "night"


def test_a_history_that_makes_no_sense_is_left_out(hall: Driver) -> None:
    call = hall.dial()
    opened = call.history[0]
    assert isinstance(opened, facts.Opened)
    nonsense: list[list[facts.Fact]] = [
        [],
        [facts.Answered(START)],
        [opened, opened],
        [opened, facts.StepBegun(START, 0)],
        [opened, facts.Queued(START, DESK, 1)],
        [*call.history[:2], facts.Queued(START, DESK, 1), facts.LeftQueue(START), facts.StepBegun(START, 7)],
        [opened, facts.Connected(START)],
        [opened, facts.Released(START, ReleaseReason.DEFECT, 16), facts.Released(START, ReleaseReason.DEFECT, 16)],
    ]
    assert [adopting.remember(history) for history in nonsense] == [None] * len(nonsense)


def test_a_call_that_is_known_is_not_restored_twice(hall: Driver) -> None:
    call = hall.dial()
    assert hall.exchange.restore([call.history]) == ()


def test_an_offer_that_does_not_exist_takes_no_facts() -> None:
    hall = Driver(rulebook())
    call = hall.dial()
    call.state = CallState.OFFERED
    with pytest.raises(ValueError, match="no open offer"):
        call.apply(facts.Rang(hall.now))
    assert call.offer is None


def test_a_call_that_never_was_queued_takes_no_place() -> None:
    hall = Driver(rulebook())
    call = hall.dial("122")
    call.state = CallState.ROUTING
    with pytest.raises(ValueError, match="is not to wait"):
        call.apply(facts.Queued(hall.now, DESK, 1))


def test_a_caller_whose_announcement_ends_before_the_next_daemon_knows_him_stands_in_line_once() -> None:
    hall = Driver(rulebook())
    call = hall.dial("121")
    hall.restart()
    hall.announcement_ends(hall.exchange.calls[call.id])
    hall.sync()
    assert hall.exchange.floor.acd.waiting_in(DESK) == [call.id]
    hall.hang_up(hall.exchange.calls[call.id])
    assert hall.exchange.floor.acd.waiting_in(DESK) == []
