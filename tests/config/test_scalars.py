"""What texts mean."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.config.scalars import (
    parse_closed_on,
    parse_date,
    parse_duration,
    parse_hours,
    parse_whole,
    parse_window,
)
from callrouter.core.calendars import LAST, Days, Hours, Window


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20),
        ("20s", 20),
        ("2 min", 120),
        ("1.5h", 5400),
        ("1 min 30 s", 90),
        ("500ms", 0.5),
        ("1d", 86400),
        ("0", 0),
    ],
)
def test_durations_are_seconds_or_carry_their_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1", "1 fortnight", "1 min 30", "20 s later", "1e3", "9999d", None, ["1"]])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration; write seconds"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("09:00-18:00", Hours(540, 1080)),
        ("9:00 - 18:00", Hours(540, 1080)),
        ("09:00–18:00", Hours(540, 1080)),
        ("18:00-24:00", Hours(1080, 1440)),
        ("18:00-00:00", Hours(1080, 1440)),
        ("00:00-24:00", Hours(0, 1440)),
        ("18:00-09:00", Hours(1080, 1980)),
    ],
)
def test_hours_run_to_their_end_on_the_same_or_the_next_day(text: str, hours: Hours) -> None:
    assert parse_hours(text) == hours


@pytest.mark.parametrize("text", ["", "09:00", "24:00-25:00", "09:60-10:00", "9-18", "24:00-09:00", "09:00-24:01"])
def test_what_is_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not hours; write them as 09:00-18:00"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri 09:00-18:00", {0, 1, 2, 3, 4}),
        ("Sat,Sun 09:00-18:00", {5, 6}),
        ("fri-mon 09:00-18:00", {4, 5, 6, 0}),
        ("mon, wed-thu 09:00-18:00", {0, 2, 3}),
        ("daily 09:00-18:00", {0, 1, 2, 3, 4, 5, 6}),
        ("sun 09:00-18:00", {6}),
    ],
)
def test_days_are_names_lists_and_ranges(text: str, days: set[int]) -> None:
    assert parse_window(text).days == days


@pytest.mark.parametrize("text", ["09:00-18:00", "monday 09:00-18:00", "mon- 09:00-18:00", "mon,, 09:00-18:00", 5])
def test_what_are_no_days_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not opening hours; write days and hours"):
        parse_window(text)


@pytest.mark.parametrize(
    ("text", "weeks", "day"),
    [
        ("2nd sat", {2}, 5),
        ("1st,3rd sat", {1, 3}, 5),
        ("1st, 3rd ,5th SAT", {1, 3, 5}, 5),
        ("Last Fri", {LAST}, 4),
        ("4th,last mon", {4, LAST}, 0),
    ],
)
def test_days_of_the_month_are_counted_or_the_last(text: str, weeks: set[int], day: int) -> None:
    assert parse_closed_on(text) == Days(frozenset({day}), frozenset(weeks))
    assert parse_window(f"{text} 09:00-13:00") == Window(frozenset({day}), Hours(540, 780), frozenset(weeks))


@pytest.mark.parametrize("text", ["0th sat", "6th sat", "22nd sat", "2nd", "2nd sat,sun", "last mon-fri", "1st,, sat"])
def test_what_are_no_days_of_the_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not opening hours; write"):
        parse_window(f"{text} 09:00-13:00")


def test_a_set_of_holidays_is_named_by_one_word() -> None:
    assert parse_closed_on("public") == "public"


@pytest.mark.parametrize(
    "parser", [parse_duration, parse_whole, parse_date, parse_window, parse_hours, parse_closed_on]
)
@given(text=st.text(max_size=20) | st.from_regex(r"[a-z0-9:, -]{1,20}", fullmatch=True))
def test_no_text_gives_anything_but_a_value_or_a_message_with_a_remedy(
    parser: Callable[[str], object], text: str
) -> None:
    refused = None
    try:
        parser(text)
    except ValueError as error:
        refused = str(error)
    assert refused is None or refused.partition("; ")[2]


@pytest.mark.parametrize(
    ("parser", "text"),
    [(parse_duration, "20 s"), (parse_whole, "20"), (parse_date, "2026-12-25"), (parse_hours, "09:00-18:00")],
)
def test_blanks_around_a_value_do_not_count_and_what_cannot_be_seen_is_no_blank(
    parser: Callable[[str], object], text: str
) -> None:
    assert parser(f" \t{text}\r\n") == parser(text)
    for unseen in ("\x1f", "\x0b", "\x0c", "\x85", "\u00a0", "\u3000"):
        with pytest.raises(ValueError, match="; "):
            parser(text + unseen)


def test_no_white_space_that_python_knows_makes_a_number_fail_halfway() -> None:
    for unseen in map(chr, range(0x3001)):
        if unseen.isspace() and unseen not in " \t\r\n":
            with pytest.raises(ValueError, match=r"is not a whole number; write digits only$"):
                parse_whole(f"0{unseen}")
