"""What an Asterisk of ours is to know: phones, trunks, who may ask it, and the passwords."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from callrouter.core.ids import SiteName
from callrouter.core.rulebook import Rulebook
from callrouter.pbx.dialling import DialOut

_TECHNOLOGY = "PJSIP/"
_PASSWORD_BYTES = 24
"""Of chance in each password: 192 bits, written with 32 characters."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where it listens: SIP over UDP, ARI over TLS or, on loopback, without, and speech."""

    sip: int = 5060
    ari: int = 8089
    rtp_first: int = 10000
    rtp_last: int = 20000


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where, on Asterisk's machine, the certificate of ARI and its key will be."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Side:
    """All of it. Trunks are PJSIP endpoints, with the address (``host`` or ``host:port``) of their far end."""

    site: SiteName
    address: str
    """Where it takes SIP."""
    phones: tuple[str, ...]
    """The names of their endpoints."""
    outside: Mapping[str, str]
    """Trunks to the telephone network."""
    between: Mapping[str, str]
    """Trunks to other sites."""
    daemon: str
    """The address that the daemon asks from."""
    certificate: Certificate | None
    """None: the daemon is on the same machine, and asks without TLS."""
    user: str = "callrouter"
    dials: DialOut | None = None
    """Where it dials the daemon; None: the daemon dials it."""
    ports: Ports = field(default_factory=Ports)
    fallback_phones: tuple[str, ...] = ()
    """Those of the counselors, who are rung while no daemon is there."""
    languages: str = "ko"


def phones_at(site: SiteName, rulebook: Rulebook) -> tuple[str, ...]:
    """The endpoints of the phones at a site: counselors', supervisors', and those that may set switches."""
    staff = (one.endpoint for one in rulebook.agents.values() if one.site == site and one.trunk is None)
    watchers = (one.endpoint for one in rulebook.supervisors.values() if one.site == site)
    setters = (endpoint for switch in rulebook.switches.values() for at, endpoint in switch.phones if at == site)
    return tuple(sorted({_name(endpoint) for endpoint in (*staff, *watchers, *setters) if _is_phone(endpoint)}))


def counselors_at(site: SiteName, rulebook: Rulebook) -> tuple[str, ...]:
    """The endpoints of the counselors' own phones at a site."""
    staff = (one.endpoint for one in rulebook.agents.values() if one.site == site and one.trunk is None)
    return tuple(sorted({_name(endpoint) for endpoint in staff if _is_phone(endpoint)}))


def trunks_at(site: SiteName, rulebook: Rulebook) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The endpoints of the trunks at a site: to the telephone network, and to other sites."""
    between = {link.endpoint for (at, _), links in rulebook.links.items() for link in links if at == site}
    between |= {link.peer for (_, to), links in rulebook.links.items() for link in links if to == site}
    outside = {
        member.endpoint or name
        for name, group in rulebook.trunks.items()
        for member in group.members
        if member.site in (None, site)
    }
    outside |= {str(name) for name, group in rulebook.trunks.items() if not group.members}
    links = {link.trunk for ways in rulebook.links.values() for link in ways}
    return tuple(sorted(outside - between - set(map(str, links)))), tuple(sorted(between))


def make_password() -> str:
    """One that nobody guesses, of letters, digits, ``-`` and ``_``."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _is_phone(endpoint: str) -> bool:
    return endpoint.startswith(_TECHNOLOGY) and "@" not in endpoint and endpoint.count("/") == 1


def _name(endpoint: str) -> str:
    return endpoint.removeprefix(_TECHNOLOGY)
