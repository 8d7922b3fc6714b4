"""The table of a call's states: it is total, the engine keeps to it, and the diagram shows it."""

from pathlib import Path

import pytest

from callrouter.core import events as ev
from callrouter.core.call import Call
from callrouter.core.cue import Cue
from callrouter.core.output import NoticeKind, Output
from callrouter.core.states import TABLE, CallState, Signal, Transition, Unmoved, as_page
from callrouter.errors import ImpossibleEventError
from tests.core.driver import CALLS_BACK, Driver, agent, own_leg, rulebook

PAGE = Path(__file__).parents[2] / "docs" / "call-states.md"
MOVES = [(state, signal) for (state, signal), cell in TABLE.items() if isinstance(cell, Transition)]
STALE = [key for key, cell in TABLE.items() if cell is Unmoved.STALE]
OF_SEVERAL = {
    Signal.MATCHED,
    Signal.OTHER_RANG,
    Signal.OTHER_ANSWERED,
    Signal.OTHER_ENDED,
    Signal.OTHER_UNCERTAIN,
}
"""What a call takes for which more than one phone rings, or is about to."""
IMPOSSIBLE = [key for key, cell in TABLE.items() if cell is Unmoved.IMPOSSIBLE]

CALLED_BACK = {CallState.CALLING, CallState.GREETING, CallState.POSTPONED}
"""In which nobody is there yet to hang up, or, if he does, is called again."""
ABSENT = {CallState.CALLING, CallState.POSTPONED}


def a_call_in(hall: Driver, state: CallState) -> Call:
    """A call in ``state``: with the counselor ``kim`` where one is needed, else nobody is there."""
    if state is CallState.ROUTING:
        call_id = hall.arrive("121")
        arrived = hall.inbox.pop()
        assert isinstance(arrived, ev.CallArrived)
        return hall.exchange.conduct.open(call_id, arrived.channel, arrived.facts, hall.now, Output())
    if state is CallState.QUEUED:
        hall.tell(ev.RulebookReplaced(rulebook()))
    return hall.reached(state)


def others(hall: Driver) -> dict[str, CallState]:
    return {call.channel: call.state for call in hall.exchange.calls.values() if call.channel == "resident-1"}


@pytest.fixture
def hall() -> Driver:
    """A call centre in which somebody talks already."""
    hall = Driver(rulebook(agent("lee")))
    talking = hall.dial()
    hall.pick_up(talking)
    hall.rules = rulebook(agent("lee"), agent("kim"), queues=[CALLS_BACK])
    hall.tell(ev.RulebookReplaced(hall.rules))
    return hall


def take(hall: Driver, call: Call, signal: Signal) -> Output:
    out = Output()
    if call.state is CallState.OFFERED and signal in OF_SEVERAL:
        hall.tell(ev.RulebookReplaced(rulebook(agent("lee"), agent("kim"), agent("park"))))
        more = Cue(Signal.MATCHED, agent=hall.agent("park"))
        hall.exchange.signal(call, more, hall.now, out)
        if signal is not Signal.MATCHED:
            hall.exchange.signal(call, Cue(signal, channel=own_leg(call, 2)), hall.now, out)
        return out
    picked = hall.exchange.floor.staff.agents.get(agent("kim").id)
    if signal is Signal.MATCHED and picked is None:
        hall.exchange.floor.replace(hall.rules, hall.now)
        picked = hall.agent("kim")
    hall.exchange.signal(call, Cue(signal, agent=picked), hall.now, out)
    return out


def test_every_pair_of_state_and_signal_is_in_the_table() -> None:
    assert set(TABLE) == {(state, signal) for state in CallState for signal in Signal}


def test_a_call_that_has_ended_stays_so() -> None:
    assert not any(state is CallState.ENDED for state, _ in MOVES)


def test_every_state_but_the_first_can_be_reached_and_every_one_but_the_last_be_left() -> None:
    reached = {to for cell in TABLE.values() if isinstance(cell, Transition) for to in cell.to}
    assert reached == set(CallState) - {CallState.ROUTING}
    assert {state for state, _ in MOVES} == set(CallState) - {CallState.ENDED}


def test_wherever_a_caller_hangs_up_the_call_ends_when_his_message_has() -> None:
    for state in set(CallState) - {CallState.ENDED, CallState.ROUTING} - CALLED_BACK:
        cell = TABLE[state, Signal.CALLER_LEFT]
        assert isinstance(cell, Transition)
        behind = {CallState.CLEARING} if state is CallState.RECORDING else set()
        assert cell.to == {CallState.ENDED} | behind


@pytest.mark.parametrize(("state", "signal"), MOVES)
def test_a_transition_leads_where_the_table_says(hall: Driver, state: CallState, signal: Signal) -> None:
    call, cell = a_call_in(hall, state), TABLE[state, signal]
    assert isinstance(cell, Transition)
    before = others(hall)
    take(hall, call, signal)
    assert call.state in cell.to
    assert others(hall) == before == {"resident-1": CallState.CONNECTED}
    assert not hall.exchange.counters.impossible


@pytest.mark.parametrize(("state", "signal"), STALE)
def test_what_is_stale_changes_nothing_but_a_counter(hall: Driver, state: CallState, signal: Signal) -> None:
    call = a_call_in(hall, state)
    history = list(call.history)
    assert take(hall, call, signal) == Output()
    assert (call.state, call.history) == (state, history)
    assert hall.exchange.counters.stale == {(state, signal): 1}


@pytest.mark.parametrize(("state", "signal"), IMPOSSIBLE)
def test_what_is_impossible_is_told_and_that_call_goes_to_the_fallback(
    hall: Driver, state: CallState, signal: Signal
) -> None:
    call = a_call_in(hall, state)
    before = others(hall)
    out = take(hall, call, signal)
    assert [notice.kind for notice in out.notices] == [NoticeKind.IMPOSSIBLE_EVENT]
    assert hall.exchange.counters.impossible == {(state, signal): 1}
    assert others(hall) == before
    let_be = {CallState.CONNECTED, CallState.CLEARING, CallState.ENDED}
    assert call.state is (state if state in let_be else CallState.ENDED if state in ABSENT else CallState.CLEARING)


def test_an_action_that_breaks_the_table_is_a_defect(hall: Driver) -> None:
    call = a_call_in(hall, CallState.ANNOUNCING)
    with pytest.raises(ImpossibleEventError, match=r"renew_dead_man left call .* in state announcing"):
        hall.exchange.conduct.act(
            Transition("renew_dead_man", frozenset({CallState.ENDED})),
            call,
            Cue(Signal.DEAD_MAN_DUE),
            hall.now,
            Output(),
        )


@pytest.mark.parametrize(
    ("state", "signal"),
    [
        (CallState.QUEUED, Signal.MATCHED),
        (CallState.OFFERED, Signal.LEG_ENDED),
        (CallState.OFFERED, Signal.MATCHED),
        (CallState.OFFERED, Signal.OTHER_ENDED),
    ],
)
def test_a_signal_without_what_it_needs_is_a_defect(hall: Driver, state: CallState, signal: Signal) -> None:
    call = a_call_in(hall, state)
    call.offer = None
    with pytest.raises(ImpossibleEventError):
        hall.exchange.signal(call, Cue(signal), hall.now, Output())


def test_the_diagram_in_the_documentation_is_drawn_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_page(), (
        "python -c 'from callrouter.core.states import as_page; print(as_page(), end=\"\")' > docs/call-states.md"
    )
