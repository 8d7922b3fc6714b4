"""Who leads: the table, and how silence and sleep are judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.leading import BEAT_S, LEASE_S, SILENCE_S, Pulse, Role, Sign, Silence, after


@pytest.mark.parametrize(
    ("signs", "role"),
    [
        ((Sign.BEATS,), Role.STANDBY),
        ((Sign.GONE,), Role.CLAIMING),
        ((Sign.SILENT,), Role.CLAIMING),
        ((Sign.NO_ANSWER,), Role.CLAIMING),
        ((Sign.YIELDS,), Role.CLAIMING),
        ((Sign.ROBBED,), Role.RESTING),
        ((Sign.ROBBED, Sign.GONE, Sign.LOCK_OURS), Role.RESTING),
        ((Sign.GONE, Sign.LOCK_ELSEWHERE), Role.STANDBY),
        ((Sign.SILENT, Sign.BEATS), Role.STANDBY),
        ((Sign.GONE, Sign.LOCK_OURS), Role.TAKING_OVER),
        ((Sign.GONE, Sign.LOCK_UNKNOWN), Role.TAKING_OVER),
        ((Sign.GONE, Sign.NO_ARBITER), Role.STANDBY),
        ((Sign.SILENT, Sign.NO_ARBITER), Role.STANDBY),
        ((Sign.GONE, Sign.NO_ARBITER, Sign.ORDERED, Sign.LOCK_UNKNOWN), Role.TAKING_OVER),
        ((Sign.ORDERED, Sign.LOCK_ELSEWHERE), Role.STANDBY),
        ((Sign.ORDERED, Sign.BEATS), Role.STANDBY),
        ((Sign.ROBBED, Sign.ORDERED, Sign.LOCK_OURS), Role.TAKING_OVER),
        ((Sign.GONE, Sign.LOCK_OURS, Sign.FAILED), Role.STANDBY),
        ((Sign.GONE, Sign.LOCK_OURS, Sign.TAKEN), Role.LEADING),
    ],
)
def test_one_who_waits_leads_once_the_leader_is_gone_and_the_lock_is_no_others(
    signs: tuple[Sign, ...], role: Role
) -> None:
    found = Role.STANDBY
    for sign in signs:
        found = after(found, sign)
    assert found is role


@pytest.mark.parametrize(
    ("sign", "role"),
    [
        (Sign.LOCK_ELSEWHERE, Role.LEADING),
        (Sign.LOCK_UNKNOWN, Role.LEADING),
        (Sign.NO_ARBITER, Role.LEADING),
        (Sign.ORDERED, Role.LEADING),
        (Sign.GONE, Role.LEADING),
        (Sign.FENCED, Role.STANDBY),
        (Sign.CUT_OFF, Role.STANDBY),
        (Sign.REPLACED, Role.RESTING),
        (Sign.ASKED, Role.HANDING_OVER),
    ],
)
def test_a_leader_stops_for_the_journal_for_asterisk_and_for_people_and_for_no_lost_lock(
    sign: Sign, role: Role
) -> None:
    assert after(Role.LEADING, sign) is role


@pytest.mark.parametrize("sign", [sign for sign in Sign if sign not in (Sign.BEATS, Sign.ORDERED)])
def test_one_whose_application_a_stranger_took_does_not_take_it_back(sign: Sign) -> None:
    assert after(Role.RESTING, sign) is Role.RESTING


def test_one_whose_application_was_taken_waits_again_behind_a_leader_on_its_own_journal() -> None:
    assert after(Role.RESTING, Sign.BEATS) is Role.STANDBY


@pytest.mark.parametrize(
    ("sign", "role"),
    [
        (Sign.REPLACED, Role.STANDBY),
        (Sign.FENCED, Role.STANDBY),
        (Sign.NOBODY_TOOK, Role.CLAIMING),
        (Sign.SILENT, Role.CLAIMING),
        (Sign.NO_ANSWER, Role.CLAIMING),
        (Sign.GONE, Role.CLAIMING),
        (Sign.YIELDS, Role.CLAIMING),
        (Sign.ROBBED, Role.RESTING),
    ],
)
def test_one_who_hands_over_waits_or_leads_again_if_nobody_took_or_the_next_is_lost(sign: Sign, role: Role) -> None:
    assert after(Role.HANDING_OVER, sign) is role


@given(st.sampled_from(Role), st.sampled_from(Sign))
def test_nobody_leads_but_by_taking_the_journal(role: Role, sign: Sign) -> None:
    if after(role, sign) is Role.LEADING:
        assert role is Role.LEADING or (role, sign) == (Role.TAKING_OVER, Sign.TAKEN)


def test_a_leader_that_says_nothing_for_two_seconds_hangs() -> None:
    silence = Silence(0.0)
    assert not silence.is_too_long(0.5)
    assert not silence.is_too_long(1.0)
    silence.heard(1.2)
    assert [silence.is_too_long(1.2 + 0.25 * look) for look in range(1, 9)] == [False] * 7 + [True]


def test_one_who_slept_itself_does_not_take_its_own_sleep_for_the_leaders_silence() -> None:
    silence = Silence(0.0)
    assert not silence.is_too_long(3600.0)
    silence.heard(3600.1)
    assert not silence.is_too_long(3600.5)


@given(st.lists(st.floats(-5, 50), max_size=30))
def test_no_jump_of_a_clock_makes_silence_of_less_than_its_looks(gaps: list[float]) -> None:
    silence, now = Silence(0.0), 0.0
    for looks, gap in enumerate(gaps, start=1):
        now += gap
        if silence.is_too_long(now):
            assert looks * BEAT_S >= SILENCE_S


def test_a_leader_that_was_awake_all_the_time_may_act() -> None:
    pulse = Pulse(0.0)
    for beat in range(1, 20):
        assert pulse.may_act(beat * BEAT_S)
        assert pulse.beat(beat * BEAT_S)


def test_a_leader_that_slept_may_not_act_until_it_has_proven_that_it_leads() -> None:
    pulse = Pulse(0.0)
    assert pulse.may_act(LEASE_S)
    assert not pulse.may_act(LEASE_S + 0.01)
    assert not pulse.beat(LEASE_S + 0.02)
    assert not pulse.may_act(LEASE_S + 0.03), "being awake now does not say who leads"
    pulse.proven(LEASE_S + 0.02)
    assert pulse.may_act(LEASE_S + 0.04)


def test_a_proof_counts_from_when_it_was_asked_for() -> None:
    pulse = Pulse(0.0)
    assert not pulse.may_act(10.0)
    pulse.proven(10.0)
    assert not pulse.may_act(10.0 + LEASE_S + 0.01)


def test_a_leader_stops_before_another_begins() -> None:
    assert LEASE_S + BEAT_S < SILENCE_S
