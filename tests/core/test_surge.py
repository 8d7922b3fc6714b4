"""A topic surges when an hour has more calls of it than past weeks and chance explain."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callrouter.core.ids import SwitchName
from callrouter.core.rulebook import Rulebook, SurgeRule, TopicSpec
from callrouter.core.surge import Past, TopicNow, limit, past_hours, topics_now
from callrouter.core.switches import ALL_OFF, SwitchesOn, SwitchOn, SwitchSpec
from tests.core.driver import PASSPORT, START, WELFARE, Driver, agent, rulebook

SEOUL = ZoneInfo("Asia/Seoul")
WAVE = SwitchName("wave")
RULE = SurgeRule(weeks=6, factor=2, least=3)


def rules(rule: SurgeRule | None = RULE, suggest: SwitchName | None = WAVE) -> Rulebook:
    topics = {PASSPORT: TopicSpec(PASSPORT, "여권", suggest), WELFARE: TopicSpec(WELFARE, "복지")}
    switches = {WAVE: SwitchSpec(WAVE, "여권 폭주 안내", 3600.0, "", frozenset())}
    return replace(rulebook(agent("kim")), topics=topics, surge=rule, switches=switches, timezone=SEOUL)


def of_passports(driver: Driver, past: Past, on: SwitchesOn = ALL_OFF) -> TopicNow:
    (found,) = [one for one in topics_now(driver.exchange, past, driver.now, on) if one.topic == PASSPORT]
    return found


@pytest.mark.parametrize(
    ("usual", "most"),
    [
        (0, 9),  # the least is 10
        (2, 9),
        (9, 18),  # twice: 9 + 3 * 3 = 18, too
        (16, 32),
        (4.5, 10),  # 4.5 + 3 * 2.12 = 10.86: chance goes further than the factor
        (100, 200),
    ],
)
def test_a_surge_is_more_than_the_factor_and_more_than_chance(usual: float, most: int) -> None:
    assert limit(SurgeRule(6, 2.0, 10), usual) == most


def test_chance_counts_where_the_factor_is_small() -> None:
    assert limit(SurgeRule(6, 1.1, 10), 100) == 130


def test_the_past_of_an_hour_is_the_same_hour_of_the_same_weekday_by_the_local_clock() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    at = datetime(2026, 11, 3, 9, 40, tzinfo=UTC)  # Tuesday, 10:40; the clock was put back on October 25th
    hours = past_hours(at, 2, berlin)
    assert hours == [datetime(2026, 10, 27, 9, tzinfo=UTC), datetime(2026, 10, 20, 8, tzinfo=UTC)]


def test_calls_in_progress_and_over_of_this_hour_are_counted_and_the_switch_is_suggested() -> None:
    driver = Driver(rules())
    past = Past(START, 6, {PASSPORT: 6, WELFARE: 60})
    over = driver.dial("127")
    driver.press(over, "1")
    for _ in range(2):
        driver.press(driver.dial("127"), "1")
    driver.hang_up(over)
    driver.dial("127")  # has not said yet what he wants
    assert of_passports(driver, past) == TopicNow(PASSPORT, "여권", 3, 1.0, 4, False, WAVE, "여권 폭주 안내", False)
    for _ in range(2):
        driver.press(driver.dial("127"), "1")
    found = of_passports(driver, past, {WAVE: SwitchOn(WAVE)})
    assert (found.calls, found.surges, found.suggest_on) == (5, True, True)


def test_an_hour_later_it_is_counted_anew() -> None:
    driver = Driver(rules())
    for _ in range(5):
        driver.press(driver.dial("127"), "1")
    driver.advance(3600)
    assert topics_now(driver.exchange, Past(START, 6), driver.now, ALL_OFF) == ()
    assert of_passports(driver, Past(START + timedelta(hours=1), 6)).calls == 0


def test_a_topic_may_suggest_nothing() -> None:
    found = of_passports(Driver(rules(suggest=None)), Past(START, 6))
    assert (found.suggest, found.suggest_title, found.suggest_on) == (None, "", False)


def test_without_a_rule_or_a_past_nothing_is_said() -> None:
    assert topics_now(Driver(rules(None)).exchange, Past(START, 6), START, ALL_OFF) == ()
    assert topics_now(Driver(rules()).exchange, Past(START, 0), START, ALL_OFF) == ()
