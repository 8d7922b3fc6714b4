"""A floor on which many wait and many are free, for :mod:`bench.match`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from callrouter.core.acd import Acd
from callrouter.core.agent import Agent, AgentState
from callrouter.core.groups import Line, Place
from callrouter.core.ids import AgentId, CallId, QueueName, SiteName, SkillName, TenantName, TrunkName
from callrouter.core.rulebook import AgentSpec, QueueSpec, Strategy
from callrouter.core.skills import NO_DEMAND, Demand

QUEUES = 20
QUEUES_OF_AN_AGENT = 3
TENANTS = 10
TRUNKS = 19
START = datetime(2026, 11, 24, tzinfo=UTC)
SITE = SiteName("hall")
SKILLS = tuple(map(SkillName, ("english", "chinese", "passport", "welfare")))


@dataclass(frozen=True, slots=True)
class Caller:
    """One who waits."""

    line: Line
    place: Place
    call: CallId
    tenant: TenantName
    demand: Demand


@dataclass(frozen=True, slots=True)
class WaitingFloor:
    """Callers who wait, and counselors who are free."""

    waiting: list[Caller]
    agents: list[Agent]

    @classmethod
    def of(cls, waiting: int, agents: int, seed: int = 1, *, skilled: bool = False) -> "WaitingFloor":
        """A floor of that size, the same for the same ``seed``; ``skilled``: two callers of five ask for a skill."""
        random = Random(seed)
        names = [QueueName(f"queue-{number}") for number in range(QUEUES)]
        callers = []
        for number in range(waiting):
            line = (random.choice(names), SITE)
            tenant = TenantName(f"tenant-{random.randrange(TENANTS)}")
            demand = _demand(random) if skilled else NO_DEMAND
            callers.append(Caller(line, (number * 0.1, number), CallId(f"call-{number}"), tenant, demand))
        return cls(callers, [_agent(number, names, random, skilled) for number in range(agents)])


def _demand(random: Random) -> Demand:
    if random.random() < 0.6:
        return NO_DEMAND
    wanted = ((random.choice(SKILLS), random.randint(1, 2)),)
    return Demand(wanted) if random.random() < 0.7 else Demand((), wanted)


def _agent(number: int, names: list[QueueName], random: Random, skilled: bool) -> Agent:
    queues = tuple(random.sample(names, QUEUES_OF_AN_AGENT))
    idle_since = START + timedelta(seconds=random.random() * 3600)
    trunk = TrunkName(f"trunk-{random.randrange(TRUNKS)}") if random.random() < 0.5 else None
    skills = {skill: random.randint(1, 3) for skill in SKILLS if random.random() < 0.3} if skilled else {}
    spec = AgentSpec(AgentId(f"agent-{number}"), "", SITE, "", queues, TenantName("t"), trunk, skills=skills)
    return Agent(spec, AgentState.AVAILABLE, START, idle_since)


def weights() -> dict[TenantName, int]:
    """What the tenants weigh, where they are weighted."""
    return {TenantName(f"tenant-{number}"): 1 + number % 3 for number in range(TENANTS)}


def acd_of(floor: WaitingFloor, strategy: Strategy = Strategy.LONGEST_IDLE, *, weighted: bool = False) -> Acd:
    """A distributor with all of them."""
    acd = Acd(
        {one.line[0]: QueueSpec(one.line[0], "", strategy=strategy) for one in floor.waiting},
        weights() if weighted else {},
    )
    for one in floor.waiting:
        acd.join(one.line, one.place, one.call, one.tenant, one.demand)
    for agent in floor.agents:
        acd.offer_to(agent)
    return acd
