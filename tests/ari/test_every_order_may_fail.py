"""Every kind of order, answered late, never, twice, with an error or not at all: the caller has somebody, or is told.

A table of all orders and all troubles, each with a call in which that order is given. Whatever becomes of the order,
the caller comes to a counselor, hears an announcement, or goes to the dialplan's fallback; afterwards nothing is left,
at Asterisk or here, and there is one record.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import get_args

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.call_orders import CallOrder, CallVerb, CallVia
from callrouter.core.ids import ChannelId
from callrouter.core.rulebook import QueueSpec, Rulebook
from callrouter.core.supervisors import HearingMode, HearingOrder, HearingVia
from tests.ari.troubled import Trouble, TroubledHall
from tests.core.driver import BELL, DESK, DUTY_DESK, NIGHT, PLANS, Driver, agent, rulebook
from tests.core.test_supervision import LEE
from tests.core.test_taping import KEYS, RECORDED

PATIENCE_S = 200
AFTERWARDS_S = 400

Story = Callable[[TroubledHall, ChannelId], None]


def nothing(hall: TroubledHall, _: ChannelId) -> None:
    """He waits for what comes."""
    hall.passes(10)


def talks_and_is_hung_up(hall: TroubledHall, _: ChannelId) -> None:
    """The counselor hangs up."""
    hall.passes(30)
    for leg in list(hall.exchange.floor.legs):
        hall.asterisk.hang_up(leg)
    hall.settle()
    hall.passes(30)


def presses_two(hall: TroubledHall, caller: ChannelId) -> None:
    """In the middle of the menu's prompt."""
    hall.passes(1)
    hall.tell(ev.DigitPressed(caller, "2"))
    hall.passes(10)


def says_nothing(hall: TroubledHall, _: ChannelId) -> None:
    """Where a message is recorded: it is deleted."""
    hall.passes(9)
    for recording in list(hall.asterisk.recording):
        hall.asterisk.end_recording(recording, 0.0)
    hall.settle()
    hall.passes(10)


def speaks_and_is_not_heard_to_end(hall: TroubledHall, _: ChannelId) -> None:
    """The message ought to have ended long ago: we end it."""
    hall.passes(200)


def speaks_while_the_site_is_away(hall: TroubledHall, _: ChannelId) -> None:
    """So nobody tells that the message has ended: we ask."""
    hall.passes(6)
    hall.lose_site()
    hall.passes(3)
    for recording in list(hall.asterisk.recording):
        hall.asterisk.end_recording(recording)
    hall.sync()
    hall.passes(10)


def hears_the_end_while_the_site_is_away(hall: TroubledHall, _: ChannelId) -> None:
    """So nobody tells that the announcement is over: we ask."""
    hall.passes(1)
    hall.lose_site()
    hall.passes(3)
    hall.sync()
    hall.passes(10)


def ordered(hall: Driver, verb: CallVerb, target: str = "") -> None:
    """Of whoever talks to kim; where nobody does, it is refused."""
    hall.handle(ev.CallOrdered(CallOrder("kim", verb, "boss", CallVia.API, target), 7))
    hall.settle()


def is_held_and_taken_back(hall: TroubledHall, _: ChannelId) -> None:
    hall.passes(10)
    ordered(hall, CallVerb.HOLD)
    hall.passes(10)
    ordered(hall, CallVerb.RESUME)
    hall.passes(10)


def is_not_to_be_recorded_for_a_while(hall: TroubledHall, _: ChannelId) -> None:
    hall.passes(10)
    ordered(hall, CallVerb.PAUSE_RECORDING)
    hall.passes(10)
    ordered(hall, CallVerb.RESUME_RECORDING)
    hall.passes(10)


def is_passed_on_by_the_phone(hall: TroubledHall, _: ChannelId) -> None:
    hall.passes(10)
    for leg in list(hall.exchange.floor.legs):
        hall.tell(ev.TransferAsked(leg, "lee"))
    hall.passes(20)


def is_heard_by_a_supervisor(hall: TroubledHall, _: ChannelId) -> None:
    hall.passes(10)
    for call in list(hall.exchange.calls):
        hall.handle(ev.HearingOrdered(HearingOrder(call, "lee", HearingMode.LISTEN, "chief", HearingVia.COMMAND), 7))
        hall.settle()
    hall.passes(10)


def desk() -> Rulebook:
    return rulebook(agent("kim", DESK, NIGHT, BELL), agent("lee", NIGHT))


def taped() -> Rulebook:
    return replace(rulebook(agent("kim"), queues=(RECORDED,)), call_keys=KEYS)


def supervised() -> Rulebook:
    return replace(rulebook(agent("kim")), supervisors={LEE.name: LEE}, supervision_code="*31")


STORIES: Mapping[type[cmd.AriCommand], tuple[str, Callable[[], Rulebook], Story]] = {
    cmd.Answer: ("121", desk, nothing),
    cmd.Ring: ("130", desk, nothing),
    cmd.StopRinging: ("130", desk, nothing),
    cmd.Play: ("121", desk, nothing),
    cmd.SetLanguage: ("127", desk, presses_two),
    cmd.StopPlayback: ("127", desk, presses_two),
    cmd.AskPlayback: ("121", desk, hears_the_end_while_the_site_is_away),
    cmd.Record: ("140", desk, says_nothing),
    cmd.StopRecording: ("140", desk, speaks_and_is_not_heard_to_end),
    cmd.AskRecording: ("140", desk, speaks_while_the_site_is_away),
    cmd.DeleteRecording: ("140", desk, says_nothing),
    cmd.RecordTalk: ("120", taped, nothing),
    cmd.MuteRecording: ("120", taped, is_not_to_be_recorded_for_a_while),
    cmd.StartMusic: ("121", desk, nothing),
    cmd.StopMusic: ("121", desk, nothing),
    cmd.Originate: ("121", desk, nothing),
    cmd.Connect: ("121", desk, nothing),
    cmd.JoinBridge: ("121", desk, is_held_and_taken_back),
    cmd.LeaveBridge: ("121", desk, is_held_and_taken_back),
    cmd.TellTransfer: ("121", desk, is_passed_on_by_the_phone),
    cmd.DestroyBridge: ("121", desk, talks_and_is_hung_up),
    cmd.SetDeadMan: ("121", desk, nothing),
    cmd.Hangup: ("121", desk, talks_and_is_hung_up),
    cmd.ContinueInDialplan: ("125", desk, nothing),
    cmd.SetLamp: ("121", desk, nothing),
    cmd.Snoop: ("121", supervised, is_heard_by_a_supervisor),
    cmd.Hear: ("121", supervised, is_heard_by_a_supervisor),
}
NO_ORDERS = {cmd.WatchPhones}
"""What the session does by itself, and repeats: see tests/ari/test_presence.py."""


def played(kind: type[cmd.AriCommand], trouble: Trouble | None) -> tuple[TroubledHall, ChannelId]:
    """The call from its beginning until nothing moves any more."""
    dialed, rules, story = STORIES[kind]
    hall = TroubledHall(rules(), kind, trouble)
    hall.asterisk.phones |= dict.fromkeys(("PJSIP/kim", "PJSIP/lee", DUTY_DESK.endpoint), "answers")
    caller = hall.comes_in(dialed)
    story(hall, caller)
    hall.passes(PATIENCE_S)
    return hall, caller


def test_the_table_has_every_order() -> None:
    assert set(STORIES) == set(get_args(cmd.AriCommand)) - NO_ORDERS
    assert {dialed for dialed, _, _ in STORIES.values()} <= set(PLANS)
    assert isinstance(RECORDED, QueueSpec)


@pytest.mark.parametrize("kind", STORIES, ids=lambda kind: kind.__name__)
def test_each_story_gives_its_order(kind: type[cmd.AriCommand]) -> None:
    hall, _ = played(kind, None)
    assert_nothing_is_left(hall)
    assert hall.troubled.met, "the order is not given"


@pytest.mark.parametrize("trouble", Trouble)
@pytest.mark.parametrize("kind", STORIES, ids=lambda kind: kind.__name__)
def test_whatever_becomes_of_an_order_the_caller_has_somebody_or_is_told_and_nothing_is_left(
    kind: type[cmd.AriCommand], trouble: Trouble
) -> None:
    hall, caller = played(kind, trouble)
    assert hall.troubled.met, "the order is not given"
    asterisk = hall.troubled
    is_gone = trouble is Trouble.GONE and caller not in asterisk.channels
    assert is_gone or caller in asterisk.spoke_to | asterisk.heard_prompt | asterisk.left, "he has heard nothing"
    assert_nothing_is_left(hall)


def assert_nothing_is_left(hall: TroubledHall) -> None:
    """Everybody hangs up who still can; then nothing is left anywhere, and there is one record."""
    for channel in list(hall.asterisk.channels):
        hall.asterisk.hang_up(channel)
    hall.settle()
    hall.passes(AFTERWARDS_S)
    assert not hall.exchange.calls
    assert not hall.exchange.floor.legs
    assert not hall.asterisk.channels
    assert not hall.asterisk.bridges
    assert {one.state for one in hall.exchange.floor.staff.agents.values()} == {AgentState.AVAILABLE}
    assert hall.exchange.floor.trunks.seizures == 0
    assert len(hall.cdrs) == 1
    assert len({cdr.call_id for cdr in hall.cdrs}) == 1
