"""Requests to be called back as the API, the page and ``callrouter status`` show them."""

import json

import msgspec

from callrouter.cli.status_text import parts
from callrouter.web.callback import CallbacksDocument, callbacks_document
from callrouter.web.openapi import openapi
from callrouter.web.page import page
from callrouter.web.sources import CallbackQueueNow, CallbacksNow
from callrouter.web.status import StatusDocument, status_document
from tests.fakes import status as fake
from tests.fakes.status import FakeStatus


def document(asked: CallbacksNow) -> StatusDocument:
    source = FakeStatus()
    return status_document(source.now(), source.counters(), source.health(), callbacks=asked.queues)


def the_page(asked: CallbacksNow) -> str:
    return page(document(asked), FakeStatus().health().timezone)


def test_requests_are_listed_without_the_whole_number() -> None:
    asked = callbacks_document(fake.callbacks())
    text = msgspec.json.encode(asked).decode()

    assert [(one.id, one.result, one.tries) for one in asked.callbacks] == [(8, None, 1), (7, "reached", 1)]
    assert [(queue.queue, queue.waiting) for queue in asked.queues] == [("changwon", 1)]
    assert {one.number for one in asked.callbacks} == {"055-225-****"}
    assert "1234" not in text
    assert msgspec.json.decode(text, type=CallbacksDocument) == asked


def test_the_document_is_in_the_description() -> None:
    answer = json.loads(openapi())["paths"]["/api/v1/callbacks"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/CallbacksDocument"}


def test_the_page_warns_of_callers_who_wait_to_be_called_back() -> None:
    row = '<tr class="warn"><th scope="row">창원 &lt;상담&gt;</th><td>1</td><td>20:00</td></tr>'
    assert row in the_page(fake.callbacks())


def test_a_queue_that_owes_nobody_a_call_does_not_warn() -> None:
    (queue,) = fake.callbacks().queues
    none = CallbacksNow((CallbackQueueNow(queue.queue, queue.title, 0, None),))
    assert '<tr><th scope="row">창원 &lt;상담' in the_page(none)


def test_where_nobody_is_called_back_nothing_is_said_of_it() -> None:
    assert "회신" not in the_page(CallbacksNow())
    assert not any("to call back" in part for part in parts(document(CallbacksNow())))


def test_the_status_command_counts_them() -> None:
    (part,) = [part for part in parts(document(fake.callbacks())) if "to call back" in part]
    assert part.splitlines()[1].split() == ["changwon", "창원", "<상담>", "1", "20:00"]
