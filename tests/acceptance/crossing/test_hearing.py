"""Supervisors hear, whisper and barge in where caller, counselor and supervisor are at two real Asterisks."""

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lab import audio
from lab.baresip import Baresip
from tests.acceptance.centre import POLL_S, Centre, MakeCentre
from tests.acceptance.crossing.conftest import (
    CHANGWON,
    PROVINCE,
    Phone,
    Sites,
    both_are_up,
    nothing_is_left,
    until_in_use,
)
from tests.acceptance.ordering import command

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
RESIDENT_HZ, HERE_HZ, COUNSELOR_HZ, SUPERVISOR_HZ = 1100.0, 1200.0, 1300.0, 1500.0
TALK_S, ENOUGH_S = 1.2, 0.6
CODE = "*31"
SUPERVISORS = """
supervisors:
  kim: {name: 김팀장, site: gyeongnam, endpoint: PJSIP/205, queues: [gyeongnam, changwon]}
  lee: {name: 이팀장, site: changwon, endpoint: PJSIP/205, queues: [gyeongnam, changwon]}
  min: {name: 민팀장, site: changwon, endpoint: PJSIP/206, queues: [gyeongnam, changwon]}
supervision: {code: "*31"}
"""
SITE_OF = {"kim": PROVINCE, "lee": CHANGWON}


def supervisors(config: Path) -> None:
    """At both sites, two of them at phones of the same name."""
    (config / "supervisors.yaml").write_text(SUPERVISORS, encoding="utf-8")


async def modes(centre: Centre) -> list[str | None]:
    """In which modes the only call is heard."""
    (call,) = (await centre.status())["calls"]

    def get() -> Any:
        url = f"{centre.daemon.url}/api/v1/calls/{call['call']}/supervision"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http URL
            return json.load(answer)

    return [one["mode"] for one in (await asyncio.to_thread(get))["hearings"]]


async def until_mode(centre: Centre, *wanted: str) -> None:
    async with asyncio.timeout(10):
        while await modes(centre) != list(wanted):  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(POLL_S)


def seconds(phone: Baresip, tone_hz: float) -> float:
    return audio.heard_seconds(phone.heard(), tone_hz)


async def answers(centre: Centre, mode: str, agent: str, supervisor: str, listener: Baresip) -> None:
    """Order it, and answer the supervisor's phone, which rings."""
    await command(centre, "supervise", mode, "--agent", agent, "--phone", supervisor)
    await listener.incoming()
    await listener.accept()
    await listener.established()


async def test_supervisors_of_both_sites_hear_a_counselor_at_the_other_as_far_as_the_trunk_has_room(
    office: MakeCentre, caller: Phone, phone: Phone, sites: Sites
) -> None:
    centre = await office(("301",), channels=2, edit=supervisors)
    resident = await caller(PROVINCE, RESIDENT, tone_hz=RESIDENT_HZ)
    counselor = await phone(CHANGWON, "301", tone_hz=COUNSELOR_HZ)
    here = await phone(PROVINCE, "205", tone_hz=HERE_HZ)
    there = await phone(CHANGWON, "205", tone_hz=SUPERVISOR_HZ)
    await centre.talk(resident, counselor)
    await asyncio.sleep(TALK_S / 2)  # baresip loses a stream that changes its source within its first packets
    await answers(centre, "barge", "301", "lee", there)
    await until_mode(centre, "barge")
    await until_in_use(centre, 2)
    refused = await asyncio.to_thread(centre.daemon.run, "supervise", "listen", "--agent", "301", "--phone", "min")
    await answers(centre, "whisper", "301", "kim", here)
    await until_mode(centre, "barge", "whisper")
    await asyncio.sleep(TALK_S)  # people talking
    await resident.hang_up()
    await counselor.closed()
    await asyncio.gather(here.closed(), there.closed())

    assert refused.returncode == 1
    assert "no trunk from gyeongnam to changwon has a free channel: gyeongnam-changwon" in refused.stderr
    for supervisor in (here, there):
        assert seconds(supervisor, RESIDENT_HZ) >= ENOUGH_S
        assert seconds(supervisor, COUNSELOR_HZ) >= ENOUGH_S
    assert seconds(counselor, SUPERVISOR_HZ) >= ENOUGH_S
    assert seconds(counselor, HERE_HZ) >= ENOUGH_S
    assert seconds(resident, SUPERVISOR_HZ) >= ENOUGH_S
    assert seconds(resident, HERE_HZ) == 0
    await nothing_is_left(centre, sites)


@pytest.mark.parametrize(
    ("calls", "agent", "supervisor", "channels"),
    [(PROVINCE, "201", "lee", 1), (CHANGWON, "201", "kim", 2)],
    ids=["the supervisor is elsewhere", "the caller is"],
)
async def test_a_supervisor_listens_whispers_and_barges_in_wherever_the_three_are(
    office: MakeCentre,
    caller: Phone,
    phone: Phone,
    sites: Sites,
    calls: str,
    agent: str,
    supervisor: str,
    channels: int,
) -> None:
    by_code = calls == CHANGWON
    centre = await office((agent,), channels=2, edit=supervisors)
    resident = await caller(calls, RESIDENT, tone_hz=RESIDENT_HZ)
    counselor = await phone(PROVINCE, agent, tone_hz=COUNSELOR_HZ)
    listener = await phone(SITE_OF[supervisor], "205", tone_hz=SUPERVISOR_HZ)
    await centre.talk(resident, counselor)
    await asyncio.sleep(TALK_S / 2)
    if by_code:
        await listener.dial(f"{CODE}{agent}")
        await listener.established()
    else:
        await answers(centre, "listen", agent, supervisor, listener)
    await until_mode(centre, "listen")
    await until_in_use(centre, channels)
    if by_code:
        await centre.kill()
        await centre.restart()
        await both_are_up(centre)
        await until_mode(centre, "listen")
        await until_in_use(centre, channels)
    await listener.press("5")
    await until_mode(centre, "whisper")
    await asyncio.sleep(TALK_S)
    await listener.press("6")
    await until_mode(centre, "barge")
    await asyncio.sleep(TALK_S)
    await resident.hang_up()
    await counselor.closed()
    await listener.closed()

    for tone_hz in (RESIDENT_HZ, COUNSELOR_HZ):
        assert seconds(listener, tone_hz) >= 2 * ENOUGH_S
    assert seconds(listener, SUPERVISOR_HZ) == 0
    assert seconds(counselor, SUPERVISOR_HZ) == pytest.approx(2 * TALK_S, abs=0.8)
    assert seconds(resident, SUPERVISOR_HZ) == pytest.approx(TALK_S, abs=0.5)
    (hearing,) = (await centre.cdr()).hearings
    assert (hearing.supervisor, hearing.modes) == (supervisor, ("listen", "whisper", "barge"))
    await nothing_is_left(centre, sites)
