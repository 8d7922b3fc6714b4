"""A counselor sits down at a phone of another site, and is rung there, on two real Asterisks."""

import asyncio
from pathlib import Path

import pytest

from callrouter.core.pins import Pin
from lab import audio
from lab.baresip import Baresip
from lab.sipp import Lamp
from lab.testing import DEADLINE_S, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import MakeCentre, edit
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.crossing.conftest import CHANGWON, PROVINCE, Phone, Sites, both_are_up, in_use
from tests.acceptance.ordering import TOLERANCE_S, audit, hears

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
RESIDENT_HZ, THERE_HZ, HERE_HZ = 1100.0, 1300.0, 1500.0
AGENT, PIN, DESK, LOGIN = "201", "258036", "*13", "*11"
THERE = "203"
TALK_S, ENOUGH_S = 1.5, 0.8


def with_a_pin(config: Path) -> None:
    pin = Pin.of(PIN, bytes(16)).text
    edit(config / "agents.yaml", rf'^  "{AGENT}": \{{', rf'\g<0>pin: "{pin}", ')


async def log_in(phone: Baresip) -> None:
    await phone.dial(DESK)
    await phone.established()
    for key in f"{AGENT}#{PIN}#":
        await phone.press(key)
    await phone.closed(timeout_s=2 * PROMPT_S + DEADLINE_S + 4)
    assert audio.tone_seconds(phone.heard(), PROMPT_HZ["agent-loggedin"]) > PROMPT_S - TOLERANCE_S


async def test_a_counselor_of_the_province_moves_to_changwon_and_back_while_he_talks_there_over_a_crash(
    office: MakeCentre, caller: Phone, phone: Phone, sites: Sites
) -> None:
    centre = await office((AGENT,), edit=with_a_pin)
    resident = await caller(PROVINCE, RESIDENT, tone_hz=RESIDENT_HZ)
    there = await phone(CHANGWON, THERE, tone_hz=THERE_HZ)
    here = await phone(PROVINCE, AGENT, tone_hz=HERE_HZ)
    async with (
        Lamp(sites[PROVINCE], "205", f"agent-{AGENT}", address=PHONES_ADDRESS) as at_home,
        Lamp(sites[CHANGWON], "206", f"agent-{AGENT}", address=PHONES_ADDRESS) as where_he_sits,
    ):
        await log_in(there)
        await centre.until_agent(AGENT, "available")
        await where_he_sits.until("terminated")
        await centre.talk(resident, there)
        assert in_use(await centre.status()) == [1]
        await at_home.until("confirmed")
        await where_he_sits.until("confirmed")
        await log_in(here)  # while he talks there
        await centre.kill()
        await centre.restart()
        await both_are_up(centre)
        await centre.until_call("connected")
        await centre.until_agent(AGENT, "on-call")
        await asyncio.sleep(TALK_S)  # people talking
        await resident.hang_up()
        await there.closed()
        await centre.until_agent(AGENT, "available")
        await at_home.until("terminated")

    await centre.talk(resident, here)
    assert in_use(await centre.status()) == [0]
    await here.hang_up()
    await resident.closed()
    await hears(there, LOGIN, "agent-unknown")

    assert audio.tone_seconds(there.heard(), RESIDENT_HZ) == 0
    first, second = await centre.cdrs(2)
    assert [(leg.agent, leg.far_site) for cdr in (first, second) for leg in cdr.legs] == [
        (AGENT, CHANGWON),
        (AGENT, None),
    ]
    moved = [(entry["was"], entry["becomes"]) for entry in await audit(centre, 2) if entry["kind"] == "desk"]
    assert moved == [("", f"{CHANGWON}:PJSIP/{THERE}"), (f"{CHANGWON}:PJSIP/{THERE}", "")]
