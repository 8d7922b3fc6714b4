"""Choices that callers let us remember: known at once from memory, kept on disk, gone when their time is over.

No number is kept. A caller is a digest of his number (HMAC-SHA-256, RFC 2104) under a secret that is made on this
machine and lies beside the file: with the file alone nobody can try all numbers. A choice that is taken back, or is
over, is overwritten on disk.

It is a convenience, and never in a call's way: a disk that takes nothing is tried again in the background, and a file
that is damaged, or whose secret is gone, is begun anew: callers are asked again.
"""

import asyncio
import contextlib
import hmac
import os
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from callrouter.core.ids import RegionName

log = structlog.get_logger(__name__)

FILE_NAME: Final = "remembered.sqlite3"
KEY_NAME: Final = "remembered.key"
MOST_CALLERS: Final = 100_000
"""Beyond these, the choice that would have been over first makes room for a new one."""
EXPIRE_EVERY_S: Final = 3600.0
RETRY_S: Final = 5.0

_KEY_BYTES = 32
_DIGEST_BYTES = 16
_MODE = 0o600
_BUSY_TIMEOUT_S = 1.0
_WAITING = 10_000
_VERSION = 1
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE remembered (caller BLOB PRIMARY KEY, region TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """What one caller chose, and until when (seconds since 1970) that is kept."""

    region: RegionName
    until: float


@dataclass(frozen=True, slots=True)
class RememberedNow:
    """How many callers are remembered, until when the last of them is (aware UTC), and why nothing is kept just now."""

    callers: int
    until: datetime | None
    error: str | None


class Remembered:
    """The choices kept in ``folder``, while entered. ``now`` tells the time (aware).

    :meth:`recall`, :meth:`remember` and :meth:`forget` take numbers in one form (E.164), answer at once and never
    raise; :meth:`run` keeps the disk up with them.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime], *, most: int = MOST_CALLERS) -> None:
        self.path = folder / FILE_NAME
        self.error: str | None = None
        """Why what is known is not on disk; None while it is, or soon will be."""
        self._key_path = folder / KEY_NAME
        self._now = now
        self._most = most
        self._key: bytes | None = None
        self._choices: dict[bytes, Choice] = {}
        self._unsaved: set[bytes] = set()
        self._waiting: deque[tuple[str, Choice | None]] = deque(maxlen=_WAITING)
        """What was wanted while the file could not be opened."""
        self._is_to_begin_anew = False
        self._changed = asyncio.Event()
        self._saving = asyncio.Lock()
        self._writing = threading.Lock()

    async def __aenter__(self) -> Self:
        """Read what is there. What is in the way is logged, and tried again by :meth:`run`."""
        await self._open()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what is not on disk yet."""
        if not await self.save():
            log.error("memory.not_written", path=str(self.path), why=self.error)

    async def run(self) -> None:
        """Write changes as they come, and drop what is over, until cancelled."""
        while True:
            self._expire()
            if not await self.save():
                await asyncio.sleep(RETRY_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXPIRE_EVERY_S):
                    await self._changed.wait()

    @property
    def now(self) -> RememberedNow:
        """For people and programs."""
        live = [choice.until for choice in self._choices.values() if choice.until > self._now().timestamp()]
        return RememberedNow(len(live), datetime.fromtimestamp(max(live), UTC) if live else None, self.error)

    @property
    def callers(self) -> int:
        """How many callers are remembered, about: what was over a little while ago may still count."""
        return len(self._choices)

    def recall(self, number: str, at: datetime) -> RegionName | None:
        """The region that this caller chose, unless that is not remembered, or its time was over at ``at`` (aware)."""
        choice = self._choices.get(self._digest(number)) if self._key is not None and self._choices else None
        return choice.region if choice is not None and choice.until > at.timestamp() else None

    def remember(self, number: str, region: RegionName, until: datetime) -> None:
        """Keep a choice up to ``until`` (aware), in place of an earlier one."""
        self._take(number, Choice(region, until.timestamp()))

    def forget(self, number: str) -> bool:
        """Keep nothing of this caller any more; whether there was anything."""
        return self._take(number, None)

    def forget_all(self) -> int:
        """Keep nothing of anybody; of how many callers there was something."""
        forgotten = len(self._choices)
        self._waiting.clear()
        self._is_to_begin_anew = self._key is None
        self._unsaved |= self._choices.keys()
        self._choices.clear()
        self._changed.set()
        return forgotten

    async def save(self) -> bool:
        """Bring the disk up to date; whether it is. If not, ``error`` says why."""
        async with self._saving:  # who asks second is told of the first one's failure, too
            self._changed.clear()
            if self._key is None and not await self._open():
                return False
            return await self._save() if self._unsaved else True

    async def _save(self) -> bool:
        digests, self._unsaved = self._unsaved, set()
        try:
            await asyncio.to_thread(self._write, digests)
        except (sqlite3.Error, OSError, _NewerError) as exc:
            self._unsaved |= digests
            if _is_damage(exc):
                self._unsaved |= self._choices.keys()
                await asyncio.to_thread(self._remove, "written anew")
            return self._failed(exc)
        except BaseException:  # given up in the middle: whether it was written is not known, and twice does no harm
            self._unsaved |= digests
            raise
        return self._well()

    async def _open(self) -> bool:
        try:
            key, choices = await asyncio.to_thread(self._read)
        except (sqlite3.Error, OSError, _NewerError) as exc:
            return self._failed(exc)
        self._key, self._choices = key, choices
        if self._is_to_begin_anew:
            self.forget_all()
        waiting, self._waiting = self._waiting, deque(maxlen=_WAITING)
        for number, choice in waiting:
            self._take(number, choice)
        return self._well()

    def _take(self, number: str, choice: Choice | None) -> bool:
        if self._key is None:
            self._waiting.append((number, choice))
            return False
        digest = self._digest(number)
        there = self._choices.pop(digest, None)
        if choice is not None:
            self._make_room()
            self._choices[digest] = choice
        if there is not None or choice is not None:
            self._unsaved.add(digest)
            self._changed.set()
        return there is not None

    def _make_room(self) -> None:
        if len(self._choices) < self._most:
            return
        self._expire()
        if len(self._choices) >= self._most:
            self._drop(min(self._choices, key=lambda digest: self._choices[digest].until))
            log.warning("memory.full", callers=self._most)

    def _expire(self) -> None:
        at = self._now().timestamp()
        for digest in [digest for digest, choice in self._choices.items() if choice.until <= at]:
            self._drop(digest)

    def _drop(self, digest: bytes) -> None:
        del self._choices[digest]
        self._unsaved.add(digest)
        self._changed.set()

    def _digest(self, number: str) -> bytes:
        assert self._key is not None  # noqa: S101 - asked for by those who have looked
        return hmac.digest(self._key, number.encode(), "sha256")[:_DIGEST_BYTES]

    def _failed(self, exc: Exception) -> bool:
        if self.error is None:
            log.error("memory.failing", path=str(self.path), why=str(exc))
        self.error = str(exc)
        self._changed.set()
        return False

    def _well(self) -> bool:
        if self.error is not None:
            log.warning("memory.mended", path=str(self.path), was=self.error)
        self.error = None
        return True

    # In a thread of their own.

    def _read(self) -> tuple[bytes, dict[bytes, Choice]]:
        key, is_new = _key_of(self._key_path)
        try:
            rows = self._rows(is_new)
        except sqlite3.DatabaseError as exc:
            if not _is_damage(exc):
                raise
            self._remove("callers are asked again")
            rows = self._rows(is_new)
        return key, {digest: Choice(RegionName(region), until) for digest, region, until in rows}

    def _rows(self, key_is_new: bool) -> list[tuple[bytes, str, float]]:
        with self._file() as connection:
            if key_is_new and connection.execute("DELETE FROM remembered").rowcount:
                log.error("memory.lost", path=str(self.path), why="its secret is gone: callers are asked again")
            return connection.execute("SELECT caller, region, until FROM remembered").fetchall()

    def _remove(self, what_then: str) -> None:
        """Take a damaged file away. It is not kept: it may hold what was to be forgotten."""
        log.error("memory.lost", path=str(self.path), why=f"the file is damaged: {what_then}")
        self.path.unlink(missing_ok=True)
        self.path.with_name(self.path.name + "-journal").unlink(missing_ok=True)

    def _write(self, digests: set[bytes]) -> None:
        # What is known is looked up here, and not handed over: of two writers the later must not write the older.
        with self._writing, self._file() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for digest in digests:
                choice = self._choices.get(digest)
                if choice is None:
                    connection.execute("DELETE FROM remembered WHERE caller = ?", (digest,))
                else:
                    values = (digest, choice.region, choice.until)
                    connection.execute("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)", values)
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        with contextlib.suppress(OSError):  # SQLite says more exactly what is in the way
            self.path.touch(mode=_MODE)
            self.path.chmod(_MODE)
        with contextlib.closing(
            sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        ) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise _NewerError(f"{self.path}: a newer callrouter wrote it; start that one, or move the file away")
            if version < _VERSION:
                connection.executescript(_SCHEMA)
            yield connection


class _NewerError(Exception):
    """The file is of a version that this program does not know."""


def _key_of(path: Path) -> tuple[bytes, bool]:
    """This installation's secret, and whether it is new. One that is cut short is replaced."""
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key, False
        path.unlink()
    key = secrets.token_bytes(_KEY_BYTES)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        os.write(file, key)
        os.fsync(file)
    finally:
        os.close(file)
    return key, True


def _is_damage(exc: Exception) -> bool:
    code = getattr(exc, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
