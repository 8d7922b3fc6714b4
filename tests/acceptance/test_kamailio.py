"""Kamailio in front of two Asterisks: calls spread, a dead Asterisk loses its callers and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from callrouter.core.cdr import Outcome
from lab import audio
from lab.baresip import Baresip
from lab.kamailio import Rotation
from tests.acceptance.centre import Centre
from tests.acceptance.pair import COUNSELORS, TRUNK, Pair, pair_of_asterisks

pytestmark = pytest.mark.asterisk

JINJU = "0557421234"
RESIDENT_HZ = 1100.0
COUNSELOR_HZ = 1300.0
TALK_S = 1.5
ENOUGH_S = 1.0
STRANGER_ADDRESS = "127.0.0.9"


@pytest.fixture(scope="module")
def both(agi_port: int) -> Iterator[Pair]:
    with pair_of_asterisks(agi_port) as pair:
        yield pair


@pytest.fixture
async def pair(both: Pair) -> AsyncIterator[Pair]:
    await asyncio.to_thread(both.start)
    for site in COUNSELORS:
        both.edge.set_rotation(site, "ap")
        await both.until_rotation(site, Rotation.ACTIVE)
    yield both
    for asterisk in both.asterisks.values():
        if asterisk.is_running():
            asterisk.cli("channel request hangup all")


@pytest.fixture
async def office(pair: Pair, agi_port: int, database: str, tmp_path: Path) -> AsyncIterator[Centre]:
    centre = Centre(
        pair.asterisks["a"],
        tmp_path / "centre",
        agi_port=agi_port,
        database_url=database,
        agents=[name for names in COUNSELORS.values() for name in names],
        settings=pair.secrets(),
        edit=pair.configure,
    )
    try:
        await centre.start()
        await centre.until("both sites are up", lambda status: all(site["up"] for site in status["sites"]))
        yield centre
    finally:
        centre.daemon.kill()


@pytest.fixture
async def people() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def begin(pair: Pair, resident: Baresip, phones: dict[str, Baresip]) -> str:
    """Have a resident dial 120 and talk to whoever is rung; at which Asterisk."""
    await resident.dial("120")
    rings = {asyncio.create_task(phone.incoming(timeout_s=15)): site for site, phone in phones.items()}
    done, others = await asyncio.wait(rings, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    (rung,) = done
    await rung
    site = rings[rung]
    await phones[site].accept()
    await phones[site].established()
    return site


async def at_rest(pair: Pair, office: Centre) -> None:
    """Nothing is left of any call, at Asterisk, Kamailio or the daemon."""
    await pair.until_loads(a=0, b=0)
    status = await office.until("no call is left", lambda status: not status["calls"])
    assert {trunk["trunk"]: trunk["in_use"] for trunk in status["trunks"]} == {TRUNK: 0}
    assert [asterisk.channels() for asterisk in pair.asterisks.values()] == [[], []]


async def test_calls_go_to_the_asterisk_with_the_fewest_and_reach_its_counselors(
    pair: Pair, office: Centre, people: AsyncExitStack
) -> None:
    residents = [
        await people.enter_async_context(pair.resident(f"055225123{n}", tone_hz=RESIDENT_HZ)) for n in range(2)
    ]
    phones = {
        site: await people.enter_async_context(pair.counselor(site, names[0], tone_hz=COUNSELOR_HZ))
        for site, names in COUNSELORS.items()
    }

    first = await begin(pair, residents[0], phones)
    await pair.until_loads(**{first: 1, next(site for site in phones if site != first): 0})
    second = await begin(pair, residents[1], phones)
    await pair.until_loads(a=1, b=1)
    await asyncio.sleep(TALK_S)  # people talking, not waiting for an event
    await residents[0].hang_up()
    await phones[second].hang_up()
    for phone in (*residents, *phones.values()):
        await phone.closed()

    assert {first, second} == {"a", "b"}
    for phone in phones.values():
        assert audio.tone_seconds(phone.heard(), RESIDENT_HZ) >= ENOUGH_S
    for resident in residents:
        assert audio.tone_seconds(resident.heard(), COUNSELOR_HZ) >= ENOUGH_S
    cdrs = await office.cdrs(2)
    assert {(cdr.site, cdr.agent, cdr.trunk, cdr.outcome) for cdr in cdrs} == {
        ("a", COUNSELORS["a"][0], TRUNK, Outcome.HANDLED),
        ("b", COUNSELORS["b"][0], TRUNK, Outcome.HANDLED),
    }
    await at_rest(pair, office)
