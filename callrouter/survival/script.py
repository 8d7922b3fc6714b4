"""Lines of a dialplan, and what may stand in them.

Nothing that somebody wrote into the configuration goes into a line as it is: :func:`word` and :func:`dial_string` let
through what means nothing to Asterisk's parser, and :func:`remark` makes anything a comment of one line.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from callrouter.errors import SurvivalError

GLOBAL: Final = "CALLROUTER_SURVIVAL"
"""Global variable: the version of the configuration that the file was rendered from."""
GLOBAL_UNTIL: Final = "CALLROUTER_SURVIVAL_UNTIL"
"""Global variable: the last day for which its hours are exact, as 2027-12-31."""
NEAR_ITS_END: Final = timedelta(days=14)
"""So long before that day people are told to render it again."""

CONTEXT: Final = "callrouter-survival"
"""What callrouter.conf includes; the other contexts are called the same with something behind it."""
ROUTES: Final = f"{CONTEXT}-routes"
QUEUES: Final = f"{CONTEXT}-queues"
CALLER: Final = f"{CONTEXT}-caller"
REGIONS: Final = f"{CONTEXT}-regions"
SORRY: Final = f"{CONTEXT},sorry,1"

MOST_IN_A_LINE: Final = 12
"""So many comparisons: Asterisk takes 4096 characters in a line once its variables are filled in."""

_WORD = re.compile(r"[A-Za-z0-9_.+*@-]+", re.ASCII)
_SOUND = re.compile(r"[A-Za-z0-9_.+/-]+", re.ASCII)
_DIAL = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9_.+*#@:/=-]+", re.ASCII)


def word(text: str, what: str) -> str:
    """``text``, if it means nothing to the parser; ``what`` tells people where it stands.

    Raises:
        SurvivalError: it has other characters.
    """
    return _safe(_WORD, text, what, "letters, digits and . _ + * @ -")


def sound(text: str, what: str) -> str:
    """The same for a sound's name, in which folders may stand."""
    return _safe(_SOUND, text, what, "letters, digits and . _ + / -")


def dial_string(text: str, what: str) -> str:
    """The same for what is called: ``PJSIP/201``, ``PJSIP/0552112222@telco``."""
    return _safe(_DIAL, text, what, "a technology, a slash, then letters, digits and . _ + * # @ : / = -")


def _safe(allowed: re.Pattern[str], text: str, what: str, words: str) -> str:
    if not allowed.fullmatch(text):
        raise SurvivalError(f'{what}: "{text}" cannot stand in a dialplan; write {words} only')
    return text


def remark(text: str) -> str:
    """A comment of one line; without what opens a comment of several (``;--``), and without control characters."""
    shown = "".join(char if char.isprintable() else " " for char in text.replace(";", ","))
    return f"; {shown}".rstrip()


def equal(variable: str, values: Iterable[str]) -> list[str]:
    """Expressions, one of which is true if the variable has one of these values, all of them fit for a line.

    A letter stands before both sides: Asterisk takes 0120 and 120 for equal, but not v0120 and v120.
    """
    return _chunks([f'"v${{{variable}}}"="v{value}"' for value in values])


def begins(variable: str, prefixes: Iterable[str]) -> list[str]:
    """The same if it begins with one of these."""
    return _chunks([f'"v${{{variable}:0:{len(prefix)}}}"="v{prefix}"' for prefix in prefixes])


def _chunks(tests: list[str]) -> list[str]:
    return [f"$[{' | '.join(tests[start : start + MOST_IN_A_LINE])}]" for start in range(0, len(tests), MOST_IN_A_LINE)]


class Extension:
    """One extension: applications in order, labels to jump to, and remarks between them."""

    __slots__ = ("_count", "_labels", "_lines", "_started", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        """As it stands behind ``exten =>``."""
        self._lines: list[str] = []
        self._labels: list[str] = []
        self._count = 0
        self._started = False

    def remark(self, text: str) -> None:
        """Tell the reader something."""
        self._lines.append(remark(text))

    def do(self, application: str) -> None:
        """An application with its arguments."""
        while len(self._labels) > 1:
            self._line(self._labels.pop(0), "NoOp()")
        self._line(self._labels.pop() if self._labels else "", application)

    def label(self) -> str:
        """A new label, not yet put anywhere."""
        self._count += 1
        return f"x{self._count}"

    def put(self, label: str) -> None:
        """The next line is that of ``label``."""
        self._labels.append(label)

    def text(self) -> str:
        """The lines, ready for the file."""
        if self._labels:
            self.do("NoOp()")
        return "\n".join(self._lines)

    def _line(self, label: str, application: str) -> None:
        mark = f"({label})" if label else ""
        if self._started:
            self._lines.append(f" same => n{mark},{application}")
        else:
            self._lines.append(f"exten => {self.name},1{mark},{application}")
        self._started = True
