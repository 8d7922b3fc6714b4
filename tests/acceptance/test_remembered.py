"""A resident with a mobile phone is asked once where he is, agrees with a real key, and is known by the next daemon."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from callrouter.core.cdr import Cdr
from lab.baresip import Baresip
from tests.acceptance.centre import Centre, MakeCentre, People

pytestmark = pytest.mark.asterisk

MOBILE = "01023456789"

# The tests' Asterisk has a tone for each of these prompts: `waiting` stands for the question where the caller is,
# `all-busy` for the one whether that may be remembered.
ROUTES = """\
routes:
  - id: ask
    when: {region_source: default}
    do:
      - menu: waiting
        keys: {1: {region: changwon}, 2: {region: gimhae}}
        default: [{queue: gyeongnam}]
      - menu: all-busy
        tries: 1
        timeout: 1s
        keys: {1: {remember: 180d}}
        default: next
      - route: again
  - id: take-back
    when: {dialed: 055120}
    do:
      - menu: waiting
        keys: {9: {forget: true}}
        default: next
      - announce: closed
      - hangup
"""


def ask_first(config: Path) -> None:
    """Put the questions in front of the sample's routes."""
    routes = config / "routes.yaml"
    rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
    routes.write_text(ROUTES + rest, encoding="utf-8")


@pytest.fixture
async def office(centre: MakeCentre) -> Centre:
    """One counselor, and callers of whom nothing is known are asked."""
    return await centre(agents=("201",), edit=ask_first)


async def asked(dialed: str, caller: People, office: Centre, number: str = MOBILE) -> Baresip:
    """Dial, and be asked."""
    resident = await caller(number)
    await resident.dial(dialed)
    await resident.established()
    await office.until_call("asking")
    return resident


def is_asked_in_changwon(status: dict[str, Any]) -> bool:
    """Whether the first question was answered, and another is asked."""
    return [(call["state"], call["region"]) for call in status["calls"]] == [("asking", "changwon")]


async def remembered(office: Centre) -> int:
    """How many callers are, as the command says."""
    said = await asyncio.to_thread(office.daemon.run, "remembered", "--json", "--url", office.daemon.url)
    assert said.returncode == 0, said.stderr
    return int(json.loads(said.stdout)["callers"])


def where(cdr: Cdr) -> tuple[str, str, str]:
    return cdr.rule, cdr.region, cdr.region_source


async def test_a_choice_is_remembered_over_a_restart_until_it_is_taken_back(
    caller: People, counselor: People, office: Centre
) -> None:
    phone = await counselor("201")

    # Asked, answered, agreed.
    resident = await asked("120", caller, office)
    await resident.press("1")
    await office.until("the second question is asked", is_asked_in_changwon)
    await resident.press("1")
    await phone.incoming()
    await resident.hang_up()
    await phone.closed()
    (first,) = await office.cdrs(1)
    assert where(first) == ("changwon-day", "changwon", "menu")
    assert "menu: pressed 1: agreed to be remembered for 180 d" in first.explanation

    await office.kill()
    await office.restart()

    # Known: no question, at once to Changwon.
    resident = await caller(MOBILE)
    await resident.dial("120")
    await phone.incoming()
    await resident.hang_up()
    await phone.closed()
    second = (await office.cdrs(2))[-1]
    assert where(second) == ("changwon-day", "changwon", "remembered")
    assert "menu" not in second.explanation

    # Taken back, with a key.
    assert await remembered(office) == 1
    resident = await asked("055120", caller, office)
    await resident.press("9")
    await office.until_call("announcing")
    assert await remembered(office) == 0
    await resident.hang_up()
    third = (await office.cdrs(3))[-1]
    assert where(third) == ("take-back", "changwon", "remembered")
    assert "menu: pressed 9: what was remembered is forgotten" in third.explanation

    # And asked again.
    resident = await asked("120", caller, office)
    await resident.hang_up()
    assert where((await office.cdrs(4))[-1]) == ("ask", "gyeongnam", "default")

    assert MOBILE not in office.daemon.log_text()
    kept = [path for path in office.daemon.state_dir.glob("remembered.*") if path.is_file()]
    assert len(kept) == 2
    assert not any(MOBILE[1:].encode() in path.read_bytes() for path in kept)


async def test_an_operator_forgets_a_caller_for_him(caller: People, counselor: People, office: Centre) -> None:
    phone = await counselor("201")
    resident = await asked("120", caller, office)
    await resident.press("1")
    await office.until("the second question is asked", is_asked_in_changwon)
    await resident.press("1")
    await phone.incoming()
    await resident.hang_up()
    await phone.closed()

    said = await asyncio.to_thread(office.daemon.run, "remembered", "forget", MOBILE, "--url", office.daemon.url)

    assert (said.returncode, said.stdout) == (0, "1 caller forgotten; 0 left\n"), said.stderr
    resident = await asked("120", caller, office)
    await resident.hang_up()
    assert where((await office.cdrs(2))[-1]) == ("ask", "gyeongnam", "default")


async def test_a_caller_who_withholds_his_number_is_not_asked_whether_he_may_be_remembered(
    caller: People, counselor: People, office: Centre
) -> None:
    phone = await counselor("201")
    resident = await asked("120", caller, office, number="anonymous")
    await resident.press("1")
    await phone.incoming()
    await resident.hang_up()

    cdr = await office.cdr()
    assert where(cdr) == ("changwon-day", "changwon", "menu")
    assert "menu: not asked, for nothing could be remembered" in cdr.explanation
    assert await remembered(office) == 0
