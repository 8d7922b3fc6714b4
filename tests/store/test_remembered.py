"""Choices that callers let us remember: they outlive the daemon, hold no number, and are gone when forgotten."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callrouter.core.ids import RegionName
from callrouter.store.remembered import FILE_NAME, KEY_NAME, Remembered

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=180)
KIM, LEE, PARK = "+821012345678", "+821023456789", "+82552251234"
CHANGWON, GIMHAE = RegionName("changwon"), RegionName("gimhae")
PATIENCE_S = 10.0


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def remembered(folder: Path, clock: Clock, **more: int) -> AsyncIterator[Remembered]:
    async with Remembered(folder, clock.now, **more) as found:
        yield found


@asynccontextmanager
async def running(found: Remembered) -> AsyncIterator[None]:
    task = asyncio.create_task(found.run())
    try:
        yield
    finally:
        task.cancel()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.005)


def rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM remembered").fetchone()
        return int(count)


async def test_a_choice_is_known_at_once_and_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as before:
        before.remember(KIM, GIMHAE, LATER)
        assert before.recall(KIM, NOW) == GIMHAE
        before.remember(KIM, CHANGWON, LATER)
        before.remember(LEE, GIMHAE, LATER)
    async with remembered(tmp_path, clock) as after:
        assert [after.recall(number, NOW) for number in (KIM, LEE, PARK)] == [CHANGWON, GIMHAE, None]
        assert (after.now.callers, after.now.until, after.now.error) == (2, LATER, None)


async def test_a_choice_is_on_disk_before_the_daemon_ends(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found, running(found):
        found.remember(KIM, GIMHAE, LATER)
        await until(lambda: rows(tmp_path) == 1)
        found.forget(KIM)
        await until(lambda: rows(tmp_path) == 0)


async def test_the_last_moment_of_a_choice_is_the_one_before_its_end(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, GIMHAE, LATER)
        assert found.recall(KIM, LATER - timedelta(microseconds=1)) == GIMHAE
        assert found.recall(KIM, LATER) is None


async def test_what_is_over_is_deleted_from_the_disk(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as before:
        before.remember(KIM, GIMHAE, LATER)
        before.remember(LEE, GIMHAE, LATER + timedelta(days=1))
    clock.at = LATER
    async with remembered(tmp_path, clock) as found:
        assert (found.now.callers, rows(tmp_path)) == (1, 2)
        async with running(found):
            await until(lambda: rows(tmp_path) == 1)
        assert found.callers == 1


async def test_one_caller_is_forgotten_or_all_and_that_lasts(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found:
        for number in (KIM, LEE, PARK):
            found.remember(number, GIMHAE, LATER)
        assert found.forget(KIM)
        assert not found.forget(KIM)
    async with remembered(tmp_path, clock) as found:
        assert [found.recall(number, NOW) for number in (KIM, LEE)] == [None, GIMHAE]
        assert found.forget_all() == 2
        assert await found.save()
        assert rows(tmp_path) == 0


async def test_no_number_and_nothing_that_was_forgotten_is_in_the_files(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, RegionName("a-place-that-stands-out"), LATER)
        assert await found.save()
        assert b"a-place-that-stands-out" in (tmp_path / FILE_NAME).read_bytes()
        found.remember(LEE, GIMHAE, LATER)
        assert await found.save()
        found.forget(KIM)
        assert await found.save()
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a-place-that-stands-out" not in files
    for number in (KIM, LEE):
        assert number.encode() not in files
        assert number[3:].encode() not in files


async def test_the_files_are_for_the_daemons_user_alone(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / FILE_NAME).touch(mode=0o644)
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, GIMHAE, LATER)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {FILE_NAME: 0o600, KEY_NAME: 0o600}


async def test_two_installations_know_the_same_caller_by_different_digests(tmp_path: Path, clock: Clock) -> None:
    digests = set()
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        async with remembered(folder, clock) as found:
            found.remember(KIM, GIMHAE, LATER)
        with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
            digests.add(connection.execute("SELECT caller FROM remembered").fetchone())
    assert len(digests) == 2


@pytest.mark.parametrize("key", [None, b"cut short"])
async def test_without_its_secret_all_is_forgotten_on_disk_too(tmp_path: Path, clock: Clock, key: bytes | None) -> None:
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, GIMHAE, LATER)
    (tmp_path / KEY_NAME).unlink()
    if key is not None:
        (tmp_path / KEY_NAME).write_bytes(key)
    with capture_logs() as logs:
        async with remembered(tmp_path, clock) as found:
            assert (found.recall(KIM, NOW), rows(tmp_path)) == (None, 0)
            found.remember(KIM, CHANGWON, LATER)
    assert [line["event"] for line in logs] == ["memory.lost"]
    async with remembered(tmp_path, clock) as found:
        assert found.recall(KIM, NOW) == CHANGWON


async def test_a_damaged_file_is_begun_anew(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, GIMHAE, LATER)
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)
    with capture_logs() as logs:
        async with remembered(tmp_path, clock) as found:
            assert found.recall(KIM, NOW) is None
            found.remember(LEE, GIMHAE, LATER)
    assert [line["event"] for line in logs] == ["memory.lost"]
    async with remembered(tmp_path, clock) as found:
        assert found.recall(LEE, NOW) == GIMHAE


async def test_a_file_that_is_damaged_under_the_running_daemon_is_written_anew(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, GIMHAE, LATER)
        assert await found.save()
        (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)
        found.remember(LEE, GIMHAE, LATER)
        assert not await found.save()
        assert await found.save()
    async with remembered(tmp_path, clock) as found:
        assert [found.recall(number, NOW) for number in (KIM, LEE)] == [GIMHAE, GIMHAE]


async def test_a_disk_that_takes_nothing_is_in_nobodys_way_and_tried_again(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.store.remembered.RETRY_S", 0.01)
    monkeypatch.setattr("callrouter.store.remembered._BUSY_TIMEOUT_S", 0.01)
    with capture_logs() as logs:
        async with remembered(tmp_path, clock) as found, running(found):
            with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                found.remember(KIM, GIMHAE, LATER)
                assert found.recall(KIM, NOW) == GIMHAE
                await until(lambda: found.now.error is not None)
                assert not await found.save()
                other.execute("COMMIT")
            await until(lambda: found.now.error is None)
            assert rows(tmp_path) == 1
    assert [line["event"] for line in logs] == ["memory.failing", "memory.mended"]


async def test_what_is_wanted_before_the_file_can_be_opened_is_done_when_it_can(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, GIMHAE, LATER)
    for name in (FILE_NAME, KEY_NAME):
        (tmp_path / name).rename(tmp_path / f"{name}.away")
    (tmp_path / KEY_NAME).mkdir()
    async with remembered(tmp_path, clock) as found:
        assert found.error
        found.forget(KIM)
        found.remember(LEE, CHANGWON, LATER)
        assert found.recall(LEE, NOW) is None
        (tmp_path / KEY_NAME).rmdir()
        for name in (FILE_NAME, KEY_NAME):
            (tmp_path / f"{name}.away").rename(tmp_path / name)
        assert await found.save()
        assert not found.now.error
        assert [found.recall(number, NOW) for number in (KIM, LEE)] == [None, CHANGWON]


async def test_that_all_is_to_be_forgotten_is_not_forgotten_itself(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, GIMHAE, LATER)
    (tmp_path / KEY_NAME).rename(tmp_path / "key.away")
    (tmp_path / KEY_NAME).mkdir()
    async with remembered(tmp_path, clock) as found:
        found.remember(LEE, CHANGWON, LATER)
        found.forget_all()
        (tmp_path / KEY_NAME).rmdir()
        (tmp_path / "key.away").rename(tmp_path / KEY_NAME)
        assert await found.save()
        assert (found.callers, rows(tmp_path)) == (0, 0)


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    async with remembered(tmp_path, clock) as found:
        found.remember(KIM, GIMHAE, LATER)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    async with remembered(tmp_path, clock) as found:
        assert found.now.error is not None
        assert "a newer callrouter wrote it; start that one, or move the file away" in found.now.error
    assert rows(tmp_path) == 1


async def test_there_is_room_for_so_many_callers_and_who_would_go_first_goes_first(
    tmp_path: Path, clock: Clock
) -> None:
    async with remembered(tmp_path, clock, most=2) as found:
        found.remember(KIM, GIMHAE, LATER)
        found.remember(LEE, GIMHAE, LATER - timedelta(days=1))
        found.remember(KIM, CHANGWON, LATER)
        assert found.callers == 2
        found.remember(PARK, GIMHAE, LATER)
        assert [found.recall(number, NOW) for number in (KIM, LEE, PARK)] == [CHANGWON, None, GIMHAE]
    assert rows(tmp_path) == 2
