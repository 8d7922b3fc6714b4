"""Counselors over HTTP: what they are doing, and the order to log one in or out or to pause one."""

from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from callrouter.core.duty import DutyVerb
from callrouter.web.agents import AgentReport, AgentRequest, AgentsDocument
from callrouter.web.desks import Desks
from callrouter.web.openapi import FAULTS_OF_ORDERS
from callrouter.web.openapi_access import REFUSALS
from callrouter.web.page import page
from callrouter.web.server import WebServer
from callrouter.web.status import status_document
from tests.fakes.attendance import PAUSED, REFUSED, FakeAttendance
from tests.fakes.status import AT, FakeStatus
from tests.web.asking import JSON, is_refused, nobody_serves

PLACE = "/api/v1/agents"


@pytest.fixture
def attendance() -> FakeAttendance:
    return FakeAttendance()


@pytest.fixture
async def server(source: FakeStatus, attendance: FakeAttendance) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source, Desks(attendance=attendance)) as running:
        yield running


async def test_what_each_is_doing_is_told(client: aiohttp.ClientSession, source: FakeStatus) -> None:
    async with client.get(PLACE) as answer:
        assert answer.status == 200
        told = msgspec.json.decode(await answer.read(), type=AgentsDocument)
    assert told.at == AT
    assert [one.agent for one in told.agents] == [one.agent for one in source.exchange.agents]
    assert {one.duty for one in told.agents} == {"on-duty"}


@pytest.mark.parametrize(("report", "status"), [(PAUSED, 200), (REFUSED, 409)])
@pytest.mark.parametrize("verb", DutyVerb)
async def test_an_order_is_handed_on_and_its_answer_comes_back(
    client: aiohttp.ClientSession, attendance: FakeAttendance, verb: DutyVerb, report: AgentReport, status: int
) -> None:
    attendance.report = report
    body = msgspec.json.encode({"agent": "201", "verb": verb, "who": "kim", "reason": "점심"})
    async with client.post(PLACE, data=body, headers=JSON) as answer:
        assert answer.status == status
        assert msgspec.json.decode(await answer.read(), type=AgentReport) == report
    assert attendance.asked == [AgentRequest("201", verb.value, "kim", "api", "점심")]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b'{"agent": "201", "verb": "pause"}', 415),
        (JSON, b'{"agent": "201"}', 400),
        (JSON, b'{"agent": "", "verb": "pause"}', 400),
        (JSON, b'{"agent": "201", "verb": "dance"}', 400),
        (JSON, b'{"agent": "201", "verb": "pause", "via": "phone"}', 400),
        (JSON, b'{"agent": "201", "verb": "pause", "foo": 1}', 400),
        (JSON, b'{"agent": "201", "verb": "pause", "reason": "' + b"x" * 201 + b'"}', 400),
    ],
)
async def test_what_is_no_such_order_is_refused_and_changes_nothing(
    client: aiohttp.ClientSession, attendance: FakeAttendance, headers: dict[str, str], body: bytes, status: int
) -> None:
    await is_refused(client, PLACE, headers, body, status)
    assert attendance.asked == []


async def test_where_nobody_takes_orders_it_is_said(source: FakeStatus) -> None:
    await nobody_serves(source, PLACE, b'{"agent": "201", "verb": "pause"}')


async def test_the_description_knows_both(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/openapi.json") as answer:
        paths = (await answer.json())["paths"][PLACE]
    assert set(paths) == {"get", "post"}
    assert set(paths["post"]["responses"]) == {"200", "409", *FAULTS_OF_ORDERS, *REFUSALS}


def test_the_page_says_why_somebody_is_paused(source: FakeStatus) -> None:
    first, *others = source.exchange.agents
    agents = (msgspec.structs.replace(first, reason="점심 <식사>"), *others)
    now = msgspec.structs.replace(source.now(), agents=agents)
    text = page(status_document(now, source.counters(), source.health()), source.health().timezone)
    assert "<td>점심 &lt;식사&gt;</td>" in text
