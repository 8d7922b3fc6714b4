"""How long to wait before trying again."""

import random
from collections.abc import Callable


class Backoff:
    """Waits that double from ``first_s`` to ``limit_s``, each cut by chance to between half and the whole.

    The chance keeps the daemons and sockets that lost the same Asterisk from coming back in one moment.
    ``chance`` gives numbers in [0, 1).
    """

    def __init__(self, first_s: float = 0.1, limit_s: float = 5.0, chance: Callable[[], float] = random.random) -> None:
        self._first_s = first_s
        self._limit_s = limit_s
        self._chance = chance
        self._failures = 0

    def next_s(self) -> float:
        """The wait after one more failure, in seconds."""
        whole_s: float = min(self._limit_s, self._first_s * 2**self._failures)
        if whole_s < self._limit_s:
            self._failures += 1
        return whole_s * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """It worked: the next failure is a first one again."""
        self._failures = 0
