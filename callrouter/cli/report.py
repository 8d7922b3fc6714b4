"""``callrouter report``: the numbers of the call centre, from the records in PostgreSQL."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path

import click

from callrouter.cli import report_text
from callrouter.cli.database import config_for_database, database_option, database_place
from callrouter.cli.options import json_option
from callrouter.config.load import Loaded
from callrouter.core.service_level import ServiceGoal
from callrouter.core.tally import QueueTally
from callrouter.report.grouping import AgentReport, By, QueueReport
from callrouter.report.picture import picture
from callrouter.report.tally import AgentTally
from callrouter.store.report_rows import agent_offers, queue_visits, queued_calls

_EPILOG = """\b
Examples:
  callrouter report
  callrouter report --day 2026-11-24 --by hour
  callrouter report --month 2026-11 --by agent
  callrouter report --week 2026-11-24 --by day --svg week.svg
  callrouter report --from 2026-11-01 --to 2026-11-15 --by day --csv > days.csv
"""


@click.command(epilog=_EPILOG)
@click.option("--day", metavar="DATE", help="Calls that began on that day. Default: today.")
@click.option("--week", metavar="DATE", help="In the week, Monday to Sunday, in which that day lies.")
@click.option("--month", metavar="YYYY-MM", help="In that month.")
@click.option("--from", "since", metavar="DATE", help="From that day on.")
@click.option("--to", "until", metavar="DATE", help="Up to that day, and with it. Default: today.")
@click.option("--by", type=click.Choice([by.value for by in By]), default=By.QUEUE.value, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file, too.")
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
    as_csv: bool,
    as_json: bool,
    svg: Path | None,
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
    place = database_place(config, database_url)
    first, last = _days(day, week, month, since, until, datetime.now(place.zone).date())
    # A day's edges, also where a zone's clock is changed.
    begin, end = _midnight(first, place.zone), _midnight(last + timedelta(days=1), place.zone)
    rows: list[tuple[str, QueueTally | AgentTally]]
    if By(by) is By.AGENT:
        offers = asyncio.run(_offers(place.url, begin, end))
        rows, total = [*offers.groups()], offers.total
        shown = report_text.Report(first, last, By.AGENT, rows, total)
    else:
        calls = asyncio.run(_calls(place.url, begin, end, QueueReport(By(by), place.zone, _goals(place.loaded))))
        rows = [*calls.groups()]
        shown = report_text.Report(first, last, By(by), rows, calls.total)
    if svg is not None:
        _write(svg, picture(f"{report_text.days(shown)} · {by}", shown.groups))
    if as_json:
        click.echo(report_text.as_json(shown))
    elif as_csv:
        click.echo(report_text.as_csv(shown), nl=False)
    else:
        click.echo(report_text.as_table(shown))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--svg") from error


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


def _goals(loaded: Loaded | None) -> Mapping[str, ServiceGoal]:
    """What each queue is measured by now; without a sound configuration nothing is known of them."""
    if loaded is None:
        click.echo("note: no sound configuration; queues are measured by 80 % in 20 s", err=True)
        return {}
    return {name: queue.goal for name, queue in loaded.rulebook.queues.items()}


async def _calls(url: str, since: datetime, until: datetime, into: QueueReport) -> QueueReport:
    """By queue each wait counts, by anything else each call."""
    rows = queue_visits if into.by is By.QUEUE else queued_calls
    async for call in rows(url, since, until):
        into.add(call)
    return into


async def _offers(url: str, since: datetime, until: datetime) -> AgentReport:
    into = AgentReport()
    async for offer in agent_offers(url, since, until):
        into.add(offer)
    return into
