"""``callrouter audit``: who changed what while the daemon ran."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path

import click

from callrouter.cli.database import MOMENT, config_for_database, database_option, database_place, moment
from callrouter.cli.documents import for_programs
from callrouter.cli.options import json_option
from callrouter.cli.text import Column, table
from callrouter.core.audit import AuditEntry
from callrouter.store.audit import AuditSearch, open_audit_log

_EPILOG = """\b
Examples:
  callrouter audit --since 2026-11-24
  callrouter audit --name typhoon --json | jq '.[] | {at, who, becomes}'
"""
_COLUMNS = (
    Column("at", 19),
    Column("who", 16),
    Column("what", 24),
    Column("was", 4),
    Column("now", 4),
    Column("until", 16),
    Column("via", 8),
    Column("from", 16),
    Column("note", 30),
)


@click.command(epilog=_EPILOG)
@click.option("--since", metavar=MOMENT, help="Changes then or later, local time if no zone is given.")
@click.option("--until", metavar=MOMENT, help="Changes before then.")
@click.option("--who", help="The person, or the counselor whose phone it was.")
@click.option("--name", help="Of what was changed: a switch.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Newest first.")
@config_for_database
@database_option
@json_option
def audit(
    since: str | None,
    until: str | None,
    who: str | None,
    name: str | None,
    limit: int,
    config: Path,
    database_url: str | None,
    as_json: bool,
) -> None:
    """List what was changed while the daemon ran, newest first: who set which switch, when, and until when.

    Changes that were made while the database was away are here as soon as it is back.

    Exit status: 0 fine, 2 wrong usage, 3 the database cannot be reached.
    """
    place = database_place(config, database_url)
    search = AuditSearch(
        since=moment("--since", since, place.zone),
        until=moment("--until", until, place.zone),
        who=who,
        name=name,
        limit=limit,
    )
    found = asyncio.run(_find(place.url, search))
    if as_json:
        click.echo(for_programs(found))
    elif found:
        click.echo(table(_COLUMNS, [_row(entry, place.zone) for entry in found]))
    else:
        click.echo("nothing was changed then")


async def _find(url: str, search: AuditSearch) -> Sequence[AuditEntry]:
    async with open_audit_log(url) as log:
        return await log.find(search)


def _row(entry: AuditEntry, zone: tzinfo | None) -> tuple[str, ...]:
    until = _local(entry.until, zone).strftime("%Y-%m-%d %H:%M") if entry.until is not None else "-"
    at = _local(entry.at, zone).strftime("%Y-%m-%d %H:%M:%S")
    what = f"{entry.kind} {entry.name}"
    return (at, entry.who, what, entry.was, entry.becomes, until, entry.via, _from(entry), entry.note)


def _from(entry: AuditEntry) -> str:
    """The account, where another name stands as who did it, and the address."""
    account = entry.account if entry.account != entry.who else ""
    return " ".join(part for part in (account, entry.address) if part) or "-"


def _local(at: datetime, zone: tzinfo | None) -> datetime:
    return at.astimezone(zone)
