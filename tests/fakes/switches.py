"""Someone who sets switches, or refuses to, as a test says."""

from dataclasses import dataclass, field

from callrouter.web.switches import SwitchReport, SwitchRequest
from tests.fakes.status import exchange_now

ON = SwitchReport(True, True, "switch typhoon is on until 2026-11-24 16:30", exchange_now().switches[0])
REFUSED = SwitchReport(False, False, 'there is no switch "typhon"; there are: night, typhoon')


@dataclass
class FakeSwitcher:
    """Answers with ``report``, and remembers what was asked."""

    report: SwitchReport = ON
    asked: list[SwitchRequest] = field(default_factory=list)

    async def switch(self, request: SwitchRequest) -> SwitchReport:
        self.asked.append(request)
        return self.report
