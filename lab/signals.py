"""Ctrl-C, SIGTERM and a closed terminal, for a command that has things to stop before it ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Counts the requests to stop, once :meth:`install` was called.

    The first one interrupts (KeyboardInterrupt) until :meth:`only_count`: what is being started is given up at once.
    All others only count, so that nothing interrupts the tidying up.
    """

    def __init__(self) -> None:
        self.count = 0
        self._asked = threading.Event()
        self._interrupts = True

    def install(self) -> None:
        """Have them from now on."""
        for number in STOPPING:
            signal.signal(number, self._note)

    def only_count(self) -> None:
        """From now on :meth:`wait` tells of them."""
        self._interrupts = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block be finished before a request to stop interrupts."""
        interrupts, self._interrupts = self._interrupts, False
        yield
        self._interrupts = interrupts
        if interrupts and self.count:
            self._interrupt()

    def wait(self, timeout_s: float) -> bool:
        """Wait until asked to stop, at most so long; whether that was asked."""
        return self._asked.wait(timeout_s)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self._asked.set()
        if self._interrupts:
            self._interrupt()

    def _interrupt(self) -> None:
        self._interrupts = False
        raise KeyboardInterrupt
