"""Counselors' time by counselor, queue, tenant or interval: how much of what they were logged in they were busy."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import assert_never

from callrouter.core.duty import Duty
from callrouter.core.worktime import DutyChange, Spent, Talk, WorkTime
from callrouter.report.grouping import By, interval
from callrouter.report.rows import AgentDuty, AgentTalk

_LONGEST = timedelta(days=1)
"""No conversation is longer, nor is any phone called so long: what is further away than this is not looked at."""
IN_TIME = frozenset({By.HOUR, By.DAY, By.WEEK, By.MONTH})


@dataclass(frozen=True, slots=True)
class Person:
    """A counselor of the configuration: whose he is, which queues he serves, how long the work after a call takes.

    ``wrap_up_s`` is None where the queue of the call says it.
    """

    tenant: str
    queues: tuple[str, ...]
    wrap_up_s: float | None = None


@dataclass(slots=True)
class _Agent:
    """What was told of one counselor."""

    changes: list[DutyChange] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)


class OccupancyReport:
    """Counselors' time from ``begin`` to ``end`` (aware).

    ``people`` are the counselors that are configured, ``wrap_up_s`` says how long the work after a call of each queue
    takes. A counselor of whom nobody ever said anything is logged in, as the daemon has it; one who is not configured
    any more is so only while he talks.
    """

    def __init__(
        self, people: Mapping[str, Person], wrap_up_s: Mapping[str, float], begin: datetime, end: datetime
    ) -> None:
        self._people = people
        self._wrap_up_s = wrap_up_s
        self._begin = begin
        self._end = end
        self._agents: defaultdict[str, _Agent] = defaultdict(_Agent)
        for agent in people:
            self._agents[agent]

    def said(self, duty: AgentDuty) -> None:
        """Take what was said, in its order."""
        self._agents[duty.agent].changes.append(DutyChange(duty.at, duty.duty, duty.reason))

    def talked(self, talk: AgentTalk) -> None:
        """Take a conversation, in its order."""
        person = self._people.get(talk.agent)
        wrap_up_s = person.wrap_up_s if person is not None else None
        if wrap_up_s is None:
            wrap_up_s = self._wrap_up_s.get(talk.queue or "", 0.0)
        self._agents[talk.agent].talks.append(Talk(talk.offered_at, talk.answered_at, talk.ended_at, wrap_up_s))

    def groups(self, by: By, zone: tzinfo | None) -> list[tuple[str, Spent]]:
        """The groups that have counselors, in the order of their names. Who serves two queues is in both."""
        groups: defaultdict[str, Spent] = defaultdict(Spent)
        for begin, end in edges(self._begin, self._end, by, zone) if by in IN_TIME else [(self._begin, self._end)]:
            for agent in self._agents:
                spent = self._spent(agent, begin, end)
                for name in self._names(agent, by, begin.astimezone(zone)):
                    groups[name].add(spent)
        return sorted(groups.items(), key=lambda group: group[0])

    def pauses(self) -> list[tuple[str, str, float]]:
        """Counselor, reason and seconds."""
        return [
            (agent, reason, seconds)
            for agent in sorted(self._agents)
            for reason, seconds in sorted(self._spent(agent, self._begin, self._end).pauses.items())
        ]

    def total(self) -> Spent:
        """Of all counselors, each once."""
        total = Spent()
        for agent in self._agents:
            total.add(self._spent(agent, self._begin, self._end))
        return total

    def _spent(self, agent: str, begin: datetime, end: datetime) -> Spent:
        told = self._agents[agent]
        work = WorkTime(begin, *self._at_first(told.changes, begin, known=agent in self._people))
        for change in told.changes:
            if begin <= change.at < end:
                work.change(change)
        first = bisect_left(told.talks, begin - _LONGEST, key=lambda talk: talk.answered_at)
        last = bisect_left(told.talks, end + _LONGEST, key=lambda talk: talk.answered_at)
        for talk in told.talks[first:last]:
            # One that is offered in the time cuts the wrap-up before it, though it may be answered later.
            if talk.offered_at < end and talk.ended_at + timedelta(seconds=talk.wrap_up_s) > begin:
                work.talk(_until(talk, end))
        return work.spent(end)

    @staticmethod
    def _at_first(changes: Sequence[DutyChange], begin: datetime, *, known: bool) -> tuple[Duty, str]:
        before = [change for change in changes if change.at < begin]
        if before:
            return before[-1].duty, before[-1].reason
        return (Duty.ON if known else Duty.OFF), ""

    def _names(self, agent: str, by: By, local: datetime) -> Iterable[str]:
        person = self._people.get(agent)
        match by:
            case By.QUEUE:
                return person.queues if person is not None else ()
            case By.TENANT:
                return (person.tenant,) if person is not None else ()
            case By.AGENT:
                return (agent,)
            case By.TOPIC | By.WRAP_UP:
                return ()
            case By.HOUR | By.DAY | By.WEEK | By.MONTH:
                return (interval(local, by),)
            case _:
                assert_never(by)


def edges(begin: datetime, end: datetime, by: By, zone: tzinfo | None) -> Iterator[tuple[datetime, datetime]]:
    """The hours, days, weeks or months of the zone's clock that cover ``[begin, end)``, cut to it."""
    at = begin
    while at < end:
        after = min(_next(at.astimezone(zone), by, zone), end)
        yield at, after
        at = after


def _next(local: datetime, by: By, zone: tzinfo | None) -> datetime:
    """When the interval that has ``local`` in it is over, in UTC."""
    if by is By.HOUR:
        past_s = local.minute * 60 + local.second + local.microsecond / 1e6
        return local.astimezone(UTC) + timedelta(hours=1) - timedelta(seconds=past_s)
    first = local.date()
    if by is By.WEEK:
        day = first + timedelta(days=7 - first.weekday())
    elif by is By.MONTH:
        day = (first.replace(day=1) + timedelta(days=31)).replace(day=1)
    else:
        day = first + timedelta(days=1)
    midnight = datetime.combine(day, time(), zone)
    return (midnight if zone is not None else midnight.astimezone()).astimezone(UTC)


def _until(talk: Talk, end: datetime) -> Talk:
    """The part of a conversation that is before ``end``."""
    if talk.ended_at <= end:
        return talk
    return Talk(talk.offered_at, min(talk.answered_at, end), end)
