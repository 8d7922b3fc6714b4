"""Whether a topic surges: more calls of it in this hour than this weekday and hour had in past weeks.

Calls that come independently of one another scatter around their mean by its square root (Poisson): an hour that lies
three times that far above it comes by chance once in some hundreds. Only if it is also a multiple of what is usual, and
of many calls at all, is it worth a person's attention.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from math import floor, sqrt

import msgspec

from callrouter.core.call import Call
from callrouter.core.exchange import Exchange
from callrouter.core.ids import SwitchName, TopicName
from callrouter.core.rulebook import SurgeRule
from callrouter.core.switches import SwitchesOn
from callrouter.core.today import hour_of

_SCATTER = 3


@dataclass(frozen=True, slots=True)
class Past:
    """How many calls of each topic ``weeks`` past weeks had, together, in the hour that ``hour`` is one of."""

    hour: datetime
    weeks: int
    """As many as there are records of, at the most what the rule asks for."""
    calls: Mapping[TopicName, int] = field(default_factory=dict)


class TopicNow(msgspec.Struct, frozen=True):
    """One topic in this hour: its calls, what is ``usual``, and up to how many are no surge.

    ``suggest`` is the switch that the configuration suggests then, with ``suggest_on`` whether it is on already.
    """

    topic: TopicName
    title: str
    calls: int
    usual: float
    limit: int
    surges: bool
    suggest: SwitchName | None = None
    suggest_title: str = ""
    suggest_on: bool = False


def limit(rule: SurgeRule, usual: float) -> int:
    """The most calls of an hour that are no surge."""
    return max(rule.least - 1, floor(max(rule.factor * usual, usual + _SCATTER * sqrt(usual))))


def past_hours(at: datetime, weeks: int, zone: tzinfo) -> list[datetime]:
    """When the hour of ``at`` began in each of so many past weeks, by the clock of ``zone``."""
    local = hour_of(at, zone).astimezone(zone)
    return [(local - timedelta(weeks=week)).astimezone(at.tzinfo) for week in range(1, weeks + 1)]


def topics_now(exchange: Exchange, past: Past, at: datetime, on: SwitchesOn) -> tuple[TopicNow, ...]:
    """Every topic of the rules at ``at``; none where the rules have no rule for it, or the past knows nothing."""
    rules = exchange.rulebook
    if rules.surge is None or past.weeks == 0 or past.hour != hour_of(at, rules.timezone):
        return ()
    calls = _calls(exchange, past.hour)
    found = []
    for name, topic in rules.topics.items():
        usual = past.calls.get(name, 0) / past.weeks
        most = limit(rules.surge, usual)
        switch = rules.switches.get(topic.suggest) if topic.suggest is not None else None
        found.append(
            TopicNow(
                name,
                topic.title,
                calls[name],
                round(usual, 1),
                most,
                calls[name] > most,
                switch.name if switch is not None else None,
                switch.title if switch is not None else "",
                switch is not None and switch.name in on,
            )
        )
    return tuple(found)


def _calls(exchange: Exchange, hour: datetime) -> Counter[str]:
    """Those that are over, and those in progress of which the topic is known."""
    calls = exchange.today.of_topics(hour)
    for call in exchange.calls.values():
        if call.known.topic is not None and call.request is None and _is_of(call, hour):
            calls[call.known.topic] += 1
    return calls


def _is_of(call: Call, hour: datetime) -> bool:
    return hour <= call.opened_at < hour + timedelta(hours=1)
