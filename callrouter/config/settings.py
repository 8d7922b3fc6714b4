"""What the daemon itself needs to know: where its peers are and where it listens. Changes need a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from callrouter.core.ids import SiteName


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """One Asterisk server."""

    name: SiteName
    title: str
    ari_url: str
    """Without a slash at its end: ``http://127.0.0.1:8088``."""
    user: str
    password: str = field(repr=False)
    """Empty if its source held nothing; see ``Loaded.missing_secrets``."""
    application: str
    sounds_dir: Path
    ca_file: Path | None = None
    """Who vouches for its certificate; None: whom the system trusts."""
    dials_in: bool = False
    """Whether its Asterisk opens the websocket of events (``connection: outbound``)."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where pages, API and metrics are served, and how long and how often to whom."""

    host: str
    port: int
    https: bool = False
    """Whether browsers come by HTTPS, to a proxy."""
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    session_idle_s: float = 1800.0
    session_longest_s: float = 43200.0
    requests_per_s: int = 50


@dataclass(frozen=True, slots=True)
class AgiSettings:
    """Where FastAGI is answered, and to whom."""

    host: str
    port: int
    allow: tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class DialInSettings:
    """Where Asterisks dial in that open the websocket themselves, and from where they may."""

    host: str = "127.0.0.1"
    port: int = 4574
    allow: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    certificate: Path | None = None
    """Ours, with its ``key`` (PEM); None: they come without TLS."""
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """Log level (``debug``, ``info``, ``warning``, ``error``) and format."""

    level: str
    format: LogFormat


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long what is kept in PostgreSQL stays there, in seconds; None: for ever."""

    numbers_s: float | None = None
    calls_s: float | None = None
    sounds_s: float | None = None


@dataclass(frozen=True, slots=True)
class StandbySettings:
    """Whether others may wait to take over, and how long a leader may say nothing."""

    enabled: bool = False
    silence_s: float = 2.0
    peer: "PeerSettings | None" = None
    """The daemon on the other machine; None: all have one state folder."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """How two daemons on two machines find one another: hosts and ports, and the secret that both know."""

    listen: tuple[str, int]
    other: tuple[str, int]
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """All of it. Durations are seconds."""

    title: str
    sites: Mapping[SiteName, SiteSettings]
    web: WebSettings
    agi: AgiSettings
    state_dir: Path
    recordings_dir: Path
    logging: LoggingSettings
    drain_s: float
    database_url: str | None = field(repr=False)
    database_url_env: str = "CALLROUTER_DATABASE_URL"
    """The variable that ``database_url`` is from."""
    inputs_keep_s: float = 7 * 86400.0
    """How long it is kept what came in; 0: not at all."""
    inputs_at_most_bytes: int = 1024 * 1024 * 1024
    retention: RetentionSettings = RetentionSettings()
    reload_on_save: bool = False
    """Whether saving a file of the configuration is an order to take it anew."""
    standby: StandbySettings = StandbySettings()
    dial_in: DialInSettings = DialInSettings()
