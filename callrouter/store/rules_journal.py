"""Versions of the rules in the journal: kept there until PostgreSQL has them, and the newest for ever.

Only what differs from the version before is kept: a daemon that starts says which rules it starts with.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

import structlog

from callrouter.errors import StoreError
from callrouter.store.rules import LiveRules, decode_rules

log = structlog.get_logger(__name__)

MIGRATION: Final = """
    CREATE TABLE rules (
        seq INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        id TEXT NOT NULL UNIQUE,
        digest TEXT NOT NULL,
        body BLOB NOT NULL,
        delivered INTEGER NOT NULL DEFAULT 0,
        fault TEXT
    );
    """
CHECK: Final = "SELECT seq, at, id, digest, body, delivered, fault FROM rules LIMIT 0"

_INSERT: Final = """
    INSERT INTO rules (at, id, digest, body) SELECT ?, ?, ?, ?
    WHERE ? IS NOT (SELECT digest FROM rules ORDER BY seq DESC LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class RulesRow:
    """A version of the rules that went live, unless it is the one that the journal knows as the latest."""

    at: float
    id: str
    digest: str
    body: bytes

    @property
    def what(self) -> str:
        """What it is a record of, for messages."""
        return f"rules {self.digest!r}"

    @property
    def statement(self) -> tuple[str, tuple[object, ...]]:
        """The SQL that keeps it, and its values."""
        return _INSERT, (self.at, self.id, self.digest, self.body, self.digest)


def undelivered(connection: sqlite3.Connection) -> list[tuple[int, LiveRules]]:
    """The oldest that was not delivered, with its number; empty if there is none.

    One that cannot be read is set aside.
    """
    query = "SELECT seq, body FROM rules WHERE delivered = 0 AND fault IS NULL ORDER BY seq LIMIT 1"
    while (row := connection.execute(query).fetchone()) is not None:
        number, body = row
        try:
            return [(number, decode_rules(body))]
        except StoreError as error:
            log.error("journal.rules_unreadable", number=number, error=str(error))  # noqa: TRY400 - it says all
            set_aside(connection, number, str(error))
    return []


def delivered(connection: sqlite3.Connection, number: int) -> None:
    """Mark a version as delivered. The newest stays, to tell whether the next differs."""
    connection.execute("UPDATE rules SET delivered = 1 WHERE seq = ?", (number,))
    connection.execute("DELETE FROM rules WHERE delivered = 1 AND seq < (SELECT max(seq) FROM rules)")


def set_aside(connection: sqlite3.Connection, number: int, fault: str) -> None:
    """Keep a version that PostgreSQL will not take, with the reason, out of the way of the others."""
    connection.execute("UPDATE rules SET fault = ? WHERE seq = ?", (fault, number))


def take_up_again(connection: sqlite3.Connection) -> None:
    """Put the versions that were set aside back in line."""
    connection.execute("UPDATE rules SET fault = NULL WHERE fault IS NOT NULL")
