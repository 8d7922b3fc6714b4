"""``callrouter asterisk``: Asterisk's own configuration for a site that has none yet."""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

import click

from callrouter.cli.options import config_option, site_of
from callrouter.config import load
from callrouter.config.problems import nearest
from callrouter.config.settings import DaemonSettings
from callrouter.core.ids import SiteName
from callrouter.errors import CallrouterError
from callrouter.pbx.certificates import make_certificate
from callrouter.pbx.dialling import DialOut
from callrouter.pbx.files import LOGROTATE, render
from callrouter.pbx.modules import MODULES
from callrouter.pbx.side import Certificate, Ports, Side, counselors_at, make_password, phones_at, trunks_at

_EPILOG = """\b
Examples:
  callrouter asterisk new --address 10.0.0.5 --trunk kt=203.0.113.5
  callrouter asterisk new --site changwon --address 10.0.1.5 --daemon-address 10.0.0.6 --trunk to-province=10.0.0.5
"""
_NEEDS_NO_TLS = "127.0.0.1"
_CERTIFICATE, _KEY = "callrouter.crt", "callrouter.key"
_DAEMON_CERTIFICATE = "callrouter-daemon.crt"
_HOST = re.compile(r"[A-Za-z0-9.:\-\[\]]{1,255}")


@click.command(epilog=_EPILOG)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@config_option
@click.option("--site", "site_name", metavar="NAME", help="Whose, a name of sites:; needed if there are several.")
@click.option("--address", required=True, help="Where this Asterisk takes SIP.")
@click.option("--daemon-address", default=_NEEDS_NO_TLS, show_default=True, help="Where the daemon asks from.")
@click.option("--trunk", "trunks", multiple=True, metavar="NAME=HOST[:PORT]", help="Where a trunk's far end is.")
@click.option("--sip-port", type=click.IntRange(1, 65535), default=5060, show_default=True)
@click.option("--ari-port", type=click.IntRange(1, 65535), help="Default: 8088 on loopback, 8089 with TLS.")
@click.option("--tls", is_flag=True, help="With TLS also for a daemon on the same machine.")
@click.option(
    "--installed-as",
    type=click.Path(path_type=Path),
    default=Path("/etc/asterisk"),
    show_default=True,
    help="Where the files will be.",
)
@click.option(
    "--modules",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Asterisk's folder of modules; those that are not there are left out.",
)
def asterisk(
    folder: Path,
    *,
    config: Path,
    site_name: str | None,
    address: str,
    daemon_address: str,
    trunks: tuple[str, ...],
    sip_port: int,
    ari_port: int | None,
    tls: bool,
    installed_as: Path,
    modules: Path | None,
) -> None:
    """Write the configuration of an Asterisk that does nothing but this into FOLDER, which must be new or empty.

    It has the phones and trunks that the rules name at the site, passwords that nobody guesses, only the modules that
    are needed, nothing for strangers, and ARI for the daemon's address alone: over TLS, unless that is this machine.
    An Asterisk or FreePBX that serves others, too, takes one include instead: callrouter doctor --howto.

    Exit status: 0 written, 1 something is missing, 2 wrong usage.
    """
    loaded = load(config, os.environ)
    site = site_of(site_name, loaded)
    with_tls = tls or not _is_loopback(daemon_address)
    outside, between = trunks_at(site, loaded.rulebook)
    known = _addresses(trunks, (*outside, *between), site)
    side = Side(
        site=site,
        address=_host(address, "--address"),
        phones=phones_at(site, loaded.rulebook),
        outside={name: known[name] for name in outside},
        between={name: known[name] for name in between},
        daemon=_ip(daemon_address),
        certificate=Certificate(str(installed_as / _CERTIFICATE), str(installed_as / _KEY)) if with_tls else None,
        user=loaded.settings.sites[site].user,
        dials=_dials(loaded.settings, site, _ip(daemon_address), installed_as),
        ports=Ports(sip=sip_port, ari=ari_port or (8089 if with_tls else 8088)),
        fallback_phones=counselors_at(site, loaded.rulebook),
    )
    there = MODULES if modules is None else tuple(path.stem for path in modules.glob("*.so"))
    _write(folder, side, there)
    click.echo(_what_next(folder, side, installed_as).rstrip())


def _dials(settings: DaemonSettings, site: SiteName, daemon: str, installed_as: Path) -> DialOut | None:
    """Where it is to dial the daemon, if it is."""
    own, to = settings.sites[site], settings.dial_in
    if not own.dials_in:
        return None
    if to.host in ("127.0.0.1", "::1", "localhost") and not _is_loopback(daemon):
        message = f"the daemon lets Asterisks dial in at {to.host} alone; write dial_in: {{host: {daemon}}}"
        raise click.BadParameter(message, param_hint="--daemon-address")
    host = f"[{daemon}]" if ":" in daemon else daemon
    if to.certificate is None:
        return DialOut(f"ws://{host}:{to.port}/{site}", own.application)
    return DialOut(f"wss://{host}:{to.port}/{site}", own.application, str(installed_as / _DAEMON_CERTIFICATE))


def _addresses(given: tuple[str, ...], wanted: tuple[str, ...], site: SiteName) -> Mapping[str, str]:
    """Where each trunk's far end is."""
    found = {}
    for one in given:
        name, equals, where = one.partition("=")
        if not equals:
            raise click.BadParameter(f"{one!r}: write it as NAME=HOST or NAME=HOST:PORT", param_hint="--trunk")
        if name not in wanted:
            message = f"the rules know no trunk {name!r} at {site}; {nearest(name, wanted)}"
            raise click.BadParameter(message, param_hint="--trunk")
        found[name] = _host(where, "--trunk")
    missing = [name for name in wanted if name not in found]
    if missing:
        raise click.UsageError(f"where does the trunk {missing[0]} lead? write --trunk {missing[0]}=HOST")
    return found


def _host(text: str, option: str) -> str:
    """What goes into Asterisk's files is nothing but an address."""
    if not _HOST.fullmatch(text):
        raise click.BadParameter(f"{text!r} is no address of a host; write it as 10.0.0.5", param_hint=option)
    return text


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as exc:
        message = f"{text!r} is no IP address, by which Asterisk tells the daemon from others; write it as 10.0.0.6"
        raise click.BadParameter(message, param_hint="--daemon-address") from exc


def _is_loopback(text: str) -> bool:
    return ip_address(_ip(text)).is_loopback


def _write(folder: Path, side: Side, modules: tuple[str, ...]) -> None:
    passwords = {name: make_password() for name in side.phones}
    ari_password = make_password()
    files = render(side, ari_password, passwords, modules)
    files["ari-password"] = f"{ari_password}\n"
    files["logrotate-asterisk"] = LOGROTATE
    files["phones.txt"] = "".join(f"{name}  {password}\n" for name, password in passwords.items())
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CallrouterError(f"{folder} is not empty, and nothing is ever written over; name a new folder")
        for name, text in files.items():
            opened = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            with open(opened, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as exc:
        raise CallrouterError(f"{folder} cannot be written: {exc.strerror}") from exc
    if side.certificate is not None:
        make_certificate(folder / _CERTIFICATE, folder / _KEY, side.address)
        (folder / _KEY).chmod(0o640)


def _what_next(folder: Path, side: Side, installed_as: Path) -> str:
    files = "password_file: ari-password"
    url = f"http://127.0.0.1:{side.ports.ari}"
    if side.certificate is not None:
        files = f"ca_file: {_CERTIFICATE}, {files}"
        url = f"https://{side.address}:{side.ports.ari}"
    return f"""\
{folder}: {len(side.phones)} phones, {len(side.outside) + len(side.between)} trunks
1. copy it, and dialplan/callrouter.conf, to {installed_as} of Asterisk's machine, for Asterisk's user alone,
   without ari-password and phones.txt: nothing there needs them; logrotate-asterisk is for /etc/logrotate.d there
2. under sites: {side.site}: write ari_url: {url}, {files}; those files go next to the rules
3. phones.txt has the password of each phone; write them into the phones, and delete it
4. music on hold: WAV files in moh of Asterisk's data; announcements: callrouter prompts; then callrouter doctor
{_dialling(side)}"""


def _dialling(side: Side) -> str:
    """What is left to do where it dials the daemon."""
    if side.dials is None:
        return ""
    if side.dials.ca_file:
        return f"5. it dials {side.dials.uri}: copy certificate: of dial_in: to {side.dials.ca_file}"
    return f"5. it dials {side.dials.uri}, without TLS"
