"""``callrouter remembered``: how many callers' choices are remembered, and forgetting them."""

import asyncio
import sys
from pathlib import Path

import click

from callrouter.cli import EXIT_NO
from callrouter.cli.documents import for_programs
from callrouter.cli.options import daemon_options, json_option, user_name
from callrouter.cli.where import url_of
from callrouter.web.client import ask_to_forget, fetch_remembered
from callrouter.web.remembered import ForgetReport, ForgetRequest, RememberedReport

_EPILOG = """\b
Examples:
  callrouter remembered
  callrouter remembered forget 010-1234-5678
"""
_FORGET_EPILOG = """\b
Examples:
  callrouter remembered forget 010-1234-5678
  callrouter remembered forget - < number
  callrouter remembered forget --all
"""


@click.group(invoke_without_command=True, epilog=_EPILOG)
@daemon_options
@json_option
@click.pass_context
def remembered(context: click.Context, /, config: Path, url: str | None, as_json: bool) -> None:
    """Count the callers whose choice of a region is remembered, as they agreed to. Who they are, nobody can see.

    Exit status: 0 fine, 3 no daemon can be reached.
    """
    if context.invoked_subcommand is not None:
        return
    report = asyncio.run(fetch_remembered(url or url_of(config)))
    click.echo(for_programs(report) if as_json else _counted(report))
    _warn(report.error)


@remembered.command(epilog=_FORGET_EPILOG)
@click.argument("number", required=False)
@click.option("--all", "everybody", is_flag=True, help="Forget every caller.")
@daemon_options
@json_option
@click.pass_context
def forget(
    context: click.Context, /, number: str | None, everybody: bool, config: Path, url: str | None, as_json: bool
) -> None:
    """Forget what is remembered of the caller with NUMBER; with - it is read from the standard input.

    Exit status: 0 forgotten, 1 nothing was remembered, 3 no daemon can be reached.
    """
    if everybody is (number is not None):
        raise click.UsageError("write either a number, or --all")
    if number == "-":
        number = sys.stdin.readline().strip()
    request = ForgetRequest(number, everybody, user_name())
    report = asyncio.run(ask_to_forget(url or url_of(config), request))
    if report is None:
        message = "nothing is ever remembered of such a number; write it as 010-1234-5678"
        raise click.BadParameter(message, param_hint="NUMBER")
    click.echo(for_programs(report) if as_json else _forgotten(report))
    _warn(report.error)
    context.exit(0 if report.forgotten or everybody else EXIT_NO)


def _counted(report: RememberedReport) -> str:
    if report.until is None:
        return "no caller is remembered"
    return f"{_callers(report.callers)} remembered, the last until {report.until.astimezone():%Y-%m-%d %H:%M %Z}"


def _forgotten(report: ForgetReport) -> str:
    what = f"{_callers(report.forgotten)} forgotten" if report.forgotten else "nothing was remembered"
    return f"{what}; {report.callers} left"


def _callers(count: int) -> str:
    return f"{count} caller{'' if count == 1 else 's'}"


def _warn(error: str | None) -> None:
    if error is not None:
        click.echo(f"warning: not on disk yet, it is tried again: {error}", err=True)
