"""Delivery of the audit log from the journal to PostgreSQL: each entry exactly once, in their order."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import asyncpg
import structlog

from callrouter.store.audit import insert_audit
from callrouter.store.audit_journal import AuditRecord
from callrouter.store.postgres import DATA_ERRORS, describe

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

_BATCH: Final = 500


class AuditOutbox(Protocol):
    """Where the entries wait: :class:`callrouter.store.journal.Journal`."""

    async def undelivered_audit(self, limit: int) -> list[AuditRecord]:
        """The oldest that wait."""

    async def audit_delivered(self, numbers: Iterable[int]) -> None:
        """Those are done."""

    async def set_audit_aside(self, number: int, fault: str) -> None:
        """That one cannot be delivered."""


class AuditErrand:
    """Implements :class:`callrouter.store.delivery.Errand`.

    Entries are inserted, and only then marked. If we die in between they are inserted again, which PostgreSQL ignores
    because their ids are there already.
    """

    def __init__(self, outbox: AuditOutbox) -> None:
        self._outbox = outbox
        self._refused = 0

    @property
    def name(self) -> str:
        """What is brought, in a word."""
        return "audit"

    @property
    def refused(self) -> int:
        """How many entries PostgreSQL would not take since the start; they are kept in the journal."""
        return self._refused

    async def deliver(self, connection: "Connection") -> None:
        """Bring every entry that waits, oldest first."""
        while records := await self._outbox.undelivered_audit(_BATCH):
            await self._deliver(connection, records)

    async def _deliver(self, connection: "Connection", records: Sequence[AuditRecord]) -> None:
        """Insert and mark; where the data are at fault, halve until the one is found, and set that aside."""
        try:
            await insert_audit(connection, records)
        except DATA_ERRORS as exc:
            if len(records) > 1:
                middle = len(records) // 2
                await self._deliver(connection, records[:middle])
                await self._deliver(connection, records[middle:])
                return
            (record,) = records
            log.error("audit.refused", id=record.id, error=describe(exc))  # noqa: TRY400 - it says all
            await self._outbox.set_audit_aside(record.number, describe(exc))
            self._refused += 1
        else:
            await self._outbox.audit_delivered([record.number for record in records])
