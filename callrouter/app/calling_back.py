"""Orders for those who wait to be called back, carried out by the daemon that runs; what people close in the list."""

from collections.abc import Callable, Iterable

from callrouter.core import events as ev
from callrouter.core.callback_orders import CallbackOrder, CallbackVerb, CallbackVia
from callrouter.core.ids import CallId
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.callback import CallbackRequest
from callrouter.web.calling_back import CallbackOrderRequest, CallbackReport


class CallingBackDesk:
    """Implements :class:`callrouter.web.calling_back.CallbackDesk` for the daemon that runs.

    ``requests`` are those that are listed, by which ids of requests are read.
    """

    def __init__(self, dispatcher: Dispatcher, requests: Callable[[], Iterable[CallbackRequest]]) -> None:
        self._dispatcher = dispatcher
        self._requests = requests

    async def order(self, request: CallbackOrderRequest) -> CallbackReport:
        """See the Protocol."""
        call = self._call_of(request.request)
        if call is None:
            return CallbackReport(False, f"no request {request.request} is listed; see callrouter callback list")
        order = CallbackOrder(call, CallbackVerb(request.verb), request.who, CallbackVia(request.via))
        answer = await self._dispatcher.order_callback(order)
        return CallbackReport(answer.ok, answer.message)

    def _call_of(self, name: str) -> str | None:
        if not (name.isascii() and name.isdigit()):
            return name
        return next((one.call_id for one in self._requests() if one.id == int(name)), None)


def waiting_requests(dispatcher: Dispatcher) -> tuple[CallId, ...]:
    """The calls in which those asked who wait to be called back and are not there yet."""
    calls = dispatcher.exchange.calls.values()
    return tuple(call.request.original for call in calls if call.request is not None and call.is_absent)


def withdraw(dispatcher: Dispatcher, call: CallId, who: str) -> None:
    """Somebody has closed the request in the list: nobody calls any more."""
    dispatcher.post(ev.CallbackOrdered(CallbackOrder(call, CallbackVerb.CANCEL, who, CallbackVia.LIST)))
