"""The free counselors of a line who meet a demand, in the order in which they are rung."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import NamedTuple, assert_never

from callrouter.core.agent import Agent
from callrouter.core.ids import AgentId, CallId, SiteName, TrunkName
from callrouter.core.rulebook import Strategy
from callrouter.core.skills import NO_DEMAND, Demand


class Way(NamedTuple):
    """By what a counselor is reached, which is shut or not for all whom it leads to."""

    site: SiteName
    """Where the phone is."""
    trunk: TrunkName | None = None
    """The trunk group that a call there occupies, if it is one."""
    origin: SiteName | None = None
    """Where the caller is, if the call has to go from there to ``site`` first."""


Rank = tuple[float, ...]
"""What puts a counselor in order."""

Idle = tuple[Rank, AgentId]
"""A free counselor, after what puts him in order."""

_64_BITS = 2**64 - 1
_DRAWS = 64
"""After so many draws that came to nothing, lots are drawn for all: the weights differ too much for guesses."""


@dataclass(slots=True, eq=False)
class Pool:
    """See the module. Those of each way stand by themselves, so that a way that is shut costs one look.

    They are kept as sets and compared when one is picked: counselors come and go in many pools for each time that one
    of these is asked.
    """

    demand: Demand
    strategy: Strategy
    ways: dict[Way, set[Idle]] = field(default_factory=dict)
    heaviest: int = 1
    """No counselor here weighs more."""
    _shortfalls: dict[AgentId, int | None] = field(default_factory=dict)
    """What counselors lack of what is preferred; None: of what is needed."""

    def replace(self, strategy: Strategy) -> None:
        """Go on by new rules, by which counselors may have other skills and weights; nobody is here now."""
        self.strategy, self.heaviest = strategy, 1
        self._shortfalls.clear()

    def add(self, agent: Agent, way: Way, rank: Rank) -> Idle | None:
        """Take a counselor in, if he meets the demand; returned is what :meth:`remove` wants."""
        agent_id = agent.spec.id
        if self.demand is not NO_DEMAND:
            shortfall = self._shortfall(agent)
            if shortfall is None:
                return None
            rank = (shortfall, *rank)
        entry = (rank, agent_id)
        members = self.ways.get(way)
        if members is None:
            members = self.ways[way] = set()
        members.add(entry)
        if agent.spec.weight > self.heaviest:
            self.heaviest = agent.spec.weight
        return entry

    def remove(self, way: Way, entry: Idle) -> None:
        """Take a counselor out."""
        members = self.ways[way]
        members.remove(entry)
        if not members:
            del self.ways[way]

    @property
    def members(self) -> Iterator[AgentId]:
        """Who is in it, in no order."""
        return (agent for members in self.ways.values() for _, agent in members)

    @property
    def size(self) -> int:
        """How many are in it."""
        return sum(map(len, self.ways.values()))

    def has_way(self, shut: Mapping[Way, bool]) -> bool:
        """Whether anybody can be reached, by what is said of each way."""
        return not all(map(shut.__getitem__, self.ways))  # no generator: this is asked for each who is first somewhere

    def pick(self, call: CallId, agents: Mapping[AgentId, Agent], shut: Mapping[Way, bool]) -> AgentId:
        """Who is rung for the call; there must be somebody who can be reached."""
        if self.strategy is not Strategy.WEIGHTED_RANDOM:
            firsts = sorted((min(members), way) for way, members in self.ways.items())
            return next(agent for (_, agent), way in firsts if not shut[way])
        free = sorted(chain.from_iterable(members for way, members in self.ways.items() if not shut[way]))
        if self.demand is not NO_DEMAND:
            del free[bisect_left(free, ((free[0][0][0] + 1,), AgentId(""))) :]
        return self._draw(call, agents, free)

    def _draw(self, call: CallId, agents: Mapping[AgentId, Agent], free: list[Idle]) -> AgentId:
        """By lot. Somebody is drawn as if all weighed the same, and taken as often as his weight is of the heaviest."""
        seed = _seed(call)
        for number in range(_DRAWS):
            lot = _stir(seed + number * 0x9E3779B97F4A7C15 & _64_BITS)
            drawn = free[(lot >> 32) * len(free) >> 32][1]
            if (lot & 0xFFFFFFFF) * self.heaviest >> 32 < agents[drawn].spec.weight:
                return drawn
        return max((agent for _, agent in free), key=lambda agent: _lot(seed, agents[agent]))

    def _shortfall(self, agent: Agent) -> int | None:
        agent_id = agent.spec.id
        if agent_id not in self._shortfalls:
            skills = agent.spec.skills
            self._shortfalls[agent_id] = self.demand.shortfall(skills) if self.demand.is_met_by(skills) else None
        return self._shortfalls[agent_id]


def way_to(agent: Agent, origin: SiteName) -> Way:
    """By what the counselor is reached for a caller at ``origin``."""
    spec = agent.spec
    return Way(spec.site, spec.trunk, origin if origin != spec.site else None)


def rank_of(agent: Agent, strategy: Strategy) -> Rank:
    """What puts the counselors of a line in order: who has the least is rung first. Idle time decides among equals."""
    idle_since = agent.idle_since.timestamp()
    match strategy:
        case Strategy.LONGEST_IDLE | Strategy.WEIGHTED_RANDOM | Strategy.RING_ALL:
            return (idle_since,)
        case Strategy.FEWEST_CALLS:
            return (agent.calls, idle_since)
        case Strategy.ROUND_ROBIN:
            return (agent.offered_at.timestamp() if agent.offered_at is not None else 0.0, idle_since)
        case Strategy.ORDERED:
            return (agent.spec.rank, idle_since)
        case _:
            assert_never(strategy)


def _lot(seed: int, agent: Agent) -> float:
    """The counselor's own lot for a call: the greatest wins, and each wins as often as his weight says.

    Weighted rendezvous hashing: the lot comes from the two names alone.
    """
    lot = _stir(seed ^ _seed(agent.spec.id))
    chance = ((lot >> 12) + 0.5) / 2**52  # never 0 and never 1, whose logarithms would not do
    return -agent.spec.weight / math.log(chance)


def _stir(lot: int) -> int:
    """The last steps of SplitMix64."""
    lot = ((lot ^ (lot >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
    lot = ((lot ^ (lot >> 27)) * 0x94D049BB133111EB) & _64_BITS
    return lot ^ (lot >> 31)


@lru_cache(maxsize=8192)
def _seed(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
