"""From facts to the CDR: the three durations add up, whatever happened."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.core import facts, naming
from callrouter.core.cdr import CdrVisit, Disposition, OfferResult, Outcome, ReleasedBy, VisitEnd
from callrouter.core.facts import ReleaseReason
from callrouter.core.fold import fold
from callrouter.core.ids import AgentId, CallId, ChannelId, QueueName, RegionName, RuleId, TenantName
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.queued import visits
from tests.core.driver import DESK, HALL, NIGHT, PLANS, START

CALL = CallId("01a20b11-1afe-7650-8942-ca3ab4100bde")
KIM = AgentId("kim")


class Life:
    """Facts in their order, each some time after the one before."""

    def __init__(self) -> None:
        self.at: datetime = START
        self.facts: list[facts.Fact] = []
        self.attempt = 0

    def after(self, seconds: float) -> "Life":
        self.at += timedelta(seconds=seconds)
        return self

    def opened(self, dialed: str | None = "120") -> "Life":
        self.facts.append(facts.Opened(self.at, CALL, HALL, ChannelId("1.0"), CallFacts(dialed or "", HALL)))
        if dialed is not None:
            self.facts.append(
                facts.Routed(
                    self.at,
                    RuleId("rule"),
                    PLANS[dialed],
                    RegionName("changwon"),
                    "창원",
                    RegionSource.EXCHANGE,
                    TenantName("changwon"),
                    CallerKind.LANDLINE,
                    None,
                    (),
                    "hash",
                    "> rule [routes.yaml:1]",
                )
            )
        return self

    def queued(self, queue: QueueName = DESK) -> "Life":
        self.facts.append(facts.Queued(self.at, queue, 1))
        return self

    def left_queue(self) -> "Life":
        self.facts.append(facts.LeftQueue(self.at))
        return self

    def offered(self) -> "Life":
        self.attempt += 1
        leg = naming.leg_channel(CALL, self.attempt)
        self.facts.append(facts.Offered(self.at, self.attempt, KIM, None, leg))
        return self

    def rang(self) -> "Life":
        self.facts.append(facts.Rang(self.at))
        return self

    def picked_up(self) -> "Life":
        self.facts.append(facts.PickedUp(self.at, naming.bridge(CALL, self.attempt)))
        return self

    def connected(self) -> "Life":
        self.facts.append(facts.Connected(self.at))
        return self

    def closed(self, result: OfferResult, cause: int = 16) -> "Life":
        self.facts.append(facts.OfferClosed(self.at, result, cause))
        return self

    def released(self, reason: ReleaseReason, cause: int = 16, estimated: bool = False) -> "Life":
        self.facts.append(facts.Released(self.at, reason, cause, estimated))
        return self


def test_wait_is_all_before_the_answered_offer_ring_is_that_offer_and_talk_the_rest() -> None:
    life = Life().opened().after(1.5).queued().offered().after(20).closed(OfferResult.NO_ANSWER, 19)
    life.after(5).offered().after(1).rang().after(2.25).picked_up().after(0.1).connected().after(61.004)
    life.closed(OfferResult.ANSWERED).released(ReleaseReason.AGENT_HUNG_UP)
    cdr = fold(life.facts)
    assert (cdr.wait_s, cdr.ring_s, cdr.talk_s) == (26.5, 3.25, 61.104)
    assert cdr.answered_at == START + timedelta(seconds=29.75)
    assert [(leg.result, leg.rang_at is not None) for leg in cdr.legs] == [
        (OfferResult.NO_ANSWER, False),
        (OfferResult.ANSWERED, True),
    ]
    assert (cdr.agent, cdr.queue, cdr.queued_at) == (KIM, DESK, START + timedelta(seconds=1.5))


def test_an_offer_that_was_open_at_the_end_is_ringing() -> None:
    life = Life().opened().queued().after(7).offered().rang().after(3).closed(OfferResult.CALLER_GONE)
    cdr = fold(life.released(ReleaseReason.CALLER_HUNG_UP).facts)
    assert (cdr.wait_s, cdr.ring_s, cdr.talk_s) == (7.0, 3.0, 0.0)


def test_an_offer_that_had_failed_before_the_end_is_waiting() -> None:
    life = Life().opened().queued().after(7).offered().rang().after(3).closed(OfferResult.BUSY, 17).after(1)
    cdr = fold(life.released(ReleaseReason.CALLER_HUNG_UP).facts)
    assert (cdr.wait_s, cdr.ring_s, cdr.disposition) == (11.0, 0.0, Disposition.BUSY)


def ends(dialed: str | None, reason: ReleaseReason, *, queued: bool = False, left: bool = False) -> Life:
    life = Life().opened(dialed)
    if queued:
        life.queued()
    if left:
        life.left_queue()
    return life.after(1).released(reason)


@pytest.mark.parametrize(
    ("life", "outcome", "released_by"),
    [
        (ends("120", ReleaseReason.CALLER_HUNG_UP, queued=True), Outcome.ABANDONED, ReleasedBy.CALLER),
        (ends("121", ReleaseReason.CALLER_HUNG_UP), Outcome.ABANDONED, ReleasedBy.CALLER),
        (ends("120", ReleaseReason.VANISHED, queued=True), Outcome.ABANDONED, ReleasedBy.SYSTEM),
        (ends("121", ReleaseReason.PLAN_ENDED, queued=True, left=True), Outcome.OVERFLOWED, ReleasedBy.SYSTEM),
        (ends("121", ReleaseReason.CALLER_HUNG_UP, queued=True, left=True), Outcome.OVERFLOWED, ReleasedBy.CALLER),
        (ends("124", ReleaseReason.HANDED_OVER, queued=True, left=True), Outcome.OVERFLOWED, ReleasedBy.SYSTEM),
        (ends("125", ReleaseReason.HANDED_OVER), Outcome.HANDLED, ReleasedBy.SYSTEM),
        (ends("122", ReleaseReason.PLAN_ENDED), Outcome.CLOSED, ReleasedBy.SYSTEM),
        (ends("122", ReleaseReason.CALLER_HUNG_UP), Outcome.CLOSED, ReleasedBy.CALLER),
        (ends(None, ReleaseReason.NOT_TAKEN), Outcome.REJECTED, ReleasedBy.SYSTEM),
        (ends(None, ReleaseReason.DEFECT), Outcome.FAILED, ReleasedBy.SYSTEM),
        (ends("120", ReleaseReason.DEFECT, queued=True), Outcome.FAILED, ReleasedBy.SYSTEM),
    ],
)
def test_each_way_a_call_can_end_has_one_outcome(life: Life, outcome: Outcome, released_by: ReleasedBy) -> None:
    cdr = fold(life.facts)
    assert (cdr.outcome, cdr.released_by) == (outcome, released_by)


def test_a_call_that_was_talked_on_is_handled_however_it_ended() -> None:
    for reason in ReleaseReason:
        life = Life().opened().queued().offered().picked_up().connected().after(3)
        cdr = fold(life.closed(OfferResult.ANSWERED).released(reason).facts)
        assert (cdr.outcome, cdr.disposition) == (Outcome.HANDLED, Disposition.ANSWERED)


@pytest.mark.parametrize(
    ("result", "disposition"),
    [
        (OfferResult.CONGESTION, Disposition.CONGESTION),
        (OfferResult.BUSY, Disposition.BUSY),
        (OfferResult.NO_ANSWER, Disposition.NO_ANSWER),
    ],
)
def test_the_disposition_speaks_of_the_last_phone(result: OfferResult, disposition: Disposition) -> None:
    life = Life().opened().queued().offered().after(1).closed(result).released(ReleaseReason.CALLER_HUNG_UP)
    assert fold(life.facts).disposition is disposition


def test_the_explanation_says_what_is_out_of_the_ordinary() -> None:
    life = Life().opened().released(ReleaseReason.VANISHED, 0, estimated=True)
    assert fold(life.facts).explanation.splitlines() == [
        "> rule [routes.yaml:1]",
        "released: vanished",
        "ended_at is an estimate: the end of the call was not seen",
    ]


@pytest.mark.parametrize("history", [[], Life().opened().facts[1:], Life().opened().facts])
def test_only_an_ended_call_has_a_cdr(history: list[facts.Fact]) -> None:
    with pytest.raises(ValueError, match=r"begins with its opening|has not been released"):
        fold(history)


def test_an_offer_that_is_closed_twice_is_one_leg() -> None:
    life = Life().opened().queued().offered().closed(OfferResult.BUSY).closed(OfferResult.BUSY)
    assert len(fold(life.released(ReleaseReason.CALLER_HUNG_UP).facts).legs) == 1


def visit(queue: QueueName, begin_s: float, end_s: float, how: VisitEnd) -> CdrVisit:
    return CdrVisit(queue, START + timedelta(seconds=begin_s), START + timedelta(seconds=end_s), how)


def test_a_call_that_waited_in_two_queues_tells_of_both_and_was_answered_when_the_phone_was() -> None:
    life = Life().opened("123").after(1).queued().after(30).left_queue().after(2).queued(NIGHT).after(5).offered()
    life.after(3).picked_up().after(0.2).connected().after(60).closed(OfferResult.ANSWERED)
    cdr = fold(life.released(ReleaseReason.AGENT_HUNG_UP).facts)
    assert cdr.visits == (visit(DESK, 1, 31, VisitEnd.TIMEOUT), visit(NIGHT, 33, 41, VisitEnd.ANSWERED))
    assert cdr.answered_at == cdr.visits[-1].left_at
    assert (cdr.queue, cdr.queued_at) == (cdr.visits[0].queue, cdr.visits[0].queued_at)


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        (ReleaseReason.CALLER_HUNG_UP, VisitEnd.ABANDONED),
        (ReleaseReason.VANISHED, VisitEnd.ABANDONED),
        (ReleaseReason.TAKEN_AWAY, VisitEnd.OTHER),
        (ReleaseReason.DEFECT, VisitEnd.OTHER),
    ],
)
def test_a_call_that_ends_in_a_queue_left_it_then(reason: ReleaseReason, how: VisitEnd) -> None:
    cdr = fold(Life().opened().queued().after(7).released(reason).facts)
    assert cdr.visits == (visit(DESK, 0, 7, how),)


def test_who_is_put_into_another_queue_without_having_left_one_left_it_for_that() -> None:
    life = Life().opened().queued().after(7).queued(NIGHT).after(2).released(ReleaseReason.CALLER_HUNG_UP)
    ends_of = [(one.queue, one.how) for one in fold(life.facts).visits]
    assert ends_of == [(DESK, VisitEnd.OTHER), (NIGHT, VisitEnd.ABANDONED)]


def test_a_call_that_a_counselor_sends_on_into_a_queue_waited_there_too_and_its_talk_is_of_the_first() -> None:
    life = Life().opened().queued().after(5).offered().picked_up().connected().after(60)
    life.facts.append(facts.Redirected(life.at, 16, PLANS["120"]))
    life.queued(NIGHT).after(9).released(ReleaseReason.CALLER_HUNG_UP)
    cdr = fold(life.facts)
    assert [(one.queue, one.how) for one in cdr.visits] == [(DESK, VisitEnd.ANSWERED), (NIGHT, VisitEnd.ABANDONED)]
    assert [(one.outcome, one.talk_s) for one in visits(cdr)] == [
        (Outcome.HANDLED, cdr.talk_s),
        (Outcome.ABANDONED, 0.0),
    ]


def test_a_call_that_never_waited_visited_nothing() -> None:
    assert fold(Life().opened("122").released(ReleaseReason.PLAN_ENDED).facts).visits == ()


@st.composite
def lives(draw: st.DrawFn) -> list[facts.Fact]:
    """Any life, with times to the microsecond and a clock that is sometimes set back."""
    step = st.floats(-2.0, 40.0, allow_nan=False)
    life = Life().opened().after(draw(step)).queued()
    for _ in range(draw(st.integers(0, 3))):
        life.after(draw(step)).offered().after(draw(step))
        if draw(st.booleans()):
            life.picked_up().after(draw(step))
        life.closed(draw(st.sampled_from(list(OfferResult)))).after(draw(step))
    if draw(st.booleans()):
        life.offered().after(draw(step)).rang().after(draw(step)).picked_up().after(draw(step)).connected()
        life.after(draw(step)).closed(OfferResult.ANSWERED)
    return life.after(draw(step)).released(draw(st.sampled_from(list(ReleaseReason)))).facts


@settings(max_examples=200, derandomize=True, deadline=None)
@given(lives())
def test_wait_ring_and_talk_add_up_to_the_millisecond(history: list[facts.Fact]) -> None:
    cdr = fold(history)
    assert min(cdr.wait_s, cdr.ring_s, cdr.talk_s) >= 0
    parts_ms = sum(round(part * 1000) for part in (cdr.wait_s, cdr.ring_s, cdr.talk_s))
    assert timedelta(milliseconds=parts_ms) == cdr.ended_at - cdr.started_at


def test_what_is_told_of_a_leg_that_nobody_made_is_left_out() -> None:
    life = Life().opened().rang()
    life.facts.append(facts.JoinedIn(life.at))
    life.facts.append(facts.PassedOn(life.at, 16))
    assert fold(life.released(ReleaseReason.CALLER_HUNG_UP).facts).legs == ()


def test_what_is_told_of_a_phone_that_rings_nowhere_makes_no_leg() -> None:
    life = Life().opened().queued()
    stranger = ChannelId("elsewhere")
    life.facts += [facts.AlsoRang(life.at, stranger), facts.LeadTaken(life.at, stranger)]
    cdr = fold(life.after(5.0).released(ReleaseReason.CALLER_HUNG_UP).facts)
    assert (cdr.outcome, cdr.legs) == (Outcome.ABANDONED, ())
