"""A counselor logs in at any phone by number and PIN, and is rung there, on a real Asterisk."""

from pathlib import Path

import pytest

from callrouter.core.pins import Pin
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.testing import DEADLINE_S, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.ordering import TOLERANCE_S, audit, command, hears

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
NUMBER, PIN, DESK, LOGIN, PAUSE = "11", "258036", "*13", "*11", "*12"


def with_a_guest(config: Path) -> None:
    """One more counselor, who has no phone of his own."""
    pin = Pin.of(PIN, bytes(16)).text
    path = config / "agents.yaml"
    guest = f'  "{NUMBER}": {{name: 순환 상담사, site: gyeongnam, queues: changwon, tenant: changwon, pin: "{pin}"}}\n'
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("agents:\n", "agents:\n" + guest, 1), encoding="utf-8")


async def log_in(phone: Baresip, pin: str = PIN) -> str | None:
    """Dial the code, number and PIN; which prompt was heard in the end."""
    await phone.dial(DESK)
    await phone.established()
    for key in f"{NUMBER}#{pin}#":
        await phone.press(key)
    await phone.closed(timeout_s=2 * PROMPT_S + DEADLINE_S + 4)
    heard = phone.heard()
    words = ("loggedin", "refused", "locked", "taken")
    found = [word for word in words if audio.tone_seconds(heard, PROMPT_HZ[f"agent-{word}"]) > PROMPT_S - TOLERANCE_S]
    return found[0] if len(found) == 1 else None


async def test_a_counselor_without_a_phone_is_rung_where_he_logged_in_over_a_crash_and_moves(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=("201",), edit=with_a_guest)
    resident, window, counter = await caller(RESIDENT), await counselor("203"), await counselor("204")
    await office.until_agent(NUMBER, "unreachable")

    assert await log_in(window) == "loggedin"
    await office.until_agent(NUMBER, "available")
    await office.kill()
    await office.restart()
    await office.until_agent(NUMBER, "available")
    await office.talk(resident, window)
    await resident.hang_up()
    await window.closed()
    await office.until_agent(NUMBER, "available")

    assert await log_in(counter) == "loggedin"
    await office.until_agent(NUMBER, "available")
    await office.talk(resident, counter)
    await resident.hang_up()
    await counter.closed()
    await hears(window, LOGIN, "agent-unknown")
    await hears(counter, LOGIN, "agent-loggedout")

    assert [cdr.agent for cdr in await office.cdrs(2)] == [NUMBER, NUMBER]
    assert PIN not in office.daemon.log_text() + lab_asterisk.log_text()
    moved = [entry for entry in await audit(office, 4) if entry["kind"] == "desk"]
    assert [entry["becomes"] for entry in moved] == ["gyeongnam:PJSIP/203", "gyeongnam:PJSIP/204", ""]


async def test_wrong_pins_lock_also_for_the_next_daemon(counselor: People, centre: MakeCentre) -> None:
    office = await centre(agents=("201",), edit=with_a_guest)
    phone, other = await counselor("203"), await counselor("204")

    assert [await log_in(phone, "000000") for _ in range(3)] == ["refused"] * 3
    assert await log_in(other) == "locked"
    await office.kill()
    await office.restart()
    assert await log_in(other) == "locked"


async def test_whose_phone_is_taken_is_logged_out_and_gets_it_back(counselor: People, centre: MakeCentre) -> None:
    office = await centre(agents=("201",), edit=with_a_guest)
    phone = await counselor("201")

    assert await log_in(phone) == "loggedin"
    await office.until_agent("201", "logged-out")
    await hears(phone, PAUSE, "agent-paused")
    await office.until_agent(NUMBER, "paused")
    await hears(phone, LOGIN, "agent-loggedout")
    await hears(phone, LOGIN, "agent-loggedin")
    await office.until_agent("201", "available")
    assert "log" not in (await command(office, "agent")).splitlines()[-1]
