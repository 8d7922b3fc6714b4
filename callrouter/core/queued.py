"""Calls as service levels see them: each caller's wait in each queue, and what became of it. Times are aware UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from callrouter.core.cdr import Cdr, CdrVisit, Outcome, VisitEnd

_NO_COUNSELOR = frozenset({Outcome.VOICEMAIL, Outcome.CALLBACK, Outcome.REJECTED, Outcome.FAILED})
"""What may become of a caller who was not answered in the last queue he waited in, and is no overflow."""


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A caller's wait in one queue; or a whole call, which counts for the first queue that it waited in."""

    started_at: datetime
    queued_at: datetime
    """When the caller entered the queue."""
    answered_at: datetime | None
    """When a counselor, or a destination, answered."""
    ended_at: datetime
    queue: str
    tenant: str
    topic: str | None
    agent: str | None
    destination: str | None
    outcome: Outcome
    talk_s: float
    """With what was on hold."""
    wrap_up: str | None = None
    """What the counselor said afterwards that it was about."""


def whole_call(cdr: Cdr) -> QueuedCall | None:
    """The call as one, by the first queue that it waited in; None if it waited in none, or we made it."""
    if cdr.queue is None or cdr.returns is not None:
        return None
    return QueuedCall(
        started_at=cdr.started_at,
        queued_at=cdr.queued_at or cdr.started_at,
        answered_at=cdr.answered_at,
        ended_at=cdr.ended_at,
        queue=cdr.queue,
        tenant=cdr.tenant,
        topic=cdr.topic,
        agent=cdr.agent,
        destination=cdr.destination,
        outcome=cdr.outcome,
        talk_s=cdr.talk_s,
        wrap_up=cdr.wrap_up,
    )


def visits(cdr: Cdr) -> Iterator[QueuedCall]:
    """Its wait in each queue, in order."""
    call = whole_call(cdr)
    if call is None:
        return
    for visit in cdr.visits:
        yield visited(call, visit, is_last=visit is cdr.visits[-1])


def visited(call: QueuedCall, visit: CdrVisit, *, is_last: bool) -> QueuedCall:
    """One wait of a call: answered there, abandoned there, or else gone on from there.

    What became of the call at last is put down to the last queue; the queues before lost it to others.
    """
    is_answered = visit.how is VisitEnd.ANSWERED
    outcome = Outcome.OVERFLOWED
    if is_answered:
        outcome = Outcome.HANDLED
    elif is_last and call.outcome in _NO_COUNSELOR:
        outcome = call.outcome
    elif visit.how is VisitEnd.ABANDONED:
        outcome = Outcome.ABANDONED
    return QueuedCall(
        started_at=call.started_at,
        queued_at=visit.queued_at,
        answered_at=visit.left_at if is_answered else None,
        ended_at=visit.left_at,
        queue=visit.queue,
        tenant=call.tenant,
        topic=call.topic,
        agent=call.agent if is_answered else None,
        destination=None,
        outcome=outcome,
        talk_s=call.talk_s if is_answered and visit.left_at == call.answered_at else 0.0,
        wrap_up=call.wrap_up if is_answered else None,
    )
