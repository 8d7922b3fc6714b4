"""What may be written of calendars and holidays, and what it means."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callrouter.config.load import examine
from callrouter.config.model import Model
from callrouter.core.calendars import Calendar, Note
from callrouter.core.ids import CalendarName
from callrouter.core.routing import Ruleset

BASE = Path(__file__).parents[1] / "bad_config" / "base"
SEOUL = ZoneInfo("Asia/Seoul")
Examine = Callable[[str], tuple[dict[str, Calendar], list[str]]]


@pytest.fixture
def examined(tmp_path: Path) -> Examine:
    """The calendars of a ``calendars.yaml``, with the warnings about it."""
    folder = shutil.copytree(BASE, tmp_path / "config")

    def examine_text(text: str) -> tuple[dict[str, Calendar], list[str]]:
        (folder / "calendars.yaml").write_text(text, encoding="utf-8")
        loaded, problems = examine(folder, {"TEST_PASSWORD": "x"})
        assert loaded is not None, problems.errors
        router = loaded.rulebook.router
        assert isinstance(router, Ruleset)
        return {str(name): one for name, one in router.calendars.items()}, [*map(str, problems.warnings)]

    return examine_text


def on(calendar: Calendar, day: str) -> str:
    """``09:00-18:00 (reason)``, as that day is."""
    found = date.fromisoformat(day)
    spans = [
        f"{one.start.astimezone(calendar.zone):%H:%M}-{one.end.astimezone(calendar.zone):%H:%M}"
        for one in calendar.stretches(found)
        if one.is_open
    ]
    reasons = [note.reason for note in calendar.schedule.notes(found)]
    return " ".join([*spans, *(f"({reason})" for reason in reasons)])


class TestAHolidaySet:
    text = """
        holidays:
          public:
            country: KR
            2026-12-24: 임시공휴일
            2026-12-25: 성탄절
            2027-01-01: no
          ours: {2026-12-31: 종무일, 2026-12-24: no, until: 2035-12-31}
        calendars:
          day: {open: daily 09:00-18:00, closed_on: public}
          night: {open: daily 18:00-22:00, closed_on: [public, ours]}
          other: {open: daily 18:00-22:00, closed_on: [ours, public]}
    """

    def test_adds_renames_and_takes_out_dates_of_its_country(self, examined: Examine) -> None:
        day = examined(self.text)[0]["day"]
        assert on(day, "2026-10-05") == "(개천절 대체 휴일)"
        assert on(day, "2026-12-24") == "(임시공휴일)"
        assert on(day, "2026-12-25") == "(성탄절)"
        assert on(day, "2027-01-01") == "09:00-18:00"
        assert on(day, "2026-12-31") == "09:00-18:00"

    def test_wins_over_those_that_are_named_before_it(self, examined: Examine) -> None:
        calendars, warnings = examined(self.text)
        assert on(calendars["night"], "2026-12-31") == "(종무일)"
        assert on(calendars["night"], "2026-12-24") == "18:00-22:00"
        assert on(calendars["other"], "2026-12-24") == "(임시공휴일)"
        assert warnings == []

    def test_has_the_years_that_are_needed(self, examined: Examine) -> None:
        day = examined(self.text)[0]["day"]
        assert on(day, "2015-02-19") == "(설날)"
        assert on(day, "2040-10-03") == "(개천절)"
        assert day.holidays_end == date(2040, 12, 31)

    def test_is_computed_as_far_as_it_says(self, examined: Examine) -> None:
        text = """
            holidays: {public: {country: KR, until: 2055-03-01}}
            calendars:
              day: {open: daily 09:00-18:00, closed_on: public}
              night: {open: daily 18:00-22:00}
        """
        calendars, _ = examined(text)
        assert on(calendars["day"], "2055-12-25") == "(기독탄신일)"
        assert calendars["day"].holidays_end == date(2055, 3, 1)
        assert calendars["night"].holidays_end is None

    def test_has_the_names_of_the_language_that_is_asked_for(self, examined: Examine) -> None:
        text = """
            holidays: {public: {country: KR, language: en_US}}
            calendars:
              day: {open: daily 09:00-18:00, closed_on: public}
              night: {open: daily 18:00-22:00}
        """
        assert on(examined(text)[0]["day"], "2026-10-05") == "(Alternative holiday for National Foundation Day)"

    def test_that_names_no_country_does_not_load_the_package_of_holidays(self) -> None:
        program = (
            "import sys; from pathlib import Path; from callrouter.config import load;"
            f"load(Path({str(BASE)!r}), {{'TEST_PASSWORD': 'x'}}); sys.exit('holidays' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", program], cwd=BASE.parents[2], check=False).returncode == 0


class TestACalendarLikeAnother:
    text = """
        holidays:
          public: {country: KR}
          ours: {2026-11-25: 시민의 날, until: 2035-12-31}
        calendars:
          day:
            open: mon-fri 09:00-18:00
            closed: daily 12:00-13:00
            closed_on: [public, last fri]
            exceptions: {2026-12-31: 09:00-13:00, 2026-12-30: closed, 2026-12-29: closed}
          night:
            like: day
            closed_on: ours
            exceptions: {2026-12-30: 10:00-11:00, 2026-12-29: usual, 2026-12-25: usual, 2026-11-27: usual}
          late: {like: night, open: mon-fri 18:00-22:00, closed: [], zone: Asia/Tokyo}
          both: {union: [day, night]}
    """

    @pytest.mark.parametrize(
        ("name", "day", "hours"),
        [
            ("night", "2026-11-24", "09:00-12:00 13:00-18:00"),
            ("day", "2026-11-25", "09:00-12:00 13:00-18:00"),
            ("night", "2026-11-25", "(시민의 날)"),
            ("night", "2026-10-05", "(개천절 대체 휴일)"),
            ("day", "2026-11-27", "(last Fri)"),
            ("night", "2026-11-27", "09:00-12:00 13:00-18:00 (usual hours by a dated entry)"),
            ("night", "2027-01-29", "(last Fri)"),
            ("day", "2026-12-25", "(기독탄신일)"),
            ("night", "2026-12-25", "09:00-12:00 13:00-18:00 (usual hours by a dated entry)"),
            ("night", "2026-12-29", "09:00-12:00 13:00-18:00 (usual hours by a dated entry)"),
            ("day", "2026-12-30", "(closed by a dated entry)"),
            ("night", "2026-12-30", "10:00-11:00 (other hours by a dated entry)"),
            ("night", "2026-12-31", "09:00-13:00 (other hours by a dated entry of day)"),
            ("late", "2026-12-31", "09:00-13:00 (other hours by a dated entry of day)"),
            ("late", "2026-12-30", "10:00-11:00 (other hours by a dated entry of night)"),
            ("late", "2026-11-24", "18:00-22:00"),
            ("late", "2026-11-25", "(시민의 날)"),
        ],
    )
    def test_has_what_the_other_has_but_for_its_own(self, examined: Examine, name: str, day: str, hours: str) -> None:
        assert on(examined(self.text.replace("both:", "all:"))[0][name], day) == hours

    def test_may_be_in_another_zone(self, examined: Examine) -> None:
        calendars, _ = examined(self.text)
        assert (calendars["late"].zone.key, calendars["night"].zone.key) == ("Asia/Tokyo", "Asia/Seoul")

    def test_goes_by_the_holidays_of_the_other_too_as_a_combination_does_by_those_of_its_parts(
        self, examined: Examine
    ) -> None:
        calendars, _ = examined(self.text)
        ends = {name: one.holidays_end for name, one in calendars.items()}
        until = date(2035, 12, 31)
        assert ends == {"day": date(2040, 12, 31), "night": until, "late": until, "both": until}


def test_days_of_the_month_open_and_close(examined: Examine) -> None:
    calendars, _ = examined("""
        calendars:
          day:
            open: [mon-fri 09:00-18:00, "2nd, 4th sat 09:00-13:00"]
            closed: last fri 13:00-18:00
            closed_on: 1st mon
          night: {open: last fri 18:00-02:00}
    """)
    start = date(2026, 11, 1)
    described = {n + 1: on(calendars["day"], str(start + timedelta(days=n))) for n in range(30)}
    assert described[2] == "(1st Mon)"
    assert described[7] == ""
    assert described[9] == "09:00-18:00"
    assert described[14] == "09:00-13:00 (2nd Sat)"
    assert described[27] == "09:00-13:00 (last Fri)"
    assert described[28] == "09:00-13:00 (4th Sat)"
    assert on(calendars["night"], "2026-11-28") == "00:00-02:00"


class TestHolidaysThatEndSoon:
    text = """\
holidays:
  public: {country: KR, until: 2027-01-23}
  plain: {2026-11-30: 하루, until: 2026-11-25}
  dates: {2026-11-24: 오늘, 2027-02-07: no}
  gone: {2026-11-23: 어제}
  far: {2027-01-24: 먼 날}
  unused: {2026-01-01: 옛날}
calendars:
  day: {open: daily 09:00-18:00, closed_on: [public, dates]}
  night: {open: daily 18:00-22:00, closed_on: [public, plain, gone, far]}
  a: {like: day}
  b: {union: [a, night]}
  c: {like: night}
"""

    def test_are_complained_of_where_they_can_be_mended(self, examined: Examine) -> None:
        _, warnings = examined(self.text)
        assert warnings == [
            'calendars.yaml:2:32: the holidays "public", of day, night, a, b and 1 more, end on 2027-01-23, in 60 days;'
            " compare the days that follow with the official ones, then move it",
            'calendars.yaml:3:34: the holidays "plain", of night, b, c, end on 2026-11-25, tomorrow;'
            " add the days that follow, then move it",
            'calendars.yaml:4:11: the holidays "dates", of day, a, b, end on 2026-11-24, today;'
            " add the days that follow, or say with until: up to which day there are no others",
            'calendars.yaml:5:10: the holidays "gone", of night, b, c, ended on 2026-11-23, 1 day ago;'
            " add the days that follow, or say with until: up to which day there are no others",
        ]

    def test_are_complained_of_by_the_date_in_their_own_zone(
        self, examined: Examine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callrouter.config.today.now", lambda: datetime(2026, 11, 24, 15, 0, tzinfo=UTC))
        assert "ended on 2026-11-24, 1 day ago" in "".join(examined(self.text)[1])

    def test_may_end_where_the_package_does(self, examined: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("callrouter.config.today.now", lambda: datetime(2100, 11, 24, tzinfo=UTC))
        text = """\
holidays: {public: {country: KR}, open: {2026-12-25: no}}
calendars:
  day: {open: daily 09:00-18:00, closed_on: [public, open]}
  night: {open: daily 18:00-22:00}
"""
        calendars, warnings = examined(text)
        assert calendars["day"].holidays_end == date(2100, 12, 31)
        assert warnings == [
            'calendars.yaml:1:30: the holidays "public", of day, end on 2100-12-31, in 37 days;'
            " install a newer holidays package, or write the dates themselves"
        ]

    def test_do_not_trouble_a_machine_whose_clock_has_lost_its_date(
        self, examined: Examine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callrouter.config.today.now", lambda: datetime(1970, 1, 1, tzinfo=UTC))
        calendars, _ = examined(self.text)
        assert list(calendars["day"].schedule.notes(date(2026, 12, 25))) == [Note("기독탄신일")]


def test_editors_are_told_that_dates_stand_beside_the_other_keys_of_a_set() -> None:
    schema = Model.model_json_schema()["$defs"]["Holidays"]
    assert [*schema["properties"]] == ["country", "language", "until"]
    (pattern,) = schema["patternProperties"]
    assert re.search(pattern, "2026-12-25")
    assert not re.search(pattern, "country")
    assert schema["additionalProperties"] is False


def test_the_calendar_of_a_part_is_told(examined: Examine) -> None:
    calendars, _ = examined("""
        holidays: {public: {country: KR}}
        calendars:
          day: {open: mon-fri 09:00-18:00, closed_on: public}
          night: {union: day}
    """)
    assert list(calendars["night"].schedule.notes(date(2026, 12, 25))) == [Note("기독탄신일", (CalendarName("day"),))]
