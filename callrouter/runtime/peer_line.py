"""The line between the daemon that leads on one machine and the one that waits on another: the leader's end.

It is :mod:`callrouter.runtime.leader_line` over a network: beats, the word to take over, and what is committed to the
leader's journal besides. Who waits says how much of that is on its disk.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from callrouter.core.leading import CopyNow
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

Address = tuple[str, int]
"""Host and port."""

SHAKE_S: Final = 2.0
"""How long the other end may take to show who it is."""
MOST_STRANGERS: Final = 8
"""At once: who speaks to this port without knowing the secret costs no more than that."""
UNHEARD_S: Final = 15.0
"""A line on which the other has said nothing for so long is let go of."""
LISTEN_AGAIN_S: Final = 1.0


class Source(Protocol):
    """The leader's journal, for those who copy it."""

    async def take_in(self, left: bytes) -> None:
        """Deliver what the journal of who waits had left. Raises CallrouterError: it cannot be kept."""

    def stream(self, since: float) -> AsyncGenerator[tuple[bytes, bool, bool], None]:
        """The whole (body, True, whether it is the last), then what is committed (body, False, False), for ever.

        Raises CallrouterError: it is to be begun anew.
        """
        ...


class _One:
    """One who waits."""

    def __init__(self, writer: asyncio.StreamWriter, now_s: float, silent_s: float) -> None:
        self.writer = writer
        self.heard_s = now_s - silent_s
        self.reaches = False
        self.sent = 0
        self.copied = 0
        self.whole_at: int | None = None
        """The number of the whole's last part."""
        self.waits_since_s: float | None = None
        """Since when something is not on its disk."""

    @property
    def has_whole(self) -> bool:
        return self.whole_at is not None and self.copied >= self.whole_at

    def has_copied(self, number: int, now_s: float) -> None:
        if number != self.copied:
            self.copied = number
            self.waits_since_s = now_s if number < self.sent else None

    def sends(self, now_s: float) -> int:
        self.sent += 1
        self.waits_since_s = self.waits_since_s if self.waits_since_s is not None else now_s
        return self.sent

    def now(self, now_s: float) -> CopyNow:
        since_s = self.waits_since_s
        return CopyNow(self.has_whole, self.sent - self.copied, now_s - since_s if since_s is not None else 0.0)


class PeerLine:
    """The leader's end, open while entered; where the port cannot be had it is tried again, and calls go on.

    ``mark`` tells the term's number, and how often it was proven; ``certificate`` is what ``context`` shows, as DER.
    """

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext,
        certificate: bytes,
        secret: Secret,
        mark: Callable[[], tuple[int, int]],
        source: Source,
        *,
        beat_s: float,
    ) -> None:
        self._address = address
        self._context = context
        self._certificate = certificate
        self._secret = secret
        self._mark = mark
        self._source = source
        self._beat_s = beat_s
        self._waiting: list[_One] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._strangers = 0
        self._moved = asyncio.Event()
        """Set when one who waits has said something."""
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """How many wait, and have said so lately."""
        return len(self._alive())

    @property
    def other_reaches(self) -> bool:
        """Whether one who waits reaches an Asterisk."""
        return any(one.reaches for one in self._alive())

    @property
    def copy(self) -> CopyNow | None:
        """How the best copy is doing; None if nobody copies."""
        now_s = time.monotonic()
        copies = sorted((one.now(now_s) for one in self._alive()), key=lambda copy: (not copy.is_whole, copy.behind))
        return copies[0] if copies else None

    async def __aenter__(self) -> Self:
        """Listen; where that cannot be, try again and again."""
        listens = await self._listen()
        self._tasks = [asyncio.create_task(self._beat(), name="peer-line")]
        if not listens:
            self._tasks.append(asyncio.create_task(self._listen_later(), name="peer-line-listens"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for one in self._waiting:
            one.writer.close()
        for serving in tuple(self._serving):
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def hand_over(self) -> bool:
        """Tell one who waits to take over; False if nobody does who has a copy of all."""
        able = self._able()
        if able:
            say(max(able, key=lambda one: one.reaches).writer, Yours())
        return bool(able)

    async def settle(self, timeout_s: float) -> bool:
        """Wait until one who waits has all that was committed on its disk; False if that takes longer."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._able():
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def say_robbed(self) -> None:
        """Tell all who wait that a stranger took the application: they do not take it back."""
        for one in self._waiting:
            say(one.writer, Robbed())

    def _able(self) -> list[_One]:
        return [one for one in self._alive() if one.has_whole and one.copied == one.sent]

    def _alive(self) -> list[_One]:
        since_s = time.monotonic() - 2 * self._beat_s
        return [one for one in self._waiting if one.heard_s >= since_s]

    async def _listen(self, *, tells: bool = True) -> bool:
        host, port = self._address
        try:
            self._server = await asyncio.start_server(
                self._come, host, port, ssl=self._context, ssl_handshake_timeout=SHAKE_S
            )
        except OSError as error:
            if tells:
                remedy = "see to standby: listen; until then no daemon can take over with this one's calls"
                log.error("peer_line.not_listening", address=f"{host}:{port}", why=str(error), remedy=remedy)  # noqa: TRY400
            return False
        return True

    async def _listen_later(self) -> None:
        listens = False
        while not listens:
            await asyncio.sleep(LISTEN_AGAIN_S)
            listens = await self._listen(tells=False)

    async def _beat(self) -> None:
        while True:
            now_s = time.monotonic()
            for one in self._waiting:
                if now_s - one.heard_s > UNHEARD_S:
                    one.writer.transport.abort()
                elif not one.writer.is_closing():
                    say(one.writer, Beat(*self._mark()))
            await asyncio.sleep(self._beat_s)

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - we are in one
        self._serving.add(task)
        try:
            if await self._is_friend(reader, writer):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # we lead no more
        finally:
            writer.close()
            self._serving.discard(task)

    async def _is_friend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self._strangers >= MOST_STRANGERS:
            return False
        self._strangers += 1
        try:
            async with asyncio.timeout(SHAKE_S):
                await self._secret.prove_as_leader(reader, writer, self._certificate)
        except NoFriendError as error:
            log.warning("peer_line.stranger", address=writer.get_extra_info("peername"), why=str(error))
            return False
        except (OSError, EOFError, TimeoutError):
            return False
        finally:
            self._strangers -= 1
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one = _One(writer, time.monotonic(), 2 * self._beat_s)
        self._waiting.append(one)
        say(writer, Beat(*self._mark()))
        copying: asyncio.Task[None] | None = None
        try:
            while True:
                word = await hear(reader)
                one.heard_s = time.monotonic()
                if isinstance(word, Wants) and copying is None:
                    copying = asyncio.create_task(self._copy(one, word.since))
                else:
                    await self._hear(one, word)
        except ENDED:
            pass
        except Exception as error:
            log.exception("peer_line.defect", why=str(error))
        finally:
            self._waiting.remove(one)
            if copying is not None:
                copying.cancel()
                await asyncio.gather(copying, return_exceptions=True)

    async def _hear(self, one: _One, word: Word) -> None:
        match word:
            case Waiting():
                one.reaches = word.reaches
                one.has_copied(word.copied, one.heard_s)
                self._moved.set()
            case Left():
                await self._source.take_in(word.body)
            case _:
                raise NoFriendError(f"{type(word).__name__} is not said by who waits")

    async def _copy(self, one: _One, since: float) -> None:
        try:
            async with contextlib.aclosing(self._source.stream(since)) as parts:
                async for body, is_whole, is_last in parts:
                    number = one.sends(time.monotonic())
                    if is_last:
                        one.whole_at = number
                    say(one.writer, Rows(number, body, is_whole, is_last))
                    await one.writer.drain()
        except OSError:
            pass
        except Exception as error:  # whatever it is: who waits begins anew
            log.warning("peer_line.copy_ended", why=str(error))
        one.writer.transport.abort()
