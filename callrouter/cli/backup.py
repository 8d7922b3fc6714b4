"""``callrouter backup`` and ``callrouter restore``: a call centre in one file, and out of it again."""

import asyncio
import os
from pathlib import Path

import click

from callrouter.backup.archive import Manifest
from callrouter.backup.making import make
from callrouter.backup.restoring import restore as restore_from
from callrouter.cli.database import database_option
from callrouter.cli.options import config_option, default_config
from callrouter.config import load

_PROGRAMS = click.option(
    "--programs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of pg_dump and pg_restore, if others than those of PATH fit the server.",
)
_WITHOUT = click.option("--without-database", is_flag=True, help="Leave PostgreSQL out; it has a backup of its own.")


@click.command(epilog="Example: callrouter backup /var/backups/callrouter-2026-11-24.tar")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
@database_option
@_WITHOUT
@_PROGRAMS
@click.pass_context
def backup(
    context: click.Context,
    file: Path,
    *,
    config: Path,
    database_url: str | None,
    without_database: bool,
    programs: Path | None,
) -> None:
    """Write all that matters into FILE, a new one, while the daemon runs: rules and secrets beside them, the journal,
    the records in PostgreSQL, recorded conversations, callers' messages and announcements.

    It is for its owner alone to read. What could not be had is named, and the exit status is 1.

    Exit status: 0 all of it, 1 something is missing, or it cannot be made, 3 pg_dump or the database is not there.
    """
    loaded = load(config)
    url = None if without_database else database_url or loaded.settings.database_url
    made = asyncio.run(make(loaded, config, file, database_url=url, programs=programs))
    click.echo(f"{file}: {len(made.files)} files, {file.stat().st_size} bytes")
    context.exit(1 if _tell_left_out(made, without_database=without_database) else 0)


def _tell_left_out(made: Manifest, *, without_database: bool) -> bool:
    missing = {name: why for name, why in made.left_out.items() if not (without_database and name == "database.dump")}
    for name, why in missing.items():
        click.echo(f"{name} is not in it: {why}", err=True)
    return bool(missing)


@click.command(epilog="Example: callrouter restore /var/backups/callrouter-2026-11-24.tar --config /etc/callrouter")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--config",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_config,
    show_default="$CALLROUTER_CONFIG, else ./config, else /etc/callrouter",
    help="Where the rules shall be.",
)
@database_option
@click.option("--force", is_flag=True, help="Also where there are rules or a journal, which are kept aside.")
@click.option("--call-back", is_flag=True, help="Go on calling back by itself: nobody was called since the backup.")
@_WITHOUT
@_PROGRAMS
def restore(
    file: Path,
    *,
    config: Path,
    database_url: str | None,
    force: bool,
    call_back: bool,
    without_database: bool,
    programs: Path | None,
) -> None:
    """Put what is in FILE in its place again, on this machine or another, while no daemon runs there.

    First all of FILE is read and compared with its checksums. A database that has records stays as it is: whatever the
    journal has of the same calls comes once. Requests to be called back are in the list, and nobody is called by
    itself, because who was called since the backup is not known.

    Exit status: 0 done, 1 refused: nothing was changed, 3 pg_restore or the database is not there.
    """
    done = asyncio.run(
        restore_from(
            file,
            config,
            os.environ,
            database_url=database_url,
            with_database=not without_database,
            force=force,
            call_back=call_back,
            programs=programs,
        )
    )
    click.echo(f"{file}: made {done.manifest.made_at:%Y-%m-%d %H:%M} UTC by callrouter {done.manifest.version}")
    for line in done.told:
        click.echo(f"  {line}")
    if done.held:
        click.echo(f"{done.held} to be called back are not called by themselves: callrouter callback list --open")
