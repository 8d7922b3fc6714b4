"""What a call was about: the counselor says so by a code, until the wrap-up after it is over.

The call's record may be written by then, so what is said is an entry of its own (:mod:`callrouter.core.audit`), under
the call's id. Of several the newest counts.
"""

from collections.abc import Iterable
from datetime import datetime

from callrouter.core.agent import Agent, AgentState
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.duty import DutyAnswer, DutyOrder
from callrouter.core.output import Output
from callrouter.core.rulebook import QueueSpec, Rulebook
from callrouter.core.switches import one_line

NOTED, TOO_LATE = "noted", "toolate"
"""What the phone hears that dialled a code: prompts ``agent-<word>``."""


def is_code(code: str, queues: Iterable[QueueSpec]) -> bool:
    """Whether any queue has the code; which topic it means is for the counselor's last call to say."""
    return any(code in queue.wrap_up_codes for queue in queues)


def ends_wrap_up(agent: Agent, rulebook: Rulebook) -> bool:
    """Whether a code that was taken ends the wrap-up."""
    queue = _queue(agent, rulebook)
    return queue is not None and queue.code_ends_wrap_up


def say(agent: Agent, rulebook: Rulebook, order: DutyOrder, at: datetime, out: Output) -> DutyAnswer:
    """Keep what the counselor's last call was about, by a code or a topic of its queue, or say why not."""
    last, queue = agent.last, _queue(agent, rulebook)
    if agent.state is not AgentState.WRAP_UP or last is None:
        return DutyAnswer(False, False, f"agent {agent.spec.id} is in no wrap-up: there is no call to speak of")
    if queue is None or not queue.wrap_up_codes:
        return DutyAnswer(False, False, f'the queue "{last.queue}" has no wrap_up_codes')
    topic = queue.wrap_up_codes.get(order.about)
    if topic is None and order.about in queue.wrap_up_codes.values():
        topic = order.about
    if topic is None:
        there = ", ".join(f"{code} {name}" for code, name in queue.wrap_up_codes.items())
        said = f'"{one_line(order.about)}" is no wrap-up code of the queue "{last.queue}"; there are: {there}'
        return DutyAnswer(False, False, said)
    if topic == last.about:
        return DutyAnswer(True, False, f"the call was about {topic} already")
    who = one_line(order.who)
    out.audit.append(
        AuditEntry(at, who, AuditKind.WRAP_UP, last.call, last.about, topic, order.via, at, None, agent.spec.id)
    )
    last.about = topic
    return DutyAnswer(True, True, f"the last call of agent {agent.spec.id} was about {topic}")


def _queue(agent: Agent, rulebook: Rulebook) -> QueueSpec | None:
    return rulebook.queues.get(agent.last.queue) if agent.last is not None and agent.last.queue is not None else None
