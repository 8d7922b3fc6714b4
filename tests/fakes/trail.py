"""An audit log in memory."""

from dataclasses import dataclass, field

from callrouter.core.audit import AuditEntry
from callrouter.errors import UnreachableError
from callrouter.web.trail import AuditDocument, AuditSearchRequest


@dataclass
class FakeTrail:
    """Has what was noted; ``is_full``: the disk takes nothing."""

    entries: list[AuditEntry] = field(default_factory=list)
    searched: list[AuditSearchRequest] = field(default_factory=list)
    is_full: bool = False
    has_database: bool = True
    is_away: bool = False

    def note(self, entry: AuditEntry) -> None:
        self.entries.append(entry)

    async def keep(self, entry: AuditEntry) -> bool:
        if not self.is_full:
            self.note(entry)
        return not self.is_full

    async def find(self, search: AuditSearchRequest) -> AuditDocument | None:
        if self.is_away:
            raise UnreachableError("PostgreSQL cannot be\nreached")
        self.searched.append(search)
        return AuditDocument(tuple(self.entries)) if self.has_database else None
