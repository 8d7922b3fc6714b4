"""Someone who takes new rules, or refuses them, as a test says."""

from dataclasses import dataclass, field

from callrouter.web.reload import ReloadReport, ReloadRequest

TAKEN = ReloadReport(True, True, "new", "old", (), ("routes.yaml:1:1: x; y",), ("sites", "web"))
UNCHANGED = ReloadReport(True, False, "old", "old")
REFUSED = ReloadReport(False, False, "old", "old", ('routes.yaml:9:7: unknown key "doo"; did you mean "do"?', "b"))


@dataclass
class FakeReloader:
    """Answers with ``report``, and remembers who asked."""

    report: ReloadReport = TAKEN
    asked: list[str] = field(default_factory=list)
    requests: list[ReloadRequest] = field(default_factory=list)

    async def reload(self, request: ReloadRequest) -> ReloadReport:
        self.asked.append(request.who)
        self.requests.append(request)
        return self.report
