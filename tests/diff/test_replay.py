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


TYPHOON = "switches: {typhoon: {title: 태풍}}\n"
STORM = """routes:
  - id: storm
    when: {switch: typhoon}
    do: [{announce: closed}, hangup]
"""
ASK = """      - if: {switch: typhoon}
        then: [{announce: closed}, hangup]
      - queue: main
"""


def test_the_switches_that_were_on_are_those_of_the_record(rules: Make) -> None:
    replay = Replay(Ways(rules(("routes.yaml", "routes:\n", STORM), more=TYPHOON)), Ways(rules()))
    replay.take(past())
    replay.take(past(switches=("typhoon",)))
    (moved,) = replay.most_first()
    assert (replay.calls, moved.calls) == (2, 1)
    assert (moved.old.words, moved.new.words) == ("storm (announcement closed)", "day (queue main)")


def test_questions_of_a_plan_are_answered_by_the_same_switches(rules: Make) -> None:
    replay = Replay(Ways(rules(("routes.yaml", "      - queue: main\n", ASK), more=TYPHOON)), Ways(rules()))
    replay.take(past())
    replay.take(past(switches=("typhoon",)))
    (moved,) = replay.most_first()
    assert (replay.calls, moved.calls, len(moved.old.steps)) == (2, 1, 3)
