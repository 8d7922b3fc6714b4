"""Announcements: texts spoken into a site's sound folder, unless people put recordings of their own there.

A manifest beside the files tells ours from theirs: it keeps a digest of each text spoken and of the file made of it. A
file that is not what the manifest says is a person's, and is never touched. So is one of another format
(``welcome.gsm``, ``welcome.sln16``): it wins over our ``welcome.wav``, which is taken away.
"""

import enum
import hashlib
import json
import os
import subprocess
import tempfile
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from callrouter import sound
from callrouter.errors import UnreachableError

MANIFEST = ".callrouter-prompts.json"
VOICE = "ko"
WORDS_PER_MINUTE = 150
SPEAK_TIMEOUT_S = 60.0
LEAD_S = 0.2
"""Silence before the first word: a phone that has just answered swallows the beginning."""

EDITION = "1"
"""To be changed with the way of speaking: all prompts are then spoken anew."""

MUSIC_FILE = "soft-chords.wav"

Speaker = Callable[[str], "array[int]"]
"""A text to its 8 kHz samples; raises UnreachableError when it cannot speak."""


class PromptState(enum.Enum):
    """What became of one prompt."""

    SPOKEN = "spoken"
    UNCHANGED = "unchanged"
    RECORDED = "recorded by people"


@dataclass(frozen=True, slots=True)
class PromptReport:
    """One prompt: ``path`` is the file that callers hear."""

    name: str
    state: PromptState
    path: Path


@dataclass(frozen=True, slots=True)
class _Entry:
    """Digests of the text spoken, of the file made of it, and of the file that was there before."""

    text: str
    file: str
    before: str = ""


def speak_prompts(texts: Mapping[str, str], folder: Path, speak: Speaker) -> tuple[PromptReport, ...]:
    """Have every prompt of ``texts`` (name to text) in ``folder``, speaking only what is new or changed.

    Raises:
        UnreachableError: the folder cannot be written, or ``speak`` raised it; prompts done before are kept.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = _read_manifest(folder)
        reports = []
        for name, text in texts.items():
            reports.append(_provide(name, text, folder, manifest, speak))
        return tuple(reports)
    except OSError as exc:
        raise UnreachableError(
            f"cannot write prompts into {folder}: {exc.strerror}; run this as a user who may, "
            "or set sounds_dir of the site to another folder"
        ) from exc


def _provide(name: str, text: str, folder: Path, manifest: dict[str, _Entry], speak: Speaker) -> PromptReport:
    path = folder / f"{name}.wav"
    made = manifest.get(name)
    found = digest(path.read_bytes()) if path.exists() else None
    is_ours = made is not None and found in (made.file, made.before)
    others = sorted(other for other in folder.glob(f"{name}.*") if other != path)
    if others:
        if is_ours:
            path.unlink()
        return PromptReport(name, PromptState.RECORDED, others[0])
    if found is not None and not is_ours:
        return PromptReport(name, PromptState.RECORDED, path)
    wanted = digest(f"{EDITION}\0{text}".encode())
    if made is not None and found == made.file and made.text == wanted:
        return PromptReport(name, PromptState.UNCHANGED, path)
    _write_spoken(path, speak(text), _Entry(wanted, "", found or ""), manifest)
    return PromptReport(name, PromptState.SPOKEN, path)


def _write_spoken(path: Path, samples: "array[int]", entry: _Entry, manifest: dict[str, _Entry]) -> None:
    """Manifest first, file second: it knows the old file as ours too, should we be killed in between."""
    lead = array("h", [0]) * int(LEAD_S * sound.RATE_HZ)
    draft = path.with_name(f".{path.name}.new")
    sound.write_wav(draft, lead + samples)
    manifest[path.stem] = replace(entry, file=digest(draft.read_bytes()))
    _write_manifest(path.parent, manifest)
    draft.replace(path)


def digest(content: bytes) -> str:
    """The SHA-256 of ``content``."""
    return hashlib.sha256(content).hexdigest()


def _read_manifest(folder: Path) -> dict[str, _Entry]:
    """What we made here. A manifest that cannot be read means nothing here is ours: nothing is overwritten."""
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): _Entry(entry["text"], entry["file"], entry["before"]) for name, entry in raw.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_manifest(folder: Path, manifest: Mapping[str, _Entry]) -> None:
    draft = folder / f"{MANIFEST}.{os.getpid()}.tmp"
    content = {name: asdict(entry) for name, entry in sorted(manifest.items())}
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / MANIFEST)


def espeak(text: str, *, voice: str = VOICE) -> "array[int]":
    """``text`` spoken by espeak-ng, as 8 kHz samples.

    Raises:
        UnreachableError: espeak-ng is not installed, fails, or takes longer than a minute.
    """
    with tempfile.TemporaryDirectory(prefix="callrouter-prompt-") as folder:
        target = Path(folder) / "spoken.wav"
        # The text goes in by stdin: as an argument, one that begins with a dash would be an option.
        command = ["espeak-ng", "-v", voice, "-s", str(WORDS_PER_MINUTE), "-b", "1", "--stdin", "-w", str(target)]
        try:
            subprocess.run(command, input=text.encode(), capture_output=True, timeout=SPEAK_TIMEOUT_S, check=True)
            samples, rate_hz = sound.read_wav(target)
        except FileNotFoundError as exc:
            raise UnreachableError(
                "espeak-ng, which speaks the prompts, is not installed; install it with: apt-get install espeak-ng"
            ) from exc
        except subprocess.CalledProcessError as exc:
            complaint = exc.stderr.decode(errors="replace").strip()
            raise UnreachableError(f"espeak-ng cannot speak {text[:40]!r}: {complaint}") from exc
        except (OSError, subprocess.TimeoutExpired, ValueError) as exc:
            raise UnreachableError(f"espeak-ng cannot speak {text[:40]!r}: {exc}") from exc
    return sound.resample(samples, rate_hz)


def provide_music(folder: Path) -> Path | None:
    """Put soft chords into the music-on-hold ``folder`` if it holds no file; the file made, or None.

    Raises:
        UnreachableError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(path.is_file() and not path.name.startswith(".") for path in folder.iterdir()):
            return None
        path = folder / MUSIC_FILE
        sound.write_wav(path, sound.hold_music())
    except OSError as exc:
        raise UnreachableError(f"cannot write music on hold into {folder}: {exc.strerror}") from exc
    return path
