"""Supervision, as the web server knows it: orders for the daemon that runs, and who hears what."""

from callrouter.app.kept import told_when_kept
from callrouter.core.ids import CallId
from callrouter.core.supervisors import HearingMode, HearingOrder, HearingVia
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.web.supervision import HearingNow, SupervisionDocument, SupervisionReport, SupervisionRequest


class HearingDesk:
    """Implements :class:`callrouter.web.supervision.SupervisionDesk` for the daemon that runs."""

    def __init__(self, dispatcher: Dispatcher, journal: Journal) -> None:
        self._dispatcher = dispatcher
        self._journal = journal

    async def order(self, call: str, request: SupervisionRequest) -> SupervisionReport:
        """See the Protocol. A change is told when it is on the disk; if it does not get there, that is said."""
        mode = None if request.verb == "stop" else HearingMode(request.verb)
        order = HearingOrder(CallId(call), request.phone, mode, request.who, HearingVia(request.via))
        answer = await self._dispatcher.order_hearing(order)
        message = await told_when_kept(self._journal, answer.message, changed=answer.changed)
        return SupervisionReport(answer.ok, answer.changed, message)

    def hearings(self, call: str) -> SupervisionDocument | None:
        """See the Protocol."""
        known = self._dispatcher.exchange.calls.get(CallId(call))
        if known is None:
            return None
        return SupervisionDocument(
            known.id,
            tuple(
                HearingNow(one.supervisor, one.agent, one.wanted, one.mode, one.since)
                for one in known.hearings.values()
            ),
        )
