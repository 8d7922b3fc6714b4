"""What a counselor hears when he picks up, before the caller is connected: for which queue, and that he was paused.

The caller hears on what he heard, and has not been answered by anybody yet: he waits.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from callrouter.core import facts
from callrouter.core.agent import Agent, AgentState
from callrouter.core.call import Call
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import ChannelId, PromptName
from callrouter.core.output import Output

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

MISSED: Final = PromptName("agent-missed")
"""Said to who was paused because he missed calls, and was made ready by others."""


class Briefing:
    """Briefs counselors, for the :class:`~callrouter.core.conduct.Conduct` that calls their phones."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def take_words(self, call: Call, agent: Agent) -> tuple[PromptName, ...]:
        """What a counselor who answered is to hear first, which is said now; empty: nothing."""
        queue = self._conduct.waiting.queue_of(call)
        words = (MISSED if agent.untold else None, queue.agent_prompt if queue is not None else None)
        agent.untold = False
        return tuple(word for word in words if word is not None)

    def begin(
        self, call: Call, channel: ChannelId, agent: Agent, words: tuple[PromptName, ...], at: datetime, out: Output
    ) -> None:
        """The counselor answered on ``channel``: let him hear ``words``."""
        self._conduct.cancel_timer(call, TimerKind.RING, out)
        agent.change(AgentState.ON_CALL, at)
        self._conduct.comforting.cut_short(call, at, out)
        self._conduct.record(call, facts.Briefed(at, words), out)
        media = tuple(map(self._conduct.floor.rulebook.media, words))
        self._conduct.following.play_on(call, channel, media, out)

    def over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """He has heard it, or it took too long to be waited for."""
        self._conduct.following.playback_over(call, out)
        self._conduct.offering.join(call, at, out)
