"""Where Asterisks dial in, compared with where they are."""

import os
import ssl
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from callrouter.addresses import is_in, is_loopback
from callrouter.config.references import Context
from callrouter.config.settings import DialInSettings


def compile_dial_in(context: Context, directory: Path) -> DialInSettings:
    """``dial_in:``, with a warning of each site whose Asterisk is to dial in and could not."""
    written = context.model.dial_in
    certificate, key = (
        directory / os.path.expanduser(name) if name is not None else None
        for name in (written.certificate, written.key)
    )
    allow = tuple(ip_network(net) for net in written.allow)
    settings = DialInSettings(written.host, written.port, allow, certificate, key)
    guests = {name: site for name, site in context.model.sites.items() if site.connection == "outbound"}
    if guests and certificate is None and not is_loopback(written.host):
        message = f"Asterisks that dial in at {written.host} send the ARI password in the clear"
        remedy = "write certificate: and key:, or let them dial 127.0.0.1"
        context.warn(("dial_in", "host"), message, remedy)
    for name, site in guests.items():
        _warn_of_locked_out(context, name, urlsplit(site.ari_url).hostname or "", settings)
    return settings


def _warn_of_locked_out(context: Context, name: str, host: str, settings: DialInSettings) -> None:
    place = ("sites", name, "connection")
    if not is_loopback(host) and is_loopback(settings.host):
        message = f'the Asterisk of site "{name}" is at {host}, and can dial in at {settings.host} never'
        context.warn(place, message, "write the address of this machine as host: of dial_in:, and TLS")
        return
    try:
        address = ip_address(host)
    except ValueError:
        return  # a name: where it leads is not known here
    if not is_in(host, settings.allow):
        message = f'the Asterisk of site "{name}" is at {host}, which is in no network that may dial in'
        context.warn(place, message, f"write {host}/{address.max_prefixlen} into allow: of dial_in:")


def unusable_key(dial_in: DialInSettings) -> str:
    """Why nobody can be let in with certificate and key; empty: they can, or there are none.

    No fault, as with passwords, of the configuration: it may be checked where they are not.
    """
    if dial_in.certificate is None or dial_in.key is None:
        return ""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(dial_in.certificate, dial_in.key)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        return f"{dial_in.certificate} and {dial_in.key}: {why}"
    return ""
