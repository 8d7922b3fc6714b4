"""A supervisor hears a conversation, whispers and barges in, on a real Asterisk: who hears whom, by their tones."""

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from tests.acceptance.centre import POLL_S, Centre, MakeCentre, People
from tests.acceptance.ordering import audit, command, hears

pytestmark = pytest.mark.asterisk

RESIDENT, AGENT, PHONE, OTHER = "0552251234", "201", "202", "203"
RESIDENT_HZ, COUNSELOR_HZ, SUPERVISOR_HZ = 1100.0, 1300.0, 1500.0
TALK_S, ENOUGH_S = 2.0, 1.5
CODE = "*31"

SUPERVISORS = """
supervisors:
  kim: {name: 김팀장, site: gyeongnam, endpoint: PJSIP/202, queues: [changwon]}
  lee: {name: 이팀장, site: gyeongnam, endpoint: PJSIP/203, queues: [gyeongnam]}
supervision: {code: "*31"}
"""


def supervisors(config: Path) -> None:
    """Let 202 hear the callers of Changwon, and 203 those of the province."""
    (config / "supervisors.yaml").write_text(SUPERVISORS, encoding="utf-8")


class Talk:
    """A resident and a counselor who talk, and a supervisor's phone, each in a tone."""

    def __init__(self, office: Centre, resident: Baresip, phone: Baresip, supervisor: Baresip) -> None:
        self.office, self.resident, self.phone, self.supervisor = office, resident, phone, supervisor

    async def let_hear(self, mode: str) -> None:
        """Order it by command, and answer the supervisor's phone."""
        await command(self.office, "supervise", mode, "--agent", AGENT, "--phone", "kim")
        await self.supervisor.incoming()
        await self.supervisor.accept()
        await self.supervisor.established()
        await self.until_mode(mode)

    async def until_mode(self, mode: str | None) -> None:
        """Wait until the supervisor hears in ``mode``; None: until nobody hears."""
        async with asyncio.timeout(10):
            while await self.modes() != ([mode] if mode else []):  # noqa: ASYNC110 - nobody tells when
                await asyncio.sleep(POLL_S)

    async def modes(self) -> list[str | None]:
        """In which modes the call is heard."""
        (call,) = (await self.office.status())["calls"]
        document = await asyncio.to_thread(self._supervision, call["call"])
        return [one["mode"] for one in document["hearings"]]

    def _supervision(self, call: str) -> Any:
        url = f"{self.office.daemon.url}/api/v1/calls/{call}/supervision"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http URL
            return json.load(answer)

    async def end(self) -> None:
        """The resident hangs up, and all phones are silent."""
        await self.resident.hang_up()
        await self.phone.closed(timeout_s=2)
        await self.resident.closed()


@pytest.fixture
async def talk(caller: People, counselor: People, centre: MakeCentre) -> Talk:
    office = await centre(agents=(AGENT,), edit=supervisors)
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    phone, supervisor = await counselor(AGENT, tone_hz=COUNSELOR_HZ), await counselor(PHONE, tone_hz=SUPERVISOR_HZ)
    await office.talk(resident, phone)
    # People talking: baresip loses a stream that changes its source (SSRC) within its first packets.
    await asyncio.sleep(TALK_S / 2)
    return Talk(office, resident, phone, supervisor)


@pytest.mark.parametrize(
    ("mode", "counselor_hears", "resident_hears"),
    [("listen", False, False), ("whisper", True, False), ("barge", True, True)],
)
async def test_who_hears_a_supervisor_is_as_the_mode_says_and_he_hears_both(
    talk: Talk, mode: str, *, counselor_hears: bool, resident_hears: bool
) -> None:
    await talk.let_hear(mode)
    await asyncio.sleep(TALK_S)  # people talking
    await talk.supervisor.hang_up()
    await talk.supervisor.closed()
    await talk.until_mode(None)
    await asyncio.sleep(TALK_S)  # people talking on
    await talk.end()

    for tone_hz in (RESIDENT_HZ, COUNSELOR_HZ):
        assert audio.heard_seconds(talk.supervisor.heard(), tone_hz) >= ENOUGH_S
    assert audio.heard_seconds(talk.supervisor.heard(), SUPERVISOR_HZ) == 0, "he does not hear himself"
    for by, hears_him, other_hz in (
        (talk.phone, counselor_hears, RESIDENT_HZ),
        (talk.resident, resident_hears, COUNSELOR_HZ),
    ):
        him_s = audio.heard_seconds(by.heard(), SUPERVISOR_HZ)
        assert him_s == 0 or hears_him, "he is heard"
        assert him_s >= ENOUGH_S or not hears_him, "he is not heard"
        assert audio.heard_seconds(by.heard(), other_hz) >= 2 * ENOUGH_S, "the two hear one another all the time"
    (hearing,) = (await talk.office.cdr()).hearings
    assert (hearing.supervisor, hearing.agent, hearing.modes) == ("kim", AGENT, (mode,))
    began, ended = await audit(talk.office, 2)
    assert (began["kind"], began["was"], began["becomes"], began["via"]) == ("supervision", "none", mode, "command")
    assert (ended["was"], ended["becomes"]) == (mode, "none")
    assert "kim at 201" in ended["note"]


async def test_a_supervisor_dials_the_code_and_changes_by_keys_that_nobody_hears(talk: Talk) -> None:
    await talk.supervisor.dial(f"{CODE}{AGENT}")
    await talk.supervisor.established()
    await talk.until_mode("listen")
    for key, mode in (("5", "whisper"), ("6", "barge"), ("4", "listen")):
        await talk.supervisor.press(key)
        await talk.until_mode(mode)
        await asyncio.sleep(TALK_S)  # people talking
    await talk.end()
    await talk.supervisor.closed(timeout_s=2)

    whispered_s = audio.heard_seconds(talk.phone.heard(), SUPERVISOR_HZ)
    barged_s = audio.heard_seconds(talk.resident.heard(), SUPERVISOR_HZ)
    assert barged_s == pytest.approx(TALK_S, abs=0.6)
    assert whispered_s == pytest.approx(2 * TALK_S, abs=0.8)
    (hearing,) = (await talk.office.cdr()).hearings
    assert hearing.modes == ("listen", "whisper", "barge", "listen")


async def test_a_phone_that_may_not_hear_the_conversation_is_told_so_by_announcement_and_by_command(
    talk: Talk, counselor: People
) -> None:
    other = await counselor(OTHER)
    await hears(other, f"{CODE}{AGENT}", "supervise-refused")
    await hears(talk.supervisor, f"{CODE}299", "supervise-nobody")
    done = await asyncio.to_thread(talk.office.daemon.run, "supervise", "listen", "--agent", AGENT, "--phone", "lee")
    await talk.end()

    assert done.returncode == 1
    assert "lee may not hear call" in done.stderr
    assert "(queue changwon, tenant changwon)" in done.stderr
    assert (await talk.office.cdr()).hearings == ()


async def test_the_conversation_outlives_the_daemon_and_the_next_one_knows_who_hears_it(
    talk: Talk, lab_asterisk: LabAsterisk
) -> None:
    await talk.let_hear("listen")
    await talk.office.kill()
    await asyncio.sleep(TALK_S)  # people talking while no daemon is there
    await talk.office.restart()
    await talk.until_mode("listen")
    await talk.supervisor.press("5")
    await talk.until_mode("whisper")
    await asyncio.sleep(TALK_S)  # people talking
    await talk.end()
    await talk.supervisor.closed(timeout_s=2)

    assert audio.heard_seconds(talk.resident.heard(), COUNSELOR_HZ) >= 2 * ENOUGH_S
    assert audio.heard_seconds(talk.phone.heard(), SUPERVISOR_HZ) >= ENOUGH_S
    assert audio.heard_seconds(talk.resident.heard(), SUPERVISOR_HZ) == 0
    (hearing,) = (await talk.office.cdr()).hearings
    assert hearing.modes == ("listen", "whisper")
    assert lab_asterisk.channels() == []


async def test_the_next_daemon_ends_a_supervisor_whose_conversation_is_over(
    talk: Talk, lab_asterisk: LabAsterisk
) -> None:
    await talk.let_hear("listen")
    await talk.office.kill()
    await talk.resident.hang_up()
    await talk.resident.closed()
    await talk.office.restart()
    await talk.supervisor.closed()

    (hearing,) = (await talk.office.cdr()).hearings
    assert hearing.modes == ("listen",)
    assert lab_asterisk.channels() == []
