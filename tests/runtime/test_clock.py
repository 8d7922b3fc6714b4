"""The steady clock, with a wall clock that people and NTP play with."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from callrouter.runtime.clock import Correction, SteadyClock

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class World:
    """The true passing of time, and a wall clock that may be set."""

    def __init__(self) -> None:
        self.elapsed_s = 1000.0
        self.wall_s = NOON.timestamp()
        self.clock = SteadyClock(wall=lambda: self.wall_s, monotonic=lambda: self.elapsed_s)

    def pass_by(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self.wall_s += seconds

    def pass_by_with_checks(self, seconds: int, *, idle: bool = False) -> None:
        for _ in range(seconds):
            self.pass_by(1)
            self.clock.check(idle=idle)

    def error_s(self) -> float:
        return self.wall_s - self.clock.now().timestamp()


def test_the_clock_starts_at_the_wall_clock_and_counts_on() -> None:
    world = World()
    assert world.clock.now() == NOON
    world.pass_by(90.5)
    assert world.clock.now() == NOON + timedelta(seconds=90.5)
    assert world.clock.now().tzinfo is UTC


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 2.0, -2.0])
def test_a_jump_of_the_wall_clock_leaves_the_duration_of_a_call_alone(jump_s: float) -> None:
    world = World()
    answered = world.clock.now()
    world.pass_by_with_checks(30)
    world.wall_s += jump_s
    world.pass_by_with_checks(270)
    talk_s = (world.clock.now() - answered).total_seconds()
    assert talk_s == pytest.approx(300, abs=1.5)
    assert talk_s != 300, "nothing is being done about the difference"


@pytest.mark.parametrize("jump_s", [2.0, -2.0])
def test_with_calls_in_progress_the_clock_comes_back_slowly(jump_s: float) -> None:
    world = World()
    world.wall_s += jump_s
    with capture_logs() as logs:
        assert world.clock.check(idle=False) is Correction.SLEWED
        world.pass_by_with_checks(380)
        assert abs(world.error_s()) > 0.05
        world.pass_by_with_checks(40)
        assert abs(world.error_s()) <= 0.05
        assert world.clock.check(idle=False) is Correction.NONE
        world.pass_by_with_checks(100)
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("clock.differs", "warning"),
        ("clock.agrees", "info"),
    ]
    assert logs[0]["drift_s"] == jump_s
    before = world.clock.now()
    world.pass_by(10)
    assert (world.clock.now() - before).total_seconds() == pytest.approx(10, abs=1e-5)


def test_without_calls_a_clock_that_is_behind_is_set_forward_at_once() -> None:
    world = World()
    world.wall_s += 3600
    with capture_logs() as logs:
        assert world.clock.check(idle=True) is Correction.STEPPED
    assert world.clock.now() == NOON + timedelta(hours=1)
    assert [log["event"] for log in logs] == ["clock.stepped"]
    assert world.clock.check(idle=True) is Correction.NONE


def test_without_calls_a_clock_that_is_ahead_runs_at_half_speed() -> None:
    world = World()
    world.wall_s -= 60.3
    with capture_logs() as logs:
        world.clock.check(idle=True)
        before = world.clock.now()
        world.pass_by(10)
        assert world.clock.now() - before == timedelta(seconds=5)
        world.pass_by_with_checks(130, idle=True)
    assert abs(world.error_s()) <= 0.5
    assert [log["event"] for log in logs] == ["clock.differs", "clock.agrees"], "it swings about the goal"


def test_a_call_that_comes_during_the_half_speed_has_a_true_duration() -> None:
    world = World()
    world.wall_s -= 3600
    world.pass_by_with_checks(10, idle=True)
    world.clock.check(idle=False)
    answered = world.clock.now()
    world.pass_by_with_checks(60)
    assert (world.clock.now() - answered).total_seconds() == pytest.approx(60, abs=0.31)


def test_calls_that_come_and_go_during_a_correction_are_no_news() -> None:
    world = World()
    world.wall_s -= 3600
    with capture_logs() as logs:
        for second in range(20):
            world.pass_by(1)
            world.clock.check(idle=second % 2 == 0)
    assert [log["event"] for log in logs] == ["clock.differs"]


def test_a_correction_that_is_overtaken_by_another_jump_turns_round() -> None:
    world = World()
    world.wall_s += 2
    world.pass_by_with_checks(10)
    world.wall_s -= 5
    world.pass_by_with_checks(10)
    before, error_s = world.clock.now(), world.error_s()
    world.pass_by_with_checks(100)
    assert (world.clock.now() - before).total_seconds() < 100
    assert abs(world.error_s()) < abs(error_s)


def test_a_small_difference_is_left_alone() -> None:
    world = World()
    world.wall_s += 0.4
    with capture_logs() as logs:
        assert world.clock.check(idle=False) is Correction.NONE
        assert world.clock.check(idle=True) is Correction.NONE
    assert logs == []
    assert world.clock.drift_s == pytest.approx(0.4)


def test_a_lab_clock_starts_when_it_is_told_and_ignores_the_wall_clock() -> None:
    world = World()
    evening = datetime(2026, 11, 24, 19, 30, tzinfo=timezone(timedelta(hours=9)))
    clock = SteadyClock(evening, wall=lambda: world.wall_s, monotonic=lambda: world.elapsed_s)
    assert clock.now() == datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
    world.wall_s += 9999
    world.pass_by(60)
    assert clock.check(idle=True) is Correction.NONE
    assert clock.now() == evening + timedelta(seconds=60)


def test_a_lab_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-11-24T19:30:00 has no time zone; add one"):
        SteadyClock(datetime(2026, 11, 24, 19, 30))  # noqa: DTZ001


STEPS = st.tuples(st.floats(0, 100), st.floats(-1e5, 1e5), st.booleans(), st.booleans())


@given(st.lists(STEPS, max_size=50))
def test_the_clock_never_goes_backwards_whatever_the_wall_clock_does(
    steps: list[tuple[float, float, bool, bool]],
) -> None:
    world = World()
    told = world.clock.now()
    for seconds, jump_s, jumps, idle in steps:
        world.pass_by(seconds)
        if jumps:
            world.wall_s += jump_s
        world.clock.check(idle=idle)
        now = world.clock.now()
        assert now >= told
        told = now


def test_the_real_clocks_are_used_unless_others_are_given() -> None:
    before = datetime.now(UTC)
    told = SteadyClock().now()
    assert timedelta(seconds=-0.001) <= told - before < timedelta(seconds=5)
