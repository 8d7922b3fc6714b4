"""Keeps what comes into the exchange, without ever making it wait.

What was kept is on the disk a fifth of a second later. That is for looking back, not for going on: what must not be
lost is in the journal. A disk that is full or broken ends the keeping, is told once, and costs no call anything.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import structlog

from callrouter.core import events as ev
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId
from callrouter.core.output import Output
from callrouter.core.pins import Pin
from callrouter.replay.records import MAGIC, Began, GaveUp, Happened, Recalled, Record, Rules, digest, encoder, pack

log = structlog.get_logger(__name__)

FOLDER: Final = "inputs"
"""In the state folder."""
SUFFIX: Final = ".inputs"
FLUSH_S: Final = 0.2
TIDY_EVERY_S: Final = 3600.0
MOST_WAITING_BYTES: Final = 64 * 1024 * 1024
"""What the disk has not taken yet; a disk that is so far behind takes no more of this."""
_MODE: Final = 0o600
"""They hold residents' numbers, as the journal does."""


class Recorder:
    """Keeps one run, from ``at`` on, in a file of its own; see :mod:`callrouter.replay.records`."""

    def __init__(self, folder: Path, exchange: Exchange, at: datetime, keep_s: float, at_most_bytes: int) -> None:
        self.path = folder / f"{at:%Y%m%dT%H%M%S.%f}Z{SUFFIX}"
        self.why_ended = ""
        """Why no more is kept; empty while it is."""
        self.written_bytes = 0
        self._exchange = exchange
        self._keep_s = keep_s
        self._at_most_bytes = at_most_bytes
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="inputs")
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._pins: list[bool] = []
        self._event: tuple[datetime, str, bytes] = at, "", b""
        exchange.conduct.desks.check = self._check

    def began(self, at: datetime, version: str) -> None:
        """The run begins, with the exchange as it is."""
        self._keep(Began(at, version, self._exchange.rulebook.hash))

    def rules(self, config_hash: str, files: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """The text of rules that are about to go live."""
        self._keep(Rules(config_hash, dict(files), dict(environment)))

    def recalled(self, what: str, arguments: Sequence[object], out: Output | None, at: datetime) -> None:
        """What an earlier daemon had known was told to the exchange's method ``what``."""
        raw = tuple(msgspec.Raw(encoder.encode(argument)) for argument in arguments)
        self._keep(Recalled(at, what, raw, digest(out)))

    def before(self, event: ev.Event, at: datetime) -> None:
        """An event is about to be handled."""
        kept = event.rulebook.hash if isinstance(event, ev.RulebookReplaced) else self._exchange.without_secrets(event)
        self._event = at, type(event).__name__, encoder.encode(kept)

    def after(self, out: Output | None) -> None:
        """It has been; None: that raised."""
        at, kind, event = self._event
        pins, self._pins = tuple(self._pins), []
        self._keep(Happened(at, kind, msgspec.Raw(event), digest(out) if out is not None else b"", pins))

    def gave_up(self, call: CallId, why: str, out: Output, at: datetime) -> None:
        """A call was given up."""
        self._keep(GaveUp(at, call, why, digest(out)))

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        tidy_at = time.monotonic() + TIDY_EVERY_S
        try:
            while True:
                if time.monotonic() >= tidy_at:
                    tidy_at += TIDY_EVERY_S
                    self._writer.submit(self._make_room)
                await asyncio.sleep(FLUSH_S)
                records = self._take()
                if records:
                    await asyncio.wrap_future(self._writer.submit(self._write, records))
        finally:
            self.close()

    def close(self) -> None:
        """Write what is left, and no more."""
        self._writer.submit(self._write, self._take())
        self._writer.shutdown()

    def _keep(self, record: Record) -> None:
        if self.why_ended:
            return
        body = encoder.encode(record)
        self._waiting.append(body)
        self._waiting_bytes += len(body)
        if self._waiting_bytes > MOST_WAITING_BYTES:
            self._end(f"{self._waiting_bytes} bytes wait for the disk")

    def _take(self) -> list[bytes]:
        records, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return records

    def _write(self, records: list[bytes]) -> None:
        if not records or self.why_ended:
            return
        try:
            block = pack(records)
            if self.written_bytes + len(block) > self._at_most_bytes:
                self._end(f"the file has {self.written_bytes} bytes, the most it may have")
                return
            with open(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE), "ab") as file:
                if not self.written_bytes:
                    self.written_bytes += file.write(MAGIC)
                self.written_bytes += file.write(block)
        except OSError as error:
            self._end(str(error))

    def _make_room(self) -> None:
        try:
            make_room(self.path.parent, datetime.now(UTC), self._keep_s, self._at_most_bytes)
        except OSError as error:
            log.warning("inputs.not_tidied", why=str(error))

    def _end(self, why: str) -> None:
        self.why_ended = why
        self._waiting, self._waiting_bytes = [], 0
        log.warning("inputs.ended", why=why, file=str(self.path), remedy="they are kept again from the next start on")

    def _check(self, pin: Pin, digits: str) -> bool:
        self._pins.append(fits := pin.matches(digits))
        return fits


def make_room(folder: Path, now: datetime, keep_s: float, at_most_bytes: int) -> None:
    """Delete runs whose last input is older than ``keep_s`` seconds, and the oldest beyond so many bytes together.

    Raises:
        OSError: the folder cannot be made or read.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = at_most_bytes
    for path in sorted(folder.glob(f"*{SUFFIX}"), reverse=True):
        about = path.stat()
        left -= about.st_size
        if left < 0 or about.st_mtime < (now - timedelta(seconds=keep_s)).timestamp():
            path.unlink(missing_ok=True)
