"""Orders for those who wait to be called back, carried out between two events, and what the list says of them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from callrouter.app.callback import callback_now
from callrouter.app.calling_back import CallingBackDesk, waiting_requests, withdraw
from callrouter.core.ids import CallId, QueueName, SiteName, TenantName
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.callback import CallbackRequest
from callrouter.web.calling_back import CallbackOrderRequest
from tests.core.driver import CALLS_BACK, Driver, rulebook

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def hall() -> Driver:
    """Somebody waits to be called back, and nobody is there to call."""
    hall = Driver(rulebook(queues=[CALLS_BACK]))
    hall.ask()
    return hall


@pytest.fixture
async def waiting(dispatcher: Dispatcher, hall: Driver) -> AsyncIterator[Dispatcher]:
    """A dispatcher with those calls."""
    dispatcher.exchange = hall.exchange
    running = asyncio.create_task(dispatcher.run())
    yield dispatcher
    running.cancel()


def listed(call: CallId) -> CallbackRequest:
    return CallbackRequest(
        12, call, SiteName("hall"), QueueName("desk"), TenantName("changwon"), "+82552251234", "", None, AT, None, 0,
        None, None, None, None, "",
    )  # fmt: skip


async def test_a_request_is_cancelled_by_its_number_in_the_list(waiting: Dispatcher) -> None:
    (call,) = waiting_requests(waiting)
    desk = CallingBackDesk(waiting, lambda: [listed(call)])
    report = await desk.order(CallbackOrderRequest("12", "cancel"))
    assert report.ok
    assert waiting_requests(waiting) == ()


async def test_a_request_is_hastened_by_the_id_of_its_call(waiting: Dispatcher) -> None:
    (call,) = waiting_requests(waiting)
    assert (await CallingBackDesk(waiting, tuple).order(CallbackOrderRequest(call, "call-now"))).ok


async def test_a_number_that_is_not_listed_is_refused(waiting: Dispatcher) -> None:
    report = await CallingBackDesk(waiting, tuple).order(CallbackOrderRequest("13", "cancel"))
    assert (report.ok, report.message) == (False, "no request 13 is listed; see callrouter callback list")


async def test_a_daemon_that_stood_down_takes_no_order(dispatcher: Dispatcher) -> None:
    dispatcher.stand_down()
    report = await CallingBackDesk(dispatcher, tuple).order(CallbackOrderRequest("x", "cancel"))
    assert (report.ok, report.message) == (False, "another daemon is in charge; ask that one")


async def test_a_request_that_somebody_closed_in_the_list_is_withdrawn(waiting: Dispatcher) -> None:
    (call,) = waiting_requests(waiting)
    withdraw(waiting, call, "boss")
    again = await CallingBackDesk(waiting, tuple).order(CallbackOrderRequest(call, "cancel"))
    assert not again.ok
    assert waiting_requests(waiting) == ()


def test_a_request_tells_by_which_call_it_is_being_called_back(hall: Driver) -> None:
    (made,) = hall.exchange.calls.values()
    assert made.request is not None
    now = callback_now(listed(made.request.original), made)
    assert (now.made_by, now.state, now.due_at) == (made.id, "queued", None)
    assert callback_now(listed(made.request.original)).made_by is None
