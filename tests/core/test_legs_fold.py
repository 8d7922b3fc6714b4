"""What the record says of legs, from facts that are not as they should be."""

from datetime import UTC, datetime

from callrouter.core import facts
from callrouter.core.legs_fold import LegsFold

AT = datetime(2026, 11, 27, 0, 0, tzinfo=UTC)


def test_news_of_a_resident_whom_nobody_called_is_passed_over() -> None:
    legs = LegsFold()
    assert legs.take(facts.ResidentRang(AT)) is None
    assert legs.take(facts.ResidentAnswered(AT)) is None
    assert legs.resident is None
    assert legs.closed == ()
