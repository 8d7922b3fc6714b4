"""``callrouter diff``: what changes for callers, and who of the past would have gone elsewhere."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from callrouter.cli import diff_text
from callrouter.cli.database import database_option, database_place
from callrouter.cli.options import daemon_options, instant, json_option
from callrouter.cli.versions import LIVE, Source
from callrouter.config import Loaded
from callrouter.config.scalars import parse_duration
from callrouter.diff.cells import Enumerated
from callrouter.diff.elsewhere import elsewhere
from callrouter.diff.hours import other_hours
from callrouter.diff.replay import Replay
from callrouter.diff.way import Ways
from callrouter.diff.written import changes
from callrouter.store.past_calls import past_calls

DAYS = 366
_EPILOG = """\b
Examples:
  callrouter diff                             (what is live, and what is on disk)
  callrouter diff @12 @13
  callrouter diff config /tmp/new-config --replay 30d
  callrouter diff @live /tmp/routes.yaml --json | jq '.elsewhere[].callers'
"""


@click.command(epilog=_EPILOG)
@click.argument("old", required=False, metavar="[OLD]")
@click.argument("new", required=False, metavar="[NEW]")
@daemon_options
@database_option
@click.option("--from", "first_text", metavar="DATE", help="The first day that is looked at (2026-12-01); today.")
@click.option("--days", type=click.IntRange(1, 2 * DAYS), default=DAYS, show_default=True, help="How many days.")
@click.option("--replay", metavar="SPAN", help="Also decide the calls of the last 30d (12h, 7d) anew, from the CDRs.")
@click.option("--until", metavar="TIME", help="With --replay: the calls up to then (2026-11-24T19:30); now.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=40, show_default=True, help="Rows of a table.")
@json_option
@click.pass_context
def diff(
    context: click.Context,
    /,
    old: str | None,
    new: str | None,
    config: Path,
    url: str | None,
    database_url: str | None,
    first_text: str | None,
    days: int,
    replay: str | None,
    until: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Say what is otherwise by the rules NEW than by the rules OLD: what is written, and who goes elsewhere, and when.

    OLD and NEW are folders, versions of the history (@12), @live for what the daemon runs by, or a file, which stands
    for the folder of --config with it in the place of the one of its name. Left out: @live, and the folder itself.

    Both are asked about every kind of call that they can tell apart, at every time at which a calendar opens or closes,
    by the very code that routes. Queues stand as usual: nobody waits, and every counselor of a queue is free. Switches
    are off; for past calls, as they were.

    Exit status: 0 nothing changes, 1 something does, 2 wrong usage, 3 PostgreSQL or the daemon cannot be reached.
    """
    if until is not None and replay is None:
        raise click.UsageError("--until goes with --replay")
    place = Source(config, database_url, url)
    before, after = place.load(old or LIVE), place.load(new or str(config))
    first = _day(first_text) if first_text is not None else datetime.now(after.timezone).date()
    found = _compare(before, after, first, days)
    if replay is not None:
        found.replay = _replay(place, before, after, _span(replay, until, after))
    if as_json:
        click.echo(json.dumps(diff_text.as_data(found), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(diff_text.lines(found, limit)))
    context.exit(1 if found.is_something else 0)


def _compare(before: Loaded, after: Loaded, first: date, days: int) -> diff_text.Found:
    cells = Enumerated(before, after, first, days)
    return diff_text.Found(
        old=before,
        new=after,
        first=first,
        days=days,
        changes=changes(before, after),
        hours=list(other_hours(before, after, first, days)),
        elsewhere=elsewhere(Ways(before), Ways(after), cells),
        kinds=len(cells.callers),
        complete=cells.complete,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a date; write it as 2026-12-01", param_hint="--from") from error


def _span(span: str, until: str | None, rules: Loaded) -> tuple[datetime, datetime]:
    try:
        length = timedelta(seconds=parse_duration(span))
    except ValueError as error:
        raise click.BadParameter(f"{error}, 30d", param_hint="--replay") from error
    end = instant(until, rules.timezone, "--until") if until is not None else datetime.now(UTC)
    return end - length, end


def _replay(place: Source, before: Loaded, after: Loaded, span: tuple[datetime, datetime]) -> Replay:
    url = database_place(place.config, place.database_url).url
    return asyncio.run(_take_all(url, Replay(Ways(before), Ways(after)), span))


async def _take_all(url: str, replay: Replay, span: tuple[datetime, datetime]) -> Replay:
    async for call in past_calls(url, *span):
        replay.take(call)
    return replay
