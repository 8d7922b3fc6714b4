"""File descriptors that run out are told once each way."""

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from callrouter.app import files_left
from callrouter.app.files_left import mind_descriptors
from callrouter.descriptors import Descriptors


async def test_few_are_told_once_and_enough_once(monkeypatch: pytest.MonkeyPatch) -> None:
    over = asyncio.Event()

    def looks() -> Iterator[Descriptors]:
        yield from (Descriptors(used, 10) for used in (1, 9, 10, 9, 5, 5))
        over.set()
        while True:
            yield Descriptors(5, 10)

    found = looks()
    monkeypatch.setattr(files_left, "descriptors", lambda: next(found))
    with capture_logs() as logs:
        task = asyncio.create_task(mind_descriptors(0.0))
        async with asyncio.timeout(5):
            await over.wait()
        task.cancel()
    assert [(entry["event"], entry["used"]) for entry in logs] == [("descriptors.few", 9), ("descriptors.enough", 5)]
