"""Sound for telephones: 8 kHz, mono, 16 bits (ITU-T G.711's rate), made and converted without other programs."""

import array
import math
import os
import sys
import wave
from collections.abc import Sequence
from operator import mul
from pathlib import Path

RATE_HZ = 8000
PASS_HZ = 3600.0
"""Everything above is filtered out before sampling at 8 kHz; the telephone's band ends at 3400 Hz."""

CROSSINGS = 8
"""How many zero crossings of the filter's sinc are kept on each side."""

MUSIC_AMPLITUDE = 0.12
CHORD_S = 4.0
CHORDS_HZ = (
    (130.81, 196.00, 329.63, 493.88),
    (110.00, 220.00, 329.63, 523.25),
    (174.61, 261.63, 349.23, 440.00),
    (146.83, 220.00, 349.23, 523.25),
    (130.81, 196.00, 392.00, 523.25),
    (164.81, 246.94, 392.00, 493.88),
    (174.61, 261.63, 440.00, 523.25),
    (196.00, 293.66, 392.00, 587.33),
)
"""C, a, F, d, C, e, F, G, softly: no melody that anyone could tire of, or own."""


def resample(samples: Sequence[int], rate_hz: int) -> "array.array[int]":
    """``samples`` of ``rate_hz`` as 8 kHz samples, low-pass filtered (windowed sinc, one set of taps a phase)."""
    if rate_hz == RATE_HZ:
        return array.array("h", samples)
    divisor = math.gcd(rate_hz, RATE_HZ)
    step, phases = rate_hz // divisor, RATE_HZ // divisor
    half = math.ceil(CROSSINGS * rate_hz / (2 * PASS_HZ))
    taps = [_taps(phase / phases, half, rate_hz) for phase in range(phases)]
    padded = [0] * half + list(samples) + [0] * (half + 1)
    result = array.array("h")
    for index in range(len(samples) * phases // step):
        place, phase = divmod(index * step, phases)
        value = sum(map(mul, taps[phase], padded[place : place + 2 * half + 1]))
        result.append(max(-32768, min(32767, round(value))))
    return result


def _taps(offset: float, half: int, rate_hz: int) -> list[float]:
    """The filter for output that lies ``offset`` of an input sample after one; its sum is 1."""
    width = 2 * PASS_HZ / rate_hz
    taps = []
    for index in range(-half, half + 1):
        distance = index - offset
        window = 0.5 + 0.5 * math.cos(math.pi * distance / (half + 1))
        angle = math.pi * width * distance
        taps.append(window * (math.sin(angle) / angle if angle else 1.0))
    total = sum(taps)
    return [tap / total for tap in taps]


def hold_music() -> "array.array[int]":
    """About half a minute of soft chords that join without a seam when repeated."""
    result = array.array("h")
    count = int(CHORD_S * RATE_HZ)
    for chord in CHORDS_HZ:
        steps = [2 * math.pi * frequency_hz / RATE_HZ for frequency_hz in chord]
        scale = MUSIC_AMPLITUDE * 32767 / len(chord)
        for n in range(count):
            swell = math.sin(math.pi * n / count)
            result.append(int(scale * swell * sum(math.sin(step * n) for step in steps)))
    return result


def read_wav(path: Path) -> tuple["array.array[int]", int]:
    """The samples and the rate in Hz of a mono WAV of 16 bits.

    Raises:
        ValueError: it is another kind of WAV, or none.
    """
    try:
        with wave.open(str(path), "rb") as source:
            if (source.getnchannels(), source.getsampwidth()) != (1, 2):
                raise ValueError(f"{path} is not mono with 16 bits")
            samples = array.array("h", source.readframes(source.getnframes()))
            rate_hz = source.getframerate()
    except (wave.Error, EOFError) as exc:
        raise ValueError(f"{path} is not a WAV file: {exc}") from exc
    if sys.byteorder == "big":
        samples.byteswap()
    return samples, rate_hz


def write_wav(path: Path, samples: "array.array[int]") -> None:
    """Write 8 kHz samples so that Asterisk sees the whole file or none, and may read it whoever it runs as."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    data = array.array("h", samples)
    if sys.byteorder == "big":
        data.byteswap()
    try:
        with wave.open(str(draft), "wb") as target:
            target.setnchannels(1)
            target.setsampwidth(2)
            target.setframerate(RATE_HZ)
            target.writeframes(data.tobytes())
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
