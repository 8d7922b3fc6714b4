"""Groups: which call is in which, and that none is lost between them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.cdr import Outcome
from callrouter.core.queued import QueuedCall
from callrouter.core.service_level import Formula, ServiceGoal
from callrouter.report.grouping import By, QueueReport
from tests.report.calls import abandoned, answered

SEOUL = ZoneInfo("Asia/Seoul")
GOALS = {"night": ServiceGoal(15, 90, Formula.OFFERED, 10), "day": ServiceGoal(formula=Formula.ANSWERED)}
COUNTS = ("offered", "answered", "abandoned", "short_abandons", "overflowed", "other", "in_time", "counted")

TIMES = st.datetimes(datetime(2026, 10, 1), datetime(2027, 2, 1), timezones=st.just(UTC))  # noqa: DTZ001
CALLS = st.builds(
    lambda start, wait, talk, **rest: QueuedCall(
        started_at=start, queued_at=start, ended_at=start + timedelta(seconds=wait + talk), talk_s=talk, **rest
    ),
    TIMES,
    st.integers(0, 100),
    st.integers(0, 1000),
    answered_at=st.none() | TIMES,
    queue=st.sampled_from(["night", "day", "of nobody"]),
    tenant=st.sampled_from(["changwon", "gimhae"]),
    topic=st.sampled_from([None, "passport"]),
    agent=st.sampled_from([None, "201", "202"]),
    destination=st.sampled_from([None, "duty"]),
    outcome=st.sampled_from(Outcome),
)


@given(st.lists(CALLS, max_size=30), st.sampled_from(By))
def test_whatever_calls_are_grouped_by_the_groups_add_up_to_the_whole(calls: list[QueuedCall], by: By) -> None:
    report = QueueReport(by, SEOUL, GOALS)
    for call in calls:
        report.add(call)
    groups = [tally for _, tally in report.groups()]
    for name in COUNTS:
        assert sum(getattr(tally, name) for tally in groups) == getattr(report.total, name)
    assert sum(tally.talk_s for tally in groups) == report.total.talk_s
    assert report.total.offered == len(calls)
    for tally in [*groups, report.total]:
        assert tally.offered == tally.answered + tally.abandoned + tally.overflowed + tally.other
        assert tally.in_time <= tally.counted <= tally.offered
        for share in (tally.service_level, tally.abandon_rate, tally.abandon_rate_less_short):
            assert share is None or 0 <= share <= 100


@pytest.mark.parametrize(
    ("by", "names"),
    [
        (By.HOUR, ["2026-11-30 23:00", "2026-12-01 00:00"]),
        (By.DAY, ["2026-11-30", "2026-12-01"]),
        (By.WEEK, ["2026-11-30"]),
        (By.MONTH, ["2026-11", "2026-12"]),
    ],
)
def test_intervals_are_those_of_the_zone(by: By, names: list[str]) -> None:
    report = QueueReport(by, SEOUL, {})
    before_midnight = datetime(2026, 11, 30, 14, 59, tzinfo=UTC)  # a Monday, 23:59 in Korea
    for minutes in (0, 1):
        report.add(answered(1, started_at=before_midnight + timedelta(minutes=minutes)))
    assert [name for name, _ in report.groups()] == names


def test_each_call_counts_by_the_goal_of_its_own_queue() -> None:
    report = QueueReport(By.TENANT, SEOUL, GOALS)
    report.add(answered(20, queue="night"))  # 15 s
    report.add(answered(20, queue="of nobody"))  # the usual 20 s
    report.add(abandoned(9, queue="night"))  # short, but all that were offered count there
    report.add(abandoned(9, queue="day"))  # only those who were answered count there
    ((name, tally),) = report.groups()
    assert (name, tally.in_time, tally.counted, tally.short_abandons) == ("changwon", 1, 3, 1)


def test_calls_without_a_topic_have_a_row_of_their_own() -> None:
    report = QueueReport(By.TOPIC, SEOUL, {})
    report.add(answered(1))
    report.add(answered(1, topic="passport"))
    assert [name for name, _ in report.groups()] == ["passport", "–"]


def test_calls_are_grouped_by_what_counselors_said_afterwards() -> None:
    report = QueueReport(By.WRAP_UP, SEOUL, {})
    for said in ("passport", None, "passport"):
        report.add(answered(1, wrap_up=said, topic="tourism"))
    assert [(name, tally.offered) for name, tally in report.groups()] == [("passport", 2), ("–", 1)]
