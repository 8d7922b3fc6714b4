"""A year as the clock shows it, and what is unusual in it."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from callrouter.core.ids import RuleId
from callrouter.proof.days import Piece, days, unusual
from callrouter.proof.ends import Answer
from callrouter.proof.moments import Span, year_of

BERLIN = ZoneInfo("Europe/Berlin")
DAY, NIGHT = Answer(RuleId("day"), (), ()), Answer(RuleId("night"), (), ())


def span(start: str, end: str, zone: ZoneInfo = BERLIN) -> Span:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)

    return Span(at(start), at(end))


def test_a_span_is_cut_at_midnight() -> None:
    found = days([(span("2027-01-05T18:00", "2027-01-06T09:30"), NIGHT)], BERLIN)
    assert found == {date(2027, 1, 5): (Piece(1080, 1440, NIGHT),), date(2027, 1, 6): (Piece(0, 570, NIGHT),)}


def test_an_hour_that_the_clock_skips_is_in_no_piece() -> None:
    found = days([(span("2027-03-28T00:00", "2027-03-29T00:00"), DAY)], BERLIN)
    assert found[date(2027, 3, 28)] == (Piece(0, 120, DAY), Piece(180, 1440, DAY))


def test_an_hour_that_comes_twice_is_a_piece_of_its_own() -> None:
    found = days([(span("2027-10-31T00:00", "2027-11-01T00:00"), DAY)], BERLIN)
    assert found[date(2027, 10, 31)] == (Piece(0, 180, DAY), Piece(120, 180, DAY, again=True), Piece(180, 1440, DAY))


def test_a_year_has_every_minute_once_whatever_the_clock_does() -> None:
    for zone in map(ZoneInfo, ("Europe/Berlin", "America/Santiago", "Asia/Seoul", "Australia/Lord_Howe")):
        year = year_of(2027, zone)
        found = days([(year, DAY)], zone)
        assert len(found) == 365
        assert sum(piece.end - piece.start for pieces in found.values() for piece in pieces) == year.minutes


def test_unusual_is_what_differs_from_most_days_of_that_name() -> None:
    wednesdays = [date(2027, 1, 6), date(2027, 1, 13), date(2027, 1, 20)]
    usual = (Piece(0, 540, NIGHT), Piece(540, 1080, DAY), Piece(1080, 1440, NIGHT))
    year = {wednesdays[0]: usual, wednesdays[1]: (Piece(0, 1440, NIGHT),), wednesdays[2]: usual}
    (found,) = unusual(year)
    assert (found.day, found.start, found.end, found.minute) == (wednesdays[1], 540, 1080, 720)
    assert (found.answer, found.usual) == (NIGHT, DAY)


def test_a_day_is_compared_with_days_of_its_name_only() -> None:
    assert unusual({date(2027, 1, 6): (Piece(0, 1440, DAY),), date(2027, 1, 7): (Piece(0, 1440, NIGHT),)}) == []
