"""Someone who holds calls and passes them on, or refuses to, as a test says."""

from dataclasses import dataclass, field

from callrouter.web.calls import CallReport, CallRequest

HELD = CallReport(True, "call 1: hold")
REFUSED = CallReport(False, "call 1 is queued: nobody talks")


@dataclass
class FakeConversations:
    """Answers with ``report``, and remembers what was asked."""

    report: CallReport = HELD
    asked: list[CallRequest] = field(default_factory=list)

    async def order(self, request: CallRequest) -> CallReport:
        self.asked.append(request)
        return self.report
