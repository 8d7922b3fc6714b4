"""Digits without end, in whatever state: nothing is kept of them, and nothing is done for them again and again."""

import pytest

from callrouter.core import events as ev
from callrouter.core.states import CallState
from tests.core.driver import CALLS_BACK, Driver, agent, rulebook

MANY = 3000
MOST_FACTS, MOST_COMMANDS = 20, 40
HEARING = (
    CallState.ANNOUNCING,
    CallState.ASKING,
    CallState.DICTATING,
    CallState.RECORDING,
    CallState.QUEUED,
    CallState.OFFERED,
    CallState.CONNECTED,
)


@pytest.mark.parametrize("key", ["9", "1", "*"])
@pytest.mark.parametrize("state", HEARING)
def test_a_flood_of_digits_is_no_flood_of_records_and_orders(state: CallState, key: str) -> None:
    hall = Driver(rulebook(agent("kim"), queues=(CALLS_BACK,)))
    if state is CallState.QUEUED:
        hall.dial()  # kim is busy with this one
        call = hall.dial("121")
        hall.announcement_ends(call)
    else:
        call = hall.reached(state)
    kept, given = len(hall.log), len(hall.commands)
    for _ in range(MANY):
        hall.tell(ev.DigitPressed(call.channel, key))
    assert len(hall.log) - kept <= MOST_FACTS
    assert len(hall.commands) - given <= MOST_COMMANDS


def test_a_flood_of_a_counselors_keys_is_none_either() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.reached(CallState.CONNECTED)
    kept, given = len(hall.log), len(hall.commands)
    for key in "*9#" * MANY:
        hall.tell(ev.LegDigit(hall.leg(call), key))
    assert len(hall.log) - kept <= MOST_FACTS
    assert len(hall.commands) - given <= MOST_COMMANDS
    assert call.state is CallState.CONNECTED
