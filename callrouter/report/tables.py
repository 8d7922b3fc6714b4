"""What a report shows of its tallies: figures with names for programs, heads for people, and what kind each is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a figure is."""

    COUNT = "count"
    SHARE = "share"
    """Percent, with a decimal."""
    WHOLE_SHARE = "whole-share"
    """Percent, without."""
    TIME = "time"
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Figure:
    """An attribute of a tally; ``most`` is how many columns of a terminal it may take, 0: it is left out there."""

    name: str
    head: str
    kind: Kind
    most: int


CALLS: Sequence[Figure] = (
    Figure("offered", "offered", Kind.COUNT, 7),
    Figure("answered", "answered", Kind.COUNT, 8),
    Figure("abandoned", "gave up", Kind.COUNT, 7),
    Figure("short_abandons", "short", Kind.COUNT, 6),
    Figure("overflowed", "over", Kind.COUNT, 6),
    Figure("other", "other", Kind.COUNT, 5),
    Figure("service_level", "level", Kind.SHARE, 6),
    Figure("target_percent", "goal", Kind.WHOLE_SHARE, 4),
    Figure("asa_s", "ASA", Kind.TIME, 5),
    Figure("longest_wait_s", "longest", Kind.TIME, 7),
    Figure("mean_talk_s", "AHT", Kind.TIME, 5),
    Figure("talk_s", "talk", Kind.TIME, 0),
    Figure("abandon_rate", "lost", Kind.SHARE, 6),
    Figure("abandon_rate_less_short", "lost-short", Kind.SHARE, 0),
)
OFFERS: Sequence[Figure] = (
    Figure("offers", "offers", Kind.COUNT, 7),
    Figure("answered", "answered", Kind.COUNT, 8),
    Figure("missed", "missed", Kind.COUNT, 7),
    Figure("talk_s", "talk", Kind.TIME, 7),
    Figure("mean_talk_s", "AHT", Kind.TIME, 5),
)
OCCUPANCY: Sequence[Figure] = (
    Figure("logged_in_s", "logged in", Kind.TIME, 9),
    Figure("paused_s", "paused", Kind.TIME, 7),
    Figure("paused_share", "paused", Kind.SHARE, 6),
    Figure("talk_s", "talk", Kind.TIME, 7),
    Figure("wrap_up_s", "wrap-up", Kind.TIME, 7),
    Figure("busy_s", "busy", Kind.TIME, 7),
    Figure("occupancy", "occupied", Kind.SHARE, 8),
)
PAUSES: Sequence[Figure] = (Figure("paused_s", "paused", Kind.TIME, 9),)


@dataclass(frozen=True, slots=True)
class Pause:
    """What a counselor paused for one reason, or all of them for all."""

    paused_s: float


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of tallies; ``keys`` are the heads of what names a row, ``total`` is of all rows together."""

    title: str
    keys: tuple[str, ...]
    figures: Sequence[Figure]
    rows: Sequence[tuple[tuple[str, ...], object]]
    total: object | None = None


def value(tally: object, figure: Figure) -> float | None:
    """The figure of a tally; None is one of nothing."""
    found: float | None = getattr(tally, figure.name)
    return found
