"""A counselor at another site than the caller consults on a second line of his phone, over a trunk between the two."""

from dataclasses import replace

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
from callrouter.core.second_lines import OWN_CONTEXT
from callrouter.core.states import CallState
from tests.core.driver import HALL, NIGHT, agent
from tests.core.two_sites import ANNEX, LINE, TO_ANNEX, TwoSites, at_annex, two_site_rules

OWN = ChannelId("line-1")
"""The phone's own channel at the annex."""


class Centre(TwoSites):
    """kim is at the annex, and so is lee; park is at the hall."""

    def __init__(self, channels: int = 3) -> None:
        staff = (at_annex("kim"), at_annex("lee", NIGHT), agent("park", NIGHT))
        super().__init__(two_site_rules(*staff, channels=channels))

    @property
    def in_use(self) -> int:
        return self.exchange.floor.trunks.in_use(LINE)

    def talks(self) -> Call:
        call = self.dial()
        self.annex.pick_up(self.far(call))
        self.settle()
        self.advance(10)
        self.tell(ev.LegHeld(self.far(call), held=True))
        return call

    def dials(self, number: str) -> None:
        """kim dials a colleague on the second line."""
        self.annex.dial_on("kim", number, OWN)
        self.settle()

    def consults(self, call: Call, number: str = "lee") -> None:
        self.dials(number)
        self.colleague_answers(call)
        self.advance(20)

    def colleague_answers(self, call: Call) -> None:
        invited = self.exchange.calls[call.id].invited
        assert invited is not None
        if invited.site is None:
            self.hall.pick_up(invited.channel)
        else:
            self.annex.pick_up(naming.far_channel(invited.channel))
        self.settle()

    def transfers(self, call: Call, *, by_own: bool = False) -> None:
        first, other = naming.far_channel(own_leg(call)), OWN
        channel, replaced = (other, first) if by_own else (first, other)
        self.tell(ev.TransferAsked(channel, "lee", replaced))

    def apart(self, call: Call) -> set[ChannelId]:
        """Who is in the bridge of the second line at the hall."""
        return self.hall.bridges.get(naming.bridge(call.id, 2), set())

    def hung_up(self, channel: ChannelId) -> list[Cause]:
        return [one.cause for one in self.given(cmd.Hangup) if one.channel == channel]

    def nothing_but_the_two(self, call: Call) -> bool:
        """Whether caller and counselor talk on, and nothing else is there."""
        present = self.exchange.calls[call.id]
        there = {self.far(present), *self.annex.incoming}
        is_all = set(self.annex.channels) == there and len(there) == 2 and len(self.hall.channels) == 2
        return is_all and present.state is CallState.CONNECTED and present.invited is None and self.in_use == 1

    def nothing_is_left(self) -> bool:
        return not any((self.hall.channels, self.annex.channels, self.hall.bridges, self.annex.bridges, self.in_use))


def own_leg(call: Call) -> ChannelId:
    return naming.leg_channel(call.id, 1)


def line_leg(call: Call) -> ChannelId:
    return naming.line_leg(call.id, 2)


@pytest.fixture
def centre() -> Centre:
    return Centre()


@pytest.fixture
def call(centre: Centre) -> Call:
    """A caller at the hall whom kim's phone at the annex has put on hold."""
    return centre.talks()


def test_a_leg_leads_to_the_line_that_rings_until_the_colleague_answers(centre: Centre, call: Call) -> None:
    centre.dials("park")
    over_the_line = next(one for one in centre.given(cmd.Originate) if one.channel == line_leg(call))
    assert (over_the_line.site, over_the_line.endpoint) == (HALL, f"PJSIP/relay@{TO_ANNEX}")
    assert [(one.site, one.channel) for one in centre.given(cmd.Ring) if one.channel == OWN] == [(ANNEX, OWN)]
    assert (centre.in_use, centre.apart(call)) == (2, set())
    assert centre.annex.channels[OWN].state == "Ring", "not answered before the colleague is"
    centre.colleague_answers(call)
    assert call.invited is not None
    assert centre.apart(call) == {line_leg(call), call.invited.channel}
    assert {OWN, ChannelId("annex-2")} in centre.annex.bridges.values()
    assert centre.annex.channels[OWN].answered
    switches = [one for one in centre.given(cmd.SetDeadMan) if one.channel == OWN]
    assert [(one.site, one.after_s > 0) for one in switches] == [(ANNEX, True), (ANNEX, False)]


@pytest.mark.parametrize("colleague", ["lee", "park"])
@pytest.mark.parametrize("by_own", [False, True], ids=["by the caller's line", "by the second"])
def test_the_caller_is_with_the_colleague_and_the_counselor_on_no_line(
    centre: Centre, call: Call, colleague: str, *, by_own: bool
) -> None:
    centre.consults(call, colleague)
    assert centre.in_use == (3 if colleague == "lee" else 2)
    centre.transfers(call, by_own=by_own)
    told = centre.given(cmd.TellTransfer)
    asked_by = OWN if by_own else naming.far_channel(own_leg(call))
    assert [(one.site, one.channel, one.done) for one in told] == [(ANNEX, asked_by, True)]
    assert (centre.agent("kim").state, centre.agent(colleague).state) == (AgentState.WRAP_UP, AgentState.ON_CALL)
    assert OWN not in centre.annex.channels
    assert centre.together(call) == {call.channel, naming.leg_channel(call.id, 2)}
    assert centre.in_use == (1 if colleague == "lee" else 0)
    centre.hang_up(call)
    assert [leg.agent for leg in centre.cdr(call).legs] == ["kim", colleague]
    assert centre.nothing_is_left()


def test_a_transfer_to_a_phone_that_still_rings_waits_for_its_answer(centre: Centre, call: Call) -> None:
    centre.dials("park")
    centre.transfers(call)
    assert not centre.given(cmd.TellTransfer)
    centre.colleague_answers(call)
    assert [one.done for one in centre.given(cmd.TellTransfer)] == [True]
    assert (call.line, OWN in centre.annex.channels, centre.in_use) == (None, False, 0)


def test_the_phone_is_refused_a_call_that_is_not_its_own(centre: Centre, call: Call) -> None:
    centre.dials("park")
    centre.tell(ev.TransferAsked(OWN, "lee", ChannelId("another")))
    assert [(one.site, one.channel, one.done) for one in centre.given(cmd.TellTransfer)] == [(ANNEX, OWN, False)]
    assert call.invited is not None


@pytest.mark.parametrize("answered", [False, True])
def test_a_counselor_who_hangs_the_second_line_up_has_the_caller_again(
    centre: Centre, call: Call, *, answered: bool
) -> None:
    centre.dials("park")
    if answered:
        centre.colleague_answers(call)
    centre.annex.hang_up(OWN)
    centre.settle()
    assert centre.nothing_but_the_two(call)


@pytest.mark.parametrize(
    ("cause", "told"),
    [(Cause.USER_BUSY, Cause.USER_BUSY), (Cause.SUBSCRIBER_ABSENT, Cause.SUBSCRIBER_ABSENT)],
)
def test_the_second_line_tells_why_the_colleague_did_not_come(
    centre: Centre, call: Call, cause: Cause, told: Cause
) -> None:
    centre.dials("park")
    centre.hall.hang_up(naming.leg_channel(call.id, 2), cause)
    centre.settle()
    assert centre.hung_up(OWN) == [told]
    assert centre.nothing_but_the_two(call)


def test_a_caller_who_hangs_up_meanwhile_leaves_no_line(centre: Centre, call: Call) -> None:
    centre.consults(call)
    centre.hang_up(call)
    assert centre.nothing_is_left()
    assert (centre.cdr(call).outcome, centre.cdr(call).released_by) == (Outcome.HANDLED, ReleasedBy.CALLER)


def test_an_order_cancels_it_as_well(centre: Centre, call: Call) -> None:
    centre.consults(call)
    assert centre.order_call("kim", CallVerb.CANCEL).ok
    assert centre.nothing_but_the_two(call)


@pytest.mark.parametrize(
    ("channels", "number", "why"),
    [
        (1, "park", "no trunk from hall to annex has a free channel: line"),
        (2, "lee", "the trunk has no channel for whom is called beside that for the line"),
    ],
)
def test_a_line_for_which_the_trunk_has_no_room_is_refused(channels: int, number: str, why: str) -> None:
    centre = Centre(channels)
    call = centre.talks()
    centre.dials(number)
    assert centre.hung_up(OWN) == [Cause.NORMAL_CIRCUIT_CONGESTION]
    refused = [one.text for one in centre.notices if one.kind is NoticeKind.CALL_REFUSED]
    assert refused == [f"PJSIP/kim: a second line at annex: {why}"]
    assert centre.nothing_but_the_two(call)


def test_a_number_outside_is_called_where_the_caller_is(centre: Centre, call: Call) -> None:
    centre.dials("duty-mobile")
    assert call.invited is not None
    centre.hall.pick_up(call.invited.channel)
    centre.settle()
    assert centre.apart(call) == {line_leg(call), call.invited.channel}


def test_a_phone_there_without_a_caller_calls_for_itself(centre: Centre) -> None:
    centre.dials("lee")
    (sent,) = centre.given(cmd.ContinueInDialplan)
    assert (sent.site, sent.channel, sent.context) == (ANNEX, OWN, OWN_CONTEXT)


def test_a_colleague_who_answers_before_the_leg_has_got_there_is_met_by_it(centre: Centre, call: Call) -> None:
    centre.hall.line_works = False
    centre.dials("park")
    centre.colleague_answers(call)
    assert centre.apart(call) == set()
    centre.annex.take_in(line_leg(call), line_leg(call), "line-to-hall")
    centre.settle()
    assert call.invited is not None
    assert centre.apart(call) == {line_leg(call), call.invited.channel}
    assert {OWN, ChannelId("annex-2")} in centre.annex.bridges.values()


@pytest.mark.parametrize("answered", [False, True])
def test_a_leg_that_does_not_get_there_or_is_lost_ends_the_consultation(
    centre: Centre, call: Call, *, answered: bool
) -> None:
    centre.hall.line_works = answered
    centre.dials("park")
    if answered:
        centre.colleague_answers(call)
    centre.hall.hang_up(line_leg(call))
    centre.settle()
    assert centre.hung_up(OWN)[0] is Cause.NORMAL_CIRCUIT_CONGESTION
    assert centre.nothing_but_the_two(call)


def test_a_leg_that_gets_there_too_late_is_hung_up(centre: Centre, call: Call) -> None:
    centre.tell(ev.LineLinked(line_leg(call)))
    assert [(one.site, one.channel) for one in centre.given(cmd.Hangup)][-2:] == [
        (ANNEX, line_leg(call)),
        (HALL, line_leg(call)),
    ]
    centre.tell(ev.LineParted(line_leg(call)))
    assert centre.nothing_but_the_two(call)


def test_keys_of_the_second_line_mean_nothing(centre: Centre, call: Call) -> None:
    centre.consults(call)
    unknown = centre.exchange.counters.unknown_channel
    for channel in (OWN, line_leg(call)):
        centre.tell(ev.DigitPressed(channel, "*"))
    assert centre.exchange.counters.unknown_channel == unknown


FAR_FIRST = pytest.mark.parametrize("far_first", [True, False], ids=["the far site first", "the caller's site first"])


def syncs(centre: Centre, *, far_first: bool) -> None:
    centre.advance(10)
    for sync in (centre.sync_annex, centre.sync) if far_first else (centre.sync, centre.sync_annex):
        sync()
    centre.sync_annex()
    centre.sync()


@FAR_FIRST
@pytest.mark.parametrize("answered", [False, True], ids=["ringing", "talking"])
def test_a_daemon_that_comes_after_knows_both_ends_of_the_line(
    centre: Centre, call: Call, *, far_first: bool, answered: bool
) -> None:
    centre.dials("park")
    if answered:
        centre.colleague_answers(call)
    centre.restart()
    syncs(centre, far_first=far_first)
    call = centre.exchange.calls[call.id]
    assert (centre.in_use, call.line) == (2, line_leg(call))
    if not answered:
        assert not centre.annex.channels[OWN].answered
        centre.colleague_answers(call)
    assert call.invited is not None
    assert centre.apart(call) == {line_leg(call), call.invited.channel}
    centre.transfers(call)
    assert centre.together(call) == {call.channel, naming.leg_channel(call.id, 2)}
    assert (centre.in_use, OWN in centre.annex.channels) == (0, False)
    assert not centre.exchange.counters.trunk_drifts


@FAR_FIRST
def test_a_daemon_that_dies_before_the_two_met_is_followed_by_one_that_lets_them(
    centre: Centre, call: Call, *, far_first: bool
) -> None:
    centre.dials("park")
    centre.hall.connected = centre.annex.connected = False
    centre.hall.pick_up(naming.leg_channel(call.id, 2))
    centre.restart()
    syncs(centre, far_first=far_first)
    invited = centre.exchange.calls[call.id].invited
    assert invited is not None
    assert centre.apart(call) == {line_leg(call), invited.channel}
    assert centre.annex.channels[OWN].answered


@FAR_FIRST
@pytest.mark.parametrize("lost", ["phone", "leg"])
def test_a_line_that_went_while_no_daemon_was_there_gives_the_caller_back(
    centre: Centre, call: Call, lost: str, *, far_first: bool
) -> None:
    centre.consults(call, "park")
    centre.hall.connected = centre.annex.connected = False
    if lost == "phone":
        centre.annex.hang_up(OWN)
    else:
        centre.hall.hang_up(line_leg(call))
    centre.restart()
    syncs(centre, far_first=far_first)
    assert centre.nothing_but_the_two(call)


def test_a_daemon_that_comes_after_a_call_that_is_over_hangs_the_line_up(centre: Centre, call: Call) -> None:
    centre.consults(call, "park")
    centre.hall.connected = centre.annex.connected = False
    centre.hall.hang_up(call.channel)
    centre.restart()
    syncs(centre, far_first=True)
    assert centre.nothing_is_left()


def test_a_leg_that_the_journal_lost_is_hung_up_and_the_phone_may_ring_anew(centre: Centre, call: Call) -> None:
    centre.dials("park")
    lost = [type(fact) for fact in call.history]
    centre.restart(lost=len(lost) - lost.index(facts.Invited))
    centre.advance(10)
    centre.sync()
    centre.sync_annex()
    assert any(line_leg(call) in one.text for one in centre.notices if one.kind is NoticeKind.ORPHAN_LEG)
    assert line_leg(call) not in centre.hall.channels or centre.exchange.calls[call.id].line is not None


def test_what_was_made_just_before_the_snapshot_may_be_missing_from_it(centre: Centre, call: Call) -> None:
    centre.dials("park")
    snapshot = centre.snapshot()
    seen = {channel: one for channel, one in snapshot.channels.items() if channel != line_leg(call)}
    centre.tell(ev.SiteUp(HALL, snapshot.requested_at, seen, snapshot.bridges, snapshot.members))
    assert (call.line, centre.in_use) == (line_leg(call), 2)
    centre.sync()
    assert call.line == line_leg(call)
    centre.colleague_answers(call)
    centre.hang_up(call)
    assert [leg.result for leg in centre.cdr(call).legs] == [OfferResult.ANSWERED, OfferResult.ANSWERED]


def test_a_counselor_who_has_moved_consults_from_where_he_sits_now(centre: Centre, call: Call) -> None:
    kim = replace(centre.agent("kim").spec, site=HALL, endpoint="PJSIP/counter")
    centre.tell(ev.RulebookReplaced(replace(centre.rules, agents={**centre.rules.agents, kim.id: kim})))
    centre.hall.dial_on("counter", "park", OWN)
    centre.settle()
    assert (call.line, centre.in_use) == (OWN, 1), "his phone is where the caller is now"


def test_what_the_annex_did_not_hear_while_it_was_away_is_said_again(centre: Centre, call: Call) -> None:
    centre.dials("park")
    centre.lose_annex()
    centre.colleague_answers(call)
    assert not centre.annex.channels[OWN].answered
    centre.sync_annex()
    assert centre.annex.channels[OWN].answered
    assert {OWN, ChannelId("annex-2")} in centre.annex.bridges.values()
    connects = len(centre.given(cmd.Connect))
    centre.sync_annex()
    assert len(centre.given(cmd.Connect)) == connects


def test_a_transfer_that_its_leg_does_not_outlive_goes_on(centre: Centre, call: Call) -> None:
    centre.dials("park")
    centre.transfers(call)
    centre.hall.hang_up(line_leg(call))
    centre.settle()
    assert centre.exchange.calls[call.id].passes_on, "the caller is left to the phone that rings"
    centre.colleague_answers(call)
    assert centre.together(call) == {call.channel, naming.leg_channel(call.id, 2)}


@pytest.mark.parametrize("consults", [True, False], ids=["hung up", "sent on"])
def test_a_line_that_did_not_hear_that_we_are_done_with_it_hears_it_again(*, consults: bool) -> None:
    centre = Centre()
    call = centre.talks()
    if not consults:
        centre.annex.hang_up(centre.far(call))
        centre.settle()
    centre.annex.dial_on("kim", "park", OWN)
    dialed = centre.inbox.pop()
    centre.annex.connected = consults
    centre.tell(dialed)
    centre.lose_annex()
    if consults:
        centre.hang_up(call)
    assert centre.annex.channels[OWN].in_app
    centre.sync_annex()
    assert centre.annex.channels[OWN].in_app, "the snapshot may be older than what we said"
    centre.advance(10)
    centre.sync_annex()
    if consults:
        assert OWN not in centre.annex.channels
    else:
        assert not centre.annex.channels[OWN].in_app
