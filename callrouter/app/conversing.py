"""Orders for conversations, as the web server knows them, carried out by the daemon that runs."""

from callrouter.core.call_orders import CallOrder, CallVerb, CallVia
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.web.calls import CallReport, CallRequest


class CallDesk:
    """Implements :class:`callrouter.web.calls.ConversationDesk` for the daemon that runs."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def order(self, request: CallRequest) -> CallReport:
        """See the Protocol. Nothing is waited for but the order's turn: what the phones do with it, the call tells."""
        verb, via = CallVerb(request.verb), CallVia(request.via)
        answer = await self._dispatcher.order_call(CallOrder(request.call, verb, request.who, via, request.target))
        return CallReport(answer.ok, answer.message)
