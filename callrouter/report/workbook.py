"""Tables of a report as a workbook (XLSX) for spreadsheets: numbers are numbers there, times are times."""

import io
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, assert_never

import xlsxwriter

from callrouter.report.tables import Figure, Kind, Table, value

_DAY_S = 86_400
_FORMATS = {
    Kind.COUNT: "#,##0",
    Kind.SHARE: "0.0%",
    Kind.WHOLE_SHARE: "0%",
    Kind.TIME: "[h]:mm:ss",
}


def workbook(title: str, tables: Sequence[Table], made: date) -> bytes:
    """The file: a sheet for each table, with its heads in place while the rest is scrolled.

    ``made`` is the day that it says it was made.
    """
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        book.set_properties({"title": title, "created": datetime.combine(made, datetime.min.time())})
        formats = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}
        bold = {kind: book.add_format({"num_format": text, "bold": True}) for kind, text in _FORMATS.items()}
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        times = {
            "%Y-%m-%d %H:%M": book.add_format({"num_format": "yyyy-mm-dd hh:mm", "align": "left"}),
            "%Y-%m-%d": book.add_format({"num_format": "yyyy-mm-dd", "align": "left"}),
        }
        for table in tables:
            sheet = book.add_worksheet(table.title)
            sheet.freeze_panes(1, len(table.keys))
            sheet.set_column(0, len(table.keys) - 1, 20)
            sheet.set_column(len(table.keys), len(table.keys) + len(table.figures) - 1, 12)
            for column, text in enumerate([*table.keys, *(_head(figure) for figure in table.figures)]):
                sheet.write_string(0, column, text, head)
            for number, (keys, tally) in enumerate(table.rows, start=1):
                for column, key in enumerate(keys):
                    _write_key(sheet, number, column, key, times)
                _write_figures(sheet, number, table, tally, formats)
            if table.total is not None:
                number = len(table.rows) + 1
                sheet.write_string(number, 0, "all", book.add_format({"bold": True}))
                _write_figures(sheet, number, table, table.total, bold)
            if table.rows:
                sheet.autofilter(0, 0, len(table.rows), len(table.keys) + len(table.figures) - 1)
    return out.getvalue()


def _head(figure: Figure) -> str:
    """As programs call it: that says what it is of, and has no unit, for the cell has one."""
    return figure.name.removesuffix("_s").removesuffix("_percent").replace("_", " ")


def _write_key(sheet: Any, row: int, column: int, key: str, times: dict[str, Any]) -> None:
    for text, shown in times.items():
        try:
            at = datetime.strptime(key, text)  # noqa: DTZ007 - spreadsheets know no zones
        except ValueError:
            continue
        sheet.write_datetime(row, column, at, shown)
        return
    sheet.write_string(row, column, key)  # never a formula, whatever it looks like


def _write_figures(sheet: Any, row: int, table: Table, tally: object, formats: dict[Kind, Any]) -> None:
    for column, figure in enumerate(table.figures, start=len(table.keys)):
        found = value(tally, figure)
        if found is None:
            continue
        sheet.write_number(row, column, _in_units(found, figure.kind), formats[figure.kind])


def _in_units(found: float, kind: Kind) -> float:
    """As spreadsheets reckon: shares of one, times in days."""
    match kind:
        case Kind.SHARE | Kind.WHOLE_SHARE:
            return found / 100
        case Kind.TIME:
            return found / _DAY_S
        case Kind.COUNT:
            return found
        case _:
            assert_never(kind)
