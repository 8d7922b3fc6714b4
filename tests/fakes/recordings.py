"""Someone who gives out recordings, or refuses to, as a test says."""

from dataclasses import dataclass, field
from pathlib import Path

from callrouter.errors import DatabaseError
from callrouter.web.recordings import DeleteRequest, FetchRequest, RecordingReport, RecordingsDocument

DELETED = RecordingReport(True, "recording 12 is deleted")
REFUSED = RecordingReport(False, "recording 12 was deleted by kim: on request")


@dataclass
class FakeRecordings:
    """Answers with ``found`` and ``report``, and remembers what was asked."""

    found: Path | str = "recording 12 does not exist"
    report: RecordingReport = DELETED
    is_broken: bool = False
    asked: list[tuple[int, FetchRequest | DeleteRequest]] = field(default_factory=list)

    async def recordings(self) -> RecordingsDocument:
        self._serve()
        return RecordingsDocument(())

    async def fetch(self, number: int, request: FetchRequest) -> Path | str:
        self._serve()
        self.asked.append((number, request))
        return self.found

    async def delete(self, number: int, request: DeleteRequest) -> RecordingReport:
        self._serve()
        self.asked.append((number, request))
        return self.report

    def _serve(self) -> None:
        if self.is_broken:
            raise DatabaseError("PostgreSQL refused what\nwas asked")
