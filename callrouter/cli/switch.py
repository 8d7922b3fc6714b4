"""``callrouter switch``: seeing and setting the switches of the daemon that runs."""

import asyncio
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from callrouter.cli.documents import for_programs
from callrouter.cli.options import daemon_options, instant, json_option
from callrouter.cli.orders import tell, who, why
from callrouter.cli.text import Column, plain, table
from callrouter.cli.where import daemon_url, url_of
from callrouter.config import load
from callrouter.config.scalars import parse_duration
from callrouter.core.stats import SwitchNow
from callrouter.core.switches import duration
from callrouter.errors import ConfigError
from callrouter.web.client import ask_switch, fetch_switches
from callrouter.web.switches import SwitchRequest

_EPILOG = """\b
Examples:
  callrouter switch
  callrouter switch on typhoon --for 6h --note "태풍 카눈"
  callrouter switch off typhoon
"""
_COLUMNS = (
    Column("switch", 20),
    Column("title", 28),
    Column("now", 3),
    Column("since", 16),
    Column("until", 16),
    Column("by", 16),
    Column("note", 30),
)


@click.group(epilog=_EPILOG, invoke_without_command=True)
@daemon_options
@json_option
@click.pass_context
def switch(context: click.Context, /, config: Path, url: str | None, as_json: bool) -> None:
    """Show the switches of the daemon that runs; `on` and `off` set one.

    A switch changes where callers go from the next call on, without a file being edited; it is in the rules' conditions
    (switch: NAME). It goes off by itself when its time is over, and stays as it is over a restart of the daemon.

    Exit status: 0 fine, 3 no daemon can be reached.
    """
    if context.invoked_subcommand is not None:
        return
    found = asyncio.run(fetch_switches(url or url_of(config)))
    if as_json:
        click.echo(for_programs(found))
    elif found.switches:
        click.echo(table(_COLUMNS, map(_row, found.switches)))
    else:
        click.echo("the rules have no switches")


@switch.command(epilog='Example: callrouter switch on typhoon --for 6h --note "태풍 카눈"')
@click.argument("name")
@click.option("--for", "length", metavar="DURATION", help="How long: 6h, 90 min. Default: as long as it may stay on.")
@click.option("--until", metavar="MOMENT", help="Until when (2026-11-24T19:30), in the configuration's time zone.")
@click.option("--note", default="", help="Why, for the trace and the audit log.")
@daemon_options
@json_option
@click.pass_context
def on(
    context: click.Context,
    /,
    name: str,
    length: str | None,
    until: str | None,
    note: str,
    config: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Switch NAME on, or renew it: from the next call on the rules that ask for it hold.

    Exit status: 0 it is on, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    if length is not None and until is not None:
        raise click.UsageError("--for and --until exclude each other")
    moment = instant(until, _zone(config), "--until") if until is not None else None
    request = SwitchRequest(plain(name), True, who(), "command", _seconds(length), moment, why(note, "--note"))
    _set(context, request, config, url, as_json=as_json)


@switch.command(epilog="Example: callrouter switch off typhoon")
@click.argument("name")
@click.option("--note", default="", help="Why, for the audit log.")
@daemon_options
@json_option
@click.pass_context
def off(context: click.Context, /, name: str, note: str, config: Path, url: str | None, as_json: bool) -> None:
    """Switch NAME off.

    Exit status: 0 it is off, 1 refused, 2 wrong usage, 3 no daemon can be reached.
    """
    request = SwitchRequest(plain(name), False, who(), "command", note=why(note, "--note"))
    _set(context, request, config, url, as_json=as_json)


def _set(context: click.Context, request: SwitchRequest, config: Path, url: str | None, *, as_json: bool) -> None:
    tell(context, asyncio.run(ask_switch(daemon_url(context, config, url), request)), as_json=as_json)


def _seconds(length: str | None) -> float | None:
    if length is None:
        return None
    try:
        seconds = parse_duration(length)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from error
    if seconds <= 0:
        raise click.BadParameter("that is no time at all; write 6h or 90 min", param_hint="--for")
    return seconds


def _zone(config: Path) -> ZoneInfo:
    try:
        return load(config).timezone
    except (ConfigError, OSError) as error:
        message = f"the time zone is not known ({error}); write the time with its offset: 2026-11-24T19:30+09:00"
        raise click.BadParameter(message, param_hint="--until") from error


def _row(one: SwitchNow) -> tuple[str, ...]:
    note = one.note if one.on else f"at most {duration(one.max_s)}{f', {one.code}' if one.code else ''}"
    return (one.switch, one.title, "on" if one.on else "off", _local(one.since), _local(one.until), one.by, plain(note))


def _local(at: datetime | None) -> str:
    """As the daemon says it: in the zone of its rules."""
    return f"{at:%Y-%m-%d %H:%M}" if at is not None else "-"
