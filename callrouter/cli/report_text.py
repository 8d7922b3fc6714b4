"""A report as people and programs read it: a table, CSV, JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from callrouter.cli.text import Column, table
from callrouter.core.tally import QueueTally
from callrouter.report.grouping import NOTHING, By
from callrouter.report.tally import AgentTally


@dataclass(frozen=True, slots=True)
class Report:
    """Groups by name, and all of them together, from the first day to the last, both included."""

    first: date
    last: date
    by: By
    groups: Sequence[tuple[str, QueueTally | AgentTally]]
    total: QueueTally | AgentTally


@dataclass(frozen=True, slots=True)
class _Figure:
    """An attribute of a tally, its name for programs, and how people see it."""

    name: str
    head: str
    shown: Callable[[Any], str]


def _count(value: int) -> str:
    return str(value)


def _share(value: float) -> str:
    return f"{value:.1f}%"


def _clock(value: float) -> str:
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


_QUEUE = (
    _Figure("offered", "offered", _count),
    _Figure("answered", "answered", _count),
    _Figure("abandoned", "abandoned", _count),
    _Figure("short_abandons", "short", _count),
    _Figure("overflowed", "overflowed", _count),
    _Figure("other", "other", _count),
    _Figure("service_level", "level", _share),
    _Figure("target_percent", "goal", "{}%".format),
    _Figure("asa_s", "ASA", _clock),
    _Figure("longest_wait_s", "longest", _clock),
    _Figure("mean_talk_s", "AHT", _clock),
    _Figure("talk_s", "talk", _clock),
    _Figure("abandon_rate", "lost", _share),
    _Figure("abandon_rate_less_short", "lost-short", _share),
)
_AGENT = (
    _Figure("offers", "offers", _count),
    _Figure("answered", "answered", _count),
    _Figure("missed", "missed", _count),
    _Figure("talk_s", "talk", _clock),
    _Figure("mean_talk_s", "AHT", _clock),
)


def as_table(report: Report) -> str:
    """The period, a line a group, and a last one for all."""
    figures = _figures(report)
    columns = [Column(report.by.value, 24), *(Column(figure.head, 10, right=True) for figure in figures)]
    lines = [[name, *_cells(tally, figures)] for name, tally in [*report.groups, ("all", report.total)]]
    return f"{days(report)}\n{table(columns, lines)}"


def days(report: Report) -> str:
    """``2026-11-24``, or the first and the last day."""
    return f"{report.first}" if report.first == report.last else f"{report.first} to {report.last}"


def as_csv(report: Report) -> str:
    """A header and a line a group, without the one for all; nothing is an empty cell, seconds have milliseconds."""
    figures = _figures(report)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([report.by.value, *(figure.name for figure in figures)])
    for name, tally in report.groups:
        writer.writerow([_unlike_a_formula(name), *_data(tally, figures).values()])
    return out.getvalue()


def as_json(report: Report) -> str:
    """Groups and total; nothing is null."""
    figures = _figures(report)
    data = {
        "from": report.first.isoformat(),
        "to": report.last.isoformat(),
        "by": report.by.value,
        "groups": [{report.by.value: name} | _data(tally, figures) for name, tally in report.groups],
        "total": _data(report.total, figures),
    }
    return json.dumps(data, ensure_ascii=False, indent=2)


def _figures(report: Report) -> tuple[_Figure, ...]:
    return _AGENT if report.by is By.AGENT else _QUEUE


def _cells(tally: object, figures: Sequence[_Figure]) -> list[str]:
    values = [(figure, getattr(tally, figure.name)) for figure in figures]
    return [NOTHING if value is None else figure.shown(value) for figure, value in values]


def _data(tally: object, figures: Sequence[_Figure]) -> dict[str, object]:
    values = {figure.name: getattr(tally, figure.name) for figure in figures}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in values.items()}


def _unlike_a_formula(name: str) -> str:
    """A spreadsheet would run a name that begins like a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name
