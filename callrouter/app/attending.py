"""Counselors' duty, as web server and journal know it: orders for the daemon that runs, and how it stood before it."""

from typing import Final

from callrouter.app.kept import told_when_kept
from callrouter.core.audit import AuditKind
from callrouter.core.duty import DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId, QueueName
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.web.agents import AgentReport, AgentRequest

NEWEST_CDRS: Final = 5000
"""So many calls are read at the start, to know how counselors stood: enough for a day of most centres."""


class DutyDesk:
    """Implements :class:`callrouter.web.agents.AttendanceDesk` for the daemon that runs."""

    def __init__(self, dispatcher: Dispatcher, journal: Journal) -> None:
        self._dispatcher = dispatcher
        self._journal = journal

    async def order(self, request: AgentRequest) -> AgentReport:
        """See the Protocol. A change is told when it is on the disk; if it does not get there, that is said."""
        order = DutyOrder(
            AgentId(request.agent),
            DutyVerb(request.verb),
            request.who,
            DutyVia(request.via),
            request.reason,
            tuple(map(QueueName, request.queues)),
            request.about,
        )
        answer = await self._dispatcher.order_duty(order)
        message = await told_when_kept(self._journal, answer.message, changed=answer.changed)
        return AgentReport(answer.ok, answer.changed, message)


async def remember_duties(dispatcher: Dispatcher, journal: Journal) -> None:
    """Have the counselors at their desks, logged in, out and paused as the last daemon left them.

    Raises:
        JournalError: the journal cannot be read.
    """
    kinds = (AuditKind.DESK, AuditKind.PIN, AuditKind.QUEUES)
    dispatcher.restore_desks(*[await journal.newest_audit(kind) for kind in kinds])
    duties = await journal.newest_audit(AuditKind.AGENT)
    said = await journal.audit_of(AuditKind.AGENT)
    dispatcher.restore_standing(await journal.newest_cdrs(NEWEST_CDRS), duties, said)
    dispatcher.restore_duties(duties)
