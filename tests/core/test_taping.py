"""Conversations that are recorded: the notice first, one recording for each counselor, silence where it must be."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.call_keys import CallKey, CallKeys
from callrouter.core.call_orders import CallVerb
from callrouter.core.causes import Cause
from callrouter.core.cdr import Cdr
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.fold import fold
from callrouter.core.ids import PromptName, RecordingId
from callrouter.core.output import NoticeKind, Output
from callrouter.core.picture import picture
from callrouter.core.plan import Announce, HangUp, Plan
from callrouter.core.rulebook import QueueSpec, Rulebook, Strategy
from callrouter.core.states import CallState, Signal
from callrouter.core.tapes import CdrTape, MuteReason, TapeResult, TapeRule, TapeState
from callrouter.core.waiting_spec import QueueCare
from callrouter.errors import ImpossibleEventError
from tests.core.driver import CALLS_BACK, DESK, NIGHT, RETURN, SORRY, Driver, agent, rulebook

NOTICE, OTHER_NOTICE = PromptName("notice"), PromptName("other-notice")
PAUSED, RESUMED, REFUSED = PromptName("paused"), PromptName("resumed"), PromptName("refused")
RULE = TapeRule(NOTICE, 60 * 86_400.0)
RECORDED = QueueSpec(DESK, "창원시", recording=RULE)
KEYS = CallKeys(
    {"*90": CallKey(CallVerb.PAUSE_RECORDING)},
    refused=REFUSED,
    recording_paused=PAUSED,
    recording_resumed=RESUMED,
)
DUTY = "duty-desk"


def rules(*queues: QueueSpec, **more: object) -> Rulebook:
    """The queue ``desk`` is recorded, and served by kim and lee."""
    found = rulebook(agent("kim"), agent("lee", NIGHT), queues=(RECORDED, *queues))
    return replace(found, call_keys=KEYS, **more)  # type: ignore[arg-type]


@pytest.fixture
def hall() -> Driver:
    return Driver(rules())


def played(hall: Driver) -> list[str]:
    return [media.rpartition("/")[2] for command in hall.given(cmd.Play) for media in command.media]


def talking(hall: Driver, dialed: str = "120") -> Call:
    """A caller who has heard the notice talks to kim."""
    call = hall.dial(dialed)
    hall.announcement_ends(call)
    hall.pick_up(call)
    assert call.state is CallState.CONNECTED
    return call


def recording(call: Call, number: int = 1) -> RecordingId:
    return naming.talk_recording(call.id, number)


def tape(cdr: Cdr) -> CdrTape:
    (only,) = cdr.tapes
    return only


def alarms(hall: Driver) -> list[str]:
    return [notice.text for notice in hall.notices if notice.kind is NoticeKind.TAPE_FAILED]


def press(hall: Driver, call: Call, keys: str) -> None:
    """The counselor presses keys."""
    for key in keys:
        hall.tell(ev.LegDigit(hall.leg(call), key))


# --- the notice


def test_the_caller_hears_the_notice_before_any_phone_is_rung(hall: Driver) -> None:
    call = hall.dial()
    assert (call.state, played(hall), hall.called()) == (CallState.ANNOUNCING, ["notice"], [])
    begun_at = hall.now
    hall.advance(4.0)
    hall.announcement_ends(call)
    assert hall.called() == ["kim"]
    hall.pick_up(call)
    hall.hang_up(call)
    (notice,) = hall.cdr(call).notices
    assert (notice.prompt, notice.language, notice.begun_at) == (NOTICE, "", begun_at)
    assert notice.heard_at is not None
    assert (notice.heard_at - begun_at).total_seconds() == 4.0
    assert "notice notice: heard" in hall.cdr(call).explanation


def test_who_presses_keys_hears_the_notice_all_the_same(hall: Driver) -> None:
    call = hall.dial()
    hall.press(call, "#")
    assert (call.state, hall.called()) == (CallState.ANNOUNCING, [])


def test_it_is_heard_in_the_language_that_the_caller_chose() -> None:
    hall = Driver(rules(translated={"en": frozenset({NOTICE})}))
    call = hall.dial("127")
    hall.announcement_ends(call)
    hall.press(call, "2")
    assert hall.given(cmd.Play)[-1].media == ("sound:callrouter/en/notice",)
    hall.announcement_ends(call)
    hall.pick_up(call)
    hall.hang_up(call)
    assert hall.cdr(call).notices[0].language == "en"


def test_a_language_that_the_notice_is_not_spoken_in_is_not_claimed(hall: Driver) -> None:
    call = hall.dial("127")
    hall.announcement_ends(call)
    hall.press(call, "2")
    assert hall.given(cmd.Play)[-1].media == ("sound:callrouter/notice",)
    hall.hang_up(call)
    (notice,) = hall.cdr(call).notices
    assert (notice.language, notice.heard_at) == ("", None), "he hung up before its end"


def test_it_is_heard_once_a_call_whatever_queues_he_comes_to() -> None:
    hall = Driver(rules(QueueSpec(NIGHT, "야간", recording=RULE)))
    call = talking(hall)
    hall.order_call("kim", CallVerb.TRANSFER, "night")
    assert (call.queue, played(hall).count("notice")) == (NIGHT, 1)


def test_another_notice_is_another_matter() -> None:
    hall = Driver(rules(QueueSpec(NIGHT, "야간", recording=replace(RULE, notice=OTHER_NOTICE))))
    call = talking(hall)
    hall.order_call("kim", CallVerb.TRANSFER, "night")
    assert (played(hall)[-1], hall.channel(call).music) == ("other-notice", False), "one sound at a time"
    hall.announcement_ends(call)
    assert hall.called() == ["kim", "lee"]


def test_who_is_turned_away_is_told_nothing_of_a_recording() -> None:
    gone = Plan("gone", (Announce(SORRY), HangUp()))
    hall = Driver(rules(replace(RECORDED, care=QueueCare(max_waiting=0, when_full=gone))))
    hall.dial()
    assert played(hall) == ["sorry"]


@pytest.mark.parametrize("how", ["failed", "never"])
def test_who_has_not_heard_it_to_its_end_is_answered_and_not_recorded(hall: Driver, how: str) -> None:
    call = hall.dial()
    assert call.playback is not None
    if how == "failed":
        hall.asterisk.end_playback(call.playback, failed=True)
        hall.settle()
    else:
        hall.advance(hall.rules.limits.announcement_s)
    hall.pick_up(call)
    assert (call.state, hall.asterisk.taped) == (CallState.CONNECTED, {})
    assert hall.order_call("kim", CallVerb.PAUSE_RECORDING).message == f"call {call.id} is not recorded"
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.notices[0].heard_at, cdr.tapes) == (None, ())
    assert "not recorded: the caller has not heard the notice notice to its end" in cdr.explanation
    assert len(alarms(hall)) == 2


def test_who_waits_when_recording_comes_into_force_is_not_recorded() -> None:
    hall = Driver(rulebook())
    call = hall.dial()
    hall.tell(ev.RulebookReplaced(rules()))
    hall.pick_up(call)
    assert hall.given(cmd.RecordTalk) == []
    hall.hang_up(call)
    assert "not recorded: the caller has not heard the notice notice to its end" in hall.cdr(call).explanation


def test_where_nothing_is_recorded_nobody_is_told_anything() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    hall.pick_up(call)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.notices, cdr.tapes, hall.given(cmd.RecordTalk)) == ((), (), [])
    assert "recorded" not in cdr.explanation


def test_a_new_daemon_has_the_notice_played_anew(hall: Driver) -> None:
    call = hall.dial()
    hall.restart()
    hall.sync()
    (call,) = hall.exchange.calls.values()
    assert (call.state, played(hall), hall.called()) == (CallState.ANNOUNCING, ["notice", "notice"], [])
    assert hall.asterisk.playing == {call.playback: call.channel}, "the first was stopped"
    hall.announcement_ends(call)
    hall.pick_up(call)
    assert hall.asterisk.taped
    hall.hang_up(call)
    assert [notice.heard_at is not None for notice in hall.cdr(call).notices] == [False, True]


def test_a_lost_connection_has_the_notice_played_anew(hall: Driver) -> None:
    call = hall.dial()
    hall.lose_site()
    hall.asterisk.playing.clear()
    hall.sync()
    assert (call.state, played(hall)) == (CallState.ANNOUNCING, ["notice", "notice"])
    hall.announcement_ends(call)
    assert hall.called() == ["kim"]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_new_daemon_goes_on_where_the_journal_ends_around_the_notice(hall: Driver, lost: int) -> None:
    call = hall.dial()
    hall.announcement_ends(call)
    kinds = [type(fact) for _, fact in hall.log]
    assert kinds[-3:] == [facts.NoticeOver, facts.Queued, facts.Offered]
    hall.restart(lost=lost)
    hall.sync()
    (call,) = hall.exchange.calls.values()
    assert (call.taped.heard, played(hall)) == ({NOTICE}, ["notice"])
    assert call.state is CallState.OFFERED


def test_a_notice_in_a_step_that_has_none_is_a_defect(hall: Driver) -> None:
    call = hall.dial()
    call.plan = Plan("other", (Announce(SORRY), HangUp()))
    with pytest.raises(ImpossibleEventError, match="where nobody waits"):
        hall.announcement_ends(call)


# --- recording


def test_the_conversation_is_recorded_until_it_ends(hall: Driver) -> None:
    call = talking(hall)
    assert hall.asterisk.taped == {recording(call): call.offer.bridge if call.offer else None}
    hall.advance(35.0)
    hall.hang_up(call)
    assert hall.asterisk.taped == {}
    cdr = hall.cdr(call)
    found = tape(cdr)
    assert (found.recording, found.queue, found.agent, found.notice) == (recording(call), DESK, "kim", NOTICE)
    assert (found.result, found.length_s, found.retention_s, found.muted) == (TapeResult.KEPT, 35.0, 5_184_000.0, ())
    assert "recorded: kim, kept, 35 s; the conversation ended" in cdr.explanation
    assert hall.exchange.counters.tapes == {TapeResult.KEPT: 1}
    assert alarms(hall) == []


def test_it_ends_with_the_counselor_too(hall: Driver) -> None:
    call = talking(hall)
    hall.leg_ends(call)
    assert (hall.asterisk.taped, tape(hall.cdr(call)).why) == ({}, "the conversation ended")


@pytest.mark.parametrize(
    ("can", "why"), [("can_tape", "Asterisk refused to record (500)"), ("full", "it ended, empty, by itself")]
)
def test_what_cannot_be_recorded_is_talked_about_all_the_same(hall: Driver, can: str, why: str) -> None:
    hall.asterisk.can_tape = can != "can_tape"
    call = talking(hall)
    hall.asterisk.end_tape(recording(call), 0.0)
    hall.settle()
    assert call.state is CallState.CONNECTED
    hall.hang_up(call)
    found = tape(hall.cdr(call))
    assert (found.result, found.why) == (TapeResult.FAILED, why)
    assert alarms(hall) == [why]
    assert hall.exchange.counters.tapes == {TapeResult.FAILED: 1}


def test_a_recording_that_ends_by_itself_is_kept_and_told_of(hall: Driver) -> None:
    call = talking(hall)
    hall.asterisk.end_tape(recording(call))
    hall.settle()
    hall.tell(ev.RecordingEnded(recording(call), 10.0))
    hall.hang_up(call)
    assert tape(hall.cdr(call)).result is TapeResult.KEPT
    assert alarms(hall) == ["it ended by itself, before the conversation"]


def test_a_destination_is_not_recorded() -> None:
    hall = Driver(rules())
    call = hall.dial("129")
    hall.pick_up(call)
    hall.tell(ev.LegDigit(hall.leg(call), "1"))
    assert (call.state, hall.asterisk.taped) == (CallState.CONNECTED, {})


# --- pausing


def test_the_counselor_pauses_and_goes_on_with_one_code(hall: Driver) -> None:
    call = talking(hall)
    hall.advance(10.0)
    press(hall, call, "*90")
    assert hall.asterisk.silent == {recording(call)}
    assert played(hall)[-1] == "paused"
    hall.advance(20.0)
    press(hall, call, "*90")
    assert hall.asterisk.silent == set()
    assert played(hall)[-1] == "resumed"
    assert {command.channel for command in hall.given(cmd.Play)[-2:]} == {hall.leg(call)}, "the caller hears nothing"
    hall.advance(5.0)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    (mute,) = tape(cdr).muted
    assert ((mute.until - mute.since).total_seconds(), mute.why, mute.who) == (20.0, "paused", "kim, via phone")
    assert tape(cdr).length_s == 35.0
    assert "recorded: kim, kept, 35 s, paused once; the conversation ended" in cdr.explanation


def test_orders_pause_and_resume_once(hall: Driver) -> None:
    call = talking(hall)
    assert not hall.order_call("kim", CallVerb.RESUME_RECORDING).ok
    assert hall.order_call("kim", CallVerb.PAUSE_RECORDING).message == f"call {call.id}: pause-recording"
    assert not hall.order_call(call.id, CallVerb.PAUSE_RECORDING).ok
    assert hall.order_call("kim", CallVerb.RESUME_RECORDING).ok
    assert hall.order_call("kim", CallVerb.PAUSE_RECORDING).ok
    hall.hang_up(call)
    assert "paused 2 times" in hall.cdr(call).explanation
    assert [mute.who for mute in tape(hall.cdr(call)).muted] == ["boss, via api"] * 2


def test_what_is_not_to_be_paused_is_not() -> None:
    hall = Driver(rules(replace(RECORDED, recording=replace(RULE, pausable=False))))
    call = talking(hall)
    press(hall, call, "*90")
    assert (hall.asterisk.silent, played(hall)[-1]) == (set(), "refused")


def test_nobody_believes_in_a_pause_that_cannot_be_heard_of(hall: Driver) -> None:
    call = talking(hall)
    hall.lose_site()
    answer = hall.order_call("kim", CallVerb.PAUSE_RECORDING)
    assert answer.message == f"site hall cannot be reached: the recording of call {call.id} goes on as it does"
    hall.sync()
    assert hall.asterisk.silent == set()


def test_a_recording_that_cannot_be_paused_is_ended_and_not_kept(hall: Driver) -> None:
    call = talking(hall)
    hall.asterisk.can_mute = False
    press(hall, call, "*90")
    assert (hall.asterisk.taped, call.state) == ({}, CallState.CONNECTED)
    hall.hang_up(call)
    found = tape(hall.cdr(call))
    assert (found.result, found.why) == (TapeResult.FAILED, "it could not be paused: Asterisk did not do it (500)")
    assert alarms(hall) == [found.why]


def test_a_recording_that_cannot_be_taken_up_again_is_ended_and_kept(hall: Driver) -> None:
    call = talking(hall)
    press(hall, call, "*90")
    hall.asterisk.can_mute = False
    press(hall, call, "*90")
    hall.hang_up(call)
    assert tape(hall.cdr(call)).result is TapeResult.KEPT
    assert alarms(hall) == ["it could not be taken up again: Asterisk did not do it (500)"]


def test_a_late_word_of_a_recording_that_is_over_means_nothing(hall: Driver) -> None:
    call = talking(hall)
    hall.tell(ev.MuteFailed(recording(call, 2), True, "late"))
    hall.tell(ev.MuteFailed(RecordingId("other"), True, "not ours"))
    hall.hang_up(call)
    hall.tell(ev.MuteFailed(recording(call), True, "late"))
    assert alarms(hall) == []


# --- hold, consultation, others


@pytest.mark.parametrize("by_phone", [False, True])
def test_what_is_said_while_the_caller_is_on_hold_is_not_heard(hall: Driver, by_phone: bool) -> None:
    call = talking(hall)

    def hold(held: bool) -> None:
        if by_phone:
            hall.tell(ev.LegHeld(hall.leg(call), held))
        else:
            assert hall.order_call("kim", CallVerb.HOLD if held else CallVerb.RESUME).ok

    hold(True)
    assert hall.asterisk.silent == {recording(call)}
    hall.advance(7.0)
    hold(False)
    assert hall.asterisk.silent == set()
    hall.hang_up(call)
    (mute,) = tape(hall.cdr(call)).muted
    assert (mute.why, (mute.until - mute.since).total_seconds(), mute.who) == (MuteReason.HELD, 7.0, "")


def test_who_pauses_while_the_caller_is_on_hold_stays_unheard_until_both_are_over(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.HOLD)
    hall.order_call("kim", CallVerb.PAUSE_RECORDING)
    hall.order_call("kim", CallVerb.RESUME)
    assert hall.asterisk.silent == {recording(call)}
    hall.order_call("kim", CallVerb.RESUME_RECORDING)
    assert hall.asterisk.silent == set()
    assert len(hall.given(cmd.MuteRecording)) == 2


def test_somebody_outside_is_not_recorded(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.CONFERENCE, DUTY)
    assert hall.asterisk.silent == set(), "it only rings there"
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    assert hall.asterisk.silent == {recording(call)}
    hall.asterisk.hang_up(hall.invited(call))
    hall.settle()
    assert hall.asterisk.silent == set()
    hall.hang_up(call)
    assert [mute.why for mute in tape(hall.cdr(call)).muted] == [MuteReason.OUTSIDE]


def test_each_counselor_s_part_is_a_recording_of_its_own(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.PAUSE_RECORDING)
    hall.order_call("kim", CallVerb.CONSULT, "lee")
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    hall.order_call("kim", CallVerb.COMPLETE)
    assert list(hall.asterisk.taped) == [recording(call, 2)]
    assert recording(call, 2) not in hall.asterisk.silent, "who paused has gone"
    hall.hang_up(call)
    assert [(one.agent, one.why) for one in hall.cdr(call).tapes] == [
        ("kim", "passed on"),
        ("lee", "the conversation ended"),
    ]


def test_who_is_passed_on_to_a_phone_that_rings_is_recorded_when_it_is_answered(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.CONSULT, "lee")
    hall.order_call("kim", CallVerb.COMPLETE)
    assert (call.state, hall.asterisk.taped) == (CallState.OFFERED, {})
    hall.pick_up(call)
    assert list(hall.asterisk.taped) == [recording(call, 2)]


def test_who_is_passed_on_outside_is_not_recorded_any_more(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.TRANSFER, DUTY)
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    assert (call.state, hall.asterisk.taped) == (CallState.CONNECTED, {})


def test_a_transfer_to_a_queue_without_recording_ends_it(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.TRANSFER, "night")
    hall.pick_up(call)
    assert (call.state, hall.asterisk.taped) == (CallState.CONNECTED, {})
    hall.hang_up(call)
    assert tape(hall.cdr(call)).why == "sent on"


# --- what dies meanwhile


def test_a_new_daemon_goes_on_with_the_recording_and_its_pause(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.PAUSE_RECORDING)
    hall.asterisk.silent.clear()  # the order never came there
    hall.restart()
    hall.sync()
    (call,) = hall.exchange.calls.values()
    assert list(hall.asterisk.taped) == [recording(call)]
    assert hall.asterisk.silent == {recording(call)}
    press(hall, call, "*90")
    assert hall.asterisk.silent == set()
    hall.hang_up(call)
    assert len(tape(hall.cdr(call)).muted) == 1
    assert alarms(hall) == []


def test_a_new_daemon_ends_the_recording_of_who_left_meanwhile(hall: Driver) -> None:
    call = talking(hall)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(call.channel)
    hall.restart()
    hall.sync()
    assert hall.asterisk.taped == {}
    assert tape(hall.cdr(call)).result is TapeResult.KEPT


def test_a_recording_that_ended_while_nobody_looked_is_told_of(hall: Driver) -> None:
    call = talking(hall)
    hall.lose_site()
    hall.asterisk.end_tape(recording(call))
    hall.sync()
    assert alarms(hall) == ["it ended by itself, before the conversation"]
    hall.hang_up(call)
    assert tape(hall.cdr(call)).result is TapeResult.KEPT


def test_an_end_that_was_not_heard_of_is_ordered_again(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.CONSULT, "lee")
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    hall.order_call("kim", CallVerb.COMPLETE)
    bridge = hall.asterisk.taped[recording(call, 2)]
    hall.asterisk.taped[recording(call)] = bridge  # it was never stopped
    hall.lose_site()
    hall.sync()
    assert list(hall.asterisk.taped) == [recording(call, 2)]


def test_a_conversation_whose_recording_the_journal_lost_is_recorded_under_the_same_name(hall: Driver) -> None:
    call = talking(hall)
    assert isinstance(hall.log[-1][1], facts.TapeBegun)
    hall.restart(lost=1)
    hall.sync()
    assert [command.recording for command in hall.given(cmd.RecordTalk)] == [recording(call)] * 2
    assert list(hall.asterisk.taped) == [recording(call)]


def test_a_hold_that_was_kept_without_its_silence_is_silent_with_the_new_daemon(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.HOLD)
    assert [type(fact) for _, fact in hall.log[-2:]] == [facts.Held, facts.TapeMuted]
    hall.asterisk.silent.clear()
    hall.restart(lost=1)
    hall.sync()
    assert hall.asterisk.silent == {recording(call)}


def test_facts_of_a_recording_that_never_was_are_refused(hall: Driver) -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial()
    hall.pick_up(call)
    for fact in (
        facts.TapeMuted(hall.now, MuteReason.PAUSED),
        facts.TapeUnmuted(hall.now, MuteReason.PAUSED),
        facts.TapeEnded(hall.now, TapeResult.KEPT, ""),
    ):
        with pytest.raises(ValueError, match="nothing is being recorded"):
            call.apply(fact)


def test_a_silence_that_is_ended_twice_was_one(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.PAUSE_RECORDING)
    hall.order_call("kim", CallVerb.RESUME_RECORDING)
    call.apply(facts.TapeUnmuted(hall.now, MuteReason.PAUSED))
    hall.hang_up(call)
    assert len(tape(hall.cdr(call)).muted) == 1


@pytest.mark.parametrize(
    ("orders", "state"),
    [
        ([], TapeState.ON),
        ([CallVerb.HOLD], TapeState.SILENT),
        ([CallVerb.PAUSE_RECORDING, CallVerb.HOLD], TapeState.PAUSED),
    ],
)
def test_who_looks_sees_how_the_recording_stands(hall: Driver, orders: list[CallVerb], state: TapeState) -> None:
    talking(hall)
    for verb in orders:
        assert hall.order_call("kim", verb).ok
    assert [one.recording for one in picture(hall.exchange, hall.now).calls] == [state]


def test_a_recording_that_ends_as_ordered_is_no_stranger(hall: Driver) -> None:
    call = talking(hall)
    hall.hang_up(call)
    assert (hall.exchange.counters.unknown_channel, hall.exchange.counters.stale) == (0, {})


def test_a_record_is_made_of_what_no_daemon_saw_the_end_of(hall: Driver) -> None:
    call = talking(hall)
    hall.order_call("kim", CallVerb.PAUSE_RECORDING)
    history = [*call.history, facts.Released(hall.now, facts.ReleaseReason.VANISHED, 0)]
    found = tape(fold(history))
    assert (found.why, len(found.muted)) == ("its end was not seen", 1)


def test_timers_of_the_notice_end_with_it(hall: Driver) -> None:
    call = hall.dial()
    hall.announcement_ends(call)
    assert TimerKind.ANNOUNCEMENT not in call.timers


def test_what_was_being_recorded_of_a_call_that_is_gone_when_the_next_daemon_looks_is_deleted(hall: Driver) -> None:
    call = talking(hall)
    hall.asterisk.connected = False
    for channel in (hall.leg(call), call.channel):
        hall.asterisk.hang_up(channel)
    hall.restart(lost=1)  # that a recording began
    hall.commands.clear()
    hall.sync()
    deleted = [command.recording for command in hall.given(cmd.DeleteRecording)]
    assert deleted == [command.recording for command in hall.given(cmd.StopRecording)] == [recording(call)]


# --- residents who are called back


def calls_back(*names: str, **more: object) -> Rulebook:
    """The queue ``desk`` calls back, and is recorded."""
    queue = replace(CALLS_BACK, recording=RULE, **more)  # type: ignore[arg-type]
    return rulebook(*(agent(name) for name in names or ("kim",)), queues=[queue])


def heard_by(hall: Driver) -> list[tuple[str, str]]:
    """On which leg what was played, in order."""
    return [
        (command.channel.rpartition("-")[2], media.rpartition("/")[2])
        for command in hall.given(cmd.Play)
        for media in command.media
    ]


def told(hall: Driver) -> Call:
    """A resident who was called back has heard who calls, and is being told that he will be recorded."""
    call = hall.reached(CallState.GREETING)
    hall.announcement_ends(call)
    assert (call.state, call.taped.notice) == (CallState.GREETING, NOTICE)
    return call


@pytest.fixture
def returning() -> Driver:
    return Driver(calls_back())


def test_a_resident_is_told_when_he_has_heard_who_calls_and_the_counselor_hears_that_he_is(returning: Driver) -> None:
    call = told(returning)
    assert heard_by(returning) == [
        ("1", "to-agent"),
        ("1", "tone:ring"),
        ("2", "greeting"),
        ("2", "notice"),
        ("1", "notice"),
    ]
    assert set(returning.asterisk.playing.values()) == {returning.leg(call), call.channel}, "the ringing tone is over"
    returning.advance(4.0)
    returning.announcement_ends(call)

    assert (call.state, returning.asterisk.playing) == (CallState.CONNECTED, {})
    assert list(returning.asterisk.taped) == [recording(call)]
    returning.advance(60.0)
    returning.leg_ends(call)
    cdr = returning.cdr(call)
    (notice,) = cdr.notices
    assert notice.heard_at is not None
    assert (notice.heard_at - notice.begun_at).total_seconds() == 4.0
    assert (tape(cdr).result, tape(cdr).length_s) == (TapeResult.KEPT, 60.0)


def test_a_resident_who_hears_nothing_else_is_told_as_soon_as_he_answers() -> None:
    hall = Driver(calls_back(call_back=replace(RETURN, to_resident=None)))
    call = hall.reached(CallState.GREETING)
    assert heard_by(hall)[-2:] == [("2", "notice"), ("1", "notice")]
    hall.announcement_ends(call)
    assert (call.state, list(hall.asterisk.taped)) == (CallState.CONNECTED, [recording(call)])


def test_a_resident_to_whom_the_notice_could_not_be_played_talks_and_is_not_recorded(returning: Driver) -> None:
    call = told(returning)
    assert call.playback is not None
    returning.asterisk.end_playback(call.playback, failed=True)
    returning.settle()
    assert (call.state, returning.asterisk.taped, returning.asterisk.playing) == (CallState.CONNECTED, {}, {})
    assert alarms(returning)[0] == "the notice notice was not heard to its end: Asterisk could not play it"


def test_a_notice_whose_end_is_not_seen_keeps_nobody_waiting(returning: Driver) -> None:
    call = told(returning)
    returning.advance(returning.rules.limits.announcement_s)
    assert (call.state, returning.asterisk.taped, returning.asterisk.playing) == (CallState.CONNECTED, {}, {})
    assert "its end was not seen" in alarms(returning)[0]


def test_a_resident_who_hangs_up_while_he_is_told_is_called_again_and_told_again(returning: Driver) -> None:
    call = told(returning)
    returning.resident_ends(call, Cause.NORMAL_CLEARING)
    assert (call.state, call.vain, call.taped.notice) == (CallState.POSTPONED, 1, None)
    assert returning.agent("kim").state is AgentState.AVAILABLE
    returning.advance(600.0)
    returning.pick_up(call)
    returning.resident_answers(call)
    returning.announcement_ends(call)
    returning.announcement_ends(call)
    assert list(returning.asterisk.taped) == [recording(call)]
    returning.leg_ends(call)
    assert [notice.heard_at is not None for notice in returning.cdr(call).notices] == [False, True]


def waiting_on(hall: Driver) -> Call:
    """A resident waits on in line: his counselor has hung up while he was told."""
    call = told(hall)
    hall.leg_ends(call)
    assert (call.state, call.is_absent, call.taped.notice) == (CallState.QUEUED, False, None)
    return call


@pytest.mark.parametrize("prompt", [None, PromptName("desk-calls")])
def test_a_resident_whose_counselor_hangs_up_while_he_is_told_is_told_before_he_talks_to_the_next(
    prompt: PromptName | None,
) -> None:
    hall = Driver(calls_back(agent_prompt=prompt))
    call = waiting_on(hall)
    assert hall.asterisk.channels[call.channel].music
    hall.advance(2.0)
    hall.pick_up(call)
    if prompt is not None:
        assert call.state is CallState.BRIEFING
        hall.announcement_ends(call)
    assert (call.state, hall.asterisk.channels[call.channel].music) == (CallState.GREETING, False)
    assert heard_by(hall)[-2:] == [("2", "notice"), ("3", "notice")]
    hall.announcement_ends(call)
    assert (call.state, list(hall.asterisk.taped)) == (CallState.CONNECTED, [recording(call)])


def test_a_resident_who_waited_on_and_hangs_up_while_he_is_told_is_not_called_again(returning: Driver) -> None:
    call = waiting_on(returning)
    returning.advance(2.0)
    returning.pick_up(call)
    returning.resident_ends(call, Cause.NORMAL_CLEARING)
    assert (returning.exchange.calls, returning.asterisk.channels) == ({}, {})
    assert [notice.heard_at for notice in returning.cdr(call).notices] == [None, None]


def test_whoever_of_several_answers_a_resident_who_waits_on_hears_that_he_is_told() -> None:
    hall = Driver(calls_back("kim", "lee", "park", strategy=Strategy.RING_ALL))
    call = told(hall)
    hall.leg_ends(call)
    (other,) = call.others
    hall.asterisk.pick_up(other)
    hall.settle()
    assert (call.state, call.taped.notice) == (CallState.GREETING, NOTICE)
    hall.announcement_ends(call)
    assert hall.together(call) == {call.channel, other}


def test_a_wait_that_runs_out_while_the_resident_is_told_is_remembered(returning: Driver) -> None:
    call = told(returning)
    returning.exchange.signal(call, Cue(Signal.WAIT_OVER), returning.now, Output())
    assert (call.state, call.wait_over) == (CallState.GREETING, True)


@pytest.mark.parametrize("restarts", [True, False])
def test_who_was_being_told_when_nobody_saw_it_is_told_anew_and_so_is_the_counselor(
    returning: Driver, restarts: bool
) -> None:
    call = told(returning)
    if restarts:
        returning.restart()
    else:
        returning.lose_site()
    returning.sync()
    call = returning.exchange.calls[call.id]
    assert (call.state, call.taped.notice) == (CallState.GREETING, NOTICE)
    assert sorted(returning.asterisk.playing.values()) == sorted([call.channel, returning.leg(call)])
    returning.announcement_ends(call)
    assert (call.state, list(returning.asterisk.taped)) == (CallState.CONNECTED, [recording(call)])
    returning.leg_ends(call)
    assert [notice.heard_at is not None for notice in returning.cdr(call).notices] == [False, True]


def test_the_next_daemon_tells_who_was_hearing_who_calls(returning: Driver) -> None:
    call = returning.reached(CallState.GREETING)
    returning.restart()
    returning.sync()
    call = returning.exchange.calls[call.id]
    assert (call.state, call.taped.notice) == (CallState.GREETING, NOTICE)
    assert sorted(returning.asterisk.playing.values()) == sorted([call.channel, returning.leg(call)])
    returning.announcement_ends(call)
    assert list(returning.asterisk.taped) == [recording(call)]


def test_the_next_daemon_has_a_resident_wait_on_whose_counselor_is_gone(returning: Driver) -> None:
    call = told(returning)
    returning.asterisk.connected = False
    returning.asterisk.hang_up(returning.leg(call))
    returning.rules = calls_back("lee")
    returning.restart()
    returning.sync()
    call = returning.exchange.calls[call.id]
    assert (call.state, call.taped.notice) == (CallState.OFFERED, None)
    returning.pick_up(call)
    assert (call.state, call.taped.notice) == (CallState.GREETING, NOTICE)


def test_a_notice_to_nobody_is_refused(returning: Driver) -> None:
    call = returning.ask()
    with pytest.raises(ValueError, match="nobody at the phone who was called back"):
        call.apply(facts.NoticeBegun(returning.now, NOTICE))


def test_who_has_been_told_is_not_told_again_by_the_next_counselor(returning: Driver) -> None:
    call = told(returning)
    returning.announcement_ends(call)
    assert returning.order_call(call.id, CallVerb.TRANSFER, DESK).ok
    returning.advance(60.0)
    returning.pick_up(call)
    assert (call.state, list(returning.asterisk.taped)) == (CallState.CONNECTED, [recording(call, 2)])
