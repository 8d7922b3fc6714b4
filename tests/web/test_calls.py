"""Orders for conversations over HTTP: to hold a call, to pass it on, to call somebody in."""

from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from callrouter.core.call_orders import CallVerb
from callrouter.web.calls import CallReport, CallRequest
from callrouter.web.desks import Desks
from callrouter.web.server import WebServer
from callrouter.web.status import status_document
from tests.fakes.conversations import HELD, REFUSED, FakeConversations
from tests.fakes.status import FakeStatus
from tests.web.asking import JSON, is_refused, nobody_serves

PLACE = "/api/v1/calls"


@pytest.fixture
def conversations() -> FakeConversations:
    return FakeConversations()


@pytest.fixture
async def server(source: FakeStatus, conversations: FakeConversations) -> AsyncIterator[WebServer]:
    async with WebServer("127.0.0.1", 0, source, Desks(conversations=conversations)) as running:
        yield running


@pytest.mark.parametrize(("report", "status"), [(HELD, 200), (REFUSED, 409)])
@pytest.mark.parametrize("verb", CallVerb)
async def test_an_order_is_handed_on_and_its_answer_comes_back(
    client: aiohttp.ClientSession, conversations: FakeConversations, verb: CallVerb, report: CallReport, status: int
) -> None:
    conversations.report = report
    body = msgspec.json.encode({"call": "201", "verb": verb, "target": "205", "who": "kim"})
    async with client.post(PLACE, data=body, headers=JSON) as answer:
        assert answer.status == status
        assert msgspec.json.decode(await answer.read(), type=CallReport) == report
    assert conversations.asked == [CallRequest("201", verb.value, "205", "kim", "api")]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b'{"call": "201", "verb": "hold"}', 415),
        (JSON, b'{"call": "201"}', 400),
        (JSON, b'{"call": "", "verb": "hold"}', 400),
        (JSON, b'{"call": "201", "verb": "dance"}', 400),
        (JSON, b'{"call": "201", "verb": "hold", "via": "phone"}', 400),
        (JSON, b'{"call": "201", "verb": "hold", "target": "' + b"1" * 81 + b'"}', 400),
    ],
)
async def test_what_is_no_such_order_is_refused_and_changes_nothing(
    client: aiohttp.ClientSession, conversations: FakeConversations, headers: dict[str, str], body: bytes, status: int
) -> None:
    await is_refused(client, PLACE, headers, body, status)
    assert conversations.asked == []


async def test_where_nobody_takes_orders_it_is_said(source: FakeStatus) -> None:
    await nobody_serves(source, PLACE, b'{"call": "201", "verb": "hold"}')


def test_who_was_called_in_is_told_without_the_whole_number(source: FakeStatus) -> None:
    first, *others = source.exchange.calls
    calls = (msgspec.structs.replace(first, invited="01012345678", held=True), *others)
    now = msgspec.structs.replace(source.now(), calls=calls)
    told = status_document(now, source.counters(), source.health()).calls[0]
    assert told.invited is not None
    assert told.invited.endswith("****")
    assert told.held
