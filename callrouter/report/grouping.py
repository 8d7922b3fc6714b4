"""By what calls are grouped, and the table that comes of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from callrouter.core.queued import QueuedCall
from callrouter.core.service_level import USUAL_GOAL, ServiceGoal
from callrouter.core.tally import QueueTally
from callrouter.report.rows import AgentOffer
from callrouter.report.tally import AgentTally

NOTHING = "–"
"""Stands for no topic, and for a figure of nothing."""


class By(StrEnum):
    """What makes a row of the report. Intervals are those in which calls began, by the clock of the report's zone."""

    QUEUE = "queue"
    TENANT = "tenant"
    TOPIC = "topic"
    WRAP_UP = "wrap-up"
    """What counselors said afterwards that calls were about."""
    AGENT = "agent"
    """Of offers, not of calls: see :class:`AgentReport`."""
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class QueueReport:
    """Calls by anything but counselors."""

    def __init__(self, by: By, zone: tzinfo | None, goals: Mapping[str, ServiceGoal]) -> None:
        self.by = by
        self._zone = zone
        self._goals = goals
        self._groups: dict[str, QueueTally] = {}
        self.total = QueueTally()

    def add(self, call: QueuedCall) -> None:
        """Count a call; a queue without a goal has the usual one."""
        goal = self._goals.get(call.queue, USUAL_GOAL)
        self._groups.setdefault(_key(call, self.by, self._zone), QueueTally()).add(call, goal)
        self.total.add(call, goal)

    def groups(self) -> list[tuple[str, QueueTally]]:
        """The groups that have calls, in the order of their names."""
        return sorted(self._groups.items(), key=lambda group: group[0])


class AgentReport:
    """Offers by counselors."""

    def __init__(self) -> None:
        self._groups: dict[str, AgentTally] = {}
        self.total = AgentTally()

    def add(self, offer: AgentOffer) -> None:
        """Count an offer."""
        self._groups.setdefault(offer.agent, AgentTally()).add(offer)
        self.total.add(offer)

    def groups(self) -> list[tuple[str, AgentTally]]:
        """The counselors to whom calls were offered, in the order of their names."""
        return sorted(self._groups.items(), key=lambda group: group[0])


def _key(call: QueuedCall, by: By, zone: tzinfo | None) -> str:
    match by:
        case By.QUEUE:
            return call.queue
        case By.TENANT:
            return call.tenant
        case By.TOPIC:
            return call.topic or NOTHING
        case By.WRAP_UP:
            return call.wrap_up or NOTHING
        case By.AGENT:
            return call.agent or NOTHING
        case By.HOUR | By.DAY | By.WEEK | By.MONTH:
            return interval(call.started_at.astimezone(zone), by)


def interval(local: datetime, by: By) -> str:
    """The hour, day, week (by its Monday) or month of a local time."""
    if by is By.HOUR:
        return f"{local:%Y-%m-%d %H:00}"
    if by is By.WEEK:
        return f"{local.date() - timedelta(days=local.weekday())}"
    return f"{local:%Y-%m}" if by is By.MONTH else f"{local:%Y-%m-%d}"
