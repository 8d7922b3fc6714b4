"""Three Asterisks and their counselors share trunks, under load and under fault: nothing is lost, nothing is left."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import Cdr, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED, Baresip
from lab.phones import CARRIER_ADDRESS
from tests.acceptance.centre import Centre
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.sites import ADDRESSES, Wire, asterisks, move_to, password_variable, write_sites

pytestmark = pytest.mark.asterisk

OF_CHANGWON, OF_JINJU = "0552251234", "0557421111"
CALLER_HZ, COUNSELOR_HZ = 1100.0, 1300.0
TALK_S, ENOUGH_S = 2.0, 1.0
SILENCE_S = 3
AT = {"201": "gyeongnam", "202": "gyeongnam", "301": "changwon", "302": "jinju"}
"""Where the counselors' phones are."""
LINES = [("gyeongnam", "changwon", 2), ("gyeongnam", "jinju", 2), ("changwon", "jinju", 2)]


@pytest.fixture(scope="module")
def sites(agi_port: int) -> Iterator[Mapping[str, LabAsterisk]]:
    with asterisks(agi_port, *ADDRESSES, rtp_timeout_s=SILENCE_S) as running:
        yield running


@dataclass(slots=True)
class Province:
    """The call centre over all three, and who calls and answers there."""

    sites: Mapping[str, LabAsterisk]
    agi_port: int
    database: str
    folder: Path
    stack: AsyncExitStack
    wire: Wire
    """What the daemon reaches Changwon by."""
    made: list[Centre] = field(default_factory=list)

    async def open(self, **wanted: Any) -> Centre:
        """The daemon, with every site up."""

        def edit_all(config: Path) -> None:
            write_sites(config, self.sites, LINES, {"changwon": self.wire.url})
            move_to(config, "changwon", "301")
            move_to(config, "jinju", "302")

        passwords = {password_variable(name): site.ari.password for name, site in self.sites.items()}
        new = Centre(
            self.sites["gyeongnam"],
            self.folder,
            agi_port=self.agi_port,
            database_url=self.database,
            agents=tuple(AT),
            edit=edit_all,
            settings={**passwords, **wanted},
        )
        self.made.append(new)
        await new.start()
        await new.until("all sites are up", lambda now: all(site["up"] for site in now["sites"]))
        return new

    async def caller(self, site: str, number: str = OF_CHANGWON) -> Baresip:
        """Somebody who calls a site."""
        server = self.sites[site].sip_address
        return await self.stack.enter_async_context(Baresip(number, CARRIER_ADDRESS, server=server, tone_hz=CALLER_HZ))

    async def counselor(self, extension: str) -> Baresip:
        """A counselor's phone, registered at his site."""
        site = self.sites[AT[extension]]
        password = site.credentials.phone_passwords[extension]
        return await self.stack.enter_async_context(
            Baresip(extension, PHONES_ADDRESS, server=site.sip_address, password=password, tone_hz=COUNSELOR_HZ)
        )

    async def nothing_is_left(self, centre: Centre) -> None:
        """No call, no channel of a trunk group, and nothing at any Asterisk."""
        await centre.until(
            "all is given back", lambda now: not now["calls"] and not any(t["in_use"] for t in now["trunks"])
        )
        left = {name: site.channels() for name, site in self.sites.items()}
        assert not any(left.values()), left


@pytest.fixture
async def province(
    sites: Mapping[str, LabAsterisk], agi_port: int, database: str, tmp_path: Path
) -> AsyncIterator[Province]:
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Wire(sites["changwon"].http_port))
        made = Province(sites, agi_port, database, tmp_path / "centre", stack, wire)
        yield made
        for one in made.made:
            one.daemon.kill()
    for site in sites.values():
        site.cli("channel request hangup all")


async def talk(centre: Centre, caller: Baresip, phone: Baresip, talking: int) -> None:
    """Have them talk; ``talking`` calls do then."""
    await caller.dial("120")
    await phone.incoming()
    await phone.accept()
    await phone.established()
    await centre.until(
        f"{talking} talk", lambda now: [call["state"] for call in now["calls"]] == ["connected"] * talking
    )


def is_away(site: str, now: Mapping[str, Any]) -> bool:
    return any(one["site"] == site and not one["up"] for one in now["sites"])


def states_of(now: Mapping[str, Any]) -> dict[str, str]:
    """The states of the calls in progress, by call."""
    return {call["call"]: call["state"] for call in now["calls"]}


def whole(cdr: Cdr) -> tuple[str, str | None, str | None, Outcome, ReleasedBy | None]:
    """Where the caller was, whom he talked to by one leg, where that led to, and how it ended."""
    (leg,) = cdr.legs
    return (cdr.site, cdr.agent, leg.far_site, cdr.outcome, cdr.released_by)


async def test_calls_between_sites_go_on_while_the_daemon_has_lost_one_and_are_its_own_again_afterwards(
    province: Province,
) -> None:
    centre = await province.open()
    there, here = await province.caller("gyeongnam", OF_JINJU), await province.caller("changwon")
    at_changwon = await province.counselor("301")
    await talk(centre, there, at_changwon, 1)
    at_jinju = await province.counselor("302")
    await talk(centre, here, at_jinju, 2)
    talking = states_of(await centre.status())

    await province.wire.cut()
    await centre.until("Changwon is away", lambda now: is_away("changwon", now))
    await asyncio.sleep(TALK_S)  # people talking
    assert states_of(await centre.status()) == talking
    await province.wire.mend()
    await centre.until("Changwon is back", lambda now: not is_away("changwon", now))
    assert states_of(await centre.status()) == talking
    await at_jinju.hang_up()
    await here.closed()
    await there.hang_up()
    await at_changwon.closed()

    for caller, phone in ((there, at_changwon), (here, at_jinju)):
        assert audio.tone_seconds(caller.heard(), COUNSELOR_HZ) >= ENOUGH_S
        assert audio.tone_seconds(phone.heard(), CALLER_HZ) >= ENOUGH_S
    assert [whole(cdr) for cdr in await centre.cdrs(2)] == [
        ("gyeongnam", "301", "changwon", Outcome.HANDLED, ReleasedBy.CALLER),
        ("changwon", "302", "jinju", Outcome.HANDLED, ReleasedBy.AGENT),
    ]
    await province.nothing_is_left(centre)


async def test_calls_that_end_while_the_daemon_has_lost_a_site_are_over_when_it_is_back(province: Province) -> None:
    centre = await province.open(LIMITS_CLEARING="1s")
    there, here = await province.caller("gyeongnam", OF_JINJU), await province.caller("changwon")
    at_changwon = await province.counselor("301")
    await talk(centre, there, at_changwon, 1)
    at_jinju = await province.counselor("302")
    await talk(centre, here, at_jinju, 2)

    await province.wire.cut()
    await centre.until("Changwon is away", lambda now: is_away("changwon", now))
    await at_jinju.hang_up()
    await centre.until_agent("302", "available")  # what his caller's site hears of it or not
    await there.hang_up()
    await centre.until("no call is left", lambda now: not now["calls"])
    assert not here.seen(CLOSED), "his site cannot be told to hang up"
    await province.wire.mend()
    await here.closed()
    await at_changwon.closed()

    assert [whole(cdr) for cdr in await centre.cdrs(2)] == [
        ("gyeongnam", "301", "changwon", Outcome.HANDLED, ReleasedBy.CALLER),
        ("changwon", "302", "jinju", Outcome.HANDLED, ReleasedBy.AGENT),
    ]
    await province.nothing_is_left(centre)


async def test_a_site_that_is_killed_frees_counselors_elsewhere_at_once_and_its_calls_end_when_it_is_back(
    province: Province,
) -> None:
    centre = await province.open(LIMITS_SITE_AWAY="1s")
    here, also_here = await province.caller("changwon"), await province.caller("changwon", OF_JINJU)
    at_changwon = await province.counselor("301")
    await talk(centre, here, at_changwon, 1)
    at_jinju = await province.counselor("302")
    await talk(centre, also_here, at_jinju, 2)

    changwon = province.sites["changwon"]
    changwon.kill()
    await centre.until("Changwon is away", lambda now: is_away("changwon", now))
    await at_jinju.closed(timeout_s=SILENCE_S + 4)
    await centre.until_agent("302", "available")
    now = await centre.until("its channels are given back", lambda now: not any(t["in_use"] for t in now["trunks"]))
    assert list(states_of(now).values()) == ["connected"], "nobody knows what became of that one"
    third = await province.caller("gyeongnam")
    await talk(centre, third, at_jinju, 2)
    await third.hang_up()
    await at_jinju.closed()
    await asyncio.to_thread(changwon.restart)
    await centre.until("Changwon is back", lambda now: not is_away("changwon", now))

    assert [whole(cdr) for cdr in await centre.cdrs(3)] == [
        ("changwon", "301", None, Outcome.HANDLED, ReleasedBy.SYSTEM),
        ("changwon", "302", "jinju", Outcome.HANDLED, ReleasedBy.SYSTEM),
        ("gyeongnam", "302", "jinju", Outcome.HANDLED, ReleasedBy.CALLER),
    ]
    await province.nothing_is_left(centre)


async def test_people_who_talk_at_a_site_that_was_lost_for_long_go_on_talking_and_are_known_again(
    province: Province,
) -> None:
    centre = await province.open(LIMITS_SITE_AWAY="1s")
    here, at_changwon = await province.caller("changwon"), await province.counselor("301")
    await talk(centre, here, at_changwon, 1)

    await province.wire.cut()
    await centre.until("Changwon is away", lambda now: is_away("changwon", now))
    await centre.until("what it held is given back", lambda _: "exchange.put-aside" in centre.daemon.log_text())
    await province.wire.mend()
    await centre.until_agent("301", "on-call")
    await asyncio.sleep(TALK_S)  # people talking
    await at_changwon.hang_up()
    await here.closed()

    assert audio.tone_seconds(here.heard(), COUNSELOR_HZ) >= ENOUGH_S
    assert [whole(cdr) for cdr in await centre.cdrs(1)] == [
        ("changwon", "301", None, Outcome.HANDLED, ReleasedBy.AGENT)
    ]
    await province.nothing_is_left(centre)
