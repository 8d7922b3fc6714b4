"""``callrouter prompts`` speaks the sample's announcements."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from callrouter.cli import main

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def espeak_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An espeak-ng that answers each text with a short WAV and notes it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "espeak-ng"
    program.write_text(
        "#!/usr/bin/env python3\n"
        "import sys, wave\n"
        f"open({str(folder / 'said')!r}, 'a').write(sys.stdin.read().strip() + '\\n')\n"
        "out = wave.open(sys.argv[sys.argv.index('-w') + 1], 'wb')\n"
        "out.setparams((1, 2, 22050, 0, 'NONE', '')); out.writeframes(bytes(2 * 2205)); out.close()\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/local/bin:/usr/bin:/bin")
    return folder / "said"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["prompts", "--config", str(PROJECT / "config"), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_announcement_of_the_sample_is_spoken_once(tmp_path: Path, espeak_that_counts: Path) -> None:
    sounds, music = tmp_path / "sounds", tmp_path / "moh"

    first = run("--sounds", str(sounds), "--music", str(music))
    second = json.loads(run("--sounds", str(sounds), "--music", str(music), "--json"))

    assert (sounds / "changwon-welcome.wav").exists()
    assert (sounds / "fallback-sorry.wav").exists()
    assert (sounds / "en" / "queue-position-1.wav").exists()
    assert not (sounds / "en" / "welcome.wav").exists()
    assert "en/queue-position-1" in first
    assert "music on hold" in first
    assert {prompt["state"] for prompt in second["prompts"]} == {"unchanged"}
    assert second["music"] is None
    assert len(espeak_that_counts.read_text().splitlines()) == len(second["prompts"])


def test_a_machine_without_espeak_is_exit_status_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    result = CliRunner().invoke(
        main, ["prompts", "--config", str(PROJECT / "config"), "--sounds", str(tmp_path / "sounds")]
    )

    assert result.exit_code == 3
    assert "apt-get install espeak-ng" in result.output
