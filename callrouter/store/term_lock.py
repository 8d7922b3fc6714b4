"""PostgreSQL's word on who leads, for daemons on several machines, each with a journal of its own.

Two things say it together: the advisory lock of :mod:`callrouter.store.leader_lock`, which a daemon loses that is cut
off or hangs, and a row with the number of the term and who holds it, counted up under that lock. The lock says who may
begin; the row tells one that slept, or was away, that another has begun.
"""

import asyncio
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import asyncpg
import structlog

from callrouter.core.leading import Sign
from callrouter.errors import JournalFencedError
from callrouter.store.leader_lock import CLASS, lock_key
from callrouter.store.leased_session import ANSWER_S, TROUBLE, LeasedSession
from callrouter.store.postgres import connected
from callrouter.store.queries import query
from callrouter.store.schema import migrate
from callrouter.store.term_journal import Mark

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

_NO_TABLE = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)


class TermLock:
    """Lock and term of the daemons that serve ``names`` (their Asterisks' applications), on the server at ``url``.

    A session that says nothing for ``lease_s`` seconds is ended by the server. A server that was away, and is back, is
    asked for the lock after ``patience_s`` seconds: who leads comes first. ``on_sign`` is told what becomes of lock and
    term while :meth:`keep` runs, once every ``beat_s`` seconds.
    """

    def __init__(
        self,
        url: str,
        names: Iterable[str],
        *,
        lease_s: float,
        beat_s: float,
        patience_s: float,
        on_sign: Callable[[Sign], None] = lambda _: None,
    ) -> None:
        remedy = "who leads goes on leading, nobody begins; see to PostgreSQL"
        self._session = LeasedSession(url, lease_s, event="term_lock.unknown", remedy=remedy)
        names = sorted(names)
        self._service = ", ".join(names)
        self._key = lock_key(names)
        self._holder = uuid.uuid4()
        self._lease_s = lease_s
        self._beat_s = beat_s
        self._patience_s = patience_s
        self._on_sign = on_sign
        self.term: int | None = None
        """Ours while we lead; set by :meth:`begin`, or by who leads without PostgreSQL's word."""
        self.proofs = 0
        """How often we have proven that the term is ours."""
        self._has_lock = False
        self._sure_s = float("-inf")
        self._away_since_s: float | None = None
        self._back_s: float | None = None
        self._busy = asyncio.Lock()

    @property
    def is_sure(self) -> bool:
        """Whether PostgreSQL has said within the lease that this daemon leads."""
        return time.monotonic() - self._sure_s < self._lease_s

    async def begin(self, heard: Mark | None, known: int) -> Sign:
        """Ask for the lock, and begin a term under it. Never raises.

        Ours: ``term`` is begun. Another's: so it is, or the leader has proven itself since it said what was ``heard``.
        No arbiter: the server does not answer, or has just come back. ``known`` is the newest term that is known here.
        """
        was_open = self._session.is_open
        try:
            async with self._busy, asyncio.timeout(2 * ANSWER_S):
                return await self._try_to_begin(heard, known)
        except _NO_TABLE:
            return await self._migrate()
        except TROUBLE as error:
            if was_open:  # the server ends one that says nothing: that is no sign of being away
                self._drop()
                return await self.begin(heard, known)
            self._lose(error)
            return Sign.NO_ARBITER

    async def _try_to_begin(self, heard: Mark | None, known: int) -> Sign:
        connection = await self._open()
        if self._is_just_back():
            return Sign.NO_ARBITER
        if not await self._lock(connection):
            return Sign.LOCK_ELSEWHERE
        asked_s = time.monotonic()
        values = (self._service, known, self._holder, socket.gethostname(), *(heard or (None, None)))
        term = await connection.fetchval(query("begin_term"), *values)
        if term is None:
            log.info("term_lock.proven_meanwhile", heard=heard)
            self._drop()  # and the lock with it
            return Sign.LOCK_ELSEWHERE
        self.term, self.proofs, self._sure_s = int(term), 0, asked_s
        return Sign.LOCK_OURS

    async def _migrate(self) -> Sign:
        """Have the table, which may take longer than anything else here."""
        self._drop()
        try:
            async with connected(self._session.url) as connection:
                await migrate(connection)
        except TROUBLE as error:
            self._lose(error)
        return Sign.NO_ARBITER  # for now

    async def keep(self) -> None:
        """See again and again that the lock and the term are ours, and claim a lock that was lost; until cancelled.

        That the lock is lost costs nobody the lead; that another has begun a term does.
        """
        while True:
            await asyncio.sleep(self._beat_s)
            self._on_sign(await self._look())

    async def prove(self, within_s: float) -> bool:
        """Whether the term is ours still; False where PostgreSQL does not tell within ``within_s`` seconds.

        Whoever had taken us for one that hangs, and has not begun a term by now, does not begin it.

        Raises:
            JournalFencedError: it is not: another daemon has begun a newer one.
        """
        try:
            async with asyncio.timeout(within_s), self._busy:
                connection = await self._open()
                asked_s = time.monotonic()
                proofs = await connection.fetchval(query("prove_term"), self._service, self.term, self._holder)
                if proofs is None:
                    row = await connection.fetchrow(query("term_now"), self._service)
                    if row is None or row["term"] < (self.term or 0):
                        return False  # what we began without PostgreSQL is not known there yet
                    raise JournalFencedError(f"term {self.term} is over, {row['term']} has begun on another machine")
        except TROUBLE as error:
            self._lose(error)
            return False
        self.proofs, self._sure_s = int(proofs), asked_s
        return True

    async def release(self) -> None:
        """Let another have the lock; the term stays as it is until another begins."""
        async with self._busy:
            self._has_lock, self._sure_s = False, float("-inf")
            await self._session.release()

    async def _look(self) -> Sign:
        try:
            async with self._busy, asyncio.timeout(2 * ANSWER_S):
                connection = await self._open()
                asked_s = time.monotonic()
                has_lock = await self._lock(connection)
                row = await connection.fetchrow(query("term_now"), self._service)
                if row is not None and row["term"] >= (self.term or 0):
                    if (row["term"], row["holder"]) != (self.term, self._holder):
                        return Sign.FENCED
                elif has_lock:
                    values = (self._service, self.term, self._holder, socket.gethostname())
                    await connection.execute(query("register_term"), *values)
        except TROUBLE as error:
            self._lose(error)
            return Sign.LOCK_UNKNOWN
        if not has_lock:
            return Sign.LOCK_ELSEWHERE
        self._sure_s = asked_s
        return Sign.LOCK_OURS

    async def _lock(self, connection: "Connection") -> bool:
        if not self._has_lock:
            self._has_lock = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", CLASS, self._key)
        return self._has_lock

    def _is_just_back(self) -> bool:
        if self._away_since_s is None:
            return False
        now_s = time.monotonic()
        self._back_s = self._back_s or now_s
        if now_s - self._back_s < self._patience_s:
            return True
        self._away_since_s = self._back_s = None
        return False

    async def _open(self) -> "Connection":
        if not self._session.is_open:
            self._has_lock = False
        connection = await self._session.connection()
        self._session.is_well()
        return connection

    def _lose(self, error: Exception) -> None:
        self._session.lose(error)
        self._has_lock = False
        self._away_since_s, self._back_s = time.monotonic(), None

    def _drop(self) -> None:
        self._session.drop()
        self._has_lock = False
