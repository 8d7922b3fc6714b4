"""Trunk groups: their size, members, shares, breakers and limits, and what is counted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from callrouter.core.breaker import Breaker, BreakerState
from callrouter.core.ids import ChannelId, SiteName, TenantName, TrunkName
from callrouter.core.phones import PhoneSeen
from callrouter.core.pool import Way
from callrouter.core.trunk_group import Asker, Seizure
from callrouter.core.trunk_spec import MemberSpec, NumberForm, Selection, Share, TrunkSpec
from callrouter.core.trunks import Trunks
from tests.core.driver import CITY, HALL, START

SPARE = TrunkName("spare")
JINJU, CHANGWON = TenantName("jinju"), TenantName("changwon")
OTHERS = Asker(HALL, TenantName("gyeongnam"))
EMERGENCY = Asker(HALL, JINJU, marked=True)
ONE_S = timedelta(seconds=1)
KT, SK = MemberSpec("kt", 2), MemberSpec("sk", 4, weight=4)


def of(tenant: TenantName) -> Asker:
    return Asker(HALL, tenant)


def trunks_of(spec: TrunkSpec, *more: TrunkSpec, wants: Mapping[TenantName, int] | None = None) -> Trunks:
    return Trunks({one.name: one for one in (spec, *more)}, lambda _trunk, tenant, _most: (wants or {}).get(tenant, 0))


class Line:
    """Seizes channels one after another."""

    def __init__(self, trunks: Trunks) -> None:
        self.trunks = trunks
        self.count = 0

    def seize(self, asker: Asker = OTHERS, after_s: float = 0.0) -> Seizure:
        self.count += 1
        return self.trunks.seize(CITY, ChannelId(f"leg-{self.count}"), asker, START + timedelta(seconds=after_s))

    def members(self, count: int) -> list[str]:
        return [self.seize().member for _ in range(count)]


def test_a_group_admits_as_many_as_it_carries() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 1))
    assert trunks.has_room(None, OTHERS, START)
    assert not trunks.has_room(TrunkName("unknown"), OTHERS, START)
    seizure = trunks.seize(CITY, ChannelId("leg"), OTHERS, START)
    assert trunks.of(ChannelId("leg")) is seizure
    with pytest.raises(ValueError, match="no channel for leg"):
        trunks.seize(CITY, ChannelId("other"), OTHERS, START)
    trunks.release(seizure)
    with pytest.raises(KeyError):
        trunks.release(seizure)
    assert trunks.seizures == 0


def test_a_group_that_shrank_admits_nothing_until_it_is_below_its_size() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 2))
    first, second = [trunks.seize(CITY, ChannelId(name), OTHERS, START) for name in "ab"]
    trunks.replace({CITY: TrunkSpec(CITY, 1)})
    trunks.release(first)
    assert not trunks.has_room(CITY, OTHERS, START)
    trunks.release(second)
    assert trunks.has_room(CITY, OTHERS, START)


def test_a_leg_that_holds_a_channel_already_can_take_it_back_but_not_twice() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 5))
    trunks.reclaim(CITY, ChannelId("leg"), OTHERS, START)
    trunks.reclaim(CITY, ChannelId("leg"), OTHERS, START)
    assert trunks.in_use(CITY) == 1
    with pytest.raises(ValueError, match="no channel"):
        trunks.seize(CITY, ChannelId("leg"), OTHERS, START)


def test_a_group_that_the_rules_lost_keeps_its_calls_and_takes_no_more() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 5))
    seizure = trunks.seize(CITY, ChannelId("leg"), OTHERS, START)
    trunks.replace({})
    assert (trunks.in_use(CITY), list(trunks.groups)) == (1, [])
    assert not trunks.has_room(CITY, OTHERS, START)
    trunks.release(seizure)
    trunks.replace({})
    assert trunks.in_use(CITY) == 0
    of_no_group = trunks.reclaim(SPARE, ChannelId("leg"), OTHERS, START)
    assert (trunks.seizures, trunks.succeeded(of_no_group)) == (1, False)
    for name in (TrunkName("unknown"), SPARE):
        trunks.look_again(name, START)
    assert not list(trunks.take_due(START))


# --- members


@pytest.mark.parametrize(
    ("select", "members"),
    [
        (Selection.ORDER, ["kt", "kt", "sk", "sk", "sk", "sk"]),
        (Selection.WEIGHT, ["sk", "sk", "sk", "kt", "sk", "kt"]),
        (Selection.LARGEST_FREE, ["sk", "sk", "kt", "sk", "kt", "sk"]),
    ],
)
def test_members_are_taken_as_the_group_says_until_all_are_full(select: Selection, members: list[str]) -> None:
    trunks = trunks_of(TrunkSpec(CITY, 6, (KT, SK), select))
    assert Line(trunks).members(6) == members
    assert not trunks.has_room(CITY, OTHERS, START)


def test_a_member_carries_calls_of_its_own_site_alone() -> None:
    there = SiteName("jinju")
    trunks = trunks_of(TrunkSpec(CITY, 6, (replace(KT, site=there), replace(SK, site=HALL))))
    assert trunks.seize(CITY, ChannelId("a"), Asker(there, JINJU), START).member == "kt"
    assert trunks.seize(CITY, ChannelId("b"), OTHERS, START).member == "sk"
    assert not trunks.has_room(CITY, Asker(SiteName("namhae"), JINJU), START)
    assert sorted(trunks.endpoints(HALL)) == ["PJSIP/sk"]
    trunks.phones_seen(HALL, {"PJSIP/kt": PhoneSeen(online=False, channels=(ChannelId("x"),))})
    assert trunks.in_use(CITY) == 2, "an endpoint of the same name at another site is none of the group's"


def test_a_full_group_hands_on_to_the_one_that_takes_over_and_not_in_circles() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 1, overflow=SPARE), TrunkSpec(SPARE, 1, overflow=CITY))
    line = Line(trunks)
    assert [line.seize().trunk for _ in range(2)] == [CITY, SPARE]
    assert not trunks.has_room(CITY, OTHERS, START)


def test_a_member_that_is_not_there_is_passed_over_until_it_is() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 6, (KT, SK)))
    trunks.phones_seen(HALL, {"PJSIP/kt": PhoneSeen(online=False), "PJSIP/201": PhoneSeen(online=False)})
    assert Line(trunks).seize().member == "sk"
    trunks.phones_seen(HALL, {"PJSIP/kt": PhoneSeen(online=True)})
    assert trunks.seize(CITY, ChannelId("b"), OTHERS, START).member == "kt"
    trunks.phones_seen(HALL, {"PJSIP/kt": PhoneSeen(online=False)})
    trunks.site_lost(HALL)
    assert trunks.seize(CITY, ChannelId("c"), OTHERS, START).member == "kt", "what a lost site said may not be so"


def test_members_that_are_taken_out_carry_no_more_calls_and_their_calls_still_count() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 6, (KT, SK)))
    line = Line(trunks)
    first, second = line.seize(), line.seize()
    assert (first.member, second.member) == ("kt", "kt")
    trunks.replace({CITY: TrunkSpec(CITY, 3, (replace(SK, channels=3),))})
    assert line.seize().member == "sk"
    assert (trunks.in_use(CITY), trunks.has_room(CITY, OTHERS, START)) == (3, False)
    assert not trunks.failed(first, START, 2.0)
    trunks.release(first)
    assert (trunks.in_use(CITY), trunks.has_room(CITY, OTHERS, START)) == (2, True)


def test_so_many_calls_a_second_and_then_the_time_is_told_when_to_look_again() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 9, (MemberSpec("kt", 9, per_second=2),)))
    line = Line(trunks)
    line.seize()
    line.seize(after_s=0.4)
    later = START + timedelta(seconds=0.6)
    assert not trunks.has_room(CITY, OTHERS, later)
    assert [(name, round(after_s, 3)) for name, after_s in trunks.take_due(later)] == [(CITY, 0.4)]
    assert not trunks.has_room(CITY, OTHERS, later)
    assert not list(trunks.take_due(later)), "it is told once"
    trunks.look_again(CITY, START + ONE_S)
    assert trunks.has_room(CITY, OTHERS, START + ONE_S)
    line.seize(after_s=1.0)
    assert not trunks.has_room(CITY, OTHERS, START + ONE_S)


# --- the breaker


def test_a_member_that_failed_is_left_alone_then_tried_with_one_call_and_used_again() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 4))
    line = Line(trunks)
    assert trunks.failed(line.seize(), START, 2.0)
    assert not trunks.has_room(CITY, OTHERS, START + ONE_S)
    assert list(trunks.take_due(START)) == [(CITY, 2.0)]
    probe = line.seize(after_s=2.0)
    assert not trunks.has_room(CITY, OTHERS, START + 2 * ONE_S), "one call alone is let through"
    assert trunks.succeeded(probe)
    assert trunks.has_room(CITY, OTHERS, START + 2 * ONE_S)
    assert not trunks.succeeded(probe)


def test_a_probe_that_fails_makes_the_pause_twice_as_long_and_one_that_says_nothing_frees_the_way_for_another() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 4))
    line = Line(trunks)
    trunks.failed(line.seize(), START, 2.0)
    trunks.failed(line.seize(after_s=2.0), START + 2 * ONE_S, 2.0)
    assert not trunks.has_room(CITY, OTHERS, START + 5 * ONE_S)
    trunks.release(line.seize(after_s=6.0))
    assert trunks.has_room(CITY, OTHERS, START + 6 * ONE_S)


def test_other_calls_say_nothing_of_a_breaker_that_is_open() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 4, failures=2))
    line = Line(trunks)
    first, second, third, fourth = (line.seize() for _ in range(4))
    assert not trunks.failed(first, START, 2.0)
    assert not trunks.succeeded(second)
    assert not trunks.failed(third, START, 2.0), "two in a row, not two in all"
    assert trunks.failed(fourth, START, 2.0)
    assert not trunks.failed(first, START, 2.0)
    assert not trunks.succeeded(second)
    (group,) = trunks.groups
    (member,) = group.members.values()
    states = [member.breaker.state(START + timedelta(seconds=s)) for s in (0, 2)]
    assert states == [BreakerState.OPEN, BreakerState.HALF_OPEN]
    assert Breaker().state(START) is BreakerState.CLOSED


def test_a_call_that_one_member_failed_goes_by_another() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 6, (KT, SK), failures=5))
    assert trunks.seize(CITY, ChannelId("a"), OTHERS, START, {"kt"}).member == "sk"
    assert not trunks.has_room(CITY, OTHERS, START, {"kt", "sk"})


# --- shares


SHARED = TrunkSpec(CITY, 4, shares={JINJU: Share(2), CHANGWON: Share(1, 2)})


def test_what_is_idle_is_borrowed_and_nobody_has_more_than_his_ceiling() -> None:
    trunks = trunks_of(SHARED)
    line = Line(trunks)
    for _ in range(2):
        line.seize(of(CHANGWON))
    assert not trunks.has_room(CITY, of(CHANGWON), START)
    for _ in range(2):
        line.seize()
    assert not trunks.has_room(CITY, of(JINJU), START)
    assert trunks.divided == {CITY}
    quiet = Trunks({CITY: SHARED})
    quiet.seize(CITY, ChannelId("a"), OTHERS, START)
    assert quiet.has_room(CITY, OTHERS, START), "nobody waits"


def test_who_comes_back_for_his_guarantee_gets_the_next_channel() -> None:
    trunks = trunks_of(SHARED)
    line = Line(trunks)
    borrowed = [line.seize() for _ in range(4)]
    trunks.block(CITY, of(JINJU), START)
    trunks.release(borrowed[0])
    assert not trunks.has_room(CITY, OTHERS, START)
    assert trunks.has_room(CITY, of(CHANGWON), START), "below its own guarantee"
    assert trunks.has_room(CITY, of(JINJU), START)
    line.seize(of(JINJU))
    trunks.release(borrowed[1])
    assert trunks.has_room(CITY, OTHERS, START), "it has had what it came back for"


def test_a_claim_is_forgotten_after_a_while() -> None:
    trunks = trunks_of(SHARED)
    line = Line(trunks)
    borrowed = [line.seize() for _ in range(4)]
    trunks.block(CITY, of(JINJU), START)
    trunks.release(borrowed[0])
    assert trunks.has_room(CITY, OTHERS, START + timedelta(minutes=1))


def test_as_many_channels_are_kept_as_callers_of_a_tenant_wait_up_to_its_guarantee() -> None:
    wants = {JINJU: 5}
    trunks = trunks_of(SHARED, wants=wants)
    line = Line(trunks)
    line.seize()
    line.seize()
    assert not trunks.has_room(CITY, OTHERS, START), "two are free, and two are kept"
    wants.clear()
    assert trunks.has_room(CITY, OTHERS, START)


def test_the_reserve_is_for_marked_calls_which_stand_beside_the_shares() -> None:
    trunks = trunks_of(replace(SHARED, reserve=1))
    line = Line(trunks)
    for _ in range(2):
        line.seize(of(JINJU))
    line.seize(of(CHANGWON))
    assert not trunks.has_room(CITY, of(CHANGWON), START)
    marked = line.seize(EMERGENCY)
    assert not trunks.has_room(CITY, EMERGENCY, START)
    trunks.block(CITY, EMERGENCY, START)
    trunks.release(marked)
    assert trunks.has_room(CITY, EMERGENCY, START)
    (group,) = trunks.groups
    assert (dict(group.tenants()), group.shares.claims) == ({JINJU: 2, CHANGWON: 1}, {})


def test_a_marked_call_that_has_the_reserve_leaves_the_rest_to_all() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 2, reserve=1))
    line = Line(trunks)
    line.seize(EMERGENCY)
    line.seize()
    assert not trunks.has_room(CITY, EMERGENCY, START)


def test_what_a_decision_is_told_of_ways_is_what_each_call_alone_would_be_told() -> None:
    asked: list[TenantName] = []

    def wants(trunk: TrunkName, tenant: TenantName, most: int) -> int:
        asked.append(tenant)
        return 2 if tenant == JINJU else 0

    trunks = Trunks({CITY: SHARED, SPARE: TrunkSpec(SPARE, 1)}, wants)
    line = Line(trunks)
    line.seize()
    line.seize()
    asked.clear()
    refusals = trunks.refusals(START)
    assert refusals is not None
    way = Way(HALL, CITY)
    assert trunks.is_open(way, START)
    for _ in range(2):
        assert refusals.refuses(way, OTHERS.tenant, False)
        assert not refusals.refuses(way, JINJU, False)
        assert not refusals.refuses(way, OTHERS.tenant, True)
    assert asked.count(JINJU) == 1, "who waits is asked once in a decision"
    assert not refusals.refuses(Way(HALL, SPARE), OTHERS.tenant, False), "nobody shares it"
    assert trunks.is_open(Way(HALL), START)
    assert trunks_of(TrunkSpec(CITY, 1)).refusals(START) is None


def test_a_way_is_open_by_the_group_that_takes_over() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 1, overflow=SPARE), TrunkSpec(SPARE, 1))
    line, way = Line(trunks), Way(HALL, CITY)
    assert line.seize().trunk == CITY
    assert trunks.is_open(way, START)
    assert line.seize().trunk == SPARE
    assert not trunks.is_open(way, START)


def test_shares_hold_where_so_many_calls_a_second_may_be_begun() -> None:
    trunks = trunks_of(replace(SHARED, members=(MemberSpec("kt", 4, per_second=1),)))
    line = Line(trunks)
    line.seize(of(CHANGWON))
    assert not trunks.has_room(CITY, of(CHANGWON), START), "one has begun in this second"
    line.seize(of(CHANGWON), after_s=1.0)
    assert not trunks.has_room(CITY, of(CHANGWON), START + 2 * ONE_S), "that is the ceiling"
    assert trunks.has_room(CITY, of(JINJU), START + 2 * ONE_S)


# --- who comes in, and what Asterisk says


def test_a_caller_holds_a_channel_of_the_group_he_came_in_by_even_above_its_size() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 1, (KT,), shares={JINJU: Share(1)}))
    for name in "ab":
        trunks.arrived(HALL, "kt", ChannelId(name), TenantName(""), START)
        trunks.arrived(HALL, "kt", ChannelId(name), TenantName(""), START)
    trunks.arrived(HALL, "201", ChannelId("c"), TenantName(""), START)
    assert (trunks.in_use(CITY), trunks.has_room(CITY, EMERGENCY, START)) == (2, False)
    for _ in range(2):
        trunks.assign(ChannelId("a"), JINJU, START)
    trunks.assign(ChannelId("c"), JINJU, START)
    (group,) = trunks.groups
    assert dict(group.tenants()) == {JINJU: 1, TenantName(""): 1}
    for name in "abc":
        trunks.left(ChannelId(name))
    assert trunks.in_use(CITY) == 0


def test_a_channel_that_asterisk_alone_knows_is_in_use_too() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 2, (KT,)))
    trunks.arrived(HALL, "kt", ChannelId("ours"), TenantName(""), START)
    trunks.phones_seen(HALL, {"PJSIP/kt": PhoneSeen(True, (ChannelId("ours"), ChannelId("fallback")))})
    (group,) = trunks.groups
    assert (trunks.in_use(CITY), group.others, trunks.has_room(CITY, OTHERS, START)) == (2, 1, False)
    trunks.left(ChannelId("ours"), stays=True)
    assert (trunks.in_use(CITY), trunks.seizures) == (2, 0), "who went on in the dialplan is there still"
    trunks.arrived(HALL, "kt", ChannelId("ours"), TenantName(""), START)
    trunks.left(ChannelId("ours"))
    assert trunks.in_use(CITY) == 1
    trunks.site_lost(HALL)
    assert trunks.in_use(CITY) == 0


# --- what is dialled


@pytest.mark.parametrize(
    ("form", "number", "written"),
    [
        (NumberForm.NATIONAL, "+82552110000", "0552110000"),
        (NumberForm.E164, "0552110000", "+82552110000"),
        (NumberForm.E164, "119", "119"),
        (NumberForm.LOCAL, "0552110000", "2110000"),
        (NumberForm.LOCAL, "0212345678", "0212345678"),
        (NumberForm.LOCAL, "01098765432", "01098765432"),
        (NumberForm.NATIONAL, "anonymous", "anonymous"),
    ],
)
def test_each_trunk_gets_numbers_as_it_wants_them(form: NumberForm, number: str, written: str) -> None:
    spec = TrunkSpec(CITY, 1, form=form, area="055")
    assert spec.written(number) == written


def test_the_member_takes_the_place_of_the_endpoint_that_was_written() -> None:
    spec = TrunkSpec(CITY, 6, (KT, SK))
    assert spec.dialled("PJSIP/401@kt", "sk") == "PJSIP/401@sk"
    assert spec.dialled("PJSIP/401@city", "sk") == "PJSIP/401@sk"
    assert spec.dialled("PJSIP/401@elsewhere", "sk") == "PJSIP/401@elsewhere"
    assert spec.dialled("PJSIP/401@elsewhere", "sk", "055-211-0000") == "PJSIP/0552110000@sk"


def test_peaks_and_blocked_calls_are_counted_by_hour_and_tenant() -> None:
    trunks = trunks_of(TrunkSpec(CITY, 2))
    line = Line(trunks)
    first = line.seize(of(JINJU))
    line.seize()
    trunks.block(CITY, of(JINJU), START)
    trunks.block(TrunkName("unknown"), of(JINJU), START)
    trunks.release(first)
    line.seize(of(JINJU), after_s=3600.0)
    (group,) = trunks.groups
    tally = group.tally
    assert (tally.peak, tally.blocked, tally.peaks[JINJU], tally.refused[JINJU]) == (2, 1, 1, 1)
    hours = [(hour.begin - START, hour.peak, hour.blocked) for hour in tally.hours]
    assert hours == [(timedelta(0), 2, 1), (timedelta(hours=1), 2, 0)]


def test_a_member_that_one_site_does_not_reach_carries_the_calls_of_the_others_in_a_divided_group_too() -> None:
    annex, gyeongnam = SiteName("annex"), OTHERS.tenant
    trunks = trunks_of(TrunkSpec(CITY, 2, (MemberSpec("kt", 2),), shares={JINJU: Share(1, None)}))
    (group,) = trunks.groups
    (member,) = group.members.values()
    for site, online in ((HALL, True), (annex, False)):
        trunks.phones_seen(site, {"PJSIP/kt": PhoneSeen(online=online)})
    assert group.is_reached(member)
    assert trunks.has_room(CITY, OTHERS, START)
    assert not trunks.has_room(CITY, Asker(annex, gyeongnam), START)
    trunks.phones_seen(HALL, {"PJSIP/kt": PhoneSeen(online=False)})
    assert not group.is_reached(member)
    assert not trunks.has_room(CITY, OTHERS, START)
