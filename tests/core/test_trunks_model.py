"""Trunk groups of three sites under random calls, failures and reloads that shrink them, beside a naive model."""

from collections import Counter
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callrouter.core.ids import ChannelId, SiteName, TenantName
from callrouter.core.phones import PhoneSeen
from callrouter.core.pool import Way
from callrouter.core.trunk_group import Asker, Seizure
from callrouter.core.trunk_shares import CLAIM
from callrouter.core.trunk_spec import MemberSpec, Selection, Share, TrunkSpec
from callrouter.core.trunks import Trunks
from tests.core.driver import CITY, HALL, START

A, B, C = (TenantName(name) for name in "abc")
TENANTS = st.sampled_from([A, B, C])
WHERE = (HALL, SiteName("annex"), SiteName("outpost"))
SITES = st.sampled_from(WHERE)
PAUSE_S = 2.0


@st.composite
def groups(draw: st.DrawFn) -> TrunkSpec:
    """Up to three members; what is promised fits."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    limits = st.sampled_from([None, None, None, 2])
    places = st.sampled_from([None, None, *WHERE])
    members = [MemberSpec(f"m{n}", size, draw(places), draw(limits), n + 1) for n, size in enumerate(sizes)]
    left = sum(sizes)
    shares = {}
    for tenant in (A, B):
        guarantee = draw(st.integers(0, left))
        left -= guarantee
        ceiling = draw(st.none() | st.integers(max(1, guarantee), 12))
        shares[tenant] = Share(guarantee, ceiling)
    reserve = draw(st.integers(0, min(2, left)))
    if draw(st.integers(0, 4)) == 0:
        shares = {}
    return TrunkSpec(
        CITY,
        sum(sizes),
        tuple(members),
        draw(st.sampled_from(Selection)),
        shares,
        reserve,
        failures=draw(st.sampled_from([1, 2])),
    )


class TrunkMachine(RuleBasedStateMachine):
    """What is held is known to the model by channel; it adds everything up anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[TenantName] = Counter()
        self.held: dict[ChannelId, Seizure] = {}
        self.callers: set[ChannelId] = set()
        self.told: dict[tuple[SiteName, str], tuple[bool, frozenset[ChannelId]]] = {}
        """Of an endpoint of a site: whether it is reached, and what others have there."""
        self.claims: dict[TenantName, float] = {}
        self.now = START
        self.number = 0
        self.spec = TrunkSpec(CITY, 1)
        self.trunks = Trunks({CITY: self.spec}, lambda _trunk, tenant, _most: self.waits[tenant])

    @initialize(spec=groups())
    def begin(self, spec: TrunkSpec) -> None:
        self.reload(spec)

    @rule(spec=groups())
    def reload(self, spec: TrunkSpec) -> None:
        self.spec = spec
        self.trunks.replace({CITY: spec})
        self.told = {(site, name): told for (site, name), told in self.told.items() if name in self.names(site)}
        self.claims.clear()  # what the model knows of them is of the shares before
        for group in self.trunks.groups:
            group.shares.claims.clear()

    # --- what the naive model says

    def names(self, site: SiteName) -> list[str]:
        """The endpoints that a site has."""
        return [one.endpoint for one in self.spec.members if one.site in (None, site)]

    def others(self, endpoint: str | None = None) -> int:
        return sum(len(others) for (_, name), (_, others) in self.told.items() if endpoint in (None, name))

    def is_reached(self, endpoint: str) -> bool:
        told = [online for (_, name), (online, _) in self.told.items() if name == endpoint]
        return not told or any(told)

    def used(self, tenant: TenantName) -> int:
        return sum(one.tenant == tenant and not one.marked for one in self.held.values())

    def in_use(self) -> int:
        return len(self.held) + self.others()

    def carried(self, endpoint: str) -> int:
        """By the member that has the endpoint now: a call of a site that has it no more is nobody's but the group's."""
        held = (one for one in self.held.values() if one.member == endpoint)
        return sum(endpoint in self.names(one.site) for one in held) + self.others(endpoint)

    def free(self) -> int:
        (group,) = self.trunks.groups
        works = (one for one in group.members.values() if one.breaker.admits(self.now))
        members = [one for one in works if self.is_reached(one.spec.endpoint)]
        rooms = (max(0, one.spec.channels - self.carried(one.spec.endpoint)) for one in members)
        return min(self.spec.channels - self.in_use(), sum(rooms))

    def has_member(self, site: SiteName) -> bool:
        (group,) = self.trunks.groups
        found = group.pick(site, self.now)
        assert found is None or self.told.get((site, found.spec.endpoint), (True, None))[0], "it is not reached"
        assert found is None or found.spec.endpoint in self.names(site)
        return found is not None

    def lacks(self, tenant: TenantName) -> int:
        return max(0, self.spec.shares.get(tenant, Share()).guarantee - self.used(tenant))

    def kept(self, tenant: TenantName) -> int:
        """What others may claim."""
        at = self.now.timestamp()
        return sum(
            min(self.lacks(one), max(self.waits[one], int(at < self.claims.get(one, 0.0))))
            for one in self.spec.shares
            if one != tenant
        )

    def may(self, site: SiteName, tenant: TenantName, *, marked: bool) -> bool:
        if not self.has_member(site) or not (self.spec.shares or self.spec.reserve):
            return self.has_member(site)
        left = self.free()
        if not marked:
            left -= max(0, self.spec.reserve - sum(one.marked for one in self.held.values()))
        if left < 1:
            return False
        if marked or not self.spec.shares:
            return True
        ceiling = self.spec.shares.get(tenant, Share()).ceiling
        if ceiling is not None and self.used(tenant) >= ceiling:
            return False
        return self.lacks(tenant) > 0 or left > self.kept(tenant)

    def is_a_way_for(self, site: SiteName, tenant: TenantName, *, marked: bool) -> bool:
        """What a match is told of it."""
        way, refusals = Way(site, CITY), self.trunks.refusals(self.now)
        refused = refusals is not None and refusals.refuses(way, tenant, marked)
        return self.trunks.is_open(way, self.now) and not refused

    # --- what happens

    @rule(site=SITES, tenant=TENANTS, marked=st.sampled_from([False, False, False, True]))
    def a_call_goes_out(self, site: SiteName, tenant: TenantName, marked: bool) -> None:
        asker = Asker(site, tenant, marked)
        expected = self.may(site, tenant, marked=marked)
        assert self.trunks.has_room(CITY, asker, self.now) == expected
        assert self.is_a_way_for(site, tenant, marked=marked) == expected
        self.number += 1
        leg = ChannelId(f"leg-{self.number}")
        if not expected:
            self.trunks.block(CITY, asker, self.now)
            if self.lacks(tenant) and not marked:
                self.claims[tenant] = (self.now + CLAIM).timestamp()
            return
        in_use, size = self.in_use(), self.spec.channels
        seizure = self.trunks.seize(CITY, leg, asker, self.now)
        member = next(one for one in self.spec.members if one.endpoint == seizure.member)
        assert in_use < size, "the group is over-seized"
        assert self.carried(member.endpoint) < member.channels, "the member is over-seized"
        self.held[leg] = seizure
        if not marked:
            self.claims.pop(tenant, None)

    @rule(site=SITES, tenant=TENANTS)
    def a_tenant_takes_all_it_gets(self, site: SiteName, tenant: TenantName) -> None:
        for _ in range(self.spec.channels):
            self.a_call_goes_out(site, tenant, marked=False)

    @rule(site=SITES, tenant=TENANTS, pick=st.integers(0, 2))
    def a_call_comes_in(self, site: SiteName, tenant: TenantName, pick: int) -> None:
        """It is there, whatever the size says; whose it is is known later."""
        if not self.names(site):
            return
        self.number += 1
        channel = ChannelId(f"caller-{self.number}")
        endpoint = self.names(site)[pick % len(self.names(site))]
        self.trunks.arrived(site, endpoint, channel, TenantName(""), self.now)
        self.trunks.assign(channel, tenant, self.now)
        self.claims.pop(tenant, None)
        found = self.trunks.of(channel)
        assert found is not None
        assert (found.member, found.tenant) == (endpoint, tenant)
        self.held[channel] = found
        self.callers.add(channel)

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 30), how=st.sampled_from(["ends", "fails", "rings"]))
    def something_becomes_of_a_call(self, pick: int, how: str) -> None:
        channel = sorted(self.held)[pick % len(self.held)]
        seizure = self.held[channel]
        if channel in self.callers:
            self.trunks.left(channel)
        elif how == "rings":
            self.trunks.succeeded(seizure)
            return
        else:
            if how == "fails":
                self.trunks.failed(seizure, self.now, PAUSE_S)
            self.trunks.release(seizure)
        del self.held[channel]

    @rule(tenant=st.sampled_from([A, B]), count=st.integers(0, 3))
    def callers_wait(self, tenant: TenantName, count: int) -> None:
        self.waits[tenant] = count

    @rule(site=SITES, pick=st.integers(0, 2), online=st.sampled_from([True, True, False]), foreign=st.integers(0, 1))
    def asterisk_tells(self, site: SiteName, pick: int, online: bool, foreign: int) -> None:
        endpoint = self.spec.members[pick % len(self.spec.members)].endpoint
        ours = {channel for channel, one in self.held.items() if (one.site, one.member) == (site, endpoint)}
        others = frozenset(ChannelId(f"fallback-{site}-{endpoint}-{number}") for number in range(foreign))
        if endpoint in self.names(site):
            self.told[site, endpoint] = (online, others)
        self.trunks.phones_seen(site, {f"PJSIP/{endpoint}": PhoneSeen(online, tuple(ours | others))})

    @rule(site=SITES)
    def a_site_is_lost(self, site: SiteName) -> None:
        """What it said is not known any more; what was held there is, until somebody says otherwise."""
        self.told = {where: told for where, told in self.told.items() if where[0] != site}
        self.trunks.site_lost(site)

    @rule(seconds=st.sampled_from([0.3, 1.0, 5.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for name, after_s in self.trunks.take_due(self.now):
            assert after_s >= 0.0
            self.trunks.look_again(name, self.now + timedelta(seconds=after_s))

    # --- what holds always

    @invariant()
    def what_is_held_is_what_the_model_holds(self) -> None:
        assert {one.leg: one for one in self.trunks.held} == self.held
        assert self.trunks.in_use(CITY) == self.in_use()
        (group,) = self.trunks.groups
        assert {tenant: n for tenant, n in group.tenants().items() if n} == {
            tenant: self.used(tenant) for tenant in (A, B, C) if self.used(tenant)
        }
        assert group.shares.marked == sum(one.marked for one in self.held.values())

    @invariant()
    def who_is_below_his_guarantee_is_never_refused_while_there_is_a_channel(self) -> None:
        reserved = max(0, self.spec.reserve - sum(one.marked for one in self.held.values()))
        for tenant, site in product(self.spec.shares, WHERE):
            if self.lacks(tenant) and self.has_member(site) and self.free() - reserved > 0:
                assert self.trunks.has_room(CITY, Asker(site, tenant), self.now)

    def teardown(self) -> None:
        for channel in list(self.held):
            if channel in self.callers:
                self.trunks.left(channel)
            else:
                self.trunks.release(self.held[channel])
        for site in WHERE:
            self.trunks.site_lost(site)
        assert (self.trunks.seizures, self.trunks.in_use(CITY)) == (0, 0)


TestTrunks = pytest.mark.no_cover(TrunkMachine.TestCase)
TestTrunks.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
