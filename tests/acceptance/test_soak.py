"""A long day in short: calls at a steady rate, faults at random; then all adds up. ``make soak`` takes longer."""

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callrouter.core.cdr import Outcome
from callrouter.store.postgres import CdrSearch, open_archive
from lab.asterisk import LabAsterisk
from tests.acceptance import soak
from tests.acceptance.centre import MakeCentre, edit
from tests.acceptance.soak import Ground
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

SOAK_S = float(os.environ.get("SOAK_S", "20"))
PER_SECOND = float(os.environ.get("SOAK_RATE", "1.5"))
EVERY_S = float(os.environ.get("SOAK_FAULT_EVERY", "3"))
SEED = os.environ.get("SOAK_SEED", "")


ALWAYS_OPEN = """\
    do:
      - announce: changwon-welcome
      - queue: changwon
        max_wait: 20s
      - announce: all-busy
      - hangup
"""


def open_all_day(config: Path) -> None:
    """One queue for every call, whenever it comes, over a trunk of so many channels."""
    (config / "trunks.yaml").write_text("trunks:\n  carrier:\n    channels: 60\n", encoding="utf-8")
    edit(config / "routes.yaml", r"(?<=  - id: closed\n)(    title: .*\n)    do:\n(?:      .*\n)+", rf"\1{ALWAYS_OPEN}")
    (config / "routes-test.yaml").unlink()


@pytest.fixture
async def wire(lab_asterisk: LabAsterisk) -> AsyncIterator[Wire]:
    async with Wire(lab_asterisk.http_port) as wire:
        yield wire


async def test_after_calls_and_faults_every_call_has_one_record_and_nothing_is_left(
    lab_asterisk: LabAsterisk, centre: MakeCentre, wire: Wire
) -> None:
    seed = SEED or str(random.randrange(10**6))
    print(f"SOAK_SEED={seed} SOAK_S={SOAK_S:g}")
    office = await centre(
        agents=soak.AGENTS,
        wrap_up="0s",
        clock=None,
        edit=open_all_day,
        settings={"ARI_URL": wire.url, "LIMITS_DEAD_MAN": "20s"},
    )
    ground = Ground(lab_asterisk, office, wire, random.Random(seed))
    await soak.run(ground, SOAK_S, PER_SECOND, EVERY_S)
    print(f"{len(ground.seen)} calls; {dict(ground.struck)}")

    await soak.check_records(ground)
    assert office.database_url is not None
    async with open_archive(office.database_url) as archive:
        outcomes = [cdr.outcome for cdr in await archive.find(CdrSearch(limit=soak.MOST_CALLS))]
    assert outcomes.count(Outcome.HANDLED) > len(ground.seen) / 10
    assert sum(ground.struck.values()) >= 2

    pid = office.daemon.pid
    files, memory = soak.open_files(pid), soak.resident_bytes(pid)
    print(f"{files} files open, {memory / 1e6:.0f} MB")
    assert files < 60
    assert memory < 300e6
