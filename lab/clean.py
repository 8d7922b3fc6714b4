"""``python -m lab.clean``: remove all that the laboratory made: Asterisk's root folder, passwords, sounds."""

import shutil
import sys

from lab.asterisk import LabAsterisk
from lab.errors import LabError
from lab.paths import INSTANCES, LAB, try_lock


def clean() -> None:
    """Delete ``.lab``; what a killed laboratory left running is ended first.

    Raises:
        LabError: an instance is in use.
    """
    for state in sorted(INSTANCES.glob("*")):
        lock = try_lock(state / "lock")
        if lock is None:
            raise LabError(f"the lab instance {state.name!r} is running; stop it first")
        with lock:
            if (state / "asterisk.pid").exists():
                LabAsterisk(state.name).end_leftover()
    shutil.rmtree(LAB, ignore_errors=True)


if __name__ == "__main__":
    try:
        clean()
    except LabError as exc:
        sys.exit(f"lab: {exc}")
