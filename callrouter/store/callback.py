"""Requests to be called back, in PostgreSQL: which are open, what became of the others.

They come with the record of their call (:func:`callrouter.store.postgres.insert_cdrs`), in the same transaction.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import asyncpg

from callrouter.core.ids import CallId, QueueName, SiteName, TenantName
from callrouter.store.postgres import connected, reading
from callrouter.store.rows import Rows
from callrouter.store.voicemail import LARGEST_ID

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

_WHAT = "requests to be called back"


class CallbackResult(StrEnum):
    """What became of a request."""

    REACHED = "reached"
    NOT_REACHED = "not-reached"
    """Given up."""
    CANCELLED = "cancelled"
    """The caller wants it no more, or never did."""


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """One request. ``number`` is E.164; ``tries`` counts the calls in vain; times are aware UTC."""

    id: int
    call_id: CallId
    site: SiteName
    queue: QueueName
    tenant: TenantName
    number: str
    region: str
    topic: str | None
    asked_at: datetime
    place: int | None
    """Where the caller stood in the queue's line; None: he had not waited there."""
    tries: int
    tried_at: datetime | None
    done_at: datetime | None
    """None: it is open."""
    done_by: str | None
    result: CallbackResult | None
    note: str


@dataclass(frozen=True, slots=True)
class CallbackCount:
    """How many open requests a queue has, and since when the first of them waits."""

    queue: QueueName
    waiting: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Expired:
    """How many requests were deleted, and how many of these nobody had done."""

    deleted: int
    open: int


class CallbackArchive:
    """Reads and marks requests over one connection.

    Every method raises :class:`~callrouter.errors.DatabaseError` if PostgreSQL says no,
    :class:`~callrouter.errors.UnreachableError` if it is away.
    """

    def __init__(self, connection: "Connection") -> None:
        self._rows = Rows(connection, partial(reading, _WHAT))

    async def find(
        self, queue: QueueName | None = None, *, only_open: bool = False, limit: int = 50
    ) -> list[CallbackRequest]:
        """The open ones first, of them the oldest; then those that were done last."""
        return list(map(_request, await self._rows.fetch("find_callbacks", queue, only_open, limit)))

    async def of_person(self, numbers: Sequence[str]) -> list[CallbackRequest]:
        """All that these numbers asked for, oldest first."""
        return list(map(_request, await self._rows.fetch("callbacks_of_person", list(numbers))))

    async def get(self, number: int) -> CallbackRequest | None:
        """The request of that id."""
        found = await self._rows.fetch("get_callback", number) if 0 <= number <= LARGEST_ID else []
        return _request(found[0]) if found else None

    async def finish(self, number: int, at: datetime, by: str, result: CallbackResult, note: str = "") -> bool:
        """Note what became of it; False if that was noted before, or there is none."""
        return await self._rows.change("finish_callback", number, at, by, result.value, note)

    async def note_try(self, number: int, at: datetime) -> bool:
        """Note that calling was tried in vain; False if it is not open."""
        return await self._rows.change("try_callback", number, at)

    async def counts(self) -> list[CallbackCount]:
        """Every queue that has open requests."""
        rows = await self._rows.fetch("count_callbacks")
        return [CallbackCount(QueueName(row["queue"]), row["waiting"], row["oldest"]) for row in rows]

    async def closed(self, calls: Sequence[CallId]) -> list[tuple[CallId, str]]:
        """Of the requests of these calls those that are closed, and by whom."""
        rows = await self._rows.fetch("closed_callbacks", list(map(uuid.UUID, calls))) if calls else []
        return [(CallId(str(row["call_id"])), row["done_by"]) for row in rows]

    async def expire(self, before: datetime) -> Expired:
        """Delete what was asked for before then, done or not."""
        rows = await self._rows.fetch("expire_callbacks", before)
        return Expired(len(rows), sum(row["is_open"] for row in rows))


@asynccontextmanager
async def open_callbacks(url: str) -> AsyncIterator[CallbackArchive]:
    """An archive over a connection of its own.

    Raises:
        UnreachableError: the database cannot be reached.
    """
    async with connected(url) as connection:
        yield CallbackArchive(connection)


def _request(row: asyncpg.Record) -> CallbackRequest:
    return CallbackRequest(
        id=row["id"],
        call_id=CallId(str(row["call_id"])),
        site=SiteName(row["site"]),
        queue=QueueName(row["queue"]),
        tenant=TenantName(row["tenant"]),
        number=row["number"],
        region=row["region"],
        topic=row["topic"],
        asked_at=row["asked_at"],
        place=row["place"],
        tries=row["tries"],
        tried_at=row["tried_at"],
        done_at=row["done_at"],
        done_by=row["done_by"],
        result=CallbackResult(row["result"]) if row["result"] is not None else None,
        note=row["note"],
    )
