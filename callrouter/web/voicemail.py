"""The messages that callers left, ``/api/v1/voicemail``: where and when, not what was said, and no whole number."""

from datetime import datetime

import msgspec

from callrouter.core.ids import CallId, TenantName
from callrouter.core.numbers import masked
from callrouter.web.sources import BoxNow, MessageNow, VoicemailNow


class Box(msgspec.Struct, frozen=True):
    """One box; ``oldest`` is when the first message was left that nobody has heard."""

    box: str
    title: str
    kept: int
    unheard: int
    oldest: datetime | None


class Message(msgspec.Struct, frozen=True):
    """One message. The caller's number is masked. ``fault`` says why there is nothing to be heard."""

    id: int
    call: CallId
    box: str
    tenant: TenantName
    caller: str
    region: str
    left_at: datetime
    duration_s: float
    heard_at: datetime | None
    heard_by: str | None
    fault: str | None


class VoicemailDocument(msgspec.Struct, frozen=True):
    """All boxes, and the messages that are kept: those that nobody has heard first, 500 at the most."""

    boxes: tuple[Box, ...]
    messages: tuple[Message, ...]


def box(now: BoxNow) -> Box:
    """A box as it is served."""
    return Box(now.box, now.title, now.kept, now.unheard, now.oldest)


def voicemail_document(now: VoicemailNow) -> VoicemailDocument:
    """The document for this moment."""
    return VoicemailDocument(tuple(map(box, now.boxes)), tuple(map(_message, now.messages)))


def _message(now: MessageNow) -> Message:
    return Message(
        id=now.id,
        call=now.call,
        box=now.box,
        tenant=now.tenant,
        caller=masked(now.caller),
        region=now.region,
        left_at=now.left_at,
        duration_s=now.duration_s,
        heard_at=now.heard_at,
        heard_by=now.heard_by,
        fault=now.fault,
    )
