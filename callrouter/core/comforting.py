"""What who waits is told from time to time: announcements between the music, one sound at a time.

Music ends before an announcement and begins after it: two sounds on one channel make it deaf to the other party. A
phone that is rung meanwhile does not end it; one that is answered does.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import commands as cmd
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.cue import Cue
from callrouter.core.estimating import Estimates
from callrouter.core.events import TimerKind
from callrouter.core.ids import PromptName
from callrouter.core.output import Output
from callrouter.core.place_in_line import PlacesInLine
from callrouter.core.rulebook import QueueSpec
from callrouter.core.states import CallState
from callrouter.core.waiting_spec import Comfort, Surge, position_prompt, wait_prompt

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct


class Comforting:
    """Comforts callers, for the :class:`~callrouter.core.conduct.Conduct` that has them wait."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct
        self._estimates = Estimates()
        self._places = PlacesInLine(conduct.floor.acd, conduct.floor.staff)

    def arm(self, call: Call, queue: QueueSpec, at: datetime, out: Output) -> None:
        """See to it that the caller, who stands in line, is told something in time."""
        comfort = queue.care.comfort
        if comfort is None or TimerKind.COMFORT in call.timers:
            return
        since, after_s = call.comforted_at, comfort.every_s
        if since is None:
            surges = comfort.surge is not None and self._surges(comfort.surge, queue, at)
            since, after_s = call.entered_at or at, 0.0 if surges else comfort.first_s
        left_s = after_s - (at - since).total_seconds()
        self._conduct.set_timer(call, TimerKind.COMFORT, max(0.0, left_s), out)

    def stood(self, call: Call, queue: QueueSpec, at: datetime) -> None:
        """Remember where a caller stands who has to wait, to learn how long that takes."""
        demand = self._conduct.floor.acd.stand(call.id).demand
        if not self._conduct.floor.can_serve(call, queue, at, demand):
            call.stood = self._places.standing(call.id)

    def served(self, call: Call, at: datetime) -> None:
        """A counselor took the call."""
        if call.stood is not None and call.entered_at is not None:
            self._estimates.note(call.stood, (at - call.entered_at).total_seconds(), at)
            call.stood = None

    def due(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """It is time to tell the caller something."""
        queue = self._conduct.waiting.queue_of(call)
        comfort = queue.care.comfort if queue is not None else None
        if queue is None or comfort is None:
            return
        self._conduct.set_timer(call, TimerKind.COMFORT, comfort.every_s, out)
        if call.comforting or call.site not in self._conduct.floor.ways.sites:
            return
        comforted = self._words(call, queue, comfort, at)
        if not comforted.prompts:
            return
        self._conduct.waiting.quiet(call, out)
        self._conduct.record(call, comforted, out)
        call.comforting, call.untold = True, comforted.prompts
        self._go_on(call, at, out)

    def over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """A prompt is over: the next, or music. While the site is away nothing can be begun; see `after_silence`.

        What is left is not told to who is about to speak to somebody, nor after a prompt that did not end by itself.
        """
        if not call.comforting or call.site not in self._conduct.floor.ways.sites:
            return
        goes_on = call.untold and call.state is CallState.QUEUED and TimerKind.ANNOUNCEMENT in call.timers
        self._conduct.following.playback_over(call, out)
        if goes_on:
            self._go_on(call, at, out)
        else:
            call.comforting, call.untold = False, ()
            self.resume(call, at, out)

    def _go_on(self, call: Call, at: datetime, out: Output) -> None:
        """Play the next prompt. One by one, with the dead man's switch set anew before each.

        Asterisk lets the switch wait behind a sound: behind all of them together it would take the caller away.
        """
        prompt, *rest = call.untold
        call.untold = tuple(rest)
        call.playback = naming.playback(call.id, call.playbacks - len(rest))
        self._conduct.guard(call, at, out, playing=False)
        self._conduct.following.play(call, (prompt,), at, out)

    def stop(self, call: Call, out: Output) -> None:
        """End the announcement, if one plays."""
        if call.comforting:
            call.comforting, call.untold = False, ()
            self._conduct.following.stop_playback(call, out)

    def cut_short(self, call: Call, at: datetime, out: Output) -> None:
        """End the announcement, if one plays, and let the caller hear music again."""
        if call.comforting:
            self.stop(call, out)
            self.resume(call, at, out)

    def after_silence(self, call: Call, at: datetime, out: Output) -> None:
        """The site was away, and the end of an announcement may have been missed."""
        if self.recall(call, out):
            self._conduct.cancel_timer(call, TimerKind.ANNOUNCEMENT, out)
            self.resume(call, at, out)

    def resume(self, call: Call, at: datetime, out: Output) -> None:
        """Let the caller hear music, whatever is believed of it."""
        queue = self._conduct.waiting.queue_of(call)
        if queue is not None:
            call.music = False
            self._conduct.waiting.play_music(call, queue.music_class, at, out)

    def recall(self, call: Call, out: Output) -> bool:
        """Stop what may be left playing, by an earlier daemon perhaps; whether anything may."""
        if not call.comforting:
            return False
        call.comforting, call.untold = False, ()
        for number in range(call.playbacks - call.comforts + 1, call.playbacks + 1):
            out.commands.append(cmd.StopPlayback(call.site, call.id, naming.playback(call.id, number)))
        return True

    def _surges(self, surge: Surge, queue: QueueSpec, at: datetime) -> bool:
        if surge.switch is not None and surge.switch in self._conduct.switchboard.on(at):
            return True
        return surge.longer_than is not None and self._conduct.floor.acd.waiting(queue.name) > surge.longer_than

    def _words(self, call: Call, queue: QueueSpec, comfort: Comfort, at: datetime) -> facts.Comforted:
        place = self._places.position(call.id) if comfort.position else None
        prompts: list[PromptName | None] = []
        if comfort.surge is not None and self._surges(comfort.surge, queue, at):
            prompts.append(comfort.surge.prompt)
        prompts.append(comfort.prompt)
        # Who has a head start may come before him: then the place is not spoken of.
        position = place if place is not None and place <= (call.told or place) else None
        if position is not None:
            prompts.append(position_prompt(position))
        range_s = self._estimates.expect(self._places.standing(call.id), at) if comfort.wait else None
        if range_s is not None:
            prompts.append(wait_prompt(*range_s))
        prompts.append(comfort.offer)
        return facts.Comforted(at, tuple(prompt for prompt in prompts if prompt), position, range_s)
