"""The files of ``/etc/asterisk`` for one site, as text. Nothing is on that is not needed."""

from collections.abc import Iterable, Mapping

from callrouter.pbx.dialling import WAIT_S, ari_section, client
from callrouter.pbx.modules import MODULES
from callrouter.pbx.side import Side

_HEAD = "; Written by callrouter asterisk. Yours to change: it is never written over.\n"
EMPTY = ("ccss", "cel", "features", "pjproject", "stasis", "udptl", "websocket_client", "queues", "queuerules")
"""Files that may be empty, but whose absence Asterisk logs as an error."""

LOGGER = """\
[general]
dateformat=%F %T.%3q
[logfiles]
messages.log => notice,warning,error
; Who was refused, and from where: for fail2ban, whose filter "asterisk" reads it.
security.log => security
"""

LOGROTATE = """\
# For /etc/logrotate.d of Asterisk's machine, in place of a file for Asterisk that is there. The folder is the one that
# Asterisk is built with; security.log is what tells who was refused, and from where.
/var/log/asterisk/messages.log /var/log/asterisk/security.log {
    daily
    rotate 30
    maxsize 200M
    missingok
    notifempty
    compress
    delaycompress
    sharedscripts
    postrotate
        /usr/sbin/asterisk -rx 'logger reload' >/dev/null 2>&1 || true
    endscript
}
"""
"""It would fill the disk in the end; without the reload Asterisk would go on writing into the old file."""

# Korea's tones (ITU-T E.180, supplement 2): without a zone Asterisk has no ring-back to give.
INDICATIONS = """\
[general]
country=kr

[kr]
description=Korea
ringcadence=1000,2000
dial=350+440
busy=480+620/500,0/500
ring=440+480/1000,0/2000
congestion=480+620/250,0/250
callwaiting=!440/300,!0/2000
dialrecall=!350+440/100,!0/100
record=1400/500,0/15000
info=!950/330,!1400/330,!1800/330,0
"""


def render(side: Side, ari_password: str, phone_passwords: Mapping[str, str], modules: Iterable[str]) -> dict[str, str]:
    """The content of each file, by its name. ``modules`` are those that this Asterisk has."""
    there = set(modules)
    files = {
        "modules.conf": "\n".join(["[modules]", "autoload=no", *(f"load={m}.so" for m in MODULES if m in there)])
        + "\n",
        "logger.conf": LOGGER,
        "http.conf": _http(side),
        "ari.conf": _ari(side, ari_password),
        "acl.conf": f"[callrouter-daemon]\ndeny=0.0.0.0/0\ndeny=::/0\npermit={side.daemon}\n",
        "rtp.conf": f"[general]\nrtpstart={side.ports.rtp_first}\nrtpend={side.ports.rtp_last}\nstrictrtp=yes\n",
        "cdr.conf": "; callrouter writes the records.\n[general]\nenable=no\n",
        "indications.conf": INDICATIONS,
        "musiconhold.conf": "[general]\n[default]\nmode=files\ndirectory=moh\n",
        "pjsip.conf": _pjsip(side, phone_passwords),
        "extensions.conf": _extensions(side),
        **{f"{name}.conf": "" for name in EMPTY},
    }
    if side.dials is not None:
        files["websocket_client.conf"] = client(side.dials, side.user, ari_password)
    return {name: f"{_HEAD}{text}" for name, text in files.items()}


def _http(side: Side) -> str:
    if side.certificate is None:
        return (
            "; On loopback alone: what goes over it, the password too, can be read by whoever hears the line.\n"
            f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={side.ports.ari}\nenable_static=no\n"
        )
    return (
        "; Nothing without TLS.\n"
        f"[general]\nenabled=no\nbindaddr=127.0.0.1\nenable_static=no\ntlsenable=yes\ntlsbindaddr={side.address}:{side.ports.ari}\n"
        f"tlscertfile={side.certificate.certificate}\ntlsprivatekey={side.certificate.key}\n"
        "tlsdisablev1=yes\ntlsdisablev11=yes\ntlsservercipherorder=yes\n"
    )


def _ari(side: Side, password: str) -> str:
    return (
        f"[general]\nenabled=yes\n\n[{side.user}]\ntype=user\nread_only=no\npassword={password}\n"
        "; From nowhere else than the daemon's machine: acl.conf.\nacl=callrouter-daemon\n"
    ) + (ari_section(side.dials, side.user) if side.dials is not None else "")


def _pjsip(side: Side, passwords: Mapping[str, str]) -> str:
    head = f"""\
; There is no endpoint "anonymous": who is neither a trunk, by his address, nor a phone, by its password, is refused.
[global]
type=global
user_agent=PBX
endpoint_identifier_order=ip,auth_username,username
; Who keeps on asking without being known is told so in security.log.
unidentified_request_count=3
unidentified_request_period=10

[transport-udp]
type=transport
protocol=udp
bind={side.address}:{side.ports.sip}

[media](!)
type=endpoint
disallow=all
allow=alaw,ulaw
direct_media=no
rtp_symmetric=yes
; A call whose other side has gone without a word ends by itself.
rtp_timeout=60
rtp_timeout_hold=3600
language={side.languages}

[phone](!,media)
context=callrouter-phones
; One that lost its power or network: its caller is in line again. Phones must not suppress silence (VAD).
rtp_timeout=20
send_pai=yes
trust_id_outbound=yes
"""
    outside = (_trunk(name, to, "callrouter-inbound") for name, to in side.outside.items())
    between = (_trunk(name, to, "callrouter-sites") for name, to in side.between.items())
    phones = (_phone(name, passwords[name]) for name in side.phones)
    return "".join((head, *outside, *between, *phones))


def _trunk(name: str, to: str, context: str) -> str:
    host = to.rpartition(":")[0] or to
    return f"""
[{name}](media)
context={context}
aors={name}

[{name}]
type=aor
qualify_frequency=30
contact=sip:{to}

[{name}]
type=identify
endpoint={name}
match={host}
"""


def _phone(name: str, password: str) -> str:
    return f"""
[{name}](phone)
aors={name}
auth={name}

[{name}]
type=auth
auth_type=userpass
username={name}
password={password}

[{name}]
type=aor
max_contacts=1
remove_existing=yes
qualify_frequency=30
"""


def _extensions(side: Side) -> str:
    rung = "&".join(f"PJSIP/{name}" for name in side.fallback_phones)
    own = f"[globals]\nCALLROUTER_FALLBACK_PHONES={rung}\n"
    if side.dials is not None:
        own += f"CALLROUTER_WAIT_S={WAIT_S}\n"
    return f"[general]\nstatic=yes\nwriteprotect=yes\n\n{own}\n#include callrouter.conf\n"
