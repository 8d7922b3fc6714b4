"""Automatic call distribution: which waiting caller goes to which counselor next.

Callers are served in the order of their places, over all queues; of the counselors who serve a caller's queue, the one
who has been idle longest is rung. A caller whose offer failed keeps the place.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from callrouter.core.agent import Agent
from callrouter.core.ids import AgentId, CallId, QueueName

_Entry = TypeVar("_Entry", tuple[int, CallId], tuple[datetime, AgentId])


@dataclass(frozen=True, slots=True)
class Match:
    """A caller and the counselor whose phone is to ring."""

    call: CallId
    agent: Agent


class Acd:
    """The waiting callers and the available counselors of every queue, both in order."""

    def __init__(self) -> None:
        self._waiting: dict[QueueName, list[tuple[int, CallId]]] = {}
        self._idle: dict[QueueName, list[tuple[datetime, AgentId]]] = {}
        self._agents: dict[AgentId, Agent] = {}

    def join(self, queue: QueueName, place: int, call: CallId) -> None:
        """Let a caller wait in ``queue`` at ``place``."""
        insort(self._waiting.setdefault(queue, []), (place, call))

    def leave(self, queue: QueueName, place: int, call: CallId) -> None:
        """Take a caller out; one who is not there is left alone."""
        _remove(self._waiting.get(queue, []), (place, call))

    def offer_to(self, agent: Agent) -> None:
        """From now on the counselor may be picked."""
        self._agents[agent.spec.id] = agent
        for queue in agent.spec.queues:
            insort(self._idle.setdefault(queue, []), (agent.idle_since, agent.spec.id))

    def spare(self, agent: Agent) -> None:
        """From now on the counselor is not picked; one who was not to be picked is left alone."""
        if self._agents.pop(agent.spec.id, None) is not None:
            for queue in agent.spec.queues:
                _remove(self._idle[queue], (agent.idle_since, agent.spec.id))

    def match(self, reachable: Callable[[Agent], bool]) -> Match | None:
        """The next pair, or None when no caller can be served now.

        ``reachable`` says whether there is a way to a counselor at this moment (site up, trunk with room).
        """
        best: tuple[int, CallId] | None = None
        chosen: Agent | None = None
        for queue, waiting in self._waiting.items():
            if not waiting or (best is not None and best < waiting[0]):
                continue
            agent = self._longest_idle(queue, reachable)
            if agent is not None:
                best, chosen = waiting[0], agent
        return Match(best[1], chosen) if best is not None and chosen is not None else None

    def waiting(self, queue: QueueName) -> int:
        """How many callers wait in ``queue`` (those whose offer is ringing do not count)."""
        return len(self._waiting.get(queue, ()))

    def first(self, queue: QueueName) -> CallId | None:
        """The caller who is next in ``queue``."""
        waiting = self._waiting.get(queue)
        return waiting[0][1] if waiting else None

    def idle(self, queue: QueueName) -> int:
        """How many counselors of ``queue`` are available."""
        return len(self._idle.get(queue, ()))

    def _longest_idle(self, queue: QueueName, reachable: Callable[[Agent], bool]) -> Agent | None:
        for _, agent_id in self._idle.get(queue, ()):
            agent = self._agents[agent_id]
            if reachable(agent):
                return agent
        return None


def _remove(entries: list[_Entry], entry: _Entry) -> None:
    """Take ``entry`` out of the sorted ``entries`` if it is there."""
    index = bisect_left(entries, entry)
    if index < len(entries) and entries[index] == entry:
        del entries[index]
