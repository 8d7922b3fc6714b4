"""``callrouter agent``: seeing the counselors of the daemon that runs, and logging them in and out."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from callrouter.cli.documents import for_programs
from callrouter.cli.options import daemon_options, json_option
from callrouter.cli.orders import tell, who, why
from callrouter.cli.text import Column, elapsed, plain, table
from callrouter.cli.where import daemon_url, url_of
from callrouter.core.pins import Pin
from callrouter.web.agents import AgentRequest, Verb
from callrouter.web.client import ask_agent, fetch_agents
from callrouter.web.status import Agent

_EPILOG = """\b
Examples:
  callrouter agent
  callrouter agent pause 203 --reason 점심
  callrouter agent ready 203
"""
_COLUMNS = (
    Column("agent", 12),
    Column("name", 20),
    Column("state", 12),
    Column("for", 8),
    Column("missed", 6, right=True),
    Column("duty", 10),
    Column("phone", 16),
    Column("queues", 24),
    Column("reason", 40),
)


def _addressed(command: Callable[..., None]) -> Callable[..., None]:
    """What every order takes: the counselor's NAME, and where the daemon is."""
    return click.argument("name")(daemon_options(json_option(click.pass_context(command))))


@click.group(epilog=_EPILOG, invoke_without_command=True)
@daemon_options
@json_option
@click.pass_context
def agent(context: click.Context, /, config: Path, url: str | None, as_json: bool) -> None:
    """Show the counselors of the daemon that runs; `login`, `logout`, `pause` and `ready` say who takes calls.

    What is said of a counselor holds until something else is said, over restarts of the daemon too. A call in progress
    and the wrap-up after it are left alone.

    Exit status: 0 fine, 3 no daemon can be reached.
    """
    if context.invoked_subcommand is not None:
        return
    found = asyncio.run(fetch_agents(url or url_of(config)))
    if as_json:
        click.echo(for_programs(found))
    else:
        click.echo(table(_COLUMNS, [_row(one, found.at) for one in found.agents]))


@agent.command(epilog="Example: callrouter agent login 203")
@_addressed
def login(context: click.Context, /, name: str, config: Path, url: str | None, as_json: bool) -> None:
    """Let the counselor NAME be rung from now on.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    _ask(context, name, "login", "", config, url, as_json=as_json)


@agent.command(epilog="Example: callrouter agent logout 203")
@_addressed
def logout(context: click.Context, /, name: str, config: Path, url: str | None, as_json: bool) -> None:
    """Let the counselor NAME go home: he counts no longer as staff of his queues.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    _ask(context, name, "logout", "", config, url, as_json=as_json)


@agent.command(epilog="Example: callrouter agent pause 203 --reason 점심")
@click.option("--reason", default="", help="Why, for the wall board and the audit log.")
@_addressed
def pause(context: click.Context, /, name: str, reason: str, config: Path, url: str | None, as_json: bool) -> None:
    """Do not ring the counselor NAME until he is ready again; he is at work all the same.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    _ask(context, name, "pause", why(reason, "--reason"), config, url, as_json=as_json)


@agent.command(epilog="Example: callrouter agent ready 203")
@_addressed
def ready(context: click.Context, /, name: str, config: Path, url: str | None, as_json: bool) -> None:
    """End the pause, the wrap-up or the rest after a missed call of the counselor NAME.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    _ask(context, name, "ready", "", config, url, as_json=as_json)


@agent.command("wrap-up", epilog="Example: callrouter agent wrap-up 203 passport")
@_addressed
@click.argument("code")
def wrap_up(context: click.Context, /, name: str, code: str, config: Path, url: str | None, as_json: bool) -> None:
    """Say what the last call of the counselor NAME was about: a CODE of its queue's wrap_up_codes:, or its topic.

    Taken until the wrap-up is over; the last that is said counts.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    _ask(context, name, "wrap-up", "", config, url, as_json=as_json, about=why(code, "CODE"))


@agent.command(epilog="Example: callrouter agent serve 203 changwon")
@_addressed
@click.argument("queues", nargs=-1)
def serve(
    context: click.Context, /, name: str, queues: tuple[str, ...], config: Path, url: str | None, as_json: bool
) -> None:
    """Let the counselor NAME take calls of these of his QUEUES alone; without any: of all that the rules give him.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    _ask(context, name, "serve", "", config, url, as_json=as_json, queues=tuple(map(plain, queues)))


@agent.command(name="pin", epilog="Example: callrouter agent pin")
@click.password_option(
    "--pin", prompt="PIN (4 to 12 digits)", help="The PIN; left out: it is asked for, and not shown."
)
def make_pin(pin: str) -> None:
    """Make of a PIN what is written under `pin:` of a counselor in agents.yaml. Nothing is sent to any daemon.

    Exit status: 0 done, 2 it is no PIN.
    """
    try:
        click.echo(f"pin: {Pin.of(pin, secrets.token_bytes(16)).text}")
    except ValueError as error:
        raise click.BadParameter(f"{error}; choose another", param_hint="--pin") from error


def _ask(
    context: click.Context,
    name: str,
    verb: Verb,
    reason: str,
    config: Path,
    url: str | None,
    *,
    as_json: bool,
    queues: tuple[str, ...] = (),
    about: str = "",
) -> None:
    request = AgentRequest(plain(name), verb, who(), "command", reason, queues, about)
    tell(context, asyncio.run(ask_agent(daemon_url(context, config, url), request)), as_json=as_json)


def _row(one: Agent, at: datetime) -> tuple[str, ...]:
    return (
        one.agent,
        plain(one.name),
        one.state,
        elapsed(one.since, at),
        str(one.misses),
        one.duty,
        plain(one.phone) or "-",
        ",".join(map(plain, one.queues)) or "-",
        plain(one.reason),
    )
