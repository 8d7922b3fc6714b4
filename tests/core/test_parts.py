"""The small parts: counselors, the line, trunks, names, plans, decisions, and the picture of now."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.core import naming
from callrouter.core.acd import Acd
from callrouter.core.agent import Agent, AgentState, is_blamed, is_missed, rest_after
from callrouter.core.cdr import OfferResult
from callrouter.core.decision import Action
from callrouter.core.ids import CallId, ChannelId, QueueName, SiteName, TrunkName
from callrouter.core.inbound import CallFacts
from callrouter.core.offering import offer_result
from callrouter.core.picture import picture
from callrouter.core.plan import Announce, EnterQueue, HandOver, HangUp, Plan, is_final
from callrouter.core.pool import Way
from callrouter.core.rulebook import Limits, TrunkSpec
from callrouter.core.states import CallState
from callrouter.core.trunks import Trunks
from tests.core.driver import CITY, DESK, HALL, NIGHT, PLANS, START, WELCOME, Driver, FixedRouter, agent, rulebook

CALL = CallId("01a20b11-1afe-7650-8942-ca3ab4100bde")
TOWN = SiteName("town")


def idle(name: str, minutes: int = 0) -> Agent:
    since = START + timedelta(minutes=minutes)
    return Agent(agent(name), AgentState.AVAILABLE, since, since)


def test_the_line_serves_by_place_and_the_longest_idle() -> None:
    acd = Acd()
    acd.offer_to(idle("kim", 5))
    lee = idle("lee", 1)
    lee.spec = replace(lee.spec, trunk=CITY)
    acd.offer_to(lee)
    acd.join((DESK, HALL), (0.0, 2), CallId("b"))
    acd.join((NIGHT, HALL), (0.0, 0), CallId("nobody-serves-night"))
    acd.join((DESK, HALL), (0.0, 1), CallId("a"))
    match = acd.match(lambda _: True)
    assert match is not None
    assert (match.call, match.agent.spec.id) == ("a", "lee")
    match = acd.match(lambda way: way != Way(HALL, CITY))
    assert match is not None
    assert match.agent.spec.id == "kim"
    assert acd.match(lambda _: False) is None
    assert (acd.waiting(DESK), acd.idle(DESK), acd.waiting(NIGHT), acd.idle(NIGHT)) == (2, 2, 1, 0)


@pytest.mark.parametrize("first", [DESK, NIGHT])
def test_places_count_over_all_queues(first: QueueName) -> None:
    acd = Acd()
    acd.offer_to(Agent(agent("kim", DESK, NIGHT), AgentState.AVAILABLE, START, START))
    acd.join((DESK, HALL), (0.0, 1 if first is DESK else 2), CallId(DESK))
    acd.join((NIGHT, HALL), (0.0, 1 if first is NIGHT else 2), CallId(NIGHT))
    match = acd.match(lambda _: True)
    assert match is not None
    assert match.call == CallId(first)


def test_who_waits_at_one_site_is_not_sent_to_a_phone_at_another_and_does_not_hold_up_those_who_wait_there() -> None:
    acd = Acd()
    acd.offer_to(Agent(agent("kim", site=TOWN), AgentState.AVAILABLE, START, START))
    acd.join((DESK, HALL), (0.0, 1), CallId("a"))
    assert acd.match(lambda _: True) is None
    acd.join((DESK, TOWN), (0.0, 2), CallId("b"))
    match = acd.match(lambda _: True)
    assert match is not None
    assert (match.call, match.agent.spec.id) == ("b", "kim")
    assert (acd.waiting(DESK), acd.first(DESK), acd.first(NIGHT)) == (2, "a", None)
    assert acd.can_serve((DESK, TOWN), lambda _: True)
    assert not acd.can_serve((DESK, HALL), lambda _: True)


def test_leaving_the_line_twice_does_not_matter() -> None:
    acd = Acd()
    acd.join((DESK, HALL), (0.0, 1), CallId("a"))
    acd.leave(CallId("a"))
    acd.leave(CallId("a"))
    acd.leave(CallId("a"))
    acd.spare(idle("kim"))
    assert acd.waiting(DESK) == 0


def test_a_trunk_group_admits_as_many_as_it_carries() -> None:
    trunks = Trunks({CITY: TrunkSpec(CITY, 1)})
    leg = ChannelId("leg")
    assert trunks.has_room(None)
    assert not trunks.has_room(TrunkName("unknown"))
    seizure = trunks.seize(CITY, leg)
    with pytest.raises(ValueError, match="no channel for leg"):
        trunks.seize(CITY, ChannelId("other"))
    trunks.release(seizure)
    with pytest.raises(KeyError):
        trunks.release(seizure)
    assert trunks.seizures == 0


def test_a_trunk_group_that_shrank_admits_nothing_until_it_is_below_its_size() -> None:
    trunks = Trunks({CITY: TrunkSpec(CITY, 2)})
    seizures = [trunks.seize(CITY, ChannelId(name)) for name in "ab"]
    trunks.replace({CITY: TrunkSpec(CITY, 1)})
    trunks.release(seizures[0])
    assert not trunks.has_room(CITY)
    trunks.release(seizures[1])
    trunks.rest(CITY)
    assert not trunks.has_room(CITY)
    trunks.wake(CITY)
    assert trunks.has_room(CITY)


def test_a_leg_that_holds_a_channel_already_can_take_it_back_but_not_twice() -> None:
    trunks = Trunks({CITY: TrunkSpec(CITY, 5)})
    trunks.reclaim(CITY, ChannelId("leg"))
    trunks.reclaim(CITY, ChannelId("leg"))
    assert trunks.in_use(CITY) == 1
    with pytest.raises(ValueError, match="no channel"):
        trunks.seize(CITY, ChannelId("leg"))


OF_OTHERS = {OfferResult.CALLER_GONE, OfferResult.ANSWERED_ELSEWHERE}
"""An offer that ended so because of what somebody else did."""


@pytest.mark.parametrize("result", sorted(set(OfferResult) - {OfferResult.ANSWERED} - OF_OTHERS))
def test_after_every_offer_that_failed_there_is_a_rest(result: OfferResult) -> None:
    assert rest_after(result, Limits()) > 0, "or a phone would ring in a loop"


@pytest.mark.parametrize("result", sorted(OF_OTHERS))
def test_after_what_others_did_there_is_no_rest_and_no_blame(result: OfferResult) -> None:
    assert rest_after(result, Limits()) == 0.0
    assert not is_blamed(result)
    assert not is_missed(result)


@pytest.mark.parametrize("cause", range(128))
def test_congestion_and_the_unknown_never_blame_the_counselor(cause: int) -> None:
    result = offer_result(cause)
    assert is_blamed(result) == (cause in {1, 3, 16, 17, 18, 19, 20, 21, 27})
    assert (result is OfferResult.CONGESTION) == (cause in {34, 38, 42, 44})


@settings(max_examples=50, derandomize=True)
@given(st.uuids(), st.integers(0, 10**9 - 1))
def test_a_name_says_which_call_it_belongs_to(call: object, number: int) -> None:
    call_id = CallId(str(call))
    assert naming.parse_leg_channel(naming.leg_channel(call_id, number)) == naming.LegName(call_id, number)
    assert naming.parse_bridge(naming.bridge(call_id, number)) == call_id
    assert naming.parse_playback(naming.playback(call_id, number)) == call_id


@settings(max_examples=100, derandomize=True)
@given(st.text() | st.sampled_from(["1700000000.12", "callrouter-", "-play-", f"callrouter-{CALL}-leg-", f"x{CALL}"]))
def test_names_of_others_are_not_ours(name: str) -> None:
    assert naming.parse_leg_channel(name) is None
    assert naming.parse_bridge(name) is None


def test_a_plan_must_come_to_an_end() -> None:
    assert [is_final(step) for step in (HangUp(), HandOver("a", "b"), EnterQueue(DESK), EnterQueue(DESK, 5.0))] == [
        True,
        True,
        True,
        False,
    ]
    assert not is_final(Announce(WELCOME))
    for steps in ((), (Announce(WELCOME),), (EnterQueue(DESK, 5.0),)):
        with pytest.raises(ValueError, match="does not end"):
            Plan("endless", steps)


@pytest.mark.parametrize(
    ("dialed", "action", "target", "closed"),
    [
        ("120", Action.QUEUE, "desk", False),
        ("124", Action.QUEUE, "bell", False),
        ("122", Action.ANNOUNCE, "sorry", True),
        ("125", Action.DIALPLAN, "office,200,1", False),
        ("126", Action.HANGUP, "", True),
        ("140", Action.DAEMON, "", False),
        ("141", Action.QUEUE, "desk", False),
    ],
)
def test_a_decision_comes_to_one_word(dialed: str, action: Action, target: str, closed: bool) -> None:
    decision = FixedRouter(PLANS).decide(CallFacts(dialed, HALL), START)
    assert (decision.action, decision.target, decision.closed) == (action, target, closed)
    assert decision.trace[0].line == f"* routes.yaml:1: {decision.rule}: it was dialled"
    assert decision.explanation.splitlines()[1] == f"> {decision.rule} [routes.yaml:1] it was dialled"


def test_the_picture_shows_who_waits_rings_and_talks() -> None:
    hall = Driver(rulebook(agent("kim", trunk=CITY), agent("lee")))
    hall.pick_up(hall.dial())
    hall.dial()
    oldest = hall.now
    hall.dial()
    hall.advance(5.0)
    hall.dial()
    shut = hall.dial("122")
    now = picture(hall.exchange, hall.now)
    desk, night, _ = now.queues
    assert (desk.waiting, desk.ringing, desk.oldest, desk.agents, desk.available) == (2, 1, oldest, 2, 0)
    assert (night.waiting, night.oldest, night.agents) == (0, None, 0)
    assert [(trunk.trunk, trunk.in_use, trunk.channels) for trunk in now.trunks] == [(CITY, 1, 2)]
    assert [(each.agent, each.state) for each in now.agents] == [
        ("kim", AgentState.ON_CALL),
        ("lee", AgentState.RESERVED),
    ]
    assert [call.agent for call in now.calls] == ["kim", "lee", None, None, None]
    assert (now.calls[-1].call, now.calls[-1].state, now.calls[-1].queue) == (shut.id, CallState.ANNOUNCING, None)
    assert (now.sites_up, now.draining) == ((HALL,), False)
