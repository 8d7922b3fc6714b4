"""Which region a number belongs to, by the longest prefix that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from callrouter.core.ids import RegionName


class Confidence(StrEnum):
    """How far a region can be trusted."""

    CERTAIN = "certain"
    """Said by the configuration: this dialled number, this trunk, this prefix."""
    STRONG = "strong"
    """Many samples of this exchange, none against; or the caller's own word in an earlier call."""
    FAIR = "fair"
    """Few samples of this exchange, or only of its block."""
    WEAK = "weak"
    """One or two samples, a contradiction, or nothing but the default."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a prefix belongs."""

    region: RegionName
    confidence: Confidence
    note: str = ""


class Match(msgspec.Struct, frozen=True):
    """A place, and the prefix that led there."""

    prefix: str
    place: Place


class NumberingPlan:
    """Longest-prefix match. A lookup costs one dictionary probe for each length that occurs, however many prefixes."""

    __slots__ = ("_by_length",)

    def __init__(self, places: Mapping[str, Place]) -> None:
        by_length: dict[int, dict[str, Place]] = {}
        for prefix, place in places.items():
            by_length.setdefault(len(prefix), {})[prefix] = place
        self._by_length = tuple(sorted(by_length.items(), reverse=True))

    def find(self, number: str) -> Match | None:
        """The longest known prefix of ``number`` (national, or E.164 with +), or None."""
        for length, places in self._by_length:
            prefix = number[:length]
            place = places.get(prefix)
            if place is not None:
                return Match(prefix, place)
        return None

    @property
    def prefixes(self) -> frozenset[str]:
        """Every known prefix."""
        return frozenset(prefix for _, places in self._by_length for prefix in places)

    def __len__(self) -> int:
        return sum(len(places) for _, places in self._by_length)
