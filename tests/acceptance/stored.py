"""Recordings of conversations, as the database tells of them and the daemon's folder has them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from callrouter.store.recordings import Recording, RecordingSearch, open_recording_archive
from lab.errors import LabError
from tests.acceptance.centre import PATIENCE_S, POLL_S, Centre


async def tapes(
    office: Centre, count: int = 1, *, until: Callable[[Recording], object] = lambda one: one.sha256
) -> list[Recording]:
    """What the database has of recordings, oldest first, once each is as wanted: by default, stored."""
    assert office.database_url is not None
    found: list[Recording] = []
    search = RecordingSearch(deleted=True)
    try:
        async with asyncio.timeout(PATIENCE_S), open_recording_archive(office.database_url) as archive:
            # Rows come, and files are fetched, when the daemon has done so, and nobody tells when.
            while len(found := await archive.find(search)) < count or not all(map(until, found)):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise LabError(f"{len(found)} of {count} recordings: {found}\n{office.daemon.log_tail()}") from None
    assert len(found) == count
    return sorted(found, key=lambda one: one.begun_at)


def file_of(office: Centre, one: Recording) -> Path:
    """The file in the daemon's own folder."""
    assert one.file is not None
    return office.daemon.state_dir / "recordings" / one.file
