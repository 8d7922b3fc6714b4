"""The number at which a caller wants to be called back: read out to him, confirmed with a key, or replaced by another.

Who hangs up while a number is read out has asked to be called back already, and is, at that number, unless the plan
says otherwise. Who hangs up while he is to enter another has said that it is not the one: nothing is taken down.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import PromptName
from callrouter.core.numbers import parse
from callrouter.core.output import Output
from callrouter.core.plan import Callback, NumberCheck
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

CONFIRMS: Final = "1"
REPLACES: Final = "2"
ENDS: Final = "#"
CLEARS: Final = "*"
LONGEST: Final = 20
"""Digits that are taken for a number; those that follow are not."""
DIGIT_PROMPTS: Final = tuple(f"digit-{digit}" for digit in range(10))
"""What a number is read out by: Asterisk cannot count in Korean."""


def digits_of(number: str) -> tuple[PromptName, ...]:
    """The prompts that read out the digits of ``number``."""
    return tuple(PromptName(f"digit-{digit}") for digit in number if digit.isdigit())


class Dictating:
    """Has numbers confirmed, for the :class:`~callrouter.core.conduct.Conduct` whose callers want to be called back."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def begin(self, call: Call, number: str | None, at: datetime, out: Output) -> None:
        """Read ``number`` (E.164) out; None: the caller's cannot be called, so ask for another."""
        if number is None:
            self._ask(call, at, out)
        else:
            self._read_out(call, number, at, out)

    def ask_again(self, call: Call, at: datetime, out: Output) -> None:
        """An earlier daemon left it unanswered: once more, without holding it against the caller."""
        self._conduct.following.playback_over(call, out)  # it may still be heard
        self._conduct.waiting.quiet_in_doubt(call, out)
        if call.dictated is None:
            self._ask(call, at, out)
        else:
            self._read_out(call, call.dictated, at, out)

    def over(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """All is said: now the time for a key runs."""
        if TimerKind.DIGIT not in call.timers:  # else told once more: we stopped it ourselves
            self._conduct.following.playback_over(call, out)
            self._await_key(call, out)

    def take_digit(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """A key was pressed."""
        if call.dictated is None:
            self._take_digit_of_number(call, cue.digit, at, out)
        elif cue.digit == CONFIRMS:
            self._silence(call, out)
            self._conduct.callbacks.want(call, self._step(call), call.dictated, at, out)
        elif cue.digit == REPLACES and self._check(call).ask is not None:
            self._silence(call, out)
            self._ask(call, at, out)
        else:
            self.miss(call, cue, at, out)

    def miss(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """No key came, or one that means nothing: once more, or as who hangs up."""
        if call.dictated is None and call.keyed:
            self._enter(call, at, out)
        elif call.tries < self._check(call).tries:
            self._silence(call, out)
            if call.dictated is None:
                self._ask(call, at, out, missed=True)
            else:
                self._read_out(call, call.dictated, at, out, missed=True)
        else:
            self._silence(call, out)
            if call.dictated is not None and self._check(call).keeps:
                self._conduct.callbacks.want(call, self._step(call), call.dictated, at, out)
            else:
                self._conduct.callbacks.refuse(call, self._step(call), "no number was confirmed", at, out)

    def caller_left(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The caller hung up; see the module for what counts then."""
        if call.dictated is not None and self._check(call).keeps:
            self._conduct.callbacks.note(call, self._step(call), call.dictated, at, out)
        self._conduct.caller_left(call, cue, at, out)

    def _take_digit_of_number(self, call: Call, digit: str, at: datetime, out: Output) -> None:
        self._conduct.following.stop_playback(call, out)
        if digit == ENDS:
            self._enter(call, at, out)
            return
        call.keyed = "" if digit == CLEARS else (call.keyed + digit)[:LONGEST]
        self._await_key(call, out)

    def _enter(self, call: Call, at: datetime, out: Output) -> None:
        """The number is complete: read it out, if it can be called."""
        number, call.keyed = self._conduct.callbacks.callable(call, self._step(call), call.keyed), ""
        check = self._check(call)
        if number is not None:
            self._silence(call, out)
            self._read_out(call, number, at, out)
        elif call.tries < check.tries:
            self._silence(call, out)
            self._ask(call, at, out, missed=True, before=check.wrong)
        else:
            self._silence(call, out)
            self._conduct.callbacks.refuse(call, self._step(call), "no number that can be called was entered", at, out)

    def _read_out(self, call: Call, number: str, at: datetime, out: Output, *, missed: bool = False) -> None:
        self._conduct.record(call, facts.NumberOffered(at, number, missed), out)
        digits = digits_of(parse(number).national)
        self._conduct.following.play(call, (*digits, self._check(call).prompt), at, out)

    def _ask(
        self, call: Call, at: datetime, out: Output, *, missed: bool = False, before: PromptName | None = None
    ) -> None:
        call.keyed = ""
        self._conduct.record(call, facts.NumberAsked(at, missed), out)
        prompts = [one for one in (before, self._check(call).ask) if one is not None]
        self._conduct.following.play(call, tuple(prompts), at, out)

    def _await_key(self, call: Call, out: Output) -> None:
        self._conduct.set_timer(call, TimerKind.DIGIT, self._check(call).timeout_s, out)

    def _silence(self, call: Call, out: Output) -> None:
        self._conduct.cancel_timer(call, TimerKind.DIGIT, out)
        self._conduct.following.stop_playback(call, out)

    def _check(self, call: Call) -> NumberCheck:
        check = self._step(call).check
        return check if check is not None else NumberCheck(PromptName(""))

    def _step(self, call: Call) -> Callback:
        step = call.steps[call.step]
        if not isinstance(step, Callback):
            raise ImpossibleEventError(f"call {call.id} is asked for a number at step {call.step}: no callback")
        return step
