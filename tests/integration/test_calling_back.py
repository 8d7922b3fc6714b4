"""Calls that we made because somebody had asked, in a real PostgreSQL: their records, and the requests they close."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from callrouter.core.cdr import Cdr, CdrCallback, CdrReturn, Outcome, ReturnResult
from callrouter.core.ids import AgentId, QueueName
from callrouter.store.callback import CallbackArchive, CallbackRequest, CallbackResult
from callrouter.store.postgres import CdrArchive, insert_cdrs
from callrouter.store.records import decode_cdr, encode_cdr
from tests.fakes import cdrs

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.postgres

NIGHT, NUMBER = QueueName("night"), "+82552251234"
LATER = timedelta(minutes=30)


def asked(minutes: float = 0.0) -> Cdr:
    """A call that asked to be called back."""
    at = cdrs.EVENING + timedelta(minutes=minutes)
    return cdrs.abandoned(outcome=Outcome.CALLBACK, callback=CdrCallback(NIGHT, NUMBER, at, 7))


def returned(request: Cdr, result: ReturnResult, tries: int = 0, **changes: Any) -> Cdr:
    """The call that was made for it, half an hour later."""
    made = cdrs.handled if result is ReturnResult.REACHED else cdrs.abandoned
    cdr = made(queue=NIGHT, returns=CdrReturn(request.call_id, result, tries), **changes)
    return replace(cdr, started_at=cdr.started_at + LATER, ended_at=cdr.ended_at + LATER)


async def only(connection: "Connection") -> CallbackRequest:
    (request,) = await CallbackArchive(connection).find()
    return request


async def test_the_record_comes_back_as_it_was(connection: "Connection") -> None:
    request = asked()
    cdr = returned(request, ReturnResult.REACHED, 1)
    await insert_cdrs(connection, [request, cdr])
    found = await CdrArchive(connection).get(cdr.call_id)
    assert found is not None
    assert found.returns == CdrReturn(request.call_id, ReturnResult.REACHED, 1)
    directions = await connection.fetch("SELECT direction FROM callrouter.cdr ORDER BY started_at")
    assert [row["direction"] for row in directions] == ["inbound", "callback"]


async def test_who_was_reached_waits_no_more_by_whom_he_was_reached(connection: "Connection") -> None:
    request = asked()
    cdr = returned(request, ReturnResult.REACHED, 1, agent=AgentId("201"))
    await insert_cdrs(connection, [request, cdr])
    done = await only(connection)
    assert (done.done_at, done.done_by, done.result, done.tries, done.note) == (cdr.ended_at, "201", "reached", 1, "")


@pytest.mark.parametrize(
    ("result", "why", "note"),
    [
        (ReturnResult.NOT_REACHED, "not-reached", ""),
        (ReturnResult.NOT_REACHED, "rules-changed", "rules-changed"),
        (ReturnResult.CANCELLED, "withdrawn", "withdrawn"),
    ],
)
async def test_who_was_not_is_closed_so_with_the_reason_and_stays_in_the_list(
    connection: "Connection", result: ReturnResult, why: str, note: str
) -> None:
    request = asked()
    await insert_cdrs(connection, [request])
    await insert_cdrs(connection, [returned(request, result, 2, agent=None, explanation=f"a\nreleased: {why}")])
    done = await only(connection)
    assert (done.done_by, done.result, done.tries, done.note) == ("callrouter", CallbackResult(result.value), 2, note)


async def test_a_request_that_somebody_has_closed_stays_as_it_was(connection: "Connection") -> None:
    request = asked()
    await insert_cdrs(connection, [request])
    archive = CallbackArchive(connection)
    await archive.finish((await only(connection)).id, cdrs.EVENING, "boss", CallbackResult.REACHED)
    await insert_cdrs(connection, [returned(request, ReturnResult.CANCELLED, agent=None)])
    assert ((await only(connection)).done_by, (await only(connection)).result) == ("boss", "reached")


async def test_an_earlier_request_of_the_number_is_closed_with_it_and_a_later_one_is_not(
    connection: "Connection",
) -> None:
    earlier, request = asked(), asked(5)
    await insert_cdrs(connection, [earlier, request])
    cdr = returned(request, ReturnResult.REACHED)
    await insert_cdrs(connection, [cdr])
    assert (await only(connection)).done_at is not None
    later = asked(60)
    await insert_cdrs(connection, [later])
    await insert_cdrs(connection, [cdr])  # written once more
    waiting = await CallbackArchive(connection).find(only_open=True)
    assert [one.call_id for one in waiting] == [later.call_id]


async def test_nobody_waited_on_the_line_as_far_as_queues_are_told(connection: "Connection") -> None:
    request = asked()
    cdr = returned(request, ReturnResult.REACHED)
    await insert_cdrs(connection, [cdr])
    assert await connection.fetchval("SELECT count(*) FROM callrouter.queue_visit") == 0
    assert await connection.fetchval("SELECT count(*) FROM callrouter.queue_log") == 0


def test_the_record_survives_the_journal() -> None:
    cdr = returned(asked(), ReturnResult.NOT_REACHED, 3)
    assert decode_cdr(encode_cdr(cdr)) == cdr
    old = json.loads(encode_cdr(cdr))
    del old["returns"]
    assert decode_cdr(json.dumps(old).encode()).returns is None
