"""How long who waits has still to wait: a range, from what callers of the same queue have waited a short while ago.

Each caller who had to wait and was served tells how long one place in line takes with one counselor: the wait, times
the counselors who took calls then, divided by the place. By place and counselors of now the middle of these becomes a
range. Where there are too few of them, or nobody takes calls, nothing is said: better than a lie.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from callrouter.core.ids import QueueName

LEAST: Final = 5
"""So many callers must have been served lately."""
MOST: Final = 20
"""No more of them count: what was before is over."""
RECENT: Final = timedelta(minutes=60)

_LOW, _HIGH = 0.2, 0.8


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stood on entering: the place in line (from 1), and how many counselors took calls."""

    position: int
    counselors: int


class Estimates:
    """What callers of each queue have waited lately."""

    def __init__(self) -> None:
        self._served: dict[QueueName, deque[tuple[datetime, float]]] = {}

    def note(self, queue: QueueName, stood: Standing, waited_s: float, at: datetime) -> None:
        """A caller who stood so was served at ``at`` (aware UTC) after so many seconds."""
        unit_s = waited_s * stood.counselors / stood.position
        self._served.setdefault(queue, deque(maxlen=MOST)).append((at, unit_s))

    def expect(self, queue: QueueName, stands: Standing, at: datetime) -> tuple[float, float] | None:
        """The least and the most seconds that who stands so may expect to wait; None: nobody knows."""
        units_s = sorted(unit_s for served_at, unit_s in self._served.get(queue, ()) if at - served_at <= RECENT)
        if len(units_s) < LEAST or not stands.counselors:
            return None
        low_s, high_s = (units_s[round(share * (len(units_s) - 1))] for share in (_LOW, _HIGH))
        places = stands.position / stands.counselors
        return low_s * places, high_s * places
