"""What goes live is handed to the journal, by whom, and with all its text."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callrouter.app.history import RulesHistory
from callrouter.app.reload import ConfigReloader
from callrouter.store.journal import Journal
from callrouter.store.rules import LiveRules
from callrouter.web.reload import ReloadRequest
from tests.fakes.rules import NOON

CASES = "cases:\n  - {name: by day, from: 0552251234, at: 2026-11-24T10:00, expect: {rule: day}}\n"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with Journal(tmp_path / "journal.sqlite3") as opened:
        yield opened


@pytest.fixture
def history(journal: Journal, folder: Path, reloader: ConfigReloader) -> RulesHistory:
    """That of the reloader's daemon."""
    history = RulesHistory(journal, folder, lambda: NOON)
    reloader._history = history
    return history


async def kept(journal: Journal) -> list[LiveRules]:
    """All that waits, which then waits no more."""
    found = []
    while waiting := await journal.undelivered_rules():
        ((number, rules),) = waiting
        found.append(rules)
        await journal.rules_delivered(number)
    return found


def save(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


async def test_a_start_and_each_reload_that_is_taken_are_kept(
    folder: Path, reloader: ConfigReloader, history: RulesHistory, journal: Journal
) -> None:
    history.started_with(reloader.loaded)
    before = reloader.loaded.rulebook.hash
    save(folder, "queues.yaml", "본청", "새 본청")
    report = await reloader.reload(ReloadRequest("kim", "the office has moved"))
    first, second = await kept(journal)
    assert (first.who, first.config_hash, first.at) == ("start", before, NOON)
    assert (first.host, first.directory) == (socket.gethostname(), str(folder.resolve()))
    assert (second.who, second.note, second.config_hash) == ("kim", "the office has moved", report.config_hash)
    assert second.files["queues.yaml"] == (folder / "queues.yaml").read_text(encoding="utf-8")
    assert set(second.files) == {path.name for path in folder.iterdir()}


async def test_what_is_refused_or_says_nothing_new_is_not_kept(
    folder: Path, reloader: ConfigReloader, history: RulesHistory, journal: Journal
) -> None:
    history.started_with(reloader.loaded)
    await kept(journal)
    await reloader.reload(ReloadRequest("kim"))
    save(folder, "routes.yaml", "queue: main", "queue: mian")
    assert not (await reloader.reload(ReloadRequest("kim"))).ok
    history.started_with(reloader.loaded)
    assert await kept(journal) == []


async def test_golden_cases_belong_to_a_version_though_calls_are_routed_without_them(
    folder: Path, reloader: ConfigReloader, history: RulesHistory, journal: Journal
) -> None:
    history.started_with(reloader.loaded)
    (folder / "routes-test.yaml").write_text(CASES, encoding="utf-8")
    report = await reloader.reload(ReloadRequest("kim"))
    first, second = await kept(journal)
    assert (report.changed, first.config_hash, second.files["routes-test.yaml"]) == (False, second.config_hash, CASES)
    history.started_with(reloader.loaded)
    assert await kept(journal) == []


async def test_names_and_notes_of_any_length_are_kept_in_part(
    folder: Path, reloader: ConfigReloader, history: RulesHistory, journal: Journal
) -> None:
    save(folder, "queues.yaml", "본청", "새 본청")
    await reloader.reload(ReloadRequest("k" * 3000, "n" * 3000))
    (only,) = await kept(journal)
    assert (len(only.who), len(only.note)) == (200, 200)
