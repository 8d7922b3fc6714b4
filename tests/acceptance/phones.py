"""Phones without a person."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab.asterisk import LabAsterisk
from lab.sipp import Sipp, registered
from tests.acceptance.conftest import PHONES_ADDRESS


@asynccontextmanager
async def phone_that(
    asterisk: LabAsterisk,
    scenario: str,
    extension: str = "201",
    *,
    count: int = 1,
    pause_ms: int = 0,
    timeout_s: float = 30.0,
) -> AsyncIterator[Sipp]:
    """A registered phone that does what ``scenario`` says, each time it rings; for so many seconds at the most."""
    phone = Sipp(
        scenario, address=PHONES_ADDRESS, service=extension, count=count, pause_ms=pause_ms, timeout_s=timeout_s
    )
    async with phone, registered(asterisk, extension, phone):
        yield phone
