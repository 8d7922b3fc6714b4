"""Where records are kept, for a dispatcher: at once, or when a test says so."""

from collections.abc import Callable
from dataclasses import dataclass, field


class KeepsAtOnce:
    """A disk that takes no time."""

    handed = 0
    kept = 0

    def keep_now(self, tell: Callable[[], None]) -> None:
        """Nothing waits."""

    def followed(self, records: int) -> None:
        """Not of interest."""

    def settled(self, until: float) -> None:
        """Not of interest."""


@dataclass
class SlowDisk:
    """A disk that writes when it is told to."""

    handed: int = 0
    kept: int = 0
    asked: list[Callable[[], None]] = field(default_factory=list)
    settled_until: list[float] = field(default_factory=list)
    followed_by_orders: int = 0

    def hand_over(self, records: int = 1) -> None:
        """Somebody decides something."""
        self.handed += records

    def keep_now(self, tell: Callable[[], None]) -> None:
        """See the Protocol."""
        self.asked.append(tell)

    def followed(self, records: int) -> None:
        """See the Protocol."""
        self.followed_by_orders = records

    def settled(self, until: float) -> None:
        """See the Protocol."""
        self.settled_until.append(until)

    def write(self, records: int | None = None) -> None:
        """So many records get to the disk; all, if it is not said."""
        self.kept = self.handed if records is None else self.kept + records
        asked, self.asked = self.asked, []
        for tell in asked[-1:]:
            tell()
