"""The recommended length of conversations: reminded, ended, put off, and after a restart."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.call import Call
from callrouter.core.call_orders import CallVerb
from callrouter.core.cdr import Outcome, ReleasedBy
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import ChannelId
from callrouter.core.output import Output
from callrouter.core.rulebook import LengthRule, QueueSpec
from callrouter.core.states import CallState, Signal
from tests.core.driver import DESK, SORRY, THANKS, WELCOME, Driver, agent, own_leg, rulebook

RULE = LengthRule(900.0, WELCOME, end_after_s=1200.0, farewell=THANKS, extension_s=300.0)


def talking(rule: LengthRule | None) -> tuple[Driver, Call]:
    """A caller who talks to kim, in a queue with this rule."""
    hall = Driver(rulebook(agent("kim"), agent("lee"), queues=(QueueSpec(DESK, "창원시", length=rule),)))
    call = hall.dial()
    hall.pick_up(call)
    return hall, call


def heard(hall: Driver, channel: ChannelId) -> list[str]:
    return [
        media.rpartition("/")[2] for play in hall.given(cmd.Play) if play.channel == channel for media in play.media
    ]


def test_without_a_rule_a_conversation_lasts_as_long_as_it_does() -> None:
    hall, call = talking(None)
    hall.advance(40_000)
    assert call.state is CallState.CONNECTED
    assert not hall.given(cmd.Play)
    assert not hall.order_call("kim", CallVerb.EXTEND).ok


def test_the_counselor_is_reminded_and_the_caller_hears_the_end() -> None:
    hall, call = talking(RULE)
    hall.advance(899)
    assert not hall.given(cmd.Play)
    hall.advance(1)
    assert (heard(hall, own_leg(call, 1)), heard(hall, call.channel)) == (["welcome"], [])
    hall.advance(300)
    assert (call.state, heard(hall, call.channel)) == (CallState.ANNOUNCING, ["thanks"])
    assert own_leg(call, 1) not in hall.asterisk.channels
    hall.announcement_ends(call)
    cdr = hall.cdr(call)
    assert (cdr.outcome, cdr.released_by, cdr.mark) == (Outcome.HANDLED, ReleasedBy.SYSTEM, None)
    assert "recommended length" in cdr.explanation


@pytest.mark.parametrize("is_held", [False, True])
def test_both_may_hear_the_reminder_but_not_a_caller_on_hold(*, is_held: bool) -> None:
    hall, call = talking(replace(RULE, to_both=True))
    if is_held:
        assert hall.order_call("kim", CallVerb.HOLD).ok
    hall.advance(900)
    assert heard(hall, own_leg(call, 1)) == ["welcome"]
    assert heard(hall, call.channel) == ([] if is_held else ["welcome"])


def test_the_counselor_puts_the_end_off_as_often_as_he_likes() -> None:
    hall, call = talking(RULE)
    for _ in range(2):
        assert hall.order_call("kim", CallVerb.EXTEND).ok
    hall.advance(1799)
    assert heard(hall, call.channel) == []
    hall.advance(1)
    assert heard(hall, call.channel) == ["thanks"]


def test_there_may_be_a_reminder_without_an_end_and_an_end_without_a_word() -> None:
    hall, call = talking(LengthRule(900.0, WELCOME))
    hall.advance(40_000)
    assert (call.state, heard(hall, own_leg(call, 1))) == (CallState.CONNECTED, ["welcome"])
    assert not hall.order_call("kim", CallVerb.EXTEND).ok
    hall, call = talking(LengthRule(end_after_s=60.0))
    hall.advance(60)
    assert hall.cdr(call).talk_s == 60.0
    hall, call = talking(LengthRule(900.0))
    hall.advance(901)
    assert not hall.given(cmd.Play)


def test_a_transfer_does_not_begin_the_length_anew_but_another_queue_does() -> None:
    hall, call = talking(RULE)
    hall.advance(600)
    assert hall.order_call("kim", CallVerb.TRANSFER, "lee").ok
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    hall.advance(300)
    assert heard(hall, own_leg(call, 2))[-1:] == ["welcome"]
    assert hall.order_call("lee", CallVerb.TRANSFER, DESK).ok
    hall.pick_up(call)
    assert (call.reminded, call.extended_s) == (False, 0.0)


@pytest.mark.parametrize("seconds", [600, 1000])
def test_a_new_daemon_knows_how_long_the_two_have_talked(seconds: int) -> None:
    hall, call = talking(RULE)
    hall.advance(seconds)
    hall.restart()
    hall.sync()
    call = hall.exchange.calls[call.id]
    hall.advance(1200 - seconds)
    assert call.state is CallState.ANNOUNCING
    assert heard(hall, own_leg(call, 1)) == ["welcome"]


def test_a_colleague_whom_the_call_was_left_to_unseen_has_what_is_left_of_it() -> None:
    hall, call = talking(RULE)
    assert hall.order_call("kim", CallVerb.CONFERENCE, "lee").ok
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    hall.asterisk.connected = False
    hall.asterisk.hang_up(own_leg(call, 1))
    hall.asterisk.connected = True
    hall.restart()
    hall.sync()
    hall.advance(900)
    assert heard(hall, own_leg(call, 2)) == ["welcome"]


def test_a_timer_that_comes_at_a_wrong_time_ends_nothing() -> None:
    hall, call = talking(RULE)
    hall.exchange.signal(call, Cue(Signal.LENGTH_DUE), hall.now, Output())
    assert (call.state, call.reminded) == (CallState.CONNECTED, False)
    hall.tell(ev.RulebookReplaced(rulebook(agent("kim"))))  # a rule that is taken out no longer counts
    hall.fire(TimerKind.LENGTH, call.id)
    hall.advance(2000)
    assert call.state is CallState.CONNECTED
    assert SORRY not in heard(hall, call.channel)
