"""The records that were set aside, read from the journal beside a daemon that may run."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from callrouter.core.ids import CallId
from callrouter.errors import JournalError

_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that PostgreSQL would not take, or that cannot be read; ``at`` is when it was handed over (UTC).

    ``why`` may quote the caller's number.
    """

    call_id: CallId
    at: datetime
    why: str


def records_set_aside(journal: Path) -> list[SetAside]:
    """The oldest first. Writes nothing, and does not ask for the daemon's lock.

    Raises:
        JournalError: there is no journal, or it cannot be read by this user.
    """
    query = "SELECT call_id, at, fault FROM outbox WHERE fault IS NOT NULL ORDER BY seq"
    try:
        connection = sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)
        try:
            rows = connection.execute(query).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as exc:
        raise JournalError(
            f"{journal}: the journal cannot be read ({exc}); run this on the daemon's machine, as its user"
        ) from exc
    return [SetAside(CallId(call_id), datetime.fromtimestamp(at, UTC), why) for call_id, at, why in rows]
