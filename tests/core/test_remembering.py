"""The remembered choice of a caller: kept by consent alone, used until its time is over, and never asked in vain."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core import commands as cmd
from callrouter.core import facts
from callrouter.core.conditions import CalendarState, Case, Finding, RegionFrom
from callrouter.core.geography import Geography, Origin
from callrouter.core.ids import CallId, ChannelId, RegionName
from callrouter.core.inbound import CallFacts, RegionSource
from callrouter.core.numbering_plan import Confidence, NumberingPlan, Place
from callrouter.core.numbers import parse
from callrouter.core.plan import Choice, HangUp, Menu, Plan
from callrouter.core.remembering import remembered_as
from callrouter.core.states import CallState
from tests.core.driver import ASK, CHANGWON, DESK, GIMHAE, HALL, MAY, START, Driver, rulebook

MOBILE, LANDLINE = "01012345678", "0552251234"
HALF_A_YEAR = timedelta(days=180)
GEOGRAPHY = Geography(
    {CHANGWON.name: CHANGWON, GIMHAE.name: GIMHAE},
    CHANGWON.name,
    by_dialed={"0553301": CHANGWON.name, "055120": CHANGWON.name},
    by_trunk={"hall": CHANGWON.name},
    by_diversion={"0552122114": CHANGWON.name},
    plan=NumberingPlan({"055225": Place(CHANGWON.name, Confidence.STRONG)}),
)


@pytest.fixture
def hall() -> Driver:
    return Driver(rulebook())


def prompts(hall: Driver) -> list[str]:
    return [media.rpartition("/")[2] for command in hall.given(cmd.Play) for media in command.media]


def origin(facts: CallFacts) -> Origin:
    return GEOGRAPHY.locate(facts, parse(facts.caller), parse(facts.dialed))


def test_a_region_is_remembered_with_a_key_for_as_long_as_was_agreed(hall: Driver) -> None:
    call = hall.dial("132", MOBILE)
    hall.press(call, "1")
    hall.press(call, "1")
    assert hall.given(cmd.Remember) == [cmd.Remember("+821012345678", GIMHAE.name, START + HALF_A_YEAR)]
    assert call.queue == DESK
    hall.hang_up(call)
    assert "menu: pressed 1: agreed to be remembered for 180 d → next step" in hall.cdr(call).explanation


@pytest.mark.parametrize("answer", ["", "2", "9", "#"])
def test_whoever_does_not_press_the_key_of_consent_is_not_remembered(hall: Driver, answer: str) -> None:
    call = hall.dial("132", MOBILE)
    hall.press(call, "1")
    if answer:
        hall.press(call, answer)
    else:
        hall.announcement_ends(call)
        hall.advance(5.0)
    assert call.queue == DESK
    assert hall.given(cmd.Remember) == []


@pytest.mark.parametrize("caller", ["", "anonymous", "not a number", "0505-123-4567", "1588-1234", "120"])
def test_who_could_not_be_known_again_is_not_asked_whether_he_may_be(hall: Driver, caller: str) -> None:
    call = hall.dial("132", caller)
    hall.press(call, "1")
    assert prompts(hall) == ["ask"]
    assert call.queue == DESK
    hall.hang_up(call)
    assert "menu: not asked, for nothing could be remembered: → next step" in hall.cdr(call).explanation


def test_a_region_that_the_caller_did_not_choose_himself_is_not_his_to_be_remembered(hall: Driver) -> None:
    call = hall.dial("132", MOBILE)
    hall.announcement_ends(call)
    hall.advance(5.0)
    assert (call.known.region, call.said) == (CHANGWON.name, None)
    assert prompts(hall) == ["ask"]
    assert call.queue == DESK


def test_a_question_of_consent_that_a_dead_daemon_asked_is_asked_again_by_the_next(hall: Driver) -> None:
    call = hall.dial("132", MOBILE)
    hall.press(call, "1")
    hall.restart()
    hall.sync()
    (call,) = hall.exchange.calls.values()
    assert (call.state, prompts(hall)) == (CallState.ASKING, ["ask", "may", "may"])
    hall.press(call, "1")
    assert hall.memory == {"+821012345678": (GIMHAE.name, START + HALF_A_YEAR)}


def test_what_is_taken_back_is_forgotten_at_once_and_in_this_call_too(hall: Driver) -> None:
    hall.memory["+821012345678"] = (CHANGWON.name, START + HALF_A_YEAR)
    call = hall.dial("132", MOBILE)
    before = call.known
    assert before.remembered == CHANGWON.name
    hall.press(call, "1")
    hall.press(call, "9")
    assert hall.memory == {}
    assert call.known.remembered is None
    hall.hang_up(call)
    assert "menu: pressed 9: what was remembered is forgotten → next step" in hall.cdr(call).explanation


def test_who_is_never_remembered_takes_nothing_back() -> None:
    hall = Driver(rulebook(plans={"120": Plan("p", (Menu(ASK, (Choice("9", forget=True),), Choice()), HangUp()))}))
    hall.press(hall.dial("120", ""), "9")
    assert hall.given(cmd.Forget) == []
    hall.press(hall.dial("120", MOBILE), "9")
    assert hall.given(cmd.Forget) == [cmd.Forget("+821012345678")]


def test_silence_agrees_to_nothing_whatever_the_plan_says() -> None:
    steps = (
        Menu(ASK, (Choice("1", region=GIMHAE),), Choice()),
        Menu(MAY, (Choice("1", remember_s=60.0),), Choice(remember_s=60.0), tries=1),
        HangUp(),
    )
    hall = Driver(rulebook(plans={"120": Plan("p", steps)}))
    call = hall.dial("120", MOBILE)
    hall.press(call, "1")
    hall.press(call, "7")
    assert call.state is CallState.ENDED
    assert hall.given(cmd.Remember) == []


@pytest.mark.parametrize(
    ("call", "source"),
    [
        (CallFacts("120", HALL, MOBILE, remembered=GIMHAE.name, region=CHANGWON.name), RegionSource.MENU),
        (CallFacts("055120", HALL, MOBILE, remembered=GIMHAE.name), RegionSource.DIALED),
        (CallFacts("120", HALL, MOBILE, trunk="hall", remembered=GIMHAE.name), RegionSource.TRUNK),
        (CallFacts("120", HALL, MOBILE, diversion="0552122114", remembered=GIMHAE.name), RegionSource.DIVERSION),
        (CallFacts("120", HALL, MOBILE, remembered=GIMHAE.name), RegionSource.REMEMBERED),
        (CallFacts("120", HALL, LANDLINE, remembered=GIMHAE.name), RegionSource.REMEMBERED),
        (CallFacts("120", HALL, LANDLINE), RegionSource.EXCHANGE),
        (CallFacts("120", HALL, MOBILE), RegionSource.DEFAULT),
        (CallFacts("120", HALL, "", remembered=GIMHAE.name), RegionSource.DEFAULT),
        (CallFacts("120", HALL, MOBILE, remembered=RegionName("gone")), RegionSource.DEFAULT),
    ],
)
def test_what_is_remembered_counts_behind_this_call_and_before_a_guess(call: CallFacts, source: RegionSource) -> None:
    found = origin(call)
    assert found.source is source
    assert (found.region is GIMHAE) is (source is RegionSource.REMEMBERED)


def test_a_remembered_region_is_trusted_less_than_what_is_written_and_more_than_the_default() -> None:
    found = origin(CallFacts("120", HALL, MOBILE, remembered=GIMHAE.name))
    assert (found.confidence, found.why) == (Confidence.STRONG, "the caller chose it in an earlier call")


def test_a_route_can_ask_what_the_region_was_taken_from() -> None:
    def asked(call: CallFacts) -> Finding:
        closed = CalendarState(False, "never open")
        case = Case(call, parse(call.caller), parse(call.dialed), origin(call), lambda _: closed)
        return RegionFrom(frozenset({RegionSource.DEFAULT})).check(case)

    assert asked(CallFacts("120", HALL, MOBILE)) == Finding(True, "region from default")
    known = CallFacts("120", HALL, MOBILE, remembered=GIMHAE.name)
    assert asked(known) == Finding(False, "region from remembered, not default")


@pytest.mark.parametrize(
    ("caller", "known_as"),
    [
        ("010-1234-5678", "+821012345678"),
        ("+82 10 1234 5678", "+821012345678"),
        (LANDLINE, "+82552251234"),
        ("070-1234-5678", "+827012345678"),
        ("+81312345678", "+81312345678"),
        *((caller, None) for caller in ("", "anonymous", "120", "1588-1234", "0505-123-4567", "12", "x")),
    ],
)
def test_only_a_number_that_is_somebodys_own_is_remembered_in_whatever_form_it_comes(
    caller: str, known_as: str | None
) -> None:
    assert remembered_as(caller) == known_as


def test_a_history_of_before_there_was_a_memory_can_still_be_read() -> None:
    opened = facts.Opened(START, CallId("c"), HALL, ChannelId("c"), CallFacts("120", HALL))
    written = msgspec.to_builtins(opened)
    del written["facts"]["remembered"]
    assert msgspec.convert(written, facts.Fact) == opened


@given(
    keys=st.lists(st.sampled_from(["1", "2", "9", ""]), min_size=2, max_size=2),
    caller=st.sampled_from([MOBILE, LANDLINE, "", "0505-123-4567", "+81312345678"]),
    later=st.floats(0, 400 * 86_400.0),
)
def test_the_next_call_knows_the_region_exactly_if_there_was_consent_and_its_time_is_not_over(
    keys: list[str], caller: str, later: float
) -> None:
    hall = Driver(rulebook())
    call = hall.dial("132", caller)
    for key in keys:
        if key:
            hall.press(call, key)
        elif call.state is CallState.ASKING:
            hall.announcement_ends(call)
            hall.advance(5.0)
    consents = keys == ["1", "1"] and remembered_as(caller) is not None

    hall.hang_up(call)
    hall.advance(later)

    is_known = hall.dial("132", caller).known.remembered == GIMHAE.name
    assert is_known is (consents and later < HALF_A_YEAR.total_seconds())
