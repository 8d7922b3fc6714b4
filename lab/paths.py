"""Where the laboratory keeps its things, and who is using them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

PROJECT = Path(__file__).resolve().parent.parent
LAB = PROJECT / ".lab"
ROOT = LAB / "root"
INSTANCES = LAB / "instances"
POSTGRES = LAB / "postgres"
RUN_LOCK = "run.lock"
"""In an instance's folder: whoever has it keeps the whole call centre of that name up, or tidies up after it."""

DIALPLAN = PROJECT / "dialplan"
SCENARIOS = Path(__file__).resolve().parent / "scenarios"


def try_lock(path: Path) -> TextIO | None:
    """Take the lock file ``path`` for this process, or return None when another has it.

    The lock goes with the returned file: closing it, or the end of the process, gives it back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock file ``path`` and hold it during the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, content: str, *, mode: int = 0o644) -> None:
    """Write ``content`` so that a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(content)
    draft.replace(path)
