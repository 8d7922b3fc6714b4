"""Processes that another run of the laboratory left behind: which one is it really, and ending it."""

import os
import signal
import time
from pathlib import Path

from lab.errors import LabError
from lab.paths import write_atomically

END_TIMEOUT_S = 10.0
POLL_S = 0.02


def start_ticks(pid: int) -> int | None:
    """When process ``pid`` began, in ticks since the machine did; None if it is gone, or dead and only not buried.

    A number that is given to another process later comes with another beginning: together they name one process.
    """
    try:
        # The program's name, in parentheses, may hold anything; what follows it is numbers.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return None
    # The first thread of a process may be dead while others, which hold its ports, still end.
    return None if fields[0] in ("Z", "X") and threads <= 1 else int(fields[19])


def words(pid: int) -> frozenset[str]:
    """The command line of ``pid``; empty if it is gone, or began just now."""
    return _strings(pid, "cmdline")


def environment(pid: int) -> frozenset[str]:
    """The ``NAME=value`` with which ``pid`` was started; empty if it is gone, another user's, or began just now."""
    return _strings(pid, "environ")


def _strings(pid: int, what: str) -> frozenset[str]:
    try:
        content = Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return frozenset()
    return frozenset(content.decode(errors="replace").split("\0"))


def remember(path: Path, pid: int) -> None:
    """Write into ``path`` which process ``pid`` is, for :func:`recall`."""
    write_atomically(path, f"{pid} {start_ticks(pid)}")


def recall(path: Path) -> int | None:
    """The process that :func:`remember` wrote into ``path``, if it still lives; None if not."""
    try:
        pid, ticks = map(int, path.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return None
    return pid if start_ticks(pid) == ticks else None


def end(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send ``pid`` the signal and wait until it is gone.

    Raises:
        LabError: it is not gone after 10 s, or is not ours to end.
    """
    began = start_ticks(pid)
    if began is None:
        return
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as exc:
        raise LabError(f"process {pid} of an earlier run is another user's; end it with: sudo kill {pid}") from exc
    deadline = time.monotonic() + END_TIMEOUT_S
    while start_ticks(pid) == began:
        if time.monotonic() > deadline:
            raise LabError(f"process {pid} of an earlier run does not end; end it with: kill -9 {pid}")
        time.sleep(POLL_S)
