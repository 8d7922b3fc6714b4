"""A memory of callers that remembers what it was asked."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from callrouter.web.remembered import ForgetReport, RememberedReport

TWO = RememberedReport(2, datetime(2027, 5, 23, 1, 0, tzinfo=UTC), None)
NOBODY = RememberedReport(0, None, None)


@dataclass
class FakeRemembering:
    """Says ``kept``, and forgets whom it is told to."""

    kept: RememberedReport = TWO
    forgotten: int = 1
    error: str | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def report(self) -> RememberedReport:
        return self.kept

    async def forget(self, number: str, who: str) -> ForgetReport | None:
        self.asked.append((number, who))
        return None if number == "anonymous" else ForgetReport(self.forgotten, 1, self.error)

    async def forget_all(self, who: str) -> ForgetReport:
        self.asked.append(("all", who))
        return ForgetReport(2, 0, self.error)
