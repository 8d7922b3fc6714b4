"""A year as a picture (SVG): a column a day, the hours from top to bottom, a colour for each rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

from callrouter.core.ids import RuleId
from callrouter.core.local_time import WEEKDAYS
from callrouter.proof.colours import Paint, Painted, painted, paints
from callrouter.proof.days import MINUTES_A_DAY, Piece, days
from callrouter.proof.findings import Surprise, hours, minute_text, surprises
from callrouter.proof.kinds import words_of
from callrouter.proof.proving import Course, Proof

MOST_PANELS = 24
"""Of more courses the picture would be longer than anyone looks at."""

_DAY_W, _HOUR_H = 3, 8
_LEFT, _TOP, _RIGHT = 64, 92, 28
_PLOT_H = 24 * _HOUR_H
_HEAD_H, _LEGEND_ROW_H, _GAP = 56, 20, 34
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STYLE = """
:root{--paper:#fff;--ink:#1b2530;--soft:#5b6875;--line:#8b97a3}
@media (prefers-color-scheme:dark){:root{--paper:#14191f;--ink:#eef2f6;--soft:#a9b5c1;--line:#6c7986}}
text{font-family:"Noto Sans KR","Noto Sans CJK KR","Apple SD Gothic Neo","Malgun Gothic",system-ui,sans-serif;
fill:var(--ink);font-size:12px}
.paper{fill:var(--paper)}.title{font-size:22px;font-weight:700}.head{font-size:15px;font-weight:700}
.soft{fill:var(--soft)}.day rect{shape-rendering:crispEdges}
.grid{stroke:#000;stroke-opacity:.14;stroke-width:1;shape-rendering:crispEdges}
.frame{fill:none;stroke:var(--line);stroke-width:1;shape-rendering:crispEdges}
.mark{fill:#c2255c}
"""
_HATCH = (
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="2" height="6" fill="#000" fill-opacity=".35"/></pattern>'
)


@dataclass(frozen=True, slots=True)
class _Panel:
    """A course as it is drawn."""

    course: Course
    days: Mapping[date, tuple[Piece, ...]]
    legend: Sequence[tuple[Painted, str]]
    """What is drawn, and in words."""
    surprises: Sequence[Surprise]

    @property
    def height(self) -> int:
        return _HEAD_H + _PLOT_H + 24 + _LEGEND_ROW_H * len(self.legend) + _GAP


def picture(proof: Proof, title: str) -> str:
    """The proof of a year as SVG, a panel for each course of the year; ``title`` says whose it is."""
    special = surprises(proof)
    panels = [_panel(proof, course, special) for course in proof.courses[:MOST_PANELS]]
    pieces = (piece for panel in panels for found in panel.days.values() for piece in found)
    paint = paints(pieces, [route.rule for route in proof.rules.routes])
    width = _LEFT + _DAY_W * (len(panels[0].days) if panels else 365) + _RIGHT
    left_out = len(proof.courses) - len(panels)
    height = _TOP + sum(panel.height for panel in panels) + (24 if left_out else 0)
    words = f"{proof.number} · {title}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' role="img" aria-labelledby="name what">',
        f'<title id="name">{escape(words)}</title>',
        f'<desc id="what">{escape(_summary(proof, panels))}</desc>',
        f"<style>{_STYLE}</style><defs>{_HATCH}</defs>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="{_LEFT}" y="42">{escape(words)}</text>',
        f'<text class="soft" x="{_LEFT}" y="64">What becomes of calls, minute by minute; {proof.zone.key}; rules '
        f"{escape(proof.rules.config_hash)}; ▾ a day on which the last rule takes calls that another rule takes on"
        " most days of that name</text>",
    ]
    top = _TOP
    for panel in panels:
        lines += _drawn(proof, panel, paint, top, width)
        top += panel.height
    if left_out:
        lines.append(f'<text class="soft" x="{_LEFT}" y="{top}">{left_out} more are not drawn: choose a region</text>')
    return "\n".join([*lines, "</svg>", ""])


def _panel(proof: Proof, course: Course, special: Sequence[Surprise]) -> _Panel:
    timeline = proof.timeline(course)
    minutes: dict[Painted, int] = {}
    ends: dict[Painted, dict[str, None]] = {}
    for span, answer in timeline:
        key = painted(answer)
        minutes[key] = minutes.get(key, 0) + span.minutes
        ends.setdefault(key, {})[answer.words] = None
    order = {route.rule: place for place, route in enumerate(proof.rules.routes)}
    legend = [
        (key, f"{key[0]} → {'; '.join(ends[key])}, {hours(minutes[key])} ({_percent(minutes[key], proof)})")
        for key in sorted(minutes, key=lambda key: (order[key[0]], key[1]))
    ]
    own = [surprise for surprise in special if surprise.course is course]
    return _Panel(course, days(timeline, proof.zone), legend, own)


def _percent(minutes: int, proof: Proof) -> str:
    return f"{100 * minutes / proof.year.minutes:.1f} %"


def _summary(proof: Proof, panels: Sequence[_Panel]) -> str:
    return " ".join(
        f"{words_of(panel.course.kinds, proof.kinds)}: {'; '.join(text for _, text in panel.legend)}."
        for panel in panels
    )


def _drawn(proof: Proof, panel: _Panel, paint: Mapping[Painted, Paint], top: int, width: int) -> Iterator[str]:
    kinds, right = panel.course.kinds, width - _RIGHT
    many = f"{len(kinds)} of {len(proof.kinds)} kinds of call"
    yield f'<text class="head" x="{_LEFT}" y="{top + 16}">{escape(words_of(kinds, proof.kinds))}</text>'
    yield f'<text class="soft" x="{right}" y="{top + 16}" text-anchor="end">{many}</text>'
    plot = top + _HEAD_H
    yield f'<g class="day" transform="translate({_LEFT} {plot})">'
    yield from _columns(panel, paint)
    yield "</g>"
    yield from _frame(panel, plot, right)
    yield from _marks(panel, plot)
    for row, (key, text) in enumerate(panel.legend):
        y = plot + _PLOT_H + 24 + row * _LEGEND_ROW_H
        yield from _filled(paint[key], _LEFT, y, 14, 14, "")
        yield f'<text x="{_LEFT + 22}" y="{y + 11}">{escape(f"{paint[key].group}: {text}")}</text>'


def _columns(panel: _Panel, paint: Mapping[Painted, Paint]) -> Iterator[str]:
    """Days that are alike and follow each other are drawn as one."""
    for first, last, pieces in _runs(panel.days):
        x, w = _x(first), _x(last) - _x(first) + _DAY_W
        when = _day(first) if first == last else f"{_day(first)} to {_day(last)}"
        for piece in pieces:
            y, h = piece.start * _PLOT_H / MINUTES_A_DAY, (piece.end - piece.start) * _PLOT_H / MINUTES_A_DAY
            clock = f"{minute_text(piece.start)}-{minute_text(piece.end)}{' again' if piece.again else ''}"
            title = f"{when}, {clock}: {piece.answer.rule} → {piece.answer.words}"
            # What the clock shows twice stands side by side.
            at, wide = (x + w / 2, w / 2) if piece.again else (x, w)
            yield from _filled(paint[painted(piece.answer)], at, y, wide, h, title)


def _runs(year: Mapping[date, tuple[Piece, ...]]) -> Iterator[tuple[date, date, tuple[Piece, ...]]]:
    first = last = None
    for day, pieces in year.items():
        if first is not None and last is not None and year[first] == pieces:
            last = day
            continue
        if first is not None and last is not None:
            yield first, last, year[first]
        first = last = day
    if first is not None and last is not None:
        yield first, last, year[first]


def _filled(paint: Paint, x: float, y: float, w: float, h: float, title: str) -> Iterator[str]:
    place = f'x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}"'
    inside = f"<title>{escape(title)}</title>" if title else ""
    yield f'<rect {place} fill="{paint.fill}">{inside}</rect>'
    if paint.hatched:
        yield f'<rect {place} fill="url(#hatch)" pointer-events="none"/>'


def _frame(panel: _Panel, plot: int, right: int) -> Iterator[str]:
    """Hours at the side, months above, and fine lines."""
    for hour in range(0, 25, 6):
        y = plot + hour * _HOUR_H
        yield f'<text class="soft" x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{hour:02}:00</text>'
        if hour % 24:
            yield f'<path class="grid" d="M{_LEFT} {y}H{right}"/>'
    for day in panel.days:
        if day.day == 1:
            x = _LEFT + _x(day)
            yield f'<text class="soft" x="{x + 4}" y="{plot - 14}">{_MONTHS[day.month - 1]}</text>'
            if day.month > 1:
                yield f'<path class="grid" d="M{x} {plot - 6}V{plot + _PLOT_H}"/>'
    yield f'<rect class="frame" x="{_LEFT}" y="{plot}" width="{right - _LEFT}" height="{_PLOT_H}"/>'


def _marks(panel: _Panel, plot: int) -> Iterator[str]:
    for surprise in panel.surprises:
        day = surprise.times[0].day
        x = _LEFT + _x(day) + _DAY_W / 2
        rules: dict[RuleId, None] = dict.fromkeys(time.usual.rule for time in surprise.times)
        why = f": {', '.join(surprise.reasons)}" if surprise.reasons else ""
        title = f"{_day(day)}{why}; {surprise.times[0].answer.rule} in place of {' and '.join(rules)}"
        shape = f"M{x - 3.5:g} {plot - 9}h7l-3.5 7z"
        yield f'<path class="mark" d="{shape}"><title>{escape(title)}</title></path>'


def _x(day: date) -> int:
    return (day - date(day.year, 1, 1)) // timedelta(days=1) * _DAY_W


def _day(day: date) -> str:
    return f"{WEEKDAYS[day.weekday()]} {day}"
