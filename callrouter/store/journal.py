"""The journal: every fact of every call in progress, and every finished CDR, on disk before it counts.

The event loop hands records over and goes on (about a microsecond each); a thread of its own commits many of them
together (:mod:`callrouter.store.journal_writer`). Whoever must not act before a record is on disk asks to be told
(:meth:`Journal.keep_now`). A disk that is full, slow, read-only or locked never reaches a call:
records wait in bounded memory, an alarm is raised, and what finds no room is counted and said.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import structlog

from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.cdr import Cdr
from callrouter.core.ids import CallId
from callrouter.errors import JournalError, JournalFencedError, StoreError
from callrouter.store import audit_journal, copied, journal_file, rules_journal, settled_journal, term_journal
from callrouter.store.audit_journal import AuditRecord
from callrouter.store.copied import Copied, encode
from callrouter.store.journal_feed import JournalFeed
from callrouter.store.journal_writer import FinishedRow, Job, JournalWriter, OutboxRow
from callrouter.store.records import decode_cdr, encode_cdr
from callrouter.store.rules import LiveRules, encode_rules
from callrouter.store.rules_journal import RulesRow
from callrouter.store.term_journal import Mark

log = structlog.get_logger(__name__)
_Answer = TypeVar("_Answer")

_PRUNE_CALLS = 500
"""Calls removed in one transaction, so that nobody waits long behind it."""


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """How much may wait in memory while the disk does not take it, and how long things may take."""

    facts: int = 100_000
    """Waiting records beyond which new facts are dropped. CDRs have half as much again."""
    bytes: int = 128 * 1024 * 1024
    linger_s: float = 0.05
    """How long, after a commit, the records that come next wait for one another. A ``flush`` does not wait; delivery
    does."""
    answer_s: float = 30.0
    """How long a question to the journal may take."""
    close_s: float = 5.0
    """How long closing tries to write what is left."""


@dataclass(frozen=True, slots=True)
class JournalHealth:
    """How the journal is doing, for ``/readyz``, metrics and alarms."""

    error: str | None
    """Why nothing can be written just now; None while all is well."""
    waiting: int
    """Records in memory, not on disk."""
    written: int
    commits: int
    dropped_facts: int
    dropped_cdrs: int
    lost: tuple[str, ...]
    """What could not be kept since the start, one sentence each."""

    @property
    def well(self) -> bool:
        """Whether records reach the disk, and all of them have."""
        return self.error is None and not self.lost and not self.dropped_facts and not self.dropped_cdrs


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a call, as it was handed over; ``body`` means nothing to the journal."""

    at: datetime
    kind: str
    body: bytes


@dataclass(slots=True)
class _Counters:
    handed_rows: int = 0
    handed_bytes: int = 0
    dropped_facts: int = 0
    dropped_cdrs: int = 0
    told_drops: int = field(default=0)


class Journal:
    """The journal at ``path``, open inside ``async with``.

    ``on_alarm`` is called in the event loop whenever the journal begins or ceases to fail, or has lost something.
    ``steal``: take it from a daemon that hangs, too; see :func:`callrouter.store.journal_file.lock`. ``heard``: unless
    it has proven since it said this that it does not (:func:`callrouter.store.term_journal.begin`). ``term``: the
    number of the term to begin, where another than the journal counts. ``feed`` is told what was committed.
    """

    def __init__(
        self,
        path: Path,
        *,
        limits: JournalLimits | None = None,
        on_alarm: Callable[[JournalHealth], None] | None = None,
        steal: bool = False,
        heard: Mark | None = None,
        term: int | None = None,
        feed: JournalFeed | None = None,
    ) -> None:
        self.path = path
        self.cdr_waiting = asyncio.Event()
        """Set by :meth:`finish`, :meth:`keep_rules` and :meth:`audit`; whoever delivers waits for it and clears it."""
        self._limits = limits or JournalLimits()
        self._on_alarm = on_alarm
        self._steal = steal
        self._count = _Counters()
        self._feed = feed
        self._writer = JournalWriter(
            path,
            self._limits.linger_s,
            self._alarm_from_thread,
            heard,
            number=term,
            on_commit=feed.committed if feed is not None else None,
        )
        self.proofs = 0
        """How often we have proven that the term is ours."""
        self._pending = self._writer.pending
        self._wake = self._writer.wake
        self._lock = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        """Lock and open the file, and start the writer.

        A damaged file is set aside and said so; a disk that does not answer is tried again in the background.

        Raises:
            JournalError: the folder is missing or not writable, another daemon uses the journal, or a newer
                callrouter wrote it.
        """
        self._loop = asyncio.get_running_loop()
        if not self._steal:
            self._lock.enter_context(journal_file.lock(self.path))
        self._thread = threading.Thread(target=self._writer.run, name="journal", daemon=True)
        self._thread.start()
        await asyncio.to_thread(self._writer.opened.wait, self._limits.answer_s)
        if self._writer.fatal is not None:
            self._lock.close()
            raise self._writer.fatal
        if self._steal:  # only now that the term is ours: one that has woken keeps its lock
            self._lock.enter_context(journal_file.lock(self.path, steal=True))
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what is left, within ``limits.close_s``, and say what could not be written."""
        assert self._thread is not None  # noqa: S101 - entered before left
        self._writer.close(self._limits.close_s)
        await asyncio.to_thread(self._thread.join, self._limits.close_s + 5.0)
        if self._thread.is_alive():
            log.error("journal.stuck", path=str(self.path), waiting=self.health.waiting)
        self._lock.close()

    # Handing over: synchronous, never waits, never raises.

    def append_facts(self, call_id: CallId, kind: str, body: bytes) -> None:
        """Keep a fact of a call. Dropped, counted and alarmed if memory is full because the disk takes nothing."""
        count = self._count
        if self._is_full(self._limits.facts, self._limits.bytes):
            self._drop_fact()
            return
        count.handed_rows += 1
        count.handed_bytes += len(body)
        self._pending.append((time.time(), call_id, kind, body))
        if not self._wake.is_set():
            self._wake.set()

    def finish(self, cdr: Cdr) -> None:
        """Put the CDR into the outbox; its call is no longer open. Of two CDRs of one call the first counts."""
        body = encode_cdr(cdr)
        if self._is_full(self._limits.facts * 3 // 2, self._limits.bytes * 3 // 2):
            self._drop_cdr(cdr)
            return
        self._hand_over(FinishedRow(time.time(), cdr.call_id, body))

    def audit(self, entry: AuditEntry) -> None:
        """Put an entry of the audit log into its outbox: a few a day, which find room where no fact does."""
        self._hand_over(audit_journal.row_of(entry))

    def keep_rules(self, rules: LiveRules) -> None:
        """Put rules that went live into the outbox, unless they are the text that was live before.

        They are few and never dropped: who changed what is asked when things go wrong.
        """
        self._hand_over(RulesRow(time.time(), rules.id, rules.digest, encode_rules(rules)))

    def _hand_over(self, row: OutboxRow) -> None:
        self._count.handed_rows += 1
        self._count.handed_bytes += len(row.body)
        self._pending.append(row)
        self._wake.set()
        self.cdr_waiting.set()

    @property
    def handed(self) -> int:
        """How many records were handed over since the start."""
        return self._count.handed_rows

    @property
    def kept(self) -> int:
        """How many of them need not be waited for: they are on disk, or it is known to take none just now."""
        written = self._writer.written_rows
        return written if self._writer.error is None else self._count.handed_rows

    def keep_now(self, tell: Callable[[], None]) -> None:
        """Write what was handed over without waiting for more; ``tell`` is called once, soon after some of it is."""
        self._writer.on_written = partial(self._tell_from_thread, tell)
        self._writer.hurry()

    def followed(self, records: int) -> None:
        """What follows from the first so many of all records handed over is done: they count, kept or not."""
        self._writer.followed_rows = records

    def settled(self, until: float) -> None:
        """Asterisk has answered all that followed from facts handed over up to then (seconds since 1970)."""
        is_awaited = not self._writer.is_settled_written
        self._writer.settled_until = until
        if not is_awaited:
            self._wake.set()

    async def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was handed over is on disk. False if it is not, within the time, or some was dropped."""
        drops = self._drops
        lost = len(self._writer.lost)
        try:
            await self._ask(lambda _: None, timeout_s)
        except JournalError:
            return False
        return drops == self._drops and lost == len(self._writer.lost)

    # Questions: each sees all that was handed over before it.

    async def open_calls(self) -> dict[CallId, list[Fact]]:
        """The facts, in order, of every call that has no CDR yet; for a daemon that starts anew.

        Raises:
            JournalError: the journal cannot be read now (so for every question below).
        """
        return await self._ask(_open_calls)

    async def settled_until(self) -> float | None:
        """Up to when (seconds since 1970) Asterisk has answered what followed from facts, if a daemon ever said so."""
        return await self._ask(settled_journal.read)

    async def calls_closed_within(self, seconds: float) -> dict[CallId, list[Fact]]:
        """The facts, in order, of every call whose CDR was handed over in the last ``seconds``."""
        since = time.time() - seconds
        return await self._ask(lambda c: _calls(c, "call_id IN (SELECT call_id FROM outbox WHERE at >= ?)", since))

    async def undelivered(self, limit: int) -> list[tuple[int, Cdr]]:
        """The oldest CDRs that were not delivered, with their numbers. One that cannot be read is set aside."""
        return await self._ask(lambda connection: _undelivered(connection, limit), is_urgent=False)

    async def newest_cdrs(self, limit: int) -> list[Cdr]:
        """The newest CDRs, delivered or not, the oldest of them first. What cannot be read is left out."""
        return await self._ask(lambda connection: _newest_cdrs(connection, limit))

    async def delivered(self, numbers: Iterable[int]) -> None:
        """Mark CDRs as delivered."""
        rows = tuple(numbers)

        def mark(connection: sqlite3.Connection) -> None:
            query = "UPDATE outbox SET delivered = 1 WHERE seq = ? RETURNING call_id"
            calls = [call for number in rows for (call,) in connection.execute(query, (number,)).fetchall()]
            if self._feed is not None:
                self._feed.note(Copied(delivered=calls))

        await self._ask(mark, is_urgent=False)

    async def set_aside(self, number: int, fault: str) -> None:
        """Keep a CDR that PostgreSQL will not take, with the reason, out of the way of the others."""
        await self._ask(lambda c: _do(c, "UPDATE outbox SET fault = ? WHERE seq = ?", [(fault, number)]))

    async def set_history_aside(self, call_id: CallId, fault: str) -> None:
        """Have a call that has no CDR, and of which none can be made, open no longer. Its facts are kept."""
        statement = "INSERT INTO outbox (at, call_id, body, fault) VALUES (?, ?, x'', ?) ON CONFLICT DO NOTHING"
        await self._ask(lambda c: _do(c, statement, [(time.time(), call_id, fault)]))

    async def take_up_again(self) -> int:
        """Put all that was set aside back in line: CDRs, versions of rules, the audit log; how many CDRs there were."""
        return await self._ask(_take_up_again)

    async def backlog(self) -> int:
        """How many CDRs wait to be delivered."""
        query = "SELECT count(*) FROM outbox WHERE delivered = 0 AND fault IS NULL"
        return await self._ask(lambda c: int(c.execute(query).fetchone()[0]))

    async def undelivered_rules(self) -> list[tuple[int, LiveRules]]:
        """The oldest version of the rules that was not delivered, with its number; empty if there is none.

        One that cannot be read is set aside.
        """
        return await self._ask(rules_journal.undelivered)

    async def rules_delivered(self, number: int) -> None:
        """Mark a version as delivered. The newest stays, to tell whether the next differs."""
        await self._ask(lambda c: rules_journal.delivered(c, number))

    async def set_rules_aside(self, number: int, fault: str) -> None:
        """Keep a version that PostgreSQL will not take, with the reason, out of the way of the others."""
        await self._ask(lambda c: rules_journal.set_aside(c, number, fault))

    async def whole(self, since: float) -> tuple[int, list[bytes]]:
        """All that another daemon must know to lead with, for :class:`callrouter.store.journal_copy.JournalCopy`.

        ``since`` is when its newest record was handed over (seconds since 1970). With it, after which commit that was.
        """
        feed = self._feed

        def read(connection: sqlite3.Connection) -> tuple[int, list[bytes]]:
            count = feed.commits if feed is not None else 0
            return count, [encode(part) for part in copied.whole(connection, since, self.term)]

        return await self._ask(read)

    async def take_in(self, left: Copied) -> dict[CallId, list[Fact]]:
        """Deliver what the journal of one that led before had left; the calls of it that are not known here at all."""

        def take(connection: sqlite3.Connection) -> dict[CallId, list[Fact]]:
            copied.take_in(connection, left)
            known = "SELECT 1 FROM fact WHERE call_id = ? UNION ALL SELECT 1 FROM outbox WHERE call_id = ?"
            unknown: dict[CallId, list[Fact]] = {}
            for at, call, kind, body in left.facts:
                if connection.execute(known, (call, call)).fetchone() is None:
                    unknown.setdefault(CallId(call), []).append(Fact(datetime.fromtimestamp(at, UTC), kind, body))
            return unknown

        unknown = await self._ask(take)
        self.cdr_waiting.set()
        return unknown

    async def opened_since(self, since: datetime) -> dict[CallId, list[Fact]]:
        """The facts, in order, of every call that has come in since then and is kept still, ended or not."""
        which = "call_id IN (SELECT call_id FROM fact GROUP BY call_id HAVING min(at) >= ?)"
        return await self._ask(lambda c: _calls(c, which, since.timestamp()))

    async def prune(self, older_than: datetime) -> int:
        """Forget calls whose CDR was delivered and was handed over before ``older_than``; how many."""
        await self._ask(lambda c: audit_journal.prune(c, older_than.timestamp()))
        total = 0
        while pruned := await self._ask(lambda c: prune_calls(c, older_than.timestamp())):
            total += pruned
        return total

    async def newest_audit(self, kind: AuditKind) -> list[AuditEntry]:
        """The newest entry of the audit log on each thing: how things stood when the last daemon ended."""
        return await self._ask(lambda c: audit_journal.newest(c, kind))

    async def cdrs_since(self, since: datetime) -> tuple[list[Cdr], bool]:
        """The CDRs of calls that ended at ``since`` or later, delivered or not, and whether there is one of before.

        If there is none, the journal may have begun after ``since``. What cannot be read is left out.
        """
        return await self._ask(lambda c: _cdrs_since(c, since), is_urgent=False)

    async def audit_of(self, kind: AuditKind) -> list[AuditEntry]:
        """The entries of the audit log of a kind that are kept still, in their order."""
        return await self._ask(lambda c: audit_journal.kept(c, kind), is_urgent=False)

    async def undelivered_audit(self, limit: int) -> list[AuditRecord]:
        """The oldest entries that were not delivered. One that cannot be read is set aside."""
        return await self._ask(lambda c: audit_journal.undelivered(c, limit))

    async def audit_delivered(self, numbers: Iterable[int]) -> None:
        """Mark entries as delivered."""
        rows = tuple(numbers)
        await self._ask(lambda c: audit_journal.delivered(c, rows))

    async def set_audit_aside(self, number: int, fault: str) -> None:
        """Keep an entry that PostgreSQL will not take, with the reason, out of the way of the others."""
        await self._ask(lambda c: audit_journal.set_aside(c, number, fault))

    async def prove(self, within_s: float) -> bool:
        """Whether this journal's term is ours still; False where the disk does not tell within ``within_s`` seconds.

        Whoever had taken us for one that hangs, and has not begun its own term by now, does not begin it.

        Raises:
            JournalFencedError: it is not: another daemon has begun a newer one.
        """
        try:
            self.proofs = await self._ask(term_journal.prove, within_s)
        except JournalFencedError:
            raise
        except JournalError:
            return False
        return True

    @property
    def term(self) -> int | None:
        """The number of our term; None before the file was opened."""
        return self._writer.term

    @property
    def is_fenced(self) -> bool:
        """Whether another daemon has begun a newer term: nothing that is handed over is kept any more."""
        return isinstance(self._writer.fatal, JournalFencedError)

    @property
    def health(self) -> JournalHealth:
        """How the journal is doing now."""
        writer, count = self._writer, self._count
        return JournalHealth(
            error=writer.error,
            waiting=count.handed_rows - writer.written_rows,
            written=writer.written_rows,
            commits=writer.commits,
            dropped_facts=count.dropped_facts,
            dropped_cdrs=count.dropped_cdrs,
            lost=tuple(writer.lost),
        )

    @property
    def _drops(self) -> int:
        return self._count.dropped_facts + self._count.dropped_cdrs

    def _is_full(self, rows: int, size: int) -> bool:
        count, writer = self._count, self._writer
        return count.handed_rows - writer.written_rows >= rows or count.handed_bytes - writer.written_bytes >= size

    def _drop_fact(self) -> None:
        self._count.dropped_facts += 1
        # The first, and then every thousandth: a line for each would fill what disk there is.
        if self._drops >= self._count.told_drops:
            self._count.told_drops = self._drops + 1000
            log.error("journal.dropping", facts=self._count.dropped_facts, error=self._writer.error)
            self._alarm()

    def _drop_cdr(self, cdr: Cdr) -> None:
        self._count.dropped_cdrs += 1
        log.error("journal.cdr_dropped", call=cdr.call_id, outcome=cdr.outcome.value, error=self._writer.error)
        self._alarm()

    def _alarm(self) -> None:
        if self._on_alarm is not None:
            self._on_alarm(self.health)

    def _alarm_from_thread(self) -> None:
        self._tell_from_thread(self._alarm)

    def _tell_from_thread(self, tell: Callable[[], None]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before the writer
                self._loop.call_soon_threadsafe(tell)

    async def _ask(
        self,
        question: Callable[[sqlite3.Connection], _Answer],
        timeout_s: float | None = None,
        *,
        is_urgent: bool = True,
    ) -> _Answer:
        """Have the writer's thread answer a question, after all that was handed over so far.

        One that is not urgent waits for the next commit instead of causing one: each costs a sync of the disk.
        """
        if self._thread is None or not self._thread.is_alive():
            raise self._writer.fatal or JournalError(f"{self.path}: the journal is not open")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Answer] = loop.create_future()

        def reply(set_it: Callable[[], None]) -> None:
            def unless_given_up() -> None:
                if not answer.done():
                    set_it()

            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(unless_given_up)

        def run(connection: sqlite3.Connection) -> Callable[[], None]:
            result = question(connection)
            return lambda: reply(lambda: answer.set_result(result))

        def fail(error: JournalError) -> None:
            reply(lambda: answer.set_exception(error))

        self._pending.append(Job(run, fail))
        if is_urgent:
            self._writer.hurry()
        else:
            self._wake.set()
        limit_s = self._limits.answer_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        except TimeoutError as exc:
            why = self._writer.error or "the disk is slow"
            raise JournalError(f"{self.path}: no answer within {limit_s:g} s ({why})") from exc


def _open_calls(connection: sqlite3.Connection) -> dict[CallId, list[Fact]]:
    return _calls(connection, "call_id NOT IN (SELECT call_id FROM outbox)")


def _calls(connection: sqlite3.Connection, which: str, *values: float) -> dict[CallId, list[Fact]]:
    calls: dict[CallId, list[Fact]] = {}
    query = f"SELECT at, call_id, kind, body FROM fact WHERE {which} ORDER BY seq"  # noqa: S608 - words of our own
    for at, call_id, kind, body in connection.execute(query, values):
        calls.setdefault(CallId(call_id), []).append(Fact(datetime.fromtimestamp(at, UTC), kind, body))
    return calls


def _undelivered(connection: sqlite3.Connection, limit: int) -> list[tuple[int, Cdr]]:
    query = "SELECT seq, body FROM outbox WHERE delivered = 0 AND fault IS NULL ORDER BY seq LIMIT ?"
    found: list[tuple[int, Cdr]] = []
    for number, body in connection.execute(query, (limit,)).fetchall():
        try:
            found.append((number, decode_cdr(body)))
        except StoreError as error:
            log.error("journal.cdr_unreadable", number=number, error=str(error))  # noqa: TRY400 - its message says all
            connection.execute("UPDATE outbox SET fault = ? WHERE seq = ?", (str(error), number))
    return found


def _cdrs_since(connection: sqlite3.Connection, since: datetime) -> tuple[list[Cdr], bool]:
    # By the times in the records: those of the rows are of the machine's clock, which may differ from the daemon's.
    found: list[Cdr] = []
    reaches_before = False
    for (body,) in connection.execute("SELECT body FROM outbox WHERE length(body) > 0 ORDER BY seq DESC"):
        with contextlib.suppress(StoreError):  # delivery tells of it
            cdr = decode_cdr(body)
            if cdr.ended_at < since:
                reaches_before = True
                break  # what was handed over before had ended before
            found.append(cdr)
    found.reverse()
    return found, reaches_before


def _newest_cdrs(connection: sqlite3.Connection, limit: int) -> list[Cdr]:
    query = "SELECT body FROM outbox WHERE length(body) > 0 ORDER BY seq DESC LIMIT ?"
    found = []
    for (body,) in connection.execute(query, (limit,)).fetchall():
        with contextlib.suppress(StoreError):  # whoever delivers it says so
            found.append(decode_cdr(body))
    return found[::-1]


def _take_up_again(connection: sqlite3.Connection) -> int:
    rules_journal.take_up_again(connection)
    audit_journal.take_up_again(connection)
    statement = "UPDATE outbox SET fault = NULL WHERE fault IS NOT NULL AND length(body) > 0"
    return connection.execute(statement).rowcount


def _do(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[int | float | str, ...]]) -> None:
    connection.executemany(statement, rows)


def prune_calls(connection: sqlite3.Connection, older_than: float) -> int:
    """Forget some of the calls whose record was delivered, and handed over before; how many."""
    query = "SELECT call_id FROM outbox WHERE delivered = 1 AND at < ? ORDER BY at LIMIT ?"
    calls = connection.execute(query, (older_than, _PRUNE_CALLS)).fetchall()
    connection.executemany("DELETE FROM fact WHERE call_id = ?", calls)
    connection.executemany("DELETE FROM outbox WHERE call_id = ?", calls)
    return len(calls)
