"""How a conversation comes about that a test is about: who calls whom, until the two speak, each in a tone."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.desk_phone import DeskPhone, Line
from tests.acceptance.centre import PATIENCE_S, POLL_S, Centre, MakeCentre, People

RESIDENT = "0552251234"
RESIDENT_HZ, FIRST_HZ, SECOND_HZ = 1100.0, 1300.0, 1500.0
"""What the resident says, the counselor 201, and his colleague 202."""
TALK_S = 2.0

Edit = Callable[[Path], None]


async def answers(phone: Baresip, *, timeout_s: float = 10.0) -> None:
    """Ring, and be answered."""
    await phone.incoming(timeout_s=timeout_s)
    await phone.accept()
    await phone.established()


async def people_talk(seconds: float = TALK_S) -> None:
    """Nothing is waited for: people talk, and their tones are heard."""
    await asyncio.sleep(seconds)


async def dials_and_hears(resident: Baresip, asterisk: LabAsterisk, said: str) -> None:
    """Have the resident dial 120, and wait until Asterisk's log has ``said``: that it plays what it was told to.

    The status page may show what is decided some milliseconds before Asterisk has been told.
    """
    began = len(asterisk.log_text())
    await resident.dial("120")
    async with asyncio.timeout(PATIENCE_S):
        while said not in asterisk.log_text()[began:]:  # noqa: ASYNC110 - it tells nobody else
            await asyncio.sleep(POLL_S)


async def a_talk(
    caller: People,
    counselor: People,
    centre: MakeCentre,
    edit: Edit | None = None,
    agents: tuple[str, ...] = ("201",),
) -> tuple[Centre, Baresip, Baresip]:
    """A resident talks to the counselor 201; whoever else is at work is in his wrap-up when he can be."""
    office = await centre(agents=agents, edit=edit)
    resident = await caller(RESIDENT, tone_hz=RESIDENT_HZ)
    first = await counselor("201", tone_hz=FIRST_HZ)
    await office.talk(resident, first)
    return office, resident, first


async def a_caller_on_hold(resident: Baresip, first: DeskPhone, office: Centre) -> Line:
    """A resident talks to the counselor at a phone with several lines, who then puts him on hold."""
    line = await a_line_answered(resident, first, office)
    await line.hold()
    await office.until("the caller is on hold", lambda now: [c["held"] for c in now["calls"]] == [True])
    return line


async def a_line_answered(resident: Baresip, first: DeskPhone, office: Centre) -> Line:
    """A resident talks to the counselor at a phone with several lines."""
    await office.until_agent(first.user, "available")
    await resident.dial("120")
    line = await first.incoming()
    await line.answer()
    await office.until_call("connected")
    return line


async def a_colleague_asked(first: DeskPhone, counselor: People, office: Centre) -> tuple[Line, Baresip]:
    """The counselor has dialled the colleague 202, and talks to him."""
    second = await counselor("202", tone_hz=SECOND_HZ)
    await office.until_agent("202", "available")
    asked = await first.dial("202")
    await second.incoming()
    await asked.rings()
    await second.accept()
    await asked.established()
    await office.until_agent("202", "on-call")
    return asked, second
