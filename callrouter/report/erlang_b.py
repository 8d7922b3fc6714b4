"""How many channels a trunk group needs, by the Erlang B formula: calls that find none are lost.

A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges" (1917); traffic is carried, measured as ITU-T E.501 has it, and dimensioned as in ITU-T E.521.
"""

from typing import Final

LEAST_BLOCKING: Final = 0.01
"""The share of calls that may find no channel, where nothing else is said."""


def blocking(offered: float, channels: int) -> float:
    """The share of calls that find no channel, at ``offered`` erlang; by the recurrence, which never overflows."""
    blocked = 1.0
    for count in range(1, channels + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked


def channels_needed(offered: float, most_blocked: float = LEAST_BLOCKING) -> int:
    """The fewest channels at which no greater share of calls than ``most_blocked`` (more than 0) finds none."""
    blocked, channels = 1.0, 0
    while blocked > most_blocked and offered > 0:
        channels += 1
        blocked = offered * blocked / (channels + offered * blocked)
    return channels
