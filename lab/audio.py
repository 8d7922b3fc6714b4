"""Tones to speak with, and a measure of which tone a recording holds."""

import array
import math
import sys
import wave
from pathlib import Path

RATE_HZ = 8000
FULL_SCALE = 32767
BLOCK_S = 0.1
"""Recordings are judged in blocks this long: two tones 20 Hz or more apart are told from one another."""

QUIETEST = 0.01
"""Amplitude (of 1) below which a block counts as silence."""

PURE = 0.5
"""Share of a block's power that a tone must have to be what is heard in it."""


AMONG_OTHERS = 0.15
"""Share of a block's power that a tone must have to be heard among others."""


def write_tone(path: Path, frequency_hz: float, *, duration_s: float = 120.0, amplitude: float = 0.4) -> Path:
    """Write a sine of ``frequency_hz`` as an 8 kHz mono WAV of 16 bits and return ``path``."""
    count = int(duration_s * RATE_HZ)
    step = 2 * math.pi * frequency_hz / RATE_HZ
    samples = array.array("h", (int(amplitude * FULL_SCALE * math.sin(step * n)) for n in range(count)))
    write_samples(path, samples)
    return path


def write_samples(path: Path, samples: "array.array[int]") -> None:
    """Write 16-bit ``samples`` as an 8 kHz mono WAV, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    with wave.open(str(draft), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE_HZ)
        target.writeframes(_little_endian(samples).tobytes())
    draft.replace(path)


def read_samples(path: Path) -> tuple["array.array[int]", int]:
    """The samples of the first channel of a 16-bit WAV, and its rate in Hz.

    Raises:
        ValueError: it has another sample size.
    """
    with wave.open(str(path), "rb") as source:
        if source.getsampwidth() != 2:
            raise ValueError(f"{path}: {8 * source.getsampwidth()} bits a sample; 16 are read here")
        samples = array.array("h", source.readframes(source.getnframes()))
        return _little_endian(samples)[:: source.getnchannels()], source.getframerate()


def _little_endian(samples: "array.array[int]") -> "array.array[int]":
    if sys.byteorder == "big":
        samples = array.array("h", samples)
        samples.byteswap()
    return samples


def tone_share(samples: "array.array[int]", rate_hz: int, frequency_hz: float) -> float:
    """The share of the power of ``samples`` that lies at ``frequency_hz``: 1 for the pure tone, 0 for none.

    Goertzel's algorithm (G. Goertzel, The American Mathematical Monthly, January 1958).
    """
    power = float(sum(sample * sample for sample in samples))
    if power == 0:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * frequency_hz / rate_hz)
    before, last = 0.0, 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    at_frequency = last * last + before * before - coefficient * last * before
    return 2 * at_frequency / (len(samples) * power)


def tone_seconds(path: Path, *frequencies_hz: float) -> float:
    """For how many seconds the recording ``path`` holds this tone, or these tones sounding together."""
    samples, rate_hz = read_samples(path)
    block = int(rate_hz * BLOCK_S)
    heard = sum(
        _is_audible(part) and sum(tone_share(part, rate_hz, tone) for tone in frequencies_hz) >= PURE
        for start in range(0, len(samples) - block + 1, block)
        for part in (samples[start : start + block],)
    )
    return heard * BLOCK_S


def heard_seconds(path: Path, frequency_hz: float) -> float:
    """For how many seconds the recording ``path`` holds this tone, alone or among one or two others as loud."""
    samples, rate_hz = read_samples(path)
    block = int(rate_hz * BLOCK_S)
    parts = (samples[start : start + block] for start in range(0, len(samples) - block + 1, block))
    return (
        sum(_is_audible(part) and tone_share(part, rate_hz, frequency_hz) >= AMONG_OTHERS for part in parts) * BLOCK_S
    )


def chord_seconds(path: Path, *frequencies_hz: float) -> float:
    """For how many seconds the recording ``path`` holds all these tones at once, about equally loud."""
    samples, rate_hz = read_samples(path)
    block = int(rate_hz * BLOCK_S)
    heard = sum(
        _is_audible(part) and all(tone_share(part, rate_hz, tone) >= PURE / 2 for tone in frequencies_hz)
        for start in range(0, len(samples) - block + 1, block)
        for part in (samples[start : start + block],)
    )
    return heard * BLOCK_S


def sound_seconds(path: Path) -> float:
    """For how many seconds anything at all is heard in the recording ``path``."""
    samples, rate_hz = read_samples(path)
    block = int(rate_hz * BLOCK_S)
    starts = range(0, len(samples) - block + 1, block)
    return sum(_is_audible(samples[start : start + block]) for start in starts) * BLOCK_S


def _is_audible(samples: "array.array[int]") -> bool:
    mean_power = sum(sample * sample for sample in samples) / len(samples)
    return math.sqrt(2 * mean_power) >= QUIETEST * FULL_SCALE
