"""Looks that a command takes into PostgreSQL by itself: each is in the audit log before anything is shown."""

import asyncio
from datetime import UTC, datetime

from callrouter.cli.orders import who
from callrouter.cli.text import plain
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.store.audit import open_audit_log
from callrouter.web.switches import MOST_NOTE

COMMAND = "command"
"""By what way, in the audit log."""

HIDE = "Hide the end of callers' numbers. Who has them shown whole is in the audit log before."
"""The help of ``--mask/--no-mask``."""


def note_numbers(url: str, what: str, **wanted: object) -> None:
    """Have the audit log say that this user sees whole numbers; ``what`` is the command, or the id of a call.

    ``wanted`` is what was asked for; what is None is not said.

    Raises:
        DatabaseError: the database does not take it: nothing is to be shown.
        UnreachableError: it cannot be reached.
    """
    said = " ".join(f"{key}={value}" for key, value in wanted.items() if value not in (None, False, ""))
    note(url, AuditKind.NUMBER, what, "", "seen", said)


def note(url: str, kind: AuditKind, name: str, was: str, becomes: str, said: str = "") -> None:
    """Have the audit log say what this user does.

    Raises:
        DatabaseError: the database does not take it.
        UnreachableError: it cannot be reached.
    """
    told = plain(said)[:MOST_NOTE]
    entry = AuditEntry(datetime.now(UTC), who(), kind, name, was, becomes, COMMAND, note=told)

    async def keep() -> None:
        async with open_audit_log(url) as log:
            await log.note(entry)

    asyncio.run(keep())
