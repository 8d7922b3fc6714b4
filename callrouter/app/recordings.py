"""Looking after recorded conversations: fetched from Asterisk, kept with a checksum, deleted when their time has come.

Everything is found out from the database, pass by pass, so that nothing is lost with a daemon that dies in between. A
file is deleted at Asterisk only when it is on our disk and the row says so.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, NoReturn, Protocol

import structlog

from callrouter.app.passes import Passes
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.ids import RecordingId, SiteName
from callrouter.core.numbers import masked
from callrouter.errors import CallrouterError, UnreachableError
from callrouter.store.journal import Journal
from callrouter.store.recordings import (
    Recording,
    RecordingArchive,
    RecordingSearch,
    StoredFile,
    open_recording_archive,
)
from callrouter.store.sound_files import SoundFolder
from callrouter.web.recordings import (
    DeleteRequest,
    FetchRequest,
    RecordingMute,
    RecordingNow,
    RecordingReport,
    RecordingsDocument,
)

log = structlog.get_logger(__name__)

POLL_S: Final = 3.0
SHOWN: Final = 500
"""Recordings that the API lists, the latest first."""
RETENTION: Final = "retention"
"""Who deletes what has been kept for long enough."""
NOT_KEPT: Final = "callrouter"
"""Who deletes what may not be kept."""


class Recordings(Protocol):
    """One Asterisk's store, such as :class:`callrouter.ari.recordings.RecordingStore`. Raises UnreachableError."""

    async def stop(self, recording: RecordingId) -> None:
        """See to it that it is over."""

    async def read(self, recording: RecordingId) -> bytes | None:
        """The file; None if there is none."""

    async def delete(self, recording: RecordingId) -> None:
        """Have it no more."""


class RecordingKeeper:
    """Looks after recordings as a task: ``run()`` until cancelled.

    ``recordings`` is the store of a site or None while it cannot be reached, ``now`` is the daemon's clock.
    """

    def __init__(
        self,
        url: str,
        folder: SoundFolder,
        recordings: Callable[[SiteName], Recordings | None],
        now: Callable[[], datetime],
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self._url = url
        self._folder = folder
        self._recordings = recordings
        self._now = now
        self._passes = Passes(_tell_trouble, poll_s)

    async def run(self) -> NoReturn:
        """Pass after pass, through every failure of the database, of Asterisk and of the disk."""
        await self._passes.run(lambda: open_recording_archive(self._url), self.look_after)

    async def look_after(self, archive: RecordingArchive) -> None:
        """One pass.

        Raises:
            DatabaseError: PostgreSQL said no.
            UnreachableError: it is away.
        """
        with self._passes.one():
            for site in await archive.sites():
                store = self._recordings(site)
                if store is not None:
                    await self._look_after_site(archive, site, store)
            for one in await archive.expired(self._now()):
                await self._expire(archive, one)

    async def _look_after_site(self, archive: RecordingArchive, site: SiteName, store: Recordings) -> None:
        for one in await archive.unstored(site):
            await self._fetch(archive, one, store)
        for one in await archive.uncleared(site):
            await self._clear(archive, one, store)

    async def _fetch(self, archive: RecordingArchive, one: Recording, store: Recordings) -> None:
        try:
            await store.stop(one.recording)
            body = await store.read(one.recording)
        except UnreachableError as exc:
            self._passes.note(str(exc))
            return
        try:
            kept = await asyncio.to_thread(self._keep, one, body)
        except CallrouterError as exc:
            self._passes.note(str(exc))
            await self._blame(archive, one, str(exc))
            return
        if kept is None:
            await self._blame(archive, one, "Asterisk has no file of it")
        elif await archive.store(one.id, kept, self._now()):
            log.info("recording.stored", recording=one.id, call=one.call_id, length_s=kept.duration_s)
        else:  # it was deleted meanwhile
            await asyncio.to_thread(self._folder.remove, kept.name)

    def _keep(self, one: Recording, body: bytes | None) -> StoredFile | None:
        """Where Asterisk has none, an earlier daemon may have fetched it and died before it said so."""
        if body is None:
            return self._folder.find(one.recording, one.begun_at)
        return self._folder.keep(one.recording, one.begun_at, body)

    async def _blame(self, archive: RecordingArchive, one: Recording, fault: str) -> None:
        if fault != one.fault:
            log.error("recording.not_stored", recording=one.id, call=one.call_id, why=fault)
            await archive.blame(one.id, fault)

    async def _clear(self, archive: RecordingArchive, one: Recording, store: Recordings) -> None:
        """Have Asterisk delete what nobody needs there any more."""
        try:
            await store.stop(one.recording)
            await store.delete(one.recording)
        except UnreachableError as exc:
            self._passes.note(str(exc))
            return
        await archive.clear(one.id, self._now())
        if one.stored_at is None and one.deleted_at is None:
            await archive.delete(one.id, self._now(), NOT_KEPT, one.why)

    async def _expire(self, archive: RecordingArchive, one: Recording) -> None:
        """The file first: a row that says deleted must not have one. What Asterisk has is cleared in the next pass."""
        try:
            if one.file is not None:
                await asyncio.to_thread(self._folder.remove, one.file)
        except CallrouterError as exc:
            self._passes.note(str(exc))
            return
        await archive.delete(one.id, self._now(), RETENTION, f"kept until {one.keep_until:%Y-%m-%d}")
        log.info("recording.expired", recording=one.id, call=one.call_id)


class TapeDesk:
    """Implements :class:`callrouter.web.recordings.RecordingDesk` for the daemon that runs."""

    def __init__(self, url: str, folder: SoundFolder, journal: Journal, now: Callable[[], datetime]) -> None:
        self._open = partial(open_recording_archive, url)
        self._folder = folder
        self._journal = journal
        self._now = now

    async def recordings(self) -> RecordingsDocument:
        """See the Protocol."""
        async with self._open() as archive:
            found = await archive.find(RecordingSearch(deleted=True, limit=SHOWN))
        return RecordingsDocument(tuple(map(_now, found)))

    async def fetch(self, number: int, request: FetchRequest) -> Path | str:
        """See the Protocol."""
        async with self._open() as archive:
            one = await archive.get(number)
        why_not = _why_none(number, one)
        if one is None or one.file is None or why_not:
            return why_not or f"recording {number} is not fetched from Asterisk yet"
        path = self._folder.path / one.file
        if not path.is_file():
            return f"the file of recording {number} is not there; callrouter recording verify shows which are"
        if not await self._audited(one, "fetched", request.who, request.via, request.note):
            return "the journal cannot note who fetches it; see that the disk has room"
        return path

    async def delete(self, number: int, request: DeleteRequest) -> RecordingReport:
        """See the Protocol."""
        async with self._open() as archive:
            one = await archive.get(number)
            why_not = _why_none(number, one)
            if one is None or why_not:
                return RecordingReport(False, why_not)
            if not await self._audited(one, "deleted", request.who, request.via, request.why):
                return RecordingReport(False, "the journal cannot note who deletes it; see that the disk has room")
            if one.file is not None:
                await asyncio.to_thread(self._folder.remove, one.file)
            await archive.delete(number, self._now(), request.who, request.why)
        log.info("recording.deleted", recording=number, call=one.call_id, who=request.who)
        return RecordingReport(True, f"recording {number} is deleted")

    async def _audited(self, one: Recording, becomes: str, who: str, via: str, note: str) -> bool:
        """Nobody hears or deletes what is not on the disk of the audit log."""
        entry = AuditEntry(self._now(), who, AuditKind.RECORDING, one.recording, "kept", becomes, via, note=note)
        self._journal.audit(entry)
        return await self._journal.flush()


def _why_none(number: int, one: Recording | None) -> str:
    if one is None:
        return f"recording {number} does not exist; callrouter recording list shows those that there are"
    if one.deleted_at is not None:
        return f"recording {number} was deleted by {one.deleted_by}: {one.deleted_why}"
    return ""


def _now(one: Recording) -> RecordingNow:
    return RecordingNow(
        id=one.id,
        call=one.call_id,
        queue=one.queue,
        agent=one.agent,
        tenant=one.tenant,
        caller=masked(one.caller),
        region=one.region,
        notice=one.notice,
        begun_at=one.begun_at,
        length_s=one.length_s,
        result=one.result,
        why=one.why,
        muted=tuple(RecordingMute(mute.since, mute.until, mute.why, mute.who) for mute in one.muted),
        format=one.format,
        size_bytes=one.size_bytes,
        sha256=one.sha256,
        keep_until=one.keep_until,
        fault=one.fault,
        deleted_at=one.deleted_at,
        deleted_by=one.deleted_by,
        deleted_why=one.deleted_why,
    )


def _tell_trouble(why: str) -> None:
    log.warning("recording.not_looked_after", why=why)
