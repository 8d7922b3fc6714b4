"""What all sections are made of: strictness, names, and the scalars that more than one of them knows."""

import re
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from callrouter.config.scalars import parse_duration
from callrouter.core.dial_string import is_endpoint

MEDIA_SCHEMES = ("sound", "tone", "recording", "number", "digits", "characters")
"""What a media URI of ARI may begin with."""
LEAST_LIFETIME_S, MOST_LIFETIME_S = 60.0, 7 * 86400.0
MOST_RATE = 10_000


_NAME = re.compile("[A-Za-z0-9_-]+")


class Section(BaseModel):
    """Common to all sections."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def parse_name(value: object) -> object:
    """Names become metric labels, file names and channel variables: keep them plain."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f'"{value}" is not a name; use ASCII letters, digits, - and _')
    return value


def parse_port(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) < 65536:
        return int(value)
    raise ValueError(f'"{value}" is not a TCP port; write a number from 0 to 65535 (0: any free one)')


def parse_lifetime(value: object) -> float:
    """How long a session may last, in seconds."""
    seconds = parse_duration(value)
    if not LEAST_LIFETIME_S <= seconds <= MOST_LIFETIME_S:
        raise ValueError(f'"{value}" is no time for a session to last; write from 1 min to 7d')
    return seconds


def parse_rate(value: object) -> int:
    """How many a second."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_RATE:
        return int(value)
    raise ValueError(f'"{value}" is no number of requests a second; write from 1 to {MOST_RATE}')


def parse_yes_no(value: object) -> object:
    """``yes`` or ``no``, also as YAML's other words for them."""
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    if isinstance(value, str) and value in words:
        return words[value]
    raise ValueError(f'"{value}" is neither yes nor no; write one of them')


def parse_network(value: object) -> object:
    try:
        return str(ip_network(str(value)))
    except ValueError as error:
        raise ValueError(f'"{value}" is not a network; write it as 192.0.2.0/24') from error


def parse_url(value: object) -> object:
    if isinstance(value, str) and "@" in value:
        # These files are kept, printed and compared: a password in them would be everywhere.
        raise ValueError("an address holds no user and no password; write user: and password_env: for them")
    if isinstance(value, str) and value.startswith(("http://", "https://")) and len(value) > 8:
        return value.rstrip("/")
    raise ValueError(f'"{value}" is not an HTTP address; write it as http://127.0.0.1:8088')


def parse_host_and_port(value: object) -> object:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    is_bracketed = host.startswith("[") and host.endswith("]")
    has_host = bool(host.strip("[]")) and (is_bracketed or not set(host) & set("[]:/@ "))
    if has_host and port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535:
        return value
    raise ValueError(f'"{value}" is no host and port; write them as 10.0.0.1:4570, or [fd00::1]:4570')


def parse_endpoint(value: object) -> object:
    technology, slash, rest = value.partition("/") if isinstance(value, str) else ("", "", "")
    if technology and slash and rest and isinstance(value, str) and is_endpoint(value):
        return value
    raise ValueError(f'"{value}" is not an endpoint; write what Asterisk dials, such as PJSIP/201')


def parse_media(value: object) -> object:
    scheme, colon, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if colon and rest.strip() and scheme in MEDIA_SCHEMES:
        return value
    schemes = ", ".join(f"{scheme}:" for scheme in MEDIA_SCHEMES)
    raise ValueError(f'"{value}" is nothing that Asterisk plays; begin it with one of: {schemes}')


def parse_reference(value: object) -> object:
    """A name, or ``$parameter`` of the plan in which this stands."""
    return value if isinstance(value, str) and value[:1] == "$" and parse_name(value[1:]) else parse_name(value)


Name = Annotated[str, BeforeValidator(parse_name)]


Reference = Annotated[str, BeforeValidator(parse_reference)]


Port = Annotated[int, BeforeValidator(parse_port)]


def parse_member(value: object, kinds: type[StrEnum]) -> object:
    if value in {kind.value for kind in kinds}:
        return kinds(value)
    names = ", ".join(kind.value for kind in kinds)
    raise ValueError(f'"{value}" is not known here; write one of: {names}')
