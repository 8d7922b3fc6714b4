"""What conditions, plans and records make of a switch that is on."""

from dataclasses import replace

import msgspec

from callrouter.core import events as ev
from callrouter.core import facts
from callrouter.core.cdr import Outcome
from callrouter.core.conditions import CalendarState, Case, Condition, Finding, SwitchIs
from callrouter.core.geography import Origin, Region
from callrouter.core.ids import RegionName, SiteName, SwitchName, TenantName
from callrouter.core.inbound import CallFacts, RegionSource
from callrouter.core.numbering_plan import Confidence
from callrouter.core.numbers import parse
from callrouter.core.plan import Announce, EnterQueue, HangUp, If, Plan
from callrouter.core.states import CallState
from callrouter.core.switches import SwitchOrder, SwitchSpec, SwitchVia
from tests.core.driver import DESK, SORRY, WELCOME, Driver, rulebook

TYPHOON, OTHER = SwitchName("typhoon"), SwitchName("other")
ASKED = (SwitchIs((OTHER, TYPHOON)),)
SHUT = Plan("shut", (Announce(SORRY), HangUp()))
PLANS = {"120": Plan("asks", (Announce(WELCOME), If(ASKED, then=SHUT), EnterQueue(DESK)))}


def a_hall() -> Driver:
    switches = {name: SwitchSpec(name, name) for name in (TYPHOON, OTHER)}
    return Driver(replace(rulebook(plans=PLANS), switches=switches))


def set_switch(hall: Driver, on: bool, name: SwitchName = TYPHOON) -> None:
    hall.tell(ev.SwitchOrdered(SwitchOrder(name, on, "kim", SwitchVia.COMMAND)))


def test_a_question_asks_how_the_switch_stands_when_the_plan_comes_to_it() -> None:
    hall = a_hall()
    first, second = hall.dial("120"), hall.dial("120")
    hall.announcement_ends(first)
    set_switch(hall, on=True)
    hall.announcement_ends(second)
    assert (first.state, second.plan) == (CallState.QUEUED, SHUT)
    hall.hang_up(first)
    hall.announcement_ends(second)
    hall.hang_up(second)
    assert "asked: switch other or typhoon off → next step" in hall.cdr(first).explanation
    assert "asked: switch typhoon on by kim since " in hall.cdr(second).explanation
    assert (hall.cdr(first).switches, hall.cdr(second).switches) == ((), ()), "none was on when they were routed"


def test_a_call_of_which_no_switch_is_known_to_be_on_has_none_on() -> None:
    caller, dialed = parse("0552251234"), parse("120")
    region = Region(RegionName("city"), "시", TenantName("city"))
    origin = Origin(region, RegionSource.DEFAULT, Confidence.WEAK, "nothing is known")
    call = CallFacts("120", SiteName("hall"), "0552251234")
    case = Case(call, caller, dialed, origin, lambda _: CalendarState(False, "never open"))
    assert ASKED[0].check(case) == Finding(False, "switch other or typhoon off")


def test_the_record_names_the_switches_that_were_on_when_the_call_was_routed() -> None:
    hall = a_hall()
    set_switch(hall, on=True)
    set_switch(hall, on=True, name=OTHER)
    call = hall.dial("120")
    set_switch(hall, on=False)
    hall.hang_up(call)
    assert hall.cdr(call).switches == (TYPHOON, OTHER)
    assert hall.cdr(call).outcome is Outcome.ABANDONED


def test_a_switch_that_ran_out_is_off_for_the_next_caller_although_its_timer_is_late() -> None:
    hall = a_hall()
    hall.tell(ev.SwitchOrdered(SwitchOrder(TYPHOON, True, "kim", SwitchVia.COMMAND, for_s=10.0)))
    hall.timers.clear()
    hall.advance(10.0)
    call = hall.dial("120")
    hall.announcement_ends(call)
    assert call.state is CallState.QUEUED


def test_the_condition_is_recorded_with_its_plan_and_read_back() -> None:
    condition: Condition = ASKED[0]
    assert msgspec.json.decode(msgspec.json.encode(condition), type=Condition) == condition


def test_a_fact_of_before_there_were_switches_is_still_read() -> None:
    hall = a_hall()
    call = hall.dial("120")
    (routed,) = [fact for fact in hall.journal[call.id] if isinstance(fact, facts.Routed)]
    old = msgspec.to_builtins(routed)
    del old["switches"]
    assert msgspec.convert(old, facts.Fact) == routed
