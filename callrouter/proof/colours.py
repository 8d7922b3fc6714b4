"""Colours of rules in the picture of a year: warm by day, cool by night, pale where nobody answers.

The hues are apart for people who cannot tell red from green, and the groups are apart in lightness, too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from callrouter.core.ids import RuleId
from callrouter.proof.days import Piece
from callrouter.proof.ends import Answer, EndKind

_MORNING, _EVENING = 7 * 60, 19 * 60


class Group(StrEnum):
    """What a time of the year is, at a glance."""

    DAY = "day"
    NIGHT = "night"
    ANY_TIME = "any time"
    CLOSED = "closed"
    WRONG = "goes wrong"


@dataclass(frozen=True, slots=True)
class Paint:
    """How a rule is drawn."""

    group: Group
    fill: str
    hatched: bool = False
    """Its group has more rules than colours."""


_FILLS: Mapping[Group, tuple[str, ...]] = {
    Group.DAY: ("#f2a93b", "#e07b39", "#f6d365", "#b5651d"),
    Group.NIGHT: ("#2f4b8f", "#6f5aa8", "#3e8ebd", "#1d2f5f"),
    Group.ANY_TIME: ("#1f8a70", "#7fc8a9", "#0f5c4c", "#4f9d92"),
    Group.CLOSED: ("#e3e7ec", "#c9d1da", "#eee6da", "#d9cfe3"),
    Group.WRONG: ("#c62828",),
}

Painted = tuple[RuleId, bool]
"""A rule, and whether nobody answers: one rule may be both, by what its plan asks."""


def paints(pieces: Iterable[Piece], order: Iterable[RuleId]) -> Mapping[Painted, Paint]:
    """A paint for every rule that is seen; the same pieces get the same."""
    minutes: dict[Painted, list[int]] = defaultdict(lambda: [0, 0])
    wrong: set[Painted] = set()
    for piece in pieces:
        key = painted(piece.answer)
        by_day = max(0, min(piece.end, _EVENING) - max(piece.start, _MORNING))
        minutes[key][0] += by_day
        minutes[key][1] += piece.end - piece.start
        if any(end.kind is EndKind.FALLBACK for end in piece.answer.ends):
            wrong.add(key)
    used: dict[Group, int] = defaultdict(int)
    found: dict[Painted, Paint] = {}
    for key in ((rule, closed) for rule in order for closed in (False, True)):
        if key in minutes:
            group = Group.WRONG if key in wrong else _group(key, *minutes[key])
            fills, number = _FILLS[group], used[group]
            used[group] += 1
            found[key] = Paint(group, fills[number % len(fills)], number >= len(fills))
    return found


def painted(answer: Answer) -> Painted:
    """By what the answer is drawn."""
    return answer.rule, answer.closed


def _group(key: Painted, by_day: int, minutes: int) -> Group:
    if key[1]:
        return Group.CLOSED
    if by_day * 3 >= minutes * 2:
        return Group.DAY
    return Group.NIGHT if by_day * 3 <= minutes else Group.ANY_TIME
