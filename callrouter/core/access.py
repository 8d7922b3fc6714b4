"""Who may do what by page and API: accounts, their roles, and the one table of what a role is let do.

What an account may is its role's and nothing else; who may more is given another role.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from callrouter.core.ids import AccountName, AgentId

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 256
"""Characters."""
LONGEST_HASH: Final = 512

_HASH = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory_kib>[0-9]{1,9}),t=(?P<passes>[0-9]{1,4}),p=(?P<lanes>[0-9]{1,4})"
    r"\$[A-Za-z0-9+/]{16,88}\$[A-Za-z0-9+/]{22,172}",
    re.ASCII,
)
_LEAST_KIB, _MOST_KIB = 19 * 1024, 256 * 1024
_MOST_PASSES, _MOST_LANES = 10, 8
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


class Role(StrEnum):
    """What somebody is in the call centre."""

    OPERATOR = "operator"
    """Runs it."""
    SUPERVISOR = "supervisor"
    """Leads counselors, and hears conversations."""
    AGENT = "agent"
    """A counselor, who sees and orders himself alone."""
    AUDITOR = "auditor"
    """Looks into everything, and changes nothing."""
    ADMIN = "admin"
    """May everything."""


class Permission(StrEnum):
    """What can be let done."""

    SEE_STATUS = "see-status"
    """Everything in progress, callers' numbers masked; page and figures."""
    SEE_AGENTS = "see-agents"
    SEE_LISTS = "see-lists"
    """Messages and requests of callers, numbers masked, and how switches stand."""
    SEE_METRICS = "see-metrics"
    ORDER_AGENTS = "order-agents"
    """Log counselors in and out, and pause them."""
    ORDER_CALLS = "order-calls"
    """Hold a conversation, pass it on, call somebody in."""
    ORDER_CALLBACKS = "order-callbacks"
    SUPERVISE = "supervise"
    """Hear conversations, whisper, barge in; and see who does."""
    SEE_RECORDINGS = "see-recordings"
    """Which there are."""
    FETCH_RECORDINGS = "fetch-recordings"
    """Hear them."""
    DELETE_RECORDINGS = "delete-recordings"
    SEE_NUMBERS = "see-numbers"
    """A caller's whole number, one at a time."""
    SWITCH = "switch"
    """Set switches, which change where callers go."""
    RELOAD = "reload"
    """Put new rules into force."""
    FORGET = "forget"
    """What callers let us remember: how many they are, and having it forgotten."""
    READ_AUDIT = "read-audit"


class Scope(StrEnum):
    """Of whom."""

    ALL = "all"
    OWN = "own"
    """Of the account's own counselor alone."""


_ALL = Scope.ALL
_SEEING: Final = {
    Permission.SEE_STATUS: _ALL,
    Permission.SEE_AGENTS: _ALL,
    Permission.SEE_LISTS: _ALL,
    Permission.SEE_METRICS: _ALL,
}

PERMISSIONS: Final[Mapping[Role, Mapping[Permission, Scope]]] = {
    Role.OPERATOR: {
        **_SEEING,
        Permission.ORDER_AGENTS: _ALL,
        Permission.ORDER_CALLS: _ALL,
        Permission.ORDER_CALLBACKS: _ALL,
        Permission.SWITCH: _ALL,
        Permission.RELOAD: _ALL,
        Permission.FORGET: _ALL,
    },
    Role.SUPERVISOR: {
        **_SEEING,
        Permission.ORDER_AGENTS: _ALL,
        Permission.ORDER_CALLS: _ALL,
        Permission.ORDER_CALLBACKS: _ALL,
        Permission.SUPERVISE: _ALL,
        Permission.SEE_RECORDINGS: _ALL,
        Permission.FETCH_RECORDINGS: _ALL,
        Permission.SEE_NUMBERS: _ALL,
        Permission.SWITCH: _ALL,
    },
    Role.AGENT: {
        Permission.SEE_STATUS: Scope.OWN,
        Permission.SEE_AGENTS: Scope.OWN,
        Permission.ORDER_AGENTS: Scope.OWN,
        Permission.ORDER_CALLS: Scope.OWN,
    },
    Role.AUDITOR: {
        **_SEEING,
        Permission.SEE_RECORDINGS: _ALL,
        Permission.FETCH_RECORDINGS: _ALL,
        Permission.SEE_NUMBERS: _ALL,
        Permission.READ_AUDIT: _ALL,
    },
    Role.ADMIN: dict.fromkeys(Permission, _ALL),
}
"""What is not here is not allowed."""


def scope_of(role: Role, permission: Permission) -> Scope | None:
    """Of whom a role may do it; None: of nobody."""
    return PERMISSIONS[role].get(permission)


def roles_with(permission: Permission) -> tuple[tuple[Role, Scope], ...]:
    """The roles that may do it, and of whom."""
    return tuple((role, granted[permission]) for role, granted in PERMISSIONS.items() if permission in granted)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody, or a program, that page and API know."""

    name: AccountName
    role: Role
    title: str = ""
    """Name for people."""
    agent: AgentId | None = None
    """The counselor that an account of role agent is."""
    password: str | None = field(default=None, repr=False)
    """Its argon2id hash; None: nobody logs in by page."""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    """Digests of tokens for programs, as :func:`parse_token_digest` takes them."""


def parse_password_hash(text: str) -> str:
    """An argon2id hash that neither is easily tried nor costs the daemon's machine too much.

    Raises:
        ValueError: it is something else, a password in the clear for example; the text is not repeated.
    """
    match = _HASH.fullmatch(text) if len(text) <= LONGEST_HASH else None
    if match is None:
        raise ValueError("that is no argon2id hash")
    memory_kib, passes, lanes = (int(match[name]) for name in ("memory_kib", "passes", "lanes"))
    if not _LEAST_KIB <= memory_kib <= _MOST_KIB:
        raise ValueError(f"its memory (m={memory_kib}) is not from {_LEAST_KIB} to {_MOST_KIB} KiB")
    if not (1 <= passes <= _MOST_PASSES and 1 <= lanes <= _MOST_LANES):
        raise ValueError(f"its cost (t={passes},p={lanes}) is not within t={_MOST_PASSES},p={_MOST_LANES}")
    return text


def parse_token_digest(text: str) -> str:
    """``sha256:`` and the 64 hexadecimal digits of a token's digest.

    Raises:
        ValueError: it is something else, a token in the clear for example; the text is not repeated.
    """
    if not _DIGEST.fullmatch(text):
        raise ValueError("that is no digest of a token")
    return text


def normal(password: str) -> str:
    """The same characters for the same keys: Hangul comes composed from one system, in parts from another."""
    return unicodedata.normalize("NFKC", password)


def refuse_weak(name: str, password: str) -> None:
    """Raise ValueError if that is too weak a password for an account of that name, or too long."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ValueError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if name and normal(name).casefold() in normal(password).casefold() and len(password) < 2 * SHORTEST_PASSWORD:
        raise ValueError("a password does not hold the account's name")
    if len(set(password)) < SHORTEST_PASSWORD // 2:
        raise ValueError("a password is not the same few characters over and over")
