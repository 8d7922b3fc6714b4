"""How counselors stood when the last daemon ended: who is idle since when, has taken how many calls today, is still in
his wrap-up, and is to be told that he was paused.

It comes from the CDRs of the calls that have ended, and from what was said of counselors.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from callrouter.core import commands as cmd
from callrouter.core import naming
from callrouter.core.agent import Agent, AgentState, LastCall, is_blamed
from callrouter.core.audit import AuditEntry
from callrouter.core.cdr import Cdr, CdrLeg, OfferResult
from callrouter.core.duty import Duty, DutyVia
from callrouter.core.events import TimerKind
from callrouter.core.floor import Floor
from callrouter.core.ids import AgentId, QueueName
from callrouter.core.local_time import midnights
from callrouter.core.output import Output


def recall(floor: Floor, ended: Sequence[Cdr], duties: Iterable[AuditEntry], at: datetime, out: Output) -> None:
    """Put every counselor back to where he stood; before the first event, and before what was said of them.

    Nobody knows of whom the records say nothing: he has been idle for longer than they reach back.
    """
    beginning = min((cdr.started_at for cdr in ended), default=at)
    for agent in floor.staff.agents.values():
        floor.acd.spare(agent)
        agent.idle_since = min(agent.idle_since, beginning)
    since, _ = midnights(at, floor.rulebook.timezone)
    wrap_ups: dict[AgentId, datetime] = {}
    for when, what, queue in _in_order(ended, duties):
        agent_id = AgentId(what.name) if isinstance(what, AuditEntry) else what.agent
        known = floor.staff.agents.get(agent_id) if agent_id is not None else None
        if known is None or when > at:
            continue
        if isinstance(what, AuditEntry):
            if what.becomes == Duty.ON:
                _came_back(floor, known, what)
                wrap_ups.pop(known.spec.id, None)
        elif _was_called(known, what, since):
            wrap_ups[known.spec.id] = when + timedelta(seconds=floor.staff.wrap_up_s(known, queue))
            name = naming.parse_leg_channel(what.channel)
            known.last = LastCall(name.call, queue) if name is not None else None
    for agent in floor.staff.agents.values():
        agent.calls = agent.calls or floor.staff.fewest_calls(agent)
        until = wrap_ups.get(agent.spec.id, at)
        if until > at:
            agent.change(AgentState.WRAP_UP, agent.idle_since)
            out.commands.append(cmd.SetTimer((TimerKind.AGENT, agent.spec.id), (until - at).total_seconds()))
        elif agent.state is AgentState.AVAILABLE:
            floor.acd.offer_to(agent)


def recall_untold(floor: Floor, ended: Sequence[Cdr], duties: Iterable[AuditEntry]) -> None:
    """Who was paused for calls that he missed, did not end that himself and has not picked up since, is to be told.

    ``duties`` are all that was said of counselors, as far back as it is kept.
    """
    for _, what, _ in _in_order(ended, duties):
        agent_id = AgentId(what.name) if isinstance(what, AuditEntry) else what.agent
        known = floor.staff.agents.get(agent_id) if agent_id is not None else None
        if known is None:
            continue
        if not isinstance(what, AuditEntry):
            known.untold = known.untold and what.answered_at is None
        elif what.via == DutyVia.MISSES:
            known.untold = True
        elif what.via == DutyVia.PHONE or what.who == known.spec.id:
            known.untold = False


def _in_order(
    ended: Iterable[Cdr], duties: Iterable[AuditEntry]
) -> list[tuple[datetime, CdrLeg | AuditEntry, QueueName | None]]:
    legs: list[tuple[datetime, CdrLeg | AuditEntry, QueueName | None]] = [
        (leg.ended_at, leg, cdr.queue) for cdr in ended for leg in cdr.legs
    ]
    said = [(entry.at, entry, None) for entry in duties]
    return sorted([*legs, *said], key=lambda one: one[0])


def _came_back(floor: Floor, agent: Agent, entry: AuditEntry) -> None:
    """Who ended his wrap-up or a pause has been idle since then; who logged in, among those who were there before."""
    agent.idle_since = entry.at
    if entry.was == Duty.OFF:
        agent.calls = max(agent.calls, floor.staff.fewest_calls(agent))


def _was_called(agent: Agent, leg: CdrLeg, since: datetime) -> bool:
    """Whether he took the call; it counts if it ended at ``since`` or later."""
    if leg.result is not OfferResult.ANSWERED_ELSEWHERE:
        agent.offered_at = leg.offered_at
    is_taken = leg.result is OfferResult.ANSWERED
    if is_taken or is_blamed(leg.result):
        agent.idle_since = leg.ended_at
    agent.calls += is_taken and leg.ended_at >= since
    return is_taken
