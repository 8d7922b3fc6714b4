"""New rules while calls go on: all of them, or nothing."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callrouter.app import reload as reloading
from callrouter.app.reload import ConfigReloader, ReloadOutcome
from callrouter.config import folder as folders
from callrouter.config.folder import locked
from callrouter.core.ids import QueueName
from callrouter.web.reload import ReloadRequest

CASES = """\
cases:
  - name: by day
    from: 0552251234
    to: 120
    at: 2026-11-24T10:00
    expect: {rule: day}
"""


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
        report = await reloader.reload(ReloadRequest("kim"))
    assert (report.ok, report.changed, report.previous_hash, report.errors) == (True, True, before, ())
    assert report.config_hash == reloader.loaded.rulebook.hash != before
    assert in_force(reloader) == "새 본청"
    assert reloader.outcomes == {ReloadOutcome.TAKEN: 1}
    assert [(log["event"], log["who"], log["config"]) for log in logs] == [("config.taken", "kim", report.config_hash)]


async def test_the_same_rules_again_change_nothing(reloader: ConfigReloader) -> None:
    report = await reloader.reload(ReloadRequest("kim"))
    assert (report.ok, report.changed) == (True, False)
    assert reloader.outcomes == {ReloadOutcome.UNCHANGED: 1}


async def test_one_fault_anywhere_keeps_all_of_the_old_rules(folder: Path, reloader: ConfigReloader) -> None:
    before = reloader.loaded.rulebook.hash
    edit(folder, "queues.yaml", "본청", "새 본청")
    edit(folder, "routes.yaml", "queue: main", "queue: mian")
    report = await reloader.reload(ReloadRequest("kim"))
    assert (report.ok, report.config_hash) == (False, before)
    assert report.errors == ('routes.yaml:6:16: unknown queue "mian"; did you mean "main"?',)
    assert in_force(reloader) == "본청"
    assert (reloader.outcomes, reloader.faults) == ({ReloadOutcome.REFUSED: 1}, 1)
    edit(folder, "routes.yaml", "queue: mian", "queue: main")
    assert (await reloader.reload(ReloadRequest("kim"))).ok
    assert reloader.faults == 0


async def test_a_golden_case_that_fails_keeps_the_old_rules(folder: Path, reloader: ConfigReloader) -> None:
    (folder / "routes-test.yaml").write_text(CASES, encoding="utf-8")
    assert (await reloader.reload(ReloadRequest("kim"))).ok
    edit(folder, "calendars.yaml", "09:00-18:00", "11:00-18:00")
    report = await reloader.reload(ReloadRequest("kim"))
    assert not report.ok
    assert report.errors == ('routes-test.yaml:2:11: "by day": rule: expected day, got rest',)


async def test_what_needs_a_restart_is_said_and_the_rest_taken(folder: Path, reloader: ConfigReloader) -> None:
    edit(folder, "sites.yaml", "도청", "새 도청")
    (folder / "more.yaml").write_text("web: {port: 8081}\nservice: {drain: 1 min}\n", encoding="utf-8")
    report = await reloader.reload(ReloadRequest("kim"))
    assert (report.ok, report.restart_needed) == (True, ("service", "sites", "web"))


async def test_a_second_reload_does_not_start_beside_the_first(reloader: ConfigReloader) -> None:
    first, second = await asyncio.gather(reloader.reload(ReloadRequest("kim")), reloader.reload(ReloadRequest("lee")))
    assert first.ok
    assert (second.ok, second.errors) == (False, ("another reload is under way; ask again in a moment",))


async def test_a_daemon_that_stood_down_takes_no_rules(reloader: ConfigReloader) -> None:
    reloader._dispatcher.stand_down()
    assert (await reloader.reload(ReloadRequest("kim"))).errors == ("another daemon is in charge; ask that one",)


async def test_rules_that_the_dispatcher_does_not_come_to_are_not_said_to_be_in_force(
    folder: Path, reloader: ConfigReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "TAKEN_WITHIN_S", 0.02)
    monkeypatch.setattr(reloader._dispatcher, "post", lambda event: None)
    edit(folder, "queues.yaml", "본청", "새 본청")
    report = await reloader.reload(ReloadRequest("kim"))
    assert not report.ok
    assert "did not come to the new rules within 0.02 s" in report.errors[0]
    assert in_force(reloader) == "본청"


async def test_a_defect_of_ours_keeps_the_old_rules_and_is_told(
    reloader: ConfigReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(reloading, "review", fail)
    report = await reloader.reload(ReloadRequest("kim"))
    assert (report.ok, "ZeroDivisionError" in report.errors[0]) == (False, True)
    again = await reloader.reload(ReloadRequest("kim"))
    assert "under way" not in again.errors[0]


async def test_rules_that_nobody_checked_are_not_taken_in_the_place_of_those_that_were(
    folder: Path, reloader: ConfigReloader
) -> None:
    before = reloader.loaded.rulebook.hash
    edit(folder, "queues.yaml", "본청", "새 본청")
    report = await reloader.reload(ReloadRequest("kim", expect="0123456789ab"))
    assert (report.ok, report.config_hash) == (False, before)
    assert ", not 0123456789ab; someone has saved since: check, and ask again" in report.errors[0]
    written = report.errors[0].split()[4].rstrip(",")
    assert (await reloader.reload(ReloadRequest("kim", expect=written))).changed


async def test_files_are_not_read_while_someone_puts_a_version_in_place(
    folder: Path, reloader: ConfigReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LOCK_WAIT_S", 0.05)
    with locked(folder, to_write=True):
        report = await reloader.reload(ReloadRequest("kim"))
    assert (report.ok, "someone else is putting a version in place" in report.errors[0]) == (False, True)
    assert (await reloader.reload(ReloadRequest("kim"))).ok


async def test_a_file_that_is_saved_waits_for_the_reload_that_is_under_way(reloader: ConfigReloader) -> None:
    first, second = await asyncio.gather(reloader.reload(ReloadRequest("kim")), reloader.reload_when_free("file saved"))
    assert (first.ok, second.ok) == (True, True)


async def test_another_table_of_exchanges_is_another_version(folder: Path, reloader: ConfigReloader) -> None:
    table = "prefix,place,samples,against,confidence,note\n055225,창원시,9,0,strong,\n"
    (folder / "table.csv").write_text(table, encoding="utf-8")
    edit(folder, "regions.yaml", "numbering:\n", "numbering:\n  table: table.csv\n")
    assert (await reloader.reload(ReloadRequest("kim"))).changed
    assert not await reloader.is_behind()
    (folder / "table.csv").write_text(f"{table}055226,창원시,9,0,strong,\n", encoding="utf-8")
    assert (await reloader.reload(ReloadRequest("kim"))).changed
