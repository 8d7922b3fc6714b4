"""Recorded conversations over HTTP, ``/api/v1/recordings``: which there are, and the orders to fetch or delete one.

The list has no whole number. Who fetches one, and who deletes one, is in the audit log before it is done.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec

from callrouter.core.ids import AgentId, CallId, QueueName, TenantName
from callrouter.core.tapes import MuteReason, TapeResult
from callrouter.web.switches import MOST_NOTE, Note, Who

Via = Literal["api", "command"]


class RecordingMute(msgspec.Struct, frozen=True):
    """A silent part."""

    since: datetime
    until: datetime
    why: MuteReason
    who: str


class RecordingNow(msgspec.Struct, frozen=True):
    """One recording. The caller's number is masked. ``fault`` says why its file is not there yet."""

    id: int
    call: CallId
    queue: QueueName
    agent: AgentId
    tenant: TenantName
    caller: str
    region: str
    notice: str
    begun_at: datetime
    length_s: float
    result: TapeResult
    why: str
    muted: tuple[RecordingMute, ...]
    format: str
    size_bytes: int | None
    sha256: str | None
    keep_until: datetime
    fault: str | None
    deleted_at: datetime | None
    deleted_by: str | None
    deleted_why: str | None


class RecordingsDocument(msgspec.Struct, frozen=True):
    """The latest first, 500 at the most, those that are deleted too."""

    recordings: tuple[RecordingNow, ...]


class FetchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to hear a recording, and why; both go into the audit log."""

    who: Who
    note: Note = ""
    via: Via = "api"


class DeleteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants a recording deleted, and why; both go into the audit log and stay on the recording's row."""

    who: Who
    why: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NOTE)]
    via: Via = "api"


class RecordingReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false nothing has changed."""

    ok: bool
    message: str


class RecordingDesk(Protocol):
    """Gives out recordings. Every method raises CallrouterError where the database or the disk does not do it."""

    async def recordings(self) -> RecordingsDocument:
        """Which there are."""
        ...

    async def fetch(self, number: int, request: FetchRequest) -> Path | str:
        """The file of the recording of that id, noted as fetched; or why there is none to be had."""
        ...

    async def delete(self, number: int, request: DeleteRequest) -> RecordingReport:
        """Delete the recording of that id, for good."""
        ...
