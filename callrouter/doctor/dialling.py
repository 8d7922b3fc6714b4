"""An Asterisk that is to dial the daemon: whether it can, is told to, and has callers wait meanwhile."""

from collections.abc import Collection
from typing import Final

from callrouter.ari.peer import Peer
from callrouter.doctor.finding import Finding, error, ok, warning
from callrouter.doctor.versions import parse_version

WAIT: Final = "CALLROUTER_WAIT_S"
"""The dialplan's variable that says how long a caller waits for a daemon."""
LEAST_WAIT_S: Final = 5.0
_SINCE: Final = {20: (20, 15), 21: (21, 10), 22: (22, 5)}
"""The first version of each branch that dials."""
_MODULE: Final = "res_websocket_client"


def check_can_dial(check: str, text: str) -> list[Finding]:
    """Whether an Asterisk of this version dials at all; nothing is said of one whose version is no number."""
    version = parse_version(text)
    if version is None or (version[0] >= min(_SINCE) and version >= _SINCE.get(version[0], (0, 0))):
        return []
    remedy = "write connection: inbound for the site, or use Asterisk 22.5, 20.15 or newer"
    return [error(check, f"Asterisk {text} cannot dial the daemon, and connection: is outbound", remedy)]


def check_dialling_modules(check: str, running: Collection[str]) -> list[Finding]:
    """``running`` are the names without ``.so``."""
    if _MODULE in running:
        return []
    remedy = f"load = {_MODULE}.so in modules.conf, before res_http_websocket and res_ari, and restart Asterisk"
    return [error(check, f"{_MODULE} is not loaded: Asterisk does not dial the daemon", remedy)]


def check_application(check: str, peer: Peer, *, is_there: bool) -> list[Finding]:
    """Asterisk has the application from its own start on, whether a daemon is there or not."""
    if is_there:
        return [ok(check, f"it dials the daemon for the application {peer.application!r}, or is to")]
    text = f"nothing dials the daemon for the application {peer.application!r}: calls go to the dialplan's fallback"
    remedy = (
        f"[…] type=outbound_websocket with apps={peer.application} in ari.conf, and websocket_client.conf (callrouter"
        " doctor --howto); where both are there, a websocket from outside took the application and left: ari shutdown"
        " websocket sessions, then ari start outbound-websocket"
    )
    return [error(check, text, remedy)]


def check_wait(check: str, value: str | None) -> Finding:
    """``value`` is that of :data:`WAIT`; empty: not set; None: Asterisk does not tell."""
    try:
        wait_s = float(value or 0)
    except ValueError:
        wait_s = 0.0
    if wait_s >= LEAST_WAIT_S:
        return ok(check, f"who calls while the daemon is restarted waits {wait_s:g} s for it, with a ring-back tone")
    text = "who calls while the daemon is restarted waits only CALLROUTER_DEADLINE, and hears nothing"
    if wait_s:
        text = f"who calls while the daemon is restarted waits only {wait_s:g} s for it"
    return warning(check, text, f'write {WAIT}=20 into [globals], then: asterisk -rx "dialplan reload"')
