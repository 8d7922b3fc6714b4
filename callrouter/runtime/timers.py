"""The deadlines that the exchange waits for: which is next, and which are due.

A plain data structure; whoever drives it sleeps until :meth:`Timers.next_deadline` and then asks for those due.
"""

import heapq
from collections.abc import Hashable
from datetime import datetime
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_SLACK = 64
"""Below this many entries the heap is not worth tidying."""


class Timers(Generic[K]):
    """At most one deadline for each key. Setting and popping cost O(log n), cancelling O(1).

    A cancelled or replaced entry stays in the heap until it comes to the top or such entries are the majority, so the
    heap never holds more than twice the timers that are set, and some slack.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, K]] = []
        # The serial number of the entry that counts: an entry of the same key with another one is stale.
        self._live: dict[K, tuple[int, datetime]] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: object) -> bool:
        return key in self._live

    def set(self, key: K, at: datetime) -> None:
        """Let ``key`` be due at ``at``, instead of when it was to be, if it was.

        Raises ValueError for a time without a zone, which could not be compared with the others.
        """
        if at.tzinfo is None:
            raise ValueError(f"timer {key!r} at {at.isoformat()} has no time zone; use aware UTC")
        self._serial += 1
        self._live[key] = (self._serial, at)
        heapq.heappush(self._heap, (at, self._serial, key))
        self._tidy()

    def cancel(self, key: K) -> bool:
        """Forget ``key``; tells whether it was set."""
        return self._live.pop(key, None) is not None

    def deadline(self, key: K) -> datetime | None:
        """When ``key`` is due; None if it is not set."""
        live = self._live.get(key)
        return live[1] if live else None

    def next_deadline(self) -> datetime | None:
        """When the next one is due; None if none is set."""
        self._drop_stale_top()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: datetime) -> list[K]:
        """Remove those whose time has come (``at <= now``) and return them in order of time, then of setting.

        What is set while these are handled waits for the next call, even if it is due at once: no timer can make
        the caller's loop endless.
        """
        due: list[K] = []
        self._drop_stale_top()
        while self._heap and self._heap[0][0] <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._live[key]
            due.append(key)
            self._drop_stale_top()
        return due

    def _drop_stale_top(self) -> None:
        while self._heap and self._is_stale(self._heap[0]):
            heapq.heappop(self._heap)

    def _is_stale(self, entry: tuple[datetime, int, K]) -> bool:
        _, serial, key = entry
        live = self._live.get(key)
        return live is None or live[0] != serial

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._live) + _SLACK:
            self._heap = [entry for entry in self._heap if not self._is_stale(entry)]
            heapq.heapify(self._heap)
