"""Requests to be called back: whose, at which number, once, and whatever dies meanwhile."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import facts
from callrouter.core.callback import LINES, number_to_call
from callrouter.core.cdr import CdrCallback, Outcome
from callrouter.core.outbound import USUAL, NumberClass
from callrouter.core.output import NoticeKind
from callrouter.core.plan import Announce, Callback, EnterQueue, HangUp, Plan, is_final, walk
from callrouter.core.states import CallState
from tests.core.driver import DESK, NIGHT, SORRY, THANKS, WELCOME, Driver, agent, rulebook

LANDS = (NumberClass.LANDLINE, NumberClass.MOBILE)
CALL_ME = Callback(DESK, LANDS, Plan("else", (Announce(SORRY), HangUp())))
THANKED = (Announce(THANKS), HangUp())
PLANS = {
    "150": Plan("waited", (EnterQueue(DESK, 30.0), CALL_ME, *THANKED)),
    "151": Plan("at-once", (CALL_ME, *THANKED)),
    "152": Plan("twice", (CALL_ME, Callback(NIGHT, LANDS), *THANKED)),
    "153": Plan("next", (Callback(DESK, LANDS), *THANKED)),
    "154": Plan("stays", (CALL_ME, EnterQueue(DESK))),
    "155": Plan("elsewhere", (EnterQueue(NIGHT, 30.0), CALL_ME, *THANKED)),
    "156": Plan("greeted", (Announce(WELCOME), CALL_ME, *THANKED)),
}


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook(plans=PLANS))


def played(hall: Driver) -> list[str]:
    return [media.rpartition("/")[2] for command in hall.given(cmd.Play) for media in command.media]


def test_who_has_waited_keeps_the_place_in_line_with_the_request(hall: Driver) -> None:
    first = hall.dial("150")
    hall.advance(30.0)
    asked_at = hall.now
    hall.announcement_ends(first)

    cdr = hall.cdr(first)
    assert (cdr.outcome, cdr.callback) == (Outcome.CALLBACK, CdrCallback(DESK, "+82552251234", asked_at, 1))
    assert played(hall) == ["thanks"]
    assert cdr.explanation.splitlines()[-1] == "call back: wanted of desk"
    assert [(one.kind, one.text) for one in hall.notices] == [(NoticeKind.CALLBACK, "desk is to call back")]


@pytest.mark.parametrize("dialed", ["151", "155"])
def test_who_has_not_waited_in_that_queue_has_no_place_there(hall: Driver, dialed: str) -> None:
    call = hall.dial(dialed)
    hall.advance(30.0)
    hall.hang_up(call)
    callback = hall.cdr(call).callback
    assert callback is not None
    assert (callback.queue, callback.place) == (DESK, None)


def test_who_hangs_up_during_the_thanks_is_called_back_all_the_same(hall: Driver) -> None:
    call = hall.dial("151")
    assert call.state is CallState.ANNOUNCING
    hall.hang_up(call)
    assert hall.cdr(call).outcome is Outcome.CALLBACK


def test_a_second_step_is_no_second_request(hall: Driver) -> None:
    call = hall.dial("152")
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert cdr.callback is not None
    assert cdr.callback.queue == DESK
    assert cdr.explanation.endswith("asked: call back by night? asked for already, of desk → next step")
    assert sum(isinstance(fact, facts.CallbackWanted) for fact in hall.journal[call.id]) == 1


@pytest.mark.parametrize(
    ("caller", "why"),
    [
        ("anonymous", "withheld"),
        ("", "withheld"),
        ("07012345678", "internet"),
        ("+12025550123", "international"),
        ("119", "emergency"),
        ("nonsense", "unknown"),
    ],
)
def test_who_cannot_be_called_goes_another_way(hall: Driver, caller: str, why: str) -> None:
    call = hall.dial("151", caller)
    assert played(hall) == ["sorry"]
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.callback) == (Outcome.CLOSED, None)
    assert cdr.explanation.endswith(f"asked: call back by desk? not this number: {why} → else")


@pytest.mark.parametrize("dialed", ["151", "0552110120"])
def test_a_number_of_our_own_is_never_called_back(dialed: str) -> None:
    plans = {**PLANS, "0552110120": PLANS["151"]}
    rules = replace(rulebook(plans=plans), own_numbers=frozenset({"+82552110000"}))
    hall = Driver(rules)
    call = hall.dial(dialed, "0552110000" if dialed == "151" else dialed)
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.callback) == (Outcome.CLOSED, None)
    assert "call back by desk? not this number: our own → else" in cdr.explanation


def test_without_another_way_the_plan_goes_on(hall: Driver) -> None:
    call = hall.dial("153", "anonymous")
    assert played(hall) == ["thanks"]
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.callback) == (Outcome.CLOSED, None)
    assert "not this number: withheld → next step" in cdr.explanation


def test_who_hangs_up_before_the_request_has_abandoned(hall: Driver) -> None:
    call = hall.dial("156")
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.callback) == (Outcome.ABANDONED, None)


def test_a_request_is_needless_once_a_counselor_was_reached() -> None:
    hall = Driver(rulebook(agent("kim"), plans=PLANS))
    call = hall.dial("154")
    hall.pick_up(call)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.callback) == (Outcome.HANDLED, None)
    assert cdr.explanation.endswith("call back: needless, somebody was reached")


@pytest.mark.parametrize("lost", range(6))
def test_a_daemon_that_dies_between_two_facts_takes_it_down_once(hall: Driver, lost: int) -> None:
    call = hall.dial("151")
    hall.restart(lost=lost)
    (again,) = hall.exchange.calls.values()
    hall.sync()
    if again.state is CallState.ANNOUNCING:
        hall.announcement_ends(again)
    cdr = hall.cdr(again)
    assert (again.channel, cdr.outcome) == (call.channel, Outcome.CALLBACK)
    assert sum(isinstance(fact, facts.CallbackWanted) for fact in again.history) == 1
    assert "asked for already" not in cdr.explanation


@pytest.mark.parametrize(
    ("caller", "number"),
    [
        ("0552251234", "+82552251234"),
        ("+82-10-1234-5678", "+821012345678"),
        ("sip:07012345678@carrier", "+827012345678"),
        ("15881234", None),
        ("0801234567", None),
        ("0601234567", None),
        ("120", None),
        ("055120", None),
        ("0501234567890", None),
        ("+12025550123", None),
        ("+82", None),
    ],
)
def test_only_a_line_that_residents_call_from_is_called_back(caller: str, number: str | None) -> None:
    assert number_to_call(caller, USUAL) == number


def test_no_permission_to_dial_a_special_number_is_one_to_call_it_back() -> None:
    every = frozenset(NumberClass)
    assert number_to_call("+12025550123", every) == "+12025550123"
    for caller in ("119", "0601234567", "15881234", "anonymous", "+82", "00999"):
        assert number_to_call(caller, every) is None, caller
    assert NumberClass.PREMIUM not in LINES


def test_the_way_of_others_belongs_to_the_plan() -> None:
    assert CALL_ME.otherwise is not None
    assert Announce(SORRY) in list(walk(PLANS["151"]))
    assert not is_final(CALL_ME)
