"""How far what was decided has been sent to Asterisk: a time, up to which all that followed from facts has been.

Facts are on disk before the orders that follow from them are sent. Whoever comes after a daemon that died in between
learns from here of which calls he cannot tell whether Asterisk was told. It is written with the next commit, or soon
without one, and not synced: it has to outlive the process, and where the machine dies, Asterisk's calls do, too.
"""

import sqlite3
from typing import Final

MIGRATION: Final = """
    CREATE TABLE sent (only INTEGER PRIMARY KEY CHECK (only = 1), at REAL NOT NULL);
    """
CHECK: Final = "SELECT only, at FROM sent LIMIT 0"

_WRITE: Final = "INSERT INTO sent (only, at) VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET at = excluded.at"


def write(connection: sqlite3.Connection, at: float) -> None:
    """All has been sent that followed from facts of up to ``at`` (seconds since 1970). Raises sqlite3.Error."""
    connection.execute(_WRITE, (at,))


def read(connection: sqlite3.Connection) -> float | None:
    """Up to when all has been sent; None where nobody ever said so. Raises sqlite3.Error."""
    found = connection.execute("SELECT at FROM sent").fetchone()
    return float(found[0]) if found is not None else None
