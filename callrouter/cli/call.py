"""``callrouter call``: holding the calls of the daemon that runs, passing them on, and calling somebody in."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from callrouter.cli.documents import for_programs
from callrouter.cli.options import daemon_options, json_option
from callrouter.cli.orders import tell, who
from callrouter.cli.text import Column, elapsed, plain, table
from callrouter.cli.where import daemon_url, url_of
from callrouter.web.calls import CallRequest, Verb
from callrouter.web.client import ask_call, fetch_status
from callrouter.web.status import Call

_EPILOG = """\b
Examples:
  callrouter call
  callrouter call transfer 203 205
  callrouter call conference 203 interpreters
"""
_COLUMNS = (
    Column("call", 36),
    Column("state", 10),
    Column("for", 8),
    Column("queue", 14),
    Column("agent", 12),
    Column("with", 14),
    Column("on hold", 7),
    Column("recording", 9),
)


@click.group(epilog=_EPILOG, invoke_without_command=True)
@daemon_options
@json_option
@click.pass_context
def call(context: click.Context, /, config: Path, url: str | None, as_json: bool) -> None:
    """Show the calls of the daemon that runs; hold one that talks, pass it on, or call somebody in.

    WHICH is the id of the call, or the counselor who talks. TARGET is whom to call: a counselor, a queue, a destination
    (destinations:), a short number (transfers:), or a number outside.

    Exit status: 0 fine, 3 no daemon can be reached.
    """
    if context.invoked_subcommand is not None:
        return
    found = asyncio.run(fetch_status(url or url_of(config)))
    if as_json:
        click.echo(for_programs(found.calls))
    else:
        click.echo(table(_COLUMNS, [_row(one, found.at) for one in found.calls]))


def _order(verb: Verb, text: str, *, has_target: bool) -> None:
    """Add the command that gives one order."""

    def give(
        context: click.Context, /, which: str, config: Path, url: str | None, as_json: bool, target: str = ""
    ) -> None:
        request = CallRequest(plain(which), verb, plain(target), who(), "command")
        tell(context, asyncio.run(ask_call(daemon_url(context, config, url), request)), as_json=as_json)

    command: Callable[..., None] = daemon_options(json_option(click.pass_context(give)))
    if has_target:
        command = click.argument("target")(command)
    command = click.argument("which")(command)
    example = f"Example: callrouter call {verb} 203{' 205' if has_target else ''}"
    statuses = "Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached."
    call.command(verb, help=f"{text}\n\n{statuses}", epilog=example)(command)


_order("hold", "Let the caller of WHICH hear music.", has_target=False)
_order("resume", "Take the caller of WHICH back; whoever was called in and answered stays.", has_target=False)
_order("transfer", "Pass WHICH on to TARGET: to a queue at once, to anybody else when they answer.", has_target=True)
_order("consult", "Put the caller of WHICH on hold, and call TARGET.", has_target=True)
_order("conference", "Call TARGET into the conversation WHICH.", has_target=True)
_order("complete", "Leave the caller of WHICH to who was called in.", has_target=False)
_order("dismiss", "End the call WHICH of an abusive caller, with an announcement.", has_target=False)
_order("extend", "Put the end of WHICH by its recommended length off.", has_target=False)
_order("pause-recording", "Let the recording of WHICH hear nothing of what is said now.", has_target=False)
_order("resume-recording", "Let the recording of WHICH hear again what is said.", has_target=False)
_order("cancel", "Let go of who was called into WHICH, and take the caller back.", has_target=False)


def _row(one: Call, at: datetime) -> tuple[str, ...]:
    return (
        one.call,
        one.state,
        elapsed(one.since, at),
        one.queue or "-",
        one.agent or one.destination or "-",
        one.invited or "-",
        "yes" if one.held else "-",
        one.recording or "-",
    )
