"""A wall clock that can be set while a program runs, for that program alone; its monotonic clock runs on."""

from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError
from lab.tools import ensure

_LIBRARIES = ("/usr/lib/faketime/libfaketime.so.1", "/usr/lib/*/faketime/libfaketime.so.1")


class FakeClock:
    """``clock = FakeClock(folder)``: start a program in ``clock.surroundings``, then ``clock.set("+1h")``."""

    def __init__(self, folder: Path) -> None:
        ensure(["faketime"])
        self._file = folder / "wall-clock"
        self._library = _library()
        self.set("+0")

    @property
    def surroundings(self) -> Mapping[str, str]:
        """The variables by which a program has this clock."""
        return {
            "LD_PRELOAD": self._library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # else the file is read whenever the time is
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """Be ahead of this machine's clock by ``offset`` (``+1h``, ``-30m``), from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n", encoding="ascii")
        new.replace(self._file)


def _library() -> str:
    for pattern in _LIBRARIES:
        for path in sorted(Path("/").glob(pattern[1:])):
            return str(path)
    raise LabError(f"libfaketime is not in {', '.join(_LIBRARIES)}")
