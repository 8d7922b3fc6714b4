"""Three Asterisks and their counselors share trunks, under load and under fault: nothing is lost, nothing is left."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import Cdr, OfferResult, Outcome, ReleasedBy
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import CLOSED, Baresip
from lab.paths import SCENARIOS
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp, registered
from tests.acceptance.centre import Centre, edit
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.sites import ADDRESSES, ByWay, asterisks, by_way_to, move_to, password_variable, write_sites
from tests.acceptance.wire import Wire

pytestmark = pytest.mark.asterisk

OF_CHANGWON, OF_JINJU = "0552251234", "0557421111"
CALLER_HZ, COUNSELOR_HZ = 1100.0, 1300.0
TALK_S, ENOUGH_S = 2.0, 1.0
SILENCE_S = 3
AT = {"301": "changwon", "205": "changwon", "302": "jinju", "206": "jinju"}
"""Where the counselors' phones are."""
LINES = [("gyeongnam", "changwon", 2), ("gyeongnam", "jinju", 2), ("changwon", "jinju", 2)]


@pytest.fixture(scope="module")
def by_way() -> ByWay:
    """A second trunk between the province and Jinju."""
    return ByWay("gyeongnam", "jinju")


@pytest.fixture(scope="module")
def sites(agi_port: int, by_way: ByWay) -> Iterator[Mapping[str, LabAsterisk]]:
    with asterisks(agi_port, *ADDRESSES, rtp_timeout_s=SILENCE_S, by_way=by_way) as running:
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

    async def open(
        self, also: Callable[[Path], None] | None = None, ring_timeout: str = "20s", **wanted: Any
    ) -> Centre:
        """The daemon, with every site up; ``also`` may change its configuration."""

        def edit_all(config: Path) -> None:
            write_sites(config, self.sites, LINES, {"changwon": self.wire.url})
            move_to(config, "changwon", "301")
            move_to(config, "jinju", "302")
            for agent in ("205", "206"):
                edit(config / "agents.yaml", rf'^(  "{agent}": .*)site: gyeongnam', rf"\1site: {AT[agent]}")
            if also is not None:
                also(config)

        passwords = {password_variable(name): site.ari.password for name, site in self.sites.items()}
        new = Centre(
            self.sites["gyeongnam"],
            self.folder,
            agi_port=self.agi_port,
            database_url=self.database,
            agents=tuple(AT),
            edit=edit_all,
            settings={**passwords, **wanted},
            ring_timeout=ring_timeout,
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


async def test_people_talk_on_while_the_daemon_has_lost_a_site_for_long_and_their_calls_are_its_own_again_afterwards(
    province: Province,
) -> None:
    centre = await province.open(LIMITS_SITE_AWAY="1s")
    there, here = await province.caller("gyeongnam", OF_JINJU), await province.caller("changwon")
    neighbour = await province.caller("changwon")
    at_changwon = await province.counselor("301")
    await talk(centre, there, at_changwon, 1)
    at_jinju = await province.counselor("302")
    await talk(centre, here, at_jinju, 2)
    beside = await province.counselor("205")
    await talk(centre, neighbour, beside, 3)
    talking = states_of(await centre.status())

    await province.wire.cut()
    await centre.until("Changwon is away", lambda now: is_away("changwon", now))
    await centre.until_agent("205", "available")  # what he held is given back; the others are seen elsewhere
    await asyncio.sleep(TALK_S)  # people talking
    now = await centre.status()
    assert states_of(now) == talking
    assert [agent["agent"] for agent in now["agents"] if agent["state"] == "on-call"] == ["301", "302"]
    await province.wire.mend()
    await centre.until_agent("205", "on-call")
    assert states_of(await centre.status()) == talking
    await at_jinju.hang_up()
    await here.closed()
    await there.hang_up()
    await at_changwon.closed()
    await beside.hang_up()
    await neighbour.closed()

    for caller, phone in ((there, at_changwon), (here, at_jinju), (neighbour, beside)):
        assert audio.tone_seconds(caller.heard(), COUNSELOR_HZ) >= ENOUGH_S
        assert audio.tone_seconds(phone.heard(), CALLER_HZ) >= ENOUGH_S
    assert [whole(cdr) for cdr in await centre.cdrs(3)] == [
        ("gyeongnam", "301", "changwon", Outcome.HANDLED, ReleasedBy.CALLER),
        ("changwon", "302", "jinju", Outcome.HANDLED, ReleasedBy.AGENT),
        ("changwon", "205", None, Outcome.HANDLED, ReleasedBy.AGENT),
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


def with_a_by_way(config: Path) -> None:
    """Calls between the province and Jinju go by the by-way while it carries them: one at a time."""
    trunks = config / "trunks.yaml"
    by_way = f"""\
trunks:
  by-way:
    channels: 1
    between: {{gyeongnam: {by_way_to("jinju")}, jinju: {by_way_to("gyeongnam")}}}
"""
    text = trunks.read_text(encoding="utf-8")
    trunks.write_text(text.replace("trunks:\n", by_way, 1), encoding="utf-8")


def carries(yes: bool, now: Mapping[str, Any]) -> bool:
    """Whether every end of the by-way is known to be reached, and may be tried; or not."""
    (found,) = [one for one in now["trunks"] if one["trunk"] == "by-way"]
    return all((member["online"] and member["breaker"] != "open") is yes for member in found["members"])


async def test_a_way_between_two_sites_that_is_unreachable_full_or_dies_while_it_rings_leaves_calls_to_the_other(
    province: Province, by_way: ByWay
) -> None:
    centre = await province.open(with_a_by_way, ring_timeout="3s")
    first, second = await province.caller("gyeongnam"), await province.caller("gyeongnam", OF_JINJU)
    one = await province.counselor("302")
    await centre.until("the by-way is not reached", lambda now: carries(False, now))
    await talk(centre, first, one, 1)
    await first.hang_up()
    await one.closed()
    await by_way.open()
    await centre.until("the by-way is reached", lambda now: carries(True, now))
    await centre.until_agent("302", "available")
    await first.dial("120")
    await one.incoming()
    await centre.until_agent("302", "ringing")
    by_way.shut()
    await one.accept()  # which the province never hears of
    await one.closed()
    await one.incoming()
    await one.accept()
    await centre.until_call("connected")
    await by_way.open()
    await centre.until("the by-way is reached again", lambda now: carries(True, now))
    other = await province.counselor("206")
    await talk(centre, second, other, 2)
    by_way.shut()
    await second.hang_up()
    await other.closed()
    await first.hang_up()
    await one.closed()

    ways = [[(leg.agent, leg.trunk, leg.result) for leg in cdr.legs] for cdr in await centre.cdrs(3)]
    direct, answered = "gyeongnam-jinju", OfferResult.ANSWERED
    assert ways == [
        [("302", direct, answered)],
        [("302", "by-way", OfferResult.CONGESTION), ("302", direct, answered)],
        [("206", "by-way", answered)],
    ]
    await province.nothing_is_left(centre)


async def test_a_site_that_falls_silent_in_mid_call_ends_the_call_and_what_it_has_of_it_when_it_comes_to(
    province: Province,
) -> None:
    centre, jinju = await province.open(), province.sites["jinju"]
    here, at_jinju = await province.caller("changwon"), await province.counselor("302")
    await talk(centre, here, at_jinju, 1)
    jinju.freeze()
    try:
        await here.closed(timeout_s=SILENCE_S + 4)
        await centre.until("the call is over", lambda now: not now["calls"])
    finally:
        jinju.thaw()
    await at_jinju.closed()

    assert [whole(cdr) for cdr in await centre.cdrs(1)] == [
        ("changwon", "302", "jinju", Outcome.HANDLED, ReleasedBy.AGENT)
    ]
    await province.nothing_is_left(centre)


SHARED = """\
trunks:
  carrier:
    channels: 4
    endpoints: "301"
    shares: {gyeongnam: {guarantee: 1}}
destinations:
  mobile: {title: 당직 휴대전화, number: "01098765432", trunk: carrier, ring_timeout: 5s}
"""
CARRIES, LENDERS = 4, "0553211234"
TENANTS = ("changwon", "gyeongnam")


def out_by_the_carrier(config: Path) -> None:
    """Every call goes out again, by one group of lines that both sites have, and is refused when they are all taken."""
    (config / "trunks.yaml").write_text(SHARED, encoding="utf-8")
    routes = config / "routes.yaml"
    head = routes.read_text(encoding="utf-8").partition("routes:\n")[0]
    routes.write_text(f"{head}routes: [{{id: out, do: [{{dial: mobile}}, hangup]}}]\n", encoding="utf-8")


def calls(site: LabAsterisk, number: str, count: int, rate_per_s: float, talk_ms: int = 1000) -> Sipp:
    """So many calls from one number; who is not answered at once is refused, and does not mind."""
    return Sipp(
        "uac_talk",
        address=CARRIER_ADDRESS,
        target=site.sip_address,
        caller=number,
        count=count,
        rate_per_s=rate_per_s,
        pause_ms=talk_ms,
    )


def was_answered(cdr: Cdr) -> bool:
    (leg,) = cdr.legs
    assert leg.result in (OfferResult.ANSWERED, OfferResult.CONGESTION)
    return leg.result is OfferResult.ANSWERED


def carried_at_once(carrier: Sipp) -> int:
    """How many calls the carrier had at most, as it saw them."""
    most, there = 0, set[str]()
    for message in carrier.received():
        method, call = message.split(maxsplit=1)[0], re.search(r"(?mi)^call-id:\s*(\S+)", message)
        assert call is not None
        if method == "INVITE":
            there.add(call[1])
        elif method in ("BYE", "CANCEL"):
            there.discard(call[1])
        most = max(most, len(there))
    return most


async def test_what_two_sites_share_is_never_more_than_there_is_and_comes_back_to_whom_it_is_guaranteed(
    province: Province,
) -> None:
    centre = await province.open(out_by_the_carrier)
    sites = [province.sites[name] for name in ("gyeongnam", "changwon")]
    async with AsyncExitStack() as stack:
        carrier = await stack.enter_async_context(Sipp("uas_answer", address=PHONES_ADDRESS, service="301", count=99))
        for site in sites:
            await stack.enter_async_context(registered(site, "301", carrier))
        await centre.until("the carrier is there", lambda now: now["trunks"][0]["members"][0]["online"])
        borrowers = [calls(site, OF_CHANGWON, 20, 5.0) for site in sites]
        lenders = calls(sites[0], LENDERS, 6, 1.0, talk_ms=500)
        for caller in (*borrowers, lenders):
            await stack.enter_async_context(caller)
        for caller in (*borrowers, lenders):
            await caller.result()
        cdrs = await centre.cdrs(46)
        assert carried_at_once(carrier) == CARRIES

    (group,) = (await centre.status())["trunks"]
    answered = {tenant: [was_answered(cdr) for cdr in cdrs if cdr.tenant == tenant] for tenant in TENANTS}
    assert (group["peak"], group["blocked"]) == (CARRIES, sum(not yes for all_ in answered.values() for yes in all_))
    assert sum(answered["changwon"]) < 40, "the lines were never short"
    assert sum(answered["changwon"]) > 8, "what was idle was not lent"
    own = answered["gyeongnam"]
    assert all(after for before, after in pairwise(own) if not before), f"what was refused once was not kept: {own}"
    assert sum(own) >= len(own) / 2
    await province.nothing_is_left(centre)


async def test_who_comes_from_outside_with_the_name_of_a_leg_is_a_caller_like_any_other(
    province: Province, tmp_path: Path
) -> None:
    centre = await province.open()
    here, at_jinju = await province.caller("changwon"), await province.counselor("302")
    await here.dial("120")
    await at_jinju.incoming()
    (leg,) = [one["id"] for one in province.sites["changwon"].channels() if "-leg-" in one["id"]]
    forged = tmp_path / "forged.xml"
    genuine = (SCENARIOS / "uac_talk.xml").read_text(encoding="utf-8")
    header = f"Max-Forwards: 70\n      X-Callrouter-Leg: {leg}"
    forged.write_text(genuine.replace("Max-Forwards: 70", header, 1), encoding="utf-8")
    jinju = province.sites["jinju"]
    async with Sipp(forged, address=CARRIER_ADDRESS, target=jinju.sip_address, caller=OF_JINJU, pause_ms=500) as forger:
        (await forger.result()).check()
    assert "exchange.relay-refused" not in centre.daemon.log_text(), "the header is not even read there"
    await at_jinju.accept()
    await centre.until_call("connected")
    await here.hang_up()
    await at_jinju.closed()

    genuine_one, forged_one = await centre.cdrs(2)
    assert whole(genuine_one) == ("changwon", "302", "jinju", Outcome.HANDLED, ReleasedBy.CALLER)
    assert (forged_one.site, forged_one.outcome, forged_one.legs) == ("jinju", Outcome.ABANDONED, ())
    await province.nothing_is_left(centre)
