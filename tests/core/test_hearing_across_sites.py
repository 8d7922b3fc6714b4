"""Supervisors whose phone is at another site than the conversation: by what they hear, and what is left of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.ids import ChannelId, SupervisorName
from callrouter.core.output import NoticeKind
from callrouter.core.states import CallState
from callrouter.core.supervisors import HearingAnswer, HearingMode, HearingOrder, HearingVia, SupervisorSpec
from callrouter.core.trunk_audit import Drift
from tests.core.driver import DESK, HALL, Channel, agent
from tests.core.two_sites import ANNEX, LINE, TO_ANNEX, TwoSites, at_annex, two_site_rules

LEE = SupervisorSpec(SupervisorName("lee"), "이팀장", ANNEX, "PJSIP/kim", queues=(DESK,))
"""Has a phone at the annex of the same name as the counselor's at the hall."""
LISTEN, WHISPER = HearingMode.LISTEN, HearingMode.WHISPER
DIALED = ChannelId("desk-phone")


class Centre(TwoSites):
    def __init__(self, channels: int = 2, *, at: str = "hall") -> None:
        kim = agent("kim") if at == "hall" else at_annex("min")
        rules = two_site_rules(kim, channels=channels)
        super().__init__(replace(rules, supervisors={LEE.name: LEE}, supervision_code="*31"))

    @property
    def in_use(self) -> int:
        return self.exchange.floor.trunks.in_use(LINE)

    def talks(self) -> Call:
        call = self.dial()
        if self.far(call) in self.annex.channels:
            self.annex.pick_up(self.far(call))
            self.settle()
        else:
            self.pick_up(call)
        assert call.state is CallState.CONNECTED
        return call

    def order(self, call: Call, mode: HearingMode | None = LISTEN) -> HearingAnswer:
        out = self.handle(ev.HearingOrdered(HearingOrder(call.id, "lee", mode, "chief", HearingVia.COMMAND), 7))
        ((_, answer),) = out.answers
        assert isinstance(answer, HearingAnswer)
        self.settle()
        return answer

    def picks_up(self, call: Call) -> None:
        self.annex.pick_up(far_phone(call))
        self.settle()

    def dials(self, code: str = "*31kim") -> None:
        self.annex.channels[DIALED] = Channel(DIALED, "Up", dialed_code=code)
        self.tell(ev.CodeDialed(ANNEX, DIALED, LEE.endpoint, code))

    def hears(self, call: Call) -> HearingMode | None:
        hearings = list(self.exchange.calls[call.id].hearings.values())
        return hearings[0].mode if hearings else None

    def nothing_is_left_of_it(self, call: Call) -> bool:
        """Whether the two talk on, and nothing else is there."""
        present = self.exchange.calls[call.id]
        alone = present.state is CallState.CONNECTED and not present.hearings
        is_local = present.offer is not None and present.offer.site is None
        there = self.annex.channels or self.annex.bridges
        return alone and self.in_use == (0 if is_local else 1) and (not there or not is_local)


def leg(call: Call) -> ChannelId:
    return naming.supervisor_channel(call.id, 1)


def far_phone(call: Call) -> ChannelId:
    return naming.far_channel(leg(call))


@pytest.fixture
def centre() -> Centre:
    return Centre()


@pytest.fixture
def call(centre: Centre) -> Call:
    return centre.talks()


def test_his_phone_is_called_over_the_line_and_he_hears_where_the_conversation_is(centre: Centre, call: Call) -> None:
    assert centre.order(call).message == f"the phone of lee rings, to listen to call {call.id}"
    over_the_line, to_the_phone = centre.given(cmd.Originate)[-2:]
    assert (over_the_line.site, over_the_line.endpoint) == (HALL, f"PJSIP/relay@{TO_ANNEX}")
    assert (to_the_phone.site, to_the_phone.endpoint, to_the_phone.channel) == (ANNEX, LEE.endpoint, far_phone(call))
    assert (to_the_phone.caller_name, to_the_phone.caller_number) == ("Kim", "kim")
    assert centre.in_use == 1
    centre.picks_up(call)
    (snoop,) = centre.given(cmd.Snoop)
    assert (snoop.site, snoop.channel, centre.hears(call)) == (HALL, centre.leg(call), LISTEN)
    assert centre.order(call, WHISPER).ok
    assert centre.hears(call) is WHISPER
    centre.tell(ev.DigitPressed(leg(call), "4"))
    assert centre.hears(call) is LISTEN
    assert centre.order(call, None).ok
    assert centre.nothing_is_left_of_it(call)


def test_a_counselor_at_the_annex_is_heard_at_the_hall_all_the_same() -> None:
    centre = Centre(at="annex")
    call = centre.talks()
    assert centre.order(call).ok
    centre.picks_up(call)
    assert (centre.hears(call), centre.in_use) == (LISTEN, 2)
    assert {one.site for one in centre.given(cmd.Snoop)} == {HALL}
    centre.hang_up(call)
    assert (centre.in_use, centre.annex.channels, centre.hall.channels) == (0, {}, {})


def test_he_dials_the_code_at_the_annex_and_a_leg_comes_to_him(centre: Centre, call: Call) -> None:
    centre.dials()
    assert (centre.hears(call), centre.in_use) == (LISTEN, 1)
    assert [set(members) for _, members in centre.far_bridges()] == [{DIALED, ChannelId("annex-1")}]
    unknown = centre.exchange.counters.unknown_channel
    centre.tell(ev.DigitPressed(DIALED, "5"))
    assert (centre.hears(call), centre.exchange.counters.unknown_channel) == (LISTEN, unknown), "that comes by the line"
    centre.annex.hang_up(DIALED)
    centre.settle()
    assert centre.nothing_is_left_of_it(call)


def test_a_conversation_that_ends_hangs_up_the_phone_that_dialled(centre: Centre, call: Call) -> None:
    centre.dials()
    centre.hang_up(call)
    assert (centre.in_use, centre.annex.channels, centre.annex.bridges) == (0, {}, {})


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda one: one.lose_annex(), "the site annex cannot be reached"),
        (lambda one: one.dial(), "no trunk from hall to annex has a free channel: line"),
        (lambda one: one.exchange.floor.ways.links.clear(), "no trunk between: leads from hall to annex"),
    ],
    ids=["away", "full", "no trunk"],
)
def test_what_cannot_be_is_refused_with_the_reason(spoil: Callable[[Centre], object], why: str) -> None:
    centre = Centre(channels=1)
    other = at_annex("min")
    call = centre.talks()
    centre.tell(ev.RulebookReplaced(replace(centre.rules, agents={**centre.rules.agents, other.id: other})))
    spoil(centre)
    answer = centre.order(call)
    where = f"the phone of lee is at the site annex, and call {call.id} at hall"
    assert (answer.ok, answer.message) == (False, f"{where}: {why}")
    assert not call.hearings
    centre.tell(ev.CodeDialed(ANNEX, DIALED, LEE.endpoint, "*31kim"))
    refused = [one.text for one in centre.notices if one.kind is NoticeKind.SUPERVISION_REFUSED]
    assert refused == [f"PJSIP/kim dialled *31kim: {where}: {why}"]
    assert not call.hearings


def test_a_change_of_mode_needs_no_second_channel() -> None:
    centre = Centre(channels=1)
    call = centre.talks()
    centre.order(call)
    centre.picks_up(call)
    assert centre.order(call, WHISPER).ok
    assert (centre.hears(call), centre.in_use) == (WHISPER, 1)


def test_a_leg_that_does_not_get_there_is_told_of_and_holds_nothing(centre: Centre, call: Call) -> None:
    centre.hall.line_works = False
    centre.order(call)
    centre.hall.hang_up(leg(call))
    centre.settle()
    assert any("the call to his phone did not get to the site annex" in one.text for one in centre.notices)
    assert centre.nothing_is_left_of_it(call)


def test_a_phone_there_that_nobody_answers_stops_ringing(centre: Centre, call: Call) -> None:
    centre.order(call)
    centre.advance(60.0)
    assert centre.nothing_is_left_of_it(call)


@pytest.mark.parametrize("by_code", [False, True], ids=["called", "dialled"])
@pytest.mark.parametrize("far_first", [True, False], ids=["the far site first", "the caller's site first"])
def test_a_daemon_that_comes_after_knows_both_ends(
    centre: Centre, call: Call, *, by_code: bool, far_first: bool
) -> None:
    if by_code:
        centre.dials()
    else:
        centre.order(call)
        centre.picks_up(call)
    centre.restart()
    centre.advance(10.0)
    for sync in (centre.sync_annex, centre.sync) if far_first else (centre.sync, centre.sync_annex):
        sync()
    centre.sync_annex()
    assert (centre.hears(call), centre.in_use, len(centre.annex.channels)) == (LISTEN, 1, 2)
    assert centre.order(centre.exchange.calls[call.id], WHISPER).ok
    assert centre.hears(call) is WHISPER
    assert centre.order(centre.exchange.calls[call.id], None).ok
    assert centre.nothing_is_left_of_it(call)
    assert not centre.exchange.counters.trunk_drifts


def test_a_daemon_that_comes_after_while_it_rings_there_goes_on_ringing(centre: Centre, call: Call) -> None:
    centre.order(call)
    centre.restart()
    centre.sync()
    centre.sync_annex()
    centre.picks_up(call)
    assert (centre.hears(call), centre.in_use) == (LISTEN, 1)


@pytest.mark.parametrize("far_first", [True, False], ids=["the far site first", "the caller's site first"])
def test_a_line_that_was_lost_while_no_daemon_was_there_ends_it(centre: Centre, call: Call, *, far_first: bool) -> None:
    centre.order(call)
    centre.picks_up(call)
    centre.hall.connected = centre.annex.connected = False
    centre.hall.hang_up(leg(call))
    centre.restart()
    centre.advance(10.0)
    for sync in (centre.sync_annex, centre.sync) if far_first else (centre.sync, centre.sync_annex):
        sync()
    assert centre.nothing_is_left_of_it(call)


def test_an_annex_that_died_meanwhile_gives_the_line_back(centre: Centre, call: Call) -> None:
    centre.order(call)
    centre.picks_up(call)
    centre.restart()
    centre.annex.channels.clear()
    centre.annex.incoming.clear()
    centre.annex.bridges.clear()
    centre.advance(10.0)
    centre.sync()
    centre.sync_annex()
    assert centre.nothing_is_left_of_it(call)


def test_an_end_that_was_not_heard_of_is_made_good_and_counted(centre: Centre, call: Call) -> None:
    centre.order(call)
    centre.picks_up(call)
    centre.advance(10.0)
    centre.hall.connected = False
    centre.hall.hang_up(leg(call))
    centre.sync()
    assert centre.nothing_is_left_of_it(call)
    assert centre.exchange.counters.trunk_drifts == {Drift.HELD_IN_VAIN: 1}


def test_what_was_made_just_before_the_snapshot_may_be_missing_from_it(centre: Centre, call: Call) -> None:
    centre.order(call)
    centre.sync()
    snapshot = centre.snapshot()
    seen = {channel: one for channel, one in snapshot.channels.items() if channel != leg(call)}
    centre.tell(replace_channels(snapshot, seen))
    assert (centre.in_use, len(call.hearings)) == (1, 1)
    centre.picks_up(call)
    assert centre.hears(call) is LISTEN


def replace_channels(snapshot: ev.SiteUp, seen: dict[ChannelId, ev.ChannelSeen]) -> ev.SiteUp:
    return ev.SiteUp(snapshot.site, snapshot.requested_at, seen, snapshot.bridges, snapshot.members)


def test_a_supervisor_whom_the_rules_have_lost_is_known_all_the_same(centre: Centre, call: Call) -> None:
    centre.order(call)
    centre.picks_up(call)
    centre.restart(replace(centre.rules, supervisors={}))
    centre.sync()
    centre.sync_annex()
    assert (centre.hears(call), centre.in_use) == (LISTEN, 1)
    begun = next(fact for fact in centre.exchange.calls[call.id].history if isinstance(fact, facts.HearingBegun))
    assert begun.far is not None
    assert (begun.far.site, begun.far.trunk) == (ANNEX, LINE)


def test_only_a_leg_of_ours_has_a_far_end() -> None:
    with pytest.raises(ValueError, match="desk-phone is no leg of ours"):
        naming.far_channel(DIALED)


def test_a_site_that_is_away_for_long_keeps_no_channel_for_him_and_has_it_again_when_it_is_back(
    centre: Centre, call: Call
) -> None:
    centre.order(call)
    centre.picks_up(call)
    other = at_annex("min")
    centre.tell(ev.RulebookReplaced(replace(centre.rules, agents={**centre.rules.agents, other.id: other})))
    second = centre.dial()
    centre.annex.pick_up(centre.far(second))
    centre.settle()
    centre.lose_site()
    centre.advance(150.0)
    assert centre.in_use == 1, "that of the second call, whose far end is seen"
    centre.hang_up(second)
    centre.sync()
    centre.sync_annex()
    assert (centre.hears(call), centre.in_use) == (LISTEN, 1)
    centre.hang_up(centre.exchange.calls[call.id])
    assert (centre.in_use, centre.annex.channels) == (0, {})
