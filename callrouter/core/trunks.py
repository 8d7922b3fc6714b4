"""Trunk groups: how many calls they carry, and who holds which channel.

A channel is seized before anything is dialled and released when the leg that used it is gone, once. Callers hold one
too, of the group by which they came in: they are there already, so they hold it even above its size.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from callrouter.core.ids import ChannelId, SiteName, TenantName, TrunkName
from callrouter.core.phones import PhoneSeen
from callrouter.core.pool import Way
from callrouter.core.trunk_group import Asker, Group, Member, Seizure
from callrouter.core.trunk_shares import Verdict
from callrouter.core.trunk_spec import TrunkSpec

_TECHNOLOGY = "PJSIP/"

WhoWantsIt = Callable[[TrunkName, TenantName, int], int]
"""How many callers of a tenant wait for a group; beyond the number that is given it need not be exact."""


def nobody_wants(trunk: TrunkName, tenant: TenantName, most: int) -> int:
    """Nobody waits."""
    return 0


@dataclass(frozen=True, slots=True)
class Beside:
    """What is to be seized just before another channel is."""

    group: Group
    member: Member
    asker: Asker


class Refusals:
    """To whom ways are shut that are open to others, at one moment; what groups say is asked once, if it is wanted."""

    def __init__(self, divided: Collection[TrunkName], ask: Callable[[Way], Sequence[Verdict]]) -> None:
        self._divided = divided
        self._ask = ask
        self._verdicts: dict[Way, Sequence[Verdict]] = {}

    def refuses(self, way: Way, tenant: TenantName, marked: bool) -> bool:
        """Whether a way that is open to somebody is shut to a call of a tenant."""
        if way.trunk not in self._divided:
            return False
        verdicts = self._verdicts.get(way)
        if verdicts is None:
            verdicts = self._verdicts[way] = self._ask(way)
        return not any(verdict.admits(tenant, marked=marked) for verdict in verdicts)


class Trunks:
    """The channels in use of every trunk group. Times are aware UTC and never go back."""

    def __init__(self, specs: Mapping[TrunkName, TrunkSpec], who_wants: WhoWantsIt = nobody_wants) -> None:
        self._groups = {name: Group(spec) for name, spec in specs.items()}
        self._who_wants = who_wants
        self._due: dict[TrunkName, datetime] = {}
        self._told: dict[TrunkName, datetime] = {}
        self._where: dict[ChannelId, TrunkName] = {}
        self._by_endpoint: dict[str, list[Group]] = {}
        self._divided: frozenset[TrunkName] = frozenset()
        self._index()

    def replace(self, specs: Mapping[TrunkName, TrunkSpec]) -> None:
        """Take new sizes. Seizures stay; a group that shrank admits nothing until it is below its new size."""
        for name in self._groups.keys() - specs.keys():
            self._groups[name].retire()
        self._groups = {name: group for name, group in self._groups.items() if group.held or not group.gone}
        for name, spec in specs.items():
            group = self._groups.setdefault(name, Group(spec))
            group.replace(spec)
        self._index()

    def _index(self) -> None:
        self._by_endpoint = {}
        for group in self._groups.values():
            for member in () if group.gone else group.members.values():
                self._by_endpoint.setdefault(member.spec.endpoint, []).append(group)
        self._divided = frozenset(
            name for name in self._groups if any(group.spec.shares or group.spec.reserve for group in self._chain(name))
        )

    @property
    def divided(self) -> frozenset[TrunkName]:
        """Groups in which it matters whose call it is."""
        return self._divided

    def has_room(
        self,
        trunk: TrunkName | None,
        asker: Asker,
        at: datetime,
        without: Collection[str] = (),
        patience_s: float = 0.0,
    ) -> bool:
        """Whether a call over ``trunk`` can be admitted now; a phone on the site itself needs none.

        ``without`` are endpoints by which it was tried in vain. ``patience_s``: it may be begun so much later, where a
        limit of calls per second forbids it now.
        """
        return trunk is None or self._find_in_time(trunk, asker, at, without, patience_s) is not None

    def carrier(self, trunk: TrunkName | None, asker: Asker, at: datetime) -> TrunkName | None:
        """The group that a call over ``trunk`` would go by now: it, or one that takes over; None: none has room."""
        found = self._find(trunk, asker, at) if trunk is not None else None
        return found[0].spec.name if found is not None else None

    def has_room_beside(
        self, first: tuple[TrunkName, Asker] | None, trunk: TrunkName, asker: Asker, at: datetime
    ) -> bool:
        """Whether a call over ``trunk`` can be admitted together with that over the ``first`` one, begun before it."""
        taken = self._find(*first, at) if first is not None else None
        if first is None or taken is None:
            return first is None and self.has_room(trunk, asker, at)
        return self._find(trunk, asker, at, beside=Beside(*taken, first[1])) is not None

    def is_open(self, way: Way, at: datetime) -> bool:
        """Whether there is a way for anybody at all, as far as ``way.trunk`` goes."""
        if way.trunk is None:
            return True
        first = self._groups.get(way.trunk)
        if first is not None and first.fits(way.site, at):  # mostly so, and asked of every way for every decision
            return True
        for group in self._chain(way.trunk):
            if group.fits(way.site, at):
                return True
            self._note_limit(group, at)
        return False

    def seize(
        self,
        trunk: TrunkName,
        leg: ChannelId,
        asker: Asker,
        at: datetime,
        without: Collection[str] = (),
        patience_s: float = 0.0,
    ) -> Seizure:
        """Hold one channel for ``leg``, of the group or of one that takes over from it.

        Raises:
            ValueError: the group is full, resting or unknown, or ``leg`` holds a channel already; ask
                :meth:`has_room` first.
        """
        found = self._find_in_time(trunk, asker, at, without, patience_s)
        if found is None or self.of(leg) is not None:
            raise ValueError(f"trunk group {trunk!r} has no channel for leg {leg!r}")
        group, member = found
        self._where[leg] = group.spec.name
        return group.seize(member, leg, asker, at)

    def block(self, trunk: TrunkName, asker: Asker, at: datetime) -> None:
        """A call was turned away for want of a channel: it is counted, and may give its tenant the next one."""
        group = self._groups.get(trunk)
        if group is not None:
            group.tally.block(asker.tenant, group.in_use, at)
            if not asker.marked:
                group.shares.refused(group.spec, asker.tenant, at)

    def reclaim(self, trunk: TrunkName, leg: ChannelId, asker: Asker, at: datetime, member: str = "") -> Seizure:
        """Hold the channel that ``leg`` is using already, whatever the group's size says now."""
        group = self._groups.get(trunk)
        if group is None:
            group = self._groups[trunk] = Group(TrunkSpec(trunk, 0))
            group.retire()
        endpoint = member or group.spec.parts[0].endpoint
        self._where[leg] = trunk
        return group.hold(Seizure(trunk, leg, asker.site, endpoint, asker.tenant, at, asker.marked))

    def arrived(self, site: SiteName, endpoint: str, channel: ChannelId, tenant: TenantName, at: datetime) -> None:
        """A caller came in by an endpoint: he holds a channel if that is a trunk group's."""
        group = self._group_at(site, endpoint)
        if group is not None and channel not in self._where:
            self._where[channel] = group.spec.name
            group.hold(Seizure(group.spec.name, channel, site, endpoint, tenant, at))

    def group_at(self, site: SiteName, endpoint: str) -> TrunkName | None:
        """The group whose calls come in by an endpoint; None: it is of none."""
        group = self._group_at(site, endpoint)
        return group.spec.name if group is not None else None

    def assign(self, channel: ChannelId, tenant: TenantName, at: datetime) -> None:
        """The call on a channel turns out to be a tenant's; one that holds none is left alone."""
        group = self._holding(channel)
        if group is not None:
            group.assign(channel, tenant, at)

    def rename(self, seizure: Seizure, leg: ChannelId) -> Seizure:
        """Let ``leg`` hold the channel that was seized under another name."""
        name = self._where.pop(seizure.leg)
        self._where[leg] = name
        return self._groups[name].rename(seizure.leg, leg)

    def release(self, seizure: Seizure) -> None:
        """Give a channel back.

        Raises:
            KeyError: it was given back before.
        """
        self._give_back(self._groups[self._where[seizure.leg]], seizure.leg)

    def left(self, channel: ChannelId, *, stays: bool = False) -> None:
        """A caller is gone from us, or (``stays``) goes on at Asterisk; one who holds no channel is left alone."""
        group = self._holding(channel)
        if group is not None:
            self._give_back(group, channel, stays=stays)

    def of(self, leg: ChannelId) -> Seizure | None:
        """What a leg or caller holds."""
        group = self._holding(leg)
        return group.held[leg] if group is not None else None

    def succeeded(self, seizure: Seizure) -> bool:
        """A call got through: whether its member is used again from now on is returned."""
        member = self._member(seizure)
        if member is None or not member.breaker.succeeded(seizure.leg):
            return False
        self._groups[seizure.trunk].touch()
        return True

    def failed(self, seizure: Seizure, at: datetime, pause_s: float) -> bool:
        """The trunk failed a call: whether its member is left alone from now on is returned."""
        group, member = self._groups.get(seizure.trunk), self._member(seizure)
        if group is None or member is None:
            return False
        opens = member.breaker.failed(seizure.leg, at, after=group.spec.failures, pause_s=pause_s)
        group.touch()
        if opens:
            self._look_at(group, at)
        return opens

    def phones_seen(self, site: SiteName, phones: Mapping[str, PhoneSeen]) -> None:
        """How endpoints of a site are, by what Asterisk dials; those of no group are left alone."""
        for endpoint, groups in self._by_endpoint.items():
            seen = phones.get(_TECHNOLOGY + endpoint)
            if seen is not None:
                for group in groups:
                    group.seen(site, endpoint, frozenset(seen.channels), online=seen.online)

    def site_lost(self, site: SiteName) -> None:
        """A site cannot be reached: what it said of its endpoints may not be so any more."""
        for group in self._groups.values():
            group.forget(site)

    def endpoints(self, site: SiteName) -> Iterator[str]:
        """What Asterisk dials at a site to reach the members there, as it names endpoints."""
        members = (one for group in self._groups.values() if not group.gone for one in group.members.values())
        return (_TECHNOLOGY + one.spec.endpoint for one in members if one.is_at(site))

    def take_due(self, at: datetime) -> Iterator[tuple[TrunkName, float]]:
        """Groups that should be looked at again, and after how many seconds; each is told once."""
        due, self._due = self._due, {}
        return ((name, max(0.0, (when - at).total_seconds())) for name, when in due.items())

    def look_again(self, trunk: TrunkName, at: datetime) -> None:
        """It is time to look at a group again; there may be another such time."""
        self._told.pop(trunk, None)
        group = self._groups.get(trunk)
        if group is not None:
            self._look_at(group, at)

    def in_use(self, trunk: TrunkName) -> int:
        """How many channels are in use."""
        group = self._groups.get(trunk)
        return group.in_use if group is not None else 0

    @property
    def seizures(self) -> int:
        """How many channels are held in all groups together."""
        return sum(len(group.held) for group in self._groups.values())

    @property
    def held(self) -> Iterable[Seizure]:
        """All that is held."""
        return (seizure for group in self._groups.values() for seizure in group.held.values())

    @property
    def groups(self) -> Iterable[Group]:
        """Those that the rules have."""
        return (group for group in self._groups.values() if not group.gone)

    def dialled(self, seizure: Seizure, endpoint: str, number: str = "") -> str:
        """What Asterisk dials over the member that was seized; see :meth:`TrunkSpec.dialled`."""
        return self.spec(seizure).dialled(endpoint, seizure.member, number)

    def spec(self, seizure: Seizure) -> TrunkSpec:
        """The group that a seizure is of."""
        return self._groups[seizure.trunk].spec

    def refusals(self, at: datetime) -> Refusals | None:
        """To whom ways are shut now though they are open to somebody, for one decision; None: to nobody."""
        return Refusals(self._divided, partial(self._verdicts, at)) if self._divided else None

    def _verdicts(self, at: datetime, way: Way) -> Sequence[Verdict]:
        """What the groups say that could carry a call by a way; the first that admits it has it."""
        chain = self._chain(way.trunk) if way.trunk is not None else ()
        return [self._verdict(group, at) for group in chain if group.fits(way.site, at)]

    def _verdict(self, group: Group, at: datetime, beside: Asker | None = None) -> Verdict:
        return group.verdict(at, partial(self._who_wants, group.spec.name), beside)

    def _find_in_time(
        self, trunk: TrunkName, asker: Asker, at: datetime, without: Collection[str], patience_s: float
    ) -> tuple[Group, Member] | None:
        """One that can carry the call now; else one that a limit of calls per second holds up for no longer."""
        found = self._find(trunk, asker, at, without)
        if found is not None or not patience_s:
            return found
        return self._find(trunk, asker, at, without, until=at + timedelta(seconds=patience_s))

    def _find(
        self,
        trunk: TrunkName,
        asker: Asker,
        at: datetime,
        without: Collection[str] = (),
        beside: Beside | None = None,
        until: datetime | None = None,
    ) -> tuple[Group, Member] | None:
        for group in self._chain(trunk):
            shares_it = beside is not None and beside.group is group
            taken = beside.member if beside is not None and shares_it else None
            member = group.pick(asker.site, at, without, taken, until)
            if member is None:
                self._note_limit(group, at)
                continue
            other = beside.asker if beside is not None and shares_it else None
            if not group.is_divided or self._verdict(group, at, other).admits(asker.tenant, marked=asker.marked):
                return group, member
        return None

    def _chain(self, trunk: TrunkName) -> Iterator[Group]:
        """A group and those that take over from it, each once."""
        known: set[TrunkName] = set()
        name: TrunkName | None = trunk
        while name is not None and name not in known and name in self._groups:
            known.add(name)
            yield self._groups[name]
            name = self._groups[name].spec.overflow

    def _note_limit(self, group: Group, at: datetime) -> None:
        """Where a limit of calls per second may be what stops: look again when it is over."""
        if any(one.spec.per_second is not None for one in group.members.values()):
            self._look_at(group, at)

    def _look_at(self, group: Group, at: datetime) -> None:
        when, name = group.next_look(at), group.spec.name
        if when is not None and self._told.get(name) != when:
            self._due[name] = self._told[name] = when

    def _group_at(self, site: SiteName, endpoint: str) -> Group | None:
        groups = self._by_endpoint.get(endpoint, ())
        return next((group for group in groups if group.member(site, endpoint) is not None), None)

    def _holding(self, channel: ChannelId) -> Group | None:
        name = self._where.get(channel)
        return self._groups[name] if name is not None else None

    def _member(self, seizure: Seizure) -> Member | None:
        group = self._groups.get(seizure.trunk)
        return group.member(seizure.site, seizure.member) if group is not None else None

    def _give_back(self, group: Group, channel: ChannelId, *, stays: bool = False) -> None:
        group.release(channel, stays=stays)
        del self._where[channel]
        if group.gone and not group.held:
            del self._groups[group.spec.name]
