"""A resident is asked and answers with real keys (DTMF, RFC 4733), on a real Asterisk."""

import asyncio
import time
from pathlib import Path

import pytest

from callrouter.core.cdr import Outcome
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import Centre, MakeCentre, People

pytestmark = pytest.mark.asterisk


RESIDENT = "0552251234"
TOLERANCE_S = 0.25
TIMEOUT_S = 1.0

# The tests' Asterisk has a tone for each of these prompts; `waiting` stands for the question here.
MENU = f"""\
routes:
  - id: menu
    when: {{not: {{region: gimhae}}}}
    do:
      - menu: waiting
        timeout: {TIMEOUT_S:g}s
        tries: 2
        invalid: all-busy
        keys:
          1: {{topic: passport, do: [{{queue: gyeongnam}}]}}
          2: {{region: gimhae, language: en, do: [{{route: again}}]}}
          3: [{{announce: closed}}, hangup]
        default: [{{queue: changwon}}]
"""


def menu_first(config: Path) -> None:
    """Put the menu in front of the sample's routes."""
    routes = config / "routes.yaml"
    rest = routes.read_text(encoding="utf-8").partition("routes:\n")[2]
    routes.write_text(MENU + rest, encoding="utf-8")


@pytest.fixture
async def office(centre: MakeCentre) -> Centre:
    """One counselor, and a menu in front of everything."""
    return await centre(agents=("201",), edit=menu_first)


async def asked(resident: Baresip, office: Centre) -> None:
    """Dial, and be asked."""
    await resident.dial("120")
    await resident.established()
    await office.until_call("asking")


async def test_a_key_pressed_during_the_question_ends_it_and_leads_to_its_queue(
    caller: People, counselor: People, office: Centre
) -> None:
    resident, phone = await caller(RESIDENT), await counselor("201")

    await asked(resident, office)
    pressed_s = time.monotonic()
    await resident.press("1")
    ringing = await office.taken(phone)
    await resident.hang_up()
    await phone.closed()

    assert ringing.at_s - pressed_s < PROMPT_S, "the question was heard to its end"
    cdr = await office.cdr()
    assert (cdr.topic, cdr.queue, cdr.outcome) == ("passport", "gyeongnam", Outcome.HANDLED)
    assert "menu: pressed 1: topic passport" in cdr.explanation


async def test_a_key_pressed_after_the_question_is_taken_too(caller: People, counselor: People, office: Centre) -> None:
    resident, phone = await caller(RESIDENT), await counselor("201")

    await asked(resident, office)
    await asyncio.sleep(PROMPT_S + TIMEOUT_S / 2)  # listening to the end, and thinking
    await resident.press("1")
    await phone.incoming()
    await resident.hang_up()

    assert (await office.cdr()).topic == "passport"


async def test_a_wrong_key_is_said_so_and_the_question_asked_again(
    caller: People, counselor: People, office: Centre
) -> None:
    resident, phone = await caller(RESIDENT), await counselor("201")

    await asked(resident, office)
    await resident.press("9")
    await asyncio.sleep(2 * PROMPT_S + 0.5)  # hearing both announcements
    await resident.press("1")
    await phone.incoming()
    await resident.hang_up()
    await resident.closed()

    heard = resident.heard()
    assert audio.tone_seconds(heard, PROMPT_HZ["all-busy"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(heard, PROMPT_HZ["waiting"]) >= PROMPT_S - TOLERANCE_S


async def test_who_presses_nothing_is_asked_twice_and_then_connected_all_the_same(
    caller: People, counselor: People, office: Centre
) -> None:
    resident, phone = await caller(RESIDENT), await counselor("201")

    await asked(resident, office)
    await phone.incoming(timeout_s=2 * (PROMPT_S + TIMEOUT_S) + 3)
    await resident.hang_up()
    await resident.closed()

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["waiting"]) == pytest.approx(2 * PROMPT_S, abs=TOLERANCE_S)
    cdr = await office.cdr()
    assert (cdr.queue, cdr.topic) == ("changwon", None)
    assert "no key pressed, so the default" in cdr.explanation


async def test_an_answer_may_send_the_call_through_the_routes_again_under_another_region(
    caller: People, counselor: People, office: Centre, lab_asterisk: LabAsterisk
) -> None:
    resident, phone = await caller(RESIDENT), await counselor("201")

    await asked(resident, office)
    await resident.press("2")
    await phone.incoming()
    await resident.hang_up()

    assert f'From: "김해" <sip:{RESIDENT}@' in phone.trace()
    cdr = await office.cdr()
    assert (cdr.rule, cdr.region, cdr.region_source) == ("gyeongnam-day", "gimhae", "menu")
    assert cdr.explanation.index("> menu") < cdr.explanation.index("> gyeongnam-day")


async def test_what_was_chosen_to_be_heard_is_heard_and_the_line_closed(caller: People, office: Centre) -> None:
    resident = await caller(RESIDENT)

    await asked(resident, office)
    await resident.press("3")
    await resident.closed(timeout_s=PROMPT_S + 3)

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["closed"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert (await office.cdr()).outcome is Outcome.HANDLED


async def test_a_question_that_a_dead_daemon_asked_is_asked_again_by_the_next(
    caller: People, counselor: People, office: Centre
) -> None:
    resident, phone = await caller(RESIDENT), await counselor("201")

    await asked(resident, office)
    await office.kill()
    await office.restart()
    await office.until_call("asking")
    await resident.press("1")
    await phone.incoming()
    await resident.hang_up()

    assert (await office.cdr()).topic == "passport"
