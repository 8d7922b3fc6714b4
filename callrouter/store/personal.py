"""What is kept of a resident in PostgreSQL: found, and taken out, by his number; and taken out of all that is old.

A record without a number stays: what was counted goes on being right. Nobody can be found by it any more.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import asyncpg

from callrouter.core.audit import AuditEntry
from callrouter.core.cdr import Cdr
from callrouter.core.numbers import forms
from callrouter.errors import CallrouterError
from callrouter.store.audit import insert_audit
from callrouter.store.audit_journal import AuditRecord
from callrouter.store.callback import CallbackArchive, CallbackRequest
from callrouter.store.postgres import CdrArchive, connect, reading
from callrouter.store.queries import query
from callrouter.store.recordings import Recording, RecordingArchive
from callrouter.store.voicemail import Message, MessageArchive

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

BATCH: Final = 1000
"""Rows that one transaction changes: no daemon that writes a record waits long."""
STATEMENT_TIMEOUT_S: Final = 300.0
HIDDEN: Final = "****"
SHORTEST: Final = 7
"""Characters of a number that an explanation may quote; less (120) is nobody's, and may be part of anything."""
_WHAT: Final = "what is kept of residents"


class Aged(StrEnum):
    """What may have been kept for long enough."""

    NUMBERS = "numbers"
    """Residents' numbers in records, and in the rows of messages and recordings whose sound is deleted."""
    CALLS = "calls"
    """Records as a whole."""
    SOUNDS = "sounds"
    """Rows of messages and recordings whose sound was deleted."""


@dataclass(frozen=True, slots=True)
class PersonalData:
    """All that is kept of one resident, oldest first."""

    calls: list[Cdr]
    messages: list[Message]
    recordings: list[Recording]
    callbacks: list[CallbackRequest]

    @property
    def is_empty(self) -> bool:
        """Whether that is nothing."""
        return not (self.calls or self.messages or self.recordings or self.callbacks)


class OpenRequestError(CallrouterError):
    """A resident who is about to be called back cannot be erased."""


class PersonalStore:
    """Works over one connection.

    Every method raises :class:`~callrouter.errors.DatabaseError` if PostgreSQL says no,
    :class:`~callrouter.errors.UnreachableError` if it is away.
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def find(self, number: str) -> PersonalData:
        """What is kept of whoever has that number, in whatever form it was written."""
        numbers = forms(number)
        return PersonalData(
            await CdrArchive(self._connection).of_person(numbers),
            await MessageArchive(self._connection).of_person(numbers),
            await RecordingArchive(self._connection).of_person(numbers),
            await CallbackArchive(self._connection).of_person(numbers),
        )

    async def erase(self, number: str, entry: AuditEntry) -> PersonalData:
        """Take the number out of everything, all or nothing, and write ``entry`` into the audit log; what there was.

        Records stay without it. Messages and recordings are deleted by the daemon when it next looks after them.

        Raises:
            OpenRequestError: he is to be called back; nothing was changed.
        """
        numbers = list(forms(number))
        async with reading(_WHAT), self._connection.transaction():
            found = await self.find(number)
            waiting = [request.id for request in found.callbacks if request.done_at is None]
            if waiting:
                raise OpenRequestError(
                    f"he is to be called back; say first: callrouter callback cancel {waiting[0]}, and then again"
                )
            for call in found.calls:
                await self._erase_call(uuid.UUID(call.call_id), number, call.explanation, entry.at)
            for name in ("erase_messages", "erase_recordings"):
                await self._connection.execute(query(name), numbers, entry.at)
            await self._connection.execute(query("erase_callbacks"), numbers)
            await self._note(entry)
        return found

    async def note(self, entry: AuditEntry) -> None:
        """Write an entry into the audit log."""
        async with reading(_WHAT):
            await self._note(entry)

    async def count(self, what: Aged, before: datetime) -> int:
        """How many rows were written of what happened before then."""
        async with reading(_WHAT):
            found: int = await self._connection.fetchval(query(f"count_old_{what}"), before)
        return found

    async def purge(self, what: Aged, before: datetime, at: datetime) -> int:
        """Take out what happened before then, in one transaction after another; how many rows that were."""
        step: Callable[[datetime, datetime], Awaitable[int]] = {
            Aged.NUMBERS: self._purge_numbers,
            Aged.CALLS: self._purge_calls,
            Aged.SOUNDS: self._purge_sounds,
        }[what]
        done = 0
        async with reading(_WHAT):
            while gone := await step(before, at):
                done += gone
        return done

    async def _purge_numbers(self, before: datetime, at: datetime) -> int:
        async with self._connection.transaction():
            rows = await self._connection.fetch(query("old_numbers"), before, BATCH)
            for row in rows:
                await self._erase_call(row["call_id"], row["caller"], row["explanation"], at)
            if not rows:
                await self._connection.execute(query("old_numbers_of_sounds"), before)
        return len(rows)

    async def _purge_calls(self, before: datetime, _at: datetime) -> int:
        return _rows(await self._connection.execute(query("delete_old_calls"), before, BATCH))

    async def _purge_sounds(self, before: datetime, _at: datetime) -> int:
        done = 0
        for name in ("delete_old_messages", "delete_old_recordings"):
            done += _rows(await self._connection.execute(query(name), before, BATCH))
        return done

    async def _erase_call(self, call: uuid.UUID, number: str, explanation: str, at: datetime) -> None:
        written = [*forms(number), number]
        for form in written:
            if len(form) >= SHORTEST:
                explanation = explanation.replace(form, HIDDEN)
        await self._connection.execute(query("erase_cdr"), call, explanation, at, written)
        await self._connection.execute(query("erase_legs_of_call"), call, written)

    async def _note(self, entry: AuditEntry) -> None:
        await insert_audit(self._connection, [AuditRecord(0, str(uuid.uuid4()), entry)])


@asynccontextmanager
async def open_personal(url: str) -> AsyncIterator[PersonalStore]:
    """A store over a connection of its own.

    Raises:
        UnreachableError: the database cannot be reached.
    """
    connection = await connect(url, statement_timeout_s=STATEMENT_TIMEOUT_S)
    try:
        yield PersonalStore(connection)
    finally:
        await connection.close(timeout=5.0)


def _rows(status: str) -> int:
    return int(status.rpartition(" ")[2])
