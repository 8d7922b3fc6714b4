import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.cdr import Cdr, CdrHearing, CdrVisit, OfferResult, Outcome, ReleasedBy, VisitEnd
from callrouter.core.duty import Duty
from callrouter.core.ids import (
    AgentId,
    CallId,
    DestinationName,
    QueueName,
    RegionName,
    RuleId,
    SupervisorName,
    TenantName,
)
from callrouter.core.supervisors import HearingMode
from callrouter.errors import DatabaseError, UnreachableError
from callrouter.store.audit import insert_audit
from callrouter.store.audit_journal import AuditRecord
from callrouter.store.postgres import CdrArchive, CdrSearch, connect, insert_cdrs, open_archive
from callrouter.store.queries import named
from callrouter.store.schema import migrate, migrations
from tests.fakes import cdrs

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

WAITS_RECORDED = 9
"""The migration since which every queue that a caller waits in is recorded."""


async def test_two_daemons_migrate_an_empty_database_at_once(empty_database: str) -> None:
    connections = [await connect(empty_database) for _ in range(4)]
    try:
        applied = await asyncio.gather(*(migrate(connection) for connection in connections))
        assert sorted(map(len, applied)) == [0, 0, 0, len(migrations())]
        assert await migrate(connections[0]) == ()
        rows = await connections[0].fetch("SELECT version FROM callrouter.migration ORDER BY version")
        assert [row["version"] for row in rows] == [step.version for step in migrations()]
    finally:
        for connection in connections:
            await connection.close()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [step.version for step in migrations()] == list(range(1, len(migrations()) + 1))


async def test_every_named_query_is_good_sql(connection: "Connection") -> None:
    assert len(named()) >= 9
    for text in named().values():
        await connection.prepare(text)


async def test_a_cdr_and_its_legs_read_back_as_the_very_same(connection: "Connection") -> None:
    calls = [cdrs.handled(), cdrs.abandoned(), cdrs.overflowed()]
    await insert_cdrs(connection, calls)
    for cdr in calls:
        assert await CdrArchive(connection).get(cdr.call_id) == cdr


async def test_who_heard_a_call_reads_back_as_the_very_same(connection: "Connection") -> None:
    began, ended = cdrs.EVENING, cdrs.EVENING + timedelta(milliseconds=1)
    modes = (HearingMode.LISTEN, HearingMode.BARGE)
    hearings = (CdrHearing(SupervisorName("kim"), AgentId("201"), began, ended, modes),)
    heard = cdrs.handled(hearings=hearings * 2)
    await insert_cdrs(connection, [heard])
    assert await CdrArchive(connection).get(heard.call_id) == heard


async def test_the_first_cdr_of_a_call_stays(connection: "Connection") -> None:
    first = cdrs.handled()
    await insert_cdrs(connection, [first])
    await insert_cdrs(connection, [cdrs.abandoned(call_id=first.call_id), first])
    assert await CdrArchive(connection).get(first.call_id) == first
    assert await connection.fetchval("SELECT count(*) FROM callrouter.cdr_leg") == len(first.legs)


async def test_wait_ring_and_talk_are_exactly_the_whole_call(connection: "Connection") -> None:
    awkward = cdrs.handled(
        ended_at=cdrs.EVENING + timedelta(seconds=0.1 + 0.2 + 0.7, milliseconds=3), wait_s=0.1, ring_s=0.2, talk_s=0.703
    )
    await insert_cdrs(connection, [cdrs.handled(), cdrs.abandoned(), cdrs.overflowed(), awkward])
    query = (
        "SELECT call_id FROM callrouter.cdr WHERE wait_s + ring_s + talk_s <> extract(epoch FROM ended_at - started_at)"
    )
    assert await connection.fetch(query) == []


async def test_a_nul_in_a_callers_number_does_not_lose_the_call(connection: "Connection") -> None:
    cdr = cdrs.handled(caller="055\0x")
    await insert_cdrs(connection, [cdr])
    found = await CdrArchive(connection).get(cdr.call_id)
    assert found is not None
    assert found.caller == "055\ufffdx"


async def test_asterisk_cdr_shows_a_handled_call_as_asterisk_would(connection: "Connection") -> None:
    cdr = cdrs.handled()
    await insert_cdrs(connection, [cdr])
    row = await connection.fetchrow("SELECT * FROM callrouter.asterisk_cdr")
    assert row is not None
    number = await connection.fetchval("SELECT number FROM callrouter.cdr")
    assert dict(row) == {
        "calldate": cdr.started_at,
        "clid": "0552251234",
        "src": "0552251234",
        "dst": "120",
        "dcontext": "callrouter",
        "channel": f"hall/{cdr.call_id}",
        "dstchannel": "leg-2",
        "lastapp": "Stasis",
        "lastdata": "callrouter",
        "duration": 100,
        "billsec": 65,
        "disposition": "ANSWERED",
        "amaflags": 3,
        "accountcode": "changwon",
        "uniqueid": cdr.call_id,
        "userfield": "handled",
        "peeraccount": "",
        "linkedid": cdr.call_id,
        "sequence": number,
        "start": cdr.started_at,
        "answer": cdr.answered_at,
        "end": cdr.ended_at,
        "did": "120",
        "cnum": "0552251234",
        "cnam": "",
        "outbound_cnum": "",
        "outbound_cnam": "",
        "dst_cnam": "agent2",
        "recordingfile": "",
    }


async def test_asterisk_cdr_shows_unanswered_calls_without_billed_seconds(connection: "Connection") -> None:
    await insert_cdrs(connection, [cdrs.abandoned(), cdrs.overflowed()])
    rows = await connection.fetch("SELECT * FROM callrouter.asterisk_cdr ORDER BY duration")
    assert [(row["duration"], row["billsec"], row["disposition"], row["answer"]) for row in rows] == [
        (40, 0, "NO ANSWER", None),
        (69, 0, "NO ANSWER", None),
    ]
    assert [row["dstchannel"] for row in rows] == ["leg-1", ""]


async def _queue_log(connection: "Connection", cdr: Cdr) -> list[tuple[object, ...]]:
    await insert_cdrs(connection, [cdr])
    rows = await connection.fetch("SELECT * FROM callrouter.queue_log WHERE callid = $1 ORDER BY id", cdr.call_id)
    assert {row["queuename"] for row in rows} <= {cdr.queue}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    seconds = [(row["time"] - cdrs.EVENING).total_seconds() for row in rows]
    return [
        (at, row["event"], row["agent"], row["data1"], row["data2"], row["data3"])
        for at, row in zip(seconds, rows, strict=True)
    ]


async def test_queue_log_tells_a_handled_call_with_its_missed_offer(connection: "Connection") -> None:
    assert await _queue_log(connection, cdrs.handled()) == [
        (9.5, "ENTERQUEUE", "NONE", "", "0552251234", "0"),
        (28.25, "RINGNOANSWER", "agent1", "15250", "", ""),
        (34.625, "CONNECT", "agent2", "25", "leg-2", "4"),
        (100.002, "COMPLETECALLER", "agent2", "25", "65", "0"),
    ]


@pytest.mark.parametrize("by", [ReleasedBy.AGENT, ReleasedBy.SYSTEM])
async def test_queue_log_says_when_it_was_not_the_caller_who_hung_up(connection: "Connection", by: ReleasedBy) -> None:
    events = await _queue_log(connection, cdrs.handled(released_by=by))
    assert events[-1][1] == "COMPLETEAGENT"


async def test_queue_log_tells_an_abandoned_call(connection: "Connection") -> None:
    assert await _queue_log(connection, cdrs.abandoned()) == [
        (9.5, "ENTERQUEUE", "NONE", "", "0552251234", "0"),
        (28.25, "RINGNOANSWER", "agent1", "15250", "", ""),
        (40.75, "ABANDON", "NONE", "0", "0", "31"),
    ]


async def test_queue_log_tells_an_overflowed_call(connection: "Connection") -> None:
    assert await _queue_log(connection, cdrs.overflowed()) == [
        (9.5, "ENTERQUEUE", "NONE", "", "0552251234", "0"),
        (69.5, "EXITWITHTIMEOUT", "NONE", "0", "0", "60"),
    ]


@pytest.mark.parametrize("outcome", Outcome)
async def test_no_queued_call_stays_open_in_queue_log(connection: "Connection", outcome: Outcome) -> None:
    events = [event[1] for event in await _queue_log(connection, cdrs.abandoned(outcome=outcome))]
    assert events[0] == "ENTERQUEUE"
    assert events[-1] in {"ABANDON", "EXITWITHTIMEOUT"}


async def test_a_congested_trunk_is_no_miss_of_the_agent_in_queue_log(connection: "Connection") -> None:
    cdr = cdrs.abandoned(legs=(cdrs.leg(1, OfferResult.CONGESTION),))
    assert "RINGNOANSWER" not in [event[1] for event in await _queue_log(connection, cdr)]


def _at_the_duty_desk(**changes: object) -> Cdr:
    missed, answered = cdrs.handled().legs
    legs = (missed, replace(answered, agent=None, destination=DestinationName("duty-desk")))
    return cdrs.handled(agent=None, destination=DestinationName("duty-desk"), legs=legs, **changes)


async def test_a_call_to_a_destination_reads_back_as_the_very_same(connection: "Connection") -> None:
    cdr = _at_the_duty_desk()
    await insert_cdrs(connection, [cdr])
    assert await CdrArchive(connection).get(cdr.call_id) == cdr


async def test_a_destination_that_takes_a_call_from_a_queue_is_no_agent_in_queue_log(connection: "Connection") -> None:
    events = await _queue_log(connection, _at_the_duty_desk())
    assert [(event, agent) for _, event, agent, *_ in events] == [
        ("ENTERQUEUE", "NONE"),
        ("RINGNOANSWER", "agent1"),
        ("EXITWITHTIMEOUT", "NONE"),
    ]


async def test_a_destination_that_missed_a_call_is_not_in_queue_log(connection: "Connection") -> None:
    leg = cdrs.leg(1, OfferResult.NO_ANSWER, agent=None, destination=DestinationName("duty-desk"))
    assert "RINGNOANSWER" not in [event[1] for event in await _queue_log(connection, cdrs.overflowed(legs=(leg,)))]


async def test_of_phones_that_rang_together_only_those_missed_the_call_that_let_it_ring_out(
    connection: "Connection",
) -> None:
    rang = [
        cdrs.leg(1, OfferResult.ANSWERED_ELSEWHERE, agent=AgentId("agent3")),
        cdrs.leg(2, OfferResult.NO_ANSWER, agent=AgentId("agent4")),
    ]
    cdr = cdrs.handled(legs=(*rang, replace(cdrs.handled().legs[-1], attempt=3)))
    assert [(event, agent) for _, event, agent, *_ in await _queue_log(connection, cdr)] == [
        ("ENTERQUEUE", "NONE"),
        ("RINGNOANSWER", "agent4"),
        ("CONNECT", "agent2"),
        ("COMPLETECALLER", "agent2"),
    ]
    assert await CdrArchive(connection).get(cdr.call_id) == cdr


def _through_two_queues(**changes: object) -> Cdr:
    day, night = QueueName("day"), QueueName("night")
    at = cdrs.EVENING
    visits = (
        CdrVisit(day, at + timedelta(seconds=9.5), at + timedelta(seconds=29.5), VisitEnd.TIMEOUT),
        CdrVisit(night, at + timedelta(seconds=30), at + timedelta(seconds=34.625), VisitEnd.ANSWERED),
    )
    return cdrs.handled(**{"queue": day, "visits": visits, **changes})


async def test_the_queues_that_a_call_waited_in_read_back_as_the_very_same(connection: "Connection") -> None:
    cdr = _through_two_queues()
    await insert_cdrs(connection, [cdr])
    assert await CdrArchive(connection).get(cdr.call_id) == cdr


async def test_queue_log_tells_of_every_queue_that_a_call_waited_in(connection: "Connection") -> None:
    await insert_cdrs(connection, [_through_two_queues()])
    rows = await connection.fetch("SELECT * FROM callrouter.queue_log ORDER BY id")
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert [
        (row["queuename"], row["event"], row["agent"], row["data1"], row["data2"], row["data3"]) for row in rows
    ] == [
        ("day", "ENTERQUEUE", "NONE", "", "0552251234", "0"),
        ("day", "RINGNOANSWER", "agent1", "15250", "", ""),
        ("day", "EXITWITHTIMEOUT", "NONE", "0", "0", "20"),
        ("night", "ENTERQUEUE", "NONE", "", "0552251234", "0"),
        ("night", "CONNECT", "agent2", "4", "leg-2", "4"),
        ("night", "COMPLETECALLER", "agent2", "4", "65", "0"),
    ]


async def test_a_call_that_was_recorded_without_its_waits_waited_once(connection: "Connection") -> None:
    await insert_cdrs(connection, [cdrs.handled(), cdrs.abandoned(), cdrs.overflowed(), _through_two_queues()])
    rows = await connection.fetch("SELECT * FROM callrouter.queue_visit ORDER BY place, left_at, how")
    waits = [
        (row["place"], row["how"], (row["left_at"] - row["queued_at"]).total_seconds(), row["is_last"]) for row in rows
    ]
    assert waits == [
        (1, "timeout", 20.0, False),
        (1, "answered", 25.125, True),
        (1, "abandoned", 31.25, True),
        (1, "timeout", 60.0, True),
        (2, "answered", 4.625, True),
    ]


def _duty(minute: int, was: Duty, becomes: Duty, *queues: str, note: str = "") -> AuditRecord:
    at = cdrs.EVENING + timedelta(minutes=minute)
    entry = AuditEntry(at, "park", AuditKind.AGENT, "201", was, becomes, "command", at, None, note, queues)
    return AuditRecord(minute, cdrs.call_id(), entry)


async def test_queue_log_tells_who_came_to_work_paused_and_left_as_asterisk_does(connection: "Connection") -> None:
    await insert_audit(
        connection,
        [
            _duty(0, Duty.OFF, Duty.ON, "day", "night"),
            _duty(1, Duty.ON, Duty.PAUSED, "day", "night", note="점심"),
            _duty(2, Duty.PAUSED, Duty.ON, "day", "night"),
            _duty(3, Duty.ON, Duty.OFF, "day"),
            _duty(4, Duty.OFF, Duty.OFF, "day", note="병가"),
        ],
    )
    rows = await connection.fetch("SELECT * FROM callrouter.queue_log ORDER BY id")
    assert {row["agent"] for row in rows} == {"201"}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert [(row["callid"], row["queuename"], row["event"], row["data1"]) for row in rows] == [
        ("MANAGER", "day", "ADDMEMBER", ""),
        ("MANAGER", "night", "ADDMEMBER", ""),
        ("NONE", "NONE", "PAUSEALL", "점심"),
        ("NONE", "day", "PAUSE", "점심"),
        ("NONE", "night", "PAUSE", "점심"),
        ("NONE", "NONE", "UNPAUSEALL", ""),
        ("NONE", "day", "UNPAUSE", ""),
        ("NONE", "night", "UNPAUSE", ""),
        ("MANAGER", "day", "REMOVEMEMBER", ""),
    ]


async def test_whose_queues_were_not_recorded_came_to_none_and_switches_are_no_members(
    connection: "Connection",
) -> None:
    entry = AuditEntry(cdrs.EVENING, "kim", AuditKind.SWITCH, "typhoon", "off", "on", "command")
    await insert_audit(connection, [_duty(0, Duty.OFF, Duty.ON), AuditRecord(9, cdrs.call_id(), entry)])
    rows = await connection.fetch("SELECT * FROM callrouter.queue_log")
    assert [(row["queuename"], row["event"]) for row in rows] == [("NONE", "ADDMEMBER")]


async def test_ids_of_queue_log_grow_over_calls_and_changes_alike(connection: "Connection") -> None:
    await insert_cdrs(connection, [cdrs.handled()])
    await insert_audit(connection, [_duty(0, Duty.OFF, Duty.ON, "day")])
    await insert_cdrs(connection, [cdrs.abandoned()])
    rows = await connection.fetch("SELECT id, event FROM callrouter.queue_log ORDER BY id")
    assert len({row["id"] for row in rows}) == len(rows)
    assert [row["event"] for row in rows if row["event"] in ("CONNECT", "ADDMEMBER", "ABANDON")] == [
        "CONNECT",
        "ADDMEMBER",
        "ABANDON",
    ]


async def test_a_database_with_calls_and_changes_keeps_their_order_when_it_is_migrated(empty_database: str) -> None:
    """As one that was made before waits were recorded."""
    connection = await connect(empty_database)
    try:
        await connection.execute("CREATE SCHEMA callrouter")
        for step in migrations():
            if step.version < WAITS_RECORDED:
                await connection.execute(step.sql)
        insert = (
            "INSERT INTO callrouter.audit (id, at, who, kind, name, from_value, to_value, via, note)"
            " VALUES ($1, $2, 'kim', 'switch', $3, 'off', 'on', 'command', '')"
        )
        for name in ("first", "second"):
            await connection.execute(insert, cdrs.call_id(), cdrs.EVENING, name)
        (step,) = [step for step in migrations() if step.version == WAITS_RECORDED]
        await connection.execute(step.sql)
        await connection.execute(insert, cdrs.call_id(), cdrs.EVENING, "third")
        rows = await connection.fetch("SELECT name FROM callrouter.audit ORDER BY number")
        assert [row["name"] for row in rows] == ["first", "second", "third"]
    finally:
        await connection.close()


async def test_a_call_that_never_queued_is_not_in_queue_log(connection: "Connection") -> None:
    cdr = cdrs.abandoned(queue=None, queued_at=None, outcome=Outcome.CLOSED, legs=())
    assert await _queue_log(connection, cdr) == []


@pytest.mark.parametrize(
    ("search", "wanted"),
    [
        (CdrSearch(), ["late", "busy", "first"]),
        (CdrSearch(limit=1), ["late"]),
        (CdrSearch(since=cdrs.EVENING + timedelta(hours=1)), ["late", "busy"]),
        (CdrSearch(until=cdrs.EVENING + timedelta(hours=1)), ["first"]),
        (CdrSearch(caller="01012345678"), ["late"]),
        (CdrSearch(region=RegionName("jinju")), ["late"]),
        (CdrSearch(tenant=TenantName("jinju")), ["late"]),
        (CdrSearch(queue=QueueName("day")), ["busy"]),
        (CdrSearch(agent=AgentId("agent2")), ["late", "first"]),
        (CdrSearch(outcome=Outcome.ABANDONED), ["busy"]),
        (CdrSearch(rule=RuleId("jinju-day")), ["late"]),
        (CdrSearch(rule=RuleId("jinju-day"), outcome=Outcome.ABANDONED), []),
        (CdrSearch(caller="' OR true --"), []),
    ],
)
async def test_calls_are_found_by_what_they_were(
    connection: "Connection", search: CdrSearch, wanted: list[str]
) -> None:
    late = cdrs.EVENING + timedelta(hours=2)
    calls = {
        "first": cdrs.handled(),
        "busy": cdrs.abandoned(started_at=cdrs.EVENING + timedelta(hours=1), queue="day"),
        "late": cdrs.handled(started_at=late, caller="01012345678", region="jinju", tenant="jinju", rule="jinju-day"),
    }
    await insert_cdrs(connection, list(calls.values()))
    assert await CdrArchive(connection).find(search) == [calls[name] for name in wanted]


async def test_a_call_is_found_by_the_beginning_of_its_id(connection: "Connection") -> None:
    one, two = (cdrs.handled(call_id=CallId(f"019a1111-2222-7{n}33-8444-555566667777")) for n in "34")
    await insert_cdrs(connection, [one, two])
    archive = CdrArchive(connection)
    assert await archive.get("019A1111-2222-73") == one
    with pytest.raises(DatabaseError, match="several calls have ids that begin with 019a1111-2222"):
        await archive.get("019a1111-2222")


async def test_an_unknown_call_is_none(connection: "Connection") -> None:
    archive = CdrArchive(connection)
    assert await archive.get(cdrs.call_id()) is None
    assert await archive.get("no uuid") is None


async def test_a_database_without_tables_says_what_makes_them(empty_database: str) -> None:
    async with open_archive(empty_database) as archive:
        with pytest.raises(DatabaseError, match="`callrouter run` makes them"):
            await archive.find(CdrSearch())


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:sesame@127.0.0.1:1/x", "postgresql://u:sesame@localhost:notaport/x", "nonsense://sesame"],
)
async def test_an_unreachable_server_is_said_without_the_password(url: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        await connect(url, timeout_s=2)
    assert re.match("PostgreSQL cannot be reached: .+; check the database URL", str(caught.value))
    assert "sesame" not in str(caught.value)


async def test_a_missing_database_is_unreachable(postgres: str) -> None:
    with pytest.raises(UnreachableError, match="does not exist"):
        await connect(postgres.replace("/callrouter?", "/nowhere?"))


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(database: str) -> None:
    connection = await connect(database, statement_timeout_s=0.2)
    with pytest.raises(asyncpg.QueryCanceledError):
        await connection.execute("SELECT pg_sleep(30)")
    await connection.close()
