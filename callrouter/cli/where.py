"""Where the daemon serves that a command speaks to."""

import os
from pathlib import Path
from typing import Final

import click

from callrouter.config import load
from callrouter.config.settings import WebSettings
from callrouter.errors import ConfigError
from callrouter.web.client import LocalUrl, web_url

_USUAL: Final = WebSettings("127.0.0.1", 8080)
_USUAL_STATE_DIR: Final = "/var/lib/callrouter"


def url_of(config: Path) -> str:
    """Where the daemon of this configuration serves. Files with faults in them, or none, mean the usual place."""
    try:
        settings = load(config).settings
        return LocalUrl(web_url(settings.web), settings.state_dir)
    except (ConfigError, OSError):
        host = os.environ.get("CALLROUTER_WEB_HOST") or _USUAL.host
        port = os.environ.get("CALLROUTER_WEB_PORT", "")
        state_dir = Path(os.environ.get("CALLROUTER_STATE_DIR") or _USUAL_STATE_DIR)
        return LocalUrl(web_url(WebSettings(host, int(port) if port.isdecimal() else _USUAL.port)), state_dir)


def daemon_url(context: click.Context, config: Path, url: str | None) -> str:
    """Where the daemon serves; ``--config`` and ``--url`` may stand before the subcommand, too."""
    outer = context.parent.params if context.parent is not None else {}
    is_given = context.get_parameter_source("config") is not click.core.ParameterSource.DEFAULT
    place = config if is_given else outer.get("config", config)
    return url or outer.get("url") or url_of(place)
