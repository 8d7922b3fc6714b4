"""The figures, against numbers reckoned by hand."""

import pytest

from callrouter.core.cdr import OfferResult, Outcome
from callrouter.core.service_level import Formula, ServiceGoal
from callrouter.core.tally import QueueTally
from callrouter.report.grouping import AgentReport
from callrouter.report.tally import AgentTally
from tests.report.calls import abandoned, answered, left, offer

EVENING_CALLS = [
    answered(10, talk_s=100),
    answered(20, talk_s=200),
    answered(60, talk_s=60),
    abandoned(4.9),
    abandoned(5),
    abandoned(90),
    left(Outcome.OVERFLOWED),
    left(Outcome.CALLBACK),
]


def tallied(goal: ServiceGoal) -> QueueTally:
    tally = QueueTally()
    for call in EVENING_CALLS:
        tally.add(call, goal)
    return tally


def test_each_caller_is_counted_for_what_became_of_him() -> None:
    tally = tallied(ServiceGoal())
    assert (tally.offered, tally.answered, tally.abandoned, tally.overflowed, tally.other) == (8, 3, 3, 1, 1)
    assert tally.short_abandons == 1  # 4.9 s is sooner than 5 s, 5 s is not


@pytest.mark.parametrize(
    ("formula", "percent"),
    [
        (Formula.OFFERED, 100 * 2 / 8),
        (Formula.OFFERED_LESS_SHORT, 100 * 2 / 7),
        (Formula.ANSWERED, 100 * 2 / 3),
    ],
)
def test_a_service_level_is_what_its_formula_says(formula: Formula, percent: float) -> None:
    # Who is answered after exactly 20 s is answered in time.
    assert tallied(ServiceGoal(formula=formula)).service_level == pytest.approx(percent)


def test_a_tighter_threshold_leaves_fewer_in_time() -> None:
    assert tallied(ServiceGoal(threshold_s=15, formula=Formula.ANSWERED)).service_level == pytest.approx(100 / 3)


def test_times_are_means_over_those_who_were_answered() -> None:
    tally = tallied(ServiceGoal())
    assert (tally.asa_s, tally.talk_s, tally.mean_talk_s) == (30, 360, 120)
    assert tally.longest_wait_s == 90  # who overflowed heard an announcement, too: how long he waited is not known


def test_the_abandon_rate_is_given_with_and_without_short_abandons() -> None:
    tally = tallied(ServiceGoal())
    assert tally.abandon_rate == pytest.approx(100 * 3 / 8)
    assert tally.abandon_rate_less_short == pytest.approx(100 * 2 / 7)


def test_a_call_that_a_destination_took_overflowed() -> None:
    tally = QueueTally()
    tally.add(answered(30, agent=None, destination="duty"), ServiceGoal())
    assert (tally.answered, tally.overflowed, tally.longest_wait_s) == (0, 1, None)


def test_a_figure_of_nothing_is_none() -> None:
    none = QueueTally()
    assert {none.service_level, none.asa_s, none.mean_talk_s, none.abandon_rate, none.abandon_rate_less_short} == {None}
    assert (none.longest_wait_s, none.target_percent, AgentTally().mean_talk_s) == (None, None, None)
    none.add(abandoned(1), ServiceGoal())
    assert (none.service_level, none.abandon_rate, none.abandon_rate_less_short) == (None, 100, None)


def test_a_target_is_said_where_all_queues_have_the_same() -> None:
    tally = QueueTally()
    tally.add(answered(1), ServiceGoal(target_percent=80))
    assert tally.target_percent == 80
    tally.add(answered(1), ServiceGoal(target_percent=90))
    assert tally.target_percent is None


def test_offers_are_answered_missed_or_nobodys_fault() -> None:
    report = AgentReport()
    results = [OfferResult.NO_ANSWER, OfferResult.BUSY, OfferResult.CALLER_GONE, OfferResult.CONGESTION]
    for one in [offer(OfferResult.ANSWERED, 90), offer(OfferResult.ANSWERED, 30), *map(offer, results)]:
        report.add(one)
    report.add(offer(OfferResult.REJECTED, agent="202"))
    report.add(offer(OfferResult.ANSWERED_ELSEWHERE))
    assert report.groups() == [("201", AgentTally(6, 2, 2, 120)), ("202", AgentTally(1, 0, 1, 0))]
    assert (report.total, report.groups()[0][1].mean_talk_s) == (AgentTally(7, 2, 3, 120), 60)
