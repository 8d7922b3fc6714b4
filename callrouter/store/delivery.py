"""Delivery of CDRs from the journal to PostgreSQL: each exactly once, however often either side goes away.

A CDR is inserted, and only then marked as delivered. If we die in between it is inserted again, which PostgreSQL
ignores because the call's id is there already.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import asyncpg
import structlog

from callrouter.core.cdr import Cdr
from callrouter.errors import JournalError, UnreachableError
from callrouter.store.postgres import DATA_ERRORS, FOREIGN_ERRORS, connect, describe, insert_cdrs
from callrouter.store.schema import migrate

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)


class Outbox(Protocol):
    """Where the CDRs wait: :class:`callrouter.store.journal.Journal`."""

    @property
    def cdr_waiting(self) -> asyncio.Event:
        """Set when something has come."""

    async def undelivered(self, limit: int) -> list[tuple[int, Cdr]]:
        """The oldest that wait."""

    async def delivered(self, numbers: Iterable[int]) -> None:
        """Those are done."""

    async def set_aside(self, number: int, fault: str) -> None:
        """That one cannot be delivered."""

    async def backlog(self) -> int:
        """How many wait."""


class Errand(Protocol):
    """Something else that is to be brought to PostgreSQL over the same connection."""

    @property
    def name(self) -> str:
        """What is brought, in a word."""

    @property
    def refused(self) -> int:
        """How much of it PostgreSQL would not take since the start."""

    async def deliver(self, connection: "Connection") -> None:
        """Bring all that waits. What the data are to blame for is dealt with; any other error is for the caller."""


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """How long things may take, and how much is done at once."""

    batch: int = 500
    """CDRs in one transaction. After one that took too long it is half as many, and then gradually more again."""
    connect_s: float = 5.0
    statement_s: float = 10.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0
    poll_s: float = 5.0
    """The outbox is looked at this often, even if nobody says that something has come."""
    rest_s: float = 0.2
    """How long, after a delivery, the CDRs that come next wait for one another: a trip to the server, and the journal's
    part in it, costs as much for one as for twenty."""


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """How delivery is doing, for ``/readyz`` and metrics."""

    connected: bool
    backlog: int
    delivered: int
    set_aside: int
    last_error: str | None
    """Why it is not connected; None while it is."""
    since: datetime
    """When ``connected`` last changed, by the daemon's clock."""
    errands_refused: Mapping[str, int] = field(default_factory=dict)
    """What PostgreSQL would not take besides CDRs, by the errand's name."""


_TOO_SLOW: Final = (TimeoutError, asyncpg.QueryCanceledError)


class CdrWriter:
    """Delivers CDRs as a task: ``run()`` until cancelled. Migrates the schema whenever it connects.

    ``now`` is the daemon's clock, this machine's unless given. ``errands`` are done after the CDRs.
    """

    def __init__(
        self,
        outbox: Outbox,
        url: str,
        limits: DeliveryLimits | None = None,
        *,
        now: Callable[[], datetime] | None = None,
        errands: Sequence[Errand] = (),
    ) -> None:
        self._errands = tuple(errands)
        self._outbox = outbox
        self._url = url
        self._limits = limits or DeliveryLimits()
        self._now = now or partial(datetime.now, UTC)
        self._connected = False
        self._since = self._now()
        self._batch = self._limits.batch
        self._backlog = 0
        self._delivered = 0
        self._set_aside = 0
        self._last_error: str | None = None
        self._empty = asyncio.Event()
        self._asked = 0
        """How often somebody has wanted to know when nothing waits any more."""
        self.has_tried = asyncio.Event()
        """Set when the schema is up to date, or could not be brought up to date at the first attempt. Who reads tables
        waits for it: until then a new database has none, and that is no trouble to tell of."""

    @property
    def health(self) -> DatabaseHealth:
        """How delivery is doing now."""
        return DatabaseHealth(
            connected=self._connected,
            backlog=self._backlog,
            delivered=self._delivered,
            set_aside=self._set_aside,
            last_error=self._last_error,
            since=self._since,
            errands_refused={errand.name: errand.refused for errand in self._errands},
        )

    async def run(self) -> NoReturn:
        """Deliver until cancelled, through every failure of the server and of the journal's disk."""
        pause_s = self._limits.first_pause_s
        while True:
            started = time.monotonic()
            try:
                await self._serve_one_connection()
            except (UnreachableError, JournalError, *FOREIGN_ERRORS) as exc:
                if isinstance(exc, _TOO_SLOW):
                    self._batch = max(1, self._batch // 2)  # else a slow server would be given the same again for ever
                await self._note_failure(describe(exc))
            if time.monotonic() - started > self._limits.longest_pause_s:
                pause_s = self._limits.first_pause_s  # that connection was a good one
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads daemons out, no secret
            pause_s = min(pause_s * 2, self._limits.longest_pause_s)

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing waits any more; False if that takes longer. ``run`` must be running."""
        self._empty.clear()
        self._asked += 1
        self._outbox.cdr_waiting.set()
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def _serve_one_connection(self) -> NoReturn:
        limits = self._limits
        connection = await connect(self._url, timeout_s=limits.connect_s, statement_timeout_s=limits.statement_s)
        try:
            await migrate(connection)
            self.has_tried.set()
            while True:
                self._outbox.cdr_waiting.clear()
                delivered, asked = self._delivered, self._asked
                while await self._deliver_batch(connection):
                    pass
                for errand in self._errands:
                    await errand.deliver(connection)
                if not self._backlog and asked == self._asked:  # this look began after the last who asked
                    self._empty.set()
                if self._delivered > delivered:
                    await asyncio.sleep(limits.rest_s)
                await self._wait_for_more(connection)
        finally:
            self._empty.clear()
            connection.terminate()  # closing politely could wait on a server that does not answer

    async def _deliver_batch(self, connection: "Connection") -> bool:
        """Deliver the oldest; whether to go on at once. An empty batch asks the server whether it takes writes.

        Those that came meanwhile are left for the next time: else a busy hour would never let us rest.
        """
        most = self._batch
        batch = await self._outbox.undelivered(most)
        if not batch:
            await self._probe(connection)
        else:
            await self._deliver(connection, batch)
            self._batch = min(self._limits.batch, most + max(1, most // 4))
        self._backlog = await self._outbox.backlog()
        self._note_success()
        is_full = len(batch) == most
        return self._backlog > 0 and (is_full or not self._outbox.cdr_waiting.is_set())

    async def _probe(self, connection: "Connection") -> None:
        if await connection.fetchval("SELECT current_setting('transaction_read_only')::boolean"):
            raise asyncpg.ReadOnlySQLTransactionError("the database is read-only")

    async def _deliver(self, connection: "Connection", batch: Sequence[tuple[int, Cdr]]) -> None:
        """Insert and mark; where the data are at fault, halve until the one is found, and set that aside."""
        try:
            await insert_cdrs(connection, [cdr for _, cdr in batch])
        except DATA_ERRORS as exc:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._deliver(connection, batch[:middle])
                await self._deliver(connection, batch[middle:])
                return
            ((number, cdr),) = batch
            # The whole message may quote the caller's number: it is kept with the CDR, not logged.
            log.error("database.cdr_refused", call=cdr.call_id, error=type(exc).__name__)  # noqa: TRY400
            await self._outbox.set_aside(number, describe(exc))
            self._set_aside += 1
        else:
            await self._outbox.delivered([number for number, _ in batch])
            self._delivered += len(batch)

    async def _wait_for_more(self, connection: "Connection") -> None:
        """Until a CDR comes, the server closes the connection, or ``poll_s`` have passed."""
        try:
            async with asyncio.timeout(self._limits.poll_s):
                await self._outbox.cdr_waiting.wait()
        except TimeoutError:
            pass

    async def _note_failure(self, error: str) -> None:
        self.has_tried.set()
        if self._connected or self._last_error is None:
            log.warning("database.unavailable", error=error, backlog=self._backlog)
        elif error != self._last_error:
            log.debug("database.still_unavailable", error=error)
        if self._connected:
            self._since = self._now()
        self._connected = False
        self._last_error = error
        try:
            self._backlog = await self._outbox.backlog()
        except JournalError as exc:
            log.debug("database.backlog_unknown", error=str(exc))

    def _note_success(self) -> None:
        if not self._connected:
            log.info("database.available", backlog=self._backlog)
            self._connected = True
            self._last_error = None
            self._since = self._now()
