"""A morning at the sample's exchange, which is kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callrouter.config import Loaded, load
from callrouter.core import events as ev
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, ChannelId, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.replay.recorder import Recorder
from lab.paths import PROJECT

START = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SITE = SiteName("gyeongnam")
CALL = CallId("01a20b11-1afe-7650-8942-ca3ab4100bde")
CALLER = ChannelId("1795816493.1")
RESIDENT = "0552251234"
PLENTY = 1_000_000


class Morning:
    """An exchange by the sample's rules, and the recorder beside it, as the dispatcher has them."""

    def __init__(self, folder: Path, loaded: Loaded, at_most_bytes: int = PLENTY) -> None:
        self.loaded = loaded
        self.exchange = Exchange(loaded.rulebook, START)
        self.recorder = Recorder(folder, self.exchange, START, 3600.0, at_most_bytes)
        self.now = START

    def begin(self) -> None:
        self.recorder.rules(self.loaded.rulebook.hash, self.loaded.files, {})
        self.recorder.began(START, "1.2.3")
        self.take(ev.SiteUp(SITE, START, {}, frozenset()))

    def take(self, *events: ev.Event) -> None:
        for event in events:
            self.now += timedelta(milliseconds=250)
            self.recorder.before(event, self.now)
            self.recorder.after(self.exchange.handle(event, self.now))

    def call_comes_and_goes(self) -> None:
        came = ev.CallArrived(CALL, CALLER, CallFacts("120", SITE, RESIDENT))
        self.take(came, ev.DigitPressed(CALLER, "1"), ev.CallerLeft(CALLER))

    def close(self) -> Path:
        self.recorder.close()
        return self.recorder.path


@pytest.fixture(scope="session")
def loaded() -> Loaded:
    return load(PROJECT / "config", {"CALLROUTER_ARI_PASSWORD": "x"})


@pytest.fixture
def morning(tmp_path: Path, loaded: Loaded) -> Morning:
    return Morning(tmp_path, loaded)


@pytest.fixture
def kept(morning: Morning) -> Path:
    """The file of a morning with one call."""
    morning.begin()
    morning.call_comes_and_goes()
    return morning.close()
