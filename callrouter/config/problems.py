"""What is wrong with the configuration: every fault with its place and its remedy."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Where a value stands in the merged configuration, such as ``("queues", "changwon", "title")``."""


class Place(NamedTuple):
    """A place in a file; lines and columns count from 1. Every value of the configuration has one: it is kept small."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault: ``file:line:column: message; remedy``."""

    place: Place
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}; {self.remedy}"


@dataclass(slots=True)
class Problems:
    """All faults found so far. Warnings do not keep the configuration from being used."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def error(self, place: Place, message: str, remedy: str) -> None:
        """Note a fault that must be mended; what is found again in the same place is one fault."""
        problem = Problem(place, message, remedy)
        if problem not in self.errors:
            self.errors.append(problem)

    def warn(self, place: Place, message: str, remedy: str) -> None:
        """Note what is probably not meant."""
        self.warnings.append(Problem(place, message, remedy))


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean "x"?``, or the names there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    if not names:
        return "there are none yet"
    shown = ", ".join(names[:8])
    return f"there are: {shown}, …" if len(names) > 8 else f"there are: {shown}"
