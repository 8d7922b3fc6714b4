"""Menus and questions: what a key, silence or the moment makes of a call."""

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.cdr import Outcome, ReleasedBy
from callrouter.core.events import TimerKind
from callrouter.core.ids import CallId, RuleId
from callrouter.core.output import NoticeKind
from callrouter.core.plan import Plan
from callrouter.core.states import CallState
from callrouter.errors import ImpossibleEventError
from tests.core.driver import DESK, GIMHAE, NIGHT, PASSPORT, WELFARE, Driver, agent, rulebook

MENU_S = 5.0


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook())


def played(hall: Driver) -> list[tuple[str, ...]]:
    return [tuple(media.rpartition("/")[2] for media in command.media) for command in hall.given(cmd.Play)]


def test_a_key_leads_to_its_plan_and_tells_the_topic(hall: Driver) -> None:
    call = hall.dial("127")
    hall.announcement_ends(call)
    hall.press(call, "1")
    assert (call.state, call.queue, call.known.topic) == (CallState.QUEUED, DESK, PASSPORT)
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.topic, cdr.outcome) == (PASSPORT, Outcome.ABANDONED)
    assert cdr.explanation.endswith("menu: pressed 1: topic passport → passport")


def test_a_key_cuts_the_prompt_short(hall: Driver) -> None:
    call = hall.dial("127")
    hall.press(call, "1")
    assert [command.playback for command in hall.given(cmd.StopPlayback)] == [call.playback]
    assert call.state is CallState.QUEUED
    assert (TimerKind.ANNOUNCEMENT, call.id) not in hall.timers


def test_after_the_prompt_nothing_is_left_to_cut_short(hall: Driver) -> None:
    call = hall.dial("127")
    hall.announcement_ends(call)
    hall.press(call, "1")
    assert hall.given(cmd.StopPlayback) == []
    assert (TimerKind.DIGIT, call.id) not in hall.timers


def test_a_key_without_a_plan_goes_on_with_the_next_step_and_may_change_the_language(hall: Driver) -> None:
    call = hall.dial("127")
    hall.press(call, "2")
    (command,) = hall.given(cmd.SetLanguage)
    assert command.language == call.known.language == "en"
    assert (call.state, call.step) == (CallState.QUEUED, 1)


def test_a_key_that_means_nothing_is_said_so_before_the_prompt_is_played_again(hall: Driver) -> None:
    call = hall.dial("127")
    hall.press(call, "9")
    assert played(hall) == [("ask",), ("sorry", "ask")]
    assert len({command.playback for command in hall.given(cmd.Play)}) == 2
    hall.press(call, "1")
    assert call.queue == DESK


def test_who_presses_nothing_hears_the_prompt_again_and_then_goes_the_default_way(hall: Driver) -> None:
    call = hall.dial("127")
    for _ in range(3):
        hall.announcement_ends(call)
        assert call.state is CallState.ASKING
        hall.advance(MENU_S)
    assert played(hall) == [("ask",)] * 3
    assert call.queue == NIGHT
    hall.hang_up(call)
    assert hall.cdr(call).explanation.endswith("menu: no key pressed, so the default: → operator")


def test_the_time_for_a_key_begins_when_the_prompt_ends(hall: Driver) -> None:
    call = hall.dial("127")
    hall.advance(MENU_S + 1)
    assert played(hall) == [("ask",)]
    hall.announcement_ends(call)
    hall.advance(MENU_S - 0.1)
    hall.press(call, "1")
    assert call.queue == DESK


def test_a_prompt_that_never_ends_is_taken_as_ended(hall: Driver) -> None:
    call = hall.dial("127")
    hall.advance(120.0)
    assert [command.playback for command in hall.given(cmd.StopPlayback)] == [naming.playback(call.id, 1)]
    hall.press(call, "1")
    assert call.queue == DESK


def test_wrong_keys_come_to_an_end_too(hall: Driver) -> None:
    call = hall.dial("127")
    for _ in range(3):
        hall.press(call, "9")
    assert call.queue == NIGHT
    hall.hang_up(call)
    assert "menu: pressed 9, so the default: → operator" in hall.cdr(call).explanation


def test_the_end_of_a_prompt_that_was_cut_short_is_not_that_of_the_next_one(hall: Driver) -> None:
    call = hall.dial("127")
    first = call.playback
    hall.press(call, "9")
    assert first is not None
    hall.tell(ev.PlaybackEnded(first))
    assert (TimerKind.DIGIT, call.id) not in hall.timers


def test_a_key_outside_a_menu_means_nothing(hall: Driver) -> None:
    call = hall.dial("121")
    hall.press(call, "1")
    assert call.state is CallState.ANNOUNCING
    hall.tell(ev.DigitPressed(call.channel, "1"))
    assert hall.exchange.counters.stale.total() == 2


def test_a_key_of_nobody_is_counted(hall: Driver) -> None:
    call = hall.dial("127")
    hall.hang_up(call)
    hall.press(call, "1")
    assert hall.exchange.counters.unknown_channel == 1


def test_who_hangs_up_in_the_menu_has_abandoned(hall: Driver) -> None:
    call = hall.dial("127")
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by, cdr.queue) == (Outcome.ABANDONED, ReleasedBy.CALLER, None)


def test_who_chose_to_hear_something_and_heard_it_was_handled(hall: Driver) -> None:
    call = hall.dial("127")
    hall.press(call, "4")
    hall.announcement_ends(call)
    hall.settle()
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by) == (Outcome.HANDLED, ReleasedBy.SYSTEM)
    assert (cdr.region, cdr.region_source, cdr.tenant) == ("gimhae", "menu", "gyeongnam")


def test_who_hangs_up_on_what_he_chose_to_hear_was_not(hall: Driver) -> None:
    call = hall.dial("127")
    hall.press(call, "4")
    hall.hang_up(call)
    assert hall.cdr(call).outcome is Outcome.CLOSED


def test_the_phone_shows_the_region_that_the_caller_named() -> None:
    hall = Driver(rulebook(agent("kim")))
    call = hall.dial("127")
    hall.tell(ev.DigitPressed(call.channel, "4"))
    assert call.region == GIMHAE
    assert call.tenant == GIMHAE.tenant


def test_the_routes_may_be_asked_again_with_what_is_known_now(hall: Driver) -> None:
    call = hall.dial("127")
    hall.press(call, "3")
    assert (call.queue, call.rules) == (NIGHT, (RuleId("menu"), RuleId("welfare")))
    hall.hang_up(call)
    cdr = hall.cdr(call)
    assert (cdr.rule, cdr.topic) == ("welfare", WELFARE)
    assert [line for line in cdr.explanation.splitlines() if line.startswith((">", "menu"))] == [
        "> menu [routes.yaml:1] it was dialled",
        "menu: pressed 3: topic welfare → again",
        "> welfare [routes.yaml:1] it was dialled",
    ]


def test_a_rule_that_takes_a_call_a_second_time_gives_it_to_the_fallback(hall: Driver) -> None:
    call = hall.dial("127")
    hall.press(call, "5")
    assert [notice.kind for notice in hall.notices] == [NoticeKind.IMPOSSIBLE_EVENT]
    assert len(hall.given(cmd.ContinueInDialplan)) == 1
    assert hall.cdr(call).outcome is Outcome.FAILED


def test_a_question_goes_on_by_what_holds_at_that_moment(hall: Driver) -> None:
    first, second = hall.dial("128"), hall.dial("128")
    assert (first.state, first.queue) == (CallState.QUEUED, DESK)
    assert second.state is CallState.ANNOUNCING
    hall.announcement_ends(second)
    hall.settle()
    cdr = hall.cdr(second)
    assert cdr.outcome is Outcome.CLOSED
    assert cdr.explanation.endswith("asked: queue desk: waiting 1 >= 1 → full")
    hall.hang_up(first)
    assert hall.cdr(first).explanation.splitlines()[-2:] == [
        "asked: queue desk: waiting 0, not >= 1 → next step",
        "asked: calendar never as its name says → always",
    ]


def test_a_question_asked_while_somebody_waits_knows_for_how_long(hall: Driver) -> None:
    hall.dial("120")
    hall.advance(90.0)
    state = hall.exchange.conduct.waiting.queue_states(hall.now)(DESK)
    assert (state.waiting, state.longest_wait_s, state.agents, state.available) == (1, 90.0, 0, 0)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_menu_is_asked_again_by_the_next_daemon(hall: Driver, lost: int) -> None:
    call = hall.dial("127")
    hall.press(call, "9")
    hall.restart(lost=lost)
    hall.sync()
    again = hall.exchange.calls[call.id]
    assert (again.state, again.tries) == (CallState.ASKING, 2 - lost)
    assert played(hall)[-1] == ("ask",)
    hall.press(again, "1")
    assert (again.queue, again.known.topic) == (DESK, PASSPORT)


def test_the_prompt_that_an_earlier_daemon_plays_ends_before_the_menu_is_asked_again(hall: Driver) -> None:
    call = hall.dial("127")
    assert list(hall.asterisk.playing) == [call.playback]
    hall.restart()
    hall.sync()
    assert list(hall.asterisk.playing) == [hall.exchange.calls[call.id].playback]


def test_what_the_caller_said_is_known_over_a_restart(hall: Driver) -> None:
    call = hall.dial("127")
    hall.press(call, "3")
    hall.restart()
    hall.sync()
    again = hall.exchange.calls[call.id]
    assert (again.known.topic, again.rules, again.queue) == (WELFARE, call.rules, NIGHT)
    assert again.known == call.known


@pytest.mark.parametrize("digit", "12345")
@pytest.mark.parametrize("lost", range(1, 6))
def test_a_history_torn_after_a_key_is_gone_on_with(hall: Driver, digit: str, lost: int) -> None:
    call = hall.dial("127")
    hall.press(call, digit)
    hall.restart(lost=min(lost, len(hall.log) - 1))
    hall.sync()
    hall.settle()
    if call.id in hall.exchange.calls:
        hall.hang_up(hall.exchange.calls[call.id])
    assert hall.cdr(call).call_id == call.id


def test_keys_are_not_taken_by_a_step_that_is_no_menu(hall: Driver) -> None:
    call = hall.dial("127")
    call.plan = Plan("other", hall.rules.router.decide(call.arrival, hall.now).plan.steps[1:])
    call.step = 0
    with pytest.raises(ImpossibleEventError, match="which is no menu"):
        hall.exchange.handle(ev.DigitPressed(call.channel, "1"), hall.now)


def test_facts_of_a_menu_are_refused_outside_of_one(hall: Driver) -> None:
    call = hall.dial("121")
    with pytest.raises(ValueError, match="cannot take"):
        call.apply(facts.AskedAgain(hall.now))
    assert CallId(call.id) in hall.exchange.calls


def test_who_is_asked_anew_after_a_restart_hears_the_question_once(hall: Driver) -> None:
    call = hall.dial("127")
    hall.restart()
    hall.sync()
    assert list(hall.asterisk.playing) == [naming.playback(call.id, 2)]
