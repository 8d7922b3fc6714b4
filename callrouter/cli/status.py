"""``callrouter status``: what the daemon is doing now."""

import asyncio
from pathlib import Path

import click

from callrouter.cli.documents import for_programs
from callrouter.cli.options import daemon_options, json_option
from callrouter.cli.status_text import head, parts
from callrouter.cli.where import url_of
from callrouter.web.client import fetch_status

_EPILOG = """\b
Examples:
  callrouter status
  callrouter status --json | jq '.queues[] | {title, waiting}'
"""


@click.command(epilog=_EPILOG)
@daemon_options
@json_option
def status(config: Path, url: str | None, as_json: bool) -> None:
    """Show sites, queues, agents and calls of the daemon that runs. Callers' numbers are masked.

    Exit status: 0 fine, 3 no daemon can be reached.
    """
    found = asyncio.run(fetch_status(url or url_of(config)))
    if as_json:
        click.echo(for_programs(found))
    else:
        click.echo("\n\n".join((head(found), *parts(found))))
