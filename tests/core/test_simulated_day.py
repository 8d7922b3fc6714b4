"""A day of ten thousand calls in simulated time, through the exchange itself, agrees with what Erlang worked out."""

import gc
import heapq
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from multiprocessing import get_context
from random import Random
from statistics import mean, stdev

import pytest

from callrouter.core.call import Call
from callrouter.core.cdr import Cdr, OfferResult, Outcome
from callrouter.core.states import CallState
from tests.core.driver import DESK, START, Driver, agent, rulebook
from tests.core.erlang import abandon_rate, service_level

CALLS = 10_000
TALK_S = 180.0
WARM_UP = 500
"""Calls at the beginning that find an emptier centre than the steady state of the theory."""
STUDENT_99 = {6: 4.032, 12: 3.106}
"""Of Student's distribution, two-sided, by the number of days: one more than the degrees of freedom."""


class Day:
    """Callers come at random to counselors who answer at once, and talk at random."""

    def __init__(self, agents: int, load: float, patience_s: float | None, seed: int) -> None:
        rules = rulebook(*(agent(f"agent-{number}") for number in range(agents)))
        desk = replace(rules.queues[DESK], wrap_up_s=0.0)
        limits = replace(rules.limits, max_calls=CALLS, dead_man_s=10 * 86_400.0)
        self.hall = Driver(replace(rules, queues={**rules.queues, DESK: desk}, limits=limits))
        self._random = Random(seed)
        self._gap_s, self._patience_s = TALK_S / load, patience_s
        self._due: list[tuple[float, int, Call | None]] = []
        self._order = count()
        self._waiting: list[Call] = []

    def run(self) -> list[Cdr]:
        """The records of the day, in the order in which the calls came in."""
        self._later(0.0, self._random.expovariate(1 / self._gap_s), None)
        came = 0
        while self._due:
            now_s, _, call = heapq.heappop(self._due)
            self.hall.advance(now_s - (self.hall.now - START).total_seconds())
            if call is None:
                came += 1
                self._come(now_s, more=came < CALLS)
            elif call.state in (CallState.CONNECTED, CallState.QUEUED):
                self.hall.hang_up(call)
            self._answer(now_s)
            self.hall.commands.clear()
        return sorted(self.hall.cdrs, key=lambda cdr: cdr.started_at)

    def _come(self, now_s: float, *, more: bool) -> None:
        call = self.hall.dial()
        self._waiting.append(call)
        if self._patience_s is not None:
            self._later(now_s, self._random.expovariate(1 / self._patience_s), call)
        if more:
            self._later(now_s, self._random.expovariate(1 / self._gap_s), None)

    def _answer(self, now_s: float) -> None:
        for call in [call for call in self._waiting if call.state is CallState.OFFERED]:
            self.hall.pick_up(call)
            self._due = [entry for entry in self._due if entry[2] is not call]
            heapq.heapify(self._due)
            self._later(now_s, self._random.expovariate(1 / TALK_S), call)
        self._waiting = [call for call in self._waiting if call.state is CallState.QUEUED]

    def _later(self, now_s: float, after_s: float, call: Call | None) -> None:
        heapq.heappush(self._due, (now_s + after_s, next(self._order), call))


def shares(days: int, agents: int, load: float, patience_s: float | None, counts: Callable[[Cdr], bool]) -> list[float]:
    """Of each day's calls, the share that counts. Each has its own chance: they are independent of one another.

    In processes of their own, which let tests in real time go first: in one that has run some thousand tests and counts
    which lines are reached, a day takes four times as long.
    """
    processes = ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=let_others_go_first)
    with processes:
        return list(processes.map(partial(share, agents, load, patience_s, counts), range(days)))


def let_others_go_first() -> None:
    """And look for no garbage: what a day leaves goes with its process."""
    os.nice(10)
    gc.disable()


def share(agents: int, load: float, patience_s: float | None, counts: Callable[[Cdr], bool], seed: int) -> float:
    """Of one day's calls."""
    calls = Day(agents, load, patience_s, seed).run()
    assert len(calls) == CALLS, "every call has its record"
    return mean(float(counts(call)) for call in calls[WARM_UP:])


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 99 % confidence interval of the mean."""
    half = STUDENT_99[len(values)] * stdev(values) / math.sqrt(len(values))
    return mean(values) - half, mean(values) + half


def was_in_time(call: Cdr) -> bool:
    """Everybody is answered sooner or later, and whether it was soon is what counts."""
    assert call.outcome is Outcome.HANDLED
    (answered_at,) = (leg.answered_at for leg in call.legs if leg.result is OfferResult.ANSWERED)
    assert answered_at is not None
    assert call.queued_at is not None
    return (answered_at - call.queued_at).total_seconds() <= 20.0


@pytest.mark.slow
@pytest.mark.parametrize(("agents", "load"), [(26, 20.0), (12, 8.0)])
def test_the_service_level_is_that_of_erlang_c(agents: int, load: float) -> None:
    low, high = interval(shares(6, agents, load, None, was_in_time))
    assert low <= service_level(load, agents, TALK_S, 20.0) <= high
    assert high - low < 0.1, "or it would agree with anything"


def was_abandoned(call: Cdr) -> bool:
    return call.outcome is Outcome.ABANDONED


@pytest.mark.slow
def test_as_many_give_up_as_erlang_a_says() -> None:
    low, high = interval(shares(12, 10, 11.0, 90.0, was_abandoned))
    assert low <= abandon_rate(11.0, 10, TALK_S, 90.0) <= high
    assert high - low < 0.03, "or it would agree with anything"


def test_the_theory_is_that_of_the_tables() -> None:
    assert service_level(10.0, 14, TALK_S, 20.0) == pytest.approx(0.888, abs=0.001)
    assert abandon_rate(10.0, 14, TALK_S, 1e-9) == pytest.approx(0.0568, abs=0.0005), "no patience: Erlang B"
