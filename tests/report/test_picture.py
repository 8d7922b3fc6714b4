"""The report's picture: well-formed, and its bars as long as calls are many."""

from itertools import pairwise
from xml.etree import ElementTree as Tree

import pytest

from callrouter.core.cdr import OfferResult
from callrouter.core.service_level import ServiceGoal
from callrouter.core.tally import QueueTally
from callrouter.report.bars import ticks
from callrouter.report.grouping import AgentReport
from callrouter.report.picture import picture
from tests.report.calls import abandoned, answered, offer


def bars(drawn: str) -> dict[str, float]:
    """Width of every bar by what it says when pointed at."""
    found = {}
    for rect in Tree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}rect"):  # noqa: S314 - our own picture
        title = rect.find("{http://www.w3.org/2000/svg}title")
        if title is not None:
            found[title.text or ""] = float(rect.attrib["width"])
    return found


def test_bars_are_as_long_as_calls_are_many_and_names_are_no_markup() -> None:
    tally = QueueTally()
    for call in (answered(1), answered(30), answered(2), abandoned(60)):
        tally.add(call, ServiceGoal())
    drawn = picture("2026-11-24", [("<night>", tally)])
    assert bars(drawn) == {"<night>: 3 answered": 420.0, "<night>: 1 abandoned or missed": 140.0}
    assert "4, 50.0% in time" in drawn


def test_offers_are_drawn_too_and_nothing_is_a_picture_without_bars() -> None:
    report = AgentReport()
    report.add(offer(OfferResult.NO_ANSWER))
    report.add(offer(OfferResult.CALLER_GONE))
    assert list(bars(picture("x", report.groups()))) == ["201: 1 abandoned or missed", "201: 1 others"]
    assert bars(picture("x", [])) == {}


def axis(drawn: str) -> tuple[list[float], list[str]]:
    """Where the lines of the axis stand, and what is written below it."""
    name = "{http://www.w3.org/2000/svg}"
    tree = Tree.fromstring(drawn)  # noqa: S314 - our own picture
    lines = [float(line.attrib["x1"]) for line in tree.iter(f"{name}line")]
    words = [text.text or "" for text in tree.iter(f"{name}text") if text.attrib.get("text-anchor") == "middle"]
    return lines, words


def test_an_axis_says_how_many_calls_a_bar_stands_for() -> None:
    tally = QueueTally()
    for wait_s in range(36):
        tally.add(answered(wait_s), ServiceGoal())
    drawn = picture("x", [("night", tally)])
    lines, words = axis(drawn)
    assert words == ["0", "10", "20", "30", "40", "calls"]
    assert lines == [170.0, 310.0, 450.0, 590.0, 730.0]
    assert bars(drawn) == {"night: 36 answered": 504.0}  # 0.9 of 560
    assert axis(picture("x", AgentReport().groups()))[1] == ["0", "1", "calls"]
    report = AgentReport()
    report.add(offer(OfferResult.NO_ANSWER))
    assert axis(picture("x", report.groups()))[1][-1] == "offers"


@pytest.mark.parametrize("most", [*range(30), 99, 100, 101, 1234, 10**6])
def test_an_axis_has_few_round_numbers_of_which_the_last_is_enough(most: int) -> None:
    marks = ticks(most)
    assert len(marks) <= 8
    assert most <= marks[-1] < max(2, 2 * most)
    assert {b - a for a, b in pairwise(marks)} == {marks[1]}
