"""What strangers write into their numbers, and phones into a REFER, goes no further on a real Asterisk."""

import re
from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult
from lab.asterisk import LabAsterisk
from lab.desk_phone import DeskPhone
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp
from tests.acceptance.centre import MakeCentre, People
from tests.acceptance.conftest import PHONES_ADDRESS

pytestmark = pytest.mark.asterisk

MOBILE, OF_GIMHAE = "01098765432", "0553211234"
NASTY = "0552251234%26PJSIP%2F203%2C%24%7BEXTEN%7D%0D%0AX-Evil%3A1"
"""``0552251234&PJSIP/203,${EXTEN}``, a line break and a header, as a SIP address may have them."""
TRUNKS = f"""\
trunks:
  carrier: {{title: 국선, channels: 9}}
destinations:
  mobile: {{title: 당직 휴대전화, number: "{MOBILE}", trunk: carrier, ring_timeout: 5s}}
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


def duty(config: Path) -> None:
    """The duty mobile in front of the sample's routes, but not for who calls from Gimhae."""
    (config / "trunks.yaml").write_text(TRUNKS, encoding="utf-8")
    path = config / "routes.yaml"
    path.write_text(DUTY + path.read_text(encoding="utf-8").partition("routes:\n")[2], encoding="utf-8")


async def test_neither_a_caller_s_number_nor_a_refer_makes_anything_be_dialled_or_shown_but_a_number(
    lab_asterisk: LabAsterisk, caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(edit=duty)
    bystander = await counselor("203")  # whom the strings name

    network = Sipp("uas_answer", address=CARRIER_ADDRESS, port=lab_asterisk.settings.carrier_port)
    stranger = Sipp(
        "uac_talk",
        address=CARRIER_ADDRESS,
        target=lab_asterisk.sip_address,
        caller=NASTY,
        display="a${b}&c",
        pause_ms=1000,
    )
    async with network as mobile, stranger as calling:
        invite = await mobile.saw("INVITE")
        (await calling.result()).check()
    assert invite.startswith(f"INVITE sip:{MOBILE}@")
    (shown,) = re.findall(r"^From: .*?<sip:([^@]*)@", invite, re.MULTILINE)
    assert re.fullmatch(r"[0-9A-Za-z+*#]{10,40}", shown)
    assert "X-Evil" not in re.sub(r"(?m)^(From|Contact|P-Asserted-Identity): .*$", "", invite)
    assert "\nX-Evil" not in invite

    resident = await caller(OF_GIMHAE)
    password = lab_asterisk.credentials.phone_passwords["201"]
    async with DeskPhone("201", PHONES_ADDRESS, server=lab_asterisk.sip_address, password=password) as phone:
        await office.until_agent("201", "available")
        await resident.dial("120")
        line = await phone.incoming()
        await line.answer()
        await office.until_call("connected")
        await line.refer(f"{MOBILE}%26PJSIP%2F203%2C%24%7BEXTEN%7D")
        assert (await line.transferred()).startswith("603")
        await office.until_call("connected")
        assert len(lab_asterisk.channels()) == 2, "nobody was called"
        await resident.hang_up()

    first, second = await office.cdrs(2)
    assert [(leg.destination, leg.result) for leg in first.legs] == [("mobile", OfferResult.ANSWERED)]
    assert [leg.agent for leg in second.legs] == ["201"]
    assert not bystander.seen("CALL_INCOMING"), "the strings named it, and it rang"
