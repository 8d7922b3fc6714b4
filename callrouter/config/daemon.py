"""The daemon's settings, with what the environment says: it wins over the files."""

import os
import ssl
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from callrouter.addresses import is_loopback
from callrouter.config import model
from callrouter.config.dial_in import compile_dial_in, unusable_key
from callrouter.config.nodes import Tree
from callrouter.config.problems import Place
from callrouter.config.references import Context
from callrouter.config.settings import (
    AgiSettings,
    DaemonSettings,
    LogFormat,
    LoggingSettings,
    PeerSettings,
    RetentionSettings,
    SiteSettings,
    StandbySettings,
    WebSettings,
)
from callrouter.config.source import Document
from callrouter.core.ids import SiteName

_SECTIONS: dict[str, type[model.Section]] = {
    "service": model.Service,
    "web": model.Web,
    "agi": model.Agi,
    "dial_in": model.DialIn,
    "state": model.State,
    "logging": model.Logging,
    "reload": model.Reload,
    "standby": model.Standby,
    "limits": model.LimitsSection,
}
"""Sections whose every single value ``CALLROUTER_<SECTION>_<KEY>`` overrides."""

_LISTS = {("agi", "allow"), ("dial_in", "allow"), ("web", "proxies")}
"""Values that are lists of networks; the environment has them with commas."""

_SITE_KEYS = {
    "CALLROUTER_ARI_URL": "ari_url",
    "CALLROUTER_ARI_USER": "user",
    "CALLROUTER_ARI_SOUNDS_DIR": "sounds_dir",
    "CALLROUTER_ARI_CONNECTION": "connection",
}
"""What the environment may say of the site, where there is one only."""

DEBIAN_SOUNDS = FilePath("/usr/share/asterisk/sounds")
"""Debian's package moves Asterisk's data directory there (``astdatadir``)."""
SOUNDS = FilePath("/var/lib/asterisk/sounds")
"""Where Asterisk as it is built by default, FreePBX among others, looks for sounds."""

SHORTEST_SECRET = 32
"""Characters of the secret of two daemons: one that a person thinks of is guessed from a recorded line."""

ARI_PASSWORD = "CALLROUTER_ARI_PASSWORD"  # noqa: S105  # the variable's name


def apply_environment(document: Document, environ: Mapping[str, str]) -> dict[str, str]:
    """Write the values of the environment, none of them secret, into the tree; their place is the variable."""
    applied = {}
    for section, kind in _SECTIONS.items():
        for key in kind.model_fields:
            variable = f"CALLROUTER_{section}_{key}".upper()
            if environ.get(variable):
                tree = document.sections.get(section)
                if not isinstance(tree, dict):
                    tree = document.sections[section] = {}
                networks: list[Tree] = [*environ[variable].split(",")]
                tree[key] = networks if (section, key) in _LISTS else environ[variable]
                document.places[(section, key)] = Place(f"${variable}")
                applied[variable] = environ[variable]
    sites = document.sections.get("sites")
    only = next(iter(sites)) if isinstance(sites, dict) and len(sites) == 1 else None
    for variable, key in _SITE_KEYS.items():
        site = sites.get(only) if isinstance(sites, dict) and only is not None else None
        if environ.get(variable) and isinstance(site, dict) and only is not None:
            site[key] = environ[variable]
            document.places[("sites", only, key)] = Place(f"${variable}")
            applied[variable] = environ[variable]
    return applied


def compile_settings(
    context: Context, directory: FilePath, environ: Mapping[str, str]
) -> tuple[DaemonSettings, tuple[str, ...]]:
    """The settings, and a line for each secret whose source holds nothing."""
    whole = context.model
    sites: dict[SiteName, SiteSettings] = {}
    missing: list[str] = []
    for name, site in whole.sites.items():
        password = _password(context, name, site, directory, environ)
        if not password:
            source = f"${site.password_env}" if site.password_env else site.password_file
            missing.append(f'the ARI password of site "{name}" is not set; set it in {source}')
        sounds = FilePath(site.sounds_dir) if site.sounds_dir else usual_sounds_dir()
        ca_file = directory / os.path.expanduser(site.ca_file) if site.ca_file is not None else None
        if ca_file is not None and (why := _unusable(ca_file)):
            missing.append(f'who vouches for the certificate of site "{name}" is not known: {ca_file}: {why}')
        sites[SiteName(name)] = SiteSettings(
            SiteName(name),
            site.title,
            site.ari_url,
            site.user,
            password,
            site.application,
            sounds,
            ca_file,
            dials_in=site.connection == "outbound",
        )
        _warn_of_plain_text(context, name, site)
    dial_in = compile_dial_in(context, directory)
    if any(site.dials_in for site in sites.values()) and (why := unusable_key(dial_in)):
        missing.append(f"Asterisk cannot dial in over TLS: {why}")
    settings = DaemonSettings(
        title=whole.service.title,
        sites=sites,
        web=WebSettings(
            whole.web.host,
            whole.web.port,
            https=whole.web.https,
            proxies=tuple(ip_network(net) for net in whole.web.proxies),
            session_idle_s=whole.web.session_idle,
            session_longest_s=whole.web.session_longest,
            requests_per_s=whole.web.requests,
        ),
        agi=AgiSettings(whole.agi.host, whole.agi.port, tuple(ip_network(net) for net in whole.agi.allow)),
        state_dir=FilePath(whole.state.dir),
        recordings_dir=FilePath(whole.state.recordings or FilePath(whole.state.dir) / "recordings"),
        retention=RetentionSettings(whole.retention.numbers, whole.retention.calls, whole.retention.sounds),
        inputs_keep_s=whole.state.inputs,
        inputs_at_most_bytes=whole.state.inputs_mb * 1024 * 1024,
        logging=LoggingSettings(whole.logging.level, LogFormat(whole.logging.format)),
        drain_s=whole.service.drain,
        database_url=environ.get(whole.database.url_env) or None,
        database_url_env=whole.database.url_env,
        reload_on_save=whole.reload.on_save,
        standby=StandbySettings(whole.standby.enabled, whole.standby.silence, _peer(whole.standby, environ)),
        dial_in=dial_in,
    )
    missing.extend(_missing_for_two_machines(whole, settings))
    return settings, tuple(missing)


def _peer(standby: model.Standby, environ: Mapping[str, str]) -> PeerSettings | None:
    if standby.listen is None or standby.peer is None:
        return None
    return PeerSettings(_address(standby.listen), _address(standby.peer), environ.get(standby.secret_env, ""))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _missing_for_two_machines(whole: model.Model, settings: DaemonSettings) -> Iterator[str]:
    standby = settings.standby
    if not standby.enabled or standby.peer is None:
        return
    if len(standby.peer.secret) < SHORTEST_SECRET:
        source = f"${whole.standby.secret_env}"
        yield (
            f"the secret of the two daemons is not set, or shorter than {SHORTEST_SECRET} characters; set the same in"
            f" {source} on both machines (openssl rand -hex 32)"
        )
    if settings.database_url is None:
        yield (
            "daemons on two machines need PostgreSQL, which says who may lead; set the same database in"
            f" ${settings.database_url_env} on both, or leave out standby: peer"
        )


def _unusable(ca_file: FilePath) -> str:
    """Why nothing can be vouched for by the file; empty: it can. No fault, as with passwords, of the configuration."""
    try:
        ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ValueError) as exc:
        return exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return ""


def _warn_of_plain_text(context: Context, name: str, site: model.Site) -> None:
    host = urlsplit(site.ari_url).hostname or ""
    if site.ari_url.startswith("http://") and not is_loopback(host):
        message = f'the ARI password of site "{name}", and all that callers press, goes to {host} in the clear'
        remedy = "write ari_url: https://… with ca_file:, as callrouter asterisk sets it up"
        context.warn(("sites", name, "ari_url"), message, remedy)


def usual_sounds_dir() -> FilePath:
    """The folder for announcements where none is written, by what is on this machine: Debian's Asterisk or another."""
    return (DEBIAN_SOUNDS if DEBIAN_SOUNDS.is_dir() else SOUNDS) / "callrouter"


def _password(context: Context, name: str, site: model.Site, directory: FilePath, environ: Mapping[str, str]) -> str:
    if len(context.model.sites) == 1 and environ.get(ARI_PASSWORD):
        return environ[ARI_PASSWORD]
    if site.password_env is not None:
        return environ.get(site.password_env, "")
    path = directory / os.path.expanduser(site.password_file or "")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        # Not a fault of the configuration: it may be checked where the secret is not.
        return ""
