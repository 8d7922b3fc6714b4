"""Callers get counselors who can help them, and less is asked the longer they wait."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core import events as ev
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.events import TimerKind
from callrouter.core.ids import SkillName, TenantName
from callrouter.core.inbound import CallFacts
from callrouter.core.rulebook import AgentSpec, Rulebook, Strategy
from callrouter.core.skills import NO_DEMAND, Demand, Relaxation, SkillRules, Stage, Wish, stages
from callrouter.core.states import CallState
from tests.core.driver import DESK, HALL, PASSPORT, Driver, agent, rulebook

ENGLISH, PASSPORTS = SkillName("english"), SkillName("passports")
PROVINCE, CITY = TenantName("gyeongnam"), TenantName("changwon")
IN_ENGLISH = Wish({ENGLISH: 3}, {}, languages=frozenset({"en"}))
FOR_PASSPORTS = Wish({PASSPORTS: 1}, {}, topics=frozenset({PASSPORT}))
EASED = SkillRules(
    (IN_ENGLISH, FOR_PASSPORTS),
    (Relaxation(30.0, {ENGLISH: 1}), Relaxation(60.0, {ENGLISH: 0, PASSPORTS: 0})),
)


def speaking(name: str, english: int) -> AgentSpec:
    return replace(agent(name), skills={ENGLISH: english})


def asking(rules: Rulebook, skills: SkillRules, strategy: Strategy = Strategy.LONGEST_IDLE) -> Rulebook:
    """The rules, with a desk that asks for skills."""
    desk = replace(rules.queues[DESK], skills=skills, strategy=strategy)
    return replace(rules, queues={**rules.queues, DESK: desk})


def in_english(hall: Driver) -> Call:
    """A caller who has chosen English in the menu, and waits at the desk."""
    call = hall.dial("127")
    hall.press(call, "2")
    assert call.known.language == "en"
    return call


def test_what_several_wishes_ask_holds_together_at_the_highest_level() -> None:
    rules = SkillRules((IN_ENGLISH, FOR_PASSPORTS, Wish({ENGLISH: 1}, {PASSPORTS: 5})))
    known = CallFacts("120", HALL, language="en", topic=PASSPORT)
    assert rules.demand(known, CITY, 0.0) == Demand(((ENGLISH, 3), (PASSPORTS, 1)), ((PASSPORTS, 5),))
    assert rules.demand(replace(known, language="ko", topic=None), CITY, 0.0).need == ((ENGLISH, 1),)


def test_a_wish_may_be_for_the_callers_of_one_tenant() -> None:
    rules = SkillRules((Wish({PASSPORTS: 1}, {}, tenants=frozenset({CITY})),))
    known = CallFacts("120", HALL)
    assert rules.demand(known, CITY, 0.0).need == ((PASSPORTS, 1),)
    assert rules.demand(known, PROVINCE, 0.0) is NO_DEMAND


def test_what_is_needed_no_more_is_still_preferred() -> None:
    known = CallFacts("120", HALL, language="en")
    assert stages(EASED, known, CITY) == (
        Stage(0.0, Demand(((ENGLISH, 3),))),
        Stage(30.0, Demand(((ENGLISH, 1),), ((ENGLISH, 3),))),
        Stage(60.0, Demand((), ((ENGLISH, 3),))),
    )
    assert stages(EASED, replace(known, language="ko"), CITY) == ()


LEVELS = st.dictionaries(st.sampled_from([ENGLISH, PASSPORTS]), st.integers(1, 10))


@given(
    st.lists(st.builds(Wish, LEVELS, LEVELS), max_size=3), st.lists(st.tuples(st.integers(1, 99), LEVELS), max_size=4)
)
def test_the_longer_somebody_waits_the_more_counselors_may_answer(
    wishes: list[Wish], eased: list[tuple[int, dict[SkillName, int]]]
) -> None:
    relaxations = tuple(Relaxation(float(after), need) for after, need in sorted(eased, key=lambda one: one[0]))
    rules, known = SkillRules(tuple(wishes), relaxations), CallFacts("120", HALL)
    for has in ({}, {ENGLISH: 3}, {ENGLISH: 10, PASSPORTS: 1}):
        may = [rules.demand(known, CITY, waited_s).is_met_by(has) for waited_s in range(0, 120, 5)]
        assert may == sorted(may), "who may answer once may always answer from then on"


def test_a_caller_who_chose_english_is_served_by_who_speaks_it() -> None:
    hall = Driver(asking(rulebook(agent("kim"), speaking("lee", 3)), EASED))
    in_english(hall)
    assert hall.called() == ["lee"], "though Kim has been idle as long, and comes first"
    hall.dial("120")
    assert hall.called() == ["lee", "kim"], "nothing is asked for who speaks Korean"


def test_who_waits_for_a_skill_keeps_nobody_waiting_who_does_not() -> None:
    hall = Driver(asking(rulebook(agent("kim")), EASED))
    call = in_english(hall)
    assert call.state is CallState.QUEUED
    hall.dial("120")
    assert hall.called() == ["kim"]


def test_less_is_asked_by_itself_after_the_time() -> None:
    hall = Driver(asking(rulebook(agent("kim"), speaking("lee", 2)), EASED))
    call = in_english(hall)
    hall.advance(29.9)
    assert hall.called() == []
    hall.advance(0.2)
    assert hall.called() == ["lee"], "level 1 is enough after 30 s"
    hall.leg_ends(call, Cause.USER_BUSY)
    hall.advance(29.0)
    hall.leg_ends(call, Cause.USER_BUSY)
    assert hall.called() == ["lee", "lee"]
    hall.advance(1.0)
    assert hall.called() == ["lee", "lee", "kim"], "nothing is needed after 60 s, and Lee rests"


def test_nobody_waits_for_ever_for_who_is_not_there() -> None:
    hall = Driver(asking(rulebook(agent("kim")), EASED))
    in_english(hall)
    hall.advance(60.0)
    assert hall.called() == ["kim"]


def test_who_has_more_of_what_is_preferred_is_rung_first_by_any_strategy() -> None:
    preferring = SkillRules((Wish({}, {ENGLISH: 2, PASSPORTS: 1}),))
    for strategy in Strategy:
        both = replace(speaking("park", 2), skills={ENGLISH: 2, PASSPORTS: 1}, rank=9)
        hall = Driver(asking(rulebook(agent("kim"), speaking("lee", 2), both), preferring, strategy))
        for _ in range(3):
            hall.dial("120")
        assert hall.called() == ["park", "lee", "kim"], strategy


@pytest.mark.parametrize("away_s", [0.0, 25.0])
def test_a_restart_counts_the_wait_from_when_it_began(away_s: float) -> None:
    hall = Driver(asking(rulebook(agent("kim"), speaking("lee", 1)), EASED))
    in_english(hall)
    hall.advance(20.0)
    hall.restart()
    hall.now += timedelta(seconds=away_s)
    hall.sync()
    hall.advance(max(0.0, 9.0 - away_s))
    assert hall.called() == (["lee"] if away_s else [])
    hall.advance(1.0)
    assert hall.called() == ["lee"]


def test_new_rules_ask_of_those_who_wait_already_what_they_ask() -> None:
    rules = rulebook(agent("kim"))
    hall = Driver(asking(rules, EASED))
    call = in_english(hall)
    hall.advance(10.0)
    quicker = SkillRules((IN_ENGLISH,), (Relaxation(15.0, {ENGLISH: 0}),))
    hall.tell(ev.RulebookReplaced(asking(rules, quicker)))
    hall.advance(5.0)
    assert hall.called() == ["kim"]
    hall.leg_ends(call, Cause.USER_BUSY)
    hall.tell(ev.RulebookReplaced(rules))
    assert (TimerKind.RELAX, call.id) not in hall.timers


def test_new_rules_that_ask_nothing_have_the_caller_served_at_once() -> None:
    rules = rulebook(agent("kim"))
    hall = Driver(asking(rules, EASED))
    in_english(hall)
    hall.tell(ev.RulebookReplaced(rules))
    assert hall.called() == ["kim"]


def test_a_caller_who_leaves_leaves_no_timer() -> None:
    hall = Driver(asking(rulebook(agent("kim")), EASED))
    call = in_english(hall)
    assert (TimerKind.RELAX, call.id) in hall.timers
    hall.hang_up(call)
    assert (TimerKind.RELAX, call.id) not in hall.timers
