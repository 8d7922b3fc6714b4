"""Someone who lets supervisors hear calls, or refuses to, as a test says."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from callrouter.core.ids import AgentId, CallId, SupervisorName
from callrouter.core.supervisors import HearingMode
from callrouter.web.supervision import HearingNow, SupervisionDocument, SupervisionReport, SupervisionRequest

RINGS = SupervisionReport(True, True, "the phone of kim rings, to listen to call c1")
REFUSED = SupervisionReport(False, False, 'there is no supervisor "lee"; there are: kim')
HEARD = SupervisionDocument(
    CallId("c1"),
    (
        HearingNow(
            SupervisorName("kim"),
            AgentId("201"),
            HearingMode.BARGE,
            HearingMode.LISTEN,
            datetime(2026, 11, 24, 1, 0, tzinfo=UTC),
        ),
    ),
)


@dataclass
class FakeSupervision:
    """Answers with ``report``, and remembers what was asked; only the call c1 is in progress."""

    report: SupervisionReport = RINGS
    asked: list[tuple[str, SupervisionRequest]] = field(default_factory=list)

    async def order(self, call: str, request: SupervisionRequest) -> SupervisionReport:
        self.asked.append((call, request))
        return self.report

    def hearings(self, call: str) -> SupervisionDocument | None:
        return HEARD if call == HEARD.call else None
