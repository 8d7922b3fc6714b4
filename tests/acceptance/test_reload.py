"""Rules are changed while residents call, wait and talk, on a real Asterisk."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import Outcome
from lab import audio
from lab.baresip import CLOSED
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.ordering import resident_mb
from tests.acceptance.talks import FIRST_HZ, RESIDENT_HZ

pytestmark = pytest.mark.asterisk


FIRST, SECOND = "0552251111", "0552252222"


def close_now(config: Path) -> None:
    """A typhoon: nobody is in."""
    calendars = config / "calendars.yaml"
    text = calendars.read_text(encoding="utf-8")
    assert "mon-fri 09:00-18:00\n" in text
    calendars.write_text(text.replace("mon-fri 09:00-18:00\n", "sun 03:00-03:01\n"), encoding="utf-8")
    (config / "routes-test.yaml").unlink()


async def test_callers_in_progress_keep_their_plan_and_the_next_one_gets_the_new_rules(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), wrap_up="0s")
    talking, waiting, late = await caller(FIRST), await caller(SECOND), await caller(FIRST)
    phone = await counselor("201")
    await talking.dial("120")
    await phone.incoming()
    await phone.accept()
    await phone.established()
    await waiting.dial("120")
    await office.until_waiting(1)

    close_now(office.daemon.config)
    told = await asyncio.to_thread(office.daemon.run, "reload")
    await late.dial("120")
    await late.closed(timeout_s=PROMPT_S + 4)
    assert not talking.seen(CLOSED), "people who talk are cut off"
    await phone.hang_up()
    assert SECOND in (await phone.incoming()).peer
    await waiting.hang_up()

    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("taken: version ")
    assert audio.tone_seconds(late.heard(), PROMPT_HZ["closed"]) == pytest.approx(PROMPT_S, abs=0.25)
    cdrs = await office.cdrs(3)
    assert [cdr.outcome for cdr in cdrs] == [Outcome.HANDLED, Outcome.ABANDONED, Outcome.CLOSED]
    assert cdrs[0].config_hash == cdrs[1].config_hash != cdrs[2].config_hash


async def test_a_fault_keeps_the_old_rules_whichever_way_the_daemon_is_asked(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(FIRST), await counselor("201")
    routes = office.daemon.config / "routes.yaml"
    text = routes.read_text(encoding="utf-8")
    routes.write_text(text.replace("queue: changwon", "queue: chagnwon"), encoding="utf-8")

    told = await asyncio.to_thread(office.daemon.run, "reload")
    os.kill(office.daemon.pid, signal.SIGHUP)
    await office.until("SIGHUP was heard", lambda _: office.daemon.log_text().count("config.refused") == 2)
    await resident.dial("120")
    await phone.incoming()
    await resident.hang_up()

    assert told.returncode == 1
    assert 'unknown queue "chagnwon"; did you mean "changwon"?' in told.stderr
    assert (await office.cdr()).queue == "changwon"
    assert any("not in force" in remark for remark in (await office.status())["remarks"])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def an_endless_one(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def a_huge_one(path: Path) -> None:
    with path.open("ab") as file:
        for _ in range(100):
            file.write(b"# nothing\n" * 100_000)


def a_bomb(path: Path) -> None:
    path.write_text(
        "routes: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a]\n" for n in range(20_000)), encoding="utf-8"
    )


def another_encoding(path: Path) -> None:
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp949", "replace"))


def a_deep_one(path: Path) -> None:
    path.write_text("routes: " + "[" * 100_000, encoding="utf-8")


def no_file(path: Path) -> None:
    path.unlink()


SPOILS = {
    a_folder: "it is no file",
    a_pipe: "it is no file",
    an_endless_one: "it is no file",
    a_huge_one: "has more than",
    a_bomb: "the alias *a is not taken here",
    another_encoding: "is not UTF-8",
    a_deep_one: "is nested deeper than",
    no_file: "routes",
}
CUTS = 8
LONGEST_RELOAD_S = 6.0
MOST_GROWN_MB = 160


async def test_whatever_becomes_of_a_file_the_old_rules_stay_the_place_is_told_and_calls_notice_nothing(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",))
    resident, phone = await caller(FIRST, tone_hz=RESIDENT_HZ), await counselor("201", tone_hz=FIRST_HZ)
    routes = office.daemon.config / "routes.yaml"
    whole = routes.read_text(encoding="utf-8")
    before = (await office.status())["service"]["config_hash"]
    memory_mb = resident_mb(office.daemon.pid)
    await office.talk(resident, phone)
    began_s = time.monotonic()

    for spoil, why in SPOILS.items():
        spoil(routes)
        report, took_s = await reloaded(office)
        assert not report["ok"]
        first = next((problem for problem in report["errors"] if why in problem), None)
        assert first is not None, (spoil, report["errors"][:3])
        assert took_s < LONGEST_RELOAD_S, spoil
        put_back(routes, whole)
    for cut in range(1, CUTS):
        routes.write_bytes(whole.encode()[: len(whole.encode()) * cut // CUTS])  # in the middle of a letter, perhaps
        report, _ = await reloaded(office)
        assert not report["ok"], f"cut at {cut}/{CUTS}"
        assert report["errors"]
    put_back(routes, whole)
    report, _ = await reloaded(office)
    talked_s = time.monotonic() - began_s
    await resident.hang_up()
    await phone.closed()

    assert (report["ok"], report["config_hash"]) == (True, before)
    assert resident_mb(office.daemon.pid) - memory_mb < MOST_GROWN_MB
    assert audio.tone_seconds(resident.heard(), FIRST_HZ) >= talked_s - 0.5
    assert (await office.cdr()).config_hash == before


def put_back(path: Path, text: str) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


async def reloaded(office: Centre) -> tuple[dict[str, Any], float]:
    """Have the daemon take what is there; its report, and how long that took."""
    began_s = time.monotonic()
    report = await asyncio.to_thread(office.daemon.order, "reload", {"who": "kim"}, timeout_s=30.0)
    return report, time.monotonic() - began_s
