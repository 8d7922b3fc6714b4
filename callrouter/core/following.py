"""Plans: which one a call gets, and its steps one after another. The actions of the table that carry a plan on."""

from datetime import datetime
from typing import TYPE_CHECKING, assert_never

from callrouter.core import commands as cmd
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import ChannelId, PromptName
from callrouter.core.output import Output
from callrouter.core.plan import Announce, Callback, Dial, EnterQueue, HandOver, HangUp, If, Menu, RouteAgain, Voicemail

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

FIRST_GUARD_S = 0.5
"""When a caller who hears nothing of ours yet gets our dead man's switch. The dialplan's own (5 s) lasts until then;
to set ours first would hold up the call to the counselor's phone."""


class Following:
    """Follows plans, for the :class:`~callrouter.core.conduct.Conduct` whose calls they are."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def begin(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The call has come in."""
        self._conduct.set_timer(call, TimerKind.DEAD_MAN, FIRST_GUARD_S, out)
        self.route(call, at, out)

    def end_announcement(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """An announcement is over."""
        if call.taped.notice is not None:
            self._conduct.taping.notice_over(call, cue, at, out)
            return
        self.playback_over(call, out)
        self.next_step(call, at, out)

    def route(self, call: Call, at: datetime, out: Output) -> None:
        """Decide, and begin the plan."""
        decision = self._conduct.floor.rulebook.router.decide(
            call.known, at, self._conduct.waiting.queue_states(at), self._conduct.switchboard.on(at)
        )
        if decision.rule in call.rules:
            self._conduct.give_up(call, f"the rule {decision.rule} takes the call a second time", at, out)
            return
        routed = facts.Routed(
            at,
            decision.rule,
            decision.plan,
            decision.region,
            decision.region_title,
            decision.region_source,
            decision.tenant,
            decision.caller_kind,
            decision.topic,
            decision.calendars,
            decision.config_hash,
            decision.explanation,
            decision.switches,
        )
        self._conduct.record(call, routed, out)
        self.next_step(call, at, out)

    def next_step(self, call: Call, at: datetime, out: Output) -> None:
        """Begin the step of the plan that follows."""
        self._conduct.record(call, facts.StepBegun(at, call.step + 1), out)
        self.carry_out_step(call, at, out)

    def carry_out_step(self, call: Call, at: datetime, out: Output) -> None:  # noqa: C901 - an arm for each kind of step
        """Do what the plan's present step says."""
        step = call.steps[call.step]
        match step:
            case Announce(prompt=prompt):
                self.play(call, (prompt,), at, out)
            case Menu():
                self._conduct.asking.ask(call, step, at, out)
            case Voicemail():
                self._conduct.recording.greet(call, step, at, out)
            case If():
                self._branch(call, step, at, out)
            case Callback():
                self._conduct.callbacks.take_down(call, step, at, out)
            case RouteAgain():
                self.route(call, at, out)
            case EnterQueue():
                self._conduct.waiting.enter(call, step, at, out)
            case Dial():
                self._conduct.dialing.go_on(call, at, out)
            case HandOver(context=context, extension=extension):
                self._conduct.lift_dead_man(call, out)  # it would cut the call off in its new place
                self._conduct.continue_at(call, context, extension, ReleaseReason.HANDED_OVER, at, out)
            case HangUp(cause=cause):
                self._conduct.release(call, ReleaseReason.PLAN_ENDED, cause, at, out)
            case _:
                assert_never(step)

    def play(
        self, call: Call, prompts: tuple[PromptName, ...], at: datetime, out: Output, *, more: tuple[str, ...] = ()
    ) -> None:
        """Let the caller hear prompts, and ``more`` media, as the playback that the call's facts have counted."""
        rulebook = self._conduct.floor.rulebook
        lasts_s = sum(map(rulebook.lasts_s, prompts))
        # Asterisk lets the switch wait behind the sound. What is left of it is half of it, at least.
        if not call.guarded or lasts_s > rulebook.limits.dead_man_s / 2:
            self._conduct.guard(call, at, out, playing=False, before_s=lasts_s)
        self._conduct.answer(call, at, out)
        media = [rulebook.media(prompt, call.language) for prompt in prompts]
        self.play_on(call, call.channel, (*media, *more), out)

    def play_on(self, call: Call, channel: ChannelId, media: tuple[str, ...], out: Output) -> None:
        """Play on the caller's channel or on the leg's, as the playback that the call's facts have counted."""
        playback = call.playback or naming.playback(call.id, call.playbacks)
        out.commands.append(cmd.Play(call.site, call.id, channel, playback, media))
        self._conduct.set_timer(call, TimerKind.ANNOUNCEMENT, self._conduct.floor.rulebook.limits.announcement_s, out)

    def playback_over(self, call: Call, out: Output) -> None:
        """What was played has ended, or (its timer has run out) taken too long."""
        self._end_playback(call, out, sounds=TimerKind.ANNOUNCEMENT not in call.timers)

    def stop_playback(self, call: Call, out: Output) -> None:
        """End what is playing, if its end has not been seen."""
        self._end_playback(call, out, sounds=TimerKind.ANNOUNCEMENT in call.timers)

    def hear_out(self, call: Call, out: Output) -> None:
        """Wait for the end of what an earlier daemon let play: the caller may not have heard all of it yet.

        That Asterisk is asked whether it plays still comes with :meth:`after_silence`.
        """
        self._conduct.set_timer(call, TimerKind.ANNOUNCEMENT, self._conduct.floor.rulebook.limits.announcement_s, out)

    def after_silence(self, call: Call, out: Output) -> None:
        """The site was away, or the daemon: ask whether what plays is over, which may have been said meanwhile."""
        playback = call.playback
        if playback is None or TimerKind.ANNOUNCEMENT not in call.timers:
            return
        if not any(isinstance(one, cmd.Play) and one.playback == playback for one in out.commands):
            out.commands.append(cmd.AskPlayback(call.site, call.id, playback))

    def _end_playback(self, call: Call, out: Output, *, sounds: bool) -> None:
        if sounds and call.playback is not None:
            out.commands.append(cmd.StopPlayback(call.site, call.id, call.playback))
        self._conduct.cancel_timer(call, TimerKind.ANNOUNCEMENT, out)
        self._conduct.shorten_dead_man(call, out)

    def _branch(self, call: Call, step: If, at: datetime, out: Output) -> None:
        router = self._conduct.floor.rulebook.router
        queues, switches = self._conduct.waiting.queue_states(at), self._conduct.switchboard.on(at)
        finding = router.ask(step.conditions, call.known, at, queues, switches)
        self._conduct.record(call, facts.Branched(at, finding.why, step.then if finding.holds else step.otherwise), out)
        self.next_step(call, at, out)
