"""Finds the first route that matches without asking each of them.

For everything that conditions accept by its value it is filed which routes accept which value. A set of routes is a
number with a bit for each, so that a few ANDs leave the routes that accept all that is known of the call, however many
routes there are. What cannot be filed, such as how a queue stands, is then asked of these alone, in their order; what
one of them is refused for, no other is asked for again.

The first route has the highest bit: Python tells that of a number at once, the lowest only by working through it. Nor
are negative numbers (``~``, unary ``-``) made: an AND with one takes six times as long.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from callrouter.core.accepted import Accepted, Asked
from callrouter.core.conditions import Case, Condition, Filed, QueueIs
from callrouter.core.ids import CalendarName

FEW = 8
"""So many routes are kept one by one; of more, their set."""

_READ: Mapping[Asked, Callable[[Case], str | None]] = {
    Asked.DIALED: lambda case: case.dialed_as,
    Asked.TRUNK: lambda case: case.facts.trunk,
    Asked.NUMBER: lambda case: case.caller.national or None,
    Asked.SOURCE: lambda case: case.origin.source,
    Asked.REGION: lambda case: case.origin.region.name,
    Asked.TENANT: lambda case: case.origin.region.tenant,
    Asked.CALLER: lambda case: case.caller.kind,
    Asked.LANGUAGE: lambda case: case.facts.language,
    Asked.TOPIC: lambda case: case.facts.topic or "",
}
"""The least telling first: to be for another dialled number says little of a route, for another topic much."""


class Conditional(Protocol):
    """What is to be found."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What must hold, all of it."""
        ...


class RouteIndex:
    """The routes by what they accept. The last must have no conditions, so that one always matches."""

    __slots__ = ("_asked", "_by_calendar", "_count", "_tables")

    def __init__(self, routes: Sequence[Conditional]) -> None:
        self._count = len(routes)
        sets = _Sets(self._count)
        filed: dict[Asked, dict[int, Accepted]] = {Asked.CALENDARS: {}}
        asked: list[list[Condition]] = [[] for _ in routes]
        sharing: dict[Condition, list[int]] = {}
        for position, route in enumerate(routes):
            for condition in route.conditions:
                # A table knows of one condition of its kind: a second one is asked.
                if isinstance(condition, Filed) and position not in filed.setdefault(condition.accepts.what, {}):
                    filed[condition.accepts.what][position] = condition.accepts
                else:
                    asked[position].append(condition)
                    sharing.setdefault(condition, []).append(position)
        self._by_calendar = _Table(filed[Asked.CALENDARS], sets)
        self._tables = tuple((read, _Table(filed[what], sets)) for what, read in _READ.items() if what in filed)
        shared = {one: sets.of(positions) if len(positions) > 1 else 0 for one, positions in sharing.items()}
        self._asked = tuple(tuple((one, shared[one]) for one in conditions) for conditions in asked)

    def accepting_time(self, calendars: Iterable[CalendarName]) -> int:
        """The routes that accept calls while these calendars, and no others, are open."""
        found = self._by_calendar.accepting(None)
        for name in calendars:
            found |= self._by_calendar.accepting(name)
        return found

    def first(self, case: Case, by_time: int) -> int:
        """The position of the first route whose conditions hold; ``by_time`` as :meth:`accepting_time` gives it."""
        proposed = by_time
        for read, table in self._tables:
            proposed &= table.accepting(read(case))
        while True:
            bits = proposed.bit_length()
            position = self._count - bits
            refused = self._refused(position, case)
            if refused is None:
                return position
            proposed ^= (proposed & refused) or 1 << (bits - 1)

    def nearest(self, case: Case, by_time: int, before: int, limit: int) -> list[int]:
        """Positions of routes before ``before`` that came nearest to taking the call, at most ``limit``, in order.

        Those that missed it by one thing only: a queue or an exclusion, else the hour, else what the caller wants, and
        so on.
        """
        sets = [*(table.accepting(read(case)) for read, table in self._tables), by_time]
        behind = self._count - before
        earlier = [((1 << before) - 1) << behind]
        for one in sets:
            earlier.append(earlier[-1] & one)
        found = self._positions(earlier.pop(), limit)
        later = (1 << self._count) - 1
        for one in reversed(sets):
            others = earlier.pop() & later
            found += self._positions(others ^ (others & one), limit - len(found))
            later &= one
        return sorted(found)

    def _positions(self, routes: int, limit: int) -> list[int]:
        """The first so many positions in a set."""
        found: list[int] = []
        while routes and len(found) < limit:
            bits = routes.bit_length()
            found.append(self._count - bits)
            routes ^= 1 << (bits - 1)
        return found

    def _refused(self, position: int, case: Case) -> int | None:
        """None if the route takes the call; else all routes that ask what it was refused for, none if it alone does."""
        for condition, shared in self._asked[position]:
            if not (condition.holds(case) if isinstance(condition, QueueIs) else condition.check(case).holds):
                return shared
        return None


class _Sets:
    """Sets of routes as numbers. Equal ones are one object: all entries of a long list of callers have the same."""

    __slots__ = ("_count", "_known", "everything")

    def __init__(self, count: int) -> None:
        self._count = count
        self.everything = (1 << count) - 1
        self._known: dict[tuple[int, ...], int] = {}

    def bit(self, position: int) -> int:
        """Which bit stands for the route at that position."""
        return self._count - 1 - position

    def of(self, positions: Iterable[int]) -> int:
        """The set of these positions."""
        key = tuple(positions)
        if key not in self._known:
            octets = bytearray(self._count // 8 + 1)
            for position in key:
                bit = self.bit(position)
                octets[bit >> 3] |= 1 << (bit & 7)
            self._known[key] = int.from_bytes(octets, "little")
        return self._known[key]


class _Table:
    """Which routes accept which value of one thing."""

    __slots__ = ("_anyway", "_by_length", "_by_value", "_few")

    def __init__(self, filed: Mapping[int, Accepted], sets: _Sets) -> None:
        self._anyway = sets.everything ^ sets.of(filed)
        by_value: dict[str, list[int]] = {}
        by_prefix: dict[str, list[int]] = {}
        for position, accepted in filed.items():
            for value in accepted.values:
                by_value.setdefault(value, []).append(position)
            for prefix in dict.fromkeys(accepted.prefixes):
                by_prefix.setdefault(prefix, []).append(position)
        # The routes that do not ask are in already, where it takes no more room.
        many = {value: sets.of(positions) for value, positions in by_value.items() if len(positions) > FEW}
        whole = {some: self._anyway | some for some in set(many.values())}
        self._by_value = {value: whole[some] for value, some in many.items()}
        self._few = {
            value: tuple(map(sets.bit, positions)) for value, positions in by_value.items() if len(positions) <= FEW
        }
        by_length: dict[int, dict[str, int | tuple[int, ...]]] = {}
        for prefix, positions in by_prefix.items():
            by_length.setdefault(len(prefix), {})[prefix] = _kept(positions, sets)
        self._by_length = tuple(by_length.items())

    def accepting(self, value: str | None) -> int:
        """The routes that accept this value, or do not ask; None has no beginning, not even an empty one."""
        if value is None:
            return self._anyway
        found = self._by_value.get(value, self._anyway)
        if value in self._few:
            found |= _set(self._few[value])
        for length, by_prefix in self._by_length:
            kept = by_prefix.get(value[:length])
            if kept is not None:
                found |= kept if isinstance(kept, int) else _set(kept)
        return found


def _kept(positions: list[int], sets: _Sets) -> int | tuple[int, ...]:
    """The set, or where that is smaller the bits themselves."""
    return tuple(map(sets.bit, positions)) if len(positions) <= FEW else sets.of(positions)


def _set(bits: Iterable[int]) -> int:
    found = 0
    for bit in bits:
        found |= 1 << bit
    return found
