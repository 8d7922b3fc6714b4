"""Automatic call distribution: which waiting caller goes to which counselor next.

Callers are served in the order of their places, over all queues; of the counselors who serve a caller's queue, the one
who has been idle longest is rung. A caller whose offer failed keeps the place.

Caller and counselor are of one site: two Asterisk servers have no way between them yet, and a caller who waits at one
must not stand before those who wait at another.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from callrouter.core.agent import Agent
from callrouter.core.ids import AgentId, CallId, QueueName, SiteName

Line = tuple[QueueName, SiteName]
"""Those who wait in a queue at one site."""

_Entry = TypeVar("_Entry", tuple[int, CallId], tuple[datetime, AgentId])


@dataclass(frozen=True, slots=True)
class Match:
    """A caller and the counselor whose phone is to ring."""

    call: CallId
    agent: Agent


class Acd:
    """The waiting callers and the available counselors of every queue, both in order."""

    def __init__(self) -> None:
        self._waiting: dict[Line, list[tuple[int, CallId]]] = {}
        self._idle: dict[Line, list[tuple[datetime, AgentId]]] = {}
        self._agents: dict[AgentId, Agent] = {}

    def join(self, line: Line, place: int, call: CallId) -> None:
        """Let a caller wait in ``line`` at ``place``."""
        insort(self._waiting.setdefault(line, []), (place, call))

    def leave(self, line: Line, place: int, call: CallId) -> None:
        """Take a caller out; one who is not there is left alone."""
        _remove(self._waiting.get(line, []), (place, call))

    def offer_to(self, agent: Agent) -> None:
        """From now on the counselor may be picked."""
        self._agents[agent.spec.id] = agent
        for line in _lines(agent):
            insort(self._idle.setdefault(line, []), (agent.idle_since, agent.spec.id))

    def spare(self, agent: Agent) -> None:
        """From now on the counselor is not picked; one who was not to be picked is left alone."""
        if self._agents.pop(agent.spec.id, None) is not None:
            for line in _lines(agent):
                _remove(self._idle[line], (agent.idle_since, agent.spec.id))

    def match(self, reachable: Callable[[Agent], bool]) -> Match | None:
        """The next pair, or None when no caller can be served now.

        ``reachable`` says whether there is a way to a counselor at this moment (site up, trunk with room).
        """
        best: tuple[int, CallId] | None = None
        chosen: Agent | None = None
        for line, waiting in self._waiting.items():
            if not waiting or (best is not None and best < waiting[0]):
                continue
            agent = self._longest_idle(line, reachable)
            if agent is not None:
                best, chosen = waiting[0], agent
        return Match(best[1], chosen) if best is not None and chosen is not None else None

    def can_serve(self, line: Line, reachable: Callable[[Agent], bool]) -> bool:
        """Whether somebody could take a call of ``line`` now."""
        return self._longest_idle(line, reachable) is not None

    def waiting(self, queue: QueueName) -> int:
        """How many callers wait in ``queue`` (those whose offer is ringing do not count)."""
        return sum(len(waiting) for (name, _), waiting in self._waiting.items() if name == queue)

    def first(self, queue: QueueName) -> CallId | None:
        """The caller who has the first place in ``queue``."""
        heads = (waiting[0] for (name, _), waiting in self._waiting.items() if name == queue and waiting)
        head = min(heads, default=None)
        return head[1] if head is not None else None

    def idle(self, queue: QueueName) -> int:
        """How many counselors of ``queue`` are available."""
        return sum(len(idle) for (name, _), idle in self._idle.items() if name == queue)

    def _longest_idle(self, line: Line, reachable: Callable[[Agent], bool]) -> Agent | None:
        for _, agent_id in self._idle.get(line, ()):
            agent = self._agents[agent_id]
            if reachable(agent):
                return agent
        return None


def _lines(agent: Agent) -> Iterator[Line]:
    """The lines that a counselor serves."""
    return ((queue, agent.spec.site) for queue in agent.spec.queues)


def _remove(entries: list[_Entry], entry: _Entry) -> None:
    """Take ``entry`` out of the sorted ``entries`` if it is there."""
    index = bisect_left(entries, entry)
    if index < len(entries) and entries[index] == entry:
        del entries[index]
