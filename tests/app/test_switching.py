"""Orders for the daemon's switches: set between two events, and on the disk before it is said."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.app.switching import SwitchDesk, remember_switches
from callrouter.core.audit import AuditKind
from callrouter.core.ids import SwitchName
from callrouter.core.rulebook import Rulebook
from callrouter.core.switches import SwitchSpec
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Journal
from callrouter.web.switches import SwitchRequest
from tests.app.conftest import Parts, a_dispatcher

TYPHOON = SwitchName("typhoon")


@pytest.fixture
def rules(parts: Parts) -> Rulebook:
    switches = {TYPHOON: SwitchSpec(TYPHOON, "태풍")}
    return replace(parts.dispatcher.exchange.rulebook, switches=switches)


async def test_what_is_said_is_on_the_disk_and_the_next_daemon_knows_it(
    dispatcher: Dispatcher, journal: Journal, rules: Rulebook
) -> None:
    report = await SwitchDesk(dispatcher, journal).switch(SwitchRequest("typhoon", True, "kim", for_s=600.0))
    assert (report.ok, report.changed, journal.health.waiting) == (True, True, 0)
    assert report.switch is not None
    assert (report.switch.on, report.switch.by) == (True, "kim")

    following = a_dispatcher(rules, journal)
    await remember_switches(following, journal)
    on = following.exchange.conduct.switchboard.on(datetime.now(UTC))
    assert on[TYPHOON].until == report.switch.until
    assert len(await journal.undelivered_audit(9)) == 1


async def test_what_the_disk_does_not_take_holds_all_the_same_and_is_said(
    dispatcher: Dispatcher, tmp_path: Path
) -> None:
    closed = Journal(tmp_path / "closed.sqlite")
    report = await SwitchDesk(dispatcher, closed).switch(SwitchRequest("typhoon", True))
    assert (report.ok, report.switch is not None and report.switch.on) == (True, True)
    assert report.message.endswith("a daemon that starts anew would not know of it")


async def test_a_switch_that_is_not_there_is_no_switch(dispatcher: Dispatcher, journal: Journal) -> None:
    report = await SwitchDesk(dispatcher, journal).switch(SwitchRequest("typhon", True))
    assert (report.ok, report.changed, report.switch) == (False, False, None)
    assert await journal.newest_audit(AuditKind.SWITCH) == []
