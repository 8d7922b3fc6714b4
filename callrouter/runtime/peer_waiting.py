"""The line between two machines: the end of the daemon that waits, which keeps a copy of the leader's journal."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import structlog

from callrouter.core.leading import CopyNow, Sign, Silence
from callrouter.errors import CallrouterError
from callrouter.runtime.peer_line import SHAKE_S, Address
from callrouter.runtime.peer_words import (
    ENDED,
    Beat,
    Left,
    NoFriendError,
    Robbed,
    Rows,
    Secret,
    Waiting,
    Wants,
    Word,
    Yours,
    hear,
    say,
)

log = structlog.get_logger(__name__)

AGAIN_S: Final = 1.0
"""After how long a copy that failed is begun anew."""
LAST_ROWS_S: Final = 2.0
"""How long, when the line has ended, what came over it is still brought to the disk."""


class Copy(Protocol):
    """The journal of who waits: a copy of the leader's."""

    async def since(self) -> float:
        """From when on records are needed (seconds since 1970)."""
        ...

    async def leftovers(self) -> list[bytes]:
        """What may be in this journal alone."""
        ...

    async def take(self, rows: Sequence[Rows]) -> None:
        """Have these on the disk. Raises CallrouterError: they cannot be kept, and the whole must come anew."""


class PeerWaiting:
    """The end of one who waits: :meth:`watch` connects, copies, and says what is seen of the leader.

    ``open_copy`` opens this daemon's own journal as a copy. ``reaches`` tells whether this daemon reaches an Asterisk.
    """

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext,
        secret: Secret,
        open_copy: Callable[[], AbstractAsyncContextManager[Copy]],
        *,
        silence_s: float,
        beat_s: float,
        reaches: Callable[[], bool] = lambda: True,
    ) -> None:
        self._address = address
        self._context = context
        self._secret = secret
        self._open_copy = open_copy
        self._silence_s = silence_s
        self._beat_s = beat_s
        self._reaches = reaches
        self.heard: tuple[int, int] | None = None
        """What the leader said last: its term, and how often that was proven."""
        self.has_whole = False
        """Whether the copy has had the whole over the last line."""
        self._current_s: float | None = None
        """When (monotonic) the journal was last known to miss nothing; None: never since the start."""
        self.trouble = ""
        """Why there is no copy; empty while there is one."""
        self._copied = 0
        self._again_s = 0.0
        """When (monotonic) a copy that failed is begun anew."""
        self._told = ""

    @property
    def copy(self) -> CopyNow:
        """How our copy is doing: whether it was whole since the start, and how long ago it was up to date."""
        age_s = time.monotonic() - self._current_s if self._current_s is not None else 0.0
        return CopyNow(self._current_s is not None, 0, age_s)

    def led(self) -> None:
        """This daemon has led until now: what is in its journal is all there is."""
        self._current_s = time.monotonic()

    async def watch(self) -> AsyncGenerator[Sign, None]:
        """The signs of one connection: beats, and at last that the leader is gone, hangs or yields."""
        try:
            async with asyncio.timeout(SHAKE_S):
                reader, writer = await self._connect()
        except TimeoutError:
            yield Sign.NO_ANSWER
            return
        except OSError:
            yield Sign.GONE
            return
        try:
            last = await self._shake(reader, writer)
            if last is Sign.BEATS:
                async with contextlib.AsyncExitStack() as stack:
                    line = _Line(reader, writer)
                    copy = await self._begin_copy(stack, line)
                    copying = asyncio.create_task(self._write(line, copy)) if copy is not None else None
                    try:
                        async with contextlib.aclosing(self._read(line, copying)) as signs:
                            async for last in signs:
                                if last is not Sign.BEATS:
                                    break
                                yield last
                    finally:
                        await self._finish(line, copying)
            yield last  # whoever takes over opens the journal, which is closed by now
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._address
        return await asyncio.open_connection(host, port, ssl=self._context)

    async def _shake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Sign:
        """Prove who we are, and see who it is; beats: the other daemon."""
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        try:
            async with asyncio.timeout(SHAKE_S):
                await self._secret.prove_as_waiting(reader, writer, certificate or b"")
        except NoFriendError as error:
            self._tell(f"who answers at {self._address[0]}:{self._address[1]} is not the other daemon: {error}")
            return Sign.GONE
        except TimeoutError:
            return Sign.NO_ANSWER
        except (OSError, EOFError):
            self._tell(
                f"the other daemon at {self._address[0]}:{self._address[1]} closes the line: is its secret ours?"
            )
            return Sign.GONE
        self._told = ""
        return Sign.BEATS

    async def _begin_copy(self, stack: contextlib.AsyncExitStack, line: "_Line") -> Copy | None:
        self._copied, self.has_whole = 0, False
        try:
            copy = await stack.enter_async_context(self._open_copy())
            for left in await copy.leftovers():
                say(line.writer, Left(left))
            say(line.writer, Wants(await copy.since()))
        except CallrouterError as error:
            self._fails(error)
            return None
        return copy

    async def _read(self, line: "_Line", copying: "asyncio.Task[None] | None") -> AsyncGenerator[Sign, None]:
        silence = Silence(time.monotonic(), limit_s=self._silence_s, step_s=self._beat_s)
        reading: asyncio.Task[Word] | None = None
        try:
            while True:
                self._say_waiting(line)
                reading = reading or asyncio.create_task(hear(line.reader))
                await asyncio.wait((reading,), timeout=self._beat_s / 2)
                if (copying is None or copying.done()) and time.monotonic() >= self._again_s:
                    yield Sign.GONE  # the copy is begun anew, with a new line
                    return
                if not reading.done():
                    if silence.is_too_long(time.monotonic()):
                        yield Sign.SILENT
                        return
                    continue
                sign = self._understood(line, reading)
                reading = None
                if sign is Sign.BEATS:
                    silence.heard(time.monotonic())
                yield sign
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    def _understood(self, line: "_Line", reading: "asyncio.Task[Word]") -> Sign:
        try:
            word = reading.result()
        except ENDED:
            return Sign.GONE
        match word:
            case Beat():
                self.heard = word.term, word.proofs
                self._is_current(line)
            case Rows():
                line.rows.append(word)
                line.came.set()
            case Yours():
                return Sign.YIELDS
            case Robbed():
                return Sign.ROBBED
            case _:
                return Sign.GONE
        return Sign.BEATS

    async def _write(self, line: "_Line", copy: Copy) -> None:
        """Bring what comes to the disk, all that has come at once; until the line has ended, or until it cannot be."""
        while line.rows or not line.has_ended:
            await line.came.wait()
            line.came.clear()
            rows, line.rows = line.rows, []
            if not rows:
                continue
            try:
                await copy.take(rows)
            except CallrouterError as error:
                self._fails(error)
                return
            self.trouble = ""
            self._copied = rows[-1].number
            self.has_whole = self.has_whole or any(row.is_last for row in rows) or not rows[-1].is_whole
            self._is_current(line)
            self._say_waiting(line)

    def _is_current(self, line: "_Line") -> None:
        if self.has_whole and not line.rows and not self.trouble:
            self._current_s = time.monotonic()

    async def _finish(self, line: "_Line", copying: "asyncio.Task[None] | None") -> None:
        """Bring to the disk what has come."""
        line.has_ended = True
        line.came.set()
        if copying is not None:
            await asyncio.wait((copying,), timeout=LAST_ROWS_S)
            copying.cancel()
            await asyncio.gather(copying, return_exceptions=True)

    def _say_waiting(self, line: "_Line") -> None:
        if not line.writer.is_closing():
            say(line.writer, Waiting(self._reaches(), self._copied))

    def _fails(self, error: CallrouterError) -> None:
        if str(error) != self.trouble:
            log.error(
                "standby.not_copied", why=str(error), remedy="until then this daemon could not take over all calls"
            )
        self.trouble = str(error)
        self._again_s = time.monotonic() + AGAIN_S

    def _tell(self, why: str) -> None:
        if why != self._told:
            log.error(
                "standby.no_line", why=why, remedy="the same secret, and each the other's address, on both machines"
            )
        self._told = why


class _Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.rows: list[Rows] = []
        self.came = asyncio.Event()
        self.has_ended = False
