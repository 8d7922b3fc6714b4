"""A caller at one site is served by a counselor at another, over the trunk between the two, on real Asterisks."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callrouter.core.cdr import OfferResult, Outcome
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.phones import CARRIER, CARRIER_ADDRESS
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.sites import asterisks, line_to, move_to, password_variable, write_sites

pytestmark = pytest.mark.asterisk

RESIDENT, TALK_S, ENOUGH_S = "0552251234", 2.0, 1.0
LINE = "gyeongnam-changwon"
RESIDENT_HZ, AGENT_HZ = 1100.0, 1300.0


@pytest.fixture(scope="module")
def sites(agi_port: int) -> Iterator[Mapping[str, LabAsterisk]]:
    with asterisks(agi_port, "gyeongnam", "changwon") as running:
        yield running


@pytest.fixture
async def office(
    sites: Mapping[str, LabAsterisk], agi_port: int, database: str, tmp_path: Path
) -> AsyncIterator[MakeCentre]:
    """The province and Changwon, whose counselors 301 and 302 are at Changwon's own Asterisk."""
    made: list[Centre] = []

    async def make(agents: tuple[str, ...] = ("301",), channels: int = 2, **wanted: Any) -> Centre:
        def edit_all(config: Path) -> None:
            write_sites(config, sites, [("gyeongnam", "changwon", channels)])
            move_to(config, "changwon", *(agent for agent in agents if agent.startswith("3")))

        passwords = {password_variable(name): site.ari.password for name, site in sites.items()}
        new = Centre(
            sites["gyeongnam"],
            tmp_path / f"centre-{len(made)}",
            agi_port=agi_port,
            database_url=database,
            agents=agents,
            edit=edit_all,
            settings=passwords,
            **wanted,
        )
        made.append(new)
        await new.start()
        await new.until("both sites are up", lambda status: all(site["up"] for site in status["sites"]))
        return new

    yield make
    for one in made:
        one.daemon.kill()
    for one in made:
        one.assert_same_again()


@pytest.fixture
async def resident(sites: Mapping[str, LabAsterisk]) -> AsyncIterator[Baresip]:
    """Somebody who calls the province."""
    async with Baresip(RESIDENT, CARRIER_ADDRESS, server=sites["gyeongnam"].sip_address, tone_hz=RESIDENT_HZ) as phone:
        yield phone


@pytest.fixture
async def counselor(sites: Mapping[str, LabAsterisk]) -> AsyncIterator[People]:
    """A counselor's phone: 201 at the province, 301 at Changwon."""
    async with AsyncExitStack() as stack:

        async def make(extension: str, *, tone_hz: float | None = AGENT_HZ) -> Baresip:
            site = sites["changwon" if extension.startswith("3") else "gyeongnam"]
            password = site.credentials.phone_passwords[extension]
            phone = Baresip(extension, PHONES_ADDRESS, server=site.sip_address, password=password, tone_hz=tone_hz)
            return await stack.enter_async_context(phone)

        yield make


@pytest.fixture(autouse=True)
def nothing_is_left(sites: Mapping[str, LabAsterisk]) -> Iterator[None]:
    """Leave no call of one test to the next."""
    yield
    for site in sites.values():
        site.cli("channel request hangup all")


def in_use(status: dict[str, Any]) -> list[int]:
    """How many channels of the trunks between sites are."""
    return [trunk["in_use"] for trunk in status["trunks"] if trunk["trunk"] != CARRIER]


async def nothing_is_in_use(centre: Centre, sites: Mapping[str, LabAsterisk]) -> None:
    await centre.until("the trunk is free", lambda now: in_use(now) == [0])
    assert {name: site.channels() for name, site in sites.items()} == {"gyeongnam": [], "changwon": []}


async def test_a_caller_at_the_province_talks_to_a_counselor_at_changwon_over_the_trunk_between_them(
    office: MakeCentre, resident: Baresip, counselor: People, sites: Mapping[str, LabAsterisk]
) -> None:
    centre, phone = await office(), await counselor("301")

    await resident.dial("120")
    await phone.incoming(timeout_s=10)
    await centre.until("a channel of the trunk is taken", lambda now: in_use(now) == [1])
    await phone.accept()
    await centre.until_call("connected")
    await asyncio.sleep(TALK_S)  # people talking
    await resident.hang_up()
    await phone.closed()

    assert audio.tone_seconds(resident.heard(), AGENT_HZ) >= ENOUGH_S
    assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= ENOUGH_S
    cdr = await centre.cdr()
    (leg,) = cdr.legs
    assert (cdr.outcome, cdr.agent, leg.trunk) == (Outcome.HANDLED, "301", LINE)
    assert (leg.far_site, leg.far_channel is not None) == ("changwon", True)
    await nothing_is_in_use(centre, sites)


async def test_a_busy_phone_at_the_other_site_leaves_the_caller_in_line_for_the_next(
    office: MakeCentre, resident: Baresip, counselor: People
) -> None:
    centre = await office(("301", "302"))
    first, second = await counselor("301"), await counselor("302")

    await resident.dial("120")
    await first.incoming(timeout_s=10)
    await first.hang_up()
    await second.incoming()
    await second.accept()
    await centre.until_call("connected")
    await second.hang_up()
    await resident.closed()

    cdr = await centre.cdr()
    assert [(leg.agent, leg.result) for leg in cdr.legs] == [("301", OfferResult.BUSY), ("302", OfferResult.ANSWERED)]


async def test_a_full_trunk_keeps_the_next_caller_waiting_until_a_channel_is_free(
    office: MakeCentre, resident: Baresip, counselor: People, sites: Mapping[str, LabAsterisk]
) -> None:
    centre = await office(("301", "302"), channels=1)
    first, second = await counselor("301"), await counselor("302")
    async with Baresip("0557421111", CARRIER_ADDRESS, server=sites["gyeongnam"].sip_address) as other:
        await resident.dial("120")
        await first.incoming(timeout_s=10)
        await first.accept()
        await centre.until_call("connected")
        await other.dial("120")
        await centre.until_waiting(1)
        await resident.hang_up()
        await second.incoming()
        await second.accept()
        await centre.until_call("connected")
        await second.hang_up()
        await other.closed()

    assert [cdr.agent for cdr in await centre.cdrs(2)] == ["301", "302"]
    await nothing_is_in_use(centre, sites)


@pytest.mark.parametrize("talking", [False, True], ids=["while it rings there", "while they talk"])
async def test_a_daemon_that_dies_is_followed_by_one_that_knows_both_ends(
    office: MakeCentre, resident: Baresip, counselor: People, sites: Mapping[str, LabAsterisk], *, talking: bool
) -> None:
    centre, phone = await office(), await counselor("301")
    await resident.dial("120")
    await phone.incoming(timeout_s=10)
    if talking:
        await phone.accept()
        await centre.until_call("connected")
    await centre.kill()
    await centre.restart()
    await centre.until("both sites are up", lambda status: all(site["up"] for site in status["sites"]))
    if not talking:
        await phone.accept()
    await centre.until_call("connected")
    await asyncio.sleep(TALK_S)  # people talking
    await phone.hang_up()
    await resident.closed()

    assert audio.tone_seconds(resident.heard(), AGENT_HZ) >= ENOUGH_S
    cdr = await centre.cdr()
    assert (cdr.outcome, cdr.agent, len(cdr.legs)) == (Outcome.HANDLED, "301", 1)
    await nothing_is_in_use(centre, sites)


async def test_who_comes_in_from_another_site_with_a_word_of_his_own_is_hung_up(
    office: MakeCentre, sites: Mapping[str, LabAsterisk]
) -> None:
    centre, ari = await office(), sites["gyeongnam"].ari
    call = {
        "endpoint": f"PJSIP/relay@{line_to('changwon')}",
        "context": "callrouter-phones",
        "extension": "120",
        "variables": {"PJSIP_HEADER(add,X-Callrouter-Leg)": "callrouter-00000000-0000-7000-8000-000000000001-leg-1"},
    }
    async with (
        aiohttp.ClientSession(headers=ari.headers) as http,
        http.post(f"{ari.url}/channels", json=call) as answer,
    ):
        assert answer.status == 200
    await centre.until("he is gone", lambda _: not sites["gyeongnam"].channels())

    assert not sites["changwon"].channels()
    assert "exchange.relay-refused" in centre.daemon.log_text()
    assert not (await centre.status())["calls"]


async def test_a_site_whose_asterisk_dies_in_mid_call_ends_the_call_there_and_is_used_again_when_it_is_back(
    office: MakeCentre, resident: Baresip, counselor: People, sites: Mapping[str, LabAsterisk]
) -> None:
    centre, phone = await office(), await counselor("301")
    await resident.dial("120")
    await phone.incoming(timeout_s=10)
    await phone.accept()
    await centre.until_call("connected")
    changwon = sites["changwon"]
    changwon.kill()
    await centre.until("the site is down", lambda status: [s["up"] for s in status["sites"]] == [True, False])
    assert [call["state"] for call in (await centre.status())["calls"]] == ["connected"], "the caller is not cut off"
    await asyncio.to_thread(changwon.restart)
    await resident.closed(timeout_s=20)

    assert (await centre.cdr()).outcome is Outcome.HANDLED
    await nothing_is_in_use(centre, sites)
