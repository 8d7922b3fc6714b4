"""Waiting before trying again."""

from callrouter.ari.backoff import Backoff


def test_waits_double_up_to_the_limit() -> None:
    backoff = Backoff(0.1, 5.0, chance=lambda: 1.0)

    assert [round(backoff.next_s(), 3) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_chance_takes_at_most_half() -> None:
    assert Backoff(0.1, 5.0, chance=lambda: 0.0).next_s() == 0.05


def test_a_success_makes_the_next_failure_a_first_one() -> None:
    backoff = Backoff(0.1, 5.0, chance=lambda: 1.0)
    backoff.next_s()
    backoff.next_s()

    backoff.reset()

    assert backoff.next_s() == 0.1


def test_a_peer_that_is_away_for_years_does_not_overflow() -> None:
    backoff = Backoff(0.1, 5.0, chance=lambda: 1.0)

    assert [backoff.next_s() for _ in range(5000)][-1] == 5.0
