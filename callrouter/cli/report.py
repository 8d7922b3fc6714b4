"""``callrouter report``: service level, speed of answer and abandons, from the records in the database."""

import asyncio
import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any

import click
import msgspec

from callrouter.cli.database import config_for_database, database_option, database_place, moment
from callrouter.cli.options import json_option
from callrouter.cli.text import Column, table
from callrouter.config import load
from callrouter.core.cdr import Cdr
from callrouter.core.ids import QueueName
from callrouter.core.performance import USUAL, Group, Performance, ServiceLevel, Tally, measure, measure_agents
from callrouter.errors import ConfigError
from callrouter.store.postgres import CdrSearch, open_archive

MOST_CALLS = 1_000_000
_EPILOG = """\b
Examples:
  callrouter report --day 2026-11-24
  callrouter report --month 2026-11 --by day --csv > november.csv
  callrouter report --since 2026-11-24T18:00 --until 2026-11-24T22:00 --by agent --json
"""
_NUMBERS = (
    Column("offered", 8, right=True),
    Column("answered", 8, right=True),
    Column("level", 7, right=True),
    Column("target", 6, right=True),
    Column("ASA", 7, right=True),
    Column("longest", 8, right=True),
    Column("talk", 7, right=True),
    Column("abandoned", 9, right=True),
    Column("short", 6, right=True),
    Column("rate", 7, right=True),
    Column("less short", 10, right=True),
    Column("other", 6, right=True),
    Column("missed", 6, right=True),
)
_BY = ("queue", "tenant", "topic", "agent", "hour", "day", "week", "month")


class ReportRow(msgspec.Struct, frozen=True):
    """One group. Ratios are fractions, durations seconds; null: there is nothing to divide by."""

    group: str
    offered: int
    answered: int
    service_level: float | None
    target: float | None
    asa_s: float | None
    longest_s: float
    talk_s: float | None
    abandoned: int
    short_abandons: int
    abandon_rate: float | None
    abandon_rate_less_short: float | None
    other: int
    missed: int


@click.command(epilog=_EPILOG)
@click.option("--day", help="A day: 2026-11-24. Default, if nothing else is said: today.")
@click.option("--week", help="A week (ISO 8601, Monday to Sunday): 2026-W48.")
@click.option("--month", help="A month: 2026-11.")
@click.option("--since", help="From then on: DATE[THH:MM], local time if no zone is given.")
@click.option("--until", help="Before then.")
@click.option("--by", type=click.Choice(_BY), default="queue", show_default=True, help="What the rows are.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
@config_for_database
@database_option
@json_option
def report(by: str, config: Path, database_url: str | None, as_json: bool, as_csv: bool, **period: str | None) -> None:
    """Print the numbers of the calls that queues were offered: how many were answered, in time, abandoned.

    A call belongs to the first queue that it waited in and to the time at which it came in; with --by agent, to who
    answered it. Level: answered within the queue's threshold, by its formula (queues.yaml, service_level). ASA: average
    speed of answer. Short: hung up at once. Other: overflow, voicemail, callback, failure. Missed: offers that a
    counselor did not answer, or rejected.

    Exit status: 0 fine, 2 wrong usage, 3 the database cannot be reached.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    place = database_place(config, database_url)
    since, until = _period(period, place.zone)
    calls = asyncio.run(_find(place.url, since, until))
    levels = _levels(config)
    rows = _rows(_measured(calls, levels, by, place.zone), levels if by == "queue" else None)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(ReportRow.__struct_fields__)
        writer.writerows(map(msgspec.structs.astuple, rows))
    else:
        click.echo(table((Column(by, 24), *_NUMBERS), map(_cells, rows)))


def _period(asked: Mapping[str, str | None], zone: tzinfo | None) -> tuple[datetime | None, datetime | None]:
    """Which calls: since when (inclusive) and until when (exclusive) they came in."""
    named = [key for key in ("day", "week", "month") if asked[key] is not None]
    if len(named) + (asked["since"] is not None or asked["until"] is not None) > 1:
        raise click.UsageError("--day, --week, --month and --since/--until exclude each other")
    if asked["since"] is not None or asked["until"] is not None:
        return moment("--since", asked["since"], zone), moment("--until", asked["until"], zone)
    key = named[0] if named else "day"
    text = asked[key] or f"{datetime.now(zone):%Y-%m-%d}"
    try:
        first, after = _PERIODS[key](text)
    except ValueError as exc:
        message = f'"{text}" is no {key}; write it as in --help'
        raise click.BadParameter(message, param_hint=f"--{key}") from exc
    return _midnight(first, zone), _midnight(after, zone)


def _day(text: str) -> tuple[date, date]:
    first = date.fromisoformat(text)
    return first, first + timedelta(days=1)


def _week(text: str) -> tuple[date, date]:
    first = datetime.strptime(f"{text}-1", "%G-W%V-%u").date()  # noqa: DTZ007 - a date, no moment
    return first, first + timedelta(days=7)


def _month(text: str) -> tuple[date, date]:
    first = date.fromisoformat(f"{text}-01")
    return first, (first + timedelta(days=31)).replace(day=1)


_PERIODS: Mapping[str, Callable[[str], tuple[date, date]]] = {"day": _day, "week": _week, "month": _month}


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    at = datetime.combine(day, time())
    return at.replace(tzinfo=zone) if zone is not None else at.astimezone()


async def _find(url: str, since: datetime | None, until: datetime | None) -> list[Cdr]:
    async with open_archive(url) as archive:
        calls = await archive.find(CdrSearch(since=since, until=until, limit=MOST_CALLS))
    if len(calls) == MOST_CALLS:
        raise click.UsageError(f"more than {MOST_CALLS:,} calls; ask for a shorter time")
    return calls


def _levels(config: Path) -> Mapping[QueueName, ServiceLevel]:
    """What the queues promise; a configuration with faults is in nobody's way: then it is the usual."""
    try:
        queues = load(config).rulebook.queues
    except (ConfigError, OSError):
        return {}
    return {name: spec.service_level for name, spec in queues.items()}


def _measured(
    calls: Sequence[Cdr], levels: Mapping[QueueName, ServiceLevel], by: str, zone: tzinfo | None
) -> Performance:
    if by == "agent":
        return measure_agents(calls, levels)
    groups: Mapping[str, Group] = {
        "queue": lambda call: call.queue or "",
        "tenant": lambda call: call.tenant,
        "topic": lambda call: call.topic or "-",
        "hour": lambda call: f"{call.started_at.astimezone(zone):%Y-%m-%d %H}:00",
        "day": lambda call: f"{call.started_at.astimezone(zone):%Y-%m-%d}",
        "week": lambda call: f"{call.started_at.astimezone(zone):%G-W%V}",
        "month": lambda call: f"{call.started_at.astimezone(zone):%Y-%m}",
    }
    return measure(calls, levels, groups[by])


def _rows(found: Performance, levels: Mapping[QueueName, ServiceLevel] | None) -> list[ReportRow]:
    """``levels``: what the groups promise, if they are queues."""
    rows = []
    for name, tally in found.groups.items():
        target = levels.get(QueueName(name), USUAL).target / 100 if levels is not None else None
        rows.append(_row(name, tally, target))
    return [*rows, _row("total", found.total, None)]


def _row(name: str, tally: Tally, target: float | None) -> ReportRow:
    return ReportRow(
        name,
        tally.offered,
        tally.answered,
        _rounded(tally.service_level, 4),
        target,
        _rounded(tally.asa_s, 1),
        round(tally.longest_s, 1),
        _rounded(tally.talked_s, 1),
        tally.abandoned,
        tally.short,
        _rounded(tally.abandon_rate, 4),
        _rounded(tally.abandon_rate_less_short, 4),
        tally.other,
        tally.missed,
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return round(value, digits) if value is not None else None


def _cells(row: ReportRow) -> tuple[Any, ...]:
    return (
        row.group,
        str(row.offered),
        str(row.answered),
        _percent(row.service_level),
        f"{row.target:.0%}" if row.target is not None else "–",
        _seconds(row.asa_s),
        _seconds(row.longest_s),
        _seconds(row.talk_s),
        str(row.abandoned),
        str(row.short_abandons),
        _percent(row.abandon_rate),
        _percent(row.abandon_rate_less_short),
        str(row.other),
        str(row.missed),
    )


def _percent(value: float | None) -> str:
    return f"{value:.1%}" if value is not None else "–"


def _seconds(value: float | None) -> str:
    return f"{value:.1f}s" if value is not None else "–"
