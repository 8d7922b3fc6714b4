"""Past calls decided once more."""

from datetime import UTC, datetime, timedelta

import pytest

from callrouter.core.ids import RegionName
from callrouter.diff.replay import EXAMPLES, Replay, facts_of
from callrouter.diff.way import Ways
from callrouter.store.past_calls import PastCall
from tests.diff.conftest import Make

NOON = datetime(2026, 11, 24, 3, tzinfo=UTC)


def past(**changes: object) -> PastCall:
    values: dict[str, object] = {
        "call_id": "c",
        "site": "hall",
        "started_at": NOON,
        "caller": "0552251234",
        "dialed": "120",
        "region": "city",
        "region_source": "exchange",
        "topic": None,
        "rule": "day",
        "config_hash": "old",
    }
    return PastCall(**{**values, **changes})  # type: ignore[arg-type]


def test_calls_that_would_go_elsewhere_are_counted_by_their_ways_with_a_few_examples(rules: Make) -> None:
    new = rules(("calendars.yaml", "day: {open: mon-fri 09:00-18:00", "day: {open: mon-fri 13:00-18:00"))
    replay = Replay(Ways(rules()), Ways(new))
    for number in range(10):
        replay.take(past(call_id=str(number)))
        replay.take(past(started_at=NOON + timedelta(hours=2)))
    (moved,) = replay.most_first()
    assert (replay.calls, replay.elsewhere, moved.calls) == (20, 10, 10)
    assert (moved.old.words, moved.new.words) == ("day (queue main)", "rest (announcement closed)")
    assert [call.call_id for call in moved.examples] == [str(number) for number in range(EXAMPLES)]


@pytest.mark.parametrize(
    ("source", "region"),
    [("menu", "sea"), ("trunk", "sea"), ("diversion", "sea"), ("exchange", None), ("dialed", None), ("default", None)],
)
def test_a_region_that_cannot_be_found_anew_is_that_of_the_record(source: str, region: str | None) -> None:
    found = facts_of(past(region="sea", region_source=source, topic="passport"))
    assert found.region == (RegionName(region) if region else None)
    assert found.topic == "passport"


def test_calls_that_the_old_rules_decided_otherwise_then_are_told_apart(rules: Make) -> None:
    old = rules()
    replay = Replay(Ways(old), Ways(old))
    replay.take(past(config_hash=old.rulebook.hash))
    replay.take(past(config_hash=old.rulebook.hash, rule="surge"))
    replay.take(past(rule="of other rules"))
    assert (replay.recorded, dict(replay.otherwise)) == (2, {("surge", "day"): 1})
