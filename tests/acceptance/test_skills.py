"""Residents get counselors who can help them, and cities their turns, on a real Asterisk."""

import asyncio
import time
from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult, Outcome
from lab.baresip import Baresip
from lab.testing import PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People, edit

pytestmark = pytest.mark.asterisk


CHANGWON = "0552251111"
CHANGWON_TOO = "0552252222"
CHANGWON_LAST = "0552253333"
JINJU = "0557423333"
EASED_AFTER_S = 6.0

# The tests' Asterisk has a tone for this prompt; it stands for the question here.
MENU = """\
routes:
  - id: menu
    do:
      - menu: waiting
        timeout: 1s
        tries: 1
        keys:
          2: {language: en}
        default: next
      - queue: gyeongnam
"""
SKILLS = f"""\
    skills: [{{language: en, need: {{english: 2}}}}]
    relax: [{{after: {EASED_AFTER_S:g}s, need: {{english: 0}}}}]
"""


def english_by_key_2(config: Path) -> None:
    """Ask for the language, and let 202 alone speak English."""
    routes = config / "routes.yaml"
    routes.write_text(MENU, encoding="utf-8")
    (config / "routes-test.yaml").unlink()
    edit(config / "queues.yaml", r"^    title: 경상남도\n", rf"\g<0>{SKILLS}")
    edit(config / "agents.yaml", r'^(  "202": .*)}$', r"\1, skills: {english: 2}}")


def equal_weights(config: Path) -> None:
    """Let the province and Changwon, which weighs 1 then, have equal turns."""
    edit(config / "regions.yaml", r"^    title: 경상남도$", r"\g<0>\n    weight: 1")


@pytest.fixture
async def office(centre: MakeCentre) -> Centre:
    """Two counselors, of whom 202 speaks English and has been idle no longer than 201."""
    return await centre(agents=("201", "202"), edit=english_by_key_2)


async def ask_for_english(resident: Baresip, office: Centre) -> float:
    """Dial, choose English with a key, and return when."""
    await resident.dial("120")
    await resident.established()
    await office.until_call("asking")
    await resident.press("2")
    return time.monotonic()


async def test_who_chooses_english_is_answered_by_who_speaks_it_and_another_by_who_is_longest_idle(
    caller: People, counselor: People, office: Centre
) -> None:
    foreigner, resident = await caller(CHANGWON), await caller(CHANGWON_TOO)
    korean, english = await counselor("201"), await counselor("202")

    await ask_for_english(foreigner, office)
    await office.taken(english)
    await resident.dial("120")
    await korean.incoming(timeout_s=PROMPT_S + 5)
    await office.picked_up(korean)
    await foreigner.hang_up()
    await resident.hang_up()

    first, second = await office.cdrs(2)
    assert [(leg.agent, leg.result) for leg in first.legs] == [("202", OfferResult.ANSWERED)]
    assert [(leg.agent, leg.result) for leg in second.legs] == [("201", OfferResult.ANSWERED)]


async def test_who_waits_for_a_skill_that_is_not_there_is_served_after_a_while_by_another(
    caller: People, counselor: People, office: Centre
) -> None:
    foreigner, korean = await caller(CHANGWON), await counselor("201")

    asked_s = await ask_for_english(foreigner, office)
    ringing = await korean.incoming(timeout_s=EASED_AFTER_S + 3)
    await office.picked_up(korean)
    await foreigner.hang_up()

    assert ringing.at_s - asked_s == pytest.approx(EASED_AFTER_S, abs=0.5)
    cdr = await office.cdr()
    assert cdr.outcome is Outcome.HANDLED
    assert [leg.result for leg in cdr.legs] == [OfferResult.ANSWERED], "202 has no phone: nobody rings it"


async def test_the_wait_for_a_skill_goes_on_over_the_death_of_the_daemon(
    caller: People, counselor: People, office: Centre
) -> None:
    foreigner, korean = await caller(CHANGWON), await counselor("201")

    await ask_for_english(foreigner, office)
    await office.until_waiting(1)
    await asyncio.sleep(1.5)  # of the wait
    await office.kill()
    await office.restart()
    restarted_s = time.monotonic()
    ringing = await korean.incoming(timeout_s=EASED_AFTER_S + 3)
    await foreigner.hang_up()

    assert ringing.at_s - restarted_s < EASED_AFTER_S - 1, "the wait before the restart counts, too"


async def test_a_surge_of_one_tenant_does_not_keep_the_caller_of_another_waiting(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=("201",), wrap_up="0s", edit=equal_weights)
    surge = [await caller(number) for number in (CHANGWON, CHANGWON_TOO, CHANGWON_LAST)]
    other, phone = await caller(JINJU), await counselor("201")

    await office.talk(surge[0], phone)
    for number, resident in enumerate((surge[1], surge[2], other), 1):
        await resident.dial("120")
        await office.until_waiting(number)
    served = []
    for _ in range(3):
        await phone.hang_up()
        served.append((await office.taken(phone)).peer)
    await phone.hang_up()

    assert [number for peer in served for number in (CHANGWON_TOO, JINJU, CHANGWON_LAST) if number in peer] == [
        CHANGWON_TOO,
        JINJU,
        CHANGWON_LAST,
    ]
    assert [cdr.outcome for cdr in await office.cdrs(4)] == [Outcome.HANDLED] * 4
