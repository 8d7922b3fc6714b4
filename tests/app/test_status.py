"""What the daemon tells of itself is what its parts say."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.agi.server import AgiServer, Outcome
from callrouter.app.status import DaemonStatus
from callrouter.ari.fleet import Fleet
from callrouter.ari.peer import Peer
from callrouter.config import load
from callrouter.core import events as ev
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, SiteName
from callrouter.runtime.clock import SteadyClock
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal

BASE = Path(__file__).parents[1] / "bad_config" / "base"
HALL = SiteName("hall")


class Parts:
    """A daemon that is put together and does not run."""

    def __init__(self, folder: Path) -> None:
        loaded = load(BASE, {"TEST_PASSWORD": "x"})
        self.clock = SteadyClock()
        self.fleet = Fleet(
            [Peer(HALL, "http://127.0.0.1:1", "u", "p", "callrouter")],
            lambda: CallId("c"),
            lambda: datetime.now(UTC),
            time.monotonic,
        )
        self.journal = Journal(folder / "journal.sqlite3")
        self.dispatcher = Dispatcher(
            Exchange(loaded.rulebook, self.clock.now()), self.fleet, self.journal, self.clock.now, capacity=1
        )
        self.agi = AgiServer("127.0.0.1", 0, {})
        self.status = DaemonStatus(loaded, self.clock, self.dispatcher, self.fleet, self.journal, None, self.agi)


@pytest.fixture
async def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


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
