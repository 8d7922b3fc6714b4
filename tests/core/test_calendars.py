"""Opening hours: half-open windows, nights, exceptions, and the two nights on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.calendars import (
    MINUTES_A_DAY,
    Calendar,
    Combined,
    DatedExceptions,
    DayException,
    Exceptions,
    FirstOf,
    Hours,
    Weekly,
    Window,
)
from callrouter.core.ids import CalendarName

SEOUL = ZoneInfo("Asia/Seoul")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
DAILY = frozenset(range(7))
WEEKDAYS = frozenset(range(5))


def hours(start: str, end: str) -> Hours:
    """``"18:00", "09:00"`` as hours; an end at or before the start is on the next day."""
    first, last = (int(text[:2]) * 60 + int(text[3:]) for text in (start, end))
    return Hours(first, last if last > first else last + MINUTES_A_DAY)


def weekly(
    start: str,
    end: str,
    days: frozenset[int] = WEEKDAYS,
    zone: ZoneInfo = SEOUL,
    exceptions: Exceptions | None = None,
) -> Calendar:
    windows = (Window(days, hours(start, end)),)
    return Calendar(CalendarName("test"), zone, Weekly(zone, windows, exceptions or DatedExceptions({})))


def at(text: str, zone: ZoneInfo = SEOUL, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-24T08:59:59.999999", False),
        ("2026-11-24T09:00:00", True),
        ("2026-11-24T17:59:59.999999", True),
        ("2026-11-24T18:00:00", False),
        ("2026-11-28T12:00:00", False),
    ],
)
def test_a_window_holds_from_its_first_instant_to_just_before_its_last(moment: str, is_open: bool) -> None:
    assert weekly("09:00", "18:00").is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T02:00:00", False),  # Monday: Sunday's window does not exist
        ("2026-11-23T18:00:00", True),
        ("2026-11-24T08:59:59", True),
        ("2026-11-24T09:00:00", False),
        ("2026-11-28T02:00:00", True),  # Saturday: Friday's window
        ("2026-11-28T09:00:00", False),
        ("2026-11-28T18:00:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_starts_on(moment: str, is_open: bool) -> None:
    assert weekly("18:00", "09:00").is_open(at(moment)) is is_open


def test_twenty_four_hundred_is_the_end_of_the_day() -> None:
    calendar = weekly("18:00", "24:00")
    assert calendar.is_open(at("2026-11-27T23:59:59"))
    assert not calendar.is_open(at("2026-11-28T00:00:00"))


def test_a_whole_week_never_closes() -> None:
    calendar = weekly("00:00", "24:00", DAILY)
    assert calendar.next_change(at("2026-11-24T12:00")) is None
    assert calendar.explain(at("2026-11-24T12:00")) == "open, and stays so"


def test_a_calendar_without_windows_never_opens() -> None:
    calendar = Calendar(CalendarName("never"), SEOUL, Weekly(SEOUL, ()))
    assert calendar.explain(at("2026-11-24T12:00")) == "closed, and stays so"


@pytest.mark.parametrize(("start", "end"), [(-1, 60), (1440, 1500), (60, 60), (60, 50), (60, 1501)])
def test_hours_that_are_not_within_a_day_of_their_start_are_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="not within one day"):
        Hours(start, end)


def test_a_dated_exception_replaces_the_windows_that_start_on_its_date() -> None:
    exceptions = DatedExceptions(
        {
            date(2026, 11, 24): DayException("한글날"),
            date(2026, 11, 25): DayException("짧은 날", (hours("09:00", "12:00"),)),
        }
    )
    day = weekly("09:00", "18:00", exceptions=exceptions)
    assert not day.is_open(at("2026-11-24T12:00"))
    assert day.is_open(at("2026-11-25T11:59"))
    assert not day.is_open(at("2026-11-25T12:00"))
    assert day.explain(at("2026-11-24T12:00")) == "closed (한글날): opens Wed 09:00, in 21 h"
    assert day.explain(at("2026-11-25T11:56")) == "open (짧은 날) until 12:00, for 4 min"


def test_the_night_before_a_holiday_runs_on_into_it_and_the_holiday_s_own_does_not_begin() -> None:
    night = weekly("18:00", "09:00", exceptions=DatedExceptions({date(2026, 11, 25): DayException("휴일")}))
    assert night.is_open(at("2026-11-25T02:00"))
    assert not night.is_open(at("2026-11-25T18:00"))
    assert not night.is_open(at("2026-11-26T02:00"))
    assert night.is_open(at("2026-11-26T18:00"))


def test_of_several_sources_of_exceptions_the_first_that_knows_a_day_decides() -> None:
    ours = DatedExceptions({date(2026, 12, 25): DayException("당직", (hours("09:00", "12:00"),))})
    public = DatedExceptions({date(2026, 12, 25): DayException("성탄절"), date(2027, 1, 1): DayException("신정")})
    both = FirstOf((ours, public))
    assert [
        special.reason for day in (25, 32) if (special := both.on(date(2026, 12, 1) + timedelta(days=day - 1)))
    ] == [
        "당직",
        "신정",
    ]
    assert both.on(date(2026, 12, 24)) is None


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-24T08:56", "closed: opens 09:00, in 4 min"),
        ("2026-11-24T08:59:30", "closed: opens 09:00, in 1 min"),
        ("2026-11-24T09:00", "open until 18:00, for 9 h"),
        ("2026-11-24T12:25", "open until 18:00, for 5 h 35 min"),
        ("2026-11-24T18:00", "closed: opens Wed 09:00, in 15 h"),
        ("2026-11-27T18:00", "closed: opens Mon 09:00, in 2 d 15 h"),
        ("2026-11-28T09:00", "closed: opens Mon 09:00, in 2 d"),
    ],
)
def test_a_calendar_says_when_it_changes(moment: str, words: str) -> None:
    assert weekly("09:00", "18:00").explain(at(moment)) == words


def test_a_change_more_than_a_week_away_is_said_with_its_date() -> None:
    closed = {date(2026, 11, 24) + timedelta(days=n): DayException("공사") for n in range(10)}
    calendar = weekly("09:00", "18:00", exceptions=DatedExceptions(closed))
    assert calendar.explain(at("2026-11-24T09:00")) == "closed (공사): opens Fri 2026-12-04 09:00, in 10 d"


# Clocks go forward: in New York on 2026-03-08 from 02:00 to 03:00, in Berlin on 2026-03-29 from 02:00 to 03:00.
# They go back: in New York on 2026-11-01 from 02:00 to 01:00, in Berlin on 2026-10-25 from 03:00 to 02:00.
CHANGES = [(NEW_YORK, "2026-03-08", "2026-11-01", "01"), (BERLIN, "2026-03-29", "2026-10-25", "02")]


@pytest.mark.parametrize(("zone", "spring", "autumn", "twice"), CHANGES, ids=["New York", "Berlin"])
class TestOnTheNightsOnWhichClocksChange:
    def test_a_window_inside_the_skipped_hour_does_not_happen(
        self, zone: ZoneInfo, spring: str, autumn: str, twice: str
    ) -> None:
        calendar = weekly("02:00", "03:00", DAILY, zone)
        before = at(f"{spring}T01:59:59", zone)
        assert not any(calendar.is_open(before + timedelta(minutes=minute)) for minute in range(180))
        change = calendar.next_change(before)
        assert change == at(f"{spring}T02:00", zone) + timedelta(hours=23)

    def test_a_window_that_starts_in_the_skipped_hour_opens_when_the_clock_jumps(
        self, zone: ZoneInfo, spring: str, autumn: str, twice: str
    ) -> None:
        calendar = weekly("02:30", "05:00", DAILY, zone)
        before = at(f"{spring}T01:59:59", zone)
        assert not calendar.is_open(before)
        assert calendar.is_open(before + timedelta(seconds=1))
        assert calendar.explain(before) == "closed: opens 03:00, in 1 min"
        assert calendar.next_change(before) == at(f"{spring}T03:00", zone)

    def test_a_window_that_ends_in_the_skipped_hour_closes_when_the_clock_jumps(
        self, zone: ZoneInfo, spring: str, autumn: str, twice: str
    ) -> None:
        calendar = weekly("22:00", "02:30", DAILY, zone)
        assert calendar.next_change(at(f"{spring}T01:00", zone)) == at(f"{spring}T03:00", zone)

    def test_a_window_in_the_repeated_hour_holds_both_times(
        self, zone: ZoneInfo, spring: str, autumn: str, twice: str
    ) -> None:
        calendar = weekly(f"{twice}:15", f"{twice}:45", DAILY, zone)
        for fold in (0, 1):
            assert calendar.is_open(at(f"{autumn}T{twice}:15", zone, fold))
            assert not calendar.is_open(at(f"{autumn}T{twice}:45", zone, fold))
        changes = [at(f"{autumn}T00:00", zone)]
        for _ in range(4):
            change = calendar.next_change(changes[-1])
            assert change is not None
            changes.append(change)
        local = [change.astimezone(zone) for change in changes[1:]]
        assert [f"{change:%H:%M}/{change.fold}" for change in local] == [
            f"{twice}:15/0",
            f"{twice}:45/0",
            f"{twice}:15/1",
            f"{twice}:45/1",
        ]

    def test_a_window_around_the_change_stays_open(self, zone: ZoneInfo, spring: str, autumn: str, twice: str) -> None:
        calendar = weekly("22:00", "06:00", DAILY, zone)
        for day, real in ((spring, 7), (autumn, 9)):
            opened = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=zone).astimezone(UTC) - timedelta(hours=2)
            closes = calendar.next_change(opened)
            assert calendar.is_open(opened)
            assert not calendar.is_open(opened - timedelta(seconds=1))
            assert closes == opened + timedelta(hours=real)
            assert calendar.explain(opened).endswith(f"for {real} h")
            assert calendar.explain(opened.astimezone(zone)).endswith(f"for {real} h")

    def test_next_change_finds_what_looking_every_minute_finds(
        self, zone: ZoneInfo, spring: str, autumn: str, twice: str
    ) -> None:
        calendar = weekly("01:30", "02:30", DAILY, zone)
        for day in (spring, autumn):
            start = at(f"{day}T00:00", zone)
            minutes = [start + timedelta(minutes=minute) for minute in range(6 * 60)]
            seen = [b for a, b in pairwise(minutes) if calendar.is_open(a) != calendar.is_open(b)]
            found = []
            moment = calendar.next_change(start)
            while moment is not None and moment <= minutes[-1]:
                found.append(moment)
                moment = calendar.next_change(moment)
            assert found == seen


def test_a_zone_that_changes_its_clock_at_midnight_is_right_too() -> None:
    # Chile, 2026-09-06: 00:00 becomes 01:00.
    zone = ZoneInfo("America/Santiago")
    calendar = weekly("00:30", "02:00", DAILY, zone)
    change = calendar.next_change(at("2026-09-05T23:00", zone))
    assert change == at("2026-09-06T01:00", zone)


def combined(**parts: tuple[Calendar, ...]) -> Calendar:
    return Calendar(CalendarName("all"), SEOUL, Combined(**parts))


def test_calendars_can_be_united_intersected_and_taken_away() -> None:
    day, night = weekly("09:00", "18:00"), weekly("18:00", "22:00")
    lunch = weekly("12:00", "13:00")
    monday = weekly("00:00", "24:00", frozenset({0}))
    either = combined(any_of=(day, night))
    assert either.is_open(at("2026-11-24T18:00"))
    assert either.explain(at("2026-11-24T17:00")) == "open until 22:00, for 5 h"
    without_lunch = combined(any_of=(day,), none_of=(lunch,))
    assert without_lunch.explain(at("2026-11-24T12:10")) == "closed: opens 13:00, in 50 min"
    on_mondays = combined(all_of=(day, monday))
    assert on_mondays.is_open(at("2026-11-23T10:00"))
    assert not on_mondays.is_open(at("2026-11-24T10:00"))


def test_a_combination_gives_the_reason_that_one_of_its_parts_gives() -> None:
    holiday = weekly("09:00", "18:00", exceptions=DatedExceptions({date(2026, 11, 24): DayException("휴일")}))
    calendar = combined(any_of=(weekly("18:00", "22:00"), holiday))
    assert calendar.explain(at("2026-11-24T17:00")) == "closed (휴일): opens 18:00, in 1 h"


def test_calendars_of_different_zones_are_not_combined() -> None:
    with pytest.raises(ValueError, match="one time zone"):
        Combined(any_of=(weekly("09:00", "18:00"), weekly("09:00", "18:00", zone=BERLIN)))
    with pytest.raises(ValueError, match="needs calendars"):
        Combined()


instants = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from([SEOUL, BERLIN, NEW_YORK])


@given(st.lists(st.integers(0, 7 * 24 * 60 - 1), min_size=2, max_size=8, unique=True), zones, instants)
def test_windows_that_meet_tile_the_week(cuts: list[int], zone: ZoneInfo, moment: datetime) -> None:
    """However a week is cut into windows, every instant lies in exactly one of them."""
    calendars = []
    ordered = sorted(cuts)
    for start, end in zip(ordered, [*ordered[1:], ordered[0] + 7 * MINUTES_A_DAY], strict=True):
        windows = []
        # A window is at most a day long: a longer stretch is written as several.
        while start < end:
            stop = min(end, start + MINUTES_A_DAY)
            day, minute = divmod(start, MINUTES_A_DAY)
            windows.append(Window(frozenset({day % 7}), Hours(minute, minute + stop - start)))
            start = stop
        calendars.append(Calendar(CalendarName("piece"), zone, Weekly(zone, tuple(windows))))
    assert sum(calendar.is_open(moment) for calendar in calendars) == 1


@given(
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, MINUTES_A_DAY - 1),
    st.integers(1, MINUTES_A_DAY),
    zones,
    instants,
)
def test_nothing_changes_before_the_next_change(
    days: frozenset[int], start: int, length: int, zone: ZoneInfo, moment: datetime
) -> None:
    calendar = Calendar(CalendarName("any"), zone, Weekly(zone, (Window(days, Hours(start, start + length)),)))
    now_open = calendar.is_open(moment)
    change = calendar.next_change(moment)
    if change is None:
        assert days == DAILY
        assert length == MINUTES_A_DAY
        return
    assert change > moment
    assert calendar.is_open(change) is not now_open
    assert calendar.is_open(change - timedelta(microseconds=1)) is now_open
    for step in range(1, 12):
        assert calendar.is_open(moment + (change - moment) * step / 12) is now_open
    assert calendar.explain(moment).startswith("open" if now_open else "closed")
