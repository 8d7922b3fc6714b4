"""Who is called into a conversation over a trunk that fails: the other members, and the group that takes over."""

from dataclasses import replace

import pytest

from callrouter.core import commands as cmd
from callrouter.core.call import Call
from callrouter.core.call_orders import CallVerb
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.events import RulebookReplaced
from callrouter.core.ids import TrunkName
from callrouter.core.outbound import NumberClass
from callrouter.core.rulebook import Rulebook
from callrouter.core.states import CallState
from callrouter.core.transfers import Outside, TransferRules
from callrouter.core.trunk_spec import MemberSpec, TrunkSpec
from tests.core.driver import CITY, DUTY_MOBILE, Driver, agent, rulebook

OTHER = "01012345678"
SPARE = TrunkName("spare")
BOTH = TrunkSpec(CITY, 2, (MemberSpec("kt", 1), MemberSpec("sk", 1)), overflow=SPARE, failures=9)
LAST = TrunkSpec(SPARE, 1, failures=9)
KT, SK, OVER = (f"{OTHER}@{endpoint}" for endpoint in ("kt", "sk", "spare"))


def rules(trunk: TrunkSpec = BOTH, *more: TrunkSpec) -> Rulebook:
    plain = rulebook(agent("kim"), agent("lee"))
    transfers = TransferRules(
        destinations={DUTY_MOBILE.name: DUTY_MOBILE},
        outside=Outside(trunk, frozenset({NumberClass.MOBILE})),
    )
    return replace(plain, trunks={one.name: one for one in (trunk, *(more or (LAST,)))}, transfers=transfers)


def a_talk(hall: Driver) -> Call:
    call = hall.dial("120")
    hall.pick_up(call)
    return call


def congested(hall: Driver, *numbers: str) -> None:
    for number in numbers:
        hall.asterisk.phones[f"PJSIP/{number}"] = "congested"


def outward(hall: Driver) -> list[str]:
    return [one for one in hall.called() if "@" in one]


def seizures(hall: Driver) -> int:
    return hall.exchange.floor.trunks.seizures


@pytest.mark.parametrize("verb", [CallVerb.CONFERENCE, CallVerb.CONSULT, CallVerb.TRANSFER])
def test_the_next_member_takes_over_and_the_conversation_goes_on_as_it_was(verb: CallVerb) -> None:
    hall = Driver(rules())
    congested(hall, KT)
    call = a_talk(hall)
    assert hall.order_call(call.id, verb, OTHER).ok
    assert outward(hall) == [KT, SK]
    assert (call.held, call.passes_on) == (verb is not CallVerb.CONFERENCE, verb is CallVerb.TRANSFER)
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    assert call.channel in hall.together(call) or call.held
    hall.hang_up(call)
    results = [(leg.trunk, leg.result) for leg in hall.cdr(call).legs if leg.destination]
    assert results == [(CITY, OfferResult.CONGESTION), (CITY, OfferResult.ANSWERED)]
    assert seizures(hall) == 0


def test_the_group_that_takes_over_is_tried_when_all_members_have_failed_and_then_the_caller_comes_back() -> None:
    hall = Driver(rules())
    congested(hall, KT, SK, OVER)
    call = a_talk(hall)
    hall.order_call(call.id, CallVerb.CONSULT, OTHER)
    assert outward(hall) == [KT, SK, OVER]
    assert call.invited is None
    assert not call.held, "nobody came: the counselor has the caller again"
    assert call.channel in hall.together(call)
    hall.order_call(call.id, CallVerb.CONSULT, OTHER)
    assert outward(hall) == [KT, SK, OVER] * 2, "another order is another try"


def test_a_member_that_gives_no_sign_of_life_counts_as_failed() -> None:
    hall = Driver(rules())
    call = a_talk(hall)
    hall.order_call(call.id, CallVerb.CONFERENCE, OTHER)
    hall.advance(25.0)
    assert outward(hall) == [KT, SK]


@pytest.mark.parametrize("phone", ["busy", "rejects"])
def test_who_is_busy_is_not_called_by_another_way(phone: str) -> None:
    hall = Driver(rules())
    hall.asterisk.phones[f"PJSIP/{KT}"] = phone
    call = a_talk(hall)
    hall.order_call(call.id, CallVerb.CONFERENCE, OTHER)
    assert outward(hall) == [KT]
    assert call.invited is None


def test_a_counselor_or_a_phone_of_the_site_has_no_other_way() -> None:
    hall = Driver(rules())
    hall.asterisk.phones["PJSIP/lee"] = "congested"
    call = a_talk(hall)
    hall.order_call(call.id, CallVerb.CONFERENCE, "lee")
    assert (outward(hall), call.invited) == ([], None)


def test_the_second_line_of_the_counselor_stays_while_another_way_is_tried() -> None:
    hall = Driver(rules())
    congested(hall, KT)
    call = a_talk(hall)
    line = hall.dial_on("kim", OTHER)
    assert outward(hall) == [KT, SK]
    assert call.line == line
    assert line not in {one.channel for one in hall.given(cmd.Hangup)}
    hall.asterisk.pick_up(hall.invited(call))
    hall.settle()
    assert {line, hall.invited(call)} in hall.asterisk.bridges.values()


def test_a_second_line_is_told_when_all_ways_have_failed() -> None:
    hall = Driver(rules())
    congested(hall, KT, SK, OVER)
    a_talk(hall)
    line = hall.dial_on("kim", OTHER)
    (told,) = [one for one in hall.given(cmd.Hangup) if one.channel == line]
    assert told.cause is Cause.NORMAL_CIRCUIT_CONGESTION


def test_rules_that_let_nobody_call_outside_any_more_end_it() -> None:
    hall = Driver(rules())
    call = a_talk(hall)
    hall.order_call(call.id, CallVerb.CONFERENCE, OTHER)
    hall.tell(RulebookReplaced(replace(rules(), transfers=TransferRules())))
    hall.asterisk.hang_up(hall.invited(call), Cause.NORMAL_CIRCUIT_CONGESTION)
    hall.settle()
    assert outward(hall) == [KT]
    assert call.invited is None


def test_an_earlier_daemon_s_failed_members_are_not_tried_again() -> None:
    hall = Driver(rules())
    congested(hall, KT)
    call = a_talk(hall)
    hall.order_call(call.id, CallVerb.CONFERENCE, OTHER)
    hall.restart()
    hall.sync()
    taken = hall.exchange.calls[call.id]
    hall.asterisk.hang_up(hall.invited(taken), Cause.NORMAL_CIRCUIT_CONGESTION)
    hall.settle()
    assert outward(hall) == [KT, SK, OVER]


def test_a_configured_destination_goes_by_the_group_that_takes_over_too() -> None:
    hall = Driver(rules(TrunkSpec(CITY, 1, overflow=SPARE), LAST))
    congested(hall, "010@city")
    call = a_talk(hall)
    hall.order_call(call.id, CallVerb.CONFERENCE, DUTY_MOBILE.name)
    assert outward(hall)[0] == "010@city"
    assert len(outward(hall)) == 2
    assert call.state is CallState.CONNECTED
