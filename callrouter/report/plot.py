"""A report as a picture of pixels (PNG), as documents and mails take it. Needs the extra ``charts``."""

import io
import warnings
from collections.abc import Sequence
from typing import Final

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from callrouter.core.tally import QueueTally
from callrouter.report.bars import PARTS, axis_name, bars, ticks
from callrouter.report.tally import AgentTally

_FONTS: Final = ("Noto Sans KR", "Noto Sans CJK KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")
"""With Korean letters; the first that the machine has. matplotlib's own, which always is there, has none."""
_INCHES: Final = 0.28
"""Of one bar."""


def plot(title: str, groups: Sequence[tuple[str, QueueTally | AgentTally]]) -> bytes:
    """The same picture as :func:`callrouter.report.picture.picture`, as PNG."""
    rows = bars(groups)
    marks = ticks(max((row.length for row in rows), default=0))
    with mpl.rc_context({"font.family": _fonts(), "axes.unicode_minus": False}):
        figure = Figure(figsize=(8.8, 1.6 + _INCHES * len(rows)), dpi=120, layout="constrained")
        axes = figure.subplots()
        before = [0] * len(rows)
        for number, (what, colour) in enumerate(PARTS):
            lengths = [row.parts[number] for row in rows]
            axes.barh(range(len(rows)), lengths, left=before, height=0.6, color=colour, label=what, zorder=2)
            before = [done + length for done, length in zip(before, lengths, strict=True)]
        for number, row in enumerate(rows):
            axes.annotate(row.words, (row.length, number), xytext=(4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(rows)), [_plain(row.name) for row in rows])
        axes.set_ylim(len(rows) - 0.4 if rows else 1, -0.6)
        axes.set_xticks(marks)
        axes.set_xlim(0, marks[-1] * 1.25)
        axes.set_xlabel(axis_name(groups))
        axes.grid(axis="x", zorder=0, color="#d9dee3")
        axes.set_title(_plain(title), loc="left", fontweight="bold")
        figure.legend(loc="outside upper right", ncols=len(PARTS), frameon=False, fontsize="small")
        return _png(figure)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as a box
        FigureCanvasAgg(figure)
        figure.savefig(out, format="png", metadata={"Software": "callrouter"})
    return out.getvalue()


def _plain(text: str) -> str:
    """matplotlib takes what stands between dollars for mathematics."""
    return text.replace("$", r"\$")


def _fonts() -> list[str]:
    known = {font.name for font in fontManager.ttflist}
    return [*(name for name in _FONTS if name in known), "DejaVu Sans"]
