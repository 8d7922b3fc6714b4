"""The audit log in PostgreSQL: writing its entries, each exactly once, and reading them."""

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import asyncpg
import structlog

from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.errors import DatabaseError, UnreachableError
from callrouter.store.audit_journal import AuditRecord
from callrouter.store.postgres import CANNOT_CONNECT, DATA_ERRORS, FOREIGN_ERRORS, connect, describe, storable
from callrouter.store.queries import query

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

BATCH: Final = 500


class AuditOutbox(Protocol):
    """Where the entries wait: :class:`callrouter.store.journal.Journal`."""

    async def undelivered_audit(self, limit: int) -> list[AuditRecord]:
        """The oldest that wait."""

    async def audit_delivered(self, numbers: Iterable[int]) -> None:
        """Those are done."""

    async def set_audit_aside(self, number: int, fault: str) -> None:
        """That one cannot be delivered."""


async def deliver_audit(outbox: AuditOutbox, connection: "Connection") -> None:
    """Hand over all entries that wait: insert, then mark, so that one inserted twice is there once.

    Raises:
        asyncpg.PostgresError, OSError: the server went away; what was not marked waits on.
        JournalError: the journal's disk fails.
    """
    while records := await outbox.undelivered_audit(BATCH):
        await _deliver(outbox, connection, records)


async def _deliver(outbox: AuditOutbox, connection: "Connection", records: Sequence[AuditRecord]) -> None:
    try:
        async with connection.transaction():
            await connection.executemany(query("insert_audit"), [_row(record) for record in records])
    except DATA_ERRORS as exc:
        if len(records) > 1:
            middle = len(records) // 2
            await _deliver(outbox, connection, records[:middle])
            await _deliver(outbox, connection, records[middle:])
            return
        (record,) = records
        log.error("database.audit_refused", id=record.id, error=type(exc).__name__)  # noqa: TRY400
        await outbox.set_audit_aside(record.number, describe(exc))
    else:
        await outbox.audit_delivered([record.number for record in records])


def _row(record: AuditRecord) -> tuple[Any, ...]:
    entry = record.entry
    texts = (entry.who, entry.kind.value, entry.name, entry.was, entry.becomes, entry.via)
    return (uuid.UUID(record.id), entry.at, *map(storable, texts), entry.since, entry.until, storable(entry.note))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """Which entries are wanted; what is None does not matter. ``since`` is inclusive, ``until`` exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    who: str | None = None
    name: str | None = None
    limit: int = 50


class AuditLog:
    """Reads the audit log over one connection."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def find(self, search: AuditSearch) -> list[AuditEntry]:
        """The newest entries that fit, newest first.

        Raises:
            DatabaseError: PostgreSQL said no.
            UnreachableError: it went away.
        """
        values = (search.since, search.until, search.who, search.name, search.limit)
        try:
            rows = await self._connection.fetch(query("find_audit"), *values)
        except asyncpg.UndefinedTableError as exc:
            raise DatabaseError("the database has no audit log yet; `callrouter run` makes it") from exc
        except CANNOT_CONNECT as exc:
            raise UnreachableError(f"PostgreSQL went away: {describe(exc)}") from exc
        except FOREIGN_ERRORS as exc:
            raise DatabaseError(f"PostgreSQL refused to read the audit log: {describe(exc)}") from exc
        return [_entry(row) for row in rows]


@asynccontextmanager
async def open_audit_log(url: str) -> AsyncIterator[AuditLog]:
    """The audit log over a connection of its own.

    Raises:
        UnreachableError: the database cannot be reached.
    """
    connection = await connect(url, statement_timeout_s=60.0)
    try:
        yield AuditLog(connection)
    finally:
        await connection.close(timeout=5.0)


def _entry(row: asyncpg.Record) -> AuditEntry:
    return AuditEntry(
        at=row["at"],
        who=row["who"],
        kind=AuditKind(row["kind"]),
        name=row["name"],
        was=row["from_value"],
        becomes=row["to_value"],
        via=row["via"],
        since=row["since"],
        until=row["until"],
        note=row["note"],
    )
