"""Requests that wait for their answers."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from callrouter.ari.outcome import Doubt, Reply, unanswered

OnReply = Callable[[Reply], None]
"""What is done with a reply. Called once for each request, from the event loop; must not raise or wait."""

SWEEP_S: Final = 0.05
"""How often deadlines are looked at: one timer for all requests, since a timer for each costs more than the request."""

_log = structlog.get_logger(__name__)


class _Waiting(NamedTuple):
    since: float
    deadline: float
    on_reply: OnReply


class PendingReplies:
    """Bounded table of requests by id, each with a deadline; every one of them is settled exactly once.

    ``late`` counts answers that nobody waits for any more: after their deadline, or a second time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[str, _Waiting] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self.late = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether no more requests can wait."""
        return len(self._waiting) >= self._limit

    def add(self, request_id: str, timeout_s: float, on_reply: OnReply) -> None:
        """Wait for the answer to ``request_id`` for so many seconds (to within :data:`SWEEP_S`)."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._waiting[request_id] = _Waiting(now, now + timeout_s, on_reply)
        if self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_S, self._sweep)

    def settle(self, request_id: str, reply: Reply) -> None:
        """The answer came."""
        waiting = self._waiting.pop(request_id, None)
        if waiting is None:
            self.late += 1
        else:
            deliver(waiting.on_reply, reply)

    def oldest_s(self) -> float:
        """For how long (seconds) the first that waits has waited; 0 if none does."""
        first = next(iter(self._waiting.values()), None)
        return asyncio.get_running_loop().time() - first.since if first is not None else 0.0

    def abandon(self, doubt: Doubt) -> None:
        """No answer will come any more, to none of them."""
        waiting, self._waiting = self._waiting, {}
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for one in waiting.values():
            deliver(one.on_reply, unanswered(doubt))

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        overdue = [request_id for request_id, waiting in self._waiting.items() if waiting.deadline <= now]
        self._sweeper = None
        for request_id in overdue:
            waiting = self._waiting.pop(request_id, None)
            if waiting is not None:
                deliver(waiting.on_reply, unanswered(Doubt.TIMED_OUT))
        if self._waiting and self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_S, self._sweep)


def deliver(on_reply: OnReply, reply: Reply) -> None:
    """Hand on a reply; a receiver's defect must not cost the other requests their connection."""
    try:
        on_reply(reply)
    except Exception:
        _log.exception("ari.reply_receiver_failed", outcome=reply.outcome.value, status=reply.status)
