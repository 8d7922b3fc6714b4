"""A report as a picture (SVG): a bar for each group, cut into what became of its calls."""

from collections.abc import Sequence
from html import escape

from callrouter.core.tally import QueueTally
from callrouter.report.tally import AgentTally

_LEFT, _TOP, _BAR_W, _RIGHT = 170, 92, 560, 150
_ROW_H, _BAR_H = 26, 16
_STYLE = """
:root{--paper:#fff;--ink:#1b2530;--soft:#5b6875}
@media (prefers-color-scheme:dark){:root{--paper:#14191f;--ink:#eef2f6;--soft:#a9b5c1}}
text{font-family:"Noto Sans KR","Noto Sans CJK KR","Apple SD Gothic Neo","Malgun Gothic",system-ui,sans-serif;
fill:var(--ink);font-size:12px}
.paper{fill:var(--paper)}.title{font-size:22px;font-weight:700}.soft{fill:var(--soft)}
"""
_PARTS = (("answered", "#2b8a3e"), ("abandoned or missed", "#c2255c"), ("others", "#868e96"))


def picture(title: str, groups: Sequence[tuple[str, QueueTally | AgentTally]]) -> str:
    """A bar for each group, as long as its calls (or offers) are many, with its service level in words."""
    rows = [(name, _parts(tally), _words(tally)) for name, tally in groups]
    most = max((sum(parts) for _, parts, _ in rows), default=0) or 1
    width, height = _LEFT + _BAR_W + _RIGHT, _TOP + _ROW_H * len(rows) + 24
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' role="img" aria-labelledby="name">',
        f'<title id="name">{escape(title)}</title>',
        f'<style>{_STYLE}</style><rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="24" y="42">{escape(title)}</text>',
    ]
    for number, (words, colour) in enumerate(_PARTS):
        x = _LEFT + 170 * number
        lines.append(f'<rect x="{x}" y="60" width="12" height="12" fill="{colour}"/>')
        lines.append(f'<text class="soft" x="{x + 18}" y="70">{words}</text>')
    for number, (name, parts, words) in enumerate(rows):
        lines += _bar(name, parts, words, most, _TOP + _ROW_H * number)
    return "\n".join([*lines, "</svg>", ""])


def _bar(name: str, parts: Sequence[int], words: str, most: int, y: int) -> list[str]:
    lines = [f'<text x="{_LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(name)}</text>']
    x = float(_LEFT)
    for part, (what, colour) in zip(parts, _PARTS, strict=True):
        if part:
            width = _BAR_W * part / most
            hint = f"<title>{escape(name)}: {part} {what}</title>"
            lines.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR_H}" fill="{colour}">{hint}</rect>'
            )
            x += width
    lines.append(f'<text class="soft" x="{x + 8:.1f}" y="{y + 13}">{escape(words)}</text>')
    return lines


def _parts(tally: QueueTally | AgentTally) -> tuple[int, int, int]:
    if isinstance(tally, AgentTally):
        return tally.answered, tally.missed, tally.offers - tally.answered - tally.missed
    return tally.answered, tally.abandoned, tally.overflowed + tally.other


def _words(tally: QueueTally | AgentTally) -> str:
    if isinstance(tally, AgentTally):
        return f"{tally.offers}"
    level = tally.service_level
    return f"{tally.offered}" if level is None else f"{tally.offered}, {level:.1f}% in time"
