"""What came of the calls of the day so far, and how counselors spent it: kept up call by call.

The day is the local one of the rules' time zone. A call belongs to the day on which it came in, as in reports, and
counts when it is over. Times are aware UTC.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo

from callrouter.core.agent import Agent, AgentState
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.cdr import Cdr, OfferResult, VisitEnd
from callrouter.core.duty import Duty
from callrouter.core.floor import Floor
from callrouter.core.ids import AgentId, QueueName, TenantName
from callrouter.core.output import Output
from callrouter.core.queued import QueuedCall, visits, whole_call
from callrouter.core.service_level import USUAL_GOAL
from callrouter.core.tally import QueueTally
from callrouter.core.worktime import DutyChange, Spent, Talk, WorkTime

_CALLED = frozenset({AgentState.RESERVED, AgentState.RINGING, AgentState.ON_CALL})


class Today:
    """See the module. ``floor`` has the counselors, and the rules of now."""

    def __init__(self, floor: Floor, at: datetime) -> None:
        self._floor = floor
        self.since = at
        """Since when calls are counted: the day's beginning, unless the daemon learnt nothing of the time before it."""
        self.begin, self.end = day_of(at, floor.rulebook.timezone)
        self._clear()

    def _clear(self) -> None:
        self.queues: defaultdict[QueueName, QueueTally] = defaultdict(QueueTally)
        self.tenants: defaultdict[TenantName, QueueTally] = defaultdict(QueueTally)
        self.topics: defaultdict[str, QueueTally] = defaultdict(QueueTally)
        self._hours: Counter[tuple[datetime, str]] = Counter()
        self._work: dict[AgentId, WorkTime] = {}

    @property
    def day(self) -> date:
        """The local day."""
        return self.begin.astimezone(self._floor.rulebook.timezone).date()

    def remember(self, cdrs: Iterable[Cdr], duties: Iterable[AuditEntry], since: datetime, at: datetime) -> None:
        """Know again what was counted before a restart, from the records of the day and what was said of counselors.

        The records are all that there are ``since`` then.
        """
        self.keep_up(at)
        self.since = max(self.begin, since)
        for entry in duties:
            self._say(entry)
        for cdr in cdrs:
            self._take(cdr)

    def note(self, out: Output, at: datetime) -> None:
        """Take what came out of the exchange for one event."""
        if not out.cdrs and not out.audit:
            return
        self.keep_up(at)
        for entry in out.audit:
            self._say(entry)
        for cdr in out.cdrs:
            self._take(cdr)

    def keep_up(self, at: datetime) -> None:
        """At midnight, begin anew; what was said of counselors holds on."""
        if at < self.end:
            return
        said = {agent: work.said for agent, work in self._work.items()}
        self.begin, self.end = day_of(at, self._floor.rulebook.timezone)
        self.since = self.begin
        self._clear()
        self._work = {agent: WorkTime(self.begin, *duty) for agent, duty in said.items()}

    def spent(self, agent: Agent, at: datetime) -> Spent:
        """How a counselor has spent the day so far."""
        work = self._work_of(agent.spec.id, agent.duty, agent.reason)
        return work.spent(
            at,
            talks_since=agent.since if agent.state is AgentState.ON_CALL else None,
            done_at=_done_at(agent),
        )

    def of_topics(self, hour: datetime) -> Counter[str]:
        """How many calls of each topic came in during the hour that began at ``hour``, and are over."""
        return Counter({topic: calls for (begun, topic), calls in self._hours.items() if begun == hour})

    def _take(self, cdr: Cdr) -> None:
        self._take_talks(cdr)
        if not self.begin <= cdr.started_at < self.end or cdr.returns is not None:
            return
        if cdr.topic is not None:
            self._hours[hour_of(cdr.started_at, self._floor.rulebook.timezone), cdr.topic] += 1
        whole = whole_call(cdr)
        if whole is not None:
            self._count(self.tenants[cdr.tenant], whole)
            self._count(self.topics[cdr.topic or ""], whole)
        for visit in visits(cdr):
            self._count(self.queues[QueueName(visit.queue)], visit)

    def _count(self, tally: QueueTally, call: QueuedCall) -> None:
        queue = self._floor.rulebook.queues.get(QueueName(call.queue))
        tally.add(call, queue.goal if queue is not None else USUAL_GOAL)

    def _take_talks(self, cdr: Cdr) -> None:
        queue_at = {visit.left_at: visit.queue for visit in cdr.visits if visit.how is VisitEnd.ANSWERED}
        for leg in cdr.legs:
            if leg.agent is None or leg.answered_at is None or leg.result is not OfferResult.ANSWERED:
                continue
            wrap_up_s = self._floor.rulebook.wrap_up_s(leg.agent, queue_at.get(leg.answered_at, cdr.queue))
            agent = self._floor.staff.agents.get(leg.agent)
            duty, reason = (agent.duty, agent.reason) if agent is not None else (Duty.OFF, "")
            work = self._work_of(leg.agent, duty, reason)
            work.talk(Talk(leg.offered_at, leg.answered_at, leg.ended_at, wrap_up_s))

    def _say(self, entry: AuditEntry) -> None:
        if entry.kind is not AuditKind.AGENT:
            return
        duty = next((duty for duty in Duty if duty == entry.becomes), Duty.ON)
        was = next((duty for duty in Duty if duty == entry.was), Duty.ON)
        self._work_of(AgentId(entry.name), was, "").change(DutyChange(entry.at, duty, entry.note))

    def _work_of(self, agent: AgentId, duty: Duty, reason: str) -> WorkTime:
        """That counselor's time; who is new here has stood so since the day began."""
        if agent not in self._work:
            self._work[agent] = WorkTime(max(self.begin, self.since), duty, reason)
        return self._work[agent]


def _done_at(agent: Agent) -> datetime | None:
    """When the work after his last call was over, as far as what he does now tells."""
    if agent.state is AgentState.WRAP_UP:
        return None
    return agent.offered_at if agent.state in _CALLED else agent.since


def day_of(at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """From when to when the local day of ``at`` lasts."""
    day = at.astimezone(zone).date()
    begin, end = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    return begin.astimezone(at.tzinfo), end.astimezone(at.tzinfo)


def hour_of(at: datetime, zone: tzinfo) -> datetime:
    """When the hour of the local clock began in which ``at`` is."""
    local = at.astimezone(zone)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return at - past
