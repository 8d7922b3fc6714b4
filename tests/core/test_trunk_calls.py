"""Calls over trunk groups: who gets a channel, who takes over when one fails, and what is held over faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import pytest

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.agent import AgentState
from callrouter.core.breaker import BreakerState
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.conditions import QueueStates, no_queues
from callrouter.core.decision import Decision
from callrouter.core.events import TimerKind
from callrouter.core.ids import ChannelId, TenantName, TrunkName
from callrouter.core.inbound import CallFacts
from callrouter.core.output import NoticeKind
from callrouter.core.phones import PhoneSeen
from callrouter.core.picture import picture
from callrouter.core.plan import Destination, Dial, HangUp, Plan
from callrouter.core.rulebook import AgentSpec, QueueSpec, Rulebook
from callrouter.core.states import CallState
from callrouter.core.stats import TrunkNow
from callrouter.core.switches import ALL_OFF, SwitchesOn
from callrouter.core.trunk_audit import Drift
from callrouter.core.trunk_spec import MemberSpec, NumberForm, Share, TrunkSpec
from tests.core.driver import (
    CITY,
    DESK,
    DUTY_DESK,
    DUTY_MOBILE,
    HALL,
    NIGHT,
    PLANS,
    Driver,
    FixedRouter,
    agent,
    rulebook,
)

JINJU, CHANGWON = TenantName("jinju"), TenantName("changwon")
KT, SK = MemberSpec("kt", 5), MemberSpec("sk", 5)
BOTH = TrunkSpec(CITY, 10, (KT, SK))
MOBILE = Destination(DUTY_MOBILE.name, "당직 휴대전화", "PJSIP/01098765432@city", CITY, number="01098765432")
KT_MOBILE, SK_MOBILE = "PJSIP/01098765432@kt", "PJSIP/01098765432@sk"
DUTY = Plan("duty", (Dial((MOBILE, DUTY_DESK)), HangUp()))
SOS = QueueSpec(DESK, "긴급", emergency=True)
RESERVED = replace(BOTH, channels=1, reserve=1)


@dataclass(slots=True)
class ByCaller(FixedRouter):
    """Whose a call is, the caller's number says; else it is Changwon's."""

    tenants: Mapping[str, TenantName] = field(default_factory=dict)

    def decide(
        self, facts: CallFacts, at: datetime, queues: QueueStates = no_queues, switches: SwitchesOn = ALL_OFF
    ) -> Decision:
        found = FixedRouter.decide(self, facts, at, queues, switches)
        return msgspec.structs.replace(found, tenant=self.tenants.get(facts.caller, CHANGWON))


FROM_JINJU = "0557551234"


def hall_with(
    trunk: TrunkSpec, *staff: AgentSpec, more: tuple[TrunkSpec, ...] = (), queues: tuple[QueueSpec, ...] = ()
) -> Driver:
    """The duty list at 129, and Jinju's callers known by their number."""
    return Driver(rules_with(trunk, *staff, more=more, queues=queues))


def rules_with(
    trunk: TrunkSpec, *staff: AgentSpec, more: tuple[TrunkSpec, ...] = (), queues: tuple[QueueSpec, ...] = ()
) -> Rulebook:
    rules = rulebook(*staff, queues=queues)
    router = ByCaller({**PLANS, "129": DUTY}, {FROM_JINJU: JINJU})
    return replace(rules, router=router, trunks={one.name: one for one in (trunk, *more)})


def dial_by(hall: Driver, trunk: str, dialed: str = "129", caller: str = "0552251234") -> Call:
    """A call that comes in by an endpoint."""
    call = hall.arrive(dialed, caller, trunk)
    hall.settle()
    return hall.exchange.calls[call]


def held(hall: Driver) -> int:
    return hall.exchange.floor.trunks.seizures


def group(hall: Driver) -> TrunkNow:
    return picture(hall.exchange, hall.now).trunks[0]


def breaker(hall: Driver, number: int = 0) -> BreakerState:
    return group(hall).members[number].breaker


def state(call: Call) -> CallState:
    return call.state


def lines(hall: Driver) -> list[str]:
    return [command.endpoint for command in hall.given(cmd.Originate)]


# --- who comes in


def test_a_caller_holds_a_channel_of_his_tenants_until_he_is_gone() -> None:
    hall = hall_with(BOTH)
    call = dial_by(hall, "kt", "120", FROM_JINJU)
    assert [(one.tenant, one.in_use, one.peak) for one in group(hall).tenants] == [(JINJU, 1, 1)]
    assert [one.in_use for one in group(hall).members] == [1, 0]
    hall.hang_up(call)
    assert (group(hall).in_use, group(hall).peak) == (0, 1)


def test_a_caller_who_goes_on_in_the_dialplan_is_counted_as_long_as_asterisk_has_him() -> None:
    hall = hall_with(BOTH)
    call = hall.arrive("125", trunk="kt")
    hall.tell(ev.PhonesSeen(HALL, {"PJSIP/kt": PhoneSeen(True, (ChannelId("resident-1"),))}))
    hall.settle()
    assert call not in hall.exchange.calls
    assert (held(hall), group(hall).others) == (0, 0)
    hall.tell(ev.PhonesSeen(HALL, {"PJSIP/kt": PhoneSeen(True, (ChannelId("resident-1"),))}))
    assert (group(hall).in_use, group(hall).others) == (1, 1)
    hall.lose_site()
    assert group(hall).in_use == 0


def test_the_next_daemon_holds_what_callers_and_legs_have() -> None:
    hall = hall_with(BOTH)
    call = dial_by(hall, "kt")
    hall.pick_up(call)
    assert [one.in_use for one in group(hall).members] == [2, 0]
    hall.restart()
    hall.sync()
    assert [one.in_use for one in group(hall).members] == [2, 0]
    assert [(one.tenant, one.in_use) for one in group(hall).tenants] == [(CHANGWON, 2)]
    hall.hang_up(hall.exchange.calls[call.id])
    assert held(hall) == 0


def test_a_caller_who_left_while_no_daemon_looked_holds_nothing_and_is_no_drift() -> None:
    hall = hall_with(BOTH)
    dial_by(hall, "kt", "120")
    hall.restart()
    hall.asterisk.channels.clear()
    hall.advance(60)
    hall.sync()
    assert held(hall) == 0
    assert not hall.exchange.counters.trunk_drifts


def test_new_rules_have_a_caller_hold_a_channel_of_the_group_that_is_new() -> None:
    hall = hall_with(TrunkSpec(CITY, 2))
    call = dial_by(hall, "kt", "120")
    assert held(hall) == 0
    hall.tell(ev.RulebookReplaced(rules_with(BOTH)))
    assert (held(hall), group(hall).tenants[0].tenant) == (1, CHANGWON)
    hall.hang_up(call)
    assert held(hall) == 0


# --- one takes over from another


@pytest.mark.parametrize(
    "cause",
    [
        Cause.NORMAL_CIRCUIT_CONGESTION,
        Cause.NETWORK_OUT_OF_ORDER,
        Cause.SWITCH_CONGESTION,
        Cause.DESTINATION_OUT_OF_ORDER,
        Cause.NO_ROUTE_DESTINATION,
        Cause.RECOVERY_ON_TIMER_EXPIRY,
        Cause.NO_USER_RESPONSE,
    ],
)
def test_the_same_destination_is_called_by_the_next_member_when_the_trunk_failed(cause: Cause) -> None:
    hall = hall_with(BOTH)
    call = hall.dial("129")
    hall.leg_ends(call, cause, rung=False)
    assert lines(hall) == [KT_MOBILE, SK_MOBILE]
    assert (breaker(hall), breaker(hall, 1)) == (BreakerState.OPEN, BreakerState.CLOSED)
    hall.leg_ends(call, cause, rung=False)
    assert lines(hall)[2:] == [DUTY_DESK.endpoint], "each member is tried once"
    hall.pick_up(call)
    hall.hang_up(call)
    results = [(leg.destination, leg.result) for leg in hall.cdr(call).legs]
    failed = (MOBILE.name, OfferResult.CONGESTION)
    assert results == [failed, failed, (DUTY_DESK.name, OfferResult.ANSWERED)]
    assert held(hall) == 0
    assert [notice.kind for notice in hall.notices].count(NoticeKind.TRUNK_STATE) == 2


def test_the_same_destination_is_not_called_again_that_is_busy() -> None:
    hall = hall_with(BOTH)
    call = hall.dial("129")
    hall.leg_ends(call, Cause.USER_BUSY, rung=False)
    assert lines(hall) == [KT_MOBILE, DUTY_DESK.endpoint]
    assert breaker(hall) is BreakerState.CLOSED


def test_a_trunk_without_a_sign_of_life_is_to_blame_and_not_who_is_behind_it() -> None:
    hall = hall_with(replace(BOTH, failures=1), agent("kim", trunk=CITY))
    kim = replace(hall.rules.agents[hall.agent("kim").spec.id], endpoint="PJSIP/401@city")
    hall.tell(ev.RulebookReplaced(replace(hall.rules, agents={kim.id: kim})))
    hall.dial("120")
    hall.advance(20.0)
    hall.settle()
    assert lines(hall) == ["PJSIP/401@kt", "PJSIP/401@sk"]
    assert hall.agent("kim").misses == 0
    assert breaker(hall) is BreakerState.OPEN


def test_who_lets_it_ring_is_to_blame_and_not_the_trunk() -> None:
    hall = hall_with(BOTH, agent("kim", trunk=CITY))
    call = hall.dial("120")
    hall.ring(call)
    hall.advance(20.0)
    assert hall.exchange.counters.offers == {OfferResult.NO_ANSWER: 1}
    assert breaker(hall) is BreakerState.CLOSED


def test_an_endpoint_that_asterisk_cannot_dial_is_the_trunks_failure() -> None:
    hall = hall_with(BOTH)
    hall.asterisk.phones[KT_MOBILE] = "unknown"
    hall.dial("129")
    assert lines(hall) == [KT_MOBILE, SK_MOBILE]


def test_some_networks_let_it_ring_before_they_are_congested() -> None:
    hall = hall_with(BOTH)
    call = hall.dial("129")
    hall.ring(call)
    hall.leg_ends(call, Cause.NORMAL_CIRCUIT_CONGESTION)
    assert lines(hall) == [KT_MOBILE, SK_MOBILE]
    assert breaker(hall) is BreakerState.OPEN


def test_a_member_that_failed_is_tried_by_one_call_after_a_while() -> None:
    hall = hall_with(replace(BOTH, members=(KT,), channels=5), agent("kim", trunk=CITY), agent("lee", trunk=CITY))
    first, second = hall.dial("120"), hall.dial("120")
    hall.leg_ends(first, Cause.SWITCH_CONGESTION, rung=False)
    hall.leg_ends(second, Cause.SWITCH_CONGESTION, rung=False)
    assert len(lines(hall)) == 2, "the only member rests"
    hall.advance(2.0)
    assert len(lines(hall)) == 3, "one of the two is the probe"
    probe = first if state(first) is CallState.OFFERED else second
    hall.ring(probe)
    assert breaker(hall) is BreakerState.CLOSED
    assert len(lines(hall)) == 4
    assert hall.notices[-1].text == "kt of the trunk group city carries calls again"


def test_a_probe_of_which_nothing_is_known_makes_room_for_another() -> None:
    hall = hall_with(replace(BOTH, members=(KT,), channels=5))
    call = hall.dial("129")
    hall.leg_ends(call, Cause.SWITCH_CONGESTION, rung=False)
    hall.hang_up(call)
    hall.advance(2.0)
    call = hall.dial("129")
    hall.hang_up(call)
    assert breaker(hall) is BreakerState.HALF_OPEN
    hall.dial("129")
    assert lines(hall).count(KT_MOBILE) == 3


def test_another_group_takes_over_and_writes_numbers_as_it_wants_them() -> None:
    spare = TrunkSpec(TrunkName("spare"), 1, form=NumberForm.E164)
    hall = hall_with(TrunkSpec(CITY, 1, overflow=spare.name), more=(spare,))
    first, second, third = (hall.dial("129") for _ in range(3))
    assert lines(hall) == ["PJSIP/01098765432@city", "PJSIP/+821098765432@spare", DUTY_DESK.endpoint]
    assert [command.caller_number for command in hall.given(cmd.Originate)][:2] == ["0552251234", "+82552251234"]
    assert (group(hall).blocked, group(hall).tenants[0].blocked) == (1, 1)
    for call in (first, second, third):
        hall.hang_up(call)
    assert held(hall) == 0


# --- shares, reserve and limits


def test_who_comes_back_for_his_guarantee_is_served_before_who_came_earlier() -> None:
    staff = [agent(name, trunk=CITY) for name in ("kim", "lee", "park")]
    hall = hall_with(replace(BOTH, channels=1, shares={JINJU: Share(1)}), *staff)
    borrower, waits, back = hall.dial("120"), hall.dial("120"), hall.dial("120", FROM_JINJU)
    assert (waits.state, back.state) == (CallState.QUEUED, CallState.QUEUED)
    hall.hang_up(borrower)
    assert (state(waits), state(back)) == (CallState.QUEUED, CallState.OFFERED)
    hall.hang_up(back)
    assert state(waits) is CallState.OFFERED


def test_a_call_of_the_duty_list_does_not_take_what_somebody_waits_for() -> None:
    hall = hall_with(replace(BOTH, channels=1, shares={JINJU: Share(1)}), agent("kim", trunk=CITY))
    borrower = hall.dial("129")
    waits = hall.dial("120", FROM_JINJU)
    hall.lose_site()
    hall.asterisk.connected = True
    hall.asterisk.hang_up(borrower.channel)
    hall.asterisk.hang_up(hall.leg(borrower))
    hall.settle()
    other = hall.dial("129")
    assert lines(hall) == [KT_MOBILE, DUTY_DESK.endpoint]
    hall.sync()
    assert state(waits) is CallState.OFFERED
    hall.hang_up(other)


def test_a_queue_for_emergencies_may_have_the_reserve() -> None:
    hall = hall_with(RESERVED, agent("kim", trunk=CITY))
    call = hall.dial("120")
    assert state(call) is CallState.QUEUED
    hall.tell(ev.RulebookReplaced(rules_with(RESERVED, agent("kim", trunk=CITY), queues=(SOS,))))
    assert state(call) is CallState.OFFERED
    assert group(hall).marked == 1
    hall.restart(rules_with(RESERVED, agent("kim", trunk=CITY), queues=(SOS,)))
    hall.sync()
    assert group(hall).marked == 1


def test_who_waits_in_another_queue_than_that_for_emergencies_may_not() -> None:
    hall = hall_with(RESERVED, agent("kim", trunk=CITY), queues=(replace(SOS, name=NIGHT),))
    assert state(hall.dial("120")) is CallState.QUEUED


def test_who_waits_for_the_second_to_pass_is_called_for_when_it_has() -> None:
    slow = replace(BOTH, members=(replace(KT, per_second=1),))
    hall = hall_with(slow, agent("kim", trunk=CITY), agent("lee", trunk=CITY))
    hall.dial("120")
    second = hall.dial("120")
    assert state(second) is CallState.QUEUED
    assert (TimerKind.TRUNK, CITY) in hall.timers
    hall.advance(1.0)
    assert state(second) is CallState.OFFERED


def test_who_cannot_be_reached_by_any_member_is_not_called_until_one_is_back() -> None:
    hall = hall_with(replace(BOTH, members=(KT,)), agent("kim", trunk=CITY))
    hall.tell(ev.PhonesSeen(HALL, {"PJSIP/kt": PhoneSeen(online=False)}))
    call = hall.dial("120")
    assert (call.state, hall.agent("kim").state) == (CallState.QUEUED, AgentState.AVAILABLE)
    assert not group(hall).members[0].online
    hall.tell(ev.PhonesSeen(HALL, {"PJSIP/kt": PhoneSeen(online=True)}))
    assert state(call) is CallState.OFFERED


# --- the audit


def test_a_leg_whose_end_was_not_told_is_a_drift_that_is_put_right_and_counted() -> None:
    hall = hall_with(BOTH)
    call = hall.dial("129")
    hall.asterisk.connected = False
    hall.asterisk.hang_up(hall.leg(call))
    hall.advance(10.0)
    hall.sync()
    assert hall.exchange.counters.trunk_drifts == {Drift.HELD_IN_VAIN: 1}
    told = [notice.text for notice in hall.notices if notice.kind is NoticeKind.TRUNK_DRIFT]
    assert told == [f"callrouter-{call.id}-leg-1 of the trunk group city: held-in-vain"]


def test_what_nobody_answers_for_is_given_back_and_what_nobody_holds_is_held() -> None:
    hall = hall_with(BOTH)
    call = dial_by(hall, "kt", "120")
    trunks = hall.exchange.floor.trunks
    trunks.left(call.channel)
    trunks.arrived(HALL, "sk", ChannelId("nobody"), CHANGWON, hall.now)
    hall.advance(10.0)
    hall.sync()
    assert hall.exchange.counters.trunk_drifts == {Drift.HELD_IN_VAIN: 1, Drift.NOT_HELD: 1}
    assert [one.leg for one in trunks.held] == [call.channel]
    hall.sync()
    assert hall.exchange.counters.trunk_drifts.total() == 2, "once is enough"


def test_what_was_seized_a_moment_ago_is_no_drift() -> None:
    hall = hall_with(BOTH)
    hall.dial("129")
    before = hall.snapshot(hall.now - timedelta(seconds=1))
    channels = {name: seen for name, seen in before.channels.items() if seen.inbound is not None}
    hall.tell(ev.SiteUp(HALL, before.requested_at, channels, before.bridges))
    assert not hall.exchange.counters.trunk_drifts


# --- records


def test_the_record_says_by_which_group_and_endpoint_a_call_came_in_as_the_rules_were_then() -> None:
    hall = hall_with(BOTH)
    by_group, by_none = dial_by(hall, "sk", "120"), dial_by(hall, "old-line", "120")
    hall.restart(rules_with(TrunkSpec(CITY, 10, (KT,))))
    hall.sync()
    for call in (by_group, by_none):
        hall.hang_up(hall.exchange.calls[call.id])
    assert [(cdr.in_trunk, cdr.in_endpoint) for cdr in hall.cdrs] == [(CITY, "sk"), (None, "old-line")]
