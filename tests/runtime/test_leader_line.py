"""The line between who leads and who waits tells of a death at once, of a hang soon, and carries the word to lead."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from callrouter.core.leading import Sign
from callrouter.runtime.leader_line import LeaderLine, WaitingLine

BEAT_S = 0.05
SILENCE_S = 0.4
PATIENCE_S = 5.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a folder whose name is longer than the kernel lets a socket's be."""
    folder = tmp_path / ("a" * 100)
    folder.mkdir()
    return folder / "leader.sock"


@pytest.fixture
async def leader(path: Path) -> AsyncIterator[LeaderLine]:
    async with LeaderLine(path, lambda: (7, 2), beat_s=BEAT_S) as line:
        yield line


def waits(path: Path) -> WaitingLine:
    return WaitingLine(path, silence_s=SILENCE_S, beat_s=BEAT_S)


async def until_end(line: WaitingLine) -> list[Sign]:
    async with asyncio.timeout(PATIENCE_S):
        return [sign async for sign in line.watch()]


async def until(true: object) -> None:
    assert callable(true)
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - the other end makes it true
            await asyncio.sleep(0.005)


async def test_where_nobody_leads_nobody_is_there(path: Path) -> None:
    assert await until_end(waits(path)) == [Sign.GONE]


async def test_a_leader_is_heard_again_and_again_and_knows_who_waits(path: Path, leader: LeaderLine) -> None:
    line = waits(path)
    signs = line.watch()
    async with asyncio.timeout(PATIENCE_S):
        assert [await anext(signs) for _ in range(3)] == [Sign.BEATS] * 3
    assert line.heard == (7, 2)
    assert line.leader is not None
    assert line.leader.pid == os.getpid()
    await until(lambda: leader.waiting == 1)
    await signs.aclose()
    await until(lambda: leader.waiting == 0)


async def test_a_leader_that_ends_is_gone_at_once(path: Path) -> None:
    line = waits(path)
    async with LeaderLine(path, lambda: (1, 0), beat_s=BEAT_S) as leader:
        watching = asyncio.create_task(until_end(line))
        await until(lambda: leader.waiting == 1)
    assert (await watching)[-1] is Sign.GONE
    assert not path.exists()


async def test_a_leader_hands_over_to_one_who_waits(path: Path, leader: LeaderLine) -> None:
    assert not leader.hand_over(), "nobody waits"
    line = waits(path)
    watching = asyncio.create_task(until_end(line))
    await until(lambda: leader.waiting == 1)
    assert leader.hand_over()
    assert (await watching)[-1] is Sign.YIELDS


async def test_a_leader_hands_over_to_one_that_reaches_asterisk_before_one_that_does_not(
    path: Path, leader: LeaderLine
) -> None:
    blind = WaitingLine(path, silence_s=SILENCE_S, beat_s=BEAT_S, reaches=lambda: False)
    waiting_blind = asyncio.create_task(until_end(blind))
    await until(lambda: leader.waiting == 1)
    could_before = leader.other_reaches
    waiting = asyncio.create_task(until_end(waits(path)))
    await until(lambda: leader.waiting == 2)
    assert (could_before, leader.other_reaches) == (False, True)
    assert leader.hand_over()
    assert (await waiting)[-1] is Sign.YIELDS
    assert not waiting_blind.done()
    waiting_blind.cancel()
    await asyncio.wait({waiting_blind})


async def test_a_leader_whose_application_a_stranger_took_says_so_to_all_who_wait(
    path: Path, leader: LeaderLine
) -> None:
    watching = [asyncio.create_task(until_end(waits(path))) for _ in range(2)]
    await until(lambda: leader.waiting == 2)
    leader.say_robbed()
    assert [(await one)[-1] for one in watching] == [Sign.ROBBED] * 2


async def test_a_leader_whose_place_another_has_taken_leaves_its_line_alone(path: Path, leader: LeaderLine) -> None:
    async with LeaderLine(path, lambda: (8, 0), beat_s=BEAT_S):
        await leader.__aexit__(None, None, None)
        line = waits(path)
        signs = line.watch()
        async with asyncio.timeout(PATIENCE_S):
            assert await anext(signs) is Sign.BEATS
        assert line.heard == (8, 0)
        await signs.aclose()


@pytest.mark.parametrize("nonsense", [b"hello\n", b"beat x y\n", b"x" * 1000, b"beat 1\n"])
async def test_whoever_talks_nonsense_is_no_leader(path: Path, nonsense: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(nonsense)
        with suppress(OSError):
            await reader.read()  # up to the end: the line is open, and it is the words that are no leader's
        writer.close()
        ended.set()

    ended = asyncio.Event()
    folder = os.open(path.parent, os.O_PATH)
    server = await asyncio.start_unix_server(talk, f"/proc/self/fd/{folder}/{path.name}")
    try:
        assert await until_end(waits(path)) == [Sign.GONE]
        await ended.wait()
    finally:
        server.close()
        os.close(folder)


async def test_one_who_waits_and_does_not_read_is_let_go_of(path: Path, leader: LeaderLine) -> None:
    folder = os.open(path.parent, os.O_PATH)
    reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)
    assert (await reader.readline()).startswith(b"beat ")
    writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a socket's
    one = leader._waiting[0]
    one.writer.write(b"x" * 4_000_000)  # what a day of beats comes to
    await until(lambda: not leader._waiting)
    writer.close()


LISTEN = """
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print("listens", flush=True)
time.sleep(60)
"""


async def test_a_leader_that_hangs_is_found_by_its_silence_and_can_be_ended(tmp_path: Path) -> None:
    path = tmp_path / "s"
    process = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-c", LISTEN, str(path)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"listens\n"
        os.kill(process.pid, signal.SIGSTOP)
        line = waits(path)
        assert await until_end(line) == [Sign.SILENT]
        assert line.heard is None
        assert line.leader is not None
        assert line.leader.pid == process.pid
        assert line.leader.end()
        assert await asyncio.to_thread(process.wait) == -signal.SIGKILL
        assert not line.leader.end(), "it has ended"
        line.leader.close()
        assert not line.leader.end(), "its handle is gone"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
