"""A report as a picture (SVG): a bar for each group, over an axis that says how many."""

from collections.abc import Sequence
from html import escape

from callrouter.core.tally import QueueTally
from callrouter.report.bars import PARTS, Bar, axis_name, bars, ticks
from callrouter.report.tally import AgentTally

_LEFT, _TOP, _BAR_W, _RIGHT = 170, 92, 560, 150
_ROW_H, _BAR_H = 26, 16
_AXIS_H = 48
_STYLE = """
:root{--paper:#fff;--ink:#1b2530;--soft:#5b6875;--line:#d9dee3}
@media (prefers-color-scheme:dark){:root{--paper:#14191f;--ink:#eef2f6;--soft:#a9b5c1;--line:#38424d}}
text{font-family:"Noto Sans KR","Noto Sans CJK KR","Apple SD Gothic Neo","Malgun Gothic",system-ui,sans-serif;
fill:var(--ink);font-size:12px}
.paper{fill:var(--paper)}.title{font-size:22px;font-weight:700}.soft{fill:var(--soft)}
.axis{stroke:var(--line);stroke-width:1}
"""


def picture(title: str, groups: Sequence[tuple[str, QueueTally | AgentTally]]) -> str:
    """A bar for each group, as long as its calls (or offers) are many, with its service level in words."""
    rows = bars(groups)
    marks = ticks(max((row.length for row in rows), default=0))
    bottom = _TOP + _ROW_H * len(rows)
    width, height = _LEFT + _BAR_W + _RIGHT, bottom + _AXIS_H
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' role="img" aria-labelledby="name">',
        f'<title id="name">{escape(title)}</title>',
        f'<style>{_STYLE}</style><rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="24" y="42">{escape(title)}</text>',
    ]
    for number, (words, colour) in enumerate(PARTS):
        x = _LEFT + 170 * number
        lines.append(f'<rect x="{x}" y="60" width="12" height="12" fill="{colour}"/>')
        lines.append(f'<text class="soft" x="{x + 18}" y="70">{words}</text>')
    lines += _axis(marks, axis_name(groups), bottom)
    for number, row in enumerate(rows):
        lines += _bar(row, marks[-1], _TOP + _ROW_H * number)
    return "\n".join([*lines, "</svg>", ""])


def _axis(marks: Sequence[int], name: str, bottom: int) -> list[str]:
    """A line down through the bars at each round number, the number below it, and what is counted."""
    lines = []
    for mark in marks:
        x = _LEFT + _BAR_W * mark / marks[-1]
        lines.append(f'<line class="axis" x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{bottom}"/>')
        lines.append(f'<text class="soft" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{mark}</text>')
    middle = _LEFT + _BAR_W / 2
    return [*lines, f'<text class="soft" x="{middle:.1f}" y="{bottom + 34}" text-anchor="middle">{name}</text>']


def _bar(row: Bar, most: int, y: int) -> list[str]:
    lines = [f'<text x="{_LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(row.name)}</text>']
    x = float(_LEFT)
    for part, (what, colour) in zip(row.parts, PARTS, strict=True):
        if part:
            width = _BAR_W * part / most
            hint = f"<title>{escape(row.name)}: {part} {what}</title>"
            lines.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR_H}" fill="{colour}">{hint}</rect>'
            )
            x += width
    lines.append(f'<text class="soft" x="{x + 8:.1f}" y="{y + 13}">{escape(row.words)}</text>')
    return lines
