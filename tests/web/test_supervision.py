"""Supervision over HTTP: who hears a call, and the order to let a supervisor hear it."""

from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from callrouter.web.desks import Desks
from callrouter.web.openapi import FAULTS_OF_ORDERS
from callrouter.web.openapi_access import REFUSALS
from callrouter.web.server import WebServer
from callrouter.web.supervision import SupervisionDocument, SupervisionReport, SupervisionRequest
from tests.fakes.status import FakeStatus
from tests.fakes.supervision import HEARD, REFUSED, RINGS, FakeSupervision
from tests.web.asking import JSON, is_refused, nobody_serves

PLACE = "/api/v1/calls/c1/supervision"


@pytest.fixture
def supervision() -> FakeSupervision:
    return FakeSupervision()


@pytest.fixture
async def server(source: FakeStatus, supervision: FakeSupervision) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source, Desks(supervision=supervision)) as running:
        yield running


async def test_who_hears_a_call_is_told(client: aiohttp.ClientSession) -> None:
    async with client.get(PLACE) as answer:
        assert answer.status == 200
        assert msgspec.json.decode(await answer.read(), type=SupervisionDocument) == HEARD
    async with client.get("/api/v1/calls/c2/supervision") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(("report", "status"), [(RINGS, 200), (REFUSED, 409)])
@pytest.mark.parametrize("verb", ["listen", "whisper", "barge", "stop"])
async def test_an_order_is_handed_on_and_its_answer_comes_back(
    client: aiohttp.ClientSession, supervision: FakeSupervision, verb: str, report: SupervisionReport, status: int
) -> None:
    supervision.report = report
    body = msgspec.json.encode({"verb": verb, "phone": "kim", "who": "kim"})
    async with client.post(PLACE, data=body, headers=JSON) as answer:
        assert answer.status == status
        assert msgspec.json.decode(await answer.read(), type=SupervisionReport) == report
    assert supervision.asked == [("c1", SupervisionRequest(verb, "kim", "kim", "api"))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b'{"verb": "listen", "phone": "kim"}', 415),
        (JSON, b'{"verb": "listen"}', 400),
        (JSON, b'{"verb": "dance", "phone": "kim"}', 400),
    ],
)
async def test_what_is_no_such_order_is_refused_and_changes_nothing(
    client: aiohttp.ClientSession, supervision: FakeSupervision, headers: dict[str, str], body: bytes, status: int
) -> None:
    await is_refused(client, PLACE, headers, body, status)
    assert supervision.asked == []


async def test_where_nobody_can_be_heard_it_is_said(source: FakeStatus) -> None:
    await nobody_serves(source, PLACE, b'{"verb": "listen", "phone": "kim"}')


async def test_the_description_knows_both(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/openapi.json") as answer:
        path = (await answer.json())["paths"]["/api/v1/calls/{call_id}/supervision"]
    assert set(path) == {"parameters", "get", "post"}
    assert set(path["post"]["responses"]) == {"200", "409", "404", *FAULTS_OF_ORDERS, *REFUSALS}
