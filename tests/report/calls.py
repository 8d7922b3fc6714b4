"""Calls and offers as reports see them, at seconds counted from a Tuesday's 19:30 in Korea."""

from datetime import timedelta
from typing import Any

from callrouter.core.cdr import OfferResult, Outcome
from callrouter.core.queued import QueuedCall
from callrouter.report.rows import AgentOffer
from tests.fakes.cdrs import EVENING


def answered(wait_s: float, talk_s: float = 60.0, **changes: Any) -> QueuedCall:
    """A call that a counselor took after waiting in the queue for so long."""
    at = EVENING + timedelta(seconds=wait_s)
    values: dict[str, Any] = {"answered_at": at, "agent": "201", "talk_s": talk_s}
    return _call(Outcome.HANDLED, at + timedelta(seconds=talk_s), **{**values, **changes})


def abandoned(wait_s: float, **changes: Any) -> QueuedCall:
    """A caller who hung up after that."""
    return _call(Outcome.ABANDONED, EVENING + timedelta(seconds=wait_s), **changes)


def left(outcome: Outcome, **changes: Any) -> QueuedCall:
    """A caller who left the queue in another way, after five minutes."""
    return _call(outcome, EVENING + timedelta(minutes=5), **changes)


def _call(outcome: Outcome, ended_at: Any, **changes: Any) -> QueuedCall:
    values: dict[str, Any] = {
        "started_at": EVENING,
        "queued_at": EVENING,
        "answered_at": None,
        "ended_at": ended_at,
        "queue": "main",
        "tenant": "changwon",
        "topic": None,
        "agent": None,
        "destination": None,
        "outcome": outcome,
        "talk_s": 0.0,
    }
    return QueuedCall(**{**values, **changes})


def offer(result: OfferResult, talk_s: float = 0.0, agent: str = "201") -> AgentOffer:
    """An offer to a counselor; answered at once if there was talk."""
    return AgentOffer(agent, EVENING, EVENING if talk_s else None, EVENING + timedelta(seconds=talk_s), result)
