"""Recordings of conversations in PostgreSQL: what is known of each, where its file is, and which are to be deleted.

They come with the record of their call (:func:`callrouter.store.postgres.insert_cdrs`), in the same transaction.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg

from callrouter.core.ids import AgentId, CallId, PromptName, QueueName, RecordingId, SiteName, TenantName
from callrouter.core.tapes import CdrMute, TapeResult
from callrouter.store.postgres import connected, mutes, translated
from callrouter.store.rows import Rows

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

_MILLISECOND = Decimal("0.001")
LARGEST_ID = 2**63 - 1
_MISSING = "the database has no table of recordings yet; `callrouter run` makes it"
_REFUSED = "PostgreSQL refused what was asked of its recordings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording. What its file holds is None until that is stored; times are aware UTC."""

    id: int
    recording: RecordingId
    call_id: CallId
    site: SiteName
    queue: QueueName
    agent: AgentId
    tenant: TenantName
    caller: str
    region: str
    notice: PromptName
    begun_at: datetime
    ended_at: datetime
    keep_until: datetime
    result: TapeResult
    why: str
    """Why it ended, or failed."""
    muted: tuple[CdrMute, ...]
    format: str
    file: str | None
    """Within the folder of recordings."""
    duration_s: float | None
    size_bytes: int | None
    sha256: str | None
    stored_at: datetime | None
    fault: str | None
    """Why the file could not be fetched."""
    deleted_at: datetime | None
    deleted_by: str | None
    deleted_why: str | None

    @property
    def length_s(self) -> float:
        """How long it is: as the file has it, or as the call saw it."""
        return self.duration_s if self.duration_s is not None else (self.ended_at - self.begun_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSearch:
    """Which recordings are wanted; what is None does not matter. ``since`` is inclusive, ``until`` exclusive."""

    call: CallId | None = None
    queue: QueueName | None = None
    agent: AgentId | None = None
    since: datetime | None = None
    until: datetime | None = None
    deleted: bool = False
    """Those whose sound is deleted, too."""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the folder of recordings, and what it holds."""

    name: str
    duration_s: float
    size_bytes: int
    sha256: str


class RecordingArchive:
    """Reads and marks recordings over one connection.

    Every method raises :class:`DatabaseError` if PostgreSQL says no, :class:`UnreachableError` if it is away.
    """

    def __init__(self, connection: "Connection") -> None:
        self._rows = Rows(connection, partial(translated, missing=_MISSING, refused=_REFUSED))

    async def find(self, search: RecordingSearch) -> list[Recording]:
        """Those that fit, the latest first."""
        return await self._read(
            "find_recordings",
            uuid.UUID(search.call) if search.call is not None else None,
            search.queue,
            search.agent,
            search.since,
            search.until,
            search.deleted,
            search.limit,
        )

    async def get(self, number: int) -> Recording | None:
        """The recording of that id, deleted or not."""
        found = await self._read("get_recording", number) if 0 <= number <= LARGEST_ID else []
        return found[0] if found else None

    async def of_person(self, numbers: Sequence[str]) -> list[Recording]:
        """All in which these numbers called, deleted or not, oldest first."""
        return await self._read("recordings_of_person", list(numbers))

    async def sites(self) -> list[SiteName]:
        """Those whose Asterisk has, or may have, files."""
        return [SiteName(row["site"]) for row in await self._rows.fetch("sites_of_recordings")]

    async def unstored(self, site: SiteName, limit: int = 20) -> list[Recording]:
        """Those of a site whose file is still to be fetched; those that failed last."""
        return await self._read("unstored_recordings", site, limit)

    async def store(self, number: int, file: StoredFile, at: datetime) -> bool:
        """Note where its file is, and what it holds; False if it was deleted meanwhile."""
        duration_s = Decimal(file.duration_s).quantize(_MILLISECOND)
        return await self._rows.change(
            "store_recording", number, file.name, duration_s, file.size_bytes, file.sha256, at
        )

    async def blame(self, number: int, fault: str) -> None:
        """Note why its file could not be fetched."""
        await self._rows.change("blame_recording", number, fault)

    async def uncleared(self, site: SiteName, limit: int = 100) -> list[Recording]:
        """Those of a site of which Asterisk may have a copy that nobody needs."""
        return await self._read("uncleared_recordings", site, limit)

    async def clear(self, number: int, at: datetime) -> None:
        """Note that Asterisk has none."""
        await self._rows.change("clear_recording", number, at)

    async def expired(self, now: datetime, limit: int = 100) -> list[Recording]:
        """Those that have been kept for long enough, the oldest first."""
        return await self._read("expired_recordings", now, limit)

    async def delete(self, number: int, at: datetime, by: str, why: str) -> bool:
        """Note that its file is deleted; False if that was noted before."""
        return await self._rows.change("delete_recording", number, at, by, why)

    async def _read(self, name: str, *values: Any) -> list[Recording]:
        return [_recording(row) for row in await self._rows.fetch(name, *values)]


@asynccontextmanager
async def open_recording_archive(url: str) -> AsyncIterator[RecordingArchive]:
    """An archive over a connection of its own.

    Raises:
        UnreachableError: the database cannot be reached.
    """
    async with connected(url) as connection:
        yield RecordingArchive(connection)


def _recording(row: asyncpg.Record) -> Recording:
    return Recording(
        id=row["id"],
        recording=RecordingId(row["recording"]),
        call_id=CallId(str(row["call_id"])),
        site=SiteName(row["site"]),
        queue=QueueName(row["queue"]),
        agent=AgentId(row["agent"]),
        tenant=TenantName(row["tenant"]),
        caller=row["caller"],
        region=row["region"],
        notice=PromptName(row["notice"]),
        begun_at=row["begun_at"],
        ended_at=row["ended_at"],
        keep_until=row["keep_until"],
        result=TapeResult(row["result"]),
        why=row["why"],
        muted=mutes.decode(row["muted"]),
        format=row["format"],
        file=row["file"],
        duration_s=float(row["duration_s"]) if row["duration_s"] is not None else None,
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        stored_at=row["stored_at"],
        fault=row["fault"],
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
        deleted_why=row["deleted_why"],
    )
