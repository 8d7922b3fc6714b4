"""Service level, speed of answer and abandons, counted by hand."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.cdr import Cdr, OfferResult, Outcome
from callrouter.core.ids import AgentId, QueueName
from callrouter.core.performance import (
    USUAL,
    Formula,
    Performance,
    ServiceLevel,
    Tally,
    measure,
    measure_agents,
    wait_of,
)
from tests.fakes import cdrs

NIGHT, DESK = QueueName("night"), QueueName("desk")
JOINED = cdrs.EVENING


def answered(wait_s: float, agent: str = "kim", queue: QueueName = NIGHT, talk_s: float = 60.0, misses: int = 0) -> Cdr:
    answer = JOINED + timedelta(seconds=wait_s)
    missed = tuple(cdrs.leg(number + 1, OfferResult.NO_ANSWER, agent=AgentId("lee")) for number in range(misses))
    taken = cdrs.leg(9, OfferResult.ANSWERED, agent=AgentId(agent), answered_at=answer)
    return cdrs.handled(queue=queue, queued_at=JOINED, agent=AgentId(agent), talk_s=talk_s, legs=(*missed, taken))


def gave_up(wait_s: float, queue: QueueName = NIGHT) -> Cdr:
    ended_at = JOINED + timedelta(seconds=wait_s)
    return cdrs.abandoned(queue=queue, queued_at=JOINED, ended_at=ended_at, legs=())


def sent_on(wait_s: float) -> Cdr:
    return replace(gave_up(wait_s), outcome=Outcome.OVERFLOWED)


def by_queue(call: Cdr) -> str:
    return call.queue or ""


DAY = [answered(10), answered(20), answered(21), gave_up(3), gave_up(40), sent_on(60)]


@pytest.mark.parametrize(
    ("formula", "level"),
    [(Formula.OFFERED, 2 / 6), (Formula.LESS_SHORT, 2 / 5), (Formula.ANSWERED, 2 / 3)],
)
def test_each_formula_divides_by_what_it_says(formula: Formula, level: float) -> None:
    found = measure(DAY, {NIGHT: ServiceLevel(formula=formula)}, by_queue)
    assert found.total.service_level == pytest.approx(level)


def test_a_day_is_counted_as_by_hand() -> None:
    total = measure(DAY, {}, by_queue).total
    assert (total.offered, total.answered, total.abandoned, total.short, total.other) == (6, 3, 2, 1, 1)
    assert total.asa_s == pytest.approx(17.0)
    assert (total.longest_s, total.talked_s) == (60.0, 60.0)
    assert total.abandon_rate == pytest.approx(2 / 6)
    assert total.abandon_rate_less_short == pytest.approx(1 / 5)


def test_the_threshold_is_the_queues_own() -> None:
    calls = [answered(16, queue=NIGHT), answered(16, queue=DESK)]
    found = measure(calls, {NIGHT: ServiceLevel(threshold_s=15.0)}, by_queue)
    assert {name: tally.service_level for name, tally in found.groups.items()} == {"desk": 1.0, "night": 0.0}
    assert found.total.service_level == 0.5


def test_a_wait_begins_at_the_queue_and_ends_with_the_answer_not_with_the_offer() -> None:
    assert wait_of(cdrs.handled()) == pytest.approx(34.625 - 9.5)
    assert wait_of(cdrs.abandoned()) == pytest.approx(31.25)
    assert wait_of(cdrs.handled(queued_at=None)) == 0.0


def test_calls_that_no_queue_saw_are_not_counted() -> None:
    calls = [cdrs.handled(queue=None), cdrs.handled(queued_at=None)]
    assert measure(calls, {}, by_queue) == Performance()
    assert measure_agents(calls, {}) == Performance()


def test_a_call_is_counted_with_who_answered_it_and_a_missed_offer_with_who_missed_it() -> None:
    rejected = replace(gave_up(30), legs=(cdrs.leg(1, OfferResult.REJECTED, agent=AgentId("park")),))
    busy = replace(gave_up(30), legs=(cdrs.leg(1, OfferResult.BUSY, agent=AgentId("park")),))
    found = measure_agents([answered(10, misses=2), answered(30), rejected, busy], {})
    told = {name: (tally.answered, tally.missed, tally.service_level) for name, tally in found.groups.items()}
    assert told == {"kim": (2, 0, 0.5), "lee": (0, 2, None), "park": (0, 1, None)}
    assert (found.total.answered, found.total.missed) == (2, 3)


def test_a_destination_that_took_the_call_is_no_counselor() -> None:
    call = cdrs.handled(agent=None)
    assert (measure([call], {}, by_queue).total.other, measure_agents([call], {}).groups.get("")) == (1, None)


def test_nothing_is_divided_by_nothing() -> None:
    nobody = Tally()
    assert (nobody.service_level, nobody.asa_s, nobody.talked_s) == (None, None, None)
    assert (nobody.abandon_rate, nobody.abandon_rate_less_short) == (None, None)
    short = measure([gave_up(1)], {}, by_queue).total
    assert (short.service_level, short.abandon_rate, short.abandon_rate_less_short) == (None, 1.0, None)


WAITS = st.integers(0, 60).map(float)
QUEUES = st.sampled_from([NIGHT, DESK])
CALLS = st.lists(
    st.one_of(
        st.builds(answered, WAITS, queue=QUEUES, agent=st.sampled_from(["kim", "park"]), misses=st.integers(0, 2)),
        st.builds(gave_up, WAITS, queue=QUEUES),
        st.builds(sent_on, WAITS),
    ),
    max_size=20,
)


@given(CALLS, st.sampled_from([by_queue, lambda call: call.agent or ""]))
def test_groups_add_up_to_the_total(calls: list[Cdr], group) -> None:  # type: ignore[no-untyped-def]
    found = measure(calls, {DESK: ServiceLevel(formula=Formula.OFFERED)}, group)
    for name in ("offered", "answered", "in_time", "judged", "abandoned", "short", "missed", "other"):
        assert sum(getattr(tally, name) for tally in found.groups.values()) == getattr(found.total, name)
    assert found.total.offered == len(calls)
    assert found.total.in_time <= found.total.answered <= found.total.judged or not calls
    agents = measure_agents(calls, {})
    assert (agents.total.answered, agents.total.missed) == (found.total.answered, found.total.missed)
    assert USUAL.target == 80
