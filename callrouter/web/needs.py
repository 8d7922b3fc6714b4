"""What each path needs of who asks for it. A path that is not in the table is served to nobody who has an account.

The description of the API says the same, from this table.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from callrouter.core.access import Permission


class Open(StrEnum):
    """What needs no permission."""

    ANYBODY = "anybody"
    """Also who has no account."""
    ANY_ACCOUNT = "any-account"


Need = Permission | Open

_IN_PATH = re.compile(r"\{[^}]*\}")


NEEDS: Final[Mapping[tuple[str, str], Need]] = {
    ("GET", "/"): Permission.SEE_STATUS,
    ("GET", "/login"): Open.ANYBODY,
    ("GET", "/healthz"): Open.ANYBODY,
    ("GET", "/readyz"): Open.ANYBODY,
    ("GET", "/metrics"): Permission.SEE_METRICS,
    ("GET", "/static/status.css"): Open.ANYBODY,
    ("GET", "/static/status.js"): Open.ANYBODY,
    ("GET", "/static/login.js"): Open.ANYBODY,
    ("GET", "/api/v1/openapi.json"): Open.ANYBODY,
    ("GET", "/api/v1/session"): Open.ANY_ACCOUNT,
    ("POST", "/api/v1/session"): Open.ANYBODY,
    ("DELETE", "/api/v1/session"): Open.ANY_ACCOUNT,
    ("GET", "/api/v1/status"): Permission.SEE_STATUS,
    ("GET", "/api/v1/queues"): Permission.SEE_STATUS,
    ("GET", "/api/v1/voicemail"): Permission.SEE_LISTS,
    ("GET", "/api/v1/callbacks"): Permission.SEE_LISTS,
    ("POST", "/api/v1/callbacks"): Permission.ORDER_CALLBACKS,
    ("POST", "/api/v1/reload"): Permission.RELOAD,
    ("POST", "/api/v1/hand-over"): Permission.RELOAD,
    ("POST", "/api/v1/take-over"): Permission.RELOAD,
    ("GET", "/api/v1/remembered"): Permission.FORGET,
    ("POST", "/api/v1/remembered/forget"): Permission.FORGET,
    ("GET", "/api/v1/agents"): Permission.SEE_AGENTS,
    ("POST", "/api/v1/agents"): Permission.ORDER_AGENTS,
    ("POST", "/api/v1/calls"): Permission.ORDER_CALLS,
    ("POST", "/api/v1/calls/{}/number"): Permission.SEE_NUMBERS,
    ("GET", "/api/v1/calls/{}/supervision"): Permission.SUPERVISE,
    ("POST", "/api/v1/calls/{}/supervision"): Permission.SUPERVISE,
    ("GET", "/api/v1/recordings"): Permission.SEE_RECORDINGS,
    ("POST", "/api/v1/recordings/{}/fetch"): Permission.FETCH_RECORDINGS,
    ("POST", "/api/v1/recordings/{}/delete"): Permission.DELETE_RECORDINGS,
    ("GET", "/api/v1/switches"): Permission.SEE_LISTS,
    ("POST", "/api/v1/switches"): Permission.SWITCH,
    ("GET", "/api/v1/audit"): Permission.READ_AUDIT,
}

OWN_AWARE: Final = frozenset(
    {("GET", "/"), ("GET", "/api/v1/status")} | {(verb, "/api/v1/agents") for verb in ("GET", "POST")}
) | {("POST", "/api/v1/calls")}
"""What looks by itself whether it is about the account's own counselor. What does not is refused to such an account."""


def key_of(method: str, path: str) -> tuple[str, str]:
    """A method and a path, with whatever names for what is in it, as the table has them. HEAD is a GET."""
    return ("GET" if method == "HEAD" else method, _IN_PATH.sub("{}", path))
