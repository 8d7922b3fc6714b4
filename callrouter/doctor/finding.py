"""What a check says."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WAIT_S: Final = 3.0
"""How long any answer is waited for."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Calls are taken, but something is missing or not known."""
    ERROR = "error"
    """Callers or records would suffer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` is what was looked at, ``text`` what was found, ``remedy`` what to do (empty when all is well)."""

    check: str
    level: Level
    text: str
    remedy: str = ""


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Something to look at."""
    return Finding(check, Level.WARNING, text, remedy)


def error(check: str, text: str, remedy: str) -> Finding:
    """Something to repair."""
    return Finding(check, Level.ERROR, text, remedy)


def some(names: list[str], most: int = 8) -> str:
    """A few of the names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
