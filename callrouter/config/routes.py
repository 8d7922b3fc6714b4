"""Routes and plans: from the model to the core's, and what can be seen to be wrong with them."""

from callrouter.config import model
from callrouter.config.geography import endpoints_of
from callrouter.config.problems import Path, nearest
from callrouter.config.references import Context
from callrouter.config.shadows import Shadows
from callrouter.core.causes import Cause
from callrouter.core.conditions import (
    CalendarOpen,
    CallerIs,
    Condition,
    DialedIs,
    Not,
    RegionIs,
    TenantIs,
    TopicIs,
    TrunkIs,
)
from callrouter.core.ids import CalendarName, PromptName, QueueName, RegionName, RuleId, TenantName, TopicName
from callrouter.core.numbers import parse
from callrouter.core.plan import Announce, EnterQueue, HandOver, HangUp, Plan, Step, is_final
from callrouter.core.routing import Route

_CAUSES = {
    "normal": Cause.NORMAL_CLEARING,
    "busy": Cause.USER_BUSY,
    "congestion": Cause.NORMAL_CIRCUIT_CONGESTION,
    "rejected": Cause.CALL_REJECTED,
}


def compile_routes(context: Context) -> tuple[Route, ...]:
    """Every sound route in order; faults go to the context's problems."""
    plans = {name: compile_plan(context, name, steps, ("plans", name)) for name, steps in context.model.plans.items()}
    routes: list[Route] = []
    first_at: dict[str, str] = {}
    for index, spec in zip(context.checked.route_indexes, context.model.routes, strict=True):
        path: Path = ("routes", index)
        place = context.document.place((*path, "id"))
        if spec.id in first_at:
            context.error((*path, "id"), f'the id "{spec.id}" is taken, first at {first_at[spec.id]}', "choose another")
        first_at.setdefault(spec.id, str(place))
        conditions = compile_when(context, spec.when, (*path, "when")) if spec.when is not None else ()
        plan = _plan_of(context, spec, path, plans)
        if plan is not None:
            routes.append(Route(RuleId(spec.id), f"{place.file}:{place.line}", plan, conditions))
    _check_order(context)
    return tuple(routes)


def _plan_of(context: Context, spec: model.Route, path: Path, plans: dict[str, Plan | None]) -> Plan | None:
    if spec.do is not None:
        return compile_plan(context, spec.id, spec.do, (*path, "do"))
    name = spec.plan or ""
    return plans[name] if context.refer("plans", name, (*path, "plan")) else None


def compile_plan(context: Context, name: str, steps: list[model.Step], path: Path) -> Plan | None:
    """The steps as a plan, or None if it does not end."""
    compiled = tuple(_step(context, step, (*path, index)) for index, step in enumerate(steps))
    for index, step in enumerate(compiled[:-1]):
        if is_final(step):
            remedy = "take it out, or give the queue a max_wait" if isinstance(step, EnterQueue) else "take it out"
            context.error((*path, index + 1), "this step is never reached: the one before ends the plan", remedy)
            return None
    if not compiled or not is_final(compiled[-1]):
        place: Path = (*path, len(steps) - 1) if steps else path
        context.error(place, f'the plan of "{name}" does not end', "let its last step be - hangup")
        return None
    return Plan(name, compiled)


def _step(context: Context, step: model.Step, path: Path) -> Step:
    if step.announce is not None:
        context.refer("prompts", step.announce, (*path, "announce"))
        return Announce(PromptName(step.announce))
    if step.queue is not None:
        context.refer("queues", step.queue, (*path, "queue"))
        return EnterQueue(QueueName(step.queue), step.max_wait)
    if step.dialplan is not None:
        place, _, extension = step.dialplan.partition(",")
        return HandOver(place.strip(), extension.strip())
    return HangUp(_CAUSES[step.hangup or "normal"])


def compile_when(context: Context, when: model.When, path: Path) -> tuple[Condition, ...]:
    """The conditions, cheapest and most telling first."""
    conditions: list[Condition] = []
    if when.dialed:
        conditions.append(_dialed(context, when.dialed, (*path, "dialed")))
    if when.trunk:
        conditions.append(TrunkIs(frozenset(_endpoints(context, when.trunk, (*path, "trunk")))))
    if when.region:
        conditions.append(RegionIs(frozenset(map(RegionName, _known(context, "regions", when.region, path)))))
    if when.tenant:
        conditions.append(TenantIs(frozenset(map(TenantName, _known(context, "tenants", when.tenant, path)))))
    if when.caller:
        conditions.append(CallerIs(frozenset(when.caller)))
    if when.topic:
        conditions.append(TopicIs(frozenset(map(TopicName, _known(context, "topics", when.topic, path)))))
    if when.calendar:
        conditions.append(CalendarOpen(tuple(map(CalendarName, _known(context, "calendars", when.calendar, path)))))
    if when.unless is not None:
        conditions.append(Not(compile_when(context, when.unless, (*path, "not"))))
    return tuple(conditions)


def _known(context: Context, section: str, names: list[str], path: Path) -> list[str]:
    key = section.removesuffix("s")
    for index, name in enumerate(names):
        context.refer(section, name, (*path, key, index))
    return names


def _dialed(context: Context, numbers: list[str], path: Path) -> DialedIs:
    exact: set[str] = set()
    prefixes: list[str] = []
    for index, number in enumerate(numbers):
        stem = number.removesuffix("*")
        if stem != number and stem.isascii() and stem.isdigit():
            prefixes.append(stem)
        elif stem == number and parse(number).national:
            exact.add(parse(number).national)
        else:
            remedy = "write it as it is dialled: 055120, or with a * at the end: 0551*"
            context.error((*path, index), f'"{number}" is not a number', remedy)
    return DialedIs(frozenset(exact), tuple(prefixes))


def _endpoints(context: Context, names: list[str], path: Path) -> list[str]:
    found: list[str] = []
    trunks = context.model.trunks
    endpoints = {endpoint for trunk in trunks for endpoint in endpoints_of(context, trunk)}
    for index, name in enumerate(names):
        if name in trunks:
            found += endpoints_of(context, name)
        elif name in endpoints:
            found.append(name)
        elif name not in context.names("trunks"):
            remedy = nearest(name, context.names("trunks") | endpoints)
            context.error((*path, index), f'unknown trunk "{name}"', remedy)
    return found


def _check_order(context: Context) -> None:
    """The last route must take every call, and no route may stand behind one that takes all of its calls."""
    routes = list(zip(context.checked.route_indexes, context.model.routes, strict=True))
    if not routes:
        if context.whole("routes"):
            context.error(("routes",), "there is no route", "write one without when: that takes every call")
        return
    index, last = routes[-1]
    written = context.document.sections.get("routes")
    is_last = isinstance(written, list) and index == len(written) - 1
    if last.when is not None and is_last:
        remedy = "add a route without when: behind it"
        context.error(("routes", index, "id"), f'the last route "{last.id}" does not take every call', remedy)
    shadows = Shadows(context.model)
    for index, route in routes:
        found = shadows.of(route.when)
        if found is not None:
            earlier = context.model.routes[found]
            place = context.document.place(("routes", context.checked.route_indexes[found], "id"))
            message = f'the route "{route.id}" is never reached: "{earlier.id}" ({place}) takes all of its calls'
            context.error(("routes", index, "id"), message, "move it up, or take it out")
        shadows.add(route.when)
