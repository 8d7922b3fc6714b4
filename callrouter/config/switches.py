"""Switches: from the model to the core's, and what can be seen to be wrong with them."""

from collections.abc import Iterator

from callrouter.config.model import Model, Route, Step, Switch, Use, When
from callrouter.config.problems import Path, nearest
from callrouter.config.references import Context
from callrouter.core.ids import SiteName, SwitchName
from callrouter.core.switches import SwitchSpec


def compile_switches(context: Context) -> dict[SwitchName, SwitchSpec]:
    """Every switch; faults go to the context's problems."""
    found: dict[SwitchName, SwitchSpec] = {}
    owner_of: dict[str, str] = {}
    for text, spec in context.model.switches.items():
        name, path = SwitchName(text), ("switches", text)
        if spec.max <= 0:
            message = f'the switch "{name}" could never be on'
            context.error((*path, "max"), message, "write how long it may stay on, such as 24h")
        other = owner_of.setdefault(spec.code, text) if spec.code is not None else text
        if other != text:
            message = f'the code {spec.code} is taken by the switch "{other}"'
            context.error((*path, "code"), message, "choose another: each switch has its own")
        phones = frozenset(_phones(context, spec, (*path, "phones")))
        found[name] = SwitchSpec(name, spec.title, spec.max, spec.code or "", phones)
    return found


def check_switches_used(context: Context) -> None:
    """A switch that nothing asks for changes nothing, and whoever sets it believes otherwise."""
    if not context.model.switches or not context.whole("routes", "plans"):
        return
    used = {name for when in _conditions(context.model) for name in _asked(when)}
    announced = (queue.announce.surge for queue in context.model.queues.values() if queue.announce is not None)
    used |= {surge.switch for surge in announced if surge is not None and surge.switch is not None}
    for name in context.model.switches:
        if name not in used:
            message = f'no route asks for the switch "{name}": setting it changes nothing'
            context.warn(("switches", name), message, "use it in when: or if:, or take it out", key=True)


def _phones(context: Context, spec: Switch, path: Path) -> Iterator[tuple[SiteName, str]]:
    """Where each phone stands, and what Asterisk calls it there; an endpoint that is no agent's may be at any site."""
    agents = context.model.agents
    for index, name in enumerate(spec.phones):
        if name in agents:
            agent = agents[name]
            if agent.endpoint is None:
                message = f'the agent "{name}" has no phone of his own'
                context.error((*path, index), message, "name the phone itself, as PJSIP/299")
                continue
            if "@" in agent.endpoint or agent.trunk is not None:
                message = (
                    f'the phone of "{name}" is not at the site {agent.site}: its calls come by a trunk, as others do'
                )
                context.error((*path, index), message, "name a phone of the site, or use callrouter switch there")
            yield SiteName(agent.site), agent.endpoint
        elif "/" in name:
            yield from ((SiteName(site), name) for site in context.model.sites)
        elif name not in context.names("agents") and context.whole("agents"):
            remedy = nearest(name, context.names("agents"))
            context.error((*path, index), f'unknown phone "{name}"', remedy)


def _conditions(model: Model) -> Iterator[When]:
    for route in model.routes:
        yield from _of_route(route)
    for plan in model.plans.values():
        yield from _of_steps(plan.do)


def _of_route(route: Route) -> Iterator[When]:
    if route.when is not None:
        yield route.when
    yield from _of_steps(route.do or [])


def _of_steps(steps: list[Step]) -> Iterator[When]:
    for step in steps:
        if step.condition is not None:
            yield step.condition
        branches: tuple[Use | None, ...] = (*(step.keys or {}).values(), step.default, step.then, step.otherwise)
        for branch in branches:
            if branch is not None:
                yield from _of_steps(branch.do or [])


def _asked(when: When) -> Iterator[str]:
    yield from when.switch or ()
    if when.unless is not None:
        yield from _asked(when.unless)
