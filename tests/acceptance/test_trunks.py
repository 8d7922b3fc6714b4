"""Trunk groups on a real Asterisk: calls in and out count, members take over from each other, all is given back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import OfferResult
from lab.asterisk import LabAsterisk
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from tests.acceptance.centre import Centre, MakeCentre, People, edit
from tests.acceptance.ordering import command, read
from tests.acceptance.phones import phone_that

pytestmark = pytest.mark.asterisk

RESIDENT, NEIGHBOUR, MOBILE = "0552251234", "0552873000", "01098765432"
OF_THE_PROVINCE = "0553211234"

# The second member is a phone's endpoint: Asterisk dials any number over it, as over a trunk.
TRUNKS = f"""\
trunks:
  carrier:
    title: 국선
    members: [MEMBERS]
    shares: {{changwon: {{guarantee: 1}}}}
    caller_id: "0552111120"
destinations:
  mobile: {{title: 당직 휴대전화, number: "{MOBILE}", trunk: carrier, ring_timeout: 5s}}
  situation: {{title: 재난상황실, endpoint: PJSIP/203, ring_timeout: 5s}}
"""
BOTH = "{{endpoint: carrier, channels: {first}}}, {{endpoint: '301', channels: {second}}}"

DUTY = """\
routes:
  - id: duty
    when: {not: {region: gimhae}}
    do:
      - dial: [mobile, situation]
      - announce: all-busy
      - hangup
"""


def duty(members: str) -> Callable[[Path], None]:
    """Put the duty list in front of the sample's routes, with these members of the carrier's group."""

    def put(config: Path) -> None:
        (config / "trunks.yaml").write_text(TRUNKS.replace("MEMBERS", members), encoding="utf-8")
        routes = config / "routes.yaml"
        rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
        routes.write_text(DUTY + rest, encoding="utf-8")

    return put


def group(status: dict[str, Any]) -> dict[str, Any]:
    """What the status document says of the group to the city hall, if the test has one, else of the carrier's."""
    found = {trunk["trunk"]: dict(trunk) for trunk in status["trunks"]}
    return found.get("hall", found["carrier"])


def member(status: dict[str, Any], endpoint: str) -> dict[str, Any]:
    return next(one for one in group(status)["members"] if one["endpoint"] == endpoint)


async def until_in_use(office: Centre, count: int) -> dict[str, Any]:
    found = await office.until(f"{count} channels are in use", lambda now: group(now)["in_use"] == count)
    return group(found)


async def test_a_full_member_leaves_the_call_to_the_next_and_a_full_group_to_the_next_destination(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty(BOTH.format(first=2, second=2)))
    residents = [await caller(number) for number in (RESIDENT, NEIGHBOUR, "0552871111")]
    mobile, situation = await outside(MOBILE), await counselor("203")

    async with phone_that(lab_asterisk, "uas_answer", "301") as second:
        await residents[0].dial("120")
        await mobile.incoming()
        await mobile.accept()
        await residents[0].established()
        await residents[1].dial("120")
        await second.saw("INVITE")
        await residents[1].established()
        await residents[2].dial("120")
        await situation.incoming()
        await situation.accept()
        await residents[2].established()
        found = await until_in_use(office, 5)
        assert (found["channels"], found["blocked"], found["peak"]) == (4, 1, 5), "callers are there, whatever the size"
        (share,) = found["tenants"]
        assert (share["tenant"], share["in_use"], share["blocked"]) == ("changwon", 5, 1)
        shown = json.loads(await command(office, "trunk", "--json"))
        assert shown[0]["members"] == found["members"]
        assert "carrier" in await command(office, "trunk")
        assert 'callrouter_trunk_channels_in_use{trunk="carrier"} 5.0' in await read(office, "/metrics")
        for resident in residents:
            await resident.hang_up()
        await until_in_use(office, 0)

    cdrs = await office.cdrs(3)
    ways = [[(leg.destination, leg.trunk, leg.result) for leg in cdr.legs] for cdr in cdrs]
    answered, blocked = OfferResult.ANSWERED, OfferResult.CONGESTION
    assert ways == [
        [("mobile", "carrier", answered)],
        [("mobile", "carrier", answered)],
        [("mobile", "carrier", blocked), ("situation", None, answered)],
    ]
    assert lab_asterisk.channels() == []


async def test_congestion_opens_the_breaker_and_the_call_goes_by_the_next_member_until_a_probe_closes_it(
    lab_asterisk: LabAsterisk, caller: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty(BOTH.format(first=9, second=9)))
    first, second = await caller(RESIDENT), await caller(NEIGHBOUR)

    congested = Sipp("uas_congested", address=CARRIER_ADDRESS, port=lab_asterisk.settings.carrier_port)
    async with congested, phone_that(lab_asterisk, "uas_answer", "301") as other:
        await first.dial("120")
        await congested.saw("INVITE")
        await other.saw("INVITE")
        await first.established()
        await office.until_call("connected")
        await office.until("the carrier rests", lambda now: member(now, "carrier")["breaker"] == "open")
        await first.hang_up()
        await until_in_use(office, 0)
    await office.until("its rest is over", lambda now: member(now, "carrier")["breaker"] == "half-open")
    mobile = await outside(MOBILE)
    await second.dial("120")
    await mobile.incoming()
    await office.until("it is used again", lambda now: member(now, "carrier")["breaker"] == "closed")
    await mobile.accept()
    await second.established()
    await office.until_call("connected")
    await second.hang_up()
    await until_in_use(office, 0)

    one, two = await office.cdrs(2)
    assert [(leg.destination, leg.result) for leg in one.legs] == [
        ("mobile", OfferResult.CONGESTION),
        ("mobile", OfferResult.ANSWERED),
    ]
    assert [leg.result for leg in two.legs] == [OfferResult.ANSWERED]


async def test_a_caller_counts_while_he_is_there_over_a_restart_of_the_daemon_and_not_if_he_left_meanwhile(
    caller: People, outside: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty("{endpoint: carrier, channels: 4}"))
    resident, mobile = await caller(RESIDENT), await outside(MOBILE)

    await resident.dial("120")
    await mobile.incoming()
    await mobile.accept()
    await office.until_call("connected")
    await until_in_use(office, 2)
    await office.kill()
    await office.restart()
    await office.until_call("connected")
    found = await until_in_use(office, 2)
    assert (found["others"], [share["in_use"] for share in found["tenants"]]) == (0, [2])
    await office.kill()
    await resident.hang_up()
    await office.restart()
    await until_in_use(office, 0)
    assert 'callrouter_trunk_drifts_total{drift="held-in-vain"} 0.0' in await read(office, "/metrics")


async def test_a_caller_whom_the_fallback_took_takes_room_too(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty("{endpoint: carrier, channels: 2}"))
    early, late = await caller(NEIGHBOUR), await caller(RESIDENT)
    helper = await counselor("202")

    await office.kill()
    await early.dial("120")
    await helper.incoming()
    await helper.accept()
    await helper.established()
    await office.restart()
    await office.until("it is seen", lambda now: group(now)["others"] == 1)
    situation = await counselor("203")
    await late.dial("120")
    await situation.incoming()
    await situation.accept()
    await late.established()
    assert (await until_in_use(office, 2))["blocked"] == 1
    await late.hang_up()
    await until_in_use(office, 1)
    await early.hang_up()
    await until_in_use(office, 0)


async def test_a_member_that_asterisk_cannot_reach_is_not_tried_and_comes_back_by_itself(
    lab_asterisk: LabAsterisk, caller: People, outside: People, centre: MakeCentre
) -> None:
    there = "{endpoint: '302', channels: 9}, {endpoint: carrier, channels: 9}"
    office = await centre(edit=duty(there))
    resident, mobile = await caller(RESIDENT), await outside(MOBILE)

    await office.until("the phone's endpoint is away", lambda now: not member(now, "302")["online"])
    await resident.dial("120")
    await mobile.incoming()
    await mobile.accept()
    await resident.established()
    await office.until_call("connected")
    await resident.hang_up()
    cdr = await office.cdr()
    assert [leg.result for leg in cdr.legs] == [OfferResult.ANSWERED]
    async with phone_that(lab_asterisk, "uas_answer", "302"):
        await office.until("it is back", lambda now: member(now, "302")["online"])
    await until_in_use(office, 0)


HALL = """\
trunks:
  hall: {title: 창원시청 전용회선, channels: 1, endpoints: "301", shares: {gyeongnam: {guarantee: 1}}}
"""


def behind_the_hall(config: Path) -> None:
    """The only counselor's phone is reached by one line, which is guaranteed to the province."""
    edit(config / "trunks.yaml", r"^trunks:$", HALL.rstrip())
    edit(config / "agents.yaml", r'^(  "201": .*)endpoint: PJSIP/201,', r"\1endpoint: PJSIP/401@301, trunk: hall,")


async def test_what_is_lent_comes_back_before_who_has_waited_longer_is_served(
    lab_asterisk: LabAsterisk, caller: People, centre: MakeCentre
) -> None:
    office = await centre(edit=behind_the_hall)
    borrower, waits, comes_back = await caller(RESIDENT), await caller(NEIGHBOUR), await caller(OF_THE_PROVINCE)

    async with phone_that(lab_asterisk, "uas_answer", "301", count=3) as phone:
        await borrower.dial("120")
        await phone.saw("INVITE")
        await until_in_use(office, 1)
        await waits.dial("120")
        await office.until_waiting(1)
        await comes_back.dial("120")
        await office.until_waiting(2)
        await borrower.hang_up()
        await phone.saw("INVITE", times=2)
        found = await office.until(
            "one more talks", lambda now: sorted(call["state"] for call in now["calls"]) == ["connected", "queued"]
        )
        talks = {call["state"]: call["tenant"] for call in found["calls"]}
        assert talks == {"connected": "gyeongnam", "queued": "changwon"}
        (share,) = [one for one in group(found)["tenants"] if one["in_use"]]
        assert (share["tenant"], share["in_use"], share["guarantee"]) == ("gyeongnam", 1, 1)
        await comes_back.hang_up()
        await phone.saw("INVITE", times=3)
        await office.until_call("connected")
        await waits.hang_up()
        await until_in_use(office, 0)
        assert phone.received("INVITE")[0].startswith("INVITE sip:401@")
