"""Who tries too often waits: longer after each wrong password, and not at all while requests come as people make them.

Time is handed in, in seconds of a clock that only goes forward. Both tables are bounded: what was least used goes.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MOST_KNOWN: Final = 10_000


@dataclass(slots=True)
class _Tries:
    wrong: int
    last_s: float


class LoginThrottle:
    """Counts wrong tries of a key (an account's name, an address) and says how long the next must wait.

    ``free`` tries cost nothing; each wrong one after them doubles the wait, from one second up to ``longest_s``. After
    ``forget_s`` without a try all is forgotten.
    """

    def __init__(self, *, free: int, longest_s: float, forget_s: float = 3600.0) -> None:
        self._free = free
        self._longest_s = longest_s
        self._forget_s = forget_s
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """How long a try must wait still; 0: it may be made."""
        tries = self._tries.get(key)
        if tries is None or now_s - tries.last_s >= self._forget_s or tries.wrong <= self._free:
            return 0.0
        # The exponent is bounded before the power is taken: a million wrong tries are no number of a million digits.
        doubled = min(2.0 ** min(tries.wrong - self._free - 1, 32), self._longest_s)
        return max(0.0, tries.last_s + doubled - now_s)

    def tried(self, key: str, now_s: float) -> None:
        """A try is made; it counts as wrong until it is taken back. Many at once cannot all come before the first."""
        tries = self._tries.pop(key, None)
        if tries is None or now_s - tries.last_s >= self._forget_s:
            tries = _Tries(0, now_s)
        tries.wrong += 1
        tries.last_s = now_s
        self._tries[key] = tries
        if len(self._tries) > MOST_KNOWN:
            self._tries.popitem(last=False)

    def take_back(self, key: str) -> None:
        """The last try was right after all; those before it stay."""
        tries = self._tries.get(key)
        if tries is not None:
            tries.wrong = max(0, tries.wrong - 1)

    def forget(self, key: str) -> None:
        """It was right: nothing is held against the key any more."""
        self._tries.pop(key, None)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class RateLimit:
    """So many a second for each key, with a store for ``burst_s`` seconds."""

    def __init__(self, per_s: float, *, burst_s: float = 4.0) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * burst_s)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, now_s: float) -> float:
        """Take one; 0 if there was one, else after how many seconds there will be."""
        bucket = self._buckets.pop(key, None) or _Bucket(self._most, now_s)
        bucket.tokens = min(self._most, bucket.tokens + (now_s - bucket.at_s) * self._per_s)
        bucket.at_s = now_s
        self._buckets[key] = bucket
        if len(self._buckets) > MOST_KNOWN:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / self._per_s
        bucket.tokens -= 1.0
        return 0.0
