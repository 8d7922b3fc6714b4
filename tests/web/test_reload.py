"""The one order that the web server takes: new rules."""

from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from callrouter.web.asking import MAX_BODY_BYTES
from callrouter.web.desks import Desks
from callrouter.web.openapi import FAULTS_OF_ORDERS
from callrouter.web.openapi_access import REFUSALS
from callrouter.web.reload import ReloadReport
from callrouter.web.server import WebServer
from tests.fakes.reload import REFUSED, TAKEN, FakeReloader
from tests.fakes.status import FakeStatus
from tests.web.asking import JSON


@pytest.fixture
def reloader() -> FakeReloader:
    return FakeReloader()


@pytest.fixture
async def server(source: FakeStatus, reloader: FakeReloader) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source, Desks(reloader=reloader)) as running:
        yield running


@pytest.mark.parametrize(("report", "status"), [(TAKEN, 200), (REFUSED, 409)])
async def test_new_rules_are_asked_for_and_the_report_comes_back(
    client: aiohttp.ClientSession, reloader: FakeReloader, report: ReloadReport, status: int
) -> None:
    reloader.report = report
    async with client.post("/api/v1/reload", data=b'{"who": "kim"}', headers=JSON) as answer:
        assert answer.status == status
        assert msgspec.json.decode(await answer.read(), type=ReloadReport) == report
    assert reloader.asked == ["kim"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b'{"who": "a form of another page"}', 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"who=form", 415),
        (JSON, b"{", 400),
        (JSON, b'{"whom": "kim"}', 400),
        (JSON, b'{"who": 5}', 400),
        (JSON, b'{"who": "\xed\xa0\x80"}', 400),
        (JSON, b'{"who": "' + b"x" * MAX_BODY_BYTES + b'"}', 413),
    ],
)
async def test_what_is_no_such_order_is_refused_and_changes_nothing(
    client: aiohttp.ClientSession, reloader: FakeReloader, headers: dict[str, str], body: bytes, status: int
) -> None:
    async with client.post("/api/v1/reload", data=body, headers=headers) as answer:
        assert answer.status == status
        assert "error" in await answer.json()
    assert reloader.asked == []


async def test_the_order_is_not_taken_by_looking_at_it(client: aiohttp.ClientSession, reloader: FakeReloader) -> None:
    async with client.get("/api/v1/reload") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert reloader.asked == []


async def test_the_description_knows_the_order(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/openapi.json") as answer:
        order = (await answer.json())["paths"]["/api/v1/reload"]["post"]
    assert set(order["responses"]) == {"200", "409", *FAULTS_OF_ORDERS, *REFUSALS}
    assert order["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ReloadRequest"
    }
