"""The picture of a year: every minute has its place and its colour, and says what it is."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from callrouter.core.ids import CalendarName, RuleId
from callrouter.core.routing import Ruleset
from callrouter.proof import picture as module
from callrouter.proof.colours import Group, paints
from callrouter.proof.days import Piece
from callrouter.proof.ends import Answer, End, EndKind
from callrouter.proof.picture import picture
from callrouter.proof.proving import prove
from tests.proof.centre import CITY, DAY, NIGHT, SEOUL, opened, region, route, rules, serve, weekdays

SVG = "{http://www.w3.org/2000/svg}"
TWO = rules(
    route("city-day", region(CITY), opened(DAY), plan=serve("city")),
    route("day", opened(DAY), plan=serve("main")),
    route("night", opened(NIGHT), plan=serve("main")),
)


def drawn(ruleset: Ruleset, zone: ZoneInfo = SEOUL, year: int = 2027) -> ET.Element:
    return ET.fromstring(picture(prove(ruleset, year, zone), "<120> & more"))  # noqa: S314 - our own


def columns(root: ET.Element) -> Iterator[list[ET.Element]]:
    """The coloured times of each panel."""
    for group in root.iter(f"{SVG}g"):
        yield [rect for rect in group.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]


@pytest.mark.parametrize(("year", "count"), [(2027, 365), (2028, 366)])
def test_every_minute_of_every_course_is_coloured_once(year: int, count: int) -> None:
    panels = list(columns(drawn(TWO, year=year)))
    assert len(panels) == 2
    for panel in panels:
        area = sum(float(rect.attrib["width"]) * float(rect.attrib["height"]) for rect in panel)
        assert area == pytest.approx(count * 3 * 24 * 8)


def test_each_time_says_when_it_is_and_what_becomes_of_calls() -> None:
    titles = [rect.findtext(f"{SVG}title") for panel in columns(drawn(TWO)) for rect in panel]
    assert "Mon 2027-01-04 to Fri 2027-01-08, 09:00-18:00: day → queue main" in titles
    assert "Fri 2027-01-01, 00:00-09:00: rest → announcement closed" in titles


def test_what_is_written_by_people_does_no_harm() -> None:
    root = drawn(TWO)
    assert root.findtext(f"{SVG}title") == "2027 · <120> & more"
    assert "city: city-day → queue city, 2349 h (26.8 %)" in (root.findtext(f"{SVG}desc") or "")


def test_an_hour_that_comes_twice_is_drawn_side_by_side_and_a_skipped_one_not_at_all() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    calendar = {DAY: weekdays(DAY, 9, 18, berlin)}
    (panel,) = columns(drawn(rules(route("day", opened(DAY), plan=serve("main")), calendars=calendar), berlin))
    titles = [rect.findtext(f"{SVG}title") or "" for rect in panel]
    assert any(title.startswith("Sun 2027-10-31, 02:00-03:00 again: ") for title in titles)
    spring = [title for title in titles if title.startswith("Sun 2027-03-28, ")]
    assert [title.split(", ")[1][:11] for title in spring] == ["00:00-02:00", "03:00-24:00"]


def test_more_courses_than_anyone_looks_at_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PANELS", 1)
    root = drawn(TWO)
    assert len(list(columns(root))) == 1
    assert "1 more are not drawn: choose a region" in [text.text for text in root.iter(f"{SVG}text")]


def answer(rule: str, kind: EndKind = EndKind.QUEUE) -> Answer:
    return Answer(RuleId(rule), (), (End(kind, "x", RuleId(rule)),))


def test_colours_tell_day_night_and_closed_apart() -> None:
    pieces = [
        Piece(540, 1080, answer("day")),
        Piece(1080, 1320, answer("night")),
        Piece(0, 1440, answer("always")),
        Piece(0, 540, answer("shut", EndKind.ANNOUNCEMENT)),
        Piece(0, 1, answer("circle", EndKind.FALLBACK)),
    ]
    order = [piece.answer.rule for piece in pieces]
    found = [paint.group for paint in paints(pieces, order).values()]
    assert found == [Group.DAY, Group.NIGHT, Group.ANY_TIME, Group.CLOSED, Group.WRONG]


def test_where_colours_run_out_they_are_hatched() -> None:
    pieces = [Piece(540, 1080, answer(f"r{number}")) for number in range(6)]
    found = paints(pieces, [piece.answer.rule for piece in pieces]).values()
    assert len({(paint.fill, paint.hatched) for paint in found}) == 6
    assert [paint.hatched for paint in found] == [False] * 4 + [True] * 2


def test_hatched_rules_are_hatched_in_the_picture() -> None:
    hours = {CalendarName(f"h{hour}"): hour for hour in range(9, 15)}
    calendars = {name: weekdays(name, hour, hour + 1) for name, hour in hours.items()}
    many = [route(f"r{name}", opened(name), plan=serve("main")) for name in hours]
    text = picture(prove(rules(*many, calendars=calendars), 2027, SEOUL), "x")
    assert text.count('fill="url(#hatch)"') == 2 * (52 + 1) + 2  # two rules in each week, and in the legend
