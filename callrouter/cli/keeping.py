"""What commands share that deal with sound: lengths, and files for one reader alone."""

import os
from pathlib import Path

from callrouter.errors import CallrouterError


def write_private(file: Path, body: bytes) -> None:
    """Write a file for the user alone to read: a resident's voice is for whoever asked for it.

    Raises:
        CallrouterError: it cannot be written.
    """
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as target:
            target.write(body)
    except OSError as exc:
        raise CallrouterError(f"{file} cannot be written: {exc.strerror}; give another place") from exc


def minutes(length_s: float) -> str:
    """A length as people read it: ``3:05``."""
    whole, seconds = divmod(int(length_s), 60)
    return f"{whole}:{seconds:02}"
