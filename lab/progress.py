"""What a person sees of a command that takes a while: a line for each step, with how long it took.

On a terminal, the step that is being done stands there without its time.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from unicodedata import east_asian_width

NAME_COLUMNS = 10
TEXT_COLUMNS = 58


@dataclass(slots=True)
class Step:
    """One step; ``text`` is what is said of it when it is done."""

    text: str = "done"


def say(text: str = "", *, is_error: bool = False) -> None:
    """Print a line. A terminal that has been closed meanwhile keeps nobody from tidying up."""
    _on_this_line("")
    with suppress(OSError):
        print(text, file=sys.stderr if is_error else sys.stdout, flush=True)


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Say ``name``, the step's text and its seconds when the block is done; nothing if it fails."""
    began_s = time.monotonic()
    this = Step()
    _on_this_line(f"  {name} …")
    try:
        yield this
    except BaseException:
        _on_this_line("")
        raise
    say(f"  {padded(name, NAME_COLUMNS)} {padded(this.text, TEXT_COLUMNS)} {time.monotonic() - began_s:5.1f} s")


def _on_this_line(text: str) -> None:
    """Let the terminal's present line be ``text``; nothing where no terminal is."""
    with suppress(OSError):
        if sys.stdout.isatty():
            print(f"\r\033[K{text}", end="", flush=True)


def padded(text: str, columns: int) -> str:
    """``text`` filled up with blanks to ``columns`` of a terminal, where a Korean syllable takes two."""
    width = sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * (columns - width)
