"""Automatic call distribution: which waiting caller goes to which counselor next.

Callers who could be served now are those for whom a counselor is free who meets their demand. Which of the tenants
that have such a caller is next, the sharing says, if weights are configured (:mod:`callrouter.core.sharing`). Of that
tenant's callers, or of all, the first is served, over all queues; those of a queue with a head start as if they had
come that much earlier. A head start, unlike a rank, cannot starve anybody: whoever waits longer than it is next. Who
cannot be served keeps nobody waiting who can. Which of the counselors who meet the demand is rung, the queue's
strategy says (:mod:`callrouter.core.pool`). A caller whose offer failed keeps the place.

A queue whose strategy is to ring all has its callers rung at every phone that nobody else can use: when no more waiting
caller can be served, the free counselors who are left are rung for those who are being rung already, in the same order.
So a second phone for one caller never keeps another waiting who could have had it.

Callers of one queue who wait at different sites stand in lines of their own, for which of the counselors can be reached
is not the same from each; places are compared over all of them.
"""

import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from callrouter.core.agent import Agent
from callrouter.core.groups import NO_TENANT, Group, Head, Line, Place
from callrouter.core.ids import AgentId, CallId, QueueName, SiteName, TenantName, TrunkName
from callrouter.core.pool import Idle, Pool, Way, rank_of, way_to
from callrouter.core.rulebook import QueueSpec, Strategy
from callrouter.core.sharing import Charge, Sharing
from callrouter.core.shut import Closed, Refused, WithOutward, never_outward
from callrouter.core.skills import NO_DEMAND, Demand

_Entry = TypeVar("_Entry", bound=tuple[object, ...])


@dataclass(slots=True)
class _Rung:
    """A caller for whom phones ring, and more may."""

    head: Head
    most: float
    """At how many phones at once."""
    phones: int = 1

    @property
    def may_have_more(self) -> bool:
        return self.phones < self.most


@dataclass(slots=True)
class _Line:
    groups: dict[tuple[Demand, TenantName, TrunkName | None], Group] = field(default_factory=dict)
    pools: dict[Demand, Pool] = field(default_factory=dict)
    """By the demands of those who wait; that without a demand holds all who are free, and is always there."""


@dataclass(frozen=True, slots=True)
class Match:
    """A caller and the counselor whose phone is to ring."""

    call: CallId
    agent: Agent
    charge: Charge = field(default_factory=dict, compare=False)
    """What it changes between the tenants."""
    is_rung: bool = False
    """Phones ring for that caller already: this is one more."""


class Stand(NamedTuple):
    """Where somebody waits, and what is asked for him."""

    call: CallId
    line: Line
    place: Place
    tenant: TenantName
    demand: Demand


class Others(NamedTuple):
    """Some who wait and are alike; so many of them stand before somebody."""

    line: Line
    tenant: TenantName
    demand: Demand
    before: int


class Acd:
    """The waiting callers and the available counselors of every queue, both in order."""

    def __init__(
        self,
        queues: Mapping[QueueName, QueueSpec] | None = None,
        weights: Mapping[TenantName, int] | None = None,
        links: Collection[tuple[SiteName, SiteName]] = (),
    ) -> None:
        self.links = links
        """From which sites there is a way to which others."""
        self.queues: Mapping[QueueName, QueueSpec] = queues or {}
        """By whose strategies counselors are put in order; a queue that is not here has the usual one."""
        self.sharing = Sharing(weights or {})
        self._marked = _marked(self.queues)
        self._lines: dict[Line, _Line] = {}
        self._stands: dict[CallId, tuple[Group, Place]] = {}
        self._heads: dict[TenantName, list[Head]] = {}
        self._rung: dict[CallId, _Rung] = {}
        self._unsated: list[Head] = []
        """Those of them who may have one more phone, in order."""
        self._agents: dict[AgentId, Agent] = {}
        self._ranked: dict[AgentId, dict[Pool, tuple[Way, Idle]]] = {}
        self._ways: Counter[Way] = Counter()

    def replace(
        self,
        queues: Mapping[QueueName, QueueSpec],
        weights: Mapping[TenantName, int],
        links: Collection[tuple[SiteName, SiteName]] = (),
    ) -> None:
        """Go on by new rules, while no counselor is available: they are put in order as they come back.

        Phones that ring together go on ringing; no more ring with them if the queue does not ring all any more.
        """
        self.queues, self.sharing.weights, self.links = queues, weights, links
        self._marked = _marked(queues)
        for call, rung in list(self._rung.items()):
            place, _, group = rung.head
            self.ring_no_more(call)
            self.ring_on(group.line, place, call, group.tenant, group.pool.demand, group.outward, rung.phones)
        for (queue, _), line in self._lines.items():
            for pool in line.pools.values():
                pool.replace(self._strategy(queue))

    def join(
        self,
        line: Line,
        place: Place,
        call: CallId,
        tenant: TenantName = NO_TENANT,
        demand: Demand = NO_DEMAND,
        outward: TrunkName | None = None,
    ) -> None:
        """Let a caller wait in ``line`` at ``place``, whatever came of an offer before, and wherever he stood.

        Who is to be called back waits until there is room in the trunk group ``outward``, too.
        """
        self.sharing.refund(call)
        self.ring_no_more(call)
        self._take_out(call)
        group = self._group(line, tenant, demand, outward)
        self._stands[call] = (group, place)
        entry = (place, call)
        if group.waiting and group.waiting[0] < entry:
            insort(group.waiting, entry)
        else:
            self._hide_head(group)
            group.waiting.insert(0, entry)
            self._show_head(group)

    def leave(self, call: CallId) -> None:
        """Take a caller out of his line, or forget the offer that he was taken out for; another is left alone."""
        self.ring_no_more(call)
        if not self._take_out(call):
            self.sharing.refund(call)

    def move(self, call: CallId, place: Place, tenant: TenantName = NO_TENANT, demand: Demand = NO_DEMAND) -> None:
        """Let a caller stand at another place of his line, or with another demand; one who stands in none is left."""
        stands = self._stands.get(call)
        if stands is not None:
            line, outward = stands[0].line, stands[0].outward
            self.join(line, place, call, tenant, demand, outward)

    def take(self, match: Match) -> None:
        """The caller is to be offered to the counselor: he leaves the line, and his tenant has had its turn."""
        if match.is_rung:
            rung = self._rung[match.call]
            self._count_phones(rung, rung.phones + 1)
            return
        group, place = self._stands[match.call]
        if self._strategy(group.line[0]) is Strategy.RING_ALL:
            self._let_ring(match.call, place, group, 1)
        self._take_out(match.call)
        self.sharing.charge(match.call, match.charge)

    def ring_on(
        self,
        line: Line,
        place: Place,
        call: CallId,
        tenant: TenantName = NO_TENANT,
        demand: Demand = NO_DEMAND,
        outward: TrunkName | None = None,
        phones: int = 1,
    ) -> None:
        """Know again that so many phones ring for a caller: more may, if his queue rings all."""
        if self._strategy(line[0]) is Strategy.RING_ALL:
            self._let_ring(call, place, self._group(line, tenant, demand, outward), phones)

    def rings_at(self, call: CallId, phones: int) -> None:
        """So many phones ring for a caller now; one for whom no more are to ring is left alone."""
        rung = self._rung.get(call)
        if rung is not None:
            self._count_phones(rung, phones)

    def ring_no_more(self, call: CallId) -> None:
        """No more phones are to ring for a caller than do; one who is not rung is left alone."""
        rung = self._rung.pop(call, None)
        if rung is None:
            return
        group = rung.head[2]
        if rung.may_have_more:
            _remove(self._unsated, rung.head)
        group.rung -= 1
        if not group.waiting and not group.rung:
            self._close(group)

    def served(self, call: CallId) -> None:
        """The caller who was taken out of the line talks to a counselor."""
        self.sharing.keep(call)

    def offer_to(self, agent: Agent) -> None:
        """From now on the counselor may be picked."""
        spec = agent.spec
        self._agents[spec.id] = agent
        ranked = self._ranked[spec.id] = {}
        for origin in self._origins(agent):
            way = way_to(agent, origin)
            self._ways[way] += 1
            for queue in spec.queues:
                rank = rank_of(agent, self._strategy(queue))
                for pool in self._line((queue, origin)).pools.values():
                    entry = pool.add(agent, way, rank)
                    if entry is not None:
                        ranked[pool] = (way, entry)

    def spare(self, agent: Agent) -> None:
        """From now on the counselor is not picked; one who was not to be picked is left alone."""
        known = self._agents.pop(agent.spec.id, None)
        if known is not None:
            for pool, (way, entry) in self._ranked.pop(agent.spec.id).items():
                pool.remove(way, entry)
            for origin in self._origins(known):
                way = way_to(known, origin)
                self._ways[way] -= 1
                if not self._ways[way]:
                    del self._ways[way]

    def match(
        self,
        reachable: Callable[[Way], bool],
        refused: Refused | None = None,
        with_outward: WithOutward = never_outward,
    ) -> Match | None:
        """The next pair, or None when no caller can be served now.

        ``reachable`` says whether there is a way to a counselor at this moment (site up, trunk with room), ``refused``
        whether such a one is not open to some (None: each is, to all), and ``with_outward`` whether there is one, and
        room for one call to a resident beside it.
        """
        shut = {way: not reachable(way) for way in self._ways}
        if all(shut.values()):
            return None
        shared = {way: is_shut or way.trunk is not None for way, is_shut in shut.items()}
        closed = Closed(shut, shared, self._marked, refused, with_outward)
        found = [_first_of(heads, closed) for heads in self._heads.values()]
        heads = sorted(head for head in found if head is not None)
        if not heads:
            return self._one_more(closed)
        index, charge = self.sharing.pick([group.tenant for _, _, group in heads])
        _, call, group = heads[index]
        return Match(call, self._agents[group.pool.pick(call, self._agents, closed.to(group))], charge)

    def wanting(self, trunk: TrunkName, tenant: TenantName, most: int) -> int:
        """How many callers of a tenant wait for whom a counselor is free behind a trunk group.

        No more lines are looked at once ``most`` are found.
        """
        wanting = 0
        for _, _, group in self._heads.get(tenant, ()):
            if Way(group.line[1], trunk) in group.pool.ways:
                wanting += len(group.waiting)
                if wanting >= most:
                    break
        return wanting

    def can_serve(self, line: Line, reachable: Callable[[Way], bool], demand: Demand = NO_DEMAND) -> bool:
        """Whether somebody could take a call of ``line`` with this demand now."""
        free = (self._agents[agent_id] for agent_id in self._line(line).pools[NO_DEMAND].members)
        return any(reachable(way_to(agent, line[1])) and demand.is_met_by(agent.spec.skills) for agent in free)

    def waiting(self, queue: QueueName) -> int:
        """How many callers wait in ``queue`` (those whose offer is ringing do not count)."""
        return sum(len(group.waiting) for group in self._groups(queue))

    def on_the_line(self, queue: QueueName) -> int:
        """How many of those are at a phone: not those who are to be called back."""
        return sum(len(group.waiting) for group in self._groups(queue) if group.outward is None)

    def stand(self, call: CallId) -> Stand:
        """Where a caller stands, who stands in a line."""
        group, place = self._stands[call]
        return Stand(call, group.line, place, group.tenant, group.pool.demand)

    def rivals(self, stand: Stand, queue: QueueName | None = None) -> Iterator[Others]:
        """Who waits, in all queues or in one, and may be served before somebody, by what they have in common.

        They stand before him, or their tenant may have its turn before his.
        """
        entry = (stand.place, stand.call)
        for (name, _), line in self._lines.items():
            for group in line.groups.values() if queue is None or queue == name else ():
                waiting = group.waiting
                if waiting and waiting[0] < entry:
                    before = bisect_left(waiting, entry)
                    yield Others(group.line, group.tenant, group.pool.demand, before)
                elif waiting and self.sharing.weights and group.tenant != stand.tenant:
                    yield Others(group.line, group.tenant, group.pool.demand, 0)

    def waiting_in(self, queue: QueueName) -> list[CallId]:
        """The callers who wait in ``queue``."""
        return [call for group in self._groups(queue) for _, call in group.waiting]

    def first(self, queue: QueueName) -> CallId | None:
        """The caller who has the first place in ``queue`` of those who are at a phone."""
        groups = (group for group in self._groups(queue) if group.outward is None)
        head = min((group.waiting[0] for group in groups if group.waiting), default=None)
        return head[1] if head is not None else None

    def idle(self, queue: QueueName) -> int:
        """How many counselors of ``queue`` are available."""
        lines = [line for (name, _), line in self._lines.items() if name == queue]
        if len(lines) == 1:
            return lines[0].pools[NO_DEMAND].size
        return len({agent for line in lines for agent in line.pools[NO_DEMAND].members})

    def is_reached(self, agent: Agent, origin: SiteName) -> bool:
        """Whether there is a way to the counselor for callers at a site, be it open or shut."""
        return origin == agent.spec.site or (agent.spec.trunk is None and (origin, agent.spec.site) in self.links)

    def _origins(self, agent: Agent) -> list[SiteName]:
        """From which sites the counselor can be reached: one whose phone is behind a trunk, from his own alone."""
        site = agent.spec.site
        others = (origin for origin, to in self.links if to == site) if agent.spec.trunk is None else ()
        return [site, *others]

    def _groups(self, queue: QueueName) -> list[Group]:
        return [group for (name, _), line in self._lines.items() if name == queue for group in line.groups.values()]

    def _one_more(self, closed: Closed) -> Match | None:
        """One more phone for the first of those who are being rung, if there is one who could have it."""
        head = _first_of(self._unsated, closed)
        if head is None:
            return None
        _, call, group = head
        return Match(call, self._agents[group.pool.pick(call, self._agents, closed.to(group))], is_rung=True)

    def _let_ring(self, call: CallId, place: Place, group: Group, phones: int) -> None:
        most = self.queues[group.line[0]].ring_at_most
        rung = self._rung[call] = _Rung((place, call, group), math.inf if most is None else most, phones)
        group.rung += 1
        if rung.may_have_more:
            insort(self._unsated, rung.head)

    def _count_phones(self, rung: _Rung, phones: int) -> None:
        could, rung.phones = rung.may_have_more, phones
        if could and not rung.may_have_more:
            _remove(self._unsated, rung.head)
        elif rung.may_have_more and not could:
            insort(self._unsated, rung.head)

    def _group(self, line: Line, tenant: TenantName, demand: Demand, outward: TrunkName | None) -> Group:
        known = self._line(line)
        group = known.groups.get((demand, tenant, outward))
        if group is None:
            pool = known.pools.get(demand)
            if pool is None:
                pool = self._open_pool(line, known, demand)
            group = known.groups[demand, tenant, outward] = Group(line, tenant, pool, outward)
        return group

    def _line(self, line: Line) -> _Line:
        known = self._lines.get(line)
        if known is None:
            known = self._lines[line] = _Line()
            known.pools[NO_DEMAND] = Pool(NO_DEMAND, self._strategy(line[0]))
        return known

    def _open_pool(self, line: Line, known: _Line, demand: Demand) -> Pool:
        pool = known.pools[demand] = Pool(demand, self._strategy(line[0]))
        for agent_id in known.pools[NO_DEMAND].members:
            agent = self._agents[agent_id]
            way = way_to(agent, line[1])
            entry = pool.add(agent, way, rank_of(agent, pool.strategy))
            if entry is not None:
                self._ranked[agent_id][pool] = (way, entry)
        return pool

    def _strategy(self, queue: QueueName) -> Strategy:
        spec = self.queues.get(queue)
        return spec.strategy if spec is not None else Strategy.LONGEST_IDLE

    def _take_out(self, call: CallId) -> bool:
        """Whether he stood in a line is returned."""
        stands = self._stands.pop(call, None)
        if stands is None:
            return False
        group, place = stands
        entry = (place, call)
        if group.waiting[0] != entry:
            _remove(group.waiting, entry)
            return True
        self._hide_head(group)
        del group.waiting[0]
        if group.waiting:
            self._show_head(group)
        elif not group.rung:
            self._close(group)
        return True

    def _close(self, group: Group) -> None:
        """Nobody waits in the group, nor is rung; its pool is kept as long as another wants it."""
        line, demand = self._lines[group.line], group.pool.demand
        del line.groups[demand, group.tenant, group.outward]
        if demand != NO_DEMAND and all(other.pool is not group.pool for other in line.groups.values()):
            del line.pools[demand]
            for agent_id in group.pool.members:
                del self._ranked[agent_id][group.pool]

    def _hide_head(self, group: Group) -> None:
        if group.waiting:
            heads = self._heads[group.tenant]
            _remove(heads, (*group.waiting[0], group))
            if not heads:
                del self._heads[group.tenant]

    def _show_head(self, group: Group) -> None:
        insort(self._heads.setdefault(group.tenant, []), (*group.waiting[0], group))


def _first_of(heads: Iterable[Head], closed: Closed) -> Head | None:
    """The first of these who could be served."""
    for head in heads:
        group = head[2]
        if group.pool.ways and closed.reaches(group):
            return head
    return None


def _marked(queues: Mapping[QueueName, QueueSpec]) -> frozenset[QueueName]:
    """The queues whose calls may have what is kept in reserve."""
    return frozenset(name for name, queue in queues.items() if queue.emergency)


def _remove(entries: list[_Entry], entry: _Entry) -> None:
    """Take ``entry`` out of the sorted ``entries``."""
    del entries[bisect_left(entries, entry)]
