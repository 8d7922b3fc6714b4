"""The expected wait: a range from what was waited lately, or nothing; and the words for it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.estimating import LEAST, Estimates, Like, Standing
from callrouter.core.ids import SkillName, TenantName
from callrouter.core.waiting_spec import PHRASES, wait_prompt
from tests.core.driver import DESK, HALL, NIGHT, START

PLAIN = Like((DESK, HALL), (), TenantName(""))
ENGLISH = Like((DESK, HALL), ((SkillName("english"), 1),), TenantName(""))
JINJU = Like((DESK, HALL), (), TenantName("jinju"))


def stands(place: int, counselors: int, like: Like = PLAIN) -> Standing:
    return Standing(like, place, counselors)


def learnt(*waits_s: float, counselors: int = 1, position: int = 1) -> Estimates:
    estimates = Estimates()
    for waited_s in waits_s:
        estimates.note(stands(position, counselors), waited_s, START)
    return estimates


def test_too_few_calls_say_nothing() -> None:
    assert learnt(*[60.0] * (LEAST - 1)).expect(stands(1, 1), START) is None
    assert learnt(*[60.0] * LEAST).expect(stands(1, 1), START) == (60.0, 60.0)


def test_nor_does_a_queue_whose_counselors_are_all_away_or_another_queue() -> None:
    estimates = learnt(*[60.0] * LEAST)
    assert estimates.expect(stands(1, 0), START) is None
    assert estimates.expect(stands(1, 1, Like((NIGHT, HALL), (), TenantName(""))), START) is None


@pytest.mark.parametrize("like", [ENGLISH, JINJU])
def test_nor_do_callers_who_asked_for_something_else_or_had_other_turns(like: Like) -> None:
    estimates = learnt(*[60.0] * LEAST)
    assert estimates.expect(stands(1, 1, like), START) is None


def test_what_was_an_hour_ago_is_over() -> None:
    estimates = learnt(*[60.0] * LEAST)
    assert estimates.expect(stands(1, 1), START + timedelta(minutes=60)) is not None
    assert estimates.expect(stands(1, 1), START + timedelta(minutes=61)) is None


def test_it_takes_longer_further_back_and_less_with_more_counselors() -> None:
    estimates = learnt(*[60.0] * 10, counselors=2, position=4)
    assert estimates.expect(stands(2, 2), START) == (30.0, 30.0)
    assert estimates.expect(stands(4, 1), START) == (120.0, 120.0)


def test_one_odd_call_does_not_count() -> None:
    assert learnt(*[60.0] * 9, 3600.0).expect(stands(1, 1), START) == (60.0, 60.0)


def test_calls_that_differ_give_a_range() -> None:
    expected = learnt(*[60.0 * n for n in range(1, 12)]).expect(stands(1, 1), START)
    assert expected == (180.0, 540.0)


@pytest.mark.parametrize(
    ("least_s", "most_s", "prompt"),
    [
        (0.0, 0.0, "queue-wait-0-1"),
        (20.0, 60.0, "queue-wait-0-1"),
        (20.0, 100.0, "queue-wait-0-3"),
        (70.0, 170.0, "queue-wait-1-3"),
        (190.0, 290.0, "queue-wait-3-5"),
        (290.0, 310.0, "queue-wait-3-10"),
        (1801.0, 9000.0, "queue-wait-30-more"),
        (60.0, 700.0, None),
        (1700.0, 1900.0, None),
    ],
)
def test_a_range_is_said_by_what_covers_it_most_closely(least_s: float, most_s: float, prompt: str | None) -> None:
    assert wait_prompt(least_s, most_s) == prompt


@given(st.floats(0, 7200), st.floats(0, 7200))
def test_what_is_said_is_never_a_lie(one_s: float, other_s: float) -> None:
    least_s, most_s = sorted((one_s, other_s))
    prompt = wait_prompt(least_s, most_s)
    said = [phrase for phrase in PHRASES if phrase.prompt == prompt]
    assert all(phrase.covers(least_s, most_s) for phrase in said)
