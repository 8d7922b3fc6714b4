"""A report as people and programs read it: tables, CSV, JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from callrouter.cli.text import Column, table
from callrouter.report.grouping import NOTHING, By
from callrouter.report.tables import Figure, Kind, Table, value

KEY_COLUMNS = 17
"""As many as the name of an hour needs; longer names are cut."""
FIT = 100
"""Columns of a terminal that no table is wider than."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tables from the first day to the last, both included; the first of them is what CSV and JSON tell."""

    first: date
    last: date
    by: By
    tables: Sequence[Table]


def as_text(report: Report) -> str:
    """The period, and each table: a line a group, and a last one for all."""
    return "\n\n".join([f"{days(report)}\n{_as_table(report.tables[0])}", *map(_as_table, report.tables[1:])])


def _as_table(shown: Table) -> str:
    figures = [figure for figure in shown.figures if figure.most]
    columns = [
        *(Column(key, KEY_COLUMNS) for key in shown.keys),
        *(Column(figure.head, figure.most, right=True) for figure in figures),
    ]
    lines = [[*keys, *_cells(tally, figures)] for keys, tally in shown.rows]
    if shown.total is not None:
        lines.append(["all", *("" for _ in shown.keys[1:]), *_cells(shown.total, figures)])
    return table(columns, lines, fit=FIT)


def days(report: Report) -> str:
    """``2026-11-24``, or the first and the last day."""
    return f"{report.first}" if report.first == report.last else f"{report.first} to {report.last}"


def as_csv(report: Report) -> str:
    """A header and a line a group, without the one for all; nothing is an empty cell, seconds have milliseconds."""
    shown = report.tables[0]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*shown.keys, *(figure.name for figure in shown.figures)])
    for keys, tally in shown.rows:
        writer.writerow([*map(_unlike_a_formula, keys), *_data(tally, shown.figures).values()])
    return out.getvalue()


def as_json(report: Report) -> str:
    """Groups and total of the first table, and the rows of the others under their titles; nothing is null."""
    shown, *others = report.tables
    data: dict[str, object] = {
        "from": report.first.isoformat(),
        "to": report.last.isoformat(),
        "by": report.by.value,
        "groups": _rows(shown),
        "total": _data(shown.total, shown.figures),
    }
    data |= {other.title: _rows(other) for other in others}
    return json.dumps(data, ensure_ascii=False, indent=2)


def _rows(shown: Table) -> list[dict[str, object]]:
    return [{**dict(zip(shown.keys, keys, strict=True)), **_data(tally, shown.figures)} for keys, tally in shown.rows]


def _cells(tally: object, figures: Sequence[Figure]) -> list[str]:
    return [NOTHING if (found := value(tally, figure)) is None else _shown(found, figure.kind) for figure in figures]


def _shown(found: float, kind: Kind) -> str:
    match kind:
        case Kind.COUNT:
            return f"{found}"
        case Kind.SHARE:
            return f"{found:.1f}%"
        case Kind.WHOLE_SHARE:
            return f"{found}%"
        case Kind.TIME:
            return clock(found)


def clock(seconds: float) -> str:
    """``3:07``, or from an hour on ``1h02``, which no number of hours makes much longer."""
    whole_s = round(seconds)
    if whole_s < 3600:
        return f"{whole_s // 60}:{whole_s % 60:02}"
    minutes = round(seconds / 60)
    return f"{minutes // 60}h{minutes % 60:02}"


def _data(tally: object, figures: Sequence[Figure]) -> dict[str, object]:
    values = {figure.name: value(tally, figure) for figure in figures}
    return {name: round(found, 3) if isinstance(found, float) else found for name, found in values.items()}


def _unlike_a_formula(name: str) -> str:
    """A spreadsheet would run a name that begins like a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name
