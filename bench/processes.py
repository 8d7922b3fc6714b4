"""The processor time that processes have used, as ``/proc`` tells it."""

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PARENT, _OWN, _ENDED_CHILDREN = 1, slice(11, 13), slice(13, 15)
"""Where things stand in ``/proc/<pid>/stat``, counted from the state, which follows the name in brackets."""


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process and its threads have used, those that ended included.

    Raises:
        OSError: there is no such process.
    """
    return _seconds(_stat(Path(f"/proc/{pid}"))[_OWN])


def tree_cpu_s(pid: int) -> float:
    """Seconds that a process and its children have used, such as a PostgreSQL server and its connections.

    Raises:
        OSError: there is no such process.
    """
    total = cpu_s(pid) + _seconds(_stat(Path(f"/proc/{pid}"))[_ENDED_CHILDREN])
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _stat(folder)
        except OSError:  # it has just ended
            continue
        if int(fields[_PARENT]) == pid:
            total += _seconds(fields[_OWN])
    return total


def _stat(folder: Path) -> list[str]:
    return (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _seconds(ticks: list[str]) -> float:
    return sum(map(int, ticks)) / _TICKS_PER_S
