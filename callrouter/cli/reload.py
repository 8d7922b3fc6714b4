"""``callrouter reload``: have the daemon take its configuration anew, or go back to an earlier version."""

import asyncio
import os
from pathlib import Path

import click

from callrouter.cli.database import database_option, database_place
from callrouter.cli.documents import for_programs
from callrouter.cli.options import daemon_options, json_option, user_name
from callrouter.cli.restore import Restored, restore
from callrouter.cli.versions import Source
from callrouter.cli.where import url_of
from callrouter.config.load import examine
from callrouter.doctor.rendered import outdated
from callrouter.web.client import ask_reload
from callrouter.web.reload import ReloadReport, ReloadRequest

_EPILOG = """\b
Examples:
  callrouter check && callrouter reload --note "Gimhae joins"
  callrouter reload --json | jq .config_hash
  callrouter reload --expect $(callrouter check --json | jq -r .hash)
  callrouter history && callrouter diff @live @12 ; callrouter reload --to @12
"""


@click.command(epilog=_EPILOG)
@daemon_options
@click.option("--note", default="", help="Why, for the history.")
@click.option("--expect", metavar="HASH", default="", help="Refuse if the files are not of this version by now.")
@click.option("--to", "version", metavar="@N", help="Go back: put this version of the history into the folder first.")
@click.option("--force", is_flag=True, help="With --to: also over changes that never went live. They are kept aside.")
@database_option
@json_option
@click.pass_context
def reload(
    context: click.Context,
    /,
    config: Path,
    url: str | None,
    note: str,
    expect: str,
    version: str | None,
    force: bool,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Have the daemon that runs take its configuration anew: all of it, or, if anything is wrong, nothing.

    Calls in progress keep their decision and their plan. Who waits, waits on at the same place; ring time-outs, wrap-up
    and who serves a queue are the new ones at once, and a queue that is gone is kept for those who wait in it.

    With --to, the files of the folder become those of that version, golden cases too; what they replace is kept in its
    folder "before". If the daemon does not take them, all is put back.

    Exit status: 0 taken, or as it was; 1 refused, with every fault; 3 no daemon can be reached.
    """
    if version is None:
        if force:
            raise click.UsageError("--force goes with --to")
        report = asyncio.run(ask_reload(url or url_of(config), ReloadRequest(user_name(), note, expect)))
    else:
        if note or expect:
            raise click.UsageError("--to says itself what is expected, and why; leave --note and --expect out")
        place = Source(config, database_url, url)
        there = database_place(config, database_url).url
        restored = restore(place, version, database_url=there, who=user_name(), force=force)
        report = restored.report
        _tell_of_files(restored)
    if as_json:
        click.echo(for_programs(report))
    else:
        _tell(report)
        _tell_of_dialplans(config, report)
    context.exit(0 if report.ok else 1)


def _tell_of_files(restored: Restored) -> None:
    if restored.report.ok:
        number = restored.version.number
        click.echo(f"the files are those of @{number}; what they replaced is in {restored.kept}", err=True)
    elif restored.put_back:
        click.echo("the files were put back as they were", err=True)
    else:
        click.echo(f"someone has saved since: nothing was put back; what there was is in {restored.kept}", err=True)


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


def _tell_of_dialplans(config: Path, report: ReloadReport) -> None:
    """Which Asterisks would serve callers by the rules of before if the daemon went away now.

    Only where the folder is that of the daemon, and the passwords are in the environment.
    """
    if not report.ok:
        return
    loaded, _ = examine(config, os.environ)
    if loaded is None or loaded.rulebook.hash != report.config_hash:
        return
    for finding in asyncio.run(outdated(loaded.settings.sites.values(), report.config_hash)):
        click.echo(f"warning: {finding.check}: {finding.text}; {finding.remedy}", err=True)
