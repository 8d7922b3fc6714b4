"""New rules while calls go on: all of them, or nothing."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callrouter.app import reload as reloading
from callrouter.app.reload import ConfigReloader, ReloadOutcome
from callrouter.config import load
from callrouter.core import commands as cmd
from callrouter.core.audit import AuditEntry
from callrouter.core.cdr import Cdr
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, QueueName, SiteName
from callrouter.runtime.dispatcher import Dispatcher

BASE = Path(__file__).parents[1] / "bad_config" / "base"
SECRETS = {"TEST_PASSWORD": "x"}
CASES = """\
cases:
  - name: by day
    from: 0552251234
    to: 120
    at: 2026-11-24T10:00
    expect: {rule: day}
"""


class Nobody:
    """Carries nothing out and keeps nothing."""

    def carry_out(self, command: cmd.AriCommand) -> None:
        """Not at all."""

    def resync(self, site: SiteName) -> None:
        """Not at all."""

    def append_facts(self, call_id: CallId, kind: str, body: bytes) -> None:
        """Not at all."""

    def finish(self, cdr: Cdr) -> None:
        """Not at all."""

    def audit(self, entry: AuditEntry) -> None:
        """Not at all."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "config"))


@pytest.fixture
async def reloader(folder: Path) -> AsyncIterator[ConfigReloader]:
    """That of a daemon which runs by the rules of ``folder``."""
    loaded = load(folder, SECRETS)
    nobody = Nobody()
    dispatcher = Dispatcher(Exchange(loaded.rulebook, datetime.now(UTC)), nobody, nobody, lambda: datetime.now(UTC))
    task = asyncio.create_task(dispatcher.run())
    yield ConfigReloader(folder, SECRETS, loaded, dispatcher)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")


def in_force(reloader: ConfigReloader) -> str:
    return reloader._dispatcher.exchange.rulebook.queues[QueueName("main")].title


async def test_new_rules_are_in_force_when_the_report_comes(folder: Path, reloader: ConfigReloader) -> None:
    before = reloader.loaded.rulebook.hash
    edit(folder, "queues.yaml", "본청", "새 본청")
    with capture_logs() as logs:
        report = await reloader.reload("kim")
    assert (report.ok, report.changed, report.previous_hash, report.errors) == (True, True, before, ())
    assert report.config_hash == reloader.loaded.rulebook.hash != before
    assert in_force(reloader) == "새 본청"
    assert reloader.outcomes == {ReloadOutcome.TAKEN: 1}
    assert [(log["event"], log["who"], log["config"]) for log in logs] == [("config.taken", "kim", report.config_hash)]


async def test_the_same_rules_again_change_nothing(reloader: ConfigReloader) -> None:
    report = await reloader.reload("kim")
    assert (report.ok, report.changed) == (True, False)
    assert reloader.outcomes == {ReloadOutcome.UNCHANGED: 1}


async def test_one_fault_anywhere_keeps_all_of_the_old_rules(folder: Path, reloader: ConfigReloader) -> None:
    before = reloader.loaded.rulebook.hash
    edit(folder, "queues.yaml", "본청", "새 본청")
    edit(folder, "routes.yaml", "queue: main", "queue: mian")
    report = await reloader.reload("kim")
    assert (report.ok, report.config_hash) == (False, before)
    assert report.errors == ('routes.yaml:6:16: unknown queue "mian"; did you mean "main"?',)
    assert in_force(reloader) == "본청"
    assert (reloader.outcomes, reloader.faults) == ({ReloadOutcome.REFUSED: 1}, 1)
    edit(folder, "routes.yaml", "queue: mian", "queue: main")
    assert (await reloader.reload("kim")).ok
    assert reloader.faults == 0


async def test_a_golden_case_that_fails_keeps_the_old_rules(folder: Path, reloader: ConfigReloader) -> None:
    (folder / "routes-test.yaml").write_text(CASES, encoding="utf-8")
    assert (await reloader.reload("kim")).ok
    edit(folder, "calendars.yaml", "09:00-18:00", "11:00-18:00")
    report = await reloader.reload("kim")
    assert not report.ok
    assert report.errors == ('routes-test.yaml:2:11: "by day": rule: expected day, got rest',)


async def test_what_needs_a_restart_is_said_and_the_rest_taken(folder: Path, reloader: ConfigReloader) -> None:
    edit(folder, "sites.yaml", "도청", "새 도청")
    (folder / "more.yaml").write_text("web: {port: 8081}\nservice: {drain: 1 min}\n", encoding="utf-8")
    report = await reloader.reload("kim")
    assert (report.ok, report.restart_needed) == (True, ("service", "sites", "web"))


async def test_a_second_reload_does_not_start_beside_the_first(reloader: ConfigReloader) -> None:
    first, second = await asyncio.gather(reloader.reload("kim"), reloader.reload("lee"))
    assert first.ok
    assert (second.ok, second.errors) == (False, ("another reload is under way; ask again in a moment",))


async def test_a_daemon_that_stood_down_takes_no_rules(reloader: ConfigReloader) -> None:
    reloader._dispatcher.stand_down()
    assert (await reloader.reload("kim")).errors == ("another daemon is in charge; ask that one",)


async def test_rules_that_the_dispatcher_does_not_come_to_are_not_said_to_be_in_force(
    folder: Path, reloader: ConfigReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "TAKEN_WITHIN_S", 0.02)
    monkeypatch.setattr(reloader._dispatcher, "post", lambda event: None)
    edit(folder, "queues.yaml", "본청", "새 본청")
    report = await reloader.reload("kim")
    assert not report.ok
    assert "did not come to the new rules within 0.02 s" in report.errors[0]
    assert in_force(reloader) == "본청"


async def test_a_defect_of_ours_keeps_the_old_rules_and_is_told(
    reloader: ConfigReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(reloading, "review", fail)
    report = await reloader.reload("kim")
    assert (report.ok, "ZeroDivisionError" in report.errors[0]) == (False, True)
    again = await reloader.reload("kim")
    assert "under way" not in again.errors[0]
