"""The report's picture: well-formed, and its bars as long as calls are many."""

from xml.etree import ElementTree as Tree

from callrouter.core.cdr import OfferResult
from callrouter.core.service_level import ServiceGoal
from callrouter.core.tally import QueueTally
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
