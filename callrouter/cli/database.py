"""What commands that read the database need: where it is, and what the times mean that people write."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, TypeVar

import click

from callrouter.cli.options import default_config
from callrouter.config import load
from callrouter.config.load import Loaded
from callrouter.errors import ConfigError, UnreachableError

_Command = TypeVar("_Command", bound=Callable[..., Any])

MOMENT = "DATE[THH:MM[:SS][ZONE]]"
"""How a time is written that :func:`moment` reads."""
_PASSWORD = re.compile(r"^[^:]+://[^/?#]*:[^/?#@]+@|[?&]password=[^&]", re.IGNORECASE)
USUAL_URL_ENV = "CALLROUTER_DATABASE_URL"
"""Where the URL is looked for if the configuration cannot say."""


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """Where the records are, and the configuration, if it is sound."""

    url: str
    loaded: Loaded | None

    @property
    def zone(self) -> tzinfo | None:
        """In which people here write and read times; None: this machine's."""
        return self.loaded.timezone if self.loaded is not None else None


def config_for_database(command: _Command) -> _Command:
    """``--config DIR``, passed on as ``config: Path``; it need not exist if the database is named."""
    option = click.option(
        "--config",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_config,
        show_default="$CALLROUTER_CONFIG, else ./config, else /etc/callrouter",
        help="The directory with the YAML files; for the database URL, if none is given, and the time zone.",
    )
    return option(command)


def database_option(command: _Command) -> _Command:
    """``--database-url``, passed on as ``database_url``."""
    text = "Default: the variable that database.url_env names, $CALLROUTER_DATABASE_URL."
    return click.option("--database-url", callback=_without_password, help=text)(command)


def _without_password(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    if url is not None and _PASSWORD.search(url):
        remedy = f"set {USUAL_URL_ENV} to the URL instead, or write the password into ~/.pgpass"
        raise click.BadParameter(f"what is written here everybody sees in the list of processes; {remedy}")
    return url


def database_place(config: Path, url: str | None) -> DatabasePlace:
    """The database and the zone. A configuration with faults is in nobody's way if the URL is given.

    Raises:
        ConfigError: the configuration has faults, and no URL is given.
        UnreachableError: no database is known.
    """
    try:
        loaded = load(config)
    except (ConfigError, OSError):
        url = url or os.environ.get(USUAL_URL_ENV)
        if not url:
            raise
        return DatabasePlace(url, None)
    return DatabasePlace(database_url_of(loaded, url), loaded)


def database_url_of(loaded: Loaded, given: str | None) -> str:
    """The database: what was given, else the configured one.

    Raises:
        UnreachableError: there is none.
    """
    url = given or loaded.settings.database_url
    if not url:
        raise UnreachableError(f"no database is known; set {loaded.settings.database_url_env} or give --database-url")
    return url


def moment(option: str, text: str | None, zone: tzinfo | None) -> datetime | None:
    """A time that a person wrote, in ``zone`` unless it names one; ``option`` is blamed if it is none."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        message = f'"{text}" is no time; write 2026-11-24, 2026-11-24T19:30 or 2026-11-24T19:30+09:00'
        raise click.BadParameter(message, param_hint=option) from exc
    if at.tzinfo is not None:
        return at
    return at.replace(tzinfo=zone) if zone else at.astimezone()
