"""A caller's whole number: shown to who may see it, and each look noted before."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from callrouter.core.audit import AuditKind
from callrouter.web.numbers import NumberReport, whole_number
from tests.fakes.status import CALLER, FakeStatus
from tests.web.asking import JSON
from tests.web.guarded import Office, bearer

TALK = "019ab3c4-0000-7000-8000-000000000001"
PLACE = f"/api/v1/calls/{TALK}/number"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[aiohttp.ClientSession]:
    async with office.server() as server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


async def look(client: aiohttp.ClientSession, place: str = PLACE) -> tuple[int, dict[str, str]]:
    body = '{"note": "calls back"}'
    async with client.post(place, data=body, headers={**JSON, **bearer("supervisor")}) as answer:
        return answer.status, await answer.json()


async def test_a_look_at_a_whole_number_is_noted(client: aiohttp.ClientSession, office: Office) -> None:
    assert await look(client) == (200, {"call": TALK, "number": CALLER})
    look_at_it, order = office.trail.entries
    assert (look_at_it.kind, look_at_it.name, look_at_it.who, look_at_it.account, look_at_it.note) == (
        AuditKind.NUMBER, TALK, "supervisor", "supervisor", "calls back",
    )  # fmt: skip
    assert (order.kind, order.becomes) == (AuditKind.ACCESS, "200")
    assert CALLER not in str(office.trail.entries)


async def test_what_cannot_be_noted_is_not_shown(client: aiohttp.ClientSession, office: Office) -> None:
    office.trail.is_full = True
    status, said = await look(client)
    assert (status, CALLER in str(said)) == (503, False)


async def test_there_is_none_of_a_call_that_is_over(client: aiohttp.ClientSession, office: Office) -> None:
    assert (await look(client, "/api/v1/calls/gone/number"))[0] == 404
    assert [one.kind for one in office.trail.entries] == [AuditKind.ACCESS]


def test_of_who_is_to_be_called_back_too() -> None:
    source = FakeStatus()
    for request in source.callbacks().requests:
        assert whole_number(source, request.call) == NumberReport(request.call, request.number)
    assert source.callbacks().requests
