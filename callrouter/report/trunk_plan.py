"""How many channels each hour of the week needed of each trunk group, from when calls held them.

The traffic of an hour is what its calls held of it, in erlang: call-seconds divided by 3,600. It is what the group
carried; what it refused is not in it, so a group that was often full needed more than this says. Of several weeks, an
hour of the day counts with its busiest.
"""

from collections import defaultdict
from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from callrouter.report.erlang_b import channels_needed

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Holding:
    """A channel of a group, from when to when (aware) it was held."""

    trunk: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class HourPlan:
    """One hour of the day, over all days: the mean and the busiest traffic in erlang, and what that needs."""

    trunk: str
    hour: int
    mean: float
    busiest: float
    on: datetime
    """When the busiest began."""
    channels: int
    """What the busiest needed."""


async def plan(holdings: AsyncIterable[Holding], days: int, zone: tzinfo | None, most_blocked: float) -> list[HourPlan]:
    """The plan of every group and hour in which anything was held, by group and hour.

    ``days`` is over how many days they are, ``zone`` where hours begin (None: this machine's).
    """
    held: defaultdict[tuple[str, datetime], float] = defaultdict(float)
    async for one in holdings:
        begin = _hour_of(one.since.astimezone(zone))
        while begin < one.until:
            end = begin + HOUR
            held[one.trunk, begin] += (min(end, one.until) - max(begin, one.since)).total_seconds()
            begin = end
    hours: defaultdict[tuple[str, int], list[tuple[float, datetime]]] = defaultdict(list)
    for (trunk, begin), seconds in held.items():
        hours[trunk, begin.hour].append((seconds / HOUR.total_seconds(), begin))
    return [_plan_of(trunk, hour, hours[trunk, hour], days, most_blocked) for trunk, hour in sorted(hours)]


def _plan_of(trunk: str, hour: int, found: list[tuple[float, datetime]], days: int, most_blocked: float) -> HourPlan:
    busiest, on = max(found)
    mean = sum(erlang for erlang, _ in found) / days
    return HourPlan(trunk, hour, mean, busiest, on, channels_needed(busiest, most_blocked))


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
