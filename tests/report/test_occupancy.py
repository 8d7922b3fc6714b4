"""Counselors' time in groups, against numbers worked out by hand."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callrouter.core.duty import Duty
from callrouter.report.grouping import By
from callrouter.report.occupancy import OccupancyReport, Person, edges
from callrouter.report.rows import AgentDuty, AgentTalk

SEOUL = ZoneInfo("Asia/Seoul")
MIDNIGHT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
"""Of a Tuesday in Korea."""
PEOPLE = {
    "201": Person("changwon", ("day", "night")),
    "202": Person("changwon", ("day",), wrap_up_s=60),
    "203": Person("gimhae", ("night",)),
}
WRAP_UP = {"day": 30.0, "night": 120.0}


def at(hours: float) -> datetime:
    """By the clock of that Tuesday."""
    return MIDNIGHT + timedelta(hours=hours)


def talk(agent: str, begin: float, minutes: float, queue: str | None = "day") -> AgentTalk:
    return AgentTalk(agent, at(begin), at(begin), at(begin) + timedelta(minutes=minutes), queue)


@pytest.fixture
def day() -> OccupancyReport:
    """201 works from 9 to 18 with lunch, 202 since yesterday, 203 was logged out yesterday; 204 is gone since."""
    report = OccupancyReport(PEOPLE, WRAP_UP, MIDNIGHT, at(24))
    said = [
        ("203", -10, Duty.OFF, ""),
        ("202", -6, Duty.PAUSED, "야간 대기"),
        ("201", -5, Duty.OFF, ""),
        ("202", 1, Duty.ON, ""),
        ("201", 9, Duty.ON, ""),
        ("201", 12, Duty.PAUSED, "점심"),
        ("201", 13, Duty.ON, ""),
        ("201", 18, Duty.OFF, ""),
    ]
    for agent, hour, duty, reason in said:
        report.said(AgentDuty(agent, at(hour), duty, reason))
    talks = [
        talk("202", -0.5, 60),  # over midnight: 30 minutes and a minute after it are of this day
        talk("201", 10, 30),
        talk("201", 11, 28, "night"),
        talk("204", 14, 10, None),
        talk("202", 23.9, 60),  # over the next one: 6 minutes are of this day
    ]
    for one in talks:
        report.talked(one)
    return report


def test_each_counselor_has_the_time_that_he_was_there(day: OccupancyReport) -> None:
    groups = day.groups(By.AGENT, SEOUL)
    figures = {
        name: (spent.logged_in_s / 3600, spent.talk_s / 60, spent.wrap_up_s, round(spent.paused_s / 60, 6))
        for name, spent in groups
    }
    assert figures == {
        "201": (9, 58, 30 + 120, 60),
        "202": (24, 36, 60, 60 - 31),
        "203": (0, 0, 0, 0),
        "204": (pytest.approx(1 / 6), 10, 0, 0),
    }
    occupancies = {name: spent.occupancy for name, spent in groups}
    assert occupancies["201"] == pytest.approx(100 * (58 + 2.5) / 540)
    assert (occupancies["203"], occupancies["204"]) == (None, 100)


def test_pauses_are_told_by_counselor_and_reason(day: OccupancyReport) -> None:
    assert day.pauses() == [("201", "점심", 3600), ("202", "야간 대기", 29 * 60)]


def test_a_queue_has_the_time_of_all_who_serve_it_and_the_total_has_each_once(day: OccupancyReport) -> None:
    hours = {name: spent.logged_in_s / 3600 for name, spent in day.groups(By.QUEUE, SEOUL)}
    assert hours == {"day": 33, "night": 9}
    hours = {name: spent.logged_in_s / 3600 for name, spent in day.groups(By.TENANT, SEOUL)}
    assert hours == {"changwon": 33, "gimhae": 0}
    assert day.total().logged_in_s / 3600 == pytest.approx(33 + 1 / 6)


def test_hours_add_up_to_the_day(day: OccupancyReport) -> None:
    hours = dict(day.groups(By.HOUR, SEOUL))
    assert len(hours) == 24
    assert hours["2026-11-24 10:00"].talk_s == 30 * 60
    assert hours["2026-11-24 12:00"].paused_s == 3600
    (whole,) = dict(day.groups(By.DAY, SEOUL)).values()
    for name in ("logged_in_s", "talk_s", "wrap_up_s", "paused_s"):
        assert sum(getattr(spent, name) for spent in hours.values()) == pytest.approx(getattr(whole, name))
        assert getattr(whole, name) == pytest.approx(getattr(day.total(), name))


def test_calls_have_no_topic_that_counselors_spend_their_time_by(day: OccupancyReport) -> None:
    assert day.groups(By.TOPIC, SEOUL) == []


@pytest.mark.parametrize(
    ("by", "days", "begins"),
    [
        (By.DAY, 3, ["11-29 00:00", "11-30 00:00", "12-01 00:00"]),
        (By.WEEK, 3, ["11-29 00:00", "11-30 00:00"]),
        (By.MONTH, 3, ["11-29 00:00", "12-01 00:00"]),
    ],
)
def test_intervals_are_those_of_the_zone_and_cover_the_time(by: By, days: int, begins: list[str]) -> None:
    begin = datetime(2026, 11, 29, tzinfo=SEOUL)
    found = list(edges(begin, begin + timedelta(days=days), by, SEOUL))
    assert [f"{since.astimezone(SEOUL):%m-%d %H:%M}" for since, _ in found] == begins
    assert [until for _, until in found[:-1]] == [since for since, _ in found[1:]]


def test_the_day_on_which_the_clock_is_put_back_has_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin, end = (datetime(2026, 10, day, tzinfo=berlin) for day in (25, 26))
    assert len(list(edges(begin, end, By.HOUR, berlin))) == 25
    ((_, after),) = edges(begin, end, By.DAY, berlin)
    assert after.astimezone(UTC) - begin.astimezone(UTC) == timedelta(hours=25)


def test_days_of_the_machines_own_zone_end_at_its_midnight() -> None:
    begin = datetime(2026, 11, 24).astimezone()
    found = list(edges(begin, begin + timedelta(hours=30), By.DAY, None))
    assert [until - since for since, until in found] == [timedelta(hours=24), timedelta(hours=6)]
