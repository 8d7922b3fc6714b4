"""A limit of calls per second holds a destination's call up for a moment, and does not turn it away."""

from dataclasses import replace

from callrouter.core import commands as cmd
from callrouter.core.call import Call
from callrouter.core.call_orders import CallVerb
from callrouter.core.cdr import OfferResult
from callrouter.core.events import TimerKind
from callrouter.core.output import NoticeKind, Output
from callrouter.core.plan import Destination, Dial, HangUp, Plan
from callrouter.core.states import CallState
from callrouter.core.transfers import TransferRules
from callrouter.core.trunk_spec import MemberSpec, TrunkSpec
from tests.core.driver import CITY, DUTY_DESK, DUTY_MOBILE, PLANS, Driver, agent, rulebook

MOBILE = Destination(DUTY_MOBILE.name, "당직", "PJSIP/01098765432@kt", CITY, number="01098765432", ring_timeout_s=2.5)
DUTY = Plan("duty", (Dial((MOBILE, DUTY_DESK)), HangUp()))
SLOW = TrunkSpec(CITY, 9, (MemberSpec("kt", 9, per_second=1),))
KT = "01098765432@kt"


def hall_with(trunk: TrunkSpec = SLOW) -> Driver:
    rules = rulebook(agent("kim"), plans={**PLANS, "129": DUTY})
    hall = Driver(replace(rules, trunks={CITY: trunk}, transfers=TransferRules(destinations={MOBILE.name: MOBILE})))
    hall.asterisk.phones[f"PJSIP/{KT}"] = "rings"
    return hall


def state(call: Call) -> CallState:
    return call.state


def held(hall: Driver) -> int:
    return hall.exchange.floor.trunks.seizures


def test_the_next_call_is_begun_as_soon_as_the_limit_lets_it_be_and_rings_its_time() -> None:
    hall = hall_with()
    hall.dial("129")
    hall.advance(0.3)
    second = hall.dial("129")
    assert hall.called() == [KT]
    assert (state(second), held(hall)) == (CallState.OFFERED, 2), "the channel is taken before anything is dialled"
    hall.advance(0.69)
    assert hall.called() == [KT]
    hall.advance(0.01)
    assert hall.called() == [KT, KT]
    hall.advance(2.4)
    assert state(second) is CallState.OFFERED
    assert hall.called() == [KT, KT, "duty"], "the first has rung long enough"
    hall.advance(0.1)
    assert hall.called() == [KT, KT, "duty", "duty"]


def test_calls_queue_up_behind_each_other_for_as_long_as_they_would_ring_and_then_go_on() -> None:
    hall = hall_with()
    calls = [hall.dial("129", f"055225123{number}") for number in range(4)]
    assert hall.called() == [KT, "duty"]
    hall.advance(1.0)
    assert hall.called() == [KT, "duty", KT]
    hall.advance(1.0)
    assert hall.called() == [KT, "duty", KT, KT]
    for call in calls:
        hall.hang_up(call)
    assert held(hall) == 0
    assert next(leg.result for leg in hall.cdr(calls[3]).legs) is OfferResult.CONGESTION


def test_another_member_is_taken_where_one_must_wait() -> None:
    fast = replace(SLOW, members=(MemberSpec("kt", 9, per_second=1), MemberSpec("sk", 9)))
    hall = hall_with(fast)
    hall.dial("129")
    hall.dial("129")
    assert hall.called() == [KT, "01098765432@sk"]


def test_a_caller_who_hangs_up_meanwhile_has_nobody_called() -> None:
    hall = hall_with()
    hall.dial("129")
    second = hall.dial("129")
    hall.hang_up(second)
    hall.advance(5.0)
    assert hall.called() == [KT, "duty"]
    assert [leg.result for leg in hall.cdr(second).legs] == [OfferResult.CALLER_GONE]
    assert not [one for one in hall.notices if one.kind is NoticeKind.WRITTEN_OFF]
    assert held(hall) == 0


def test_a_timer_that_comes_late_calls_nobody() -> None:
    hall = hall_with()
    first, second = hall.dial("129"), hall.dial("129")
    hall.exchange.floor.let_go(hall.exchange.floor.legs[hall.leg(second)], OfferResult.CALLER_GONE, hall.now, Output())
    hall.fire(TimerKind.BEGIN, hall.leg(second))
    hall.fire(TimerKind.BEGIN, hall.leg(first))
    hall.fire(TimerKind.BEGIN, "nobody")
    assert hall.called() == [KT]


def test_a_snapshot_meanwhile_does_not_miss_it_and_a_new_daemon_calls_the_next() -> None:
    hall = hall_with()
    hall.dial("129")
    second = hall.dial("129")
    hall.sync()
    assert state(second) is CallState.OFFERED
    hall.restart()
    hall.sync()
    assert hall.called() == [KT, "duty"]
    hall.advance(2.0)
    assert hall.called() == [KT, "duty"]


def test_who_is_called_into_a_conversation_waits_for_it_too() -> None:
    hall = hall_with()
    hall.dial("129")
    call = hall.dial("120")
    hall.pick_up(call)
    assert hall.order_call(call.id, CallVerb.CONFERENCE, MOBILE.name).ok
    assert [one.endpoint for one in hall.given(cmd.Originate)][-1] == "PJSIP/kim"
    hall.advance(1.0)
    assert hall.called()[-1] == KT
    hall.advance(2.4)
    assert call.invited is not None
    hall.advance(0.2)
    assert call.invited is None
