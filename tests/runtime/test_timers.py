"""Timers against the obvious model of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.runtime.timers import Timers

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_the_next_deadline_is_the_earliest() -> None:
    timers: Timers[str] = Timers()
    assert timers.next_deadline() is None
    timers.set("late", at(30))
    timers.set("soon", at(10))
    assert timers.next_deadline() == at(10)
    assert len(timers) == 2


def test_timers_are_popped_in_order_once_their_time_has_come() -> None:
    timers: Timers[str] = Timers()
    for key, seconds in [("c", 3), ("a", 1), ("b", 2), ("d", 4)]:
        timers.set(key, at(seconds))
    assert timers.pop_due(at(0.999)) == []
    assert timers.pop_due(at(3)) == ["a", "b", "c"]
    assert timers.pop_due(at(3)) == []
    assert "a" not in timers
    assert timers.next_deadline() == at(4)


def test_equal_deadlines_are_popped_in_the_order_they_were_set() -> None:
    timers: Timers[object] = Timers()
    # Keys that cannot be compared: they must not be asked to.
    keys = [object(), object(), object()]
    for key in keys:
        timers.set(key, at(1))
    assert timers.pop_due(at(1)) == keys


def test_setting_again_replaces() -> None:
    timers: Timers[str] = Timers()
    timers.set("ring", at(5))
    timers.set("ring", at(20))
    assert timers.pop_due(at(10)) == []
    assert timers.deadline("ring") == at(20)
    timers.set("ring", at(12))
    assert timers.next_deadline() == at(12)
    assert timers.pop_due(at(60)) == ["ring"]
    assert timers.pop_due(at(60)) == []


def test_a_cancelled_timer_is_never_due() -> None:
    timers: Timers[str] = Timers()
    timers.set("wrap-up", at(5))
    assert timers.cancel("wrap-up")
    assert not timers.cancel("wrap-up")
    assert timers.next_deadline() is None
    assert timers.deadline("wrap-up") is None
    assert timers.pop_due(at(10)) == []


def test_a_timer_may_be_set_again_after_it_was_cancelled_or_popped() -> None:
    timers: Timers[str] = Timers()
    timers.set("ring", at(5))
    timers.cancel("ring")
    timers.set("ring", at(5))
    assert timers.pop_due(at(5)) == ["ring"]
    timers.set("ring", at(5))
    assert timers.pop_due(at(5)) == ["ring"]


def test_cancelled_timers_do_not_pile_up() -> None:
    timers: Timers[int] = Timers()
    for call in range(10_000):
        timers.set(call % 50, at(3600 + call))
        if call % 3:
            timers.cancel(call % 50)
    assert len(timers._heap) <= 2 * 50 + 65


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="'ring' at 2026-11-24T12:00:00 has no time zone"):
        Timers[str]().set("ring", NOON.replace(tzinfo=None))


SETS = st.tuples(st.just("set"), st.integers(0, 5), st.integers(0, 20))
CANCELS = st.tuples(st.just("cancel"), st.integers(0, 5), st.just(0))
POPS = st.tuples(st.just("pop"), st.integers(0, 20), st.just(0))


@given(st.lists(st.one_of(SETS, CANCELS, POPS), max_size=200))
def test_timers_do_what_a_sorted_dictionary_would(steps: list[tuple[str, int, int]]) -> None:
    timers: Timers[int] = Timers()
    model: dict[int, tuple[int, int]] = {}
    for serial, (what, key, seconds) in enumerate(steps):
        if what == "set":
            timers.set(key, at(seconds))
            model[key] = (seconds, serial)
        elif what == "cancel":
            assert timers.cancel(key) is (model.pop(key, None) is not None)
        else:
            due = sorted((when, number, k) for k, (when, number) in model.items() if when <= key)
            assert timers.pop_due(at(key)) == [k for _, _, k in due]
            for _, _, k in due:
                del model[k]
        assert len(timers) == len(model)
        earliest = min((when for when, _ in model.values()), default=None)
        assert timers.next_deadline() == (None if earliest is None else at(earliest))
