"""What queueing theory says of a call centre: Erlang C (nobody gives up) and Erlang A (callers have patience).

Arrivals are Poisson, talk times and patience exponential. Erlang, A. K. (1917); Palm, C. (1957), for Erlang A.
"""

import math


def erlang_c(load: float, agents: int) -> float:
    """The chance that a caller has to wait, at ``load`` erlang; it must be less than ``agents``."""
    blocked = 1.0
    for count in range(1, agents + 1):  # Erlang B, by its recurrence
        blocked = load * blocked / (count + load * blocked)
    return agents * blocked / (agents - load * (1 - blocked))


def service_level(load: float, agents: int, talk_s: float, within_s: float) -> float:
    """The share of callers who are answered within a time, by Erlang C."""
    return 1 - erlang_c(load, agents) * math.exp(-(agents - load) * within_s / talk_s)


def abandon_rate(load: float, agents: int, talk_s: float, patience_s: float) -> float:
    """The share of callers who give up, by Erlang A: the steady state of its birth-and-death process."""
    rate, weights = load / talk_s, [1.0]
    for callers in range(1, agents * 20):
        leaving = min(callers, agents) / talk_s + max(0, callers - agents) / patience_s
        weights.append(weights[-1] * rate / leaving)
    waiting = sum(max(0, callers - agents) * weight for callers, weight in enumerate(weights)) / sum(weights)
    return waiting / patience_s / rate
