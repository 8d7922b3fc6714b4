"""The daemon's own folder of recordings: files that are there whole or not at all, for nobody else to read."""

import hashlib
import io
import os
import wave
from datetime import datetime
from pathlib import Path

from callrouter.core.ids import RecordingId
from callrouter.errors import CallrouterError
from callrouter.store.recordings import StoredFile


def measure(body: bytes) -> tuple[float, str]:
    """Length in seconds and SHA-256 of a WAV file.

    Raises:
        CallrouterError: it is none.
    """
    try:
        with wave.open(io.BytesIO(body), "rb") as sound:
            return sound.getnframes() / sound.getframerate(), hashlib.sha256(body).hexdigest()
    except (wave.Error, EOFError) as exc:
        raise CallrouterError(f"its file is no WAV: {exc}") from exc


class SoundFolder:
    """One folder of files, one below it for each month."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, recording: RecordingId, begun_at: datetime, body: bytes) -> StoredFile:
        """Have the file on the disk, and say what it holds; one of that name that is there gives way.

        Raises:
            CallrouterError: it is no WAV, or cannot be written.
        """
        duration_s, checksum = measure(body)
        name = file_name(recording, begun_at)
        try:
            self._write(self.path / name, body)
        except OSError as exc:
            raise CallrouterError(
                f"{self.path / name} cannot be written: {exc.strerror}; free the disk, or let the daemon write there"
            ) from exc
        return StoredFile(name, duration_s, len(body), checksum)

    def find(self, recording: RecordingId, begun_at: datetime) -> StoredFile | None:
        """The file of that recording, if it is there whole.

        Raises:
            CallrouterError: it is there, and cannot be read.
        """
        name = file_name(recording, begun_at)
        body = self.read(name)
        if body is None:
            return None
        duration_s, checksum = measure(body)
        return StoredFile(name, duration_s, len(body), checksum)

    def read(self, name: str) -> bytes | None:
        """The file; None if there is none.

        Raises:
            CallrouterError: it cannot be read.
        """
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise CallrouterError(f"{self.path / name} cannot be read: {exc.strerror}") from exc

    def remove(self, name: str) -> None:
        """Have it no more; it may be gone already.

        Raises:
            CallrouterError: it cannot be deleted.
        """
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as exc:
            raise CallrouterError(f"{self.path / name} cannot be deleted: {exc.strerror}") from exc

    def _write(self, path: Path, body: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        unfinished = path.with_suffix(".part")
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as target:
            target.write(body)
            target.flush()
            os.fsync(target.fileno())
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def file_name(recording: RecordingId, begun_at: datetime) -> str:
    """Where the file of a recording is, within the folder."""
    return f"{begun_at:%Y-%m}/{recording}.wav"
