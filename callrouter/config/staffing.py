"""Who serves queues at which site."""

from collections.abc import Sequence

from callrouter.config.references import Context
from callrouter.core.plan import EnterQueue, Step


def check_sites(context: Context, steps: Sequence[Step]) -> None:
    """Note every queue that callers are sent to and that nobody serves at one of the sites.

    ``steps`` are those of all routes. A caller is only ever connected within a site, and a route takes the calls of all
    of them.
    """
    used = dict.fromkeys(step.queue for step in steps if isinstance(step, EnterQueue))
    if not context.whole("sites", "agents") or len(context.model.sites) < 2:
        return
    for queue in used:
        served = {agent.site for agent in context.model.agents.values() if queue in agent.queues}
        for site in context.model.sites:
            # Where nobody serves the queue at all, that has been said.
            if served and site not in served and queue in context.model.queues:
                message = f'no agent of the site "{site}" serves the queue "{queue}", and its callers wait in vain'
                remedy = "name it in the queues of one of its agents"
                context.warn(("queues", queue), message, remedy, key=True)
