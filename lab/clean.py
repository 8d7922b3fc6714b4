"""``python -m lab.clean``: remove all that the laboratory made: root folder, passwords, sounds, databases."""

import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from callrouter.store.embedded import EmbeddedPostgres
from lab import daemon, processes
from lab.asterisk import LabAsterisk
from lab.errors import LabError
from lab.paths import INSTANCES, LAB, POSTGRES, RUN_LOCK, try_lock


def clean() -> None:
    """Delete ``.lab``; what a killed laboratory left running is ended first.

    Raises:
        LabError: an instance is in use.
    """
    names = {path.name for folder in (INSTANCES, POSTGRES) for path in folder.glob("*")}
    for name in sorted(names):
        with _alone(name):
            end_leftovers(name)
    shutil.rmtree(LAB, ignore_errors=True)


def end_leftovers(name: str) -> None:
    """End the daemon, the Asterisk and the PostgreSQL that a killed laboratory left running under this name.

    Only for whoever has the instance's locks.
    """
    state = INSTANCES / name
    daemon.end_leftover(state / "daemon")
    if (state / "asterisk.pid").exists():
        LabAsterisk(name).end_leftover()
    data = POSTGRES / name
    pid = EmbeddedPostgres(data).pid
    if pid is not None and str(data.resolve()) in processes.words(pid):
        processes.end(pid, signal.SIGINT)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Have both locks of the instance: that of `make run`, and that of its Asterisk."""
    with ExitStack() as stack:
        for lock in (RUN_LOCK, "lock"):
            handle = try_lock(INSTANCES / name / lock)
            if handle is None:
                raise LabError(f"the lab instance {name!r} is running; stop it first")
            stack.callback(handle.close)
        yield


if __name__ == "__main__":
    try:
        clean()
    except LabError as exc:
        sys.exit(f"lab: {exc}")
