"""What queues ask of counselors, and whether there are any who can do it."""

from collections.abc import Mapping, Sequence

from callrouter.config import model
from callrouter.config.problems import Path, nearest
from callrouter.config.references import Context
from callrouter.core.ids import SkillName, TenantName, TopicName
from callrouter.core.skills import Relaxation, SkillRules, Wish

Has = Mapping[str, int]
"""The skills of an agent."""


def skill_rules(context: Context, name: str, spec: model.Queue) -> SkillRules:
    """What the queue of that name asks; faults go to the context's problems."""
    path: Path = ("queues", name)
    _check_references(context, spec.skills, path)
    _check_relaxations(context, spec, path)
    if context.whole("agents"):
        staff = [agent.skills for agent in context.model.agents.values() if name in agent.queues]
        if staff:  # else it has been said that nobody serves the queue at all
            _check_staff(context, name, spec, staff)
    return SkillRules(
        tuple(_wish(wish) for wish in spec.skills),
        tuple(Relaxation(each.after, _levels(each.need)) for each in spec.relax),
    )


def check_skills_asked(context: Context) -> None:
    """Note every skill of an agent that no queue asks for: it is probably misspelt."""
    wishes = [wish for queue in context.model.queues.values() for wish in queue.skills]
    asked = {skill for wish in wishes for skill in (*wish.need, *wish.prefer)}
    said: set[str] = set()
    for name, agent in context.model.agents.items() if context.whole("queues") else ():
        for skill in agent.skills:
            if skill not in asked | said:
                said.add(skill)
                remedy = nearest(skill, asked) if asked else "write it under need: or prefer: of a queue's skills:"
                context.warn(("agents", name, "skills", skill), f'no queue asks for "{skill}"', remedy, key=True)


def _check_references(context: Context, wishes: Sequence[model.Wish], path: Path) -> None:
    for index, wish in enumerate(wishes):
        for key, section, names in (("topic", "topics", wish.topic), ("tenant", "tenants", wish.tenant)):
            place: Path = (*path, "skills", index, key)
            is_list = isinstance(context.document.at(place), list)
            for number, name in enumerate(names):
                context.refer(section, name, (*place, number) if is_list else place)


def _check_relaxations(context: Context, spec: model.Queue, path: Path) -> None:
    """Each comes after the one before, and eases what is needed until then."""
    needed = _together(spec.skills)
    last_s = 0.0
    for index, relaxation in enumerate(spec.relax):
        place: Path = (*path, "relax", index)
        if relaxation.after <= last_s:
            before = f"the one before comes after {last_s:g} s" if index else "callers have to wait for it first"
            message = f"a relaxation after {relaxation.after:g} s is out of order: {before}"
            context.error((*place, "after"), message, "write them in the order of time, each later than the last")
        last_s = max(last_s, relaxation.after)
        if not relaxation.need:
            context.error((*place, "need"), "nothing is eased", "write the skills with lower levels, or take it out")
        for skill, level in relaxation.need.items():
            if skill not in needed:
                remedy = nearest(skill, needed) if needed else "write it under need: of the queue's skills:"
                context.error((*place, "need", skill), f'the queue does not need "{skill}"', remedy, key=True)
            elif level >= needed[skill]:
                message = f'"{skill}" is not eased: level {needed[skill]} is enough by then'
                context.error((*place, "need", skill), message, "write a lower level, or take it out")
            else:
                needed[skill] = level


def _check_staff(context: Context, name: str, spec: model.Queue, staff: Sequence[Has]) -> None:
    """Somebody has what is needed; and nobody waits for ever for somebody who is not at work."""
    always = [wish for wish in spec.skills if not (wish.language or wish.topic or wish.tenant)]
    for index, wish in enumerate(spec.skills):
        place: Path = ("queues", name, "skills", index)
        missing = [skill for skill, level in wish.need.items() if not _someone(staff, {skill: level})]
        for skill in missing:
            message = f'no agent of the queue "{name}" has "{skill}" at level {wish.need[skill]}'
            context.error((*place, "need", skill), message, _who_has(skill, staff), key=True)
        together = _together([*always, wish])
        if wish.need and not missing and not _someone(staff, together):
            written = ", ".join(f"{skill} {level}" for skill, level in together.items())
            message = f'no agent of the queue "{name}" has all of this together: {written}'
            context.error((*place, "need"), message, "give one of them all of it, or ask for less", key=True)
        for skill, level in wish.prefer.items():
            if not _someone(staff, {skill: level}):
                message = f'no agent of the queue "{name}" has the preferred "{skill}" at level {level}'
                context.warn((*place, "prefer", skill), message, _who_has(skill, staff), key=True)
    if spec.skills:
        _check_end(context, name, spec)


def _check_end(context: Context, name: str, spec: model.Queue) -> None:
    eased = {skill for relaxation in spec.relax for skill, level in relaxation.need.items() if level == 0}
    for index, wish in enumerate(spec.skills):
        for skill in wish.need:
            if skill not in eased:
                eased.add(skill)
                message = f'callers wait in vain while nobody with "{skill}" is at work'
                remedy = f"ease it with relax: [{{after: 2 min, need: {{{skill}: 0}}}}]"
                context.warn(("queues", name, "skills", index, "need", skill), message, remedy, key=True)


def _together(wishes: Sequence[model.Wish]) -> dict[str, int]:
    """All that they need, each skill at the highest level."""
    found: dict[str, int] = {}
    for wish in wishes:
        for skill, level in wish.need.items():
            found[skill] = max(found.get(skill, 0), level)
    return found


def _someone(staff: Sequence[Has], needed: Mapping[str, int]) -> bool:
    return any(all(has.get(skill, 0) >= level for skill, level in needed.items()) for has in staff)


def _who_has(skill: str, staff: Sequence[Has]) -> str:
    best = max(has.get(skill, 0) for has in staff)
    if best:
        return f"the best has level {best}; write that, or give somebody more"
    known = {name for has in staff for name in has}
    return nearest(skill, known) if known else "write it under skills: of an agent"


def _wish(spec: model.Wish) -> Wish:
    return Wish(
        _levels(spec.need),
        _levels(spec.prefer),
        frozenset(spec.language),
        frozenset(map(TopicName, spec.topic)),
        frozenset(map(TenantName, spec.tenant)),
    )


def _levels(written: Mapping[str, int]) -> dict[SkillName, int]:
    return {SkillName(name): level for name, level in written.items()}
