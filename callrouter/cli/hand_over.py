"""``callrouter hand-over``: have a daemon that waits lead instead, for an upgrade."""

import asyncio
from pathlib import Path

import click

from callrouter.cli.options import daemon_options, json_option, user_name
from callrouter.cli.orders import tell
from callrouter.cli.where import url_of
from callrouter.web.client import ask_hand_over
from callrouter.web.leading import HandOverRequest

_EPILOG = """\b
Examples:
  callrouter hand-over
  callrouter hand-over --url http://127.0.0.1:8080
"""


@click.command(name="hand-over", epilog=_EPILOG)
@daemon_options
@json_option
@click.pass_context
def hand_over(context: click.Context, /, config: Path, url: str | None, as_json: bool) -> None:
    """Have the daemon that leads hand over to one that waits, and wait itself from then on. No call is lost.

    SIGTERM (systemctl stop) does the same and then ends, where another waits; see standby: in callrouter.yaml.

    Exit status: 0 another leads, 1 refused: this one leads still, or did not before, 3 no daemon can be reached.
    """
    report = asyncio.run(ask_hand_over(url or url_of(config), HandOverRequest(user_name())))
    tell(context, report, as_json=as_json)
