"""Someone who has residents called back, or refuses to, as a test says."""

from dataclasses import dataclass, field

from callrouter.web.calling_back import CallbackOrderRequest, CallbackReport

HASTENED = CallbackReport(True, "call 1: called as soon as a counselor and a trunk channel are free")
NOBODY = CallbackReport(False, "no request 9 is listed; see callrouter callback list")


@dataclass
class FakeReturns:
    """Answers with ``report``, and remembers what was asked."""

    report: CallbackReport = HASTENED
    asked: list[CallbackOrderRequest] = field(default_factory=list)

    async def order(self, request: CallbackOrderRequest) -> CallbackReport:
        self.asked.append(request)
        return self.report
