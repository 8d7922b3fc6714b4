"""The callers and phones without sound, on the real Asterisk: each scenario does what its name says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lab.asterisk import LabAsterisk
from lab.desk_phone import DeskPhone
from lab.sipp import Sipp, registered
from lab.testing import FALLBACK_RINGS_S

pytestmark = pytest.mark.asterisk

CALLERS = "127.0.0.2"
PHONES = "127.0.0.3"


@asynccontextmanager
async def phone(asterisk: LabAsterisk, extension: str, scenario: str, *, pause_ms: int = 0) -> AsyncIterator[Sipp]:
    sipp = Sipp(scenario, address=PHONES, service=extension, pause_ms=pause_ms)
    async with sipp, registered(asterisk, extension, sipp):
        yield sipp


async def test_a_caller_hangs_up_on_a_phone_that_answered(lab_asterisk: LabAsterisk) -> None:
    async with phone(lab_asterisk, "201", "uas_answer", pause_ms=300) as called:
        async with Sipp(
            "uac_talk", address=CALLERS, target=lab_asterisk.sip_address, caller="0559991111", pause_ms=3500
        ) as caller:
            invite = await called.saw("INVITE")
            outcome = (await caller.result()).check()
        (await called.result()).check()

    assert "<sip:0559991111@" in invite
    assert outcome.successful == 1
    assert outcome.retransmissions == 0


async def test_a_phone_that_answered_hangs_up_on_the_caller(lab_asterisk: LabAsterisk) -> None:
    async with phone(lab_asterisk, "201", "uas_answer_hangup", pause_ms=300) as called:
        async with Sipp("uac_listen", address=CALLERS, target=lab_asterisk.sip_address) as caller:
            (await caller.result()).check()
        (await called.result()).check()


@pytest.mark.parametrize(
    ("scenario", "answer"), [("uas_busy", "486"), ("uas_decline", "603"), ("uas_congested", "503")]
)
async def test_a_phone_that_refuses_sends_the_caller_on(lab_asterisk: LabAsterisk, scenario: str, answer: str) -> None:
    async with (
        phone(lab_asterisk, "202", scenario) as called,
        Sipp("uac_listen", address=CALLERS, target=lab_asterisk.sip_address) as caller,
    ):
        (await called.result()).check()
        (await caller.result()).check()
        assert called.sent(f"SIP/2.0 {answer}")


async def test_a_phone_that_nobody_takes_stops_ringing(lab_asterisk: LabAsterisk) -> None:
    async with phone(lab_asterisk, "203", "uas_ring_forever") as called:
        async with Sipp("uac_listen", address=CALLERS, target=lab_asterisk.sip_address) as caller:
            await called.saw("INVITE")
            await called.saw("CANCEL", timeout_s=FALLBACK_RINGS_S + 2)
            (await caller.result()).check()
        (await called.result()).check()


async def test_a_phone_stops_ringing_at_once_when_the_caller_hangs_up(lab_asterisk: LabAsterisk) -> None:
    async with phone(lab_asterisk, "204", "uas_ring_forever") as called:
        async with Sipp("uac_talk", address=CALLERS, target=lab_asterisk.sip_address, pause_ms=1800) as caller:
            await called.saw("INVITE")
            (await caller.result()).check()
            await called.saw("CANCEL", timeout_s=0.5)
        (await called.result()).check()


async def test_a_phone_that_has_gone_is_not_rung(lab_asterisk: LabAsterisk) -> None:
    async with phone(lab_asterisk, "205", "uas_answer") as called:
        pass
    contacts = await asyncio.to_thread(lab_asterisk.cli, "pjsip show contacts")

    assert f":{called.port}" not in contacts


async def test_a_desk_phone_is_registered_until_it_is_switched_off(lab_asterisk: LabAsterisk) -> None:
    password = lab_asterisk.credentials.phone_passwords["205"]
    async with DeskPhone("205", PHONES, server=lab_asterisk.sip_address, password=password) as left:
        assert lab_asterisk.registered() == ["205"]
    assert lab_asterisk.registered() == [], left.trace()


async def test_a_caller_gives_up_before_any_answer() -> None:
    called = Sipp("uas_ring_forever", address=PHONES)
    async with called, Sipp("uac_cancel", address=CALLERS, target=f"{PHONES}:{called.port}", pause_ms=300) as caller:
        (await caller.result()).check()
        (await called.result()).check()
