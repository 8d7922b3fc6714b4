"""Trunk groups under random arrivals, releases, failures and reloads that shrink them, beside a naive model."""

from collections import Counter
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callrouter.core.ids import ChannelId, TenantName
from callrouter.core.phones import PhoneSeen
from callrouter.core.pool import Way
from callrouter.core.trunk_group import Asker, Seizure
from callrouter.core.trunk_shares import CLAIM
from callrouter.core.trunk_spec import MemberSpec, Selection, Share, TrunkSpec
from callrouter.core.trunks import Trunks
from tests.core.driver import CITY, HALL, START

A, B, C = (TenantName(name) for name in "abc")
TENANTS = st.sampled_from([A, B, C])
PAUSE_S = 2.0


@st.composite
def groups(draw: st.DrawFn) -> TrunkSpec:
    """Up to three members; what is promised fits."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    limits = st.sampled_from([None, None, None, 2])
    members = [MemberSpec(f"m{n}", size, None, draw(limits), n + 1) for n, size in enumerate(sizes)]
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
        self.others: dict[str, frozenset[ChannelId]] = {}
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
        there = {member.endpoint for member in spec.members}
        self.others = {name: seen for name, seen in self.others.items() if name in there}
        self.claims.clear()  # what the model knows of them is of the shares before
        for group in self.trunks.groups:
            group.shares.claims.clear()

    # --- what the naive model says

    def used(self, tenant: TenantName) -> int:
        return sum(one.tenant == tenant and not one.marked for one in self.held.values())

    def in_use(self) -> int:
        return len(self.held) + sum(map(len, self.others.values()))

    def carried(self, endpoint: str) -> int:
        return sum(one.member == endpoint for one in self.held.values()) + len(self.others.get(endpoint, ()))

    def free(self) -> int:
        (group,) = self.trunks.groups
        members = [one for one in group.members.values() if not one.offline and one.breaker.admits(self.now)]
        rooms = (max(0, one.spec.channels - self.carried(one.spec.endpoint)) for one in members)
        return min(self.spec.channels - self.in_use(), sum(rooms))

    def has_member(self) -> bool:
        (group,) = self.trunks.groups
        return group.pick(HALL, self.now) is not None

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

    def may(self, tenant: TenantName, *, marked: bool) -> bool:
        left = self.free()
        if not marked:
            left -= max(0, self.spec.reserve - sum(one.marked for one in self.held.values()))
        if not self.has_member() or left < 1:
            return False
        if marked or not self.spec.shares:
            return True
        ceiling = self.spec.shares.get(tenant, Share()).ceiling
        if ceiling is not None and self.used(tenant) >= ceiling:
            return False
        return self.lacks(tenant) > 0 or left > self.kept(tenant)

    def is_a_way_for(self, tenant: TenantName, *, marked: bool) -> bool:
        """What a match is told of it."""
        way, refusals = Way(HALL, CITY), self.trunks.refusals(self.now)
        refused = refusals is not None and refusals.refuses(way, tenant, marked)
        return self.trunks.is_open(way, self.now) and not refused

    # --- what happens

    @rule(tenant=TENANTS, marked=st.sampled_from([False, False, False, True]))
    def a_call_goes_out(self, tenant: TenantName, marked: bool) -> None:
        asker = Asker(HALL, tenant, marked)
        expected = self.may(tenant, marked=marked)
        assert self.trunks.has_room(CITY, asker, self.now) == expected
        assert self.is_a_way_for(tenant, marked=marked) == expected
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

    @rule(tenant=TENANTS)
    def a_tenant_takes_all_it_gets(self, tenant: TenantName) -> None:
        for _ in range(self.spec.channels):
            self.a_call_goes_out(tenant, marked=False)

    @rule(tenant=TENANTS, pick=st.integers(0, 2))
    def a_call_comes_in(self, tenant: TenantName, pick: int) -> None:
        """It is there, whatever the size says; whose it is is known later."""
        self.number += 1
        channel = ChannelId(f"caller-{self.number}")
        endpoint = self.spec.members[pick % len(self.spec.members)].endpoint
        self.trunks.arrived(HALL, endpoint, channel, TenantName(""), self.now)
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

    @rule(pick=st.integers(0, 2), online=st.sampled_from([True, True, False]), foreign=st.integers(0, 1))
    def asterisk_tells(self, pick: int, online: bool, foreign: int) -> None:
        endpoint = self.spec.members[pick % len(self.spec.members)].endpoint
        ours = {channel for channel, one in self.held.items() if one.member == endpoint}
        others = frozenset(ChannelId(f"fallback-{endpoint}-{number}") for number in range(foreign))
        self.others[endpoint] = others
        self.trunks.phones_seen(HALL, {f"PJSIP/{endpoint}": PhoneSeen(online, tuple(ours | others))})

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
        for tenant in self.spec.shares:
            if self.lacks(tenant) and self.has_member() and self.free() - reserved > 0:
                assert self.trunks.has_room(CITY, Asker(HALL, tenant), self.now)

    def teardown(self) -> None:
        for channel in list(self.held):
            if channel in self.callers:
                self.trunks.left(channel)
            else:
                self.trunks.release(self.held[channel])
        self.trunks.site_lost(HALL)
        assert (self.trunks.seizures, self.trunks.in_use(CITY)) == (0, 0)


TestTrunks = TrunkMachine.TestCase
TestTrunks.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
