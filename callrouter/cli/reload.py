"""``callrouter reload``: have the daemon take its configuration anew."""

import asyncio
import getpass
from pathlib import Path

import click
import msgspec

from callrouter.cli.options import daemon_options, json_option
from callrouter.cli.status import url_of
from callrouter.web.client import ask_reload
from callrouter.web.reload import ReloadReport, ReloadRequest

_EPILOG = """\b
Examples:
  callrouter check && callrouter reload
  callrouter reload --json | jq .config_hash
"""


@click.command(epilog=_EPILOG)
@daemon_options
@json_option
@click.pass_context
def reload(context: click.Context, /, config: Path, url: str | None, as_json: bool) -> None:
    """Have the daemon that runs take its configuration anew: all of it, or, if anything is wrong, nothing.

    Calls in progress keep their decision and their plan. Who waits, waits on at the same place; ring time-outs, wrap-up
    and who serves a queue are the new ones at once, and a queue that is gone is kept for those who wait in it.

    Exit status: 0 taken, or as it was; 1 refused, with every fault; 3 no daemon can be reached.
    """
    report = asyncio.run(ask_reload(url or url_of(config), ReloadRequest(_who())))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        _tell(report)
    context.exit(0 if report.ok else 1)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "unknown"


def _tell(report: ReloadReport) -> None:
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    for error in report.errors:
        click.echo(error, err=True)
    if not report.ok:
        click.echo(f"refused; version {report.config_hash} stays in force", err=True)
    elif report.changed:
        click.echo(f"taken: version {report.config_hash}, was {report.previous_hash}")
    else:
        click.echo(f"nothing has changed: version {report.config_hash}")
    if report.restart_needed:
        sections = ", ".join(f"{section}:" for section in report.restart_needed)
        click.echo(f"note: changes of {sections} take effect when the daemon is started anew")
