"""A real Asterisk for the acceptance tests, and people who call and answer. Never skipped: no lab, red."""

import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from lab import ports, testing, tools
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.desk_phone import DeskPhone
from lab.phones import CARRIER_ADDRESS
from tests.acceptance.centre import Centre, Desk, MakeCentre, People

PHONES_ADDRESS = "127.0.0.3"
REST_TIMEOUT_S = 5.0

log_start = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def agi_port() -> int:
    """The port at which the tests' Asterisk asks for FastAGI: a daemon under test listens there."""
    return ports.kept_tcp()


@pytest.fixture(scope="session")
def lab_asterisk(agi_port: int) -> Iterator[LabAsterisk]:
    """One running Asterisk for all acceptance tests, with the counselors' phones 201-206 and 301-302."""
    tools.ensure(["sipp", "baresip"])
    asterisk = testing.asterisk_for_tests(agi_port)
    try:
        asterisk.start()
        yield asterisk
    finally:
        asterisk.remove()


@pytest.fixture(autouse=True)
async def asterisk_at_rest(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Leave no call and no phone of one test to the next, and note where in Asterisk's log each test begins."""
    if "lab_asterisk" not in request.fixturenames:
        yield
        return
    asterisk: LabAsterisk = request.getfixturevalue("lab_asterisk")
    request.node.stash[log_start] = len(asterisk.log_text())
    yield
    if asterisk.is_running():
        end_calls(asterisk)
        assert asterisk.channels() == [], "calls of this test do not end"
        await sign_off_phones(asterisk)
        assert asterisk.registered() == [], "phones of this test are still registered"


def end_calls(asterisk: LabAsterisk) -> None:
    asterisk.cli("channel request hangup all")
    deadline = time.monotonic() + REST_TIMEOUT_S
    while asterisk.channels() and time.monotonic() < deadline:
        time.sleep(0.05)


async def sign_off_phones(asterisk: LabAsterisk) -> None:
    """Have a phone register in the place of each that could not say that it goes (a killed one), and then say so."""
    for extension in asterisk.registered():
        password = asterisk.credentials.phone_passwords[extension]
        async with DeskPhone(extension, PHONES_ADDRESS, server=asterisk.sip_address, password=password):
            pass


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what Asterisk logged during a test that failed."""
    report = yield
    asterisk = getattr(item, "funcargs", {}).get("lab_asterisk")
    if report.failed and isinstance(asterisk, LabAsterisk):
        start = item.stash.get(log_start, 0)
        report.sections.append(("Asterisk's log", asterisk.log_text()[start:][-20_000:]))
    return report


@pytest.fixture
async def caller(lab_asterisk: LabAsterisk) -> AsyncIterator[People]:
    """``await caller("0552251234", tone_hz=1100)``: a resident somewhere in the telephone network."""
    async with AsyncExitStack() as stack:

        async def make(number: str, *, tone_hz: float | None = None, display_name: str = "") -> Baresip:
            phone = Baresip(
                number,
                CARRIER_ADDRESS,
                server=lab_asterisk.sip_address,
                tone_hz=tone_hz,
                display_name=display_name,
            )
            return await stack.enter_async_context(phone)

        yield make


@pytest.fixture
async def outside(lab_asterisk: LabAsterisk) -> AsyncIterator[People]:
    """``await outside("01012345678")``: the one phone of the telephone network that calls over the trunk reach."""
    async with AsyncExitStack() as stack:

        async def make(number: str, *, tone_hz: float | None = None) -> Baresip:
            phone = Baresip(
                number,
                CARRIER_ADDRESS,
                server=lab_asterisk.sip_address,
                tone_hz=tone_hz,
                port=lab_asterisk.settings.carrier_port,
            )
            return await stack.enter_async_context(phone)

        yield make


@pytest.fixture
async def counselor(lab_asterisk: LabAsterisk) -> AsyncIterator[People]:
    """``await counselor("201", tone_hz=1300)``: a counselor's phone, registered."""
    async with AsyncExitStack() as stack:

        async def make(extension: str, *, tone_hz: float | None = None) -> Baresip:
            phone = Baresip(
                extension,
                PHONES_ADDRESS,
                server=lab_asterisk.sip_address,
                password=lab_asterisk.credentials.phone_passwords[extension],
                tone_hz=tone_hz,
            )
            return await stack.enter_async_context(phone)

        yield make


@pytest.fixture
async def desk(lab_asterisk: LabAsterisk) -> AsyncIterator[Desk]:
    """``await desk("201", tone_hz=1300)``: a counselor's phone with several lines, registered."""
    async with AsyncExitStack() as stack:

        async def make(extension: str, *, tone_hz: float | None = None) -> DeskPhone:
            password = lab_asterisk.credentials.phone_passwords[extension]
            server = lab_asterisk.sip_address
            phone = DeskPhone(extension, PHONES_ADDRESS, server=server, password=password, tone_hz=tone_hz)
            return await stack.enter_async_context(phone)

        yield make


@pytest.fixture
async def centre(lab_asterisk: LabAsterisk, agi_port: int, database: str, tmp_path: Path) -> AsyncIterator[MakeCentre]:
    """``await centre(agents=("201",), clock="2026-11-24T10:00")``: the daemon, taking calls; see :class:`Centre`."""
    made: list[Centre] = []

    async def make(**wanted: Any) -> Centre:
        folder = tmp_path / f"centre-{len(made)}"
        new = Centre(lab_asterisk, folder, **{"agi_port": agi_port, "database_url": database, **wanted})
        made.append(new)
        await new.start()
        return new

    yield make
    for one in made:
        one.daemon.kill()
    for one in made:
        one.assert_same_again()
