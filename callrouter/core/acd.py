"""Automatic call distribution: which waiting caller goes to which counselor next.

Callers are served in the order of their coming, over all queues; those of a queue with a head start as if they had
come that much earlier. A head start, unlike a rank, cannot starve anybody: whoever waits longer than it is next. Which
of the counselors who serve the caller's queue is rung, the queue's strategy says. A caller whose offer failed keeps the
place.

Caller and counselor are of one site: two Asterisk servers have no way between them yet, and a caller who waits at one
must not stand before those who wait at another.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar, assert_never

from callrouter.core.agent import Agent
from callrouter.core.ids import AgentId, CallId, QueueName, SiteName
from callrouter.core.rulebook import QueueSpec, Strategy

Line = tuple[QueueName, SiteName]
"""Those who wait in a queue at one site."""

Place = tuple[float, int]
"""What orders the callers of all queues: when they came, in seconds, less the head start; then the place's number."""

_64_BITS = 2**64 - 1

_Waiting = tuple[Place, CallId]
_Idle = tuple[tuple[float, ...], AgentId]
_Entry = TypeVar("_Entry", _Waiting, _Idle)


@dataclass(frozen=True, slots=True)
class Match:
    """A caller and the counselor whose phone is to ring."""

    call: CallId
    agent: Agent


class Acd:
    """The waiting callers and the available counselors of every queue, both in order."""

    def __init__(self, queues: Mapping[QueueName, QueueSpec] | None = None) -> None:
        self.queues: Mapping[QueueName, QueueSpec] = queues or {}
        """By whose strategies counselors are put in order; a queue that is not here has the usual one."""
        self._waiting: dict[Line, list[_Waiting]] = {}
        self._stands: dict[CallId, tuple[Line, Place]] = {}
        self._idle: dict[Line, list[_Idle]] = {}
        self._agents: dict[AgentId, Agent] = {}
        self._ranked: dict[AgentId, list[tuple[Line, _Idle]]] = {}

    def join(self, line: Line, place: Place, call: CallId) -> None:
        """Let a caller wait in ``line`` at ``place``."""
        self._stands[call] = (line, place)
        insort(self._waiting.setdefault(line, []), (place, call))

    def leave(self, call: CallId) -> None:
        """Take a caller out of his line; one who stands in none is left alone."""
        stands = self._stands.pop(call, None)
        if stands is not None:
            line, place = stands
            _remove(self._waiting[line], (place, call))

    def move(self, call: CallId, place: Place) -> None:
        """Let a caller stand at another place of his line; one who stands in none is left alone."""
        stands = self._stands.get(call)
        if stands is not None:
            line, _ = stands
            self.leave(call)
            self.join(line, place, call)

    def offer_to(self, agent: Agent) -> None:
        """From now on the counselor may be picked."""
        agent_id = agent.spec.id
        self._agents[agent_id] = agent
        ranked = self._ranked[agent_id] = []
        for queue in agent.spec.queues:
            line: Line = (queue, agent.spec.site)
            entry = (_rank(agent, self._strategy(queue)), agent_id)
            insort(self._idle.setdefault(line, []), entry)
            ranked.append((line, entry))

    def spare(self, agent: Agent) -> None:
        """From now on the counselor is not picked; one who was not to be picked is left alone."""
        if self._agents.pop(agent.spec.id, None) is not None:
            for line, entry in self._ranked.pop(agent.spec.id):
                _remove(self._idle[line], entry)

    def match(self, reachable: Callable[[Agent], bool]) -> Match | None:
        """The next pair, or None when no caller can be served now.

        ``reachable`` says whether there is a way to a counselor at this moment (site up, trunk with room).
        """
        heads = sorted((waiting[0], line) for line, waiting in self._waiting.items() if waiting)
        for (_, call), line in heads:
            agent = self._pick(line, call, reachable)
            if agent is not None:
                return Match(call, agent)
        return None

    def can_serve(self, line: Line, reachable: Callable[[Agent], bool]) -> bool:
        """Whether somebody could take a call of ``line`` now."""
        return self._first(line, reachable) is not None

    def waiting(self, queue: QueueName) -> int:
        """How many callers wait in ``queue`` (those whose offer is ringing do not count)."""
        return sum(len(waiting) for (name, _), waiting in self._waiting.items() if name == queue)

    def position(self, call: CallId) -> int:
        """The caller's place in his line, counted from 1; he stands in one."""
        line, place = self._stands[call]
        return bisect_left(self._waiting[line], (place, call)) + 1

    def waiting_in(self, queue: QueueName) -> list[CallId]:
        """The callers who wait in ``queue``."""
        return [call for (name, _), waiting in self._waiting.items() if name == queue for _, call in waiting]

    def first(self, queue: QueueName) -> CallId | None:
        """The caller who has the first place in ``queue``."""
        heads = (waiting[0] for (name, _), waiting in self._waiting.items() if name == queue and waiting)
        head = min(heads, default=None)
        return head[1] if head is not None else None

    def idle(self, queue: QueueName) -> int:
        """How many counselors of ``queue`` are available."""
        return sum(len(idle) for (name, _), idle in self._idle.items() if name == queue)

    def _strategy(self, queue: QueueName) -> Strategy:
        spec = self.queues.get(queue)
        return spec.strategy if spec is not None else Strategy.LONGEST_IDLE

    def _pick(self, line: Line, call: CallId, reachable: Callable[[Agent], bool]) -> Agent | None:
        if self._strategy(line[0]) is not Strategy.WEIGHTED_RANDOM:
            return self._first(line, reachable)
        call_seed = _seed(call)
        found = (self._agents[agent_id] for _, agent_id in self._idle.get(line, ()))
        return max(filter(reachable, found), key=lambda agent: _draw(call_seed, agent), default=None)

    def _first(self, line: Line, reachable: Callable[[Agent], bool]) -> Agent | None:
        for _, agent_id in self._idle.get(line, ()):
            agent = self._agents[agent_id]
            if reachable(agent):
                return agent
        return None


def _rank(agent: Agent, strategy: Strategy) -> tuple[float, ...]:
    """What puts the counselors of a line in order: who has the least is rung first. Idle time decides among equals."""
    idle_since = agent.idle_since.timestamp()
    match strategy:
        case Strategy.LONGEST_IDLE | Strategy.WEIGHTED_RANDOM:
            return (idle_since,)
        case Strategy.FEWEST_CALLS:
            return (agent.calls, idle_since)
        case Strategy.ROUND_ROBIN:
            return (agent.offered_at.timestamp() if agent.offered_at is not None else 0.0, idle_since)
        case Strategy.ORDERED:
            return (agent.spec.rank, idle_since)
        case _:
            assert_never(strategy)


def _draw(call_seed: int, agent: Agent) -> float:
    """The counselor's lot for a call: the greatest wins, and each wins as often as his weight says.

    Weighted rendezvous hashing: the lot comes from the two names alone, so that the same call is decided alike when it
    is looked at again. The two are stirred together by the last steps of SplitMix64.
    """
    lot = call_seed ^ _seed(agent.spec.id)
    lot = ((lot ^ (lot >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
    lot = ((lot ^ (lot >> 27)) * 0x94D049BB133111EB) & _64_BITS
    chance = (((lot ^ (lot >> 31)) >> 12) + 0.5) / 2**52  # never 0 and never 1, whose logarithms would not do
    return -agent.spec.weight / math.log(chance)


@lru_cache(maxsize=8192)
def _seed(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())


def _remove(entries: list[_Entry], entry: _Entry) -> None:
    """Take ``entry`` out of the sorted ``entries``."""
    del entries[bisect_left(entries, entry)]
