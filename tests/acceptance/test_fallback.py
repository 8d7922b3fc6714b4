"""Nobody hears nothing: with no daemon at all, Asterisk alone rings the counselors, then says sorry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED
from lab.testing import DEADLINE_S, FALLBACK_RINGS_S, PROMPT_HZ, PROMPT_S, RING_BACK_HZ
from tests.acceptance.centre import People

pytestmark = pytest.mark.asterisk


RESIDENT_HZ = 1100.0
COUNSELOR_HZ = 1300.0
TALK_S = 2.0
ENOUGH_S = 1.5
TOLERANCE_S = 0.25


async def test_without_a_daemon_a_resident_and_a_counselor_hear_each_other(caller: People, counselor: People) -> None:
    resident = await caller("0552251234", tone_hz=RESIDENT_HZ)
    phone = await counselor("201", tone_hz=COUNSELOR_HZ)

    await resident.dial("120")
    ringing = await phone.incoming()
    await phone.accept()
    await phone.established()
    await asyncio.sleep(TALK_S)  # people talking, not waiting for an event
    await resident.hang_up()
    await phone.closed()
    await resident.closed()

    assert "0552251234" in ringing.peer
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= ENOUGH_S
    assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S
    assert audio.tone_seconds(phone.heard(), COUNSELOR_HZ) == 0, "the counselor hears himself"
    assert audio.tone_seconds(resident.heard(), RESIDENT_HZ) == 0, "the resident hears himself"


async def test_all_phones_of_the_ring_group_ring_and_stop_when_one_answers(caller: People, counselor: People) -> None:
    resident = await caller("0101234567")
    first, second = await counselor("202"), await counselor("301")

    await resident.dial("120")
    await first.incoming()
    await second.incoming()
    await second.accept()
    await second.established()

    await first.closed(timeout_s=2)
    await second.hang_up()
    await resident.closed()


async def test_while_the_phones_ring_the_resident_hears_the_announcement_and_a_ring_tone(
    caller: People, counselor: People
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("203")

    await resident.dial("120")
    await phone.incoming()
    await asyncio.sleep(1.5)  # a ring tone lasts one second of three
    await resident.hang_up()
    await phone.closed(timeout_s=2)
    await resident.closed()

    heard = resident.heard()
    assert audio.tone_seconds(heard, PROMPT_HZ["fallback-wait"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(heard, *RING_BACK_HZ) >= 0.5


async def test_when_nobody_answers_the_resident_is_told_so_before_the_line_is_closed(
    caller: People, counselor: People
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("204")

    await resident.dial("120")
    await phone.incoming()
    await phone.closed(timeout_s=FALLBACK_RINGS_S + 2)
    await resident.closed(timeout_s=PROMPT_S + 3)

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["fallback-sorry"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)


async def test_with_no_phone_registered_the_resident_is_told_so_at_once(
    caller: People, lab_asterisk: LabAsterisk
) -> None:
    assert lab_asterisk.registered() == [], "this test needs phones that are away"
    resident = await caller("+82552251234")

    await resident.dial("+82120")
    await resident.established()
    await resident.closed(timeout_s=2 * PROMPT_S + 3)

    heard = resident.heard()
    assert audio.tone_seconds(heard, PROMPT_HZ["fallback-wait"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(heard, PROMPT_HZ["fallback-sorry"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)


@asynccontextmanager
async def application_that_does_nothing(asterisk: LabAsterisk) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A daemon that is connected and hangs: it reads nothing and never does anything with a call."""
    access = asterisk.ari
    async with (
        aiohttp.ClientSession(headers=access.headers) as session,
        session.ws_connect(f"{access.url}/events?app=callrouter") as socket,
    ):
        yield socket


async def test_a_daemon_that_takes_the_call_and_hangs_loses_it_to_the_fallback(
    caller: People, counselor: People, lab_asterisk: LabAsterisk
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("205")

    async with application_that_does_nothing(lab_asterisk):
        await resident.dial("120")
        ringing = await phone.incoming(timeout_s=DEADLINE_S + PROMPT_S + 2)
        await phone.accept()
        await phone.established()
        await asyncio.sleep(DEADLINE_S + 1)  # longer than the dead man's switch, which must be lifted by now
        assert not phone.seen(CLOSED)
        await phone.hang_up()
        await resident.closed()

    assert "0552251234" in ringing.peer


async def test_a_daemon_that_dies_with_the_caller_inside_loses_him_to_the_fallback(
    caller: People, counselor: People, lab_asterisk: LabAsterisk
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("206")

    async with application_that_does_nothing(lab_asterisk) as socket:
        await resident.dial("120")
        arrived = await socket.receive_json(timeout=5)
        while arrived["type"] != "StasisStart":
            arrived = await socket.receive_json(timeout=5)
    await phone.incoming(timeout_s=DEADLINE_S + PROMPT_S + 2)

    assert arrived["args"] == ["inbound", "120", ""], "what was dialled, and how often it was sent on"
