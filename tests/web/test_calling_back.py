"""Orders for those who wait to be called back over HTTP: now, or no more."""

from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from callrouter.core.callback_orders import CallbackVerb
from callrouter.web.calling_back import CallbackOrderRequest, CallbackReport
from callrouter.web.desks import Desks
from callrouter.web.server import WebServer
from tests.fakes.returns import HASTENED, NOBODY, FakeReturns
from tests.fakes.status import FakeStatus
from tests.web.asking import JSON, is_refused, nobody_serves

PLACE = "/api/v1/callbacks"


@pytest.fixture
def returns() -> FakeReturns:
    return FakeReturns()


@pytest.fixture
async def server(source: FakeStatus, returns: FakeReturns) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source, Desks(callbacks=returns)) as running:
        yield running


@pytest.mark.parametrize(("report", "status"), [(HASTENED, 200), (NOBODY, 409)])
@pytest.mark.parametrize("verb", CallbackVerb)
async def test_an_order_is_handed_on_and_its_answer_comes_back(
    client: aiohttp.ClientSession, returns: FakeReturns, verb: CallbackVerb, report: CallbackReport, status: int
) -> None:
    returns.report = report
    body = msgspec.json.encode({"request": "9", "verb": verb, "who": "kim"})
    async with client.post(PLACE, data=body, headers=JSON) as answer:
        assert answer.status == status
        assert msgspec.json.decode(await answer.read(), type=CallbackReport) == report
    assert returns.asked == [CallbackOrderRequest("9", verb.value, "kim", "api")]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b'{"request": "9", "verb": "cancel"}', 415),
        (JSON, b'{"request": "9"}', 400),
        (JSON, b'{"request": "", "verb": "cancel"}', 400),
        (JSON, b'{"request": "9", "verb": "dance"}', 400),
        (JSON, b'{"request": "9", "verb": "cancel", "via": "list"}', 400),
    ],
)
async def test_what_is_no_such_order_is_refused_and_changes_nothing(
    client: aiohttp.ClientSession, returns: FakeReturns, headers: dict[str, str], body: bytes, status: int
) -> None:
    await is_refused(client, PLACE, headers, body, status)
    assert returns.asked == []


async def test_where_nobody_is_called_back_it_is_said(source: FakeStatus) -> None:
    await nobody_serves(source, PLACE, b'{"request": "9", "verb": "cancel"}')
