"""Recording of conversations: the notice before the queue, one recording for each counselor's part, and its silences.

The bridge is recorded, so both are in one file. What is not the caller's conversation is not heard in it: what a
counselor pauses, what is said while the caller is on hold, and what somebody outside says. Silence takes its place, so
that times in the file are times of the call. Where it cannot be made silent nothing is kept.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.call_orders import CallOrder, CallVerb
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import BridgeId, RecordingId
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.plan import EnterQueue
from callrouter.core.rulebook import QueueSpec
from callrouter.core.states import CallState
from callrouter.core.switches import one_line
from callrouter.core.taped import Tape
from callrouter.core.tapes import MuteReason, TapeResult, TapeRule, TapeState
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

_ENDS: Final = {
    facts.PassedOn: "passed on",
    facts.Redirected: "sent on",
}


class Taping:
    """Records, for the :class:`~callrouter.core.conduct.Conduct` whose queues say so."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    # --- the notice

    def owed_notice(self, call: Call, queue: QueueSpec | None) -> TapeRule | None:
        """By what rule the caller is to be told something before he waits in ``queue``; None: by none."""
        rule = queue.recording if queue is not None else None
        return rule if rule is not None and rule.notice not in call.taped.heard else None

    def owed_to_resident(self, call: Call) -> TapeRule | None:
        """The same of who was called back, and came by no way that has callers told, before he speaks to anybody."""
        return self.owed_notice(call, self._conduct.waiting.queue_of(call)) if call.request is not None else None

    def give_notice(self, call: Call, rule: TapeRule, at: datetime, out: Output) -> None:
        """Tell him. He stands in no line meanwhile, so that no phone is rung for who does not know yet.

        Who is called back is told when he answers. The counselor, who is at the phone, hears the same.
        """
        prompt, rulebook = rule.notice, self._conduct.floor.rulebook
        spoken = call.language if call.language and prompt in rulebook.translated.get(call.language, ()) else ""
        self._conduct.waiting.quiet(call, out)
        self._tell(call, facts.NoticeBegun(at, prompt, spoken), out)

    def _tell(self, call: Call, begun: facts.NoticeBegun, out: Output) -> None:
        self.quiet_counselor(call, out)
        self._conduct.record(call, begun, out)
        self._conduct.following.play(call, (begun.prompt,), begun.at, out)
        if call.tone is not None and call.offer is not None:
            media = (self._conduct.floor.rulebook.media(begun.prompt),)
            out.commands.append(cmd.Play(call.site, call.id, call.offer.channel, call.tone, media))

    def quiet_counselor(self, call: Call, out: Output) -> None:
        """End what the counselor hears who waits for a resident, if he does."""
        if call.tone is not None:
            out.commands.append(cmd.StopPlayback(call.site, call.id, call.tone))

    def notice_over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """He has heard it, or it ended otherwise: then he is answered all the same, and not recorded."""
        step = call.steps[call.step]
        if call.taped.notice is None or not isinstance(step, EnterQueue):
            raise ImpossibleEventError(f"call {call.id} was given a notice at step {call.step}, where nobody waits")
        self.note_end(call, cue, at, out)
        self._conduct.waiting.enter(call, step, at, out, told=True)

    def note_end(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """Note whether the notice was heard to its end."""
        why = "Asterisk could not play it" if cue.failed else ""
        if TimerKind.ANNOUNCEMENT not in call.timers:
            why = "its end was not seen"
        self._conduct.following.playback_over(call, out)
        prompt = call.taped.notice
        self._close_notice(call, at, why, out)
        if why:
            self._alarm(call, f"the notice {prompt} was not heard to its end: {why}", out)

    def break_off(self, call: Call, at: datetime, out: Output) -> None:
        """One of the two has hung up while the resident was being told."""
        self._close_notice(call, at, "somebody hung up meanwhile", out)

    def _close_notice(self, call: Call, at: datetime, why: str, out: Output) -> None:
        begun = next(fact for fact in reversed(call.history) if isinstance(fact, facts.NoticeBegun))
        self._conduct.record(call, facts.NoticeOver(at, begun.prompt, begun.language, not why, why), out)

    # --- what is recorded

    def follow(self, call: Call, at: datetime, out: Output) -> None:
        """Others take part now: begin, or let be heard what may be."""
        if call.state is CallState.CONNECTED and not call.taped.is_settled:
            self._begin(call, at, out)
        tape, invited = call.taped.tape, call.invited
        if tape is None:
            return
        joined = invited is not None and invited.bridge is not None and invited.destination is not None
        for why, holds in ((MuteReason.HELD, call.held or call.phone_holds), (MuteReason.OUTSIDE, joined)):
            if holds and why not in tape.muted:
                self._mute(call, tape, facts.TapeMuted(at, why), out)
            elif why in tape.muted and not holds:
                self._unmute(call, tape, facts.TapeUnmuted(at, why), out)

    def end_with(self, call: Call, fact: facts.Fact, out: Output) -> None:
        """The conversation is over, by what ``fact`` says."""
        tape = call.taped.tape
        if tape is not None:
            why = _ENDS.get(type(fact), "the conversation ended")
            self._end(call, tape, facts.TapeEnded(fact.at, TapeResult.KEPT, why), out)
        elif call.state is CallState.CONNECTED and not call.taped.is_settled and self._rule(call) is not None:
            # An earlier daemon may have begun one that the journal lost: nobody would ever delete it.
            recording = naming.talk_recording(call.id, call.taped.tapes + 1)
            out.commands.append(cmd.StopRecording(call.site, call.id, recording))
            out.commands.append(cmd.DeleteRecording(call.site, call.id, recording))

    def _begin(self, call: Call, at: datetime, out: Output) -> None:
        rule, offer = self._rule(call), call.offer
        if rule is None or call.queue is None or offer is None or offer.agent is None or offer.bridge is None:
            return
        if rule.notice not in call.taped.heard:
            why = f"the caller has not heard the notice {rule.notice} to its end"
            self._conduct.record(call, facts.NotTaped(at, why), out)
            self._alarm(call, why, out)
            return
        recording = naming.talk_recording(call.id, call.taped.tapes + 1)
        begun = facts.TapeBegun(at, recording, call.queue, offer.agent, rule.notice, rule.retention_s, rule.pausable)
        self._conduct.record(call, begun, out)
        self._record(call, offer.bridge, recording, out)

    def _record(self, call: Call, bridge: BridgeId, recording: RecordingId, out: Output) -> None:
        """Record; said twice, Asterisk goes on with the first."""
        out.commands.append(cmd.RecordTalk(call.site, call.id, bridge, recording))

    def _rule(self, call: Call) -> TapeRule | None:
        """What the call's queue says of recording; None for who talks to somebody outside."""
        queue = self._conduct.waiting.queue_of(call)
        return (
            queue.recording if queue is not None and call.offer is not None and call.offer.agent is not None else None
        )

    # --- pausing

    def order(self, call: Call, order: CallOrder, at: datetime, out: Output) -> str | None:
        """Pause, or go on; or why that cannot be, and nothing has changed."""
        tape = call.taped.tape
        if tape is None:
            return f"call {call.id} is not recorded"
        if call.site not in self._conduct.floor.ways.sites:
            return f"site {call.site} cannot be reached: the recording of call {call.id} goes on as it does"
        is_paused, who = MuteReason.PAUSED in tape.muted, f"{one_line(order.who)}, via {order.via}"
        if order.verb is CallVerb.RESUME_RECORDING:
            if not is_paused:
                return f"the recording of call {call.id} is not paused"
            self._unmute(call, tape, facts.TapeUnmuted(at, MuteReason.PAUSED, who), out)
        elif not tape.pausable:
            return f"the recording of call {call.id} is not to be paused: its queue has pausable: no"
        elif is_paused:
            return f"the recording of call {call.id} is paused already"
        else:
            self._mute(call, tape, facts.TapeMuted(at, MuteReason.PAUSED, who), out)
        return None

    def is_paused(self, call: Call) -> bool:
        """Whether somebody has paused the recording."""
        return call.taped.tape is not None and call.taped.tape.state is TapeState.PAUSED

    # --- what Asterisk says of it

    def told(self, event: ev.RecordingEnded | ev.RecordingFailed, at: datetime, out: Output) -> None:
        """It has ended, by our order or not; or it never began."""
        if isinstance(event, ev.RecordingFailed):
            ended = facts.TapeEnded(at, TapeResult.FAILED, event.why)
        elif event.length_s == 0:
            ended = facts.TapeEnded(at, TapeResult.FAILED, "it ended, empty, by itself")
        else:
            ended = facts.TapeEnded(at, TapeResult.KEPT, "it ended by itself, before the conversation")
        self._lose(event.recording, ended, out)

    def mute_failed(self, event: ev.MuteFailed, at: datetime, out: Output) -> None:
        """What was to be silent may have been heard: nothing of it is kept."""
        if event.muted:
            ended = facts.TapeEnded(at, TapeResult.FAILED, f"it could not be paused: {event.why}")
        else:
            ended = facts.TapeEnded(at, TapeResult.KEPT, f"it could not be taken up again: {event.why}")
        self._lose(event.recording, ended, out)

    # --- after a silence

    def after_silence(self, call: Call, at: datetime, out: Output) -> None:
        """The site was away, or the daemon: say again what may not have been heard, and ask what may have been missed.

        Who was being told is told anew: nobody knows how much of it he heard.
        """
        if call.taped.notice is not None:
            self._tell_anew(call, at, out)
            return
        taped = call.taped
        going_on = taped.tape.recording if taped.tape is not None else None
        for number in range(1, taped.tapes + 1):
            recording = naming.talk_recording(call.id, number)
            if recording != going_on:
                out.commands.append(cmd.StopRecording(call.site, call.id, recording))
        if taped.tape is not None:
            tape, bridge = taped.tape, call.offer.bridge if call.offer is not None else None
            if call.in_doubt and bridge is not None:
                self._record(call, bridge, tape.recording, out)
            out.commands.append(cmd.MuteRecording(call.site, call.id, tape.recording, bool(tape.muted)))
            if not call.in_doubt:
                out.commands.append(cmd.AskRecording(call.site, call.id, tape.recording))
        self.follow(call, at, out)

    def _tell_anew(self, call: Call, at: datetime, out: Output) -> None:
        if any(isinstance(one, cmd.Play) and one.playback == call.playback for one in out.commands):
            return  # it begins only now
        begun = next(fact for fact in reversed(call.history) if isinstance(fact, facts.NoticeBegun))
        out.commands.append(cmd.StopPlayback(call.site, call.id, naming.playback(call.id, call.playbacks)))
        self._conduct.guard(call, at, out, playing=False)
        self._tell(call, facts.NoticeBegun(at, begun.prompt, begun.language), out)

    # --- the moves

    def _mute(self, call: Call, tape: Tape, fact: facts.TapeMuted, out: Output) -> None:
        if not tape.muted:
            out.commands.append(cmd.MuteRecording(call.site, call.id, tape.recording, muted=True))
        self._conduct.record(call, fact, out)

    def _unmute(self, call: Call, tape: Tape, fact: facts.TapeUnmuted, out: Output) -> None:
        self._conduct.record(call, fact, out)
        if not tape.muted:
            out.commands.append(cmd.MuteRecording(call.site, call.id, tape.recording, muted=False))

    def _lose(self, recording: RecordingId, fact: facts.TapeEnded, out: Output) -> None:
        """End a recording, if it goes on, sooner than it was to."""
        call_id = naming.parse_recording(recording)
        call = self._conduct.calls.get(call_id) if call_id is not None else None
        tape = call.taped.tape if call is not None else None
        if call is not None and tape is not None and tape.recording == recording:
            self._end(call, tape, fact, out)
            self._alarm(call, fact.why, out)

    def _end(self, call: Call, tape: Tape, fact: facts.TapeEnded, out: Output) -> None:
        out.commands.append(cmd.StopRecording(call.site, call.id, tape.recording))
        self._conduct.record(call, fact, out)
        self._conduct.counters.tapes[fact.result] += 1

    def _alarm(self, call: Call, why: str, out: Output) -> None:
        out.notices.append(Notice(NoticeKind.TAPE_FAILED, call.id, why))
