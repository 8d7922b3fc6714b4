"""What a phone says and hears on one of its lines: RTP with G.711 µ-law (RFC 3551), a tone out and a recording in."""

import array
import asyncio
import contextlib
import math
import secrets
import struct
import tempfile
import time
from pathlib import Path
from typing import Final

from lab import audio, ports

FRAME: Final = 160
"""Samples in a packet: 20 ms."""
_PT_ULAW: Final = 0
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


class Speech(asyncio.DatagramProtocol):
    """One line's sound: open it, let it speak to somebody, ask what was heard."""

    def __init__(self, address: str, tone_hz: float | None) -> None:
        self.address = address
        self.port = ports.free_udp(address)
        self.speaks = False
        """Whether packets go out: not while the far side is on hold."""
        self._to: tuple[str, int] | None = None
        self._heard = array.array("h")
        self._transport: asyncio.DatagramTransport | None = None
        self._speaking: asyncio.Task[None] | None = None
        step = 2 * math.pi * (tone_hz or 0) / audio.RATE_HZ
        amplitude = 0.4 * audio.FULL_SCALE if tone_hz else 0.0
        second = bytes(to_ulaw(int(amplitude * math.sin(step * n))) for n in range(audio.RATE_HZ))
        self._frames = [second[start : start + FRAME] for start in range(0, len(second), FRAME)]

    async def open(self) -> None:
        """Listen, and speak as soon as it is known to whom."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.address, self.port))
        self._speaking = asyncio.create_task(self._speak())

    async def close(self) -> None:
        """Be silent, and hear no more."""
        if self._speaking is not None:
            self._speaking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._speaking
        if self._transport is not None:
            self._transport.close()

    def speak_to(self, description: str) -> None:
        """Send to whom the far side's session description (RFC 4566) names."""
        lines = dict(line.split("=", 1) for line in description.splitlines() if line.startswith(("c=", "m=")))
        if "m" in lines and "c" in lines:
            self._to = (lines["c"].split()[-1], int(lines["m"].split()[1]))

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
        source, number, begun = secrets.randbits(32), 0, time.monotonic()
        while True:
            if self.speaks and self._to is not None and self._transport is not None:
                head = struct.pack("!BBHII", 0x80, _PT_ULAW, number & 0xFFFF, number * FRAME & 0xFFFFFFFF, source)
                self._transport.sendto(head + self._frames[number % len(self._frames)], self._to)
            number += 1
            await asyncio.sleep(max(0.0, begun + number * FRAME / audio.RATE_HZ - time.monotonic()))
