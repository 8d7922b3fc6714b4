"""A reload is all or nothing, whatever was edited and however many of the edits were wrong."""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.app.reload import ConfigReloader
from callrouter.config import load
from callrouter.core.exchange import Exchange
from callrouter.core.rulebook import Rulebook
from callrouter.errors import ConfigError
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.web.reload import ReloadRequest
from tests.app.conftest import BASE, SECRETS, Nobody


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that somebody saves in one file."""

    file: str
    old: str
    new: str


SOUND = (
    Edit("queues.yaml", "본청", "새 본청"),
    Edit("calendars.yaml", "09:00-18:00", "08:00-18:00"),
    Edit("agents.yaml", "PJSIP/201", "PJSIP/299"),
    Edit("trunks.yaml", "channels: 30", "channels: 3"),
    Edit("prompts.yaml", "안녕하십니까.", "반갑습니다."),
    Edit("routes.yaml", "- announce: welcome\n", ""),
)
FAULTY = (
    Edit("queues.yaml", "title: 본청", "titel: 본청"),
    Edit("calendars.yaml", "18:00-22:00", "18:00-25:00"),
    Edit("agents.yaml", "site: hall", "site: hal"),
    Edit("trunks.yaml", "channels: 30", "channels: 0"),
    Edit("prompts.yaml", "closed:", "closed"),
    Edit("routes.yaml", "queue: main", "queue: mian"),
    Edit("routes.yaml", "do: [{announce: closed}, hangup]", "do: [{announce: closed}]"),
    Edit("regions.yaml", "tenants:", "\ttenants:"),
)
saves = st.lists(st.lists(st.sampled_from([*SOUND, *FAULTY]), max_size=4, unique=True), min_size=1, max_size=5)


def what_it_says(rules: Rulebook) -> tuple[object, ...]:
    """All of a rulebook that the edits can change, so that a mixture of two would be seen."""
    return (rules.hash, rules.queues, rules.agents, rules.trunks, rules.prompts)


def written(folder: Path) -> tuple[object, ...] | None:
    """What the files say, by themselves; None if they have a fault."""
    try:
        return what_it_says(load(folder, SECRETS).rulebook)
    except ConfigError:
        return None


async def save_and_reload(folder: Path, saved: Sequence[Sequence[Edit]]) -> None:
    """Save one set of edits after another over the base, and ask for a reload after each."""
    loaded = load(folder, SECRETS)
    nobody = Nobody()
    dispatcher = Dispatcher(Exchange(loaded.rulebook, datetime.now(UTC)), nobody, nobody, lambda: datetime.now(UTC))
    reloader = ConfigReloader(folder, SECRETS, loaded, dispatcher)
    task = asyncio.create_task(dispatcher.run())
    try:
        for edits in saved:
            shutil.copytree(BASE, folder, dirs_exist_ok=True)
            for edit in edits:
                path = folder / edit.file
                path.write_text(path.read_text(encoding="utf-8").replace(edit.old, edit.new), encoding="utf-8")
            before, new = what_it_says(dispatcher.exchange.rulebook), written(folder)
            report = await reloader.reload(ReloadRequest("kim"))
            after = what_it_says(dispatcher.exchange.rulebook)
            assert after == (before if new is None else new)
            assert report.ok is (new is not None)
            assert bool(report.errors) is (new is None)
            assert report.config_hash == after[0]
            assert what_it_says(reloader.loaded.rulebook) == after
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
@given(saves)
@settings(max_examples=40)
def test_after_any_saves_the_rules_in_force_are_all_of_the_new_or_all_of_the_old(saved: list[list[Edit]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(BASE, Path(name) / "config"))
        asyncio.run(save_and_reload(folder, saved))


def test_every_edit_does_what_it_is_here_for(tmp_path: Path) -> None:
    for number, edit in enumerate((*SOUND, *FAULTY)):
        folder = Path(shutil.copytree(BASE, tmp_path / str(number)))
        before = written(folder)
        path = folder / edit.file
        text = path.read_text(encoding="utf-8")
        assert edit.old in text, edit
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
        after = written(folder)
        assert (after is None) is (edit in FAULTY), edit
        assert after != before, edit
