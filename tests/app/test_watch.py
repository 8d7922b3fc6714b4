"""Saving a file is an order to reload: with real files, and the real watcher."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callrouter.app import watch as watching
from callrouter.app.reload import ConfigReloader
from callrouter.app.watch import WHO, FolderWatch
from callrouter.web.reload import ReloadReport

pytestmark = pytest.mark.slow  # what waits for files to rest


PATIENCE_S = 20.0


class Witness:
    """Hands on to a reloader, and tells what came of it."""

    def __init__(self, reloader: ConfigReloader) -> None:
        self.reports: list[ReloadReport] = []
        self._reloader = reloader
        self._more = asyncio.Condition()

    async def is_behind(self) -> bool:
        return await self._reloader.is_behind()

    async def reload_when_free(self, who: str) -> ReloadReport:
        assert who == WHO
        report = await self._reloader.reload_when_free(who)
        async with self._more:
            self.reports.append(report)
            self._more.notify_all()
        return report

    async def until(self, holds: Callable[[ReloadReport], bool]) -> ReloadReport:
        """The first report that is so."""
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: any(map(holds, self.reports)))
        return next(report for report in self.reports if holds(report))


@pytest.fixture
def witness(reloader: ConfigReloader) -> Witness:
    return Witness(reloader)


@asynccontextmanager
async def watched(folder: Path, witness: Witness) -> AsyncIterator[FolderWatch]:
    watch = FolderWatch(folder, witness, try_again_s=0.05)
    task = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await watch.watching.wait()
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def taken(report: ReloadReport) -> bool:
    return report.ok and report.changed


def title(path: Path, text: str) -> str:
    return (path / "queues.yaml").read_text(encoding="utf-8").replace("본청", text)


async def test_a_file_that_is_written_in_place_is_taken(folder: Path, witness: Witness) -> None:
    async with watched(folder, witness):
        assert witness.reports == []
        (folder / "queues.yaml").write_text(title(folder, "새 본청"), encoding="utf-8")
        assert (await witness.until(taken)).changed


async def test_a_file_that_an_editor_renames_into_its_place_is_one_change(folder: Path, witness: Witness) -> None:
    async with watched(folder, witness):
        new = title(folder, "새 본청")
        shutil.copy(folder / "queues.yaml", folder / "queues.yaml~")
        (folder / ".queues.yaml.swp").write_text("editor's own", encoding="utf-8")
        (folder / "queues.yaml.new").write_text(new, encoding="utf-8")
        (folder / "queues.yaml").unlink()
        (folder / "queues.yaml.new").rename(folder / "queues.yaml")
        await witness.until(taken)
    assert len(witness.reports) == 1


async def test_half_a_file_is_refused_and_the_whole_one_taken(
    folder: Path, witness: Witness, reloader: ConfigReloader
) -> None:
    before = reloader.loaded.rulebook.hash
    whole = title(folder, "새 본청")
    async with watched(folder, witness):
        (folder / "queues.yaml").write_text(whole[: len(whole) // 2] + "\n  {", encoding="utf-8")
        refused = await witness.until(lambda report: not report.ok)
        assert (refused.config_hash, reloader.faults > 0) == (before, True)
        (folder / "queues.yaml").write_text(whole, encoding="utf-8")
        await witness.until(taken)
    assert reloader.faults == 0


async def test_what_was_saved_before_the_watch_began_is_taken(folder: Path, witness: Witness) -> None:
    (folder / "queues.yaml").write_text(title(folder, "새 본청"), encoding="utf-8")
    async with watched(folder, witness):
        await witness.until(taken)


async def test_files_that_are_no_part_of_the_configuration_order_nothing(folder: Path, witness: Witness) -> None:
    async with watched(folder, witness):
        (folder / "notes.txt").write_text("call the mayor", encoding="utf-8")
        (folder / "callrouter.schema.json").write_text("{}", encoding="utf-8")
        (folder / "more.yaml").write_text("topics: {tour: {title: 관광}}\n", encoding="utf-8")
        await witness.until(taken)
    assert len(witness.reports) == 1


async def test_a_folder_that_is_replaced_is_watched_again(folder: Path, witness: Witness, tmp_path: Path) -> None:
    async with watched(folder, witness):
        shutil.copytree(folder, tmp_path / "next")
        (tmp_path / "next" / "queues.yaml").write_text(title(folder, "새 본청"), encoding="utf-8")
        folder.rename(tmp_path / "last")
        (tmp_path / "next").rename(folder)
        first = await witness.until(taken)
        (folder / "queues.yaml").write_text(title(folder, "newer").replace("새 ", ""), encoding="utf-8")
        await witness.until(lambda report: taken(report) and report.previous_hash == first.config_hash)


async def test_a_folder_that_cannot_be_watched_is_told_once_and_tried_again(
    folder: Path, witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = asyncio.Semaphore(0)
    look = watching._identity

    def count(directory: Path) -> tuple[int, int]:
        tries.release()
        return look(directory)

    monkeypatch.setattr(watching, "_identity", count)
    folder.rename(tmp_path / "away")
    watch = FolderWatch(folder, witness, try_again_s=0.01)
    with capture_logs() as logs:
        task = asyncio.create_task(watch.run())
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(3):
                await tries.acquire()
            (tmp_path / "away").rename(folder)
            await watch.watching.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [log["event"] for log in logs] == ["config.not_watched", "config.watched"]
