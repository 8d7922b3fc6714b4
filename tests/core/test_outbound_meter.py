"""What has gone out in the last hour and day, and what is left of the limits."""

from datetime import UTC, datetime, timedelta

from callrouter.core.ids import ChannelId, TenantName, TrunkName
from callrouter.core.outbound import NumberClass
from callrouter.core.outbound_meter import OutboundMeter, OutwardCall
from callrouter.core.outbound_spec import Bound, OutboundLimit, OutboundRules, Unit, Window

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
CHANGWON, JINJU = TenantName("changwon"), TenantName("jinju")
KT = TrunkName("kt")
HOURLY, DAILY = Bound(Unit.CALLS, Window.HOUR, 2), Bound(Unit.CALLS, Window.DAY, 3)
TALK = Bound(Unit.MINUTES, Window.HOUR, 10)


def meter(*bounds: Bound, together: bool = False, **of: frozenset[str]) -> OutboundMeter:
    return OutboundMeter(OutboundRules(limits=(OutboundLimit("usual", bounds, together=together, **of),)))  # type: ignore[arg-type]


def call(
    name: str,
    after: float = 0.0,
    tenant: TenantName = CHANGWON,
    kind: NumberClass = NumberClass.MOBILE,
    trunk: TrunkName | None = KT,
) -> OutwardCall:
    """A call that is begun so many minutes after nine."""
    return OutwardCall(ChannelId(name), tenant, trunk, kind, minutes(after))


def minutes(after: float) -> datetime:
    return AT + timedelta(minutes=after)


def talked(found: OutboundMeter, name: str, begin: float, end: float) -> None:
    found.begun(call(name, begin))
    found.answered(ChannelId(name), minutes(begin))
    found.answered(ChannelId(name), minutes(begin + 1))
    found.ended(ChannelId(name), minutes(end))
    found.ended(ChannelId(name), minutes(end + 1))


def again(
    found: OutboundMeter, after: float, tenant: TenantName = CHANGWON, kind: NumberClass = NumberClass.MOBILE
) -> float | None:
    """In how many minutes a call may be made that is refused now; None: it is not."""
    refusal = found.refuses(tenant, KT, kind, minutes(after))
    return (refusal.again_at - minutes(after)).total_seconds() / 60 if refusal is not None else None


def test_as_many_calls_may_be_begun_as_the_hour_allows_and_the_next_when_the_first_is_an_hour_old() -> None:
    found = meter(HOURLY)
    found.begun(call("a", 0))
    found.begun(call("a", 1))
    assert again(found, 5) is None
    found.begun(call("b", 10))
    assert again(found, 20) == 40
    assert again(found, 59.9) is not None
    assert again(found, 60) is None


def test_each_tenant_has_so_much_unless_they_are_counted_together() -> None:
    apart, together = meter(HOURLY), meter(HOURLY, together=True)
    for found in (apart, together):
        found.begun(call("a"))
        found.begun(call("b"))
    assert again(apart, 1, JINJU) is None
    assert again(together, 1, JINJU) is not None


def test_a_limit_holds_for_what_it_names() -> None:
    for found, is_counted in (
        (meter(HOURLY, tenants=frozenset({JINJU})), False),
        (meter(HOURLY, trunks=frozenset({"sk"})), False),
        (meter(HOURLY, kinds=frozenset({NumberClass.PREMIUM})), False),
        (meter(HOURLY, tenants=frozenset({CHANGWON}), trunks=frozenset({KT}), kinds=frozenset({"mobile"})), True),
    ):
        found.begun(call("a"))
        found.begun(call("b"))
        assert (again(found, 1) is not None) is is_counted


def test_emergency_calls_are_never_kept_back_and_count() -> None:
    found = meter(HOURLY)
    found.begun(call("a", kind=NumberClass.EMERGENCY))
    found.begun(call("b"))
    assert again(found, 1) == 59
    assert again(found, 1, kind=NumberClass.EMERGENCY) is None
    assert found.refuses(CHANGWON, KT, NumberClass.MOBILE, minutes(1), marked=True) is None


def test_the_longest_of_all_limits_says_when() -> None:
    found = meter(HOURLY, DAILY)
    for number, after in enumerate((0, 10, 20)):
        found.begun(call(str(number), after))
    assert again(found, 30) == 24 * 60 - 30


def test_minutes_are_those_that_were_talked_within_the_hour() -> None:
    found = meter(TALK)
    talked(found, "a", 0, 6)
    found.begun(call("rings", 5))
    assert again(found, 10) is None
    talked(found, "b", 10, 14)
    wait = again(found, 20)
    assert wait is not None
    assert 40 <= wait <= 41
    assert again(found, 20 + wait) is None


def test_as_much_must_have_left_the_hour_as_was_talked_too_long() -> None:
    found = meter(TALK)
    talked(found, "a", 0, 6)
    found.begun(call("rings", 7))
    talked(found, "b", 10, 20)
    wait = again(found, 30)
    assert wait is not None
    assert 40 < wait < 41, "ten minutes after nine, an hour later, and a second"
    assert again(found, 30 + wait) is None


def test_who_talks_still_counts_as_far_as_he_has() -> None:
    found = meter(TALK)
    found.begun(call("a"))
    found.answered(ChannelId("a"), minutes(0))
    assert again(found, 9) is None
    assert again(found, 10) is not None
    assert again(found, 200) is not None, "he talks on, and has filled the hour by himself"


def test_people_are_told_once_that_little_is_left_and_once_that_nothing_is() -> None:
    found = meter(Bound(Unit.CALLS, Window.HOUR, 5))
    told = []
    for number in range(5):
        one = call(str(number), number)
        found.begun(one)
        told.append([(limit.used, limit.most) for limit in found.take_warnings(one, one.at)])
    assert told == [[], [], [], [(4, 5)], []]
    refusal = found.refuses(CHANGWON, KT, NumberClass.MOBILE, minutes(6))
    assert refusal is not None
    assert str(refusal) == "5 calls of the last hour of changwon (limit usual)"
    assert [found.block(refusal), found.block(refusal)] == [True, False]
    late = call("late", 200)
    found.begun(late)
    assert list(found.take_warnings(late, late.at)) == []
    assert found.block(refusal), "there was room between"


def test_what_is_used_is_shown_for_everybody_whose_calls_have_counted() -> None:
    found = meter(HOURLY, TALK)
    assert found.now(AT) == ()
    talked(found, "a", 0, 3)
    found.begun(call("b", 1, JINJU))
    shown = [(one.tenant, one.bound, one.used, one.most) for one in found.now(minutes(5))]
    assert shown == [
        (CHANGWON, "calls_per_hour", 1, 2),
        (CHANGWON, "minutes_per_hour", 3, 10),
        (JINJU, "calls_per_hour", 1, 2),
        (JINJU, "minutes_per_hour", 0, 10),
    ]
    assert [one.tenant for one in meter(HOURLY, together=True).now(AT)] == [""]


def test_new_limits_count_what_went_out_before_and_forget_what_was_told_of_others() -> None:
    found = meter()
    found.begun(call("a"))
    found.begun(call("b"))
    assert again(found, 1) is None
    found.replace(OutboundRules(limits=(OutboundLimit("usual", (HOURLY,)),)))
    refusal = found.refuses(CHANGWON, KT, NumberClass.MOBILE, minutes(1))
    assert refusal is not None
    assert found.block(refusal)
    found.replace(OutboundRules(limits=(OutboundLimit("usual", (HOURLY, DAILY)),)))
    assert not found.block(refusal), "that it is used up was told already"
    found.replace(OutboundRules())
    assert again(found, 1) is None


def test_what_is_over_for_a_day_is_forgotten_and_what_goes_on_is_not() -> None:
    found = meter(TALK)
    talked(found, "a", 0, 3)
    found.begun(call("b"))
    found.answered(ChannelId("b"), minutes(0))
    found.forget(minutes(25 * 60))
    assert found.ended(ChannelId("a"), minutes(0)) is None
    assert found.ended(ChannelId("b"), minutes(25 * 60)) is not None


def test_what_counts_no_more_is_forgotten_by_itself() -> None:
    found = meter(HOURLY)
    talked(found, "a", 0, 3)
    found.begun(call("b", 25 * 60))
    assert found.ended(ChannelId("a"), minutes(0)) is None


def test_what_was_not_dialled_after_all_does_not_count() -> None:
    found = meter(HOURLY)
    found.begun(call("a"))
    found.begun(call("b"))
    found.discard(ChannelId("b"))
    found.discard(ChannelId("b"))
    assert again(found, 1) is None
