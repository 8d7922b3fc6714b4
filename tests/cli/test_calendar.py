"""``callrouter calendar``: which days are like others, which are not, and why."""

import json
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callrouter.cli import calendar as command
from callrouter.cli import main
from callrouter.config import load
from callrouter.core.ids import CalendarName
from callrouter.core.routing import Ruleset

BASE = Path(__file__).parents[1] / "bad_config" / "base"
TEXT = """
holidays:
  public: {country: KR, until: 2027-12-31}
calendars:
  day:
    open: [mon-fri 09:00-18:00, 2nd sat 09:00-13:00]
    closed: daily 12:00-13:00
    closed_on: [public, last fri]
    exceptions: {2026-12-24: closed, 2026-12-28: 10:00-12:00}
  night: {open: mon-fri 18:00-09:00, closed_on: public}
  both: {union: [day, night]}
  always: {open: daily 00:00-24:00}
  late: {open: daily 18:00-24:00}
  berlin: {open: daily 00:00-24:00, closed: daily 02:15-02:45, zone: Europe/Berlin}
"""
NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return NOW

    monkeypatch.setattr(command, "datetime", Clock)
    made = shutil.copytree(BASE, tmp_path / "config")
    (made / "calendars.yaml").write_text(TEXT, encoding="utf-8")
    return made


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["calendar", *arguments, "--config", str(folder)], catch_exceptions=False)


def test_the_days_to_come_are_shown_with_what_is_special(folder: Path) -> None:
    result = run(folder, "day", "--from", "2026-12-23", "--days", "7")
    assert result.exit_code == 0
    assert result.stdout == (
        "day             Asia/Seoul\n"
        "Wed 2026-12-23  09:00-12:00, 13:00-18:00\n"
        "Thu 2026-12-24  closed                    closed by a dated entry\n"
        "Fri 2026-12-25  closed                    기독탄신일\n"
        "Sat 2026-12-26  closed\n"
        "Sun 2026-12-27  closed\n"
        "Mon 2026-12-28  10:00-12:00               other hours by a dated entry\n"
        "Tue 2026-12-29  09:00-12:00, 13:00-18:00\n"
    )


def test_days_of_the_month_are_reasons_too(folder: Path) -> None:
    lines = run(folder, "day", "--from", "2026-11-14", "--days", "14").stdout.splitlines()
    assert lines[1] == "Sat 2026-11-14  09:00-12:00               2nd Sat"
    assert lines[-1] == "Fri 2026-11-27  closed                    last Fri"


def test_a_night_runs_on_over_midnight(folder: Path) -> None:
    lines = run(folder, "night", "--from", "2026-12-24", "--days", "5").stdout.splitlines()[1:]
    assert [line[16:].rstrip() for line in lines] == [
        "…-09:00, 18:00-…",
        "…-09:00           기독탄신일",
        "closed",
        "closed",
        "18:00-…",
    ]


def test_a_combination_says_which_of_its_parts_has_the_reason(folder: Path) -> None:
    lines = run(folder, "both", "--from", "2026-12-24", "--days", "2").stdout.splitlines()
    assert lines[1] == "Thu 2026-12-24  …-09:00, 18:00-…  closed by a dated entry (day)"
    assert lines[2] == "Fri 2026-12-25  …-09:00           기독탄신일 (day, night)"


def test_a_day_without_an_end_is_said_to_be_whole(folder: Path) -> None:
    assert run(folder, "always", "--days", "1").stdout.splitlines()[1] == "Tue 2026-11-24  all day"


def test_the_end_of_a_day_is_twenty_four_hundred(folder: Path) -> None:
    assert run(folder, "late", "--days", "1").stdout.splitlines()[1] == "Tue 2026-11-24  18:00-24:00"


def test_the_nights_on_which_clocks_change_are_marked(folder: Path) -> None:
    spring = run(folder, "berlin", "--from", "2027-03-28", "--days", "1").stdout.splitlines()
    assert spring == ["berlin          Europe/Berlin", "Sun 2027-03-28  all day        clock goes forward by 60 min"]
    autumn = run(folder, "berlin", "--from", "2026-10-25", "--days", "1").stdout.splitlines()[1]
    assert autumn == "Sun 2026-10-25  …-02:15, 02:45-02:15, 02:45-…  clock goes back by 60 min"


def test_days_after_the_end_of_the_holidays_are_not_passed_off_as_known(folder: Path) -> None:
    assert run(folder, "day", "--from", "2027-12-31", "--days", "1").stdout.count("\n") == 2
    lines = run(folder, "day", "--from", "2027-12-31", "--days", "2").stdout.splitlines()
    assert lines[-1] == "Its holidays are known up to 2027-12-31 only."


def test_without_days_a_fortnight_from_today_is_shown(folder: Path) -> None:
    lines = run(folder, "day").stdout.splitlines()[1:]
    assert (len(lines), lines[0][:14], lines[-1][:14]) == (14, "Tue 2026-11-24", "Mon 2026-12-07")


def test_without_a_name_all_are_listed_as_they_are_now(folder: Path) -> None:
    assert [line.split("  ") for line in map(squeezed, run(folder).stdout.splitlines())] == [
        ["calendar", "now", "holidays known to"],
        ["day", "open until 12:00, for 1 h 30 min", "2027-12-31"],
        ["night", "closed: opens 18:00, in 7 h 30 min", "2027-12-31"],
        ["both", "open until 12:00, for 1 h 30 min", "2027-12-31"],
        ["always", "open, and stays so", "-"],
        ["late", "closed: opens 18:00, in 7 h 30 min", "-"],
        ["berlin", "closed: opens 02:45, in 15 min", "-"],
    ]


def squeezed(line: str) -> str:
    """Columns two blanks apart."""
    return re.sub(" {2,}", "  ", line)


def test_programs_get_all_of_it(folder: Path) -> None:
    listed = json.loads(run(folder, "--json").stdout)
    assert listed[0] == {
        "name": "day",
        "zone": "Asia/Seoul",
        "open": True,
        "next_change": "2026-11-24T12:00:00+09:00",
        "why": "open until 12:00, for 1 h 30 min",
        "holidays_end": "2027-12-31",
    }
    assert (listed[3]["next_change"], listed[3]["holidays_end"]) == (None, None)
    shown = json.loads(run(folder, "both", "--from", "2026-12-25", "--days", "1", "--json").stdout)
    assert shown == {
        "name": "both",
        "zone": "Asia/Seoul",
        "holidays_end": "2027-12-31",
        "days": [
            {
                "date": "2026-12-25",
                "open": [{"from": "2026-12-25T00:00:00+09:00", "to": "2026-12-25T09:00:00+09:00"}],
                "notes": [
                    {"reason": "기독탄신일", "parts": ["day"]},
                    {"reason": "기독탄신일", "parts": ["night"]},
                ],
                "clock_shift_s": 0.0,
            }
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nihgt"], 'there is no calendar "nihgt"; did you mean "night"?'),
        (["day", "--from", "Christmas"], "'Christmas' is not a date; write it as 2027-02-05"),
        (["day", "--from", "9999-12-31"], "9999-12-31 is no day of our times"),
        (["day", "--days", "0"], "0 is not in the range 1<=x<=732"),
        (["--days", "3"], "--from and --days go with the NAME of a calendar"),
    ],
)
def test_wrong_usage_is_said_with_its_remedy(folder: Path, arguments: list[str], words: str) -> None:
    result = run(folder, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_help_has_an_example() -> None:
    assert "Examples: callrouter calendar weekday-day" in CliRunner().invoke(main, ["calendar", "--help"]).output


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["day", "night", "both", "berlin"]),
    st.dates(date(2026, 1, 1), date(2028, 1, 1)),
    st.lists(st.integers(0, 24 * 60 - 1), min_size=1, max_size=20),
)
def test_what_is_shown_is_what_is_decided(folder: Path, name: str, first: date, minutes: list[int]) -> None:
    router = load(folder, {"TEST_PASSWORD": "x"}).rulebook.router
    assert isinstance(router, Ruleset)
    calendar = router.calendars[CalendarName(name)]
    (day,) = json.loads(run(folder, name, "--from", str(first), "--days", "1", "--json").stdout)["days"]
    spans = [(datetime.fromisoformat(one["from"]), datetime.fromisoformat(one["to"])) for one in day["open"]]
    start = datetime(first.year, first.month, first.day, tzinfo=calendar.zone).astimezone(UTC)
    for minute in minutes:
        instant = start + timedelta(minutes=minute)
        if instant.astimezone(calendar.zone).date() == first:
            assert any(begin <= instant < end for begin, end in spans) is calendar.is_open(instant)
