"""Erlang B, and how many channels each hour needed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from math import factorial

import pytest

from callrouter.report.erlang_b import blocking, channels_needed
from callrouter.report.trunk_plan import Holding, HourPlan, plan

KOREA = timezone(timedelta(hours=9))
NINE = datetime(2026, 11, 24, 9, 0, tzinfo=KOREA)


def by_the_sum(offered: float, channels: int) -> float:
    """Erlang's own form, with factorials."""
    terms = [offered**count / factorial(count) for count in range(channels + 1)]
    return terms[-1] / sum(terms)


@pytest.mark.parametrize(("offered", "channels"), [(0.5, 1), (3.0, 5), (20.0, 30), (100.0, 117)])
def test_the_recurrence_is_the_formula(offered: float, channels: int) -> None:
    assert blocking(offered, channels) == pytest.approx(by_the_sum(offered, channels))


@pytest.mark.parametrize(
    ("offered", "channels"), [(0.0, 0), (0.01, 1), (1.36, 5), (4.46, 10), (12.0, 20), (20.3, 30), (84.0, 100)]
)
def test_as_many_channels_as_the_tables_have(offered: float, channels: int) -> None:
    """The table for a blocking of 1 percent, as every book on teletraffic prints it."""
    assert channels_needed(offered) == channels


def test_the_fewest_that_do_are_taken_and_thousands_can_be_reckoned() -> None:
    needed = channels_needed(2000.0)
    assert blocking(2000.0, needed) <= 0.01 < blocking(2000.0, needed - 1)


async def of(*holdings: Holding) -> AsyncIterator[Holding]:
    for one in holdings:
        yield one


async def planned(*holdings: Holding, days: int = 1) -> list[HourPlan]:
    return await plan(of(*holdings), days, KOREA, 0.01)


async def test_a_call_counts_in_every_hour_in_which_it_held_its_channel() -> None:
    at = (NINE + timedelta(minutes=45)).astimezone(UTC)
    found = await planned(Holding("kt", at, at + timedelta(minutes=90)))
    assert [(one.hour, one.busiest) for one in found] == [(9, 0.25), (10, 1.0), (11, 0.25)]


async def test_of_several_days_an_hour_counts_with_its_busiest() -> None:
    next_day = NINE + timedelta(days=1)
    calls = [Holding("kt", NINE, NINE + timedelta(minutes=30))]
    calls += [Holding("kt", next_day, next_day + timedelta(minutes=45))] * 4
    (found,) = await planned(*calls, days=2)
    assert found == HourPlan("kt", 9, 1.75, 3.0, next_day, channels_needed(3.0))


async def test_groups_are_planned_apart_and_what_nobody_held_is_left_out() -> None:
    moment = Holding("sk", NINE, NINE + timedelta(seconds=36))
    found = await planned(Holding("kt", NINE, NINE + timedelta(minutes=6)), moment)
    assert [(one.trunk, one.channels) for one in found] == [("kt", 2), ("sk", 1)]
    assert await planned() == []
