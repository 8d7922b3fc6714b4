"""Longest prefix wins."""

import timeit

from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.ids import RegionName
from callrouter.core.numbering_plan import Confidence, Match, NumberingPlan, Place

CHANGWON = Place(RegionName("changwon"), Confidence.FAIR)
TONGYEONG = Place(RegionName("tongyeong"), Confidence.WEAK, "one sample")


def test_a_three_digit_exchange_wins_over_its_block() -> None:
    plan = NumberingPlan({"05524": CHANGWON, "055249": TONGYEONG})
    assert plan.find("0552491234") == Match("055249", TONGYEONG)
    assert plan.find("0552481234") == Match("05524", CHANGWON)


def test_a_number_without_a_known_prefix_has_no_place() -> None:
    plan = NumberingPlan({"05524": CHANGWON})
    assert plan.find("0212345678") is None
    assert plan.find("0552") is None
    assert plan.find("") is None


def test_the_plan_knows_how_many_prefixes_it_has() -> None:
    assert len(NumberingPlan({"05524": CHANGWON, "055249": TONGYEONG})) == 2


def test_the_plan_tells_its_prefixes() -> None:
    assert {*NumberingPlan({"05524": CHANGWON, "055249": TONGYEONG}).prefixes} == {"05524", "055249"}


@given(
    st.dictionaries(st.text("012", min_size=1, max_size=5), st.sampled_from([CHANGWON, TONGYEONG])),
    st.text("012", max_size=7),
)
def test_it_finds_what_trying_every_prefix_finds(places: dict[str, Place], number: str) -> None:
    fitting = [prefix for prefix in places if number.startswith(prefix)]
    longest = max(fitting, key=len, default=None)
    expected = None if longest is None else Match(longest, places[longest])
    assert NumberingPlan(places).find(number) == expected


def test_a_hundred_thousand_prefixes_cost_no_more_than_a_few() -> None:
    plan = NumberingPlan({f"0{number:05d}": CHANGWON for number in range(100_000)})
    assert plan.find("0552251234") == Match("055225", CHANGWON)
    # Generous: a linear search would take a thousand times as long.
    assert timeit.timeit(lambda: plan.find("0552251234"), number=1000) < 0.1
