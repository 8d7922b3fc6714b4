"""Requests to be called back, ``/api/v1/callbacks``: by whom, since when, what became of them, and no whole number."""

from datetime import datetime

import msgspec

from callrouter.core.ids import CallId, TenantName
from callrouter.core.numbers import masked
from callrouter.core.states import CallState
from callrouter.web.sources import CallbackNow, CallbackQueueNow, CallbacksNow


class CallbackQueue(msgspec.Struct, frozen=True):
    """A queue that is to call back; ``oldest`` is since when the first of those who wait for it does."""

    queue: str
    title: str
    waiting: int
    oldest: datetime | None


class Callback(msgspec.Struct, frozen=True):
    """One request. The number is masked. It is open while ``done_at`` is null.

    Where the queue calls back by itself, ``made_by`` is the call by which it does, ``state`` that call's, and
    ``due_at`` when it is due if it is postponed. ``tries`` are those of people; its own are added when it is over.
    """

    id: int
    call: CallId
    queue: str
    tenant: TenantName
    number: str
    region: str
    topic: str | None
    asked_at: datetime
    tries: int
    done_at: datetime | None
    done_by: str | None
    result: str | None
    made_by: CallId | None = None
    state: CallState | None = None
    due_at: datetime | None = None


class CallbacksDocument(msgspec.Struct, frozen=True):
    """All queues that are to call back, and the requests: the open ones first, 500 at the most."""

    queues: tuple[CallbackQueue, ...]
    callbacks: tuple[Callback, ...]


def callback_queue(now: CallbackQueueNow) -> CallbackQueue:
    """A queue as it is served."""
    return CallbackQueue(now.queue, now.title, now.waiting, now.oldest)


def callbacks_document(now: CallbacksNow) -> CallbacksDocument:
    """The document for this moment."""
    return CallbacksDocument(tuple(map(callback_queue, now.queues)), tuple(map(_callback, now.requests)))


def _callback(now: CallbackNow) -> Callback:
    return Callback(
        id=now.id,
        call=now.call,
        queue=now.queue,
        tenant=now.tenant,
        number=masked(now.number),
        region=now.region,
        topic=now.topic,
        asked_at=now.asked_at,
        tries=now.tries,
        done_at=now.done_at,
        done_by=now.done_by,
        result=now.result,
        made_by=now.made_by,
        state=now.state,
        due_at=now.due_at,
    )
