"""Sound is brought to the telephone's rate without false tones."""

import math
from array import array
from pathlib import Path

import pytest

from callrouter.sound import RATE_HZ, read_wav, resample, write_wav


def sine(frequency_hz: float, rate_hz: int, duration_s: float = 0.5) -> "array[int]":
    count = int(rate_hz * duration_s)
    return array("h", (round(10_000 * math.sin(2 * math.pi * frequency_hz * n / rate_hz)) for n in range(count)))


def loudness(samples: "array[int]") -> float:
    middle = samples[400:-400]
    return math.sqrt(2 * sum(sample * sample for sample in middle) / len(middle))


@pytest.mark.parametrize("rate_hz", [22050, 16000, 48000])
@pytest.mark.parametrize("frequency_hz", [300, 1000, 3000])
def test_what_a_telephone_carries_stays_as_it_was(rate_hz: int, frequency_hz: int) -> None:
    converted = resample(sine(frequency_hz, rate_hz), rate_hz)
    expected = sine(frequency_hz, RATE_HZ)

    assert len(converted) == len(expected)
    assert max(abs(a - b) for a, b in zip(converted[200:-200], expected[200:-200], strict=True)) < 300  # 0.3 dB


@pytest.mark.parametrize("frequency_hz", [5000, 6000, 9000])
def test_what_is_too_high_is_removed_and_not_folded_down(frequency_hz: int) -> None:
    assert loudness(resample(sine(frequency_hz, 22050), 22050)) < 100


def test_the_loudest_sample_is_clipped_and_does_not_wrap_round() -> None:
    square = array("h", ([32767] * 20 + [-32768] * 20) * 50)

    assert max(resample(square, 22050)) == 32767
    assert min(resample(square, 22050)) == -32768


def test_telephone_sound_is_not_changed() -> None:
    samples = sine(440, RATE_HZ)

    assert resample(samples, RATE_HZ) == samples


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_wav(tmp_path / "deep/er/tone.wav", sine(440, RATE_HZ))

    assert read_wav(tmp_path / "deep/er/tone.wav") == (sine(440, RATE_HZ), RATE_HZ)
    assert [path.name for path in (tmp_path / "deep/er").iterdir()] == ["tone.wav"]


def test_a_file_that_is_no_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"hello")

    with pytest.raises(ValueError, match=r"x\.wav is not a WAV file"):
        read_wav(tmp_path / "x.wav")
