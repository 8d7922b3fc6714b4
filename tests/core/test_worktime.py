"""How a counselor spends his time, against numbers worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from callrouter.core.duty import Duty
from callrouter.core.worktime import DutyChange, Spent, Talk, WorkTime

NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=minutes)


def talk(answered: float, ended: float, wrap_up: float = 0.0, *, rang: float = 0.0) -> Talk:
    """In minutes after nine; the phone rang for so long before."""
    return Talk(at(answered - rang), at(answered), at(ended), wrap_up * 60)


def spent(work: WorkTime, until: float = 120.0) -> tuple[float, float, float, dict[str, float]]:
    """Minutes logged in, talking and working after calls; and of pauses."""
    found = work.spent(at(until))
    pauses = {reason: round(seconds / 60, 6) for reason, seconds in found.pauses.items()}
    return (found.logged_in_s / 60, found.talk_s / 60, round(found.wrap_up_s / 60, 6), pauses)


def test_occupancy_is_talk_and_the_work_after_it_of_the_time_logged_in() -> None:
    work = WorkTime(NINE)
    work.talk(talk(10, 20, wrap_up=1))
    work.talk(talk(40, 45, wrap_up=1))
    assert spent(work) == (120, 15, 2, {})
    assert work.spent(at(120)).occupancy == pytest.approx(100 * 17 / 120)


def test_the_work_after_a_call_is_over_when_the_next_phone_rings() -> None:
    work = WorkTime(NINE)
    work.talk(talk(10, 20, wrap_up=3))
    work.talk(talk(22, 30, wrap_up=3, rang=1))  # rings at 21
    assert spent(work) == (120, 18, 1 + 3, {})


def test_the_work_after_a_call_is_counted_as_far_as_it_has_got() -> None:
    work = WorkTime(NINE)
    work.talk(talk(10, 20, wrap_up=5))
    assert spent(work, until=22) == (22, 10, 2, {})
    assert work.spent(at(24), done_at=at(23)).wrap_up_s == 3 * 60


def test_a_pause_counts_by_its_reason_and_is_logged_in() -> None:
    work = WorkTime(NINE)
    for minute, duty, reason in (
        (30, Duty.PAUSED, "점심"),
        (50, Duty.ON, ""),
        (60, Duty.PAUSED, "교육"),
        (65, Duty.PAUSED, "점심"),
        (70, Duty.ON, ""),
    ):
        work.change(DutyChange(at(minute), duty, reason))
    assert spent(work) == (120, 0, 0, {"점심": 25, "교육": 5})
    found = work.spent(at(120))
    assert (found.paused_s, found.paused_share) == (30 * 60, 25)


def test_who_is_paused_while_he_talks_pauses_when_the_work_after_it_is_over() -> None:
    work = WorkTime(NINE)
    work.change(DutyChange(at(15), Duty.PAUSED, "점심"))
    work.talk(talk(10, 20, wrap_up=2))
    work.change(DutyChange(at(40), Duty.ON))
    assert spent(work) == (120, 10, 2, {"점심": 40 - 22})


def test_a_pause_that_ended_before_the_call_did_was_none() -> None:
    work = WorkTime(NINE)
    work.change(DutyChange(at(12), Duty.PAUSED, "점심"))
    work.change(DutyChange(at(14), Duty.ON))
    work.talk(talk(10, 20))
    assert spent(work) == (120, 10, 0, {})


def test_who_is_logged_out_while_he_talks_is_at_work_until_the_work_after_it_is_over() -> None:
    work = WorkTime(NINE)
    work.change(DutyChange(at(15), Duty.OFF))
    work.talk(talk(10, 20, wrap_up=2))
    assert spent(work) == (22, 10, 2, {})
    assert work.spent(at(120)).occupancy == pytest.approx(100 * 12 / 22)


def test_who_comes_and_goes_is_logged_in_in_between() -> None:
    work = WorkTime(NINE, Duty.OFF)
    work.change(DutyChange(at(30), Duty.ON))
    work.change(DutyChange(at(90), Duty.OFF, "병가"))
    work.talk(talk(40, 46))
    assert spent(work) == (60, 6, 0, {})
    assert work.said == (Duty.OFF, "병가")


def test_a_call_over_midnight_counts_from_midnight_on_and_so_does_what_was_said_before() -> None:
    work = WorkTime(NINE, Duty.PAUSED, "야간")  # the day begins at nine, for once
    work.talk(talk(-10, 5, wrap_up=1))
    work.change(DutyChange(at(-1), Duty.PAUSED, "야간"))
    assert spent(work) == (120, 5, 1, {"야간": 114})


def test_a_call_that_was_over_before_leaves_what_is_left_of_the_work_after_it() -> None:
    work = WorkTime(NINE)
    work.talk(talk(-10, -1, wrap_up=3))
    assert spent(work) == (120, 0, 2, {})


def test_a_call_that_goes_on_counts_up_to_now() -> None:
    work = WorkTime(NINE)
    found = work.spent(at(30), talks_since=at(25), done_at=at(24.5))
    assert (found.logged_in_s, found.talk_s) == (30 * 60, 5 * 60)


def test_a_call_that_is_told_late_is_counted_all_the_same() -> None:
    work = WorkTime(NINE)
    work.talk(talk(40, 50, wrap_up=1))
    work.talk(talk(10, 20, wrap_up=1))  # its caller went on elsewhere, and so its record came later
    assert spent(work) == (120, 20, 1, {})


def test_who_was_never_there_has_no_occupancy() -> None:
    found = WorkTime(NINE, Duty.OFF).spent(at(60))
    assert (found.logged_in_s, found.occupancy, found.paused_share) == (0, None, None)


def test_seconds_of_several_add_up() -> None:
    total = Spent()
    for reason in ("점심", "교육", "점심"):
        work = WorkTime(NINE, Duty.PAUSED, reason)
        total.add(work.spent(at(10)))
    assert (total.logged_in_s, dict(total.pauses)) == (1800, {"점심": 1200, "교육": 600})
