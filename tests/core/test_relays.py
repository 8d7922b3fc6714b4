"""Callers at one site and counselors at another: one call, one leg for the call, and nothing left at either end."""

from dataclasses import replace

import msgspec
import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.agent import AgentState
from callrouter.core.call import Call
from callrouter.core.call_orders import CallVerb
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult, Outcome, ReleasedBy
from callrouter.core.ids import ChannelId
from callrouter.core.output import NoticeKind
from callrouter.core.phones import PhoneSeen
from callrouter.core.states import CallState
from tests.core.driver import CALLS_BACK, CITY, DESK, HALL, agent
from tests.core.two_sites import ANNEX, LINE, TO_ANNEX, TO_HALL, TwoSites, at_annex, two_site_rules


@pytest.fixture
def centre() -> TwoSites:
    """One counselor, at the annex."""
    return TwoSites(two_site_rules(at_annex("kim")))


def ring(centre: TwoSites, call: Call) -> None:
    centre.annex.ring(centre.far(call))
    centre.settle()


def pick_up(centre: TwoSites, call: Call) -> Call:
    centre.annex.pick_up(centre.far(call))
    centre.settle()
    assert centre.exchange.calls[call.id].state is CallState.CONNECTED
    return call


def hang_up_there(centre: TwoSites, call: Call, cause: int = Cause.NORMAL_CLEARING) -> None:
    centre.annex.hang_up(centre.far(call), cause)
    centre.settle()


def nothing_is_left(centre: TwoSites) -> bool:
    floor = centre.exchange.floor
    channels = (centre.hall.channels, centre.annex.channels, centre.annex.bridges, centre.hall.bridges)
    return not any(channels) and not floor.legs and floor.trunks.seizures == 0


def test_a_leg_over_the_line_comes_in_at_the_annex_where_the_phone_is_called(centre: TwoSites) -> None:
    call = centre.dial()
    over_the_line, to_the_phone = centre.given(cmd.Originate)
    assert (over_the_line.site, over_the_line.endpoint) == (HALL, "PJSIP/relay@line-to-annex")
    assert over_the_line.relay == over_the_line.channel
    assert (to_the_phone.site, to_the_phone.endpoint, to_the_phone.relay) == (ANNEX, "PJSIP/kim", "")
    assert to_the_phone.caller_number == "0552251234"
    assert centre.exchange.floor.trunks.in_use(LINE) == 1
    ring(centre, call)
    assert centre.agent("kim").state is AgentState.RINGING
    pick_up(centre, call)
    assert [set(members) for _, members in centre.far_bridges()] == [{centre.far(call), ChannelId("annex-1")}]
    centre.hang_up(call)
    assert nothing_is_left(centre)
    (leg,) = centre.cdr(call).legs
    assert (leg.trunk, leg.far_site, leg.far_channel, leg.result) == (LINE, ANNEX, "annex-1", OfferResult.ANSWERED)


def test_a_counselor_at_the_annex_who_hangs_up_ends_the_call(centre: TwoSites) -> None:
    call = pick_up(centre, centre.dial())
    hang_up_there(centre, call)
    assert (centre.cdr(call).outcome, centre.cdr(call).released_by) == (Outcome.HANDLED, ReleasedBy.AGENT)
    centre.asterisk.hang_up(call.channel)
    centre.settle()
    assert nothing_is_left(centre)


@pytest.mark.parametrize(
    ("cause", "result"),
    [
        (Cause.USER_BUSY, OfferResult.BUSY),
        (Cause.CALL_REJECTED, OfferResult.REJECTED),
        (Cause.SUBSCRIBER_ABSENT, OfferResult.UNREACHABLE),
    ],
)
def test_why_the_phone_there_was_not_answered_is_known_here(
    centre: TwoSites, cause: Cause, result: OfferResult
) -> None:
    call = centre.dial()
    ring(centre, call)
    hang_up_there(centre, call, cause)
    assert call.state is CallState.QUEUED
    centre.hang_up(call)
    assert [leg.result for leg in centre.cdr(call).legs] == [result]
    assert nothing_is_left(centre)


def test_a_caller_who_hangs_up_while_it_rings_there_ends_the_ringing(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    centre.hang_up(call)
    assert nothing_is_left(centre)
    assert centre.agent("kim").state is AgentState.AVAILABLE


def test_a_phone_there_that_nobody_answers_stops_ringing(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    centre.advance(20.0)
    assert (call.state, centre.agent("kim").misses) == (CallState.QUEUED, 1)
    assert list(centre.annex.channels) == []


def test_a_call_that_is_seen_at_both_ends_of_the_line_is_counted_once(centre: TwoSites) -> None:
    call = pick_up(centre, centre.dial())
    assert call.offer is not None
    (incoming,) = centre.annex.incoming
    ends = ((HALL, TO_ANNEX, call.offer.channel), (ANNEX, TO_HALL, incoming))
    for site, endpoint, channel in ends:
        centre.tell(ev.PhonesSeen(site, {f"PJSIP/{endpoint}": PhoneSeen(True, (channel,))}))
    assert centre.exchange.floor.trunks.in_use(LINE) == 1
    centre.sync()
    centre.sync_annex()
    assert (centre.exchange.floor.trunks.in_use(LINE), centre.exchange.counters.trunk_drifts) == (1, {})
    centre.hang_up(call)
    assert (nothing_is_left(centre), centre.exchange.floor.trunks.in_use(LINE)) == (True, 0)


def test_nobody_is_called_over_a_line_whose_end_cannot_be_reached(centre: TwoSites) -> None:
    centre.tell(ev.PhonesSeen(HALL, {f"PJSIP/{TO_ANNEX}": PhoneSeen(online=False)}))
    call = centre.dial()
    assert (call.state, centre.called()) == (CallState.QUEUED, [])
    centre.tell(ev.PhonesSeen(HALL, {f"PJSIP/{TO_ANNEX}": PhoneSeen(online=True)}))
    assert call.state is CallState.OFFERED


def test_a_line_that_failed_a_call_is_left_alone_for_a_while_and_the_counselor_is_not_blamed(centre: TwoSites) -> None:
    centre.hall.line_works = False
    call = centre.dial()
    centre.leg_ends(call, Cause.NORMAL_CIRCUIT_CONGESTION, rung=False)
    assert (call.state, centre.agent("kim").state) == (CallState.QUEUED, AgentState.AVAILABLE)
    centre.hall.line_works = True
    centre.advance(2.0)
    assert call.state is CallState.OFFERED


@pytest.mark.parametrize(("channels", "state"), [(1, CallState.CALLING), (0, CallState.QUEUED)])
def test_who_is_called_back_at_the_hall_has_a_counselor_at_the_annex_if_the_line_has_room(
    channels: int, state: CallState
) -> None:
    made = two_site_rules(at_annex("kim"), channels=channels)
    centre = TwoSites(replace(made, queues={**made.queues, DESK: CALLS_BACK}))
    call = centre.ask()
    if call.state is CallState.OFFERED:
        centre.annex.pick_up(centre.far(call))
        centre.settle()
    trunks = centre.exchange.floor.trunks
    assert (call.state, trunks.in_use(LINE), trunks.in_use(CITY)) == (state, channels, channels)


def test_a_full_line_keeps_the_caller_waiting_until_a_channel_is_free() -> None:
    centre = TwoSites(two_site_rules(at_annex("kim"), at_annex("lee"), channels=1))
    first = pick_up(centre, centre.dial())
    second = centre.dial()
    assert (second.state, len(centre.called())) == (CallState.QUEUED, 2)
    centre.hang_up(first)
    assert (second.state, centre.exchange.floor.trunks.in_use(LINE)) == (CallState.OFFERED, 1)


def test_a_counselor_here_needs_no_line() -> None:
    centre = TwoSites(two_site_rules(agent("here"), at_annex("kim"), channels=0))
    call = centre.dial()
    assert centre.called() == ["here"]
    centre.pick_up(call)
    assert call.state is CallState.CONNECTED


def test_a_caller_whose_channel_has_the_id_of_one_at_another_site_goes_to_the_fallback_and_ends_no_call_of_others(
    centre: TwoSites,
) -> None:
    call = pick_up(centre, centre.dial())
    namesake = ev.CallArrived(centre.new_call_id(), call.channel, replace(call.arrival, site=ANNEX))
    centre.tell(namesake)
    (sent,) = centre.given(cmd.ContinueInDialplan)
    assert (sent.site, sent.channel, sent.call) == (ANNEX, call.channel, namesake.call)
    centre.tell(ev.CallerLeft(call.channel, to_dialplan=True, site=ANNEX))
    assert call.state is CallState.CONNECTED
    centre.tell(ev.CallerLeft(call.channel, site=HALL))
    assert centre.cdr(call).outcome is Outcome.HANDLED
    assert [one.kind for one in centre.notices] == [NoticeKind.NAMESAKE]


def test_callers_of_both_sites_are_served_in_the_order_in_which_they_came() -> None:
    centre = TwoSites(two_site_rules())
    first = centre.dial()
    centre.advance(1.0)
    second = centre.dial()
    centre.tell(ev.RulebookReplaced(two_site_rules(at_annex("kim"))))
    assert (first.state, second.state) == (CallState.OFFERED, CallState.QUEUED)
    assert centre.exchange.floor.acd.idle(DESK) == 0
    centre.hang_up(first)
    centre.hang_up(second)
    assert centre.exchange.floor.acd.idle(DESK) == 1, "he can be reached from both sites, and is one"


def test_an_answer_that_the_line_does_not_hand_on_is_laid_to_the_line(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    centre.annex.incoming.clear()  # the line carries no more
    centre.annex.pick_up(centre.far(call))
    centre.settle()
    centre.advance(20.0)
    assert [fact.result for fact in call.history if isinstance(fact, facts.OfferClosed)] == [OfferResult.CONGESTION]
    assert (centre.agent("kim").misses, centre.agent("kim").state) == (0, AgentState.AVAILABLE)


def test_a_congested_line_blames_nobody_and_rests(centre: TwoSites) -> None:
    centre.hall.phones["PJSIP/relay@line-to-annex"] = "congested"
    call = centre.dial()
    assert (call.state, centre.agent("kim").state) == (CallState.QUEUED, AgentState.AVAILABLE)
    del centre.hall.phones["PJSIP/relay@line-to-annex"]
    centre.advance(2.0)
    assert call.state is CallState.OFFERED


@pytest.mark.parametrize(
    ("token", "endpoint", "why"),
    [
        ("callrouter-00000000-0000-7000-8000-0000000000ff-leg-1", TO_HALL, "it names no leg that is on its way"),
        ("", TO_HALL, "it names no leg that is on its way"),
    ],
)
def test_a_stranger_who_names_no_leg_is_hung_up_and_told_of(
    centre: TwoSites, token: str, endpoint: str, why: str
) -> None:
    pick_up(centre, centre.dial())
    stranger = centre.annex.take_in(ChannelId("elsewhere"), token, endpoint)
    centre.settle()
    assert stranger not in centre.annex.channels
    (notice,) = [notice for notice in centre.notices if notice.kind is NoticeKind.RELAY_REFUSED]
    assert notice.text == f"channel {stranger} from {endpoint} at annex: {why}"


def phone_has(centre: TwoSites, *channels: ChannelId) -> AgentState:
    """What the annex tells of the counselor's phone, and what becomes of him."""
    centre.tell(ev.PhonesSeen(ANNEX, {"PJSIP/kim": PhoneSeen(True, channels)}))
    return centre.agent("kim").state


def test_a_counselor_there_who_does_not_answer_is_left_alone_for_a_while_as_one_here_is(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    far = centre.far(call)
    assert phone_has(centre, far) is AgentState.RINGING
    centre.advance(20.0)
    assert centre.agent("kim").state is AgentState.RESTING
    assert phone_has(centre) is AgentState.RESTING


def test_a_counselor_there_whose_caller_the_next_daemon_does_not_see_yet_is_not_rung_for_another(
    centre: TwoSites,
) -> None:
    call = pick_up(centre, centre.dial())
    far = centre.far(call)
    centre.restart()
    centre.sync_annex()
    assert phone_has(centre, far) is AgentState.OWN_CALL
    centre.sync()
    assert centre.agent("kim").state is AgentState.ON_CALL
    centre.hang_up(centre.exchange.calls[call.id])
    centre.advance(60.0)
    assert phone_has(centre, far) is AgentState.AVAILABLE, "it is just going"


def test_a_stranger_who_guesses_a_leg_comes_too_late_or_by_the_wrong_way(centre: TwoSites) -> None:
    centre.hall.line_works = False
    call = centre.dial()
    token = centre.given(cmd.Originate)[0].relay
    for site, endpoint, why in (
        (HALL, TO_HALL, "that leg goes to annex"),
        (ANNEX, "carrier", "that leg comes in by line-to-hall"),
    ):
        centre.tell(ev.RelayArrived(site, ChannelId("stranger"), endpoint, token))
        assert centre.notices[-1].text.endswith(why)
    centre.annex.take_in(call.offer.channel if call.offer else ChannelId(""), token, TO_HALL)
    centre.settle()
    centre.tell(ev.RelayArrived(ANNEX, ChannelId("stranger"), TO_HALL, token))
    assert centre.notices[-1].text.endswith("that leg is there already")
    assert len([one for one in centre.given(cmd.Originate) if one.site == ANNEX]) == 1
    assert call.state is CallState.OFFERED


def test_the_phone_there_holds_and_transfers_as_one_here(centre: TwoSites) -> None:
    call = pick_up(centre, centre.dial())
    far = centre.far(call)
    centre.tell(ev.LegHeld(far, held=True))
    assert [call.phone_holds] == [True]
    centre.tell(ev.LegHeld(far, held=False))
    assert [call.phone_holds] == [False]
    centre.tell(ev.TransferAsked(far, "nobody"))
    assert [(one.site, one.channel, one.done) for one in centre.given(cmd.TellTransfer)] == [(ANNEX, far, False)]


def test_a_colleague_at_the_other_site_is_called_in_over_the_line() -> None:
    centre = TwoSites(two_site_rules(agent("here"), at_annex("kim")))
    call = centre.dial()
    centre.pick_up(call)
    assert centre.order_call("here", CallVerb.TRANSFER, "kim").ok
    pick_up(centre, call)
    assert centre.exchange.floor.trunks.in_use(LINE) == 1
    centre.hang_up(call)
    assert [(leg.agent, leg.trunk, leg.far_site) for leg in centre.cdr(call).legs] == [
        ("here", None, None),
        ("kim", LINE, ANNEX),
    ]
    assert nothing_is_left(centre)


@pytest.mark.parametrize("far_first", [True, False], ids=["the far site first", "the caller's site first"])
@pytest.mark.parametrize("answered", [True, False], ids=["talking", "ringing"])
def test_a_daemon_that_comes_after_knows_both_ends(centre: TwoSites, *, far_first: bool, answered: bool) -> None:
    call = centre.dial()
    ring(centre, call)
    if answered:
        pick_up(centre, call)
    centre.restart()
    centre.advance(30.0)
    for sync in (centre.sync_annex, centre.sync) if far_first else (centre.sync, centre.sync_annex):
        sync()
    call = centre.exchange.calls[call.id]
    if not answered:
        pick_up(centre, call)
    assert call.state is CallState.CONNECTED
    assert len(centre.annex.channels) == 2
    centre.hang_up(call)
    assert nothing_is_left(centre)


def test_a_daemon_that_comes_after_the_phone_there_was_answered_unseen_connects_them(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    centre.annex.connected = False
    centre.annex.pick_up(centre.far(call))
    centre.restart()
    centre.advance(10.0)
    centre.sync()
    centre.sync_annex()
    assert centre.exchange.calls[call.id].state is CallState.CONNECTED


def test_what_the_annex_did_unseen_is_caught_up_with(centre: TwoSites) -> None:
    call = pick_up(centre, centre.dial())
    centre.lose_annex()
    centre.advance(10.0)
    centre.annex.hang_up(centre.far(call))
    assert call.state is CallState.CONNECTED
    centre.sync_annex()
    assert centre.cdr(call).outcome is Outcome.HANDLED
    centre.asterisk.hang_up(call.channel)
    centre.settle()
    assert nothing_is_left(centre)


def test_a_leg_that_came_in_unseen_is_taken_when_the_annex_is_back(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    centre.hang_up(call)
    centre.annex.connected = False
    centre.tell(ev.SiteUp(ANNEX, centre.now, {}, frozenset()))
    call = centre.dial()
    assert not [one for one in centre.given(cmd.Originate)[2:] if one.site == ANNEX]
    centre.sync_annex()
    pick_up(centre, call)


def test_a_caller_who_left_while_the_annex_was_away_leaves_nothing_there(centre: TwoSites) -> None:
    call = pick_up(centre, centre.dial())
    centre.lose_annex()
    centre.hang_up(call)
    assert [channel for channel in centre.annex.channels if "far" in channel]
    centre.sync_annex()
    assert nothing_is_left(centre)
    assert [one.kind for one in centre.notices if one.kind is NoticeKind.ORPHAN_LEG] == [NoticeKind.ORPHAN_LEG]


def test_two_who_cannot_be_put_together_there_are_both_let_go(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    del centre.annex.channels[ChannelId("annex-1")], centre.annex.incoming[ChannelId("annex-1")]
    centre.annex.channels[centre.far(call)].state = "Up"
    centre.handle(ev.LegAnswered(centre.far(call)))
    centre.settle()
    assert centre.far(call) not in centre.annex.channels


def test_a_line_that_never_comes_in_is_given_up_like_a_phone_that_does_not_ring(centre: TwoSites) -> None:
    centre.hall.line_works = False
    call = centre.dial()
    centre.advance(20.0)
    assert (call.state, list(centre.hall.channels)) == (CallState.QUEUED, [call.channel])


def test_without_a_line_nobody_at_the_other_site_is_rung() -> None:
    rules = replace(two_site_rules(at_annex("kim")), links={})
    centre = TwoSites(rules)
    assert centre.dial().state is CallState.QUEUED


def test_a_site_that_is_away_has_nobody_to_ring(centre: TwoSites) -> None:
    centre.lose_annex()
    call = centre.dial()
    assert (call.state, centre.called()) == (CallState.QUEUED, [])
    centre.sync_annex()
    assert (call.state, len(centre.called())) == (CallState.OFFERED, 2)


def test_keys_pressed_there_come_over_the_line_alone(centre: TwoSites) -> None:
    call = pick_up(centre, centre.dial())
    history = len(call.history)
    centre.tell(ev.LegDigit(centre.far(call), "1"))
    assert len(call.history) == history


def test_what_is_told_of_a_phone_whose_leg_is_gone_means_nothing(centre: TwoSites) -> None:
    call = centre.dial()
    far = centre.far(call)
    centre.hang_up(call)
    out = centre.handle(ev.LegEnded(far, Cause.NORMAL_CLEARING))
    assert (out.commands, out.facts, out.notices) == ([], [], [])


def test_a_phone_there_that_cannot_be_called_is_unreachable(centre: TwoSites) -> None:
    centre.annex.phones["PJSIP/kim"] = "unknown"
    call = centre.dial()
    assert call.state is CallState.QUEUED
    centre.hang_up(call)
    assert [leg.result for leg in centre.cdr(call).legs] == [OfferResult.UNREACHABLE]


def test_a_leg_of_which_the_journal_lost_that_it_came_in_is_known_by_its_word(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    centre.restart(lost=2)  # that it rang, and that it came in
    centre.advance(10.0)
    centre.sync()
    centre.sync_annex()
    pick_up(centre, centre.exchange.calls[call.id])
    assert len([one for one in centre.given(cmd.Originate) if one.site == ANNEX]) == 1


def test_a_phone_there_that_was_perhaps_not_called_is_called_again_and_rings_as_long_as_its_queue_says() -> None:
    rules = two_site_rules(at_annex("kim"))
    patient = replace(rules, queues={**rules.queues, DESK: replace(rules.queues[DESK], ring_timeout_s=45.0)})
    centre = TwoSites(patient)
    call = centre.dial()
    del centre.annex.channels[centre.far(call)]
    centre.restart(in_doubt=[call.id])
    centre.commands.clear()
    centre.sync()
    centre.sync_annex()
    assert [(one.endpoint, one.timeout_s) for one in centre.given(cmd.Originate)] == [("PJSIP/kim", 45.0)]
    centre.advance(40.0)
    pick_up(centre, centre.exchange.calls[call.id])


def test_a_leg_that_comes_in_after_its_phone_was_lost_is_hung_up(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    centre.restart(lost=2)
    centre.advance(10.0)
    centre.sync()
    far = naming.far_channel(naming.leg_channel(call.id, 1))
    centre.tell(ev.LegEnded(far, Cause.USER_BUSY))
    del centre.annex.channels[far]
    centre.sync_annex()
    assert not centre.annex.channels
    assert centre.exchange.calls[call.id].state is CallState.QUEUED


def test_a_leg_that_the_line_lost_unseen_takes_its_phone_along(centre: TwoSites) -> None:
    pick_up(centre, centre.dial())
    centre.lose_annex()
    centre.advance(1.0)
    incoming = ChannelId("annex-1")
    del centre.annex.channels[incoming], centre.annex.incoming[incoming]
    centre.sync_annex()
    assert not centre.exchange.floor.legs, "here nobody would have noticed"
    assert not centre.annex.channels


def test_what_was_made_just_before_the_snapshot_may_be_missing_from_it(centre: TwoSites) -> None:
    call = centre.dial()
    centre.tell(ev.SiteUp(ANNEX, centre.now, {}, frozenset()))
    assert call.state is CallState.OFFERED
    incoming = centre.annex_snapshot().channels[ChannelId("annex-1")]
    centre.tell(ev.SiteUp(ANNEX, centre.now, {incoming.channel: incoming}, frozenset()))
    ring(centre, call)
    pick_up(centre, call)


def test_a_bridge_there_that_nobody_needs_is_destroyed(centre: TwoSites) -> None:
    bridge = naming.far_bridge(naming.leg_channel(pick_up(centre, centre.dial()).id, 7))
    snapshot = centre.annex_snapshot()
    centre.tell(msgspec.structs.replace(snapshot, bridges=snapshot.bridges | {bridge}))
    assert [one.bridge for one in centre.given(cmd.DestroyBridge)] == [bridge]


def test_a_cause_that_nobody_knows_hangs_the_leg_up_all_the_same(centre: TwoSites) -> None:
    call = centre.dial()
    hang_up_there(centre, call, 99)
    assert centre.given(cmd.Hangup)[-1].cause is Cause.NORMAL_CLEARING
    centre.hang_up(call)
    assert [leg.cause for leg in centre.cdr(call).legs] == [99]


def test_a_phone_that_stays_free_though_its_refusal_is_over_is_left_as_it_is(centre: TwoSites) -> None:
    call = centre.dial()
    hang_up_there(centre, call, Cause.CALL_REJECTED)
    kim = centre.agent("kim")
    kim.state = AgentState.PAUSED
    centre.advance(30.0)
    assert (kim.state, kim.refuses) == (AgentState.PAUSED, False)


def test_a_phone_that_rings_on_while_the_annex_was_away_rings_once_for_the_caller(centre: TwoSites) -> None:
    call = centre.dial()
    ring(centre, call)
    centre.advance(1.0)
    centre.sync_annex()
    assert [one.site for one in centre.given(cmd.Ring)] == [ANNEX]


def test_a_phone_that_has_not_rung_yet_is_waited_for(centre: TwoSites) -> None:
    call = centre.dial()
    centre.advance(10.0)
    centre.sync_annex()
    assert (call.state, len(centre.annex.channels)) == (CallState.OFFERED, 2)


def test_a_leg_that_has_not_come_in_yet_is_waited_for(centre: TwoSites) -> None:
    centre.hall.line_works = False
    call = centre.dial()
    centre.sync_annex()
    assert call.state is CallState.OFFERED


def test_a_leg_that_is_gone_when_the_next_daemon_looks_leaves_nothing_at_its_far_end(centre: TwoSites) -> None:
    call = pick_up(centre, centre.dial())
    centre.annex.connected = False
    centre.hall.hang_up(centre.leg(call))
    centre.restart()
    centre.sync()
    centre.sync_annex()
    assert not centre.annex.channels
    assert not [one for one in centre.annex.bridges.values() if one]
    centre.asterisk.hang_up(call.channel)
    centre.settle()
    assert nothing_is_left(centre)


def test_a_phone_that_rings_while_its_leg_is_being_hung_up_is_not_told_of(centre: TwoSites) -> None:
    call = centre.dial()
    far = centre.far(call)
    centre.asterisk.hang_up(call.channel)
    centre.handle(centre.inbox.pop(0))
    centre.handle(ev.LegRang(far))
    assert centre.given(cmd.Ring) == []
    centre.settle()
    assert nothing_is_left(centre)


def test_a_leg_that_comes_in_when_nobody_wants_it_any_more_is_hung_up(centre: TwoSites) -> None:
    centre.hall.line_works = False
    call = centre.dial()
    leg = centre.leg(call)
    centre.asterisk.connected = False  # so that the leg stays for a while
    centre.handle(ev.CallerLeft(call.channel))
    centre.annex.take_in(leg, leg, TO_HALL)
    centre.settle()
    assert not centre.annex.channels


def test_a_leg_that_comes_in_when_its_offer_is_over_is_in_no_record(centre: TwoSites) -> None:
    centre.hall.line_works = False
    call = centre.dial()
    leg = centre.leg(call)
    centre.asterisk.connected = False  # so that the leg stays for a while
    centre.advance(20.0)
    assert call.state is CallState.QUEUED
    centre.annex.take_in(leg, leg, TO_HALL)
    centre.settle()
    assert not [fact for fact in call.history if isinstance(fact, facts.Relayed)]
