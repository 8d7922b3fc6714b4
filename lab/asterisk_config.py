"""The configuration files of a laboratory Asterisk, as text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from callrouter.pbx import dialling
from callrouter.pbx.dialling import DialOut
from callrouter.pbx.files import EMPTY, INDICATIONS
from callrouter.pbx.modules import MODULES
from lab.errors import LabError
from lab.phones import ARI_USER, CARRIER_ADDRESS, Credentials, Phone

REQUIRED_MODULES = frozenset(
    {"res_pjsip", "chan_pjsip", "res_ari_channels", "res_agi", "app_stasis", "app_dial", "res_musiconhold"}
)

EMPTY_FILES = ("acl", *EMPTY)

# By default Asterisk throws away what it would log when a thousand lines wait, and tests read its log.
LOGGER = """\
[general]
dateformat=%F %T.%3q
logger_queue_limit=100000
[logfiles]
full => notice,warning,error,verbose
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """The Asterisk of another site, to which a trunk leads that has its ``name``."""

    name: str
    address: str
    port: int
    rtp_timeout_s: int = 0
    """A call over it from which no sound comes for so long is hung up; 0: never."""


@dataclass(frozen=True, slots=True)
class AsteriskSettings:
    """What differs between one laboratory Asterisk and another.

    ``queues`` is the text of queues.conf; ``global_variables`` reach the dialplan, over its own defaults;
    ``more_dialplan`` is put behind the project's (``[callrouter-inbound](+)`` adds to a context of it).
    """

    sip_port: int
    http_port: int
    rtp_range: tuple[int, int]
    phones: tuple[Phone, ...]
    queues: str = "[general]\n"
    global_variables: Mapping[str, str] = field(default_factory=dict)
    more_dialplan: str = ""
    verbose: int = 3
    carrier_port: int = 5060
    """Where the telephone network takes calls that go out, at the carrier's address."""
    address: str = "127.0.0.1"
    """Where it takes SIP, and what the other sites know it by."""
    peers: tuple[Peer, ...] = ()
    """The other sites."""
    dials: DialOut | None = None
    """Where it dials the daemon; None: the daemon dials it."""
    proxy: str = ""
    """Host and port of the proxy between this Asterisk and the telephone network; empty: none."""


def render(
    settings: AsteriskSettings, credentials: Credentials, directory: str, available_modules: Path, seen_modules: str
) -> dict[str, str]:
    """File name to content of all generated files.

    ``directory`` and ``seen_modules`` are paths as Asterisk sees them, ``available_modules`` is the host's path of
    the modules' folder.
    """
    files = {f"{name}.conf": "" for name in EMPTY_FILES}
    files |= {
        "asterisk.conf": _asterisk(settings, directory, seen_modules),
        "modules.conf": _modules(available_modules),
        "logger.conf": LOGGER,
        "http.conf": (f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={settings.http_port}\nsessionlimit=200\n"),
        "ari.conf": (
            f"[general]\nenabled=yes\n[{ARI_USER}]\ntype=user\nread_only=no\npassword={credentials.ari_password}\n"
            + (dialling.ari_section(settings.dials, ARI_USER) if settings.dials else "")
        ),
        "rtp.conf": f"[general]\nrtpstart={settings.rtp_range[0]}\nrtpend={settings.rtp_range[1]}\n",
        "musiconhold.conf": f"[general]\n[default]\nmode=files\ndirectory={directory}/moh/callrouter\nsort=alpha\n",
        "cdr.conf": "[general]\nenable=no\n",
        "indications.conf": INDICATIONS,
        "queues.conf": settings.queues,
        "pjsip.conf": pjsip(settings, credentials),
        "callrouter-globals.conf": _globals(settings),
    }
    if settings.dials:
        files["websocket_client.conf"] = dialling.client(settings.dials, ARI_USER, credentials.ari_password)
    return files


def _asterisk(settings: AsteriskSettings, directory: str, modules: str) -> str:
    # Of several Asterisks each needs a name, or their channels may have the same ids.
    is_one_of_several = settings.peers or settings.proxy
    name = f"systemname=lab-{settings.sip_port}\n" if is_one_of_several else ""
    return f"""\
[directories]
astetcdir => {directory}/etc
astmoddir => {modules}
astvarlibdir => {directory}/var
astdbdir => {directory}/var
astkeydir => {directory}/var
astdatadir => {directory}/data
astagidir => {directory}/data/agi-bin
astspooldir => {directory}/spool
astrundir => {directory}/run
astlogdir => {directory}/log

[options]
verbose={settings.verbose}
live_dangerously=no
{name}"""


def _modules(available: Path) -> str:
    missing = [name for name in REQUIRED_MODULES if not (available / f"{name}.so").exists()]
    if missing:
        raise LabError(f"this Asterisk lacks the modules {', '.join(sorted(missing))} in {available}; install them")
    lines = [f"load={name}.so" for name in MODULES if (available / f"{name}.so").exists()]
    return "\n".join(["[modules]", "autoload=no", *lines]) + "\n"


def _globals(settings: AsteriskSettings) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.global_variables.items())


def pjsip(settings: AsteriskSettings, credentials: Credentials) -> str:
    """pjsip.conf: the telephone network's trunk, found by its address, and the phones, found by their password."""
    by_proxy = f"outbound_proxy=sip:{settings.proxy}\\;lr\n" if settings.proxy else ""
    head = f"""\
[global]
type=global
user_agent=callrouter-lab
endpoint_identifier_order=ip,auth_username,username

[transport-udp]
type=transport
protocol=udp
bind={settings.address}:{settings.sip_port}

[media](!)
type=endpoint
disallow=all
allow=alaw,ulaw
direct_media=no
rtp_symmetric=yes
language=ko

[carrier](media)
context=callrouter-inbound
aors=carrier
{by_proxy}
[carrier]
type=aor
qualify_frequency=0
contact=sip:{CARRIER_ADDRESS}:{settings.carrier_port}

[carrier]
type=identify
endpoint=carrier
match={settings.proxy.partition(":")[0] or CARRIER_ADDRESS}

[phone](!,media)
context=callrouter-phones
send_pai=yes
trust_id_outbound=yes
"""
    phones = (_phone(phone, credentials) for phone in settings.phones)
    return "".join([head, *map(_peer, settings.peers), *phones])


def _peer(peer: Peer) -> str:
    """A trunk between sites: known by its address, and let into what takes calls of other sites alone."""
    return f"""\

[{peer.name}](media)
context=callrouter-sites
aors={peer.name}
rtp_timeout={peer.rtp_timeout_s}

[{peer.name}]
type=aor
qualify_frequency=2
qualify_timeout=1
contact=sip:{peer.address}:{peer.port}

[{peer.name}]
type=identify
endpoint={peer.name}
match={peer.address}
"""


def _phone(phone: Phone, credentials: Credentials) -> str:
    name = phone.extension
    lines = [f"\n[{name}](phone)", f"aors={name}"]
    if phone.rtp_timeout_s:
        lines.append(f"rtp_timeout={phone.rtp_timeout_s}")
    if phone.caller_id is not None:
        lines.append(f"callerid={phone.caller_id}")
    lines += [f"auth={name}", f"\n[{name}]", "type=auth", "auth_type=userpass", f"username={name}"]
    lines += [f"password={credentials.phone_passwords[name]}", f"\n[{name}]", "type=aor", "qualify_frequency=0"]
    if phone.static_contact is not None:
        lines.append(f"contact={phone.static_contact}")
    else:
        lines += ["max_contacts=1", "remove_existing=yes"]
    return "\n".join(lines) + "\n"


def ring_group(phones: Iterable[Phone]) -> str:
    """The dial string that rings all ``phones`` at once."""
    return "&".join(f"PJSIP/{phone.extension}" for phone in phones)
