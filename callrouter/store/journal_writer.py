"""The journal's own thread: it takes what the event loop left, and commits it, many records at a time.

Multi-row statements keep the hand-overs of Python's global lock few: SQLite runs without it, and each statement would
otherwise have to win it back from a busy event loop.
"""

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final, Protocol, TypeVar

import structlog

from callrouter.errors import JournalError, JournalFencedError
from callrouter.store import settled_journal, term_journal
from callrouter.store.copied import FactRow
from callrouter.store.journal_file import JournalDamagedError, JournalTooNewError, is_damage, open_file, set_file_aside

log = structlog.get_logger(__name__)


class OutboxRow(Protocol):
    """A record that waits in the journal until PostgreSQL has it."""

    @property
    def body(self) -> bytes:
        """The record itself."""

    @property
    def what(self) -> str:
        """What it is a record of, for messages."""

    @property
    def statement(self) -> tuple[str, tuple[object, ...]]:
        """The SQL that keeps it, and its values."""


@dataclass(frozen=True, slots=True)
class FinishedRow:
    """A CDR for the outbox."""

    at: float
    call_id: str
    body: bytes

    @property
    def what(self) -> str:
        """What it is a record of, for messages."""
        return f"call {self.call_id!r}"

    @property
    def statement(self) -> tuple[str, tuple[object, ...]]:
        """The SQL that keeps it, and its values."""
        return _insert_finished(1), (self.at, self.call_id, self.body)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do between two commits, after all that was handed over before it."""

    run: Callable[[sqlite3.Connection], Callable[[], None]]
    """Runs in the writer's thread, in a transaction of its own; what it returns is called once that is committed."""
    fail: Callable[[JournalError], None]


Item = FactRow | OutboxRow | Job
_Row = TypeVar("_Row", FactRow, FinishedRow)

_ROWS_PER_STATEMENT: Final = 48
"""At most: the statements for every number of rows, of facts and of CDRs, fit into the 128 that sqlite3 keeps."""
_BATCH_ROWS: Final = 4096
_BAD_VALUE: Final = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    ValueError,
    TypeError,
    OverflowError,
)
"""What SQLite's binding raises for a value that it cannot keep."""
_BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class JournalWriter:
    """Owns the SQLite connection. Every method but :meth:`run` may be called from any thread."""

    def __init__(
        self,
        path: Path,
        linger_s: float,
        on_change: Callable[[], None],
        heard: term_journal.Mark | None = None,
        *,
        number: int | None = None,
        on_commit: Callable[[list[FactRow], list[OutboxRow]], None] | None = None,
    ) -> None:
        self.path = path
        self._heard = heard
        self._number = number
        self._on_commit = on_commit
        self.pending: deque[Item] = deque()
        self.wake = threading.Event()
        """Set whenever ``pending`` has something in it."""
        self.written_rows = 0
        self.written_bytes = 0
        self.commits = 0
        self.error: str | None = None
        """Why nothing can be written at the moment; None while all is well."""
        self.fatal: JournalError | None = None
        self.lost: list[str] = []
        """What could not be kept, for people: damaged files set aside, records given up at the end."""
        self.opened = threading.Event()
        """Set once opening has been tried."""
        self.on_written: Callable[[], None] | None = None
        """Called once, after the next batch: it is on disk, or given up."""
        self.followed_rows = 0
        """So many of all records have had consequences by now."""
        self.settled_until: float | None = None
        """Up to when (seconds since 1970) all that followed from facts is settled; see `settled_journal`."""
        self._written_settled: float | None = None
        self._settled_due_at = 0.0
        self.term: int | None = None
        """Ours, once the file has been opened; nobody writes under an older one."""
        self._linger_s = linger_s
        self._on_change = on_change
        self._hurry = threading.Event()
        self._rested_at = 0.0
        """Until then (monotonic), records wait for one another."""
        self._give_up_at: float | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def hurry(self) -> None:
        """Write now; do not wait for more records to share the commit."""
        self._hurry.set()
        self.wake.set()

    def close(self, give_up_after_s: float) -> None:
        """Write what is left, then end the thread; after ``give_up_after_s`` seconds even if it cannot be written."""
        self._give_up_at = time.monotonic() + give_up_after_s
        self.hurry()

    def run(self) -> None:
        """The thread's body."""
        try:
            self._try_open()
            self.opened.set()
            while self.fatal is None and (self._give_up_at is None or self.pending):
                self.wake.wait(self._until_settled_due_s())
                self._hurry.wait(max(0.0, self._rested_at - time.monotonic()))
                self.wake.clear()
                self._hurry.clear()
                self._drain()
                self._rested_at = time.monotonic() + self._linger_s
            self._settled_due_at = 0.0
            self._write_what_was_settled()
        except Exception as exc:
            log.exception("journal.defect", path=str(self.path))
            self.fatal = JournalError(f"{self.path}: the writer failed: {exc!r}")
            self.error = str(self.fatal)
            self._on_change()
        finally:
            self.opened.set()
            if self._connection is not None:
                self._connection.close()
            self._refuse_the_rest()

    def _drain(self) -> None:
        while self.pending and self.fatal is None:
            job = self._write_batch()
            if job is not None:
                self._run_job(job)
        self._write_what_was_settled()

    def _write_batch(self) -> Job | None:
        """Commit the records up to the next job, and return that job, if one follows."""
        facts: list[FactRow] = []
        finished: list[OutboxRow] = []
        job = None
        while self.pending and len(facts) + len(finished) < _BATCH_ROWS:
            item = self.pending.popleft()
            if isinstance(item, tuple):
                facts.append(item)
            elif isinstance(item, Job):
                job = item
                break
            else:
                finished.append(item)
        if facts or finished:
            self._commit(facts, finished)
            self.written_rows += len(facts) + len(finished)
            self.written_bytes += sum(len(fact[3]) for fact in facts) + sum(len(row.body) for row in finished)
            if self.on_written is not None:
                told, self.on_written = self.on_written, None
                told()
        return job

    def _commit(self, facts: list[FactRow], finished: list[OutboxRow]) -> None:
        """Commit, and keep trying for as long as that takes."""
        for pause_s in chain(_BACKOFF_S, iter(lambda: _BACKOFF_S[-1], None)):
            connection = self._try_open()
            if connection is not None and self._try_commit(connection, facts, finished):
                return
            if self._gives_up() or self.fatal is not None:
                self._say_not_kept(_counted(facts, finished))
                return
            self._rest(pause_s)

    def _try_commit(self, connection: sqlite3.Connection, facts: list[FactRow], finished: list[OutboxRow]) -> bool:
        settled = self._settled_due()
        try:
            with self._transaction(connection):
                if settled is not None:
                    settled_journal.write(connection, settled)
                for facts_now in _in_statements(facts):
                    connection.execute(_insert_facts(len(facts_now)), tuple(chain.from_iterable(facts_now)))
                for rows in _in_statements([row for row in finished if isinstance(row, FinishedRow)]):
                    values = tuple(chain.from_iterable((row.at, row.call_id, row.body) for row in rows))
                    connection.execute(_insert_finished(len(rows)), values)
                for row in finished:
                    if not isinstance(row, FinishedRow):
                        connection.execute(*row.statement)
        except _BAD_VALUE:
            return self._try_commit_singly(connection, facts, finished)
        except JournalFencedError as exc:
            self._fenced(exc)
            return False
        except sqlite3.Error as exc:
            self._broken(exc)
            return False
        self._note_settled(settled)
        self._committed(facts, finished)
        return True

    @property
    def is_settled_written(self) -> bool:
        """Whether it is on disk how far all is settled."""
        return self.settled_until == self._written_settled

    def _until_settled_due_s(self) -> float | None:
        return None if self.is_settled_written else max(0.0, self._settled_due_at - time.monotonic())

    def _settled_due(self) -> float | None:
        """How far all is settled, if that is to be written now: not with each of many commits."""
        is_due = not self.is_settled_written and time.monotonic() >= self._settled_due_at
        return self.settled_until if is_due else None

    def _note_settled(self, settled: float | None) -> None:
        if settled is not None:
            self._written_settled = settled
            self._settled_due_at = time.monotonic() + self._linger_s

    def _write_what_was_settled(self) -> None:
        """Where no record comes that this could be written with."""
        settled, connection = self._settled_due(), self._connection
        if settled is None or connection is None or self.error is not None:
            return
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            try:
                with self._transaction(connection):
                    settled_journal.write(connection, settled)
            finally:
                connection.execute("PRAGMA synchronous = FULL")
        except JournalFencedError as exc:
            self._fenced(exc)
        except sqlite3.Error as exc:
            self._broken(exc)
        else:
            self._note_settled(settled)

    def _committed(self, facts: list[FactRow], finished: list[OutboxRow]) -> None:
        self.commits += 1
        if self._on_commit is not None:
            self._on_commit(facts, finished)
        self._mend()

    def _try_commit_singly(
        self, connection: sqlite3.Connection, facts: list[FactRow], finished: list[OutboxRow]
    ) -> bool:
        """Commit row by row, without those that hold what SQLite cannot keep: such a row would hold up all others."""
        refused: list[str] = []

        def is_taken(what: str, statement: str, values: tuple[object, ...]) -> bool:
            try:
                connection.execute(statement, values)
            except _BAD_VALUE as exc:
                refused.append(f"a record of {what}: {exc}")
                return False
            return True

        try:
            with self._transaction(connection):
                facts = [fact for fact in facts if is_taken(f"call {fact[1]!r}", _insert_facts(1), fact)]
                finished = [row for row in finished if is_taken(row.what, *row.statement)]
        except JournalFencedError as exc:
            self._fenced(exc)
            return False
        except sqlite3.Error as exc:
            self._broken(exc)
            return False
        for what in refused:
            self._say_lost(what)
        self._committed(facts, finished)
        return True

    @contextlib.contextmanager
    def _transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if self.term is not None:
                term_journal.check(connection, self.term)
            yield
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _run_job(self, job: Job) -> None:
        connection = self._try_open()
        if connection is None:
            job.fail(JournalError(f"{self.path}: {self.error}"))
            return
        try:
            with self._transaction(connection):
                reply = job.run(connection)
        except JournalFencedError as exc:
            self._fenced(exc)
            job.fail(exc)
        except sqlite3.Error as exc:
            self._broken(exc)
            job.fail(JournalError(f"{self.path}: {exc}"))
        except Exception as exc:  # one question's defect must not end the thread
            log.exception("journal.defect", path=str(self.path))
            job.fail(JournalError(f"{self.path}: {exc!r}"))
        else:
            self._mend()
            reply()

    def _try_open(self) -> sqlite3.Connection | None:
        """The connection, opened (again) if need be; None if that fails just now."""
        if self._connection is not None and not self._file_is_there():
            self._say_lost("the file was removed or replaced under the running daemon; a new one is used")
            self._drop_connection()
        if self._connection is not None and self.term is not None:
            return self._connection
        try:
            if self._connection is None:
                self._connection = self._open_or_replace()
                self._inode = self.path.stat().st_ino
            self._begin_term(self._connection)
        except JournalTooNewError as exc:
            self.fatal = exc
        except JournalFencedError as exc:
            self._fenced(exc)
        except (sqlite3.Error, OSError, JournalError) as exc:
            if not (self.term is None and _is_without_room(exc)):
                self._drop_connection()
            self._broken(exc)
        return self._connection

    def _begin_term(self, connection: sqlite3.Connection) -> None:
        """A term of our own at the first opening; ours still when the file had to be opened anew.

        Where the disk has no room for a new one, what is there can be read all the same: calls of before are taken up,
        and the term begins with the first record that finds room.
        """
        own, self.term = self.term, None  # there is nothing to check before it is said
        try:
            with self._transaction(connection):
                if own is None:
                    new = term_journal.begin(connection, self._heard, self._number)
                else:
                    term_journal.resume(connection, new := own)
            own = new
        finally:
            self.term = own

    def _open_or_replace(self) -> sqlite3.Connection:
        try:
            return open_file(self.path)
        except JournalDamagedError as exc:
            kept = set_file_aside(self.path)
            self._say_lost(f"the file was damaged ({exc}); it is kept as {kept.name}, and a new one is used")
            return open_file(self.path)

    def _file_is_there(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _broken(self, exc: Exception) -> None:
        if isinstance(exc, sqlite3.Error) and is_damage(exc):
            self._drop_connection()  # opening it again finds out, and sets the file aside
        if self.error is None:
            log.error("journal.failing", path=str(self.path), error=str(exc), backlog=len(self.pending))
        changed = self.error != str(exc)
        self.error = str(exc)
        if changed:
            self._on_change()

    def _fenced(self, exc: JournalFencedError) -> None:
        """Another daemon writes by now: nothing of ours may follow, and nothing that it has done is touched."""
        log.error("journal.fenced", path=str(self.path), why=str(exc))
        self._drop_connection()
        self.fatal = exc
        self.error = str(exc)
        self._on_change()

    def _mend(self) -> None:
        if self.error is not None and self.term is not None:  # being read does not yet mean being written
            log.warning("journal.mended", path=str(self.path), was=self.error)
            self.error = None
            self._on_change()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _say_lost(self, what: str) -> None:
        log.error("journal.lost", path=str(self.path), what=what)
        self.lost.append(what)
        del self.lost[:-100]
        self._on_change()

    def _say_not_kept(self, what: str) -> None:
        """That records were given up. Such as another daemon's term kept out, and nothing followed from, are no loss.

        It has taken over by then what they tell of, as it found it at Asterisk.
        """
        is_theirs = isinstance(self.fatal, JournalFencedError) and self.followed_rows <= self.written_rows
        if is_theirs:
            log.warning("journal.in_vain", path=str(self.path), what=what, why=str(self.fatal))
        else:
            self._say_lost(f"{what}: {self.fatal or self.error}")

    def _gives_up(self) -> bool:
        return self._give_up_at is not None and time.monotonic() >= self._give_up_at

    def _rest(self, pause_s: float) -> None:
        # Closing sets `hurry`: the last tries then follow one another quickly.
        if self._give_up_at is not None:
            time.sleep(min(pause_s, 0.1))
        else:
            self._hurry.wait(pause_s)
            self._hurry.clear()

    def _refuse_the_rest(self) -> None:
        left = 0
        while self.pending:
            item = self.pending.popleft()
            if isinstance(item, Job):
                item.fail(self.fatal or JournalError(f"{self.path}: the journal is closed"))
            else:
                left += 1
        if left:
            self._say_not_kept(f"{left} records that were never written")


def _is_without_room(exc: Exception) -> bool:
    """Whether nothing can be written, while what is there can be read, and nobody else is in the way."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    return isinstance(exc, sqlite3.Error) and code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _counted(facts: list[FactRow], finished: list[OutboxRow]) -> str:
    cdrs = sum(isinstance(row, FinishedRow) for row in finished)
    more = f", and {len(finished) - cdrs} versions of rules or entries of the audit log" if len(finished) > cdrs else ""
    return f"{len(facts)} facts and {cdrs} CDRs{more}"


@cache
def _insert_facts(rows: int) -> str:
    return "INSERT INTO fact (at, call_id, kind, body) VALUES " + ", ".join(["(?, ?, ?, ?)"] * rows)  # noqa: S608


@cache
def _insert_finished(rows: int) -> str:
    values = ", ".join(["(?, ?, ?)"] * rows)
    return f"INSERT INTO outbox (at, call_id, body) VALUES {values} ON CONFLICT (call_id) DO NOTHING"  # noqa: S608


def _in_statements(rows: list[_Row]) -> Iterator[list[_Row]]:
    return (rows[start : start + _ROWS_PER_STATEMENT] for start in range(0, len(rows), _ROWS_PER_STATEMENT))
