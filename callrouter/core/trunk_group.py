"""One trunk group: its members, the channels in use, and who has them.

What counts is taken from two sides: the channels that are held here for calls of ours, and those that Asterisk says
are at the members' endpoints. One that Asterisk alone knows (a caller in the dialplan's fallback, say) is in use too.
"""

from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from callrouter.core.breaker import Breaker, BreakerState
from callrouter.core.ids import ChannelId, SiteName, TenantName, TrunkName
from callrouter.core.trunk_shares import Shares, Verdict, WhoWants
from callrouter.core.trunk_spec import MemberSpec, Selection, TrunkSpec
from callrouter.core.trunk_tally import TrunkTally

SECOND = timedelta(seconds=1)

MemberKey = tuple[SiteName | None, str]
"""A member's site, as it is configured, and its endpoint."""


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom a channel is wanted: where the call goes out, whose it is, and whether the reserve is open to it."""

    site: SiteName
    tenant: TenantName
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Seizure:
    """One channel of a trunk group, held by a leg of ours or by a caller who came in by it."""

    trunk: TrunkName
    leg: ChannelId
    site: SiteName
    member: str
    """The endpoint that carries it."""
    tenant: TenantName
    at: datetime
    """Since when."""
    marked: bool = False
    waits_s: float = 0.0
    """How long after that the call may be begun: before, a limit of calls per second holds it back."""


@dataclass(slots=True)
class Member:
    """A member's state."""

    spec: MemberSpec
    breaker: Breaker = field(default_factory=Breaker)
    begun: deque[datetime] = field(default_factory=deque)
    """When calls were begun over it, lately."""

    @property
    def key(self) -> MemberKey:
        """What names it within its group."""
        return (self.spec.site, self.spec.endpoint)

    def is_at(self, site: SiteName) -> bool:
        """Whether calls of a site may go out by it."""
        return self.spec.site is None or self.spec.site == site

    def again_at(self, at: datetime) -> datetime | None:
        """When the next call may be begun, where the limit of calls per second forbids it now."""
        limit = self.spec.per_second
        while self.begun and self.begun[0] <= at - SECOND:
            self.begun.popleft()
        return self.begun[-limit] + SECOND if limit is not None and len(self.begun) >= limit else None

    def begin(self, leg: ChannelId, at: datetime) -> None:
        """A call is begun."""
        self.breaker.begin(leg)
        if self.spec.per_second is not None:
            self.begun.append(at)


class Group:
    """See the module."""

    def __init__(self, spec: TrunkSpec) -> None:
        self.spec = spec
        self.gone = False
        """The rules do not have it any more; it lives until its last channel is given back."""
        self.members: dict[MemberKey, Member] = {}
        self.held: dict[ChannelId, Seizure] = {}
        self.shares = Shares()
        self.tally = TrunkTally()
        self._seen: dict[tuple[SiteName, str], frozenset[ChannelId]] = {}
        self._offline: set[tuple[SiteName, str]] = set()
        """The endpoints among them that are not reached from their site."""
        self._others: Counter[MemberKey] = Counter()
        self._carried: Counter[MemberKey] = Counter()
        self._other_count = 0
        self._free: int | None = None
        self._plain: bool | None = None
        self._fits: dict[SiteName, bool] = {}
        self.replace(spec)

    def replace(self, spec: TrunkSpec) -> None:
        """Go on by a new size, members and shares; what is held stays."""
        self.spec, self.gone = spec, False
        self.shares.anew()
        known = self.members
        self.members = {}
        for one in spec.parts:
            member = known.get((one.site, one.endpoint)) or Member(one)
            member.spec = one
            self.members[member.key] = member
        self._carried = Counter(self._key(one.site, one.member) for one in self.held.values())
        self._seen = {where: channels for where, channels in self._seen.items() if self.member(*where) is not None}
        self._offline &= self._seen.keys()
        self._count_others()

    def retire(self) -> None:
        """The rules do not have the group any more."""
        self.gone = True

    @property
    def in_use(self) -> int:
        """Channels that carry a call, whoever's it is."""
        return len(self.held) + self._other_count

    @property
    def others(self) -> int:
        """Those among them that Asterisk tells of and that no call of ours has."""
        return self._other_count

    def carried_by(self, member: Member) -> int:
        """How many calls a member carries."""
        return self._carried[member.key] + self._others[member.key]

    def free(self, at: datetime) -> int:
        """Channels that could be seized, but for shares and limits of calls per second."""
        if self._free is not None:
            return self._free
        free = sum(self._room(member) for member in self.members.values() if self._works(member, at))
        free = min(self.spec.channels - self.in_use, free)
        if self._is_plain():
            self._free = free
        return free

    def fits(self, site: SiteName, at: datetime) -> bool:
        """Whether a member could carry a call from ``site``, whoever's it is."""
        if self.gone or self.in_use >= self.spec.channels:
            return False
        known = self._fits.get(site)
        if known is None:
            known = self.pick(site, at) is not None
            if self._is_plain():
                self._fits[site] = known
        return known

    def _is_plain(self) -> bool:
        """Whether time changes nothing: then what was found holds until something happens here."""
        if self._plain is None:
            self._plain = all(
                one.breaker.open_until is None and one.spec.per_second is None for one in self.members.values()
            )
        return self._plain

    def touch(self) -> None:
        """Something has happened here."""
        self._free = self._plain = None
        self._fits.clear()

    def pick(
        self,
        site: SiteName,
        at: datetime,
        without: Collection[str] = (),
        taken: Member | None = None,
        until: datetime | None = None,
    ) -> Member | None:
        """The member that carries the next call from ``site``; ``without`` are endpoints that it was tried by.

        ``taken``: it is the one after the next, which this member will carry. ``until``: where a limit of calls per
        second forbids it now, it may be begun up to then.
        """
        if self.gone or self.in_use + (taken is not None) >= self.spec.channels:
            return None
        able = [
            one
            for one in self.members.values()
            if one.is_at(site)
            and one.spec.endpoint not in without
            and self._room(one)
            and (site, one.spec.endpoint) not in self._offline
            and one.breaker.admits(at)
            and ((again := one.again_at(at)) is None or (until is not None and again <= until))
            and (one is not taken or self._carries_two(one))
        ]
        match self.spec.select:
            case Selection.WEIGHT:
                return min(able, key=self._load, default=None)
            case Selection.LARGEST_FREE:
                return max(able, key=self._room, default=None)
            case _:
                return able[0] if able else None

    @property
    def is_divided(self) -> bool:
        """Whether it matters whose call it is."""
        return bool(self.spec.shares or self.spec.reserve)

    def verdict(self, at: datetime, who_wants: WhoWants, beside: Asker | None = None) -> Verdict:
        """Whom the shares let have a channel, if a member has one; ``beside``: after another for him."""
        if beside is None:
            return self.shares.verdict(self.spec, self.free(at), at, who_wants)
        shares = self.shares.copy()
        shares.take(beside.tenant, marked=beside.marked)
        return shares.verdict(self.spec, self.free(at) - 1, at, who_wants)

    def seize(self, member: Member, leg: ChannelId, asker: Asker, at: datetime) -> Seizure:
        """Hold a channel for a call that is begun now, or as soon as the limit of calls per second lets it be."""
        begins_at = member.again_at(at) or at
        member.begin(leg, begins_at)
        self.touch()
        waits_s = (begins_at - at).total_seconds()
        endpoint = member.spec.endpoint
        return self.hold(Seizure(self.spec.name, leg, asker.site, endpoint, asker.tenant, at, asker.marked, waits_s))

    def hold(self, seizure: Seizure) -> Seizure:
        """Hold a channel that is in use already, whatever the group's size; one that is held stays as it is."""
        known = self.held.get(seizure.leg)
        if known is not None:
            return known
        self.held[seizure.leg] = seizure
        self._carried[self._key(seizure.site, seizure.member)] += 1
        self.shares.take(seizure.tenant, marked=seizure.marked)
        self._count_others()
        self.tally.used(seizure.tenant, self.in_use, self.shares.used[seizure.tenant], seizure.at)
        return seizure

    def rename(self, old: ChannelId, leg: ChannelId) -> Seizure:
        """Let ``leg`` hold what was held under another name."""
        seizure = self.held[leg] = replace(self.held.pop(old), leg=leg)
        member = self.member(seizure.site, seizure.member)
        if member is not None and member.breaker.probe == old:
            member.breaker.probe = leg
        return seizure

    def release(self, leg: ChannelId, *, stays: bool = False) -> None:
        """Give a channel back; ``stays``: it goes on at Asterisk without us.

        Raises:
            KeyError: nobody holds it.
        """
        seizure = self.held.pop(leg)
        self._carried[self._key(seizure.site, seizure.member)] -= 1
        self.shares.give_back(seizure.tenant, marked=seizure.marked)
        member = self.member(seizure.site, seizure.member)
        if member is not None:
            member.breaker.gone(leg)
        if not stays:
            self._seen = {where: channels - {leg} for where, channels in self._seen.items()}
        self._count_others()

    def assign(self, leg: ChannelId, tenant: TenantName, at: datetime) -> None:
        """The call that holds a channel turns out to be a tenant's."""
        known = self.held[leg]
        if known.tenant == tenant:
            return
        self.shares.give_back(known.tenant, marked=known.marked)
        self.shares.take(tenant, marked=known.marked)
        self.held[leg] = replace(known, tenant=tenant)
        self.tally.used(tenant, self.in_use, self.shares.used[tenant], at)

    def member(self, site: SiteName, endpoint: str) -> Member | None:
        """The member with this endpoint at a site."""
        return self.members.get((site, endpoint)) or self.members.get((None, endpoint))

    def seen(self, site: SiteName, endpoint: str, channels: frozenset[ChannelId], *, online: bool) -> None:
        """How a member's endpoint is at its site."""
        if self.member(site, endpoint) is None:
            return
        (self._offline.discard if online else self._offline.add)((site, endpoint))
        self._seen[site, endpoint] = channels
        self._count_others()

    def forget(self, site: SiteName) -> None:
        """The site is lost: what it said of its endpoints may not be so any more."""
        self._seen = {where: channels for where, channels in self._seen.items() if where[0] != site}
        self._offline &= self._seen.keys()
        self._count_others()

    def is_reached(self, member: Member) -> bool:
        """Whether a member's endpoint is online, as far as is known; of one that several sites have, at one of them."""
        told = {where for where in self._seen if where[1] == member.spec.endpoint and member.is_at(where[0])}
        return not told or not told <= self._offline

    def next_look(self, at: datetime) -> datetime | None:
        """When a member that lets no call through may let one."""
        members = self.members.values()
        opens = [one.breaker.open_until for one in members if one.breaker.state(at) is BreakerState.OPEN]
        limited = [one.again_at(at) for one in members]
        return min((one for one in (*opens, *limited) if one is not None), default=None)

    def tenants(self) -> Mapping[TenantName, int]:
        """Channels in use by tenant, and of those who have a share."""
        return {tenant: self.shares.used[tenant] for tenant in sorted({*self.spec.shares, *self.shares.used})}

    def _works(self, member: Member, at: datetime) -> bool:
        """Whether calls can go out by the member at all."""
        return self.is_reached(member) and member.breaker.admits(at)

    def _room(self, member: Member) -> int:
        return max(0, member.spec.channels - self.carried_by(member))

    def _carries_two(self, member: Member) -> bool:
        """Whether a member that could carry one call could carry two that are begun at once."""
        limit = member.spec.per_second
        in_time = limit is None or len(member.begun) + 2 <= limit
        return self._room(member) >= 2 and in_time and member.breaker.open_until is None

    def _load(self, member: Member) -> float:
        return (self.carried_by(member) + 1) / member.spec.weight

    def _key(self, site: SiteName, endpoint: str) -> MemberKey:
        """The member that carries a call of that site over that endpoint; of one that is gone, what it would be."""
        member = self.member(site, endpoint)
        return member.key if member is not None else (site, endpoint)

    def _count_others(self) -> None:
        self._others.clear()
        for (site, endpoint), channels in self._seen.items():
            others = len(channels - self.held.keys())
            if others and not self.spec.between:
                self._others[self._key(site, endpoint)] += others
        self._other_count = self._others.total()
        self.touch()
