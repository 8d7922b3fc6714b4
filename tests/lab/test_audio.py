"""The measure of speech tells tones apart, and noise and silence from tones."""

import random
from array import array
from pathlib import Path

import pytest

from lab import audio


def test_a_tone_is_heard_as_itself_and_as_no_other(tmp_path: Path) -> None:
    path = audio.write_tone(tmp_path / "tone.wav", 1100, duration_s=2)

    assert audio.tone_seconds(path, 1100) == pytest.approx(2)
    assert audio.tone_seconds(path, 1140) == 0
    assert audio.sound_seconds(path) == pytest.approx(2)


def test_silence_holds_no_tone(tmp_path: Path) -> None:
    path = audio.write_tone(tmp_path / "silence.wav", 1100, duration_s=1, amplitude=0)

    assert audio.tone_seconds(path, 1100) == 0
    assert audio.sound_seconds(path) == 0


def test_noise_holds_no_tone(tmp_path: Path) -> None:
    chance = random.Random(1)
    audio.write_samples(tmp_path / "noise.wav", array("h", (chance.randrange(-9000, 9000) for _ in range(8000))))

    assert audio.sound_seconds(tmp_path / "noise.wav") == pytest.approx(1)
    assert audio.tone_seconds(tmp_path / "noise.wav", 1100) == 0


def test_two_tones_at_once_are_found_when_asked_for_together(tmp_path: Path) -> None:
    tones = [audio.read_samples(audio.write_tone(tmp_path / f"{hz}.wav", hz, duration_s=1))[0] for hz in (440, 480)]
    both = array("h", ((low + high) // 2 for low, high in zip(*tones, strict=True)))
    audio.write_samples(tmp_path / "ring.wav", both)

    assert audio.tone_seconds(tmp_path / "ring.wav", 440, 480) >= 0.9
    assert audio.tone_seconds(tmp_path / "ring.wav", 620) == 0
