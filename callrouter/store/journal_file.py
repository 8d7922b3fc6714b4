"""The journal's file: opening it, its tables, and what to do with one that is damaged.

The file is SQLite in WAL mode with ``synchronous=FULL``: a commit is on disk when it returns, and a torn write is
undone when the file is next opened (https://www.sqlite.org/wal.html). Whoever writes holds a lock on ``<name>.lock``,
which the kernel lets go of however the process ends.
"""

import contextlib
import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from callrouter.errors import JournalError
from callrouter.store import audit_journal, rules_journal, settled_journal, term_journal

_MIGRATIONS = (
    """
    CREATE TABLE fact (
        seq INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        call_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX fact_call ON fact (call_id);
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        call_id TEXT NOT NULL UNIQUE,
        body BLOB NOT NULL,
        delivered INTEGER NOT NULL DEFAULT 0,
        fault TEXT
    );
    CREATE INDEX outbox_due ON outbox (seq) WHERE delivered = 0 AND fault IS NULL;
    CREATE INDEX outbox_done ON outbox (at) WHERE delivered = 1;
    """,
    rules_journal.MIGRATION,
    audit_journal.MIGRATION,
    term_journal.MIGRATION,
    settled_journal.MIGRATION,
)
"""One script for each schema version; ``PRAGMA user_version`` says how many have run."""
VERSION = len(_MIGRATIONS)
"""Of the tables that this program knows; it brings older ones to it."""

FILE_NAME = "journal.sqlite3"
"""Of the journal, in the state folder."""
_MODE = 0o600
"""The journal holds residents' numbers: it is for the daemon's user alone, whatever the umask says."""
_BUSY_TIMEOUT_S = 1.0
_WAL_LIMIT_BYTES = 16 * 1024 * 1024


class JournalDamagedError(JournalError):
    """The file is not a journal, or part of it has been lost."""


class JournalTooNewError(JournalError):
    """A newer callrouter wrote the file; this one would misread it."""


@contextlib.contextmanager
def lock(path: Path, *, steal: bool = False) -> Iterator[None]:
    """Hold the journal at ``path`` for this process alone.

    ``steal``: from a process that hangs, too. It finds out by the term (:mod:`callrouter.store.term_journal`), and its
    lock, which no name leads to any more, keeps nobody out.

    Raises:
        JournalError: another process holds it, or the folder cannot be written.
    """
    name = path.with_name(path.name + ".lock")
    try:
        if steal:
            name.unlink(missing_ok=True)
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    except OSError as exc:
        message = f"{path}: the journal cannot be opened ({exc.strerror}); make its folder, writable for the daemon"
        raise JournalError(message) from exc
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if name.stat().st_ino != os.fstat(fd).st_ino:
                raise BlockingIOError("stolen between opening and locking")
        except OSError as exc:
            message = f"{path}: another callrouter is using this journal; stop it, or give each daemon its own"
            raise JournalError(message) from exc
        yield
    finally:
        os.close(fd)


def open_file(path: Path) -> sqlite3.Connection:
    """Open the journal for writing, and make or migrate its tables.

    Raises:
        JournalDamagedError: part of the file is lost.
        JournalTooNewError: its schema is newer than this program.
        sqlite3.Error: the disk, the rights or a foreign lock are in the way: worth trying again.
    """
    _make_private(path)
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=True)
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as exc:
        connection.close()
        if is_damage(exc):
            raise JournalDamagedError(f"{path}: {exc}") from exc
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """Have the file with its mode before SQLite makes it with the umask's; what SQLite adds takes the same mode.

    Where that cannot be done, SQLite says more exactly what is in the way.
    """
    with contextlib.suppress(OSError):
        path.touch(mode=_MODE)
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        with contextlib.suppress(OSError):
            if stat.S_IMODE(file.stat().st_mode) != _MODE:
                file.chmod(_MODE)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise JournalDamagedError(f"{path}: {verdict}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(_MIGRATIONS):
        raise JournalTooNewError(
            f"{path}: its version is {version}, this callrouter knows {len(_MIGRATIONS)}; "
            "start the newer callrouter, or move the file away"
        )
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
    # A file that lost its pages but kept its header says the right version and has no tables.
    connection.execute("SELECT seq, at, call_id, kind, body FROM fact LIMIT 0")
    connection.execute("SELECT seq, at, call_id, body, delivered, fault FROM outbox LIMIT 0")
    connection.execute(rules_journal.CHECK)
    connection.execute(audit_journal.CHECK)
    connection.execute(term_journal.CHECK)
    connection.execute(settled_journal.CHECK)


def is_damage(exc: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is bad, rather than that it cannot get at it now."""
    code = getattr(exc, "sqlite_errorcode", None)
    if code is None:
        return False
    if code == sqlite3.SQLITE_ERROR:
        return str(exc).startswith("no such ")  # tables or columns that the version promised are not there
    return (code & 0xFF) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_file_aside(path: Path) -> Path:
    """Rename a damaged journal, with its WAL, to ``<name>.corrupt-<time>``; people may look into it later.

    Raises:
        JournalError: it cannot be renamed.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{path.name}.corrupt-{stamp}")
    try:
        for suffix in ("-wal", ""):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(kept.with_name(kept.name + suffix))
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
    except OSError as exc:
        raise JournalError(f"{path}: damaged, and cannot be moved away ({exc.strerror}); move it by hand") from exc
    return kept
