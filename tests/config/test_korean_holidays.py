"""The public holidays of two years, day by day, against a table that was written by hand.

The table follows 관공서의 공휴일에 관한 규정 as it stands since 2026 (노동절 and 제헌절 are public holidays, and both
have substitute days), with the day of the local elections on 3 June 2026 (공직선거법 제34조).
"""

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callrouter.config import Loaded, load
from callrouter.core.calendars import Calendar, Note
from callrouter.core.ids import CalendarName
from callrouter.core.routing import Ruleset

SAMPLE = Path(__file__).parents[2] / "config"
BASE = Path(__file__).parents[1] / "bad_config" / "base"
SEOUL = ZoneInfo("Asia/Seoul")
OFFICIAL = {
    date(2026, 1, 1): "신정연휴",
    date(2026, 2, 16): "설날 전날",
    date(2026, 2, 17): "설날",
    date(2026, 2, 18): "설날 다음날",
    date(2026, 3, 1): "삼일절",
    date(2026, 3, 2): "삼일절 대체 휴일",
    date(2026, 5, 1): "노동절",
    date(2026, 5, 5): "어린이날",
    date(2026, 5, 24): "부처님오신날",
    date(2026, 5, 25): "부처님오신날 대체 휴일",
    date(2026, 6, 3): "지방선거일",
    date(2026, 6, 6): "현충일",
    date(2026, 7, 17): "제헌절",
    date(2026, 8, 15): "광복절",
    date(2026, 8, 17): "광복절 대체 휴일",
    date(2026, 9, 24): "추석 전날",
    date(2026, 9, 25): "추석",
    date(2026, 9, 26): "추석 다음날",
    date(2026, 10, 3): "개천절",
    date(2026, 10, 5): "개천절 대체 휴일",
    date(2026, 10, 9): "한글날",
    date(2026, 12, 25): "기독탄신일",
    date(2027, 1, 1): "신정연휴",
    date(2027, 2, 6): "설날 전날",
    date(2027, 2, 7): "설날",
    date(2027, 2, 8): "설날 다음날",
    date(2027, 2, 9): "설날 대체 휴일",
    date(2027, 3, 1): "삼일절",
    date(2027, 5, 1): "노동절",
    date(2027, 5, 3): "노동절 대체 휴일",
    date(2027, 5, 5): "어린이날",
    date(2027, 5, 13): "부처님오신날",
    date(2027, 6, 6): "현충일",
    date(2027, 7, 17): "제헌절",
    date(2027, 7, 19): "제헌절 대체 휴일",
    date(2027, 8, 15): "광복절",
    date(2027, 8, 16): "광복절 대체 휴일",
    date(2027, 9, 14): "추석 전날",
    date(2027, 9, 15): "추석",
    date(2027, 9, 16): "추석 다음날",
    date(2027, 10, 3): "개천절",
    date(2027, 10, 4): "개천절 대체 휴일",
    date(2027, 10, 9): "한글날",
    date(2027, 10, 11): "한글날 대체 휴일",
    date(2027, 12, 25): "기독탄신일",
    date(2027, 12, 27): "기독탄신일 대체 휴일",
}
OUR_NAMES = {date(2026, 6, 3): "제9회 전국동시지방선거일"}
"""What the sample calls otherwise."""


def calendar(loaded: Loaded, name: str) -> Calendar:
    router = loaded.rulebook.router
    assert isinstance(router, Ruleset)
    return router.calendars[CalendarName(name)]


@pytest.fixture(scope="module")
def sample() -> Loaded:
    return load(SAMPLE, {"CALLROUTER_ARI_PASSWORD": "x"})


def days_of(*years: int) -> list[date]:
    days = [date(year, 1, 1) + timedelta(days=n) for year in years for n in range(366)]
    return [day for day in days if day.year in years]


def test_the_table_is_of_two_whole_years() -> None:
    assert {year: sum(day.year == year for day in OFFICIAL) for year in (2026, 2027)} == {2026: 22, 2027: 24}


def at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=SEOUL)


@pytest.mark.parametrize(("name", "hour"), [("weekday-day", 12), ("weekday-night", 20)])
def test_the_sample_is_closed_on_every_official_holiday_and_open_on_every_other_weekday(
    sample: Loaded, name: str, hour: int
) -> None:
    hours = calendar(sample, name)
    for day in days_of(2026, 2027):
        assert hours.is_open(at(day, hour)) is (day.weekday() < 5 and day not in OFFICIAL), day


def test_every_holiday_has_its_official_name_unless_ours_wins(sample: Loaded) -> None:
    schedule = calendar(sample, "weekday-day").schedule
    for day in days_of(2026, 2027):
        expected = {**OFFICIAL, **OUR_NAMES}.get(day)
        assert list(schedule.notes(day)) == ([Note(expected)] if expected else []), day


def test_the_country_alone_has_exactly_the_official_days_and_names(tmp_path: Path) -> None:
    base = shutil.copytree(BASE, tmp_path / "config")
    (base / "calendars.yaml").write_text(
        "holidays: {public: {country: KR}}\n"
        "calendars:\n"
        "  day: {open: mon-fri 09:00-18:00, closed_on: public}\n"
        "  night: {open: mon-fri 18:00-22:00}\n",
        encoding="utf-8",
    )
    schedule = calendar(load(base, {"TEST_PASSWORD": "x"}), "day").schedule
    found = {day: note.reason for day in days_of(2026, 2027) for note in schedule.notes(day)}
    assert found == OFFICIAL
