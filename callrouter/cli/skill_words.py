"""What a queue asks of the counselors for a call, in words and as data."""

from collections.abc import Iterator, Sequence

from callrouter.core.decision import Decision
from callrouter.core.ids import AgentId
from callrouter.core.inbound import CallFacts
from callrouter.core.rulebook import Rulebook
from callrouter.core.skills import Demand, Levels, Stage, stages


def asked_of(decision: Decision, rulebook: Rulebook, facts: CallFacts) -> tuple[Stage, ...]:
    """What the queue of the decision asks for the call, one after another as it waits."""
    step = decision.queue
    queue = rulebook.queues.get(step.queue) if step is not None else None
    return stages(queue.skills, facts, decision.tenant) if queue is not None else ()


def skill_data(asked: Sequence[Stage], decision: Decision, rulebook: Rulebook) -> list[dict[str, object]]:
    """For programs; seconds, and who is capable."""
    return [
        {
            "after_s": stage.after_s,
            "need": dict(stage.demand.need),
            "prefer": dict(stage.demand.prefer),
            "agents": _capable(stage.demand, decision, rulebook),
        }
        for stage in asked
    ]


def skill_lines(asked: Sequence[Stage], decision: Decision, rulebook: Rulebook) -> Iterator[str]:
    """A line for each time at which something else is asked."""
    for number, stage in enumerate(asked):
        head = "skills    " if number == 0 else " " * 10
        after = f"after {stage.after_s:g} s: " if stage.after_s else ""
        prefer = f", preferred {_text(stage.demand.prefer)}" if stage.demand.prefer else ""
        capable = ", ".join(_capable(stage.demand, decision, rulebook)) or "nobody"
        yield f"{head}{after}needed {_text(stage.demand.need)}{prefer}: {capable}"


def _text(levels: Levels) -> str:
    return ", ".join(f"{name} {level}" for name, level in levels) or "none"


def _capable(demand: Demand, decision: Decision, rulebook: Rulebook) -> list[AgentId]:
    """Who serves the queue and meets the demand; who is rung first among equals comes first."""
    step = decision.queue
    agents = [one for one in rulebook.agents.values() if step is not None and step.queue in one.queues]
    able = [one for one in agents if demand.is_met_by(one.skills)]
    return [one.id for one in sorted(able, key=lambda one: demand.shortfall(one.skills))]
