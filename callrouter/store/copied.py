"""What is copied from one journal to another, as bytes for the line between two machines.

Rows are told by names that mean the same in every journal (a call's id, an entry's id), not by their places in a file.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from callrouter.errors import StoreError
from callrouter.store import audit_journal

ROWS_AT_ONCE: Final = 500
"""In one message of a whole journal, about a hundred kilobytes."""
FACTS_FOR_S: Final = 7200.0
"""So long after its end a call's facts are part of a whole copy: who dials again soon has the place again."""
RECORDS_FOR_S: Final = 26 * 3600.0
"""So long records are, delivered or not: the day, and what went out in it, is counted from them."""

_DUE: Final = "WHERE delivered = 0 AND fault IS NULL ORDER BY seq"

FactRow = tuple[float, str, str, bytes]
"""When (seconds since 1970), call, kind, body."""
FinishedRow = tuple[float, str, bytes, bool]
"""When, call, record, whether PostgreSQL has it."""
RulesRow = tuple[float, str, str, bytes]
"""When, id, digest, body."""
AuditRow = tuple[float, str, str, str, bytes]
"""When, id, kind, name, body."""


class Copied(msgspec.Struct, array_like=True, omit_defaults=True):
    """Rows of a journal, in their order."""

    facts: list[FactRow] = []
    finished: list[FinishedRow] = []
    rules: list[RulesRow] = []
    audit: list[AuditRow] = []
    delivered: list[str] = []
    """Calls whose record PostgreSQL has by now."""
    term: int | None = None
    """The leader's, with what is part of a whole journal."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Copied)


def encode(copied: Copied) -> bytes:
    """For the line."""
    return _encoder.encode(copied)


def decode(body: bytes) -> Copied:
    """What :func:`encode` made, perhaps by another version.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise StoreError(f"what the other daemon sent of its journal cannot be read: {exc}") from exc


def whole(connection: sqlite3.Connection, since: float, term: int | None) -> Iterator[Copied]:
    """All that a daemon must know to lead with this journal, for one whose newest record is of ``since``."""
    now = time.time()
    yield Copied(term=term)
    open_calls = "call_id NOT IN (SELECT call_id FROM outbox)"
    lately = "call_id IN (SELECT call_id FROM outbox WHERE at >= ?)"
    # Each call's facts together, the calls by their ids: in the order in which they came in.
    facts = f"SELECT at, call_id, kind, body FROM fact WHERE {open_calls} OR {lately} ORDER BY call_id, seq"  # noqa: S608 - our words
    yield from (Copied(facts=rows) for rows in _chunks(connection.execute(facts, (now - FACTS_FOR_S,))))
    finished = "SELECT at, call_id, body, delivered FROM outbox WHERE fault IS NULL AND (delivered = 0 OR at >= ?)"
    rows_since = (max(since, now - RECORDS_FOR_S),)
    for rows in _chunks(connection.execute(f"{finished} ORDER BY seq", rows_since)):
        yield Copied(finished=[(at, call, body, bool(delivered)) for at, call, body, delivered in rows])
    rules = "SELECT at, id, digest, body FROM rules WHERE fault IS NULL ORDER BY seq"
    yield from (Copied(rules=rows) for rows in _chunks(connection.execute(rules)))
    audit = "SELECT at, id, kind, name, body FROM audit WHERE fault IS NULL ORDER BY seq"
    yield from (Copied(audit=rows) for rows in _chunks(connection.execute(audit)))


def leftovers(connection: sqlite3.Connection) -> Iterator[Copied]:
    """What may be in this journal alone: calls without an end, and what was not delivered."""
    facts = "SELECT at, call_id, kind, body FROM fact WHERE call_id NOT IN (SELECT call_id FROM outbox) ORDER BY seq"
    yield from (Copied(facts=rows) for rows in _chunks(connection.execute(facts)))
    for rows in _chunks(connection.execute(f"SELECT at, call_id, body FROM outbox {_DUE}")):  # noqa: S608 - our words
        yield Copied(finished=[(at, call, body, False) for at, call, body in rows])
    for rows in _chunks(connection.execute(f"SELECT at, id, digest, body FROM rules {_DUE}")):  # noqa: S608 - as above
        yield Copied(rules=rows)
    for rows in _chunks(connection.execute(f"SELECT at, id, kind, name, body FROM audit {_DUE}")):  # noqa: S608 - too
        yield Copied(audit=rows)


def take_in(connection: sqlite3.Connection, left: Copied) -> None:
    """Have the leader's journal deliver what the other's had left, unless it is known here.

    Rules and entries of the audit log are put before all that is here: they tell of earlier, and not how things stand.
    """
    now = time.time()
    add_finished(connection, [(now, call, body, False) for _, call, body, _ in left.finished])
    for at, name, digest, body in reversed(left.rules):
        query = "INSERT INTO rules (seq, at, id, digest, body) SELECT min(0, coalesce(min(seq), 0)) - 1, ?, ?, ?, ?"
        if not _has(connection, "rules", name):
            connection.execute(f"{query} FROM rules", (at, name, digest, body))
    for at, name, kind, of, body in reversed(left.audit):
        query = "INSERT INTO audit (seq, at, id, kind, name, body) SELECT min(0, coalesce(min(seq), 0)) - 1"
        if not _has(connection, "audit", name):
            connection.execute(f"{query}, ?, ?, ?, ?, ? FROM audit", (at, name, kind, of, body))


def _has(connection: sqlite3.Connection, table: str, name: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (name,)).fetchone() is not None  # noqa: S608 - our words


def add(connection: sqlite3.Connection, copied: Copied) -> None:
    """Write rows that the leader has written, behind those that are here."""
    connection.executemany("INSERT INTO fact (at, call_id, kind, body) VALUES (?, ?, ?, ?)", copied.facts)
    add_finished(connection, copied.finished)
    connection.executemany(
        "INSERT INTO rules (at, id, digest, body) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", copied.rules
    )
    connection.executemany(audit_journal.INSERT, copied.audit)
    connection.executemany("UPDATE outbox SET delivered = 1 WHERE call_id = ?", [(call,) for call in copied.delivered])
    if copied.term is not None:
        connection.execute("UPDATE term SET number = ?, proofs = 0", (copied.term,))


def add_finished(connection: sqlite3.Connection, rows: Iterable[FinishedRow]) -> None:
    """Of two records of one call the first counts."""
    query = "INSERT INTO outbox (at, call_id, body, delivered) VALUES (?, ?, ?, ?)"
    query += " ON CONFLICT (call_id) DO UPDATE SET delivered = max(delivered, excluded.delivered)"
    connection.executemany(query, rows)


def add_whole(connection: sqlite3.Connection, copied: Copied, seen: set[str]) -> None:
    """Write a part of a whole journal; ``seen`` are the calls whose facts came before in it.

    Facts of a call are taken all anew: of one that went on elsewhere, what was known here may not have happened so.
    """
    for call in {call for _, call, _, _ in copied.facts} - seen:
        seen.add(call)
        connection.execute("DELETE FROM fact WHERE call_id = ?", (call,))
    add(connection, copied)


def make_way(connection: sqlite3.Connection) -> None:
    """Before a whole journal comes: what stays is the records, and facts, of calls that have ended.

    What they had left is the leader's to deliver by now.
    """
    connection.execute("DELETE FROM fact WHERE call_id NOT IN (SELECT call_id FROM outbox)")
    connection.execute("UPDATE outbox SET delivered = 1 WHERE fault IS NULL")
    connection.execute("DELETE FROM rules")
    connection.execute("DELETE FROM audit")


def newest(connection: sqlite3.Connection) -> float:
    """When the newest record was handed over; 0 if there is none."""
    (at,) = connection.execute("SELECT max(at) FROM outbox WHERE length(body) > 0").fetchone()
    return float(at or 0.0)


def _chunks(cursor: sqlite3.Cursor) -> Iterator[list]:  # type: ignore[type-arg] # of whatever the query selects
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield rows
