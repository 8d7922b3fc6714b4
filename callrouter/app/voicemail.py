"""Looking after the messages that callers left: what their files hold, how long they are kept, who waits to be heard.

Everything is found out from the database, pass by pass, so that nothing is lost with a daemon that dies in between.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NoReturn, Protocol

import structlog

from callrouter.app.passes import Passes
from callrouter.core.ids import BoxName, RecordingId, SiteName
from callrouter.core.rulebook import BoxSpec
from callrouter.errors import CallrouterError, UnreachableError
from callrouter.store.sound_files import measure
from callrouter.store.voicemail import BoxCount, Message, MessageArchive, open_messages

log = structlog.get_logger(__name__)

POLL_S: Final = 3.0
SHOWN: Final = 500
"""Messages that the API lists, the unheard first."""
RETENTION: Final = "retention"
"""Who deletes what has been kept for long enough."""


class Recordings(Protocol):
    """One Asterisk's store, such as :class:`callrouter.ari.recordings.RecordingStore`."""

    async def read(self, recording: RecordingId) -> bytes | None:
        """The file; None if there is none. Raises UnreachableError."""

    async def delete(self, recording: RecordingId) -> None:
        """Have it no more. Raises UnreachableError."""


class MessageKeeper:
    """Looks after messages as a task: ``run()`` until cancelled.

    ``boxes`` are those of the rules in force, ``recordings`` the store of a site or None while it cannot be reached,
    ``now`` is the daemon's clock.
    """

    def __init__(
        self,
        url: str,
        boxes: Callable[[], Mapping[BoxName, BoxSpec]],
        recordings: Callable[[SiteName], Recordings | None],
        now: Callable[[], datetime],
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self.counts: tuple[BoxCount, ...] = ()
        """Of every box that holds anything, as of the latest pass."""
        self.messages: tuple[Message, ...] = ()
        """Those that are kept, the unheard first."""
        self._url = url
        self._boxes = boxes
        self._recordings = recordings
        self._now = now
        self._passes = Passes(_tell_trouble, poll_s)

    async def run(self) -> NoReturn:
        """Pass after pass, through every failure of the database and of Asterisk."""
        await self._passes.run(lambda: open_messages(self._url), self.look_after)

    async def look_after(self, archive: MessageArchive) -> None:
        """One pass.

        Raises:
            DatabaseError: PostgreSQL said no.
            UnreachableError: it is away.
        """
        with self._passes.one():
            for message in await archive.unseen():
                await self._see(archive, message)
            for box in self._boxes().values():
                for message in await archive.expired(box.name, self._now() - timedelta(seconds=box.retention_s)):
                    await self._delete(archive, message)
            # Shown together: whoever looks meanwhile must not see one waiting in an empty list.
            self.counts, self.messages = tuple(await archive.counts()), tuple(await archive.find(limit=SHOWN))

    async def _see(self, archive: MessageArchive, message: Message) -> None:
        """Note what the file holds, or why that is not known."""
        store = self._recordings(message.site)
        if store is None:
            return
        try:
            body = await store.read(message.recording)
        except UnreachableError as exc:
            self._passes.note(str(exc))
            return
        fault = "Asterisk has no file of it"
        if body is not None:
            try:
                length_s, checksum = await asyncio.to_thread(measure, body)
            except CallrouterError as exc:
                fault = str(exc)
            else:
                await archive.see(message.id, length_s, len(body), checksum)
                log.info("voicemail.seen", message=message.id, box=message.box, call=message.call_id, length_s=length_s)
                return
        if fault != message.fault:
            log.error("voicemail.lost", message=message.id, box=message.box, call=message.call_id, why=fault)
            await archive.blame(message.id, fault)

    async def _delete(self, archive: MessageArchive, message: Message) -> None:
        """The file first: a row that says deleted must not have one."""
        store = self._recordings(message.site)
        if store is None:
            return
        try:
            await store.delete(message.recording)
        except UnreachableError as exc:
            self._passes.note(str(exc))
            return
        await archive.delete(message.id, self._now(), RETENTION)
        log.info("voicemail.expired", message=message.id, box=message.box, heard=message.heard_at is not None)


def _tell_trouble(why: str) -> None:
    log.warning("voicemail.not_looked_after", why=why)
