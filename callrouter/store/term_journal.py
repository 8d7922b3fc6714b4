"""The term of the journal: a number that every daemon that takes the journal counts up, and that nobody else may have.

Whoever writes looks, in the very transaction, whether the term is still its own. A daemon that was stopped in the
middle of its work and wakes when another has long begun writes nothing any more, whatever it believes.
"""

import sqlite3
from typing import Final

from callrouter.errors import JournalFencedError

MIGRATION: Final = """
    CREATE TABLE term (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        number INTEGER NOT NULL,
        proofs INTEGER NOT NULL
    );
    INSERT INTO term (only, number, proofs) VALUES (1, 0, 0);
    """
CHECK: Final = "SELECT only, number, proofs FROM term LIMIT 0"

Mark = tuple[int, int]
"""A term's number, and how often its holder has proven that it is awake."""

_READ: Final = "SELECT number FROM term"


def begin(connection: sqlite3.Connection, heard: Mark | None = None, given: int | None = None) -> int:
    """Begin a term of one's own; its number, which is ``given`` where PostgreSQL counts for several journals.

    ``heard`` is what the leader said last before it fell silent. If that is not what the journal says, it has woken and
    proven itself meanwhile, or another was quicker: of a proof and a beginning, only the first is valid.

    Raises:
        JournalFencedError: so it is.
        sqlite3.Error: the file cannot be written now.
    """
    mark = connection.execute("SELECT number, proofs FROM term").fetchone()
    if heard is not None and mark != heard:
        raise JournalFencedError(f"the leader was last heard at {heard}, and is at {mark} by now: it is not relieved")
    query = "UPDATE term SET number = coalesce(?, number + 1), proofs = 0 RETURNING number"
    (number,) = connection.execute(query, (given,)).fetchall()[0]
    return int(number)


def prove(connection: sqlite3.Connection) -> int:
    """Say that whoever holds the term is awake; how often that was said. Raises sqlite3.Error."""
    (proofs,) = connection.execute("UPDATE term SET proofs = proofs + 1 RETURNING proofs").fetchall()[0]
    return int(proofs)


def resume(connection: sqlite3.Connection, number: int) -> None:
    """Go on with a term in a file that was opened anew, and may be a new one.

    Raises:
        JournalFencedError: a newer one has begun.
        sqlite3.Error: the file cannot be written now.
    """
    connection.execute("UPDATE term SET number = ? WHERE number < ?", (number, number))
    check(connection, number)


def check(connection: sqlite3.Connection, number: int) -> None:
    """See that the term is ``number`` still; inside the transaction that is to write.

    Raises:
        JournalFencedError: another daemon has begun a newer one.
    """
    row = connection.execute(_READ).fetchone()
    if row is None or row[0] != number:
        newer = "one that is not there" if row is None else row[0]
        raise JournalFencedError(f"term {number} of the journal is over, {newer} has begun: another daemon writes it")
