"""Orders that wait until the facts which they follow from are on disk: a write-ahead log of what is done to calls.

Whoever comes after a daemon that died then knows of all that it had asked Asterisk for: no phone rings of which nobody
knows, and no answer of the API is forgotten. A disk in trouble does not reach a call: what waits goes out after
:data:`HELD_AT_MOST_S`, and from then on nothing waits until the disk has caught up.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import structlog

log = structlog.get_logger(__name__)

HELD_AT_MOST_S: Final = 0.2
"""How long an order waits for a disk, whose sync takes some milliseconds."""


class Keeping(Protocol):
    """Where records are kept, in the order in which they were handed over."""

    @property
    def handed(self) -> int:
        """How many records were handed over so far."""

    @property
    def kept(self) -> int:
        """How many of them need not be waited for any more: they are on disk, or the disk is known to take none."""

    def keep_now(self, tell: Callable[[], None]) -> None:
        """Have what was handed over written at once; ``tell`` is called in the event loop when ``kept`` has grown."""

    def followed(self, records: int) -> None:
        """What follows from so many of the records handed over is done now, whether they are on disk or not."""

    def settled(self, until: float) -> None:
        """Asterisk has answered all that followed from records handed over up to then (seconds since 1970)."""


@dataclass(slots=True)
class _Batch:
    """What followed from one event."""

    at: float
    """When it was decided, in seconds since 1970."""
    unsettled: int
    """How many orders of it Asterisk has not answered yet, and one more until they are sent."""


@dataclass(frozen=True, slots=True)
class _Held:
    batch: _Batch
    mark: int
    """How many records must have been kept."""
    due: float
    """How long it may wait, by the loop's clock."""
    send: Callable[[Callable[[], None]], None]


class HeldOrders:
    """First in, first out. ``may_act`` is asked before anything is sent; ``on_empty`` is told when nothing is left."""

    def __init__(self, keeping: Keeping, may_act: Callable[[], bool], on_empty: Callable[[], None]) -> None:
        self._keeping = keeping
        self._may_act = may_act
        self._on_empty = on_empty
        self._held: deque[_Held] = deque()
        self._unsettled: deque[_Batch] = deque()
        self.hastened = 0
        """Orders that were sent before their facts were on disk."""
        self._alarm: asyncio.TimerHandle | None = None
        self._late_for: int | None = None
        """The disk has kept an order waiting for too long: so many records it must have kept to be waited for again."""

    def __len__(self) -> int:
        return len(self._held)

    def send(self, send: Callable[[Callable[[], None]], None], orders: int) -> None:
        """Call ``send`` once all that was handed over so far is kept; now, if it is.

        It is given what to call for each of its ``orders`` when that was answered, or given up.
        """
        keeping = self._keeping
        mark, batch = keeping.handed, _Batch(time.time(), orders + 1)
        self._unsettled.append(batch)
        loop = asyncio.get_running_loop()
        self._held.append(_Held(batch, mark, loop.time() + HELD_AT_MOST_S, send))
        if len(self._held) == 1:
            self.go_on()
            if self._late_for is not None:
                keeping.keep_now(self.go_on)
        if self._held and self._alarm is None:
            self._alarm = loop.call_later(HELD_AT_MOST_S, self._ring)

    def send_nothing(self) -> None:
        """From what was handed over last, nothing followed."""
        self._unsettled.append(_Batch(time.time(), 0))
        self._tell_settled()

    def go_on(self) -> None:
        """Send what need not wait any more, and ask to be told of the rest."""
        if self._late_for is not None and self._keeping.kept >= self._late_for:
            self._late_for = None
            log.info("journal.in_time_again", hastened=self.hastened)
        while self._held and self._may_act():
            if self._need_not_wait_for(self._held[0].mark):
                self._send_first()
                continue
            self._keeping.keep_now(self.go_on)
            if not self._need_not_wait_for(self._held[0].mark):  # by now: who is not told of that would wait in vain
                return
        if not self._held:
            self._on_empty()

    def _send_first(self) -> None:
        held = self._held.popleft()
        self.hastened += held.mark > self._keeping.kept
        self._keeping.followed(held.mark)
        held.send(partial(self._settle, held.batch))
        self._settle(held.batch)

    def drop(self) -> None:
        """Send nothing of what waits: another daemon is in charge."""
        self._held.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def _need_not_wait_for(self, mark: int) -> bool:
        return self._late_for is not None or self._keeping.kept >= mark

    def _settle(self, batch: _Batch) -> None:
        batch.unsettled -= 1
        if not batch.unsettled:
            self._tell_settled()

    def _tell_settled(self) -> None:
        """Tell how far all is settled, if that is farther than before."""
        last = None
        while self._unsettled and not self._unsettled[0].unsettled:
            last = self._unsettled.popleft()
        if last is not None:
            self._keeping.settled(last.at)

    def _ring(self) -> None:
        self._alarm = None
        if not self._held:
            return
        loop = asyncio.get_running_loop()
        if not self._may_act():  # it is not the disk that keeps them waiting
            self._alarm = loop.call_later(HELD_AT_MOST_S, self._ring)
            return
        if self._held[0].due <= loop.time():
            self._late_for = self._held[0].mark
            log.warning("journal.late", held_s=HELD_AT_MOST_S, remedy="see what keeps the state folder's disk busy")
            self.go_on()
        if self._held:
            self._alarm = loop.call_later(max(0.001, self._held[0].due - loop.time()), self._ring)
