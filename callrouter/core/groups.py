"""Those who wait, in groups of callers who are alike but for their places."""

from dataclasses import dataclass, field

from callrouter.core.ids import CallId, QueueName, SiteName, TenantName, TrunkName
from callrouter.core.pool import Pool

Line = tuple[QueueName, SiteName]
"""Those who wait in a queue at one site."""

Place = tuple[float, int]
"""What orders the callers of all queues: when they came, in seconds, less the head start; then the place's number."""

NO_TENANT = TenantName("")

Waiting = tuple[Place, CallId]


@dataclass(slots=True, eq=False)
class Group:
    """Those of a line who are alike but for their places: one of them can be served if and only if all can."""

    line: Line
    tenant: TenantName
    pool: Pool
    outward: TrunkName | None = None
    """The trunk group by which they are called back, for whom a channel of it is wanted beside the counselor."""
    waiting: list[Waiting] = field(default_factory=list)
    rung: int = 0
    """For how many, who do not wait here meanwhile, more phones may ring."""


Head = tuple[Place, CallId, Group]
"""The first of a group."""
