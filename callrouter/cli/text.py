"""Tables for terminals, where a Korean syllable takes two columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from unicodedata import combining, east_asian_width

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head, the most terminal columns that it may take, and whether it is set to the right."""

    head: str
    most: int
    right: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, fit: int | None = None) -> str:
    """Head and rows, each column as wide as its widest cell, but no wider than it may be.

    With ``fit`` the columns stand closer where the table would be wider than that.
    """
    cells = [[column.head for column in columns], *([*map(plain, row)] for row in rows)]
    widths = [min(c.most, max(width(row[i]) for row in cells)) for i, c in enumerate(columns)]
    is_wide = fit is not None and sum(widths) + len(GAP) * (len(widths) - 1) > fit
    gap = GAP[:1] if is_wide else GAP
    return "\n".join(
        gap.join(fitted(text, w, right=c.right) for text, w, c in zip(row, widths, columns, strict=True)).rstrip()
        for row in cells
    )


def fitted(text: str, columns: int, *, right: bool = False) -> str:
    """Cut, or filled with blanks, to so many columns of a terminal."""
    if width(text) > columns:
        while width(text) > columns - 1:
            text = text[:-1]
        text += "…"
    padding = " " * (columns - width(text))
    return padding + text if right else text + padding


def width(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def elapsed(since: datetime | None, at: datetime) -> str:
    """``3:07`` or ``1:02:09``; a dash where there is no ``since``."""
    return clock(None if since is None else max(0.0, (at - since).total_seconds()))


def clock(seconds: float | None) -> str:
    """The same of a number of seconds."""
    if seconds is None:
        return "-"
    whole_s = int(seconds)
    minutes, seconds = divmod(whole_s, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def plain(text: str) -> str:
    """Without what a terminal would take for a command, or for a line's end."""
    return "".join(c if c.isprintable() else "?" for c in text)
