"""Options that several commands share, so that they read and behave the same everywhere."""

import os
import pwd
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from callrouter.config import Loaded
from callrouter.config.problems import nearest
from callrouter.core.ids import SiteName, SwitchName
from callrouter.core.rulebook import Rulebook
from callrouter.core.switches import SwitchesOn, SwitchOn

_Command = TypeVar("_Command", bound=Callable[..., Any])


def default_config() -> Path:
    """``$CALLROUTER_CONFIG``, else ``./config`` where there is one, else ``/etc/callrouter``."""
    chosen = os.environ.get("CALLROUTER_CONFIG")
    if chosen:
        return Path(chosen)
    local = Path("config")
    return local if local.is_dir() else Path("/etc/callrouter")


def config_option(command: _Command) -> _Command:
    """``--config DIR``, passed on as ``config: Path``."""
    option = click.option(
        "--config",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=default_config,
        show_default="$CALLROUTER_CONFIG, else ./config, else /etc/callrouter",
        help="The directory with the YAML files.",
    )
    return option(command)


def daemon_options(command: _Command) -> _Command:
    """``--config DIR`` and ``--url``, for commands that ask the daemon: passed on as ``config`` and ``url``.

    The directory need not exist, and may have faults: it only says where the daemon serves.
    """
    command = click.option(
        "--url", help="Where the daemon serves, such as http://127.0.0.1:8080. Default: as configured."
    )(command)
    option = click.option(
        "--config",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_config,
        show_default="$CALLROUTER_CONFIG, else ./config, else /etc/callrouter",
        help="The directory with the YAML files, which say where the daemon serves.",
    )
    return option(command)


def json_option(command: _Command) -> _Command:
    """``--json``, passed on as ``as_json: bool``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def user_name() -> str:
    """Who gives the command, for logs: by the process, not by what its environment says; by whom, if through sudo."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user without a name
        return f"uid {os.getuid()}"
    by = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    return f"{by} as {name}" if by and by != name else name


def instant(text: str, zone: ZoneInfo, option: str) -> datetime:
    """A time that a person wrote, in ``zone`` unless it names one; ``option`` is blamed if it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a time; write it as 2026-11-24T19:30", param_hint=option) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def switch_option(command: _Command) -> _Command:
    """``--switch NAME``, as often as wanted; passed on as ``switches`` for :func:`switches_on`."""
    text = "A switch that is on; the others are off."
    return click.option("--switch", "switches", multiple=True, metavar="NAME", help=text)(command)


def switches_on(names: Sequence[str], rulebook: Rulebook) -> SwitchesOn:
    """What ``--switch`` says."""
    for name in names:
        if name not in rulebook.switches:
            message = f"unknown switch {name!r}; {nearest(name, rulebook.switches)}"
            raise click.BadParameter(message, param_hint="--switch")
    return {name: SwitchOn(name) for name in map(SwitchName, names)}


def site_of(name: str | None, loaded: Loaded) -> SiteName:
    """The site that ``--site`` names; left out: the only one there is.

    Raises:
        click.UsageError: there are several, or none of that name.
    """
    sites = loaded.settings.sites
    if name is None and len(sites) == 1:
        return next(iter(sites))
    if name is None:
        raise click.UsageError(f"there are several sites; write --site with one of: {', '.join(sites)}")
    if SiteName(name) not in sites:
        raise click.BadParameter(f"unknown site {name!r}; {nearest(name, sites)}", param_hint="--site")
    return SiteName(name)
