"""A long day in short: calls at a steady rate, faults at random; then all adds up. ``make soak`` takes longer."""

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.asterisk import LabAsterisk
from tests.acceptance.centre import MakeCentre
from tests.acceptance.duo import Duo
from tests.acceptance.soak import run
from tests.acceptance.soak.faults import Solo, Two
from tests.acceptance.soak.ground import AGENTS, Crew, Ground, open_all_day
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

SOAK_S = float(os.environ.get("SOAK_S", "20"))
PER_SECOND = float(os.environ.get("SOAK_RATE", "1.5"))
EVERY_S = float(os.environ.get("SOAK_FAULT_EVERY", "3"))
DAEMONS = int(os.environ.get("SOAK_DAEMONS", "1"))
SEED = os.environ.get("SOAK_SEED", "")


@pytest.fixture
async def wire(lab_asterisk: LabAsterisk) -> AsyncIterator[Wire]:
    async with Wire(lab_asterisk.http_port) as wire:
        yield wire


@pytest.fixture
async def crew(
    centre: MakeCentre, wire: Wire, lab_asterisk: LabAsterisk, agi_port: int, database: str, tmp_path: Path
) -> AsyncIterator[Crew]:
    """One daemon, or two; what they decided is decided again when all is over."""
    wanted: dict[str, Any] = {"agents": AGENTS, "clock": None, "edit": open_all_day}
    wanted["settings"] = {"ARI_URL": wire.url, **run.SETTINGS}
    if DAEMONS == 1:
        yield Solo(await centre(anew=True, **wanted))
        return
    duo = Duo(lab_asterisk, tmp_path / "duo", agi_port=agi_port, database_url=database, **wanted)
    try:
        await duo.start()
        yield Two(duo)
    finally:
        duo.end()
    duo.a.assert_same_again(duo.state_dir)


# What fails by chance is what it looks for: no second try.
@pytest.mark.flaky(reruns=0)
async def test_after_calls_and_faults_every_call_has_one_record_and_nothing_is_left(
    lab_asterisk: LabAsterisk, crew: Crew, wire: Wire
) -> None:
    seed = SEED or str(random.randrange(10**6))
    told = {"S": SOAK_S, "RATE": PER_SECOND, "FAULT_EVERY": EVERY_S, "DAEMONS": DAEMONS, "SEED": seed}
    print(" ".join(f"SOAK_{name}={value}" for name, value in told.items()))

    await run.soak(Ground(lab_asterisk, crew, wire, random.Random(seed)), SOAK_S, PER_SECOND, EVERY_S)
