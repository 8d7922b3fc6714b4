"""File descriptors: how many this process may have and has, and how many of them strangers may take.

Every socket and every open file is one. What calls need is a few dozen, taken at the start; connections to pages and to
FastAGI are as many as somebody cares to open, so each of the two gets a share, and the rest is for calls.
"""

import os
import resource
from dataclasses import dataclass
from typing import Final

ENOUGH: Final = 65_536
"""More than that is not asked for, where no limit is set."""
SHARE: Final = 4
"""Pages, and FastAGI, may have so large a part each: a quarter."""
FEW: Final = 0.9
"""From this part on that is in use, people are told."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """How many are open, and how many may be."""

    used: int
    limit: int

    @property
    def are_few_left(self) -> bool:
        """Whether somebody should see to it."""
        return self.used >= FEW * self.limit

    def __str__(self) -> str:
        return f"{self.used} of {self.limit} file descriptors are in use"


def raise_limit() -> None:
    """Have as many as the system lets us have: the usual 1,024 is a number from long ago."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def descriptors() -> Descriptors:
    """How it is now. Whoever has none left cannot look, and knows by that."""
    limit = _limit()
    try:
        used = len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:  # no Linux: nobody knows
        return Descriptors(0, limit)
    except OSError:
        return Descriptors(limit, limit)
    return Descriptors(used - 1, limit)  # without the one to look with


def share(most: int) -> int:
    """How many connections strangers may have to one server, of which it wants ``most``; by the limit of now."""
    return max(1, min(most, _limit() // SHARE))


def _limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft
