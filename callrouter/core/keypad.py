"""Keys that a counselor presses during the conversation: codes that stand for orders, and whom they name.

A code begins with a star, and no code begins as another: as soon as one is complete it counts. After a code that
calls somebody come the number and ``#``. Whatever else is pressed means nothing, and who pauses for too long
between two keys begins anew.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.call_keys import CallKey
from callrouter.core.call_orders import TARGETED, CallOrder, CallVerb, CallVia
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import PromptName
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.states import CallState

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

STAR, END = "*", "#"
MOST_KEYS = 40
"""Of a code and a number together; who presses more begins anew."""


class Keypad:
    """Reads keys, for the :class:`~callrouter.core.conduct.Conduct` whose counselors press them."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def pressed(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The counselor pressed a key."""
        keys = self._conduct.floor.rulebook.call_keys
        call.keyed = cue.digit if cue.digit == STAR else call.keyed + cue.digit
        self._conduct.cancel_timer(call, TimerKind.KEYS, out)
        if not call.keyed.startswith(STAR) or len(call.keyed) > MOST_KEYS:
            call.keyed = ""
            return
        found = next((code for code in keys.codes if call.keyed.startswith(code)), None)
        if found is None and not any(code.startswith(call.keyed) for code in keys.codes):
            call.keyed = ""
            return
        if found is None or not self._is_complete(call, keys.codes[found], found, at, out):
            self._conduct.set_timer(call, TimerKind.KEYS, keys.between_s, out)

    def forget(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """No key was pressed for too long."""
        call.keyed = ""

    def _is_complete(self, call: Call, key: CallKey, code: str, at: datetime, out: Output) -> bool:
        """Carry the code out if all of it is there."""
        target = key.target
        if key.verb in TARGETED and not target:
            if not call.keyed.endswith(END):
                return False
            target = call.keyed[len(code) : -1]
        call.keyed = ""
        self._order(call, self._meant(call, key.verb), target, at, out)
        return True

    def _meant(self, call: Call, verb: CallVerb) -> CallVerb:
        """What a code stands for at this moment: some take back what they did."""
        if verb is CallVerb.HOLD and call.held:
            return CallVerb.RESUME
        if verb is CallVerb.PAUSE_RECORDING and self._conduct.taping.is_paused(call):
            return CallVerb.RESUME_RECORDING
        return verb

    def _order(self, call: Call, verb: CallVerb, target: str, at: datetime, out: Output) -> None:
        keys = self._conduct.floor.rulebook.call_keys
        leg = self._conduct.parties.leg_of(call, call.offer)
        order = CallOrder(call.id, verb, leg.party, CallVia.PHONE, target)
        answer = self._conduct.conversing.order(order, at, out)
        if not answer.ok:
            out.notices.append(Notice(NoticeKind.CALL_REFUSED, call.id, f"{leg.party}: {answer.message}"))
        words = self._words(verb, ok=answer.ok)
        self._tell(call, (keys.limited or words) if answer.limited else words, at, out)

    def _words(self, verb: CallVerb, *, ok: bool) -> PromptName | None:
        keys = self._conduct.floor.rulebook.call_keys
        if not ok:
            return keys.refused
        match verb:
            case CallVerb.PAUSE_RECORDING:
                return keys.recording_paused
            case CallVerb.RESUME_RECORDING:
                return keys.recording_resumed
            case _:
                return None

    def _tell(self, call: Call, prompt: PromptName | None, at: datetime, out: Output) -> None:
        """Let the counselor alone hear what became of his code."""
        if prompt is None or call.state is not CallState.CONNECTED:
            return
        self._conduct.following.stop_playback(call, out)
        self._conduct.record(call, facts.Told(at), out)
        channel = self._conduct.parties.leg_of(call, call.offer).channel
        self._conduct.following.play_on(call, channel, (self._conduct.floor.rulebook.media(prompt),), out)
