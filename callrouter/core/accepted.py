"""What conditions accept, said in a way that routes can be filed by."""

from dataclasses import dataclass
from enum import Enum, auto


class Asked(Enum):
    """What a condition may ask of a call that has one value, or few, of it."""

    DIALED = auto()
    TRUNK = auto()
    NUMBER = auto()
    """The caller's, in national form; never empty where it is accepted."""
    REGION = auto()
    SOURCE = auto()
    """What the region was taken from."""
    TENANT = auto()
    CALLER = auto()
    """The kind of the caller's line."""
    LANGUAGE = auto()
    TOPIC = auto()
    CALENDARS = auto()
    """Those that are open."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A condition holds for these values, and for those that begin with one of the prefixes, and for no others.

    Where a call has several values, one that is accepted is enough.
    """

    what: Asked
    values: frozenset[str]
    prefixes: tuple[str, ...] = ()
