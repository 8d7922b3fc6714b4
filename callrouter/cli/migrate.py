"""``callrouter migrate``: the database's schema brought up to date, by its owner."""

import asyncio
import time
from pathlib import Path

import asyncpg
import click

from callrouter.cli.database import config_for_database, database_option, database_place
from callrouter.store.postgres import connect, reading
from callrouter.store.schema import Migration, migrate

TIMEOUT_S = 600.0
AGAIN_S = 2.0
"""Between two tries, so that whoever had to wait behind the first gets on."""


@click.command(
    "migrate", epilog="Example: callrouter migrate --database-url postgresql://callrouter_owner@db/callrouter"
)
@config_for_database
@database_option
def migrate_command(config: Path, database_url: str | None) -> None:
    """Bring the schema in PostgreSQL up to date, while the daemon of the version before runs on.

    Only needed where the daemon's role owns nothing; else the daemon does it when it connects. Run it before the new
    daemon is started, as the role that owns the schema.

    While others use a table for long (a report, a backup) it lets them finish, and tries again for ten minutes.

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
    deadline = time.monotonic() + TIMEOUT_S
    try:
        async with reading("the schema"):
            while True:
                try:
                    return await migrate(connection)
                except asyncpg.LockNotAvailableError:
                    if time.monotonic() > deadline:
                        raise
                    click.echo("others use the tables; trying again", err=True)
                    await asyncio.sleep(AGAIN_S)
    finally:
        await connection.close(timeout=5.0)
