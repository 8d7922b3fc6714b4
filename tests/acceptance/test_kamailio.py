"""Kamailio in front of two Asterisks: calls spread, a dead Asterisk loses its callers and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from callrouter.core.cdr import Outcome
from lab import audio
from lab.baresip import CLOSED, Baresip
from lab.kamailio import KEEPALIVE_S, Rotation
from lab.phones import CARRIER, CARRIER_ADDRESS
from lab.sipp import Sipp
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


async def begin(office: Centre, resident: Baresip, phones: dict[str, Baresip]) -> str:
    """Have a resident dial 120 and talk to whoever is rung; at which Asterisk."""
    await resident.dial("120")
    rings = {asyncio.create_task(phone.incoming(timeout_s=15)): site for site, phone in phones.items()}
    done, others = await asyncio.wait(rings, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    (rung,) = done
    await rung
    site = rings[rung]
    await office.picked_up(phones[site])
    return site


async def at_rest(pair: Pair, office: Centre) -> None:
    """Nothing is left of any call, at Asterisk, Kamailio or the daemon."""
    await pair.until_loads(a=0, b=0)
    status = await office.until("no call is left", lambda status: not status["calls"])
    assert {trunk["trunk"]: trunk["in_use"] for trunk in status["trunks"]} == {TRUNK: 0, CARRIER: 0}
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

    first = await begin(office, residents[0], phones)
    await pair.until_loads(**{first: 1, next(site for site in phones if site != first): 0})
    second = await begin(office, residents[1], phones)
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


async def test_a_dead_asterisk_is_taken_out_of_rotation_and_comes_back(
    pair: Pair, office: Centre, people: AsyncExitStack
) -> None:
    residents = [
        await people.enter_async_context(pair.resident(f"055225123{n}", tone_hz=RESIDENT_HZ)) for n in range(5)
    ]
    phones = {
        site: await people.enter_async_context(pair.counselor(site, names[0], tone_hz=COUNSELOR_HZ))
        for site, names in COUNSELORS.items()
    }
    dead = await begin(office, residents[0], phones)
    alive = await begin(office, residents[1], phones)
    assert {dead, alive} == {"a", "b"}
    await residents[1].hang_up()
    await phones[alive].closed()

    # The one with the fewest calls dies, so that the next caller is sent to it.
    dead, alive = alive, dead
    await pair.until_loads(**{dead: 0, alive: 1})
    await asyncio.to_thread(pair.asterisks[dead].kill)
    colleague = COUNSELORS[alive][1]
    second = await people.enter_async_context(pair.counselor(alive, colleague, tone_hz=COUNSELOR_HZ))
    assert await begin(office, residents[2], {alive: second}) == alive
    await pair.until_rotation(dead, Rotation.INACTIVE)
    await residents[2].hang_up()
    await second.closed()
    await begin(office, residents[3], {alive: second})
    assert not residents[0].seen(CLOSED), "the conversation on the other Asterisk is cut"

    await asyncio.to_thread(pair.asterisks[dead].start)
    await pair.until_rotation(dead, Rotation.ACTIVE)
    await office.until("both sites are up", lambda status: all(site["up"] for site in status["sites"]))
    back = await people.enter_async_context(pair.counselor(dead, COUNSELORS[dead][1]))
    assert await begin(office, residents[4], {dead: back}) == dead
    for resident, phone in ((residents[4], back), (residents[3], second), (residents[0], phones[alive])):
        await resident.hang_up()
        await phone.closed()
        await resident.closed()

    cdrs = await office.cdrs(5)
    assert [(cdr.site, cdr.outcome) for cdr in cdrs] == [
        (alive, Outcome.HANDLED),
        (dead, Outcome.HANDLED),
        (alive, Outcome.HANDLED),
        (alive, Outcome.HANDLED),
        (dead, Outcome.HANDLED),
    ]
    assert audio.tone_seconds(residents[0].heard(), COUNSELOR_HZ) == pytest.approx(cdrs[0].talk_s, abs=1.0)
    await at_rest(pair, office)


async def test_who_talks_at_an_asterisk_that_dies_is_hung_up_on_and_not_left_in_silence(
    pair: Pair, office: Centre, people: AsyncExitStack
) -> None:
    resident = await people.enter_async_context(pair.resident(JINJU))
    phones = {
        site: await people.enter_async_context(pair.counselor(site, names[0])) for site, names in COUNSELORS.items()
    }
    site = await begin(office, resident, phones)
    await pair.until_loads(**{"a": 0, "b": 0, site: 1})
    await asyncio.to_thread(pair.asterisks[site].kill)
    await resident.closed(timeout_s=2 * KEEPALIVE_S + 10)
    await pair.until_loads(a=0, b=0)
    await asyncio.to_thread(pair.asterisks[site].start)
    cdr = await office.cdr()
    assert (cdr.site, cdr.agent, cdr.outcome) == (site, COUNSELORS[site][0], Outcome.HANDLED)
    await at_rest(pair, office)


async def test_an_asterisk_in_maintenance_keeps_its_calls_and_gets_no_more(
    pair: Pair, office: Centre, people: AsyncExitStack
) -> None:
    residents = [await people.enter_async_context(pair.resident(f"055225123{n}")) for n in range(3)]
    phones = {
        site: await people.enter_async_context(pair.counselor(site, names[0])) for site, names in COUNSELORS.items()
    }
    first = await begin(office, residents[0], phones)
    resting = next(site for site in COUNSELORS if site != first)
    await asyncio.to_thread(pair.edge.set_rotation, resting, "dp")
    second = await people.enter_async_context(pair.counselor(first, COUNSELORS[first][1]))
    assert await begin(office, residents[1], {first: second, resting: phones[resting]}) == first
    assert (await asyncio.to_thread(pair.edge.destinations))[resting].rotation is Rotation.DISABLED
    assert not residents[0].seen(CLOSED)

    await asyncio.to_thread(pair.edge.set_rotation, resting, "ap")
    assert await begin(office, residents[2], {resting: phones[resting]}) == resting
    for resident in residents:
        await resident.hang_up()
        await resident.closed()
    assert {cdr.site for cdr in await office.cdrs(3)} == {first, resting}
    await at_rest(pair, office)


async def test_a_resident_is_told_when_no_asterisk_is_left(pair: Pair, people: AsyncExitStack) -> None:
    resident = await people.enter_async_context(pair.resident(JINJU))
    for site in COUNSELORS:
        await asyncio.to_thread(pair.edge.set_rotation, site, "dp")
    await resident.dial("120")
    assert "503" in (await resident.closed()).reason


async def test_who_gives_up_before_any_asterisk_has_answered_is_not_counted_for_ever(
    pair: Pair, people: AsyncExitStack
) -> None:
    resident = await people.enter_async_context(pair.resident(JINJU))
    for asterisk in pair.asterisks.values():
        asterisk.freeze()
    try:
        await resident.dial("120")
        await pair.until("the call is counted", lambda all_: sum(one.load for one in all_.values()) == 1)
        await resident.hang_up()
        await pair.until_loads(a=0, b=0)
    finally:
        for asterisk in pair.asterisks.values():
            asterisk.thaw()


async def test_what_the_dialplan_refuses_is_not_tried_at_the_other_asterisk(pair: Pair, people: AsyncExitStack) -> None:
    for asterisk in pair.asterisks.values():
        asterisk.cli("pjsip set logger on")
        asterisk.cli("dialplan add extension 998,1,Hangup,34 into callrouter-inbound")
    resident = await people.enter_async_context(pair.resident(JINJU))
    await resident.dial("998")
    # A proxy passes a 503 on as 500, or the carrier would take the whole place for full (RFC 3261, 16.7).
    assert (await resident.closed()).reason == "500 Service Unavailable"
    assert sum("INVITE sip:998@" in asterisk.log_text() for asterisk in pair.asterisks.values()) == 1
    await pair.until_loads(a=0, b=0)


async def test_a_call_out_goes_to_the_carrier(pair: Pair, people: AsyncExitStack) -> None:
    for asterisk in pair.asterisks.values():
        asterisk.cli("dialplan add extension 997,1,Dial,PJSIP/01012345678@carrier into callrouter-inbound")
    resident = await people.enter_async_context(pair.resident(JINJU))
    async with Sipp("uas_busy", address=CARRIER_ADDRESS, port=pair.edge.carrier_port) as carrier:
        await resident.dial("997")
        invite = await carrier.saw("INVITE sip:01012345678@")
    assert f"Record-Route: <sip:{pair.edge.sip_address};" in invite


async def test_headers_of_ours_and_routes_from_outside_go_no_further(pair: Pair, office: Centre) -> None:
    for asterisk in pair.asterisks.values():
        asterisk.cli("pjsip set logger on")
    async with forger(pair) as caller:
        (await caller.result()).check()
    log = "".join(asterisk.log_text() for asterisk in pair.asterisks.values()).lower()
    assert "x-carrier-trunk: genuine" in log
    assert "x-callrouter-hops: 1" in log, "a call of ours that comes back is known by it"
    assert "forged" not in log
    assert "127.0.0.9" not in log
    await office.cdr()


async def test_a_call_that_goes_round_in_circles_ends(pair: Pair) -> None:
    async with forger(pair, hops="0") as caller:
        await caller.saw("SIP/2.0 483")


async def test_strangers_get_no_answer(pair: Pair, office: Centre) -> None:
    async with forger(pair, address=STRANGER_ADDRESS) as stranger, forger(pair) as caller:
        (await caller.result()).check()
        assert stranger.sent("INVITE")
        assert not stranger.received()
    await office.cdr()


def forger(pair: Pair, *, address: str = CARRIER_ADDRESS, hops: str = "70") -> Sipp:
    """A caller who writes more than he may."""
    return Sipp("uac_forged", address=address, target=pair.edge.sip_address, keys={"hops": hops}, timeout_s=15)
