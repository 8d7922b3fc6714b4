"""A long day in short: calls at a steady rate, faults at random; then all adds up. ``make soak`` takes longer."""

import os
import random
from collections.abc import AsyncIterator

import pytest

from lab.asterisk import LabAsterisk
from tests.acceptance.centre import MakeCentre
from tests.acceptance.soak import run
from tests.acceptance.soak.faults import Solo
from tests.acceptance.soak.ground import AGENTS, Ground, open_all_day
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

SOAK_S = float(os.environ.get("SOAK_S", "20"))
PER_SECOND = float(os.environ.get("SOAK_RATE", "1.5"))
EVERY_S = float(os.environ.get("SOAK_FAULT_EVERY", "3"))
SEED = os.environ.get("SOAK_SEED", "")


@pytest.fixture
async def wire(lab_asterisk: LabAsterisk) -> AsyncIterator[Wire]:
    async with Wire(lab_asterisk.http_port) as wire:
        yield wire


async def test_after_calls_and_faults_every_call_has_one_record_and_nothing_is_left(
    lab_asterisk: LabAsterisk, centre: MakeCentre, wire: Wire
) -> None:
    seed = SEED or str(random.randrange(10**6))
    print(f"SOAK_SEED={seed} SOAK_S={SOAK_S:g} SOAK_RATE={PER_SECOND:g} SOAK_FAULT_EVERY={EVERY_S:g}")
    office = await centre(agents=AGENTS, clock=None, edit=open_all_day, settings={"ARI_URL": wire.url, **run.SETTINGS})
    ground = Ground(lab_asterisk, Solo(office), wire, random.Random(seed))

    await run.soak(ground, SOAK_S, PER_SECOND, EVERY_S)
