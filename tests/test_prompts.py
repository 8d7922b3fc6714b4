"""Announcements are spoken once, and a recording that people made is never touched."""

from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from callrouter import prompts
from callrouter.errors import UnreachableError
from callrouter.prompts import MANIFEST, PromptState, espeak, provide_music, speak_prompts
from callrouter.sound import RATE_HZ, read_wav, write_wav


class FakeVoice:
    """Speaks any text as a second of a value that depends on it, and remembers what it was asked to say."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, text: str) -> "array[int]":
        self.said.append(text)
        return array("h", [len(text)]) * RATE_HZ


def states(texts: dict[str, str], folder: Path, voice: FakeVoice) -> dict[str, PromptState]:
    return {report.name: report.state for report in speak_prompts(texts, folder, voice)}


def test_each_text_becomes_a_file_that_asterisk_can_play(tmp_path: Path) -> None:
    voice = FakeVoice()

    found = states({"welcome": "안녕", "closed": "닫힘"}, tmp_path / "new" / "callrouter", voice)

    samples, rate_hz = read_wav(tmp_path / "new/callrouter/welcome.wav")
    assert found == {"welcome": PromptState.SPOKEN, "closed": PromptState.SPOKEN}
    assert rate_hz == 8000
    assert samples[-1] == 2
    assert samples[0] == 0, "the first moment is silence"
    assert (tmp_path / "new/callrouter/welcome.wav").stat().st_mode & 0o777 == 0o644


def test_an_unchanged_text_is_not_spoken_again(tmp_path: Path) -> None:
    states({"welcome": "안녕"}, tmp_path, FakeVoice())
    voice = FakeVoice()

    assert states({"welcome": "안녕"}, tmp_path, voice) == {"welcome": PromptState.UNCHANGED}
    assert voice.said == []


def test_a_changed_text_is_spoken_again(tmp_path: Path) -> None:
    states({"welcome": "안녕", "closed": "닫힘"}, tmp_path, FakeVoice())
    voice = FakeVoice()

    found = states({"welcome": "안녕하세요", "closed": "닫힘"}, tmp_path, voice)

    assert found == {"welcome": PromptState.SPOKEN, "closed": PromptState.UNCHANGED}
    assert voice.said == ["안녕하세요"]
    assert read_wav(tmp_path / "welcome.wav")[0][-1] == len("안녕하세요")


def test_a_deleted_file_is_spoken_again(tmp_path: Path) -> None:
    states({"welcome": "안녕"}, tmp_path, FakeVoice())
    (tmp_path / "welcome.wav").unlink()

    assert states({"welcome": "안녕"}, tmp_path, FakeVoice()) == {"welcome": PromptState.SPOKEN}


def test_a_recording_put_there_before_the_first_run_wins(tmp_path: Path) -> None:
    (tmp_path / "welcome.wav").write_bytes(b"a person's voice")

    assert states({"welcome": "안녕"}, tmp_path, FakeVoice()) == {"welcome": PromptState.RECORDED}
    assert (tmp_path / "welcome.wav").read_bytes() == b"a person's voice"


def test_a_recording_that_replaces_ours_wins_even_when_the_text_changes(tmp_path: Path) -> None:
    states({"welcome": "안녕"}, tmp_path, FakeVoice())
    write_wav(tmp_path / "welcome.wav", array("h", [7] * 80))
    recording = (tmp_path / "welcome.wav").read_bytes()

    assert states({"welcome": "다른 말"}, tmp_path, FakeVoice()) == {"welcome": PromptState.RECORDED}
    assert (tmp_path / "welcome.wav").read_bytes() == recording


def test_a_recording_in_another_format_wins_and_ours_goes(tmp_path: Path) -> None:
    states({"welcome": "안녕"}, tmp_path, FakeVoice())
    (tmp_path / "welcome.gsm").write_bytes(b"a person's voice")

    (report,) = speak_prompts({"welcome": "안녕"}, tmp_path, FakeVoice())

    assert report.state is PromptState.RECORDED
    assert report.path == tmp_path / "welcome.gsm"
    assert not (tmp_path / "welcome.wav").exists()


def test_the_name_of_one_prompt_may_begin_with_that_of_another(tmp_path: Path) -> None:
    texts = {"welcome": "안녕", "welcome-night": "밤"}
    states(texts, tmp_path, FakeVoice())

    assert states(texts, tmp_path, FakeVoice()) == dict.fromkeys(texts, PromptState.UNCHANGED)


@pytest.mark.parametrize("rubbish", ["", "[]", '{"welcome": 1}', "{", '{"welcome": {"text": "x"}}'])
def test_with_a_broken_manifest_nothing_is_overwritten(tmp_path: Path, rubbish: str) -> None:
    states({"welcome": "안녕"}, tmp_path, FakeVoice())
    (tmp_path / MANIFEST).write_text(rubbish)

    assert states({"welcome": "새 말"}, tmp_path, FakeVoice()) == {"welcome": PromptState.RECORDED}


def test_what_was_spoken_before_a_failure_is_kept(tmp_path: Path) -> None:
    def voice_that_breaks(text: str) -> "array[int]":
        if text == "둘":
            raise UnreachableError("no voice")
        return array("h", [1])

    with pytest.raises(UnreachableError, match="no voice"):
        speak_prompts({"one": "하나", "two": "둘"}, tmp_path, voice_that_breaks)

    assert states({"one": "하나"}, tmp_path, FakeVoice()) == {"one": PromptState.UNCHANGED}
    assert not (tmp_path / "two.wav").exists()


def test_a_file_left_old_by_a_run_that_was_killed_is_still_known_as_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states({"welcome": "안녕"}, tmp_path, FakeVoice())
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", kill_at_the_wav(Path.replace))
        with pytest.raises(KeyboardInterrupt):
            states({"welcome": "새 말"}, tmp_path, FakeVoice())

    assert states({"welcome": "새 말"}, tmp_path, FakeVoice()) == {"welcome": PromptState.SPOKEN}


def kill_at_the_wav(real: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
    def replace(source: Path, target: Path) -> Path:
        if target.name == "welcome.wav":
            raise KeyboardInterrupt
        return real(source, target)

    return replace


def test_a_folder_that_cannot_be_written_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(UnreachableError, match=r"file/callrouter: .*sounds_dir"):
        speak_prompts({"welcome": "안녕"}, tmp_path / "file" / "callrouter", FakeVoice())


def test_a_missing_espeak_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(UnreachableError, match="apt-get install espeak-ng"):
        espeak("안녕")


def test_espeak_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\necho 'no such voice' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(UnreachableError, match=r"cannot speak '안녕': no such voice"):
        espeak("안녕")


def test_music_on_hold_is_made_once_and_only_for_an_empty_folder(tmp_path: Path) -> None:
    made = provide_music(tmp_path / "moh")

    assert made is not None
    samples, rate_hz = read_wav(made)
    assert rate_hz == 8000
    assert 30 <= len(samples) / rate_hz <= 60
    assert 1000 < max(samples) < 8000, "soft, but audible"
    assert abs(samples[0]) < 100, "no click where it begins again"
    assert abs(samples[-1]) < 100, "no click where it ends"
    assert provide_music(tmp_path / "moh") is None


def test_music_that_people_chose_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "arirang.wav").write_bytes(b"theirs")

    assert provide_music(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["arirang.wav"]


def test_another_edition_of_the_voice_speaks_all_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states({"welcome": "안녕"}, tmp_path, FakeVoice())
    monkeypatch.setattr(prompts, "EDITION", "next")

    assert states({"welcome": "안녕"}, tmp_path, FakeVoice()) == {"welcome": PromptState.SPOKEN}
