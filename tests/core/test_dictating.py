"""The number to be called back at: read out, confirmed, replaced by another, and whatever the caller does instead."""

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.call import Call
from callrouter.core.cdr import Outcome
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.facts import ReleaseReason
from callrouter.core.ids import PromptName
from callrouter.core.outbound import NumberClass
from callrouter.core.output import Output
from callrouter.core.plan import Announce, Callback, EnterQueue, HangUp, NumberCheck, Plan
from callrouter.core.states import CallState, Signal
from callrouter.errors import ImpossibleEventError
from tests.core.driver import DESK, SORRY, THANKS, Driver, rulebook

KINDS = (NumberClass.LANDLINE, NumberClass.MOBILE)
CHECK = NumberCheck(PromptName("right"), PromptName("enter"), PromptName("wrong"), 4.0, 2)
ELSE = Plan("else", (Announce(SORRY), HangUp()))


def plan(check: NumberCheck) -> Plan:
    return Plan("confirmed", (Callback(DESK, KINDS, ELSE, check), Announce(THANKS), HangUp()))


PLANS = {
    "150": plan(CHECK),
    "151": plan(NumberCheck(PromptName("right"))),
    "152": plan(NumberCheck(PromptName("right"), PromptName("enter"), keeps=False)),
    "153": Plan(
        "twice",
        (Callback(DESK, KINDS), Callback(DESK, KINDS, ELSE, CHECK), Announce(THANKS), HangUp()),
    ),
    "154": Plan("waits", (EnterQueue(DESK, 30.0), Callback(DESK, KINDS, ELSE, CHECK), HangUp())),
}
READ_OUT = [*(f"digit-{digit}" for digit in "0552251234"), "right"]
OTHER, OTHER_READ_OUT = "01012345678", [*(f"digit-{digit}" for digit in "01012345678"), "right"]


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook(plans=PLANS))


def heard(hall: Driver) -> list[str]:
    """All that was played, prompt by prompt."""
    return [media.rpartition("/")[2] for command in hall.given(cmd.Play) for media in command.media]


def keys(hall: Driver, call: Call, pressed: str) -> None:
    for key in pressed:
        hall.press(call, key)


def wanted(call: Call) -> str | None:
    return call.callback.number if call.callback is not None else None


def state_of(call: Call) -> CallState:
    return call.state


def test_the_number_is_read_out_and_confirmed_with_1(hall: Driver) -> None:
    call = hall.dial("150")
    assert state_of(call) is CallState.DICTATING
    assert heard(hall) == READ_OUT
    hall.announcement_ends(call)
    hall.press(call, "1")
    assert (state_of(call), wanted(call)) == (CallState.ANNOUNCING, "+82552251234")
    assert heard(hall) == [*READ_OUT, "thanks"]
    assert TimerKind.DIGIT not in call.timers


def test_a_key_may_come_before_all_is_said_and_ends_that(hall: Driver) -> None:
    call = hall.dial("150")
    hall.press(call, "1")
    assert wanted(call) == "+82552251234"
    assert len(hall.asterisk.playing) == 1


def test_another_number_is_entered_read_out_and_confirmed(hall: Driver) -> None:
    call = hall.dial("150")
    hall.press(call, "2")
    keys(hall, call, f"{OTHER}#")
    hall.press(call, "1")
    assert wanted(call) == "+821012345678"
    assert heard(hall) == [*READ_OUT, "enter", *OTHER_READ_OUT, "thanks"]


def test_a_star_begins_the_number_anew_and_silence_ends_it_too(hall: Driver) -> None:
    call = hall.dial("150")
    keys(hall, call, f"2055*{OTHER}")
    hall.advance(4.0)
    assert call.dictated == "+821012345678"


@pytest.mark.parametrize("number", ["119", "0601234567", "5", "120", ""])
def test_a_number_that_must_not_be_called_is_refused_and_asked_for_anew(hall: Driver, number: str) -> None:
    call = hall.dial("150")
    keys(hall, call, f"2{number}#")
    assert (state_of(call), call.dictated) == (CallState.DICTATING, None)
    assert heard(hall)[-2:] == ["wrong", "enter"]
    keys(hall, call, f"{number}#")
    assert (state_of(call), wanted(call)) == (CallState.ANNOUNCING, None)
    assert heard(hall)[-1] == "sorry"


def test_no_more_digits_are_taken_than_a_number_has(hall: Driver) -> None:
    call = hall.dial("150")
    keys(hall, call, "2" + "1" * 30)
    assert len(call.keyed) == 20


def test_who_withholds_the_number_enters_one(hall: Driver) -> None:
    call = hall.dial("150", "anonymous")
    assert heard(hall) == ["enter"]
    keys(hall, call, f"{OTHER}#1")
    assert wanted(call) == "+821012345678"


def test_who_withholds_the_number_and_can_enter_none_goes_the_way_of_else(hall: Driver) -> None:
    call = hall.dial("151", "anonymous")
    assert (wanted(call), heard(hall)) == (None, ["sorry"])


def test_where_no_other_number_is_asked_for_2_means_nothing(hall: Driver) -> None:
    call = hall.dial("151")
    hall.press(call, "2")
    assert heard(hall) == READ_OUT * 2


def test_who_presses_nothing_hears_it_again_and_is_called_back_at_the_number(hall: Driver) -> None:
    call = hall.dial("150")
    hall.announcement_ends(call)
    hall.advance(4.0)
    assert heard(hall) == READ_OUT * 2
    hall.announcement_ends(call)
    hall.advance(4.0)
    assert wanted(call) == "+82552251234"


def test_who_presses_nothing_is_not_where_that_is_wanted(hall: Driver) -> None:
    call = hall.dial("152")
    for _ in range(3):
        hall.announcement_ends(call)
        hall.advance(5.0)
    assert (wanted(call), heard(hall)[-1]) == (None, "sorry")


def test_who_enters_nothing_is_asked_again_and_then_goes_the_way_of_else(hall: Driver) -> None:
    call = hall.dial("150")
    hall.press(call, "2")
    for _ in range(2):
        hall.announcement_ends(call)
        hall.advance(4.0)
    assert (wanted(call), heard(hall)) == (None, [*READ_OUT, "enter", "enter", "sorry"])
    assert "call back by desk? no number was confirmed → else" in hall_story(hall, call)


def hall_story(hall: Driver, call: Call) -> str:
    hall.hang_up(call)
    return hall.cdr(call).explanation


@pytest.mark.parametrize(
    ("dialed", "pressed", "number"),
    [
        ("150", "", "+82552251234"),
        ("150", "2", None),
        ("150", f"2{OTHER}", None),
        ("150", f"2{OTHER}#", "+821012345678"),
        ("152", "", None),
    ],
)
def test_what_counts_when_the_caller_hangs_up(hall: Driver, dialed: str, pressed: str, number: str | None) -> None:
    call = hall.dial(dialed)
    keys(hall, call, pressed)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.callback.number if cdr.callback is not None else None) == number
    assert cdr.outcome is (Outcome.CALLBACK if number is not None else Outcome.ABANDONED)
    assert hall.exchange.calls == {}


def test_who_has_asked_already_is_not_asked_for_the_number(hall: Driver) -> None:
    call = hall.dial("153")
    assert (state_of(call), heard(hall)) == (CallState.ANNOUNCING, ["thanks"])


@pytest.mark.parametrize(("pressed", "prompts"), [("", READ_OUT), ("2055", ["enter"])])
def test_the_next_daemon_says_it_again_and_holds_nothing_against_the_caller(
    hall: Driver, pressed: str, prompts: list[str]
) -> None:
    call = hall.dial("150")
    keys(hall, call, pressed)
    hall.restart()
    before = len(heard(hall))
    hall.sync()
    again = hall.exchange.calls[call.id]
    assert (state_of(again), again.tries) == (CallState.DICTATING, 1)
    assert heard(hall)[before:] == prompts
    assert len(hall.asterisk.playing) == 1, "what the dead daemon left playing is stopped"


def test_a_caller_who_is_gone_when_the_next_daemon_looks_is_called_back(hall: Driver) -> None:
    call = hall.dial("150")
    hall.asterisk.connected = False
    hall.asterisk.hang_up(call.channel)
    hall.restart()
    hall.sync()
    (cdr,) = hall.cdrs
    assert cdr.callback is not None
    assert ReleaseReason.VANISHED in cdr.explanation


def test_the_place_in_line_goes_with_the_request(hall: Driver) -> None:
    call = hall.dial("154")
    hall.advance(30.0)
    hall.press(call, "1")
    assert call.callback is not None
    assert call.callback.place == 1


def test_an_end_that_is_told_once_more_changes_nothing(hall: Driver) -> None:
    call = hall.dial("150")
    hall.announcement_ends(call)
    timers = dict(hall.timers)
    hall.tell(ev.PlaybackEnded(call.playback))  # type: ignore[arg-type]
    assert hall.timers == timers


def test_a_number_that_no_step_asks_for_is_a_defect(hall: Driver) -> None:
    call = hall.dial("150")
    hall.press(call, "1")
    with pytest.raises(ImpossibleEventError, match="is asked for a number at step 1: no callback"):
        hall.exchange.conduct.dictating.miss(call, Cue(Signal.DIGIT_OVER), hall.now, Output())
