"""What is wrong with the configuration: every fault with its place and its remedy."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from callrouter.errors import CallrouterError

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


MOST_ERRORS: Final = 500
"""More faults are not looked for: a file of something else would have millions, and nobody reads so many."""


class TooManyFaultsError(CallrouterError):
    """There are :data:`MOST_ERRORS` faults, and the last that is noted says that there are more."""


@dataclass(slots=True)
class Problems:
    """All faults found so far. Warnings do not keep the configuration from being used."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _known: set[Problem] = field(default_factory=set)

    def error(self, place: Place, message: str, remedy: str) -> None:
        """Note a fault that must be mended; what is found again in the same place is one fault.

        Raises:
            TooManyFaultsError: there are so many that nothing more should be looked for.
        """
        problem = Problem(place, message, remedy)
        if problem in self._known:
            return
        if len(self._known) >= MOST_ERRORS:
            raise TooManyFaultsError
        self._known.add(problem)
        self.errors.append(problem)
        if len(self._known) == MOST_ERRORS:
            more = f"here is fault number {MOST_ERRORS}, and nothing was looked at behind it"
            self.errors.append(Problem(place, more, "mend these first; is it the right file?"))
            raise TooManyFaultsError

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
