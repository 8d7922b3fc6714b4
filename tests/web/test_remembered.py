"""What callers let us remember, counted, and the order to forget it."""

from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from callrouter.web.desks import Desks
from callrouter.web.openapi import FAULTS_OF_ORDERS
from callrouter.web.openapi_access import REFUSALS
from callrouter.web.remembered import ForgetReport, RememberedReport
from callrouter.web.server import WebServer
from tests.fakes.remembered import TWO, FakeRemembering
from tests.fakes.status import FakeStatus
from tests.web.asking import JSON


@pytest.fixture
def remembering() -> FakeRemembering:
    return FakeRemembering()


@pytest.fixture
async def server(source: FakeStatus, remembering: FakeRemembering) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source, Desks(remembering=remembering)) as running:
        yield running


async def test_they_are_counted_and_nobody_is_named(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/remembered") as answer:
        assert answer.status == 200
        assert msgspec.json.decode(await answer.read(), type=RememberedReport) == TWO


@pytest.mark.parametrize(
    ("body", "asked", "report"),
    [
        (b'{"number": "010-1234-5678", "who": "kim"}', ("010-1234-5678", "kim"), ForgetReport(1, 1, None)),
        (b'{"all": true}', ("all", "unknown"), ForgetReport(2, 0, None)),
    ],
)
async def test_one_caller_is_forgotten_or_all(
    client: aiohttp.ClientSession,
    remembering: FakeRemembering,
    body: bytes,
    asked: tuple[str, str],
    report: ForgetReport,
) -> None:
    async with client.post("/api/v1/remembered/forget", data=body, headers=JSON) as answer:
        assert answer.status == 200
        assert msgspec.json.decode(await answer.read(), type=ForgetReport) == report
    assert remembering.asked == [asked]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b'{"all": true}', 415),
        (JSON, b"{}", 400),
        (JSON, b'{"all": true, "number": "01012345678"}', 400),
        (JSON, b'{"all": false}', 400),
        (JSON, b'{"every": true}', 400),
    ],
)
async def test_what_is_no_such_order_is_refused_and_forgets_nobody(
    client: aiohttp.ClientSession, remembering: FakeRemembering, headers: dict[str, str], body: bytes, status: int
) -> None:
    async with client.post("/api/v1/remembered/forget", data=body, headers=headers) as answer:
        assert answer.status == status
        assert "error" in await answer.json()
    assert remembering.asked == []


async def test_a_number_that_is_never_remembered_is_said_to_be_one(client: aiohttp.ClientSession) -> None:
    async with client.post("/api/v1/remembered/forget", data=b'{"number": "anonymous"}', headers=JSON) as answer:
        assert answer.status == 400
        assert await answer.json() == {
            "error": "nothing is ever remembered of such a number; write it as 010-1234-5678"
        }


async def test_where_there_is_no_memory_it_says_so(source: FakeStatus) -> None:
    async with (
        WebServer("127.0.0.1", 0, source) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client,
        client.get("/api/v1/remembered") as answer,
    ):
        assert answer.status == 503


async def test_the_description_knows_the_order(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    assert set(paths["/api/v1/remembered/forget"]["post"]["responses"]) == {"200", *FAULTS_OF_ORDERS, *REFUSALS}
    assert set(paths["/api/v1/remembered"]) == {"get"}
