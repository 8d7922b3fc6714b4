"""Messages of callers: greeted, recorded, kept or not, whoever ends them and whatever dies meanwhile."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.cdr import Outcome, RecordingResult, ReleasedBy
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.fold import fold
from callrouter.core.ids import RecordingId
from callrouter.core.output import NoticeKind
from callrouter.core.plan import Announce, HangUp, Plan
from callrouter.core.recording import OVERDUE_S
from callrouter.core.rulebook import Limits
from callrouter.core.states import CallState
from callrouter.errors import ImpossibleEventError
from tests.core.driver import BOX, MESSAGE, NIGHT, SORRY, Driver, agent, rulebook


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook())


def played(hall: Driver) -> list[str]:
    return [media.rpartition("/")[2] for command in hall.given(cmd.Play) for media in command.media]


def speaking(hall: Driver, dialed: str = "140") -> Call:
    """A caller who has heard the greeting and speaks."""
    call = hall.dial(dialed)
    hall.announcement_ends(call)
    assert call.recording is not None
    return call


def test_the_greeting_ends_with_a_beep_and_only_then_is_recorded(hall: Driver) -> None:
    call = hall.dial("140")
    assert (call.state, call.answered) == (CallState.RECORDING, True)
    assert played(hall) == ["greeting", "sound:beep"]
    assert hall.given(cmd.Record) == []
    hall.announcement_ends(call)
    (record,) = hall.given(cmd.Record)
    assert (record.recording, record.max_s, record.silence_s, record.end_key) == (
        naming.recording(call.id, 1),
        180.0,
        5.0,
        "#",
    )


def test_a_message_that_silence_or_a_key_ends_is_thanked_for_and_the_line_closed(hall: Driver) -> None:
    call = speaking(hall)
    hall.press(call, "#")
    hall.recording_ends(call, 12.0)
    assert (call.state, played(hall)[-1]) == (CallState.ANNOUNCING, "thanks")
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by) == (Outcome.VOICEMAIL, ReleasedBy.SYSTEM)
    (message,) = cdr.messages
    assert (message.recording, message.box, message.length_s) == (naming.recording(call.id, 1), BOX, 12.0)
    assert cdr.explanation.endswith("message for letters: kept, 12 s")
    assert [(notice.kind, notice.text) for notice in hall.notices] == [
        (NoticeKind.MESSAGE, "a message of 12 s is in box letters")
    ]
    assert hall.exchange.counters.recordings == {RecordingResult.KEPT: 1}


def test_a_caller_who_hangs_up_while_speaking_has_left_a_message(hall: Driver) -> None:
    call = speaking(hall)
    hall.advance(7.0)
    left_at = hall.now
    hall.asterisk.hang_up(call.channel)
    hall.handle(hall.inbox.pop(0))
    assert call.state is CallState.CLEARING, "its length is about to be told"
    hall.now = left_at.replace(microsecond=300_000)
    hall.settle()
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by, cdr.ended_at) == (Outcome.VOICEMAIL, ReleasedBy.CALLER, left_at)
    assert cdr.messages[0].length_s == 10.0


def test_a_message_counts_from_its_least_length_on(hall: Driver) -> None:
    call = speaking(hall)
    hall.recording_ends(call, MESSAGE.min_s)
    assert played(hall)[-1] == "thanks"


@pytest.mark.parametrize("length_s", [0.0, 1.0])
def test_who_says_nothing_has_left_no_message_and_its_file_is_deleted(hall: Driver, length_s: float) -> None:
    call = speaking(hall)
    recording = call.recording
    hall.advance(5.0)
    hall.recording_ends(call, length_s)
    assert played(hall)[-1] == "sorry"
    assert [command.recording for command in hall.given(cmd.DeleteRecording)] == [recording]
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.messages) == (Outcome.ABANDONED, ())
    assert cdr.explanation.endswith("message for letters: too-short")


def test_who_hangs_up_without_a_word_has_abandoned(hall: Driver) -> None:
    call = speaking(hall)
    hall.asterisk.speech_s = 0.0
    hall.hang_up(call)
    assert (hall.cdr(call).outcome, hall.asterisk.stored) == (Outcome.ABANDONED, set())


def test_who_hangs_up_during_the_greeting_has_abandoned_at_once(hall: Driver) -> None:
    call = hall.dial("140")
    hall.hang_up(call)
    assert (hall.cdr(call).outcome, hall.given(cmd.Record)) == (Outcome.ABANDONED, [])


def test_asterisk_that_cannot_record_ends_at_once_and_the_caller_is_told(hall: Driver) -> None:
    hall.asterisk.speech_s = None
    call = hall.dial("140")
    hall.announcement_ends(call)
    assert (call.state, played(hall)[-1]) == (CallState.ANNOUNCING, "sorry")
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.messages) == (Outcome.FAILED, ())
    assert cdr.explanation.endswith("message for letters: failed: it ended, empty, sooner than silence ends it")
    assert [notice.kind for notice in hall.notices] == [NoticeKind.RECORDING_FAILED]


@pytest.mark.parametrize(("after_s", "outcome"), [(2.1, Outcome.FAILED), (MESSAGE.silence_s, Outcome.ABANDONED)])
def test_a_full_disk_that_shows_after_two_seconds_is_no_silence(hall: Driver, after_s: float, outcome: Outcome) -> None:
    call = speaking(hall)
    hall.advance(after_s)
    hall.recording_ends(call, 0.0)
    hall.announcement_ends(call)
    assert hall.cdr(call).outcome is outcome


def test_a_key_pressed_at_once_is_a_caller_who_says_nothing_and_no_failure(hall: Driver) -> None:
    call = speaking(hall)
    hall.press(call, "#")
    hall.recording_ends(call, 0.0)
    hall.announcement_ends(call)
    assert hall.cdr(call).outcome is Outcome.ABANDONED


def test_a_key_pressed_during_the_greeting_means_nothing(hall: Driver) -> None:
    call = hall.dial("140")
    hall.press(call, "#")
    assert (call.state, call.key_pressed, hall.given(cmd.Record)) == (CallState.RECORDING, False, [])


def test_a_failure_that_asterisk_tells_is_on_the_record_and_the_plan_goes_on(hall: Driver) -> None:
    call = hall.dial("141")
    hall.advance(30.0)
    hall.announcement_ends(call)
    assert call.recording is not None
    hall.tell(ev.RecordingFailed(call.recording, "disk full"))
    assert played(hall)[-1] == "sorry"
    hall.announcement_ends(call)
    assert (call.state, call.queue) == (CallState.QUEUED, NIGHT)
    assert (
        "message for letters: failed: disk full"
        in fold([*call.history, facts.Released(hall.now, ReleaseReason.CALLER_HUNG_UP, 16)]).explanation
    )


def test_a_counselor_who_answers_after_a_message_has_handled_the_call() -> None:
    hall = Driver(rulebook(agent("kim", NIGHT)))
    call = hall.dial("141")
    hall.advance(30.0)
    hall.announcement_ends(call)
    hall.recording_ends(call)
    hall.announcement_ends(call)
    hall.pick_up(call)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, len(cdr.messages)) == (Outcome.HANDLED, 1)


def test_a_recording_that_does_not_end_is_ended_by_us_and_kept(hall: Driver) -> None:
    call = speaking(hall)
    hall.asterisk.connected = False
    hall.advance(MESSAGE.max_s + OVERDUE_S)
    assert [command.recording for command in hall.given(cmd.StopRecording)] == [naming.recording(call.id, 1)]
    ended = [fact for fact in call.history if isinstance(fact, facts.RecordingEnded)]
    assert [(fact.result, fact.length_s) for fact in ended] == [(RecordingResult.KEPT, MESSAGE.max_s)]
    assert played(hall)[-1] == "thanks"


def test_the_dead_mans_switch_outlasts_the_message_and_is_short_again_after_it(hall: Driver) -> None:
    call = hall.dial("140")
    hall.advance(16.0)
    hall.announcement_ends(call)
    hall.advance(100.0)
    hall.recording_ends(call)
    during = MESSAGE.max_s + OVERDUE_S + Limits().dead_man_s
    assert [(command.after_s, command.playing) for command in hall.given(cmd.SetDeadMan)] == [
        (30.0, False),
        (30.0, True),
        (during, False),
        (30.0, False),
    ]


def test_a_message_and_its_end_that_come_twice_count_once(hall: Driver) -> None:
    call = speaking(hall)
    recording, greeting = call.recording, call.playback
    assert recording is not None
    assert greeting is not None
    hall.tell(ev.PlaybackEnded(greeting))
    hall.recording_ends(call)
    hall.tell(ev.RecordingEnded(recording, 10.0))
    hall.tell(ev.RecordingFailed(recording, "late"))
    assert len(hall.given(cmd.Record)) == 1
    assert hall.exchange.counters.recordings.total() == 1
    hall.tell(ev.RecordingEnded(RecordingId("somebody's"), 3.0))
    assert hall.exchange.counters.unknown_channel == 1
    assert hall.exchange.concerns(ev.RecordingEnded(recording)) == call.id


def test_a_message_goes_on_under_the_next_daemon(hall: Driver) -> None:
    call = speaking(hall)
    hall.advance(60.0)
    hall.restart()
    hall.sync()
    again = hall.exchange.calls[call.id]
    assert (again.state, again.recording) == (CallState.RECORDING, call.recording)
    assert len(hall.given(cmd.Record)) == 1
    due = hall.timers[TimerKind.RECORDING, call.id]
    assert (due - hall.now).total_seconds() == MESSAGE.max_s + OVERDUE_S - 60.0
    hall.recording_ends(again, 70.0)
    hall.announcement_ends(again)
    assert hall.cdr(call).messages[0].length_s == 70.0


def test_a_message_that_ended_while_no_daemon_ran_is_thanked_for_by_the_next(hall: Driver) -> None:
    call = speaking(hall)
    assert call.recording is not None
    hall.advance(20.0)
    hall.asterisk.end_recording(call.recording, 20.0)
    hall.restart()
    hall.sync()
    assert played(hall)[-1] == "thanks"
    hall.announcement_ends(hall.exchange.calls[call.id])
    assert hall.cdr(call).messages[0].length_s == 20.0


def test_who_hung_up_while_no_daemon_ran_has_left_what_was_spoken(hall: Driver) -> None:
    call = speaking(hall)
    hall.advance(8.0)
    hall.asterisk.hang_up(call.channel)
    hall.restart()
    hall.sync()
    cdr = hall.cdr(call)
    assert (cdr.outcome, [message.length_s for message in cdr.messages]) == (Outcome.VOICEMAIL, [8.0])
    assert "ended_at is an estimate" in cdr.explanation


def test_a_message_of_which_asterisk_has_nothing_is_none(hall: Driver) -> None:
    call = speaking(hall)
    hall.asterisk.hang_up(call.channel)
    hall.asterisk.stored.clear()
    hall.restart()
    hall.sync()
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.messages) == (Outcome.FAILED, ())


def recorded(hall: Driver) -> list[RecordingId]:
    return [command.recording for command in hall.given(cmd.Record)]


def test_a_greeting_is_heard_to_its_end_and_the_beep_although_the_daemon_died(hall: Driver) -> None:
    call = hall.dial("140")
    hall.restart()
    hall.sync()
    hall.sync()
    assert (recorded(hall), hall.given(cmd.StopPlayback), hall.given(cmd.AskRecording)) == ([], [], [])
    hall.announcement_ends(call)
    assert recorded(hall) == [naming.recording(call.id, 1)]


def test_who_heard_the_greeting_to_its_end_while_there_was_no_daemon_may_speak(hall: Driver) -> None:
    call = hall.dial("140")
    hall.restart()
    hall.asterisk.end_playback(naming.playback(call.id, 1))
    hall.inbox.clear()
    hall.sync()
    assert recorded(hall) == [naming.recording(call.id, 1)]
    assert hall.given(cmd.AskRecording) == []


def test_a_message_that_ends_while_the_site_is_away_is_asked_for(hall: Driver) -> None:
    call = speaking(hall)
    recording = call.recording
    assert recording is not None
    hall.lose_site()
    hall.advance(9.0)
    hall.asterisk.end_recording(recording)
    hall.sync()
    assert [command.recording for command in hall.given(cmd.AskRecording)] == [recording]
    assert (call.state, played(hall)[-1]) == (CallState.ANNOUNCING, "thanks")


@pytest.mark.parametrize("lost", range(1, 8))
def test_a_history_torn_at_any_place_loses_no_message(hall: Driver, lost: int) -> None:
    call = speaking(hall)
    hall.advance(10.0)
    hall.recording_ends(call, 10.0)
    hall.restart(lost=min(lost, len(hall.log) - 1))
    hall.sync()
    for _ in range(4):
        known = hall.exchange.calls.get(call.id)
        if known is not None and known.recording in hall.asterisk.recording:
            hall.recording_ends(known)
        elif known is not None and known.playback in hall.asterisk.playing:
            hall.announcement_ends(known)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.messages[0].recording) == (Outcome.VOICEMAIL, naming.recording(call.id, 1))


@pytest.mark.parametrize("spoken_s", [1.0, 60.0])
def test_an_end_that_nobody_saw_is_presumed_when_the_caller_left(hall: Driver, spoken_s: float) -> None:
    call = speaking(hall)
    hall.advance(spoken_s)
    cdr = fold([*call.history, facts.Released(hall.now, ReleaseReason.VANISHED, 0, estimated=True)])
    kept = spoken_s >= MESSAGE.min_s
    assert cdr.outcome is (Outcome.VOICEMAIL if kept else Outcome.ABANDONED)
    assert [message.length_s for message in cdr.messages] == ([spoken_s] if kept else [])
    assert "its end was not seen" in cdr.explanation


def test_an_end_without_a_beginning_says_nothing(hall: Driver) -> None:
    call = hall.dial("140")
    ended = facts.RecordingEnded(hall.now, RecordingResult.KEPT, 3.0)
    cdr = fold([*call.history, ended, facts.Released(hall.now, ReleaseReason.VANISHED, 0)])
    assert cdr.messages == ()
    with pytest.raises(ValueError, match="has no recording"):
        call.apply(ended)


def test_a_call_that_is_given_up_stops_recording_first_and_keeps_what_was_said(hall: Driver) -> None:
    call = speaking(hall)
    hall.advance(20.0)
    hall.asterisk.connected = False
    hall.carry_out(hall.exchange.give_up(call.id, hall.now, "a defect"))
    kinds = [type(command) for command in hall.commands]
    assert kinds.index(cmd.StopRecording) < kinds.index(cmd.ContinueInDialplan)
    hall.asterisk.connected = True
    recording = call.recording
    assert recording is not None
    hall.tell(ev.RecordingEnded(recording, 20.0))
    assert call.state is CallState.CLEARING, "the channel is still to leave"
    hall.tell(ev.CallerLeft(call.channel))
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.messages[0].length_s) == (Outcome.VOICEMAIL, 20.0)


def test_a_message_is_taken_by_no_step_of_another_kind(hall: Driver) -> None:
    call = speaking(hall)
    call.plan = Plan("other", (Announce(SORRY), HangUp()))
    assert call.recording is not None
    with pytest.raises(ImpossibleEventError, match="which takes no message"):
        hall.exchange.handle(ev.RecordingEnded(call.recording, 5.0), hall.now)


def test_a_box_that_is_gone_after_a_reload_still_takes_the_message_that_is_spoken(hall: Driver) -> None:
    call = speaking(hall)
    hall.tell(ev.RulebookReplaced(replace(rulebook(), boxes={})))
    hall.hang_up(call)
    assert hall.cdr(call).messages[0].box == BOX
