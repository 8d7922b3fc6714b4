"""Messages of callers in PostgreSQL: what is known of each, who has heard it, and which are to be deleted.

They come with the record of their call (:func:`callrouter.store.postgres.insert_cdrs`), in the same transaction. The
sound itself is Asterisk's to keep.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg

from callrouter.core.ids import BoxName, CallId, RecordingId, SiteName, TenantName
from callrouter.store.postgres import connected, translated
from callrouter.store.rows import Rows

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

_MILLISECOND = Decimal("0.001")
LARGEST_ID = 2**63 - 1
_MISSING = "the database has no table of messages yet; `callrouter run` makes it"
_REFUSED = "PostgreSQL refused what was asked of its messages"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``size_bytes`` and ``sha256`` are None until its file was looked at; times are aware UTC."""

    id: int
    recording: RecordingId
    call_id: CallId
    site: SiteName
    box: BoxName
    tenant: TenantName
    caller: str
    region: str
    topic: str | None
    left_at: datetime
    duration_s: float
    size_bytes: int | None
    sha256: str | None
    fault: str | None
    """Why its file could not be looked at."""
    heard_at: datetime | None
    heard_by: str | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class BoxCount:
    """How many messages a box holds, how many nobody has heard, and since when the first of those waits."""

    box: BoxName
    kept: int
    unheard: int
    oldest: datetime | None


class MessageArchive:
    """Reads and marks messages over one connection.

    Every method raises :class:`DatabaseError` if PostgreSQL says no, :class:`UnreachableError` if it is away.
    """

    def __init__(self, connection: "Connection") -> None:
        self._rows = Rows(connection, partial(translated, missing=_MISSING, refused=_REFUSED))

    async def find(self, box: BoxName | None = None, *, unheard: bool = False, limit: int = 50) -> list[Message]:
        """Those that are kept: the unheard first, of them the oldest, then the latest of the others."""
        return await self._read("find_messages", box, unheard, limit)

    async def get(self, number: int) -> Message | None:
        """The message of that id, deleted or not."""
        found = await self._read("get_message", number) if 0 <= number <= LARGEST_ID else []
        return found[0] if found else None

    async def hear(self, number: int, at: datetime, by: str) -> bool:
        """Note who has heard it; False if somebody had before, or there is none."""
        return await self._rows.change("hear_message", number, at, by)

    async def delete(self, number: int, at: datetime, by: str) -> bool:
        """Note that its file is deleted; False if that was noted before."""
        return await self._rows.change("delete_message", number, at, by)

    async def unseen(self, limit: int = 20) -> list[Message]:
        """Those whose file nobody has looked at yet; those that failed last."""
        return await self._read("unseen_messages", limit)

    async def see(self, number: int, duration_s: float, size_bytes: int, sha256: str) -> None:
        """Note what its file holds."""
        await self._rows.change("see_message", number, Decimal(duration_s).quantize(_MILLISECOND), size_bytes, sha256)

    async def blame(self, number: int, fault: str) -> None:
        """Note why its file could not be looked at."""
        await self._rows.change("blame_message", number, fault)

    async def expired(self, box: BoxName, before: datetime, limit: int = 100) -> list[Message]:
        """Those of a box that were left before ``before``, the oldest first."""
        return await self._read("expired_messages", box, before, limit)

    async def of_person(self, numbers: Sequence[str]) -> list[Message]:
        """All that came from these numbers, deleted or not, oldest first."""
        return await self._read("messages_of_person", list(numbers))

    async def counts(self) -> list[BoxCount]:
        """How every box stands that holds anything."""
        rows = await self._rows.fetch("count_messages")
        return [BoxCount(BoxName(row["box"]), row["kept"], row["unheard"], row["oldest"]) for row in rows]

    async def _read(self, name: str, *values: Any) -> list[Message]:
        return [_message(row) for row in await self._rows.fetch(name, *values)]


@asynccontextmanager
async def open_messages(url: str) -> AsyncIterator[MessageArchive]:
    """An archive over a connection of its own.

    Raises:
        UnreachableError: the database cannot be reached.
    """
    async with connected(url) as connection:
        yield MessageArchive(connection)


def _message(row: asyncpg.Record) -> Message:
    return Message(
        id=row["id"],
        recording=RecordingId(row["recording"]),
        call_id=CallId(str(row["call_id"])),
        site=SiteName(row["site"]),
        box=BoxName(row["box"]),
        tenant=TenantName(row["tenant"]),
        caller=row["caller"],
        region=row["region"],
        topic=row["topic"],
        left_at=row["left_at"],
        duration_s=float(row["duration_s"]),
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        fault=row["fault"],
        heard_at=row["heard_at"],
        heard_by=row["heard_by"],
        deleted_at=row["deleted_at"],
    )
