"""``callrouter migrate``: the database's schema brought up to date, by its owner."""

import asyncio
from pathlib import Path

import click

from callrouter.cli.database import config_for_database, database_option, database_place
from callrouter.store.postgres import connect, reading
from callrouter.store.schema import Migration, migrate

TIMEOUT_S = 600.0


@click.command(
    "migrate", epilog="Example: callrouter migrate --database-url postgresql://callrouter_owner@db/callrouter"
)
@config_for_database
@database_option
def migrate_command(config: Path, database_url: str | None) -> None:
    """Bring the schema in PostgreSQL up to date, while the daemon of the version before runs on.

    Only needed where the daemon's role owns nothing; else the daemon does it when it connects. Run it before the new
    daemon is started, as the role that owns the schema.

    Exit status: 0 done, 1 the role may not, 3 the database cannot be reached.
    """
    place = database_place(config, database_url)
    done = asyncio.run(_migrate(place.url))
    for step in done:
        click.echo(f"version {step.version}: {step.name}")
    if not done:
        click.echo("the schema is up to date")


async def _migrate(url: str) -> tuple[Migration, ...]:
    connection = await connect(url, statement_timeout_s=TIMEOUT_S)
    try:
        async with reading("the schema"):
            return await migrate(connection)
    finally:
        await connection.close(timeout=5.0)
