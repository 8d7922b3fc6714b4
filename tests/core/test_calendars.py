"""Opening hours: half-open windows, nights, exceptions, and the two nights on which clocks change."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.core.calendars import (
    LAST,
    MINUTES_A_DAY,
    Calendar,
    ClosedDays,
    Combined,
    DatedExceptions,
    DayException,
    Days,
    Exceptions,
    FirstOf,
    Hours,
    Note,
    Weekly,
    Window,
)
from callrouter.core.ids import CalendarName

SEOUL = ZoneInfo("Asia/Seoul")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
SANTIAGO = ZoneInfo("America/Santiago")
"""Where clocks change at midnight."""
ZONES = (SEOUL, BERLIN, NEW_YORK, LORD_HOWE, SANTIAGO)
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


class TestWhereClocksChangeByHalfAnHour:
    """Lord Howe Island: forward on 2026-10-04 from 02:00 to 02:30, back on 2026-04-05 from 02:00 to 01:30."""

    def test_a_window_inside_the_skipped_half_hour_does_not_happen(self) -> None:
        calendar = weekly("02:00", "02:30", DAILY, LORD_HOWE)
        before = at("2026-10-04T01:59:59", LORD_HOWE)
        assert not any(calendar.is_open(before + timedelta(minutes=minute)) for minute in range(180))
        assert calendar.next_change(before) == at("2026-10-05T02:00", LORD_HOWE)

    def test_a_window_over_the_change_is_half_an_hour_shorter_or_longer(self) -> None:
        calendar = weekly("22:00", "06:00", DAILY, LORD_HOWE)
        for evening, real_h in (("2026-10-03", 7.5), ("2026-04-04", 8.5)):
            opened = at(f"{evening}T22:00", LORD_HOWE)
            assert calendar.next_change(opened) == opened + timedelta(hours=real_h)

    def test_a_window_in_the_repeated_half_hour_holds_both_times(self) -> None:
        calendar = weekly("01:40", "01:50", DAILY, LORD_HOWE)
        first = at("2026-04-05T01:40", LORD_HOWE)
        stretches = [(one.start, one.end) for one in calendar.stretches(date(2026, 4, 5)) if one.is_open]
        half, ten = timedelta(minutes=30), timedelta(minutes=10)
        assert stretches == [(first, first + ten), (first + half, first + half + ten)]


def test_a_zone_that_changes_its_clock_at_midnight_is_right_too() -> None:
    # Chile, 2026-09-06: 00:00 becomes 01:00.
    zone = SANTIAGO
    calendar = weekly("00:30", "02:00", DAILY, zone)
    jump = at("2026-09-06T01:00", zone)
    assert calendar.next_change(at("2026-09-05T23:00", zone)) == jump
    before, after = (list(calendar.stretches(date(2026, 9, day))) for day in (5, 6))
    assert [(one.end - one.start, one.is_open) for one in before[-2:]] == [
        (timedelta(minutes=90), True),
        (timedelta(hours=22), False),
    ]
    assert before[-1].end == after[0].start == jump
    assert (after[0].is_open, after[0].end - jump) == (True, timedelta(hours=1))


def month(*weeks: int, days: frozenset[int] = frozenset({5}), start: str = "09:00", end: str = "13:00") -> Window:
    return Window(days, hours(start, end), frozenset(weeks))


def opening(*windows: Window, exceptions: Exceptions | None = None, breaks: tuple[Window, ...] = ()) -> Calendar:
    schedule = Weekly(SEOUL, windows, exceptions or DatedExceptions({}), breaks)
    return Calendar(CalendarName("test"), SEOUL, schedule)


@pytest.mark.parametrize(
    ("window", "dates"),
    [
        (month(1), [7]),
        (month(2), [14]),
        (month(2, 4), [14, 28]),
        (month(LAST), [28]),
        (month(4, LAST), [28]),
        (month(5), []),
        (month(5, days=frozenset({6})), [29]),
        (month(1, days=frozenset({5, 6})), [1, 7]),
    ],
)
def test_a_window_may_come_back_on_some_days_of_the_month_only(window: Window, dates: list[int]) -> None:
    """November 2026 begins on a Sunday."""
    calendar = opening(window)
    days = [day for day in range(1, 31) if calendar.is_open(at(f"2026-11-{day:02}T12:59:59"))]
    assert days == dates
    assert not any(calendar.is_open(at(f"2026-11-{day:02}T13:00")) for day in range(1, 31))


def test_a_day_of_the_month_is_said_when_it_is_the_reason() -> None:
    calendar = opening(month(2, LAST), Window(WEEKDAYS, hours("09:00", "18:00")))
    assert calendar.explain(at("2026-11-14T10:00")) == "open (2nd Sat) until 13:00, for 3 h"
    assert calendar.explain(at("2026-11-28T10:00")) == "open (last Sat) until 13:00, for 3 h"
    assert calendar.explain(at("2026-11-24T10:00")) == "open until 18:00, for 8 h"


def test_a_night_of_the_month_runs_on_into_the_next_month() -> None:
    night = opening(month(LAST, days=frozenset({0}), start="22:00", end="06:00"))
    assert night.is_open(at("2026-12-01T05:59"))
    assert not night.is_open(at("2026-12-01T06:00"))


def test_it_stays_closed_on_days_of_the_month() -> None:
    closed = ClosedDays(Days(frozenset({4}), frozenset({LAST})))
    calendar = opening(Window(WEEKDAYS, hours("09:00", "18:00")), exceptions=closed)
    assert calendar.explain(at("2026-11-27T10:00")) == "closed (last Fri): opens Mon 09:00, in 2 d 23 h"
    assert calendar.is_open(at("2026-11-20T10:00"))


def test_days_that_come_every_week_are_called_by_their_name() -> None:
    calendar = opening(Window(DAILY, hours("09:00", "18:00")), exceptions=ClosedDays(Days(frozenset({6}))))
    assert calendar.explain(at("2026-11-29T10:00")) == "closed (Sun): opens Mon 09:00, in 23 h"


class TestBreaks:
    lunch = Window(DAILY, hours("12:00", "13:00"))

    def test_close_for_their_time(self) -> None:
        calendar = opening(Window(WEEKDAYS, hours("09:00", "18:00")), breaks=(self.lunch,))
        assert calendar.explain(at("2026-11-24T11:59:59")) == "open until 12:00, for 1 min"
        assert calendar.explain(at("2026-11-24T12:00")) == "closed: opens 13:00, in 1 h"
        assert calendar.is_open(at("2026-11-24T13:00"))

    def test_may_cross_midnight_and_cut_the_hours_of_the_day_before(self) -> None:
        pause = Window(frozenset({5}), hours("02:00", "03:00"))
        late = Window(frozenset({4}), hours("23:30", "00:30"))
        calendar = opening(Window(frozenset({4}), hours("18:00", "09:00")), breaks=(pause, late))
        changes = [(one.start.astimezone(SEOUL).hour, one.is_open) for one in calendar.stretches(date(2026, 11, 28))]
        assert changes == [(0, False), (0, True), (2, False), (3, True), (9, False)]

    def test_of_the_month_give_their_reason(self) -> None:
        training = month(LAST, days=frozenset({4}), start="13:00", end="18:00")
        calendar = opening(Window(WEEKDAYS, hours("09:00", "18:00")), breaks=(training,))
        assert calendar.explain(at("2026-11-27T12:00")) == "open (last Fri) until 13:00, for 1 h"

    def test_do_not_cut_the_hours_of_a_dated_exception_on_which_they_would_start(self) -> None:
        short = DatedExceptions({date(2026, 11, 24): DayException("짧은 날", (hours("09:00", "15:00"),))})
        calendar = opening(Window(WEEKDAYS, hours("09:00", "18:00")), exceptions=short, breaks=(self.lunch,))
        assert calendar.is_open(at("2026-11-24T12:30"))


def test_an_exception_can_say_that_the_windows_hold_all_the_same() -> None:
    usual = DatedExceptions({date(2026, 11, 27): DayException("근무", None)})
    closed = ClosedDays(Days(frozenset({4}), frozenset({LAST})))
    calendar = opening(
        Window(WEEKDAYS, hours("09:00", "18:00")),
        month(LAST, days=frozenset({4}), start="18:00", end="20:00"),
        exceptions=FirstOf((usual, closed)),
    )
    assert calendar.explain(at("2026-11-27T10:00")) == "open (근무) until 20:00, for 10 h"
    assert list(calendar.schedule.notes(date(2026, 11, 27))) == [Note("근무"), Note("last Fri")]


def test_a_part_of_a_combination_is_named_with_its_reason() -> None:
    holiday = weekly("09:00", "18:00", exceptions=DatedExceptions({date(2026, 11, 24): DayException("휴일")}))
    inner = Calendar(CalendarName("inner"), SEOUL, Combined(any_of=(holiday,)))
    assert list(combined(any_of=(inner,)).schedule.notes(date(2026, 11, 24))) == [
        Note("휴일", (CalendarName("inner"), CalendarName("test")))
    ]


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


changes = st.sampled_from(
    [
        at(f"{day}T00:00", zone)
        for zone, *days in (
            (BERLIN, "2026-03-29", "2026-10-25"),
            (NEW_YORK, "2026-03-08", "2026-11-01"),
            (LORD_HOWE, "2026-04-05", "2026-10-04"),
            (SANTIAGO, "2026-04-04", "2026-09-06"),
        )
        for day in days
    ]
)
"""Midnights before or at which clocks are changed."""
instants = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)) | st.builds(  # noqa: DTZ001
    lambda midnight, minutes: midnight + timedelta(minutes=minutes), changes, st.integers(-600, 1800)
)
zones = st.sampled_from(ZONES)


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


hour_spans = st.builds(
    lambda start, length: Hours(start, start + length),
    st.integers(0, MINUTES_A_DAY - 1),
    st.integers(1, MINUTES_A_DAY),
)
weeks = st.sampled_from([frozenset[int](), *map(frozenset, ([1], [2], [LAST], [1, 3], [4, LAST], [5]))])
weekdays = st.sampled_from([DAILY, WEEKDAYS, *map(frozenset, ([0], [4], [5, 6]))])
windows = st.builds(Window, weekdays, hour_spans, weeks)
some_windows = st.lists(windows, max_size=3).map(tuple)
days_of_25_to_27 = st.dates(date(2025, 1, 1), date(2027, 12, 31)) | changes.map(datetime.date)
exceptions = st.dictionaries(
    days_of_25_to_27,
    st.builds(DayException, st.just("entry"), st.none() | st.lists(hour_spans, max_size=2).map(tuple)),
    max_size=2,
).map(DatedExceptions)
closed_days = st.none() | st.builds(ClosedDays, st.builds(Days, weekdays, weeks))
breaks = st.just(()) | st.tuples(windows)


def any_weekly(zone: ZoneInfo) -> st.SearchStrategy[Calendar]:
    """Windows, breaks, and exceptions of all kinds."""
    special = st.builds(lambda dated, closed: FirstOf((dated, closed)) if closed else dated, exceptions, closed_days)
    schedules = st.builds(Weekly, st.just(zone), some_windows, special, breaks)
    return st.builds(Calendar, st.just(CalendarName("any")), st.just(zone), schedules)


def any_calendar(zone: ZoneInfo) -> st.SearchStrategy[Calendar]:
    """One with windows, or a combination of such."""
    part = any_weekly(zone)
    one, none_or_one = st.tuples(part), st.just(()) | st.tuples(part)
    combinations = st.builds(Combined, st.tuples(part, part) | one, none_or_one, none_or_one)
    return part | st.builds(Calendar, st.just(CalendarName("all")), st.just(zone), combinations)


calendars = st.one_of([any_calendar(zone) for zone in ZONES])


def days_by_brute_force(year: int, month: int, weekday: int, which: int) -> list[date]:
    """The days of that name in the month, listed; then the one that is asked for, if there is."""
    first = date(year, month, 1)
    named = [day for n in range(31) if (day := first + timedelta(days=n)).month == month and day.weekday() == weekday]
    return named[-1:] if which == LAST else named[which - 1 : which]


@given(weekdays, weeks, st.integers(2020, 2040), st.integers(1, 12))
def test_days_of_the_month_are_those_that_one_finds_by_counting(
    names: frozenset[int], which: frozenset[int], year: int, number: int
) -> None:
    counted = {
        day
        for weekday in names
        for week in which or range(1, 6)
        for day in days_by_brute_force(year, number, weekday, week)
    }
    month_days = [day for n in range(31) if (day := date(year, number, 1) + timedelta(days=n)).month == number]
    assert {day for day in month_days if day in Days(names, which)} == counted


@settings(deadline=None, max_examples=60)  # One that never changes is looked at for 400 days.
@given(calendars, instants)
def test_nothing_changes_before_the_next_change(calendar: Calendar, moment: datetime) -> None:
    now_open = calendar.is_open(moment)
    change = calendar.next_change(moment)
    until = change if change is not None else moment + timedelta(days=400)
    if change is not None:
        assert change > moment
        assert calendar.is_open(change) is not now_open
        assert calendar.is_open(change - timedelta(microseconds=1)) is now_open
    for step in range(12):
        assert calendar.is_open(moment + (until - moment) * step / 12) is now_open


@settings(deadline=None, max_examples=60)
@given(calendars, instants)
def test_what_is_explained_is_what_is_decided(calendar: Calendar, moment: datetime) -> None:
    words = calendar.explain(moment)
    assert words.startswith("open" if calendar.is_open(moment) else "closed")
    change = calendar.next_change(moment)
    if change is None:
        assert words.endswith("and stays so")
    else:
        assert f"{change.astimezone(calendar.zone):%H:%M}, " in words
    reason = next((note.reason for note in calendar.schedule.notes(moment.astimezone(calendar.zone).date())), None)
    assert ("(" in words) is (reason is not None)


@given(calendars, days_of_25_to_27, st.lists(st.integers(0, 26 * 60 * 60), max_size=20))
def test_the_stretches_of_a_day_say_of_every_instant_what_is_decided(
    calendar: Calendar, day: date, seconds: list[int]
) -> None:
    stretches = list(calendar.stretches(day))
    assert [one.end for one in stretches[:-1]] == [one.start for one in stretches[1:]]
    assert all(a.is_open is not b.is_open for a, b in pairwise(stretches))
    local = datetime(day.year, day.month, day.day, tzinfo=calendar.zone)
    assert stretches[0].start == local.astimezone(UTC)
    assert stretches[-1].end == (local + timedelta(days=1)).astimezone(UTC)  # by the clock of the zone: 23 h to 25 h
    for instant in cut_points(stretches[0].start, stretches[-1].end, seconds):
        (inside,) = [one for one in stretches if one.start <= instant < one.end]
        assert inside.is_open is calendar.is_open(instant)


def cut_points(start: datetime, end: datetime, seconds: list[int]) -> Iterator[datetime]:
    for offset in seconds:
        if (instant := start + timedelta(seconds=offset)) < end:
            yield instant


@given(some_windows, exceptions, zones, instants)
def test_an_instant_is_open_if_a_window_that_started_on_some_day_holds_it(
    some: tuple[Window, ...], special: DatedExceptions, zone: ZoneInfo, moment: datetime
) -> None:
    """By brute force over the days before and the minutes since their midnights, as a clock on the wall shows them."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    held = False
    for back in range(3):
        day = local.date() - timedelta(days=back)
        entry = special.days.get(day)
        starting = [window.hours for window in some if day in Days(window.days, window.weeks)]
        if entry is not None and entry.hours is not None:
            starting = list(entry.hours)
        minute = (local - datetime(day.year, day.month, day.day)) / timedelta(minutes=1)  # noqa: DTZ001
        held = held or any(hours.start <= minute < hours.end for hours in starting)
    assert Calendar(CalendarName("any"), zone, Weekly(zone, some, special)).is_open(moment) is held
