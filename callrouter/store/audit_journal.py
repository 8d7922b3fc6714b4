"""The audit log's entries in the journal: kept there until PostgreSQL has them, and the newest of each thing for ever.

An entry has an id from the moment it is handed over, so that one that is delivered twice is there once.
"""

import sqlite3
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from callrouter.core.audit import ONCE_SAID, AuditEntry, AuditKind

log = structlog.get_logger(__name__)

MIGRATION: Final = """
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        body BLOB NOT NULL,
        delivered INTEGER NOT NULL DEFAULT 0,
        fault TEXT
    );
    CREATE INDEX audit_thing ON audit (kind, name, seq);
    CREATE INDEX audit_due ON audit (seq) WHERE delivered = 0 AND fault IS NULL;
    """
CHECK: Final = "SELECT seq, at, id, kind, name, body, delivered, fault FROM audit LIMIT 0"

INSERT: Final = "INSERT INTO audit (at, id, kind, name, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AuditEntry)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry on its way into the journal's file."""

    at: float
    id: str
    kind: str
    name: str
    body: bytes

    @property
    def what(self) -> str:
        """What it is a record of, for messages."""
        return f"{self.kind} {self.name!r}"

    @property
    def statement(self) -> tuple[str, tuple[object, ...]]:
        """The SQL that keeps it, and its values."""
        return INSERT, (self.at, self.id, self.kind, self.name, self.body)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry as it is kept; ``number`` is its place in the journal."""

    number: int
    id: str
    entry: AuditEntry


def row_of(entry: AuditEntry) -> AuditRow:
    """The entry as a row, with a fresh id."""
    return AuditRow(time.time(), str(uuid.uuid4()), entry.kind, entry.name, _encoder.encode(entry))


def newest(connection: sqlite3.Connection, kind: AuditKind) -> list[AuditEntry]:
    """The newest entry of each thing of a kind, the oldest of them first. What cannot be read is said, and left out."""
    newest_of_each = "SELECT max(seq) FROM audit WHERE kind = ? GROUP BY name"
    return _read(connection, f"SELECT id, body FROM audit WHERE seq IN ({newest_of_each}) ORDER BY seq", kind)  # noqa: S608 - constant


def kept(connection: sqlite3.Connection, kind: AuditKind) -> list[AuditEntry]:
    """All entries of a kind that are there still, in their order. What cannot be read is said, and left out."""
    return _read(connection, "SELECT id, body FROM audit WHERE kind = ? ORDER BY seq", kind)


def _read(connection: sqlite3.Connection, query: str, kind: AuditKind) -> list[AuditEntry]:
    found = []
    for entry_id, body in connection.execute(query, (kind,)).fetchall():
        try:
            found.append(_decoder.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("journal.audit_unreadable", id=entry_id, why=str(error))  # noqa: TRY400 - its message says all
    return found


def undelivered(connection: sqlite3.Connection, limit: int) -> list[AuditRecord]:
    """The oldest that were not delivered. One that cannot be read is set aside."""
    query = "SELECT seq, id, body FROM audit WHERE delivered = 0 AND fault IS NULL ORDER BY seq LIMIT ?"
    found = []
    for number, entry_id, body in connection.execute(query, (limit,)).fetchall():
        try:
            found.append(AuditRecord(number, entry_id, _decoder.decode(body)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("journal.audit_unreadable", id=entry_id, why=str(error))  # noqa: TRY400 - its message says all
            set_aside(connection, number, str(error))
    return found


def delivered(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Mark entries as delivered."""
    connection.executemany("UPDATE audit SET delivered = 1 WHERE seq = ?", [(number,) for number in numbers])


def set_aside(connection: sqlite3.Connection, number: int, fault: str) -> None:
    """Keep an entry that PostgreSQL will not take, with the reason, out of the way of the others."""
    connection.execute("UPDATE audit SET fault = ? WHERE seq = ?", (fault, number))


def take_up_again(connection: sqlite3.Connection) -> None:
    """Put the entries that were set aside back in line."""
    connection.execute("UPDATE audit SET fault = NULL WHERE fault IS NOT NULL")


def prune(connection: sqlite3.Connection, older_than: float) -> None:
    """Forget what was delivered and handed over before ``older_than``, but for the newest of each thing.

    What was said once goes too (of calls, of who came in): nothing is to be known of it at a start.
    """
    once = ", ".join(f"'{kind}'" for kind in sorted(ONCE_SAID))
    newest_of_each = f"SELECT max(seq) FROM audit WHERE kind NOT IN ({once}) GROUP BY kind, name"  # noqa: S608 - constant
    connection.execute(
        f"DELETE FROM audit WHERE delivered = 1 AND at < ? AND seq NOT IN ({newest_of_each})",  # noqa: S608 - constant
        (older_than,),
    )
