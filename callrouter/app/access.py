"""Accounts as the daemon has them: the audit trail of page and API, this machine's token, and what a reload changes."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from callrouter.config.accounts import Accounts
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.errors import JournalError
from callrouter.store.audit import AuditSearch, open_audit_log
from callrouter.store.journal import Journal
from callrouter.web.client import LOCAL_TOKEN_FILE
from callrouter.web.trail import AuditDocument, AuditSearchRequest

TOKEN_BYTES: Final = 32
TOKEN_MODE: Final = 0o640
"""The group of the daemon may read it, as it may look into the state directory."""


class JournalTrail:
    """Implements :class:`callrouter.web.trail.AuditTrail`: entries go by the journal, and are found in PostgreSQL."""

    def __init__(self, journal: Journal, url: str | None) -> None:
        self._journal = journal
        self._url = url

    def note(self, entry: AuditEntry) -> None:
        """See the Protocol."""
        self._journal.audit(entry)

    async def keep(self, entry: AuditEntry) -> bool:
        """See the Protocol."""
        self._journal.audit(entry)
        return await self._journal.flush()

    async def find(self, search: AuditSearchRequest) -> AuditDocument | None:
        """See the Protocol."""
        if self._url is None:
            return None
        wanted = AuditSearch(
            since=search.since, until=search.until, who=search.who, name=search.name, limit=search.limit
        )
        async with open_audit_log(self._url) as found:
            return AuditDocument(tuple(await found.find(wanted)))


def make_local_token(state_dir: Path, *, shared: bool = False) -> str:
    """A fresh token, in a file for those who may look into the state directory: commands on this machine show it.

    ``shared``: the one that is there, if another daemon with the same directory has made one.

    Raises:
        JournalError: it cannot be written.
    """
    if shared:
        with suppress(OSError, UnicodeDecodeError):
            if there := (state_dir / LOCAL_TOKEN_FILE).read_text("ascii").strip():
                return there
    token = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        number, beside = tempfile.mkstemp(prefix=f".{LOCAL_TOKEN_FILE}.", dir=state_dir)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(token + "\n")
        os.chmod(beside, TOKEN_MODE)
        os.replace(beside, state_dir / LOCAL_TOKEN_FILE)
    except OSError as exc:
        remedy = "see to the rights of the directory and the room on the disk"
        raise JournalError(f"{state_dir / LOCAL_TOKEN_FILE} cannot be written ({exc.strerror}); {remedy}") from exc
    return token


def note_account_changes(
    journal: Journal, now: Callable[[], datetime], before: Accounts | None, after: Accounts | None, who: str
) -> None:
    """Have the audit log tell what a reload, which ``who`` asked for, meant for accounts."""
    for entry in account_changes(before, after, who, now()):
        journal.audit(entry)


def account_changes(before: Accounts | None, after: Accounts | None, who: str, at: datetime) -> Iterator[AuditEntry]:
    """One entry for each account that is another now, is new or is gone."""
    old = before.by_name if before is not None else {}
    new = after.by_name if after is not None else {}
    for name in sorted({*old, *new}):
        was, becomes = old.get(name), new.get(name)
        if was == becomes:
            continue
        is_role = was is None or becomes is None or was.role is not becomes.role
        yield AuditEntry(
            at=at,
            who=who,
            kind=AuditKind.ACCOUNT,
            name=name,
            was=was.role if was is not None else "",
            becomes=becomes.role if becomes is not None else "",
            via="reload",
            note="" if is_role else "password, tokens, agent or title",
        )
