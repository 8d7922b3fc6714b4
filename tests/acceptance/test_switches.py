"""People switch on what no calendar knows, by command and from their phones, on a real Asterisk."""

import asyncio
import json
import urllib.request
from typing import Any

import pytest

from callrouter.core.cdr import Cdr, Outcome
from lab.asterisk import LabAsterisk
from lab.sipp import Lamp
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.ordering import audit, command, hears

pytestmark = pytest.mark.asterisk


RESIDENT = "0552251234"
TOLERANCE_S = 0.25
CODE = "*21"
LEAD, OTHER = "201", "202"
"""A phone that may dial the code, and one that may not."""


async def until_switch(office: Centre, on: bool) -> dict[str, Any]:
    """Wait until the switch stands so."""
    status = await office.until("the switch stands so", lambda now: now["switches"][0]["on"] is on)
    switch: dict[str, Any] = status["switches"][0]
    assert switch["switch"] == "typhoon"
    return switch


def assert_closed_by_the_switch(cdr: Cdr) -> None:
    assert (cdr.rule, cdr.outcome, cdr.switches) == ("emergency", Outcome.CLOSED, ("typhoon",))
    assert "switch typhoon on by" in cdr.explanation


async def test_an_emergency_closes_for_the_next_caller_and_his_record_and_the_audit_log_say_so(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(LEAD,))
    talking, late, phone = await caller("0552251111"), await caller(RESIDENT), await counselor(LEAD)
    await office.talk(talking, phone)

    said = await command(office, "switch", "on", "typhoon", "--for", "6h", "--note", "태풍 카눈")
    await hears(late, "120", "emergency")
    await talking.hang_up()
    await phone.closed()
    off = await command(office, "switch", "off", "typhoon")
    entries = await audit(office, 2)

    assert said == "switch typhoon is on until 2026-11-24 16:00\n"
    assert off == "switch typhoon is off\n"
    before, closed = await office.cdrs(2)
    assert (before.outcome, before.switches) == (Outcome.HANDLED, ())
    assert_closed_by_the_switch(closed)
    assert "(태풍 카눈)" in closed.explanation
    assert [(entry["was"], entry["becomes"], entry["via"]) for entry in entries] == [
        ("off", "on", "command"),
        ("on", "off", "command"),
    ]
    assert entries[0]["note"] == "태풍 카눈"
    listed = await command(office, "cdr", "--switch", "typhoon", "--json")
    assert [call["call_id"] for call in json.loads(listed)] == [closed.call_id]


async def test_a_switch_is_still_on_when_a_daemon_has_died_and_its_lamp_is_put_right(
    caller: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=(LEAD,))
    resident = await caller(RESIDENT)
    await command(office, "switch", "on", "typhoon")
    before = await until_switch(office, on=True)
    await office.kill()
    await asyncio.to_thread(set_device, lab_asterisk, "Stasis:callrouter-code-21", "NOT_INUSE")

    async with Lamp(lab_asterisk, OTHER, CODE, address=PHONES_ADDRESS) as lamp:
        dark = await lamp.next()
        await office.restart()
        after = await until_switch(office, on=True)
        await hears(resident, "120", "emergency")
        lit = await lamp.next()

    assert (dark, lit) == (False, True)
    assert [after[key] for key in ("by", "since", "until")] == [before[key] for key in ("by", "since", "until")]
    assert_closed_by_the_switch(await office.cdr())
    assert len(await audit(office, 1)) == 1, "a restart is no change"


async def test_a_switch_goes_off_by_itself_and_callers_reach_people_again(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=(LEAD,))
    resident, phone = await caller(RESIDENT), await counselor(LEAD)
    async with Lamp(lab_asterisk, OTHER, CODE, address=PHONES_ADDRESS) as lamp:
        lights = [await lamp.next()]
        await command(office, "switch", "on", "typhoon", "--for", "2s")
        lights.append(await lamp.next())
        lights.append(await lamp.next())

    await until_switch(office, on=False)
    await resident.dial("120")
    await phone.incoming()
    await resident.hang_up()

    assert lights == [False, True, False]
    assert (await office.cdr()).switches == ()
    assert [(entry["who"], entry["via"]) for entry in await audit(office, 2)][1] == ("callrouter", "expiry")


async def test_a_phone_turns_the_switch_over_and_the_lamps_of_those_who_watch_it_follow(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=(LEAD, OTHER))
    resident, lead = await caller(RESIDENT), await counselor(LEAD)
    async with Lamp(lab_asterisk, OTHER, CODE, address=PHONES_ADDRESS) as lamp:
        lights = [await lamp.next()]
        await hears(lead, CODE, "switch-on")
        lights.append(await lamp.next())
        switch = await until_switch(office, on=True)
        await hears(resident, "120", "emergency")
        await hears(lead, CODE, "switch-off")
        lights.append(await lamp.next())
    await until_switch(office, on=False)

    assert lights == [False, True, False]
    assert switch["by"] == LEAD
    assert_closed_by_the_switch(await office.cdr())
    assert [(entry["who"], entry["becomes"], entry["via"]) for entry in await audit(office, 2)] == [
        (LEAD, "on", "phone"),
        (LEAD, "off", "phone"),
    ]
    assert not (await office.status())["calls"]


@pytest.mark.parametrize(
    ("code", "prompt", "why"),
    [(CODE, "switch-refused", "it may not set the switch typhoon"), ("*99", "switch-unknown", "no switch has it")],
)
async def test_a_phone_that_may_not_or_dials_nothing_is_told_so_and_changes_nothing(
    counselor: People, centre: MakeCentre, code: str, prompt: str, why: str
) -> None:
    office = await centre(agents=(LEAD, OTHER))
    other = await counselor(OTHER)

    await hears(other, code, prompt)

    assert not any(switch["on"] for switch in (await office.status())["switches"])
    (line,) = [line for line in office.daemon.log_text().splitlines() if "exchange.switch-refused" in line]
    assert f"{OTHER} dialled {code}: {why}" in line


async def test_without_a_daemon_the_phone_is_told_that_nothing_was_set(
    counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=(LEAD,))
    lead = await counselor(LEAD)

    await office.freeze()
    await hears(lead, CODE, "switch-away")
    await office.kill_in_the_act()
    await hears(lead, CODE, "switch-away")


def set_device(asterisk: LabAsterisk, device: str, state: str) -> None:
    """Have a lamp stand otherwise than it should."""
    url = f"{asterisk.ari.url}/deviceStates/{device}?deviceState={state}"
    request = urllib.request.Request(url, method="PUT", headers=asterisk.ari.headers)  # noqa: S310 - our own http URL
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        assert answer.status == 204
