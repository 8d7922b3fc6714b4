"""``callrouter report``: the numbers of the call centre, from the records in PostgreSQL."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path

import click

from callrouter.cli import report_text
from callrouter.cli.database import config_for_database, database_option, database_place
from callrouter.cli.options import json_option
from callrouter.cli.report_tables import Asked, calls_table, occupancy_tables, offers_table
from callrouter.cli.report_text import Report
from callrouter.core.tally import QueueTally
from callrouter.report.grouping import By
from callrouter.report.picture import picture
from callrouter.report.tables import Table
from callrouter.report.tally import AgentTally
from callrouter.report.workbook import workbook

_EPILOG = """\b
Examples:
  callrouter report
  callrouter report --day 2026-11-24 --by hour
  callrouter report --month 2026-11 --by agent
  callrouter report --week 2026-11-24 --by day --svg week.svg --png week.png
  callrouter report --month 2026-11 --by day --xlsx november.xlsx
  callrouter report --month 2026-11 --by agent --occupancy
  callrouter report --from 2026-11-01 --to 2026-11-15 --by day --csv > days.csv
"""


_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=_EPILOG)
@click.option("--day", metavar="DATE", help="Calls that began on that day. Default: today.")
@click.option("--week", metavar="DATE", help="In the week, Monday to Sunday, in which that day lies.")
@click.option("--month", metavar="YYYY-MM", help="In that month.")
@click.option("--from", "since", metavar="DATE", help="From that day on.")
@click.option("--to", "until", metavar="DATE", help="Up to that day, and with it. Default: today.")
@click.option("--by", type=click.Choice([by.value for by in By]), default=By.QUEUE.value, show_default=True)
@click.option("--occupancy", is_flag=True, help="Tell of counselors' time, and of their pauses, instead of calls.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
@click.option("--xlsx", type=_FILE, help="Write a workbook for spreadsheets, with all tables, into this file, too.")
@click.option("--svg", type=_FILE, help="Draw it into this file, too.")
@click.option("--png", type=_FILE, help="Draw it into this file as PNG, too; needs callrouter[charts].")
@json_option
@config_for_database
@database_option
def report(
    day: str | None,
    week: str | None,
    month: str | None,
    since: str | None,
    until: str | None,
    by: str,
    occupancy: bool,
    as_csv: bool,
    as_json: bool,
    xlsx: Path | None,
    svg: Path | None,
    png: Path | None,
    config: Path,
    database_url: str | None,
) -> None:
    """Count calls and say how well they were served: by queue, tenant, topic, counselor or time.

    Days are those of the configuration's time zone. What each figure means, docs/operator.md says. Calls that came into
    no queue are not counted, but for their offers in --by agent.

    Exit status: 0 fine, 2 wrong usage, 3 the database cannot be reached.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if occupancy and (svg or png):
        raise click.UsageError("--svg and --png draw calls, not --occupancy")
    if occupancy and By(by) in (By.TOPIC, By.WRAP_UP):
        raise click.UsageError(f"counselors' time is not spent by {by}; choose another --by")
    place = database_place(config, database_url)
    first, last = _days(day, week, month, since, until, datetime.now(place.zone).date())
    # A day's edges, also where a zone's clock is changed.
    begin, end = _midnight(first, place.zone), _midnight(last + timedelta(days=1), place.zone)
    asked = Asked(place.url, begin, end, min(end, datetime.now(begin.tzinfo)), By(by), place.zone, place.loaded)
    shown = Report(first, last, By(by), asyncio.run(_tables(asked, occupancy=occupancy)))
    title = f"{report_text.days(shown)} · {by}"
    if svg is not None:
        _write("--svg", svg, picture(title, _groups(shown.tables[0])).encode())
    if png is not None:
        _write("--png", png, _plot()(title, _groups(shown.tables[0])))
    if xlsx is not None:
        _write("--xlsx", xlsx, workbook(title, asyncio.run(_all_tables(asked)), last))
    if as_json:
        click.echo(report_text.as_json(shown))
    elif as_csv:
        click.echo(report_text.as_csv(shown), nl=False)
    else:
        click.echo(report_text.as_text(shown))


async def _tables(asked: Asked, *, occupancy: bool) -> list[Table]:
    if occupancy:
        return await occupancy_tables(asked)
    return [await (offers_table if asked.by is By.AGENT else calls_table)(asked)]


async def _all_tables(asked: Asked) -> list[Table]:
    """What a workbook has: the calls, the counselors' offers, their time and their pauses."""
    tables = [] if asked.by is By.AGENT else [await calls_table(asked)]
    return [*tables, await offers_table(asked), *await occupancy_tables(asked)]


def _groups(shown: Table) -> list[tuple[str, QueueTally | AgentTally]]:
    """What a picture is drawn of."""
    return [(keys[0], tally) for keys, tally in shown.rows if isinstance(tally, QueueTally | AgentTally)]


def _plot() -> Callable[[str, list[tuple[str, QueueTally | AgentTally]]], bytes]:
    """What draws pixels: it takes a second to load, and is not everywhere."""
    try:
        from callrouter.report.plot import plot
    except ImportError as error:
        remedy = "install it with: pip install 'callrouter[charts]', or draw an --svg"
        raise click.UsageError(f"--png needs matplotlib, which is not there; {remedy}") from error
    return plot


def _write(option: str, path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint=option) from error


def _days(
    day: str | None, week: str | None, month: str | None, since: str | None, until: str | None, today: date
) -> tuple[date, date]:
    """The first and the last day."""
    if sum(one is not None for one in (day, week, month, since or until)) > 1:
        raise click.UsageError("--day, --week, --month and --from with --to exclude each other")
    if week is not None:
        at = _date("--week", week)
        monday = at - timedelta(days=at.weekday())
        return monday, monday + timedelta(days=6)
    if month is not None:
        first = _date("--month", f"{month}-01", "write it as 2026-11")
        return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    if until is not None and since is None:
        raise click.UsageError("--to goes with --from")
    if since is not None:
        first, last = _date("--from", since), today if until is None else _date("--to", until)
        if last < first:
            raise click.UsageError(f"--from {first} is after the last day, {last}")
        return first, last
    only = today if day is None else _date("--day", day)
    return only, only


def _date(option: str, text: str, remedy: str = "write it as 2026-11-24") -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of no zone
    except ValueError as error:
        raise click.BadParameter(f"this is no date; {remedy}", param_hint=option) from error


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    start = datetime.combine(day, time(), zone)
    return start if zone is not None else start.astimezone()
