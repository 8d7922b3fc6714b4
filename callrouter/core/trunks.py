"""Trunk groups: how many calls they carry, and who holds which channel.

A channel is seized before anything is dialled and released when the leg that used it is gone, once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from callrouter.core.ids import ChannelId, TrunkName
from callrouter.core.rulebook import TrunkSpec


@dataclass(frozen=True, slots=True)
class Seizure:
    """One channel of a trunk group, held by one leg."""

    trunk: TrunkName
    leg: ChannelId


class Trunks:
    """The channels in use of every trunk group."""

    def __init__(self, specs: Mapping[TrunkName, TrunkSpec]) -> None:
        self._specs = dict(specs)
        self._held: dict[TrunkName, set[ChannelId]] = {}
        self._resting: set[TrunkName] = set()

    def replace(self, specs: Mapping[TrunkName, TrunkSpec]) -> None:
        """Take new sizes. Seizures stay; a group that shrank admits nothing until it is below its new size."""
        self._specs = dict(specs)
        self._resting &= self._specs.keys()

    def has_room(self, trunk: TrunkName | None, beside: int = 0) -> bool:
        """Whether a call over ``trunk`` can be admitted now, ``beside`` so many others that are to be made with it.

        A phone on the site itself needs none.
        """
        if trunk is None:
            return True
        spec = self._specs.get(trunk)
        return spec is not None and trunk not in self._resting and self.in_use(trunk) + beside < spec.channels

    def seize(self, trunk: TrunkName, leg: ChannelId) -> Seizure:
        """Hold one channel for ``leg``.

        Raises:
            ValueError: the group is full, resting or unknown, or ``leg`` holds a channel already; ask
                :meth:`has_room` first.
        """
        held = self._held.setdefault(trunk, set())
        if leg in held or not self.has_room(trunk):
            raise ValueError(f"trunk group {trunk!r} has no channel for leg {leg!r}")
        held.add(leg)
        return Seizure(trunk, leg)

    def reclaim(self, trunk: TrunkName, leg: ChannelId) -> Seizure:
        """Hold the channel that ``leg`` is using already, whatever the group's size says now."""
        self._held.setdefault(trunk, set()).add(leg)
        return Seizure(trunk, leg)

    def release(self, seizure: Seizure) -> None:
        """Give a channel back.

        Raises:
            KeyError: it was given back before.
        """
        self._held[seizure.trunk].remove(seizure.leg)

    def rest(self, trunk: TrunkName) -> None:
        """Admit nothing for a while: the group said it was congested."""
        self._resting.add(trunk)

    def wake(self, trunk: TrunkName) -> None:
        """Admit calls again."""
        self._resting.discard(trunk)

    def in_use(self, trunk: TrunkName) -> int:
        """How many channels are held."""
        return len(self._held.get(trunk, ()))

    @property
    def seizures(self) -> int:
        """How many channels are held in all groups together."""
        return sum(map(len, self._held.values()))
