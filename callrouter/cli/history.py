"""``callrouter history``: every version of the rules that went live."""

import asyncio
import json
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path

import click

from callrouter.cli.database import config_for_database, database_option, database_place
from callrouter.cli.options import json_option
from callrouter.cli.text import Column, table
from callrouter.cli.versions import Source
from callrouter.config.folder import is_inside
from callrouter.config.problems import nearest
from callrouter.store.rules import Version, open_rules

_EPILOG = """\b
Examples:
  callrouter history
  callrouter history @12
  callrouter history @12 routes.yaml > /tmp/routes.yaml
  callrouter history @12 --export /tmp/version-12
"""
_COLUMNS = (
    Column("version", 7, right=True),
    Column("live since", 19),
    Column("who", 20),
    Column("hash", 12),
    Column("files changed", 60),
    Column("note", 40),
)


@click.command(epilog=_EPILOG)
@click.argument("version", required=False, metavar="[@N]")
@click.argument("file", required=False)
@config_for_database
@database_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Newest first.")
@click.option(
    "--export", type=click.Path(path_type=Path), help="Write the files of the version into this folder, a new one."
)
@json_option
def history(
    version: str | None,
    file: str | None,
    config: Path,
    database_url: str | None,
    limit: int,
    export: Path | None,
    as_json: bool,
) -> None:
    """List the versions of the rules that went live, newest first; or show the one of that number (or @live).

    With FILE: the text of that file, as it was. What becomes of callers by one version and by another, callrouter diff
    says; callrouter reload --to goes back to one.

    Who, is as told: the user of the command, SIGHUP, "file saved", or "start" for what a daemon began with.

    Exit status: 0 fine, 1 no such version, 2 wrong usage, 3 the database cannot be reached.
    """
    place = database_place(config, database_url)
    if version is None:
        if export is not None:
            raise click.UsageError("--export goes with a version; write @12")
        _list(asyncio.run(_newest(place.url, limit)), place.zone, as_json=as_json)
        return
    found = Source(config, place.url).version(version)
    if file is not None:
        click.echo(_text(found, file), nl=False)
    elif export is not None:
        _export(found, export)
    elif as_json:
        click.echo(json.dumps(_data(found) | {"texts": dict(found.rules.files)}, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_lines(found, place.zone)))


async def _newest(url: str, limit: int) -> list[Version]:
    async with open_rules(url) as archive:
        return await archive.newest(limit)


def _list(versions: Sequence[Version], zone: tzinfo | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_data(one) for one in versions], ensure_ascii=False, indent=2))
    elif not versions:
        click.echo("no version has been kept yet")
    else:
        click.echo(table(_COLUMNS, [_row(one, zone) for one in versions]))


def _row(version: Version, zone: tzinfo | None) -> tuple[str, ...]:
    rules = version.rules
    changed = ", ".join(version.changed) or "-"
    return (f"@{version.number}", _local(version, zone), rules.who, rules.config_hash, changed, rules.note)


def _local(version: Version, zone: tzinfo | None) -> str:
    return f"{version.rules.at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _data(version: Version) -> dict[str, object]:
    rules = version.rules
    return {
        "version": version.number,
        "live_since": rules.at.isoformat(),
        "who": rules.who,
        "note": rules.note,
        "host": rules.host,
        "directory": rules.directory,
        "config_hash": rules.config_hash,
        "digest": rules.digest,
        "files": list(rules.files),
        "changed": list(version.changed),
    }


def _lines(version: Version, zone: tzinfo | None) -> list[str]:
    rules = version.rules
    lines = [
        f"version     @{version.number}",
        f"live since  {_local(version, zone)}",
        f"who         {rules.who}",
        f"of          {rules.host}:{rules.directory}",
        f"hash        {rules.config_hash}",
    ]
    if rules.note:
        lines.append(f"note        {rules.note}")
    lines.append("files")
    lines += [f"  {name}, {text.count(chr(10))} lines" for name, text in rules.files.items()]
    return lines


def _text(version: Version, file: str) -> str:
    if file not in version.rules.files:
        message = f'@{version.number} has no file "{file}"; {nearest(file, version.rules.files)}'
        raise click.BadParameter(message, param_hint="FILE")
    return version.rules.files[file]


def _export(version: Version, folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.BadParameter(f"{folder} is there, and not empty; name a new folder", param_hint="--export")
    for name, text in version.rules.files.items():
        if is_inside(name):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        else:
            click.echo(f"note: {name} lies elsewhere, and is not written", err=True)
    click.echo(f"{folder}: the {len(version.rules.files)} files of @{version.number}")
