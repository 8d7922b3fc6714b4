"""``callrouter purge``: takes out of PostgreSQL what was kept for long enough."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from callrouter.cli.database import database_option, database_url_of
from callrouter.cli.options import config_option
from callrouter.cli.orders import who
from callrouter.config import load
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.errors import CallrouterError
from callrouter.store.personal import Aged, open_personal

_EPILOG = """\b
Examples:
  callrouter purge --dry-run
  callrouter purge
"""


@click.command(epilog=_EPILOG)
@config_option
@database_option
@click.option("--dry-run", is_flag=True, help="Only say what would be taken out.")
def purge(config: Path, *, database_url: str | None, dry_run: bool) -> None:
    """Take out of PostgreSQL what was kept for as long as retention: of the configuration says, for good.

    To be run every day, by a timer. Each kind of which anything went is an entry of the audit log. Calls do not notice;
    what is interrupted goes on the next time.

    Exit status: 0 fine, 1 nothing has a retention, 2 wrong usage, 3 the database cannot be reached.
    """
    loaded = load(config)
    url, kept = database_url_of(loaded, database_url), loaded.settings.retention
    limits = {Aged.NUMBERS: kept.numbers_s, Aged.CALLS: kept.calls_s, Aged.SOUNDS: kept.sounds_s}
    if all(keep_s is None for keep_s in limits.values()):
        raise CallrouterError("nothing has a retention; write retention: into the configuration, such as numbers: 365d")
    asyncio.run(_purge(url, limits, dry_run=dry_run))


async def _purge(url: str, limits: dict[Aged, float | None], *, dry_run: bool) -> None:
    now = datetime.now(UTC)
    async with open_personal(url) as store:
        for what, keep_s in limits.items():
            if keep_s is None:
                click.echo(f"{what}: kept for ever")
                continue
            before = now - timedelta(seconds=keep_s)
            if dry_run:
                count = await store.count(what, before)
                click.echo(f"{what}: {count} from before {before:%Y-%m-%d} would go")
                continue
            count = await store.purge(what, before, now)
            if count:
                note = f"{count} from before {before:%Y-%m-%d %H:%M} UTC"
                await store.note(AuditEntry(now, who(), AuditKind.PURGE, what, "", "purged", "command", note=note))
            click.echo(f"{what}: {count} from before {before:%Y-%m-%d} are gone")
