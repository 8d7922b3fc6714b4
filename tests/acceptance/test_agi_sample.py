"""The sample for an existing PBX: it asks over FastAGI, and Asterisk's own applications do what the answer says."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import ESTABLISHED, Baresip
from lab.testing import PROMPT_HZ, PROMPT_S
from tests.acceptance.centre import TUESDAY_EVENING, TUESDAY_MORNING, MakeCentre, People

pytestmark = pytest.mark.asterisk


CONTEXT = "callrouter-agi-sample"
TOLERANCE_S = 0.25
AGI_DEADLINE_S = 10.0
"""TIMEOUT(absolute) in dialplan/agi-sample.conf."""


@asynccontextmanager
async def decision(port: int, variables: Mapping[str, str]) -> AsyncIterator[list[str]]:
    """A daemon that decides the same for every call; the list fills with the lines that Asterisk asked with."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (line := (await reader.readline()).decode().strip()) != "":
            asked.append(line)
        for name, value in variables.items():
            writer.write(f'SET VARIABLE {name} "{value}"\n'.encode())
            assert (await reader.readline()).startswith(b"200 result=1")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        yield asked


async def place_call(asterisk: LabAsterisk, resident: Baresip) -> None:
    """Call the sample: the trunk's calls are sent there for the time of this call."""
    await asyncio.to_thread(
        asterisk.cli, f"dialplan add extension 7120,1,Goto,{CONTEXT},120,1 into callrouter-inbound replace"
    )
    await resident.dial("7120")


async def test_an_announcement_is_played_and_the_line_closed(
    caller: People, lab_asterisk: LabAsterisk, agi_port: int
) -> None:
    resident = await caller("0552251234")
    answer = {
        "CALLROUTER_ACTION": "announce",
        "CALLROUTER_PROMPTS": "callrouter/welcome&callrouter/closed",
        "CALLROUTER_RULE": "closed",
    }

    async with decision(agi_port, answer) as asked:
        await place_call(lab_asterisk, resident)
        await resident.closed(timeout_s=2 * PROMPT_S + 4)

    heard = resident.heard()
    assert audio.tone_seconds(heard, PROMPT_HZ["welcome"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert audio.tone_seconds(heard, PROMPT_HZ["closed"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert "agi_network_script: route" in asked
    assert "agi_callerid: 0552251234" in asked
    assert "agi_arg_1: 120" in asked


async def test_a_call_for_a_queue_goes_into_asterisks_own_queue(
    caller: People, counselor: People, lab_asterisk: LabAsterisk, agi_port: int
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("201")

    async with decision(agi_port, {"CALLROUTER_ACTION": "queue", "CALLROUTER_TARGET": "changwon"}):
        await place_call(lab_asterisk, resident)
        await phone.incoming()
        queue = await asyncio.to_thread(lab_asterisk.cli, "queue show changwon")
        await phone.accept()
        await phone.established()

    await phone.hang_up()
    await resident.closed()
    assert "PJSIP/carrier" in queue, "the resident is not in the queue while the phone rings"


async def test_a_caller_who_has_waited_as_long_as_the_rules_allow_is_told_and_let_go(
    caller: People, counselor: People, lab_asterisk: LabAsterisk, agi_port: int
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("201")
    answer = {"CALLROUTER_ACTION": "queue", "CALLROUTER_TARGET": "changwon", "CALLROUTER_MAX_WAIT": "2"}

    async with decision(agi_port, answer):
        await place_call(lab_asterisk, resident)
        await phone.incoming()
        await resident.closed(timeout_s=2 + PROMPT_S + 4)

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["all-busy"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)


async def test_a_call_for_another_place_in_the_dialplan_goes_there(
    caller: People, lab_asterisk: LabAsterisk, agi_port: int
) -> None:
    resident = await caller("0552251234")
    answer = {
        "CALLROUTER_ACTION": "dialplan",
        "CALLROUTER_TARGET": "callrouter-agi-announce,s,1",
        "CALLROUTER_PROMPTS": "callrouter/all-busy",
    }

    async with decision(agi_port, answer):
        await place_call(lab_asterisk, resident)
        await resident.closed(timeout_s=PROMPT_S + 4)

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["all-busy"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)


async def test_a_call_that_is_refused_ends_without_an_answer(
    caller: People, lab_asterisk: LabAsterisk, agi_port: int
) -> None:
    resident = await caller("0552251234")

    async with decision(agi_port, {"CALLROUTER_ACTION": "hangup"}) as asked:
        await place_call(lab_asterisk, resident)
        await resident.closed()

    assert asked
    assert not resident.seen(ESTABLISHED)


@pytest.mark.parametrize("action", ["", "no-such-action"])
async def test_an_answer_of_no_use_sends_the_call_to_the_pbxs_own_fallback(
    caller: People, counselor: People, lab_asterisk: LabAsterisk, agi_port: int, action: str
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("203")

    async with decision(agi_port, {"CALLROUTER_ACTION": action}) as asked:
        await place_call(lab_asterisk, resident)
        await phone.incoming()

    assert asked


async def test_no_daemon_at_all_sends_the_call_to_the_pbxs_own_fallback(
    caller: People, counselor: People, lab_asterisk: LabAsterisk
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("204")

    await place_call(lab_asterisk, resident)

    await phone.incoming()


async def test_a_daemon_that_never_answers_loses_the_call_to_the_pbxs_own_fallback(
    caller: People, counselor: People, lab_asterisk: LabAsterisk, agi_port: int
) -> None:
    resident = await caller("0552251234")
    phone = await counselor("205")
    over = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", agi_port):
        await place_call(lab_asterisk, resident)
        await phone.incoming(timeout_s=AGI_DEADLINE_S + PROMPT_S + 3)
        over.set()


@pytest.mark.parametrize(
    ("number", "clock", "queue", "prompt", "rule"),
    [
        ("0552251234", TUESDAY_MORNING, "changwon", "changwon-welcome", "changwon-day"),
        ("0557421234", TUESDAY_EVENING, "gyeongnam", "night-welcome", "gyeongnam-night"),
    ],
)
async def test_the_daemon_answers_with_the_decision_that_it_routes_its_own_calls_by(
    caller: People,
    counselor: People,
    lab_asterisk: LabAsterisk,
    centre: MakeCentre,
    number: str,
    clock: str,
    queue: str,
    prompt: str,
    rule: str,
) -> None:
    office = await centre(clock=clock)
    resident, phone = await caller(number), await counselor("201")

    await place_call(lab_asterisk, resident)
    await phone.incoming()
    waiting = await asyncio.to_thread(lab_asterisk.cli, f"queue show {queue}")
    await resident.hang_up()
    await resident.closed()
    explained = await asyncio.to_thread(office.daemon.run, "explain", "--from", number, "--at", clock, "--json")

    assert "PJSIP/carrier" in waiting
    assert audio.tone_seconds(resident.heard(), PROMPT_HZ[prompt]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert f"callrouter decided queue {queue} by {rule}" in lab_asterisk.log_text()
    assert json.loads(explained.stdout)["rule"] == rule
    assert not (await office.status())["calls"], "the daemon only decides; the call is Asterisk's"


async def test_hostile_sessions_cost_the_daemon_nothing_while_a_call_is_decided(
    caller: People, lab_asterisk: LabAsterisk, centre: MakeCentre, agi_port: int
) -> None:
    office = await centre(clock="2026-11-28T11:00")  # closed
    resident = await caller("0552251234")
    silent = [await asyncio.open_connection("127.0.0.1", agi_port) for _ in range(50)]
    for number, (_, writer) in enumerate(silent):
        if number % 3 == 0:
            writer.write(b"GET / HTTP/1.1\r\n\r\n" if number % 2 else b"agi_network: yes\n" * 500)
        elif number % 3 == 1:
            writer.write(b"\xff" * 10_000)
            writer.write_eof()

    await place_call(lab_asterisk, resident)
    await resident.closed(timeout_s=2 * PROMPT_S + 4)
    for _, writer in silent:
        writer.close()

    assert audio.tone_seconds(resident.heard(), PROMPT_HZ["closed"]) == pytest.approx(PROMPT_S, abs=TOLERANCE_S)
    assert (await office.status())["ready"]
