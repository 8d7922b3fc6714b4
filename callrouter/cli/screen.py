"""A terminal taken over for a while: its whole screen painted, single keys read, all as before afterwards.

Control sequences are those of ECMA-48 and xterm that every terminal of the last decades knows.
"""

import asyncio
import os
import re
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""The other screen, without a cursor."""
LEAVE: Final = "\x1b[?25h\x1b[?1049l"
HOME: Final = "\x1b[H"
TO_END_OF_LINE: Final = "\x1b[K"
TO_END_OF_SCREEN: Final = "\x1b[J"
READ_BYTES: Final = 1024


class Key(StrEnum):
    """What a person may want with a key."""

    QUIT = "quit"
    UP = "up"
    DOWN = "down"
    PAGE_UP = "page-up"
    PAGE_DOWN = "page-down"
    TOP = "top"
    BOTTOM = "bottom"
    RESIZED = "resized"
    """No key: the terminal has another size."""
    OTHER = "other"


_KEYS: Final = {
    "q": Key.QUIT,
    "Q": Key.QUIT,
    "\x1b[A": Key.UP,
    "\x1bOA": Key.UP,
    "k": Key.UP,
    "\x1b[B": Key.DOWN,
    "\x1bOB": Key.DOWN,
    "j": Key.DOWN,
    "\x1b[5~": Key.PAGE_UP,
    "b": Key.PAGE_UP,
    "\x1b[6~": Key.PAGE_DOWN,
    " ": Key.PAGE_DOWN,
    "\x1b[H": Key.TOP,
    "\x1bOH": Key.TOP,
    "g": Key.TOP,
    "\x1b[F": Key.BOTTOM,
    "\x1bOF": Key.BOTTOM,
    "G": Key.BOTTOM,
}
_ONE_KEY: Final = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)


def keys_of(text: str) -> list[Key]:
    """The keys whose characters came in together; one that nobody knows is ``OTHER``."""
    return [_KEYS.get(one, Key.OTHER) for one in _ONE_KEY.findall(text)]


class Screen:
    """The terminal at stdin and stdout: ``with Screen() as screen: screen.paint(lines); key = await screen.key()``.

    To be entered in a running event loop. However it is left, by an exception too, the terminal is as it was.
    """

    def __init__(self) -> None:
        self._input, self._output = sys.stdin.fileno(), sys.stdout.fileno()
        self._keys: asyncio.Queue[Key] = asyncio.Queue()

    def __enter__(self) -> Self:
        """Take it over. Raises termios.error when it is none."""
        self._before = termios.tcgetattr(self._input)
        tty.setcbreak(self._input)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._input, self._read)
        loop.add_signal_handler(signal.SIGWINCH, self._keys.put_nowait, Key.RESIZED)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._keys.put_nowait, Key.QUIT)
        self._write(ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._input)
        for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.remove_signal_handler(number)
        self._write(LEAVE)
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, now."""
        try:
            return os.get_terminal_size(self._output)
        except OSError:
            return shutil.get_terminal_size()

    async def key(self) -> Key:
        """The next key, or what else a person wants."""
        return await self._keys.get()

    def paint(self, lines: Sequence[str]) -> None:
        """Have the screen show these and nothing else, without a flicker. More than there is room for are left out."""
        _, height = self.size
        text = f"{TO_END_OF_LINE}\n".join(lines[:height])
        self._write(f"{HOME}{text}{TO_END_OF_LINE}{TO_END_OF_SCREEN}")

    def _read(self) -> None:
        found = os.read(self._input, READ_BYTES)
        if not found:  # the terminal is gone
            self._keys.put_nowait(Key.QUIT)
            asyncio.get_running_loop().remove_reader(self._input)
        for key in keys_of(found.decode(errors="replace")):
            self._keys.put_nowait(key)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
