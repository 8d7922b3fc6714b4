"""Who is one too many: by how many there are, by how fast they come, and by how far behind we are."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.admission import FULL_CONTEXT, NotTaken
from callrouter.core.causes import Cause
from callrouter.core.cdr import Outcome, ReleasedBy
from callrouter.core.events import TimerKind
from callrouter.core.output import NoticeKind
from callrouter.core.rulebook import Limits, WhenFull
from callrouter.core.states import CallState
from tests.core.driver import Driver, agent, rulebook

FEW = Limits(max_calls=1)


def hall_with(limits: Limits) -> Driver:
    return Driver(rulebook(agent("kim"), limits=limits))


def notices(hall: Driver, kind: NoticeKind) -> list[str]:
    return [notice.text for notice in hall.notices if notice.kind is kind]


@pytest.mark.parametrize(
    ("how", "cause"), [(WhenFull.BUSY, Cause.USER_BUSY), (WhenFull.CONGESTION, Cause.SWITCH_CONGESTION)]
)
def test_who_is_one_too_many_hears_the_tone_that_was_chosen(how: WhenFull, cause: Cause) -> None:
    hall = hall_with(replace(FEW, when_full=how))
    served = hall.dial()
    hall.dial()
    (command,) = hall.given(cmd.Hangup)
    assert command.cause is cause
    assert [(cdr.outcome, cdr.released_by) for cdr in hall.cdrs] == [(Outcome.REJECTED, ReleasedBy.SYSTEM)]
    assert served.state is CallState.OFFERED


def test_who_is_one_too_many_is_told_so_by_the_dialplan_and_never_answered() -> None:
    hall = hall_with(replace(FEW, when_full=WhenFull.ANNOUNCEMENT))
    hall.dial()
    late = hall.dial()
    (command,) = hall.given(cmd.ContinueInDialplan)
    assert (command.channel, command.context, command.extension) == (late.channel, FULL_CONTEXT, "s")
    assert late.channel not in [answer.channel for answer in hall.given(cmd.Answer)]
    assert hall.exchange.counters.not_taken == {NotTaken.MAX_CALLS: 1}


def test_a_caller_who_is_being_let_go_takes_no_place_of_another() -> None:
    hall = hall_with(FEW)
    going = hall.dial("122")
    hall.asterisk.connected = False  # nobody leaves
    hall.fire(TimerKind.ANNOUNCEMENT, going.id)
    assert going.state is CallState.CLEARING
    hall.asterisk.connected = True
    assert hall.dial().state is CallState.OFFERED


def test_many_who_are_turned_away_are_told_of_once_a_minute_and_shown_for_one_after_the_last() -> None:
    hall = hall_with(FEW)
    hall.dial()
    for _ in range(3):
        hall.dial()
    assert len(notices(hall, NoticeKind.NOT_TAKEN)) == 3
    assert notices(hall, NoticeKind.TURNING_AWAY) == ["more than 1 calls at once"]
    assert hall.exchange.admission.lately(hall.now) == "more than 1 calls at once"
    hall.advance(60.0)
    assert hall.exchange.admission.lately(hall.now) is None
    hall.dial()
    assert len(notices(hall, NoticeKind.TURNING_AWAY)) == 2


def test_draining_is_no_flood() -> None:
    hall = hall_with(replace(Limits(), when_full=WhenFull.BUSY))
    hall.dial()
    hall.tell(ev.DrainRequested())
    hall.dial()
    assert len(hall.given(cmd.ContinueInDialplan)) == 1
    assert hall.exchange.counters.not_taken == {NotTaken.DRAINING: 1}
    assert hall.exchange.admission.lately(hall.now) is None
    assert not notices(hall, NoticeKind.TURNING_AWAY)


def test_calls_may_come_at_a_rate_and_for_a_moment_twice_as_many() -> None:
    hall = hall_with(Limits(calls_per_second=2))
    for _ in range(6):
        hall.dial()
    assert hall.exchange.counters.not_taken == {NotTaken.RATE: 2}
    assert notices(hall, NoticeKind.TURNING_AWAY) == ["more than 2 calls a second"]
    hall.advance(1.0)
    for _ in range(3):
        hall.dial()
    assert hall.exchange.counters.not_taken == {NotTaken.RATE: 3}


def test_as_many_come_as_like_where_no_rate_is_said() -> None:
    hall = hall_with(Limits())
    for _ in range(50):
        hall.dial()
    assert not hall.exchange.counters.not_taken


def test_while_we_are_behind_newcomers_are_turned_away_and_those_who_are_here_are_served() -> None:
    hall = hall_with(Limits(when_full=WhenFull.BUSY))
    waiting = hall.dial()
    hall.tell(ev.FellBehind(1.5))
    hall.dial()
    hall.pick_up(waiting)
    assert waiting.state is CallState.CONNECTED
    assert hall.exchange.counters.not_taken == {NotTaken.BEHIND: 1}
    hall.tell(ev.FellBehind(0.0))
    assert hall.dial().state is CallState.QUEUED
    assert notices(hall, NoticeKind.BEHIND) == [
        "what comes in has waited for 1.5 s; no new calls are taken",
        "no longer",
    ]
    assert notices(hall, NoticeKind.TURNING_AWAY) == ["what comes in has waited for more than 1 s"]
