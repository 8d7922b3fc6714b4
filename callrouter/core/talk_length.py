"""The recommended length of conversations: a reminder, then an announced end unless the counselor puts it off."""

from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import ChannelId, PromptName
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.plan import Announce, HangUp, Plan
from callrouter.core.rulebook import LengthRule

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct


class TalkLength:
    """Watches over lengths, for the :class:`~callrouter.core.conduct.Conduct` whose calls talk."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def watch(self, call: Call, at: datetime, out: Output) -> None:
        """The two talk, or are found talking: see to it that the next thing happens in time."""
        rule = self.rule_of(call)
        next_s = self._next_s(call, rule) if rule is not None else None
        if next_s is None or call.connected_at is None:
            self._conduct.cancel_timer(call, TimerKind.LENGTH, out)
            return
        talked_s = (at - call.connected_at).total_seconds()
        self._conduct.set_timer(call, TimerKind.LENGTH, max(0.0, next_s - talked_s), out)

    def due(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """It is time to remind, or to end."""
        rule = self.rule_of(call)
        if rule is None or not self._is_due(call, rule, at):
            return
        if rule.remind_after_s is not None and not call.reminded:
            self._remind(call, rule, at, out)
            self.watch(call, at, out)
        else:
            out.notices.append(Notice(NoticeKind.CALL_ORDER, call.id, "ended at its recommended length"))
            steps = (Announce(rule.farewell), HangUp()) if rule.farewell is not None else (HangUp(),)
            self._conduct.parties.send_on(call, Plan("recommended length", steps), None, at, out)

    def extend(self, call: Call, at: datetime, out: Output) -> str | None:
        """The counselor needs more time; or why there is nothing to extend."""
        rule = self.rule_of(call)
        if rule is None or rule.end_after_s is None:
            return f"call {call.id} is not ended by its length: there is nothing to extend"
        self._conduct.record(call, facts.Extended(at, rule.extension_s), out)
        self.watch(call, at, out)
        return None

    def rule_of(self, call: Call) -> LengthRule | None:
        """What the call's queue says of length."""
        queue = self._conduct.waiting.queue_of(call)
        return queue.length if queue is not None else None

    def _is_due(self, call: Call, rule: LengthRule, at: datetime) -> bool:
        next_s = self._next_s(call, rule)
        return (
            next_s is not None and call.connected_at is not None and (at - call.connected_at).total_seconds() >= next_s
        )

    def _next_s(self, call: Call, rule: LengthRule) -> float | None:
        """After how many seconds of talk something is due; None: nothing is any more."""
        if rule.remind_after_s is not None and not call.reminded:
            return rule.remind_after_s
        return rule.end_after_s + call.extended_s if rule.end_after_s is not None else None

    def _remind(self, call: Call, rule: LengthRule, at: datetime, out: Output) -> None:
        self._conduct.record(call, facts.Reminded(at), out)
        if rule.reminder is None:
            return
        self._play(call, self._conduct.parties.leg_of(call, call.offer).channel, rule.reminder, at, out)
        if rule.to_both and not call.held:
            self._play(call, call.channel, rule.reminder, at, out)

    def _play(self, call: Call, channel: ChannelId, prompt: PromptName, at: datetime, out: Output) -> None:
        self._conduct.record(call, facts.Told(at), out)
        self._conduct.following.play_on(call, channel, (self._conduct.floor.rulebook.media(prompt),), out)
