"""The line between the daemon that leads and those that wait: a Unix socket in the state folder, a word a line.

The leader says ``beat <term> <proofs>`` again and again, and ``yours`` to whom it hands over; who waits says
``waiting 1`` as often, or ``waiting 0`` while it reaches no Asterisk. That the other end closes is how a death is
noticed at once, that it says nothing how a hanging is.
"""

import asyncio
import contextlib
import os
import signal
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from callrouter.core.leading import BEAT_S, Sign, Silence

log = structlog.get_logger(__name__)

FILE_NAME: Final = "leader.sock"
_MODE: Final = 0o600
_PEER: Final = struct.Struct("3i")
_LONGEST_LINE: Final = 256
_WAITING: Final = {True: b"waiting 1\n", False: b"waiting 0\n"}


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of the socket that is short enough: the kernel takes 107 bytes, and folders may be deep."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class _Waiting:
    """One who waits, as the leader sees him. ``heard_s``: when he last said so (the loop's time)."""

    def __init__(self, writer: asyncio.StreamWriter, now_s: float) -> None:
        self.writer = writer
        self.heard_s = now_s
        self.reaches = False


class LeaderLine:
    """The leader's end, open while entered. ``mark`` tells the term's number, and how often it was proven."""

    def __init__(self, path: Path, mark: Callable[[], tuple[int, int]], *, beat_s: float = BEAT_S) -> None:
        self._path = path
        self._mark = mark
        self._beat_s = beat_s
        self._waiting: list[_Waiting] = []
        self._server: asyncio.Server | None = None
        self._beats: asyncio.Task[None] | None = None
        self._inode = 0

    @property
    def waiting(self) -> int:
        """How many wait, and have said so lately."""
        return len(self._alive())

    async def __aenter__(self) -> Self:
        """Listen. Raises OSError where the folder cannot be written."""
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short(self._path) as name:
                listening.bind(name)
            self._path.chmod(_MODE)
            self._inode = self._path.stat().st_ino
            self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=_LONGEST_LINE)
        except BaseException:
            listening.close()
            raise
        self._beats = asyncio.create_task(self._beat(), name="leader-line")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beats is not None:
            self._beats.cancel()
        if self._server is not None:
            self._server.close()
        if self.is_found:  # by now it may be the next leader's
            self._path.unlink(missing_ok=True)
        self._inode = 0
        for one in self._waiting:
            one.writer.close()

    @property
    def is_found(self) -> bool:
        """Whether who connects now comes to this line, and not to the next leader's or to none."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def hand_over(self) -> bool:
        """Tell one who waits to take over; False if nobody does."""
        alive = sorted(self._alive(), key=lambda one: not one.reaches)
        if alive:
            self._say(alive[0].writer, "yours")
        return bool(alive)

    @property
    def other_reaches(self) -> bool:
        """Whether one who waits reaches an Asterisk."""
        return any(one.reaches for one in self._alive())

    @property
    def copy(self) -> None:
        """There is one journal."""
        return

    def say_robbed(self) -> None:
        """Tell all who wait that a stranger took the application: they do not take it back."""
        for one in self._waiting:
            self._say(one.writer, "robbed")

    def _alive(self) -> list[_Waiting]:
        since = asyncio.get_running_loop().time() - 2 * self._beat_s
        return [one for one in self._waiting if one.heard_s >= since]

    async def _beat(self) -> None:
        while True:
            for one in self._waiting:
                self._say(one.writer, self._word())
            await asyncio.sleep(self._beat_s)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        one = _Waiting(writer, loop.time() - 2 * self._beat_s)
        self._waiting.append(one)
        self._say(writer, self._word())
        try:
            while line := await reader.readline():
                one.heard_s, one.reaches = loop.time(), line == _WAITING[True]
        except (OSError, ValueError, asyncio.CancelledError):
            pass  # it has ended, or is no daemon of ours
        finally:
            self._waiting.remove(one)
            writer.close()

    def _word(self) -> str:
        number, proofs = self._mark()
        return f"beat {number} {proofs}"

    def _say(self, writer: asyncio.StreamWriter, word: str) -> None:
        if writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > _LONGEST_LINE:
            writer.transport.abort()  # it does not listen: it will come again when it does
            return
        writer.write(f"{word}\n".encode())


class Leader:
    """The daemon at the other end, as one who waits knows it."""

    def __init__(self, pid: int, handle: int | None) -> None:
        self.pid = pid
        self._handle = handle

    @classmethod
    def of(cls, connection: socket.socket) -> "Leader":
        """The one that listens at ``connection``; of another container it is nobody that we could reach."""
        pid, _, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        try:
            return cls(pid, os.pidfd_open(pid) if pid > 0 else None)
        except OSError:
            return cls(pid, None)

    def end(self) -> bool:
        """End it (SIGKILL), for it hangs and holds what we need; whether that could be done.

        It is this very process and no other that has its number by now: the handle is of when it listened.
        """
        if self._handle is None:
            return False
        try:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class WaitingLine:
    """The end of one who waits: :meth:`watch` connects, and says what is seen of the leader.

    ``reaches`` tells whether this daemon reaches an Asterisk.
    """

    def __init__(
        self, path: Path, *, silence_s: float, beat_s: float = BEAT_S, reaches: Callable[[], bool] = lambda: True
    ) -> None:
        self._reaches = reaches
        self._path = path
        self._silence_s = silence_s
        self._beat_s = beat_s
        self.leader: Leader | None = None
        """Whom the line leads to, or last led to."""
        self.heard: tuple[int, int] | None = None
        """What it said last: its term, and how often that was proven."""

    async def watch(self) -> AsyncGenerator[Sign, None]:
        """The signs of one connection: beats, and at last that the leader is gone, hangs or yields."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            with _short(self._path) as name:
                connection.connect(name)  # at once, or not at all: it is on this machine
            leader = Leader.of(connection)
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_LONGEST_LINE)
        except OSError:
            connection.close()
            yield Sign.GONE
            return
        if self.leader is not None:
            self.leader.close()
        self.leader, self.heard = leader, None
        try:
            async with contextlib.aclosing(self._read(reader, writer)) as signs:
                async for sign in signs:
                    yield sign
                    if sign is not Sign.BEATS:
                        return
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncGenerator[Sign, None]:
        loop = asyncio.get_running_loop()
        silence = Silence(loop.time(), limit_s=self._silence_s, step_s=self._beat_s)
        reading: asyncio.Task[bytes] | None = None
        try:
            while True:
                if writer.transport.get_write_buffer_size() < _LONGEST_LINE:
                    writer.write(_WAITING[self._reaches()])
                reading = reading or asyncio.create_task(reader.readline())
                await asyncio.wait((reading,), timeout=self._beat_s / 2)
                if not reading.done():
                    if silence.is_too_long(loop.time()):
                        yield Sign.SILENT
                        return
                    continue
                sign, heard = _understood(reading)
                reading, self.heard = None, heard or self.heard
                if sign is Sign.BEATS:
                    silence.heard(loop.time())
                yield sign
        finally:
            if reading is not None:
                reading.cancel()


def _understood(reading: "asyncio.Task[bytes]") -> tuple[Sign, tuple[int, int] | None]:
    try:
        words = reading.result().split()
        if words in ([b"yours"], [b"robbed"]):
            return Sign.YIELDS if words == [b"yours"] else Sign.ROBBED, None
        if len(words) == 3 and words[0] == b"beat":
            return Sign.BEATS, (int(words[1]), int(words[2]))
    except (OSError, ValueError):
        pass  # its end, or no daemon of ours
    return Sign.GONE, None
