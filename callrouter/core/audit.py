"""What somebody changed while the daemon ran: the audit log's entries.

An entry is the record from which a daemon that starts anew knows how things stood, too: the newest of a name counts.
"""

from datetime import datetime
from enum import StrEnum

import msgspec


class AuditKind(StrEnum):
    """What can be changed so."""

    SWITCH = "switch"
    AGENT = "agent"
    """Whether a counselor takes calls."""
    DESK = "desk"
    """At which phone a counselor works; empty: at his own."""
    QUEUES = "queues"
    """Of which of his queues a counselor takes calls; empty: of all."""
    PIN = "pin"
    """Whether anybody may log in at a phone, or as a counselor."""
    SUPERVISION = "supervision"
    """Who hears a conversation; the name is the call's."""
    WRAP_UP = "wrap-up"
    """What a call was about; its name is the call's id."""
    RECORDING = "recording"
    """Who fetched a recording of a conversation, or deleted it; its name is the recording's."""
    CALLBACK = "callback"
    """Whether a resident is called back; the name is the call's in which he asked."""
    LOGIN = "log-in"
    """Who came in by page, who went, and who was not let in; its name is the account's."""
    ACCESS = "access"
    """What an account ordered or was refused; its name is the path."""
    NUMBER = "number"
    """Who saw a caller's whole number; its name is the call's."""
    ACCOUNT = "account"
    """Which role an account has; empty: there is none of that name."""
    PURGE = "purge"
    """How many old entries of the log itself were removed, and before when; written by the database."""


class AuditEntry(msgspec.Struct, frozen=True):
    """One change. Times are aware UTC."""

    at: datetime
    who: str
    """A person, a phone, or what acted by itself."""
    kind: AuditKind
    name: str
    """Of the thing that was changed."""
    was: str
    becomes: str
    via: str
    """By what way: a closed set of words."""
    since: datetime | None = None
    """Since when it has been what it becomes; earlier than ``at`` where something was renewed."""
    until: datetime | None = None
    """When it will end by itself."""
    note: str = ""
    queues: tuple[str, ...] = ()
    """Of a counselor: those that he serves by the rules of then."""
    account: str = ""
    """By which account it was ordered; empty: by none, at a phone or on the machine itself."""
    address: str = ""
    """From which IP address."""


ONCE_SAID: frozenset[AuditKind] = frozenset(
    {
        AuditKind.WRAP_UP,
        AuditKind.CALLBACK,
        AuditKind.LOGIN,
        AuditKind.ACCESS,
        AuditKind.NUMBER,
        AuditKind.ACCOUNT,
        AuditKind.PURGE,
    }
)
"""Kinds of which a daemon that starts anew need not know the newest: there are ever more names."""
