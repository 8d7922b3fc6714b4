"""Menus: a prompt, a key, and what the key means. The actions of the table's state ``asking``."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from callrouter.core import commands as cmd
from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.output import Output
from callrouter.core.plan import Choice, Menu
from callrouter.core.remembering import remembered_as
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct


class Asking:
    """Asks callers, for the :class:`~callrouter.core.conduct.Conduct` that carries out their plans."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def ask(self, call: Call, menu: Menu, at: datetime, out: Output) -> None:
        """Play the menu's prompt; but nobody is asked to agree to what could not be kept."""
        if menu.asks_consent and (call.said is None or remembered_as(call.arrival.caller) is None):
            self._choose(call, menu.default, "", at, out, unasked=True)
            return
        self._conduct.following.play(call, (menu.prompt,), at, out)

    def ask_again(self, call: Call, at: datetime, out: Output) -> None:
        """Play the prompt anew without holding it against the caller: an earlier daemon left it unanswered."""
        self._conduct.following.playback_over(call, out)  # it may still be heard
        self._conduct.waiting.quiet_in_doubt(call, out)
        self._conduct.record(call, facts.AskedAgain(at, missed=False), out)
        self.ask(call, self._menu(call), at, out)

    def await_digit(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The prompt is over: now the time for a key runs."""
        if TimerKind.DIGIT in call.timers:  # told once more: we stopped it ourselves
            return
        self._conduct.following.playback_over(call, out)
        self._conduct.set_timer(call, TimerKind.DIGIT, self._menu(call).timeout_s, out)

    def take_digit(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """A key was pressed, during the prompt or after it."""
        choice = next((choice for choice in self._menu(call).choices if choice.key == cue.digit), None)
        if choice is None:
            self.miss_digit(call, cue, at, out)
        else:
            self._choose(call, choice, cue.digit, at, out)

    def miss_digit(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """No key came, or one that means nothing: once more, or the default."""
        menu = self._menu(call)
        if call.tries >= menu.tries:
            self._choose(call, menu.default, cue.digit, at, out)
            return
        self._silence(call, out)
        self._conduct.record(call, facts.AskedAgain(at), out)
        prompts = (menu.invalid, menu.prompt) if cue.digit and menu.invalid is not None else (menu.prompt,)
        self._conduct.following.play(call, prompts, at, out)

    def _choose(
        self, call: Call, choice: Choice, pressed: str, at: datetime, out: Output, *, unasked: bool = False
    ) -> None:
        self._silence(call, out)
        self._conduct.record(call, facts.Chosen(at, choice, pressed, unasked), out)
        self._keep(call, choice, at, out)
        if choice.language is not None:
            out.commands.append(cmd.SetLanguage(call.site, call.id, call.channel, choice.language))
        self._conduct.following.next_step(call, at, out)

    def _keep(self, call: Call, choice: Choice, at: datetime, out: Output) -> None:
        """Have remembered what the caller agreed to, or forgotten what he takes back."""
        number = remembered_as(call.arrival.caller)
        if number is None:
            return
        if choice.forget:
            out.commands.append(cmd.Forget(number))
        # Silence agrees to nothing, whatever the plan says.
        if choice.remember_s is not None and choice.key and call.said is not None:
            out.commands.append(cmd.Remember(number, call.said, at + timedelta(seconds=choice.remember_s)))

    def _silence(self, call: Call, out: Output) -> None:
        """End the prompt, if it may still play, and the wait for a key."""
        self._conduct.cancel_timer(call, TimerKind.DIGIT, out)
        self._conduct.following.stop_playback(call, out)

    def _menu(self, call: Call) -> Menu:
        menu = call.steps[call.step]
        if not isinstance(menu, Menu):
            raise ImpossibleEventError(f"call {call.id} is asked at step {call.step}, which is no menu")
        return menu
