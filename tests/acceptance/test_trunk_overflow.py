"""A second trunk group takes over on a real Asterisk: when the first is full, and when it fails a call in progress."""

from collections.abc import Callable
from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult
from lab.asterisk import LabAsterisk
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.ordering import command
from tests.acceptance.phones import phone_that

pytestmark = pytest.mark.asterisk

RESIDENT, NEIGHBOUR, MOBILE = "0552251234", "0552873000", "01098765432"

# The spare group is a phone's endpoint: Asterisk dials any number over it, as over a trunk.
TRUNKS = f"""\
trunks:
  carrier: {{title: 국선, members: [{{endpoint: carrier, channels: CHANNELS}}], overflow: spare, failures: 9}}
  spare: {{title: 예비 회선, members: [{{endpoint: "301", channels: 4, per_second: 1}}]}}
destinations:
  mobile: {{title: 당직 휴대전화, number: "{MOBILE}", trunk: GROUP, ring_timeout: 5s}}
transfers: {{trunk: carrier}}
"""
DUTY = """\
routes:
  - id: duty
    when: {not: {region: gimhae}}
    do:
      - dial: mobile
      - announce: all-busy
      - hangup
"""


def lines(channels: int, *, group: str = "carrier", duty: bool = False) -> Callable[[Path], None]:
    """So many channels of the first group; the mobile is called over ``group``."""

    def put(config: Path) -> None:
        trunks = TRUNKS.replace("CHANNELS", str(channels)).replace("GROUP", group)
        (config / "trunks.yaml").write_text(trunks, encoding="utf-8")
        if duty:
            path = config / "routes.yaml"
            path.write_text(DUTY + path.read_text(encoding="utf-8").partition("routes:\n")[2], encoding="utf-8")

    return put


async def test_who_is_called_into_a_conversation_comes_by_the_second_group_when_the_first_fails(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(edit=lines(9))
    resident, first = await caller(RESIDENT), await counselor("201")

    await office.talk(resident, first)
    congested = Sipp("uas_congested", address=CARRIER_ADDRESS, port=lab_asterisk.settings.carrier_port)
    async with congested, phone_that(lab_asterisk, "uas_answer", "301") as mobile:
        await command(office, "call", "conference", "201", MOBILE)
        await congested.saw("INVITE")
        invite = await mobile.saw("INVITE")
        assert f"sip:{MOBILE}@" in invite.splitlines()[0]
        await mobile.saw("ACK")
        await office.until("both groups are used", lambda now: [one["in_use"] for one in now["trunks"]] == [1, 1])
        await resident.hang_up()
        await first.closed()

    cdr = await office.cdr()
    assert [(leg.trunk, leg.result) for leg in cdr.legs if leg.destination] == [
        ("carrier", OfferResult.CONGESTION),
        ("spare", OfferResult.ANSWERED),
    ]
    assert (cdr.in_trunk, cdr.in_endpoint) == ("carrier", "carrier")
    await office.until("all is given back", lambda now: [one["in_use"] for one in now["trunks"]] == [0, 0])


async def test_calls_for_which_the_first_group_has_no_channel_go_by_the_second_one_after_the_other(
    lab_asterisk: LabAsterisk, caller: People, centre: MakeCentre
) -> None:
    """The residents themselves fill the first group; the second begins one call a second."""
    office = await centre(edit=lines(1, duty=True))
    one, two = await caller(RESIDENT), await caller(NEIGHBOUR)

    async with phone_that(lab_asterisk, "uas_answer", "301", count=2) as mobile:
        await one.dial("120")
        await two.dial("120")
        await mobile.saw("INVITE", times=2)
        await one.established()
        await two.established()
        await office.until_connected(2)
        await one.hang_up()
        await two.hang_up()

    first, second = await office.cdrs(2)
    assert [[(leg.trunk, leg.result) for leg in cdr.legs] for cdr in (first, second)] == [
        [("spare", OfferResult.ANSWERED)]
    ] * 2
    answered = sorted(cdr.legs[0].answered_at for cdr in (first, second) if cdr.legs[0].answered_at is not None)
    assert (answered[1] - answered[0]).total_seconds() >= 0.8
    await office.until("all is given back", lambda now: [one["in_use"] for one in now["trunks"]] == [0, 0])
