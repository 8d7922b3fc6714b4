"""The configuration's folder as something that several people write to and a daemon reads.

A lock on the folder itself (``flock``; nothing is written into it) keeps those apart who know of it: whoever puts a
whole version in place, and whoever reads. Editors do not know of it: a reading during which a file changed is done
again.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from callrouter.config.source import ACCOUNT_FILES, CASE_FILES, section_files
from callrouter.errors import ConfigError

LOCK_WAIT_S: Final = 5.0
"""How long someone waits for another's lock; writing or reading a version takes a fraction of it."""
REREAD_S: Final = 2.0
"""How long a reading is begun anew while files go on changing under it."""
KEPT: Final = "before"
"""The folder, beside the files, in which what a restored version replaced is kept."""
_POLL_S: Final = 0.02

_Found = TypeVar("_Found")


@contextlib.contextmanager
def locked(directory: Path, *, to_write: bool, wait_s: float | None = None) -> Iterator[None]:
    """Hold the folder: alone, ``to_write``; else together with others who read.

    Raises:
        ConfigError: there is no such folder, or someone else holds it for longer than ``wait_s`` (``LOCK_WAIT_S``).
    """
    try:
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise ConfigError((f"{directory}: cannot be opened ({exc.strerror}); name the right folder",)) from exc
    try:
        _take(held, directory, fcntl.LOCK_EX if to_write else fcntl.LOCK_SH, LOCK_WAIT_S if wait_s is None else wait_s)
        yield
    finally:
        os.close(held)


def _take(held: int, directory: Path, kind: int, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(held, kind | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() >= deadline:
                who = "is putting a version in place" if kind == fcntl.LOCK_SH else "reads or writes the files"
                raise ConfigError((f"{directory}: someone else {who}; try again in a moment",)) from exc
            time.sleep(_POLL_S)
        except OSError:  # a file system without locks: then there is none to wait for
            return
        else:
            return


def at_rest(directory: Path, reading: Callable[[], _Found], *, patience_s: float = REREAD_S) -> _Found:
    """What ``reading`` finds while no file of the folder changes, and nobody puts a version in place.

    Raises:
        ConfigError: files went on changing for ``patience_s``, or see :func:`locked`.
    """
    deadline = time.monotonic() + patience_s
    with locked(directory, to_write=False):
        while True:
            before = _marks(directory)
            found = reading()
            if _marks(directory) == before:
                return found
            if time.monotonic() >= deadline:
                raise ConfigError((f"{directory}: files change while they are read; ask again when all are saved",))


def _marks(directory: Path) -> Sequence[tuple[str, int, int, int]]:
    """What is different after a file was written, replaced, added or removed."""
    found = []
    accounts = (directory / name for name in sorted(ACCOUNT_FILES))
    for path in (*files_of(directory), *accounts, *sorted(directory.glob("*.csv"))):
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            found.append((path.name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return found


def files_of(directory: Path) -> list[Path]:
    """The files that count: those with sections, and those of golden cases."""
    cases = [directory / name for name in sorted(CASE_FILES) if (directory / name).is_file()]
    return [*filter(Path.is_file, section_files(directory)), *cases]


def counts(name: str) -> bool:
    """Whether a file of that name may be one of the configuration: sections, golden cases, a table of exchanges."""
    return name.endswith((".yaml", ".yml", ".csv")) and not name.startswith(".")


@contextlib.contextmanager
def laid_out(files: Mapping[str, str]) -> Iterator[Path]:
    """A folder of its own with these files, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="callrouter-version-") as folder:
        for name, text in files.items():
            if is_inside(name):
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        yield Path(folder)


def is_inside(name: str) -> bool:
    """Whether a file of that name lies in the folder. A table of exchanges may lie elsewhere."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def put_in_place(files: Mapping[str, str], directory: Path) -> Path:
    """Make the folder hold these files and no others that count; where what they replaced is kept.

    Each file is written beside its place and moved there, so that nobody finds half of one. The caller holds the lock.

    Raises:
        OSError: something could not be written; then the folder is as it was.
    """
    kept = _keep(directory, files)
    try:
        for name, text in files.items():
            if is_inside(name):
                _write(directory / name, text)
        for path in files_of(directory):
            if path.name not in files:
                path.unlink()
    except OSError:
        put_back(kept, directory)
        raise
    return kept


def put_back(kept: Path, directory: Path) -> None:
    """Undo :func:`put_in_place`. The caller holds the lock.

    Raises:
        OSError: something could not be written; ``kept`` still has all of it.
    """
    there = [path for path in sorted(kept.rglob("*")) if path.is_file()]
    names = {str(path.relative_to(kept)) for path in there}
    for path in there:
        _move_copy(path, directory / path.relative_to(kept))
    for path in files_of(directory):
        if path.name not in names:
            path.unlink()


def _keep(directory: Path, files: Mapping[str, str]) -> Path:
    """Copy what counts, and what is about to be replaced, into a new folder."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = directory / KEPT / stamp
    kept.mkdir(parents=True)
    replaced = [directory / name for name in files if is_inside(name) and (directory / name).is_file()]
    for path in {*files_of(directory), *replaced}:
        target = kept / path.relative_to(directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return kept


def _write(path: Path, text: str) -> None:
    """Replace the file as a whole; owner and mode stay as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _like(Path(beside), path)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _move_copy(source: Path, path: Path) -> None:
    """Put a copy of ``source``, byte for byte, in the place of ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(number)
    shutil.copy2(source, beside)
    _like(Path(beside), source)
    os.replace(beside, path)


def _like(new: Path, old: Path) -> None:
    """Give ``new`` the owner and mode of ``old``, or, where there is none, those of a file that all may read."""
    try:
        stat = old.stat()
    except FileNotFoundError:
        new.chmod(0o644)
        return
    with contextlib.suppress(PermissionError):  # only root may give files away; the group may still read it
        os.chown(new, stat.st_uid, stat.st_gid)
    new.chmod(stat.st_mode & 0o7777)
