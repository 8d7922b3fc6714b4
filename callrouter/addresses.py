"""Addresses of machines: which of them are this one, and which are in a network."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine reaches what listens there; a name counts only if it is ``localhost``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_in(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether it is in one of them; an IPv4 address also as IPv6 writes it (``::ffff:192.0.2.1``)."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)
