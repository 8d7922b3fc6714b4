"""The file of a backup: a tar whose last member says what all others hold, so that half of one is told from a whole.

It holds residents' numbers and voices, and secrets: it is for its owner's eyes alone.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from callrouter.errors import CallrouterError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_CHUNK: Final = 1 << 20
_LARGEST_MANIFEST: Final = 256 * 1024 * 1024


class Entry(msgspec.Struct, frozen=True):
    """What one file holds."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. ``left_out``: what it should hold besides, and why it does not."""

    format: int
    version: str
    """Of the program that made it."""
    made_at: datetime
    journal: int | None
    """The version of the journal's tables; None: there was no journal."""
    files: dict[str, Entry]
    left_out: dict[str, str]


class Writer:
    """Writes a backup to ``path``, which must not be there; it is there when the block ends well, whole.

    Raises CallrouterError, like its methods, where it cannot be written.
    """

    def __init__(self, path: Path, *, version: str, made_at: datetime) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._version, self._made_at = version, made_at
        self.journal: int | None = None
        self.files: dict[str, Entry] = {}
        self.left_out: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._path.exists():
            raise CallrouterError(f"{self._path} is there already, and nothing is written over; name another file")
        try:
            self._part.unlink(missing_ok=True)
            opened = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise _unwritable(self._path, exc) from exc
        self._file = os.fdopen(opened, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w")
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if exc_type is None:
                self._finish()
        except OSError as error:
            raise _unwritable(self._path, error) from error
        finally:
            self._file.close()
            self._part.unlink(missing_ok=True)

    @property
    def manifest(self) -> Manifest:
        """What it holds so far."""
        return Manifest(FORMAT, self._version, self._made_at, self.journal, self.files, self.left_out)

    def _finish(self) -> None:
        self._member(MANIFEST, msgspec.json.format(msgspec.json.encode(self.manifest)), 0o600)
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.rename(self._path)

    def add(self, name: str, source: Path) -> None:
        """Have the file in it, with its mode. One that is gone by now is left out."""
        try:
            with source.open("rb") as opened:
                size, mode = os.fstat(opened.fileno()).st_size, os.fstat(opened.fileno()).st_mode & 0o777
                counted = _Counted(opened)
                member = tarfile.TarInfo(name)
                member.size, member.mode = size, mode
                self._tar.addfile(member, counted)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise CallrouterError(f"{source} cannot be copied into {self._path}: {exc.strerror or exc}") from exc
        self.files[name] = Entry(size, counted.sum.hexdigest())

    def add_bytes(self, name: str, body: bytes) -> None:
        """The same with what is in memory."""
        try:
            self._member(name, body, 0o600)
        except OSError as exc:
            raise _unwritable(self._path, exc) from exc
        self.files[name] = Entry(len(body), hashlib.sha256(body).hexdigest())

    def _member(self, name: str, body: bytes, mode: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(body), mode
        self._tar.addfile(member, io.BytesIO(body))


class _Counted(io.RawIOBase):
    """A file that knows the checksum of what was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        body = self._file.read(size)
        self.sum.update(body)
        return body


def verified(path: Path) -> Manifest:
    """Read all of a backup, and say what it holds.

    Raises:
        CallrouterError: it cannot be read, is none, is not whole, or a file in it is not what it was.
    """
    found: dict[str, Entry] = {}
    manifest: Manifest | None = None
    for member, body in _members(path):
        if member.name == MANIFEST:
            if member.size > _LARGEST_MANIFEST:
                raise CallrouterError(f"{path} is damaged: its {MANIFEST} is too large")
            manifest = _manifest(path, body.read())
        else:
            digest = hashlib.sha256()
            while chunk := body.read(_CHUNK):
                digest.update(chunk)
            found[member.name] = Entry(member.size, digest.hexdigest())
    if manifest is None:
        raise CallrouterError(f"{path} is not whole, or no backup of callrouter: it has no {MANIFEST}; use another")
    if found != manifest.files:
        different = sorted(name for name in found.keys() | manifest.files.keys() if not _same(name, found, manifest))
        raise CallrouterError(f"{path} is damaged: {different[0]} is not what it was; use another backup")
    return manifest


def extract(path: Path, folder: Path) -> None:
    """Lay out a backup that was :func:`verified` in ``folder``, for the user alone."""
    for member, body in _members(path):
        target = folder / member.name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            while chunk := body.read(_CHUNK):
                file.write(chunk)
        target.chmod(member.mode & 0o777)


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                body = tar.extractfile(member) if member.isreg() else None
                parts = Path(member.name).parts
                if body is None or Path(member.name).is_absolute() or ".." in parts:
                    raise CallrouterError(f"{path} is no backup of callrouter: it holds {member.name!r}")
                yield member, body
    except (OSError, tarfile.TarError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise CallrouterError(f"{path} cannot be read as a backup: {why}; use another") from exc


def _manifest(path: Path, body: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as exc:
        raise CallrouterError(f"{path} is damaged: its {MANIFEST} cannot be read ({exc}); use another backup") from exc
    if manifest.format > FORMAT:
        raise CallrouterError(f"{path} was made by callrouter {manifest.version}, which is newer; restore it with that")
    return manifest


def _same(name: str, found: dict[str, Entry], manifest: Manifest) -> bool:
    return found.get(name) == manifest.files.get(name)


def _unwritable(path: Path, exc: OSError) -> CallrouterError:
    return CallrouterError(f"{path} cannot be written: {exc.strerror}; give another place")
