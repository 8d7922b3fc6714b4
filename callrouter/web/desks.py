"""Who takes the orders that come by page, API and command."""

from dataclasses import dataclass

from callrouter.web.agents import AttendanceDesk
from callrouter.web.calling_back import CallbackDesk
from callrouter.web.calls import ConversationDesk
from callrouter.web.recordings import RecordingDesk
from callrouter.web.reload import Reloader
from callrouter.web.remembered import Remembering
from callrouter.web.supervision import SupervisionDesk
from callrouter.web.switches import Switcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """One for each kind of order; None: nobody takes it, as with a daemon that waits, or without a database."""

    reloader: Reloader | None = None
    remembering: Remembering | None = None
    switcher: Switcher | None = None
    attendance: AttendanceDesk | None = None
    conversations: ConversationDesk | None = None
    supervision: SupervisionDesk | None = None
    recordings: RecordingDesk | None = None
    callbacks: CallbackDesk | None = None
