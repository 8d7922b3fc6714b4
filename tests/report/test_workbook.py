"""The report's workbook: numbers are numbers there, times are times, and no name is ever a formula."""

import io
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import openpyxl
import pytest

from callrouter.core.service_level import ServiceGoal
from callrouter.core.tally import QueueTally
from callrouter.report.tables import CALLS, PAUSES, Pause, Table
from callrouter.report.workbook import workbook
from tests.report.calls import abandoned, answered


def opened(*tables: Table) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(workbook("2026-11-24", tables, date(2026, 11, 24))))


def tallied(waits: Sequence[float]) -> QueueTally:
    tally = QueueTally()
    for wait_s in waits:
        tally.add(answered(wait_s, talk_s=90), ServiceGoal())
    tally.add(abandoned(60), ServiceGoal())
    return tally


def test_each_table_is_a_sheet_whose_heads_stay_in_place() -> None:
    calls = Table("calls", ("queue",), CALLS, [(("night",), tallied([1, 30]))], tallied([1, 30]))
    pauses = Table("pauses", ("agent", "reason"), PAUSES, [(("201", "점심"), Pause(3600))])
    book = opened(calls, pauses)
    assert book.sheetnames == ["calls", "pauses"]
    assert [sheet.freeze_panes for sheet in book] == ["B2", "C2"]
    assert [cell.value for cell in book["calls"][1]][:4] == ["queue", "offered", "answered", "abandoned"]
    assert [cell.value for cell in book["pauses"][2]] == ["201", "점심", timedelta(hours=1)]
    assert [row[0].value for row in book["calls"].rows] == ["queue", "night", "all"]


def test_counts_shares_and_times_are_numbers_in_their_formats() -> None:
    sheet = opened(Table("calls", ("queue",), CALLS, [(("night",), tallied([1, 31]))]))["calls"]
    cells = {head.value: cell for head, cell in zip(sheet[1], sheet[2], strict=True)}
    assert (cells["offered"].value, cells["offered"].number_format) == (3, "#,##0")
    assert (cells["service level"].value, cells["service level"].number_format) == (pytest.approx(1 / 3), "0.0%")
    assert (cells["target"].value, cells["target"].number_format) == (0.8, "0%")
    assert (cells["asa"].value, cells["asa"].number_format) == (timedelta(seconds=16), "[h]:mm:ss")
    assert cells["talk"].value == timedelta(seconds=180)


def test_a_figure_of_nothing_is_an_empty_cell() -> None:
    sheet = opened(Table("calls", ("queue",), CALLS, [(("night",), QueueTally())]))["calls"]
    cells = {head.value: cell.value for head, cell in zip(sheet[1], sheet[2], strict=True)}
    assert (cells["offered"], cells["service level"], cells["asa"]) == (0, None, None)


def test_intervals_are_dates_and_names_are_text_whatever_they_look_like() -> None:
    names = ["2026-11-24 19:00", "2026-11-24", "2026-11", "=1+1", "–"]
    rows = [((name,), QueueTally()) for name in names]
    sheet = opened(Table("calls", ("hour",), CALLS, rows))["calls"]
    cells = [row[0] for row in list(sheet.rows)[1:]]
    assert [cell.value for cell in cells] == [
        datetime(2026, 11, 24, 19),  # noqa: DTZ001 - spreadsheets know no zones
        datetime(2026, 11, 24),  # noqa: DTZ001
        "2026-11",
        "=1+1",
        "–",
    ]
    assert [cell.data_type for cell in cells] == ["d", "d", "s", "s", "s"]


def test_the_same_tables_make_the_same_file() -> None:
    table = Table("calls", ("queue",), CALLS, [])
    assert workbook("x", [table], date(2026, 11, 24)) == workbook("x", [table], date(2026, 11, 24))
