"""``callrouter take-over``: have a daemon that waits lead, where PostgreSQL cannot say that it may."""

import asyncio
from pathlib import Path

import click

from callrouter.cli.options import daemon_options, json_option, user_name
from callrouter.cli.orders import tell
from callrouter.cli.where import url_of
from callrouter.web.client import ask_take_over
from callrouter.web.leading import TakeOverRequest

_EPILOG = """\b
Examples:
  callrouter take-over --force
  callrouter take-over --force --url http://127.0.0.1:8080
"""


@click.command(name="take-over", epilog=_EPILOG)
@click.option("--force", is_flag=True, help="The daemon on the other machine is dead, and stays so. You have looked.")
@daemon_options
@json_option
@click.pass_context
def take_over(context: click.Context, /, config: Path, url: str | None, force: bool, as_json: bool) -> None:
    """Have the daemon of this machine lead although PostgreSQL is away and the other machine's daemon is not heard.

    It is for the day on which both are gone. While PostgreSQL can be asked, the daemon that waits takes over by itself,
    and an order is refused if PostgreSQL says that the other leads.

    Exit status: 0 it leads, 1 refused, and why, 3 no daemon can be reached.
    """
    report = asyncio.run(ask_take_over(url or url_of(config), TakeOverRequest(user_name(), force)))
    tell(context, report, as_json=as_json)
