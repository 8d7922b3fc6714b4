"""Requests to be called back: who may be, at which number, and that it is taken down once.

A request is a fact of the call and a row of its own in the database, where it outlives the call. Taking it down takes
no time, so no state of the call belongs to it.
"""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Final

from callrouter.core import facts
from callrouter.core.call import Call
from callrouter.core.ids import QueueName
from callrouter.core.inbound import CallerKind
from callrouter.core.numbers import parse
from callrouter.core.outbound import NumberClass, classify
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.plan import Callback

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

LINES: Final = frozenset(
    {
        NumberClass.LANDLINE,
        NumberClass.MOBILE,
        NumberClass.INTERNET,
        NumberClass.PERSONAL,
        NumberClass.INTERNATIONAL,
    }
)
"""What a resident calls from. Whoever shows another number (119, 060, 1588) would have us call somebody else."""


def number_to_call(caller: str, allowed: Collection[NumberClass]) -> str | None:
    """The number (E.164) at which who calls as ``caller`` may be called back; None if that cannot be or may not."""
    kind = classify(caller)
    return parse(caller).e164 if kind in LINES and kind in allowed else None


class Callbacks:
    """Takes requests down, for the :class:`~callrouter.core.conduct.Conduct` whose plans say so."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def take_down(self, call: Call, step: Callback, at: datetime, out: Output) -> None:
        """Note the request, ask for the number first, or go the way of those who cannot be called."""
        number = self.callable(call, step, call.arrival.caller)
        check = step.check
        if number is None and (check is None or check.ask is None):
            self.refuse(call, step, self._why_not(call, step), at, out)
        elif number is not None and (check is None or call.callback is not None):
            self.want(call, step, number, at, out)
        else:
            self._conduct.dictating.begin(call, number, at, out)

    def callable(self, call: Call, step: Callback, written: str) -> str | None:
        """The number (E.164), if the queue may call there."""
        number = number_to_call(written, step.allowed)
        return None if number is None or self._is_ours(call, number) else number

    def want(self, call: Call, step: Callback, number: str, at: datetime, out: Output) -> None:
        """The caller wants to be called back at ``number``; the plan goes on."""
        if call.callback is not None:
            why = f"call back by {step.queue}? asked for already, of {call.callback.queue}"
            self._conduct.record(call, facts.Branched(at, why, None), out)
        else:
            self.note(call, step, number, at, out)
        self._conduct.following.next_step(call, at, out)

    def note(self, call: Call, step: Callback, number: str, at: datetime, out: Output) -> None:
        """Take the request down."""
        self._conduct.record(call, facts.CallbackWanted(at, step.queue, number, _place(call, step.queue)), out)
        out.notices.append(Notice(NoticeKind.CALLBACK, call.id, f"{step.queue} is to call back"))

    def refuse(self, call: Call, step: Callback, why: str, at: datetime, out: Output) -> None:
        """Nobody will be called back: go the way for that."""
        self._conduct.record(call, facts.Branched(at, f"call back by {step.queue}? {why}", step.otherwise), out)
        self._conduct.following.next_step(call, at, out)

    def _why_not(self, call: Call, step: Callback) -> str:
        is_ours = number_to_call(call.arrival.caller, step.allowed) is not None
        return f"not this number: {'our own' if is_ours else _kind(call.arrival.caller)}"

    def _is_ours(self, call: Call, number: str) -> bool:
        """Whether we would call ourselves: somebody shows a number of ours, or a call of ours came back."""
        return number == parse(call.arrival.dialed).e164 or number in self._conduct.floor.rulebook.own_numbers


def _place(call: Call, queue: QueueName) -> int | None:
    """Where the call stood in that queue's line, the last time that it did."""
    places = [fact.place for fact in call.history if isinstance(fact, facts.Queued) and fact.queue == queue]
    return places[-1] if places else None


def _kind(caller: str) -> str:
    number = parse(caller)
    return "withheld" if number.kind is CallerKind.ANONYMOUS else classify(caller).value
