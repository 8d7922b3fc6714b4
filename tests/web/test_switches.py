"""Switches over HTTP: how they stand, and the order to set one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import msgspec
import pytest

from callrouter.web.asking import MAX_BODY_BYTES
from callrouter.web.desks import Desks
from callrouter.web.metrics import Metrics
from callrouter.web.openapi import FAULTS_OF_ORDERS
from callrouter.web.openapi_access import REFUSALS
from callrouter.web.page import page
from callrouter.web.server import WebServer
from callrouter.web.status import status_document
from callrouter.web.switches import SwitchesDocument, SwitchReport, SwitchRequest
from tests.fakes.status import AT, FakeStatus
from tests.fakes.switches import ON, REFUSED, FakeSwitcher
from tests.web.asking import JSON, is_refused, nobody_serves

PLACE = "/api/v1/switches"


@pytest.fixture
def switcher() -> FakeSwitcher:
    return FakeSwitcher()


@pytest.fixture
async def server(source: FakeStatus, switcher: FakeSwitcher) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source, Desks(switcher=switcher)) as running:
        yield running


async def test_how_they_stand_is_told(client: aiohttp.ClientSession, source: FakeStatus) -> None:
    async with client.get(PLACE) as answer:
        assert answer.status == 200
        told = msgspec.json.decode(await answer.read(), type=SwitchesDocument)
    assert told == SwitchesDocument(AT, source.exchange.switches)


@pytest.mark.parametrize(("report", "status"), [(ON, 200), (REFUSED, 409)])
async def test_an_order_is_handed_on_and_its_answer_comes_back(
    client: aiohttp.ClientSession, switcher: FakeSwitcher, report: SwitchReport, status: int
) -> None:
    switcher.report = report
    body = b'{"switch": "typhoon", "on": true, "who": "kim", "until": "2026-11-24T16:30:00+09:00", "note": "x"}'
    async with client.post(PLACE, data=body, headers=JSON) as answer:
        assert answer.status == status
        assert msgspec.json.decode(await answer.read(), type=SwitchReport) == report
    until = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    assert switcher.asked == [SwitchRequest("typhoon", True, "kim", "api", None, until, "x")]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b'{"switch": "typhoon", "on": true}', 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"switch=typhoon&on=true", 415),
        (JSON, b"", 400),
        (JSON, b'{"switch": "typhoon"}', 400),
        (JSON, b'{"switch": "", "on": true}', 400),
        (JSON, b'{"switch": "typhoon", "on": "yes"}', 400),
        (JSON, b'{"switch": "typhoon", "on": true, "for_s": -1}', 400),
        (JSON, b'{"switch": "typhoon", "on": true, "until": "2026-11-24T16:30:00"}', 400),
        (JSON, b'{"switch": "typhoon", "on": true, "until": "0001-01-01T00:00:00+14:00"}', 400),
        (JSON, b'{"switch": "typhoon", "on": true, "until": "9999-12-31T23:59:59-14:00"}', 400),
        (JSON, b"[" * 2500, 400),
        (JSON, b'{"switch": "typhoon", "on": true, "for_s": 60, "until": "2026-11-24T16:30:00Z"}', 400),
        (JSON, b'{"switch": "typhoon", "on": false, "for_s": 60}', 400),
        (JSON, b'{"switch": "typhoon", "on": false, "until": "2026-11-24T16:30:00Z"}', 400),
        (JSON, b'{"switch": "typhoon", "on": true, "via": "phone"}', 400),
        (JSON, b'{"switch": "typhoon", "on": true, "foo": 1}', 400),
        (JSON, b'{"switch": "typhoon", "on": true, "who": ""}', 400),
        (JSON, b'{"switch": "typhoon", "on": true, "note": "' + b"x" * 201 + b'"}', 400),
        (JSON, b'{"switch": "\xed\xa0\x80", "on": true}', 400),
        (JSON, b'{"switch": "' + b"x" * MAX_BODY_BYTES + b'"}', 413),
    ],
)
async def test_what_is_no_such_order_is_refused_and_changes_nothing(
    client: aiohttp.ClientSession, switcher: FakeSwitcher, headers: dict[str, str], body: bytes, status: int
) -> None:
    await is_refused(client, PLACE, headers, body, status)
    assert switcher.asked == []


async def test_what_is_wrong_with_an_order_is_said(client: aiohttp.ClientSession) -> None:
    async with client.post(PLACE, data=b'{"switch": "typhoon", "on": 1}', headers=JSON) as answer:
        error = (await answer.json())["error"]
    assert error.startswith('send {"switch": "its name", "on": true, "who": "your name"}')
    assert "$.on" in error


async def test_where_nothing_can_be_set_it_is_said(source: FakeStatus) -> None:
    await nobody_serves(source, PLACE, b'{"switch": "typhoon", "on": true}')


async def test_the_description_knows_both(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/openapi.json") as answer:
        paths = (await answer.json())["paths"][PLACE]
    assert set(paths) == {"get", "post"}
    assert set(paths["post"]["responses"]) == {"200", "409", *FAULTS_OF_ORDERS, *REFUSALS}
    schema = paths["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/SwitchRequest"}


def test_metrics_tell_each_switch(source: FakeStatus) -> None:
    text = Metrics(source).exposition("")[0].decode()
    assert 'callrouter_switch_on{switch="typhoon"} 1.0' in text
    assert 'callrouter_switch_on{switch="night"} 0.0' in text


def test_the_page_shows_each_switch_with_who_and_until_when(source: FakeStatus) -> None:
    status = status_document(source.now(), source.counters(), source.health())
    text = page(status, source.health().timezone)
    row = '<tr class="warn"><th scope="row">태풍 &lt;비상&gt;</th><td>켜짐</td><td>kim</td><td>11-24 16:30</td>'
    assert row + "<td>태풍 카눈</td></tr>" in text
    assert '<tr><th scope="row">연장 근무</th><td>꺼짐</td><td>–</td><td>–</td><td>–</td></tr>' in text


def test_a_page_without_switches_has_no_table_of_them(source: FakeStatus) -> None:
    status = msgspec.structs.replace(status_document(source.now(), source.counters(), source.health()), switches=())
    assert "전환 스위치" not in page(status, UTC)
