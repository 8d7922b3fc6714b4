"""Reading a file of the configuration that may be anything: a folder, a pipe, a device, or far too long."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from callrouter.errors import CallrouterError

MAX_FILE_BYTES: Final = 1024 * 1024
"""Of one file; the sample's longest has 12,000. A megabyte is read in a second or two, while calls go on."""


class TooLongError(CallrouterError):
    """The file has more bytes than ``most``."""

    def __init__(self, most: int) -> None:
        super().__init__(f"has more than {most} bytes")
        self.most = most


def read_bounded(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """All of a file, of which no more than ``most`` bytes are looked at, without waiting for anybody.

    Raises:
        OSError: it cannot be read, or is no file.
        TooLongError: it is longer.
    """
    # Without O_NONBLOCK, opening a pipe waits for somebody who writes into it.
    held = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(held).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        with os.fdopen(held, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(held)
    if len(data) > most:
        raise TooLongError(most)
    return data
