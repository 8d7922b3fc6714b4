"""Counselors say what a call was about, from their phones and by command, on a real Asterisk."""

import json
from pathlib import Path

import pytest

from tests.acceptance.centre import TUESDAY_MORNING, MakeCentre, People
from tests.acceptance.ordering import audit, command, hears

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
AGENT = "201"
PASSPORT, TOURISM = "*301", "*302"
DAY = TUESDAY_MORNING.split("T")[0]


def with_codes(config: Path, *, ends: str = "no") -> None:
    path = config / "queues.yaml"
    codes = f'    wrap_up_codes: {{"{PASSPORT}": passport, "{TOURISM}": tourism}}\n    code_ends_wrap_up: {ends}\n'
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("    wrap_up: 60s\n", "    wrap_up: 60s\n" + codes), encoding="utf-8")


async def test_the_code_that_is_dialled_last_in_the_wrap_up_is_on_the_record_and_in_the_report(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,), wrap_up="60s", edit=with_codes)
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    await office.talk(resident, phone)
    await resident.hang_up()
    await phone.closed()
    await office.until_agent(AGENT, "wrap-up")
    record = await office.cdr()
    await hears(phone, PASSPORT, "agent-noted")
    said = await command(office, "agent", "wrap-up", AGENT, "tourism")
    passport, tourism = await audit(office, 2)

    assert record.wrap_up is None
    assert said == f"the last call of agent {AGENT} was about tourism\n"
    assert (passport["name"], passport["becomes"], passport["via"]) == (record.call_id, "passport", "phone")
    assert (tourism["was"], tourism["becomes"], tourism["via"]) == ("passport", "tourism", "command")
    assert (await office.status())["agents"][0]["state"] == "wrap-up"
    assert (await office.cdr()).wrap_up == "tourism"
    report = json.loads(await command(office, "report", "--day", DAY, "--by", "wrap-up", "--json"))
    assert "tourism" in json.dumps(report)
    assert "passport" not in json.dumps(report)


async def test_a_code_is_taken_by_a_daemon_that_came_back_in_the_wrap_up_and_ends_it_where_that_is_wanted(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,), wrap_up="60s", edit=lambda config: with_codes(config, ends="yes"))
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    await office.talk(resident, phone)
    await resident.hang_up()
    await phone.closed()
    await office.until_agent(AGENT, "wrap-up")
    await office.kill()
    await office.restart()
    await office.until_agent(AGENT, "wrap-up")
    await hears(phone, PASSPORT, "agent-noted")
    await office.until_agent(AGENT, "available")
    await hears(phone, TOURISM, "agent-toolate")

    (entry,) = await audit(office, 1)
    record = await office.cdr()
    assert (entry["name"], entry["becomes"]) == (record.call_id, "passport")
    assert record.wrap_up == "passport"
