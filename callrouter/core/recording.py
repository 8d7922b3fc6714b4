"""Messages: a greeting, a beep, what the caller says, and whether it is kept. The actions of the state ``recording``.

Asterisk ends a recording by itself: with a key, with silence, at the greatest length, or when the caller hangs up. It
counts what was spoken in whole seconds, and ends one that it could not begin (no room, no right to write) as if it had
recorded nothing.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from callrouter.core import commands as cmd
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.cdr import RecordingResult
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import RecordingId
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.plan import Voicemail
from callrouter.core.states import Signal
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

BEEP: Final = "sound:beep"
"""Asterisk's own. Part of the greeting: an Asterisk that is to beep by itself, and lacks the sound, records nothing."""

OVERDUE_S: Final = 5.0
"""A recording that has not ended so long after its greatest length is ended by us."""

_GONE: Final = frozenset({ReleaseReason.CALLER_HUNG_UP, ReleaseReason.VANISHED, ReleaseReason.TAKEN_AWAY})


class Recording:
    """Takes messages, for the :class:`~callrouter.core.conduct.Conduct` whose plans say so."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def greet(self, call: Call, step: Voicemail, at: datetime, out: Output) -> None:
        """Play the greeting, and the beep."""
        self._conduct.following.play(call, (step.greeting,), at, out, more=(BEEP,))

    def begin(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The greeting is over: record.

        The dead man's switch cannot be renewed while Asterisk records, which it would have wait for the end. So it is
        set for as long as that may last.
        """
        if call.recording is not None:  # told once more: we stopped the greeting ourselves
            return
        step = self._step(call)
        self._conduct.following.playback_over(call, out)
        recording = naming.recording(call.id, call.recordings + 1)
        self._conduct.record(call, facts.RecordingBegun(at, recording, step.box, step.min_s), out)
        self._conduct.cancel_timer(call, TimerKind.DEAD_MAN, out)
        self._speak(call, recording, out)
        self._conduct.set_timer(call, TimerKind.RECORDING, step.max_s + OVERDUE_S, out)

    def _speak(self, call: Call, recording: RecordingId, out: Output, *, playing: bool = False) -> None:
        """Record, with the dead man's switch set for as long as that may last.

        ``playing``: he may be speaking already, and the switch waits for the end of that.
        """
        step = self._step(call)
        after_s = step.max_s + OVERDUE_S + self._conduct.floor.rulebook.limits.dead_man_s
        out.commands.append(cmd.SetDeadMan(call.site, call.id, call.channel, after_s, playing=playing))
        out.commands.append(
            cmd.Record(call.site, call.id, call.channel, recording, step.max_s, step.silence_s, step.end_key)
        )

    def note_key(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Asterisk sees to the key that ends the recording; others mean nothing."""
        call.key_pressed = call.recording is not None

    def over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The recording is over, and the caller still there."""
        self._close(call, cue, at, out)
        self.tell(call, at, out)

    def due(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """It should have ended long ago."""
        self.stop(call, out)
        self.over(call, cue, at, out)

    def caller_left(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller hung up: during the greeting, or at the end of a message whose length we are about to hear."""
        if call.recording is None:
            self._conduct.caller_left(call, cue, at, out)
            return
        self._conduct.cancel_timer(call, TimerKind.RECORDING, out)
        if cue.estimated:
            self.ask(call, call.recording, out)
        self._conduct.caller_left_behind(call, cue, at, out)

    def close(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The recording is over, and the call, too, unless its channel is still to leave."""
        if call.recording is None:
            return
        self._close(call, cue, at, out)
        if call.released is not None and call.released.reason in _GONE:
            self._conduct.finish(call, cue, at, out)

    def stop(self, call: Call, out: Output) -> None:
        """End the recording, if there is one: what is to be done with the channel next would wait for its end."""
        if call.recording is not None:
            out.commands.append(cmd.StopRecording(call.site, call.id, call.recording))

    def ask(self, call: Call, recording: RecordingId, out: Output) -> None:
        """Find out whether the recording is over: that may have been said while nobody listened."""
        out.commands.append(cmd.AskRecording(call.site, call.id, recording))

    def go_on_with(self, call: Call, at: datetime, out: Output) -> None:
        """Take up a call of an earlier daemon: who was greeted hears the rest of it, and who speaks goes on.

        That Asterisk is asked whether he still does comes with the dead man's switch.
        """
        if call.recording is None or call.recording_at is None:
            self._conduct.following.hear_out(call, out)
            return
        if call.in_doubt:  # said twice, Asterisk goes on with the first; or adds to it, if that is over
            self._speak(call, call.recording, out, playing=True)
        left_s = self._step(call).max_s + OVERDUE_S - (at - call.recording_at).total_seconds()
        self._conduct.set_timer(call, TimerKind.RECORDING, max(0.0, left_s), out)

    def _close(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Say what became of the recording."""
        recording, step = call.recording, self._step(call)
        self._conduct.cancel_timer(call, TimerKind.RECORDING, out)
        ended = self._ended(call, step, cue, at)
        self._conduct.record(call, ended, out)
        self._conduct.counters.recordings[ended.result] += 1
        kind = NoticeKind.RECORDING_FAILED if ended.result is RecordingResult.FAILED else NoticeKind.MESSAGE
        words = {
            RecordingResult.KEPT: f"a message of {ended.length_s:.0f} s is in box {step.box}",
            RecordingResult.TOO_SHORT: f"no message for box {step.box}: nothing was said",
            RecordingResult.FAILED: f"no message for box {step.box}: {ended.why}",
        }
        out.notices.append(Notice(kind, call.id, words[ended.result]))
        if ended.result is RecordingResult.TOO_SHORT and recording is not None:
            out.commands.append(cmd.DeleteRecording(call.site, call.id, recording))

    def _ended(self, call: Call, step: Voicemail, cue: Cue, at: datetime) -> facts.RecordingEnded:
        """What is to be thought of a recording that has ended so."""
        until = call.released.at if call.released is not None else at
        lasted = until - call.recording_at if call.recording_at is not None else timedelta()
        if cue.signal is Signal.RECORDING_FAILED:
            return facts.RecordingEnded(at, RecordingResult.FAILED, 0.0, cue.why)
        by_itself = not call.key_pressed and call.released is None
        if cue.length_s == 0 and by_itself and lasted.total_seconds() < step.silence_s:
            return facts.RecordingEnded(at, RecordingResult.FAILED, 0.0, "it ended, empty, sooner than silence ends it")
        length_s = min(lasted.total_seconds(), step.max_s) if cue.length_s is None else cue.length_s
        is_kept = length_s >= int(step.min_s)
        return facts.RecordingEnded(at, RecordingResult.KEPT if is_kept else RecordingResult.TOO_SHORT, length_s)

    def tell(self, call: Call, at: datetime, out: Output) -> None:
        """Say whether the message is kept; the plan goes on behind that."""
        step, ended = self._step(call), call.history[-1]
        is_kept = isinstance(ended, facts.RecordingEnded) and ended.result is RecordingResult.KEPT
        self._conduct.guard(call, at, out, playing=False)
        self._conduct.following.play(call, (step.thanks if is_kept else step.failed,), at, out)

    def _step(self, call: Call) -> Voicemail:
        step = call.steps[call.step]
        if not isinstance(step, Voicemail):
            raise ImpossibleEventError(f"call {call.id} is recorded at step {call.step}, which takes no message")
        return step
