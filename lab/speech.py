"""What a phone says and hears on one of its lines: RTP with G.711 µ-law (RFC 3551), a tone out and a recording in; and
its keys (RFC 4733).
"""

import array
import asyncio
import contextlib
import math
import re
import secrets
import struct
import tempfile
import time
from pathlib import Path
from typing import Final

from lab import audio, ports
from lab.errors import LabError

FRAME: Final = 160
"""Samples in a packet: 20 ms."""
FRAME_S: Final = FRAME / audio.RATE_HZ
KEYS: Final = "0123456789*#"
KEY_FRAMES: Final = 5
"""So long a key is held: 100 ms."""
KEY_PAUSE_S: Final = 0.1
OPEN_TRIES: Final = 5
_PT_ULAW: Final = 0
_PT_KEYS: Final = 101
_LAST_SENT: Final = 3
"""So often it is said that a key was let go: packets get lost."""
_LET_GO: Final = 0x80
_VOLUME: Final = 10
_EVENTS = re.compile(r"^a=rtpmap:(?P<type>\d+) telephone-event/", re.MULTILINE)
_CLIP: Final = 32_635
_BIAS: Final = 132


def to_ulaw(sample: int) -> int:
    """One sample of 16 bits as µ-law (ITU-T G.711)."""
    sign, sample = (0x80, -sample) if sample < 0 else (0, sample)
    sample = min(sample, _CLIP) + _BIAS
    exponent = max(0, sample.bit_length() - 8)
    return ~(sign | exponent << 4 | sample >> (exponent + 3) & 0x0F) & 0xFF


def from_ulaw(code: int) -> int:
    """The sample of 16 bits that a µ-law code stands for."""
    code = ~code & 0xFF
    sample = ((code & 0x0F) << 3) + _BIAS << (code >> 4 & 7)
    return _BIAS - sample if code & 0x80 else sample - _BIAS


_DECODED: Final = tuple(from_ulaw(code) for code in range(256))


class Keypad(asyncio.DatagramProtocol):
    """One line without sound: open it, and press its keys."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = 0
        """Known once it is open."""
        self.speaks = False
        """Whether there is anything to be said: not while the far side is on hold."""
        self._to: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._source = secrets.randbits(32)
        self._sent = 0
        self._begun = 0.0
        self._events = _PT_KEYS
        self._is_pressed = False

    async def open(self) -> None:
        """Be there.

        Raises:
            LabError: no port is to be had.
        """
        loop = asyncio.get_running_loop()
        for _ in range(OPEN_TRIES):
            self.port = ports.free_udp(self.address)
            with contextlib.suppress(OSError):  # somebody was quicker
                local = (self.address, self.port)
                self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=local)
                break
        else:
            raise LabError(f"{self.address} has no free port for sound")
        self._begun = time.monotonic()

    async def close(self) -> None:
        """Be there no more."""
        if self._transport is not None:
            self._transport.close()

    def speak_to(self, description: str) -> None:
        """Send to whom the far side's session description (RFC 4566) names."""
        lines = dict(line.split("=", 1) for line in description.splitlines() if line.startswith(("c=", "m=")))
        if "m" in lines and "c" in lines:
            self._to = (lines["c"].split()[-1], int(lines["m"].split()[1]))
        if found := _EVENTS.search(description):
            self._events = int(found["type"])

    async def press(self, keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            self._is_pressed = True
            at = self._now()
            for held in range(1, KEY_FRAMES + 1):
                self._tell_key(key, at, held, is_first=held == 1)
                await asyncio.sleep(FRAME_S)
            for _ in range(_LAST_SENT):
                self._tell_key(key, at, KEY_FRAMES, is_over=True)
            self._is_pressed = False
            await asyncio.sleep(KEY_PAUSE_S)

    def _tell_key(self, key: str, at: int, held: int, *, is_first: bool = False, is_over: bool = False) -> None:
        body = struct.pack("!BBH", KEYS.index(key), _VOLUME | (_LET_GO if is_over else 0), held * FRAME)
        self._send(self._events | (0x80 if is_first else 0), at, body)

    def _now(self) -> int:
        return int((time.monotonic() - self._begun) * audio.RATE_HZ)

    def _send(self, kind: int, at: int, body: bytes) -> None:
        if self._to is None or self._transport is None or self._transport.is_closing():
            return
        head = struct.pack("!BBHII", 0x80, kind, self._sent & 0xFFFF, at & 0xFFFFFFFF, self._source)
        self._transport.sendto(head + body, self._to)
        self._sent += 1


class Speech(Keypad):
    """One line's sound: open it, let it speak to somebody, ask what was heard."""

    def __init__(self, address: str, tone_hz: float | None) -> None:
        super().__init__(address)
        self._heard = array.array("h")
        self._speaking: asyncio.Task[None] | None = None
        step = 2 * math.pi * (tone_hz or 0) / audio.RATE_HZ
        amplitude = 0.4 * audio.FULL_SCALE if tone_hz else 0.0
        second = bytes(to_ulaw(int(amplitude * math.sin(step * n))) for n in range(audio.RATE_HZ))
        self._frames = [second[start : start + FRAME] for start in range(0, len(second), FRAME)]

    async def open(self) -> None:
        """Listen, and speak as soon as it is known to whom."""
        await super().open()
        self._speaking = asyncio.create_task(self._speak())

    async def close(self) -> None:
        """Be silent, and hear no more."""
        if self._speaking is not None:
            self._speaking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._speaking
        await super().close()

    def heard(self) -> Path:
        """A recording of all that was heard so far."""
        with tempfile.NamedTemporaryFile(prefix="heard-", suffix=".wav", delete=False) as file:
            path = Path(file.name)
        audio.write_samples(path, self._heard)
        return path

    def datagram_received(self, data: bytes, addr: object) -> None:
        """A packet of RTP came in."""
        if len(data) > 12 and data[1] & 0x7F == _PT_ULAW:
            self._heard.extend(_DECODED[code] for code in data[12:])

    async def _speak(self) -> None:
        number = 0
        while True:
            if self.speaks and not self._is_pressed:
                self._send(_PT_ULAW, number * FRAME, self._frames[number % len(self._frames)])
            number += 1
            await asyncio.sleep(max(0.0, self._begun + number * FRAME_S - time.monotonic()))
