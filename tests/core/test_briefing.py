"""A counselor who picks up hears first what he has to know, and the caller waits on until then."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.duty import DutyOrder, DutyVerb, DutyVia
from callrouter.core.ids import AgentId, PromptName, QueueName
from callrouter.core.rulebook import Limits
from callrouter.core.states import CallState
from callrouter.core.waiting_spec import Comfort, QueueCare
from tests.core.driver import DESK, NIGHT, WELCOME, Driver, agent, rulebook

WHICH = PromptName("passport-question")
MEDIA = f"sound:callrouter/{WHICH}"
MISSED_MEDIA = "sound:callrouter/agent-missed"


class Hall(Driver):
    """Its queue tells who picks up what it is about."""

    def __init__(self, *, prompt: PromptName | None = WHICH, care: QueueCare | None = None) -> None:
        rules = rulebook(agent("kim"), limits=Limits(misses_before_pause=1))
        queue = replace(rules.queues[DESK], agent_prompt=prompt, care=care or QueueCare())
        super().__init__(replace(rules, queues={**rules.queues, DESK: queue}))

    def heard(self, call: Call) -> list[str]:
        """What was played on the leg that the call has now."""
        leg = self.leg(call)
        return [medium for play in self.given(cmd.Play) if play.channel == leg for medium in play.media]

    def is_paused_for_a_miss(self) -> Call:
        call = self.dial()
        self.leg_ends(call, Cause.NO_ANSWER)
        assert self.agent("kim").state is AgentState.PAUSED
        return call

    def order(self, verb: DutyVerb, who: str, via: DutyVia = DutyVia.COMMAND) -> None:
        self.tell(ev.DutyOrdered(DutyOrder(AgentId("kim"), verb, who, via), 7))


def test_who_picks_up_hears_for_which_queue_and_then_the_caller_is_connected() -> None:
    hall = Hall()
    call = hall.dial()
    hall.pick_up(call)
    assert (call.state, hall.heard(call)) == (CallState.BRIEFING, [MEDIA])
    assert hall.agent("kim").state is AgentState.ON_CALL
    assert hall.channel(call).music, "the caller waits on"
    hall.advance(4.0)
    hall.announcement_ends(call)
    assert call.state is CallState.CONNECTED
    assert not hall.channel(call).music
    hall.hang_up(call)
    (leg,) = hall.cdr(call).legs
    assert leg.answered_at is not None
    assert (leg.answered_at - leg.offered_at).total_seconds() == 4.0, "nobody answered the caller before"


def test_where_nothing_is_to_be_said_the_caller_is_connected_at_once() -> None:
    hall = Hall(prompt=None)
    call = hall.dial()
    hall.pick_up(call)
    assert call.state is CallState.CONNECTED
    assert hall.heard(call) == []


def test_an_announcement_that_never_ends_does_not_keep_the_two_apart() -> None:
    hall = Hall()
    call = hall.dial()
    hall.pick_up(call)
    hall.advance(hall.rules.limits.announcement_s)
    assert call.state is CallState.CONNECTED
    assert len(hall.given(cmd.StopPlayback)) == 1


def test_what_the_caller_is_told_ends_when_a_counselor_picks_up() -> None:
    hall = Hall(care=QueueCare(Comfort(every_s=20.0, first_s=1.0, prompt=WELCOME)))
    hall.order(DutyVerb.PAUSE, "kim")
    call = hall.dial()
    hall.advance(1.0)
    assert call.comforting
    hall.order(DutyVerb.READY, "kim")
    hall.pick_up(call)
    assert (call.state, hall.channel(call).music) == (CallState.BRIEFING, True), "its end does not connect the two"
    assert set(hall.asterisk.playing.values()) == {hall.leg(call)}
    hall.announcement_ends(call)
    assert call.state is CallState.CONNECTED


def test_who_hangs_up_instead_of_listening_is_left_alone_for_a_while_and_the_caller_waits_on() -> None:
    hall = Hall()
    call = hall.dial()
    hall.pick_up(call)
    hall.leg_ends(call)
    assert (call.state, hall.agent("kim").state) == (CallState.QUEUED, AgentState.RESTING)
    assert hall.channel(call).music
    hall.hang_up(call)
    assert [leg.result for leg in hall.cdr(call).legs] == [OfferResult.LOST]


def test_a_caller_who_hangs_up_meanwhile_has_abandoned_and_the_counselor_is_free_again() -> None:
    hall = Hall()
    call = hall.dial()
    hall.pick_up(call)
    hall.hang_up(call)
    assert (hall.agent("kim").state, hall.asterisk.channels) == (AgentState.AVAILABLE, {})
    assert [leg.result for leg in hall.cdr(call).legs] == [OfferResult.CALLER_GONE]


def test_a_wait_that_is_over_meanwhile_does_not_take_the_caller_away() -> None:
    hall = Hall()
    call = hall.dial("121")
    hall.announcement_ends(call)
    hall.order(DutyVerb.PAUSE, "park")
    hall.leg_ends(call, Cause.USER_BUSY)
    hall.advance(55.0)
    hall.order(DutyVerb.READY, "park")
    hall.pick_up(call)
    hall.advance(6.0)
    assert (call.state, call.wait_over) == (CallState.BRIEFING, True)
    hall.announcement_ends(call)
    assert call.state is CallState.CONNECTED


def test_a_daemon_that_comes_after_connects_them_at_once() -> None:
    hall = Hall()
    call = hall.dial()
    hall.pick_up(call)
    hall.restart()
    hall.sync()
    call = hall.exchange.calls[call.id]
    assert (call.state, hall.asterisk.playing) == (CallState.CONNECTED, {})
    assert hall.agent("kim").state is AgentState.ON_CALL


def test_after_a_restart_without_the_leg_the_caller_waits_on() -> None:
    hall = Hall()
    call = hall.dial()
    hall.pick_up(call)
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.leg(call))
    hall.restart()
    hall.sync()
    assert hall.exchange.calls[call.id].state is CallState.OFFERED
    assert len(hall.called()) == 2


@pytest.mark.parametrize("prompt", [WHICH, None])
def test_who_was_paused_for_misses_and_is_made_ready_by_others_hears_so_once(prompt: PromptName | None) -> None:
    hall = Hall(prompt=prompt)
    call = hall.is_paused_for_a_miss()
    hall.order(DutyVerb.READY, "park")
    hall.pick_up(call)
    also = [MEDIA] if prompt else []
    assert hall.heard(call) == [MISSED_MEDIA, *also]
    hall.announcement_ends(call)
    hall.hang_up(call)
    hall.order(DutyVerb.READY, "park")
    again = hall.dial()
    hall.pick_up(again)
    assert hall.heard(again) == also


def test_who_makes_himself_ready_knows_and_is_not_told() -> None:
    hall = Hall(prompt=None)
    call = hall.is_paused_for_a_miss()
    hall.order(DutyVerb.READY, "kim")
    hall.pick_up(call)
    assert call.state is CallState.CONNECTED


def test_a_destination_is_not_briefed() -> None:
    hall = Hall()
    call = hall.dial("130")
    hall.announcement_ends(call)
    hall.pick_up(call)
    assert call.state is CallState.CONNECTED
    assert not any(isinstance(fact, facts.Briefed) for fact in call.history)


def test_a_queue_without_words_does_not_brief_for_another() -> None:
    hall = Hall()
    hall.rules = replace(hall.rules, agents={AgentId("lee"): agent("lee", NIGHT)})
    hall.tell(ev.RulebookReplaced(hall.rules))
    call = hall.dial("123")
    hall.advance(30.0)
    hall.pick_up(call)
    assert (call.queue, call.state) == (QueueName("night"), CallState.CONNECTED)
