"""Switches, as web server and journal know them: orders for the daemon that runs, and how they stood before it."""

from callrouter.app.kept import told_when_kept
from callrouter.core.audit import AuditKind
from callrouter.core.ids import SwitchName
from callrouter.core.picture import switch_now
from callrouter.core.switches import SwitchOrder, SwitchVia
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.web.switches import SwitchReport, SwitchRequest


class SwitchDesk:
    """Implements :class:`callrouter.web.switches.Switcher` for the daemon that runs."""

    def __init__(self, dispatcher: Dispatcher, journal: Journal) -> None:
        self._dispatcher = dispatcher
        self._journal = journal

    async def switch(self, request: SwitchRequest) -> SwitchReport:
        """See the Protocol. A change is told when it is on the disk; if it does not get there, that is said."""
        name = SwitchName(request.switch)
        order = SwitchOrder(
            name, request.on, request.who, SwitchVia(request.via), request.for_s, request.until, request.note
        )
        answer = await self._dispatcher.order(order)
        message = await told_when_kept(self._journal, answer.message, changed=answer.changed)
        spec = self._dispatcher.exchange.rulebook.switches.get(name)
        now = switch_now(spec, answer.on) if spec is not None else None
        return SwitchReport(answer.ok, answer.changed, message, now)


async def remember_switches(dispatcher: Dispatcher, journal: Journal) -> None:
    """Have the switches stand as the last daemon left them, but for those whose time is over.

    Raises:
        JournalError: the journal cannot be read.
    """
    dispatcher.restore_switches(await journal.newest_audit(AuditKind.SWITCH))
