"""Calling destinations outside the queues, one after another: the step ``dial``, and the key that takes such a call."""

from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import ChannelId
from callrouter.core.output import Output
from callrouter.core.plan import Confirm, Destination, Dial
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

_PLAYED_AT_MOST = 3
"""How often who answered hears the question, in the time there is for the key."""

_PAUSE = "sound:silence/2"
"""Between two times of the question."""


class Dialing:
    """Calls destinations, for the :class:`~callrouter.core.conduct.Conduct` whose plans say so."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def go_on(self, call: Call, at: datetime, out: Output) -> None:
        """Call the destination whose turn it is; when all were called in vain, go on with the plan."""
        step = self._step(call)
        last = step.destination(call.tried - 1) if call.tried else None
        if last is not None and call.failed_by and self._conduct.floor.can_call(call, last, at, call.failed_by):
            self._call(call, step, last, at, out, call.failed_by)
            return
        while (destination := step.destination(call.tried)) is not None:
            if self._conduct.floor.can_call(call, destination, at):
                self._call(call, step, destination, at, out)
                return
            self._pass_over(call, destination, at, out)
        self._conduct.waiting.quiet(call, out)
        self._conduct.following.next_step(call, at, out)

    def call_again(self, call: Call, at: datetime, out: Output) -> None:
        """The destination was to be called, and Asterisk has not heard of it: call it, if it can be called still."""
        step = self._step(call)
        destination = step.destination(call.tried - 1)
        if destination is not None and self._conduct.floor.can_call(call, destination, at):
            self._call(call, step, destination, at, out, again=True)
        else:
            self.go_on(call, at, out)

    def ring_timeout_s(self, call: Call) -> float:
        """How long the destination that is being called may ring."""
        destination = self._step(call).destination(call.tried - 1)
        return destination.ring_timeout_s if destination is not None else 0.0

    def asks_for_key(self, call: Call) -> bool:
        """Whether who answers is asked for a key before the caller is connected."""
        return call.queue is None and self._step(call).confirm is not None

    def ask_for_key(self, call: Call, at: datetime, out: Output) -> None:
        """The destination answered: ask for the key, from the start if an earlier daemon has asked."""
        confirm, _ = self._asking(call)
        self._conduct.set_timer(call, TimerKind.RING, confirm.timeout_s, out)
        self._ask(call, at, out)

    def ask_for_key_again(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """The question was heard to its end."""
        self._conduct.following.playback_over(call, out)
        if call.tries < _PLAYED_AT_MOST:
            self._ask(call, at, out)

    def take_key(self, call: Call, cue: Cue, at: datetime, out: Output) -> None:
        """A key was pressed at the destination."""
        confirm, _ = self._asking(call)
        if cue.digit == confirm.key:
            self._conduct.following.stop_playback(call, out)
            self._conduct.offering.take_up(call, at, out)

    def _ask(self, call: Call, at: datetime, out: Output) -> None:
        confirm, channel = self._asking(call)
        self._conduct.record(call, facts.Confirming(at), out)
        media = (self._conduct.floor.rulebook.media(confirm.prompt), _PAUSE)
        self._conduct.following.play_on(call, channel, media, out)

    def _asking(self, call: Call) -> tuple[Confirm, ChannelId]:
        """What is asked, and on which leg."""
        confirm = self._step(call).confirm
        if confirm is None or call.offer is None:
            raise ImpossibleEventError(f"call {call.id} asks nobody for a key")
        return confirm, call.offer.channel

    def _call(
        self,
        call: Call,
        step: Dial,
        destination: Destination,
        at: datetime,
        out: Output,
        without: frozenset[str] = frozenset(),
        *,
        again: bool = False,
    ) -> None:
        """``without`` are the endpoints of the trunk group that have failed this very call, which is made ``again``."""
        self._let_hear(call, step, at, out)
        leg = self._conduct.floor.call_destination(call, destination, at, out, without)
        offered = facts.Offered(
            at,
            call.attempts + 1,
            None,
            leg.trunk,
            leg.channel,
            destination.name,
            member=leg.member,
            marked=leg.marked,
            again=again or bool(without),
        )
        self._conduct.record(call, offered, out)
        self._conduct.set_timer(call, TimerKind.RING, leg.waits_s + destination.ring_timeout_s, out)

    def _pass_over(self, call: Call, destination: Destination, at: datetime, out: Output) -> None:
        """The trunk group is full, or a limit forbids it: nothing is dialled, and the record says so."""
        refusal = self._conduct.floor.block(call, destination, at, out)
        attempt = call.attempts + 1
        channel = naming.leg_channel(call.id, attempt)
        offered = facts.Offered(at, attempt, None, destination.trunk, channel, destination.name)
        self._conduct.record(call, offered, out)
        result = OfferResult.CONGESTION if refusal is None else OfferResult.LIMITED
        self._conduct.record(call, facts.OfferClosed(at, result, Cause.NORMAL_CIRCUIT_CONGESTION), out)
        self._conduct.counters.offers[result] += 1

    def _let_hear(self, call: Call, step: Dial, at: datetime, out: Output) -> None:
        if step.music_class is not None:
            self._conduct.waiting.play_music(call, step.music_class, at, out)
        elif call.answered:  # else the caller hears ringing as soon as there is any
            self._conduct.waiting.play_ringing(call, out)

    def _step(self, call: Call) -> Dial:
        step = call.steps[call.step] if call.step >= 0 else None
        if not isinstance(step, Dial):
            raise ImpossibleEventError(f"call {call.id} is at step {call.step}, which dials nobody")
        return step
