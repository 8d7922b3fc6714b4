"""What makes an Asterisk dial the daemon: an outbound websocket (Asterisk 20.15, 22.5 and newer).

One connection that is always kept up, with one application: that alone has callers wait while the daemon is away. With
a connection for each call (``per_call_config``) Asterisk tries for ``reconnect_attempts`` and lets the caller go on.
"""

from dataclasses import dataclass
from typing import Final

SECTION: Final = "callrouter-daemon"
"""The name of the connection, in both files."""
WAIT_S: Final = 20
"""How long a caller waits for a daemon: longer than systemd's watchdog takes to find one that hangs, and its start."""
AGAIN_MS: Final = 250
"""How often Asterisk tries to connect."""
PATIENCE_MS: Final = 500
TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class DialOut:
    """Where the daemon is dialled, for which application, and who vouches for its certificate (a file; empty: TLS is
    not used)."""

    uri: str
    application: str
    ca_file: str = ""


def ari_section(to: DialOut, user: str) -> str:
    """For ari.conf; behind the user."""
    return (
        f"\n[{SECTION}]\ntype=outbound_websocket\nwebsocket_client_id={SECTION}\n"
        f"apps={to.application}\nlocal_ari_user={user}\nsubscribe_all=no\n"
    )


def client(to: DialOut, user: str, password: str) -> str:
    """websocket_client.conf."""
    lines = [
        f"[{SECTION}]",
        "type=websocket_client",
        "; Always kept up: so callers wait while the daemon is away.",
        "connection_type=persistent",
        f"uri={to.uri}",
        "protocols=ari",
        "; The daemon knows the site by them; the password is that of the same user in ari.conf.",
        f"username={user}",
        f"password={password}",
        f"connection_timeout={PATIENCE_MS}",
        f"reconnect_interval={AGAIN_MS}",
        "; So many tries between two lines of the log. More would not do: until a round of tries is over, a",
        "; reload of this file leaves Asterisk (22.10) with neither the old address nor the new one.",
        f"reconnect_attempts={TRIES}",
    ]
    if to.ca_file:
        lines += [
            "tls_enabled=yes",
            f"ca_list_file={to.ca_file}",
            "verify_server_cert=yes",
            "verify_server_hostname=yes",
        ]
    return "\n".join(lines) + "\n"
