"""Looking after requests to be called back: who waits, and how long requests are kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NoReturn

import structlog

from callrouter.app.passes import Passes
from callrouter.core.call import Call
from callrouter.core.ids import CallId, QueueName
from callrouter.core.rulebook import QueueSpec, Rulebook
from callrouter.store.callback import CallbackArchive, CallbackCount, CallbackRequest, open_callbacks
from callrouter.web.sources import CallbackNow, CallbackQueueNow

log = structlog.get_logger(__name__)

POLL_S: Final = 3.0
SHOWN: Final = 500
"""Requests that the API lists, the open ones first."""


class CallbackKeeper:
    """Looks after requests as a task: ``run()`` until cancelled.

    ``rulebook`` gives the rules in force, ``now`` is the daemon's clock. ``waiting`` are the calls in which those asked
    who are to be called back by the daemon itself, and ``withdraw`` is told of each that somebody has closed, and who.
    """

    def __init__(
        self,
        url: str,
        rulebook: Callable[[], Rulebook],
        now: Callable[[], datetime],
        *,
        waiting: Callable[[], Sequence[CallId]] = tuple,
        withdraw: Callable[[CallId, str], None] = lambda _call, _who: None,
        poll_s: float = POLL_S,
    ) -> None:
        self.counts: tuple[CallbackCount, ...] = ()
        """Of every queue that has open requests, as of the latest pass."""
        self.requests: tuple[CallbackRequest, ...] = ()
        """The open ones first."""
        self._url = url
        self._rulebook = rulebook
        self._now = now
        self._waiting = waiting
        self._withdraw = withdraw
        self._passes = Passes(_tell_trouble, poll_s)

    async def run(self) -> NoReturn:
        """Pass after pass, through every failure of the database."""
        await self._passes.run(lambda: open_callbacks(self._url), self.look_after)

    async def look_after(self, archive: CallbackArchive) -> None:
        """One pass.

        Raises:
            DatabaseError: PostgreSQL said no.
            UnreachableError: it is away.
        """
        with self._passes.one():
            gone = await archive.expire(self._now() - timedelta(seconds=self._rulebook().callback_retention_s))
            if gone.open:
                log.warning("callback.expired", deleted=gone.deleted, never_done=gone.open)
            elif gone.deleted:
                log.info("callback.expired", deleted=gone.deleted, never_done=0)
            # Shown together: whoever looks meanwhile must not see one waiting in an empty list.
            self.counts, self.requests = tuple(await archive.counts()), tuple(await archive.find(limit=SHOWN))
            for call, who in await archive.closed(self._waiting()):
                self._withdraw(call, who)


def callback_queues(
    configured: Mapping[QueueName, QueueSpec], asked: Iterable[QueueName], counts: Iterable[CallbackCount]
) -> tuple[CallbackQueueNow, ...]:
    """Every queue that plans have call back (``asked``), and those that do no more but have open requests still."""
    found = {name: CallbackQueueNow(name, _title(configured, name), 0, None) for name in asked}
    for count in counts:
        found[count.queue] = CallbackQueueNow(count.queue, _title(configured, count.queue), count.waiting, count.oldest)
    return tuple(found.values())


def callback_now(request: CallbackRequest, made_by: Call | None = None) -> CallbackNow:
    """A request for whoever looks; ``made_by`` is the call by which the queue itself calls back."""
    return CallbackNow(
        id=request.id,
        call=request.call_id,
        queue=request.queue,
        tenant=request.tenant,
        number=request.number,
        region=request.region,
        topic=request.topic,
        asked_at=request.asked_at,
        tries=request.tries,
        done_at=request.done_at,
        done_by=request.done_by,
        result=request.result.value if request.result is not None else None,
        made_by=made_by.id if made_by is not None else None,
        state=made_by.state if made_by is not None else None,
        due_at=made_by.postponed_until if made_by is not None else None,
    )


def _tell_trouble(why: str) -> None:
    log.warning("callback.not_looked_after", why=why)


def _title(configured: Mapping[QueueName, QueueSpec], name: QueueName) -> str:
    return configured[name].title if name in configured else name
