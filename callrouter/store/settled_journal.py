"""How far what was decided is settled: a time, up to which all that followed from facts Asterisk has answered.

Facts are on disk before the orders that follow from them are sent. Whoever comes after a daemon that died in between
learns from here of which calls he cannot tell whether Asterisk was told. It is written with the next commit, or soon
without one, and not synced: it has to outlive the process, and where the machine dies, Asterisk's calls do, too.
"""

import sqlite3
from typing import Final

MIGRATION: Final = """
    CREATE TABLE settled (only INTEGER PRIMARY KEY CHECK (only = 1), until REAL NOT NULL);
    """
CHECK: Final = "SELECT only, until FROM settled LIMIT 0"

_WRITE: Final = (
    "INSERT INTO settled (only, until) VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET until = excluded.until"
)


def write(connection: sqlite3.Connection, until: float) -> None:
    """All is settled that followed from facts handed over up to then (seconds since 1970). Raises sqlite3.Error."""
    connection.execute(_WRITE, (until,))


def read(connection: sqlite3.Connection) -> float | None:
    """Up to when all is settled; None where nobody ever said so. Raises sqlite3.Error."""
    found = connection.execute("SELECT until FROM settled").fetchone()
    return float(found[0]) if found is not None else None
