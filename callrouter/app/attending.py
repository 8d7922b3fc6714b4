"""Counselors' duty, as web server and journal know it: orders for the daemon that runs, and how it stood before it."""

from callrouter.app.kept import told_when_kept
from callrouter.core.audit import AuditKind
from callrouter.core.duty import DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.web.agents import AgentReport, AgentRequest


class DutyDesk:
    """Implements :class:`callrouter.web.agents.AttendanceDesk` for the daemon that runs."""

    def __init__(self, dispatcher: Dispatcher, journal: Journal) -> None:
        self._dispatcher = dispatcher
        self._journal = journal

    async def order(self, request: AgentRequest) -> AgentReport:
        """See the Protocol. A change is told when it is on the disk; if it does not get there, that is said."""
        verb, via = DutyVerb(request.verb), DutyVia(request.via)
        order = DutyOrder(AgentId(request.agent), verb, request.who, via, request.reason, request.about)
        answer = await self._dispatcher.order_duty(order)
        message = await told_when_kept(self._journal, answer.message, changed=answer.changed)
        return AgentReport(answer.ok, answer.changed, message)


async def remember_duties(dispatcher: Dispatcher, journal: Journal) -> None:
    """Have the counselors logged in, out and paused as the last daemon left them.

    Raises:
        JournalError: the journal cannot be read.
    """
    dispatcher.restore_duties(await journal.newest_audit(AuditKind.AGENT))
