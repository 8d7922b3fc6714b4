"""Options that ``run`` and ``call`` share; each is also a variable of the environment, and so of make."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from lab.record import DEFAULT_INSTANCE

_Command = TypeVar("_Command", bound=Callable[..., Any])

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")


def option(name: str, help: str, **more: Any) -> Callable[[_Command], _Command]:
    """``--sip-port``, which is also ``LAB_SIP_PORT``."""
    variable = f"LAB_{name.upper().replace('-', '_')}"
    return click.option(f"--{name}", envvar=variable, show_envvar=True, show_default=True, help=help, **more)


def port_option(name: str, default: int, help: str) -> Callable[[_Command], _Command]:
    """A port on loopback."""
    return option(name, help, default=default, type=click.IntRange(1, 65535))


def instance_option(command: _Command) -> _Command:
    """``--instance``, passed on as ``instance: str``."""
    help = "Its name: each has its own folder, passwords, database and journal."
    return option("instance", help, default=DEFAULT_INSTANCE, callback=_checked)(command)


def _checked(context: click.Context, parameter: click.Parameter, name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise click.BadParameter(f"{name!r}: small letters, digits, - and _, at most 31")
    return name
