"""The province and Changwon, each with an Asterisk of its own, and people at phones of both."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.desk_phone import DeskPhone
from lab.phones import CARRIER_ADDRESS
from tests.acceptance.centre import Centre, MakeCentre
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.sites import asterisks, move_to, password_variable, write_sites

PROVINCE, CHANGWON = "gyeongnam", "changwon"
TRUNK = f"{PROVINCE}-{CHANGWON}"

Sites = Mapping[str, LabAsterisk]
Phone = Callable[..., Awaitable[Baresip]]
Desk = Callable[..., Awaitable[DeskPhone]]


@pytest.fixture(scope="package")
def sites(agi_port: int) -> Iterator[Sites]:
    """Both Asterisks, with a trunk between them."""
    with asterisks(agi_port, PROVINCE, CHANGWON) as running:
        yield running


@pytest.fixture
async def office(sites: Sites, agi_port: int, database: str, tmp_path: Path) -> AsyncIterator[MakeCentre]:
    """``await office(("201", "301"), channels=2, edit=…)``: the daemon over both; 301 and 302 are at Changwon."""
    made: list[Centre] = []

    async def make(
        agents: tuple[str, ...], channels: int = 4, edit: Callable[[Path], None] | None = None, **wanted: Any
    ) -> Centre:
        def edit_all(config: Path) -> None:
            write_sites(config, sites, [(PROVINCE, CHANGWON, channels)])
            move_to(config, CHANGWON, *(agent for agent in agents if agent.startswith("3")))
            if edit is not None:
                edit(config)

        new = Centre(
            sites[PROVINCE],
            tmp_path / f"centre-{len(made)}",
            agi_port=agi_port,
            database_url=database,
            agents=agents,
            edit=edit_all,
            settings={password_variable(name): site.ari.password for name, site in sites.items()},
            **wanted,
        )
        made.append(new)
        await new.start()
        await both_are_up(new)
        return new

    yield make
    for one in made:
        one.daemon.kill()


def in_use(status: dict[str, Any]) -> list[int]:
    """How many channels of the trunk between the two are."""
    return [trunk["in_use"] for trunk in status["trunks"] if trunk["trunk"] == TRUNK]


async def until_in_use(centre: Centre, channels: int) -> None:
    await centre.until(f"{channels} channels in use", lambda now: in_use(now) == [channels])


async def nothing_is_left(centre: Centre, sites: Sites) -> None:
    """Wait until no trunk carries a call, and neither Asterisk has a channel."""
    await centre.until("no trunk carries a call", lambda now: not any(trunk["in_use"] for trunk in now["trunks"]))
    await centre.until("no channel is left", lambda _: not any(site.channels() for site in sites.values()))


async def both_are_up(centre: Centre) -> None:
    await centre.until("both sites are up", lambda status: all(site["up"] for site in status["sites"]))


@pytest.fixture
async def caller(sites: Sites) -> AsyncIterator[Phone]:
    """``await caller("changwon", "0552251234", tone_hz=1100)``: a resident who reaches that site."""
    async with AsyncExitStack() as stack:

        async def make(site: str, number: str, *, tone_hz: float | None = None) -> Baresip:
            phone = Baresip(number, CARRIER_ADDRESS, server=sites[site].sip_address, tone_hz=tone_hz)
            return await stack.enter_async_context(phone)

        yield make


@pytest.fixture
async def outside(sites: Sites) -> AsyncIterator[Phone]:
    """``await outside("01012345678")``: the one phone of the telephone network that the province's trunk reaches."""
    async with AsyncExitStack() as stack:

        async def make(number: str, *, tone_hz: float | None = None) -> Baresip:
            site = sites[PROVINCE]
            phone = Baresip(
                number, CARRIER_ADDRESS, server=site.sip_address, tone_hz=tone_hz, port=site.settings.carrier_port
            )
            return await stack.enter_async_context(phone)

        yield make


@pytest.fixture
async def phone(sites: Sites) -> AsyncIterator[Phone]:
    """``await phone("changwon", "301", tone_hz=1300)``: that phone of that site, registered; each site has all."""
    async with AsyncExitStack() as stack:

        async def make(site: str, extension: str, *, tone_hz: float | None = None) -> Baresip:
            there = sites[site]
            made = Baresip(
                extension,
                PHONES_ADDRESS,
                server=there.sip_address,
                password=there.credentials.phone_passwords[extension],
                tone_hz=tone_hz,
            )
            return await stack.enter_async_context(made)

        yield make


@pytest.fixture
async def desk(sites: Sites) -> AsyncIterator[Desk]:
    """As ``phone``, with several lines."""
    async with AsyncExitStack() as stack:

        async def make(site: str, extension: str, *, tone_hz: float | None = None) -> DeskPhone:
            there = sites[site]
            password = there.credentials.phone_passwords[extension]
            made = DeskPhone(extension, PHONES_ADDRESS, server=there.sip_address, password=password, tone_hz=tone_hz)
            return await stack.enter_async_context(made)

        yield make


@pytest.fixture(autouse=True)
def hang_up_all(sites: Sites) -> Iterator[None]:
    """Leave no call of one test to the next."""
    yield
    for site in sites.values():
        site.cli("channel request hangup all")
