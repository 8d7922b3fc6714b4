"""The daemon is asked to end (SIGTERM) while calls pour in: each is finished by it, or served by the fallback."""

import asyncio
import re

import pytest

from callrouter.core.cdr import Outcome
from callrouter.store.postgres import CdrSearch, open_archive
from lab.asterisk import LabAsterisk
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from tests.acceptance.centre import MakeCentre

pytestmark = pytest.mark.asterisk

SUNDAY = "2026-11-29T15:00"
CALLS, TAKEN = 20, 5
TO_FALLBACK = re.compile(r"NOTICE\[.*: callrouter is away: ")


async def test_who_calls_in_the_second_in_which_the_daemon_is_asked_to_end_is_served_by_it_or_by_the_fallback(
    lab_asterisk: LabAsterisk, centre: MakeCentre, database: str
) -> None:
    office = await centre(clock=SUNDAY)  # everybody hears that it is closed
    began = len(lab_asterisk.log_text())
    async with Sipp(
        "uac_listen", address=CARRIER_ADDRESS, target=lab_asterisk.sip_address, count=CALLS, rate_per_s=CALLS
    ) as callers:
        await office.until("some are taken", lambda status: status["totals"]["arrived"] >= TAKEN)
        office.daemon.terminate()
        ended = await asyncio.to_thread(office.daemon.wait_ended)
        result = (await callers.result()).check()
    async with open_archive(database) as archive:
        records = await archive.find(CdrSearch())

    served = [cdr for cdr in records if cdr.outcome is Outcome.CLOSED]
    sent_on = [cdr for cdr in records if cdr.outcome is Outcome.REJECTED]
    to_fallback = len(TO_FALLBACK.findall(lab_asterisk.log_text()[began:]))
    assert ended == 0
    assert result.successful == CALLS
    assert len(served) >= TAKEN
    assert len(served) + len(sent_on) == len(records)
    assert len(served) + to_fallback == CALLS, "somebody was served twice, or is in no record and in no fallback"
    assert 0 < len(sent_on) <= to_fallback, "nobody came while it drained: the test shows nothing"
