"""Who tries too often waits, and what is kept of it is bounded."""

import pytest

from callrouter.web import throttle as throttling
from callrouter.web.throttle import LoginThrottle, RateLimit


def tries(throttle: LoginThrottle, key: str, count: int, now_s: float = 0.0) -> None:
    for _ in range(count):
        throttle.tried(key, now_s)


def test_a_million_tries_wait_no_longer_than_the_longest() -> None:
    throttle = LoginThrottle(free=2, longest_s=300.0)
    tries(throttle, "kim", 100_000)
    assert throttle.wait_s("kim", 0.0) == 300.0
    assert throttle.wait_s("lee", 0.0) == 0.0


def test_many_at_once_count_before_the_first_is_known_to_be_wrong() -> None:
    throttle = LoginThrottle(free=2, longest_s=300.0)
    tries(throttle, "kim", 3)
    assert throttle.wait_s("kim", 0.0) == 1.0
    throttle.take_back("kim")
    assert throttle.wait_s("kim", 0.0) == 0.0
    throttle.take_back("nobody")


def test_after_an_hour_all_is_forgotten() -> None:
    throttle = LoginThrottle(free=0, longest_s=7200.0, forget_s=3600.0)
    tries(throttle, "kim", 20)
    assert throttle.wait_s("kim", 3599.0) > 0.0
    assert throttle.wait_s("kim", 3600.0) == 0.0
    throttle.tried("kim", 3600.0)
    assert throttle.wait_s("kim", 3600.0) == 1.0


def test_the_least_used_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "MOST_KNOWN", 2)
    throttle, limit = LoginThrottle(free=0, longest_s=300.0), RateLimit(1.0, burst_s=1.0)
    for key in ("a", "b", "a", "c"):
        throttle.tried(key, 0.0)
        limit.take(key, 0.0)
    assert [throttle.wait_s(key, 0.0) > 0 for key in "abc"] == [True, False, True]
    assert limit.take("b", 0.0) == 0.0


def test_a_limit_lets_a_burst_through_and_then_so_many_a_second() -> None:
    limit = RateLimit(2.0, burst_s=2.0)
    assert [limit.take("kim", 0.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.0, 0.5]
    assert limit.take("kim", 0.25) == 0.25
    assert limit.take("kim", 0.5) == 0.0
    assert limit.take("lee", 0.5) == 0.0
    assert [limit.take("kim", 1000.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.0, 0.5], "a long rest is one burst"
