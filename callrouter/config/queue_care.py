"""What is done for those who wait in a queue: announcements, keys, limits, from the model to the core's."""

from collections.abc import Iterator, Mapping

from callrouter.config import model
from callrouter.config.plans import PlanCompiler
from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.config.routes import check_route_again
from callrouter.core.ids import PromptName, SwitchName
from callrouter.core.plan import EnterQueue, Plan, walk
from callrouter.core.waiting_spec import POSITION_PROMPTS, WAIT_PROMPTS, Comfort, KeyWay, QueueCare, Surge


def compile_cares(context: Context, plans: PlanCompiler) -> dict[str, QueueCare]:
    """What is done in each queue, by its name; faults go to the context's problems."""
    cares = {name: _care(context, plans, spec, ("queues", name)) for name, spec in context.model.queues.items()}
    _check_circles(context, cares)
    return cares


def _care(context: Context, plans: PlanCompiler, spec: model.Queue, path: Path) -> QueueCare:
    ways = ((key, _way(context, plans, use, (*path, "keys", key))) for key, use in spec.keys.items())
    keys = tuple(KeyWay(key, plan) for key, plan in ways if plan is not None)
    if spec.announce is not None and spec.announce.offer is not None and not spec.keys:
        context.error((*path, "announce", "offer"), "there is no key to offer", "write keys: with what each means")
    return QueueCare(
        comfort=_comfort(context, spec.announce, (*path, "announce")) if spec.announce is not None else None,
        keys=keys,
        max_waiting=spec.max_waiting,
        when_full=_way(context, plans, spec.when_full, (*path, "when_full")),
        when_unstaffed=_way(context, plans, spec.when_unstaffed, (*path, "when_unstaffed")),
        redial_within_s=spec.redial_within,
    )


def _way(context: Context, plans: PlanCompiler, use: model.Use | None, path: Path) -> Plan | None:
    if use is not None and use.plan is None:
        context.error(path, "a queue goes on with a plan of plans:", "write its name, and its steps there")
        return None
    plan = plans.use(use, path)
    if plan is not None:
        check_route_again(context, list(walk(plan)), path)
    return plan


def _comfort(context: Context, spec: model.QueueAnnounce, path: Path) -> Comfort:
    for key in ("prompt", "offer"):
        name = getattr(spec, key)
        if name is not None:
            context.refer("prompts", name, (*path, key))
    for key, prompts in (("position", POSITION_PROMPTS), ("wait", WAIT_PROMPTS)):
        missing = sorted(set(prompts) - context.names("prompts")) if getattr(spec, key) else []
        if missing:
            message = f"to tell it, {len(missing)} prompts are missing, first {missing[0]}"
            context.error((*path, key), message, "write them in prompts:, as the sample configuration has them")
    return Comfort(
        spec.every,
        spec.every if spec.first is None else spec.first,
        PromptName(spec.prompt) if spec.prompt is not None else None,
        spec.position,
        spec.wait,
        _surge(context, spec.surge, (*path, "surge")) if spec.surge is not None else None,
        PromptName(spec.offer) if spec.offer is not None else None,
    )


def _surge(context: Context, spec: model.QueueSurge, path: Path) -> Surge:
    context.refer("prompts", spec.prompt, (*path, "prompt"))
    if spec.switch is not None:
        context.refer("switches", spec.switch, (*path, "switch"))
    switch = SwitchName(spec.switch) if spec.switch is not None else None
    return Surge(PromptName(spec.prompt), switch, spec.longer_than)


def _check_circles(context: Context, cares: Mapping[str, QueueCare]) -> None:
    """Callers who are turned away at once, again and again, would go round for ever."""
    for name, care in cares.items():
        for key, plan in (("when_full", care.when_full), ("when_unstaffed", care.when_unstaffed)):
            way = _way_back(name, plan, cares, (name,)) if plan is not None else None
            if way is not None:
                message = f"who is turned away comes back to the queue: {' → '.join(way)}"
                context.error(("queues", name, key), message, "let the plan end elsewhere")


def _way_back(home: str, plan: Plan, cares: Mapping[str, QueueCare], way: tuple[str, ...]) -> tuple[str, ...] | None:
    for name in _entered(plan):
        if name == home:
            return (*way, name)
        care = cares.get(name) if name not in way else None
        turned = [turn for turn in (care.when_full, care.when_unstaffed) if turn is not None] if care else []
        for turn in turned:
            found = _way_back(home, turn, cares, (*way, name))
            if found is not None:
                return found
    return None


def _entered(plan: Plan) -> Iterator[str]:
    return (step.queue for step in walk(plan) if isinstance(step, EnterQueue))
