"""CDRs in PostgreSQL: connecting, writing and finding them. Parameters only; no value is ever part of the SQL."""

import re
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from callrouter.core.cdr import (
    CallMark,
    Cdr,
    CdrCallback,
    CdrHearing,
    CdrLeg,
    CdrMessage,
    CdrReturn,
    CdrVisit,
    Disposition,
    OfferResult,
    Outcome,
    ReleasedBy,
    ReturnResult,
    VisitEnd,
)
from callrouter.core.ids import (
    AgentId,
    BoxName,
    CallId,
    ChannelId,
    DestinationName,
    PromptName,
    QueueName,
    RecordingId,
    RegionName,
    RuleId,
    SiteName,
    SwitchName,
    TenantName,
    TrunkName,
)
from callrouter.core.numbers import parse
from callrouter.core.tapes import CdrMute, CdrNotice, CdrTape, TapeResult
from callrouter.errors import DatabaseError, UnreachableError
from callrouter.store.queries import query

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

CALLED_BACK_BY = "callrouter"
"""Who has closed a request to be called back, where no counselor was there."""

FOREIGN_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Everything that asyncpg lets through when the server, the network or the data are not as they should be."""

CANNOT_CONNECT = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
"""Of them, those that mean that the server is not there for us."""

DATA_ERRORS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,
    OverflowError,
    ArithmeticError,
)
"""The record is to blame, not the server: trying again gives the same answer."""

_HEX = re.compile(r"[0-9a-f]{1,32}")
_hearings = msgspec.json.Decoder(tuple[CdrHearing, ...])
_notices = msgspec.json.Decoder(tuple[CdrNotice, ...])
mutes = msgspec.json.Decoder(tuple[CdrMute, ...])
_MILLISECOND = Decimal("0.001")


async def connect(url: str, *, timeout_s: float = 5.0, statement_timeout_s: float = 10.0) -> "Connection":
    """A connection whose statements end after ``statement_timeout_s``, on the server and here.

    Raises:
        UnreachableError: no server there, wrong credentials, no such database, or no connection left; the URL's
            password is not repeated.
    """
    try:
        # The server's limit comes first, so that it and not we abandons the statement.
        return await asyncpg.connect(
            url,
            timeout=timeout_s,
            command_timeout=statement_timeout_s + 2.0,
            server_settings={
                "application_name": "callrouter",
                "statement_timeout": str(int(statement_timeout_s * 1000)),
                "lock_timeout": str(int(statement_timeout_s * 1000)),
                "idle_in_transaction_session_timeout": str(int(statement_timeout_s * 1000)),
            },
        )
    except (*FOREIGN_ERRORS, ValueError) as exc:
        message = f"PostgreSQL cannot be reached: {describe(exc)}; check the database URL and that the server runs"
        raise UnreachableError(message) from exc


@asynccontextmanager
async def connected(url: str) -> "AsyncIterator[Connection]":
    """A connection for the block.

    Raises:
        UnreachableError: see :func:`connect`.
    """
    connection = await connect(url)
    try:
        yield connection
    finally:
        connection.terminate()  # closing politely could wait on a server that does not answer


def describe(exc: BaseException) -> str:
    """A foreign error in one line; some have no text of their own."""
    if isinstance(exc, asyncpg.InterfaceError) and isinstance(exc.__context__, FOREIGN_ERRORS):
        return describe(exc.__context__)  # it only says that there could be no ROLLBACK any more
    # Without DETAIL: it may quote the row, and with it the caller's number.
    text = str(exc.args[0]) if isinstance(exc, asyncpg.PostgresError) and exc.args else str(exc)
    return " ".join(text.split()) or type(exc).__name__


async def insert_cdrs(connection: "Connection", cdrs: Sequence[Cdr]) -> None:
    """Insert CDRs with all that belongs to them in one transaction. Those that are there already stay as they are.

    Raises:
        asyncpg.PostgresError: nothing was inserted.
    """
    legs = [leg_row(cdr, leg) for cdr in cdrs for leg in cdr.legs]
    visits = [visit_row(cdr, place, visit) for cdr in cdrs for place, visit in enumerate(cdr.visits, start=1)]
    messages = [message_row(cdr, message) for cdr in cdrs for message in cdr.messages]
    tapes = [tape_row(cdr, tape) for cdr in cdrs for tape in cdr.tapes]
    async with connection.transaction():
        cdrs = await _insert_callbacks(connection, cdrs)
        await connection.executemany(query("insert_cdr"), [cdr_row(cdr) for cdr in cdrs])
        if legs:
            await connection.executemany(query("insert_leg"), legs)
        if visits:
            await connection.executemany(query("insert_visit"), visits)
        if messages:
            await connection.executemany(query("insert_message"), messages)
        if tapes:
            await connection.executemany(query("insert_recording"), tapes)
        for cdr in cdrs:
            if cdr.returns is not None:
                await connection.execute(query("finish_called_back"), *return_row(cdr, cdr.returns))


async def _insert_callbacks(connection: "Connection", cdrs: Sequence[Cdr]) -> Sequence[Cdr]:
    """Insert the requests to be called back; the CDRs of callers who wait for that already come back saying so.

    A call that has its CDR has had its request, which may be gone by now: so this comes before the CDRs.
    """
    if all(cdr.callback is None for cdr in cdrs):
        return cdrs
    asking = [uuid.UUID(cdr.call_id) for cdr in cdrs if cdr.callback is not None]
    known = {str(row["call_id"]) for row in await connection.fetch(query("known_calls"), asking)}
    told = []
    for cdr in cdrs:
        if cdr.callback is not None and cdr.call_id not in known:
            number = await connection.fetchval(query("insert_callback"), *callback_row(cdr, cdr.callback))
            if number is None:
                why = f"call back: {cdr.callback.queue} has an earlier request of this number, which is open still"
                cdr = replace(cdr, explanation=f"{cdr.explanation}\n{why}")
        told.append(cdr)
    return told


def cdr_row(cdr: Cdr) -> tuple[Any, ...]:
    """The parameters of ``insert_cdr``."""
    return (
        uuid.UUID(cdr.call_id),
        storable(cdr.site),
        cdr.started_at,
        cdr.queued_at,
        cdr.answered_at,
        cdr.ended_at,
        storable(cdr.caller),
        storable(cdr.dialed),
        storable(cdr.region),
        storable(cdr.region_source),
        storable(cdr.tenant),
        storable(cdr.topic),
        storable(cdr.rule),
        storable(cdr.config_hash),
        storable(cdr.queue),
        storable(cdr.agent),
        storable(cdr.trunk),
        cdr.outcome.value,
        cdr.disposition.value,
        int(cdr.hangup_cause),
        cdr.released_by.value,
        _seconds(cdr.wait_s),
        _seconds(cdr.ring_s),
        _seconds(cdr.talk_s),
        _seconds(cdr.hold_s),
        storable(cdr.explanation),
        storable(cdr.destination),
        [storable(name) for name in cdr.switches],
        cdr.mark.value if cdr.mark is not None else None,
        msgspec.json.encode(cdr.hearings).decode(),
        msgspec.json.encode(cdr.notices).decode(),
        uuid.UUID(cdr.returns.request) if cdr.returns is not None else None,
        cdr.returns.result.value if cdr.returns is not None else None,
        cdr.returns.tries if cdr.returns is not None else None,
        storable(cdr.in_trunk),
        storable(cdr.in_endpoint),
    )


def leg_row(cdr: Cdr, leg: CdrLeg) -> tuple[Any, ...]:
    """The parameters of ``insert_leg``."""
    return (
        uuid.UUID(cdr.call_id),
        leg.attempt,
        storable(leg.channel),
        storable(leg.agent),
        storable(leg.trunk),
        leg.offered_at,
        leg.rang_at,
        leg.answered_at,
        leg.ended_at,
        leg.result.value,
        int(leg.cause),
        storable(leg.destination),
        storable(leg.far_site),
        storable(leg.far_channel),
    )


def visit_row(cdr: Cdr, place: int, visit: CdrVisit) -> tuple[Any, ...]:
    """The parameters of ``insert_visit``."""
    return (
        uuid.UUID(cdr.call_id),
        place,
        storable(visit.queue),
        visit.queued_at,
        visit.left_at,
        visit.how.value,
    )


def message_row(cdr: Cdr, message: CdrMessage) -> tuple[Any, ...]:
    """The parameters of ``insert_message``."""
    return (
        message.recording,
        uuid.UUID(cdr.call_id),
        storable(cdr.site),
        message.box,
        storable(cdr.tenant),
        storable(cdr.caller),
        storable(cdr.region),
        storable(cdr.topic),
        message.left_at,
        _seconds(message.length_s),
    )


def tape_row(cdr: Cdr, tape: CdrTape) -> tuple[Any, ...]:
    """The parameters of ``insert_recording``."""
    return (
        tape.recording,
        uuid.UUID(cdr.call_id),
        storable(cdr.site),
        tape.queue,
        tape.agent,
        storable(cdr.tenant),
        storable(cdr.caller),
        storable(cdr.region),
        tape.notice,
        tape.begun_at,
        tape.ended_at,
        tape.begun_at + timedelta(seconds=tape.retention_s),
        tape.result.value,
        storable(tape.why),
        msgspec.json.encode(tape.muted).decode(),
    )


def callback_row(cdr: Cdr, callback: CdrCallback) -> tuple[Any, ...]:
    """The parameters of ``insert_callback``."""
    return (
        uuid.UUID(cdr.call_id),
        storable(cdr.site),
        callback.queue,
        storable(cdr.tenant),
        callback.number,
        storable(cdr.region),
        storable(cdr.topic),
        callback.asked_at,
        callback.place,
    )


def return_row(cdr: Cdr, returns: CdrReturn) -> tuple[Any, ...]:
    """The parameters of ``finish_called_back``."""
    prefix = "released: "
    why = [line.removeprefix(prefix) for line in cdr.explanation.splitlines() if line.startswith(prefix)]
    return (
        uuid.UUID(returns.request),
        cdr.started_at,
        cdr.ended_at,
        returns.tries,
        storable(cdr.agent) or CALLED_BACK_BY,
        returns.result.value,
        why[-1] if why and why[-1] != returns.result else "",
        storable(cdr.queue),
        parse(cdr.caller).e164,
    )


def storable(value: str | None) -> str | None:
    """The text as PostgreSQL can keep it."""
    # PostgreSQL's text cannot hold NUL; a SIP header of a stranger can.
    return value.replace("\0", "\ufffd") if value is not None else None


def _seconds(value: float) -> Decimal:
    return Decimal(value).quantize(_MILLISECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrSearch:
    """Which CDRs are wanted; what is None does not matter. ``since`` is inclusive, ``until`` exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    caller: str | None = None
    region: RegionName | None = None
    tenant: TenantName | None = None
    queue: QueueName | None = None
    agent: AgentId | None = None
    outcome: Outcome | None = None
    rule: RuleId | None = None
    switch: SwitchName | None = None
    limit: int = 50


class CdrArchive:
    """Reads CDRs over one connection."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def find(self, search: CdrSearch) -> list[Cdr]:
        """The newest calls that fit, newest first, with their legs.

        Raises:
            DatabaseError: PostgreSQL said no.
        """
        with_values = (
            search.since,
            search.until,
            search.caller,
            search.region,
            search.tenant,
            search.queue,
            search.agent,
            search.outcome.value if search.outcome else None,
            search.rule,
            search.switch,
            search.limit,
        )
        return await self._read("find_cdrs", *with_values)

    async def get(self, call_id: str) -> Cdr | None:
        """The call of that id, or of an id that begins so; None if there is none (or the text is no part of a UUID).

        Raises:
            DatabaseError: PostgreSQL said no, or several calls' ids begin so.
        """
        digits = call_id.strip().lower().replace("-", "")
        if not _HEX.fullmatch(digits):
            return None
        found = await self._read("get_cdrs", uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f")))
        if len(found) > 1:
            raise DatabaseError(f"several calls have ids that begin with {call_id}; give more of it")
        return found[0] if found else None

    async def _read(self, name: str, *values: Any) -> list[Cdr]:
        async with reading("CDRs"):
            rows = await self._connection.fetch(query(name), *values)
            calls = [row["call_id"] for row in rows]
            legs = await self._connection.fetch(query("get_legs"), calls)
            visits = await self._connection.fetch(query("get_visits"), calls)
            messages = await self._connection.fetch(query("get_messages_of_calls"), calls)
            callbacks = await self._connection.fetch(query("get_callbacks_of_calls"), calls)
            tapes = await self._connection.fetch(query("get_recordings_of_calls"), calls)
        return _with_tapes(_cdrs(rows, legs, visits, messages, callbacks), tapes)


@asynccontextmanager
async def reading(what: str) -> AsyncIterator[None]:
    """Translates what goes wrong while ``what`` is read in the block.

    Raises:
        UnreachableError: PostgreSQL went away.
        DatabaseError: it said no.
    """
    missing = "the database has no callrouter tables yet; `callrouter run` makes them"
    async with translated(missing=missing, refused=f"PostgreSQL refused to read {what}"):
        yield


@asynccontextmanager
async def translated(*, missing: str, refused: str) -> AsyncIterator[None]:
    """Translates what goes wrong in the block; ``missing`` and ``refused`` say it where a table is not there, or else.

    Raises:
        UnreachableError: PostgreSQL went away.
        DatabaseError: it said no.
    """
    try:
        yield
    except asyncpg.UndefinedTableError as exc:
        raise DatabaseError(missing) from exc
    except CANNOT_CONNECT as exc:
        raise UnreachableError(f"PostgreSQL went away: {describe(exc)}") from exc
    except FOREIGN_ERRORS as exc:
        raise DatabaseError(f"{refused}: {describe(exc)}") from exc


@asynccontextmanager
async def open_archive(url: str) -> AsyncIterator[CdrArchive]:
    """An archive over a connection of its own.

    Raises:
        UnreachableError: the database cannot be reached.
    """
    connection = await connect(url, statement_timeout_s=60.0)
    try:
        yield CdrArchive(connection)
    finally:
        await connection.close(timeout=5.0)


def _cdrs(
    rows: Iterable[asyncpg.Record],
    leg_rows: Iterable[asyncpg.Record],
    visit_rows: Iterable[asyncpg.Record],
    message_rows: Iterable[asyncpg.Record],
    callback_rows: Iterable[asyncpg.Record],
) -> list[Cdr]:
    legs: defaultdict[uuid.UUID, list[CdrLeg]] = defaultdict(list)
    for row in leg_rows:
        legs[row["call_id"]].append(_leg_of(row))
    visits: defaultdict[uuid.UUID, list[CdrVisit]] = defaultdict(list)
    for row in visit_rows:
        visit = CdrVisit(QueueName(row["queue"]), row["queued_at"], row["left_at"], VisitEnd(row["how"]))
        visits[row["call_id"]].append(visit)
    messages: defaultdict[uuid.UUID, list[CdrMessage]] = defaultdict(list)
    for row in message_rows:
        message = CdrMessage(
            RecordingId(row["recording"]), BoxName(row["box"]), row["left_at"], float(row["duration_s"])
        )
        messages[row["call_id"]].append(message)
    callbacks = {
        row["call_id"]: CdrCallback(QueueName(row["queue"]), row["number"], row["asked_at"], row["place"])
        for row in callback_rows
    }
    return [
        replace(_cdr_of(row, tuple(legs[call]), tuple(messages[call]), callbacks.get(call)), visits=tuple(visits[call]))
        for row in rows
        for call in (row["call_id"],)
    ]


def _with_tapes(cdrs: list[Cdr], rows: Iterable[asyncpg.Record]) -> list[Cdr]:
    tapes: defaultdict[str, list[CdrTape]] = defaultdict(list)
    for row in rows:
        tapes[str(row["call_id"])].append(_tape_of(row))
    return [replace(cdr, tapes=tuple(tapes[cdr.call_id])) for cdr in cdrs]


def _tape_of(row: asyncpg.Record) -> CdrTape:
    return CdrTape(
        recording=RecordingId(row["recording"]),
        queue=QueueName(row["queue"]),
        agent=AgentId(row["agent"]),
        notice=PromptName(row["notice"]),
        begun_at=row["begun_at"],
        ended_at=row["ended_at"],
        result=TapeResult(row["result"]),
        why=row["why"],
        retention_s=(row["keep_until"] - row["begun_at"]).total_seconds(),
        muted=mutes.decode(row["muted"]),
    )


def _leg_of(row: asyncpg.Record) -> CdrLeg:
    return CdrLeg(
        attempt=row["attempt"],
        channel=ChannelId(row["channel"]),
        agent=AgentId(row["agent"]) if row["agent"] is not None else None,
        trunk=TrunkName(row["trunk"]) if row["trunk"] is not None else None,
        offered_at=row["offered_at"],
        rang_at=row["rang_at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        result=OfferResult(row["result"]),
        cause=row["cause"],
        destination=DestinationName(row["destination"]) if row["destination"] is not None else None,
        far_site=SiteName(row["far_site"]) if row["far_site"] is not None else None,
        far_channel=ChannelId(row["far_channel"]) if row["far_channel"] is not None else None,
    )


def _cdr_of(
    row: asyncpg.Record, legs: tuple[CdrLeg, ...], messages: tuple[CdrMessage, ...], callback: CdrCallback | None
) -> Cdr:
    return Cdr(
        call_id=CallId(str(row["call_id"])),
        site=SiteName(row["site"]),
        started_at=row["started_at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        caller=row["caller"],
        dialed=row["dialed"],
        region=row["region"],
        region_source=row["region_source"],
        tenant=TenantName(row["tenant"]),
        topic=row["topic"],
        rule=RuleId(row["rule"]),
        config_hash=row["config_hash"],
        queue=QueueName(row["queue"]) if row["queue"] is not None else None,
        agent=AgentId(row["agent"]) if row["agent"] is not None else None,
        trunk=TrunkName(row["trunk"]) if row["trunk"] is not None else None,
        outcome=Outcome(row["outcome"]),
        disposition=Disposition(row["disposition"]),
        hangup_cause=row["hangup_cause"],
        released_by=ReleasedBy(row["released_by"]),
        wait_s=float(row["wait_s"]),
        ring_s=float(row["ring_s"]),
        talk_s=float(row["talk_s"]),
        hold_s=float(row["hold_s"]),
        explanation=row["explanation"],
        queued_at=row["queued_at"],
        legs=legs,
        messages=messages,
        callback=callback,
        destination=DestinationName(row["destination"]) if row["destination"] is not None else None,
        switches=tuple(map(SwitchName, row["switches"])),
        mark=CallMark(row["mark"]) if row["mark"] is not None else None,
        hearings=_hearings.decode(row["hearings"]),
        notices=_notices.decode(row["notices"]),
        wrap_up=row["wrap_up"],
        returns=_return_of(row),
        in_trunk=TrunkName(row["in_trunk"]) if row["in_trunk"] is not None else None,
        in_endpoint=row["in_endpoint"] or "",
    )


def _return_of(row: asyncpg.Record) -> CdrReturn | None:
    if row["return_of"] is None:
        return None
    return CdrReturn(CallId(str(row["return_of"])), ReturnResult(row["return_result"]), row["return_tries"] or 0)
