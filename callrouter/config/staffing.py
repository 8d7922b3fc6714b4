"""Who serves queues at which site."""

from collections.abc import Sequence

from callrouter.config.links import Links
from callrouter.config.references import Context
from callrouter.core.plan import EnterQueue, Step


def check_sites(context: Context, steps: Sequence[Step], links: Links) -> None:
    """Note every queue that callers are sent to and that nobody serves at one of the sites.

    ``steps`` are those of all routes, which take the calls of all sites. A caller is connected within a site, or over
    one of the ``links`` to another.
    """
    used = dict.fromkeys(step.queue for step in steps if isinstance(step, EnterQueue))
    if not context.whole("sites", "agents") or len(context.model.sites) < 2:
        return
    for queue in used:
        agents = [agent for agent in context.model.agents.values() if queue in agent.queues]
        served = {agent.site for agent in agents}
        reachable = {agent.site for agent in agents if agent.trunk is None}
        served |= {origin for origin, to in links if to in reachable}
        for site in context.model.sites:
            # Where nobody serves the queue at all, that has been said.
            if served and site not in served and queue in context.model.queues:
                message = f'no agent of the site "{site}" serves the queue "{queue}", and its callers wait in vain'
                remedy = "name it in the queues of one of its agents"
                context.warn(("queues", queue), message, remedy, key=True)
