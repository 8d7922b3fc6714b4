"""Rules are changed while residents call, wait and talk, on a real Asterisk."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from callrouter.core.cdr import Outcome
from lab import audio
from lab.baresip import CLOSED
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import MakeCentre, People

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
