"""Counselors log in and out, pause and end their wrap-up, from their phones and by command, on a real Asterisk."""

from pathlib import Path

import pytest

from callrouter.core.cdr import OfferResult, Outcome
from lab import audio
from lab.asterisk import LabAsterisk
from lab.sipp import Lamp
from lab.testing import DEADLINE_S, MUSIC_HZ, PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import MakeCentre, People, edit
from tests.acceptance.conftest import PHONES_ADDRESS
from tests.acceptance.ordering import TOLERANCE_S, audit, command, hears
from tests.acceptance.phones import phone_that

pytestmark = pytest.mark.asterisk

RESIDENT = "0552251234"
LOGIN, PAUSE = "*11", "*12"
AGENT, WATCHER = "201", "202"
PAUSED_AT_ONCE = {"LIMITS_MISSES_BEFORE_PAUSE": "1"}
SAID = "passport-surge"
"""Stands for what the queue is about; the tests' Asterisk has a tone for it."""


def say_which_queue(config: Path) -> None:
    """Have told to who picks up what the call is about."""
    edit(config / "queues.yaml", r"^    title: 창원시\n", rf"\g<0>    agent_prompt: {SAID}\n")


async def test_a_counselor_pauses_by_a_code_stays_so_over_a_crash_and_is_rung_when_ready_again(
    caller: People, counselor: People, centre: MakeCentre, lab_asterisk: LabAsterisk
) -> None:
    office = await centre(agents=(AGENT,))
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    async with Lamp(lab_asterisk, WATCHER, f"agent-{AGENT}", address=PHONES_ADDRESS) as lamp:
        await lamp.until("terminated")
        await hears(phone, PAUSE, "agent-paused")
        await lamp.until("confirmed")
        await office.kill()
        await office.restart()
        await office.until_agent(AGENT, "paused")
        await resident.dial("120")
        await office.until_waiting(1)

        said = await command(office, "agent", "ready", AGENT)
        await lamp.until("early")
    await phone.incoming()
    await phone.accept()
    await office.until_call("connected")
    await resident.hang_up()

    assert said == f"agent {AGENT} is available\n"
    assert (await office.cdr()).agent == AGENT
    paused, ready = await audit(office, 2)
    assert (paused["who"], paused["becomes"], paused["via"]) == (AGENT, "paused", "phone")
    assert (ready["becomes"], ready["via"]) == ("on-duty", "command")


async def test_a_counselor_logs_out_and_in_and_is_no_staff_meanwhile(counselor: People, centre: MakeCentre) -> None:
    office = await centre(agents=(AGENT,))
    phone = await counselor(AGENT)

    await hears(phone, LOGIN, "agent-loggedout")
    out = await office.status()
    await hears(phone, LOGIN, "agent-loggedin")
    await office.until_agent(AGENT, "available")
    back = await office.status()

    assert (out["agents"][0]["state"], {queue["agents"] for queue in out["queues"]}) == ("logged-out", {0})
    assert (back["agents"][0]["state"], {queue["agents"] for queue in back["queues"]}) == ("available", {1})


async def test_a_pause_in_the_middle_of_a_call_begins_behind_it_and_a_code_ends_the_wrap_up(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,), wrap_up="60s")
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    await office.talk(resident, phone)
    said = await command(office, "agent", "pause", AGENT, "--reason", "점심")
    await resident.hang_up()
    await phone.closed()
    await office.until_agent(AGENT, "wrap-up")
    await hears(phone, PAUSE, "agent-ready")
    await office.until_agent(AGENT, "available")

    assert said == f"agent {AGENT} is paused, when this call is over\n"
    assert (await office.cdr()).talk_s > 0


async def test_the_phone_of_no_counselor_is_told_so(counselor: People, centre: MakeCentre) -> None:
    office = await centre(agents=(AGENT,))
    other = await counselor(WATCHER)

    await hears(other, PAUSE, "agent-unknown")

    (line,) = [line for line in office.daemon.log_text().splitlines() if "exchange.agent-refused" in line]
    assert f"PJSIP/{WATCHER} dialled {PAUSE}: it is the phone of no agent" in line


async def test_three_missed_calls_in_a_row_pause_a_counselor_who_hears_why_as_the_page_says(
    caller: People, counselor: People, lab_asterisk: LabAsterisk, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,), ring_timeout="1s", settings={"LIMITS_REST_AFTER_REJECTED": "500ms"})
    resident = await caller(RESIDENT)
    async with phone_that(lab_asterisk, "uas_decline", count=3):
        await resident.dial("120")
        await office.until_agent(AGENT, "paused")
    status = await office.status()
    await resident.hang_up()

    assert status["agents"][0]["reason"] == "3 calls in a row were not answered"
    assert len((await office.cdr()).legs) == 3
    (entry,) = await audit(office, 1)
    assert (entry["who"], entry["becomes"], entry["via"]) == ("callrouter", "paused", "misses")

    await office.kill()
    await office.restart()
    phone = await counselor(AGENT)
    await phone.dial(PAUSE)
    await phone.established()
    await phone.closed(timeout_s=2 * PROMPT_S + DEADLINE_S + 4)
    heard = [audio.tone_seconds(phone.heard(), PROMPT_HZ[f"agent-{word}"]) for word in ("missed", "ready")]
    assert heard == [pytest.approx(PROMPT_S, abs=TOLERANCE_S)] * 2, "he hears why, and that it is over"


async def test_who_was_paused_for_misses_and_made_ready_by_the_supervisor_hears_so_when_he_picks_up(
    caller: People, counselor: People, lab_asterisk: LabAsterisk, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,), ring_timeout="1s", settings=PAUSED_AT_ONCE, edit=say_which_queue)
    resident = await caller(RESIDENT)
    async with phone_that(lab_asterisk, "uas_decline"):
        await resident.dial("120")
        await office.until_agent(AGENT, "paused")
    phone = await counselor(AGENT)
    await command(office, "agent", "ready", AGENT)
    await phone.incoming()
    await phone.accept()
    await office.until_call("briefing")
    await office.until_call("connected")
    await resident.hang_up()
    await phone.closed()

    heard = [audio.tone_seconds(phone.heard(), PROMPT_HZ[prompt]) for prompt in ("agent-missed", SAID)]
    assert heard == [pytest.approx(PROMPT_S, abs=TOLERANCE_S)] * 2, "he hears why, and what the call is about"
    music_s = audio.tone_seconds(resident.heard(), MUSIC_HZ)
    assert music_s > 2 * PROMPT_S - TOLERANCE_S, "the caller hears music until the two are connected"
    for prompt in ("agent-missed", SAID):
        assert audio.tone_seconds(resident.heard(), PROMPT_HZ[prompt]) == 0.0, "that is not for the caller"
    cdr = await office.cdr()
    assert [leg.result for leg in cdr.legs] == [OfferResult.REJECTED, OfferResult.ANSWERED]


async def test_a_counselor_who_hangs_up_while_he_is_told_what_it_is_about_leaves_the_caller_in_line(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,), edit=say_which_queue)
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    await resident.dial("120")
    await phone.incoming()
    await phone.accept()
    await office.until_call("briefing")
    await phone.hang_up()
    await office.until_waiting(1)
    await resident.hang_up()

    cdr = await office.cdr()
    assert (cdr.outcome, [leg.result for leg in cdr.legs]) == (Outcome.ABANDONED, [OfferResult.LOST])


async def test_a_crash_changes_neither_who_is_next_nor_who_is_in_his_wrap_up(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT, WATCHER), wrap_up="60s")
    resident, other = await caller(RESIDENT), await counselor(WATCHER)
    await office.talk(resident, other)
    await resident.hang_up()
    await office.until_agent(WATCHER, "wrap-up")
    await command(office, "agent", "ready", WATCHER)
    phone = await counselor(AGENT)
    await office.until_agent(AGENT, "available")
    await office.talk(resident, phone)
    await resident.hang_up()
    await office.until_agent(AGENT, "wrap-up")

    await office.kill()
    await office.restart()
    await office.until_agent(AGENT, "wrap-up")
    await command(office, "agent", "ready", AGENT)
    await office.talk(resident, other)
    await resident.hang_up()

    assert [cdr.agent for cdr in await office.cdrs(3)] == [WATCHER, AGENT, WATCHER], "the longest idle is next"


async def test_a_counselor_takes_calls_of_one_queue_alone_over_a_crash_and_of_all_again(
    caller: People, counselor: People, centre: MakeCentre
) -> None:
    office = await centre(agents=(AGENT,))
    resident, phone = await caller(RESIDENT), await counselor(AGENT)
    said = await command(office, "agent", "serve", AGENT, "gyeongnam")
    await office.kill()
    await office.restart()
    await resident.dial("120")
    await office.until_waiting(1)
    staff = {queue["queue"]: queue["agents"] for queue in (await office.status())["queues"]}

    await command(office, "agent", "serve", AGENT)
    await phone.incoming()
    await phone.accept()
    await office.until_call("connected")
    await resident.hang_up()

    assert said == f"agent {AGENT} serves gyeongnam\n"
    assert (staff["gyeongnam"], staff["changwon"]) == (1, 0)
    assert (await office.cdr()).agent == AGENT
