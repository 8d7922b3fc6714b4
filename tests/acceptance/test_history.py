"""The history of the rules, from the first file to the way back, with real calls between."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from callrouter.core.cdr import Outcome
from lab import audio
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.test_reload import FIRST, close_now

pytestmark = pytest.mark.asterisk


async def said(office: Centre, *command: str) -> CompletedProcess[str]:
    """What a command of the daemon's machine says."""
    return await asyncio.to_thread(office.daemon.run, *command)


async def versions(office: Centre, count: int) -> list[dict[str, Any]]:
    """The history once it has so many versions, oldest first."""
    found: list[dict[str, Any]] = []

    async def are_there() -> bool:
        found[:] = json.loads((await said(office, "history", "--json")).stdout)
        return len(found) >= count

    async with asyncio.timeout(20):
        while not await are_there():
            pass
    return found[::-1]


async def test_what_went_live_is_listed_compared_and_gone_back_to(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), wrap_up="0s")
    phone = await counselor("201")
    (first,) = await versions(office, 1)
    close_now(office.daemon.config)
    assert (await said(office, "reload", "--note", "typhoon")).returncode == 0
    _, second = await versions(office, 2)
    turned_away = await caller(FIRST)
    await turned_away.dial("120")
    await turned_away.closed(timeout_s=PROMPT_S + 4)

    changed = await said(office, "diff", "@1", "@2", "--from", "2026-11-24", "--days", "7")
    back = await said(office, "reload", "--to", "@1")
    resident = await caller(FIRST)
    await office.talk(resident, phone)
    await resident.hang_up()

    assert (first["version"], first["who"], second["version"], second["note"]) == (1, "start", 2, "typhoon")
    assert second["changed"] == ["calendars.yaml", "routes-test.yaml"]
    assert changed.returncode == 1, changed.stderr
    assert "calendar weekday-day: open: sun 03:00-03:01, was mon-fri 09:00-18:00" in changed.stdout
    assert re.search(r"changwon-day \(queue changwon\) +closed \(announcement closed\)", changed.stdout)
    assert audio.tone_seconds(turned_away.heard(), PROMPT_HZ["closed"]) == pytest.approx(PROMPT_S, abs=0.25)
    assert back.returncode == 0, back.stderr
    assert back.stdout.startswith(f"taken: version {first['config_hash']}, was {second['config_hash']}")
    closed, handled = await office.cdrs(2)
    assert (closed.outcome, closed.config_hash) == (Outcome.CLOSED, second["config_hash"])
    assert (handled.outcome, handled.config_hash) == (Outcome.HANDLED, first["config_hash"])
    third = (await versions(office, 3))[-1]
    assert (third["note"], third["digest"]) == ("back to @1", first["digest"])
    replayed = await said(office, "diff", "@2", "@1", "--replay", "1d", "--until", "2026-11-24T23:00")
    assert "Of 2 past calls, 2 would have gone another way" in replayed.stdout


def listen_for_saves(config: Path) -> None:
    path = config / "callrouter.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("on_save: no", "on_save: yes"), encoding="utf-8")


async def test_saving_a_file_takes_it_and_half_a_file_keeps_the_old_rules(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), edit=listen_for_saves)
    await counselor("201")

    def logged(event: str) -> Callable[[dict[str, Any]], bool]:
        return lambda _: f'"{event}"' in office.daemon.log_text()

    await office.until("the folder is watched", logged("config.watched"))
    routes = office.daemon.config / "routes.yaml"
    whole = routes.read_text(encoding="utf-8")
    routes.write_text(f"{whole[:-40]} {{", encoding="utf-8")
    await office.until("half a file was refused", logged("config.refused"))
    routes.write_text(whole, encoding="utf-8")
    close_now(office.daemon.config)
    await office.until("the whole is taken", logged("config.taken"))
    resident = await caller(FIRST)
    await resident.dial("120")
    await resident.closed(timeout_s=PROMPT_S + 4)

    assert (await office.cdr()).outcome is Outcome.CLOSED
    newest = (await versions(office, 2))[-1]
    assert newest["who"] == "file saved"
