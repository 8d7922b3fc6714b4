"""How long who waits has still to wait: a range, from what callers who were like him have waited a short while ago.

Like him are those of the same queue at the same site who asked for the same skills, and where tenants take turns those
of his tenant: others are served by other counselors, or in other turns. Each of them who had to wait and was served
tells how long one place in line takes with one counselor: the wait, times the counselors who could have served him,
divided by the place. By place and counselors of now the middle of these becomes a range. Where there are too few of
them, or nobody is there who could serve him, nothing is said: better than a lie.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from callrouter.core.ids import QueueName, SiteName, TenantName
from callrouter.core.skills import Levels

LEAST: Final = 5
"""So many callers must have been served lately."""
MOST: Final = 20
"""No more of them count: what was before is over."""
RECENT: Final = timedelta(minutes=60)

_LOW, _HIGH = 0.2, 0.8


class Like(NamedTuple):
    """What callers have in common who wait alike."""

    line: tuple[QueueName, SiteName]
    need: Levels
    """The skills that are needed."""
    tenant: TenantName
    """Empty where tenants take no turns."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stood on entering: the place in line (from 1), and how many counselors could serve him."""

    like: Like
    place: int
    counselors: int


class Estimates:
    """What callers who are alike have waited lately."""

    def __init__(self) -> None:
        self._served: dict[Like, deque[tuple[datetime, float]]] = {}

    def note(self, stood: Standing, waited_s: float, at: datetime) -> None:
        """A caller who stood so was served at ``at`` (aware UTC) after so many seconds."""
        unit_s = waited_s * stood.counselors / stood.place
        self._served.setdefault(stood.like, deque(maxlen=MOST)).append((at, unit_s))

    def expect(self, stands: Standing, at: datetime) -> tuple[float, float] | None:
        """The least and the most seconds that who stands so may expect to wait; None: nobody knows."""
        units_s = sorted(unit_s for served_at, unit_s in self._served.get(stands.like, ()) if at - served_at <= RECENT)
        if len(units_s) < LEAST or not stands.counselors:
            return None
        low_s, high_s = (units_s[round(share * (len(units_s) - 1))] for share in (_LOW, _HIGH))
        places = stands.place / stands.counselors
        return low_s * places, high_s * places
