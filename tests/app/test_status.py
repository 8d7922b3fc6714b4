"""What the daemon tells of itself is what its parts say."""

from dataclasses import replace

import pytest

from callrouter.agi.server import Outcome
from callrouter.core import events as ev
from callrouter.store.journal import Journal
from tests.app.conftest import HALL, Parts


def test_fastagi_connections_are_counted_once_each_by_what_became_of_them(parts: Parts) -> None:
    parts.agi._accepted = 3
    parts.agi._outcomes.update({Outcome.SERVED: 2, Outcome.REFUSED: 1})
    counted = parts.status.health().agi_sessions
    assert set(counted) == {outcome.value for outcome in Outcome}
    assert (counted["served"], sum(counted.values())) == (2, 3)


def test_what_went_wrong_in_the_inbox_and_on_the_way_to_asterisk_is_told(parts: Parts) -> None:
    for _ in range(3):
        parts.dispatcher.post(ev.SiteDown(HALL))
    parts.fleet._sessions[HALL].commands._http.refused = 7
    parts.clock._drift_s = 1.5
    health = parts.status.health()
    assert (health.inbox.depth, health.inbox.capacity, health.inbox.dropped) == (1, 1, 2)
    assert (health.ari_turned_away, health.ari_late) == ({HALL: 7}, {HALL: 0})
    assert health.clock_drift_s == 1.5


def test_the_line_for_systemd_says_whether_calls_are_taken(parts: Parts) -> None:
    assert parts.status.line() == (
        "0 calls, sites up: none; TAKES NO CALLS: the dispatcher does not run; restart callrouter and look into its"
        " log; no Asterisk is connected (hall: not connected yet)"
    )
    parts.fleet.states[HALL].up = True
    assert parts.status.line().startswith("0 calls, sites up: hall; TAKES NO CALLS: the dispatcher")


def test_what_the_journal_has_lost_is_not_what_ails_it_now(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    health = replace(parts.journal.health, dropped_facts=2, dropped_cdrs=1, lost=("a damaged file",))
    monkeypatch.setattr(Journal, "health", property(lambda _: health))
    told = parts.status.health().journal
    assert (told.alarm, told.dropped, told.lost) == (None, 3, ("a damaged file",))
