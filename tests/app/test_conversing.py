"""Orders for conversations, carried out between two events."""

from callrouter.app.conversing import CallDesk
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.web.calls import CallReport, CallRequest


async def test_an_order_that_cannot_be_carried_out_is_answered(dispatcher: Dispatcher) -> None:
    report = await CallDesk(dispatcher).order(CallRequest("nobody", "hold"))
    assert report == CallReport(False, 'there is no call, and no agent on a call, named "nobody"')


async def test_a_daemon_that_stood_down_takes_no_order(dispatcher: Dispatcher) -> None:
    dispatcher.stand_down()
    report = await CallDesk(dispatcher).order(CallRequest("nobody", "hold"))
    assert report == CallReport(False, "another daemon is in charge; ask that one")
