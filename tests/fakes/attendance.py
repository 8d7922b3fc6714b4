"""Someone who logs counselors in and out, or refuses to, as a test says."""

from dataclasses import dataclass, field

from callrouter.web.agents import AgentReport, AgentRequest

PAUSED = AgentReport(True, True, "agent 201 is paused")
REFUSED = AgentReport(False, False, 'there is no agent "299"')


@dataclass
class FakeAttendance:
    """Answers with ``report``, and remembers what was asked."""

    report: AgentReport = PAUSED
    asked: list[AgentRequest] = field(default_factory=list)

    async def order(self, request: AgentRequest) -> AgentReport:
        self.asked.append(request)
        return self.report
