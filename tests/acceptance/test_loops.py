"""Calls of ours that come back: a duty mobile that is forwarded to the hotline, with and without our header."""

import re
from pathlib import Path

import pytest

from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult, Outcome
from lab.asterisk import LabAsterisk
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.ordering import read

pytestmark = pytest.mark.asterisk

RESIDENT, MOBILE, SHOWN = "0552251234", "01098765432", "0552111120"
TRUNKS = f"""\
trunks:
  carrier: {{title: 국선, channels: 9, caller_id: "{SHOWN}"}}
destinations:
  mobile: {{title: 당직 휴대전화, number: "{MOBILE}", trunk: carrier, ring_timeout: 8s}}
  situation: {{title: 재난상황실, endpoint: PJSIP/203, ring_timeout: 5s}}
"""
DUTY = """\
routes:
  - id: duty
    when: {not: {region: gimhae}}
    do:
      - dial: [mobile, situation]
      - announce: all-busy
      - hangup
"""
HOPS = re.compile(r"^X-Callrouter-Hops: .*$", re.MULTILINE)


def duty(config: Path) -> None:
    """The duty list in front of the sample's routes."""
    (config / "trunks.yaml").write_text(TRUNKS, encoding="utf-8")
    routes = config / "routes.yaml"
    rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
    routes.write_text(DUTY + rest, encoding="utf-8")


def sent_back(asterisk: LabAsterisk, caller: str, *, hops: str = "", more: str = "") -> Sipp:
    """The network sends a call in, which is refused."""
    keys = {"hops": hops or "X-Network: 1", "more": more or "X-Network: 2"}
    return Sipp("uac_returned", address=CARRIER_ADDRESS, target=asterisk.sip_address, caller=caller, keys=keys)


async def test_a_leg_that_comes_back_is_given_up_and_its_caller_goes_on(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty)
    resident, situation = await caller(RESIDENT), await counselor("203")

    port = lab_asterisk.settings.carrier_port
    async with Sipp("uas_ring_forever", address=CARRIER_ADDRESS, port=port) as mobile:
        await resident.dial("120")
        invite = await mobile.saw("INVITE")
        (header,) = HOPS.findall(invite)
        async with sent_back(lab_asterisk, RESIDENT, hops=header.strip()) as returned:
            (await returned.result()).check()
        await mobile.saw("CANCEL")
        await situation.incoming()
        await situation.accept()
        await resident.established()
        await office.until_call("connected")
        assert 'callrouter_loops_total{sign="leg"} 1.0' in await read(office, "/metrics")
        await resident.hang_up()

    first, second = await office.cdrs(2)
    assert [(leg.destination, leg.result) for leg in first.legs] == [
        ("mobile", OfferResult.LOOP),
        ("situation", OfferResult.ANSWERED),
    ]
    assert (second.outcome, second.hangup_cause) == (Outcome.REJECTED, Cause.EXCHANGE_ROUTING_ERROR)
    assert first.call_id in second.explanation
    await office.until("all is given back", lambda now: now["trunks"][0]["in_use"] == 0)


async def test_where_the_network_takes_our_header_out_numbers_tell_and_who_forges_ends_his_own_call_alone(
    lab_asterisk: LabAsterisk, caller: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty)
    resident = await caller(RESIDENT)

    port = lab_asterisk.settings.carrier_port
    async with Sipp("uas_ring_forever", address=CARRIER_ADDRESS, port=port) as mobile:
        await resident.dial("120")
        await mobile.saw("INVITE")
        diversion = f"Diversion: <sip:{MOBILE}@{CARRIER_ADDRESS}>;reason=unconditional"
        for forged in (
            sent_back(lab_asterisk, RESIDENT, more=diversion),
            sent_back(lab_asterisk, MOBILE),
            sent_back(lab_asterisk, "0552873000", hops="X-Callrouter-Hops: 99"),
        ):
            async with forged as returned:
                (await returned.result()).check()
        metrics = await read(office, "/metrics")
        for sign in ("diverted", "called", "hops"):
            assert f'callrouter_loops_total{{sign="{sign}"}} 1.0' in metrics
        assert [call["destination"] for call in (await office.status())["calls"]] == ["mobile"]
        await resident.hang_up()
        await mobile.saw("CANCEL")

    first, *others = await office.cdrs(4)
    assert [leg.result for leg in first.legs] == [OfferResult.CALLER_GONE]
    assert {cdr.hangup_cause for cdr in others} == {Cause.EXCHANGE_ROUTING_ERROR}
