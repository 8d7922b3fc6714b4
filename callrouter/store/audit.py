"""The audit log in PostgreSQL: writing its entries, and reading them."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg

from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.store.audit_journal import AuditRecord
from callrouter.store.postgres import connect, reading, storable, translated
from callrouter.store.queries import query

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


async def insert_audit(connection: "Connection", records: Sequence[AuditRecord]) -> None:
    """Insert entries in one transaction, in their order. Those that are there already stay as they are.

    Raises:
        asyncpg.PostgresError: nothing was inserted.
    """
    async with connection.transaction():
        await connection.executemany(query("insert_audit"), [_row(record) for record in records])


def _row(record: AuditRecord) -> tuple[Any, ...]:
    entry = record.entry
    texts = (entry.who, entry.kind.value, entry.name, entry.was, entry.becomes, entry.via)
    queues = [storable(queue) for queue in entry.queues]
    number = uuid.UUID(record.id)
    by = (storable(entry.account), storable(entry.address))
    return (number, entry.at, *map(storable, texts), entry.since, entry.until, storable(entry.note), queues, *by)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """Which entries are wanted; what is None does not matter. ``since`` is inclusive, ``until`` exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    who: str | None = None
    name: str | None = None
    limit: int = 50


class AuditLog:
    """The audit log over one connection."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def note(self, entry: AuditEntry) -> None:
        """Write one entry: it is there when this returns.

        Raises:
            DatabaseError: PostgreSQL does not take it.
            UnreachableError: it went away.
        """
        missing = "the database has no callrouter tables yet; `callrouter run` makes them"
        refused = "the audit log does not take who looks, and so nothing is shown; grant INSERT on callrouter.audit"
        async with translated(missing=missing, refused=refused):
            await insert_audit(self._connection, [AuditRecord(0, str(uuid.uuid4()), entry)])

    async def find(self, search: AuditSearch) -> list[AuditEntry]:
        """The newest entries that fit, newest first.

        Raises:
            DatabaseError: PostgreSQL said no.
            UnreachableError: it went away.
        """
        values = (search.since, search.until, search.who, search.name, search.limit)
        async with reading("the audit log"):
            rows = await self._connection.fetch(query("find_audit"), *values)
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
        queues=tuple(row["queues"]),
        account=row["account"],
        address=row["address"],
    )
