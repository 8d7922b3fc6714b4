"""Messages as the API and the page show them."""

import json
from dataclasses import replace

import msgspec

from callrouter.web.openapi import openapi
from callrouter.web.page import page
from callrouter.web.sources import VoicemailNow
from callrouter.web.status import status_document
from callrouter.web.voicemail import VoicemailDocument, voicemail_document
from tests.fakes import status as fake
from tests.fakes.status import CALLER, FakeStatus


def the_page(left: VoicemailNow) -> str:
    source = FakeStatus()
    return page(status_document(source.now(), source.counters(), source.health(), left.boxes), source.health().timezone)


def test_messages_are_listed_without_the_whole_number() -> None:
    document = voicemail_document(fake.voicemail())
    text = msgspec.json.encode(document).decode()

    assert [(message.id, message.heard_by) for message in document.messages] == [(12, None), (11, "201")]
    assert [(box.box, box.kept, box.unheard) for box in document.boxes] == [("night", 2, 1)]
    assert CALLER not in text
    assert "055-225-****" in text
    assert msgspec.json.decode(text, type=VoicemailDocument) == document


def test_the_document_is_in_the_description() -> None:
    described = json.loads(openapi())

    answer = described["paths"]["/api/v1/voicemail"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/VoicemailDocument"}


def test_the_page_warns_of_messages_that_nobody_has_heard() -> None:
    text = the_page(fake.voicemail())

    assert '<tr class="warn"><th scope="row">야간 &lt;민원&gt;</th><td>1</td><td>15:00</td><td>2</td></tr>' in text


def test_a_box_whose_messages_were_all_heard_does_not_warn() -> None:
    (box,) = fake.voicemail().boxes

    assert '<tr><th scope="row">야간' in the_page(VoicemailNow((replace(box, unheard=0, oldest=None),)))


def test_a_page_without_boxes_says_nothing_of_them() -> None:
    assert "사서함" not in the_page(VoicemailNow())
