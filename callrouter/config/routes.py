"""Routes: from the model to the core's, and what can be seen to be wrong with their order."""

from callrouter.config import model
from callrouter.config.conditions import check_lists, compile_when
from callrouter.config.plans import PlanCompiler
from callrouter.config.problems import Path, Place
from callrouter.config.references import Context
from callrouter.config.remembering import check_consents
from callrouter.config.shadows import Shadows
from callrouter.core.ids import RuleId
from callrouter.core.plan import Menu, Plan, RouteAgain, Step, walk
from callrouter.core.routing import Route


def compile_routes(context: Context, plans: PlanCompiler) -> tuple[Route, ...]:
    """Every sound route in order; faults go to the context's problems. ``plans`` has looked at the named ones."""
    check_lists(context)
    routes: list[Route] = []
    placed: list[tuple[list[Step], Path]] = []
    first_at: dict[str, Place] = {}
    for index, spec in zip(context.checked.route_indexes, context.model.routes, strict=True):
        path: Path = ("routes", index)
        place = context.document.place((*path, "id"))
        if spec.id in first_at:
            context.error((*path, "id"), f'the id "{spec.id}" is taken, first at {first_at[spec.id]}', "choose another")
        first_at.setdefault(spec.id, place)
        conditions = compile_when(context, spec.when, (*path, "when")) if spec.when is not None else ()
        plan = _plan_of(plans, spec, path)
        if plan is not None:
            placed.append((list(walk(plan)), (*path, "plan" if spec.plan else "do")))
            check_route_again(context, *placed[-1])
            routes.append(Route(RuleId(spec.id), f"{place.file}:{place.line}", plan, conditions))
    check_consents(context, placed)
    _check_order(context)
    _check_used(context, plans.used)
    return tuple(routes)


def _plan_of(plans: PlanCompiler, spec: model.Route, path: Path) -> Plan | None:
    if spec.do is not None:
        return plans.steps(spec.id, spec.do, (*path, "do"))
    return plans.named(spec.plan or "", spec.arguments, path)


def check_route_again(context: Context, steps: list[Step], path: Path) -> None:
    """A call that comes back to the routes as it was would meet the same route."""
    if not any(isinstance(step, RouteAgain) for step in steps):
        return
    answers = [answer for step in steps if isinstance(step, Menu) for answer in (*step.choices, step.default)]
    if not any(answer.topic or answer.region or answer.language or answer.forget for answer in answers):
        message = "route: again would meet the same route: nothing new is known of the call"
        context.error(path, message, "let a menu set topic, region or language before")


def _check_used(context: Context, used: set[str]) -> None:
    for name in context.model.plans:
        if name not in used and context.whole("routes"):
            context.warn(("plans", name), f'no route does the plan "{name}"', "use it, or take it out", key=True)


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
